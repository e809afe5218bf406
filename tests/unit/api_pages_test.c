// api_pages_test.c: what is open to all: health, the description of the API, the front page; what
// no route is; and what pages of other origins may do.
#include "tests/world/api_ask.h"

#include "engine/engine.h"

#define TASKS "/api/v1/tasks"

static struct asked *get(const char *path) { return ask_as("", say("GET %s", path), NULL); }

// --- health --------------------------------------------------------------------------------------

static void health_tells_who_it_is_and_how(void **state) {
  (void)state;
  make_task("{\"type\":\"a\"}");
  struct asked *waits = ask("POST /api/v1/claims", "{\"types\":[\"b\"],\"waitMs\":5000}");
  world_pass(1500);
  struct asked *a = get("/health");
  assert_status(a, 200);
  static const struct {
    const char *path, *json;
  } rows[] = {{"status", "\"ok\""},    {"service", "\"world\""}, {"version", "\"0\""},
              {"store", "\"memory\""}, {"uptimeMs", "1500"},     {"commits", "1"},
              {"items", "1"},          {"orders", "2"},          {"waitingClaims", "1"},
              {"watching", "0"},       {"connections", "3"},     {"requests", "7"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) assert_json(a, rows[i].path, rows[i].json);
  world_pass(3500);
  assert_status(waits, 200);
}

static void a_server_that_drains_is_alive_but_not_ready(void **state) {
  (void)state;
  assert_text(get("/readyz"), "status", "ok");
  engine_drain(world.engine);
  assert_text(get("/livez"), "status", "ok");
  assert_text(get("/health"), "status", "draining");
  struct asked *a = get("/readyz");
  assert_refused(a, 503, "unavailable", "the server is draining");
  assert_header(a, "Retry-After", "1");
}

// --- documents -----------------------------------------------------------------------------------

static void the_documents_are_there(void **state) {
  (void)state;
  struct asked *a = get("/openapi.json");
  assert_text(a, "openapi", "3.1.0");
  assert_text(a, "info.version", "0");
  a = get("/docs/errors");
  assert_status(a, 200);
  assert_body_has(a, "409 lease_lost: the lease token is not the one");
  a = get("/");
  assert_true(str_eq(a->answer.type, STR("text/plain; charset=utf-8")));
  assert_body_has(a, "GET  /openapi.json");
}

static void a_head_has_no_body(void **state) {
  (void)state;
  struct asked *a = ask("HEAD " TASKS, NULL);
  assert_status(a, 200);
  assert_int_equal(a->answer.body.len, 0);
}

// --- no route ------------------------------------------------------------------------------------

static void what_no_route_is_says_where_all_are(void **state) {
  (void)state;
  static const char *const paths[] = {"/api/v1/task", "/api/v1/tasks/", "//", "/api/v2/tasks",
                                      "/api/v1/queues//pause"};
  for (size_t i = 0; i < COUNT_OF(paths); i++)
    assert_refused(get(paths[i]), 404, "not_found",
                   "there is no such route; GET /openapi.json lists all");
}

static void a_route_says_which_methods_it_takes(void **state) {
  (void)state;
  static const struct {
    const char *line, *allow;
  } rows[] = {
      {"DELETE " TASKS, "GET, HEAD, POST"},
      {"POST /health", "GET, HEAD"},
      {"TRACE " TASKS "/01890a5d-ac96-774b-bcce-b302099a8057", "GET, HEAD, PUT, PATCH, DELETE"},
      {"GET /api/v1/claims", "POST"},
      {"OPTIONS /api/v1/claims", "POST"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct asked *a = ask(rows[i].line, NULL);
    assert_refused(a, 405, "method_not_allowed", say("this route takes %s", rows[i].allow));
    assert_header(a, "Allow", rows[i].allow);
  }
}

static void a_query_that_cannot_be_read_is_refused(void **state) {
  (void)state;
  assert_refused(ask("GET " TASKS "?q=%f", NULL), 400, "bad_request",
                 "the query has a broken percent escape, or is not UTF-8 without NUL");
}

// `path` NULL: refused before anything was known of it.
static void assert_http_refuses(const char *path, struct http_header header, const char *more) {
  struct buf body;
  struct http_request r = {.method = HTTP_METHOD_POST, .headers = &header, .header_count = 1};
  buf_init(&body, 4096);
  arena_init(&r.arena, 4096);
  if (path) r.path = str_of(path);
  world.hooks.refuse(world.hooks.self, ERR_BODY_TOO_LARGE, "too large", path ? &r : NULL, STR("r1"),
                     &body);
  buf_char(&body, '\0');
  assert_string_equal(
      body.at, say("{\"type\":\"/docs/errors#body_too_large\",\"title\":\"Body too large\","
                   "\"status\":413,\"detail\":\"too large\",\"success\":false,"
                   "\"code\":\"body_too_large\",\"error\":\"too large\",\"requestId\":\"r1\","
                   "\"errors\":[]%s}",
                   more));
  arena_fini(&r.arena);
  buf_fini(&body);
}

static void what_http_refuses_looks_like_all_else_on_its_path(void **state) {
  (void)state;
  const struct http_header key = {STR("x-api-key"), STR("k")},
                           me = {STR("X-App-Session"), STR("k")};
  struct world_settings settings = ask_usual();
  settings.api.sessions.on = true;
  ask_open(&settings);
  assert_http_refuses(NULL, key, "");
  assert_http_refuses("/api/v1/tasks", key, "");
  assert_http_refuses("/api/v1/nothing", key, "");
  assert_http_refuses("/api/tasks", key, ",\"message\":\"too large\"");
  assert_http_refuses("/api/v1/tasks", me, ",\"durable\":false");
}

// --- pages of other origins ----------------------------------------------------------------------

static const struct str PAGES[] = {{"https://app.example", 19}};

static void open_to_pages(bool any) {
  struct world_settings settings = ask_usual();
  settings.api.origins = (struct origins){.at = PAGES, .count = any ? 0 : 1, .any = any};
  ask_open(&settings);
}

static void nothing_is_said_to_pages_when_none_is_named(void **state) {
  (void)state;
  struct asked *a = ask_as(AS_ADMIN "\nOrigin: https://app.example", "GET " TASKS, NULL);
  assert_status(a, 200);
  assert_header(a, "Vary", NULL);
  assert_header(a, "Access-Control-Allow-Origin", NULL);
  a = ask_as("Origin: https://app.example\nAccess-Control-Request-Method: POST", "OPTIONS " TASKS,
             NULL);
  assert_status(a, 405);
}

static void an_origin_that_is_named_may_read_answers(void **state) {
  (void)state;
  open_to_pages(false);
  struct asked *a = ask_as(AS_ADMIN "\nOrigin: https://app.example", "GET " TASKS, NULL);
  assert_header(a, "Vary", "Origin");
  assert_header(a, "Access-Control-Allow-Origin", "https://app.example");
  assert_header(a, "Access-Control-Expose-Headers",
                "Allow, ETag, Idempotent-Replayed, Location, Preference-Applied, Retry-After, "
                "WWW-Authenticate, X-Request-Id");
  a = ask_as("Origin: https://app.example", "GET " TASKS, NULL);
  assert_status(a, 401);  // its pages may read refusals, too
  assert_header(a, "Access-Control-Allow-Origin", "https://app.example");
  a = ask_as(AS_ADMIN "\nOrigin: https://evil.example", "GET " TASKS, NULL);
  assert_header(a, "Vary", "Origin");
  assert_header(a, "Access-Control-Allow-Origin", NULL);
}

static void a_preflight_is_answered_for_who_is_named(void **state) {
  (void)state;
  static const char preflight[] = "Origin: %s\nAccess-Control-Request-Method: POST";
  open_to_pages(false);
  struct asked *a = ask_as(say(preflight, "https://app.example"), "OPTIONS " TASKS, NULL);
  assert_status(a, 204);
  assert_header(a, "Access-Control-Allow-Origin", "https://app.example");
  assert_header(a, "Access-Control-Allow-Methods", "GET, HEAD, POST");
  assert_header(a, "Access-Control-Max-Age", "600");
  assert_header(a, "Access-Control-Expose-Headers", NULL);
  a = ask_as(say(preflight, "https://evil.example"), "OPTIONS " TASKS, NULL);
  assert_refused(a, 403, "forbidden",
                 "pages of this origin may not use this server; the setting cors_origins names "
                 "those that may");
  assert_status(ask_as(say(preflight, "https://app.example"), "OPTIONS /none", NULL), 404);
  assert_status(ask_as("Origin: https://app.example", "OPTIONS " TASKS, NULL), 405);
}

static void a_star_is_for_all(void **state) {
  (void)state;
  open_to_pages(true);
  struct asked *a = ask_as(AS_ADMIN "\nOrigin: https://any.example", "GET " TASKS, NULL);
  assert_header(a, "Access-Control-Allow-Origin", "*");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ASK_TEST(health_tells_who_it_is_and_how),
      ASK_TEST(a_server_that_drains_is_alive_but_not_ready),
      ASK_TEST(the_documents_are_there),
      ASK_TEST(a_head_has_no_body),
      ASK_TEST(what_no_route_is_says_where_all_are),
      ASK_TEST(a_route_says_which_methods_it_takes),
      ASK_TEST(a_query_that_cannot_be_read_is_refused),
      ASK_TEST(what_http_refuses_looks_like_all_else_on_its_path),
      ASK_TEST(nothing_is_said_to_pages_when_none_is_named),
      ASK_TEST(an_origin_that_is_named_may_read_answers),
      ASK_TEST(a_preflight_is_answered_for_who_is_named),
      ASK_TEST(a_star_is_for_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
