// moment_test.c: points in time, read and written.
#include "app/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

// 2026-01-01T09:30:00Z
#define MORNING 1767259800000LL

static void assert_read(const char *text, int64_t expected) {
  int64_t ms = 0;
  assert_true(moment_parse(str_of(text), &ms));
  assert_int_equal(ms, expected);
}

static void a_number_is_milliseconds(void **state) {
  (void)state;
  assert_read("0", 0);
  assert_read("1767259800000", MORNING);
}

static void utc_and_offsets_are_read(void **state) {
  (void)state;
  assert_read("2026-01-01T09:30:00Z", MORNING);
  assert_read("2026-01-01T09:30Z", MORNING);
  assert_read("2026-01-01 09:30:00Z", MORNING);
  assert_read("2026-01-01T11:30:00+02:00", MORNING);
  assert_read("2026-01-01T04:00:00-05:30", MORNING);
}

static void fractions_count_to_the_millisecond(void **state) {
  (void)state;
  assert_read("2026-01-01T09:30:00.25Z", MORNING + 250);
  assert_read("2026-01-01T09:30:00.0019Z", MORNING + 1);
}

static void without_a_zone_it_is_local_time(void **state) {
  (void)state;
  setenv("TZ", "UTC-3", 1);  // three hours ahead of UTC
  tzset();
  assert_read("2026-01-01T12:30:00", MORNING);
  assert_read("2026-01-01 12:30", MORNING);
  unsetenv("TZ");
  tzset();
}

static void what_is_no_time_is_refused(void **state) {
  (void)state;
  static const char *const wrong[] = {"",
                                      "tomorrow",
                                      "-1",
                                      "2026-01-01",
                                      "2026-13-01T00:00:00Z",
                                      "2026-01-01T09:30:00X",
                                      "2026-01-01T09:30:00+2",
                                      "2026-01-01T09:30:00+99:00",
                                      "2026-01-01T09:30:00Z and then some more text"};
  int64_t ms;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_false(moment_parse(str_of(wrong[i]), &ms));
}

static void assert_age(int64_t ms, int64_t now_ms, const char *expected) {
  struct buf out;
  buf_init(&out, 64);
  moment_show_age(ms, now_ms, &out);
  buf_char(&out, '\0');
  assert_string_equal(out.at, expected);
  buf_fini(&out);
}

static void assert_shown(int64_t ms, const char *expected) {
  struct buf out;
  buf_init(&out, 64);
  moment_show(ms, &out);
  buf_char(&out, '\0');
  assert_string_equal(out.at, expected);
  buf_fini(&out);
}

static void a_moment_is_written_in_utc(void **state) {
  (void)state;
  assert_shown(MORNING + 7, "2026-01-01T09:30:00.007Z");
}

// Documents that are imported may tell of births.
static void a_moment_before_1970_is_written_as_well(void **state) {
  (void)state;
  assert_shown(-1, "1969-12-31T23:59:59.999Z");
  assert_shown(-1000, "1969-12-31T23:59:59.000Z");
  assert_shown(-1500, "1969-12-31T23:59:58.500Z");
  assert_shown(-62135596800000, "0001-01-01T00:00:00.000Z");
}

static void what_is_before_1970_in_utc_is_refused(void **state) {
  (void)state;
  int64_t ms = 7;
  assert_false(moment_parse(STR("1970-01-01T00:00:00+02:00"), &ms));
  assert_int_equal(ms, 7);
  assert_read("1970-01-01T02:00:00+02:00", 0);
}

static void an_age_has_its_biggest_unit(void **state) {
  (void)state;
  assert_age(MORNING, MORNING, "0s");
  assert_age(MORNING, MORNING + 59999, "59s");
  assert_age(MORNING, MORNING + 60000, "1m");
  assert_age(MORNING, MORNING + 7200000, "2h");
  assert_age(MORNING, MORNING + 4LL * 86400000, "4d");
  assert_age(MORNING + 300000, MORNING, "in 5m");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_number_is_milliseconds),
      cmocka_unit_test(utc_and_offsets_are_read),
      cmocka_unit_test(fractions_count_to_the_millisecond),
      cmocka_unit_test(without_a_zone_it_is_local_time),
      cmocka_unit_test(what_is_no_time_is_refused),
      cmocka_unit_test(a_moment_is_written_in_utc),
      cmocka_unit_test(a_moment_before_1970_is_written_as_well),
      cmocka_unit_test(what_is_before_1970_in_utc_is_refused),
      cmocka_unit_test(an_age_has_its_biggest_unit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
