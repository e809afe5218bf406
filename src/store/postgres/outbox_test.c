// outbox_test.c: what of a change the other nodes are told, and what not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres/desk.h"

static struct arena arena;
static struct outbox box;

static int setup(void **state) {
  (void)state;
  arena_init(&arena, 1 << 16);
  box = (struct outbox){0};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

static struct id id_of(uint64_t n) { return (struct id){.hi = n, .lo = n}; }

static void collect(struct row *rows, size_t count) {
  struct row **all = ARENA_ARRAY(&arena, struct row *, count);
  for (size_t i = 0; i < count; i++) all[i] = &rows[i];
  struct change change = {.rows = all, .row_count = count};
  pg_outbox_collect(&box, &change);
}

static struct notice take(void) {
  struct notice n;
  pg_outbox_take(&box, &arena, &n);
  return n;
}

static struct row ready(int64_t channel, int64_t priority, uint64_t n) {
  return (struct row){
      .fresh = true,
      .channel = channel,
      .task = {
          .id = id_of(n), .status = TASK_PENDING, .waiting = WAIT_WORKER, .priority = priority}};
}

// A row that was read, and what became of it.
static struct row moved(uint64_t n, enum task_status was, enum waiting was_waiting,
                        enum task_status is, enum waiting waiting) {
  return (struct row){.dirty = true,
                      .channel = 1,
                      .was_status = was,
                      .was_waiting = was_waiting,
                      .task = {.id = id_of(n), .status = is, .waiting = waiting}};
}

// --- ready ---------------------------------------------------------------------------------------

static void what_became_ready_is_counted_by_channel(void **state) {
  (void)state;
  struct row rows[] = {ready(3, 0, 5), ready(4, 0, 6), ready(3, 0, 7),
                       moved(8, TASK_RUNNING, WAIT_NONE, TASK_PENDING, WAIT_WORKER),
                       moved(9, TASK_PENDING, WAIT_RETRY, TASK_PENDING, WAIT_WORKER)};
  collect(rows, 5);
  assert_true(box.filled);
  struct notice n = take();
  assert_false(box.filled);
  assert_int_equal(n.ready_count, 3);
  assert_int_equal(n.ready[0].channel, 3);
  assert_int_equal(n.ready[0].count, 2);
  assert_int_equal(n.ready[1].channel, 4);
  assert_int_equal(n.ready[1].count, 1);
  assert_int_equal(n.ready[2].channel, 1);
  assert_int_equal(n.ready[2].count, 2);
  assert_int_equal(n.ended_count, 0);
}

static void what_was_ready_before_or_waits_for_something_else_is_not_told(void **state) {
  (void)state;
  struct row rows[] = {moved(1, TASK_PENDING, WAIT_WORKER, TASK_PENDING, WAIT_WORKER),
                       moved(2, TASK_PENDING, WAIT_WORKER, TASK_RUNNING, WAIT_NONE),
                       moved(3, TASK_RUNNING, WAIT_NONE, TASK_RUNNING, WAIT_NONE),
                       moved(4, TASK_RUNNING, WAIT_NONE, TASK_PENDING, WAIT_RETRY)};
  collect(rows, 4);
  assert_false(box.filled);
}

static void the_best_of_what_became_ready_is_told(void **state) {
  (void)state;
  struct row rows[] = {ready(3, 1, 50), ready(3, 2, 60), ready(3, 2, 55), ready(3, 0, 1)};
  collect(rows, 4);
  struct notice n = take();
  assert_int_equal(n.ready[0].priority, 2);
  assert_int_equal(n.ready[0].id_hi, 55);
  assert_int_equal(n.ready[0].oldest, 1);
}

static void changes_add_up_until_they_are_taken(void **state) {
  (void)state;
  struct row row = ready(3, 0, 5);
  collect(&row, 1);
  collect(&row, 1);
  assert_int_equal(take().ready[0].count, 2);
  collect(&row, 1);
  struct notice n = take();
  assert_int_equal(n.ready_count, 1);
  assert_int_equal(n.ready[0].count, 1);
  assert_int_equal(take().ready_count, 0);
}

static void more_channels_than_can_be_named_are_all(void **state) {
  (void)state;
  for (int64_t i = 1; i <= OUTBOX_CHANNELS; i++) {
    struct row row = ready(i, 0, 5);
    collect(&row, 1);
  }
  assert_false(box.all_ready);
  struct row rows[] = {ready(OUTBOX_CHANNELS + 1, 0, 5), ready(1, 0, 5)};
  collect(rows, 2);
  struct notice n = take();
  assert_true(n.all_ready);
  assert_int_equal(n.ready_count, OUTBOX_CHANNELS);
  assert_int_equal(n.ready[0].count, 2);
  collect(rows, 1);
  assert_false(take().all_ready);
}

static void what_became_ready_in_a_channel_without_a_number_is_all(void **state) {
  (void)state;
  const int64_t numbers[] = {-1, 0, LIMIT_CHANNELS + 1};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    struct row row = ready(numbers[i], 0, 5);
    collect(&row, 1);
    assert_true(box.filled);
    struct notice n = take();
    assert_true(n.all_ready);
    assert_int_equal(n.ready_count, 0);
  }
  struct row last = ready(LIMIT_CHANNELS, 0, 5);
  collect(&last, 1);
  assert_int_equal(take().ready[0].channel, LIMIT_CHANNELS);
}

// --- ended ---------------------------------------------------------------------------------------

static void what_ended_or_went_is_told_once(void **state) {
  (void)state;
  struct row rows[] = {moved(1, TASK_RUNNING, WAIT_NONE, TASK_COMPLETED, WAIT_NONE),
                       moved(2, TASK_PENDING, WAIT_WORKER, TASK_CANCELLED, WAIT_NONE),
                       moved(3, TASK_PENDING, WAIT_WORKER, TASK_PENDING, WAIT_WORKER),
                       moved(4, TASK_COMPLETED, WAIT_NONE, TASK_COMPLETED, WAIT_NONE),
                       moved(5, TASK_FAILED, WAIT_NONE, TASK_PENDING, WAIT_START)};
  rows[2].gone = rows[3].gone = true;
  collect(rows, 5);
  struct notice n = take();
  assert_int_equal(n.ended_count, 3);
  for (size_t i = 0; i < 3; i++) assert_true(id_eq(n.ended[i], id_of(i + 1)));
  assert_int_equal(n.ready_count, 0);
}

static void more_ends_than_can_be_named_are_all(void **state) {
  (void)state;
  struct row row = moved(1, TASK_RUNNING, WAIT_NONE, TASK_FAILED, WAIT_NONE);
  for (int i = 0; i < OUTBOX_ENDED; i++) collect(&row, 1);
  assert_false(box.all_ended);
  collect(&row, 1);
  struct notice n = take();
  assert_true(n.all_ended);
  assert_int_equal(n.ended_count, OUTBOX_ENDED);
}

// --- the catalogue -------------------------------------------------------------------------------

static void a_change_of_the_catalogue_is_told(void **state) {
  (void)state;
  // Only the counts are looked at.
  const struct change changes[] = {
      {.queue_count = 1}, {.type_count = 1}, {.key_count = 1}, {.tenant_count = 1}};
  const struct change empty = {0};
  pg_outbox_collect(&box, &empty);
  assert_false(box.filled);
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    pg_outbox_collect(&box, &changes[i]);
    assert_true(box.filled);
    assert_true(take().catalogue);
    assert_false(take().catalogue);
  }
}

// --- events --------------------------------------------------------------------------------------

// An event of each of these tenants, in one change; and a task that became ready, if that is
// wanted.
static void collect_events_of(int64_t first, int64_t last, bool and_ready) {
  size_t count = (size_t)(last - first + 1);
  struct change_event *events = ARENA_ARRAY(&arena, struct change_event, count);
  for (size_t i = 0; i < count; i++) events[i].event.tenant = first + (int64_t)i;
  struct row row = ready(3, 0, 5), *rows[] = {&row};
  struct change change = {
      .events = events, .event_count = count, .rows = rows, .row_count = and_ready};
  pg_outbox_collect(&box, &change);
}

// Who waits for nothing but events is worth no notice of its own.
static void tenants_that_have_more_events_are_told_once_with_the_rest(void **state) {
  (void)state;
  collect_events_of(1, 2, false);
  collect_events_of(2, 3, false);
  assert_false(box.filled);
  collect_events_of(1, 1, true);
  assert_true(box.filled);
  struct notice n = take();
  assert_int_equal(n.stirred_count, 3);
  for (size_t i = 0; i < 3; i++) assert_int_equal(n.stirred[i], i + 1);
  assert_int_equal(take().stirred_count, 0);
}

static void more_tenants_than_can_be_named_are_left_out(void **state) {
  (void)state;
  collect_events_of(1, OUTBOX_TENANTS + 1, true);
  collect_events_of(OUTBOX_TENANTS, OUTBOX_TENANTS + 9, false);
  struct notice n = take();
  assert_int_equal(n.stirred_count, OUTBOX_TENANTS);
  assert_int_equal(n.stirred[OUTBOX_TENANTS - 1], OUTBOX_TENANTS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_became_ready_is_counted_by_channel, setup, teardown),
      cmocka_unit_test_setup_teardown(what_was_ready_before_or_waits_for_something_else_is_not_told,
                                      setup, teardown),
      cmocka_unit_test_setup_teardown(the_best_of_what_became_ready_is_told, setup, teardown),
      cmocka_unit_test_setup_teardown(changes_add_up_until_they_are_taken, setup, teardown),
      cmocka_unit_test_setup_teardown(more_channels_than_can_be_named_are_all, setup, teardown),
      cmocka_unit_test_setup_teardown(what_became_ready_in_a_channel_without_a_number_is_all, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(what_ended_or_went_is_told_once, setup, teardown),
      cmocka_unit_test_setup_teardown(more_ends_than_can_be_named_are_all, setup, teardown),
      cmocka_unit_test_setup_teardown(a_change_of_the_catalogue_is_told, setup, teardown),
      cmocka_unit_test_setup_teardown(tenants_that_have_more_events_are_told_once_with_the_rest,
                                      setup, teardown),
      cmocka_unit_test_setup_teardown(more_tenants_than_can_be_named_are_left_out, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
