// park.c: orders that wait: claims for work, watches for the end of a task. Lane thread only.
//
// Claims with the same filter form a group, oldest first. When a task becomes ready, the group
// whose oldest claim waits longest gets it, in the same unit of work that made it ready. Every
// parked order stands in one heap by deadline (deadlines.c) as well.
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/inside.h"

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

static struct park_group *group_for(struct engine *e, const struct order *order) {
  const struct claim_filter *f = &order->claim;
  for (struct park_group *g = e->groups; g; g = g->next) {
    if (g->tenant == order->tenant &&
        claim_same_names(g->types, g->type_count, f->types, f->type_count) &&
        claim_same_names(g->queues, g->queue_count, f->queues, f->queue_count))
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
  if (!str_is_none(order->replay_key)) e->keys_parked++;
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
        park_again(e, e->watches[k].order);
  }
}

// --- feeding -------------------------------------------------------------------------------------

bool order_is_gone(const struct order *order) {
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
  if (order_is_gone(order)) {
    engine_refuse(u->e, order, ERR_UNAVAILABLE, "the client went away");
    return;
  }
  claim_from_ready(u, order);
  order->next = u->fed;
  u->fed = order;
}

// A claim to which the row can be given now.
static struct order *taker(struct engine *e, const struct row *row) {
  if (!task_is_ready(&row->task) || row->gone) return NULL;
  if (engine_queue_paused(e, row->task.tenant, row->task.queue)) return NULL;
  return longest_waiting(e, &row->task);
}

// Each row is offered once: whoever begins to wait later has looked at it himself.
void park_feed(struct unit *u) {
  if (!u->ready_new) return;
  u->ready_new = false;
  struct engine *e = u->e;
  for (size_t i = u->ready_head; e->groups && i < u->ready.count; i++) {
    struct row *row = *LIST_AT(u->ready, struct row *, i);
    if (row->offered) continue;
    for (struct order *order; (order = taker(e, row));) feed(u, order);
    row->offered = true;
  }
}

void park_offer(struct unit *u) {
  for (size_t i = 0; u->e->groups && i < u->late.count; i++) {
    struct order *order = taker(u->e, *LIST_AT(u->late, struct row *, i));
    if (order) park_again(u->e, order);
  }
}

void park_refeed(struct unit *u) {
  while (u->fed) {
    struct order *order = u->fed;
    u->fed = order->next;
    order->claimed = NULL;
    order->claimed_count = 0;
    park_claim(u->e, order);
  }
}

// --- looking again -------------------------------------------------------------------------------

static int by_ticket(const void *a_ptr, const void *b_ptr) {
  const struct order *a = *(struct order *const *)a_ptr, *b = *(struct order *const *)b_ptr;
  return (a->ticket > b->ticket) - (a->ticket < b->ticket);
}

// Chains the parked orders that `fits` says, oldest first. They stay parked.
static struct order *select_parked(struct engine *e, bool fits(const struct order *, const void *),
                                   const void *what) {
  struct order **all = mem_alloc(sizeof *all * (e->deadline_count + 1)), *chain = NULL;
  size_t count = 0;
  for (size_t i = 0; i < e->deadline_count; i++)
    if (fits(e->deadlines[i], what)) all[count++] = e->deadlines[i];
  qsort(all, count, sizeof *all, by_ticket);
  while (count-- > 0) {
    all[count]->next = chain;
    chain = all[count];
  }
  mem_free(all);
  return chain;
}

static bool is_claim_of(const struct order *order, const void *tenant) {
  return order->group && order->tenant == *(const int64_t *)tenant;
}

void park_kick(struct engine *e, int64_t tenant) {
  struct order *all = select_parked(e, is_claim_of, &tenant);
  while (all) {
    struct order *order = all;
    all = order->next;
    park_again(e, order);
  }
}

static bool was_decided_in(const struct order *order, const void *turn) {
  return order->decided == *(const uint64_t *)turn;
}

struct order *park_take_decided(struct unit *u) {
  struct order *all = select_parked(u->e, was_decided_in, &u->turn);
  for (struct order *order = all; order; order = order->next) park_remove(u->e, order);
  return all;
}

// --- ends of waiting -----------------------------------------------------------------------------

void park_expire(struct engine *e, int64_t now) {
  while (e->deadline_count && e->deadlines[0]->deadline <= now) {
    struct order *order = e->deadlines[0];
    order->expired = true;
    // A watch reads its task once more; an answer that is to be kept needs a commit.
    if (order->group == NULL || !str_is_none(order->replay_key)) {
      park_again(e, order);
    } else {
      park_remove(e, order);
      engine_answer(e, NULL, order);
    }
  }
}

static bool is_gone(const struct order *order, const void *unused) {
  (void)unused;
  return order_is_gone(order);
}

void park_withdrawn(struct engine *e) {
  struct order *all = select_parked(e, is_gone, NULL);
  while (all) {
    struct order *order = all;
    all = order->next;
    park_remove(e, order);
    engine_refuse(e, order, ERR_UNAVAILABLE, "the client went away");
  }
}

void park_drain(struct engine *e) { park_expire(e, INT64_MAX); }
