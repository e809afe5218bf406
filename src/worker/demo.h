// demo.h: kinds of task that only pretend to work, for trying things out. Private to worker/.
#ifndef WORKER_DEMO_H
#define WORKER_DEMO_H

#include "worker/attempt.h"

// The types, ended by NULL: "sample", "file-processing", "api-call", "batch"; "sendMessage" and
// "processVoice" of front door S1; "dummy" of the job API of front door S4.
extern const char *const demo_types[];

// An attempt_handler; `self` is not used. A task of any other type fails for good with
// `unknown_task_type`.
struct outcome demo_run(const void *self, const struct attempt *at);

#endif
