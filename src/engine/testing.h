// testing.h: what the tests of engine share: an engine on a fake store, with a clock that stands
// still until it is moved, and requests that live as shortly as real ones do.
//
// A request's memory goes when it is answered, and its answer's with it; what a
// test looks at are copies. So an answer that points into another request's memory, or into a unit
// that is over, is a finding of AddressSanitizer. Nothing here starts a thread.
#ifndef ENGINE_TESTING_H
#define ENGINE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/testing_store.h"
#include "model/limits.h"

enum { START_MS = 1000000, LEASE_MS = 30000 };

struct yard {
  struct fake_store store;
  struct store_ops ops;  // of a store that several processes share
  struct fake_news news;
  struct fake_head head;  // of a process that uses the store of another yard
  struct yard *host;      // that one
  struct engine *e;
  int64_t now, next_at;
  struct ask *asks;  // all that were ever made
  size_t answered;   // how many answers there were
  size_t broken;     // how often the engine asked for the process to end
  void (*happened)(void *yard, const struct event *event);  // NULL: nobody listens
  void (*elsewhere)(void *yard, int64_t tenant);            // the same
  struct retention retention;
};

// One request and, once it is there, its answer.
struct ask {
  struct order order;
  struct yard *yard;
  struct ask *next;
  struct arena arena;  // the request's: gone when it is answered
  struct arena kept;   // of the copies below
  int answers;         // how often it was answered; more than one is a bug
  size_t place;        // which answer of the yard it was, from 1
  bool borrows;        // its arena stays: other asks may look at it
  // Copies of the answer.
  enum err err;
  struct task *tasks, *claimed;
  size_t task_count, claimed_count;
  struct settle_item *items;
  size_t item_count;
  struct str replayed;  // STR_NONE: it is no replay
};

// --- the yard ------------------------------------------------------------------------------------

static inline int64_t yard_now(void *self) {
  const struct yard *y = self;
  return y->host ? y->host->now : y->now;
}

static inline void yard_broken(void *self, const struct fault *why) {
  (void)why;
  ((struct yard *)self)->broken++;
}

static inline void yard_open_engine(struct yard *y) {
  struct clock clock = {.now_ms = yard_now, .self = y};
  struct engine_settings settings = {
      .clock = &clock,
      .lease_ms = LEASE_MS,
      .attempts_max = 3,
      .backoff = {.kind = BACKOFF_FIXED, .delay_ms = 1000, .delay_max_ms = 1000},
      .retention = y->host ? y->host->retention : y->retention,
      .self = y,
      .broken = yard_broken,
      .happened = y->happened,
      .elsewhere = y->elsewhere};
  struct fault why = {0};
  struct store *store = y->host ? &y->head.store : &y->store.head.store;
  assert_int_equal(engine_open(store, &settings, &y->e, &why), ERR_OK);
}

static inline struct yard *yard_new(size_t lanes) {
  struct yard *y = mem_zero(sizeof *y);
  fake_open(&y->store);
  y->store.lane_max = lanes;
  y->now = START_MS;
  return y;
}

static inline int yard_setup(void **state) {
  struct yard *y = yard_new(1);
  yard_open_engine(y);
  *state = y;
  return 0;
}

static inline int yard_setup_lanes(void **state) {
  struct yard *y = yard_new(3);
  yard_open_engine(y);
  *state = y;
  return 0;
}

static inline int yard_setup_shared(void **state) {
  struct yard *y = yard_new(2);
  fake_share(&y->store, &y->store.head, &y->ops, &y->news);
  yard_open_engine(y);
  *state = y;
  return 0;
}

// Which removes what has ended, past that; `shared`: with other servers on its store.
static inline struct yard *yard_keeping(struct retention retention, bool shared) {
  struct yard *y = yard_new(shared ? 2 : 1);
  y->retention = retention;
  if (shared) fake_share(&y->store, &y->store.head, &y->ops, &y->news);
  yard_open_engine(y);
  return y;
}

// Another process on the same store; its time is the host's.
static inline struct yard *yard_beside(struct yard *host) {
  struct yard *y = mem_zero(sizeof *y);
  y->host = host;
  fake_share(&host->store, &y->head, &y->ops, &y->news);
  yard_open_engine(y);
  return y;
}

// Runs units of work until there is nothing left to do, then hands out the answers.
static inline void turn(struct yard *y) {
  for (int units = 0; engine_turn(y->e, &y->next_at) || (y->next_at && y->next_at <= yard_now(y));
       units++)
    assert_true(units < 1000);  // else it turns for ever
  engine_collect(y->e);
}

static inline void pass(struct yard *y, int64_t ms) {
  y->now += ms;
  turn(y);
}

// The same, with a turn at each moment in between at which the engine wants one.
static inline void live(struct yard *y, int64_t ms) {
  int64_t end = y->now + ms;
  turn(y);
  while (y->next_at && y->next_at <= end) {
    if (y->next_at > y->now) y->now = y->next_at;
    turn(y);
  }
  y->now = end;
}

static inline void ask_free(struct ask *a) {
  if (!a->answers || a->borrows) arena_fini(&a->arena);
  arena_fini(&a->kept);
  mem_free(a);
}

static inline void yard_end(struct yard *y) {
  engine_drain(y->e);
  turn(y);
  for (struct ask *a = y->asks, *next; a; a = next) {
    next = a->next;
    assert_int_equal(a->answers, a->order.done ? 1 : 0);  // nobody was forgotten
    ask_free(a);
  }
  engine_stop(y->e);
  engine_close(y->e);
  if (y->host == NULL) fake_close(&y->store);
  mem_free(y);
}

static inline int yard_teardown(void **state) {
  struct yard *y = *state;
  y->store.hook = NULL;
  y->store.fail_applies = y->store.fail_loads = 0;
  for (size_t i = 0; i < FAKE_LANES; i++) y->store.lanes[i].fails = false;
  yard_end(y);
  return 0;
}

#define YARD_TEST(name) cmocka_unit_test_setup_teardown(name, yard_setup, yard_teardown)
#define LANES_TEST(name) cmocka_unit_test_setup_teardown(name, yard_setup_lanes, yard_teardown)
#define SHARED_TEST(name) cmocka_unit_test_setup_teardown(name, yard_setup_shared, yard_teardown)

// --- asking --------------------------------------------------------------------------------------

static inline struct task *copy_tasks(struct arena *a, const struct task *from, size_t count) {
  struct task *to = ARENA_ARRAY(a, struct task, count + 1);
  for (size_t i = 0; i < count; i++) to[i] = fake_copy(a, &from[i], PART_PAYLOAD | PART_RESULT);
  return to;
}

static inline void copy_items(struct ask *a) {
  const struct order *order = &a->order;
  a->item_count = order->in.settle.count;
  a->items = ARENA_ARRAY(&a->kept, struct settle_item, a->item_count + 1);
  for (size_t i = 0; i < a->item_count; i++) {
    a->items[i] = order->in.settle.items[i];
    a->items[i].why = arena_dup(&a->kept, a->items[i].why);
    if (a->items[i].task) a->items[i].task = copy_tasks(&a->kept, a->items[i].task, 1);
  }
}

static inline void ask_done(struct order *order) {
  struct ask *a = order->context;
  a->answers++;
  a->place = ++a->yard->answered;
  a->err = order->err;
  if (order->err == ERR_OK) {
    if (order->replayed)
      a->replayed = arena_dup(&a->kept, order->replayed->body);
    else if (order->kind == ORDER_SETTLE)
      copy_items(a);
    a->task_count = order->task_count;
    a->tasks = copy_tasks(&a->kept, order->tasks, order->replayed ? 0 : order->task_count);
    a->claimed_count = order->claimed_count;
    a->claimed = copy_tasks(&a->kept, order->claimed, order->claimed_count);
  }
  if (!a->borrows) arena_fini(&a->arena);
}

// What an answer with an Idempotency-Key is kept as: "kind first-task claimed".
static inline int ask_render(struct order *order, struct buf *body) {
  buf_printf(body, "%d ", (int)order->kind);
  if (order->task_count) buf_i64(body, id_key(order->tasks[0].id));
  buf_printf(body, " %zu", order->claimed_count);
  return 200;
}

static inline struct ask *ask_new(struct yard *y, enum order_kind kind) {
  struct ask *a = mem_zero(sizeof *a);
  arena_init(&a->arena, 4096);
  arena_init(&a->kept, 4096);
  a->yard = y;
  a->next = y->asks;
  y->asks = a;
  a->order = (struct order){.kind = kind,
                            .tenant = 1,
                            .actor = arena_dup(&a->arena, STR("tester")),
                            .arena = &a->arena,
                            .if_revision = ABSENT,
                            .render = ask_render,
                            .context = a};
  return a;
}

static inline struct str ask_text(struct ask *a, const char *text) {
  return arena_dup(&a->arena, str_of(text));
}

static inline void submit(struct ask *a) {
  a->order.done = ask_done;
  engine_submit(a->yard->e, &a->order);
}

static inline enum err ask(struct ask *a) {  // submits, and runs until nothing is left to do
  submit(a);
  turn(a->yard);
  return a->err;
}

static inline void with_key(struct ask *a, const char *key, const char *body) {
  a->order.replay_key = ask_text(a, key);
  snprintf((char *)a->order.fingerprint, sizeof a->order.fingerprint, "%s", body);
}

// --- create --------------------------------------------------------------------------------------

static inline struct ask *creating(struct yard *y, const char *type, size_t count) {
  struct ask *a = ask_new(y, ORDER_CREATE);
  a->order.in.create.items = ARENA_ARRAY(&a->arena, struct create_item, count);
  a->order.in.create.count = count;
  for (size_t i = 0; i < count; i++)
    a->order.in.create.items[i].task = (struct task){.type = ask_text(a, type),
                                                     .payload = ask_text(a, "{\"n\":1}"),
                                                     .priority = ABSENT,
                                                     .timeout_ms = ABSENT,
                                                     .version = VERSION_NONE};
  return a;
}

static inline struct task *item_of(struct ask *a, size_t i) {
  return &a->order.in.create.items[i].task;
}

static inline struct id created(struct ask *a) {
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(a->task_count, a->order.in.create.count);
  return a->tasks[0].id;
}

static inline struct id made(struct yard *y, const char *type) {
  return created(creating(y, type, 1));
}

// --- claim ---------------------------------------------------------------------------------------

// `type` or `queue` NULL: any.
static inline struct ask *claiming(struct yard *y, const char *type, const char *queue,
                                   size_t limit, int64_t wait_ms) {
  struct ask *a = ask_new(y, ORDER_CLAIM);
  struct str *names = ARENA_ARRAY(&a->arena, struct str, 2);
  names[0] = ask_text(a, type);
  names[1] = ask_text(a, queue);
  a->order.claim = (struct claim_filter){.types = &names[0],
                                         .type_count = type != NULL,
                                         .queues = &names[1],
                                         .queue_count = queue != NULL,
                                         .worker = ask_text(a, "w1"),
                                         .limit = limit};
  a->order.wait_ms = wait_ms;
  return a;
}

static inline struct ask *parked(struct yard *y, const char *type, int64_t wait_ms) {
  struct ask *a = claiming(y, type, NULL, 1, wait_ms);
  ask(a);
  assert_int_equal(a->answers, 0);
  return a;
}

static inline struct task taken(struct yard *y) {  // the best ready task, now leased
  struct ask *a = claiming(y, NULL, NULL, 1, 0);
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(a->claimed_count, 1);
  return a->claimed[0];
}

static inline struct task taken_one(struct yard *y, struct id id) {
  struct ask *a = ask_new(y, ORDER_CLAIM_ONE);
  a->order.id = id;
  a->order.claim = (struct claim_filter){.worker = ask_text(a, "w1"), .limit = 1};
  assert_int_equal(ask(a), ERR_OK);
  return a->claimed[0];
}

static inline struct task running(struct yard *y) { return taken_one(y, made(y, "t")); }

static inline void assert_got(const struct ask *a, struct id id) {
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_OK);
  assert_int_equal(a->claimed_count, 1);
  assert_true(id_eq(a->claimed[0].id, id));
  assert_false(str_is_none(a->claimed[0].payload));
}

static inline void assert_nothing(const struct ask *a) {
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_OK);
  assert_int_equal(a->claimed_count, 0);
}

static inline void assert_waits(const struct ask *a) { assert_int_equal(a->answers, 0); }

// --- what follows a claim ------------------------------------------------------------------------

static inline struct ask *settling(struct yard *y, const struct task *task, enum settle_verb verb) {
  struct ask *a = ask_new(y, ORDER_SETTLE);
  struct settle_item *item = ARENA_NEW(&a->arena, struct settle_item);
  *item =
      (struct settle_item){.id = task->id, .lease = task->lease, .verb = verb, .delay_ms = ABSENT};
  if (verb == SETTLE_COMPLETE) item->result = ask_text(a, "{\"made\":true}");
  if (verb == SETTLE_FAIL) item->error_code = ask_text(a, "broke");
  if (verb == SETTLE_FAIL) item->error_message = ask_text(a, "it broke");
  a->order.in.settle.items = item;
  a->order.in.settle.count = 1;
  a->order.in.settle.single = true;
  return a;
}

static inline struct ask *completing(struct yard *y, const struct task *task) {
  return settling(y, task, SETTLE_COMPLETE);
}

static inline struct ask *and_claim(struct ask *a, size_t limit, int64_t wait_ms) {
  a->order.claim.worker = ask_text(a, "w1");
  a->order.claim.limit = limit;
  a->order.wait_ms = wait_ms;
  return a;
}

static inline struct ask *reporting(struct yard *y, const struct task *task) {
  struct ask *a = ask_new(y, ORDER_REPORT);
  a->order.id = task->id;
  a->order.in.report = (struct report_input){.lease = task->lease, .progress = ABSENT};
  return a;
}

static inline struct ask *about(struct yard *y, enum order_kind kind, struct id id) {
  struct ask *a = ask_new(y, kind);
  a->order.id = id;
  return a;
}

static inline struct ask *canceling(struct yard *y, struct id id, int64_t grace_ms) {
  struct ask *a = about(y, ORDER_CANCEL, id);
  a->order.in.cancel.grace_ms = grace_ms;
  return a;
}

static inline struct ask *watching(struct yard *y, struct id id, int64_t wait_ms) {
  struct ask *a = about(y, ORDER_WATCH, id);
  a->order.wait_ms = wait_ms;
  return a;
}

static inline struct ask *pausing(struct yard *y, const char *queue, bool paused) {
  struct ask *a = ask_new(y, ORDER_PAUSE);
  a->order.in.queue = (struct queue){.tenant = 1, .name = ask_text(a, queue), .paused = paused};
  return a;
}

// --- looking -------------------------------------------------------------------------------------

static inline const struct task *kept(struct yard *y, struct id id) {
  const struct task *task = fake_find(&y->store, id);
  assert_non_null(task);
  return task;
}

#define assert_status(y, id, expected) assert_int_equal(kept((y), (id))->status, (expected))

static inline void assert_text(struct str text, const char *expected) {
  if (expected == NULL) {
    assert_true(str_is_none(text));
    return;
  }
  if (!str_eq(text, str_of(expected))) fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(text), expected);
}

static inline enum event_kind last_event(struct yard *y) {
  assert_true(y->store.event_count > 0);
  return y->store.events[y->store.event_count - 1].kind;
}

static inline void fail_next(struct yard *y, enum err err) {
  y->store.fail_apply = err;
  y->store.fail_applies = 1;
}

#endif
