// sessions_test.c: sessions under load and at their ends, through HTTP, with all threads of the
// real server: loop, lanes, timer. What it is for shows under ThreadSanitizer and AddressSanitizer.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/sqlite/sqlite.h"

enum { PATIENCE_S = 20, ANSWER_BYTES = 1 << 16, VISITORS = 4, ROUNDS = 25 };

struct fixture {
  struct store *store;
  struct engine *engine;
  struct api *api;
  struct http_server *http;
  pthread_t loop;
};

static enum err open_session_store(void *self, struct store **out, struct fault *why) {
  const struct sqlite_settings settings = {.bytes_max = 1 << 20};
  (void)self;
  return sqlite_store_open(NULL, &settings, out, why);
}

static void wake(void *self) {
  struct fixture *f = self;
  if (f->http) http_wake(f->http);
}

static void *run_loop(void *self) {
  http_run(((struct fixture *)self)->http);
  return NULL;
}

static struct fixture *start(size_t max, int64_t timeout_ms) {
  struct fixture *f = mem_zero(sizeof *f);
  struct fault why = {0};
  const struct engine_settings of_tasks = {.lease_ms = 30000, .attempts_max = 3};
  struct engine_settings engine = of_tasks;
  engine.self = f;
  engine.wake = wake;
  assert_int_equal(sqlite_store_open(NULL, NULL, &f->store, &why), ERR_OK);
  assert_int_equal(engine_open(f->store, &engine, &f->engine, &why), ERR_OK);
  const struct api_settings api = {.engine = f->engine,
                                   .version = STR("1"),
                                   .store_name = STR("memory"),
                                   .service_name = STR("test"),
                                   .admin_key = STR_NONE,
                                   .body_bytes_max = 1 << 20,
                                   .sessions = {.on = true,
                                                .max = max,
                                                .timeout_ms = timeout_ms,
                                                .engine = of_tasks,
                                                .open_store = open_session_store}};
  f->api = api_open(&api);
  struct http_settings http = HTTP_DEFAULTS;
  http.port = 0;
  struct http_hooks hooks = api_hooks(f->api);
  assert_int_equal(http_open(&http, &hooks, &f->http, &why), ERR_OK);
  api_attach(f->api, f->http);
  assert_int_equal(engine_start(f->engine, &why), ERR_OK);
  assert_int_equal(pthread_create(&f->loop, NULL, run_loop, f), 0);
  return f;
}

// As app/server.c does it.
static void stop(struct fixture *f) {
  http_stop(f->http, 0);
  pthread_join(f->loop, NULL);
  engine_stop(f->engine);
  engine_collect(f->engine);
  api_stop(f->api);
  http_close(f->http);
  engine_close(f->engine);
  api_close(f->api);
  f->store->ops->close(f->store);
  mem_free(f);
}

// --- a client ------------------------------------------------------------------------------------

struct client {
  int fd;
  int status;
  char answer[ANSWER_BYTES];  // head and body, NUL-terminated
};

static struct client *connect_to(const struct fixture *f) {
  struct client *c = mem_zero(sizeof *c);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(f->http))};
  struct timeval patience = {.tv_sec = PATIENCE_S};
  int yes = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
  return c;
}

static void hang_up(struct client *c) {
  close(c->fd);
  mem_free(c);
}

// `who`: "" or a whole header line. A path that begins with two slashes is not below /api/v1.
static void send_to(struct client *c, const char *method, const char *path, const char *who,
                    const char *body) {
  static const char FORM[] =
      "%s %s%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\n"
      "Content-Length: %zu\r\n\r\n%s";
  bool is_below = path[1] != '/';
  size_t room = strlen(body) + 1024;
  char *text = mem_alloc(room);
  int length = snprintf(text, room, FORM, method, is_below ? "/api/v1" : "",
                        is_below ? path : path + 1, who, strlen(body), body);
  assert_int_equal(send(c->fd, text, (size_t)length, MSG_NOSIGNAL), length);
  mem_free(text);
}

static bool is_whole(const struct client *c, size_t have) {
  const char *body = strstr(c->answer, "\r\n\r\n"), *length = strstr(c->answer, "Content-Length: ");
  if (!body || !length) return false;
  return have >= (size_t)(body + 4 - c->answer) + strtoul(length + 16, NULL, 10);
}

static int receive(struct client *c) {
  size_t have = 0;
  c->answer[0] = '\0';
  while (!is_whole(c, have)) {
    ssize_t got = recv(c->fd, c->answer + have, ANSWER_BYTES - 1 - have, 0);
    if (got <= 0) fail_msg("no answer came, only: %s", c->answer);
    have += (size_t)got;
    c->answer[have] = '\0';
  }
  int64_t status = 0;
  assert_true(str_to_i64((struct str){c->answer + strlen("HTTP/1.1 "), 3}, &status));
  return c->status = (int)status;
}

static int ask(struct client *c, const char *method, const char *path, const char *who,
               const char *body) {
  send_to(c, method, path, who, body);
  return receive(c);
}

static bool says(const struct client *c, const char *text) { return strstr(c->answer, text); }

// A member's text, copied.
static void member(const struct client *c, const char *name, char *out, size_t room) {
  char key[64];
  snprintf(key, sizeof key, "\"%s\":\"", name);
  const char *at = strstr(c->answer, key);
  if (!at) fail_msg("%s is not in %s", name, c->answer);
  at += strlen(key);
  snprintf(out, room, "%.*s", (int)strcspn(at, "\""), at);
}

static void session_line(char out[64], const char *key) {
  snprintf(out, 64, "X-App-Session: %s\r\n", key);
}

// A task that workers may have; its id.
static void make_ready(struct client *c, const char *who, const char *type, char id[64]) {
  char body[128], path[128];
  snprintf(body, sizeof body, "{\"name\":\"n\",\"type\":\"%s\"}", type);
  assert_int_equal(ask(c, "POST", "/tasks", who, body), 201);
  member(c, "id", id, 64);
  snprintf(path, sizeof path, "/tasks/%s/start", id);
  assert_int_equal(ask(c, "POST", path, who, ""), 200);
}

#define TASK "{\"name\":\"n\"}"
#define CLAIM(type, wait)                                                                          \
  "{\"sessions\":true,\"types\":[\"" type "\"],\"workerId\":\"w\",\"waitMs\":" #wait "}"

// --- tests ---------------------------------------------------------------------------------------

struct visitor {
  struct fixture *f;
  int number;
  _Atomic int *done;
};

// Each round is a session: made, served by whichever worker comes, and ended, every other time with
// a task in it that nobody has had yet.
static void *visit(void *arg) {
  struct visitor *v = arg;
  struct client *c = connect_to(v->f);
  for (int i = 0; i < ROUNDS; i++) {
    char key[32], who[64], id[64], path[128];
    snprintf(key, sizeof key, "v%d.%d", v->number, i);
    session_line(who, key);
    make_ready(c, who, "work", id);
    snprintf(path, sizeof path, "/tasks/%s?waitMs=15000", id);
    if (i % 2) assert_int_equal(ask(c, "GET", path, who, ""), 200);
    if (i % 2) assert_true(says(c, "\"status\":\"completed\""));
    snprintf(path, sizeof path, "/sessions/%s", key);
    assert_int_equal(ask(c, "DELETE", path, who, ""), 200);
  }
  hang_up(c);
  atomic_fetch_add(v->done, 1);
  return NULL;
}

static void *work(void *arg) {
  struct visitor *v = arg;
  struct client *c = connect_to(v->f);
  while (atomic_load(v->done) < VISITORS) {
    char id[64], token[64], path[128], body[128];
    assert_int_equal(ask(c, "POST", "/claims", "", CLAIM("work", 20)), 200);
    if (!says(c, "\"count\":1")) continue;
    member(c, "id", id, sizeof id);
    member(c, "leaseToken", token, sizeof token);
    snprintf(path, sizeof path, "/tasks/%s/complete", id);
    snprintf(body, sizeof body, "{\"leaseToken\":\"%s\",\"result\":1}", token);
    int status = ask(c, "POST", path, "", body);
    if (status != 200 && status != 409) fail_msg("%s", c->answer);
  }
  hang_up(c);
  return NULL;
}

static void sessions_come_and_go_while_workers_serve_them(void **state) {
  (void)state;
  struct fixture *f = start(VISITORS * 3, 60000);
  _Atomic int done = 0;
  struct visitor visitors[VISITORS];
  pthread_t threads[VISITORS], workers[2];
  for (int i = 0; i < VISITORS; i++) {
    visitors[i] = (struct visitor){f, i, &done};
    pthread_create(&threads[i], NULL, visit, &visitors[i]);
  }
  for (int i = 0; i < 2; i++) pthread_create(&workers[i], NULL, work, &visitors[i]);
  for (int i = 0; i < VISITORS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 2; i++) pthread_join(workers[i], NULL);
  stop(f);
}

// Whether somebody besides this client waits for an answer.
static bool another_waits(struct client *c) {
  assert_int_equal(ask(c, "GET", "//health", "", ""), 200);
  return says(c, "\"requestsInFlight\":2}");
}

static void a_session_that_is_ended_answers_who_waits_in_it(void **state) {
  (void)state;
  struct fixture *f = start(1, 60000);
  struct client *waits = connect_to(f), *ends = connect_to(f);
  char who[64], other[64], id[64], path[128];
  session_line(who, "k");
  make_ready(ends, who, "work", id);
  snprintf(path, sizeof path, "/tasks/%s?waitMs=60000", id);
  send_to(waits, "GET", path, who, "");
  int64_t until_us = clock_mono_us() + (int64_t)PATIENCE_S * 1000000;
  while (!another_waits(ends)) assert_true(clock_mono_us() < until_us);
  // The session's lane makes this one only when it has seen the wait.
  assert_int_equal(ask(ends, "POST", "/tasks", who, TASK), 201);
  assert_true(another_waits(ends));
  session_line(other, "other");
  assert_int_equal(ask(ends, "POST", "/tasks", other, TASK), 503);  // there is room for one only
  assert_int_equal(ask(ends, "DELETE", "/sessions/k", who, ""), 200);
  assert_int_equal(receive(waits), 200);
  assert_true(says(waits, "\"status\":\"pending\""));
  // The other one waits for the end of the first.
  until_us = clock_mono_us() + (int64_t)PATIENCE_S * 1000000;
  while (ask(ends, "POST", "/tasks", other, TASK) == 503) assert_true(clock_mono_us() < until_us);
  assert_int_equal(ends->status, 201);
  hang_up(waits);
  hang_up(ends);
  stop(f);
}

static void an_idle_session_ends_by_itself_unless_a_task_of_it_runs(void **state) {
  (void)state;
  enum { IDLE_MS = 2000 };  // the first session is busy by then
  struct fixture *f = start(2, IDLE_MS);
  struct client *c = connect_to(f);
  char who[64], id[64], token[64], path[128], body[128];
  session_line(who, "busy");
  make_ready(c, who, "long", id);
  assert_int_equal(ask(c, "POST", "/claims", "", CLAIM("long", 0)), 200);
  member(c, "leaseToken", token, sizeof token);
  session_line(who, "idle");
  int64_t began_us = clock_mono_us(), until_us = began_us + (int64_t)PATIENCE_S * 1000000;
  assert_int_equal(ask(c, "POST", "/tasks", who, TASK), 201);
  do {
    assert_true(clock_mono_us() < until_us);
    assert_int_equal(ask(c, "GET", "/sessions/stats", "x-api-key: local\r\n", ""), 200);
  } while (says(c, "\"idle\""));
  assert_true(clock_mono_us() - began_us >= IDLE_MS * 1000);
  assert_true(says(c, "\"busy\""));
  snprintf(path, sizeof path, "/tasks/%s/complete", id);
  snprintf(body, sizeof body, "{\"leaseToken\":\"%s\",\"result\":1}", token);
  assert_int_equal(ask(c, "POST", path, "", body), 200);
  hang_up(c);
  stop(f);
}

static void claims_that_wait_end_with_the_server(void **state) {
  (void)state;
  struct fixture *f = start(2, 60000);
  struct client *waits = connect_to(f), *looks = connect_to(f);
  send_to(waits, "POST", "/claims", "", CLAIM("work", 60000));
  do assert_int_equal(ask(looks, "GET", "/workers", "", ""), 200);
  while (!says(looks, "\"waiting\":true"));
  stop(f);  // without a grace
  hang_up(waits);
  hang_up(looks);
}

static void a_client_that_leaves_waits_no_longer(void **state) {
  (void)state;
  struct fixture *f = start(2, 60000);
  struct client *leaves = connect_to(f), *c = connect_to(f);
  char who[64], id[64];
  send_to(leaves, "POST", "/claims", "", CLAIM("work", 60000));
  do assert_int_equal(ask(c, "GET", "/workers", "", ""), 200);
  while (!says(c, "\"waiting\":true"));
  hang_up(leaves);
  do assert_int_equal(ask(c, "GET", "/workers", "", ""), 200);
  while (says(c, "\"waiting\":true"));
  session_line(who, "k");
  make_ready(c, who, "work", id);
  assert_int_equal(ask(c, "POST", "/claims", "", CLAIM("work", 0)), 200);
  assert_true(says(c, id));
  hang_up(c);
  stop(f);
}

static void a_full_session_keeps_no_worker_from_the_others(void **state) {
  (void)state;
  enum { PAYLOAD_BYTES = 50000 };
  struct fixture *f = start(2, 60000);
  struct client *c = connect_to(f);
  char full[64], other[64], id[64];
  char *body = mem_alloc(PAYLOAD_BYTES + 128);
  int head = snprintf(body, 128, "{\"name\":\"n\",\"type\":\"work\",\"payload\":\"");
  memset(body + head, 'x', PAYLOAD_BYTES);
  memcpy(body + head + PAYLOAD_BYTES, "\"}", 3);
  session_line(full, "full");
  session_line(other, "other");
  make_ready(c, full, "work", id);
  int made = 0;
  while (ask(c, "POST", "/tasks", full, body) == 201) assert_true(++made < 100);
  assert_int_equal(c->status, 507);
  assert_true(made > 0);
  make_ready(c, other, "work", id);
  int got = 0;  // the first session may still have room for one small change
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ask(c, "POST", "/claims", "", CLAIM("work", 0)), 200);
    got += says(c, id);
  }
  assert_int_equal(got, 1);
  mem_free(body);
  hang_up(c);
  stop(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sessions_come_and_go_while_workers_serve_them),
      cmocka_unit_test(a_session_that_is_ended_answers_who_waits_in_it),
      cmocka_unit_test(an_idle_session_ends_by_itself_unless_a_task_of_it_runs),
      cmocka_unit_test(claims_that_wait_end_with_the_server),
      cmocka_unit_test(a_client_that_leaves_waits_no_longer),
      cmocka_unit_test(a_full_session_keeps_no_worker_from_the_others),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
