// sweep_test.c: what happens by time: leases lost, timeouts, due times, expiry, grace.
#include "base/log.h"
#include "engine/testing.h"

static void a_lost_lease_is_another_attempt_and_without_one_left_the_task_is_abandoned(
    void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->attempts_max = 2;
  struct id id = created(a);
  taken_one(y, id);
  assert_int_equal(y->next_at, y->now + LEASE_MS);
  pass(y, LEASE_MS - 1);
  assert_status(y, id, TASK_RUNNING);
  pass(y, 1);
  assert_status(y, id, TASK_PENDING);
  assert_int_equal(last_event(y), EVENT_LEASE_LOST);
  assert_text(kept(y, id)->error_code, "lease_lost");
  assert_int_equal(y->next_at, 0);
  taken_one(y, id);
  pass(y, LEASE_MS);
  assert_status(y, id, TASK_ABANDONED);
  assert_int_equal(last_event(y), EVENT_ABANDONED);
  assert_int_equal(y->next_at, 0);
}

static void an_attempt_past_its_timeout_fails_although_its_worker_lives(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->timeout_ms = 5000;
  struct id id = created(a);
  struct task task = taken_one(y, id);
  assert_int_equal(task.lease_expires_at, y->now + 5000);
  y->now += 4000;
  ask(reporting(y, &task));
  pass(y, 1000);
  assert_int_equal(kept(y, id)->waiting, WAIT_RETRY);
  assert_text(kept(y, id)->error_code, "timeout");
  assert_int_equal(last_event(y), EVENT_ATTEMPT_FAILED);
  assert_int_equal(ask(reporting(y, &task)), ERR_LEASE_LOST);
}

static void a_task_comes_due_at_its_time(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  a->order.in.create.items[0].delay_ms = 300;
  struct id id = created(a);
  pass(y, 299);
  assert_int_equal(kept(y, id)->waiting, WAIT_TIME);
  pass(y, 1);
  assert_int_equal(kept(y, id)->waiting, WAIT_WORKER);
  assert_int_equal(last_event(y), EVENT_DUE);
}

static void a_pending_task_expires_whatever_it_waits_for_and_a_running_one_does_not(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 4);
  for (size_t i = 0; i < 4; i++) item_of(a, i)->expires_at = y->now + 1000;
  a->order.in.create.items[1].hold = true;
  item_of(a, 2)->run_at = y->now + 9000;
  ask(a);
  taken_one(y, a->tasks[3].id);
  pass(y, 1000);
  for (size_t i = 0; i < 3; i++) {
    assert_status(y, a->tasks[i].id, TASK_CANCELLED);
    assert_text(kept(y, a->tasks[i].id)->error_code, "expired");
  }
  assert_status(y, a->tasks[3].id, TASK_RUNNING);
}

static void what_comes_back_behind_its_expiry_ends_and_is_not_given_to_who_waits(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 2), *waits;
  item_of(a, 0)->expires_at = y->now + 1000;
  ask(a);
  taken_one(y, a->tasks[0].id);
  y->now += 5;
  taken_one(y, a->tasks[1].id);
  waits = parked(y, "t", 50000);
  pass(y, LEASE_MS - 5);
  assert_status(y, a->tasks[0].id, TASK_CANCELLED);
  assert_text(kept(y, a->tasks[0].id)->error_code, "expired");
  assert_int_equal(last_event(y), EVENT_EXPIRED);
  assert_int_equal(waits->answers, 0);
  assert_int_equal(y->next_at, y->now + 5);
}

// Its worker fails it for a retry at once, or gives it back, when its time is over.
static void what_its_worker_gives_back_behind_its_expiry_ends_too(void **state) {
  struct yard *y = *state;
  static const enum settle_verb verbs[] = {SETTLE_FAIL, SETTLE_RELEASE};
  for (int i = 0; i < 2; i++) {
    struct ask *a = creating(y, "t", 1);
    item_of(a, 0)->expires_at = y->now + 1000;
    ask(a);
    struct task task = taken_one(y, a->tasks[0].id);
    struct ask *waits = parked(y, "t", 50000), *back = settling(y, &task, verbs[i]);
    y->now += 1000;
    back->order.in.settle.items[0].delay_ms = 0;
    back->order.claim = (struct claim_filter){.limit = 1, .worker = STR("w")};
    assert_int_equal(ask(back), ERR_OK);
    assert_status(y, task.id, TASK_CANCELLED);
    assert_int_equal(last_event(y), EVENT_EXPIRED);
    assert_text(y->store.events[y->store.event_count - 1].actor, "system");
    assert_int_equal(back->claimed_count, 0);
    assert_int_equal(waits->answers, 0);
    ask(creating(y, "t", 1));
    assert_int_equal(waits->claimed_count, 1);
  }
}

static void what_is_due_since_long_ago_is_due_now(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->expires_at = y->now - 3600 * 1000;
  submit(a);
  assert_true(engine_turn(y->e, &y->next_at));
  assert_int_equal(y->store.tasks[0].wake_at, y->now);
  turn(y);
  assert_status(y, a->tasks[0].id, TASK_CANCELLED);
}

// The sweep is the last order of its unit.
static void what_orders_before_have_moved_is_left_to_them(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 3), *later, *now;
  for (size_t i = 0; i < 3; i++) a->order.in.create.items[i].delay_ms = 100;
  ask(a);
  y->now += 100;
  later = about(y, ORDER_EDIT, a->tasks[0].id);
  later->order.in.edit = (struct edit_input){.set_run_at = true, .run_at = y->now + 50};
  now = about(y, ORDER_EDIT, a->tasks[1].id);
  now->order.in.edit = (struct edit_input){.set_run_at = true};
  submit(later), submit(now), submit(about(y, ORDER_DELETE, a->tasks[2].id));
  turn(y);
  assert_int_equal(kept(y, a->tasks[0].id)->waiting, WAIT_TIME);
  assert_int_equal(kept(y, a->tasks[1].id)->waiting, WAIT_WORKER);
  assert_null(fake_find(&y->store, a->tasks[2].id));
  assert_int_equal(y->next_at, y->now + 50);
  for (size_t i = 0; i < y->store.event_count; i++)
    assert_int_not_equal(y->store.events[i].kind, EVENT_DUE);
}

static void what_is_due_at_once_is_moved_on_in_units_of_a_size(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1000);
  for (size_t i = 0; i < 1000; i++) a->order.in.create.items[i].delay_ms = 10;
  ask(a);
  y->now += 10;
  assert_true(engine_turn(y->e, &y->next_at));
  size_t ready = 0;
  for (size_t i = 0; i < 1000; i++) ready += y->store.tasks[i].waiting == WAIT_WORKER;
  assert_int_equal(ready, LIMIT_SWEEP_ITEMS);
  turn(y);
  for (size_t i = 0; i < 1000; i++) assert_int_equal(y->store.tasks[i].waiting, WAIT_WORKER);
}

static void an_idle_engine_asks_for_nothing(void **state) {
  struct yard *y = *state;
  made(y, "t");
  parked(y, "other", 50000);
  size_t loads = y->store.loads;
  pass(y, 10000);
  pass(y, 10000);
  assert_int_equal(y->store.loads, loads);
}

static void a_restart_finds_the_leases_that_ran_out_meanwhile(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  engine_close(y->e);
  y->now += 10 * LEASE_MS;
  yard_open_engine(y);
  turn(y);
  assert_status(y, task.id, TASK_PENDING);
}

static void a_sweep_that_cannot_be_committed_is_tried_again_later_and_not_at_once(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  y->store.fail_apply = ERR_DISK_FULL;
  y->store.fail_applies = 2;
  size_t applies = y->store.applies;
  pass(y, LEASE_MS);
  assert_int_equal(y->store.applies, applies + 1);
  assert_true(y->next_at > y->now);
  pass(y, y->next_at - y->now);
  assert_int_equal(y->store.applies, applies + 2);
  assert_status(y, task.id, TASK_RUNNING);
  pass(y, y->next_at - y->now);
  assert_status(y, task.id, TASK_PENDING);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_lost_lease_is_another_attempt_and_without_one_left_the_task_is_abandoned),
      YARD_TEST(an_attempt_past_its_timeout_fails_although_its_worker_lives),
      YARD_TEST(a_task_comes_due_at_its_time),
      YARD_TEST(a_pending_task_expires_whatever_it_waits_for_and_a_running_one_does_not),
      YARD_TEST(what_comes_back_behind_its_expiry_ends_and_is_not_given_to_who_waits),
      YARD_TEST(what_its_worker_gives_back_behind_its_expiry_ends_too),
      YARD_TEST(what_is_due_since_long_ago_is_due_now),
      YARD_TEST(what_is_due_at_once_is_moved_on_in_units_of_a_size),
      YARD_TEST(an_idle_engine_asks_for_nothing),
      YARD_TEST(a_restart_finds_the_leases_that_ran_out_meanwhile),
      YARD_TEST(a_sweep_that_cannot_be_committed_is_tried_again_later_and_not_at_once),
      YARD_TEST(what_orders_before_have_moved_is_left_to_them),
  };
  (void)log_open("/dev/null");  // failures are reported there
  return cmocka_run_group_tests(tests, NULL, NULL);
}
