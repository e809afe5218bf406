// exec_test.c: what a program gets, what its output and its end mean, and how it is made to stop.
#include "worker/exec.h"

#include "worker/testing.h"

#include <signal.h>
#include <sys/pidfd.h>

// Runs a shell script for the stand's task.
static struct outcome run(struct stand *s, const char *script, int64_t grace_ms, bool text) {
  char *argv[] = {"sh", "-c", (char *)script, NULL};
  struct exec exec = {argv, grace_ms, text};
  stand_begin(s, 30000);
  struct outcome outcome = exec_run(&exec, &s->attempt);
  (void)stand_end(s);
  return outcome;
}

static void check_completes(struct outcome outcome, const char *result) {
  if (outcome.kind != OUTCOME_COMPLETED) fail_msg("it failed: %s", outcome.message.at);
  check_str(outcome.result, result);
}

static void check_fails(struct outcome outcome, const char *code, const char *message) {
  assert_int_equal(outcome.kind, OUTCOME_FAILED);
  assert_string_equal(outcome.code, code);
  check_str(outcome.message, message);
}

// The lines of all requests, as if they had come in one: how many travel at once is the clock's.
static const char *lines_told(struct stand *s) {
  static const char HEAD[] = "{\"leaseToken\":\"tok\",\"lines\":[";
  struct str all = STR("");
  for (int i = 1; i <= desk_count(s->desk, "/logs"); i++) {
    const char *body = desk_told(s->desk, "/logs", i);
    assert_int_equal(strncmp(body, HEAD, sizeof HEAD - 1), 0);
    body += sizeof HEAD - 1;
    assert_string_equal(body + strlen(body) - 2, "]}");
    all = arena_printf(&s->arena, "%s%s%.*s", all.at, all.len ? "," : "", (int)strlen(body) - 2,
                       body);
  }
  return all.at;
}

static void the_payload_goes_in_and_what_is_printed_is_the_result(void **state) {
  struct stand *s = *state;
  s->claim.payload = STR("{ \"a\" : 1.50 }");
  check_completes(run(s, "cat", 0, false), "{ \"a\" : 1.50 }");
  check_completes(run(s, "cat >&2; printf '1 2\\n'", 0, false), "\"1 2\"");
  check_completes(run(s, "exit 0", 0, false), "null");
}

static void as_text_a_string_comes_without_its_quotes_and_other_json_as_it_is(void **state) {
  struct stand *s = *state;
  s->claim.payload = STR("\"say \\\"hi\\\"\\n\"");
  check_completes(run(s, "cat", 0, true), "\"say \\\"hi\\\"\"");
  s->claim.payload = STR("[\"a\"]");
  check_completes(run(s, "cat", 0, true), "[\"a\"]");
}

static struct str large_payload(struct stand *s) {
  enum { BYTES = 900 << 10 };
  char *text = arena_alloc(&s->arena, BYTES);
  memset(text, 'x', BYTES);
  text[0] = text[BYTES - 1] = '"';
  return (struct str){text, BYTES};
}

static void a_payload_larger_than_a_pipe_goes_through(void **state) {
  struct stand *s = *state;
  s->claim.payload = large_payload(s);
  struct outcome outcome = run(s, "cat", 0, false);
  assert_int_equal(outcome.kind, OUTCOME_COMPLETED);
  assert_true(str_eq(outcome.result, s->claim.payload));
}

static void a_program_need_not_read_its_payload(void **state) {
  struct stand *s = *state;
  s->claim.payload = large_payload(s);
  check_completes(run(s, "exec <&-; echo 7", 0, false), "7");
  check_completes(run(s, "echo 8", 0, false), "8");
}

static void the_task_is_in_the_environment(void **state) {
  struct stand *s = *state;
  s->claim.name = STR("My task");
  check_completes(run(s,
                      "echo $TASKYARD_TASK_ID $TASKYARD_TYPE $TASKYARD_QUEUE $TASKYARD_ATTEMPT "
                      "$TASKYARD_MAX_ATTEMPTS $TASKYARD_WORKER_ID $TASKYARD_NAME",
                      0, false),
                  "\"01-ab t q 1 3 w My task\"");
}

static void lines_on_fd_3_are_progress(void **state) {
  struct stand *s = *state;
  check_completes(run(s, "echo 'progress 40% resize: page 2 of 5' >&3", 0, false), "null");
  check_says(
      desk_told(s->desk, "/progress", 1),
      "\"progress\":40,\"currentStep\":\"resize\",\"currentStepDescription\":\"page 2 of 5\"");
  assert_int_equal(desk_count(s->desk, "/logs"), 0);
}

static void other_lines_on_fd_3_are_logged_and_harm_nothing(void **state) {
  struct stand *s = *state;
  check_completes(run(s, "printf 'progress lots\\nprogress 101\\nhalf a line' >&3", 0, false),
                  "null");
  assert_string_equal(lines_told(s),
                      "\"[fd 3: not a progress line] progress lots\","
                      "\"[fd 3: not a progress line] progress 101\","
                      "\"[fd 3: not a progress line] half a line\"");
  assert_int_equal(desk_count(s->desk, "/progress"), 0);
}

static void stderr_goes_to_the_log_and_its_last_lines_to_the_error(void **state) {
  struct stand *s = *state;
  struct outcome outcome =
      run(s, "i=0; while [ $i -lt 30 ]; do echo line $i >&2; i=$((i+1)); done; exit 3", 0, false);
  struct str last = STR("line 10");
  for (int i = 11; i < 30; i++) last = arena_printf(&s->arena, "%s\nline %d", last.at, i);
  check_fails(outcome, "exit_3", last.at);
  check_says(lines_told(s), "\"line 0\",\"line 1\",\"line 2\"");
  check_says(lines_told(s), "\"line 28\",\"line 29\"");
}

static void a_long_line_of_stderr_is_cut_in_the_error(void **state) {
  struct stand *s = *state;
  struct outcome outcome = run(s, "printf '%0600d' 7 >&2; exit 1", 0, false);
  assert_string_equal(outcome.code, "exit_1");
  assert_int_equal(outcome.message.len, 512);
}

static void each_end_has_its_meaning(void **state) {
  struct stand *s = *state;
  struct outcome outcome = run(s, "echo busy >&2; exit 75", 0, false);
  assert_int_equal(outcome.kind, OUTCOME_RETRY);
  assert_string_equal(outcome.code, "exit_75");
  check_str(outcome.message, "busy");
  check_fails(run(s, "kill -TERM $$", 0, false), "signal_TERM",
              "the program ended with signal_TERM and wrote nothing to stderr");
  check_fails(run(s, "exit 1", 0, false), "exit_1",
              "the program ended with exit_1 and wrote nothing to stderr");
}

static void what_is_printed_past_the_limit_fails_the_task(void **state) {
  struct stand *s = *state;
  check_fails(run(s, "head -c 2000000 /dev/zero | tr '\\0' x", 0, false), "result_too_large",
              "the program printed more than the 1040384 bytes of a result");
}

static void a_program_that_cannot_be_started_is_left_to_another_worker(void **state) {
  struct stand *s = *state;
  char *argv[] = {"/no/such/program", NULL};
  struct exec exec = {argv, 0, false};
  struct outcome outcome = exec_run(&exec, &s->attempt);
  assert_int_equal(outcome.kind, OUTCOME_RETRY);
  assert_string_equal(outcome.code, "cannot_start");
  check_str(outcome.message, "/no/such/program cannot be started: No such file or directory");
}

// What it leaves behind may be a service; it must not hold the task.
static void a_process_that_is_left_with_the_pipes_does_not_hold_the_task(void **state) {
  struct stand *s = *state;
  int64_t left = 0;
  struct outcome outcome = run(s, "sleep 60 & echo $!", 0, false);
  assert_int_equal(outcome.kind, OUTCOME_COMPLETED);
  assert_true(str_to_i64(outcome.result, &left));
  assert_true(left > 1);
  assert_int_equal(kill((pid_t)left, SIGKILL), 0);  // it was left alone
}

// --- how it is made to stop ----------------------------------------------------------------------

// Each says where it is by a progress report, whose answer brings the news.
#define POLITE "trap 'echo got TERM >&2; exit 0' TERM; echo progress 1 >&3; sleep 60 & wait"
#define STUBBORN "trap '' TERM; echo progress 1 >&3; while :; do sleep 1; done"

static void a_cancelled_program_gets_sigterm_and_its_exit_no_longer_counts(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/progress", ALWAYS, 200, CANCEL_ASKED);
  check_fails(run(s, POLITE, 60000, false), "cancelled",
              "stopped by the worker because it was cancelled");
  check_says(desk_told(s->desk, "/logs", 1), "\"got TERM\"");
}

static void sigkill_follows_after_the_grace(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/progress", ALWAYS, 200, CANCEL_ASKED);
  int64_t began_us = clock_mono_us();
  struct outcome outcome = run(s, STUBBORN, 100, false);
  assert_int_equal(outcome.kind, OUTCOME_FAILED);
  assert_string_equal(outcome.code, "cancelled");
  assert_true(clock_mono_us() - began_us >= 100 * 1000);
}

#define TWO                                                                                        \
  "(trap '' TERM; exec sleep 60) & echo $! >&2; trap 'exit 0' TERM; echo progress 1 >&3; wait"

static void of_a_program_that_was_stopped_nothing_stays_behind(void **state) {
  struct stand *s = *state;
  int64_t left = 0;
  desk_says(s->desk, "/progress", ALWAYS, 200, CANCEL_ASKED);
  assert_string_equal(run(s, TWO, 60000, false).code, "cancelled");
  const char *line = strstr(desk_told(s->desk, "/logs", 1), "[\"") + 2;
  assert_true(str_to_i64((struct str){line, strcspn(line, "\"")}, &left));
  struct pollfd ended = {.fd = pidfd_open((pid_t)left, 0), .events = POLLIN};
  if (ended.fd < 0) return;  // it has gone already
  assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
  close(ended.fd);
}

static void a_program_whose_lease_is_lost_gets_no_grace(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/progress", ALWAYS, 409, PROBLEM("lease_lost"));
  assert_int_equal(run(s, STUBBORN, 600000, false).kind, OUTCOME_LOST);
}

// The phase is raised once the program has said that it runs.
static void raise_phase(void *self, const char *path) {
  struct stand *s = self;
  if (path_ends(path, "/progress")) stand_raise(s, PHASE_END);
  if (path_ends(path, "/logs")) stand_raise(s, PHASE_NOW);
}

static void a_worker_that_ends_gives_the_task_back(void **state) {
  struct stand *s = *state;
  s->desk->seen_self = s;
  s->desk->seen = raise_phase;
  assert_int_equal(run(s, POLITE, 60000, false).kind, OUTCOME_RELEASED);
}

#define DEAF "trap 'echo deaf >&2' TERM; echo progress 1 >&3; while :; do sleep 60 & wait; done"

static void a_second_signal_to_the_worker_shortens_the_grace(void **state) {
  struct stand *s = *state;
  s->desk->seen_self = s;
  s->desk->seen = raise_phase;
  assert_int_equal(run(s, DEAF, 600000, false).kind, OUTCOME_RELEASED);
  check_says(desk_told(s->desk, "/logs", 1), "\"deaf\"");
}

int main(void) {
  (void)signal(SIGPIPE, SIG_IGN);  // as a worker does
#define AT_A_STAND(name) cmocka_unit_test_setup_teardown(name, stand_up, stand_down)
  const struct CMUnitTest tests[] = {
      AT_A_STAND(the_payload_goes_in_and_what_is_printed_is_the_result),
      AT_A_STAND(as_text_a_string_comes_without_its_quotes_and_other_json_as_it_is),
      AT_A_STAND(a_payload_larger_than_a_pipe_goes_through),
      AT_A_STAND(a_program_need_not_read_its_payload),
      AT_A_STAND(the_task_is_in_the_environment),
      AT_A_STAND(lines_on_fd_3_are_progress),
      AT_A_STAND(other_lines_on_fd_3_are_logged_and_harm_nothing),
      AT_A_STAND(stderr_goes_to_the_log_and_its_last_lines_to_the_error),
      AT_A_STAND(a_long_line_of_stderr_is_cut_in_the_error),
      AT_A_STAND(each_end_has_its_meaning),
      AT_A_STAND(what_is_printed_past_the_limit_fails_the_task),
      AT_A_STAND(a_program_that_cannot_be_started_is_left_to_another_worker),
      AT_A_STAND(a_process_that_is_left_with_the_pipes_does_not_hold_the_task),
      AT_A_STAND(a_cancelled_program_gets_sigterm_and_its_exit_no_longer_counts),
      AT_A_STAND(sigkill_follows_after_the_grace),
      AT_A_STAND(of_a_program_that_was_stopped_nothing_stays_behind),
      AT_A_STAND(a_program_whose_lease_is_lost_gets_no_grace),
      AT_A_STAND(a_worker_that_ends_gives_the_task_back),
      AT_A_STAND(a_second_signal_to_the_worker_shortens_the_grace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
