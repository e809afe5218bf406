// watch.h: waits for tasks to end, with a bar on a terminal, and tells how they ended.
#ifndef APP_WATCH_H
#define APP_WATCH_H

#include "app/command.h"

struct watch {
  int64_t timeout_ms;  // 0: for ever
  bool as_json;        // print the whole task, not only its result
};

// Waits for all the tasks, in their order; prints the result of each on standard output as it ends,
// and its error on standard error. The exit code of the first task that did not complete goes to
// c->exit_code. A timeout is an error that has its exit code set.
enum err watch_tasks(struct command *c, const struct watch *watch, const char *const *ids,
                     size_t count, struct fault *why);

// --timeout of wait and submit.
enum err watch_timeout(const struct command *c, int64_t *out_ms, struct fault *why);

#endif
