// commands_test.c: the table of commands, and how they exit.
#include "app/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void every_command_has_help_with_a_usage_of_its_own(void **state) {
  (void)state;
  for (const struct command_entry *entry = COMMANDS; entry->name; entry++) {
    char usage[64];
    snprintf(usage, sizeof usage, "taskyard %s", entry->name);
    assert_non_null(entry->options->usage);
    assert_true(str_starts(str_of(entry->options->usage), str_of(usage)));
    assert_true((entry->spec != NULL) != (entry->program != NULL));
  }
}

static void every_listed_command_but_version_shows_examples(void **state) {
  (void)state;
  for (const struct command_entry *entry = COMMANDS; entry->name; entry++)
    if (!entry->hidden && strcmp(entry->name, "version") != 0)
      assert_non_null(entry->options->examples);
}

static void help_fits_80_columns(void **state) {
  (void)state;
  for (const struct command_entry *entry = COMMANDS; entry->name; entry++) {
    if (!entry->spec) continue;  // of another folder
    struct str summary = str_of(entry->options->summary);
    while (!str_is_none(summary)) assert_true(str_cut(&summary, '\n').len <= 80);
  }
}

static void the_overview_lists_commands_and_exit_codes(void **state) {
  (void)state;
  struct buf text;
  buf_init(&text, 64 * 1024);
  commands_overview(&text);
  buf_char(&text, '\0');
  assert_non_null(strstr(text.at, "\n  serve       run the server\n"));
  assert_non_null(strstr(text.at, "\n  69  no server answers, or it is "));
  assert_null(strstr(text.at, "\n  docs "));
  buf_fini(&text);
}

static void a_command_is_found_by_its_whole_name(void **state) {
  (void)state;
  assert_string_equal(commands_find("wait")->name, "wait");
  assert_null(commands_find("wai"));
  assert_null(commands_find(""));
}

static void errors_have_their_exit_codes(void **state) {
  (void)state;
  assert_int_equal(command_exit_code(ERR_OK), 0);
  assert_int_equal(command_exit_code(ERR_UNAVAILABLE), 69);
  assert_int_equal(command_exit_code(ERR_UNAUTHENTICATED), 77);
  assert_int_equal(command_exit_code(ERR_FORBIDDEN), 77);
  assert_int_equal(command_exit_code(ERR_NOT_FOUND), 1);
}

static void misuse_is_told_and_exits_with_64(void **state) {
  (void)state;
  struct command c = {0};
  struct fault why = {0};
  assert_int_equal(command_misused(&c, &why, "not %s", "so"), ERR_INVALID);
  assert_int_equal(c.exit_code, 64);
  assert_string_equal(why.detail, "not so");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_command_has_help_with_a_usage_of_its_own),
      cmocka_unit_test(every_listed_command_but_version_shows_examples),
      cmocka_unit_test(help_fits_80_columns),
      cmocka_unit_test(the_overview_lists_commands_and_exit_codes),
      cmocka_unit_test(a_command_is_found_by_its_whole_name),
      cmocka_unit_test(errors_have_their_exit_codes),
      cmocka_unit_test(misuse_is_told_and_exits_with_64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
