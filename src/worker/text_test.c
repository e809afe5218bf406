// text_test.c: what programs print becomes clean UTF-8 that is never cut inside a character.
#include "worker/text.h"
#include "worker/testing_texts.h"

#define BAD "\xef\xbf\xbd"

static void what_fits_stays_as_it_is(void **state) {
  (void)state;
  check_str(text_head(&the_arena, STR(""), 0), "");
  check_str(text_tail(&the_arena, STR(""), 0), "");
  check_str(text_head(&the_arena, STR("aü€\n"), 7), "aü€\n");
  check_str(text_tail(&the_arena, STR("aü€\n"), 7), "aü€\n");
}

static void bytes_that_are_no_utf_8_are_marked_each(void **state) {
  (void)state;
  check_str(text_head(&the_arena, STR("a\xff\xfe"), 10), "a" BAD BAD);
  check_str(text_head(&the_arena, STR("a\0b"), 10), "a" BAD "b");
  check_str(text_head(&the_arena, STR("\xe2\x82"), 10), BAD BAD);  // the beginning of a character
  check_str(text_tail(&the_arena, STR("\x82 end"), 10), BAD " end");
}

static void the_head_ends_with_a_whole_character(void **state) {
  (void)state;
  static const char *const heads[] = {"", "a", "a", "aü", "aü", "aü", "aü€", "aü€z"};
  for (size_t most = 0; most < sizeof heads / sizeof *heads; most++)
    check_str(text_head(&the_arena, STR("aü€z"), most), heads[most]);
}

static void the_tail_begins_with_a_whole_character(void **state) {
  (void)state;
  static const char *const tails[] = {"", "z", "z", "z", "€z", "€z", "ü€z", "aü€z"};
  for (size_t most = 0; most < sizeof tails / sizeof *tails; most++)
    check_str(text_tail(&the_arena, STR("aü€z"), most), tails[most]);
}

// The marks are longer than what they stand for.
static void the_bound_holds_for_the_clean_text(void **state) {
  (void)state;
  check_str(text_head(&the_arena, STR("\xff\xff\xff"), 8), BAD BAD);
  check_str(text_tail(&the_arena, STR("\xff\xff\xff"), 8), BAD BAD);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_fits_stays_as_it_is),
      cmocka_unit_test(bytes_that_are_no_utf_8_are_marked_each),
      cmocka_unit_test(the_head_ends_with_a_whole_character),
      cmocka_unit_test(the_tail_begins_with_a_whole_character),
      cmocka_unit_test(the_bound_holds_for_the_clean_text),
  };
  return cmocka_run_group_tests(tests, a_fresh_arena, the_arena_freed);
}
