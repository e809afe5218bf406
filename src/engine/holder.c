// holder.c: whose claim it is, where no lease token tells: the worker's id begins with the actor.
#include "engine/inside.h"

// An actor that is a key is "key:ID", and an id has no slash.
static const struct str RESERVED = {"key:", sizeof "key:" - 1};

bool engine_worker_reserved(struct str worker) { return str_starts(worker, RESERVED); }

bool engine_can_hold(struct str actor) { return str_starts(actor, RESERVED); }

struct str engine_holder(struct arena *a, struct str actor, struct str worker) {
  if (str_is_none(worker)) return actor;
  return arena_printf(a, "%.*s/%.*s", STR_FMT(actor), STR_FMT(worker));
}

static bool holds_by_name(const struct task *task, struct str actor, struct str worker) {
  if (!engine_can_hold(actor) || !str_starts(task->worker, actor)) return false;
  struct str rest = str_from(task->worker, actor.len);
  if (rest.len > 0 && rest.at[0] != '/') return false;
  return str_is_none(worker) || (rest.len > 0 && str_eq(str_from(rest, 1), worker));
}

bool holder_is(const struct order *order, const struct task *task, int64_t lease,
               struct str worker) {
  if (task->status != TASK_RUNNING) return false;
  return lease ? task->lease == lease : holds_by_name(task, order->actor, worker);
}

struct str engine_lease_refusal(void) {
  return STR("the lease token does not hold this task any more; stop working on it");
}

struct str holder_refusal(int64_t lease) {
  if (lease) return engine_lease_refusal();
  return STR(
      "this key does not hold the task, so it moves nothing without a lease token: it did not "
      "claim the task, or its claim has ended; stop working on it");
}
