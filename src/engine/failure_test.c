// failure_test.c: units of work that fail: who is answered what, and that nothing is lost or stuck.
#include "base/log.h"
#include "engine/inside.h"
#include "engine/testing.h"

static void nobody_is_told_that_an_uncommitted_change_was_made(void **state) {
  struct yard *y = *state;
  static const enum err ERRORS[] = {ERR_DISK_FULL, ERR_UNAVAILABLE, ERR_STORE_BROKEN};
  for (size_t i = 0; i < 3; i++) {
    fail_next(y, ERRORS[i]);
    struct ask *a = creating(y, "t", 1), *b = creating(y, "t", 2);
    submit(a), submit(b);
    turn(y);
    assert_int_equal(a->err, ERRORS[i]);
    assert_int_equal(b->err, ERRORS[i]);
    assert_int_equal(y->store.task_count, 0);
    assert_true(a->order.fault.retry_after_s > 0);
  }
  assert_int_equal(y->broken, 1);
  made(y, "t");
}

static void a_store_that_ails_is_seen_until_it_takes_writes_again(void **state) {
  struct yard *y = *state;
  y->store.fail_apply = ERR_DISK_FULL;
  y->store.fail_applies = 3;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ask(creating(y, "t", 1)), ERR_DISK_FULL);
    assert_int_equal(engine_stats(y->e).store, ERR_DISK_FULL);
  }
  y->store.fail_applies = 0;
  made(y, "t");
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
}

// In the unit, and again when the lane looks after it.
static void a_broken_store_is_told_of_at_once_and_also_where_nobody_listens(void **state) {
  struct yard *y = *state;
  y->store.fail_apply = ERR_STORE_BROKEN;
  y->store.fail_applies = 2;
  assert_int_equal(ask(creating(y, "t", 1)), ERR_STORE_BROKEN);
  assert_int_equal(y->broken, 2);
  y->e->settings.broken = NULL;
  y->store.fail_applies = 2;
  assert_int_equal(ask(creating(y, "t", 1)), ERR_STORE_BROKEN);
  assert_int_equal(y->broken, 2);
  y->store.fail_applies = 0;
  y->e->settings.broken = yard_broken;
}

static void a_failure_that_lasts_is_logged_once_a_minute(void **state) {
  struct yard *y = *state;
  y->store.fail_apply = ERR_UNAVAILABLE;
  y->store.fail_applies = 6;
  for (int64_t i = 0; i < 3; i++) {
    assert_int_equal(ask(creating(y, "t", 1)), ERR_UNAVAILABLE);
    assert_int_equal(y->e->failures_unlogged, i);
  }
  y->e->failure_logged_us -= 60LL * 1000 * 1000;
  assert_int_equal(ask(creating(y, "t", 1)), ERR_UNAVAILABLE);
  assert_int_equal(y->e->failures_unlogged, 0);
  y->store.fail_applies = 0;
}

static enum err apply_next_week(struct store_lane *lane, const struct change *change,
                                struct fault *why) {
  (void)change;
  fake_abandon(lane);
  why->retry_after_s = 604800;
  return fault_set(why, ERR_UNAVAILABLE, "the test says so");
}

static void a_store_may_say_when_to_come_again(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  y->ops = *y->store.head.store.ops;
  y->ops.apply = apply_next_week;
  y->store.head.store.ops = &y->ops;
  assert_int_equal(ask(a), ERR_UNAVAILABLE);
  assert_int_equal(a->order.fault.retry_after_s, 604800);
  y->store.head.store.ops = &FAKE_OPS;
}

static void look_while_it_hangs(void *self, struct store_lane *lane, enum fake_point point) {
  struct yard *y = self;
  (void)lane;
  if (point != FAKE_APPLYING) return;
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
  y->e->lanes[0].began_us -= 2000 * 1000;
  assert_int_equal(engine_stats(y->e).store, ERR_UNAVAILABLE);
}

static void a_store_that_does_not_answer_is_seen_until_it_does(void **state) {
  struct yard *y = *state;
  y->store.hook = look_while_it_hangs;
  y->store.hook_self = y;
  made(y, "t");
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
  y->store.hook = NULL;
}

static void a_load_that_fails_is_answered_too(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  y->store.fail_load = ERR_UNAVAILABLE;
  y->store.fail_loads = 1;
  struct ask *create = creating(y, "t", 1), *a = claiming(y, NULL, NULL, 1, 60000);
  submit(create), submit(a);
  turn(y);
  assert_int_equal(create->err, ERR_UNAVAILABLE);
  assert_int_equal(a->err, ERR_UNAVAILABLE);
  assert_true(id_eq(taken(y).id, id));
}

// A store that refuses for one order's sake refuses the unit; tried alone, only that order fails.
static void an_order_over_a_limit_of_the_store_does_not_spoil_its_neighbours(void **state) {
  struct yard *y = *state;
  y->store.fail_apply = ERR_TOO_MANY;
  y->store.fail_applies = 2;  // the unit, then its first order alone
  struct ask *over = creating(y, "t", 1), *fine = creating(y, "t", 2);
  submit(over), submit(fine);
  turn(y), turn(y), turn(y);
  assert_int_equal(over->err, ERR_TOO_MANY);
  assert_int_equal(fine->err, ERR_OK);
  assert_int_equal(y->store.task_count, 2);
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
}

static void a_conflict_with_another_lane_is_decided_again(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  fail_next(y, ERR_CONFLICT);
  struct ask *cancel = canceling(y, id, 0), *create = creating(y, "t", 1);
  submit(cancel), submit(create);
  turn(y);
  assert_int_equal(cancel->answers, 0);
  assert_true(y->next_at > y->now);  // not at once
  size_t applies = y->store.applies;
  live(y, 10);
  assert_int_equal(cancel->err, ERR_OK);
  assert_int_equal(create->err, ERR_OK);
  assert_status(y, id, TASK_CANCELLED);
  assert_int_equal(y->store.applies, applies + 1);  // both together
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
}

// Two units that ran into each other must not meet again at each try.
static void pauses_after_a_conflict_differ(void **state) {
  struct yard *y = *state;
  enum { LONGEST_MS = 3 };
  bool seen[LONGEST_MS + 1] = {false};
  size_t lengths = 0;
  for (int i = 0; i < 100; i++) {
    fail_next(y, ERR_CONFLICT);
    struct ask *a = creating(y, "t", 1);
    submit(a);
    turn(y);
    int64_t pause = y->next_at - y->now;
    assert_in_range(pause, 1, LONGEST_MS);
    lengths += !seen[pause];
    seen[pause] = true;
    live(y, LONGEST_MS);
    assert_int_equal(a->err, ERR_OK);
  }
  assert_int_equal(lengths, LONGEST_MS);
}

// A refusal may rest on what an order before it did, which is undone with the unit.
static void a_refusal_that_rests_on_an_undone_change_is_not_given(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  fail_next(y, ERR_DISK_FULL);
  struct ask *cancel = canceling(y, id, 0), *again = canceling(y, id, 0);
  struct ask *delete = about(y, ORDER_DELETE, id), *watch = watching(y, id, 0);
  submit(cancel), submit(again), submit(delete), submit(watch);
  turn(y);
  assert_int_equal(again->err, ERR_DISK_FULL);
  assert_int_equal(watch->err, ERR_DISK_FULL);
  assert_status(y, id, TASK_PENDING);
}

// --- claims that wait ----------------------------------------------------------------------------

static void a_fed_claim_whose_unit_fails_waits_on_in_its_old_place(void **state) {
  struct yard *y = *state;
  struct ask *first = parked(y, "t", 60000), *second = parked(y, "t", 60000);
  fail_next(y, ERR_DISK_FULL);
  struct ask *create = creating(y, "t", 1);
  assert_int_equal(ask(create), ERR_DISK_FULL);
  assert_waits(first);
  assert_int_equal(engine_stats(y->e).parked_claims, 2);
  struct id id = made(y, "t");
  assert_got(first, id);
  assert_waits(second);
  pass(y, 60000);
  assert_nothing(second);  // its time limit is the old one, too
}

static void a_claim_that_lost_its_task_to_a_claim_that_was_undone_looks_again(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *a = claiming(y, NULL, NULL, 1, 0), *b = claiming(y, NULL, NULL, 1, 60000);
  fail_next(y, ERR_DISK_FULL);
  submit(a), submit(b);
  turn(y);
  assert_int_equal(a->err, ERR_DISK_FULL);
  assert_got(b, id);  // and did not wait beside a ready task
}

static void a_claim_on_a_store_that_stays_full_hears_of_it(void **state) {
  struct yard *y = *state;
  made(y, "t");
  y->store.fail_apply = ERR_DISK_FULL;
  y->store.fail_applies = 1000;
  struct ask *a = claiming(y, NULL, NULL, 1, 60000), *b = claiming(y, NULL, NULL, 1, 60000);
  submit(a), submit(b);
  turn(y);
  assert_int_equal(a->err, ERR_DISK_FULL);
  assert_int_equal(b->err, ERR_DISK_FULL);
}

// Of a task that comes due, whose payload is not loaded then: those who wait are only woken.
static struct id due_in_a_second(struct yard *y) {
  struct ask *a = creating(y, "t", 1);
  a->order.in.create.items[0].delay_ms = 1000;
  struct id id = created(a);
  y->now += 1000;
  return id;
}

static void a_woken_claim_whose_unit_fails_leaves_its_task_to_the_next(void **state) {
  struct yard *y = *state;
  struct ask *first = parked(y, "t", 60000), *second = parked(y, NULL, 60000);
  struct id id = due_in_a_second(y);
  assert_true(engine_turn(y->e, &y->next_at));  // wakes the first one
  fail_next(y, ERR_DISK_FULL);
  turn(y);
  assert_int_equal(first->err, ERR_DISK_FULL);
  assert_got(second, id);
}

static void those_who_wait_are_left_alone_until_the_store_has_room_again(void **state) {
  struct yard *y = *state;
  struct ask *first = parked(y, "t", 60000), *second = parked(y, "t", 60000);
  struct ask *third = parked(y, "t", 60000);
  struct id id = due_in_a_second(y);
  assert_true(engine_turn(y->e, &y->next_at));
  y->store.fail_apply = ERR_DISK_FULL;
  y->store.fail_applies = 1000;
  turn(y);
  assert_int_equal(first->err, ERR_DISK_FULL);
  assert_int_equal(ask(creating(y, "u", 1)), ERR_DISK_FULL);
  assert_waits(second);
  y->store.fail_applies = 0;
  made(y, "u");
  assert_got(second, id);
  assert_waits(third);
}

static void a_watch_that_saw_an_undone_change_looks_again(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  ask(canceling(y, id, 0));
  fail_next(y, ERR_DISK_FULL);
  struct ask *retry = about(y, ORDER_RETRY, id), *watch = watching(y, id, 60000);
  submit(retry), submit(watch);
  turn(y);
  assert_int_equal(retry->err, ERR_DISK_FULL);
  assert_int_equal(watch->answers, 1);
  assert_int_equal(watch->tasks[0].status, TASK_CANCELLED);
}

// --- complete and claim --------------------------------------------------------------------------

static void a_completion_that_waits_for_its_claim_is_refused_when_its_unit_fails(void **state) {
  struct yard *y = *state;
  struct task task = running(y), other = running(y);
  struct ask *a = and_claim(completing(y, &task), 1, 60000);
  struct ask *b = and_claim(completing(y, &other), 1, 60000);
  fail_next(y, ERR_DISK_FULL);
  submit(a), submit(b);
  turn(y);
  assert_int_equal(a->err, ERR_DISK_FULL);
  assert_int_equal(b->err, ERR_DISK_FULL);
  assert_status(y, task.id, TASK_RUNNING);
  assert_int_equal(engine_stats(y->e).parked_claims, 0);
  assert_int_equal(ask(completing(y, &task)), ERR_OK);
}

static void a_completion_that_is_fed_in_its_own_unit_is_refused_when_that_fails(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = and_claim(completing(y, &task), 1, 60000), *create = creating(y, "t", 1);
  fail_next(y, ERR_DISK_FULL);
  submit(a), submit(create);
  turn(y);
  assert_int_equal(create->err, ERR_DISK_FULL);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_DISK_FULL);
  assert_status(y, task.id, TASK_RUNNING);
}

static void a_completion_that_was_committed_is_never_refused_for_its_claim(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = and_claim(completing(y, &task), 1, 60000);
  ask(a);
  fail_next(y, ERR_DISK_FULL);
  ask(creating(y, "t", 1));  // would have fed it
  assert_waits(a);
  ask(pausing(y, "default", true));
  made(y, "t");
  submit(pausing(y, "default", false));  // it looks again, and its unit fails
  assert_true(engine_turn(y->e, &y->next_at));
  fail_next(y, ERR_DISK_FULL);
  turn(y);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_OK);
  assert_int_equal(a->item_count, 1);
  assert_int_equal(a->items[0].task->status, TASK_COMPLETED);
  assert_int_equal(a->claimed_count, 0);
}

// --- what is kept in memory ----------------------------------------------------------------------

static void memory_is_as_before_when_a_unit_failed(void **state) {
  struct yard *y = *state;
  made(y, "t");
  struct ask *type = ask_new(y, ORDER_TYPE), *claim = claiming(y, NULL, NULL, 1, 0);
  type->order.in.type = (struct type){.tenant = 1, .name = ask_text(type, "t"), .priority = 5};
  fail_next(y, ERR_DISK_FULL);
  submit(type), submit(pausing(y, "default", true)), submit(claim);
  turn(y);
  struct arena a;
  arena_init(&a, 4096);
  struct type *types;
  struct worker_info *workers;
  assert_false(engine_queue_paused(y->e, 1, STR("default")));
  assert_int_equal(engine_types(y->e, 1, &a, &types), 0);
  assert_int_equal(engine_workers(y->e, 1, &a, &workers), 1);
  assert_int_equal(workers[0].claimed, 0);
  arena_fini(&a);
  assert_int_equal(y->next_at, 0);  // no lease is waited for
}

// Together as long as that may help, then each by itself. It is not the client's doing.
static void a_conflict_that_stays_is_answered_with_come_again_and_changes_nothing(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  size_t before = y->store.applies;
  y->store.fail_apply = ERR_CONFLICT;
  y->store.fail_applies = 10;  // 4 together, 3 each alone
  struct ask *a = canceling(y, id, 0), *b = creating(y, "t", 1);
  submit(a), submit(b);
  live(y, 1000);
  assert_int_equal(y->store.applies, before + 10);
  assert_int_equal(a->err, ERR_UNAVAILABLE);
  assert_int_equal(b->err, ERR_UNAVAILABLE);
  assert_true(a->order.fault.retry_after_s > 0);
  assert_status(y, id, TASK_PENDING);
  assert_int_equal(ask(canceling(y, id, 0)), ERR_OK);
}

static void an_order_that_runs_into_conflicts_does_not_take_its_neighbours_with_it(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  y->store.contested = id;
  struct ask *a = canceling(y, id, 0), *b = creating(y, "t", 1);
  submit(a), submit(b);
  live(y, 1000);
  y->store.contested = (struct id){0};
  assert_int_equal(a->err, ERR_UNAVAILABLE);
  assert_int_equal(b->err, ERR_OK);
  assert_int_equal(y->store.task_count, 2);
}

static void a_load_in_conflict_is_tried_again_too(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  y->store.fail_load = ERR_CONFLICT;
  y->store.fail_loads = 3;
  struct ask *a = claiming(y, NULL, NULL, 1, 0);
  submit(a);
  live(y, 100);
  assert_got(a, id);
}

static void a_claim_that_waits_goes_on_waiting_through_conflicts_until_its_limit(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  y->store.fail_apply = ERR_CONFLICT;
  y->store.fail_applies = 2;
  struct ask *done = and_claim(completing(y, &task), 1, 60000);
  struct ask *claim = claiming(y, "none", NULL, 1, 300);
  submit(done), submit(claim);
  size_t loads = y->store.loads;
  turn(y);
  assert_int_equal(y->store.loads, loads + 1);  // neither of them comes again at once
  live(y, 100);
  assert_status(y, task.id, TASK_COMPLETED);
  assert_waits(done);
  assert_int_equal(engine_stats(y->e).parked_claims, 2);
  live(y, 299);
  assert_nothing(claim);
  assert_got(done, made(y, "t"));
}

// The completion is committed; what conflicts then is only its claim.
static void a_completion_that_was_committed_is_never_refused_for_a_conflict(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *a = and_claim(completing(y, &task), 1, 60000);
  ask(a);
  ask(pausing(y, "default", true));
  made(y, "t");
  submit(pausing(y, "default", false));  // it looks again
  assert_true(engine_turn(y->e, &y->next_at));
  y->store.fail_apply = ERR_CONFLICT;
  y->store.fail_applies = 7;
  live(y, 1000);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_OK);
  assert_int_equal(a->items[0].task->status, TASK_COMPLETED);
  assert_int_equal(a->claimed_count, 0);
}

static void a_sweep_in_conflict_is_tried_again_soon(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  fail_next(y, ERR_CONFLICT);
  pass(y, LEASE_MS);
  assert_status(y, task.id, TASK_RUNNING);
  live(y, 20);
  assert_status(y, task.id, TASK_PENDING);
}

static void a_created_task_that_is_waited_for_is_not_disowned_by_a_later_failure(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  a->order.wait_ms = 500;
  ask(a);
  assert_int_equal(y->store.task_count, 1);
  y->store.fail_load = ERR_DISK_FULL;
  y->store.fail_loads = 1;
  pass(y, 500);
  assert_int_equal(a->err, ERR_UNAVAILABLE);  // and not "nothing was changed"
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(nobody_is_told_that_an_uncommitted_change_was_made),
      YARD_TEST(a_store_that_ails_is_seen_until_it_takes_writes_again),
      YARD_TEST(a_store_that_does_not_answer_is_seen_until_it_does),
      YARD_TEST(an_order_over_a_limit_of_the_store_does_not_spoil_its_neighbours),
      YARD_TEST(a_conflict_with_another_lane_is_decided_again),
      YARD_TEST(pauses_after_a_conflict_differ),
      YARD_TEST(a_load_that_fails_is_answered_too),
      YARD_TEST(a_refusal_that_rests_on_an_undone_change_is_not_given),
      YARD_TEST(a_fed_claim_whose_unit_fails_waits_on_in_its_old_place),
      YARD_TEST(a_claim_that_lost_its_task_to_a_claim_that_was_undone_looks_again),
      YARD_TEST(a_claim_on_a_store_that_stays_full_hears_of_it),
      YARD_TEST(a_woken_claim_whose_unit_fails_leaves_its_task_to_the_next),
      YARD_TEST(those_who_wait_are_left_alone_until_the_store_has_room_again),
      YARD_TEST(a_watch_that_saw_an_undone_change_looks_again),
      YARD_TEST(a_completion_that_waits_for_its_claim_is_refused_when_its_unit_fails),
      YARD_TEST(a_completion_that_is_fed_in_its_own_unit_is_refused_when_that_fails),
      YARD_TEST(a_completion_that_was_committed_is_never_refused_for_its_claim),
      YARD_TEST(memory_is_as_before_when_a_unit_failed),
      YARD_TEST(a_conflict_that_stays_is_answered_with_come_again_and_changes_nothing),
      YARD_TEST(an_order_that_runs_into_conflicts_does_not_take_its_neighbours_with_it),
      YARD_TEST(a_load_in_conflict_is_tried_again_too),
      YARD_TEST(a_claim_that_waits_goes_on_waiting_through_conflicts_until_its_limit),
      YARD_TEST(a_completion_that_was_committed_is_never_refused_for_a_conflict),
      YARD_TEST(a_sweep_in_conflict_is_tried_again_soon),
      YARD_TEST(a_created_task_that_is_waited_for_is_not_disowned_by_a_later_failure),
      YARD_TEST(a_broken_store_is_told_of_at_once_and_also_where_nobody_listens),
      YARD_TEST(a_failure_that_lasts_is_logged_once_a_minute),
      YARD_TEST(a_store_may_say_when_to_come_again),
  };
  (void)log_open("/dev/null");  // each failure is reported there
  return cmocka_run_group_tests(tests, NULL, NULL);
}
