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

// --- load ----------------------------------------------------------------------------------------

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

// --- decide --------------------------------------------------------------------------------------

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

static bool same_key(const struct order *a, const struct order *b) {
  return a != b && a->tenant == b->tenant && !str_is_none(a->replay_key) &&
         str_eq(a->replay_key, b->replay_key);
}

// The key is held by an order that is still parked, or is to be decided again.
static bool key_is_busy(struct unit *u, const struct order *order) {
  struct engine *e = u->e;
  for (const struct order *other = e->again.head; other; other = other->next)
    if (same_key(other, order)) return true;
  for (size_t i = 0; e->keys_parked && i < e->deadline_count; i++)
    if (same_key(e->deadlines[i], order)) return true;
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

// Keeps the answer with the change that it reports, so that a repeat gets the same bytes. A create
// that waited has left one already when its task was made; what it answers in the end takes its
// place.
static void keep_answer(struct unit *u, struct order *order) {
  if (str_is_none(order->replay_key) || order->err != ERR_OK || order->replayed) return;
  struct buf body;
  buf_init(&body, (size_t)LIMIT_CLAIM_BYTES * 2);
  int status = order->render(order, &body);
  if (body.overflow) {  // half an answer is worse than none
    buf_fini(&body);
    return;
  }
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
  if (order->kind != ORDER_SETTLE || order->again) return;
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

// Whether an order that found nothing may be parked; else it is refused. A completion is decided
// already: it is never refused for its claim, only answered without one.
static bool may_wait(const struct engine *e, struct order *order) {
  if (e->lane_draining) return false;
  bool gone = order_is_gone(order);
  if (!gone && e->deadline_count < LIMIT_PARKED) return true;
  if (order->kind == ORDER_SETTLE) return false;
  order->fault.retry_after_s = 1;
  order->err =
      gone ? fault_set(&order->fault, ERR_UNAVAILABLE, "the client went away")
           : fault_set(&order->fault, ERR_TOO_MANY, "%d long polls wait already", LIMIT_PARKED);
  return false;
}

static enum verdict decide_one(struct unit *u, struct order *order) {
  clear_answer(order);
  order->decided = u->turn;
  if (replay_settles(u, order)) return ANSWERED;
  enum verdict verdict = KINDS[order->kind].decide(u, order);
  return verdict == WAITS && !may_wait(u->e, order) ? ANSWERED : verdict;
}

static bool will_watch(const struct engine *e, const struct order *order) {
  return order->kind == ORDER_CREATE && order->wait_ms > 0 && order->task_count == 1 &&
         order->err == ERR_OK && !order->ended && !order->replayed && !e->lane_draining &&
         !order_is_gone(order);
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

// --- commit and answer ---------------------------------------------------------------------------

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
  park_offer(u);
}

static void answer_one(struct unit *u, struct order *order) {
  if (!will_watch(u->e, order)) {
    workers_claimed(u->e, order->tenant, order->claim.worker, order->claimed_count);
    engine_answer(u->e, u, order);
    return;
  }
  order->tasks = NULL;  // they go with the unit; the watch reads the task anew
  order->task_count = 0;
  order->again = true;  // its Idempotency-Key now holds its own answer
  park_watch(u->e, order, order->id);
}

// First those who waited for work, so that handlers start before their producers hear.
static void answer_all(struct unit *u) {
  struct order *lists[] = {u->fed, u->orders};
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

// Errors that one order brought upon the whole unit: over a limit of the store, or in conflict with
// what another lane wrote. Which one it was shows when each is tried alone.
static bool blames_one(enum err err) { return err == ERR_TOO_MANY || err == ERR_CONFLICT; }

static bool try_alone(struct unit *u, struct order *order, const struct fault *why) {
  if (!blames_one(why->err) || u->alone) return false;
  order->alone = true;
  engine_again(u->e, order);
  return true;
}

static void fail_order(struct unit *u, struct order *order, const struct fault *why) {
  bool again = order->again;
  order->again = false;  // what this unit decided of it is undone
  if (try_alone(u, order, why)) return;
  order->again = again;
  order->err = why->err;
  order->fault = *why;
  order->claimed_count = 0;
  engine_answer(u->e, u, order);
}

// The order's own change was committed by an earlier unit, so what failed must not deny it: a
// completion has only missed its claim, and of a task that was waited for nothing new is known.
static void fail_later_part(struct unit *u, struct order *order, const struct fault *why) {
  if (try_alone(u, order, why)) return;
  struct fault unknown = *why;
  fault_set(&unknown, ERR_UNAVAILABLE, "the task could not be read again; GET it");
  if (order->kind != ORDER_SETTLE) {
    order->err = unknown.err;
    order->fault = unknown;
  }
  order->claimed_count = 0;
  engine_answer(u->e, u, order);
}

static bool settled_here(const struct unit *u, const struct order *order) {
  return order->kind == ORDER_SETTLE && order->turn == u->turn;
}

// Everybody hears of it, also who was refused: a refusal may rest on what was undone.
static void fail_answered(struct unit *u, const struct fault *why) {
  while (u->orders) {
    struct order *order = u->orders;
    u->orders = order->next;
    order->next = NULL;
    if (order == &u->e->sweep) continue;
    if (order->again && (order->kind == ORDER_SETTLE || order->kind == ORDER_WATCH))
      fail_later_part(u, order, why);
    else
      fail_order(u, order, why);
  }
}

// Those that wait since this unit found nothing in what is undone now: they look again. But
// completions among them were undone themselves.
static void fail_waiting(struct unit *u, const struct fault *why) {
  struct order *parked = park_take_decided(u);
  struct order_list again = u->e->again;
  u->e->again = (struct order_list){0};
  for (int list = 0; list < 2; list++) {
    struct order *order = list ? parked : again.head;
    while (order) {
      struct order *next = order->next;
      if (settled_here(u, order))
        fail_order(u, order, why);
      else
        engine_again(u->e, order);
      order = next;
    }
  }
}

// Those who were fed go on waiting in their old places, unless they began to wait in this unit.
static void fail_all(struct unit *u, const struct fault *why) {
  park_refeed(u);
  fail_waiting(u, why);
  fail_answered(u, why);
}

static void report_failure(const struct unit *u, const struct fault *why) {
  struct engine *e = u->e;
  if (blames_one(why->err)) return;  // its answer says it all
  log_event(LOG_ERROR, "a unit of work failed", LOG_STR("code", str_of(err_code(why->err))),
            LOG_STR("reason", str_of(why->detail)));
  if (why->err == ERR_STORE_BROKEN && e->settings.broken) e->settings.broken(e->settings.self, why);
}

enum err run_unit(struct unit *u, bool sweep) {
  struct fault why = {0};
  u->turn = atomic_fetch_add(&u->e->units, 1) + 1;
  u->alone = u->orders->alone;
  plan(u);
  enum err err = load(u, sweep, &why);
  if (err == ERR_OK) {
    decide(u);
    err = commit(u, &why);
  }
  atomic_store(&u->e->store_err, (int)(blames_one(err) ? ERR_OK : err));
  atomic_store(&u->holds, 1);  // our own, so that answering cannot free it under us
  if (err == ERR_OK) {
    absorb(u);
    answer_all(u);
  } else {
    why.err = err;
    if (why.retry_after_s == 0) why.retry_after_s = 1;
    report_failure(u, &why);
    fail_all(u, &why);
  }
  unit_release(u->e, u);
  return err;
}
