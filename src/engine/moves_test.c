// moves_test.c: what a person does to a task: start, cancel, retry, edit, delete.
#include "engine/testing.h"

// --- start ---------------------------------------------------------------------------------------

static void a_held_task_is_started_once_and_then_ready_or_waiting_for_its_time(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 2);
  a->order.in.create.items[0].hold = a->order.in.create.items[1].hold = true;
  item_of(a, 1)->run_at = y->now + 500;
  ask(a);
  assert_int_equal(ask(about(y, ORDER_START, a->tasks[0].id)), ERR_OK);
  assert_int_equal(kept(y, a->tasks[0].id)->waiting, WAIT_WORKER);
  assert_int_equal(ask(about(y, ORDER_START, a->tasks[1].id)), ERR_OK);
  assert_int_equal(kept(y, a->tasks[1].id)->waiting, WAIT_TIME);
  assert_int_equal(ask(about(y, ORDER_START, a->tasks[0].id)), ERR_WRONG_STATUS);
}

// --- cancel --------------------------------------------------------------------------------------

static void a_pending_task_is_cancelled_at_once(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *a = canceling(y, id, 1000);
  a->order.in.cancel.reason = ask_text(a, "no need");
  assert_int_equal(ask(a), ERR_OK);
  assert_status(y, id, TASK_CANCELLED);
  assert_text(y->store.events[y->store.event_count - 1].text, "no need");
}

static void a_running_task_is_told_and_has_its_grace(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  ask(canceling(y, task.id, 1000));
  assert_status(y, task.id, TASK_RUNNING);
  pass(y, 600);
  struct ask *a = reporting(y, &task);
  assert_int_equal(ask(a), ERR_OK);
  assert_true(a->order.cancel_requested);
  pass(y, 400);  // the heartbeat has not won it time
  assert_status(y, task.id, TASK_CANCELLED);
  assert_int_equal(last_event(y), EVENT_CANCELLED);
  assert_int_equal(ask(completing(y, &task)), ERR_LEASE_LOST);
}

static void asking_again_may_only_shorten_the_grace(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  ask(canceling(y, task.id, 1000));
  size_t events = y->store.event_count;
  ask(canceling(y, task.id, 9000));
  assert_int_equal(kept(y, task.id)->lease_expires_at, y->now + 1000);
  ask(canceling(y, task.id, 100));
  assert_int_equal(kept(y, task.id)->lease_expires_at, y->now + 100);
  assert_int_equal(y->store.event_count, events);  // it was requested once
}

static void completing_wins_over_a_requested_cancel_and_failing_or_releasing_is_it(void **state) {
  struct yard *y = *state;
  static const enum task_status ENDS[] = {[SETTLE_COMPLETE] = TASK_COMPLETED,
                                          [SETTLE_FAIL] = TASK_CANCELLED,
                                          [SETTLE_RELEASE] = TASK_CANCELLED};
  for (int verb = SETTLE_COMPLETE; verb <= SETTLE_RELEASE; verb++) {
    struct task task = running(y);
    ask(canceling(y, task.id, 1000));
    assert_int_equal(ask(settling(y, &task, (enum settle_verb)verb)), ERR_OK);
    assert_status(y, task.id, ENDS[verb]);
  }
}

// --- retry ---------------------------------------------------------------------------------------

static void a_retry_by_hand_grants_a_fresh_set_of_attempts(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->attempts_max = 2;
  struct id id = created(a);
  for (int i = 0; i < 2; i++) {
    struct task task = taken_one(y, id);
    ask(settling(y, &task, SETTLE_FAIL));
    pass(y, 1000);
  }
  assert_status(y, id, TASK_FAILED);
  assert_int_equal(ask(about(y, ORDER_RETRY, id)), ERR_OK);
  const struct task *task = kept(y, id);
  assert_int_equal(task->status, TASK_PENDING);
  assert_int_equal(task->attempt, 2);
  assert_int_equal(task->attempts_max, 4);
  assert_int_equal(task->completed_at, 0);
  assert_text(task->error_code, NULL);
  assert_int_equal(taken_one(y, id).attempt, 3);
}

static void an_expired_task_that_is_retried_does_not_expire_again(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->expires_at = y->now + 100;
  struct id id = created(a);
  pass(y, 100);
  assert_status(y, id, TASK_CANCELLED);
  assert_int_equal(ask(about(y, ORDER_RETRY, id)), ERR_OK);
  assert_int_equal(kept(y, id)->expires_at, 0);
  pass(y, 1000);
  assert_status(y, id, TASK_PENDING);
}

static void a_task_that_is_retried_before_its_end_keeps_it(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->expires_at = y->now + 100;
  struct id id = created(a);
  ask(canceling(y, id, 0));
  y->now += 99;
  assert_int_equal(ask(about(y, ORDER_RETRY, id)), ERR_OK);
  assert_status(y, id, TASK_PENDING);
  pass(y, 1);
  assert_status(y, id, TASK_CANCELLED);
  assert_text(kept(y, id)->error_code, "expired");
}

// --- edit ----------------------------------------------------------------------------------------

static void an_edit_sets_what_it_names_and_nothing_else(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->tags = ask_text(a, "{\"a\":\"b\"}");
  item_of(a, 0)->metadata = ask_text(a, "{}");
  struct id id = created(a);
  a = about(y, ORDER_EDIT, id);
  a->order.in.edit = (struct edit_input){
      .set_priority = true, .priority = 8, .set_tags = true, .tags = ask_text(a, "{\"c\":\"d\"}")};
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(kept(y, id)->priority, 8);
  assert_text(kept(y, id)->tags, "{\"c\":\"d\"}");
  assert_text(kept(y, id)->metadata, "{}");
  a = about(y, ORDER_EDIT, id);
  a->order.in.edit = (struct edit_input){.set_tags = true};
  assert_int_equal(ask(a), ERR_OK);
  assert_text(kept(y, id)->tags, NULL);
  assert_text(a->tasks[0].tags, NULL);
  a = about(y, ORDER_EDIT, id);
  a->order.in.edit = (struct edit_input){.set_metadata = true,
                                         .metadata = ask_text(a, "[1]"),
                                         .set_expires_at = true,
                                         .expires_at = y->now + 900};
  assert_int_equal(ask(a), ERR_OK);
  assert_text(kept(y, id)->metadata, "[1]");
  assert_int_equal(kept(y, id)->priority, 8);
  pass(y, 900);
  assert_text(kept(y, id)->error_code, "expired");
}

static void an_edit_that_names_nothing_changes_nothing(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  size_t events = y->store.event_count;
  assert_int_equal(ask(about(y, ORDER_EDIT, id)), ERR_OK);
  assert_int_equal(kept(y, id)->revision, 1);
  assert_int_equal(y->store.event_count, events);
}

static void a_new_run_at_decides_whether_the_task_waits_for_it(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *a = about(y, ORDER_EDIT, id);
  a->order.in.edit = (struct edit_input){.set_run_at = true, .run_at = y->now + 700};
  ask(a);
  assert_int_equal(kept(y, id)->waiting, WAIT_TIME);
  assert_int_equal(y->next_at, y->now + 700);
  a = about(y, ORDER_EDIT, id);
  a->order.in.edit = (struct edit_input){.set_run_at = true, .run_at = 0};
  ask(a);
  assert_int_equal(kept(y, id)->waiting, WAIT_WORKER);
}

static struct ask *matching(struct yard *y, struct id id, int64_t revision, int64_t priority) {
  struct ask *a = about(y, ORDER_EDIT, id);
  a->order.if_revision = revision;
  a->order.in.edit = (struct edit_input){.set_priority = true, .priority = priority};
  return a;
}

static void an_edit_of_another_revision_is_refused(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  assert_int_equal(ask(matching(y, id, 1, 5)), ERR_OK);
  assert_int_equal(ask(matching(y, id, 1, 6)), ERR_REVISION_CHANGED);
  struct ask *delete = about(y, ORDER_DELETE, id);
  delete->order.if_revision = 1;
  assert_int_equal(ask(delete), ERR_REVISION_CHANGED);
  assert_int_equal(kept(y, id)->priority, 5);
}

static void two_edits_in_one_unit_have_two_revisions(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *first = matching(y, id, 1, 5), *second = matching(y, id, ABSENT, 6);
  submit(first), submit(second);
  turn(y);
  assert_int_not_equal(first->tasks[0].revision, second->tasks[0].revision);
  // Whoever read the first one's answer has not seen the second.
  assert_int_equal(ask(matching(y, id, first->tasks[0].revision, 7)), ERR_REVISION_CHANGED);
  assert_int_equal(ask(matching(y, id, second->tasks[0].revision, 7)), ERR_OK);
}

// --- delete --------------------------------------------------------------------------------------

static void a_running_task_is_deleted_only_by_force(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  assert_int_equal(ask(about(y, ORDER_DELETE, task.id)), ERR_WRONG_STATUS);
  struct ask *a = about(y, ORDER_DELETE, task.id);
  a->order.in.delete.force = true;
  assert_int_equal(ask(a), ERR_OK);
  assert_null(fake_find(&y->store, task.id));
  assert_int_equal(y->store.events[y->store.event_count - 2].kind, EVENT_CANCELLED);
  assert_int_equal(last_event(y), EVENT_DELETED);
  assert_int_equal(ask(completing(y, &task)), ERR_NOT_FOUND);
}

static void a_deleted_task_is_gone_for_the_rest_of_its_unit(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *claim = claiming(y, NULL, NULL, 1, 0), *cancel = canceling(y, id, 0);
  submit(about(y, ORDER_DELETE, id)), submit(claim), submit(cancel);
  turn(y);
  assert_nothing(claim);
  assert_int_equal(cancel->err, ERR_NOT_FOUND);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_held_task_is_started_once_and_then_ready_or_waiting_for_its_time),
      YARD_TEST(a_pending_task_is_cancelled_at_once),
      YARD_TEST(a_running_task_is_told_and_has_its_grace),
      YARD_TEST(asking_again_may_only_shorten_the_grace),
      YARD_TEST(completing_wins_over_a_requested_cancel_and_failing_or_releasing_is_it),
      YARD_TEST(a_retry_by_hand_grants_a_fresh_set_of_attempts),
      YARD_TEST(an_expired_task_that_is_retried_does_not_expire_again),
      YARD_TEST(an_edit_sets_what_it_names_and_nothing_else),
      YARD_TEST(an_edit_that_names_nothing_changes_nothing),
      YARD_TEST(a_new_run_at_decides_whether_the_task_waits_for_it),
      YARD_TEST(an_edit_of_another_revision_is_refused),
      YARD_TEST(two_edits_in_one_unit_have_two_revisions),
      YARD_TEST(a_running_task_is_deleted_only_by_force),
      YARD_TEST(a_deleted_task_is_gone_for_the_rest_of_its_unit),
      YARD_TEST(a_task_that_is_retried_before_its_end_keeps_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
