// api_log_test.c: what the API writes into the log of requests, of credentials that do not open,
// and of the tasks of sessions; and what never stands there.
#include "tests/world/api_ask.h"

#include "base/log.h"
#include "model/limits.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TASKS "/api/v1/tasks"

static char directory[] = "/tmp/api-log-test-XXXXXX";
static char path[64], content[1 << 20];

static int make_directory(void **state) {
  (void)state;
  if (!mkdtemp(directory)) return -1;
  snprintf(path, sizeof path, "%s/log", directory);
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  return rmdir(directory);
}

static int set_up(void **state) {
  (void)ask_set_up(state);
  struct world_settings settings = ask_usual();
  settings.api.sessions.on = true;
  settings.api.access_log = true;
  ask_open(&settings);
  log_setup(LOG_DEBUG, LOG_JSON);
  return log_open(path) ? 0 : -1;
}

static int tear_down(void **state) {
  (void)ask_tear_down(state);
  (void)log_open("/dev/null");
  return unlink(path);
}

static const char *logged(void) {
  FILE *file = fopen(path, "re");
  assert_non_null(file);
  size_t got = fread(content, 1, sizeof content - 1, file);
  fclose(file);
  content[got] = '\0';
  return content;
}

static void assert_logged(const char *text) {
  if (strstr(logged(), text) == NULL) fail_msg("%s is not in\n%s", text, content);
}

static void assert_not_logged(const char *text) {
  if (strstr(logged(), text) != NULL) fail_msg("%s is in\n%s", text, content);
}

static size_t lines_with(const char *text) {
  size_t count = 0;
  for (const char *at = logged(); (at = strstr(at, text)) != NULL; at++) count++;
  return count;
}

// --- requests ------------------------------------------------------------------------------------

static void each_request_is_a_line(void **state) {
  (void)state;
  ask("GET " TASKS "?limit=3", NULL);
  assert_logged(
      "\"message\":\"request\",\"method\":\"GET\",\"path\":\"/api/v1/tasks\",\"status\":200,"
      "\"us\":0,\"requestId\":\"world\",\"peer\":\"127.0.0.1\"}");
  ask("BREW /pot", NULL);
  assert_logged("\"method\":\"other\",\"path\":\"/pot\",\"status\":404");
  ask_as(AS_ADMIN "\nAccept: text/event-stream", "GET /api/v1/events", NULL);
  assert_logged("\"path\":\"/api/v1/events\",\"status\":200");
  size_t lines = lines_with("\"request\"");
  api_log_access(world.api, false);
  ask("GET " TASKS, NULL);
  assert_int_equal(lines_with("\"request\""), lines);
}

// People paste keys where an id belongs.
static void no_credential_stands_in_a_path(void **state) {
  (void)state;
  static const struct {
    const char *path, *shown, *secret;
  } rows[] = {
      {"/api/v1/keys/tk_abcdefgh_s3cret", "/api/v1/keys/***", "s3cret"},
      {"/api/v1/keys/an%20admin%20key%20of%20the%20world", "/api/v1/keys/***", "admin"},
      {"/api/v1/tasks/%74k_abcdefgh_s3cret", "/api/v1/tasks/***", "s3cret"},
      {"/api/v1/tasks/eyJh.eyJi.s3cret", "/api/v1/tasks/***", "eyJ"},
      {"/api/v1/queues/x%zztk_abcdefgh_s3cret", "/api/v1/queues/x%zz***", "s3cret"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    ask(say("DELETE %s", rows[i].path), NULL);
    assert_logged(say("\"path\":\"%s\"", rows[i].shown));
    assert_not_logged(rows[i].secret);
  }
  ask("GET /api/v1/queues/tk_short", NULL);
  assert_logged("\"path\":\"/api/v1/queues/tk_short\"");  // is no key
  ask("GET /api/v1/queues/eyJ", NULL);
  assert_logged("\"path\":\"/api/v1/queues/eyJ\"");
}

// --- credentials ---------------------------------------------------------------------------------

static void a_credential_that_does_not_open_is_logged_with_the_reason(void **state) {
  (void)state;
  const char *key = make_key("{\"name\":\"k\",\"roles\":[\"reader\"],\"expiresInMs\":1000}");
  const char *id = text_at(ask("GET /api/v1/keys", NULL), "keys.0.id");
  world_pass(1000);
  const struct {
    const char *headers, *reason, *key;
  } rows[] = {{"", "missing", ""},
              {"x-api-key: s3cret", "unknown", ""},
              {say("x-api-key: tk_%s_s3cret", id), "unknown", ""},
              {"Authorization: Bearer a.b.s3cret", "token", ""},
              {AS_ADMIN "\n" AS_ADMIN, "malformed", ""},
              {key, "expired", id}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    ask_as(rows[i].headers, "GET /api/v1/queues", NULL);
    assert_logged(
        say("\"message\":\"authentication failed\",\"peer\":\"127.0.0.1\",\"reason\":\"%s\","
            "\"key\":\"%s\"",
            rows[i].reason, rows[i].key));
  }
  ask(say("DELETE /api/v1/keys/%s", id), NULL);
  ask_as(key, "GET /api/v1/queues", NULL);
  assert_logged(say("\"reason\":\"revoked\",\"key\":\"%s\"", id));
  assert_not_logged("s3cret");
}

static void many_that_fail_do_not_fill_the_log(void **state) {
  (void)state;
  for (int i = 0; i < LIMIT_REFUSAL_LINES_MINUTE + 5; i++)
    ask_as("x-api-key: wrong", "GET /api/v1/queues", NULL);
  assert_int_equal(lines_with("authentication failed"), LIMIT_REFUSAL_LINES_MINUTE);
  world_pass(60000);
  ask_as("x-api-key: wrong", "GET /api/v1/queues", NULL);
  assert_logged("\"unlogged\":5}");
}

// --- sessions ------------------------------------------------------------------------------------

static void tasks_of_sessions_are_logged_in_the_words_of_s4(void **state) {
  (void)state;
  static const char me[] = "X-App-Session: me";
  const char *id = NULL, *token = NULL;
  for (int i = 0; i < 2; i++) {
    struct asked *a = ask_as(me, "POST " TASKS, "{\"name\":\"n\"}");
    id = text_at(a, "task.id");
    ask_as(me, say("POST " TASKS "/%s/start", id), NULL);
    a = ask("POST /api/v1/claims", "{\"sessions\":true}");
    token = text_at(a, "tasks.0.leaseToken");
    assert_logged(say("Starting execution of task %s for session me", id));
    move_task(id, "progress", token, "\"progress\":50");
    assert_logged(say("Task %s progress: 50%%", id));
    if (i == 0) move_task(id, "complete", token, "\"result\":1");
    if (i == 0) assert_logged(say("Completed execution of task %s for session me", id));
  }
  world_pass(WORLD_LEASE_MS);
  assert_logged(say("Failed execution of task %s for session me: its worker fell silent", id));
  ask_as(me, say("POST " TASKS "/%s/retry", id), NULL);
  token = text_at(ask("POST /api/v1/claims", "{\"sessions\":true}"), "tasks.0.leaseToken");
  move_task(id, "fail", token, "\"error\":\"no \\u001b route\"");
  assert_logged(say("Failed execution of task %s for session me: no \\u001b route", id));
  ask_as(me, "DELETE /api/v1/sessions/me", NULL);
  assert_logged(
      "\"session ended\",\"session\":\"me\",\"reason\":\"asked\",\"actor\":\"session:me\"");
}

static void the_end_of_a_session_names_who_asked_for_it(void **state) {
  (void)state;
  static const char me[] = "X-App-Session: me";
  for (int i = 0; i < 3; i++) {
    ask_as(me, "POST " TASKS, "{\"name\":\"n\"}");
    if (i == 0) ask("DELETE /api/v1/sessions/me", NULL);
    if (i == 1) ask_as(me, "DELETE /api/v1/sessions/me", NULL);
    if (i == 2) world_pass(2 * ask_usual().api.sessions.timeout_ms);
  }
  assert_logged("\"reason\":\"asked\",\"actor\":\"key:API_KEY\"");
  assert_logged("\"reason\":\"asked\",\"actor\":\"session:me\"");
  assert_logged("\"reason\":\"timeout\",\"actor\":\"system\"");
}

static void a_session_that_is_full_is_logged_once(void **state) {
  (void)state;
  const char *body = say("{\"name\":\"n\",\"payload\":\"%0200000d\"}", 0);
  for (int i = 0; i < 20; i++) ask_as("X-App-Session: me", "POST " TASKS, body);
  assert_int_equal(lines_with("a session is full"), 1);
  assert_not_logged("\"level\":\"error\"");
}

static void what_can_be_repeated_is_no_error(void **state) {
  (void)state;
  struct asked *a = ask("POST " TASKS "?waitMs=5000", "{\"type\":\"a\"}");
  world_leave(&a->answer);
  assert_logged("\"level\":\"debug\",\"message\":\"request failed\",\"code\":\"unavailable\"");
  assert_not_logged("\"level\":\"error\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(each_request_is_a_line),
      TEST(no_credential_stands_in_a_path),
      TEST(a_credential_that_does_not_open_is_logged_with_the_reason),
      TEST(many_that_fail_do_not_fill_the_log),
      TEST(tasks_of_sessions_are_logged_in_the_words_of_s4),
      TEST(the_end_of_a_session_names_who_asked_for_it),
      TEST(a_session_that_is_full_is_logged_once),
      TEST(what_can_be_repeated_is_no_error),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
