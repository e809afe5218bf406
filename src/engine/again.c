// again.c: orders that are decided again: at once, or after a short pause. With work_lock held.
#include "base/rand.h"
#include "engine/inside.h"

enum {
  CONFLICTS_TOGETHER = 3,  // so often a whole unit is decided again,
  CONFLICTS_ALONE = 3,     // and then so often each of its orders by itself
  CONFLICT_PAUSE_MS = 3,   // at most, after the first; it grows by as much with each
};

void engine_again(struct engine *e, struct order *order) {
  if (order->not_before == 0) {
    order_enqueue(&e->again, order);
    return;
  }
  if (e->later_at == 0 || order->not_before < e->later_at) e->later_at = order->not_before;
  order_append(&e->later, order);
}

void again_due(struct engine *e, int64_t now) {
  if (e->later_at == 0 || e->later_at > now) return;
  struct order *order = e->later.head;
  e->later = (struct order_list){0};
  e->later_at = 0;
  while (order) {
    struct order *next = order->next;
    if (order->not_before <= now) order->not_before = 0;
    if (order->deadline && order->deadline <= now) order->expired = true;
    engine_again(e, order);
    order = next;
  }
}

bool again_blames_one(enum err err) { return err == ERR_TOO_MANY || err == ERR_CONFLICT; }

// All orders of a unit wait equally long, so that they come together again. Units that ran into
// each other do not.
static int64_t after_pause(struct unit *u, unsigned conflicts) {
  if (u->pause_dice == 0) {
    u->pause_dice = rand_u64() | 1;
    u->failed_at = clock_now(&u->e->clock);
  }
  return u->failed_at + 1 + (int64_t)(u->pause_dice % (CONFLICT_PAUSE_MS * conflicts));
}

static bool after_conflict(struct unit *u, struct order *order) {
  order->conflicts++;
  if (order->conflicts > CONFLICTS_TOGETHER + CONFLICTS_ALONE) return false;
  if (order->conflicts > CONFLICTS_TOGETHER) order->alone = true;
  order->not_before = after_pause(u, order->conflicts);
  engine_again(u->e, order);
  return true;
}

// Over a limit of the store: which order it was shows when each is tried alone.
bool again_after(struct unit *u, struct order *order, const struct fault *why) {
  if (why->err == ERR_CONFLICT) return after_conflict(u, order);
  if (why->err != ERR_TOO_MANY || u->alone) return false;
  order->alone = true;
  engine_again(u->e, order);
  return true;
}
