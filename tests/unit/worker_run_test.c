// worker_run_test.c: a worker and its programs against a server: what becomes of the tasks.
#include "tests/unit/working.h"

static void a_program_gets_the_payload_and_gives_the_result(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  const char *id = create(at, ",\"payload\":{\"b\": [1, 2.50]},\"name\":\"My task\"");
  struct program *w = WORKER(at, "cat");
  const char *task = ended(at, id);
  assert_holds(task, "\"status\":\"completed\"");
  assert_holds(task, "\"result\":{\"b\": [1, 2.50]}");
  AWAIT_ERR(w, "\"message\":\"task ended\"");
  AWAIT_ERR(w, "\"outcome\":\"completed\"");
  assert_exit(STOP(w), EXIT_DONE);
  assert_err(w, "\"message\":\"worker ended\"");
  assert_out_is(w, "");
}

static void text_comes_without_its_quotes_when_it_is_asked_for(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  const char *id = create(at, ",\"payload\":\"say \\\"hi\\\"\"");
  struct program *w = RUN(at, "worker", "-t", "t", "--text", "-e", "tr a-z A-Z", "--until-empty");
  assert_exit(w, EXIT_DONE);
  assert_holds(ended(at, id), "\"result\":\"SAY \\\"HI\\\"\"");
}

static void a_large_payload_goes_through_the_worker(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  enum { BYTES = 900000 };
  char *text = arena_zero(&at->arena, BYTES + 1);
  memset(text, 'x', BYTES);
  const char *id = create(at, arena_printf(&at->arena, ",\"payload\":\"%s\"", text).at);
  assert_exit(RUN(at, "worker", "-t", "t", "-e", "wc -c", "--once"), EXIT_DONE);
  assert_holds(ended(at, id), "\"result\":900002");
}

static void what_it_says_on_its_way_is_with_the_task(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  const char *id = create(at, "");
  (void)WORKER(at,
               "echo 'progress 40 resize: page 2 of 5' >&3; echo nonsense >&3; echo one >&2; "
               "printf 'last' >&2");
  assert_holds(ended(at, id), "\"status\":\"completed\"");
  const char *events = ask(at, "GET", task_path(at, id, "/events"), "");
  assert_holds(events, "\"task.progress\"");
  assert_holds(events, "resize");
  const char *logs = ask(at, "GET", task_path(at, id, "/logs"), "");
  assert_holds(logs, "[fd 3: not a progress line] nonsense");
  assert_holds(logs, "\"one\"");
  assert_holds(logs, "\"last\"");
}

static void each_end_of_a_program_has_its_meaning(void **state) {
  struct place *at = *state;
  static const struct {
    const char *payload, *parts[3];
  } rows[] = {
      {"exit 0", {"\"status\":\"completed\"", "\"result\":null"}},
      {"echo why >&2; exit 3", {"\"status\":\"failed\"", "\"exit_3\"", "\"why\""}},
      {"kill -KILL $$", {"\"status\":\"failed\"", "\"signal_KILL\"", "wrote nothing to stderr"}},
      {"echo busy >&2; exit 75", {"\"status\":\"failed\"", "\"exit_75\"", "\"busy\""}},
      {"[ $TASKYARD_ATTEMPT = 2 ] || exit 75; echo second",
       {"\"status\":\"completed\"", "\"result\":\"second\"", "\"attempt\":2"}},
      {"head -c 2000000 /dev/zero | tr '\\\\0' x",
       {"\"status\":\"failed\"", "\"result_too_large\"", "1040384 bytes"}},
  };
  SERVE(at, "--store", "memory:");
  // The payload is the script.
  (void)place_writes(at, "program.sh", "eval \"$(cat)\"");
  struct program *w = START(at, "worker", "-t", "t", "-e", "sh program.sh", "--text");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct str members = arena_printf(
        &at->arena,
        ",\"payload\":\"%s\",\"maxAttempts\":%d,\"backoff\":{\"type\":\"fixed\",\"delayMs\":50}",
        rows[i].payload, strstr(rows[i].payload, "second") ? 2 : 1);
    const char *task = ended(at, create(at, members.at));
    for (int part = 0; part < 3 && rows[i].parts[part]; part++)
      assert_holds(task, rows[i].parts[part]);
  }
  assert_exit(STOP(w), EXIT_DONE);
}

static void a_program_past_its_time_is_killed(void **state) {
  struct place *at = *state;
  int on = gate(at, "on");
  SERVE(at, "--store", "memory:");
  const char *id = create(at, ",\"timeoutMs\":3000,\"leaseMs\":1000,\"maxAttempts\":1");
  struct program *w = WORKER(at, "trap '' TERM; echo $$ >on; while :; do sleep 1; done");
  int64_t pid = gate_hears(on);
  assert_holds(ended(at, id), "\"timeout\"");
  AWAIT_ERR(w, "\"outcome\":\"lease lost\"");
  assert_false(is_alive(pid));
  close(on);
}

static void so_many_run_side_by_side_and_no_more(void **state) {
  struct place *at = *state;
  int on = gate(at, "on"), go = gate(at, "go");
  const char *ids[4];
  SERVE(at, "--store", "memory:");
  for (int i = 0; i < 4; i++) ids[i] = create(at, "");
  struct program *w = WORKER(at, "echo $$ >on; read _ <go", "--concurrency", "3");
  for (int i = 0; i < 3; i++) (void)gate_hears(on);
  const char *queue = ask(at, "GET", "/queues/default", "");
  assert_holds(queue, "\"running\":3");
  assert_holds(queue, "\"pending\":1");
  gate_opens(go);
  (void)gate_hears(on);  // the fourth has taken the place of whichever ended
  for (int i = 0; i < 3; i++) gate_opens(go);
  for (int i = 0; i < 4; i++) assert_holds(ended(at, ids[i]), "\"status\":\"completed\"");
  assert_exit(STOP(w), EXIT_DONE);
  close(on);
  close(go);
}

static void a_worker_of_a_queue_leaves_the_others_alone(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  const char *here = create(at, ",\"queue\":\"here\""), *there = create(at, ",\"queue\":\"there\"");
  struct program *w = RUN(at, "worker", "-t", "t", "-q", "here", "-e", "printenv TASKYARD_QUEUE",
                          "--until-empty", "--worker-id", "me");
  assert_exit(w, EXIT_DONE);
  assert_holds(ended(at, here), "\"result\":\"here\"");
  assert_holds(ended(at, here), "\"workerId\":\"me\"");
  assert_holds(ask(at, "GET", task_path(at, there, ""), ""), "\"status\":\"pending\"");
}

static void until_empty_runs_all_and_once_runs_one(void **state) {
  struct place *at = *state;
  const char *ids[3];
  SERVE(at, "--store", "memory:");
  for (int i = 0; i < 3; i++) ids[i] = create(at, "");
  assert_exit(RUN(at, "worker", "-t", "t", "-e", "true", "--once"), EXIT_DONE);
  assert_holds(ask(at, "GET", task_path(at, ids[0], ""), ""), "\"status\":\"completed\"");
  assert_holds(ask(at, "GET", task_path(at, ids[1], ""), ""), "\"status\":\"pending\"");
  assert_exit(RUN(at, "worker", "-t", "t", "-e", "true", "--until-empty"), EXIT_DONE);
  for (int i = 0; i < 3; i++)
    assert_holds(ask(at, "GET", task_path(at, ids[i], ""), ""), "\"status\":\"completed\"");
}

// Another worker may have the program.
static void a_program_that_vanished_is_tried_again(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  const char *tool = place_writes(at, "tool", "#!/bin/sh\necho 7\n");
  assert_int_equal(chmod(tool, 0700), 0);
  struct program *w = START(at, "worker", "-t", "t", "-e", "./tool");
  AWAIT_ERR(w, "\"message\":\"worker started\"");
  assert_int_equal(unlink(tool), 0);
  const char *task = ended(at, create(at, ",\"maxAttempts\":1"));
  assert_holds(task, "\"cannot_start\"");
  assert_holds(task, "./tool cannot be started: No such file or directory");
  AWAIT_ERR(w, "\"outcome\":\"asks for a retry\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(a_program_gets_the_payload_and_gives_the_result),
      AT_A_PLACE(text_comes_without_its_quotes_when_it_is_asked_for),
      AT_A_PLACE(a_large_payload_goes_through_the_worker),
      AT_A_PLACE(what_it_says_on_its_way_is_with_the_task),
      AT_A_PLACE(each_end_of_a_program_has_its_meaning),
      AT_A_PLACE(a_program_past_its_time_is_killed),
      AT_A_PLACE(so_many_run_side_by_side_and_no_more),
      AT_A_PLACE(a_worker_of_a_queue_leaves_the_others_alone),
      AT_A_PLACE(until_empty_runs_all_and_once_runs_one),
      AT_A_PLACE(a_program_that_vanished_is_tried_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
