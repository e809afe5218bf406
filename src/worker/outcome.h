// outcome.h: how an attempt ended, and what that means for the task. Private to worker/.
#ifndef WORKER_OUTCOME_H
#define WORKER_OUTCOME_H

#include "base/arena.h"
#include "base/str.h"

enum outcome_kind {
  OUTCOME_COMPLETED,
  OUTCOME_FAILED,    // for good
  OUTCOME_RETRY,     // failed, and asks for another attempt
  OUTCOME_RELEASED,  // cut short by the worker's own end; the attempt is given back
  OUTCOME_LOST,      // the lease is gone: nothing may be reported
};

struct outcome {
  enum outcome_kind kind;
  struct str result;   // COMPLETED: JSON
  const char *code;    // FAILED, RETRY: a stable word
  struct str message;  // FAILED, RETRY: clean UTF-8
};

enum {
  OUTCOME_RESULT_BYTES_MAX =
      (1 << 20) - (8 << 10),  // a body of default size, less what goes with it
};

// What the status of an ended program (as of waitpid) means. `out` is all that it printed, `err`
// the last lines of its stderr.
struct outcome outcome_of_exit(struct arena *a, int wait_status, struct str out, struct str err);

struct outcome outcome_fail(struct arena *a, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// The result that printed bytes stand for: JSON as it is, nothing as null, other text as a JSON
// string without the line ends at its end.
struct str outcome_result(struct arena *a, struct str printed);

#endif
