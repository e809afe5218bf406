// park.c: orders that wait: claims for work, watches for the end of a task. With work_lock held.
//
// Claims with the same filter form a group, oldest first (feed.c gives them what becomes ready).
// Every parked order stands in one heap by deadline (deadlines.c) as well. One that is held by a
// unit of another lane is left alone; that unit lets it go, and sees to what came meanwhile.
#include <assert.h>

#include "base/mem.h"
#include "engine/inside.h"

#define NEVER INT64_MAX

// --- groups of claims ----------------------------------------------------------------------------

static struct str *names_copy(const struct str *names, size_t count) {
  struct str *copy = mem_alloc(sizeof *copy * (count + 1));
  for (size_t i = 0; i < count; i++)
    copy[i] = (struct str){mem_copy(names[i].at, names[i].len), names[i].len};
  return copy;
}

static void names_free(struct str *names, size_t count) {
  for (size_t i = 0; i < count; i++) mem_free((char *)names[i].at);
  mem_free(names);
}

struct park_group *park_group_of(struct engine *e, const struct pick *f) {
  for (struct park_group *g = e->groups; g; g = g->next) {
    if (g->tenant == f->tenant &&
        claim_same_names(g->types, g->type_count, f->types, f->type_count) &&
        claim_same_names(g->queues, g->queue_count, f->queues, f->queue_count))
      return g;
  }
  return NULL;
}

static struct park_group *group_for(struct engine *e, const struct order *order) {
  const struct claim_filter *f = &order->claim;
  const struct pick filter = {.tenant = order->tenant,
                              .types = f->types,
                              .type_count = f->type_count,
                              .queues = f->queues,
                              .queue_count = f->queue_count};
  struct park_group *g = park_group_of(e, &filter);
  if (g) return g;
  g = mem_zero(sizeof *g);
  g->tenant = order->tenant;
  g->types = names_copy(f->types, f->type_count);
  g->queues = names_copy(f->queues, f->queue_count);
  g->type_count = f->type_count;
  g->queue_count = f->queue_count;
  g->next = e->groups;
  return e->groups = g;
}

static void group_free(struct engine *e, struct park_group *g) {
  struct park_group **link = &e->groups;
  while (*link != g) link = &(*link)->next;
  *link = g->next;
  names_free(g->types, g->type_count);
  names_free(g->queues, g->queue_count);
  mem_free(g);
}

// By ticket: a claim that is put back takes its old place.
static void group_insert(struct park_group *g, struct order *order) {
  struct order *before = g->tail;
  while (before && before->ticket > order->ticket) before = before->park_previous;
  order->park_previous = before;
  order->park_next = before ? before->park_next : g->head;
  if (order->park_next)
    order->park_next->park_previous = order;
  else
    g->tail = order;
  if (before)
    before->park_next = order;
  else
    g->head = order;
}

bool order_is_gone(const struct order *order) {
  return __atomic_load_n(&order->gone, __ATOMIC_ACQUIRE);
}

struct order *park_first(const struct park_group *g, const struct unit *u) {
  struct order *order = g->head;
  while (order && order->held && (order->held != u || order_is_gone(order)))
    order = order->park_next;
  return order;
}

static void group_remove(struct engine *e, struct order *order) {
  struct park_group *g = order->group;
  if (order->park_next)
    order->park_next->park_previous = order->park_previous;
  else
    g->tail = order->park_previous;
  if (order->park_previous)
    order->park_previous->park_next = order->park_next;
  else
    g->head = order->park_next;
  order->group = NULL;
  order->park_next = order->park_previous = NULL;
  if (g->head == NULL) group_free(e, g);
}

static void start_waiting(struct engine *e, struct order *order) {
  if (order->deadline == 0) order->deadline = clock_now(&e->clock) + order->wait_ms;
  order->parked = true;
  if (!str_is_none(order->replay_key)) e->keys_parked++;
  deadlines_add(e, order);
}

void park_claim(struct engine *e, struct order *order) {
  if (order->ticket == 0) order->ticket = ++e->tickets;
  order->group = group_for(e, order);
  group_insert(order->group, order);
  order->woken_for = (struct id){0};
  start_waiting(e, order);
  atomic_fetch_add(&e->parked, 1);
  workers_waiting(e, order->tenant, order->claim.worker, true);
}

// --- watches -------------------------------------------------------------------------------------

void park_watch(struct engine *e, struct order *order, struct id id) {
  if (e->watch_count == e->watch_cap) {
    e->watch_cap = e->watch_cap ? e->watch_cap * 2 : 16;
    e->watches = mem_resize(e->watches, sizeof *e->watches * e->watch_cap);
  }
  order->watch_index = e->watch_count;
  e->watches[e->watch_count++] = (struct watch_entry){.id = id, .order = order};
  start_waiting(e, order);
  atomic_fetch_add(&e->watching, 1);
}

static void watch_remove(struct engine *e, const struct order *order) {
  size_t at = order->watch_index;
  assert(at < e->watch_count && e->watches[at].order == order);
  e->watches[at] = e->watches[--e->watch_count];
  e->watches[at].order->watch_index = at;
  atomic_fetch_sub(&e->watching, 1);
}

void park_remove(struct engine *e, struct order *order) {
  assert(order->parked);
  order->parked = false;
  if (!str_is_none(order->replay_key)) e->keys_parked--;
  deadlines_remove(e, order);
  if (order->group == NULL) {
    watch_remove(e, order);
    return;
  }
  group_remove(e, order);
  atomic_fetch_sub(&e->parked, 1);
  workers_waiting(e, order->tenant, order->claim.worker, false);
}

// A create that waited turns into a watch of what it made: decided again, with the task read anew.
void park_again(struct engine *e, struct order *order) {
  assert(!order->held);
  park_remove(e, order);
  if (order->kind == ORDER_CREATE) order->kind = ORDER_WATCH;
  engine_again(e, order);
}

void park_ended_one(struct engine *e, struct id id) {
  recent_ended(e, id);
  for (size_t i = e->watch_count; i-- > 0;)
    if (id_eq(e->watches[i].id, id) && !e->watches[i].order->held)
      park_again(e, e->watches[i].order);
}

void park_ended(struct unit *u) {
  for (size_t i = 0; i < u->rows.count; i++) {
    const struct row *row = *LIST_AT(u->rows, struct row *, i);
    if (row->gone || task_status_is_final(row->task.status)) park_ended_one(u->e, row->task.id);
  }
}

// --- ends of waiting -----------------------------------------------------------------------------

static void expire(struct engine *e, struct order *order) {
  // A watch reads its task once more; an answer that is to be kept needs a commit.
  if (order->group == NULL || !str_is_none(order->replay_key)) {
    park_again(e, order);
    return;
  }
  park_remove(e, order);
  engine_answer(e, NULL, order);
}

void park_expire(struct engine *e, int64_t now) {
  while (e->deadline_count && e->deadlines[0]->deadline <= now) {
    struct order *order = e->deadlines[0];
    order->expired = true;
    if (!order->held) {
      expire(e, order);
      continue;
    }
    deadlines_remove(e, order);  // its unit will see to it
    order->deadline = NEVER;
    deadlines_add(e, order);
  }
}

void park_drain(struct engine *e) { park_expire(e, NEVER - 1); }

int64_t park_deadline(const struct engine *e) {
  return e->deadline_count && e->deadlines[0]->deadline != NEVER ? e->deadlines[0]->deadline : 0;
}

// Many may be of one key, so they are found first: each that goes moves others in the heap.
void park_send_back(struct engine *e, struct str actor) {
  struct order *all = NULL;
  for (struct order *order = e->again.head; order; order = order->next)
    order->expired |= str_eq(order->actor, actor);
  for (struct order *order = e->later.head; order; order = order->next)
    order->expired |= str_eq(order->actor, actor);
  for (size_t i = 0; i < e->deadline_count; i++) {
    struct order *order = e->deadlines[i];
    if (!str_eq(order->actor, actor)) continue;
    order->expired = true;
    if (order->held) continue;  // its unit will see to it
    order->next = all;
    all = order;
  }
  while (all) {
    struct order *order = all;
    all = order->next;
    expire(e, order);
  }
}

static void leave(struct engine *e, struct order *order) {
  park_remove(e, order);
  engine_refuse(e, order, ERR_UNAVAILABLE, "the client went away");
}

// Many may leave at once, so they are found first: each that goes moves others in the heap.
void park_withdrawn(struct engine *e) {
  struct order *gone = NULL;
  for (size_t i = 0; i < e->deadline_count; i++) {
    struct order *order = e->deadlines[i];
    if (order->held || !order_is_gone(order)) continue;
    order->next = gone;
    gone = order;
  }
  while (gone) {
    struct order *order = gone;
    gone = order->next;
    leave(e, order);
  }
}

// --- orders of a unit that is not over -----------------------------------------------------------

void park_hold(struct unit *u, struct order *order) {
  order->held = u;
  order->held_next = NULL;
  if (u->held)
    u->held_last->held_next = order;
  else
    u->held = order;
  u->held_last = order;
}

static struct order *let_go(struct unit *u) {
  struct order *order = u->held;
  if (order == NULL) return NULL;
  u->held = order->held_next;
  order->held_next = NULL;
  order->held = NULL;
  return order;
}

// Some were fed in this unit. Whoever else goes on waiting may have missed something.
void park_release(struct unit *u) {
  struct engine *e = u->e;
  for (struct order *order; (order = let_go(u));) {
    order->conflicts = 0;
    if (!order->parked) continue;
    if (order_is_gone(order))
      leave(e, order);
    else if (order->expired)
      expire(e, order);
    else if (recent_concerns(u, order))
      park_again(e, order);
  }
}

struct order *park_take_held(struct unit *u) {
  struct order *all = NULL, **last = &all;
  for (struct order *order; (order = let_go(u));) {
    assert(order->parked);  // feed_undo has put back who was fed
    park_remove(u->e, order);
    order->next = NULL;
    *last = order;
    last = &order->next;
  }
  return all;
}
