// fail.c: a unit of work failed: who is answered what, and who looks again. With work_lock held.
#include "engine/inside.h"

// What it was woken for lies there now, and who waits beside it has not heard of that. They look
// when the store works again: before, it would fail them all, one after the other.
static void note_missed(struct unit *u, const struct order *order) {
  u->e->missed |= order->ticket != 0 && order->claim.limit > 0;
}

static void fail_order(struct unit *u, struct order *order, const struct fault *why) {
  bool again = order->again;
  order->again = false;  // what this unit decided of it is undone
  if (again_after(u, order, why)) return;
  note_missed(u, order);
  order->again = again;
  order->fault = *why;
  order->err = why->err;
  // Not the client's doing, so not a conflict with what it asked for.
  if (why->err == ERR_CONFLICT)
    order->err = fault_set(&order->fault, ERR_UNAVAILABLE,
                           "the store refused this change again and again, since others change "
                           "the same tasks; nothing was changed, try again");
  order->claimed_count = 0;
  engine_answer(u->e, u, order);
}

// The order's own change was committed by an earlier unit, so what failed must not deny it: a
// completion has only missed its claim, and of a task that was waited for nothing new is known.
static void fail_later_part(struct unit *u, struct order *order, const struct fault *why) {
  if (again_after(u, order, why)) return;
  note_missed(u, order);
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

static void fail_one(struct unit *u, struct order *order, const struct fault *why) {
  bool later = order->again && (order->kind == ORDER_SETTLE || order->kind == ORDER_WATCH);
  if (later && !settled_here(u, order))
    fail_later_part(u, order, why);
  else
    fail_order(u, order, why);
}

// Everybody hears of it, also who was refused: a refusal may rest on what was undone.
static void fail_answered(struct unit *u, const struct fault *why) {
  while (u->orders) {
    struct order *order = u->orders;
    u->orders = order->next;
    order->next = NULL;
    if (order != &u->lane->sweep) fail_one(u, order, why);
  }
}

// Those that wait since this unit found nothing in what is undone now: they look again. But
// completions among them were undone themselves, a conflict concerns all of them, and a cleanup
// ends here: what ails the store takes time to heal.
static void fail_waiting(struct unit *u, struct order *order, const struct fault *why) {
  while (order) {
    struct order *next = order->next;
    order->next = NULL;
    if (settled_here(u, order) || why->err == ERR_CONFLICT || order->kind == ORDER_CLEANUP)
      fail_one(u, order, why);
    else
      engine_again(u->e, order);
    order = next;
  }
}

// Those who were fed go on waiting in their old places, unless they began to wait in this unit.
void fail_all(struct unit *u, const struct fault *why) {
  feed_undo(u);
  struct order *parked = park_take_held(u);
  fail_waiting(u, u->again.head, why);
  fail_waiting(u, parked, why);
  fail_answered(u, why);
}
