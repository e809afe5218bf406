// command_look_test.c: `taskyard get` and `taskyard list`: what they show, on a terminal and in a
// pipe.
#include "tests/unit/asking.h"

static const char *submitted(struct place *at, const char *type) {
  return first_line(RUN(at, "submit", type));
}

static void get_shows_a_task_in_words(void **state) {
  struct place *at = *state;
  const char *id = first_line(RUN(at, "submit", "resize", "{\"x\":  1}", "--name",
                                  "two\x1b[2Jfaced", "--delay", "1h", "--tag", "a=b"));
  const struct program *p = RUN(at, "get", id);
  assert_exit(p, EXIT_DONE);
  assert_out(p, arena_printf(&at->arena, "id           %s\ntype         resize\n", id).at);
  assert_out(p, "status       pending\nwaiting for  time\n");
  assert_out(p, "name         two\xef\xbf\xbd[2Jfaced\n");
  assert_out(p, "tags         {\"a\":\"b\"}\n");
  assert_out(p, " (0s ago)\nnot before   2");
  const char *later = strstr(p->out, "not before ");
  assert_null(memmem(later, strcspn(later, "\n"), " ago)", 5));
  assert_out(p, "payload      {\"x\":  1}\n");
  assert_null(strstr(p->out, "result "));
}

static void get_shows_a_task_as_json(void **state) {
  struct place *at = *state;
  const char *id = submitted(at, "t");
  const struct program *p = RUN(at, "get", id, "--json");
  assert_exit(p, EXIT_DONE);
  assert_out(p, arena_printf(&at->arena, "{\"id\":\"%s\",", id).at);
}

static void get_shows_log_history_attempts_and_reason(void **state) {
  struct place *at = *state;
  const char *id = first_line(RUN(at, "submit", "parts", "--max-attempts", "1"));
  assert_out(RUN(at, "get", id, "--explain"),
             "It is ready. No worker has claimed type parts from queue default yet; ");
  const char *claimed = claim(at, "parts");
  work(at, claimed, "logs", ",\"lines\":[\"one\",\"two\\twords\"]");
  work(at, claimed, "fail", ",\"error\":\"no paper\"");
  const struct program *p = RUN(at, "get", id, "--logs");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "Z\tone\n");
  assert_out(p, "Z\ttwo\xef\xbf\xbdwords\n");
  assert_out(RUN(at, "get", id, "--logs", "--json"), "\"text\":\"two\\twords\"");
  p = RUN(at, "get", id, "--events");
  assert_out(p, "Z\ttask.created\t");
  assert_out(p, "Z\ttask.failed\t");
  p = RUN(at, "get", id, "--attempts");
  assert_out(p, "1\t2");
  assert_out(p, "Z\tw1\tfailed\tno paper\n");
  assert_out(RUN(at, "get", id, "--explain", "--json"), "{\"");
  assert_out(RUN(at, "get", id), "error        {");
}

static void what_is_not_there_is_named(void **state) {
  static const char *const CALLS[][4] = {{"get", "nope"},
                                         {"get", "nope", "--logs"},
                                         {"get", "nope", "--attempts", "--json"},
                                         {"get", "nope", "--explain"}};
  for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
    const char *const words[] = {CALLS[i][0], CALLS[i][1], CALLS[i][2], CALLS[i][3], NULL};
    const struct program *p = END(program_start(*state, PLAIN_WAY, words));
    assert_exit(p, EXIT_FAILURE);
    assert_err(p, "taskyard: nope: there is no such ");
    assert_out_is(p, "");
  }
}

static void list_in_a_pipe_has_tabs_and_no_titles(void **state) {
  struct place *at = *state;
  const char *first = submitted(at, "piped"), *second = submitted(at, "piped");
  const struct program *p = RUN(at, "list", "--type", "piped");
  assert_exit(p, EXIT_DONE);
  struct str begin = arena_printf(&at->arena, "%s\tpiped\tpending\t0\t2", second);
  assert_true(str_starts(str_of(p->out), begin));
  assert_out(p, arena_printf(&at->arena, "Z\n%s\tpiped\t", first).at);
}

static void list_on_a_terminal_is_a_table(void **state) {
  struct place *at = *state;
  submitted(at, "shown");
  place_sets(at, "TERM", "xterm");
  const struct program *p = END(START_ON_TERMINAL(at, "list", "--type", "shown"));
  assert_exit(p, EXIT_DONE);
  assert_out(p, "\x1b[2mID");
  place_sets(at, "NO_COLOR", "1");
  p = END(START_ON_TERMINAL(at, "list", "--type", "shown"));
  assert_true(str_starts(str_of(p->out), STR("ID ")));
  assert_out(p, "  shown  pending  0%        0s\r\n");
  place_sets(at, "NO_COLOR", NULL);
  place_sets(at, "FORCE_COLOR", "1");
  assert_out(RUN(at, "list", "--type", "shown"), "\x1b[");
  place_sets(at, "FORCE_COLOR", NULL);
}

static size_t listed(const struct program *p) {
  size_t count = 0;
  assert_exit(p, EXIT_DONE);
  for (const char *c = p->out; *c; c++) count += *c == '\n';
  return count;
}

static void list_filters_and_goes_on_over_pages(void **state) {
  enum { TASKS = 1060 };
  struct place *at = *state;
  struct buf input;
  buf_init(&input, 1 << 16);
  for (int i = 0; i < TASKS; i++) BUF_LIT(&input, "1\n");
  buf_char(&input, '\0');
  RUN_WITH(at, input.at, "submit", "many", "--from-lines", "--tag", "set=a b", "--project", "p");
  buf_fini(&input);
  assert_int_equal(listed(RUN(at, "list", "--tag", "set=a b", "--all")), TASKS);
  assert_int_equal(listed(RUN(at, "list", "--tag", "set=a b", "--limit", "1010")), 1010);
  const struct program *table = END(START_ON_TERMINAL(at, "list", "--type", "many", "--all"));
  assert_int_equal(listed(table), TASKS + 1);  // titles stand above the first page only
  assert_int_equal(listed(RUN(at, "list", "--project", "p", "--type", "many")), 50);
  assert_int_equal(listed(RUN(at, "list", "--tag", "set=a b", "-s", "completed,failed")), 0);
  const struct program *p = RUN(at, "list", "--type", "many", "--json", "-n", "3");
  assert_int_equal(listed(p), 3);
  assert_out(p, "\"tags\":{\"set\":\"a b\"}");
}

static void a_filter_that_is_wrong_is_refused(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "list", "--tag", "x");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "--tag must be NAME=VALUE, not \"x\"");
  p = RUN(at, "list", "--limit", "0");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "--limit");
  p = RUN(at, "list", "--status", "lost");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "status");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(get_shows_a_task_in_words),
      cmocka_unit_test(get_shows_a_task_as_json),
      cmocka_unit_test(get_shows_log_history_attempts_and_reason),
      cmocka_unit_test(what_is_not_there_is_named),
      cmocka_unit_test(list_in_a_pipe_has_tabs_and_no_titles),
      cmocka_unit_test(list_on_a_terminal_is_a_table),
      cmocka_unit_test(list_filters_and_goes_on_over_pages),
      cmocka_unit_test(a_filter_that_is_wrong_is_refused),
  };
  return cmocka_run_group_tests(tests, place_serves, place_end);
}
