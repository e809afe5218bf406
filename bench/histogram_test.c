// histogram_test.c: buckets never flatter a quantile, and never exceed it by more than their width.
#include "bench/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct histogram h;

static int empty(void **state) {
  (void)state;
  memset(&h, 0, sizeof h);
  return 0;
}

static void an_empty_histogram_says_zero(void **state) {
  (void)state;
  assert_true(bench_histogram_ms(&h, 0.99) == 0);
}

static void every_bucket_is_at_most_a_32nd_wider_than_its_values(void **state) {
  (void)state;
  for (int64_t us = 1; us < INT64_C(1) << 36; us += us / 7 + 1) {
    memset(&h, 0, sizeof h);
    bench_histogram_add(&h, us);
    bench_histogram_add(&h, INT64_MAX);  // or the greatest value would cap the bucket
    double ms = bench_histogram_ms(&h, 0.5);
    assert_true(ms >= (double)us / 1000);
    assert_true(ms <= (double)us / 1000 * (1 + 1.0 / 32));
  }
}

static void quantiles_split_an_even_spread_where_they_should(void **state) {
  (void)state;
  for (int64_t us = 1; us <= 100000; us++) bench_histogram_add(&h, us);
  assert_true(bench_histogram_ms(&h, 0.5) >= 50 && bench_histogram_ms(&h, 0.5) < 51.7);
  assert_true(bench_histogram_ms(&h, 0.99) >= 99 && bench_histogram_ms(&h, 0.99) <= 100);
  assert_true(bench_histogram_ms(&h, 1) == 100);
}

static void a_negative_time_counts_as_none(void **state) {
  (void)state;
  bench_histogram_add(&h, -5);
  assert_int_equal(h.count, 1);
  assert_int_equal(h.max_us, 0);
}

static void merging_adds_counts_and_keeps_the_greatest(void **state) {
  (void)state;
  static struct histogram other;
  memset(&other, 0, sizeof other);
  bench_histogram_add(&h, 10);
  bench_histogram_add(&other, 30);
  bench_histogram_merge(&h, &other);
  assert_int_equal(h.count, 2);
  assert_true(bench_histogram_ms(&h, 0.5) == 0.010);
  assert_true(bench_histogram_ms(&h, 1) == 0.030);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(an_empty_histogram_says_zero, empty),
      cmocka_unit_test_setup(every_bucket_is_at_most_a_32nd_wider_than_its_values, empty),
      cmocka_unit_test_setup(quantiles_split_an_even_spread_where_they_should, empty),
      cmocka_unit_test_setup(a_negative_time_counts_as_none, empty),
      cmocka_unit_test_setup(merging_adds_counts_and_keeps_the_greatest, empty),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
