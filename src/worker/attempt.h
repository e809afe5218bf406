// attempt.h: one run of one task, as a handler sees it, and what may cut it short. Private to
// worker/.
#ifndef WORKER_ATTEMPT_H
#define WORKER_ATTEMPT_H

#include "worker/claim.h"
#include "worker/lease.h"
#include "worker/outcome.h"

#include <stdatomic.h>

// How far the worker is on its way out. Only ever rises.
enum phase {
  PHASE_RUN,
  PHASE_DRAIN,  // claim nothing more; what runs may end
  PHASE_END,    // stop what runs and give it back
  PHASE_NOW,    // the same, without any grace
};

// Why an attempt must stop before its end. The later ones outrank the earlier.
enum halt {
  HALT_NONE,
  HALT_END,     // the worker ends: give the task back
  HALT_CANCEL,  // the task is to be cancelled
  HALT_LOST,    // the lease is lost: somebody else may be running it
  HALT_NOW,     // the worker ends at once
};

struct attempt {
  const struct claim *claim;
  struct lease *lease;
  const _Atomic int *phase;
  int wake_fd;          // readable when attempt_halt may have changed
  struct arena *arena;  // for the outcome; reset after it was reported
};

enum halt attempt_halt(const struct attempt *at);

// Waits; false when the attempt must stop.
bool attempt_pause(const struct attempt *at, int64_t wait_ms);

// The outcome of an attempt that had to stop.
struct outcome attempt_halted(const struct attempt *at, enum halt halt);

// Runs one attempt to its outcome. `self` is the handler's own.
typedef struct outcome attempt_handler(const void *self, const struct attempt *at);

// Empties `wake_fd` and then waits until it is readable again, or for `wait_ms`.
void wake_clear(int wake_fd);
void wake_wait(int wake_fd, int64_t wait_ms);

#endif
