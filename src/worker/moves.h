// moves.h: the calls a worker makes, one function for each. Private to worker/.
//
// All block for at most the client's own limits. Each gives the client's error when the call
// failed.
#ifndef WORKER_MOVES_H
#define WORKER_MOVES_H

#include "base/err.h"
#include "client/client.h"
#include "worker/claim.h"
#include "worker/progress.h"

// What this worker asks for: the members of a claim but `waitMs`, as JSON without braces.
struct wish {
  struct str members;
};

struct wish_parts {
  const char *const *types, *const *queues;  // ended by NULL; none means any
  const char *worker;
  int64_t lease_ms;  // 0: as each task says
  bool sessions;     // tasks of sessions, instead of durable ones
};
struct wish wish_make(struct arena *a, const struct wish_parts *parts);

// `wait_ms`: how long the server may hold the request until a task is there. `*found` false: none
// is.
MUST_USE enum err moves_claim(struct client *c, struct arena *a, const struct wish *wish,
                              int64_t wait_ms, struct claim *out, bool *found, struct fault *why);

// With a wish the answer brings the next task along, if one is ready; it is in the arena `a`.
MUST_USE enum err moves_complete(struct client *c, struct arena *a, const struct claim *claim,
                                 struct str result, const struct wish *wish, struct claim *out,
                                 bool *found, struct fault *why);

struct failure {
  const char *code;
  struct str message;
  bool retry;
};
MUST_USE enum err moves_fail(struct client *c, struct arena *a, const struct claim *claim,
                             const struct failure *failure, struct fault *why);
MUST_USE enum err moves_release(struct client *c, struct arena *a, const struct claim *claim,
                                struct fault *why);

// `*cancel`: the task is to be cancelled.
MUST_USE enum err moves_heartbeat(struct client *c, struct arena *a, const struct claim *claim,
                                  bool *cancel, struct fault *why);
MUST_USE enum err moves_progress(struct client *c, struct arena *a, const struct claim *claim,
                                 const struct progress *progress, bool *cancel, struct fault *why);
// `lines` are JSON strings with commas between them.
MUST_USE enum err moves_logs(struct client *c, struct arena *a, const struct claim *claim,
                             struct str lines, bool *cancel, struct fault *why);

// Whether the same call may succeed later: no answer, an overload, a credential being changed.
bool moves_err_passes(enum err err);

#endif
