// threads_test.c: the engine with its threads: many who ask, one who collects. For ThreadSanitizer.
//
// Only the main thread uses cmocka's assertions: they jump.
#include <assert.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "engine/testing_store.h"

enum { CLIENTS = 4, WORKERS = 3, TASKS_EACH = 150, TASKS = CLIENTS * TASKS_EACH };

struct yard {
  struct fake_store store;
  struct store_ops ops;
  struct engine *e;
  pthread_mutex_t lock;
  pthread_cond_t some;  // answers wait for the collector, or one was handed out
  bool woken, over;
  size_t completed;
};

// A thread that asks, one request at a time.
struct party {
  struct yard *yard;
  pthread_t thread;
  struct arena arena;
  struct order order;
  struct create_item create;
  struct settle_item settle;
  struct query query;
  bool got;       // a task, by the latest claim
  bool answered;  // the yard's lock
};

// --- the yard ------------------------------------------------------------------------------------

static void yard_wake(void *self) {
  struct yard *y = self;
  pthread_mutex_lock(&y->lock);
  y->woken = true;
  pthread_cond_broadcast(&y->some);
  pthread_mutex_unlock(&y->lock);
}

static void yard_start(struct yard *y, bool lane_reads) {
  *y = (struct yard){0};
  fake_open(&y->store);
  y->ops = *y->store.store.ops;
  y->ops.lane_reads = lane_reads;
  y->store.store.ops = &y->ops;
  pthread_mutex_init(&y->lock, NULL);
  pthread_cond_init(&y->some, NULL);
  struct engine_settings settings = {.lease_ms = 60000,
                                     .attempts_max = 3,
                                     .backoff = {.delay_ms = 1, .delay_max_ms = 1},
                                     .readers = 2,
                                     .self = y,
                                     .wake = yard_wake};
  struct fault why = {0};
  assert_int_equal(engine_open(&y->store.store, &settings, &y->e, &why), ERR_OK);
  assert_int_equal(engine_start(y->e, &why), ERR_OK);
}

static void yard_close(struct yard *y) {
  engine_stop(y->e);
  engine_collect(y->e);
  engine_close(y->e);
  fake_close(&y->store);
  pthread_cond_destroy(&y->some);
  pthread_mutex_destroy(&y->lock);
}

static void collect_once(struct yard *y) {
  pthread_mutex_lock(&y->lock);
  while (!y->woken) pthread_cond_wait(&y->some, &y->lock);
  y->woken = false;
  pthread_mutex_unlock(&y->lock);
  engine_collect(y->e);
}

// --- asking --------------------------------------------------------------------------------------

static void answered(struct party *p, size_t completed) {
  pthread_mutex_lock(&p->yard->lock);
  assert(!p->answered);
  p->answered = true;
  p->yard->completed += completed;
  pthread_cond_broadcast(&p->yard->some);
  pthread_mutex_unlock(&p->yard->lock);
}

static void wait_for_answer(struct party *p) {
  pthread_mutex_lock(&p->yard->lock);
  while (!p->answered) pthread_cond_wait(&p->yard->some, &p->yard->lock);
  p->answered = false;
  pthread_mutex_unlock(&p->yard->lock);
}

static void query_done(struct query *query) { answered(query->context, 0); }

// What was claimed is gone when this returns, so it is noted here.
static void order_done(struct order *order) {
  struct party *p = order->context;
  assert(order->err == ERR_OK || order->err == ERR_UNAVAILABLE);
  p->got = order->claimed_count > 0;
  if (p->got) {
    assert(str_eq(order->claimed[0].payload, STR("{}")));
    p->settle = (struct settle_item){
        .id = order->claimed[0].id, .lease = order->claimed[0].lease, .delay_ms = ABSENT};
  }
  answered(p, order->kind == ORDER_SETTLE);
}

static struct order *order_for(struct party *p, enum order_kind kind) {
  p->order = (struct order){.kind = kind,
                            .tenant = 1,
                            .actor = STR("party"),
                            .arena = &p->arena,
                            .if_revision = ABSENT,
                            .done = order_done,
                            .context = p};
  return &p->order;
}

static void read_something(struct query *query, const struct store_ops *ops,
                           struct store_reader *reader) {
  query->err = ops && reader ? ERR_OK : ERR_INTERNAL;
}

static void *client_run(void *self) {
  struct party *p = self;
  for (int i = 0; i < TASKS_EACH; i++) {
    p->create.task = (struct task){.type = STR("t"),
                                   .payload = STR("{}"),
                                   .priority = ABSENT,
                                   .timeout_ms = ABSENT,
                                   .version = VERSION_NONE};
    order_for(p, ORDER_CREATE)->in.create.items = &p->create;
    p->order.in.create.count = 1;
    engine_submit(p->yard->e, &p->order);
    wait_for_answer(p);
    p->query = (struct query){.run = read_something, .done = query_done, .context = p};
    engine_query(p->yard->e, &p->query);
    wait_for_answer(p);
    assert(p->query.err == ERR_OK);
    assert(engine_stats(p->yard->e).store == ERR_OK);
  }
  return NULL;
}

static void claim_next(struct party *p, enum order_kind kind, struct str *type) {
  order_for(p, kind)->claim =
      (struct claim_filter){.types = type, .type_count = 1, .worker = STR("w"), .limit = 1};
  p->order.wait_ms = 60000;
}

// Completes and claims the next until nothing more comes.
static void *worker_run(void *self) {
  struct party *p = self;
  struct str type = STR("t");
  claim_next(p, ORDER_CLAIM, &type);
  engine_submit(p->yard->e, &p->order);
  wait_for_answer(p);
  while (p->got) {
    claim_next(p, ORDER_SETTLE, &type);
    p->order.in.settle.items = &p->settle;
    p->order.in.settle.count = 1;
    engine_submit(p->yard->e, &p->order);
    wait_for_answer(p);
    assert(p->settle.err == ERR_OK);
    arena_reset(&p->arena);
  }
  return NULL;
}

// Asks for what never comes, and leaves.
static void *leaver_run(void *self) {
  struct party *p = self;
  struct str type = STR("never");
  for (int i = 0; i < TASKS_EACH; i++) {
    claim_next(p, ORDER_CLAIM, &type);
    engine_submit(p->yard->e, &p->order);
    engine_withdraw(p->yard->e, &p->order);
    wait_for_answer(p);
    assert(!p->got);
  }
  return NULL;
}

// --- the tests -----------------------------------------------------------------------------------

static void go(struct yard *y, struct party *p, void *run(void *)) {
  *p = (struct party){.yard = y};
  arena_init(&p->arena, 4096);
  assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
}

static void join(struct party *p) {
  pthread_join(p->thread, NULL);
  arena_fini(&p->arena);
}

// All of them; the first CLIENTS + 1 end by themselves, the workers when nothing more comes.
static void *wait_for_all(void *parties) {
  struct party *p = parties;
  struct yard *y = p[0].yard;
  for (size_t i = 0; i < CLIENTS + 1; i++) join(&p[i]);
  pthread_mutex_lock(&y->lock);
  // The latest completion of each worker may be waiting for a next task.
  while (y->completed < TASKS - WORKERS) pthread_cond_wait(&y->some, &y->lock);
  pthread_mutex_unlock(&y->lock);
  engine_drain(y->e);
  for (size_t i = CLIENTS + 1; i < CLIENTS + 1 + WORKERS; i++) join(&p[i]);
  pthread_mutex_lock(&y->lock);
  y->over = true;
  pthread_mutex_unlock(&y->lock);
  yard_wake(y);
  return NULL;
}

static void work_through(bool lane_reads) {
  static struct yard y;
  static struct party parties[CLIENTS + 1 + WORKERS];
  yard_start(&y, lane_reads);
  for (size_t i = 0; i < CLIENTS + 1 + WORKERS; i++)
    go(&y, &parties[i], i < CLIENTS ? client_run : i == CLIENTS ? leaver_run : worker_run);
  pthread_t waiter;
  assert_int_equal(pthread_create(&waiter, NULL, wait_for_all, parties), 0);
  for (bool over = false; !over;) {
    collect_once(&y);
    pthread_mutex_lock(&y.lock);
    over = y.over;
    pthread_mutex_unlock(&y.lock);
  }
  pthread_join(waiter, NULL);
  assert_int_equal(y.store.task_count, TASKS);
  for (size_t i = 0; i < TASKS; i++) {
    assert_int_equal(y.store.tasks[i].status, TASK_COMPLETED);
    assert_int_equal(y.store.tasks[i].attempt, 1);
  }
  yard_close(&y);
}

static void every_task_is_worked_once_while_many_ask_at_once(void **state) {
  (void)state;
  work_through(false);
}

static void a_store_that_is_read_on_the_lane_answers_everybody_too(void **state) {
  (void)state;
  work_through(true);
}

static void a_stop_without_a_drain_answers_all_who_wait(void **state) {
  (void)state;
  static struct yard y;
  static struct party claim, create;  // their arenas are not used
  struct str type = STR("t");
  yard_start(&y, false);
  claim = create = (struct party){.yard = &y};
  claim_next(&claim, ORDER_CLAIM, &type);
  engine_submit(y.e, &claim.order);
  create.create.task = (struct task){
      .type = STR("u"), .priority = ABSENT, .timeout_ms = ABSENT, .version = VERSION_NONE};
  order_for(&create, ORDER_CREATE)->in.create.items = &create.create;
  create.order.in.create.count = 1;
  create.order.wait_ms = 60000;
  engine_submit(y.e, &create.order);
  engine_stop(y.e);
  engine_collect(y.e);
  assert_true(claim.answered);
  assert_true(create.answered);
  assert_int_equal(create.order.err, ERR_OK);
  assert_int_equal(create.order.task_count, 1);
  yard_close(&y);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_task_is_worked_once_while_many_ask_at_once),
      cmocka_unit_test(a_store_that_is_read_on_the_lane_answers_everybody_too),
      cmocka_unit_test(a_stop_without_a_drain_answers_all_who_wait),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
