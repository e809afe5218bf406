// lanes_test.c: several lanes on one store, and what happens in one of them while another is in the
// store. No threads: a hook of the fake store runs the other lane's unit at the moment in question.
#include "base/log.h"
#include "engine/testing_meanwhile.h"

// --- claims --------------------------------------------------------------------------------------

static void create_beside(struct yard *y) {
  ask_beside(y, 0, creating(y, "t", 1));
  assert_int_equal(others[0]->err, ERR_OK);
}

static void a_claim_that_loaded_before_a_commit_does_not_sleep_through_it(void **state) {
  struct yard *y = *state;
  while_in_the_store(y, FAKE_LOADED, create_beside);
  struct ask *a = claiming(y, "t", "default", 1, 60000);
  submit(a);
  settle_all(y);
  assert_got(a, others[0]->tasks[0].id);
}

static void nor_when_the_commit_comes_after_its_decision(void **state) {
  struct yard *y = *state;
  static const enum fake_point POINTS[] = {FAKE_APPLYING, FAKE_APPLIED};
  for (size_t i = 0; i < 2; i++) {
    while_in_the_store(y, POINTS[i], create_beside);
    struct ask *a = claiming(y, "t", NULL, 1, 60000);
    submit(a), submit(creating(y, "other", 1));
    settle_all(y);
    assert_got(a, others[0]->tasks[0].id);
  }
}

static void create_another_beside(struct yard *y) { ask_beside(y, 0, creating(y, "another", 1)); }

static void what_nobody_asked_for_does_not_make_a_claim_look_again(void **state) {
  struct yard *y = *state;
  while_in_the_store(y, FAKE_LOADED, create_another_beside);
  struct ask *a = claiming(y, "t", NULL, 1, 60000);
  submit(a);
  turn(y);
  assert_waits(a);
  assert_int_equal(y->store.loads, 2);  // the claim's and the create's
}

static void resume_beside(struct yard *y) { ask_beside(y, 0, pausing(y, "default", false)); }

static void a_claim_that_passed_by_a_queue_that_was_resumed_meanwhile_looks_again(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  ask(pausing(y, "default", true));
  while_in_the_store(y, FAKE_LOADED, resume_beside);
  struct ask *a = claiming(y, NULL, NULL, 1, 60000);
  submit(a);
  settle_all(y);
  assert_got(a, id);
}

static void pause_beside(struct yard *y) { ask_beside(y, 0, pausing(y, "default", true)); }

static void a_queue_that_was_paused_meanwhile_hands_out_nothing(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  while_in_the_store(y, FAKE_LOADED, pause_beside);
  struct ask *a = claiming(y, NULL, NULL, 1, 0);
  submit(a);
  settle_all(y);
  assert_nothing(a);
  assert_status(y, id, TASK_PENDING);
}

// The later of two changes holds, although the earlier one is absorbed after it.
static void a_queue_that_was_resumed_after_its_pause_stays_resumed(void **state) {
  struct yard *y = *state;
  while_in_the_store(y, FAKE_APPLIED, resume_beside);
  ask(pausing(y, "default", true));
  assert_true(meanwhile.done);
  assert_int_equal(last_event(y), EVENT_QUEUE_RESUMED);
  assert_false(engine_queue_paused(y->e, 1, STR("default")));
}

// The claim began to wait while its unit was under way; the other lane's task is offered to it.
static void claim_beside(struct yard *y) {
  ask_beside(y, 0, claiming(y, "t", NULL, 1, 60000));
  assert_waits(others[0]);
}

static void what_a_unit_leaves_is_offered_to_those_who_began_to_wait_meanwhile(void **state) {
  struct yard *y = *state;
  while_in_the_store(y, FAKE_APPLYING, claim_beside);
  struct id id = made(y, "t");
  turn(y);
  assert_got(others[0], id);
  struct ask *later = creating(y, "t", 1);
  later->order.in.create.items[0].delay_ms = 50;
  ask(later);
  while_in_the_store(y, FAKE_APPLYING, claim_beside);
  pass(y, 50);  // it becomes ready without its payload
  assert_got(others[0], later->tasks[0].id);
}

// --- orders of a unit that is under way ----------------------------------------------------------

static void feed_beside(struct yard *y) {
  create_beside(y);
  assert_int_equal(kept(y, others[0]->tasks[0].id)->status, TASK_PENDING);
}

// It waits with a claim, but its completion is not committed: no other lane may serve it.
static void a_completion_is_not_answered_by_another_lane_before_its_commit(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  while_in_the_store(y, FAKE_APPLYING, feed_beside);
  struct ask *a = and_claim(completing(y, &task), 1, 60000);
  submit(a);
  settle_all(y);
  assert_got(a, others[0]->tasks[0].id);
  assert_int_equal(a->items[0].task->status, TASK_COMPLETED);
}

static void fail_after_feeding(struct yard *y) {
  feed_beside(y);
  fail_next(y, ERR_DISK_FULL);
}

static void and_when_that_fails_it_is_refused_and_has_taken_nothing(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  while_in_the_store(y, FAKE_APPLYING, fail_after_feeding);
  struct ask *a = and_claim(completing(y, &task), 1, 60000);
  submit(a);
  settle_all(y);
  assert_int_equal(a->err, ERR_DISK_FULL);
  assert_status(y, task.id, TASK_RUNNING);
  assert_status(y, others[0]->tasks[0].id, TASK_PENDING);
}

static struct ask *under_way;

static void turn_without_an_answer(struct yard *y) {
  turn_beside(y);
  assert_int_equal(under_way->answers, 0);  // its texts are being written
}

static void leave_beside(struct yard *y) {
  engine_withdraw(y->e, &under_way->order);
  turn_without_an_answer(y);
}

static void expire_beside(struct yard *y) {
  y->now += 500;
  turn_without_an_answer(y);
}

static void drain_beside(struct yard *y) {
  engine_drain(y->e);
  turn_without_an_answer(y);
}

static void whatever_ends_its_wait_ends_it_after_the_commit(void **state) {
  struct yard *y = *state;
  void (*const ENDS[])(struct yard *) = {leave_beside, expire_beside, drain_beside};
  for (size_t i = 0; i < 3; i++) {
    struct task task = running(y);
    while_in_the_store(y, FAKE_APPLYING, ENDS[i]);
    under_way = and_claim(completing(y, &task), 1, 300);
    submit(under_way);
    settle_all(y);
    assert_int_equal(under_way->answers, 1);
    assert_int_equal(under_way->claimed_count, 0);
    assert_status(y, task.id, TASK_COMPLETED);
  }
  assert_int_equal(engine_stats(y->e).parked_claims, 0);
}

static void its_wait_may_end_while_its_unit_fails(void **state) {
  struct yard *y = *state;
  void (*const ENDS[])(struct yard *) = {leave_beside, expire_beside, drain_beside};
  for (size_t i = 0; i < 3; i++) {
    struct task task = running(y);
    while_in_the_store(y, FAKE_APPLYING, ENDS[i]);
    y->store.contested = task.id;
    under_way = and_claim(completing(y, &task), 1, 300);
    submit(under_way);
    turn(y);
    assert_true(meanwhile.done);
    assert_int_equal(under_way->answers, 0);
    assert_status(y, task.id, TASK_RUNNING);
    y->store.contested = (struct id){0};
    live(y, 20);
    assert_int_equal(under_way->answers, 1);
    assert_status(y, task.id, TASK_COMPLETED);
  }
}

static void ask_two_beside(struct yard *y) {
  ask_beside(y, 0, claiming(y, "none", NULL, 1, 60000));
  ask_beside(y, 1, watching(y, y->store.tasks[0].id, 60000));
  fail_next(y, ERR_DISK_FULL);
}

static void a_unit_that_fails_leaves_the_orders_of_other_lanes_alone(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  while_in_the_store(y, FAKE_APPLYING, ask_two_beside);
  struct ask *create = creating(y, "u", 1);
  assert_int_equal(ask(create), ERR_DISK_FULL);
  assert_waits(others[0]);
  assert_waits(others[1]);
  size_t loads = y->store.loads;
  turn(y);
  assert_int_equal(y->store.loads, loads);  // they did not even look again
  ask(canceling(y, id, 0));
  assert_int_equal(others[1]->answers, 1);
}

// It is put back among those who wait; what came while it was not there went past it.
static void a_claim_whose_feeding_failed_looks_for_what_came_meanwhile(void **state) {
  struct yard *y = *state;
  struct ask *a = parked(y, "t", 60000);
  while_in_the_store(y, FAKE_APPLYING, fail_after_feeding);
  assert_int_equal(ask(creating(y, "t", 1)), ERR_DISK_FULL);
  assert_got(a, others[0]->tasks[0].id);
}

// --- watches -------------------------------------------------------------------------------------

static struct task known;

static void complete_beside(struct yard *y) {
  ask_beside(y, 0, completing(y, &known));
  assert_int_equal(under_way->answers, 0);  // its unit sees to it
}

static void a_watch_that_loaded_before_the_end_does_not_sleep_through_it(void **state) {
  struct yard *y = *state;
  known = running(y);
  struct id id = known.id;
  // The store would make the completion wait for a watch that has loaded its task.
  while_in_the_store(y, FAKE_APPLIED, complete_beside);
  struct ask *a = under_way = watching(y, id, 60000);
  submit(a), submit(creating(y, "u", 1));
  settle_all(y);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->tasks[0].status, TASK_COMPLETED);
}

static void work_off_beside(struct yard *y) {
  ask_beside(y, 0, claiming(y, "t", NULL, 1, 0));
  assert_int_equal(others[0]->claimed_count, 1);
  ask_beside(y, 1, completing(y, &others[0]->claimed[0]));
  assert_int_equal(others[1]->err, ERR_OK);
}

static void a_create_hears_of_an_end_that_came_before_it_began_to_wait(void **state) {
  struct yard *y = *state;
  while_in_the_store(y, FAKE_APPLIED, work_off_beside);
  struct ask *a = creating(y, "t", 1);
  a->order.wait_ms = 60000;
  submit(a);
  settle_all(y);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->tasks[0].status, TASK_COMPLETED);
}

// On one lane as well: the end came in the unit that found the task.
static void a_create_that_finds_its_task_hears_of_its_end_in_the_same_unit(void **state) {
  struct yard *y = *state;
  struct ask *first = creating(y, "t", 1), *a = creating(y, "t", 1);
  item_of(first, 0)->unique_key = ask_text(first, "k");
  item_of(a, 0)->unique_key = ask_text(a, "k");
  struct id id = created(first);
  a->order.wait_ms = 60000;
  submit(a), submit(canceling(y, id, 0));
  turn(y);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->tasks[0].status, TASK_CANCELLED);
}

// --- tasks that others hold ----------------------------------------------------------------------

static void claim_what_is_held(struct yard *y) {
  ask_beside(y, 0, claiming(y, "t", NULL, 1, 0));
  ask_beside(y, 1, claiming(y, "t", NULL, 1, 60000));
  assert_waits(others[0]);
  assert_waits(others[1]);
}

static void fail_after_claims(struct yard *y) {
  claim_what_is_held(y);
  fail_next(y, ERR_DISK_FULL);
}

static void what_another_unit_held_and_left_is_found_soon(void **state) {
  struct yard *y = *state;
  struct id one = made(y, "t"), two = made(y, "t");
  while_in_the_store(y, FAKE_APPLYING, fail_after_claims);
  assert_int_equal(ask(claiming(y, "t", NULL, 2, 0)), ERR_DISK_FULL);
  assert_waits(others[0]);
  assert_waits(others[1]);
  assert_true(y->next_at > y->now);  // but not by turning all the time
  live(y, 10);
  assert_got(others[0], one);
  assert_got(others[1], two);
}

static void what_another_unit_took_is_given_up_soon(void **state) {
  struct yard *y = *state;
  made(y, "t");
  while_in_the_store(y, FAKE_APPLYING, claim_what_is_held);
  ask(claiming(y, "t", NULL, 1, 0));
  live(y, 20);
  assert_nothing(others[0]);
  assert_waits(others[1]);
  assert_int_equal(engine_stats(y->e).parked_claims, 1);
  assert_got(others[1], made(y, "t"));
}

static size_t looks;

static void look_at_what_is_held(struct yard *y) {
  size_t loads = y->store.loads;
  submit(others[0] = claiming(y, "t", NULL, 1, 0));
  for (int i = 0; i < 100; i++, y->now++) turn_beside(y);
  looks = y->store.loads - loads;
}

static void a_claim_that_does_not_wait_looks_at_held_tasks_a_few_times(void **state) {
  struct yard *y = *state;
  made(y, "t");
  while_in_the_store(y, FAKE_APPLYING, look_at_what_is_held);
  ask(claiming(y, "t", NULL, 1, 0));
  assert_nothing(others[0]);
  assert_int_equal(looks, 4);
}

enum { MANY = 100 };
static struct ask *many[MANY];

static void claim_much_that_is_held(struct yard *y) {
  for (size_t i = 0; i < MANY; i++) submit(many[i] = claiming(y, "t", NULL, 1, 60000));
  turn_beside(y);
  fail_next(y, ERR_DISK_FULL);
}

// Only some of them look again and again; they pass on what they leave.
static void all_who_wait_get_what_another_unit_held_and_left(void **state) {
  struct yard *y = *state;
  ask(creating(y, "t", MANY));
  while_in_the_store(y, FAKE_APPLYING, claim_much_that_is_held);
  assert_int_equal(ask(claiming(y, "t", NULL, MANY, 0)), ERR_DISK_FULL);
  size_t loads = y->store.loads;
  live(y, 200);
  for (size_t i = 0; i < MANY; i++) assert_int_equal(many[i]->claimed_count, 1);
  assert_true(y->store.loads - loads < 10);  // more of them each time
}

static void claim_impatiently_what_is_held(struct yard *y) {
  for (size_t i = 0; i < MANY; i++)
    submit(many[i] = claiming(y, "t", NULL, 1, i < MANY / 2 ? 10 : 60000));
  for (int i = 0; i < 50; i++, y->now++) turn_beside(y);
  for (size_t i = 0; i < MANY; i++) assert_int_equal(many[i]->answers, i < MANY / 2);
  fail_next(y, ERR_DISK_FULL);
}

// Those who looked have gone: of the others one looks instead.
static void whoever_waits_on_looks_at_held_tasks_when_others_have_given_up(void **state) {
  struct yard *y = *state;
  ask(creating(y, "t", MANY));
  while_in_the_store(y, FAKE_APPLYING, claim_impatiently_what_is_held);
  assert_int_equal(ask(claiming(y, "t", NULL, MANY, 0)), ERR_DISK_FULL);
  live(y, 100);
  for (size_t i = MANY / 2; i < MANY; i++) assert_int_equal(many[i]->claimed_count, 1);
}

static void sweep_beside(struct yard *y) {
  size_t loads = y->store.loads;
  y->now++;
  y->e->wake_at = y->now;  // as if another lane's commit had brought one
  turn_beside(y);
  assert_int_equal(y->store.loads, loads + 1);
  assert_true(y->e->wake_at > y->now);  // what is due is in lane 0's hands: later, not at once
}

static void two_lanes_may_sweep_at_once(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  while_in_the_store(y, FAKE_LOADED, sweep_beside);
  pass(y, LEASE_MS);
  assert_true(meanwhile.done);
  assert_status(y, task.id, TASK_PENDING);
  assert_int_equal(kept(y, task.id)->attempt, 1);
  live(y, 100);
  assert_int_equal(y->next_at, 0);
}

// --- lanes that fail -----------------------------------------------------------------------------

static void a_store_is_well_when_another_lane_has_worked_since_one_began_to_fail(void **state) {
  struct yard *y = *state;
  y->store.fail_apply = ERR_UNAVAILABLE;
  made(y, "t");
  turn_beside(y);
  y->store.lanes[0].fails = true;
  submit(creating(y, "t", 1));
  assert_true(engine_turn(y->e, &y->next_at));
  assert_int_equal(engine_stats(y->e).store, ERR_UNAVAILABLE);
  ask_beside(y, 0, creating(y, "t", 1));  // what worked before tells nothing; this does
  assert_int_equal(others[0]->err, ERR_OK);
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
  assert_int_equal(engine_stats(y->e).lanes, 3);
  submit(creating(y, "t", 1));
  assert_false(engine_turn(y->e, &y->next_at));  // the lane that fails leaves it to the others
  turn_beside(y);
  y->store.lanes[1].fails = true;
  ask_beside(y, 0, creating(y, "t", 1));
  assert_int_equal(others[0]->err, ERR_UNAVAILABLE);
  assert_int_equal(engine_stats(y->e).store, ERR_UNAVAILABLE);
  y->store.lanes[0].fails = y->store.lanes[1].fails = false;
  int64_t next_at;
  submit(creating(y, "t", 1));
  assert_true(lane_turn(&y->e->lanes[2], &next_at));
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
  y->e->lanes[0].err = y->e->lanes[1].err = ERR_OK;
}

// Of a store that went away in a commit it is not known whether it took it.
static void create_unknown(struct yard *y) {
  claim_beside(y);
  fail_next(y, ERR_UNAVAILABLE);
}

static void after_a_commit_of_unknown_outcome_those_who_wait_look_again(void **state) {
  struct yard *y = *state;
  while_in_the_store(y, FAKE_APPLYING, create_unknown);
  assert_int_equal(ask(creating(y, "t", 1)), ERR_UNAVAILABLE);
  assert_true(y->store.loads > 2);
  assert_waits(others[0]);
}

// --- Idempotency-Key -----------------------------------------------------------------------------

static struct ask *keyed(struct ask *a) {
  with_key(a, "k", "same");
  return a;
}

static void repeat_beside(struct yard *y) { ask_beside(y, 0, keyed(claiming(y, "t", NULL, 1, 0))); }

static void a_key_is_in_progress_for_other_lanes_too(void **state) {
  struct yard *y = *state;
  struct ask *a = keyed(claiming(y, "t", NULL, 1, 60000));
  ask(a);
  while_in_the_store(y, FAKE_APPLYING, repeat_beside);
  ask(creating(y, "u", 1));
  assert_int_equal(others[0]->err, ERR_IN_PROGRESS);
  assert_waits(a);
}

static void and_while_its_claim_looks_again_soon(void **state) {
  struct yard *y = *state;
  struct fake_lock held = fake_lock_of_id(made(y, "t"));
  fake_take(&y->store.lanes[2], held);
  while_in_the_store(y, FAKE_APPLIED, repeat_beside);
  struct ask *a = keyed(claiming(y, "t", NULL, 1, 60000));
  submit(a), submit(creating(y, "u", 1));
  settle_all(y);
  assert_int_equal(others[0]->err, ERR_IN_PROGRESS);
  assert_waits(a);
  fake_unlock_all(&y->store.lanes[2]);
  live(y, 10);
  assert_int_equal(a->claimed_count, 1);
}

static void and_in_the_very_unit_that_serves_its_claim(void **state) {
  struct yard *y = *state;
  struct ask *a = keyed(claiming(y, "t", NULL, 1, 60000)), *b = claiming(y, "t", NULL, 1, 60000);
  ask(a);
  struct ask *repeat = keyed(claiming(y, "t", NULL, 1, 0));
  submit(creating(y, "t", 2)), submit(b), submit(repeat);
  turn(y);
  assert_int_equal(a->claimed_count, 1);
  assert_int_equal(b->claimed_count, 1);
  assert_int_equal(repeat->err, ERR_IN_PROGRESS);
  assert_int_equal(y->store.replay_count, 1);
}

// Elsewhere the key may have been answered, so it has to be loaded first.
static void a_claim_with_a_key_is_served_in_a_unit_that_knows_its_key(void **state) {
  struct yard *y = *state;
  struct ask *a = keyed(claiming(y, "t", NULL, 1, 60000));
  ask(a);
  struct id id = made(y, "t");
  turn(y);
  assert_got(a, id);
  assert_int_equal(y->store.replay_count, 1);
  assert_int_equal(y->store.applies, 2);
  struct ask *repeat = keyed(claiming(y, "t", NULL, 1, 0));
  assert_int_equal(ask(repeat), ERR_OK);
  assert_true(repeat->replayed.len > 0);
}

// The fake store asserts that `replaces` tells the truth.
static void a_kept_answer_is_replaced_only_by_those_who_loaded_it(void **state) {
  struct yard *y = *state;
  struct ask *a = keyed(creating(y, "t", 1));
  a->order.wait_ms = 60000;
  ask(a);
  assert_int_equal(y->store.replay_count, 1);
  struct task task = taken(y);
  ask(completing(y, &task));
  assert_int_equal(a->answers, 1);
  assert_int_equal(y->store.replay_count, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LANES_TEST(a_claim_that_loaded_before_a_commit_does_not_sleep_through_it),
      LANES_TEST(nor_when_the_commit_comes_after_its_decision),
      LANES_TEST(what_nobody_asked_for_does_not_make_a_claim_look_again),
      LANES_TEST(a_claim_that_passed_by_a_queue_that_was_resumed_meanwhile_looks_again),
      LANES_TEST(a_queue_that_was_paused_meanwhile_hands_out_nothing),
      LANES_TEST(a_queue_that_was_resumed_after_its_pause_stays_resumed),
      LANES_TEST(what_a_unit_leaves_is_offered_to_those_who_began_to_wait_meanwhile),
      LANES_TEST(a_completion_is_not_answered_by_another_lane_before_its_commit),
      LANES_TEST(and_when_that_fails_it_is_refused_and_has_taken_nothing),
      LANES_TEST(whatever_ends_its_wait_ends_it_after_the_commit),
      LANES_TEST(its_wait_may_end_while_its_unit_fails),
      LANES_TEST(a_unit_that_fails_leaves_the_orders_of_other_lanes_alone),
      LANES_TEST(a_claim_whose_feeding_failed_looks_for_what_came_meanwhile),
      LANES_TEST(a_watch_that_loaded_before_the_end_does_not_sleep_through_it),
      LANES_TEST(a_create_hears_of_an_end_that_came_before_it_began_to_wait),
      YARD_TEST(a_create_that_finds_its_task_hears_of_its_end_in_the_same_unit),
      LANES_TEST(what_another_unit_held_and_left_is_found_soon),
      LANES_TEST(what_another_unit_took_is_given_up_soon),
      LANES_TEST(a_claim_that_does_not_wait_looks_at_held_tasks_a_few_times),
      LANES_TEST(all_who_wait_get_what_another_unit_held_and_left),
      LANES_TEST(whoever_waits_on_looks_at_held_tasks_when_others_have_given_up),
      LANES_TEST(two_lanes_may_sweep_at_once),
      LANES_TEST(a_store_is_well_when_another_lane_has_worked_since_one_began_to_fail),
      LANES_TEST(after_a_commit_of_unknown_outcome_those_who_wait_look_again),
      LANES_TEST(a_key_is_in_progress_for_other_lanes_too),
      LANES_TEST(and_while_its_claim_looks_again_soon),
      YARD_TEST(and_in_the_very_unit_that_serves_its_claim),
      LANES_TEST(a_claim_with_a_key_is_served_in_a_unit_that_knows_its_key),
      LANES_TEST(a_kept_answer_is_replaced_only_by_those_who_loaded_it),
  };
  (void)log_open("/dev/null");  // failures are reported there
  return cmocka_run_group_tests(tests, NULL, NULL);
}
