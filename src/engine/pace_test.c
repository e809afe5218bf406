// pace_test.c: what is counted of the lanes' work, and what is told of it.
#include "engine/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void nothing_is_known_before_work_had_to_wait(void **state) {
  (void)state;
  struct pace p = {0};
  pace_note(&p, 1000, 50, false);
  pace_note(&p, 9000, 50, false);
  assert_int_equal(pace_wait_ms(&p, 1000000), 0);
}

static void work_that_waits_takes_as_long_as_the_latest_did(void **state) {
  (void)state;
  struct pace p = {0};
  pace_note(&p, 0, 2000, true);
  pace_note(&p, 40000, 2000, true);
  assert_int_equal(pace_wait_ms(&p, 50000), 1000);
}

static void time_without_work_does_not_count(void **state) {
  (void)state;
  struct pace p = {0};
  pace_note(&p, 0, 2000, true);
  pace_note(&p, 40000, 10, false);
  pace_note(&p, 90000000, 2000, true);
  assert_int_equal(pace_wait_ms(&p, 50000), 1000);
}

static void a_new_pace_is_learnt_within_some_seconds(void **state) {
  (void)state;
  struct pace p = {0};
  int64_t at_us = 0;
  for (int i = 0; i < 100; i++, at_us += 200000) pace_note(&p, at_us, 2000, true);
  assert_in_range(pace_wait_ms(&p, 2000), 198, 200);
  for (int i = 0; i < 100; i++, at_us += 20000) pace_note(&p, at_us, 2000, true);
  assert_in_range(pace_wait_ms(&p, 2000), 20, 40);
  for (int i = 0; i < 200; i++, at_us += 20000) pace_note(&p, at_us, 2000, true);
  assert_in_range(pace_wait_ms(&p, 2000), 20, 22);
}

// 16 units of 20 ms, and then a checkpoint of 180 ms: whenever it is asked, what waits is told its
// share of these.
static void stops_that_come_once_in_many_units_have_their_share(void **state) {
  (void)state;
  struct pace p = {0};
  int64_t at_us = 0;
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < 16; i++, at_us += 20000) {
      pace_note(&p, at_us, 2000, true);
      if (round > 5) assert_in_range(pace_wait_ms(&p, 32000), 430, 560);  // truly 500
    }
    at_us += 180000;
  }
}

static void one_long_pause_weighs_no_more_than_its_share(void **state) {
  (void)state;
  struct pace p = {0};
  int64_t at_us = 0;
  for (int i = 0; i < 100; i++, at_us += 20000) pace_note(&p, at_us, 2000, true);
  pace_note(&p, at_us, 1, true);
  pace_note(&p, at_us + 5000000, 2000, true);
  assert_in_range(pace_wait_ms(&p, 2000), 60, 80);
  at_us += 5000000;
  for (int i = 1; i < 150; i++) pace_note(&p, at_us + i * 20000, 2000, true);
  assert_in_range(pace_wait_ms(&p, 2000), 20, 40);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_known_before_work_had_to_wait),
      cmocka_unit_test(work_that_waits_takes_as_long_as_the_latest_did),
      cmocka_unit_test(time_without_work_does_not_count),
      cmocka_unit_test(a_new_pace_is_learnt_within_some_seconds),
      cmocka_unit_test(stops_that_come_once_in_many_units_have_their_share),
      cmocka_unit_test(one_long_pause_weighs_no_more_than_its_share),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
