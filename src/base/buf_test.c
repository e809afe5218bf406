// buf_test.c: growing buffers and what is written into them.
#include "base/buf.h"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct buf b;

static int start(void **state) {
  (void)state;
  buf_init(&b, 1 << 20);
  return 0;
}

static int stop(void **state) {
  (void)state;
  buf_fini(&b);
  return 0;
}

static void assert_text(const char *wanted) {
  assert_false(b.overflow);
  if (!str_eq(buf_str(&b), str_of(wanted)))
    fail_msg("'%.*s' is not '%s'", STR_FMT(buf_str(&b)), wanted);
  buf_clear(&b);
}

static void an_empty_buffer_is_an_empty_text(void **state) {
  (void)state;
  assert_non_null(buf_str(&b).at);
  assert_int_equal(buf_str(&b).len, 0);
  buf_bytes(&b, NULL, 0);
  buf_put(&b, STR_NONE);
  assert_text("");
}

static void writes_follow_each_other(void **state) {
  (void)state;
  BUF_LIT(&b, "a");
  buf_char(&b, 'b');
  buf_put(&b, STR("cd"));
  buf_printf(&b, "%d%s", 5, "f");
  assert_text("abcd5f");
}

static void a_buffer_grows_to_its_maximum_exactly(void **state) {
  (void)state;
  struct buf small;
  buf_init(&small, 1000);
  for (unsigned i = 0; i < 1000; i++) buf_char(&small, 'x');
  assert_false(small.overflow);
  assert_int_equal(small.len, 1000);
  buf_char(&small, 'y');
  assert_true(small.overflow);
  assert_int_equal(small.len, 1000);
  buf_fini(&small);
}

static void after_an_overflow_nothing_slips_in(void **state) {
  (void)state;
  struct buf small;
  buf_init(&small, 10);
  BUF_LIT(&small, "12345");
  BUF_LIT(&small, "678901");
  BUF_LIT(&small, "6");
  assert_true(small.overflow);
  assert_true(str_eq(buf_str(&small), STR("12345")));
  buf_clear(&small);
  BUF_LIT(&small, "1234567890");
  assert_false(small.overflow);
  assert_true(str_eq(buf_str(&small), STR("1234567890")));
  buf_fini(&small);
}

static void a_number_or_hex_that_does_not_fit_is_left_out_whole(void **state) {
  (void)state;
  struct buf small;
  buf_init(&small, 5);
  buf_i64(&small, -1234);
  assert_false(small.overflow);
  buf_clear(&small);
  buf_i64(&small, -12345);
  assert_true(small.overflow);
  assert_int_equal(small.len, 0);
  buf_clear(&small);
  buf_hex(&small, "\x12\x34", 2);
  assert_true(str_eq(buf_str(&small), STR("1234")));
  buf_hex(&small, "\x56", 1);
  assert_true(small.overflow);
  assert_true(str_eq(buf_str(&small), STR("1234")));
  buf_fini(&small);
}

static void a_zeroed_buffer_takes_nothing(void **state) {
  (void)state;
  struct buf zero = {0};
  buf_char(&zero, 'x');
  assert_true(zero.overflow);
  assert_int_equal(buf_str(&zero).len, 0);
  buf_fini(&zero);
}

static void integers_of_every_length_are_written(void **state) {
  (void)state;
  buf_i64(&b, INT64_MIN);
  assert_text("-9223372036854775808");
  buf_i64(&b, INT64_MAX);
  assert_text("9223372036854775807");
  buf_i64(&b, 0);
  assert_text("0");
  for (int64_t power = 1; power < INT64_MAX / 10; power *= 10) {
    for (int64_t value = power - 1; value <= power + 1; value++) {
      char wanted[48];
      snprintf(wanted, sizeof wanted, "%lld%lld", (long long)value, (long long)-value);
      buf_i64(&b, value);
      buf_i64(&b, -value);
      assert_text(wanted);
    }
  }
}

static void random_integers_are_written_as_printf_does(void **state) {
  (void)state;
  for (unsigned round = 0; round < 20000; round++) {
    int64_t value = (int64_t)rand_u64() >> rand_below(64);
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%lld", (long long)value);
    buf_i64(&b, value);
    assert_text(wanted);
  }
}

static void bytes_are_written_in_hex(void **state) {
  (void)state;
  buf_hex(&b, "\x00\x7f\xff", 3);
  assert_text("007fff");
}

static void long_formatted_text_is_not_cut(void **state) {
  (void)state;
  buf_printf(&b, "%1000d", 1);
  assert_int_equal(b.len, 1000);
}

static void json_strings_are_escaped(void **state) {
  (void)state;
  buf_json_str(&b, STR(""));
  assert_text("\"\"");
  buf_json_str(&b, STR_NONE);
  assert_text("\"\"");
  buf_json_str(&b, STR("plain and long enough for a word"));
  assert_text("\"plain and long enough for a word\"");
  buf_json_str(&b, STR("\"\\/\b\f\n\r\t\x01\x1f\x7f"));
  assert_text("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
  buf_json_str(&b, STR("nul \0 in the middle"));
  assert_text("\"nul \\u0000 in the middle\"");
}

static void every_place_of_a_quote_is_found(void **state) {
  (void)state;
  for (size_t len = 1; len < 40; len++) {
    for (size_t at = 0; at < len; at++) {
      char text[40];
      memset(text, 'a', len);
      text[at] = '"';
      buf_json_str(&b, (struct str){text, len});
      assert_int_equal(b.len, len + 3);
      assert_int_equal(b.at[1 + at], '\\');
      buf_clear(&b);
    }
  }
}

static void utf8_is_kept_and_what_is_not_is_replaced(void **state) {
  (void)state;
  buf_json_str(&b, STR("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\xB9"));
  assert_text("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\xB9\"");
  buf_json_str(&b, STR("a\xff"
                       "b\xC3"));
  assert_text(
      "\"a\xEF\xBF\xBD"
      "b\xEF\xBF\xBD\"");
}

#define BUF_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      BUF_TEST(an_empty_buffer_is_an_empty_text),
      BUF_TEST(writes_follow_each_other),
      BUF_TEST(a_buffer_grows_to_its_maximum_exactly),
      BUF_TEST(after_an_overflow_nothing_slips_in),
      BUF_TEST(a_number_or_hex_that_does_not_fit_is_left_out_whole),
      BUF_TEST(a_zeroed_buffer_takes_nothing),
      BUF_TEST(integers_of_every_length_are_written),
      BUF_TEST(random_integers_are_written_as_printf_does),
      BUF_TEST(bytes_are_written_in_hex),
      BUF_TEST(long_formatted_text_is_not_cut),
      BUF_TEST(json_strings_are_escaped),
      BUF_TEST(every_place_of_a_quote_is_found),
      BUF_TEST(utf8_is_kept_and_what_is_not_is_replaced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
