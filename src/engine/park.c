// park.c: orders that wait: claims for work, watches for the end of a task. Lane thread only.
//
// Claims with the same filter form a group, oldest first. When a task becomes ready, the group
// whose oldest claim waits longest gets it, in the same unit of work that made it ready. Every
// parked order stands in one heap by deadline (deadlines.c) as well.
#include <assert.h>

#include "base/mem.h"
#include "engine/inside.h"

// --- groups of claims
// ------------------------------------------------------------------------------

static bool same_names(const struct str *a, size_t an, const struct str *b, size_t bn) {
  if (an != bn) return false;
  for (size_t i = 0; i < an; i++)
    if (!str_eq(a[i], b[i])) return false;
  return true;
}

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

static struct park_group *group_for(struct engine *e, const struct order *order) {
  const struct claim_filter *f = &order->claim;
  for (struct park_group *g = e->groups; g; g = g->next) {
    if (g->tenant == order->tenant &&
        same_names(g->types, g->type_count, f->types, f->type_count) &&
        same_names(g->queues, g->queue_count, f->queues, f->queue_count))
      return g;
  }
  struct park_group *g = mem_zero(sizeof *g);
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
  deadlines_add(e, order);
}

void park_claim(struct engine *e, struct order *order) {
  if (order->ticket == 0) order->ticket = ++e->tickets;
  order->group = group_for(e, order);
  group_insert(order->group, order);
  start_waiting(e, order);
  atomic_fetch_add(&e->parked, 1);
  workers_waiting(e, order->tenant, order->claim.worker, true);
}

// --- watches
// ---------------------------------------------------------------------------------------

void park_watch(struct engine *e, struct order *order, struct id id) {
  if (e->watch_count == e->watch_cap) {
    e->watch_cap = e->watch_cap ? e->watch_cap * 2 : 16;
    e->watches = mem_resize(e->watches, sizeof *e->watches * e->watch_cap);
  }
  e->watches[e->watch_count++] = (struct watch_entry){.id = id, .order = order};
  start_waiting(e, order);
  atomic_fetch_add(&e->watching, 1);
}

static void watch_remove(struct engine *e, const struct order *order) {
  for (size_t i = 0; i < e->watch_count; i++) {
    if (e->watches[i].order != order) continue;
    e->watches[i] = e->watches[--e->watch_count];
    atomic_fetch_sub(&e->watching, 1);
    return;
  }
  assert(!"a parked order without a group is watching");
}

void park_remove(struct engine *e, struct order *order) {
  assert(order->parked);
  order->parked = false;
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
static void decide_again(struct engine *e, struct order *order) {
  park_remove(e, order);
  if (order->kind == ORDER_CREATE) order->kind = ORDER_WATCH;
  order->next = NULL;
  engine_again(e, order);
}

void park_ended(struct unit *u) {
  struct engine *e = u->e;
  if (e->watch_count == 0) return;
  for (size_t i = 0; i < u->rows.count; i++) {
    const struct row *row = *LIST_AT(u->rows, struct row *, i);
    if (!row->gone && !task_status_is_final(row->task.status)) continue;
    for (size_t k = e->watch_count; k-- > 0;)
      if (k < e->watch_count && id_eq(e->watches[k].id, row->task.id))
        decide_again(e, e->watches[k].order);
  }
}

// --- feeding
// ---------------------------------------------------------------------------------------

static bool is_gone(const struct order *order) {
  return __atomic_load_n(&order->gone, __ATOMIC_ACQUIRE);
}

static struct order *longest_waiting(struct engine *e, const struct task *task) {
  struct order *best = NULL;
  for (struct park_group *g = e->groups; g; g = g->next) {
    if (g->tenant != task->tenant || (best && g->head->ticket > best->ticket)) continue;
    if (claim_fits(&g->head->claim, task)) best = g->head;
  }
  return best;
}

static void feed(struct unit *u, struct order *order) {
  park_remove(u->e, order);
  if (is_gone(order)) {
    engine_refuse(u->e, order, ERR_UNAVAILABLE, "the client went away");
    return;
  }
  claim_from_ready(u, order);
  order->fed = true;
  order->next = u->fed;
  u->fed = order;
}

void park_feed(struct unit *u) {
  struct engine *e = u->e;
  for (size_t i = u->ready_head; e->groups && i < u->ready.count; i++) {
    const struct row *row = *LIST_AT(u->ready, struct row *, i);
    while (task_is_ready(&row->task) && !row->gone &&
           !engine_queue_paused(e, row->task.tenant, row->task.queue)) {
      struct order *order = longest_waiting(e, &row->task);
      if (order == NULL) break;
      feed(u, order);
    }
  }
}

void park_refeed(struct unit *u) {
  while (u->fed) {
    struct order *order = u->fed;
    u->fed = order->next;
    order->fed = false;
    order->claimed = NULL;
    order->claimed_count = 0;
    park_claim(u->e, order);
  }
}

void park_kick(struct engine *e, int64_t tenant) {
  struct order *all = NULL;
  for (size_t i = 0; i < e->deadline_count; i++) {
    struct order *order = e->deadlines[i];
    if (order->group == NULL || order->tenant != tenant) continue;
    order->next = all;
    all = order;
  }
  while (all) {
    struct order *order = all;
    all = order->next;
    decide_again(e, order);
  }
}

// --- ends of waiting
// -------------------------------------------------------------------------------

void park_expire(struct engine *e, int64_t now) {
  while (e->deadline_count && e->deadlines[0]->deadline <= now) {
    struct order *order = e->deadlines[0];
    order->expired = true;
    if (order->group == NULL) {
      decide_again(e, order);
    } else {
      park_remove(e, order);
      engine_answer(e, NULL, order);
    }
  }
}

void park_withdrawn(struct engine *e) {
  for (size_t i = e->deadline_count; i-- > 0;) {
    if (i >= e->deadline_count || !is_gone(e->deadlines[i])) continue;
    struct order *order = e->deadlines[i];
    park_remove(e, order);
    engine_refuse(e, order, ERR_UNAVAILABLE, "the client went away");
    i = e->deadline_count;  // removing moved others: look again from the end
  }
}

void park_drain(struct engine *e) { park_expire(e, INT64_MAX); }
