// crew.h: the worker's slots together. Private to worker/.
#ifndef WORKER_CREW_H
#define WORKER_CREW_H

#include "worker/slot.h"

enum { CREW_SLOTS_MAX = 256 };

struct crew_plan {
  struct slot_plan slot;  // its phase and ended_fd are the crew's
  const char *name;       // the worker's, for the log
  int64_t concurrency;    // 1 … CREW_SLOTS_MAX
  int64_t drain_ms;
};

// Runs until the slots have ended by themselves, or a signal ended them: SIGTERM, SIGINT and SIGHUP
// drain, a second one stops at once (and may leave the process from here). `*status` is then the
// process's exit status, as in worker.h. An error: the slots could not be started.
MUST_USE enum err crew_run(struct crew_plan *plan, int *status, struct fault *why);

#endif
