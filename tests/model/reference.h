// reference.h: what a tenant's tasks must be after a sequence of operations, written from the
// documents and not from the engine: small, slow and obvious. One operation at a time; no lanes, no
// units, no store.
//
// Where the product may choose (ids, lease tokens, the jitter of a backoff, who of several waiting
// claims is served) the caller tells what was chosen, and the model says whether it may be so.
#ifndef TESTS_MODEL_REFERENCE_H
#define TESTS_MODEL_REFERENCE_H

#include "engine/order.h"

enum {
  REF_TASKS = 48,
  REF_EVENTS = 64,
  REF_QUEUES = 3,
  REF_TYPES = 3,
  REF_LEASES = 8,
};

// Models that are wrong on purpose: a run with one of them must find a difference.
enum wrong {
  WRONG_NOT,
#define WRONG(name, meaning) WRONG_##name,
#include "wrong.def"
#undef WRONG
  WRONG_COUNT
};

struct ref_task {
  struct task is;
  bool gone;
  int64_t leases[REF_LEASES];  // tokens of its attempts, the newest last
  size_t lease_count;
};

struct ref {
  int64_t now;
  struct ref_task tasks[REF_TASKS];
  size_t count;
  struct event events[REF_EVENTS];  // of this operation; the caller takes them away
  size_t event_count;
  bool paused[REF_QUEUES];
  struct type types[REF_TYPES];  // name NONE: nothing was said of it
  struct str actor;              // who asks
  enum wrong wrong;
};

extern const char *const REF_QUEUE[REF_QUEUES];
extern const char *const REF_TYPE[REF_TYPES];

void ref_init(struct ref *r, int64_t now, enum wrong wrong);
struct ref_task *ref_find(struct ref *r, struct id id);  // NULL: none, or gone
struct ref_task *ref_unique(struct ref *r, struct str key);

// The task that `item` makes, but for its id. The caller adds it with the id that it got.
struct task ref_make(const struct ref *r, const struct create_item *item);
struct ref_task *ref_add(struct ref *r, const struct task *task);

bool ref_is_ready(const struct ref_task *t);
bool ref_fits(const struct ref *r, const struct claim_filter *f, const struct ref_task *t);
// The best one that fits: priority falling, then older first; NULL: none does.
struct ref_task *ref_best(struct ref *r, const struct claim_filter *f);
enum err ref_may_claim(const struct ref *r, const struct ref_task *t);
// A worker gets it, with this token.
void ref_claim(struct ref *r, struct ref_task *t, const struct claim_filter *f, int64_t lease);

// Ends an attempt. `*run_at_least`, `*run_at_most`: the bounds of the backoff, if there is one; the
// task has the latest, until the caller sets what was chosen.
struct ref_wait {
  int64_t least, most;  // 0: nothing was to be chosen
};
enum err ref_settle(struct ref *r, struct ref_task *t, const struct settle_item *item,
                    struct ref_wait *wait);
// The end of the backoff that was drawn.
void ref_chosen(struct ref_task *t, int64_t run_at);
enum err ref_report(struct ref *r, struct ref_task *t, const struct report_input *in);
enum err ref_start(struct ref *r, struct ref_task *t);
enum err ref_cancel(struct ref *r, struct ref_task *t, int64_t grace_ms, struct str reason);
enum err ref_retry(struct ref *r, struct ref_task *t);
enum err ref_edit(struct ref *r, struct ref_task *t, const struct edit_input *in,
                  int64_t if_revision);
enum err ref_delete(struct ref *r, struct ref_task *t, bool force, int64_t if_revision);
void ref_pause(struct ref *r, size_t queue, bool paused);
void ref_type(struct ref *r, size_t type, const struct type *is);

// When the clock moves something next; 0: never.
int64_t ref_next(const struct ref *r);
// What the clock does with a task whose time has come; `wait` as in ref_settle.
bool ref_is_due(const struct ref *r, const struct ref_task *t);
void ref_time(struct ref *r, struct ref_task *t, struct ref_wait *wait);

#endif
