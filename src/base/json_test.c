// json_test.c: walking accepted JSON and reading its values.
#include "base/json.h"

#include "base/buf.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct str checked(struct str text) {
  struct str value;
  struct json_error error;
  assert_true(json_check(text, &value, &error));
  return value;
}

static void assert_str(struct str got, const char *wanted) {
  if (!str_eq(got, str_of(wanted))) fail_msg("'%.*s' is not '%s'", STR_FMT(got), wanted);
}

static void the_kind_is_told_by_the_value(void **state) {
  (void)state;
  assert_int_equal(json_kind(STR("null")), JSON_NULL);
  assert_int_equal(json_kind(STR("false")), JSON_FALSE);
  assert_int_equal(json_kind(STR("true")), JSON_TRUE);
  assert_int_equal(json_kind(STR("-1")), JSON_NUMBER);
  assert_int_equal(json_kind(STR("0")), JSON_NUMBER);
  assert_int_equal(json_kind(STR("\"\"")), JSON_STRING);
  assert_int_equal(json_kind(STR("[]")), JSON_ARRAY);
  assert_int_equal(json_kind(STR("{}")), JSON_OBJECT);
}

static void a_walk_gives_each_member_as_the_bytes_it_came_as(void **state) {
  (void)state;
  static const char *const wanted[][2] = {
      {"n", "1.50"},          {"s", "\"a\\\"b]\""}, {"o", "{\"x\" : [1, {}], \"y\":\"}\"}"},
      {"a", "[ \"[\\\\\" ]"}, {"", "null"},         {"k\\n", "true"},
      {"last", "-0"},
  };
  struct json_walk w = json_walk(
      checked(STR(" { \"n\" : 1.50 ,\"s\":\"a\\\"b]\" , \"o\":{\"x\" : [1, {}], \"y\":\"}\"},\n"
                  "\"a\":[ \"[\\\\\" ],\"\":null,\t\"k\\n\":true,\"last\":-0 } ")));
  struct str key, value;
  for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    assert_true(json_next(&w, &key, &value));
    assert_str(key, wanted[i][0]);
    assert_str(value, wanted[i][1]);
  }
  assert_false(json_next(&w, &key, &value));
  assert_false(json_next(&w, &key, &value));
}

static void a_walk_of_an_array_has_no_keys(void **state) {
  (void)state;
  struct json_walk w = json_walk(checked(STR("[1,\t[2,[3]] , \"x\"]")));
  struct str key, value;
  assert_true(json_next(&w, &key, &value));
  assert_true(str_is_none(key));
  assert_str(value, "1");
  assert_true(json_next(&w, &key, &value));
  assert_str(value, "[2,[3]]");
  assert_true(json_next(&w, &key, &value));
  assert_str(value, "\"x\"");
  assert_false(json_next(&w, &key, &value));
}

static void an_empty_container_has_nothing_to_walk(void **state) {
  (void)state;
  struct str key, value;
  struct json_walk w = json_walk(checked(STR("{ \n }")));
  assert_false(json_next(&w, &key, &value));
  w = json_walk(checked(STR("[]")));
  assert_false(json_next(&w, &key, &value));
}

static void a_string_without_escapes_is_borrowed(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 256);
  struct str text = STR("\"plain \xC3\xA9\"");
  bool nul = true;
  struct str got = json_string(&a, text, &nul);
  assert_ptr_equal(got.at, text.at + 1);
  assert_str(got, "plain \xC3\xA9");
  assert_false(nul);
  assert_true(json_string(&a, STR("\"\""), NULL).at != NULL);
  arena_fini(&a);
}

static void escapes_are_resolved(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 256);
  bool nul = true;
  struct str got = json_string(&a, STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), &nul);
  assert_str(got, "\"\\/\b\f\n\r\t");
  assert_false(nul);
  assert_str(json_string(&a, STR("\"a\\u0041\\u00e9\\u20AC\\ud83d\\uDE39z\""), NULL),
             "aA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\xB9z");
  assert_str(json_string(&a, STR("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""), NULL),
             "\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF");
  arena_fini(&a);
}

static void a_nul_in_a_string_is_told(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 256);
  bool nul = false;
  struct str got = json_string(&a, STR("\"a\\u0000b\""), &nul);
  assert_true(nul);
  assert_int_equal(got.len, 3);
  json_string(&a, STR("\"\\\\u0000\""), &nul);
  assert_false(nul);
  arena_fini(&a);
}

static void expect_integer(const char *text, int64_t wanted) {
  int64_t got = wanted ^ 1;
  if (!json_integer(str_of(text), &got)) fail_msg("%s is an integer", text);
  if (got != wanted) fail_msg("%s is not %lld", text, (long long)got);
}

static void expect_no_integer(const char *text) {
  int64_t got = 7;
  if (json_integer(str_of(text), &got)) fail_msg("%s is no integer", text);
  assert_int_equal(got, 7);
}

#define ZEROS_30 "000000000000000000000000000000"

static void an_integer_is_read_in_any_spelling(void **state) {
  (void)state;
  expect_integer("0", 0);
  expect_integer("-0", 0);
  expect_integer("0.000e999999999999999999999", 0);
  expect_integer("1e3", 1000);
  expect_integer("5.0", 5);
  expect_integer("100e-2", 1);
  expect_integer("-12.50E+1", -125);
  expect_integer("0.001e3", 1);
  expect_integer("1020.0", 1020);
  expect_integer("9007199254740991", 9007199254740991);
  expect_integer("-9007199254740991", -9007199254740991);
  expect_integer("9007199254740991.000", 9007199254740991);
  expect_integer("9007199254740.991e3", 9007199254740991);
  expect_integer("1" ZEROS_30 "e-30", 1);
  expect_integer("0." ZEROS_30 "1e31", 1);
  expect_integer("1e15", 1000000000000000);
}

static void a_number_that_is_no_safe_integer_is_refused(void **state) {
  (void)state;
  expect_no_integer("0.5");
  expect_no_integer("1e-1");
  expect_no_integer("1.0000000000000000000001");
  expect_no_integer("9007199254740992");
  expect_no_integer("-9007199254740992");
  expect_no_integer("9007199254740991.5");
  expect_no_integer("9007199254740993");
  expect_no_integer("1e16");
  expect_no_integer("18446744073709551617");
  expect_no_integer("1e99999999999999999999");
  expect_no_integer("1e-99999999999999999999");
  expect_no_integer("123456789012345678901234567890e-10");
  expect_no_integer("1" ZEROS_30);
}

static int64_t random_safe_integer(void) {
  int64_t value = (int64_t)(rand_u64() >> 11) >> rand_below(53);
  return rand_below(2) ? value : -value;
}

// The same value with its point moved left and the exponent that moves it back.
static void any_integer_survives_its_spellings(void **state) {
  (void)state;
  struct buf text;
  buf_init(&text, 256);
  for (unsigned round = 0; round < 20000; round++) {
    int64_t value = random_safe_integer(), got;
    long long magnitude = llabs(value), scale = 1;
    int places = (int)rand_below(16);
    for (int i = 0; i < places; i++) scale *= 10;
    buf_clear(&text);
    buf_printf(&text, "%s%lld", value < 0 ? "-" : "", magnitude / scale);
    if (places) buf_printf(&text, ".%0*lld", places, magnitude % scale);
    buf_printf(&text, "%s%d", round & 1 ? "e" : "E+", places);
    assert_true(json_integer(checked(buf_str(&text)), &got));
    assert_int_equal(got, value);
  }
  buf_fini(&text);
}

static void a_double_is_read_unless_it_is_out_of_range(void **state) {
  (void)state;
  double got = 0;
  assert_true(json_double(STR("-12.5e-1"), &got));
  assert_true(got == -1.25);
  assert_true(json_double(STR("1e-9999"), &got));
  assert_true(got == 0);
  assert_true(json_double(STR("1." ZEROS_30 ZEROS_30 ZEROS_30 "e2"), &got));
  assert_true(got == 100);
  got = 3;
  assert_false(json_double(STR("1e309"), &got));
  assert_false(json_double(STR("-1e309"), &got));
  assert_true(got == 3);
}

// Random bytes that are valid text must come back from the writer and the reader as they went in.
static void what_buf_writes_json_reads(void **state) {
  (void)state;
  static const char *const pieces[] = {
      "a", "bcdefghij",        "\"",  "\\", "\n", "\x01", "/", "\xC3\xA9", "\xE2\x82\xAC",
      " ", "\xF0\x9F\x98\xB9", "\x7f"};
  struct buf plain, written;
  struct arena a;
  buf_init(&plain, 4096);
  buf_init(&written, 4096);
  arena_init(&a, 1024);
  for (unsigned round = 0; round < 5000; round++) {
    buf_clear(&plain);
    buf_clear(&written);
    for (int64_t left = rand_below(30); left > 0; left--)
      buf_put(&plain, str_of(pieces[rand_below(sizeof pieces / sizeof *pieces)]));
    buf_json_str(&written, buf_str(&plain));
    assert_true(str_eq(json_string(&a, checked(buf_str(&written)), NULL), buf_str(&plain)));
    arena_reset(&a);
  }
  arena_fini(&a);
  buf_fini(&written);
  buf_fini(&plain);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_kind_is_told_by_the_value),
      cmocka_unit_test(a_walk_gives_each_member_as_the_bytes_it_came_as),
      cmocka_unit_test(a_walk_of_an_array_has_no_keys),
      cmocka_unit_test(an_empty_container_has_nothing_to_walk),
      cmocka_unit_test(a_string_without_escapes_is_borrowed),
      cmocka_unit_test(escapes_are_resolved),
      cmocka_unit_test(a_nul_in_a_string_is_told),
      cmocka_unit_test(an_integer_is_read_in_any_spelling),
      cmocka_unit_test(a_number_that_is_no_safe_integer_is_refused),
      cmocka_unit_test(any_integer_survives_its_spellings),
      cmocka_unit_test(a_double_is_read_unless_it_is_out_of_range),
      cmocka_unit_test(what_buf_writes_json_reads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
