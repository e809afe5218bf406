// words_test.c: a line becomes the words that a shell would make of it.
#include "worker/words.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// The words with a | behind each, so that empty ones show; "!" for a line that is refused.
static const char *split(struct arena *a, const char *line) {
  char **argv = NULL;
  struct fault why = {0};
  if (words_split(str_of(line), a, &argv, &why) != ERR_OK) return why.detail[0] ? "!" : "?";
  struct str text = STR("");
  for (char **word = argv; *word; word++) text = arena_printf(a, "%s%s|", text.at, *word);
  return text.at;
}

static void a_line_becomes_the_words_of_a_shell(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"cat", "cat|"},
      {"  cat \t -n\nx  ", "cat|-n|x|"},
      {"sh -c 'a | b \"c\"'", "sh|-c|a | b \"c\"|"},
      {"a\\ b \\'", "a b|'|"},
      {"'it'\\''s'", "it's|"},
      {"\"a \\\" \\\\ \\$ \\` \\n\"", "a \" \\ $ ` \\n|"},
      {"x '' \"\" y", "x|||y|"},
      {"pre\"mid dle\"'po st'", "premid dlepo st|"},
      {"a\\\nb \"c\\\nd\"", "ab|cd|"},
      {"$HOME * ~ ; > x", "$HOME|*|~|;|>|x|"},
      {"'ü ö'", "ü ö|"},
  };
  struct arena a;
  arena_init(&a, 1 << 12);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_string_equal(split(&a, rows[i][0]), rows[i][1]);
  arena_fini(&a);
}

static void what_is_left_open_is_refused(void **state) {
  (void)state;
  static const char *const lines[] = {"", "  \t ", "a 'b", "a \"b", "a\\", "\"a\\", "'"};
  struct arena a;
  arena_init(&a, 1 << 12);
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    assert_string_equal(split(&a, lines[i]), "!");
  arena_fini(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_line_becomes_the_words_of_a_shell),
      cmocka_unit_test(what_is_left_open_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
