// drain_test.c: a server that is about to stop: nobody is left waiting.
#include "engine/testing.h"

static void all_who_wait_are_answered_with_what_there_is(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "other");
  struct task task = taken_one(y, id);
  struct ask *claim = parked(y, "t", 60000), *watch = watching(y, id, 60000);
  struct ask *create = creating(y, "u", 1), *done = and_claim(completing(y, &task), 1, 60000);
  create->order.wait_ms = 60000;
  done->order.claim.types = claim->order.claim.types;
  done->order.claim.type_count = 1;
  ask(watch), ask(create), ask(done);
  engine_drain(y->e);
  turn(y);
  assert_nothing(claim);
  assert_nothing(done);
  assert_int_equal(done->items[0].task->status, TASK_COMPLETED);
  assert_int_equal(watch->tasks[0].status, TASK_COMPLETED);
  assert_int_equal(create->err, ERR_OK);
  assert_int_equal(create->tasks[0].status, TASK_PENDING);
  assert_true(engine_stats(y->e).draining);
}

static void while_draining_work_goes_on_but_nobody_waits(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  engine_drain(y->e);
  assert_int_equal(ask(completing(y, &task)), ERR_OK);
  struct ask *claim = claiming(y, NULL, NULL, 1, 60000);
  ask(claim);
  assert_nothing(claim);
  struct ask *create = creating(y, "t", 1);
  create->order.wait_ms = 60000;
  assert_int_equal(ask(create), ERR_OK);
  assert_int_equal(create->answers, 1);
  assert_int_equal(create->tasks[0].status, TASK_PENDING);
}

static void after_the_stop_an_order_is_refused_at_once(void **state) {
  struct yard *y = *state;
  engine_stop(y->e);
  struct ask *a = creating(y, "t", 1);
  submit(a);
  engine_collect(y->e);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_UNAVAILABLE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(all_who_wait_are_answered_with_what_there_is),
      YARD_TEST(while_draining_work_goes_on_but_nobody_waits),
      YARD_TEST(after_the_stop_an_order_is_refused_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
