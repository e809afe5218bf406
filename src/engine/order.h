// order.h: what the engine is asked to do, and its answer: plain structs, no JSON, no HTTP.
#ifndef ENGINE_ORDER_H
#define ENGINE_ORDER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

enum order_kind {
#define ORDER(name, prefix, meaning) ORDER_##name,
#include "engine/orders.def"
#undef ORDER
  ORDER_KIND_COUNT
};

#define ABSENT INT64_MIN  // "the caller did not say", in numbers that have no other such value

// A task to be made. In `task` only the caller's fields are read; where one is absent (priority and
// timeout_ms: ABSENT; queue: STR_NONE; other numbers: 0) the type's default holds, then the
// server's.
struct create_item {
  struct task task;
  int64_t delay_ms;   // 0: none; excludes task.run_at
  bool hold;          // autoStart false
  bool deduplicated;  // out: the task with this unique key was already there
};

struct claim_filter {
  const struct str *types;  // none: any
  size_t type_count;
  const struct str *queues;  // none: any
  size_t queue_count;
  struct str worker;       // workerId; STR_NONE: absent
  size_t limit;            // 0: no claim wanted
  int64_t lease_ms;        // 0: the task's own,
  int64_t lease_least_ms;  // or this if that is shorter
};

enum settle_verb { SETTLE_COMPLETE, SETTLE_FAIL, SETTLE_RELEASE };

// One attempt to be ended.
struct settle_item {
  struct id id;
  int64_t lease;      // 0: the order's actor made the claim itself (engine_holder),
  struct str worker;  // for this worker; STR_NONE: for any
  enum settle_verb verb;
  struct str result;  // of complete: JSON; STR_NONE: null
  struct str error_code, error_message, error_detail;
  bool no_retry;      // of fail
  int64_t delay_ms;   // of fail and release: before it is ready again; ABSENT: the task's own
  enum err err;       // out
  struct task *task;  // out; NULL when err
  struct str why;     // out: one sentence when err
};

struct report_input {
  int64_t lease;  // as in settle_item
  struct str worker;
  int64_t progress;  // ABSENT: not reported
  struct str step, step_description;
  const struct str *lines;
  size_t line_count;
};

// Each field with whether it is to be set; a set STR_NONE or 0 clears.
struct edit_input {
  bool set_priority, set_tags, set_metadata, set_run_at, set_expires_at;
  int64_t priority, run_at, expires_at;
  struct str tags, metadata;
};

// Ended tasks that a cleanup removed. Failed ones with abandoned ones.
struct cleanup_counts {
  int64_t completed, failed, cancelled;
};

struct order {
  // What is asked. Everything borrowed must live in `arena`, which lives until `done` is called.
  enum order_kind kind;
  int64_t tenant;
  struct str actor;
  struct arena *arena;
  int64_t wait_ms;      // of claims: for work; of create and watch: for the end. 0: answer at once
  struct id id;         // the one task it is about, if it is about one
  int64_t if_revision;  // of edit and delete: refuse another revision; ABSENT: any
  union {
    struct {
      struct create_item *items;
      size_t count;
    } create;
    struct {
      struct settle_item *items;
      size_t count;
      bool single;  // a refusal of the one item refuses the order, and claims nothing
    } settle;
    struct report_input report;
    struct edit_input edit;
    struct {
      int64_t grace_ms;  // for a running task: how long its worker may take to stop
      struct str reason;
    } cancel;
    struct {
      bool force;  // cancel a running task first
    } delete;
    struct queue queue;
    struct type type;
    struct {
      struct api_key key;  // of create: id, name, roles, hash, service; tenant is found by name
      struct str tenant_name;
      int64_t lifetime_ms;  // of create and rotate: sets expires_at; 0: it stays as it is
      bool last_too;        // of revoke: even the last admin key, since there is another way in
      // Of rotate: `key` is what takes the place of `old`, of which only the id is given.
      struct api_key old;
      int64_t overlap_ms;  // how long `old` opens still
    } key;
    struct tenant tenant;  // its number is found by its name
    struct {
      bool begun;                     // the engine's own: it has found what is to go
      const char *skipped;            // out: why it was; NULL: it was not
      struct cleanup_counts removed;  // out; not 0 also when it lost its turn on the way
    } cleanup;                        // of the order's tenant
  } in;
  struct claim_filter claim;  // of CLAIM, CLAIM_ONE and SETTLE

  // Idempotency. `render` writes the answer's body as it will be sent and returns its HTTP status;
  // it is called on the lane's thread, before the commit that keeps it.
  struct str replay_key;  // STR_NONE: none
  uint8_t fingerprint[32];
  int (*render)(struct order *order, struct buf *body);

  // Called once, from engine_collect, when the answer is committed. The answer and everything it
  // points at live until `done` returns.
  void (*done)(struct order *order);
  void *context;  // the caller's own

  // The answer.
  enum err err;
  struct fault fault;
  struct task *tasks;  // what was created, moved or read, as this order left it
  size_t task_count;
  size_t deduplicated;   // of create: how many were there already
  struct task *claimed;  // with payload and lease
  size_t claimed_count;
  bool cancel_requested;          // of report
  bool ended;                     // of a waiting create or watch: the task has ended
  const struct replay *replayed;  // the kept answer of an earlier request; send this instead

  // The engine's own.
  struct order *next;
  struct unit *unit;  // whose arena holds the answer
  uint64_t turn;      // the unit that decided it first
  struct pick_slot *slot;
  struct park_group *group;
  struct order *park_next, *park_previous;
  struct unit *held;  // the unit that parked it and is not over yet: nobody else may touch it
  struct order *held_next;
  int64_t deadline;  // of a parked order
  size_t heap_index;
  size_t watch_index;   // of a watch
  uint64_t ticket;      // arrival order among parked claims
  struct id woken_for;  // the task for which a parked claim is decided again; none: for no certain
  int64_t not_before;   // when to decide it again; 0: at once
  unsigned conflicts;   // units that failed with ERR_CONFLICT
  unsigned busy_tries;
  bool parked, expired, again, alone;
  bool gone;  // atomically: nobody waits for the answer any more
};

// The one task that the answer tells of; NULL: of none, or of several.
static inline const struct task *order_task(const struct order *order) {
  return order->task_count == 1 ? order->tasks : NULL;
}

#endif
