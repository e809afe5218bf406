// watch_test.c: waiting for the end of a task: by a watch, and by the create that made it.
#include "engine/testing.h"

static void assert_saw(const struct ask *a, enum task_status status) {
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_OK);
  assert_int_equal(a->task_count, 1);
  assert_int_equal(a->tasks[0].status, status);
  assert_int_equal(a->order.ended, task_status_is_final(status));
}

static struct ask *waiting_create(struct yard *y, int64_t wait_ms) {
  struct ask *a = creating(y, "t", 1);
  a->order.wait_ms = wait_ms;
  return a;
}

static void a_watch_of_an_ended_task_is_answered_at_once_with_its_result(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  ask(completing(y, &task));
  struct ask *a = watching(y, task.id, 60000);
  ask(a);
  assert_saw(a, TASK_COMPLETED);
  assert_text(a->tasks[0].result, "{\"made\":true}");
  assert_text(a->tasks[0].payload, "{\"n\":1}");
}

static void all_who_watch_are_told_of_the_end_whichever_it_is(void **state) {
  struct yard *y = *state;
  struct task task = running(y), other = running(y);
  struct ask *a = watching(y, task.id, 60000), *b = watching(y, task.id, 60000);
  struct ask *c = watching(y, other.id, 60000);
  ask(a), ask(b), ask(c);
  ask(completing(y, &task));
  assert_saw(a, TASK_COMPLETED);
  assert_saw(b, TASK_COMPLETED);
  assert_text(b->tasks[0].result, "{\"made\":true}");
  assert_waits(c);
  ask(canceling(y, other.id, 10));
  pass(y, 10);
  assert_saw(c, TASK_CANCELLED);
  assert_int_equal(engine_stats(y->e).watching, 0);
}

static void a_watch_sees_the_task_as_it_is_at_its_limit(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *a = watching(y, id, 500), *at_once = watching(y, id, 0);
  ask(a), ask(at_once);
  assert_saw(at_once, TASK_PENDING);
  taken(y);
  pass(y, 499);
  assert_waits(a);
  pass(y, 1);
  assert_saw(a, TASK_RUNNING);
}

static void a_create_whose_client_has_left_is_done_and_waits_for_nothing(void **state) {
  struct yard *y = *state;
  struct ask *a = waiting_create(y, 60000);
  submit(a);
  engine_withdraw(y->e, &a->order);
  turn(y);
  assert_saw(a, TASK_PENDING);
  assert_int_equal(y->store.task_count, 1);
  assert_int_equal(engine_stats(y->e).watching, 0);
}

static void many_who_watch_are_all_told_of_their_own_ends(void **state) {
  struct yard *y = *state;
  enum { MANY = 100 };
  struct task tasks[2] = {running(y), running(y)};
  struct ask *all[MANY];
  for (size_t i = 0; i < MANY; i++) submit(all[i] = watching(y, tasks[i % 2].id, 60000));
  turn(y);
  assert_int_equal(engine_stats(y->e).watching, MANY);
  for (size_t ended = 0; ended < 2; ended++) {
    ask(completing(y, &tasks[ended]));
    for (size_t i = 0; i < MANY; i++) assert_int_equal(all[i]->answers, i % 2 <= ended);
  }
  for (size_t i = 0; i < MANY; i++) assert_saw(all[i], TASK_COMPLETED);
}

static void an_attempt_that_is_retried_is_not_the_end(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = watching(y, task.id, 60000);
  ask(a);
  ask(settling(y, &task, SETTLE_FAIL));
  assert_waits(a);
}

static void a_watch_of_a_task_that_is_deleted_is_told_so(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *a = watching(y, id, 60000);
  ask(a);
  ask(about(y, ORDER_DELETE, id));
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_NOT_FOUND);
}

static void a_create_that_waits_is_answered_when_its_task_ends(void **state) {
  struct yard *y = *state;
  struct ask *a = waiting_create(y, 60000);
  ask(a);
  assert_waits(a);
  assert_int_equal(y->store.task_count, 1);
  struct task task = taken(y);
  ask(completing(y, &task));
  assert_saw(a, TASK_COMPLETED);
  assert_text(a->tasks[0].result, "{\"made\":true}");
}

static void a_create_that_waited_in_vain_shows_its_task_as_it_is(void **state) {
  struct yard *y = *state;
  struct ask *a = waiting_create(y, 500);
  ask(a);
  taken(y);
  pass(y, 500);
  assert_saw(a, TASK_RUNNING);
}

static void a_create_that_waits_and_finds_its_unique_task_ended_is_answered_at_once(void **state) {
  struct yard *y = *state;
  struct ask *first = waiting_create(y, 0), *a = waiting_create(y, 60000);
  item_of(first, 0)->unique_key = ask_text(first, "k");
  item_of(a, 0)->unique_key = ask_text(a, "k");
  created(first);
  struct task task = taken(y);
  ask(completing(y, &task));
  ask(a);
  assert_saw(a, TASK_COMPLETED);
}

static void a_create_and_its_end_can_meet_in_one_unit(void **state) {
  struct yard *y = *state;
  struct ask *claim = parked(y, "t", 60000), *a = waiting_create(y, 60000);
  ask(a);
  assert_got(claim, y->store.tasks[0].id);
  submit(completing(y, &claim->claimed[0]));
  struct ask *watch = watching(y, claim->claimed[0].id, 60000);
  submit(watch);
  turn(y);
  assert_saw(watch, TASK_COMPLETED);
  assert_saw(a, TASK_COMPLETED);
}

static void a_watch_that_is_withdrawn_is_let_go(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *a = watching(y, id, 60000), *create = waiting_create(y, 60000);
  ask(a), ask(create);
  assert_int_equal(engine_stats(y->e).watching, 2);
  engine_withdraw(y->e, &a->order);
  engine_withdraw(y->e, &create->order);
  turn(y);
  assert_int_equal(a->answers, 1);
  assert_int_equal(create->answers, 1);
  assert_int_equal(engine_stats(y->e).watching, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_watch_of_an_ended_task_is_answered_at_once_with_its_result),
      YARD_TEST(all_who_watch_are_told_of_the_end_whichever_it_is),
      YARD_TEST(a_watch_sees_the_task_as_it_is_at_its_limit),
      YARD_TEST(an_attempt_that_is_retried_is_not_the_end),
      YARD_TEST(a_watch_of_a_task_that_is_deleted_is_told_so),
      YARD_TEST(a_create_that_waits_is_answered_when_its_task_ends),
      YARD_TEST(a_create_that_waited_in_vain_shows_its_task_as_it_is),
      YARD_TEST(a_create_that_waits_and_finds_its_unique_task_ended_is_answered_at_once),
      YARD_TEST(a_create_and_its_end_can_meet_in_one_unit),
      YARD_TEST(a_watch_that_is_withdrawn_is_let_go),
      YARD_TEST(a_create_whose_client_has_left_is_done_and_waits_for_nothing),
      YARD_TEST(many_who_watch_are_all_told_of_their_own_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
