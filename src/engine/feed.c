// feed.c: what became ready goes to those who wait. With work_lock held.
//
// When a task becomes ready, the group whose oldest claim waits longest gets it, in the same unit
// of work that made it ready. What is left after the commit, or became ready elsewhere, only wakes
// them: they are decided again in a unit that loads it.
#include <stdlib.h>

#include "base/mem.h"
#include "engine/inside.h"

// --- in the unit that made it ready --------------------------------------------------------------

static struct order *longest_waiting(struct engine *e, const struct unit *u,
                                     const struct task *task) {
  struct order *best = NULL;
  for (struct park_group *g = e->groups; g; g = g->next) {
    if (g->tenant != task->tenant || (best && g->head->ticket > best->ticket)) continue;
    if (!claim_fits(&g->head->claim, task)) continue;
    struct order *order = park_first(g, u);
    if (order && (best == NULL || order->ticket < best->ticket)) best = order;
  }
  return best;
}

// One that the unit itself has parked is known to it until it is over: who answered it before that
// would let another lane hand it out, and its memory go.
static void feed(struct unit *u, struct order *order) {
  if (order_is_gone(order)) {
    if (order->held) return;  // it is passed by from now on, and let go with the unit
    park_remove(u->e, order);
    engine_refuse(u->e, order, ERR_UNAVAILABLE, "the client went away");
    return;
  }
  park_remove(u->e, order);
  claim_from_ready(u, order);
  order->next = u->fed;
  u->fed = order;
}

// A claim to which the row can be given now.
static struct order *taker(struct engine *e, const struct unit *u, const struct row *row) {
  if (e->groups == NULL || !task_is_ready(&row->task) || row->gone) return NULL;
  if (engine_queue_paused(e, row->task.tenant, row->task.queue)) return NULL;
  return longest_waiting(e, u, &row->task);
}

// The unit did not load what is kept for its Idempotency-Key, and elsewhere the same may be asked.
static bool needs_its_key(const struct engine *e, const struct order *order) {
  return e->shared && !str_is_none(order->replay_key);
}

// Each row is offered once: whoever begins to wait later has looked at it himself.
void feed_parked(struct unit *u) {
  if (!u->ready_new) return;
  u->ready_new = false;
  struct engine *e = u->e;
  for (size_t i = u->ready_head; e->groups && i < u->ready.count; i++) {
    struct row *row = *LIST_AT(u->ready, struct row *, i);
    if (row->offered) continue;
    struct order *order;
    while ((order = taker(e, u, row)) && !needs_its_key(e, order)) feed(u, order);
    row->offered = true;
  }
}

void feed_undo(struct unit *u) {
  struct engine *e = u->e;
  while (u->fed) {
    struct order *order = u->fed;
    u->fed = order->next;
    order->claimed = NULL;
    order->claimed_count = 0;
    park_claim(e, order);
    // What came while it did not stand in the lists went past it.
    if (!order->held && (e->lane_draining || recent_concerns(u, order))) park_again(e, order);
  }
}

// --- after the commit ----------------------------------------------------------------------------

static void wake_for(struct engine *e, struct order *order, struct id id) {
  park_again(e, order);
  order->woken_for = id;
}

static bool same_channel(const struct task *a, const struct task *b) {
  return a->tenant == b->tenant && str_eq(a->queue, b->queue) && str_eq(a->type, b->type);
}

static void offer(struct unit *u, const struct list *rows, size_t from) {
  struct engine *e = u->e;
  const struct task *noted = NULL;
  for (size_t i = from; i < rows->count; i++) {
    const struct row *row = *LIST_AT(*rows, struct row *, i);
    const struct task *task = &row->task;
    if (row->gone || !task_is_ready(task)) continue;
    if (e->shared && (noted == NULL || !same_channel(noted, task)))
      recent_ready(e, task->tenant, task->queue, task->type);
    noted = task;
    struct order *order = taker(e, NULL, row);
    if (order) wake_for(e, order, task->id);
  }
}

static int by_ticket(const void *a_ptr, const void *b_ptr) {
  const struct order *a = *(struct order *const *)a_ptr, *b = *(struct order *const *)b_ptr;
  return (a->ticket > b->ticket) - (a->ticket < b->ticket);
}

// Whoever was woken for a task and took others, was refused, or has left, leaves it to the next.
// Who fits is not known here, so one with each filter looks, in their order.
void feed_pass(struct engine *e, const struct order *from) {
  if (id_is_none(from->woken_for)) return;
  for (size_t i = 0; i < from->claimed_count; i++)
    if (id_eq(from->claimed[i].id, from->woken_for)) return;
  size_t count = 0, groups = 0;
  for (const struct park_group *g = e->groups; g; g = g->next) groups++;
  struct order **all = mem_alloc(sizeof *all * (groups + 1));
  for (const struct park_group *g = e->groups; g; g = g->next) {
    struct order *order = g->tenant == from->tenant ? park_first(g, NULL) : NULL;
    if (order) all[count++] = order;
  }
  qsort(all, count, sizeof *all, by_ticket);
  for (size_t i = 0; i < count; i++) wake_for(e, all[i], from->woken_for);
  mem_free(all);
}

// The load found more for a filter than its claims took, or others hold some of it: whoever waits
// with this filter passed it by while they did, or will have to wait for their leaving it.
static void pass_on(struct unit *u, struct pick_slot *slot) {
  struct engine *e = u->e;
  bool more = claim_left(slot) || claim_was_cut(slot);
  size_t count = more ? slot->served * 2 + 1 : slot->pick.busy && slot->soon == 0;
  while (count-- > 0) {
    struct park_group *g = park_group_of(e, &slot->pick);
    struct order *order = g ? park_first(g, NULL) : NULL;
    if (order == NULL) return;
    if (!more) order->not_before = u->now + CLAIM_BUSY_MS;
    park_again(e, order);
  }
}

void feed_offer(struct unit *u) {
  struct engine *e = u->e;
  if (e->shared) offer(u, &u->ready, u->ready_head);
  if (e->shared || e->groups) offer(u, &u->late, 0);
  for (size_t i = 0; e->shared && e->groups && i < u->slots.count; i++)
    pass_on(u, *LIST_AT(u->slots, struct pick_slot *, i));
}

// --- by hints ------------------------------------------------------------------------------------

void feed_wake(struct engine *e, int64_t tenant, struct str queue, struct str type, int64_t count) {
  const struct task like = {.tenant = tenant, .queue = queue, .type = type};
  recent_ready(e, tenant, queue, type);
  if (engine_queue_paused(e, tenant, queue)) return;
  while (count > 0) {
    struct order *order = longest_waiting(e, NULL, &like);
    if (order == NULL) return;
    count -= (int64_t)order->claim.limit;
    park_again(e, order);
  }
}

enum { ALL_TENANTS = 0 };

static void look_again(struct engine *e, int64_t tenant) {
  struct order **all = mem_alloc(sizeof *all * (e->deadline_count + 1));
  size_t count = 0;
  for (size_t i = 0; i < e->deadline_count; i++) {
    struct order *order = e->deadlines[i];
    bool meant = tenant == ALL_TENANTS || order->tenant == tenant;
    if (order->group && !order->held && meant) all[count++] = order;
  }
  qsort(all, count, sizeof *all, by_ticket);
  for (size_t i = 0; i < count; i++) park_again(e, all[i]);
  mem_free(all);
}

void feed_kick(struct engine *e, int64_t tenant) {
  look_again(e, tenant);
  recent_ready_any(e, tenant);
}

// Whoever begins to wait in a unit that is under way has looked at it, or was told when it became
// ready.
void feed_missed(struct engine *e) {
  if (!e->missed) return;
  e->missed = false;
  look_again(e, ALL_TENANTS);
}
