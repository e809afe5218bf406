// create_test.c: taking in tasks: defaults, times, uniqueness, batches.
#include "base/hash.h"
#include "engine/testing.h"

static void a_task_gets_the_defaults_of_the_server(void **state) {
  struct yard *y = *state;
  const struct task *task = kept(y, made(y, "t"));
  assert_text(task->queue, "default");
  assert_int_equal(task->priority, 0);
  assert_int_equal(task->attempts_max, 3);
  assert_int_equal(task->attempts_grant, 3);
  assert_int_equal(task->lease_ms, LEASE_MS);
  assert_int_equal(task->timeout_ms, 0);
  assert_int_equal(task->revision, 1);
  assert_int_equal(task->created_at, START_MS);
  assert_int_equal(task->status, TASK_PENDING);
  assert_int_equal(task->waiting, WAIT_WORKER);
  assert_int_equal(last_event(y), EVENT_CREATED);
}

static void the_types_defaults_come_before_the_servers_and_the_callers_before_both(void **state) {
  struct yard *y = *state;
  struct ask *type = ask_new(y, ORDER_TYPE);
  type->order.in.type = (struct type){.tenant = 1,
                                      .name = ask_text(type, "t"),
                                      .queue = ask_text(type, "side"),
                                      .priority = 7,
                                      .attempts_max = 5,
                                      .lease_ms = 9000,
                                      .timeout_ms = 60000,
                                      .backoff = {.delay_ms = 50, .delay_max_ms = 60}};
  assert_int_equal(ask(type), ERR_OK);
  const struct task *task = kept(y, made(y, "t"));
  assert_text(task->queue, "side");
  assert_int_equal(task->priority, 7);
  assert_int_equal(task->attempts_max, 5);
  assert_int_equal(task->lease_ms, 9000);
  assert_int_equal(task->timeout_ms, 60000);
  assert_int_equal(task->backoff.delay_max_ms, 60);
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->priority = 0;
  item_of(a, 0)->timeout_ms = 0;
  item_of(a, 0)->queue = ask_text(a, "own");
  task = kept(y, created(a));
  assert_text(task->queue, "own");
  assert_int_equal(task->priority, 0);
  assert_int_equal(task->timeout_ms, 0);
}

static void a_task_for_later_waits_for_its_time_and_one_to_be_held_for_its_start(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 3);
  item_of(a, 0)->run_at = START_MS + 500;
  a->order.in.create.items[1].delay_ms = 300;
  a->order.in.create.items[2].hold = true;
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(a->tasks[0].waiting, WAIT_TIME);
  assert_int_equal(a->tasks[0].wake_at, START_MS + 500);
  assert_int_equal(a->tasks[1].run_at, START_MS + 300);
  assert_int_equal(a->tasks[2].waiting, WAIT_START);
  assert_int_equal(y->next_at, START_MS + 300);
  struct ask *claim = claiming(y, NULL, NULL, 9, 0);
  ask(claim);
  assert_nothing(claim);
}

static void a_run_at_in_the_past_is_ready_at_once(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->run_at = START_MS;
  created(a);
  assert_int_equal(a->tasks[0].waiting, WAIT_WORKER);
}

static void ids_rise_in_the_order_of_a_batch_and_after_a_restart(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1000);
  assert_int_equal(ask(a), ERR_OK);
  int64_t last = 0;
  for (size_t i = 0; i < a->task_count; i++) {
    assert_true(id_key(a->tasks[i].id) > last);
    last = id_key(a->tasks[i].id);
  }
  engine_close(y->e);
  y->now -= 60000;  // and the clock was set back
  yard_open_engine(y);
  assert_true(id_key(made(y, "t")) > last);
}

// --- uniqueness ----------------------------------------------------------------------------------

static struct ask *unique(struct yard *y, const char *key) {
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->unique_key = ask_text(a, key);
  return a;
}

static void the_same_unique_key_gives_the_task_that_is_there(void **state) {
  struct yard *y = *state;
  struct id id = created(unique(y, "k"));
  struct ask *again = unique(y, "k");
  assert_int_equal(ask(again), ERR_OK);
  assert_true(id_eq(again->tasks[0].id, id));
  assert_int_equal(again->order.deduplicated, 1);
  assert_int_equal(y->store.task_count, 1);
  struct ask *foreign = unique(y, "k");
  foreign->order.tenant = 2;
  assert_false(id_eq(created(foreign), id));
}

static void unique_keys_hold_within_a_batch_and_across_a_unit(void **state) {
  struct yard *y = *state;
  struct ask *batch = creating(y, "t", 3), *other = unique(y, "k");
  item_of(batch, 0)->unique_key = item_of(batch, 2)->unique_key = ask_text(batch, "k");
  submit(batch), submit(other);
  turn(y);
  assert_true(id_eq(batch->tasks[0].id, batch->tasks[2].id));
  assert_false(id_eq(batch->tasks[0].id, batch->tasks[1].id));
  assert_int_equal(batch->order.deduplicated, 1);
  assert_true(id_eq(other->tasks[0].id, batch->tasks[0].id));
  assert_text(other->tasks[0].unique_key, "k");
  assert_int_equal(y->store.task_count, 2);
}

static void the_task_that_is_there_is_given_as_orders_before_have_left_it(void **state) {
  struct yard *y = *state;
  struct id id = created(unique(y, "k"));
  struct ask *cancel = canceling(y, id, 0), *again = unique(y, "k");
  submit(cancel), submit(again);
  turn(y);
  assert_true(id_eq(again->tasks[0].id, id));
  assert_int_equal(again->tasks[0].status, TASK_CANCELLED);
  assert_text(again->tasks[0].unique_key, "k");
}

// They are looked up by few bits of their hashes.
static void unique_keys_whose_hashes_meet_are_told_apart(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 2);
  item_of(a, 0)->unique_key = ask_text(a, "k");
  for (int i = 0; item_of(a, 1)->unique_key.len == 0; i++) {
    struct str key = arena_printf(&a->arena, "k%d", i);
    if ((hash_fast(key) & 15) == (hash_fast(STR("k")) & 15)) item_of(a, 1)->unique_key = key;
  }
  created(a);
  assert_int_equal(a->order.deduplicated, 0);
  assert_false(id_eq(a->tasks[0].id, a->tasks[1].id));
}

static void many_unique_keys_of_one_unit_are_told_apart(void **state) {
  struct yard *y = *state;
  enum { MANY = 50 };
  struct ask *a = creating(y, "t", MANY), *again = creating(y, "t", MANY);
  for (size_t i = 0; i < MANY; i++) {
    item_of(a, i)->unique_key = arena_printf(&a->arena, "k%zu", i);
    item_of(again, i)->unique_key = arena_printf(&again->arena, "k%zu", i);
  }
  submit(a), submit(again);
  turn(y);
  assert_int_equal(a->order.deduplicated, 0);
  assert_int_equal(again->order.deduplicated, MANY);
  assert_int_equal(y->store.task_count, MANY);
  for (size_t i = 0; i < MANY; i++) assert_true(id_eq(a->tasks[i].id, again->tasks[i].id));
}

static void a_unique_key_is_free_again_when_its_task_is_deleted(void **state) {
  struct yard *y = *state;
  struct id id = created(unique(y, "k"));
  submit(about(y, ORDER_DELETE, id));
  struct ask *next = unique(y, "k");
  submit(next);
  turn(y);
  assert_int_equal(next->order.deduplicated, 0);
  assert_false(id_eq(next->tasks[0].id, id));
  assert_int_equal(y->store.task_count, 1);
}

// --- how much at once ----------------------------------------------------------------------------

static void a_unit_takes_so_many_items_and_leaves_the_rest_to_the_next(void **state) {
  struct yard *y = *state;
  struct ask *all[5];
  for (size_t i = 0; i < 5; i++) submit(all[i] = creating(y, "t", 700));
  assert_true(engine_turn(y->e, &y->next_at));
  engine_collect(y->e);
  assert_int_equal(y->store.task_count, 1400);  // a third would pass LIMIT_UNIT_ITEMS
  assert_int_equal(all[1]->answers, 1);
  assert_int_equal(all[2]->answers, 0);
  turn(y);
  assert_int_equal(y->store.task_count, 3500);
  assert_int_equal(y->store.applies, 3);
}

static void an_order_larger_than_a_unit_is_a_unit_of_its_own(void **state) {
  struct yard *y = *state;
  struct ask *small = creating(y, "t", 1), *large = creating(y, "t", LIMIT_UNIT_ITEMS + 1);
  submit(small), submit(large);
  turn(y);
  assert_int_equal(large->err, ERR_OK);
  assert_int_equal(y->store.applies, 2);
}

static void large_payloads_count_as_several_so_that_a_unit_stays_in_bounds(void **state) {
  struct yard *y = *state;
  size_t half = LIMIT_UNIT_BYTES / 2;
  char *bytes = mem_alloc(half + 1);
  memset(bytes, 'x', half + 1);
  struct ask *all[4];
  for (size_t i = 0; i < 4; i++) {
    all[i] = creating(y, "t", 1);
    all[i]->order.in.create.items[0].task.payload = (struct str){bytes, half};
    submit(all[i]);
  }
  turn(y);
  assert_int_equal(y->store.task_count, 4);
  assert_int_equal(y->store.applies, 2);
  mem_free(bytes);
}

static void past_the_limit_of_waiting_orders_one_is_refused_at_once(void **state) {
  struct yard *y = *state;
  struct ask **all = mem_zero(sizeof *all * (LIMIT_ORDERS_WAITING + 1));
  struct id id = made(y, "t");
  for (size_t i = 0; i <= LIMIT_ORDERS_WAITING; i++) submit(all[i] = watching(y, id, 0));
  engine_collect(y->e);
  assert_int_equal(all[LIMIT_ORDERS_WAITING]->err, ERR_OVERLOADED);
  assert_true(all[LIMIT_ORDERS_WAITING]->order.fault.retry_after_s > 0);
  assert_int_equal(all[0]->answers, 0);
  turn(y);
  for (size_t i = 0; i < LIMIT_ORDERS_WAITING; i++) assert_int_equal(all[i]->err, ERR_OK);
  mem_free(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_task_gets_the_defaults_of_the_server),
      YARD_TEST(the_types_defaults_come_before_the_servers_and_the_callers_before_both),
      YARD_TEST(a_task_for_later_waits_for_its_time_and_one_to_be_held_for_its_start),
      YARD_TEST(a_run_at_in_the_past_is_ready_at_once),
      YARD_TEST(ids_rise_in_the_order_of_a_batch_and_after_a_restart),
      YARD_TEST(the_same_unique_key_gives_the_task_that_is_there),
      YARD_TEST(unique_keys_hold_within_a_batch_and_across_a_unit),
      YARD_TEST(a_unique_key_is_free_again_when_its_task_is_deleted),
      YARD_TEST(a_unit_takes_so_many_items_and_leaves_the_rest_to_the_next),
      YARD_TEST(an_order_larger_than_a_unit_is_a_unit_of_its_own),
      YARD_TEST(large_payloads_count_as_several_so_that_a_unit_stays_in_bounds),
      YARD_TEST(past_the_limit_of_waiting_orders_one_is_refused_at_once),
      YARD_TEST(the_task_that_is_there_is_given_as_orders_before_have_left_it),
      YARD_TEST(many_unique_keys_of_one_unit_are_told_apart),
      YARD_TEST(unique_keys_whose_hashes_meet_are_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
