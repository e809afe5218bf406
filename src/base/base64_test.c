// base64_test.c: base64url: the published pairs, and every spelling that must not pass.
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;

static int start(void **state) {
  (void)state;
  arena_init(&arena, 4096);
  return 0;
}

static int stop(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

static bool decodes(const char *text, struct str *out) {
  return base64url_decode(&arena, str_of(text), out);
}

static void the_pairs_of_rfc_4648_decode(void **state) {
  (void)state;
  static const char *const PAIRS[][2] = {
      {"", ""},           {"Zg", "f"},          {"Zm8", "fo"},          {"Zm9v", "foo"},
      {"Zm9vYg", "foob"}, {"Zm9vYmE", "fooba"}, {"Zm9vYmFy", "foobar"}, {"-_-_", "\xfb\xff\xbf"}};
  for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
    struct str out;
    assert_true(decodes(PAIRS[i][0], &out));
    assert_true(str_eq(out, str_of(PAIRS[i][1])));
  }
}

static void other_spellings_are_refused(void **state) {
  (void)state;
  static const char *const WRONG[] = {"A",      "AAAAA", "Zg==",    "Zm8=", "Zm9v=", "Zm9 v",
                                      "Zm9v\n", " Zm9v", "+/+/",    "Zm9.", "Zh",    "Zn",
                                      "Zm9",    "Z=",    "Zm8\xc3", "!!!!"};
  for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
    struct str out = STR("kept");
    if (decodes(WRONG[i], &out)) fail_msg("%s was taken", WRONG[i]);
    assert_true(str_eq(out, STR("kept")));
  }
  struct str out;
  assert_false(base64url_decode(&arena, (struct str){"AA\0A", 4}, &out));
}

// Of all texts of two letters exactly 256 are bytes, each another one.
static void no_two_texts_are_the_same_byte(void **state) {
  (void)state;
  bool seen[256] = {false};
  size_t count = 0;
  for (int a = 0; a < 256; a++) {
    for (int b = 0; b < 256; b++) {
      char text[2] = {(char)a, (char)b};
      struct str out;
      if (!base64url_decode(&arena, (struct str){text, 2}, &out)) continue;
      assert_int_equal(out.len, 1);
      assert_false(seen[(unsigned char)out.at[0]]);
      seen[(unsigned char)out.at[0]] = true;
      count++;
    }
    arena_reset(&arena);
  }
  assert_int_equal(count, 256);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_pairs_of_rfc_4648_decode, start, stop),
      cmocka_unit_test_setup_teardown(other_spellings_are_refused, start, stop),
      cmocka_unit_test_setup_teardown(no_two_texts_are_the_same_byte, start, stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
