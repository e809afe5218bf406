// exec.h: runs a program for one attempt. The contract is docs/worker.md. Private to worker/.
#ifndef WORKER_EXEC_H
#define WORKER_EXEC_H

#include "worker/attempt.h"

struct exec {
  char **argv;
  int64_t grace_ms;  // between SIGTERM and SIGKILL
  bool text;         // a payload that is a string arrives as its text, not as JSON
};

// An attempt_handler; `self` is a struct exec.
struct outcome exec_run(const void *self, const struct attempt *at);

#endif
