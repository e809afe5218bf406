// retention_test.c: the cleanup where it meets others: orders of its unit, other tenants, other
// servers, several types that come of age.
#include "base/log.h"
#include "engine/inside.h"
#include "engine/testing.h"

enum { INTERVAL_MS = 60000, HOUR_MS = 3600 * 1000 };

static struct yard *keeping(struct keep keep, bool shared) {
  return yard_keeping((struct retention){.keep = keep, .interval_ms = INTERVAL_MS}, shared);
}

// Tasks that have ended, one a millisecond, the first of them now.
static void ended(struct yard *y, int64_t tenant, const char *type, enum task_status status,
                  size_t count) {
  struct ask *a = creating(y, type, count);
  a->order.tenant = tenant;
  created(a);
  for (size_t i = y->store.task_count - count; i < y->store.task_count; i++) {
    struct task *t = &y->store.tasks[i];
    t->status = status;
    t->waiting = WAIT_NONE;
    t->completed_at = y->now++;
  }
}

static size_t count_of(struct yard *y, int64_t tenant, const char *type) {
  size_t count = 0;
  for (size_t i = 0; i < y->store.task_count; i++)
    count += y->store.tasks[i].tenant == tenant && str_eq(y->store.tasks[i].type, str_of(type));
  return count;
}

static struct ask *cleaning(struct yard *y) { return ask_new(y, ORDER_CLEANUP); }

// --- what goes -----------------------------------------------------------------------------------

static void an_abandoned_task_goes_as_a_failed_one(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.failed = 1}, false);
  ended(y, 1, "t", TASK_ABANDONED, 2), ended(y, 1, "t", TASK_FAILED, 2);
  ended(y, 1, "t", TASK_ABANDONED, 1);
  struct ask *a = cleaning(y);
  submit(a);
  live(y, 1000);
  assert_int_equal(a->order.in.cleanup.removed.failed, 4);
  assert_int_equal(count_of(y, 1, "t"), 1);
  yard_end(y);
}

static void a_run_by_age_counts_once_and_one_by_number_with_each_batch(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.for_ms = HOUR_MS}, false);
  ended(y, 1, "t", TASK_COMPLETED, 2 * LIMIT_CLEANUP_ITEMS);
  y->now += HOUR_MS;
  submit(cleaning(y));
  live(y, 1000);
  assert_int_equal(count_of(y, 1, "t"), 0);
  assert_int_equal(y->store.tallies, 1);
  yard_end(y);

  y = keeping((struct keep){.completed = 1}, false);
  ended(y, 1, "t", TASK_COMPLETED, 2 * LIMIT_CLEANUP_ITEMS);
  submit(cleaning(y));
  live(y, 1000);
  assert_int_equal(count_of(y, 1, "t"), 1);
  assert_int_equal(y->store.tallies, 3);
  yard_end(y);
}

static void each_tenant_is_told_of_what_was_its_own(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1}, false);
  for (int i = 0; i < 3; i++)
    ended(y, 1, "t", TASK_COMPLETED, 2), ended(y, 2, "t", TASK_COMPLETED, 1);
  cleanup_rules_changed(y->e);  // as if they had ended by orders
  live(y, 2 * INTERVAL_MS);
  assert_int_equal(engine_cleanup(y->e, 1).removed.completed, 5);
  assert_int_equal(engine_cleanup(y->e, 2).removed.completed, 2);
  yard_end(y);
}

static void what_one_batch_has_no_room_for_is_left_to_the_next(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1}, false);
  ended(y, 1, "a", TASK_COMPLETED, LIMIT_CLEANUP_ITEMS + 1), ended(y, 1, "b", TASK_COMPLETED, 3);
  struct ask *a = cleaning(y);
  ask(a);
  assert_int_equal(count_of(y, 1, "a"), 1);
  assert_int_equal(count_of(y, 1, "b"), 3);
  live(y, 1000);
  assert_int_equal(count_of(y, 1, "b"), 1);
  yard_end(y);
}

static void a_batch_that_is_full_amid_a_type_goes_on_with_it(void **state) {
  (void)state;
  enum { EACH = LIMIT_CLEANUP_ITEMS / 5 * 3 };
  struct yard *y = keeping((struct keep){.completed = 1}, false);
  ended(y, 1, "a", TASK_COMPLETED, EACH + 1), ended(y, 1, "b", TASK_COMPLETED, EACH + 1);
  struct ask *a = cleaning(y);
  ask(a);
  assert_int_equal(count_of(y, 1, "a"), 1);
  assert_int_equal(count_of(y, 1, "b"), 1 + 2 * EACH - LIMIT_CLEANUP_ITEMS);
  live(y, 1000);
  assert_int_equal(count_of(y, 1, "b"), 1);
  assert_int_equal(a->order.in.cleanup.removed.completed, 2 * EACH);
  yard_end(y);
}

static void of_several_types_the_first_to_come_of_age_says_when_to_look_again(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct yard *y = keeping((struct keep){.for_ms = HOUR_MS}, false);
    int64_t first = y->now;
    ended(y, 1, i ? "b" : "a", TASK_COMPLETED, 1);
    y->now += 30000;
    ended(y, 1, i ? "a" : "b", TASK_COMPLETED, 1);
    cleanup_rules_changed(y->e);
    live(y, 2 * INTERVAL_MS);
    assert_int_equal(engine_cleanup(y->e, 1).next_at, first + HOUR_MS);
    yard_end(y);
  }
}

static void a_session_that_keeps_all_asks_no_type(void **state) {
  (void)state;
  struct yard *y =
      yard_keeping((struct retention){.per_tenant = true, .interval_ms = INTERVAL_MS}, false);
  struct ask *a = ask_new(y, ORDER_TYPE);
  a->order.in.type = (struct type){.tenant = 1,
                                   .name = ask_text(a, "t"),
                                   .priority = ABSENT,
                                   .timeout_ms = -1,
                                   .keep = {.completed = 1}};
  assert_int_equal(ask(a), ERR_OK);
  assert_false(engine_cleanup(y->e, 1).active);
  yard_end(y);
}

// --- orders of its unit --------------------------------------------------------------------------

// They ran into a conflict when it began, and come again before its second batch.
static void what_orders_before_it_have_deleted_or_sent_back_is_not_its_to_remove(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.failed = 10}, false);
  ended(y, 1, "t", TASK_FAILED, LIMIT_CLEANUP_ITEMS + 40);
  struct id deleted = y->store.tasks[LIMIT_CLEANUP_ITEMS + 3].id;
  struct id retried = y->store.tasks[LIMIT_CLEANUP_ITEMS + 5].id;
  struct ask *delete = about(y, ORDER_DELETE, deleted), *retry = about(y, ORDER_RETRY, retried);
  struct ask *a = cleaning(y);
  fail_next(y, ERR_CONFLICT);
  submit(delete), submit(retry);
  assert_true(engine_turn(y->e, &y->next_at));
  ask(a);
  assert_int_equal(count_of(y, 1, "t"), 40);
  size_t loads = y->store.loads;
  y->now += 100;
  assert_true(engine_turn(y->e, &y->next_at));
  assert_int_equal(y->store.loads, loads + 1);  // all of them in one unit
  live(y, 1000);
  assert_int_equal(delete->err, ERR_OK);
  assert_int_equal(retry->err, ERR_OK);
  assert_status(y, retried, TASK_PENDING);
  assert_int_equal(count_of(y, 1, "t"), 11);
  assert_int_equal(a->order.in.cleanup.removed.failed, LIMIT_CLEANUP_ITEMS + 28);
  yard_end(y);
}

static void a_batch_that_fails_ends_its_run_and_the_next_one_goes_on(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1}, false);
  ended(y, 1, "t", TASK_COMPLETED, LIMIT_CLEANUP_ITEMS + 30);
  struct ask *a = cleaning(y), *b = cleaning(y);
  fail_next(y, ERR_DISK_FULL);
  ask(a);
  assert_int_equal(a->err, ERR_DISK_FULL);
  assert_int_equal(count_of(y, 1, "t"), LIMIT_CLEANUP_ITEMS + 30);
  submit(b);
  live(y, 1000);
  assert_int_equal(b->order.in.cleanup.removed.completed, LIMIT_CLEANUP_ITEMS + 29);
  yard_end(y);
}

// --- other servers -------------------------------------------------------------------------------

static void a_run_that_lasts_says_again_that_it_is_at_it(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1}, true);
  ended(y, 1, "t", TASK_COMPLETED, 3 * LIMIT_CLEANUP_ITEMS);
  struct ask *a = cleaning(y);
  ask(a);
  int64_t until = y->store.duty.until;
  assert_true(until > y->now);
  pass(y, 1000);
  assert_int_equal(y->store.duty.until, until);  // it has said so lately
  pass(y, 7000);
  assert_int_equal(a->answers, 1);
  assert_int_equal(y->store.duty.holder, 0);
  yard_end(y);

  y = keeping((struct keep){.completed = 1}, true);
  ended(y, 1, "t", TASK_COMPLETED, 3 * LIMIT_CLEANUP_ITEMS);
  a = cleaning(y);
  ask(a);
  until = y->store.duty.until;
  pass(y, 8000);
  assert_int_equal(a->answers, 0);
  assert_true(y->store.duty.until > until);
  live(y, 1000);
  assert_int_equal(count_of(y, 1, "t"), 1);
  yard_end(y);
}

// Another server is amid a unit that says something of the cleanup.
static void while_another_speaks_of_the_cleanup_it_is_asked_again_soon(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1}, true);
  ended(y, 1, "t", TASK_COMPLETED, 3);
  struct yard *other = yard_beside(y);
  struct store_lane *speaks = other->e->lanes[0].store;
  fake_take(speaks, FAKE_LOCK_CLEANUP);
  live(y, INTERVAL_MS + 100);
  assert_int_equal(count_of(y, 1, "t"), 3);
  assert_true(y->next_at > y->now && y->next_at <= y->now + 10);
  struct ask *a = cleaning(y);
  ask(a);
  assert_string_equal(a->order.in.cleanup.skipped, "another server is at it");
  fake_unlock_all(speaks);
  live(y, 100);
  assert_int_equal(count_of(y, 1, "t"), 1);
  yard_end(other);
  yard_end(y);
}

static void a_look_of_another_at_the_cleanup_costs_a_run_under_way_a_rest_and_no_more(
    void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1}, true);
  ended(y, 1, "t", TASK_COMPLETED, 2 * LIMIT_CLEANUP_ITEMS);
  struct yard *other = yard_beside(y);
  struct store_lane *looks = other->e->lanes[0].store;
  struct ask *a = cleaning(y);
  ask(a);
  fake_take(looks, FAKE_LOCK_CLEANUP);
  live(y, 1000);
  assert_int_equal(a->answers, 0);
  assert_true(y->next_at > y->now && y->next_at <= y->now + 10);
  size_t left = count_of(y, 1, "t");
  assert_true(left > 1);
  fake_unlock_all(looks);
  live(y, 1000);
  assert_null(a->order.in.cleanup.skipped);
  assert_int_equal(a->order.in.cleanup.removed.completed, 2 * LIMIT_CLEANUP_ITEMS - 1);
  yard_end(other);
  yard_end(y);
}

// It was taken for dead, and the server that took over has died.
static void a_run_that_has_lost_the_cleanup_to_nobody_begins_anew(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1}, true);
  ended(y, 1, "t", TASK_COMPLETED, LIMIT_CLEANUP_ITEMS + 20);
  pass(y, START_MS + INTERVAL_MS - y->now);
  assert_int_equal(count_of(y, 1, "t"), 20);
  y->store.duty = (struct duty){.holder = 4711, .until = y->now};
  live(y, 1000);
  assert_int_equal(count_of(y, 1, "t"), 1);
  yard_end(y);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_abandoned_task_goes_as_a_failed_one),
      cmocka_unit_test(a_run_by_age_counts_once_and_one_by_number_with_each_batch),
      cmocka_unit_test(each_tenant_is_told_of_what_was_its_own),
      cmocka_unit_test(what_one_batch_has_no_room_for_is_left_to_the_next),
      cmocka_unit_test(of_several_types_the_first_to_come_of_age_says_when_to_look_again),
      cmocka_unit_test(a_session_that_keeps_all_asks_no_type),
      cmocka_unit_test(what_orders_before_it_have_deleted_or_sent_back_is_not_its_to_remove),
      cmocka_unit_test(a_run_that_lasts_says_again_that_it_is_at_it),
      cmocka_unit_test(while_another_speaks_of_the_cleanup_it_is_asked_again_soon),
      cmocka_unit_test(a_look_of_another_at_the_cleanup_costs_a_run_under_way_a_rest_and_no_more),
      cmocka_unit_test(a_run_that_has_lost_the_cleanup_to_nobody_begins_anew),
      cmocka_unit_test(a_batch_that_fails_ends_its_run_and_the_next_one_goes_on),
      cmocka_unit_test(a_batch_that_is_full_amid_a_type_goes_on_with_it),
  };
  (void)log_open("/dev/null");  // failures are reported there
  return cmocka_run_group_tests(tests, NULL, NULL);
}
