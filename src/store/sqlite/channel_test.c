// channel_test.c: channels are found by their names, and their counts move only when a unit
// commits.
#include "store/sqlite/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"

static int setup(void **state) {
  *state = sqlite_channels_new();
  return 0;
}

static int teardown(void **state) {
  sqlite_channels_free(*state);
  return 0;
}

static struct channel *get(struct channels *cs, int64_t tenant, const char *queue,
                           const char *type) {
  struct channel *c = NULL;
  assert_int_equal(sqlite_channels_get(cs, tenant, str_of(queue), str_of(type), &c, NULL), ERR_OK);
  return c;
}

static void each_triple_has_a_channel_of_its_own(void **state) {
  struct channels *cs = *state;
  struct channel *a = get(cs, 1, "q", "t");
  assert_ptr_equal(get(cs, 1, "q", "t"), a);
  assert_ptr_not_equal(get(cs, 2, "q", "t"), a);
  assert_ptr_not_equal(get(cs, 1, "t", "q"), a);
  assert_int_equal(cs->count, 3);
  assert_ptr_equal(sqlite_channels_at(cs, 1), a);
  assert_null(sqlite_channels_at(cs, 0));
  assert_null(sqlite_channels_at(cs, 4));
}

static void counts_move_when_the_unit_commits(void **state) {
  struct channels *cs = *state;
  struct channel *c = get(cs, 1, "q", "t");
  sqlite_channels_move(cs, c, TASK_PENDING, WAIT_WORKER, 1);
  sqlite_channels_move(cs, c, TASK_PENDING, WAIT_TIME, 1);
  assert_int_equal(c->counts.count[TASK_PENDING], 0);
  assert_int_equal(cs->touched_count, 1);
  sqlite_channels_settle(cs, true);
  assert_int_equal(c->counts.count[TASK_PENDING], 2);
  assert_int_equal(c->counts.ready, 1);
  assert_int_equal(cs->ready_count, 1);
  sqlite_channels_move(cs, c, TASK_PENDING, WAIT_WORKER, -1);
  sqlite_channels_move(cs, c, TASK_RUNNING, WAIT_NONE, 1);
  sqlite_channels_settle(cs, false);
  assert_int_equal(c->counts.ready, 1);
  assert_int_equal(cs->touched_count, 0);
}

static void channels_of_a_failed_unit_are_forgotten(void **state) {
  struct channels *cs = *state;
  struct channel *kept = get(cs, 1, "q", "kept");
  sqlite_channels_move(cs, kept, TASK_PENDING, WAIT_WORKER, 1);
  sqlite_channels_settle(cs, true);
  char name[32];
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 2000; i++) {
      snprintf(name, sizeof name, "type-%d-%d", round, i);
      sqlite_channels_move(cs, get(cs, 1, "q", name), TASK_PENDING, WAIT_WORKER, 1);
    }
    assert_int_equal(cs->count, 2001);
    sqlite_channels_settle(cs, false);
    assert_int_equal(cs->count, 1);
  }
  for (size_t i = 0, used = 0; i <= CHANNEL_SLOTS; i++) {
    if (i == CHANNEL_SLOTS)
      assert_int_equal(used, 1);
    else
      used += cs->slots[i] != 0;
  }
  assert_ptr_equal(get(cs, 1, "q", "kept"), kept);
}

static void the_list_of_ready_channels_follows_the_counts(void **state) {
  struct channels *cs = *state;
  struct channel *c[3] = {get(cs, 1, "q", "a"), get(cs, 1, "q", "b"), get(cs, 1, "q", "c")};
  for (int i = 0; i < 3; i++) sqlite_channels_move(cs, c[i], TASK_PENDING, WAIT_WORKER, 1);
  sqlite_channels_settle(cs, true);
  assert_int_equal(cs->ready_count, 3);
  sqlite_channels_move(cs, c[0], TASK_PENDING, WAIT_WORKER, -1);
  sqlite_channels_settle(cs, true);
  assert_int_equal(cs->ready_count, 2);
  for (size_t i = 0; i < cs->ready_count; i++) {
    assert_ptr_not_equal(cs->ready[i], c[0]);
    assert_int_equal(cs->ready[i]->ready_at, i);
  }
}

static void a_number_that_cannot_be_is_refused(void **state) {
  struct channels *cs = *state;
  const struct tally tally = {.tenant = 1, .queue = STR("q"), .type = STR("t")};
  assert_int_equal(sqlite_channels_add(cs, &tally, 0), ERR_STORE_BROKEN);
  assert_int_equal(sqlite_channels_add(cs, &tally, LIMIT_CHANNELS + 1), ERR_STORE_BROKEN);
  assert_int_equal(sqlite_channels_add(cs, &tally, 5), ERR_OK);
  assert_int_equal(sqlite_channels_add(cs, &tally, 6), ERR_STORE_BROKEN);  // the same triple again
  assert_null(sqlite_channels_at(cs, 3));
  assert_int_equal(get(cs, 1, "q", "next")->number, 6);
}

// A store that was repaired by hand may have gaps, and its channels come in any order.
static void numbers_may_have_gaps_and_come_in_any_order(void **state) {
  struct channels *cs = *state;
  const struct tally a = {.tenant = 1, .queue = STR("q"), .type = STR("a"), .ready = 2},
                     b = {.tenant = 1, .queue = STR("q"), .type = STR("b")},
                     c = {.tenant = 1, .queue = STR("q"), .type = STR("c")};
  assert_int_equal(sqlite_channels_add(cs, &a, 7), ERR_OK);
  assert_int_equal(sqlite_channels_add(cs, &b, 3), ERR_OK);
  assert_int_equal(sqlite_channels_add(cs, &c, 3), ERR_STORE_BROKEN);  // it is taken
  assert_int_equal(cs->count, 7);
  assert_null(sqlite_channels_at(cs, 5));
  assert_int_equal(get(cs, 1, "q", "b")->number, 3);
  assert_int_equal(get(cs, 1, "q", "c")->number, 8);
  sqlite_channels_settle(cs, false);
  assert_int_equal(cs->count, 7);
  assert_int_equal(cs->ready_count, 1);
}

static size_t slot_of(int64_t tenant, const char *queue, const char *type) {
  uint64_t hash = hash_fast(str_of(type)) * 31 + hash_fast(str_of(queue)) + (uint64_t)tenant;
  return (size_t)(hash ^ hash >> 32) % CHANNEL_SLOTS;
}

static void channels_whose_hashes_meet_are_told_apart(void **state) {
  struct channels *cs = *state;
  char queue[24] = "", type[24] = "";
  const size_t slot = slot_of(1, "q", "t");
  for (int i = 0; !*queue || slot_of(1, queue, "t") != slot; i++)
    snprintf(queue, sizeof queue, "q%d", i);
  for (int i = 0; !*type || slot_of(2, "q", type) != slot; i++)
    snprintf(type, sizeof type, "t%d", i);
  struct channel *first = get(cs, 1, "q", "t"), *second = get(cs, 1, queue, "t");
  struct channel *third = get(cs, 2, "q", type);
  assert_ptr_not_equal(first, second);
  assert_ptr_not_equal(first, third);
  assert_ptr_equal(get(cs, 1, "q", "t"), first);
  assert_ptr_equal(get(cs, 1, queue, "t"), second);
  assert_ptr_equal(get(cs, 2, "q", type), third);
}

static void none_are_freed_like_any(void **state) {
  (void)state;
  sqlite_channels_free(NULL);
}

static void of_a_store_without_any_a_failed_unit_leaves_none(void **state) {
  struct channels *cs = *state;
  get(cs, 1, "q", "a"), get(cs, 1, "q", "b");
  sqlite_channels_settle(cs, false);
  assert_int_equal(cs->count, 0);
  assert_int_equal(get(cs, 1, "q", "b")->number, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(each_triple_has_a_channel_of_its_own, setup, teardown),
      cmocka_unit_test_setup_teardown(counts_move_when_the_unit_commits, setup, teardown),
      cmocka_unit_test_setup_teardown(channels_of_a_failed_unit_are_forgotten, setup, teardown),
      cmocka_unit_test_setup_teardown(the_list_of_ready_channels_follows_the_counts, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(a_number_that_cannot_be_is_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(numbers_may_have_gaps_and_come_in_any_order, setup, teardown),
      cmocka_unit_test_setup_teardown(of_a_store_without_any_a_failed_unit_leaves_none, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(none_are_freed_like_any, setup, teardown),
      cmocka_unit_test_setup_teardown(channels_whose_hashes_meet_are_told_apart, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
