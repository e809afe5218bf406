// command_frame_test.c: what every command has in common: help, misuse, a server that is not there.
#include "tests/unit/program.h"

// No server listens on port 1.
static int nobody_answers(void **state) {
  if (place_begin(state) != 0) return -1;
  place_sets(*state, "TASKYARD_URL", "http://127.0.0.1:1");
  return 0;
}

static void without_a_command_the_commands_are_listed(void **state) {
  struct place *at = *state;
  const struct program *p = END(program_start(at, PLAIN_WAY, (const char *const[]){NULL}));
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "\n  submit ");
  assert_out_is(p, "");
  p = RUN(at, "--help");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "\n  submit ");
  const char *overview = p->out;
  assert_out_is(RUN(at, "-h"), overview);
  assert_out_is(RUN(at, "help"), overview);
}

static void an_unknown_command_is_refused_with_the_nearest(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "sumbit");
  assert_exit(p, EXIT_USAGE);
  assert_err_is(p, "taskyard: there is no command \"sumbit\"; did you mean submit?\n");
  p = RUN(at, "xyzzy");
  assert_exit(p, EXIT_USAGE);
  assert_err_is(p, "taskyard: there is no command \"xyzzy\"; `taskyard help` lists them all\n");
  p = RUN(at, "--store");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "options come behind it: taskyard COMMAND --store …");
}

static void an_unknown_option_is_refused_with_the_nearest(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "submit", "a", "--qeue", "b");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "--queue");
  assert_err(p, "Try `taskyard submit --help`.\n");
}

static void every_command_explains_itself(void **state) {
  struct place *at = *state;
  for (const struct command_entry *entry = COMMANDS; entry->name; entry++) {
    const struct program *p = RUN(at, entry->name, "--help");
    assert_exit(p, EXIT_DONE);
    assert_out(p, arena_printf(&at->arena, "Usage: taskyard %s", entry->name).at);
    assert_err_is(p, "");
  }
  const struct program *p = RUN(at, "submit", "-h");
  assert_out_is(RUN(at, "help", "submit"), p->out);
  p = RUN(at, "worker", "--help");  // of another folder
  assert_out_is(RUN(at, "help", "worker"), p->out);
}

static void help_of_what_is_not_there_is_refused(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "help", "nothing");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "there is no command \"nothing\"; `taskyard help` lists them all");
}

static void the_version_is_told_in_words_and_in_json(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "version");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "taskyard " TASKYARD_VERSION "\nbuilt by ");
  assert_out_is(RUN(at, "--version"), p->out);
  assert_out_is(RUN(at, "-V"), p->out);
  assert_out(RUN(at, "version", "--json"), "{\"version\":\"" TASKYARD_VERSION "\",\"build\":\"");
}

static void completion_is_for_bash(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "completion", "bash");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "complete -o default -F _taskyard taskyard\n");
  p = RUN(at, "completion", "fish");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "there is a completion for bash only");
}

static void pages_of_the_reference_are_printed(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "docs", "settings");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "`TASKYARD_LISTEN`");
  p = RUN(at, "docs", "nothing");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "there is no page nothing");
}

static void without_a_server_the_exit_code_is_69(void **state) {
  static const char *const CALLS[][4] = {{"list"},
                                         {"submit", "a"},
                                         {"wait", "x"},
                                         {"get", "x"},
                                         {"cancel", "x"},
                                         {"queue"},
                                         {"retry", "x"},
                                         {"type"},
                                         {"session"},
                                         {"key", "list"},
                                         {"health"},
                                         {"get", "x", "--logs"},
                                         {"key", "rotate", "x"}};
  struct place *at = *state;
  for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
    const struct program *p = END(program_start(at, PLAIN_WAY, CALLS[i]));
    assert_exit(p, EXIT_UNREACHABLE);
    assert_err(p, "taskyard: no server answers at http://127.0.0.1:1; is `taskyard serve` running");
    assert_out_is(p, "");
  }
}

static void where_the_server_is_and_who_asks_is_checked_at_once(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "list", "--url", "http://user@127.0.0.1:1");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "the server's URL must look like http://127.0.0.1:8503, without user or query");
  p = RUN(at, "list", "--key", "two words");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "holds a blank");
  p = RUN(at, "list", "--key-file", "missing");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "the key file missing cannot be read: ");
  p = RUN(at, "list", "--session", "s", "--key", "k");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "say --session or a key, not both");
  place_sets(at, "TASKYARD_SESSION", "s");
  place_sets(at, "TASKYARD_KEY", "k");
  p = RUN(at, "list");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "TASKYARD_KEY and TASKYARD_SESSION are both set; unset one");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(without_a_command_the_commands_are_listed),
      AT_A_PLACE(an_unknown_command_is_refused_with_the_nearest),
      AT_A_PLACE(an_unknown_option_is_refused_with_the_nearest),
      AT_A_PLACE(every_command_explains_itself),
      AT_A_PLACE(help_of_what_is_not_there_is_refused),
      AT_A_PLACE(the_version_is_told_in_words_and_in_json),
      AT_A_PLACE(completion_is_for_bash),
      AT_A_PLACE(pages_of_the_reference_are_printed),
      cmocka_unit_test_setup_teardown(without_a_server_the_exit_code_is_69, nobody_answers,
                                      place_end),
      cmocka_unit_test_setup_teardown(where_the_server_is_and_who_asks_is_checked_at_once,
                                      nobody_answers, place_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
