// moves_test.c: what the calls of a worker say, read by a server that answers as the test wants.
#include "worker/moves.h"

#include "client/testing_server.h"

// Of a session: the server made it, and only the server reads it.
#define TOKEN "s7f3a.0123456789abcdef"

static const struct claim claim = {.id = {"i", 1}, .token = {TOKEN, sizeof TOKEN - 1}};
static const struct wish_parts parts = {
    .types = (const char *const[]){"sample", NULL}, .worker = "w", .lease_ms = 2000};

static void answer_with(struct testing_server *f, const char *body) {
  fake_answers(f, arena_printf(&f->arena, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                               strlen(body), body)
                      .at);
}

static void check_request(struct testing_server *f, const char *path, const char *body) {
  char head[128];
  (void)snprintf(head, sizeof head, "POST /api/v1/%s HTTP/1.1\r\n", path);
  assert_int_equal(strncmp(fake_request(f), head, strlen(head)), 0);
  assert_string_equal(strstr(fake_request(f), "\r\n\r\n") + 4, body);
}

static void a_claim_asks_for_tasks_of_sessions_when_it_is_told_to(void **state) {
  struct testing_server *f = *state;
  struct wish_parts of_sessions = parts;
  of_sessions.sessions = true;
  struct wish wish = wish_make(&f->arena, &of_sessions);
  struct claim got;
  struct fault why;
  bool found = true;
  answer_with(f, "{\"tasks\":[]}");
  assert_int_equal(moves_claim(f->client, &f->arena, &wish, 30000, &got, &found, &why), ERR_OK);
  assert_false(found);
  check_request(f, "claims",
                "{\"types\":[\"sample\"],\"workerId\":\"w\",\"leaseMs\":2000,\"sessions\":true,"
                "\"limit\":1,\"waitMs\":30000}");
}

static void a_claim_says_nothing_of_sessions_otherwise(void **state) {
  struct testing_server *f = *state;
  struct wish wish = wish_make(&f->arena, &parts);
  struct claim got;
  struct fault why;
  bool found = true;
  answer_with(f, "{\"tasks\":[]}");
  assert_int_equal(moves_claim(f->client, &f->arena, &wish, 0, &got, &found, &why), ERR_OK);
  assert_null(strstr(fake_request(f), "sessions"));
}

static void a_token_goes_back_as_it_came(void **state) {
  struct testing_server *f = *state;
  struct wish wish = wish_make(&f->arena, &parts);
  struct claim got = {0};
  struct fault why;
  bool found = false, cancel = false;
  answer_with(f,
              "{\"success\":true,\"tasks\":[{\"id\":\"i\",\"type\":\"t\",\"queue\":\"default\","
              "\"payload\":null,\"attempt\":1,\"maxAttempts\":1,\"workerId\":\"w\","
              "\"claimedAt\":1000,\"leaseExpiresAt\":3000,\"leaseToken\":\"" TOKEN
              "\"}],"
              "\"count\":1,\"durable\":false}");
  assert_int_equal(moves_claim(f->client, &f->arena, &wish, 0, &got, &found, &why), ERR_OK);
  assert_true(found);

  answer_with(f, "{\"success\":true,\"cancelRequested\":true,\"durable\":false}");
  assert_int_equal(moves_heartbeat(f->client, &f->arena, &got, &cancel, &why), ERR_OK);
  assert_true(cancel);
  check_request(f, "tasks/i/heartbeat", "{\"leaseToken\":\"" TOKEN "\"}");
}

static void each_move_carries_the_token(void **state) {
  struct testing_server *f = *state;
  struct claim next;
  struct fault why;
  bool cancel = false, found = false;
  struct progress progress = {25, {"Loading", 7}, STR_NONE};
  struct failure failure = {"c", {"m", 1}, false};
  answer_with(f, "{\"success\":true}");
#define SENT(call, path, rest)                                                                     \
  assert_int_equal(call, ERR_OK);                                                                  \
  check_request(f, "tasks/i/" path, "{\"leaseToken\":\"" TOKEN "\"" rest "}")
  SENT(moves_progress(f->client, &f->arena, &claim, &progress, &cancel, &why), "progress",
       ",\"progress\":25,\"currentStep\":\"Loading\"");
  SENT(moves_logs(f->client, &f->arena, &claim, STR("\"one\",\"two\""), &cancel, &why), "logs",
       ",\"lines\":[\"one\",\"two\"]");
  SENT(moves_complete(f->client, &f->arena, &claim, STR("[1]"), NULL, &next, &found, &why),
       "complete", ",\"result\":[1]");
  SENT(moves_fail(f->client, &f->arena, &claim, &failure, &why), "fail",
       ",\"error\":{\"code\":\"c\",\"message\":\"m\"},\"retry\":false");
  SENT(moves_release(f->client, &f->arena, &claim, &why), "release", "");
#undef SENT
  assert_false(cancel);
  assert_false(found);
}

// A session that is gone looks to its worker like any other lease that is lost.
static void a_lost_lease_is_no_reason_to_try_again(void **state) {
  struct testing_server *f = *state;
  struct fault why;
  bool cancel = false;
  fake_answers(
      f, "HTTP/1.1 409 X\r\nContent-Length: 37\r\n\r\n{\"code\":\"lease_lost\",\"success\":false}");
  enum err err = moves_heartbeat(f->client, &f->arena, &claim, &cancel, &why);
  assert_int_equal(err, ERR_LEASE_LOST);
  assert_false(moves_err_passes(err));
}

// Also a refused credential: it may be one that is just being changed.
static void a_report_is_repeated_after_what_may_pass_and_nothing_else(void **state) {
  (void)state;
  static const enum err passing[] = {
      ERR_UNAVAILABLE, ERR_OVERLOADED,   ERR_TOO_MANY,        ERR_SCAN_LIMIT,      ERR_DISK_FULL,
      ERR_INTERNAL,    ERR_STORE_BROKEN, ERR_REQUEST_TIMEOUT, ERR_UNAUTHENTICATED, ERR_FORBIDDEN};
  size_t count = 0;
  for (int err = ERR_OK; err < ERR_COUNT; err++) count += moves_err_passes((enum err)err);
  assert_int_equal(count, sizeof passing / sizeof *passing);
  for (size_t i = 0; i < count; i++) assert_true(moves_err_passes(passing[i]));
}

int main(void) {
#define WITH_SERVER(name) cmocka_unit_test_setup_teardown(name, a_client_of_a_server, both_ended)
  const struct CMUnitTest tests[] = {
      WITH_SERVER(a_claim_asks_for_tasks_of_sessions_when_it_is_told_to),
      WITH_SERVER(a_claim_says_nothing_of_sessions_otherwise),
      WITH_SERVER(a_token_goes_back_as_it_came),
      WITH_SERVER(each_move_carries_the_token),
      WITH_SERVER(a_lost_lease_is_no_reason_to_try_again),
      cmocka_unit_test(a_report_is_repeated_after_what_may_pass_and_nothing_else),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
