// worker_command_test.c: `taskyard worker` by its command line: what it refuses, and how it ends
// when the server does.
#include "tests/unit/working.h"

static void a_wrong_command_line_is_refused_with_a_sentence(void **state) {
  struct place *at = *state;
  static const struct {
    const char *words[9], *sentence;
  } rows[] = {
      {{"worker"}, "give either --exec or --demo"},
      {{"worker", "--exec", "cat", "--demo"}, "give either --exec or --demo"},
      {{"worker", "--exec", "cat"}, "--type is missing: which tasks is the program for?"},
      {{"worker", "--type", "t", "--exec", "no-such-program-at-all"},
       "--exec: there is no program no-such-program-at-all in PATH"},
      {{"worker", "--type", "t", "--exec", "./absent.sh --size 200"},
       "--exec: ./absent.sh is not a program that can be run"},
      {{"worker", "--type", "t", "--exec", "cat 'open"},
       "--exec: a quote or backslash is open at the end of: cat 'open"},
      {{"worker", "--type", "t", "--exec", " "}, "--exec: it names no program"},
      {{"worker", "--demo", "--concurrency", "0"}, "--concurrency"},
      {{"worker", "--demo", "--concurrency", "257"}, "256"},
      {{"worker", "--demo", "--once", "--concurrency", "2"},
       "--once runs one task; --concurrency does not go with it"},
      {{"worker", "--demo", "--lease", "soon"}, "--lease"},
      {{"worker", "--demo", "--lease", "999ms"}, "--lease"},
      {{"worker", "--demo", "--grace", "61m"}, "--grace"},
      {{"worker", "--demo", "--drain", "61m"}, "--drain"},
      {{"worker", "--demo", "--log-level", "loud"},
       "--log-level is error, warn, info or debug, not loud"},
      {{"worker", "--demo", "--url", "ftp://x"}, "the server's URL must look like"},
      {{"worker", "--demo", "--key", "two words"}, "the API key holds a blank"},
      {{"worker", "--demo", "--key-file", "absent"}, "the key file absent cannot be read"},
      {{"worker", "--tipe", "t"}, "--type"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct program *p = END(program_start(at, PLAIN_WAY, rows[i].words));
    assert_exit(p, EXIT_USAGE);
    assert_err(p, "taskyard worker: ");
    assert_err(p, rows[i].sentence);
    assert_err(p, "Try `taskyard worker --help`.\n");
    assert_out_is(p, "");
    assert_null(strstr(p->err, "worker started"));
  }
}

static void help_explains_the_contract(void **state) {
  struct place *at = *state;
  struct program *p = RUN(at, "worker", "--help");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "fd 3         its progress, in lines like: progress 40 resize: page 2 of 5");
  assert_out(p, "0 completes the task; 75 fails the attempt and asks for another");
  assert_err_is(p, "");
}

static void a_key_that_is_refused_ends_the_worker(void **state) {
  struct place *at = *state;
  place_sets(at, "API_KEY", "right");
  SERVE(at, "--store", "memory:");
  struct program *p = RUN(at, "worker", "--demo", "--key", "wrong");
  assert_exit(p, EXIT_NOT_AUTHORISED);
  assert_err(p, "\"message\":\"the server refuses to hand out tasks\"");
  assert_exit(RUN(at, "worker", "--demo"), EXIT_NOT_AUTHORISED);

  static const char BODY[] = "{\"name\":\"n\",\"roles\":[\"producer\"]}";
  const char *made = ask_as(at, "Authorization: Bearer right\r\n", "POST", "/keys", BODY);
  place_sets(at, "TASKYARD_KEY", member(at, made, "secret"));
  p = RUN(at, "worker", "--demo");
  assert_exit(p, EXIT_NOT_AUTHORISED);
  assert_err(p, "worker");
}

static void the_key_comes_from_a_flag_a_file_or_the_environment(void **state) {
  struct place *at = *state;
  place_sets(at, "API_KEY", "right");
  SERVE(at, "--store", "memory:");
  (void)place_writes(at, "key", "right\n");
  assert_exit(RUN(at, "worker", "--demo", "--until-empty", "--key", "right"), EXIT_DONE);
  assert_exit(RUN(at, "worker", "--demo", "--until-empty", "--key-file", "key"), EXIT_DONE);
  place_sets(at, "TASKYARD_KEY", "right");
  assert_exit(RUN(at, "worker", "--demo", "--until-empty"), EXIT_DONE);
  // What is nearer counts.
  assert_exit(RUN(at, "worker", "--demo", "--key", "wrong"), EXIT_NOT_AUTHORISED);
}

static void a_server_without_sessions_hands_out_none_of_their_tasks(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  struct program *p = RUN(at, "worker", "--demo", "--sessions");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "\"message\":\"the server refuses to hand out tasks\"");
  assert_err(p, "sessions");
}

static void a_log_level_leaves_out_what_is_below_it(void **state) {
  struct place *at = *state;
  SERVE(at, "--store", "memory:");
  const char *id = create(at, "");
  struct program *p =
      RUN(at, "worker", "--type", "t", "--exec", "cat", "--once", "--log-level", "error");
  assert_exit(p, EXIT_DONE);
  assert_err_is(p, "");
  assert_holds(ended(at, id), "\"status\":\"completed\"");
}

// The worker may be there before its server, and stays when that goes away.
static void a_worker_waits_for_its_server(void **state) {
  struct place *at = *state;
  int port = port_keep(at);
  struct program *w = WORKER(at, "cat");
  AWAIT_ERR(w, "\"message\":\"no task can be claimed; trying again\"");
  struct program *server = serve_there(at, "memory:");
  assert_holds(ended(at, create(at, ",\"payload\":[1]")), "\"result\":[1]");
  assert_err(w, "is `taskyard serve` running there?");
  assert_exit(STOP(server), EXIT_DONE);
  AWAIT_ERR(w, "\"message\":\"no task can be claimed; trying again\"");
  (void)serve_there(at, "memory:");
  assert_holds(ended(at, create(at, ",\"payload\":[2]")), "\"result\":[2]");
  assert_exit(STOP(w), EXIT_DONE);
  close(port);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(a_wrong_command_line_is_refused_with_a_sentence),
      AT_A_PLACE(help_explains_the_contract),
      AT_A_PLACE(a_key_that_is_refused_ends_the_worker),
      AT_A_PLACE(the_key_comes_from_a_flag_a_file_or_the_environment),
      AT_A_PLACE(a_server_without_sessions_hands_out_none_of_their_tasks),
      AT_A_PLACE(a_log_level_leaves_out_what_is_below_it),
      AT_A_PLACE(a_worker_waits_for_its_server),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
