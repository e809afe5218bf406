// decide.c: deciding the orders of a unit, one after the other, and keeping their answers for those
// who ask again.
#include "engine/inside.h"

typedef enum verdict decide_function(struct unit *u, struct order *order);

static decide_function *const DECIDE[ORDER_KIND_COUNT] = {
#define ORDER(name, prefix, meaning) [ORDER_##name] = prefix##_decide,
#include "engine/orders.def"
#undef ORDER
};

// --- Idempotency-Key -----------------------------------------------------------------------------

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
  return a->tenant == b->tenant && !str_is_none(a->replay_key) &&
         str_eq(a->replay_key, b->replay_key);
}

static bool any_same_key(const struct order *other, const struct order *order, bool waiting) {
  for (; other; other = other->next)
    if ((!waiting || other->again) && same_key(other, order)) return true;
  return false;
}

// The key is held by an order that waits or waited, or has just been served. A fresh one in another
// lane's unit, or one that ran into a conflict there, does not count: the store lets only one of us
// see the key at a time.
static bool key_is_busy(struct unit *u, const struct order *order) {
  struct engine *e = u->e;
  if (any_same_key(e->again.head, order, true) || any_same_key(e->later.head, order, true))
    return true;
  for (size_t i = 0; i < e->lane_count; i++) {
    const struct unit *other = e->lanes[i].unit;
    if (!other) continue;
    if (any_same_key(other->again.head, order, false) || any_same_key(other->fed, order, false))
      return true;
    if (other != u && any_same_key(other->orders, order, true)) return true;
  }
  for (size_t i = 0; e->keys_parked && i < e->deadline_count; i++)
    if (same_key(e->deadlines[i], order)) return true;
  return false;
}

static bool replay_settles(struct unit *u, struct order *order) {
  if (str_is_none(order->replay_key)) return false;
  // A claim that waits has kept no answer yet. If there is one, another server gave it to a repeat.
  if (order->again) return order->kind == ORDER_CLAIM && answer_by_replay(u, order);
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
  const struct task *task = order_task(order);
  if (task) {
    replay->task = task->id;
    replay->revision = task->revision;
  }
  memcpy(replay->fingerprint, order->fingerprint, sizeof replay->fingerprint);
  buf_fini(&body);
  for (size_t i = 0; i < u->want_replays.count; i++) {
    struct want_replay *want = LIST_AT(u->want_replays, struct want_replay, i);
    if (want->tenant != order->tenant || !str_eq(want->key, order->replay_key)) continue;
    replay->replaces |= want->found != NULL;
    want->found = replay;
  }
  *LIST_PUSH(&u->arena, &u->replays, struct replay) = *replay;
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
static bool may_wait(const struct unit *u, struct order *order) {
  const struct engine *e = u->e;
  // Whoever asks may have lost his key since he was let in, and then nobody sends him back later.
  int64_t left_ms = catalog_actor_left_ms(u->e, order->actor, u->now);
  if (order->wait_ms > left_ms) order->wait_ms = left_ms;
  if (e->lane_draining || left_ms == 0) return false;
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
  if (replay_settles(u, order)) return ANSWERED;
  enum verdict verdict = DECIDE[order->kind](u, order);
  return verdict == WAITS && !may_wait(u, order) ? ANSWERED : verdict;
}

// Sorts the unit's orders by verdict: those to be answered stay, the others wait or come again.
void decide(struct unit *u) {
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
    if (verdict == AGAIN) {
      order_append(&u->again, order);
      continue;
    }
    if (order->kind == ORDER_WATCH)
      park_watch(u->e, order, order->id);
    else
      park_claim(u->e, order);
    park_hold(u, order);
  }
  feed_parked(u);
  for (struct order *order = u->fed; order; order = order->next) keep_answer(u, order);
}
