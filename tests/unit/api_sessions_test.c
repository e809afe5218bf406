// api_sessions_test.c: front door S4 without an account: whose session a request is, what a session
// may do, and how it ends. tests/unit/sessions_test.c has the same with all threads.
#include "tests/world/api_ask.h"

#include "model/limits.h"

#define TASKS "/api/v1/tasks"
#define AS_ME "X-App-Session: me"

static void open_with(struct world_settings settings) {
  settings.api.sessions.on = true;
  ask_open(&settings);
}

static int set_up(void **state) {
  (void)ask_set_up(state);
  open_with(ask_usual());
  return 0;
}

static struct asked *as_me(const char *line, const char *body) { return ask_as(AS_ME, line, body); }

static const char *make(const char *headers, const char *body) {
  struct asked *a = ask_as(headers, "POST " TASKS, body);
  assert_status(a, 201);
  return text_at(a, "task.id");
}

// A task of that session that workers may have.
static const char *start(const char *headers, const char *type) {
  const char *id = make(headers, say("{\"name\":\"n\",\"type\":\"%s\"}", type));
  assert_status(ask_as(headers, say("POST " TASKS "/%s/start", id), NULL), 200);
  return id;
}

// --- what a session may do -----------------------------------------------------------------------

static void a_task_of_a_session_waits_for_its_start(void **state) {
  (void)state;
  struct asked *a = as_me("POST " TASKS, "{\"name\":\"By hand\",\"metadata\":{\"f\": 1}}");
  assert_status(a, 201);
  assert_text(a, "message", "Task created successfully");
  assert_text(a, "task.type", "task");
  assert_text(a, "task.waitingFor", "start");
  assert_text(a, "task.sessionKey", "me");
  assert_json(a, "task.metadata", "{\"f\": 1}");
  assert_json(a, "task.tenantId", "null");
  assert_number(a, "task.maxAttempts", 1);
  assert_json(a, "durable", "false");
  const char *id = text_at(a, "task.id");
  a = as_me(say("POST " TASKS "/%s/start", id), NULL);
  assert_text(a, "task.waitingFor", "worker");
  assert_refused(as_me(say("POST " TASKS "/%s/start", id), NULL), 400, "wrong_status",
                 "the task is pending and was started already");
}

static void every_read_of_a_session_has_its_shape(void **state) {
  (void)state;
  const char *id = make(AS_ME, "{\"name\":\"n\",\"payload\":[1]}");
  static const struct {
    const char *rest, *path, *json;
  } rows[] = {
      {"", "tasks.0.name", "\"n\""},
      {"", "count", "1"},
      {"?status=running", "count", "0"},
      {"/stats", "stats",
       "{\"total\":1,\"pending\":1,\"running\":0,\"completed\":0,\"failed\":0,\"cancelled\":0}"},
      {"/%s", "task.payload", "[1]"},
      {"/%s/status", "status", "\"pending\""},
      {"/%s/status", "startedAt", "null"},
      {"/%s/events", "events.0.actor", "\"session:me\""},
      {"/%s/logs", "logs", "[]"},
      {"/%s/explain", "explain.reason",
       "\"It was created with autoStart false; POST its /start to release it.\""},
      {"/cleanup/status", "status.isActive", "false"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const char *rest =
        strstr(rows[i].rest, "%s") ? say("/%s%s", id, rows[i].rest + 3) : rows[i].rest;
    struct asked *a = as_me(say("GET " TASKS "%s", rest), NULL);
    assert_status(a, 200);
    assert_json(a, rows[i].path, rows[i].json);
    assert_json(a, "durable", "false");
  }
  assert_no(as_me("GET " TASKS, NULL), "nextCursor");
  assert_number(as_me("GET /api/v1/events", NULL), "count", 1);
}

static void a_session_is_told_what_is_wrong_as_its_clients_know_it(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"POST " TASKS, "{}", "/name", "name is missing"},
      {"POST " TASKS, "{\"name\":\"n\",\"status\":\"done\"}", "/status",
       "status is not a field of this request; known are name, description, metadata, type, "
       "payload"},
      {"GET " TASKS "?status=abandoned", NULL, "?status",
       "status must be pending, running, completed, failed or cancelled, or all"},
      {"GET " TASKS "?type=a", NULL, "?type",
       "type is not a parameter of this route; known are session, status, limit, cursor"},
  };
  ask_each_refused(AS_ME, rows, COUNT_OF(rows), 400, "invalid_field");
  struct asked *a = as_me("DELETE " TASKS "/01890a5d-ac96-774b-bcce-b302099a8057", NULL);
  assert_refused(a, 405, "method_not_allowed", "of a session this route takes GET, HEAD");
  assert_header(a, "Allow", "GET, HEAD");
  assert_json(a, "durable", "false");
  assert_refused(as_me("GET " TASKS "/none", NULL), 404, "not_found", "there is no such task");
  assert_refused(as_me("PATCH " TASKS, NULL), 405, "method_not_allowed",
                 "of a session this route takes GET, HEAD, POST");
}

static void sessions_do_not_see_each_other(void **state) {
  (void)state;
  const char *id = make(AS_ME, "{\"name\":\"n\"}");
  struct asked *a = ask_as("X-App-Session: you", say("GET " TASKS "/%s", id), NULL);
  assert_refused(a, 404, "not_found", "there is no such task");
  assert_number(ask_as("X-App-Session: you", "GET " TASKS, NULL), "count", 0);
  assert_number(ask("GET " TASKS, NULL), "count", 0);
  assert_status(ask(say("GET " TASKS "/%s", id), NULL), 404);
}

static void an_ended_task_of_a_session_is_tried_again(void **state) {
  (void)state;
  const char *id = make(AS_ME, "{\"name\":\"n\"}");
  struct asked *a = as_me(say("POST " TASKS "/%s/cancel", id), "{\"reason\":\"r\"}");
  assert_text(a, "task.status", "cancelled");
  a = as_me(say("GET " TASKS "/%s/explain", id), NULL);
  assert_text(a, "explain.reason",
              "It has ended: cancelled; POST its /retry sends it back to pending.");
  a = as_me(say("POST " TASKS "/%s/retry", id), NULL);
  assert_text(a, "task.waitingFor", "worker");
}

static void demo_tasks_are_made_and_started(void **state) {
  (void)state;
  static const struct {
    const char *path, *body, *name, *type, *message;
  } rows[] = {
      {"sample", NULL, "Sample Long-Running Task", "sample", "Sample task created and started"},
      {"file-processing", "{\"filePath\":\"/a\",\"fileSize\":3,\"description\":\"d\"}",
       "File Processing Task", "file-processing", "File processing task created and started"},
      {"api-call", "{\"endpoint\":\"/a\",\"data\":[1]}", "API Call Task", "api-call",
       "API call task created and started"},
      {"batch", "{\"items\":[1,2],\"delayMs\":10}", "Batch Processing Task", "batch",
       "Batch processing task created and started"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct asked *a = as_me(say("POST /api/v1/demo/tasks/%s", rows[i].path), rows[i].body);
    assert_status(a, 201);
    assert_text(a, "message", rows[i].message);
    assert_text(a, "task.name", rows[i].name);
    assert_text(a, "task.status", "pending");
    assert_text(a, "task.sessionKey", "me");
    assert_json(a, "durable", "false");
    a = as_me(say("GET " TASKS "/%s", text_at(a, "task.id")), NULL);
    assert_text(a, "task.type", rows[i].type);
    assert_text(a, "task.waitingFor", "worker");
    assert_json(a, "task.payload", rows[i].body ? rows[i].body : "{}");
  }
}

static void what_is_wrong_with_a_demo_is_told(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"POST /api/v1/demo/tasks/sample", "{\"delayMs\":600001}", "/delayMs",
       "delayMs must be from 0 to 600000"},
      {"POST /api/v1/demo/tasks/file-processing", "{}", "/filePath", "filePath is missing"},
      {"POST /api/v1/demo/tasks/api-call", "{\"endpoint\":\"\"}", "/endpoint",
       "endpoint must not be empty"},
      {"POST /api/v1/demo/tasks/batch", "{\"items\":[]}", "/items",
       "items must have 1 to 1000 elements"},
  };
  ask_each_refused(AS_ME, rows, COUNT_OF(rows), 400, "invalid_field");
  assert_refused(ask("POST /api/v1/demo/tasks/sample", NULL), 400, "bad_request",
                 "this route is for sessions: send a session key, as X-App-Session, and no "
                 "credential");
}

// --- whose session -------------------------------------------------------------------------------

static void a_key_comes_by_header_parameter_or_cookie(void **state) {
  (void)state;
  static const char *const rows[][2] = {{AS_ME, ""},
                                        {"", "?session=me"},
                                        {"Cookie: a=b; app_session = me", ""},
                                        {AS_ME "\nCookie: app_session=you", "?session=you"},
                                        {"Cookie: app_session=you", "?session=me"}};
  make(AS_ME, "{\"name\":\"n\"}");
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_number(ask_as(rows[i][0], say("GET " TASKS "%s", rows[i][1]), NULL), "count", 1);
}

static void a_key_that_is_none_is_refused(void **state) {
  (void)state;
  static const char rule[] = "a session key must have 1 to 128 characters of A-Z a-z 0-9 . _ ~ -";
  const struct {
    const char *headers, *query, *detail;
  } rows[] = {
      {"X-App-Session:", "", rule},
      {"X-App-Session: a b", "", rule},
      {say("X-App-Session: %0129d", 0), "", rule},
      {"", "?session=", rule},
      {"", "?session=%zz", rule},
      {"Cookie: app_session", "", rule},
      {"X-App-Session: stats", "", "a session cannot be called stats"},
      {"X-App-Session: ip_0011223344556677", "",
       "a session key that begins with ip_ is one of an address, and this one is not of yours; "
       "choose another"},
      {AS_ME "\n" AS_ME, "", "the header X-App-Session must come only once"},
      {"", "?session=a&session=a", "the parameter session must hold one session key, not several"},
      {"Cookie: app_session=a; app_session=a", "",
       "the cookie app_session must hold one session key, not several"},
      {AS_ME "\n" AS_ADMIN, "",
       "send either a credential, for tasks that are kept, or a session key, for those of a "
       "session"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_refused(ask_as(rows[i].headers, say("GET " TASKS "%s", rows[i].query), NULL), 400,
                   "bad_request", rows[i].detail);
  assert_status(ask_as(say("X-App-Session: %0128d", 0), "GET " TASKS, NULL), 200);
  assert_status(ask_as(AS_ADMIN "\nCookie: app_session=me", "GET " TASKS, NULL), 200);
}

static void who_sends_nothing_has_no_session(void **state) {
  (void)state;
  assert_refused(ask_as("", "GET " TASKS, NULL), 401, "unauthenticated",
                 "send a session key of your own as header X-App-Session, parameter session or "
                 "cookie app_session, or a credential; the setting session_by_ip would give each "
                 "address a session");
  assert_refused(as_me("GET /api/v1/queues", NULL), 401, "unauthenticated",
                 "a session has its own tasks and nothing else; this route needs a credential");
  assert_status(as_me("GET /livez", NULL), 200);
  assert_refused(as_me("POST " TASKS "/01890a5d-ac96-774b-bcce-b302099a8057/claim", "{}"), 401,
                 "unauthenticated",
                 "a session has its own tasks and nothing else; this route needs a credential");
}

// What is not open to sessions is their refusal where the request would have been one's.
static void a_refusal_is_a_sessions_when_the_request_was(void **state) {
  (void)state;
  static const char line[] = "PUT " TASKS "/01890a5d-ac96-774b-bcce-b302099a8057";
  assert_refused(ask_as("Cookie: app_session=me", line, "{}"), 405, "method_not_allowed",
                 "of a session this route takes GET, HEAD");
  assert_status(ask_as("Cookie: other=me", line, "{}"), 401);
  struct world_settings settings = ask_usual();
  settings.api.sessions.by_address = true;
  open_with(settings);
  assert_status(ask_as("", line, "{}"), 405);
  // Workers send no credential either, on a server without keys.
  assert_status(ask_as("", "GET /api/v1/queues", NULL), 401);
}

static void a_page_of_another_origin_gets_none_by_cookie(void **state) {
  (void)state;
  static const struct str pages[] = {{"https://app.example", 19}};
  static const char cookie[] = "Cookie: app_session=me\nOrigin: %s";
  struct world_settings settings = ask_usual();
  settings.api.origins = (struct origins){.at = pages, .count = 1};
  open_with(settings);
  assert_status(ask_as(say(cookie, "http://localhost"), "GET " TASKS, NULL), 200);
  assert_status(ask_as(say(cookie, "https://app.example"), "GET " TASKS, NULL), 200);
  assert_refused(ask_as(say(cookie, "https://evil.example"), "GET " TASKS, NULL), 403, "forbidden",
                 "a page of another origin gets no session by cookie or address: send "
                 "X-App-Session, and have the setting cors_origins name the page's origin");
  assert_status(ask_as(AS_ME "\nOrigin: https://evil.example", "GET " TASKS, NULL), 200);
}

static const struct network LOOPBACK[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1}}, 128}};

static const char *key_of(struct asked *a) { return text_at(a, "session.sessionKey"); }

static struct asked *numbers(const char *headers) {
  return ask_as(headers, "GET /api/v1/sessions/stats", NULL);
}

static void an_address_may_be_a_session(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.sessions.by_address = true;
  settings.api.sessions.proxies = (struct networks){LOOPBACK, 1};
  open_with(settings);
  ask_from("192.0.2.7", NULL);
  const char *key = key_of(numbers(""));
  assert_int_equal(strncmp(key, "ip_", 3), 0);
  assert_int_equal(strlen(key), 19);
  assert_string_equal(key_of(numbers("X-Forwarded-For: 192.0.2.9")), key);  // a stranger's word
  assert_string_equal(key_of(numbers(say("X-App-Session: %s", key))), key);
  ask_from("127.0.0.1", NULL);
  static const char *const hops[] = {"192.0.2.7",
                                     "192.0.2.7:443",
                                     "[::ffff:192.0.2.7]:1",
                                     "::ffff:192.0.2.7",
                                     "192.0.2.9, 192.0.2.7",
                                     "junk, 192.0.2.7,127.0.0.1",
                                     "192.0.2.9\nX-Forwarded-For: 192.0.2.7"};
  for (size_t i = 0; i < COUNT_OF(hops); i++)
    assert_string_equal(key_of(numbers(say("X-Forwarded-For: %s", hops[i]))), key);
  static const char *const bad[] = {
      "unknown", "192.0.2.7:x", "192.0.2.7:65536", "[192.0.2.7]", "[::1", "[::1]x", ""};
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    assert_refused(numbers(say("X-Forwarded-For: %s", bad[i])), 400, "bad_request",
                   "X-Forwarded-For holds a hop that is no address; the proxy before this server "
                   "must write addresses there");
  ask_from("unix", NULL);
  assert_refused(numbers(""), 400, "bad_request", "the address of this connection has no session");
}

static void proxies_may_stand_behind_each_other_so_far(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.sessions.by_address = true;
  settings.api.sessions.proxies = (struct networks){LOOPBACK, 1};
  open_with(settings);
  const char *hops = "127.0.0.1";
  for (int i = 1; i < LIMIT_FORWARDED_HOPS; i++) hops = say("%s,127.0.0.1", hops);
  assert_status(numbers(say("X-Forwarded-For: %s", hops)), 200);
  assert_refused(numbers(say("X-Forwarded-For: 127.0.0.1,%s", hops)), 400, "bad_request",
                 "X-Forwarded-For has too many hops");
}

static void without_any_key_a_session_comes_from_this_machine(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.admin_key = STR_NONE;
  settings.api.jwt.ways = 0;
  open_with(settings);
  assert_status(as_me("GET " TASKS, NULL), 200);
  assert_status(ask_as("", "GET /api/v1/queues", NULL), 200);  // the local user's
  assert_status(ask_as(AS_ME "\nOrigin: https://evil.example", "GET " TASKS, NULL), 403);
  ask_from(NULL, "evil.example");
  assert_status(as_me("GET " TASKS, NULL), 403);
}

static void where_there_are_no_sessions_it_is_said_how(void **state) {
  (void)state;
  static const char detail[] =
      "this server serves no sessions: start it with TASKYARD_SESSIONS=yes (or "
      "ENABLE_SESSION_ISOLATION=true)";
  struct world_settings settings = ask_usual();
  ask_open(&settings);
  assert_refused(as_me("GET " TASKS, NULL), 409, "sessions_off", detail);
  assert_refused(ask("GET /api/v1/sessions/stats", NULL), 409, "sessions_off", detail);
  assert_refused(ask("DELETE /api/v1/sessions/me", NULL), 409, "sessions_off", detail);
  assert_refused(ask("POST /api/v1/demo/tasks/sample", NULL), 409, "sessions_off", detail);
}

// --- the sessions themselves ---------------------------------------------------------------------

static void a_session_begins_with_its_first_task(void **state) {
  (void)state;
  struct asked *a = numbers(AS_ME);
  assert_text(a, "session.sessionKey", "me");
  assert_number(a, "session.timeoutMs", 60000);
  assert_number(a, "session.stats.total", 0);
  assert_number(numbers(AS_ADMIN), "count", 0);
  make(AS_ME, "{\"name\":\"n\"}");
  world_pass(100);
  a = numbers(AS_ADMIN);
  assert_number(a, "count", 1);
  assert_text(a, "sessions.0.sessionKey", "me");
  assert_number(a, "sessions.0.idleMs", 100);
  assert_number(a, "max", 4);
  assert_number(numbers(AS_ME), "session.stats.pending", 1);
}

static void a_session_ends_itself_and_no_other(void **state) {
  (void)state;
  static const char absent[] = "there is no such session";
  const char *id = make(AS_ME, "{\"name\":\"n\"}");
  struct asked *waits = as_me(say("GET " TASKS "/%s?waitMs=60000", id), NULL);
  make("X-App-Session: you", "{\"name\":\"n\"}");
  assert_refused(as_me("DELETE /api/v1/sessions/you", NULL), 404, "not_found", absent);
  assert_refused(ask_as("X-App-Session: none", "DELETE /api/v1/sessions/none", NULL), 404,
                 "not_found", absent);
  struct asked *a = as_me("DELETE /api/v1/sessions/me", NULL);
  assert_status(a, 200);
  assert_text(a, "sessionKey", "me");
  assert_status(waits, 200);  // whoever waits in it is answered
  assert_status(as_me(say("GET " TASKS "/%s", id), NULL), 404);
  assert_status(ask("DELETE /api/v1/sessions/you", NULL), 200);
  assert_refused(ask("DELETE /api/v1/sessions/you", NULL), 404, "not_found", absent);
  assert_number(numbers(AS_ADMIN), "count", 0);
}

static void sessions_are_the_first_tenants(void **state) {
  (void)state;
  make(AS_ME, "{\"name\":\"n\"}");
  const char *key = make_key("{\"name\":\"k\",\"roles\":[\"admin\"],\"tenant\":\"acme\"}");
  assert_refused(numbers(key), 404, "not_found", "there is no such session");
  assert_status(ask_as(key, "DELETE /api/v1/sessions/me", NULL), 404);
  assert_refused(ask_as(key, "POST /api/v1/claims", "{\"sessions\":true}"), 403, "forbidden",
                 "tasks of sessions are for workers of the tenant \"default\"");
}

static void there_are_so_many_sessions(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) make(say("X-App-Session: s%d", i), "{\"name\":\"n\"}");
  struct asked *a = as_me("POST " TASKS, "{\"name\":\"n\"}");
  assert_refused(
      a, 503, "overloaded",
      "this server has 4 sessions, which is as many as it serves at once (sessions_max); "
      "try again when one has ended");
  assert_header(a, "Retry-After", "30");
  assert_status(as_me("GET " TASKS, NULL), 200);
  assert_status(ask("DELETE /api/v1/sessions/s0", NULL), 200);
  make(AS_ME, "{\"name\":\"n\"}");
}

static void an_address_begins_so_many(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.sessions.per_address = 1;
  open_with(settings);
  ask_from("192.0.2.7", NULL);
  make(AS_ME, "{\"name\":\"n\"}");
  struct asked *a = ask_as("X-App-Session: two", "POST " TASKS, "{\"name\":\"n\"}");
  assert_refused(a, 429, "too_many",
                 "your address has begun 1 sessions, which is as many as it may have at once "
                 "(sessions_per_address); use or end one of them. If a proxy stands before this "
                 "server, name it in trusted_proxies");
  ask_from("192.0.2.8", NULL);
  make("X-App-Session: two", "{\"name\":\"n\"}");
}

static void who_ends_a_session_may_begin_another_at_once(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.sessions.per_address = 1;
  open_with(settings);
  make(AS_ME, "{\"name\":\"n\"}");
  world.still = true;  // the first is not closed yet
  assert_status(as_me("DELETE /api/v1/sessions/me", NULL), 200);
  struct asked *a = ask_as("X-App-Session: two", "POST " TASKS, "{\"name\":\"n\"}");
  world.still = false;
  world_turn();
  assert_status(a, 201);
}

static void an_idle_session_ends_unless_a_task_of_it_runs(void **state) {
  (void)state;
  start(AS_ME, "a");
  make("X-App-Session: idle", "{\"name\":\"n\"}");
  struct asked *a =
      ask("POST /api/v1/claims", "{\"sessions\":true,\"types\":[\"a\"],\"leaseMs\":100000}");
  assert_number(a, "count", 1);
  world_pass(70000);
  a = numbers(AS_ADMIN);
  assert_number(a, "count", 1);
  assert_text(a, "sessions.0.sessionKey", "me");
  world_pass(100000);
  assert_number(numbers(AS_ADMIN), "count", 0);
}

static void a_session_keeps_so_much(void **state) {
  (void)state;
  const char *body = say("{\"name\":\"n\",\"payload\":\"%060000d\"}", 0);
  struct asked *a = NULL;
  for (int i = 0; i < 100 && (a == NULL || a->answer.status == 201); i++)
    a = as_me("POST " TASKS, body);
  assert_refused(a, 507, "disk_full",
                 "this session keeps as much as it may (session_bytes); nothing was changed");
  assert_status(as_me("GET " TASKS, NULL), 200);
  make("X-App-Session: you", "{\"name\":\"n\"}");
}

static void what_ended_in_a_session_is_removed_on_request(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.sessions.engine.retention = (struct retention){
      .keep = {.completed = 1, .failed = 1}, .per_tenant = true, .interval_ms = 60000};
  open_with(settings);
  struct asked *a = as_me("POST " TASKS "/cleanup/run", NULL);  // of what has not begun
  assert_text(a, "message", "cleanup completed");
  a = as_me("GET " TASKS "/cleanup/status", NULL);
  assert_json(a, "status.options",
              "{\"maxCompletedTasks\":1,\"maxFailedTasks\":1,\"cleanupInterval\":60000}");
  assert_number(a, "status.nextRunAt", WORLD_START_MS + 60000);
  for (int i = 0; i < 3; i++)
    as_me(say("POST " TASKS "/%s/cancel", make(AS_ME, "{\"name\":\"n\"}")), NULL);
  a = as_me("POST " TASKS "/cleanup/run", NULL);
  assert_json(a, "removed", "{\"completed\":0,\"failed\":0,\"cancelled\":2}");
  assert_json(a, "durable", "false");
  a = as_me("GET " TASKS "/cleanup/status", NULL);
  assert_number(a, "status.lastRunAt", WORLD_START_MS);
  assert_no(a, "status.types");
}

static void a_server_that_drains_begins_no_session(void **state) {
  (void)state;
  make(AS_ME, "{\"name\":\"n\"}");
  api_drain(world.api);
  assert_refused(ask_as("X-App-Session: new", "POST " TASKS, "{\"name\":\"n\"}"), 503,
                 "unavailable", "the server is draining");
  assert_status(as_me("GET " TASKS, NULL), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, ask_tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_task_of_a_session_waits_for_its_start),
      TEST(every_read_of_a_session_has_its_shape),
      TEST(a_session_is_told_what_is_wrong_as_its_clients_know_it),
      TEST(sessions_do_not_see_each_other),
      TEST(an_ended_task_of_a_session_is_tried_again),
      TEST(demo_tasks_are_made_and_started),
      TEST(what_is_wrong_with_a_demo_is_told),
      TEST(a_key_comes_by_header_parameter_or_cookie),
      TEST(a_key_that_is_none_is_refused),
      TEST(who_sends_nothing_has_no_session),
      TEST(a_refusal_is_a_sessions_when_the_request_was),
      TEST(a_page_of_another_origin_gets_none_by_cookie),
      TEST(an_address_may_be_a_session),
      TEST(proxies_may_stand_behind_each_other_so_far),
      TEST(without_any_key_a_session_comes_from_this_machine),
      TEST(where_there_are_no_sessions_it_is_said_how),
      TEST(a_session_begins_with_its_first_task),
      TEST(a_session_ends_itself_and_no_other),
      TEST(sessions_are_the_first_tenants),
      TEST(there_are_so_many_sessions),
      TEST(an_address_begins_so_many),
      TEST(who_ends_a_session_may_begin_another_at_once),
      TEST(an_idle_session_ends_unless_a_task_of_it_runs),
      TEST(a_session_keeps_so_much),
      TEST(what_ended_in_a_session_is_removed_on_request),
      TEST(a_server_that_drains_begins_no_session),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
