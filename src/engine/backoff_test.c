// backoff_test.c: how long a failed task waits before its next attempt.
#include "engine/testing.h"

static void a_fixed_backoff_is_the_same_each_time(void **state) {
  (void)state;
  struct backoff b = {.kind = BACKOFF_FIXED, .delay_ms = 700, .delay_max_ms = 5000};
  for (int64_t attempt = 1; attempt <= LIMIT_ATTEMPTS; attempt++)
    assert_int_equal(engine_backoff_ms(&b, attempt, 0.9), 700);
  b.delay_max_ms = 500;
  assert_int_equal(engine_backoff_ms(&b, 1, 0), 500);
}

static void an_exponential_backoff_doubles_up_to_its_maximum(void **state) {
  (void)state;
  struct backoff b = {.delay_ms = 1000, .delay_max_ms = 10000};
  static const int64_t WAITS[] = {1000, 2000, 4000, 8000, 10000, 10000};
  for (int64_t i = 0; i < 6; i++) assert_int_equal(engine_backoff_ms(&b, i + 1, 0), WAITS[i]);
}

static void no_number_of_attempts_overflows(void **state) {
  (void)state;
  struct backoff b = {.delay_ms = LIMIT_DELAY_MS - 1, .delay_max_ms = LIMIT_DELAY_MS};
  assert_int_equal(engine_backoff_ms(&b, LIMIT_ATTEMPTS, 0), LIMIT_DELAY_MS);
  b = (struct backoff){.delay_ms = 1, .delay_max_ms = LIMIT_DELAY_MS};
  assert_int_equal(engine_backoff_ms(&b, INT64_MAX, 0), LIMIT_DELAY_MS);
}

static void jitter_only_shortens_and_by_its_percentage_at_most(void **state) {
  (void)state;
  struct backoff b = {
      .kind = BACKOFF_FIXED, .delay_ms = 1000, .delay_max_ms = 1000, .jitter_percent = 20};
  assert_int_equal(engine_backoff_ms(&b, 1, 0), 1000);
  assert_int_equal(engine_backoff_ms(&b, 1, 0.5), 900);
  for (int i = 0; i < 1000; i++) {
    int64_t wait = engine_backoff_ms(&b, 1, i / 1000.0);
    assert_true(wait > 800 && wait <= 1000);
  }
  b.jitter_percent = 100;
  assert_true(engine_backoff_ms(&b, 1, 0.9999) >= 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_fixed_backoff_is_the_same_each_time),
      cmocka_unit_test(an_exponential_backoff_doubles_up_to_its_maximum),
      cmocka_unit_test(no_number_of_attempts_overflows),
      cmocka_unit_test(jitter_only_shortens_and_by_its_percentage_at_most),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
