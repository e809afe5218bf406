// run.c: one unit of work from end to end: plan, load, decide, commit, answer.
#include <assert.h>

#include "base/log.h"
#include "engine/inside.h"

typedef void plan_function(struct unit *u, struct order *order);
typedef enum verdict decide_function(struct unit *u, struct order *order);

static const struct {
  plan_function *plan;
  decide_function *decide;
} KINDS[ORDER_KIND_COUNT] = {
#define ORDER(name, prefix, meaning) [ORDER_##name] = {prefix##_plan, prefix##_decide},
#include "engine/orders.def"
#undef ORDER
};

// --- load
// ------------------------------------------------------------------------------------------

static void plan(struct unit *u) {
  for (struct order *order = u->orders; order; order = order->next) {
    atomic_fetch_add(&u->e->orders, 1);
    if (!order->again) order->turn = u->turn;
    if (!str_is_none(order->replay_key)) {
      *LIST_PUSH(&u->arena, &u->want_replays, struct want_replay) =
          (struct want_replay){.tenant = order->tenant, .key = order->replay_key};
    }
    KINDS[order->kind].plan(u, order);
  }
}

static enum err load(struct unit *u, bool sweep, struct fault *why) {
  struct pick *picks = ARENA_ARRAY(&u->arena, struct pick, u->slots.count + 1);
  for (size_t i = 0; i < u->slots.count; i++)
    picks[i] = (*LIST_AT(u->slots, struct pick_slot *, i))->pick;
  struct load want = {.arena = &u->arena,
                      .ids = u->want_ids.at,
                      .id_count = u->want_ids.count,
                      .uniques = u->want_uniques.at,
                      .unique_count = u->want_uniques.count,
                      .replays = u->want_replays.at,
                      .replay_count = u->want_replays.count,
                      .picks = picks,
                      .pick_count = u->slots.count,
                      .due_at = sweep ? u->now : 0,
                      .due_limit = LIMIT_SWEEP_ITEMS};
  TRY(u->e->store->ops->load(u->e->lane, &want, why));
  for (size_t i = 0; i < u->slots.count; i++)
    (*LIST_AT(u->slots, struct pick_slot *, i))->pick = picks[i];
  u->due = want.due;
  u->due_count = want.due_count;
  unit_adopt_all(u);
  return ERR_OK;
}

// --- decide
// ----------------------------------------------------------------------------------------

// True when the order is answered by what an earlier one with the same key left.
static bool answer_by_replay(struct unit *u, struct order *order) {
  for (size_t i = 0; i < u->want_replays.count; i++) {
    struct want_replay *want = LIST_AT(u->want_replays, struct want_replay, i);
    if (!want->found || want->tenant != order->tenant || !str_eq(want->key, order->replay_key))
      continue;
    if (memcmp(want->found->fingerprint, order->fingerprint, sizeof order->fingerprint) != 0) {
      order->err =
          fault_set(&order->fault, ERR_KEY_REUSED,
                    "this Idempotency-Key came before with another request; use a new one");
    } else {
      order->replayed = want->found;
    }
    return true;
  }
  return false;
}

// The key is held by an order that is still parked.
static bool key_is_busy(struct unit *u, const struct order *order) {
  for (size_t i = 0; i < u->e->deadline_count; i++) {
    const struct order *other = u->e->deadlines[i];
    if (other != order && other->tenant == order->tenant && !str_is_none(other->replay_key) &&
        str_eq(other->replay_key, order->replay_key))
      return true;
  }
  return false;
}

static bool replay_settles(struct unit *u, struct order *order) {
  if (str_is_none(order->replay_key) || order->again) return false;
  if (!key_is_busy(u, order)) return answer_by_replay(u, order);
  order->fault.retry_after_s = 1;
  order->err = fault_set(&order->fault, ERR_IN_PROGRESS,
                         "the first request with this Idempotency-Key has not been answered yet");
  return true;
}

// Keeps the answer with the change that it reports, so that a repeat gets the same bytes. A create that
// waited has left one already when its task was made; what it answers in the end takes its place.
static void keep_answer(struct unit *u, struct order *order) {
  if (str_is_none(order->replay_key) || order->err != ERR_OK || order->replayed) return;
  struct buf body;
  buf_init(&body, (size_t)LIMIT_CLAIM_BYTES * 2);
  int status = order->render(order, &body);
  struct replay *replay = ARENA_NEW(&u->arena, struct replay);
  *replay = (struct replay){.tenant = order->tenant,
                            .key = order->replay_key,
                            .status = status,
                            .body = arena_dup(&u->arena, buf_str(&body)),
                            .at = u->now};
  memcpy(replay->fingerprint, order->fingerprint, sizeof replay->fingerprint);
  buf_fini(&body);
  *LIST_PUSH(&u->arena, &u->replays, struct replay) = *replay;
  for (size_t i = 0; i < u->want_replays.count; i++) {
    struct want_replay *want = LIST_AT(u->want_replays, struct want_replay, i);
    if (want->tenant == order->tenant && str_eq(want->key, order->replay_key)) want->found = replay;
  }
}

// What a parked order keeps of this unit must not live in its arena.
static void keep_settled(struct order *order) {
  if (order->kind != ORDER_SETTLE) return;
  for (size_t i = 0; i < order->in.settle.count; i++) {
    struct settle_item *item = &order->in.settle.items[i];
    if (item->task) item->task = unit_snapshot(order->arena, item->task, true);
  }
}

static void clear_answer(struct order *order) {
  order->err = order->fault.err = ERR_OK;
  order->fault.field_count = 0;
  order->claimed = NULL;
  order->claimed_count = 0;
  order->replayed = NULL;
}

static enum verdict decide_one(struct unit *u, struct order *order) {
  clear_answer(order);
  if (replay_settles(u, order)) return ANSWERED;
  enum verdict verdict = KINDS[order->kind].decide(u, order);
  if (verdict == WAITS && u->e->lane_draining) return ANSWERED;
  if (verdict == WAITS && u->e->deadline_count >= LIMIT_PARKED) {
    order->fault.retry_after_s = 1;
    order->err = fault_set(&order->fault, ERR_TOO_MANY, "%d long polls wait already", LIMIT_PARKED);
    return ANSWERED;
  }
  return verdict;
}

static bool will_watch(const struct engine *e, const struct order *order) {
  return order->kind == ORDER_CREATE && order->wait_ms > 0 && order->task_count == 1 &&
         order->err == ERR_OK && !order->ended && !order->replayed && !e->lane_draining;
}

// Sorts the unit's orders by verdict: those to be answered stay, the others wait or come again.
static void decide(struct unit *u) {
  struct order *orders = u->orders, **keep = &u->orders;
  u->orders = NULL;
  while (orders) {
    struct order *order = orders;
    orders = order->next;
    order->next = NULL;
    enum verdict verdict = decide_one(u, order);
    if (verdict == ANSWERED) {
      keep_answer(u, order);
      *keep = order;
      keep = &order->next;
      continue;
    }
    keep_settled(order);
    order->again = true;
    if (verdict == AGAIN)
      engine_again(u->e, order);
    else if (order->kind == ORDER_WATCH)
      park_watch(u->e, order, order->id);
    else
      park_claim(u->e, order);
  }
  park_feed(u);
  for (struct order *order = u->fed; order; order = order->next) keep_answer(u, order);
}

// --- commit and answer
// -----------------------------------------------------------------------------

static enum err commit(struct unit *u, struct fault *why) {
  const struct store_ops *ops = u->e->store->ops;
  if (!unit_has_change(u)) {
    ops->abandon(u->e->lane);
    return ERR_OK;
  }
  struct change change = unit_change(u);
  int64_t started = clock_mono_us();
  TRY(ops->apply(u->e->lane, &change, why));
  uint64_t took = (uint64_t)(clock_mono_us() - started);
  atomic_fetch_add(&u->e->commits, 1);
  atomic_fetch_add(&u->e->items, u->rows.count);
  if (took > atomic_load(&u->e->commit_us_max)) atomic_store(&u->e->commit_us_max, took);
  return ERR_OK;
}

static void absorb(struct unit *u) {
  struct engine *e = u->e;
  if (u->wake_min && (e->wake_at == 0 || u->wake_min < e->wake_at)) e->wake_at = u->wake_min;
  catalog_absorb(u);
  park_ended(u);
}

static void answer_one(struct unit *u, struct order *order) {
  if (!will_watch(u->e, order)) {
    engine_answer(u->e, u, order);
    return;
  }
  order->again = true;  // its Idempotency-Key now holds its own answer
  park_watch(u->e, order, order->id);
}

static void answer_all(struct unit *u) {
  struct order *lists[] = {u->orders, u->fed};
  u->orders = u->fed = NULL;
  for (size_t l = 0; l < 2; l++) {
    while (lists[l]) {
      struct order *order = lists[l];
      lists[l] = order->next;
      order->next = NULL;
      if (order == &u->e->sweep) continue;
      answer_one(u, order);
    }
  }
}

// Whoever already has a refusal of his own keeps it; a claim that only waited goes on waiting.
static void fail_all(struct unit *u, const struct fault *why) {
  park_refeed(u);
  while (u->orders) {
    struct order *order = u->orders;
    u->orders = order->next;
    order->next = NULL;
    if (order == &u->e->sweep) continue;
    if (order->err == ERR_OK) {
      order->err = why->err;
      order->fault = *why;
    }
    engine_answer(u->e, u, order);
  }
}

static void fail_settle(struct unit *u, struct order *order, const struct fault *why) {
  order->err = why->err;
  order->fault = *why;
  order->again = false;
  engine_answer(u->e, u, order);
}

static bool settled_here(const struct unit *u, const struct order *order) {
  return order->kind == ORDER_SETTLE && order->turn == u->turn;
}

// Completions of this unit that now wait for their claim were undone with it: they must hear of it.
static void fail_waiting_settles(struct unit *u, const struct fault *why) {
  struct engine *e = u->e;
  for (size_t i = 0; i < e->deadline_count;) {
    struct order *order = e->deadlines[i];
    if (!settled_here(u, order)) {
      i++;
      continue;
    }
    park_remove(e, order);
    fail_settle(u, order, why);
    i = 0;  // removing moved others
  }
  struct order_list again = e->again;
  e->again = (struct order_list){0};
  while (again.head) {
    struct order *order = again.head;
    again.head = order->next;
    order->next = NULL;
    if (settled_here(u, order))
      fail_settle(u, order, why);
    else
      engine_again(e, order);
  }
}

static void report_failure(struct engine *e, const struct fault *why) {
  log_event(LOG_ERROR, "a unit of work failed", LOG_STR("code", str_of(err_code(why->err))),
            LOG_STR("reason", str_of(why->detail)));
  if (why->err == ERR_STORE_BROKEN && e->settings.broken) e->settings.broken(e->settings.self, why);
}

void run_unit(struct unit *u, bool sweep) {
  struct fault why = {0};
  u->turn = atomic_fetch_add(&u->e->units, 1) + 1;
  plan(u);
  enum err err = load(u, sweep, &why);
  if (err == ERR_OK) {
    decide(u);
    err = commit(u, &why);
  }
  atomic_store(&u->e->store_err, (int)err);
  atomic_store(&u->holds, 1);  // our own, so that answering cannot free it under us
  if (err == ERR_OK) {
    absorb(u);
    answer_all(u);
  } else {
    why.err = err;
    if (why.retry_after_s == 0) why.retry_after_s = 1;
    report_failure(u->e, &why);
    fail_waiting_settles(u, &why);
    fail_all(u, &why);
  }
  unit_release(u->e, u);
}
