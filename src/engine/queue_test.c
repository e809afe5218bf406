// queue_test.c: what is taken in, and in which order it is taken, when too much comes.
#include "engine/inside.h"
#include "engine/testing.h"

enum { WAIT_MS_MAX = 1000 };

// A yard whose lane takes 10 ms for each full unit, or so it seems.
static void set_pace(struct yard *y, int64_t unit_ms) {
  y->e->settings.wait_ms_max = WAIT_MS_MAX;
  y->e->pace = (struct pace){.us = unit_ms * 1000, .items = LIMIT_UNIT_ITEMS};
}

static struct ask *submitted(struct ask *a) {
  submit(a);
  engine_collect(a->yard->e);
  return a;
}

static void fill(struct yard *y, size_t units) {
  for (size_t i = 0; i < units; i++) submitted(creating(y, "t", LIMIT_UNIT_ITEMS));
}

static void new_tasks_are_refused_past_the_longest_wait_and_taken_again_later(void **state) {
  struct yard *y = *state;
  set_pace(y, 500);
  fill(y, 2);
  struct ask *last = submitted(creating(y, "t", 10));
  struct ask *over = submitted(creating(y, "t", 1));
  assert_int_equal(last->answers, 0);
  assert_int_equal(over->err, ERR_OVERLOADED);
  assert_int_equal(over->order.fault.retry_after_s, 2);
  assert_non_null(strstr(over->order.fault.detail, "order_wait_max"));
  struct fault why = {0};
  assert_int_equal(engine_admits(y->e, &why), ERR_OVERLOADED);
  turn(y);
  assert_int_equal(last->err, ERR_OK);
  assert_int_equal(engine_admits(y->e, &why), ERR_OK);
  assert_int_equal(ask(creating(y, "t", 1)), ERR_OK);
}

static void what_fits_into_the_next_unit_is_taken_however_slow_the_store_is(void **state) {
  struct yard *y = *state;
  set_pace(y, 3600000);
  fill(y, 1);
  struct ask *second = submitted(creating(y, "t", 1));
  assert_int_equal(second->answers, 0);
  assert_int_equal(submitted(creating(y, "t", 1))->err, ERR_OVERLOADED);
}

static void without_a_limit_or_a_pace_nothing_is_refused(void **state) {
  struct yard *y = *state;
  fill(y, 4);
  set_pace(y, 500);
  y->e->settings.wait_ms_max = 0;
  assert_int_equal(submitted(creating(y, "t", 1))->answers, 0);
  set_pace(y, 500);
  y->e->pace.items = 0;
  assert_int_equal(submitted(creating(y, "t", 1))->answers, 0);
}

static void only_new_tasks_are_refused(void **state) {
  struct yard *y = *state;
  struct task first = running(y), second = running(y);
  set_pace(y, 500);
  fill(y, 3);
  struct ask *others[] = {completing(y, &first), reporting(y, &second), canceling(y, second.id, 0),
                          watching(y, first.id, 0), claiming(y, "t", NULL, 1, 0)};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_int_equal(submitted(others[i])->answers, 0);
  assert_int_equal(submitted(creating(y, "t", 1))->err, ERR_OVERLOADED);
  turn(y);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_int_equal(others[i]->err, ERR_OK);
}

static void holders_come_first_in_their_order_when_more_waits_than_a_unit_takes(void **state) {
  struct yard *y = *state;
  struct task first = running(y), second = running(y), third = running(y);
  struct ask *creates[3];
  for (size_t i = 0; i < 3; i++)
    creates[i] = submitted(creating(y, "t", LIMIT_UNIT_ITEMS - 10 * i));
  struct ask *moves[] = {completing(y, &first), reporting(y, &second), completing(y, &third)};
  for (size_t i = 0; i < 3; i++) submitted(moves[i]);
  turn(y);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(moves[i]->err, ERR_OK);
    assert_true(moves[i]->place < creates[0]->place);
    assert_true(i == 0 || moves[i - 1]->place < moves[i]->place);
  }
  assert_true(creates[0]->place < creates[1]->place && creates[1]->place < creates[2]->place);
}

// Else holders that come one after the other would fill each unit, and nothing else would be taken.
static void who_was_passed_is_taken_before_anybody_passes_again(void **state) {
  struct yard *y = *state;
  struct task first = running(y), second = running(y);
  fill(y, 1);
  struct ask *waits = submitted(creating(y, "t", LIMIT_UNIT_ITEMS));
  struct ask *ahead = submitted(completing(y, &first));
  int64_t next_at;
  engine_turn(y->e, &next_at);  // only who passed fits beside a full unit
  engine_collect(y->e);
  assert_int_equal(ahead->answers, 1);
  assert_int_equal(waits->answers, 0);
  struct ask *behind = submitted(completing(y, &second));
  turn(y);
  assert_int_equal(behind->err, ERR_OK);
  assert_true(waits->place < behind->place);
}

static void an_order_alone_in_a_unit_says_little_of_the_pace(void **state) {
  struct yard *y = *state;
  struct ask *one = creating(y, "t", 1);
  one->order.alone = true;
  submitted(one);
  fill(y, 1);
  int64_t next_at;
  engine_turn(y->e, &next_at);
  assert_int_equal(y->e->pace.taken, 1);
  turn(y);
}

static void what_fits_into_one_unit_is_decided_in_the_order_it_came(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *create = submitted(creating(y, "t", LIMIT_UNIT_ITEMS / 2));
  struct ask *complete = submitted(completing(y, &task));
  turn(y);
  assert_int_equal(complete->err, ERR_OK);
  assert_true(create->place < complete->place);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(new_tasks_are_refused_past_the_longest_wait_and_taken_again_later),
      YARD_TEST(what_fits_into_the_next_unit_is_taken_however_slow_the_store_is),
      YARD_TEST(without_a_limit_or_a_pace_nothing_is_refused),
      YARD_TEST(only_new_tasks_are_refused),
      YARD_TEST(holders_come_first_in_their_order_when_more_waits_than_a_unit_takes),
      YARD_TEST(who_was_passed_is_taken_before_anybody_passes_again),
      YARD_TEST(an_order_alone_in_a_unit_says_little_of_the_pace),
      YARD_TEST(what_fits_into_one_unit_is_decided_in_the_order_it_came),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
