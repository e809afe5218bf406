// queue.c: the orders that wait for a lane, and the lanes that wait for orders.
//
// There is no timer that waits for a group to grow: while one unit is being committed the next one
// gathers, so groups are as large as the load makes them and an idle server answers at once. Where
// there are several lanes one of them does it alone as long as it can; more join when that pays.
//
// The lanes that wait stand in a list. The first one minds the time, and is called when orders
// come; when it leaves, the next one minds the time. The latest to come is the first, unless it
// fails: then it is the last.
#include <errno.h>
#include <time.h>

#include "engine/inside.h"

enum {
  // Another lane joins when the first order waits so long because the others are held up (or when
  // LANE_JOIN_ITEMS wait).
  LANE_JOIN_MS = 10,
  IDLE_TEND_MS = 1000,
};

// --- orders --------------------------------------------------------------------------------------

static size_t order_bytes(const struct order *order) {
  size_t bytes = 0;
  for (size_t i = 0; order->kind == ORDER_CREATE && i < order->in.create.count; i++)
    bytes += order->in.create.items[i].task.payload.len;
  for (size_t i = 0; order->kind == ORDER_SETTLE && i < order->in.settle.count; i++)
    bytes += order->in.settle.items[i].result.len;
  return bytes;
}

// Large payloads and results count as several, so that a unit stays within LIMIT_UNIT_BYTES.
static size_t order_items(const struct order *order) {
  size_t items = 1, large = order_bytes(order) / (LIMIT_UNIT_BYTES / LIMIT_UNIT_ITEMS);
  if (order->kind == ORDER_CREATE) items = order->in.create.count;
  if (order->kind == ORDER_SETTLE) items = order->in.settle.count + order->claim.limit;
  if (order->kind == ORDER_CLAIM && order->claim.limit) items = order->claim.limit;
  if (order->kind == ORDER_CLEANUP) items = LIMIT_CLEANUP_ITEMS;
  return items > large ? items : large;
}

void order_append(struct order_list *list, struct order *order) {
  order->next = NULL;
  if (list->tail)
    list->tail->next = order;
  else
    list->head = order;
  list->tail = order;
  list->count++;
}

void order_enqueue(struct order_list *list, struct order *order) {
  order_append(list, order);
  list->items += order_items(order);
}

void order_enqueue_ahead(struct order_list *list, struct order *order) {
  struct order **at = list->ahead ? &list->ahead->next : &list->head;
  order->next = *at;
  *at = order;
  if (order->next == NULL) list->tail = order;
  list->ahead = order;
  list->count++;
  list->items += order_items(order);
}

static bool fits(const struct order *order, size_t items) {
  if (items == 0) return true;  // at least one, however large
  return !order->alone && items + order_items(order) <= LIMIT_UNIT_ITEMS;
}

// One that is to be tried alone fills a unit by itself.
struct order *order_take(struct order_list *from, size_t *items) {
  struct order *head = from->head, *last = NULL;
  bool others = false;
  while (from->head && fits(from->head, *items)) {
    last = from->head;
    others |= from->ahead == NULL;
    size_t its = order_items(last);
    *items += last->alone ? LIMIT_UNIT_ITEMS : its;
    from->head = last->next;
    if (last == from->ahead) from->ahead = NULL;
    from->count--;
    from->items -= its;
  }
  if (last == NULL) return NULL;
  last->next = NULL;
  from->passed = !others && from->head != NULL;
  if (from->head == NULL) from->tail = NULL;
  return head;
}

void order_chain(struct order **to, struct order *more) {
  while (*to) to = &(*to)->next;
  *to = more;
}

// --- calling lanes -------------------------------------------------------------------------------

static bool is_long(const struct engine *e) {
  return e->lane_count > 1 && e->queued.items >= e->join_items;
}

// The lane that is to come for what was just queued; NULL: one will come by itself.
static struct lane *wanted(const struct engine *e) {
  bool first = e->queued.count == 1;
  return (first && e->awake == 0) || is_long(e) ? e->idle : NULL;
}

static void call(struct lane *lane) {
  if (lane) pthread_cond_signal(&lane->called);
}

void queue_call(struct engine *e) {
  pthread_mutex_lock(&e->queue_lock);
  call(e->idle);
  pthread_mutex_unlock(&e->queue_lock);
}

void queue_call_all(struct engine *e) {
  for (struct lane *lane = e->idle; lane; lane = lane->idle_next) call(lane);
}

// --- taking orders in ----------------------------------------------------------------------------

// More waits than the next unit takes.
static bool is_behind(const struct engine *e) { return e->queued.items > LIMIT_UNIT_ITEMS; }

// New work is refused while it would wait too long. What fits into the next unit never is: a store
// that is slow, but has nothing to do, takes all that comes.
static enum err admit_new(const struct engine *e, struct fault *why) {
  if (e->settings.wait_ms_max == 0 || !is_behind(e)) return ERR_OK;
  int64_t wait_ms = pace_wait_ms(&e->pace, e->queued.items);
  if (wait_ms <= e->settings.wait_ms_max) return ERR_OK;
  why->retry_after_s = (int)((wait_ms + 999) / 1000);
  return fault_set(why, ERR_OVERLOADED,
                   "what waits for the store takes %lld ms already, over the limit of %lld ms "
                   "(order_wait_max); nothing was changed, try again later",
                   (long long)wait_ms, (long long)e->settings.wait_ms_max);
}

static enum err admit(const struct engine *e, const struct order *order, struct fault *why) {
  why->retry_after_s = 1;
  if (e->stopping) return fault_set(why, ERR_UNAVAILABLE, "the server is stopping");
  if (e->queued.count >= LIMIT_ORDERS_WAITING)
    return fault_set(why, ERR_OVERLOADED, "%d requests wait for the store already; try again",
                     LIMIT_ORDERS_WAITING);
  return order->kind == ORDER_CREATE ? admit_new(e, why) : ERR_OK;
}

enum err engine_admits(struct engine *e, struct fault *why) {
  pthread_mutex_lock(&e->queue_lock);
  enum err err = admit_new(e, why);
  pthread_mutex_unlock(&e->queue_lock);
  return err;
}

// What workers say of tasks that they hold comes first when more waits than one unit takes: it
// keeps leases alive and ends work, and a producer can wait or come again.
static void take_in(struct engine *e, struct order *order) {
  bool of_holder = order->kind == ORDER_SETTLE || order->kind == ORDER_REPORT;
  if (of_holder && is_behind(e) && !e->queued.passed)
    order_enqueue_ahead(&e->queued, order);
  else
    order_enqueue(&e->queued, order);
  if (e->lane_count > 1 && e->queued.count == 1) e->queued_at = clock_mono_us();
}

void engine_submit(struct engine *e, struct order *order) {
  struct lane *lane = NULL;
  struct fault why = {0};
  pthread_mutex_lock(&e->queue_lock);
  enum err err = admit(e, order, &why);
  if (err == ERR_OK) {
    take_in(e, order);
    lane = wanted(e);
  }
  pthread_mutex_unlock(&e->queue_lock);
  call(lane);  // unlocked, so that the lane does not run into us
  if (err == ERR_OK) return;
  order->fault = why;
  order->err = err;
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
  call(e->idle);
  pthread_mutex_unlock(&e->queue_lock);
}

void engine_drain(struct engine *e) {
  pthread_mutex_lock(&e->queue_lock);
  e->draining = true;
  call(e->idle);
  pthread_mutex_unlock(&e->queue_lock);
}

void queue_due(struct engine *e) {
  int64_t at = engine_due(e, 1);
  pthread_mutex_lock(&e->queue_lock);
  e->due_at = at;
  pthread_mutex_unlock(&e->queue_lock);
}

// --- gathering -----------------------------------------------------------------------------------

bool lane_steps_back(struct lane *lane) {
  struct engine *e = lane->e;
  if (e->stopping || atomic_load(&lane->err) == ERR_OK) return false;
  for (size_t i = 0; i < e->lane_count; i++)
    if (atomic_load(&e->lanes[i].err) == ERR_OK) return true;
  return false;
}

// What is to be decided again comes first. A lane that fails leaves it all to those that work.
struct gathered queue_gather(struct lane *lane, int64_t now) {
  struct engine *e = lane->e;
  struct gathered g = {0};
  size_t items = 0;
  pthread_mutex_lock(&e->queue_lock);
  again_due(e, e->stopping ? INT64_MAX : now);
  g.steps_back = lane_steps_back(lane);
  if (!g.steps_back) {
    size_t waited = e->again.items + e->queued.items;
    g.orders = order_take(&e->again, &items);
    order_chain(&g.orders, order_take(&e->queued, &items));
    size_t taken = waited - e->again.items - e->queued.items;  // alone in a unit does not fill it
    pace_note(&e->pace, clock_mono_us(), taken, e->queued.head != NULL);
  }
  if (e->lane_count > 1 && e->queued.head) e->queued_at = clock_mono_us();
  if (is_long(e)) call(e->idle);
  g.withdrawn = e->withdrawn;
  g.drain = e->draining && !e->drain_seen;
  e->withdrawn = false;
  e->drain_seen |= g.drain;
  pthread_mutex_unlock(&e->queue_lock);
  return g;
}

// --- waiting -------------------------------------------------------------------------------------

static bool has_orders(struct lane *lane) {
  const struct engine *e = lane->e;
  if (e->queued.head == NULL || lane_steps_back(lane)) return false;
  return e->awake == 0 || is_long(e) ||
         clock_mono_us() - e->queued_at >= (int64_t)LANE_JOIN_MS * 1000;
}

static bool has_queries(const struct engine *e) {
  return e->store->ops->lane_reads && e->query_head;
}

static bool has_work(struct lane *lane) {
  const struct engine *e = lane->e;
  if (e->stopping) return true;
  bool first = e->idle == lane;
  if (first && lane->rest_until == 0) {
    if (has_orders(lane) || e->withdrawn || (e->draining && !e->drain_seen) || has_queries(e))
      return true;
    if (e->due_at && e->due_at <= clock_now(&e->clock)) return true;
  }
  lane->tend_now = lane->tend_at && lane->tend_at <= clock_now(&e->clock);
  return lane->tend_now;
}

// When to look up although nobody calls, in clock time; 0: never. While other lanes are awake the
// first one looks whether they are held up.
static int64_t look_up_at(const struct lane *lane, int64_t now) {
  const struct engine *e = lane->e;
  if (lane->rest_until) return clock_sooner(lane->tend_at, lane->rest_until);
  if (e->idle != lane) return lane->tend_at;
  int64_t at = clock_sooner(lane->tend_at, e->due_at);
  return e->awake && e->lane_count > 1 ? clock_sooner(at, now + LANE_JOIN_MS) : at;
}

static void lane_sleep(struct lane *lane) {
  struct engine *e = lane->e;
  int64_t now = clock_now(&e->clock);
  if (lane->worked) lane->tend_at = now + IDLE_TEND_MS;
  lane->worked = false;
  int64_t until = look_up_at(lane, now);
  if (until == 0) {
    pthread_cond_wait(&lane->called, &e->queue_lock);
  } else if (until > now) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + ((until - now) % 1000) * 1000000;
    at.tv_sec += (until - now) / 1000 + ns / 1000000000;
    at.tv_nsec = ns % 1000000000;
    (void)pthread_cond_timedwait(&lane->called, &e->queue_lock, &at);
  }
  if (lane->rest_until && lane->rest_until <= clock_now(&e->clock)) lane->rest_until = 0;
}

static void enter_idle(struct lane *lane) {
  struct engine *e = lane->e;
  struct lane **at = &e->idle;
  lane->rest_until = 0;
  if (atomic_load(&lane->err) != ERR_OK) {
    while (*at) at = &(*at)->idle_next;
    if (lane_steps_back(lane)) lane->rest_until = clock_now(&e->clock) + LANE_JOIN_MS;
  }
  lane->idle_next = *at;
  *at = lane;
  e->awake--;
}

static void leave_idle(struct lane *lane) {
  struct engine *e = lane->e;
  struct lane **at = &e->idle;
  while (*at != lane) at = &(*at)->idle_next;
  *at = lane->idle_next;
  e->awake++;
  call(e->idle);  // to mind the time from now on
}

bool lane_wait(struct lane *lane) {
  struct engine *e = lane->e;
  lane->tend_now = false;
  pthread_mutex_lock(&e->queue_lock);
  enter_idle(lane);
  while (!has_work(lane)) lane_sleep(lane);
  if (lane->tend_now) lane->tend_at = 0;
  leave_idle(lane);
  bool stop = e->stopping && !e->queued.head && !has_queries(e);
  pthread_mutex_unlock(&e->queue_lock);
  return !stop;
}
