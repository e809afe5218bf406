// command_serve_test.c: `taskyard serve`: what keeps it from starting, what it says when it has,
// what SIGHUP changes, how it ends.
#include "tests/unit/asking.h"

#include "api/jwt_testing.h"
#include "model/limits.h"

#include <sys/resource.h>

// Writes taskyard.conf, in which all that a test says stands.
static void configure(struct place *at, const char *content) {
  place_writes(at, "taskyard.conf", content);
}

static void hang_up(struct program *server) { kill(server->pid, SIGHUP); }

// A socket that is connected to the latest server.
static int connection(struct place *at) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(at->port)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  return fd;
}

// --- starting ------------------------------------------------------------------------------------

static void an_address_that_is_taken_is_told_before_a_store_is_made(void **state) {
  struct place *at = *state;
  (void)SERVE(at, "--store", "memory:");
  const struct program *p =
      RUN(at, "serve", "--listen", arena_printf(&at->arena, "127.0.0.1:%u", at->port).at);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "address already in use");
  assert_err(p, "listen elsewhere");
  assert_null(place_reads(at, "taskyard.db"));
}

static void an_address_beyond_loopback_needs_a_key(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "serve", "--listen", "0.0.0.0:0");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "API key");
  place_sets(at, "API_KEY", "dev_api_key");
  p = RUN(at, "serve", "--listen", "0.0.0.0:0");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "dev_api_key");
  assert_null(place_reads(at, "taskyard.db"));
}

static void a_store_that_cannot_be_opened_is_told(void **state) {
  struct place *at = *state;
  (void)SERVE(at, "--store", "sqlite:tasks.db");
  const struct program *p =
      RUN(at, "serve", "--listen", "127.0.0.1:0", "--store", "sqlite:tasks.db");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "in use by another taskyard, process ");
  p = RUN(at, "serve", "--listen", "127.0.0.1:0", "--store", "sqlite:missing/tasks.db");
  assert_int_not_equal(p->code, EXIT_DONE);
  assert_err(p, "missing");
  p = RUN(at, "serve", "--listen", "127.0.0.1:0", "--store", "postgresql://me:hush@127.0.0.1:1/x");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "cannot connect to the database");
  assert_null(strstr(p->err, "hush"));
}

static void a_log_that_cannot_be_written_is_told(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "serve", "--store", "memory:", "--log-file", "missing/log");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "taskyard: the log file missing/log cannot be opened for writing\n");
  p = RUN(at, "serve", "--store", "memory:", "--log-dir", "missing");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "cannot be opened for writing in the log directory missing; make the directory");
}

static void it_takes_the_descriptors_that_its_connections_need(void **state) {
  struct place *at = *state;
  struct rlimit before, low;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = (struct rlimit){.rlim_cur = 64, .rlim_max = before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  const struct program *p = SERVE(at, "--store", "memory:", "--connections-max", "100");
  assert_int_equal(prlimit(p->pid, RLIMIT_NOFILE, NULL, &low), 0);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(low.rlim_cur, 164);
}

static void the_log_says_what_is_served(void **state) {
  struct place *at = *state;
  struct program *p = SERVE(at, "--store", "memory:");
  AWAIT_ERR(p, "no API key is configured: everyone who can connect may do everything;");
  assert_err(p, "\"store\":\"memory:\"");
  assert_err(p, "\"version\":\"" TASKYARD_VERSION "\"");
  p = SERVE(at, "--store", "memory:", "--sessions");
  AWAIT_ERR(p, "everyone who can connect may work for all sessions");
  assert_err(p, "\"message\":\"Task system initialized successfully\",\"sessionsMax\":100}");
}

static void the_log_can_be_text_and_go_to_a_directory_too(void **state) {
  struct place *at = *state;
  assert_int_equal(mkdir(place_path(at, "logs"), 0700), 0);
  struct program *p = START(at, "serve", "--listen", "127.0.0.1:0", "--store",
                            "memory:", "--log-format", "text", "--log-dir", "logs");
  AWAIT_ERR(p, "listening");
  assert_exit(STOP(p), EXIT_DONE);
  assert_null(strstr(p->err, "\"message\""));
  assert_holds(place_reads(at, "logs/combined.log"), "stopped");
  assert_string_equal(place_reads(at, "logs/error.log"), "");
}

static void jobs_that_are_not_served_are_told_of(void **state) {
  struct place *at = *state;
  place_sets(at, "TASKYARD_JOBS", "yes");
  struct program *p = SERVE(at, "--store", "memory:");
  AWAIT_ERR(p, "jobs are not served although the setting jobs is yes");
  place_sets(at, "TASKYARD_JWT_SECRET", SECRET);
  p = SERVE(at, "--store", "sqlite:tasks.db", "--jwt-issuer", "us");
  AWAIT_ERR(p, "tokens that name no role may read the jobs of all users at /api/v1/tasks");
  AWAIT_ERR(p, "\"message\":\"tokens are taken\",\"algorithms\":\"HS256\",\"issuer\":\"us\"");
}

// --- types and queues of the file ----------------------------------------------------------------

static void sections_become_types_and_queues(void **state) {
  struct place *at = *state;
  configure(at,
            "[type voice]\nmax_attempts = 2\nqueue = audio\n[queue audio]\npaused = yes\n"
            "[queue open]\n");
  struct program *server = SERVE(at, "--store", "sqlite:tasks.db");
  ask_until(at, "/types", "\"name\":\"voice\"");
  ask_until(at, "/queues", "\"paused\":true");
  assert_holds(ask(at, "GET", "/types", ""), "\"maxAttempts\":2");
  ask(at, "POST", "/queues/audio/resume", "");
  ask(at, "POST", "/queues/open/pause", "");
  configure(at, "[type voice]\nmax_attempts = 4\nqueue = audio\n[queue audio]\n[queue open]\n");
  hang_up(server);
  AWAIT_ERR(server, "\"message\":\"reloaded\"");
  ask_until(at, "/types", "\"maxAttempts\":4");
  ask(at, "POST", "/queues/last/resume", "");  // behind what the sections ordered
  assert_holds(ask(at, "GET", "/queues/open", ""), "\"paused\":true");
  assert_holds(ask(at, "GET", "/queues/audio", ""), "\"paused\":false");
  assert_exit(STOP(server), EXIT_DONE);
  server = SERVE(at, "--store", "sqlite:tasks.db");
  assert_holds(ask(at, "GET", "/types", ""), "\"maxAttempts\":4");
}

// --- SIGHUP --------------------------------------------------------------------------------------

static void a_reload_applies_what_can_change_and_names_what_waits(void **state) {
  struct place *at = *state;
  configure(at, "access_log = no\nlease = 30s\n");
  struct program *server = SERVE(at, "--store", "memory:");
  ask(at, "GET", "/tasks", "");
  configure(at, "access_log = yes\nlease = 20s\nlog_jobs = all\n");
  hang_up(server);
  AWAIT_ERR(server,
            "\"message\":\"a changed setting waits for the next start\","
            "\"setting\":\"lease\"}");
  AWAIT_ERR(server, "\"message\":\"reloaded\"");
  assert_null(strstr(server->err, "\"message\":\"request\""));
  ask(at, "GET", "/tasks", "");
  AWAIT_ERR(server, "\"message\":\"request\",\"method\":\"GET\"");
  const char *first = strstr(server->err, "waits for the next start");
  assert_null(strstr(first + 1, "waits for the next start"));
}

static void a_reload_that_is_wrong_changes_nothing(void **state) {
  struct place *at = *state;
  configure(at, "access_log = no\n");
  struct program *server = SERVE(at, "--store", "memory:");
  configure(at, "access_log = yes\nlease = 1w\n");
  hang_up(server);
  AWAIT_ERR(server, "\"message\":\"reload refused; the old settings stay\",\"reason\":\"");
  AWAIT_ERR(server, "taskyard.conf:2: ");
  ask(at, "GET", "/tasks", "");
  configure(at, "log_file = missing/log\n");
  hang_up(server);
  AWAIT_ERR(server, "\"message\":\"the log stays where it is\"");
  AWAIT_ERR(server, "\"message\":\"reloaded\"");
  assert_null(strstr(server->err, "\"message\":\"request\""));
}

static void a_reload_begins_another_log_file(void **state) {
  struct place *at = *state;
  struct program *server = SERVE(at, "--store", "memory:");
  configure(at, "log_file = new.log\n");
  hang_up(server);
  assert_exit(STOP(server), EXIT_DONE);
  assert_null(strstr(server->err, "\"message\":\"stopped\""));
  assert_holds(place_reads(at, "new.log"), "\"message\":\"reloaded\"");
  assert_holds(place_reads(at, "new.log"), "\"message\":\"stopped\"");
}

// --- keys of tokens ------------------------------------------------------------------------------

// A token is looked at: 200, or 401.
static bool is_let_in(struct place *at, const char *token) {
  struct str header = arena_printf(&at->arena, "Authorization: Bearer %s\r\n", token);
  const char *answer = ask_as(at, header.at, "GET", "/tasks", "");
  if (str_starts(str_of(answer), STR("HTTP/1.1 200"))) return true;
  assert_true(str_starts(str_of(answer), STR("HTTP/1.1 401")));
  return false;
}

static void keys_of_tokens_are_read_again_at_a_reload(void **state) {
  struct place *at = *state;
  place_writes(at, "keys.json", JWKS(ES_JWK("e")).at);
  struct program *server = SERVE(at, "--store", "memory:", "--jwks", "keys.json");
  assert_err(server,
             "\"message\":\"the keys of tokens were read\",\"jwks\":\"keys.json\",\"keys\":1}");
  assert_true(is_let_in(at, ES_TOKEN));
  place_writes(at, "keys.json", "{");
  hang_up(server);
  AWAIT_ERR(server,
            "\"message\":\"the keys of tokens could not be read; those that are there stay\"");
  assert_true(is_let_in(at, ES_TOKEN));
  place_writes(at, "keys.json", JWKS(RS_JWK("r") "," ED_JWK("o")).at);
  hang_up(server);
  AWAIT_ERR(server,
            "\"message\":\"the keys of tokens were read\",\"jwks\":\"keys.json\",\"keys\":2}");
  assert_false(is_let_in(at, ES_TOKEN));
  assert_true(is_let_in(at, RS_TOKEN));
}

static void a_token_of_an_unknown_key_has_the_file_read_again(void **state) {
  struct place *at = *state;
  place_writes(at, "keys.json", JWKS(ES_JWK("e")).at);
  struct program *server =
      SERVE(at, "--store", "memory:", "--jwks", "keys.json", "--jwks-cooldown", "100ms");
  place_writes(at, "keys.json", JWKS(ES_JWK("e") "," ED_JWK("o")).at);
  assert_false(is_let_in(at, ED_TOKEN));
  AWAIT_ERR(server, "\"keys\":2}");
  assert_true(is_let_in(at, ED_TOKEN));
}

static void keys_that_cannot_be_read_keep_it_from_starting(void **state) {
  static const struct {
    const char *jwks, *sentence;
  } WRONG[] = {
      {"missing.json", "taskyard: the JWKS missing.json cannot be read: No such file or directory"},
      {".", "taskyard: the JWKS . cannot be read"},
      {"bad.json", "a JWKS is an object with an array of keys"},
      {"large.json", "taskyard: the JWKS large.json is over 262144 bytes"},
      {"http://me@127.0.0.1/keys", "taskyard: jwks must be the path of a file or a URL, as in "},
  };
  struct place *at = *state;
  place_writes(at, "bad.json", "[]");
  place_writes(at, "large.json", "");
  assert_int_equal(truncate(place_path(at, "large.json"), LIMIT_JWKS_BYTES + 1), 0);
  for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
    const struct program *p =
        RUN(at, "serve", "--listen", "127.0.0.1:0", "--store", "memory:", "--jwks", WRONG[i].jwks);
    assert_exit(p, EXIT_CONFIG);
    assert_err(p, WRONG[i].sentence);
  }
}

static void it_starts_without_the_server_of_its_keys(void **state) {
  struct program *p =
      SERVE(*state, "--store", "memory:", "--jwks", "http://0.0.0.0:1/keys.json?a=b");
  assert_err(p, "the keys of tokens come over plain HTTP; use https");
  assert_err(p, "the keys of tokens could not be read; those that are there stay");
  assert_err(p, "no server answers at http://0.0.0.0:1; check the setting jwks");
}

// --- ending --------------------------------------------------------------------------------------

// Long before the time for requests in flight is over.
static void a_stop_answers_who_waits(void **state) {
  static const char CLAIM[] =
      "POST /api/v1/claims HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 48\r\n\r\n{\"types\":[\"none\"],\"workerId\":\"w\",\"waitMs\":60000}";
  struct place *at = *state;
  struct program *server = SERVE(at, "--store", "memory:", "--drain", "60s");
  const char *id = first_line(RUN(at, "submit", "t"));
  struct program *told = START(at, "events", "--after", "0");
  int fd = connection(at);
  assert_int_equal(send(fd, CLAIM, sizeof CLAIM - 1, MSG_NOSIGNAL), sizeof CLAIM - 1);
  ask_until(at, "//health", "\"waitingClaims\":1");
  AWAIT_OUT(told, id);
  struct program *waiting = START(at, "wait", id);
  ask_until(at, "//health", "\"watching\":1");
  kill(server->pid, SIGTERM);
  assert_holds(place_receives(at, fd), "\"count\":0");
  close(fd);  // the server waits a moment for its clients to hang up
  AWAIT_ERR(told, "The stream ended; trying again.\n");
  assert_exit(STOP(told), 128 + SIGTERM);
  assert_exit(END(waiting), EXIT_UNREACHABLE);
  assert_exit(END(server), EXIT_DONE);
  assert_err(server, "\"message\":\"draining\",\"signal\":15,\"graceMs\":60000}");
  assert_err(server, "\"message\":\"stopped\"");
}

static void an_interrupt_ends_it_as_well(void **state) {
  struct program *server = SERVE(*state, "--store", "memory:");
  assert_exit(program_stop(server, SIGINT, __FILE__, __LINE__), EXIT_DONE);
  assert_err(server, "\"message\":\"draining\",\"signal\":2,");
}

// The first one waits for a request of which the end does not come.
static void a_second_signal_ends_it_at_once(void **state) {
  static const char HALF[] =
      "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\n{";
  struct place *at = *state;
  struct program *server = SERVE(at, "--store", "memory:");
  int fd = connection(at);
  assert_int_equal(send(fd, HALF, sizeof HALF - 1, MSG_NOSIGNAL), sizeof HALF - 1);
  for (int i = 0; i < 2; i++) ask(at, "GET", "//health", "");  // the second came behind the half
  kill(server->pid, SIGTERM);
  AWAIT_ERR(server, "\"message\":\"draining\"");
  assert_exit(STOP(server), 128 + SIGTERM);
  assert_err(server, "\"message\":\"second signal: stopping at once\"");
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(an_address_that_is_taken_is_told_before_a_store_is_made),
      AT_A_PLACE(an_address_beyond_loopback_needs_a_key),
      AT_A_PLACE(a_store_that_cannot_be_opened_is_told),
      AT_A_PLACE(a_log_that_cannot_be_written_is_told),
      AT_A_PLACE(it_takes_the_descriptors_that_its_connections_need),
      AT_A_PLACE(the_log_says_what_is_served),
      AT_A_PLACE(the_log_can_be_text_and_go_to_a_directory_too),
      AT_A_PLACE(jobs_that_are_not_served_are_told_of),
      AT_A_PLACE(sections_become_types_and_queues),
      AT_A_PLACE(a_reload_applies_what_can_change_and_names_what_waits),
      AT_A_PLACE(a_reload_that_is_wrong_changes_nothing),
      AT_A_PLACE(a_reload_begins_another_log_file),
      AT_A_PLACE(keys_of_tokens_are_read_again_at_a_reload),
      AT_A_PLACE(a_token_of_an_unknown_key_has_the_file_read_again),
      AT_A_PLACE(keys_that_cannot_be_read_keep_it_from_starting),
      AT_A_PLACE(it_starts_without_the_server_of_its_keys),
      AT_A_PLACE(a_stop_answers_who_waits),
      AT_A_PLACE(an_interrupt_ends_it_as_well),
      AT_A_PLACE(a_second_signal_ends_it_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
