// lane.c: the thread that runs units of work, one after the other, as fast as the disk allows.
//
// There is no timer that waits for a group to grow: while one unit is being committed the next one
// gathers, so groups are as large as the load makes them and an idle server answers at once.
#include <errno.h>
#include <time.h>

#include "base/log.h"
#include "engine/inside.h"

enum { IDLE_TEND_MS = 1000, RETRY_SWEEP_MS = 1000 };

void order_append(struct order_list *list, struct order *order) {
  order->next = NULL;
  if (list->tail)
    list->tail->next = order;
  else
    list->head = order;
  list->tail = order;
  list->count++;
}

void engine_again(struct engine *e, struct order *order) { order_append(&e->again, order); }

static size_t order_items(const struct order *order) {
  if (order->kind == ORDER_CREATE) return order->in.create.count;
  if (order->kind == ORDER_SETTLE) return order->in.settle.count + order->claim.limit;
  return order->kind == ORDER_CLAIM && order->claim.limit ? order->claim.limit : 1;
}

void engine_submit(struct engine *e, struct order *order) {
  pthread_mutex_lock(&e->queue_lock);
  bool full = e->queued.count >= LIMIT_ORDERS_WAITING, stopping = e->stopping;
  if (!full && !stopping) order_append(&e->queued, order);
  bool first = e->queued.count == 1;
  pthread_mutex_unlock(&e->queue_lock);
  if (first)
    pthread_cond_signal(&e->queue_filled);  // unlocked, so that the lane does not run into us
  if (!full && !stopping) return;
  order->fault.retry_after_s = 1;
  order->err = stopping ? fault_set(&order->fault, ERR_UNAVAILABLE, "the server is stopping")
                        : fault_set(&order->fault, ERR_OVERLOADED,
                                    "%d requests wait for the store already; try again",
                                    LIMIT_ORDERS_WAITING);
  order->unit = NULL;
  pthread_mutex_lock(&e->answer_lock);
  order_append(&e->answered, order);
  pthread_mutex_unlock(&e->answer_lock);
  if (e->settings.wake) e->settings.wake(e->settings.self);
}

void engine_withdraw(struct engine *e, struct order *order) {
  __atomic_store_n(&order->gone, true, __ATOMIC_RELEASE);
  pthread_mutex_lock(&e->queue_lock);
  e->withdrawn = true;
  pthread_cond_signal(&e->queue_filled);
  pthread_mutex_unlock(&e->queue_lock);
}

void engine_drain(struct engine *e) {
  pthread_mutex_lock(&e->queue_lock);
  e->draining = true;
  pthread_cond_signal(&e->queue_filled);
  pthread_mutex_unlock(&e->queue_lock);
}

static bool fits(const struct order *order, size_t items) {
  if (items == 0) return true;  // at least one, however large
  return !order->alone && items + order_items(order) <= LIMIT_UNIT_ITEMS;
}

// Takes what waits, up to the size of a unit. One that is to be tried alone fills a unit by itself.
static struct order *take(struct order_list *from, size_t *items) {
  struct order *head = from->head, *last = NULL;
  while (from->head && fits(from->head, *items)) {
    last = from->head;
    *items += last->alone ? LIMIT_UNIT_ITEMS : order_items(last);
    from->head = last->next;
    from->count--;
  }
  if (last == NULL) return NULL;
  last->next = NULL;
  if (from->head == NULL) from->tail = NULL;
  return head;
}

static void chain(struct order **to, struct order *more) {
  while (*to) to = &(*to)->next;
  *to = more;
}

static bool sweep_is_due(const struct engine *e, int64_t now) {
  return e->wake_at != 0 && e->wake_at <= now;
}

// After a sweep the store knows when the next one is due. Until then changes can only bring it
// nearer. One that failed is not repeated at once: what ails the store takes time to heal.
static void next_wake(struct engine *e, int64_t now, enum err swept) {
  struct fault why = {0};
  int64_t at = 0;
  if (swept == ERR_OK) swept = e->store->ops->wake_next(e->lane, &at, &why);
  e->wake_at = swept == ERR_OK ? at : now + RETRY_SWEEP_MS;
}

static struct order *gather(struct engine *e, int64_t now, bool *sweep) {
  size_t items = 0;
  struct order *orders = take(&e->again, &items);
  pthread_mutex_lock(&e->queue_lock);
  struct order *queued = take(&e->queued, &items);
  bool withdrawn = e->withdrawn, drain = e->draining && !e->lane_draining;
  e->withdrawn = false;
  if (drain) e->lane_draining = true;
  pthread_mutex_unlock(&e->queue_lock);
  chain(&orders, queued);
  if (withdrawn) park_withdrawn(e);
  if (drain)
    park_drain(e);
  else
    park_expire(e, now);
  bool alone = orders && orders->alone;
  *sweep = !alone && sweep_is_due(e, now);
  if (*sweep) {
    e->sweep.next = NULL;
    chain(&orders, &e->sweep);
  }
  return orders;
}

static int64_t sooner(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return a ? a : b;
  return a < b ? a : b;
}

// A store that ails is tried again with each call, so that the server is ready again by itself.
static void tend(struct engine *e, bool idle) {
  struct fault why = {0};
  enum err before = (enum err)atomic_load(&e->store_err);
  enum err err = e->store->ops->tend(e->lane, idle, &why);
  atomic_store(&e->store_err, (int)err);
  if (err == ERR_OK && before != ERR_OK) log_event(LOG_INFO, "the store takes writes again");
  if (err != ERR_OK && before == ERR_OK)
    log_event(LOG_WARN, "upkeep of the store failed", LOG_STR("reason", str_of(why.detail)));
  if (err == ERR_STORE_BROKEN && e->settings.broken) e->settings.broken(e->settings.self, &why);
}

bool engine_turn(struct engine *e, int64_t *next_at) {
  int64_t now = clock_now(&e->clock);
  bool sweep;
  struct order *orders = gather(e, now, &sweep);
  if (orders) {
    struct unit *u = unit_take(e);
    unit_begin(u, e, now);
    u->orders = orders;
    if (sweep) e->wake_at = 0;
    enum err err = run_unit(u, sweep);
    if (sweep) next_wake(e, now, err);
  }
  engine_flush(e);
  if (orders) {
    tend(e, false);
    e->tended = false;
  }
  *next_at = e->again.head ? now : sooner(e->wake_at, park_deadline(e));
  return orders != NULL;
}

// Until something is queued, or `until` (clock time; 0: for ever). False: time to stop.
static bool wait_for_work(struct engine *e, int64_t until) {
  pthread_mutex_lock(&e->queue_lock);
  bool timed_out = false;
  while (!e->queued.head && !e->withdrawn && !e->stopping && !timed_out &&
         !(e->draining && !e->lane_draining) && !(e->store->ops->lane_reads && e->query_head)) {
    if (until == 0) {
      pthread_cond_wait(&e->queue_filled, &e->queue_lock);
      continue;
    }
    int64_t left = until - clock_now(&e->clock);
    if (left <= 0) break;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + (left % 1000) * 1000000;
    at.tv_sec += left / 1000 + ns / 1000000000;
    at.tv_nsec = ns % 1000000000;
    timed_out = pthread_cond_timedwait(&e->queue_filled, &e->queue_lock, &at) == ETIMEDOUT;
  }
  bool reads = e->store->ops->lane_reads && e->query_head;
  bool stopping = e->stopping && !e->queued.head && !reads;
  pthread_mutex_unlock(&e->queue_lock);
  return !stopping;
}

static bool work_is_queued(struct engine *e) {
  pthread_mutex_lock(&e->queue_lock);
  bool queued = e->queued.head != NULL;
  pthread_mutex_unlock(&e->queue_lock);
  return queued;
}

// Whoever still waits gets what there is; a watch reads its task once more.
static void answer_the_rest(struct engine *e) {
  int64_t next_at;
  e->lane_draining = true;
  park_drain(e);
  engine_flush(e);
  while (engine_turn(e, &next_at))
    ;
}

void *lane_run(void *engine) {
  struct engine *e = engine;
  pthread_setname_np(pthread_self(), "lane");
  for (;;) {
    int64_t next_at;
    bool worked = engine_turn(e, &next_at);
    bool read = readers_serve(e);
    if (worked || read || e->again.head || work_is_queued(e)) continue;
    int64_t now = clock_now(&e->clock);
    int64_t until = e->tended ? next_at : sooner(next_at, now + IDLE_TEND_MS);
    if (!wait_for_work(e, until)) break;
    bool idle = !e->tended && !work_is_queued(e) && clock_now(&e->clock) >= now + IDLE_TEND_MS;
    if (!idle) continue;
    tend(e, true);
    e->tended = atomic_load(&e->store_err) == ERR_OK;
  }
  answer_the_rest(e);
  return NULL;
}
