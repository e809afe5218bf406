// command_watch_test.c: `taskyard wait`, `submit --wait` and `events`: how they wait, and what they
// tell; `cancel` and `retry`.
#include "tests/unit/asking.h"

static const char *submitted(struct place *at, const char *type) {
  return first_line(RUN(at, "submit", type, "--max-attempts", "1"));
}

static const char *completed(struct place *at, const char *type, const char *result) {
  const char *id = submitted(at, type);
  work(at, claim(at, type), "complete", result);
  return id;
}

// --- waiting -------------------------------------------------------------------------------------

static void submit_can_wait_for_the_result(void **state) {
  struct place *at = *state;
  struct program *p = START(at, "submit", "waited", "--wait", "--timeout", "30s");
  work(at, claim(at, "waited"), "complete", ",\"result\":{\"n\":  [1,2]}");
  assert_exit(END(p), EXIT_DONE);
  assert_out_is(p, "{\"n\":  [1,2]}\n");
  assert_err_is(p, "");
}

static void wait_prints_results_in_a_pipe_without_a_bar(void **state) {
  struct place *at = *state;
  const char *id = completed(at, "t", ",\"result\":\"ok\"");
  const char *other = completed(at, "t", "");
  const struct program *p = RUN(at, "wait", id, other);
  assert_exit(p, EXIT_DONE);
  assert_out_is(p, "\"ok\"\nnull\n");
  assert_err_is(p, "");
  p = RUN(at, "wait", id, "--json");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "\"result\":\"ok\"");
}

static void wait_exits_by_how_the_first_task_ended_that_did_not_complete(void **state) {
  struct place *at = *state;
  const char *good = completed(at, "t", ""), *bad = submitted(at, "t");
  work(at, claim(at, "t"), "fail", ",\"error\":\"no paper\"");
  const struct program *p = RUN(at, "wait", bad);
  assert_exit(p, EXIT_TASK_FAILED);
  assert_err_is(p, arena_printf(&at->arena, "taskyard: task %s is failed: no paper\n", bad).at);
  assert_out_is(p, "");
  const char *stopped = submitted(at, "t");
  assert_exit(RUN(at, "cancel", stopped), EXIT_DONE);
  p = RUN(at, "wait", good, stopped, bad);
  assert_exit(p, EXIT_TASK_CANCELLED);
  assert_out_is(p, "null\n");
  p = RUN(at, "wait", bad, "--json");
  assert_exit(p, EXIT_TASK_FAILED);
  assert_out(p, "\"status\":\"failed\"");
}

static void wait_gives_up_in_time(void **state) {
  struct place *at = *state;
  const char *id = submitted(at, "slow");
  const struct program *p = RUN(at, "wait", id, "--timeout", "20ms");
  assert_exit(p, EXIT_TIMED_OUT);
  const char *told =
      arena_printf(&at->arena, "taskyard: the time is over; task %s is pending at 0 %%\n", id).at;
  assert_err_is(p, told);
  assert_out_is(p, "");
  p = RUN(at, "submit", "slow", "--wait", "--timeout", "20ms");
  assert_exit(p, EXIT_TIMED_OUT);
  assert_err(p, "` goes on waiting.\n");
  p = RUN(at, "wait", id, "--timeout", "soon");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "--timeout");
}

static void wait_names_what_is_not_there(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "wait", completed(at, "t", ""), "nope");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: nope: there is no such task");
  assert_out_is(p, "null\n");
}

static void wait_shows_a_bar_on_a_terminal(void **state) {
  struct place *at = *state;
  const char *first = completed(at, "t", ""), *second = submitted(at, "bar");
  const char *claimed = claim(at, "bar");
  work(at, claimed, "progress",
       ",\"progress\":40,\"currentStep\":\"resize\",\"currentStepDescription\":\"page 2 of 5\"");
  place_sets(at, "TERM", "xterm");
  struct program *p = START_ON_TERMINAL(at, "wait", first, second);
  AWAIT_OUT(p, "2/2");
  AWAIT_OUT(p, " 40%  resize: page 2 of 5");
  work(at, claimed, "complete", ",\"result\":\"done\"");
  assert_exit(END(p), EXIT_DONE);
  assert_out(p, "━");
  assert_out(p, "\x1b[36m");
  AWAIT_OUT(p, "\"done\"\r\n");
}

// --- events --------------------------------------------------------------------------------------

static void events_are_told_as_they_happen(void **state) {
  struct place *at = *state;
  const char *id = submitted(at, "told");
  const char *claimed = claim(at, "told");
  struct program *p = START(at, "events", "--task", id, "--after", "0", "--count", "5");
  AWAIT_OUT(p, "\ttask.claimed\t");
  work(at, claimed, "progress", ",\"progress\":40,\"currentStep\":\"half\"");
  AWAIT_OUT(p, arena_printf(&at->arena, "\ttask.progress\t%s\ttold\trunning\t40\thalf\t\n", id).at);
  work(at, claimed, "fail", ",\"error\":{\"code\":\"odd\",\"message\":\"a\\tb\\u001b[31m\"}");
  AWAIT_OUT(p, "\ttask.failed\t");
  AWAIT_OUT(p,
            "\ttold\tfailed\t40\todd\ta\xef\xbf\xbd"
            "b\xef\xbf\xbd[31m\n");
  assert_exit(RUN(at, "retry", id), EXIT_DONE);
  assert_exit(END(p), EXIT_DONE);
  assert_err_is(p, "");
}

static void events_are_told_for_people_on_a_terminal(void **state) {
  struct place *at = *state;
  const char *id = submitted(at, "seen");
  place_sets(at, "NO_COLOR", "1");
  const struct program *p =
      END(START_ON_TERMINAL(at, "events", "--task", id, "--after", "0", "-n", "1"));
  assert_exit(p, EXIT_DONE);
  assert_out(p, arena_printf(&at->arena, "  task.created  %s  seen  pending", id).at);
  place_sets(at, "NO_COLOR", NULL);
}

static void events_can_be_narrowed_and_printed_as_json(void **state) {
  struct place *at = *state;
  RUN(at, "submit", "narrow", "--queue", "nq", "--project", "np");
  const struct program *p = RUN(at, "events", "--type", "narrow", "--queue", "nq", "--project",
                                "np", "--after", "0", "--count", "1", "--json");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "\"event\":\"task.created\"");
  assert_out(p, "\"type\":\"narrow\"");
}

static void events_that_cannot_be_told_are_an_error(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "events", "--task", "nonsense");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskId");
  assert_out_is(p, "");
  p = RUN(at, "events", "--task", "01a22948-0000-7000-8000-000000000000");
  assert_err(p, "taskyard: 01a22948-0000-7000-8000-000000000000: there is no such task");
  p = RUN(at, "events", "--count", "0");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "--count");
}

// --- moves ---------------------------------------------------------------------------------------

static void a_refused_move_does_not_keep_the_others(void **state) {
  struct place *at = *state;
  const char *one = submitted(at, "moved"), *two = submitted(at, "moved");
  const struct program *p =
      RUN(at, "cancel", one, "nope", two, "--reason", "a \"reason\"", "--grace", "1s");
  assert_exit(p, EXIT_FAILURE);
  assert_out_is(p, arena_printf(&at->arena, "%s\tcancelled\n%s\tcancelled\n", one, two).at);
  assert_err(p, "taskyard: nope: there is no such ");
  assert_out(RUN(at, "get", one, "--events"), "a \"reason\"");
  p = RUN(at, "retry", one, two);
  assert_exit(p, EXIT_DONE);
  assert_out_is(p, arena_printf(&at->arena, "%s\tpending\n%s\tpending\n", one, two).at);
  p = RUN(at, "retry", one);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, arena_printf(&at->arena, "taskyard: %s: ", one).at);
}

static void cancel_of_a_running_task_asks_its_worker(void **state) {
  struct place *at = *state;
  const char *id = submitted(at, "asked");
  claim(at, "asked");
  const struct program *p = RUN(at, "cancel", id, "--grace", "5m");
  assert_out_is(p, arena_printf(&at->arena, "%s\trunning, asked to stop\n", id).at);
  p = RUN(at, "cancel", id, "--json");
  assert_out(p, "\"cancelRequested\":true");
  p = RUN(at, "cancel", id, "--grace", "soon");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "--grace");
}

// --- a server that goes away ---------------------------------------------------------------------

static void a_wait_that_loses_its_server_still_tells_the_id(void **state) {
  struct place *at = *state;
  struct program *server = SERVE(at, "--store", "memory:");
  struct program *p = START(at, "submit", "lost", "--wait");
  ask_until(at, "//health", "\"watching\":1");
  const char *id = member(at, ask(at, "GET", "/tasks", ""), "id");
  assert_exit(program_stop(server, SIGKILL, __FILE__, __LINE__), 128 + SIGKILL);
  assert_exit(END(p), EXIT_UNREACHABLE);
  assert_err(p, arena_printf(&at->arena, "`taskyard wait %s` goes on waiting.\n", id).at);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(submit_can_wait_for_the_result),
      cmocka_unit_test(wait_prints_results_in_a_pipe_without_a_bar),
      cmocka_unit_test(wait_exits_by_how_the_first_task_ended_that_did_not_complete),
      cmocka_unit_test(wait_gives_up_in_time),
      cmocka_unit_test(wait_names_what_is_not_there),
      cmocka_unit_test(wait_shows_a_bar_on_a_terminal),
      cmocka_unit_test(events_are_told_as_they_happen),
      cmocka_unit_test(events_are_told_for_people_on_a_terminal),
      cmocka_unit_test(events_can_be_narrowed_and_printed_as_json),
      cmocka_unit_test(events_that_cannot_be_told_are_an_error),
      cmocka_unit_test(a_refused_move_does_not_keep_the_others),
      cmocka_unit_test(cancel_of_a_running_task_asks_its_worker),
      AT_A_PLACE(a_wait_that_loses_its_server_still_tells_the_id),
  };
  return cmocka_run_group_tests(tests, place_serves, place_end);
}
