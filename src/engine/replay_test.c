// replay_test.c: requests with an Idempotency-Key, sent again.
#include "base/log.h"
#include "engine/testing.h"

static struct ask *keyed_create(struct yard *y, const char *key, const char *body) {
  struct ask *a = creating(y, "t", 1);
  with_key(a, key, body);
  return a;
}

static struct ask *keyed_claim(struct yard *y, const char *key, int64_t wait_ms) {
  struct ask *a = claiming(y, "t", NULL, 1, wait_ms);
  with_key(a, key, "claim");
  return a;
}

static void a_repeat_gets_the_kept_answer_and_changes_nothing(void **state) {
  struct yard *y = *state;
  struct ask *first = keyed_create(y, "k", "body"), *repeat = keyed_create(y, "k", "body");
  assert_int_equal(ask(first), ERR_OK);
  assert_text(first->replayed, NULL);
  y->now += LIMIT_IDEMPOTENCY_MS - 1;
  assert_int_equal(ask(repeat), ERR_OK);
  char expected[64];
  snprintf(expected, sizeof expected, "%d %lld 0", ORDER_CREATE,
           (long long)id_key(first->tasks[0].id));
  assert_text(repeat->replayed, expected);
  assert_int_equal(y->store.task_count, 1);
}

static void a_repeat_in_the_same_unit_gets_it_too(void **state) {
  struct yard *y = *state;
  struct ask *first = keyed_create(y, "k", "body"), *repeat = keyed_create(y, "k", "body");
  submit(first), submit(repeat);
  turn(y);
  assert_int_equal(first->err, ERR_OK);
  assert_true(repeat->replayed.len > 0);
  assert_int_equal(y->store.task_count, 1);
  assert_int_equal(y->store.replay_count, 1);
}

static void the_same_key_with_another_body_is_refused(void **state) {
  struct yard *y = *state;
  struct ask *first = keyed_create(y, "k", "body"), *soon = keyed_create(y, "k", "other");
  submit(first), submit(soon);
  turn(y);
  assert_int_equal(soon->err, ERR_KEY_REUSED);
  assert_int_equal(ask(keyed_create(y, "k", "other")), ERR_KEY_REUSED);
  assert_int_equal(y->store.task_count, 1);
}

static void keys_of_two_tenants_have_nothing_to_do_with_each_other(void **state) {
  struct yard *y = *state;
  struct ask *first = keyed_create(y, "k", "body"), *foreign = keyed_create(y, "k", "other");
  foreign->order.tenant = 2;
  submit(first), submit(foreign);
  turn(y);
  assert_int_equal(foreign->err, ERR_OK);
  assert_int_equal(y->store.task_count, 2);
}

static void a_refused_request_leaves_its_key_free(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  id.lo ^= 1;
  struct ask *a = canceling(y, id, 0);
  with_key(a, "k", "cancel");
  assert_int_equal(ask(a), ERR_NOT_FOUND);
  assert_int_equal(y->store.replay_count, 0);
  fail_next(y, ERR_DISK_FULL);
  struct ask *first = keyed_create(y, "k", "body"), *same_unit = keyed_create(y, "k", "body");
  submit(first), submit(same_unit);
  turn(y);
  assert_int_equal(first->err, ERR_DISK_FULL);
  assert_int_equal(same_unit->err, ERR_DISK_FULL);
  assert_int_equal(ask(keyed_create(y, "k", "body")), ERR_OK);
  assert_int_equal(y->store.task_count, 2);
}

static void assert_made_again(struct ask *repeat, const struct ask *first) {
  char expected[64];
  snprintf(expected, sizeof expected, "%d %lld 0", ORDER_CREATE,
           (long long)id_key(first->tasks[0].id));
  assert_int_equal(repeat->err, ERR_OK);
  assert_text(repeat->replayed, expected);
}

static void answers_of_several_keys_and_tenants_in_one_unit_are_told_apart(void **state) {
  struct yard *y = *state;
  static const char *const KEYS[] = {"k", "l", "k"};
  struct ask *first[3], *repeat[3];
  for (int i = 0; i < 3; i++) {
    first[i] = keyed_create(y, KEYS[i], "body");
    repeat[i] = keyed_create(y, KEYS[i], "body");
    first[i]->order.tenant = repeat[i]->order.tenant = i == 2 ? 2 : 1;
    submit(first[i]);
  }
  turn(y);
  assert_int_equal(y->store.replay_count, 3);
  for (int i = 2; i >= 0; i--) submit(repeat[i]);
  turn(y);
  for (int i = 0; i < 3; i++) assert_made_again(repeat[i], first[i]);
  assert_int_equal(y->store.task_count, 3);
}

static int render_too_much(struct order *order, struct buf *body) {
  size_t more = body->max + 1;
  (void)order;
  buf_bytes(body, "", more);
  return 200;
}

// Half an answer would be worse than none.
static void an_answer_too_large_to_be_kept_is_given_and_its_key_is_free_again(void **state) {
  struct yard *y = *state;
  struct ask *first = keyed_create(y, "k", "body");
  first->order.render = render_too_much;
  assert_int_equal(ask(first), ERR_OK);
  assert_int_equal(first->task_count, 1);
  assert_int_equal(y->store.replay_count, 0);
  struct ask *again = keyed_create(y, "k", "body");
  assert_int_equal(ask(again), ERR_OK);
  assert_text(again->replayed, NULL);
  assert_int_equal(y->store.task_count, 2);
}

// --- keys of requests that wait ------------------------------------------------------------------

static void a_key_is_in_progress_while_its_request_waits(void **state) {
  struct yard *y = *state;
  struct ask *first = keyed_claim(y, "k", 60000), *same_unit = keyed_claim(y, "k", 60000);
  submit(first), submit(same_unit);
  turn(y);
  assert_waits(first);
  assert_int_equal(same_unit->err, ERR_IN_PROGRESS);
  assert_int_equal(ask(keyed_claim(y, "k", 0)), ERR_IN_PROGRESS);
  struct id id = made(y, "t");
  assert_got(first, id);
  struct ask *repeat = keyed_claim(y, "k", 0);
  assert_int_equal(ask(repeat), ERR_OK);
  assert_true(repeat->replayed.len > 0);
}

static void another_key_is_free_while_requests_with_theirs_wait(void **state) {
  struct yard *y = *state;
  struct ask *waits = keyed_claim(y, "k", 60000), *without = parked(y, "other", 60000);
  ask(waits);
  struct ask *a = creating(y, "u", 1), *foreign = creating(y, "u", 1);
  with_key(a, "l", "body"), with_key(foreign, "k", "body");
  foreign->order.tenant = 2;
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(ask(foreign), ERR_OK);
  assert_waits(waits);
  assert_waits(without);
}

static void a_fed_claim_keeps_its_answer_in_the_commit_that_feeds_it(void **state) {
  struct yard *y = *state;
  ask(keyed_claim(y, "k", 60000));
  made(y, "t");
  assert_int_equal(y->store.applies, 1);
  assert_int_equal(y->store.replay_count, 1);
}

static void a_completion_whose_claim_waited_in_vain_keeps_its_answer(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = and_claim(settling(y, &task, SETTLE_FAIL), 1, 100);
  with_key(a, "k", "fail");
  ask(a);
  assert_waits(a);
  pass(y, 100);
  assert_nothing(a);
  // The task is pending again, so without the kept answer the token would be stale.
  struct ask *repeat = and_claim(settling(y, &task, SETTLE_FAIL), 1, 100);
  with_key(repeat, "k", "fail");
  assert_int_equal(ask(repeat), ERR_OK);
  assert_true(repeat->replayed.len > 0);
}

static void a_create_that_waits_for_the_end_has_its_key_too(void **state) {
  struct yard *y = *state;
  struct ask *a = keyed_create(y, "k", "body");
  a->order.wait_ms = 60000;
  ask(a);
  assert_waits(a);
  struct task task = taken(y);
  ask(completing(y, &task));
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->tasks[0].status, TASK_COMPLETED);
  struct ask *repeat = keyed_create(y, "k", "body");
  assert_int_equal(ask(repeat), ERR_OK);
  assert_true(repeat->replayed.len > 0);
  assert_int_equal(y->store.task_count, 1);
}

static void a_key_whose_request_is_to_be_decided_again_is_still_in_progress(void **state) {
  struct yard *y = *state;
  struct ask *first = keyed_claim(y, "k", 60000);
  ask(first);
  ask(pausing(y, "side", true));
  submit(pausing(y, "side", false));  // kicks it
  assert_true(engine_turn(y->e, &y->next_at));
  struct ask *repeat = keyed_claim(y, "k", 60000);
  assert_int_equal(ask(repeat), ERR_IN_PROGRESS);
  assert_waits(first);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_repeat_gets_the_kept_answer_and_changes_nothing),
      YARD_TEST(a_repeat_in_the_same_unit_gets_it_too),
      YARD_TEST(the_same_key_with_another_body_is_refused),
      YARD_TEST(keys_of_two_tenants_have_nothing_to_do_with_each_other),
      YARD_TEST(a_refused_request_leaves_its_key_free),
      YARD_TEST(a_key_is_in_progress_while_its_request_waits),
      YARD_TEST(a_fed_claim_keeps_its_answer_in_the_commit_that_feeds_it),
      YARD_TEST(a_completion_whose_claim_waited_in_vain_keeps_its_answer),
      YARD_TEST(a_create_that_waits_for_the_end_has_its_key_too),
      YARD_TEST(a_key_whose_request_is_to_be_decided_again_is_still_in_progress),
      YARD_TEST(answers_of_several_keys_and_tenants_in_one_unit_are_told_apart),
      YARD_TEST(an_answer_too_large_to_be_kept_is_given_and_its_key_is_free_again),
      YARD_TEST(another_key_is_free_while_requests_with_theirs_wait),
  };
  (void)log_open("/dev/null");  // failures are reported there
  return cmocka_run_group_tests(tests, NULL, NULL);
}
