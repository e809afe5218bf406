// threads_test.c: the engine with its threads: many who ask, one who collects. For ThreadSanitizer.
//
// Only the main thread uses cmocka's assertions: they jump.
#include <assert.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sched.h>

#include "base/log.h"
#include "base/rand.h"
#include "engine/inside.h"
#include "engine/testing_store.h"

enum { CLIENTS = 4, WORKERS = 3, TASKS_EACH = 150, TASKS = CLIENTS * TASKS_EACH };

// What is run: one process, or two that share a store.
struct shape {
  bool lane_reads;
  size_t lanes;      // of each process
  size_t processes;  // 1 or 2
};

struct process {
  struct store_ops ops;
  struct fake_head head;
  struct fake_news news;
  struct engine *e;
};

struct yard {
  struct fake_store store;
  struct store_ops ops;
  struct process processes[2];
  size_t process_count;
  struct engine *e;  // of the first one
  pthread_mutex_t lock;
  pthread_cond_t some;  // answers wait for the collector, or one was handed out
  bool woken, over, draining;
  size_t completed;
};

// A thread that asks, one request at a time.
struct party {
  struct yard *yard;
  struct engine *e;
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

static void open_engine(struct yard *y, struct store *store, struct engine **out) {
  struct engine_settings settings = {.lease_ms = 60000,
                                     .attempts_max = 3,
                                     .backoff = {.delay_ms = 1, .delay_max_ms = 1},
                                     .readers = 2,
                                     .self = y,
                                     .wake = yard_wake};
  struct fault why = {0};
  assert_int_equal(engine_open(store, &settings, out, &why), ERR_OK);
  (*out)->join_items = 1;  // all lanes at once, whether it pays or not
  assert_int_equal(engine_start(*out, &why), ERR_OK);
}

// Each call into the store takes its time, so that the lanes are in it together.
static void dawdle(void *self, struct store_lane *lane, enum fake_point point) {
  (void)self, (void)lane, (void)point;
  for (uint64_t i = rand_u64() % 8; i > 0; i--) sched_yield();
}

static void yard_start(struct yard *y, const struct shape *shape) {
  *y = (struct yard){.process_count = shape->processes};
  fake_open(&y->store);
  y->store.lane_max = shape->lanes;
  y->store.threads = true;
  y->store.hook = dawdle;
  y->ops = *y->store.head.store.ops;
  y->ops.lane_reads = shape->lane_reads;
  y->store.head.store.ops = &y->ops;
  pthread_mutex_init(&y->lock, NULL);
  pthread_cond_init(&y->some, NULL);
  for (size_t i = 0; i < shape->processes; i++) {
    struct process *p = &y->processes[i];
    if (shape->processes > 1) fake_share(&y->store, &p->head, &p->ops, &p->news);
    open_engine(y, shape->processes > 1 ? &p->head.store : &y->store.head.store, &p->e);
  }
  y->e = y->processes[0].e;
}

static void yard_close(struct yard *y) {
  for (size_t i = 0; i < y->process_count; i++) engine_stop(y->processes[i].e);
  for (size_t i = 0; i < y->process_count; i++) {
    engine_collect(y->processes[i].e);
    engine_close(y->processes[i].e);
  }
  fake_close(&y->store);
  pthread_cond_destroy(&y->some);
  pthread_mutex_destroy(&y->lock);
}

static void collect_once(struct yard *y) {
  pthread_mutex_lock(&y->lock);
  while (!y->woken) pthread_cond_wait(&y->some, &y->lock);
  y->woken = false;
  pthread_mutex_unlock(&y->lock);
  for (size_t i = 0; i < y->process_count; i++) engine_collect(y->processes[i].e);
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

static void order_one_task(struct party *p) {
  p->create.task = (struct task){.type = STR("t"),
                                 .payload = STR("{}"),
                                 .priority = ABSENT,
                                 .timeout_ms = ABSENT,
                                 .version = VERSION_NONE};
  order_for(p, ORDER_CREATE)->in.create.items = &p->create;
  p->order.in.create.count = 1;
}

static void *client_run(void *self) {
  struct party *p = self;
  for (int i = 0; i < TASKS_EACH; i++) {
    order_one_task(p);
    bool waits = i % 5 == 0;
    if (waits) p->order.wait_ms = 60000;
    engine_submit(p->e, &p->order);
    wait_for_answer(p);
    assert(p->order.ended == waits);  // whoever waits is told of the end before the limit
    p->query = (struct query){.run = read_something, .done = query_done, .context = p};
    engine_query(p->e, &p->query);
    wait_for_answer(p);
    assert(p->query.err == ERR_OK);
    assert(engine_stats(p->e).store == ERR_OK);
  }
  return NULL;
}

static void claim_next(struct party *p, enum order_kind kind, struct str *type) {
  order_for(p, kind)->claim =
      (struct claim_filter){.types = type, .type_count = 1, .worker = STR("w"), .limit = 1};
  p->order.wait_ms = 60000;
}

static bool is_draining(struct yard *y) {
  pthread_mutex_lock(&y->lock);
  bool draining = y->draining;
  pthread_mutex_unlock(&y->lock);
  return draining;
}

// Completes and claims the next until nothing more comes.
static void *worker_run(void *self) {
  struct party *p = self;
  struct str type = STR("t");
  claim_next(p, ORDER_CLAIM, &type);
  engine_submit(p->e, &p->order);
  wait_for_answer(p);
  while (p->got) {
    claim_next(p, ORDER_SETTLE, &type);
    p->order.in.settle.items = &p->settle;
    p->order.in.settle.count = 1;
    engine_submit(p->e, &p->order);
    wait_for_answer(p);
    assert(p->settle.err == ERR_OK);
    arena_reset(&p->arena);
  }
  assert(is_draining(p->yard));  // no wait for a task was in vain
  return NULL;
}

// Asks for what never comes, and leaves.
static void *leaver_run(void *self) {
  struct party *p = self;
  struct str type = STR("never");
  for (int i = 0; i < TASKS_EACH; i++) {
    claim_next(p, ORDER_CLAIM, &type);
    engine_submit(p->e, &p->order);
    engine_withdraw(p->e, &p->order);
    wait_for_answer(p);
    assert(!p->got);
  }
  return NULL;
}

// --- the tests -----------------------------------------------------------------------------------

static void go(struct yard *y, struct party *p, size_t number, void *run(void *)) {
  *p = (struct party){.yard = y, .e = y->processes[number % y->process_count].e};
  arena_init(&p->arena, 4096);
  assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
}

static void join(struct party *p) {
  pthread_join(p->thread, NULL);
  arena_fini(&p->arena);
}

// Pauses and resumes, so that claims are kicked and the catalogue changes all the time.
static void *operator_run(void *self) {
  struct party *p = self;
  for (int i = 0; i < TASKS_EACH; i++) {
    order_for(p, ORDER_PAUSE)->in.queue = (struct queue){
        .tenant = 1, .name = i % 4 < 2 ? STR("default") : STR("side"), .paused = i % 2 == 0};
    engine_submit(p->e, &p->order);
    wait_for_answer(p);
    assert(p->order.err == ERR_OK);
  }
  return NULL;
}

enum { ENDING = CLIENTS + 3, PARTIES = ENDING + WORKERS };

static void *(*const RUNS[ENDING])(void *) = {client_run, client_run,   client_run,  client_run,
                                              leaver_run, operator_run, operator_run};

// All of them; the first ones end by themselves, the workers when nothing more comes.
static void *wait_for_all(void *parties) {
  struct party *p = parties;
  struct yard *y = p[0].yard;
  for (size_t i = 0; i < ENDING; i++) join(&p[i]);
  pthread_mutex_lock(&y->lock);
  // The latest completion of each worker may be waiting for a next task.
  while (y->completed < TASKS - WORKERS) pthread_cond_wait(&y->some, &y->lock);
  y->draining = true;
  pthread_mutex_unlock(&y->lock);
  for (size_t i = 0; i < y->process_count; i++) engine_drain(y->processes[i].e);
  for (size_t i = ENDING; i < PARTIES; i++) join(&p[i]);
  pthread_mutex_lock(&y->lock);
  y->over = true;
  pthread_mutex_unlock(&y->lock);
  yard_wake(y);
  return NULL;
}

static void work_through(struct shape shape) {
  static struct yard y;
  static struct party parties[PARTIES];
  yard_start(&y, &shape);
  y.store.conflict_each = shape.lanes > 1 ? 7 : 0;
  for (size_t i = 0; i < PARTIES; i++) go(&y, &parties[i], i, i < ENDING ? RUNS[i] : worker_run);
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
  work_through((struct shape){.lanes = 1, .processes = 1});
}

static void a_store_that_is_read_on_the_lane_answers_everybody_too(void **state) {
  (void)state;
  work_through((struct shape){.lane_reads = true, .lanes = 1, .processes = 1});
}

static void several_lanes_work_each_task_once_and_miss_nobody_who_waits(void **state) {
  (void)state;
  work_through((struct shape){.lanes = 4, .processes = 1});
}

static void two_processes_work_each_task_once_and_miss_nobody_who_waits(void **state) {
  (void)state;
  work_through((struct shape){.lanes = 4, .processes = 2});
}

static void a_stop_without_a_drain_answers_all_who_wait(void **state) {
  (void)state;
  static struct yard y;
  static struct party claim, create;  // their arenas are not used
  struct str type = STR("t");
  yard_start(&y, &(struct shape){.lanes = 4, .processes = 2});
  claim = create = (struct party){.yard = &y, .e = y.e};
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

static enum err created(struct yard *y, struct party *p) {
  order_one_task(p);
  p->answered = false;
  engine_submit(y->e, &p->order);
  while (!p->answered) collect_once(y);
  return p->order.err;
}

static void set_lanes(struct yard *y, size_t first, size_t end, bool fails) {
  pthread_mutex_lock(&y->store.lock);
  y->store.fail_apply = ERR_UNAVAILABLE;
  for (size_t i = first; i < end; i++) y->store.lanes[i].fails = fails;
  pthread_mutex_unlock(&y->store.lock);
}

// Whoever fails steps back, however long that lasts; and comes again when it is over.
static void lanes_that_fail_leave_their_work_to_those_that_do_not(void **state) {
  (void)state;
  enum { LANES = 4, ROUNDS = 30, WELL_US = 50000 };
  static struct yard y;
  static struct party p;  // its arena is not used
  yard_start(&y, &(struct shape){.lanes = LANES, .processes = 1});
  p = (struct party){.yard = &y, .e = y.e};
  for (size_t well = 0; well < LANES; well++) {
    set_lanes(&y, 0, LANES, true);
    while (created(&y, &p) == ERR_OK) continue;
    set_lanes(&y, well, well + 1, false);
    int64_t until_us = clock_mono_us() + WELL_US;  // so that those who rest have looked up
    for (int good = 0; good < ROUNDS || clock_mono_us() < until_us;)
      good = created(&y, &p) == ERR_OK ? good + 1 : 0;
    assert_int_equal(engine_stats(y.e).store, ERR_OK);
  }
  set_lanes(&y, 0, LANES, false);
  for (int i = 0; i < ROUNDS; i++) assert_int_equal(created(&y, &p), ERR_OK);
  yard_close(&y);
}

enum { QUEUED = 3 * LIMIT_UNIT_ITEMS, READS = 200 };
static size_t orders_done, reads_done;

static void count_order(struct order *order) {
  assert(order->err == ERR_OK);
  orders_done++;
}

static void count_read(struct query *query) {
  assert(query->err == ERR_OK);
  reads_done++;
}

static void a_stop_answers_all_that_was_asked_before_it(void **state) {
  (void)state;
  static struct yard y;
  static struct order orders[QUEUED];
  static struct query reads[READS];
  struct str type = STR("t");
  yard_start(&y, &(struct shape){.lane_reads = true, .lanes = 1, .processes = 1});
  for (size_t i = 0; i < QUEUED; i++) {
    orders[i] = (struct order){.kind = ORDER_CLAIM,
                               .tenant = 1,
                               .actor = STR("party"),
                               .claim = {.types = &type, .type_count = 1, .limit = 1},
                               .if_revision = ABSENT,
                               .done = count_order};
    engine_submit(y.e, &orders[i]);
  }
  for (size_t i = 0; i < READS; i++) {
    reads[i] = (struct query){.run = read_something, .done = count_read};
    engine_query(y.e, &reads[i]);
  }
  yard_close(&y);
  assert_int_equal(orders_done, QUEUED);
  assert_int_equal(reads_done, READS);
}

static size_t rounds_of_news(struct yard *y) {
  pthread_mutex_lock(&y->store.lock);
  size_t rounds = y->processes[0].news.rounds;
  pthread_mutex_unlock(&y->store.lock);
  return rounds;
}

// Until a round has ended so.
static void set_news(struct yard *y, enum err fail) {
  pthread_mutex_lock(&y->store.lock);
  size_t rounds = y->processes[0].news.rounds;
  y->processes[0].news.fail = fail;
  pthread_cond_signal(&y->processes[0].news.some);
  pthread_mutex_unlock(&y->store.lock);
  while (rounds_of_news(y) == rounds) sched_yield();
}

static void news_that_fail_are_asked_for_again_and_no_stop_waits_for_them(void **state) {
  (void)state;
  static struct yard y;
  yard_start(&y, &(struct shape){.lanes = 2, .processes = 2});
  set_news(&y, ERR_UNAVAILABLE);
  set_news(&y, ERR_UNAVAILABLE);
  set_news(&y, ERR_OK);
  set_news(&y, ERR_UNAVAILABLE);
  yard_close(&y);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_task_is_worked_once_while_many_ask_at_once),
      cmocka_unit_test(a_store_that_is_read_on_the_lane_answers_everybody_too),
      cmocka_unit_test(several_lanes_work_each_task_once_and_miss_nobody_who_waits),
      cmocka_unit_test(two_processes_work_each_task_once_and_miss_nobody_who_waits),
      cmocka_unit_test(a_stop_without_a_drain_answers_all_who_wait),
      cmocka_unit_test(lanes_that_fail_leave_their_work_to_those_that_do_not),
      cmocka_unit_test(news_that_fail_are_asked_for_again_and_no_stop_waits_for_them),
      cmocka_unit_test(a_stop_answers_all_that_was_asked_before_it),
  };
  (void)log_open("/dev/null");  // failures are reported there
  return cmocka_run_group_tests(tests, NULL, NULL);
}
