// repository.h: the front door of the task repository service (S3), which stands in the canonical
// routes. Private to api/.
//
// Its words (`task_type`, `processing`, …) are known by themselves, whoever sends them. What is
// meant differently is so only for a service: a caller whose key names the microservice that it is
// for.
#ifndef API_DOORS_REPOSITORY_H
#define API_DOORS_REPOSITORY_H

#include "api/call.h"
#include "api/inputs.h"

bool repository_is_service(const struct call *c);

// --- which task ----------------------------------------------------------------------------------

// A path that names a task by what a service knew it as before, which is kept as its unique key; or
// a claim that names the task's tenant_id, to be sure. Finds the task, and then goes on.
bool repository_must_resolve(const struct call *c);
MUST_USE enum err repository_resolve(struct call *c, enum err (*then)(struct call *c));

// --- what comes in -------------------------------------------------------------------------------

// A body to create a task by: an object with `task_type`. The whole of it becomes the payload, so
// that no member is lost.
bool repository_is_task(struct str json);
MUST_USE enum err repository_task(struct call *c, struct str json, const struct where *where,
                                  struct create_input *out);

// The name of the worker of a claim: of the body, else `processor_id` of the query.
MUST_USE enum err repository_check_worker(struct call *c, const struct where *where,
                                          struct claim_filter *claim);
// The same, else, from a service, the header X-Service-Id. Of a service the claim is bound to its
// key, so that its moves need no lease token.
MUST_USE enum err repository_claim(struct call *c, const struct where *where,
                                   struct claim_filter *claim);

// `processor_id` of the query; `*out` stays as it is when it did not come.
MUST_USE enum err repository_processor(struct call *c, struct str *out);

// A body of /complete that is the result itself, and one of /fail that is the document's.
bool repository_is_result(struct call *c);
bool repository_is_failure(struct call *c);
MUST_USE enum err repository_failure(struct call *c, struct settle_item *out);

// --- what goes out -------------------------------------------------------------------------------

int64_t repository_priority(int64_t priority);  // 1 to 10, lower first

// Behind the "task" of an answer to a create: the id by the name that its client reads.
void repository_put_created(struct buf *b, const struct task *task);
// Behind the "task" of an answer to a service: the members that the document's clients look for.
void repository_put_members(struct call *c, struct buf *b, const struct task *task);
// What GET /api/v1/stats answers: how many tasks there are, by the document's words and by type.
// Sorts the tallies.
int repository_put_stats(struct buf *b, struct tally *tallies, size_t count);
// A task of a list for a service: ours, and what the document's clients look for in one object.
void repository_put_listed(struct call *c, struct buf *b, const struct encode_context *x,
                           const struct task *task, unsigned parts);

#endif
