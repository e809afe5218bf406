// listener_test.c: who listens to what happens hears each event once, when it is committed.
#include "base/log.h"
#include "engine/testing.h"

static size_t heard[EVENT_KIND_COUNT], heard_in_all;
static struct event latest;
static char latest_text[80];
static size_t answered_then;

static void hear(void *self, const struct event *event) {
  const struct yard *y = self;
  heard[event->kind]++;
  heard_in_all++;
  latest = *event;
  snprintf(latest_text, sizeof latest_text, "%.*s|%.*s|%.*s", STR_FMT(event->queue),
           STR_FMT(event->type), STR_FMT(event->text));
  answered_then = y->answered;
}

static int yard_setup_heard(void **state) {
  struct yard *y = yard_new(1);
  memset(heard, 0, sizeof heard);
  heard_in_all = 0;
  y->happened = hear;
  yard_open_engine(y);
  *state = y;
  return 0;
}

static void each_event_of_a_life_is_heard_once(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  assert_int_equal(ask(completing(y, &task)), ERR_OK);
  assert_int_equal(heard[EVENT_CREATED], 1);
  assert_int_equal(heard[EVENT_CLAIMED], 1);
  assert_int_equal(heard[EVENT_COMPLETED], 1);
  assert_int_equal(heard_in_all, 3);
  assert_true(id_eq(latest.task, task.id));
  assert_int_equal(latest.attempt, 1);
}

static void a_failure_is_heard_with_its_message_before_it_is_answered(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  size_t answered = y->answered;
  struct ask *a = settling(y, &task, SETTLE_FAIL);
  a->order.in.settle.items->error_message = ask_text(a, "it broke");
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(latest.kind, EVENT_ATTEMPT_FAILED);
  assert_string_equal(latest_text, "default|t|it broke");
  assert_int_equal(answered_then, answered);
}

static void a_lost_lease_is_heard(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  pass(y, LEASE_MS);
  assert_int_equal(heard[EVENT_LEASE_LOST], 1);
  assert_true(id_eq(latest.task, task.id));
}

static void what_is_not_committed_is_not_heard(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  size_t before = heard_in_all;
  y->store.fail_apply = ERR_DISK_FULL;
  y->store.fail_applies = 1;
  assert_int_equal(ask(completing(y, &task)), ERR_DISK_FULL);
  assert_int_equal(heard_in_all, before);
  assert_int_equal(ask(completing(y, &task)), ERR_OK);
  assert_int_equal(heard[EVENT_COMPLETED], 1);
}

int main(void) {
#define HEARD_TEST(f) cmocka_unit_test_setup_teardown(f, yard_setup_heard, yard_teardown)
  const struct CMUnitTest tests[] = {
      HEARD_TEST(each_event_of_a_life_is_heard_once),
      HEARD_TEST(a_failure_is_heard_with_its_message_before_it_is_answered),
      HEARD_TEST(a_lost_lease_is_heard),
      HEARD_TEST(what_is_not_committed_is_not_heard),
  };
  (void)log_open("/dev/null");  // failures are reported there
  return cmocka_run_group_tests(tests, NULL, NULL);
}
