// answer.c: from the lanes to engine_collect: answered orders, finished queries, and the units
// whose memory the answers live in.
#include <assert.h>

#include "base/mem.h"
#include "engine/inside.h"

enum { FREE_UNITS_MAX = 8, UNIT_ARENA_BYTES = 256 * 1024 };

struct unit *unit_take(struct engine *e) {
  pthread_mutex_lock(&e->answer_lock);
  struct unit *u = e->free_units;
  if (u) {
    e->free_units = u->next;
    e->free_unit_count--;
  }
  pthread_mutex_unlock(&e->answer_lock);
  if (u) return u;
  u = mem_zero(sizeof *u);
  arena_init(&u->arena, UNIT_ARENA_BYTES);
  return u;
}

static void unit_free(struct unit *u) {
  arena_fini(&u->arena);
  mem_free(u);
}

void units_free(struct engine *e) {
  while (e->free_units) {
    struct unit *u = e->free_units;
    e->free_units = u->next;
    unit_free(u);
  }
}

void unit_release(struct engine *e, struct unit *u) {
  if (atomic_fetch_sub(&u->holds, 1) > 1) return;
  arena_reset(&u->arena);
  pthread_mutex_lock(&e->answer_lock);
  bool keep = e->free_unit_count < FREE_UNITS_MAX;
  if (keep) {
    u->next = e->free_units;
    e->free_units = u;
    e->free_unit_count++;
  }
  pthread_mutex_unlock(&e->answer_lock);
  if (!keep) unit_free(u);
}

void engine_answer(struct engine *e, struct unit *u, struct order *order) {
  assert(!order->parked);
  if (order->kind == ORDER_CLEANUP && cleanup_answered(e, order)) return;
  order->unit = u;
  if (u) atomic_fetch_add(&u->holds, 1);
  order_append(&e->outgoing, order);
}

void engine_refuse(struct engine *e, struct order *order, enum err err, const char *sentence) {
  order->err = fault_set(&order->fault, err, "%s", sentence);
  order->fault.retry_after_s = 1;
  engine_answer(e, NULL, order);
}

// `from` is not empty.
static void splice(struct order_list *to, struct order_list *from) {
  if (to->tail)
    to->tail->next = from->head;
  else
    to->head = from->head;
  to->tail = from->tail;
  to->count += from->count;
  *from = (struct order_list){0};
}

bool engine_hand_out(struct engine *e) {
  if (e->outgoing.head == NULL) return false;
  pthread_mutex_lock(&e->answer_lock);
  splice(&e->answered, &e->outgoing);
  pthread_mutex_unlock(&e->answer_lock);
  return e->settings.wake != NULL;
}

void query_finish(struct engine *e, struct query *query) {
  pthread_mutex_lock(&e->answer_lock);
  query->next = e->answered_queries;
  e->answered_queries = query;
  pthread_mutex_unlock(&e->answer_lock);
  if (e->settings.wake) e->settings.wake(e->settings.self);
}

void engine_collect(struct engine *e) {
  pthread_mutex_lock(&e->answer_lock);
  struct order *order = e->answered.head;
  struct query *query = e->answered_queries;
  e->answered = (struct order_list){0};
  e->answered_queries = NULL;
  pthread_mutex_unlock(&e->answer_lock);
  while (order) {
    struct order *next = order->next;
    struct unit *u = order->unit;
    order->done(order);  // the order is gone after this
    if (u) unit_release(e, u);
    order = next;
  }
  while (query) {
    struct query *next = query->next;
    query->done(query);
    query = next;
  }
}
