// settle_test.c: the ends of attempts: complete, fail, release, and claiming the next in one
// breath.
#include "engine/testing.h"

static struct task with_attempts(struct yard *y, int64_t attempts) {
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->attempts_max = attempts;
  return taken_one(y, created(a));
}

static struct ask *many(struct yard *y, const struct task *tasks, size_t count) {
  struct ask *a = ask_new(y, ORDER_SETTLE);
  a->order.in.settle.items = ARENA_ARRAY(&a->arena, struct settle_item, count);
  a->order.in.settle.count = count;
  for (size_t i = 0; i < count; i++)
    a->order.in.settle.items[i] = (struct settle_item){.id = tasks[i].id,
                                                       .lease = tasks[i].lease,
                                                       .result = ask_text(a, "[1, 2]"),
                                                       .delay_ms = ABSENT};
  return a;
}

// --- complete ------------------------------------------------------------------------------------

static void a_completed_task_keeps_its_result_byte_for_byte(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = completing(y, &task);
  a->order.in.settle.items->result = ask_text(a, "{ \"a\" : 1e2 }");
  y->now += 5;
  assert_int_equal(ask(a), ERR_OK);
  const struct task *now = kept(y, task.id);
  assert_int_equal(now->status, TASK_COMPLETED);
  assert_text(now->result, "{ \"a\" : 1e2 }");
  assert_int_equal(now->progress, 100);
  assert_int_equal(now->completed_at, y->now);
  assert_int_equal(now->wake_at, 0);
  assert_text(a->items[0].task->result, "{ \"a\" : 1e2 }");
  assert_int_equal(last_event(y), EVENT_COMPLETED);
}

static void completing_again_with_the_same_token_gives_the_same_answer(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  assert_int_equal(ask(completing(y, &task)), ERR_OK);
  int64_t revision = kept(y, task.id)->revision;
  struct ask *again = completing(y, &task);
  again->order.in.settle.items->result = ask_text(again, "\"another\"");
  assert_int_equal(ask(again), ERR_OK);
  assert_int_equal(again->items[0].task->status, TASK_COMPLETED);
  assert_int_equal(kept(y, task.id)->revision, revision);
  assert_text(kept(y, task.id)->result, "{\"made\":true}");
  assert_int_equal(ask(settling(y, &task, SETTLE_FAIL)), ERR_LEASE_LOST);
}

static void a_stale_token_changes_nothing(void **state) {
  struct yard *y = *state;
  struct task first = running(y);
  pass(y, LEASE_MS);  // lost
  struct task second = taken_one(y, first.id);
  assert_int_not_equal(second.lease, first.lease);
  for (int verb = SETTLE_COMPLETE; verb <= SETTLE_RELEASE; verb++)
    assert_int_equal(ask(settling(y, &first, (enum settle_verb)verb)), ERR_LEASE_LOST);
  assert_int_equal(ask(reporting(y, &first)), ERR_LEASE_LOST);
  assert_int_equal(kept(y, first.id)->lease, second.lease);
  assert_int_equal(ask(completing(y, &second)), ERR_OK);
}

static void after_the_end_only_a_repeat_of_what_ended_it_is_no_stale_call(void **state) {
  struct yard *y = *state;
  struct task done = running(y), failed = with_attempts(y, 1);
  ask(completing(y, &done)), ask(settling(y, &failed, SETTLE_FAIL));
  assert_status(y, failed.id, TASK_FAILED);
  assert_int_equal(ask(settling(y, &failed, SETTLE_FAIL)), ERR_OK);
  assert_int_equal(ask(settling(y, &failed, SETTLE_RELEASE)), ERR_LEASE_LOST);
  done.lease++, failed.lease++;
  assert_int_equal(ask(completing(y, &done)), ERR_LEASE_LOST);
  assert_int_equal(ask(settling(y, &failed, SETTLE_FAIL)), ERR_LEASE_LOST);
}

static void many_completions_are_answered_one_by_one(void **state) {
  struct yard *y = *state;
  struct task tasks[4] = {running(y), running(y), running(y)};
  tasks[3] = tasks[0];  // twice in one batch
  tasks[1].lease++;     // not the holder
  struct ask *a = many(y, tasks, 4);
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(a->items[0].err, ERR_OK);
  assert_int_equal(a->items[1].err, ERR_LEASE_LOST);
  assert_true(a->items[1].why.len > 0);
  assert_int_equal(a->items[2].err, ERR_OK);
  assert_int_equal(a->items[3].err, ERR_OK);
  assert_status(y, tasks[1].id, TASK_RUNNING);
  assert_status(y, tasks[2].id, TASK_COMPLETED);
}

// --- fail ----------------------------------------------------------------------------------------

static void a_failed_attempt_is_tried_again_after_its_backoff(void **state) {
  struct yard *y = *state;
  struct task task = with_attempts(y, 2);
  struct ask *a = settling(y, &task, SETTLE_FAIL);
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(a->items[0].task->status, TASK_PENDING);
  assert_int_equal(a->items[0].task->waiting, WAIT_RETRY);
  assert_int_equal(kept(y, task.id)->run_at, y->now + 1000);
  assert_text(kept(y, task.id)->error_code, "broke");
  assert_int_equal(last_event(y), EVENT_ATTEMPT_FAILED);
  pass(y, 999);
  assert_int_equal(kept(y, task.id)->waiting, WAIT_RETRY);
  pass(y, 1);
  assert_int_equal(kept(y, task.id)->waiting, WAIT_WORKER);
  task = taken_one(y, task.id);
  assert_int_equal(task.attempt, 2);
  assert_int_equal(ask(settling(y, &task, SETTLE_FAIL)), ERR_OK);
  assert_status(y, task.id, TASK_FAILED);  // no attempt is left
  assert_int_equal(last_event(y), EVENT_FAILED);
  assert_int_equal(ask(settling(y, &task, SETTLE_FAIL)), ERR_OK);  // the repeat
}

static void a_failure_may_forbid_the_retry_or_set_its_time(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = settling(y, &task, SETTLE_FAIL);
  a->order.in.settle.items->delay_ms = 0;
  ask(a);
  assert_int_equal(kept(y, task.id)->waiting, WAIT_WORKER);
  task = taken_one(y, task.id);
  a = settling(y, &task, SETTLE_FAIL);
  a->order.in.settle.items->delay_ms = 77;
  ask(a);
  assert_int_equal(kept(y, task.id)->run_at, y->now + 77);
  pass(y, 77);
  task = taken_one(y, task.id);
  task = with_attempts(y, 9);
  a = settling(y, &task, SETTLE_FAIL);
  a->order.in.settle.items->no_retry = true;
  ask(a);
  assert_status(y, task.id, TASK_FAILED);
}

// --- release -------------------------------------------------------------------------------------

static void a_release_gives_the_attempt_back(void **state) {
  struct yard *y = *state;
  struct task task = with_attempts(y, 1);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(task.attempt, 1);
    assert_int_equal(ask(settling(y, &task, SETTLE_RELEASE)), ERR_OK);
    assert_int_equal(kept(y, task.id)->attempt, 0);
    assert_int_equal(last_event(y), EVENT_RELEASED);
    task = taken_one(y, task.id);
  }
  struct ask *a = settling(y, &task, SETTLE_RELEASE);
  a->order.in.settle.items->delay_ms = 500;
  ask(a);
  assert_int_equal(kept(y, task.id)->waiting, WAIT_RETRY);
  assert_int_equal(y->next_at, y->now + 500);
}

// --- complete and claim --------------------------------------------------------------------------

static void a_completion_takes_the_next_task_along_in_one_commit(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct id next = made(y, "t");
  size_t applies = y->store.applies;
  struct ask *a = and_claim(completing(y, &task), 1, 60000);
  assert_int_equal(ask(a), ERR_OK);
  assert_got(a, next);
  assert_int_equal(a->items[0].task->status, TASK_COMPLETED);
  assert_int_equal(y->store.applies, applies + 1);
}

static void a_completion_that_finds_no_next_task_waits_for_one_but_is_done(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = and_claim(completing(y, &task), 1, 60000);
  ask(a);
  assert_waits(a);
  assert_status(y, task.id, TASK_COMPLETED);
  struct id next = made(y, "t");
  assert_got(a, next);
  assert_int_equal(a->item_count, 1);
  assert_int_equal(a->items[0].task->status, TASK_COMPLETED);
  assert_text(a->items[0].task->type, "t");
}

static void a_batch_with_a_refusal_waits_for_its_claim_and_tells_of_each(void **state) {
  struct yard *y = *state;
  struct task tasks[2] = {running(y), running(y)};
  tasks[1].lease++;
  struct ask *a = and_claim(many(y, tasks, 2), 1, 60000);
  ask(a);
  assert_waits(a);
  assert_got(a, made(y, "t"));
  assert_int_equal(a->items[0].task->status, TASK_COMPLETED);
  assert_int_equal(a->items[1].err, ERR_LEASE_LOST);
  assert_null(a->items[1].task);
}

static void a_completion_whose_wait_ends_is_answered_without_a_task(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = and_claim(completing(y, &task), 1, 200);
  ask(a);
  pass(y, 200);
  assert_nothing(a);
  assert_int_equal(a->items[0].task->status, TASK_COMPLETED);
}

static void a_refused_completion_claims_nothing(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  made(y, "t");
  task.lease++;
  assert_int_equal(ask(and_claim(completing(y, &task), 1, 60000)), ERR_LEASE_LOST);
  struct ask *a = claiming(y, NULL, NULL, 1, 0);
  ask(a);
  assert_int_equal(a->claimed_count, 1);
}

static void a_release_can_take_the_same_task_again(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = and_claim(settling(y, &task, SETTLE_RELEASE), 1, 0);
  ask(a);
  assert_got(a, task.id);
  assert_text(a->claimed[0].payload, "{\"n\":1}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_completed_task_keeps_its_result_byte_for_byte),
      YARD_TEST(completing_again_with_the_same_token_gives_the_same_answer),
      YARD_TEST(a_stale_token_changes_nothing),
      YARD_TEST(many_completions_are_answered_one_by_one),
      YARD_TEST(a_failed_attempt_is_tried_again_after_its_backoff),
      YARD_TEST(a_failure_may_forbid_the_retry_or_set_its_time),
      YARD_TEST(a_release_gives_the_attempt_back),
      YARD_TEST(a_completion_takes_the_next_task_along_in_one_commit),
      YARD_TEST(a_completion_that_finds_no_next_task_waits_for_one_but_is_done),
      YARD_TEST(a_completion_whose_wait_ends_is_answered_without_a_task),
      YARD_TEST(a_refused_completion_claims_nothing),
      YARD_TEST(a_release_can_take_the_same_task_again),
      YARD_TEST(after_the_end_only_a_repeat_of_what_ended_it_is_no_stale_call),
      YARD_TEST(a_batch_with_a_refusal_waits_for_its_claim_and_tells_of_each),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
