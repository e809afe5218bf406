// worker_demo_test.c: the demo worker serves the demo tasks of sessions, and those of queues.
#include "tests/unit/working.h"

static void the_demo_tasks_of_a_session_come_to_their_end(void **state) {
  struct place *at = *state;
  static const char *const rows[][3] = {
      {"sample", "{\"delayMs\":0,\"description\":\"d\"}",
       "\"result\":{\"message\":\"Sample task completed\",\"steps\":5,\"description\":\"d\""},
      {"file-processing", "{\"delayMs\":0,\"filePath\":\"/tmp/x\"}",
       "\"result\":{\"message\":\"File processed\",\"filePath\":\"/tmp/x\""},
      {"api-call", "{\"delayMs\":0,\"endpoint\":\"/x\",\"data\":[1]}",
       "\"response\":{\"ok\":true,\"echo\":[1]}"},
      {"batch", "{\"delayMs\":0,\"items\":[1,\"b\"]}",
       "\"items\":[{\"item\":1,\"status\":\"done\"},{\"item\":\"b\",\"status\":\"done\"}],"
       "\"processed\":2,\"failed\":0"},
  };
  SERVE(at, "--store", "memory:", "--sessions");
  struct program *w = START(at, "worker", "--demo", "--sessions", "--worker-id", "demo");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    // Each of a visitor of its own.
    const char *visitor = arena_printf(&at->arena, "X-App-Session: %s\r\n", rows[i][0]).at;
    struct str path = arena_printf(&at->arena, "/demo/tasks/%s", rows[i][0]);
    const char *made = ask_as(at, visitor, "POST", path.at, rows[i][1]);
    const char *wait = task_path(at, member(at, made, "id"), "?waitMs=15000");
    const char *task = ask_as(at, visitor, "GET", wait, "");
    assert_holds(task, "\"status\":\"completed\"");
    assert_holds(task, rows[i][2]);
    assert_holds(task, "\"workerId\":\"demo\"");
  }
  assert_exit(STOP(w), EXIT_DONE);
}

static void a_session_that_ends_takes_the_running_task_with_it(void **state) {
  struct place *at = *state;
  static const char VISITOR[] = "X-App-Session: k\r\n";
  SERVE(at, "--store", "memory:", "--sessions");
  struct program *w = START(at, "worker", "--demo", "--sessions", "--lease", "1s");
  (void)ask_as(at, VISITOR, "POST", "/demo/tasks/sample", "{\"delayMs\":600000}");
  AWAIT_ERR(w, "\"message\":\"task started\"");
  (void)ask_as(at, VISITOR, "DELETE", "/sessions/k", "");
  AWAIT_ERR(w, "\"outcome\":\"lease lost\"");
}

// Otherwise whoever waits in that queue would wait for ever.
static void a_demo_of_a_queue_fails_what_it_does_not_know(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  const char *id = create(at, ",\"queue\":\"q\"");
  assert_exit(RUN(at, "worker", "--demo", "--queue", "q", "--until-empty"), EXIT_DONE);
  const char *task = ended(at, id);
  assert_holds(task, "\"status\":\"failed\"");
  assert_holds(task, "\"unknown_task_type\"");
  assert_holds(task, "Unknown task type: t");
}

static void a_demo_without_a_queue_takes_only_what_it_knows(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  const char *unknown = create(at, "");
  const char *known = member(
      at, ask(at, "POST", "/tasks", "{\"type\":\"sample\",\"payload\":{\"delayMs\":0}}"), "id");
  const char *bad = member(
      at, ask(at, "POST", "/tasks", "{\"type\":\"batch\",\"payload\":{\"items\":\"abc\"}}"), "id");
  assert_exit(RUN(at, "worker", "--demo", "--until-empty"), EXIT_DONE);
  assert_holds(ended(at, known), "\"status\":\"completed\"");
  assert_holds(ended(at, bad), "items must be an array of at most 1000 elements");
  assert_holds(ask(at, "GET", task_path(at, unknown, ""), ""), "\"status\":\"pending\"");
}

// Four run at a time otherwise.
static void a_demo_that_is_to_run_once_runs_one_task(void **state) {
  struct place *at = *state;
  const char *const task = "{\"type\":\"sample\",\"payload\":{\"delayMs\":0}}";
  SERVE(at, "--store", "memory:");
  const char *first = member(at, ask(at, "POST", "/tasks", task), "id"),
             *second = member(at, ask(at, "POST", "/tasks", task), "id");
  assert_exit(RUN(at, "worker", "--demo", "--once"), EXIT_DONE);
  assert_holds(ended(at, first), "\"status\":\"completed\"");
  assert_holds(ask(at, "GET", task_path(at, second, ""), ""), "\"status\":\"pending\"");
}

static void a_demo_honours_a_cancel(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  const char *id = member(at,
                          ask(at, "POST", "/tasks",
                              "{\"type\":\"sample\",\"payload\":{\"delayMs\":600000},"
                              "\"leaseMs\":1000}"),
                          "id");
  struct program *w = START(at, "worker", "--demo", "--drain", "0s");
  AWAIT_ERR(w, "\"message\":\"task started\"");
  (void)ask(at, "POST", task_path(at, id, "/cancel"), "{\"graceMs\":60000}");
  assert_holds(ended(at, id), "\"status\":\"cancelled\"");
  AWAIT_ERR(w, "\"code\":\"cancelled\"");
  assert_exit(STOP(w), EXIT_DONE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(the_demo_tasks_of_a_session_come_to_their_end),
      AT_A_PLACE(a_session_that_ends_takes_the_running_task_with_it),
      AT_A_PLACE(a_demo_of_a_queue_fails_what_it_does_not_know),
      AT_A_PLACE(a_demo_without_a_queue_takes_only_what_it_knows),
      AT_A_PLACE(a_demo_that_is_to_run_once_runs_one_task),
      AT_A_PLACE(a_demo_honours_a_cancel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
