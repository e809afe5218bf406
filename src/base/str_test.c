// str_test.c: slices: comparing, cutting, numbers, durations, distance.
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_str(struct str got, const char *wanted) {
  assert_true(str_eq(got, str_of(wanted)));
}

static void equality_looks_at_bytes_and_length(void **state) {
  (void)state;
  assert_true(str_eq(STR("abc"), STR("abc")));
  assert_false(str_eq(STR("abc"), STR("abd")));
  assert_false(str_eq(STR("abc"), STR("ab")));
  assert_true(str_eq(STR_NONE, STR("")));
  assert_true(str_is_none(str_of(NULL)));
}

static void case_is_ignored_in_ascii_only(void **state) {
  (void)state;
  assert_true(str_eq_nocase(STR("Content-Type"), STR("content-TYPE")));
  assert_false(str_eq_nocase(STR("[a"), STR("{a")));
  assert_false(str_eq_nocase(STR("\xC3\x89"), STR("\xC3\xA9")));
  assert_false(str_eq_nocase(STR("a"), STR("ab")));
}

static void a_prefix_starts_a_slice(void **state) {
  (void)state;
  assert_true(str_starts(STR("sqlite:x"), STR("sqlite:")));
  assert_true(str_starts(STR("x"), STR("")));
  assert_false(str_starts(STR("sql"), STR("sqlite:")));
}

static void order_is_by_bytes_and_the_shorter_goes_first(void **state) {
  (void)state;
  assert_int_equal(str_compare(STR("abc"), STR("abc")), 0);
  assert_true(str_compare(STR("ab"), STR("abc")) < 0);
  assert_true(str_compare(STR("b"), STR("abc")) > 0);
  assert_true(str_compare(STR("\x7f"), STR("\x80")) < 0);
  assert_true(str_compare(STR_NONE, STR("a")) < 0);
  assert_int_equal(str_compare(STR_NONE, STR("")), 0);
}

static void find_answers_the_length_when_there_is_none(void **state) {
  (void)state;
  assert_int_equal(str_find(STR("a.b.c"), '.'), 1);
  assert_int_equal(str_find(STR("abc"), '.'), 3);
  assert_int_equal(str_find(STR_NONE, '.'), 0);
}

static void cutting_walks_the_pieces_and_ends_with_none(void **state) {
  (void)state;
  struct str rest = STR("a,,b");
  assert_str(str_cut(&rest, ','), "a");
  assert_str(str_cut(&rest, ','), "");
  assert_false(str_is_none(rest));
  assert_str(str_cut(&rest, ','), "b");
  assert_true(str_is_none(rest));
  rest = STR("a,");
  str_cut(&rest, ',');
  assert_false(str_is_none(rest));
  assert_int_equal(rest.len, 0);
}

static void trim_takes_spaces_and_tabs_off_both_ends(void **state) {
  (void)state;
  assert_str(str_trim(STR(" \ta b\t ")), "a b");
  assert_str(str_trim(STR(" \t ")), "");
  assert_str(str_trim(STR("\na\n")), "\na\n");
  assert_str(str_trim(STR("")), "");
}

static void expect_i64(struct str text, int64_t wanted) {
  int64_t got = ~wanted;
  assert_true(str_to_i64(text, &got));
  assert_true(got == wanted);
}

static void integers_are_read_up_to_their_limits(void **state) {
  (void)state;
  expect_i64(STR("0"), 0);
  expect_i64(STR("-0"), 0);
  expect_i64(STR("+7"), 7);
  expect_i64(STR("007"), 7);
  expect_i64(STR("9223372036854775807"), INT64_MAX);
  expect_i64(STR("-9223372036854775808"), INT64_MIN);
}

static void what_is_no_integer_is_refused_and_changes_nothing(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      "-",
                                      "+",
                                      "--1",
                                      "1 ",
                                      " 1",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "one",
                                      "+-1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999"};
  int64_t got = 42;
  for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
    if (str_to_i64(str_of(texts[i]), &got)) fail_msg("'%s' is no integer", texts[i]);
  assert_false(str_to_i64(STR_NONE, &got));
  assert_int_equal(got, 42);
}

static void durations_have_units(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } rows[] = {{"250ms", 250},  {"30s", 30000},    {"5m", 300000},
              {"2h", 7200000}, {"7d", 604800000}, {"0", 0}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    int64_t got = -1;
    assert_true(str_to_duration_ms(str_of(rows[i].text), &got));
    assert_true(got == rows[i].ms);
  }
}

static void what_is_no_duration_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      "s",
                                      "30",
                                      "-1s",
                                      "1.5s",
                                      "1 s",
                                      "1w",
                                      "1S",
                                      "1sm",
                                      "1h30m",
                                      "99999999999999999999",
                                      "9223372036854775807d"};
  int64_t got = 42;
  for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
    if (str_to_duration_ms(str_of(texts[i]), &got)) fail_msg("'%s' is no duration", texts[i]);
  assert_false(str_to_duration_ms(STR_NONE, &got));
  assert_int_equal(got, 42);
}

static void distance_counts_single_edits(void **state) {
  (void)state;
  assert_int_equal(str_distance(STR("listen"), STR("listen")), 0);
  assert_int_equal(str_distance(STR("lisen"), STR("listen")), 1);
  assert_int_equal(str_distance(STR("lsiten"), STR("listen")), 2);
  assert_int_equal(str_distance(STR("kitten"), STR("sitting")), 3);
  assert_int_equal(str_distance(STR(""), STR("abc")), 3);
  assert_int_equal(str_distance(STR("abc"), STR("")), 3);
}

static void distance_gives_up_on_long_words(void **state) {
  (void)state;
  char text[65];
  memset(text, 'a', sizeof text);
  assert_int_equal(str_distance((struct str){text, 64}, (struct str){text, 63}), 1);
  assert_true(str_distance((struct str){text, 65}, STR("a")) == SIZE_MAX);
  assert_true(str_distance(STR("a"), (struct str){text, 65}) == SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equality_looks_at_bytes_and_length),
      cmocka_unit_test(case_is_ignored_in_ascii_only),
      cmocka_unit_test(a_prefix_starts_a_slice),
      cmocka_unit_test(order_is_by_bytes_and_the_shorter_goes_first),
      cmocka_unit_test(find_answers_the_length_when_there_is_none),
      cmocka_unit_test(cutting_walks_the_pieces_and_ends_with_none),
      cmocka_unit_test(trim_takes_spaces_and_tabs_off_both_ends),
      cmocka_unit_test(integers_are_read_up_to_their_limits),
      cmocka_unit_test(what_is_no_integer_is_refused_and_changes_nothing),
      cmocka_unit_test(durations_have_units),
      cmocka_unit_test(what_is_no_duration_is_refused),
      cmocka_unit_test(distance_counts_single_edits),
      cmocka_unit_test(distance_gives_up_on_long_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
