// term_test.c: colours, widths, and text that must not steer a terminal.
#include "app/term.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct term plain = {.is_terminal = true, .columns = 80};
static const struct term coloured = {.is_terminal = true, .has_colour = true, .columns = 80};

static void assert_written(const struct term *t, enum term_style style, const char *text,
                           const char *expected) {
  struct buf out;
  buf_init(&out, 256);
  term_text(t, style, str_of(text), &out);
  buf_char(&out, '\0');
  assert_string_equal(out.at, expected);
  buf_fini(&out);
}

static void colour_is_for_terminals_that_are_not_dumb(void **state) {
  (void)state;
  assert_true(term_wants_colour(true, NULL, NULL, "xterm"));
  assert_false(term_wants_colour(false, NULL, NULL, "xterm"));
  assert_false(term_wants_colour(true, NULL, NULL, "dumb"));
  assert_false(term_wants_colour(true, NULL, NULL, NULL));
}

static void no_color_wins_over_everything(void **state) {
  (void)state;
  assert_false(term_wants_colour(true, "1", "1", "xterm"));
  assert_true(term_wants_colour(true, "", NULL, "xterm"));
}

static void force_color_turns_it_on_without_a_terminal(void **state) {
  (void)state;
  assert_true(term_wants_colour(false, NULL, "1", "dumb"));
  assert_false(term_wants_colour(true, NULL, "0", "xterm"));
}

static void text_gets_its_style_only_where_there_is_colour(void **state) {
  (void)state;
  assert_written(&plain, STYLE_BAD, "failed", "failed");
  assert_written(&coloured, STYLE_BAD, "failed", "\033[31mfailed\033[0m");
  assert_written(&coloured, STYLE_PLAIN, "failed", "failed");
}

static void control_characters_become_harmless(void **state) {
  (void)state;
  assert_written(&plain, STYLE_PLAIN, "a\033[2Jb\nc\x7f",
                 "a\xef\xbf\xbd[2Jb\xef\xbf\xbd"
                 "c\xef\xbf\xbd");
  assert_written(&plain, STYLE_PLAIN,
                 "\xc2\x9b"
                 "31m\xc2\xa9",
                 "\xef\xbf\xbd"
                 "31m\xc2\xa9");
}

static void every_status_has_its_style(void **state) {
  (void)state;
  assert_int_equal(term_status_style(STR("completed")), STYLE_GOOD);
  assert_int_equal(term_status_style(STR("abandoned")), STYLE_BAD);
  assert_int_equal(term_status_style(STR("unheard of")), STYLE_PLAIN);
}

static void width_counts_characters_not_bytes(void **state) {
  (void)state;
  assert_int_equal(term_width(STR("Größe")), 5);
  assert_int_equal(term_width(STR("")), 0);
}

static void a_cut_never_splits_a_character(void **state) {
  (void)state;
  struct str cut = term_cut(STR("Größe"), 3);
  assert_int_equal(cut.len, 4);
  assert_int_equal(term_cut(STR("ab"), 5).len, 2);
  assert_int_equal(term_cut(STR("ab"), 0).len, 0);
}

static void what_is_no_terminal_is_80_columns_wide(void **state) {
  (void)state;
  struct term t = term_of(-1);
  assert_false(t.is_terminal);
  assert_int_equal(t.columns, 80);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(colour_is_for_terminals_that_are_not_dumb),
      cmocka_unit_test(no_color_wins_over_everything),
      cmocka_unit_test(force_color_turns_it_on_without_a_terminal),
      cmocka_unit_test(text_gets_its_style_only_where_there_is_colour),
      cmocka_unit_test(control_characters_become_harmless),
      cmocka_unit_test(every_status_has_its_style),
      cmocka_unit_test(width_counts_characters_not_bytes),
      cmocka_unit_test(a_cut_never_splits_a_character),
      cmocka_unit_test(what_is_no_terminal_is_80_columns_wide),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
