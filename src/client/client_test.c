// client_test.c: calls against a server of one thread that gives the answers a test wants.
#include "client/testing_server.h"

#include "base/buf.h"

#include <stdlib.h>

static const struct client_call post_call = {
    .method = "POST",
    .path = {"/api/v1/tasks", 13},
    .body = {"{\"type\":\"t\"}", 12},
    .idempotency_key = {"k1", 2},
    .minimal = true,
};
static const struct client_call get_call = {.method = "GET", .path = {"/x?limit=5", 10}};

static void a_call_carries_its_parts_and_brings_the_answer(void **state) {
  struct testing_server *f = *state;
  fake_answers(f, "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}");
  struct client_reply reply;
  struct fault why;
  assert_int_equal(client_expect(f->client, &f->arena, &post_call, &reply, &why), ERR_OK);
  assert_int_equal(reply.status, 201);
  assert_string_equal(reply.body.at, "{}");
  assert_non_null(strstr(fake_request(f), "POST /api/v1/tasks HTTP/1.1\r\n"));
  assert_non_null(strstr(fake_request(f), "\r\nAuthorization: Bearer tk_secret\r\n"));
  assert_non_null(strstr(fake_request(f), "\r\nContent-Type: application/json\r\n"));
  assert_non_null(strstr(fake_request(f), "\r\nIdempotency-Key: \"k1\"\r\n"));
  assert_non_null(strstr(fake_request(f), "\r\nPrefer: return=minimal\r\n"));
  assert_non_null(strstr(fake_request(f), "\r\n\r\n{\"type\":\"t\"}"));
}

static void the_connection_is_kept_and_nothing_sticks_to_the_next_call(void **state) {
  struct testing_server *f = *state;
  fake_answers(f, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull");
  struct client_reply reply;
  struct fault why;
  assert_int_equal(client_send(f->client, &f->arena, &post_call, &reply, &why), ERR_OK);
  assert_int_equal(client_send(f->client, &f->arena, &get_call, &reply, &why), ERR_OK);
  assert_int_equal(strncmp(fake_request(f), "GET /x?limit=5 HTTP/1.1\r\n", 25), 0);
  assert_null(strcasestr(fake_request(f), "content-length"));
  assert_null(strstr(fake_request(f), "Idempotency-Key"));
  assert_null(strstr(fake_request(f), "Prefer"));
}

static void a_problem_becomes_its_error_with_the_servers_sentence(void **state) {
  struct testing_server *f = *state;
  fake_answers(
      f,
      "HTTP/1.1 422 X\r\nContent-Length: 143\r\nRetry-After: 3\r\n\r\n"
      "{\"code\":\"invalid_field\",\"detail\":\"it is wrong\",\"success\":false,"
      "\"errors\":[{\"pointer\":\"/priority\",\"code\":\"x\",\"detail\":\"not a number\"}, 1, {}] "
      "}  ");
  struct client_reply reply;
  struct fault why = {0};
  assert_int_equal(client_expect(f->client, &f->arena, &post_call, &reply, &why), ERR_INVALID);
  assert_string_equal(why.detail, "it is wrong");
  assert_int_equal(why.retry_after_s, 3);
  assert_string_equal(why.fields[0].pointer, "/priority");
  assert_string_equal(why.fields[0].detail, "not a number");
}

static void an_answer_of_somebody_else_becomes_the_error_of_its_status(void **state) {
  struct testing_server *f = *state;
  fake_answers(f, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>");
  struct client_reply reply;
  struct fault why;
  assert_int_equal(client_expect(f->client, &f->arena, &get_call, &reply, &why), ERR_UNAVAILABLE);
  assert_non_null(strstr(why.detail, "502"));
}

static void an_unknown_problem_becomes_the_error_of_its_kind(void **state) {
  struct testing_server *f = *state;
  static const struct {
    const char *answer;
    enum err err;
  } rows[] = {
      {"HTTP/1.1 418 X\r\nContent-Length: 17\r\n\r\n{\"code\":\"teapot\"}", ERR_BAD_REQUEST},
      {"HTTP/1.1 404 X\r\nContent-Length: 17\r\n\r\n{\"code\":\"teapot\"}", ERR_NOT_FOUND},
      {"HTTP/1.1 429 X\r\nContent-Length: 2\r\n\r\n[]", ERR_TOO_MANY},
      {"HTTP/1.1 599 X\r\nContent-Length: 0\r\n\r\n", ERR_UNAVAILABLE},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct client_reply reply;
    struct fault why;
    fake_answers(f, rows[i].answer);
    assert_int_equal(client_expect(f->client, &f->arena, &get_call, &reply, &why), rows[i].err);
    assert_non_null(strstr(why.detail, "the server answered with HTTP status"));
  }
}

static void what_is_no_answer_at_all_is_a_failure(void **state) {
  struct testing_server *f = *state;
  struct client_reply reply;
  struct fault why;
  fake_answers(f, "220 mail.example.com ESMTP\r\n");
  assert_int_equal(client_send(f->client, &f->arena, &get_call, &reply, &why), ERR_UNAVAILABLE);
  assert_non_null(strstr(why.detail, "the call to http://127.0.0.1:"));
  assert_non_null(strstr(why.detail, " failed: "));
}

static void a_large_answer_comes_whole_and_so_does_what_follows(void **state) {
  struct testing_server *f = *state;
  enum { BYTES = 3 << 19 };
  struct buf b;
  struct client_reply reply;
  struct fault why;
  buf_init(&b, BYTES + 100);
  buf_printf(&b, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BYTES);
  for (int i = 0; i < BYTES; i++) buf_char(&b, 'x');
  fake_answers(f, arena_cstr(&f->arena, buf_str(&b)));
  buf_fini(&b);
  assert_int_equal(client_expect(f->client, &f->arena, &get_call, &reply, &why), ERR_OK);
  assert_int_equal(reply.body.len, BYTES);
  assert_int_equal(reply.body.at[BYTES - 1], 'x');
  fake_answers(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  assert_int_equal(client_expect(f->client, &f->arena, &get_call, &reply, &why), ERR_OK);
  assert_string_equal(reply.body.at, "{}");
}

static void an_answer_over_the_limit_is_a_failure(void **state) {
  struct testing_server *f = *state;
  static const struct {
    const char *answer;
    enum err err;
  } rows[] = {{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour", ERR_OK},
              {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfive!", ERR_UNAVAILABLE}};
  struct client_settings settings = {.url = str_of(f->url), .reply_bytes_max = 4};
  struct client *narrow = NULL;
  struct client_reply reply;
  struct fault why;
  assert_int_equal(client_open(&settings, &narrow, &why), ERR_OK);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fake_answers(f, rows[i].answer);
    assert_int_equal(client_send(narrow, &f->arena, &get_call, &reply, &why), rows[i].err);
  }
  assert_non_null(strstr(why.detail, "is over 4 bytes"));
  client_close(narrow);
}

struct taken {
  struct buf text;
  bool enough;
};

static bool take_piece(void *self, struct str piece) {
  struct taken *taken = self;
  buf_put(&taken->text, piece);
  return !taken->enough;
}

static void a_stream_is_handed_over_as_it_comes_and_can_be_ended(void **state) {
  struct testing_server *f = *state;
  struct taken taken = {0};
  struct client_call call = get_call;
  struct client_reply reply;
  struct fault why;
  buf_init(&taken.text, 1024);
  call.take = take_piece;
  call.self = &taken;
  call.last_event_id = STR("17");
  fake_answers(f, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nid: 18\n\n\n");
  assert_int_equal(client_expect(f->client, &f->arena, &call, &reply, &why), ERR_OK);
  assert_int_equal(reply.body.len, 0);
  assert_true(str_eq(buf_str(&taken.text), STR("id: 18\n\n\n")));
  assert_non_null(strstr(fake_request(f), "Accept: text/event-stream\r\n"));
  assert_non_null(strstr(fake_request(f), "Last-Event-ID: 17\r\n"));
  taken.enough = true;
  assert_int_not_equal(client_expect(f->client, &f->arena, &call, &reply, &why), ERR_OK);
  buf_fini(&taken.text);
}

static void a_stream_that_is_refused_is_an_error_with_the_servers_sentence(void **state) {
  struct testing_server *f = *state;
  struct taken taken = {0};
  struct client_call call = get_call;
  struct client_reply reply;
  struct fault why;
  call.take = take_piece;
  call.self = &taken;
  fake_answers(f,
               "HTTP/1.1 404 Not Found\r\nContent-Length: 39\r\n\r\n"
               "{\"code\":\"not_found\",\"detail\":\"no task\"}");
  assert_int_equal(client_expect(f->client, &f->arena, &call, &reply, &why), ERR_NOT_FOUND);
  assert_non_null(strstr(why.detail, "no task"));
}

static void *interrupt_once_taken(void *self) {
  struct testing_server *f = self;
  sem_wait(&f->taken);
  client_interrupt(f->client);
  return NULL;
}

static void an_interrupt_ends_a_blocked_call_and_all_later_ones(void **state) {
  struct testing_server *f = *state;
  pthread_t other;
  assert_int_equal(pthread_create(&other, NULL, interrupt_once_taken, f), 0);
  struct client_call call = get_call;
  call.wait_ms = 60000;
  struct client_reply reply;
  struct fault why;
  assert_int_equal(client_send(f->client, &f->arena, &call, &reply, &why), ERR_UNAVAILABLE);
  assert_non_null(strstr(why.detail, "interrupted"));
  pthread_join(other, NULL);
  assert_int_equal(client_send(f->client, &f->arena, &call, &reply, &why), ERR_UNAVAILABLE);
}

static void a_proxy_of_the_environment_is_not_for_this_machine(void **state) {
  struct testing_server *f = *state;
  struct client_reply reply;
  struct fault why;
  assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
  fake_answers(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  enum err err = client_expect(f->client, &f->arena, &get_call, &reply, &why);
  assert_int_equal(unsetenv("http_proxy"), 0);
  assert_int_equal(err, ERR_OK);
}

static void no_server_gives_a_sentence_with_the_url(void **state) {
  struct testing_server *f = *state;
  end_server(f);
  struct client_reply reply;
  struct fault why;
  assert_int_equal(client_send(f->client, &f->arena, &get_call, &reply, &why), ERR_UNAVAILABLE);
  assert_non_null(strstr(why.detail, "http://127.0.0.1:"));
  assert_non_null(strstr(why.detail, "taskyard serve"));
}

static void a_server_that_says_nothing_is_given_up(void **state) {
  struct testing_server *f = *state;
  // Long enough to connect, else it is another sentence.
  struct client_settings settings = {.url = str_of(f->url), .timeout_ms = 1000};
  struct client *hasty = NULL;
  struct client_reply reply;
  struct fault why;
  assert_int_equal(client_open(&settings, &hasty, &why), ERR_OK);
  assert_int_equal(client_send(hasty, &f->arena, &get_call, &reply, &why), ERR_UNAVAILABLE);
  assert_non_null(strstr(why.detail, "did not answer within 1 s"));
  client_close(hasty);
}

// A label of a name has at most 63 bytes, so that nobody is asked for this one.
#define NOBODY "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void a_host_that_is_not_known_is_told_with_what_to_check(void **state) {
  (void)state;
  struct client_settings settings = {.url = STR(NOBODY)};
  const char *const advice[] = {NULL, "look at `jwks_url`"};
  struct arena a;
  arena_init(&a, 1 << 10);
  for (int i = 0; i < 2; i++) {
    struct client *c = NULL;
    struct client_reply reply;
    struct fault why;
    settings.advice = advice[i];
    assert_int_equal(client_open(&settings, &c, &why), ERR_OK);
    assert_int_equal(client_send(c, &a, &get_call, &reply, &why), ERR_UNAVAILABLE);
    assert_non_null(strstr(why.detail, "the host of " NOBODY " is not known; "));
    assert_non_null(strstr(why.detail, advice[i] ? advice[i] : "check --url or TASKYARD_URL"));
    client_close(c);
  }
  arena_fini(&a);
}

// Its queue of connections is full, so that it looks like a machine that drops packets.
static void a_server_that_lets_nobody_in_is_given_up(void **state) {
  (void)state;
  enum { FILLERS = 4 };
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int full = socket(AF_INET, SOCK_STREAM, 0), fillers[FILLERS];
  assert_int_equal(bind(full, (struct sockaddr *)&at, size), 0);
  assert_int_equal(listen(full, 0), 0);
  assert_int_equal(getsockname(full, (struct sockaddr *)&at, &size), 0);
  for (int i = 0; i < FILLERS; i++) {
    fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)connect(fillers[i], (struct sockaddr *)&at, size);
  }
  char url[64];
  (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(at.sin_port));
  struct client_settings settings = {.url = str_of(url), .timeout_ms = 50};
  struct client *hasty = NULL;
  struct client_reply reply;
  struct fault why;
  struct arena a;
  arena_init(&a, 1 << 10);
  assert_int_equal(client_open(&settings, &hasty, &why), ERR_OK);
  assert_int_equal(client_send(hasty, &a, &get_call, &reply, &why), ERR_UNAVAILABLE);
  assert_non_null(strstr(why.detail, "cannot be reached: no connection within 1 s"));
  client_close(hasty);
  for (int i = 0; i < FILLERS; i++) close(fillers[i]);
  close(full);
  arena_fini(&a);
}

static void settings_that_cannot_work_are_refused_at_once(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"127.0.0.1:8503", NULL}, {"ftp://x", NULL},
      {"http://", NULL},        {"", NULL},
      {"http://u:p@x", NULL},   {"http://x/?a=1", NULL},
      {"http://x", "a\r\nb"},   {"http://x", "two words"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct client_settings settings = {.url = str_of(rows[i][0]), .key = str_of(rows[i][1])};
    struct client *c = NULL;
    struct fault why;
    assert_int_equal(client_open(&settings, &c, &why), ERR_INVALID);
    assert_null(c);
  }
}

static void a_name_that_begins_like_a_loopback_address_is_not_local(void **state) {
  (void)state;
  static const struct {
    const char *url;
    bool is_local;
  } rows[] = {
      {"http://127.0.0.1:8503", true},
      {"http://127.255.0.9", true},
      {"http://localhost:8503", true},
      {"http://[::1]:8503", true},
      {"http://127.example.com", false},
      {"http://127.0.0.1.example.com", false},
      {"http://localhost.example.com", false},
      {"http://128.0.0.1", false},
      {"http://[::2]", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct client_settings settings = {.url = str_of(rows[i].url)};
    struct client *c = NULL;
    struct fault why;
    assert_int_equal(client_open(&settings, &c, &why), ERR_OK);
    assert_int_equal(client_is_local(c), rows[i].is_local);
    client_close(c);
  }
}

static void names_are_escaped_for_a_path(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 1 << 10);
  struct str text = client_escape(&a, STR("a/b c?ü\0~.-_Z9"));
  assert_string_equal(text.at, "a%2Fb%20c%3F%C3%BC%00~.-_Z9");
  arena_fini(&a);
}

// A token may have 16 KiB; what is longer is not cut, but refused.
static void a_key_file_may_hold_a_token(void **state) {
  (void)state;
  enum { MOST = 16 * 1024 };
  char path[] = "/tmp/client_test.XXXXXX", token[MOST + 2];
  int fd = mkstemp(path);
  struct arena a;
  struct str key;
  struct fault why;
  memset(token, 'k', sizeof token);
  token[MOST] = '\n';
  arena_init(&a, 1 << 10);
  assert_int_equal(write(fd, token, MOST + 1), MOST + 1);
  assert_int_equal(client_key_read(path, &a, &key, &why), ERR_OK);
  assert_int_equal(key.len, MOST);
  token[MOST] = 'k';
  assert_int_equal(pwrite(fd, token, sizeof token, 0), sizeof token);
  assert_int_equal(client_key_read(path, &a, &key, &why), ERR_INVALID);
  assert_non_null(strstr(why.detail, "over 16384 bytes"));
  unlink(path);
  close(fd);
  arena_fini(&a);
}

static void a_key_file_holds_the_key_in_its_first_line(void **state) {
  (void)state;
  char path[] = "/tmp/client_test.XXXXXX";
  int fd = mkstemp(path);
  assert_int_equal(write(fd, " tk_1 \r\nrest\n", 13), 13);
  struct arena a;
  arena_init(&a, 1 << 10);
  struct str key = STR_NONE;
  struct fault why;
  assert_int_equal(client_key_read(path, &a, &key, &why), ERR_OK);
  assert_true(str_eq(key, STR("tk_1")));
  assert_int_equal(ftruncate(fd, 0), 0);
  assert_int_equal(client_key_read(path, &a, &key, &why), ERR_INVALID);
  unlink(path);
  assert_int_equal(client_key_read(path, &a, &key, &why), ERR_INVALID);
  close(fd);
  arena_fini(&a);
}

int main(void) {
#define WITH_SERVER(name) cmocka_unit_test_setup_teardown(name, a_client_of_a_server, both_ended)
  const struct CMUnitTest tests[] = {
      WITH_SERVER(a_call_carries_its_parts_and_brings_the_answer),
      WITH_SERVER(the_connection_is_kept_and_nothing_sticks_to_the_next_call),
      WITH_SERVER(a_problem_becomes_its_error_with_the_servers_sentence),
      WITH_SERVER(an_answer_of_somebody_else_becomes_the_error_of_its_status),
      WITH_SERVER(an_unknown_problem_becomes_the_error_of_its_kind),
      WITH_SERVER(what_is_no_answer_at_all_is_a_failure),
      WITH_SERVER(a_large_answer_comes_whole_and_so_does_what_follows),
      WITH_SERVER(an_answer_over_the_limit_is_a_failure),
      WITH_SERVER(a_stream_is_handed_over_as_it_comes_and_can_be_ended),
      WITH_SERVER(a_stream_that_is_refused_is_an_error_with_the_servers_sentence),
      WITH_SERVER(an_interrupt_ends_a_blocked_call_and_all_later_ones),
      WITH_SERVER(a_proxy_of_the_environment_is_not_for_this_machine),
      WITH_SERVER(no_server_gives_a_sentence_with_the_url),
      WITH_SERVER(a_server_that_says_nothing_is_given_up),
      cmocka_unit_test(a_host_that_is_not_known_is_told_with_what_to_check),
      cmocka_unit_test(a_server_that_lets_nobody_in_is_given_up),
      cmocka_unit_test(settings_that_cannot_work_are_refused_at_once),
      cmocka_unit_test(a_name_that_begins_like_a_loopback_address_is_not_local),
      cmocka_unit_test(names_are_escaped_for_a_path),
      cmocka_unit_test(a_key_file_holds_the_key_in_its_first_line),
      cmocka_unit_test(a_key_file_may_hold_a_token),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
