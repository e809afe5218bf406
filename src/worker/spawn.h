// spawn.h: starts a program with pipes to its standard streams and fd 3. Private to worker/.
#ifndef WORKER_SPAWN_H
#define WORKER_SPAWN_H

#include "base/arena.h"
#include "base/err.h"
#include "worker/claim.h"

#include <sys/types.h>

enum stream { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAM_PROGRESS, STREAM_COUNT };  // 0, 1, 2, 3

struct child {
  pid_t pid;             // also its process group
  int pidfd;             // readable once it has ended
  int fd[STREAM_COUNT];  // our ends, not blocking; -1: closed
};

// The child gets no other descriptor of ours, the default action for every signal, an empty signal
// mask and a process group of its own. `argv[0]` is looked for in PATH. ERR_UNAVAILABLE: it cannot
// be started; nothing is left open.
MUST_USE enum err spawn_program(char *const *argv, char *const *env, struct child *out,
                                struct fault *why);

void spawn_close(struct child *child, enum stream stream);  // closes our end, if it is open

// The worker's own environment and, over it, the variables that describe the task.
char **spawn_environment(struct arena *a, const struct claim *claim);

// Whether `program` names something to run, in PATH or by its path. ERR_INVALID with a sentence.
MUST_USE enum err spawn_check(const char *program, struct fault *why);

#endif
