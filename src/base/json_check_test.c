// json_check_test.c: what counts as JSON, where it stops being JSON, and that nothing breaks it.
#include "base/json.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// Checks a copy of exactly its size, so that a sanitizer sees a read past either end.
static bool accepts(struct str text, struct json_error *error) {
  char *copy = mem_alloc(text.len);
  if (text.len) memcpy(copy, text.at, text.len);
  struct str value = STR_NONE;
  bool accepted = json_check((struct str){copy, text.len}, &value, error);
  if (accepted)
    assert_in_range(value.len, 1, text.len);
  else
    assert_in_range(error->offset, 0, text.len);
  mem_free(copy);
  return accepted;
}

static const struct {
  struct str text;
  bool accepted;
  const char *what;
} cases[] = {
#define ROW(text, accepted, what) {{text, sizeof(text) - 1}, accepted, what},
#define Y(text, what) ROW(text, true, what)
#define N(text, what) ROW(text, false, what)
#define I_TAKEN(text, what) ROW(text, true, what)
#define I_REFUSED(text, what) ROW(text, false, what)
#include "base/json_cases.def"
#undef I_REFUSED
#undef I_TAKEN
#undef N
#undef Y
#undef ROW
};

enum { CASE_COUNT = sizeof cases / sizeof *cases };

static void every_case_of_the_table_is_decided_as_it_says(void **state) {
  (void)state;
  unsigned wrong = 0;
  for (unsigned i = 0; i < CASE_COUNT; i++) {
    struct json_error error;
    if (accepts(cases[i].text, &error) == cases[i].accepted) continue;
    print_error("%.*s: %s\n", STR_FMT(cases[i].text), cases[i].what);
    wrong++;
  }
  assert_int_equal(wrong, 0);
}

// Blanks around it move a case to every place within the words that the scanner reads.
static void a_case_is_decided_alike_wherever_its_bytes_lie(void **state) {
  (void)state;
  static const char blanks[] = "         ";
  struct buf text;
  buf_init(&text, 1 << 16);
  for (unsigned i = 0; i < CASE_COUNT; i++) {
    for (unsigned around = 0; around < 81; around++) {
      struct json_error error;
      buf_clear(&text);
      buf_bytes(&text, blanks, around % 9);
      buf_put(&text, cases[i].text);
      buf_bytes(&text, blanks, around / 9);
      assert_int_equal(accepts(buf_str(&text), &error), cases[i].accepted);
    }
  }
  buf_fini(&text);
}

static void the_value_comes_without_the_blanks_around_it(void **state) {
  (void)state;
  struct str value;
  struct json_error error;
  assert_true(json_check(STR(" \n{\"a\": 1 } \t"), &value, &error));
  assert_true(str_eq(value, STR("{\"a\": 1 }")));
}

static struct str nested(struct buf *text, unsigned depth, char open, char close) {
  buf_clear(text);
  for (unsigned i = 0; i < depth; i++) {
    if (open == '{')
      BUF_LIT(text, "{\"k\":");
    else
      buf_char(text, open);
  }
  if (open == '{') buf_char(text, '0');
  for (unsigned i = 0; i < depth; i++) buf_char(text, close);
  return buf_str(text);
}

static void depth_64_is_accepted_and_65_is_not(void **state) {
  (void)state;
  struct buf text;
  struct json_error error;
  buf_init(&text, 1 << 20);
  assert_true(accepts(nested(&text, JSON_DEPTH_MAX, '[', ']'), &error));
  assert_true(accepts(nested(&text, JSON_DEPTH_MAX, '{', '}'), &error));
  assert_false(accepts(nested(&text, JSON_DEPTH_MAX + 1, '[', ']'), &error));
  assert_int_equal(error.offset, JSON_DEPTH_MAX);
  assert_string_equal(error.message, "depth is over 64");
  assert_false(accepts(nested(&text, JSON_DEPTH_MAX + 1, '{', '}'), &error));
  assert_false(accepts(nested(&text, 100000, '[', ']'), &error));
  buf_fini(&text);
}

static void closing_and_opening_again_does_not_add_depth(void **state) {
  (void)state;
  struct buf text;
  struct json_error error;
  buf_init(&text, 1 << 20);
  buf_char(&text, '[');
  for (unsigned i = 0; i < 1000; i++) BUF_LIT(&text, "[{\"a\":[]}],");
  BUF_LIT(&text, "{}]");
  assert_true(accepts(buf_str(&text), &error));
  buf_fini(&text);
}

static void expect_error(struct str text, size_t offset, const char *message) {
  struct json_error error;
  assert_false(accepts(text, &error));
  assert_string_equal(error.message, message);
  assert_int_equal(error.offset, offset);
}

static void an_error_says_where_and_why(void **state) {
  (void)state;
  expect_error(STR(""), 0, "a value was expected here");
  expect_error(STR("{\"a\":tru}"), 5, "a value was expected here");
  expect_error(STR("{\"a\" 1}"), 5, "a colon was expected here");
  expect_error(STR("{\"a\":1 \"b\"}"), 7, "a comma or } was expected here");
  expect_error(STR("[1 2]"), 3, "a comma or ] was expected here");
  expect_error(STR("{\"a\":1,}"), 7, "a key in quotes was expected here");
  expect_error(STR("[01]"), 1, "a number starts with a needless 0");
  expect_error(STR("[-]"), 2, "a number needs a digit here");
  expect_error(STR("[1.x]"), 3, "a number needs a digit after its point");
  expect_error(STR("[1e]"), 3, "a number needs a digit in its exponent");
  expect_error(STR("[\"abc"), 5, "a string is not closed");
  expect_error(STR("[\"a\tb\"]"), 3, "a control character in a string; escape it");
  expect_error(STR("[\"a\\x\"]"), 3, "an unknown escape in a string");
  expect_error(STR("[\"a\\u12\"]"), 3, "a \\u escape needs four hexadecimal digits");
  expect_error(STR("[\"a\\ud800\"]"), 3, "a \\u escape is half of a surrogate pair");
  expect_error(STR("[\"a\\ud800\\ue000\"]"), 3, "a \\u escape is half of a surrogate pair");
  expect_error(STR("[\"a\xff\"]"), 3, "a string is not valid UTF-8");
  expect_error(STR("{} x"), 3, "more text after the end of the value");
}

static void a_position_is_told_in_lines_and_columns(void **state) {
  (void)state;
  struct str text = STR("{\n  \"a\": x\n}");
  size_t line, column;
  json_position(text, 9, &line, &column);
  assert_int_equal(line, 2);
  assert_int_equal(column, 8);
  json_position(text, 0, &line, &column);
  assert_int_equal(line, 1);
  assert_int_equal(column, 1);
  json_position(text, text.len, &line, &column);
  assert_int_equal(line, 3);
  assert_int_equal(column, 2);
}

static size_t encode(unsigned point, char out[4]) {
  if (point < 0x80) return out[0] = (char)point, 1;
  size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  for (size_t i = length - 1; i > 0; i--, point >>= 6) out[i] = (char)(0x80 | (point & 0x3f));
  out[0] = (char)(0xf00 >> length | point);
  return length;
}

static void every_character_of_unicode_is_accepted_and_no_surrogate(void **state) {
  (void)state;
  for (unsigned point = 0x80; point <= 0x110000; point++) {
    char text[6] = {'"'};
    size_t length = encode(point, text + 1);
    text[1 + length] = '"';
    struct str value;
    struct json_error error;
    bool character = point < 0x110000 && (point < 0xd800 || point > 0xdfff);
    assert_int_equal(utf8_length(text + 1, text + 1 + length), character ? length : 0);
    assert_int_equal(json_check((struct str){text, length + 2}, &value, &error), character);
  }
}

static void a_text_cut_anywhere_is_refused(void **state) {
  (void)state;
  struct str text =
      STR("{\"k\":[1.5e3,\"\\ud83d\\ude39 \xF0\x9F\x98\xB9\",true,null,{\"\":false}]}");
  struct json_error error;
  assert_true(accepts(text, &error));
  for (size_t len = 0; len < text.len; len++)
    assert_false(accepts((struct str){text.at, len}, &error));
}

// Reads all there is to read, and counts it, so that nothing is optimised away.
static size_t read_all(struct arena *a, struct str value) {
  enum json_kind kind = json_kind(value);
  int64_t integer = 0;
  double number = 0;
  bool nul = false;
  if (kind == JSON_STRING) return json_string(a, value, &nul).len + nul;
  if (kind == JSON_NUMBER)
    return (size_t)json_integer(value, &integer) + (size_t)json_double(value, &number);
  if (kind != JSON_ARRAY && kind != JSON_OBJECT) return 1;
  size_t sum = 0;
  struct str key, member;
  for (struct json_walk w = json_walk(value); json_next(&w, &key, &member);)
    sum += key.len + read_all(a, member);
  return sum;
}

static void mutate(char *text, size_t *len) {
  static const char bytes[] = "\"\\{}[]:,0123eE+-.utfn \n\x80\xc3\xff";
  size_t at = (size_t)rand_below((int64_t)*len);
  switch (rand_below(3)) {
  case 0: text[at] = bytes[rand_below(sizeof bytes)]; break;
  case 1: text[at] = (char)rand_below(256); break;
  default: memmove(text + at, text + at + 1, --*len - at); break;
  }
}

// What is accepted after all is walked through, since that must be safe on any accepted text.
static void random_damage_never_crashes_the_reader(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 4096);
  for (unsigned round = 0; round < 200 * CASE_COUNT; round++) {
    struct str from = cases[round % CASE_COUNT].text;
    size_t len = from.len;
    if (len < 4) continue;
    char *text = mem_copy(from.at, len);
    for (int64_t hits = rand_below(3); hits >= 0; hits--) mutate(text, &len);
    struct str value;
    struct json_error error;
    char *exact = mem_alloc(len);
    memcpy(exact, text, len);
    if (json_check((struct str){exact, len}, &value, &error)) read_all(&a, value);
    mem_free(exact);
    mem_free(text);
    arena_reset(&a);
  }
  arena_fini(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_case_of_the_table_is_decided_as_it_says),
      cmocka_unit_test(a_case_is_decided_alike_wherever_its_bytes_lie),
      cmocka_unit_test(the_value_comes_without_the_blanks_around_it),
      cmocka_unit_test(depth_64_is_accepted_and_65_is_not),
      cmocka_unit_test(closing_and_opening_again_does_not_add_depth),
      cmocka_unit_test(an_error_says_where_and_why),
      cmocka_unit_test(a_position_is_told_in_lines_and_columns),
      cmocka_unit_test(every_character_of_unicode_is_accepted_and_no_surrogate),
      cmocka_unit_test(a_text_cut_anywhere_is_refused),
      cmocka_unit_test(random_damage_never_crashes_the_reader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
