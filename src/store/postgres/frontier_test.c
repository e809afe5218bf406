// frontier_test.c: where claims begin to walk, and in what order they go on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres/frontier.h"

static struct arena arena;
static struct stretch *walk;

static int setup(void **state) {
  (void)state;
  arena_init(&arena, 1 << 16);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

static struct id id_of(uint64_t n) { return (struct id){.hi = n, .lo = 1}; }

static void lower(struct frontier *f, int64_t rank, uint64_t n, uint64_t oldest) {
  frontier_lower(f, rank, id_of(n), id_of(oldest));
}

// By a walk that saw it as it is.
static void give(struct frontier *f, int64_t rank, uint64_t n) {
  const struct frontier seen = *f;
  frontier_raise(f, &seen, rank, id_of(n));
}

static struct frontier walked(int64_t rank, uint64_t n) {
  struct frontier f = {.walked_at = 1};
  give(&f, rank, n);
  return f;
}

static size_t plan(const struct frontier *all, size_t count, bool by_level) {
  return frontier_plan(all, count, by_level, &arena, &walk);
}

static void check(size_t i, size_t step, int64_t rank, uint64_t n, int64_t rank_end) {
  assert_int_equal(walk[i].step, step);
  assert_int_equal(walk[i].rank, rank);
  assert_int_equal(walk[i].id.hi, n);
  assert_int_equal(walk[i].rank_end, rank_end);
}

// --- one channel ---------------------------------------------------------------------------------

static void what_was_never_walked_is_walked_from_the_front(void **state) {
  (void)state;
  struct frontier f = {0};
  assert_int_equal(plan(&f, 1, true), 1);
  check(0, 0, RANK_FRONT, 0, RANK_END);
}

static void a_walk_begins_at_the_task_that_was_given_last(void **state) {
  (void)state;
  struct frontier f = walked(-5, 100);
  give(&f, -5, 120);
  assert_int_equal(plan(&f, 1, false), 1);
  check(0, 0, -5, 120, RANK_END);
}

static void what_becomes_ready_before_it_lowers_a_frontier(void **state) {
  (void)state;
  struct frontier f = walked(-5, 100);
  lower(&f, -5, 130, 130);
  assert_int_equal(f.lowered, 0);
  lower(&f, -5, 90, 90);
  assert_int_equal(f.id.hi, 90);
  lower(&f, -7, 140, 140);
  assert_int_equal(f.rank, -7);
  assert_int_equal(f.id.hi, 140);
  assert_int_equal(f.lowered, 2);
}

// What the walk saw is older than what became ready since.
static void what_was_lowered_meanwhile_is_not_raised(void **state) {
  (void)state;
  struct frontier f = walked(-3, 40);
  give(&f, -5, 70);
  const struct frontier seen = f;
  lower(&f, -5, 60, 60);
  frontier_raise(&f, &seen, -3, id_of(45));
  frontier_raise(&f, &seen, -5, id_of(75));
  assert_int_equal(f.rank, -5);
  assert_int_equal(f.id.hi, 60);
  assert_int_equal(f.levels[0].id.hi, 60);
  assert_int_equal(f.levels[1].id.hi, 45);
}

// Tasks of other channels may lie between two of a claim's; the last is told first.
static void of_several_tasks_that_a_claim_was_given_the_first_counts(void **state) {
  (void)state;
  struct frontier f = {.walked_at = 1}, seen = f;
  frontier_raise(&f, &seen, -7, id_of(50));
  frontier_raise(&f, &seen, -7, id_of(20));
  assert_int_equal(f.id.hi, 20);
  assert_int_equal(f.levels[0].id.hi, 20);
}

// Before the first walk nothing is known; what becomes ready meanwhile must not hide what is
// better.
static void a_first_walk_is_not_disturbed_but_told(void **state) {
  (void)state;
  struct frontier f = {.rank = RANK_FRONT}, seen = f;
  lower(&f, -5, 60, 60);
  assert_int_equal(f.rank, RANK_FRONT);
  frontier_raise(&f, &seen, -3, id_of(40));
  assert_int_equal(f.rank, RANK_FRONT);
  frontier_raise(&f, &(const struct frontier){.lowered = f.lowered}, -3, id_of(40));
  assert_int_equal(f.rank, -3);
}

static void what_is_drained_begins_with_what_becomes_ready(void **state) {
  (void)state;
  struct frontier f = {.rank = RANK_FRONT, .walked_at = 1}, seen = f;
  frontier_drained(&f, &seen);
  assert_int_equal(plan(&f, 1, true), 1);
  check(0, 0, RANK_END, 0, RANK_END);
  lower(&f, -5, 60, 60);
  assert_int_equal(plan(&f, 1, true), 1);
  check(0, 0, -5, 60, RANK_END);
  seen = f = (struct frontier){.rank = RANK_FRONT};
  lower(&f, -5, 60, 60);  // while it was walked
  frontier_drained(&f, &seen);
  assert_int_equal(f.rank, RANK_FRONT);
}

// A better one, as in a queue with many priorities all the time, sets the beginning back alone.
static void a_better_task_does_not_keep_levels_from_rising(void **state) {
  (void)state;
  struct frontier f = walked(-3, 40);
  const struct frontier seen = f;
  lower(&f, -9, 90, 90);
  frontier_raise(&f, &seen, -3, id_of(50));
  assert_int_equal(f.rank, -9);
  assert_int_equal(f.levels[0].id.hi, 50);
}

// --- levels --------------------------------------------------------------------------------------

// 3 tasks of two priorities were given, the last told first.
static struct frontier of_two(void) {
  struct frontier f = walked(-3, 50);
  give(&f, -3, 40);
  give(&f, -5, 70);
  return f;
}

static void each_priority_has_a_level_of_its_own(void **state) {
  (void)state;
  struct frontier f = of_two();
  assert_int_equal(plan(&f, 1, true), 4);
  check(0, 0, -5, 70, -5);
  check(1, 1, -4, 0, -4);
  check(2, 2, -3, 40, -3);
  check(3, 3, -2, 0, RANK_END);
}

static void levels_are_left_aside_unless_they_are_asked_for(void **state) {
  (void)state;
  struct frontier f = of_two();
  assert_int_equal(plan(&f, 1, false), 1);
  check(0, 0, -5, 70, RANK_END);
}

static void what_becomes_ready_lowers_the_levels_behind_it(void **state) {
  (void)state;
  struct frontier f = of_two();
  lower(&f, -5, 80, 30);  // told by another node: the best of several
  assert_int_equal(f.id.hi, 70);
  assert_int_equal(f.lowered, 0);
  assert_int_equal(f.levels[1].lowered, 1);
  plan(&f, 1, true);
  check(0, 0, -5, 70, -5);
  check(2, 2, -3, 30, -3);
}

static void a_better_task_keeps_the_levels_behind_it(void **state) {
  (void)state;
  struct frontier f = of_two();
  lower(&f, -9, 200, 200);
  assert_int_equal(plan(&f, 1, true), 5);
  check(0, 0, -9, 200, -6);
  check(1, 1, -5, 70, -5);
  check(3, 3, -3, 40, -3);
}

static void a_level_before_the_frontier_is_not_walked(void **state) {
  (void)state;
  struct frontier f = of_two();
  give(&f, -3, 60);
  assert_int_equal(plan(&f, 1, true), 2);
  check(0, 0, -3, 60, -3);
}

static void the_levels_of_the_best_priorities_are_kept(void **state) {
  (void)state;
  struct frontier f = walked(100, 7);
  for (int64_t rank = 99; rank > 0; rank--) give(&f, rank, 7);
  assert_int_equal(f.level_count, FRONTIER_LEVELS);
  for (size_t i = 0; i < FRONTIER_LEVELS; i++) assert_int_equal(f.levels[i].rank, i + 1);
  give(&f, 50, 8);
  assert_int_equal(f.level_count, FRONTIER_LEVELS);
  assert_int_equal(f.levels[FRONTIER_LEVELS - 1].rank, FRONTIER_LEVELS);
}

// --- several channels ----------------------------------------------------------------------------

// Each step holds what has the same rank, whatever its channel.
static void channels_are_walked_side_by_side(void **state) {
  (void)state;
  struct frontier all[] = {walked(-5, 70), {0}, walked(-4, 10)};
  assert_int_equal(plan(all, 3, true), 9);
  check(0, 0, RANK_FRONT, 0, -6);
  assert_int_equal(walk[0].channel, 1);
  check(1, 1, -5, 70, -5);
  check(2, 1, -5, 0, -5);
  check(3, 2, -4, 0, -4);
  check(4, 2, -4, 0, -4);
  check(5, 2, -4, 10, -4);
  assert_int_equal(walk[5].channel, 2);
  check(6, 3, -3, 0, RANK_END);
  check(8, 3, -3, 0, RANK_END);
}

// The second channel has a better one than the first.
static void priorities_of_all_channels_are_walked_in_their_order(void **state) {
  (void)state;
  struct frontier all[] = {walked(5, 70), walked(3, 10)};
  assert_int_equal(plan(all, 2, true), 6);
  check(0, 0, 3, 10, 3);
  assert_int_equal(walk[0].channel, 1);
  check(1, 1, 4, 0, 4);
  check(2, 2, 5, 70, 5);
  check(3, 2, 5, 0, 5);
  check(4, 3, 6, 0, RANK_END);
  check(5, 3, 6, 0, RANK_END);
}

static void very_many_channels_are_walked_in_one_step(void **state) {
  (void)state;
  enum { MANY = 600 };
  struct frontier *all = ARENA_ARRAY(&arena, struct frontier, MANY);
  for (size_t i = 0; i < MANY; i++) all[i] = of_two();
  assert_int_equal(plan(all, MANY, true), MANY);
  check(MANY - 1, 0, -5, 70, RANK_END);
}

static void very_many_priorities_are_walked_in_one_step(void **state) {
  (void)state;
  struct frontier all[3];
  for (int64_t i = 0; i < 3; i++) {
    all[i] = walked(100 * i, 7);
    for (int64_t rank = 1; rank < FRONTIER_LEVELS; rank++) give(&all[i], 100 * i - rank, 7);
  }
  assert_int_equal(plan(all, 3, true), 3);
  check(2, 0, 200 - FRONTIER_LEVELS + 1, 7, RANK_END);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(what_was_never_walked_is_walked_from_the_front),
      CASE(a_walk_begins_at_the_task_that_was_given_last),
      CASE(what_becomes_ready_before_it_lowers_a_frontier),
      CASE(what_was_lowered_meanwhile_is_not_raised),
      CASE(of_several_tasks_that_a_claim_was_given_the_first_counts),
      CASE(a_first_walk_is_not_disturbed_but_told),
      CASE(what_is_drained_begins_with_what_becomes_ready),
      CASE(a_better_task_does_not_keep_levels_from_rising),
      CASE(each_priority_has_a_level_of_its_own),
      CASE(levels_are_left_aside_unless_they_are_asked_for),
      CASE(what_becomes_ready_lowers_the_levels_behind_it),
      CASE(a_better_task_keeps_the_levels_behind_it),
      CASE(a_level_before_the_frontier_is_not_walked),
      CASE(the_levels_of_the_best_priorities_are_kept),
      CASE(channels_are_walked_side_by_side),
      CASE(priorities_of_all_channels_are_walked_in_their_order),
      CASE(very_many_channels_are_walked_in_one_step),
      CASE(very_many_priorities_are_walked_in_one_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
