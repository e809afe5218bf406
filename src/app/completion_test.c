// completion_test.c: the completion script for bash.
#include "app/completion.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct option_spec options[] = {
    {"queue", 'q', "NAME", "a queue"}, {"json", 'j', NULL, "as JSON"}, {0}};
static const struct option_spec common[] = {{"url", 0, "URL", "a server"}, {0}};
static const char *const words[] = {"list", "pause", NULL};
static const struct command_spec spec = {
    .options = {.usage = "x", .options = options, .common = common}, .words = words};
static const struct command_entry entries[] = {{"play", &spec.options, &spec, NULL, "", false},
                                               {"secret", &spec.options, &spec, NULL, "", true},
                                               {"work", &spec.options, NULL, NULL, "", false},
                                               {0}};

static struct buf script;

static int start(void **state) {
  (void)state;
  buf_init(&script, 64 * 1024);
  completion_bash(entries, &script);
  buf_char(&script, '\0');
  return 0;
}

static int stop(void **state) {
  (void)state;
  buf_fini(&script);
  return 0;
}

static void commands_are_offered_but_not_hidden_ones(void **state) {
  (void)state;
  assert_non_null(strstr(script.at, "local commands=\"play work\"\n"));
  assert_null(strstr(script.at, "secret"));
}

static void a_command_offers_its_options_and_the_common_ones(void **state) {
  (void)state;
  assert_non_null(strstr(script.at,
                         "    play)\n"
                         "      options=\"--queue --json --url --help\"\n"));
}

static void what_follows_a_value_is_left_to_the_user(void **state) {
  (void)state;
  assert_non_null(strstr(script.at, "      valued=\" --queue --url \"\n"));
}

static void a_command_with_words_offers_them(void **state) {
  (void)state;
  assert_non_null(strstr(script.at, "      words=\"list pause\"\n      ;;\n    work)"));
}

static void it_is_registered_for_taskyard(void **state) {
  (void)state;
  assert_non_null(strstr(script.at, "\ncomplete -o default -F _taskyard taskyard\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(commands_are_offered_but_not_hidden_ones),
      cmocka_unit_test(a_command_offers_its_options_and_the_common_ones),
      cmocka_unit_test(what_follows_a_value_is_left_to_the_user),
      cmocka_unit_test(a_command_with_words_offers_them),
      cmocka_unit_test(it_is_registered_for_taskyard),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
