// command_answers_test.c: what the commands make of answers that Taskyard does not give, or only
// when something is wrong, from a server that says what a test has written down for it.
#include "tests/unit/program.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define ANSWER(status, headers, body)                                                              \
  "HTTP/1.1 " status "\r\n" headers "Connection: close\r\n\r\n" body
#define GOOD(body) ANSWER("200 OK", "", body)
#define STREAM(body) ANSWER("200 OK", "Content-Type: text/event-stream\r\n", body)
#define NOT_TASKYARD "taskyard: the answer is not what Taskyard answers; is one at this URL?\n"

enum { REQUEST_BYTES = 16384 };

struct fake {
  int listener;
  const char *const *answers;  // a connection each, ended by NULL; the last one again and again
};

static void read_request(int fd, char text[REQUEST_BYTES]) {
  size_t len = 0, want = SIZE_MAX;
  while (len < want && len < REQUEST_BYTES - 1) {
    ssize_t got = read(fd, text + len, REQUEST_BYTES - 1 - len);
    if (got <= 0) break;
    len += (size_t)got;
    text[len] = '\0';
    const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length: ");
    int64_t body = 0;
    if (!end) continue;
    if (length) length += strlen("content-length: ");
    if (length) (void)str_to_i64((struct str){length, strcspn(length, "\r")}, &body);
    want = (size_t)(end + 4 - text) + (size_t)body;
  }
  text[len] = '\0';
}

// Prints what it is asked.
static int answer_all(void *self) {
  const struct fake *f = self;
  char text[REQUEST_BYTES];
  size_t i = 0;
  while (true) {
    int fd = accept(f->listener, NULL, NULL);
    if (fd < 0) return EXIT_FAILURE;
    read_request(fd, text);
    puts(text);
    fflush(stdout);
    (void)send(fd, f->answers[i], strlen(f->answers[i]), MSG_NOSIGNAL);
    close(fd);
    if (f->answers[i + 1]) i++;
  }
}

// The programs that start from now on call it. FAKE(at, GOOD("{}"))
#define FAKE(at, ...) fake(at, WORDS(__VA_ARGS__))
static struct program *fake(struct place *at, const char *const *answers) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof to;
  struct fake f = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), answers};
  assert_int_equal(bind(f.listener, (struct sockaddr *)&to, size), 0);
  assert_int_equal(listen(f.listener, 16), 0);
  assert_int_equal(getsockname(f.listener, (struct sockaddr *)&to, &size), 0);
  struct program *p = program_new(at, "fake server");
  program_launch(p, PLAIN_WAY, answer_all, &f);
  close(f.listener);
  at->port = ntohs(to.sin_port);
  place_sets(at, "TASKYARD_URL", arena_printf(&at->arena, "http://127.0.0.1:%u", at->port).at);
  return p;
}

// --- answers of another server -------------------------------------------------------------------

static void an_answer_that_lacks_what_it_must_have_is_told(void **state) {
  static const char *const CALLS[][8] = {{"list"},
                                         {"submit", "t"},
                                         {"get", "x"},
                                         {"get", "x", "-j"},
                                         {"get", "x", "--logs"},
                                         {"get", "x", "--explain"},
                                         {"wait", "x"},
                                         {"cancel", "x"},
                                         {"queue"},
                                         {"type"},
                                         {"queue", "pause", "x"},
                                         {"session"},
                                         {"key", "list"},
                                         {"key", "rotate", "x"},
                                         {"key", "create", "-n", "n", "-r", "reader"},
                                         {"retry", "x"},
                                         {"submit", "t", "@lines", "-l"},
                                         {"import", "--from", "documents"}};
  struct place *at = *state;
  place_writes(at, "lines", "1\n");
  place_writes(at, "documents", "{\"_id\":1,\"task_type\":\"t\"}\n");
  FAKE(at, GOOD("{}"));
  for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
    const struct program *p = END(program_start(at, PLAIN_WAY, CALLS[i]));
    assert_exit(p, EXIT_FAILURE);
    assert_err(p, NOT_TASKYARD);
  }
}

static void an_answer_that_is_no_json_object_is_told(void **state) {
  struct place *at = *state;
  FAKE(at, GOOD("<html>"), GOOD("[]"), GOOD(""));
  for (int i = 0; i < 3; i++) {
    const struct program *p = RUN(at, "list");
    assert_exit(p, EXIT_FAILURE);
    assert_err_is(p, NOT_TASKYARD);
  }
}

static void a_task_in_a_state_that_nobody_knows_is_told(void **state) {
  struct place *at = *state;
  FAKE(at, GOOD("{\"task\":{\"id\":\"x\",\"status\":\"lost\"}}"));
  const struct program *p = RUN(at, "wait", "x");
  assert_exit(p, EXIT_FAILURE);
  assert_err_is(p, NOT_TASKYARD);
}

static void what_is_behind_the_end_of_a_task_decides_the_code(void **state) {
  struct place *at = *state;
  FAKE(at, GOOD("{\"task\":{\"id\":\"x\",\"status\":\"abandoned\"}}"));
  const struct program *p = RUN(at, "wait", "x");
  assert_exit(p, EXIT_TASK_ABANDONED);
  assert_err_is(p, "taskyard: task x is abandoned\n");
}

// --- refusals ------------------------------------------------------------------------------------

static void a_status_without_a_sentence_is_told_as_a_number(void **state) {
  struct place *at = *state;
  FAKE(at, ANSWER("500 Oops", "", "<html>"), ANSWER("502 Bad Gateway", "", ""),
       ANSWER("403 Forbidden", "", "{}"), ANSWER("429 Slow down", "Retry-After: 1\r\n", "[]"));
  const struct program *p = RUN(at, "list");
  assert_int_not_equal(p->code, EXIT_DONE);
  assert_err_is(p, "taskyard: the server answered with HTTP status 500\n");
  p = RUN(at, "list");
  assert_exit(p, EXIT_UNREACHABLE);
  assert_err_is(p, "taskyard: the server answered with HTTP status 502\n");
  assert_exit(RUN(at, "list"), EXIT_NOT_AUTHORISED);
  p = RUN(at, "list");
  assert_exit(p, EXIT_FAILURE);
  assert_err_is(p, "taskyard: the server answered with HTTP status 429\n");
}

static void a_server_that_drains_is_as_good_as_none(void **state) {
  struct place *at = *state;
  FAKE(at, ANSWER("503 Service Unavailable", "",
                  "{\"code\":\"unavailable\",\"detail\":\"the server is stopping\"}"));
  const struct program *p = RUN(at, "health");
  assert_exit(p, EXIT_UNREACHABLE);
  assert_err_is(p, "taskyard: the server is stopping\n");
  p = RUN(at, "cancel", "x", "y");  // what concerns all ends it at the first
  assert_exit(p, EXIT_UNREACHABLE);
  assert_err_is(p, "taskyard: the server is stopping\n");
}

static void a_task_of_a_session_that_may_not_be_started_is_named(void **state) {
  struct place *at = *state;
  struct program *server =
      FAKE(at, GOOD("{\"task\":{\"id\":\"t1\"}}"),
           ANSWER("503 Busy", "", "{\"code\":\"unavailable\",\"detail\":\"not now\"}"));
  const struct program *p = RUN(at, "submit", "t", "--session", "mine", "--idempotency-key", "k");
  assert_exit(p, EXIT_UNREACHABLE);
  assert_err_is(p,
                "The task is t1; it may not be started. `taskyard get t1` tells.\n"
                "taskyard: not now\n");
  AWAIT_OUT(server, "POST /api/v1/tasks HTTP/1.1\r\n");
  AWAIT_OUT(server, "{\"type\":\"t\",\"name\":\"t\"}");
  AWAIT_OUT(server, "POST /api/v1/tasks/t1/start HTTP/1.1\r\n");
  AWAIT_OUT(server, "X-App-Session: mine\r\n");
}

static void an_import_stops_where_the_server_does(void **state) {
  struct place *at = *state;
  place_writes(at, "documents",
               "{\"_id\":1,\"task_type\":\"t\"}\n{\"_id\":2,\"task_type\":\"t\"}\n");
  FAKE(at, GOOD("{\"tasks\":[]}"), GOOD("{\"task\":{\"id\":\"t1\"},\"deduplicated\":true}"),
       ANSWER("503 Busy", "", "{\"code\":\"unavailable\",\"detail\":\"not now\"}"));
  const struct program *p = RUN(at, "import", "--from", "documents");
  assert_exit(p, EXIT_UNREACHABLE);
  assert_err_is(p,
                "taskyard: stopped at line 2; repeat the command to go on\n"
                "taskyard: not now\n");
  assert_out(p, "pending\t0\t1\t0\t0\n");
}

// --- streams -------------------------------------------------------------------------------------

#define EVENT(n) "id: " #n "\nevent: task.created\ndata: {\"seq\":" #n "}\n"

// Each piece but the last breaks off within an event, or has a mark without an event.
static void events_that_break_off_are_asked_for_again(void **state) {
  struct place *at = *state;
  struct program *server =
      FAKE(at, STREAM("retry: 1\n" EVENT(1) "\n" EVENT(2)), STREAM("id: 1\n\nid: 9\n"),
           ANSWER("503 Busy", "", "{\"code\":\"unavailable\",\"detail\":\"not now\"}"),
           STREAM(": a comment\n\n" EVENT(2) "\n" EVENT(3) "\n"));
  const struct program *p = RUN(at, "events", "--json", "--count", "3", "--task", "a b");
  assert_exit(p, EXIT_DONE);
  assert_out_is(p, "{\"seq\":1}\n{\"seq\":2}\n{\"seq\":3}\n");
  assert_err(p, "The stream ended; trying again.\n");
  assert_err(p, "taskyard: not now\nTrying again.\n");
  AWAIT_OUT(server, "GET /api/v1/events?taskId=a%20b HTTP/1.1\r\n");
  AWAIT_OUT(server, "Accept: text/event-stream\r\n");
  AWAIT_OUT(server, "Last-Event-ID: 1\r\n");
  AWAIT_OUT(server, "Last-Event-ID: 1\r\n");
  AWAIT_OUT(server, "Last-Event-ID: 1\r\n");
}

// A server that goes away at once has taken the call all the same.
static void events_of_a_stream_that_was_empty_are_asked_for_again(void **state) {
  struct place *at = *state;
  FAKE(at, STREAM(""), STREAM("retry: 1\n" EVENT(1) "\n"));
  const struct program *p = RUN(at, "events", "--json", "--count", "1");
  assert_exit(p, EXIT_DONE);
  assert_out_is(p, "{\"seq\":1}\n");
  assert_err(p, "The stream ended; trying again.\n");
}

static void a_stream_that_cannot_tell_all_says_so(void **state) {
  struct place *at = *state;
  FAKE(at, STREAM("event: reset\ndata: {\"event\":\"reset\",\"seq\":7,\"reason\":\"behind\"}\n\n"));
  const struct program *p = RUN(at, "events", "--count", "1");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "\treset\t");
  assert_out(p, "\tbehind\tlist again, the server cannot tell what happened before\n");
}

static void a_stream_of_something_else_is_told(void **state) {
  struct place *at = *state;
  FAKE(at, STREAM("data: hello\n\n"));
  const struct program *p = RUN(at, "events");
  assert_exit(p, EXIT_FAILURE);
  assert_err_is(p, NOT_TASKYARD);
}

// --- the keys of tokens --------------------------------------------------------------------------

static void keys_of_tokens_come_from_a_url_with_its_path_and_query(void **state) {
  struct place *at = *state;
  struct program *keys = FAKE(at, ANSWER("404 Not Found", "", ""), GOOD("{\"keys\":[]}"));
  const char *url = arena_printf(&at->arena, "http://127.0.0.1:%u/k.json?a=b", at->port).at;
  struct program *server =
      SERVE(at, "--store", "memory:", "--jwks", url, "--jwks-cooldown", "100ms");
  assert_err(server, "\"reason\":\"the server of the JWKS answered 404\"");
  AWAIT_OUT(keys, "GET /k.json?a=b HTTP/1.1\r\n");
  AWAIT_ERR(server, "the JWKS has no key for the algorithms that are taken");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(an_answer_that_lacks_what_it_must_have_is_told),
      AT_A_PLACE(an_answer_that_is_no_json_object_is_told),
      AT_A_PLACE(a_task_in_a_state_that_nobody_knows_is_told),
      AT_A_PLACE(what_is_behind_the_end_of_a_task_decides_the_code),
      AT_A_PLACE(a_status_without_a_sentence_is_told_as_a_number),
      AT_A_PLACE(a_server_that_drains_is_as_good_as_none),
      AT_A_PLACE(a_task_of_a_session_that_may_not_be_started_is_named),
      AT_A_PLACE(an_import_stops_where_the_server_does),
      AT_A_PLACE(events_that_break_off_are_asked_for_again),
      AT_A_PLACE(events_of_a_stream_that_was_empty_are_asked_for_again),
      AT_A_PLACE(a_stream_that_cannot_tell_all_says_so),
      AT_A_PLACE(a_stream_of_something_else_is_told),
      AT_A_PLACE(keys_of_tokens_come_from_a_url_with_its_path_and_query),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
