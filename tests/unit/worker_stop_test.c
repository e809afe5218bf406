// worker_stop_test.c: what makes a program stop, and a worker: cancels, signals, a server that is
// gone.
#include "tests/unit/working.h"

#define POLITE "trap 'echo got TERM >&2; exit 0' TERM; echo $$ >on; sleep 60 & wait"
#define STUBBORN "trap '' TERM; echo $$ >on; while :; do sleep 1; done"

static const char *status_of(struct place *at, const char *id) {
  return ask(at, "GET", task_path(at, id, ""), "");
}

static void a_cancelled_program_gets_sigterm(void **state) {
  struct place *at = *state;
  int on = gate(at, "on");
  SERVE(at, "--store", "memory:");
  const char *id = create(at, ",\"leaseMs\":1000");
  (void)WORKER(at, POLITE);
  int64_t pid = gate_hears(on);
  (void)ask(at, "POST", task_path(at, id, "/cancel"), "{\"graceMs\":60000}");
  assert_holds(ended(at, id), "\"status\":\"cancelled\"");
  assert_false(is_alive(pid));
  assert_holds(ask(at, "GET", task_path(at, id, "/logs"), ""), "\"got TERM\"");
  close(on);
}

static void a_program_whose_task_was_removed_is_killed_at_once(void **state) {
  struct place *at = *state;
  int on = gate(at, "on");
  SERVE(at, "--store", "memory:");
  const char *id = create(at, ",\"leaseMs\":1000");
  struct program *w = WORKER(at, STUBBORN, "--grace", "60s");
  int64_t pid = gate_hears(on);
  (void)ask(at, "DELETE", task_path(at, id, "?force=true"), "");
  AWAIT_ERR(w, "\"outcome\":\"lease lost\"");
  assert_false(is_alive(pid));
  close(on);
}

static void a_drain_lets_what_runs_end_and_takes_nothing_more(void **state) {
  struct place *at = *state;
  int on = gate(at, "on"), go = gate(at, "go");
  SERVE(at, "--store", "memory:");
  const char *first = create(at, ""), *second = create(at, "");
  struct program *w = WORKER(at, "echo $$ >on; read _ <go; echo '\"in time\"'");
  (void)gate_hears(on);
  kill(w->pid, SIGTERM);
  AWAIT_ERR(w, "\"message\":\"draining: no new tasks; a second signal ends at once\"");
  gate_opens(go);
  assert_exit(END(w), EXIT_DONE);
  assert_holds(status_of(at, first), "\"result\":\"in time\"");
  assert_holds(status_of(at, second), "\"status\":\"pending\"");
  close(on);
  close(go);
}

static void what_outlasts_the_drain_is_given_back(void **state) {
  struct place *at = *state;
  int on = gate(at, "on");
  SERVE(at, "--store", "memory:");
  const char *id = create(at, "");
  struct program *w = WORKER(at, POLITE, "--drain", "50ms");
  int64_t pid = gate_hears(on);
  assert_exit(STOP(w), EXIT_DONE);
  assert_err(w, "\"message\":\"the time to drain is over; stopping what still runs\"");
  assert_err(w, "\"outcome\":\"released\"");
  assert_false(is_alive(pid));
  assert_holds(status_of(at, id), "\"status\":\"pending\"");
  assert_holds(status_of(at, id), "\"attempt\":0,");
  assert_holds(ask(at, "GET", task_path(at, id, "/logs"), ""), "\"got TERM\"");
  close(on);
}

static void a_second_signal_does_not_wait(void **state) {
  struct place *at = *state;
  int on = gate(at, "on");
  SERVE(at, "--store", "memory:");
  const char *id = create(at, "");
  struct program *w = WORKER(at, STUBBORN, "--drain", "60s", "--grace", "60s");
  int64_t pid = gate_hears(on);
  kill(w->pid, SIGTERM);
  AWAIT_ERR(w, "draining");
  kill(w->pid, SIGINT);
  assert_exit(END(w), 128 + SIGINT);
  assert_err(w, "\"message\":\"ending at once\"");
  assert_false(is_alive(pid));
  assert_holds(status_of(at, id), "\"status\":\"pending\"");
  close(on);
}

static void an_idle_worker_ends_its_long_poll(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  struct program *w = WORKER(at, "cat");
  assert_holds(ended(at, create(at, ",\"payload\":1")), "\"result\":1");
  int64_t began_us = clock_mono_us();
  assert_exit(STOP(w), EXIT_DONE);
  assert_true(clock_mono_us() - began_us < 15 * 1000000);  // the poll may last for 30 s
}

static void a_result_waits_for_a_server_that_was_away(void **state) {
  struct place *at = *state;
  int on = gate(at, "on"), go = gate(at, "go"), port = port_keep(at);
  struct program *server = serve_there(at, "sqlite:kept.db");
  const char *id = create(at, "");
  struct program *w = WORKER(at, "echo $$ >on; read _ <go; echo log >&2; echo '\"kept\"'");
  (void)gate_hears(on);
  kill(server->pid, SIGKILL);
  (void)END(server);
  gate_opens(go);
  AWAIT_ERR(w, "\"message\":\"the server did not take word of a running task\"");
  (void)serve_there(at, "sqlite:kept.db");
  const char *task = ended(at, id);
  assert_holds(task, "\"result\":\"kept\"");
  assert_holds(task, "\"attempt\":1,");
  assert_holds(ask(at, "GET", task_path(at, id, "/logs"), ""), "\"log\"");
  assert_exit(STOP(w), EXIT_DONE);
  close(on);
  close(go);
  close(port);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(a_cancelled_program_gets_sigterm),
      AT_A_PLACE(a_program_whose_task_was_removed_is_killed_at_once),
      AT_A_PLACE(a_drain_lets_what_runs_end_and_takes_nothing_more),
      AT_A_PLACE(what_outlasts_the_drain_is_given_back),
      AT_A_PLACE(a_second_signal_does_not_wait),
      AT_A_PLACE(an_idle_worker_ends_its_long_poll),
      AT_A_PLACE(a_result_waits_for_a_server_that_was_away),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
