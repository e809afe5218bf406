// api_streams_test.c: live events: what a stream is sent, from where on, when, and how it ends.
#include "tests/world/api_ask.h"

#include "model/limits.h"

#define TASKS "/api/v1/tasks"
#define LIVE "\nAccept: text/event-stream"

static struct asked *stream_as(const char *headers, const char *path) {
  return ask_as(say("%s" LIVE, headers), say("GET /api/v1/%s", path), NULL);
}
static struct asked *stream(const char *path) { return stream_as(AS_ADMIN, path); }

static bool is_open(const struct asked *a) {
  return a->answer.status == 200 && a->answer.request != NULL;
}

static size_t count_in(const struct asked *a, const char *text) {
  struct str body = buf_str(&a->answer.body);
  size_t count = 0, len = strlen(text);
  const char *at = body.at, *end = body.at + body.len;
  for (; (at = memmem(at, (size_t)(end - at), text, len)) != NULL; at += len) count++;
  return count;
}
#define EVENTS "event: task."

static void forget(struct asked *a) { buf_clear(&a->answer.body); }

static void soon(void) { world_pass(10); }  // a follower pauses between two readings

// The store's own part of the ids of this world's events, "3f0c".
static const char *epoch_of(struct asked *a) {
  struct str body = buf_str(&a->answer.body);
  const char *at = memmem(body.at, body.len, "id: ", 4);
  assert_non_null(at);
  struct str id = str_from(body, (size_t)(at - body.at) + 4), epoch = str_cut(&id, '-');
  return say("%.*s", STR_FMT(epoch));
}

// --- what is sent --------------------------------------------------------------------------------

static void a_stream_begins_now_and_tells_what_follows(void **state) {
  (void)state;
  make_task("{\"type\":\"a\"}");
  struct asked *a = stream("events");
  assert_status(a, 200);
  assert_true(str_eq(a->answer.type, STR("text/event-stream")));
  assert_header(a, "Cache-Control", "no-store");
  assert_header(a, "X-Accel-Buffering", "no");
  assert_body_has(a, "retry: ");
  assert_body_has(a, say("id: %s-1\n\n", epoch_of(a)));
  assert_int_equal(count_in(a, EVENTS), 0);
  const char *id = make_task("{\"type\":\"a\"}");
  assert_body_has(a, say("id: %s-2\nevent: task.created\ndata: {\"seq\":2,", epoch_of(a)));
  assert_body_has(a, say("\"taskId\":\"%s\"", id));
  assert_body_has(a, "\"status\":\"pending\"}\n\n");
  complete_task(id, "1");
  soon();
  assert_body_has(a, "event: task.claimed\n");
  assert_body_has(a, "event: task.completed\n");
  assert_int_equal(count_in(a, EVENTS), 3);
  assert_true(is_open(a));
}

static void a_stream_is_narrowed_like_a_list(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  struct asked *type = stream("events?type=b"), *queue = stream("events?queue=q");
  struct asked *task = stream(say("tasks/%s/events", id));
  struct asked *project =
      stream_as(as_user("ann", ",\"roles\":[\"reader\"]"), "events?projectId=p");
  make_task("{\"type\":\"b\",\"projectId\":\"p\"}");
  soon();
  make_task("{\"type\":\"b\",\"queue\":\"q\"}");
  soon();
  claim_task(id);
  soon();
  ask("POST /api/v1/queues/q/pause", NULL);
  soon();
  assert_int_equal(count_in(type, EVENTS), 2);
  assert_int_equal(count_in(queue, EVENTS), 1);
  assert_int_equal(count_in(task, EVENTS), 1);
  assert_body_has(task, "event: task.claimed\n");
  assert_int_equal(count_in(project, EVENTS), 1);
  assert_body_has(project, "event: task.created\n");
}

static void a_stream_goes_on_where_it_was(void **state) {
  (void)state;
  for (int i = 0; i < 5; i++) make_task("{\"type\":\"a\"}");
  struct asked *first = stream("events");
  const char *epoch = epoch_of(first);
  const char *const marks[] = {"3", say("%s-3", epoch)};
  for (size_t i = 0; i < COUNT_OF(marks); i++) {
    struct asked *a = stream(say("events?lastEventId=%s", marks[i]));
    assert_int_equal(count_in(a, EVENTS), 2);
    assert_body_has(a, "\"seq\":4,");
    world_leave(&a->answer);
    a = stream_as(say(AS_ADMIN "\nLast-Event-ID: %s", marks[i]), "events?lastEventId=1");
    assert_int_equal(count_in(a, EVENTS), 2);  // the header is newer than the URL
    world_leave(&a->answer);
  }
}

static void what_cannot_be_gone_on_from_is_reset(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.streams.behind_max = 2;
  ask_open(&settings);
  const char *id = NULL;
  for (int i = 0; i < 5; i++) id = make_task("{\"type\":\"a\"}");
  static const struct {
    const char *mark, *reason;
  } rows[] = {{"9", "unknown"}, {"1-3", "unknown"}, {"2", "behind"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct asked *a = stream(say("events?lastEventId=%s", rows[i].mark));
    assert_body_has(a, say("event: reset\ndata: {\"event\":\"reset\",\"seq\":5,\"reason\":\"%s\"}",
                           rows[i].reason));
    make_task("{\"type\":\"a\"}");
    world_leave(&a->answer);
    ask(say("DELETE " TASKS "/%s", id), NULL);
    ask_open(&settings);
    for (int k = 0; k < 5; k++) id = make_task("{\"type\":\"a\"}");
  }
  // One task's events are few: it is never too far behind.
  struct asked *a = stream(say("tasks/%s/events?lastEventId=1", id));
  assert_int_equal(count_in(a, "event: reset"), 0);
  assert_int_equal(count_in(a, EVENTS), 1);
}

static void progress_waits_for_a_moment_and_the_newest_goes(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  struct asked *a = stream("events?progressMs=1000"), *all = stream("events?progressMs=0");
  world_pass(5000);
  for (int i = 1; i <= 3; i++) {
    move_task(id, "progress", token, say("\"progress\":%d", i * 10));
    soon();
  }
  assert_int_equal(count_in(all, "event: task.progress"), 3);
  assert_int_equal(count_in(a, "event: task.progress"), 1);  // the first, after a silence
  world_pass(1000);
  assert_int_equal(count_in(a, "event: task.progress"), 2);
  assert_body_has(a, "\"progress\":30");
  move_task(id, "progress", token, "\"progress\":40");
  soon();
  assert_int_equal(count_in(a, "event: task.progress"), 2);
  move_task(id, "complete", token, "\"result\":1");  // takes along what waits, before it
  soon();
  assert_int_equal(count_in(a, "event: task.progress"), 3);
  assert_body_has(a, "event: task.completed");
}

static void progress_of_many_tasks_waits_together(void **state) {
  (void)state;
  struct asked *a = stream("events?progressMs=60000");
  const char *ids[LIMIT_STREAM_HELD + 1], *tokens[COUNT_OF(ids)];
  for (size_t i = 0; i < COUNT_OF(ids); i++) {
    ids[i] = make_task("{\"type\":\"a\"}");
    tokens[i] = claim_task(ids[i]);
  }
  soon();
  move_task(ids[0], "progress", tokens[0], "\"progress\":1");
  soon();
  forget(a);
  for (size_t i = 0; i < LIMIT_STREAM_HELD; i++) {
    move_task(ids[i], "progress", tokens[i], "\"progress\":2");
    soon();
  }
  assert_int_equal(count_in(a, EVENTS), 0);
  size_t last = LIMIT_STREAM_HELD;
  move_task(ids[last], "progress", tokens[last], "\"progress\":2");
  soon();
  assert_int_equal(count_in(a, EVENTS), LIMIT_STREAM_HELD);  // past the limit all of it goes
}

static void a_silent_stream_is_kept_alive(void **state) {
  (void)state;
  struct asked *a = stream("events");
  forget(a);
  world_pass(14000);
  assert_int_equal(a->answer.body.len, 0);
  world_pass(2000);
  assert_body_has(a, ":\nid: ");
  assert_body_has(a, "-0\n\n");
}

// --- a client that is slow -----------------------------------------------------------------------

static void a_slow_client_gets_the_rest_when_it_takes_it(void **state) {
  (void)state;
  struct asked *a = stream("events");
  a->answer.flow = HTTP_FULL;
  make_task("{\"type\":\"a\"}");
  soon();
  assert_int_equal(count_in(a, EVENTS), 1);
  for (int i = 0; i < 4; i++) {
    make_task("{\"type\":\"a\"}");
    soon();
  }
  assert_int_equal(count_in(a, EVENTS), 1);
  world_drained(&a->answer);
  assert_int_equal(count_in(a, EVENTS), 5);
}

// More than the follower keeps in memory: the rest is read from the store, page by page.
static void who_is_far_behind_reads_the_store(void **state) {
  (void)state;
  enum { MANY = 3000, AT_ONCE = 500 };
  struct world_settings settings = ask_usual();
  settings.api.streams.behind_max = 10000;
  ask_open(&settings);
  struct asked *a = stream("events"), *narrow = stream("events?type=b");
  struct asked *project = stream("events?projectId=p");
  struct asked *const all[] = {a, narrow, project};
  for (size_t i = 0; i < COUNT_OF(all); i++) all[i]->answer.flow = HTTP_FULL;
  make_task("{\"type\":\"b\",\"projectId\":\"p\"}");
  soon();
  const char *rest = many(AT_ONCE - 1, "{\"type\":\"a\"}");
  const char *body = say("[{\"type\":\"b\"},%s]", rest);
  for (int i = 0; i < MANY / AT_ONCE; i++) {
    assert_status(ask("POST " TASKS, body), 201);
    soon();
  }
  for (size_t i = 0; i < COUNT_OF(all); i++) assert_int_equal(count_in(all[i], EVENTS), 1);
  for (size_t i = 0; i < COUNT_OF(all); i++) world_drained(&all[i]->answer);
  world_pass(1000);
  assert_int_equal(count_in(a, EVENTS), 1 + MANY);
  assert_int_equal(count_in(narrow, EVENTS), 1 + MANY / AT_ONCE);
  assert_int_equal(count_in(project, EVENTS), 1);
  make_task("{\"type\":\"b\",\"projectId\":\"p\"}");
  soon();
  assert_int_equal(count_in(a, EVENTS), 2 + MANY);
  assert_int_equal(count_in(project, EVENTS), 2);
}

static void who_is_too_far_behind_lists_again(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.streams.behind_max = 3;
  ask_open(&settings);
  struct asked *a = stream("events");
  a->answer.flow = HTTP_FULL;
  make_task("{\"type\":\"a\"}");
  soon();
  assert_status(
      ask("POST " TASKS, "[{\"type\":\"a\"},{\"type\":\"a\"},{\"type\":\"a\"},{\"type\":\"a\"}]"),
      201);
  soon();
  world_drained(&a->answer);
  assert_body_has(a, "\"event\":\"reset\",\"seq\":5,\"reason\":\"behind\"");
  make_task("{\"type\":\"a\"}");
  soon();
  assert_body_has(a, "\"seq\":6,");
}

// --- a store that fails --------------------------------------------------------------------------

static void what_the_store_did_not_tell_is_asked_again(void **state) {
  (void)state;
  struct asked *a = stream("events");
  world.failing_reads = 1;
  world.read_err = ERR_UNAVAILABLE;
  make_task("{\"type\":\"a\"}");
  assert_int_equal(world.failing_reads, 0);
  world_pass(400);
  assert_int_equal(count_in(a, EVENTS), 0);
  world_pass(200);
  assert_int_equal(count_in(a, EVENTS), 1);
}

static void who_reads_back_asks_again_too(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) make_task("{\"type\":\"a\"}");
  world.failing_reads = 1;
  world.read_err = ERR_UNAVAILABLE;
  struct asked *a = stream("events?lastEventId=1");
  assert_int_equal(world.failing_reads, 0);
  assert_int_equal(count_in(a, EVENTS), 0);
  world_pass(1000);
  assert_int_equal(count_in(a, EVENTS), 2);
}

// There is more between than may be read at once.
static void what_takes_too_long_to_read_is_reset(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) make_task("{\"type\":\"a\"}");
  world.failing_reads = 1;
  world.read_err = ERR_SCAN_LIMIT;
  struct asked *a = stream("events?lastEventId=1&type=b");
  assert_body_has(a, "\"event\":\"reset\",\"seq\":3,\"reason\":\"behind\"");
  make_task("{\"type\":\"b\"}");
  soon();
  assert_int_equal(count_in(a, EVENTS), 1);
}

static void a_first_look_that_fails_is_the_answer(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  claim_task(id);
  world.failing_reads = 1;
  world.read_err = ERR_UNAVAILABLE;
  assert_refused(stream(say("tasks/%s/events?lastEventId=1", id)), 503, "unavailable",
                 "the test says so");
  world.still = true;
  struct asked *gone = stream("events");
  world_leave(&gone->answer);
  assert_refused(gone, 503, "unavailable", "the stream has ended");
}

static void a_client_that_is_gone_is_let_go(void **state) {
  (void)state;
  struct asked *left = stream("events"), *broken = stream("events");
  world_leave(&left->answer);
  assert_int_equal(world.streams, 1);
  broken->answer.flow = HTTP_GONE;
  make_task("{\"type\":\"a\"}");
  soon();
  assert_int_equal(world.streams, 0);
}

static void a_head_tells_of_a_stream_and_begins_none(void **state) {
  (void)state;
  struct asked *a = ask_as(AS_ADMIN LIVE, "HEAD /api/v1/events", NULL);
  assert_status(a, 200);
  assert_header(a, "Cache-Control", "no-store");
  assert_int_equal(world.streams, 0);
}

// --- who may, and how many -----------------------------------------------------------------------

static void what_is_wrong_with_a_stream_is_told(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"GET /api/v1/events?after=1", NULL, "?after",
       "after is for lists; a stream goes on behind lastEventId, or Last-Event-ID"},
      {"GET /api/v1/events?limit=1", NULL, "?limit",
       "limit is for lists; a stream goes on behind lastEventId, or Last-Event-ID"},
      {"GET /api/v1/events?progressMs=60001", NULL, "?progressMs",
       "progressMs must be from 0 to 60000"},
      {"GET /api/v1/events?taskId=x", NULL, "?taskId", "taskId must be a task's id"},
  };
  ask_each_refused(AS_ADMIN LIVE, rows, COUNT_OF(rows), 422, "invalid_field");
  static const char *const marks[] = {"x", "-1", "1-", "12345678f-1", "g-1", "1-2-3", "1e3"};
  for (size_t i = 0; i < COUNT_OF(marks); i++)
    assert_refused(stream(say("events?lastEventId=%s", marks[i])), 400, "bad_request",
                   "Last-Event-ID (or lastEventId) must be the id of an event of this stream as it "
                   "was sent, or a number that a list gave as nextAfter");
  assert_refused(stream("tasks/01890a5d-ac96-774b-bcce-b302099a8057/events"), 404, "not_found",
                 "there is no such task");
}

static void only_who_asks_for_a_stream_gets_one(void **state) {
  (void)state;
  static const struct {
    const char *accept;
    bool streams;
  } rows[] = {{"text/event-stream", true},
              {"application/json, Text/Event-Stream;q=0.5", true},
              {"text/*", false},
              {"application/json", false}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct asked *a =
        ask_as(say(AS_ADMIN "\nAccept: %s", rows[i].accept), "GET /api/v1/events", NULL);
    assert_int_equal(is_open(a), rows[i].streams);
  }
}

static void a_credential_has_so_many_streams(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) assert_true(is_open(stream("events")));
  struct asked *a = stream("events");
  assert_refused(a, 429, "too_many",
                 "streams of events that you have: 4, as many as one credential may have "
                 "(streams_each_max); end one of them first");
  assert_header(a, "Retry-After", "5");
  const char *key = make_key("{\"name\":\"k\",\"roles\":[\"reader\"]}");
  for (int i = 0; i < 4; i++) assert_true(is_open(stream_as(key, "events")));
  assert_refused(stream_as(make_key("{\"name\":\"l\",\"roles\":[\"reader\"]}"), "events"), 503,
                 "overloaded",
                 "the server has 8 streams of events, which is as many as it serves at once "
                 "(streams_max); poll, or try again");
}

static void a_stream_ends_with_its_credential(void **state) {
  (void)state;
  const char *key = make_key("{\"name\":\"k\",\"roles\":[\"reader\"]}");
  const char *brief = make_key("{\"name\":\"b\",\"roles\":[\"reader\"],\"expiresInMs\":9000}");
  struct asked *revoked = stream_as(key, "events"), *expires = stream_as(brief, "events");
  struct asked *lasts = stream("events"),
               *token = stream_as(as_user("a", ",\"roles\":[\"reader\"]"), "events");
  struct asked *keys = ask("GET /api/v1/keys", NULL);
  int which = strcmp(text_at(keys, "keys.0.name"), "k") == 0 ? 0 : 1;
  world_pass(2000);
  assert_true(is_open(revoked));
  ask(say("DELETE /api/v1/keys/%s", text_at(keys, say("keys.%d.id", which))), NULL);
  world_pass(1000);
  assert_false(is_open(revoked));
  assert_true(is_open(expires));
  world_pass(7000);
  assert_false(is_open(expires));
  assert_true(is_open(lasts));
  assert_true(is_open(token));
}

static void an_open_server_that_gets_a_key_ends_its_streams(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.admin_key = STR_NONE;
  settings.api.jwt.ways = 0;
  ask_open(&settings);
  struct asked *a = stream_as("Accept: a/b", "events");
  assert_true(is_open(a));
  ask_as("", "POST /api/v1/keys", "{\"name\":\"k\",\"roles\":[\"admin\"]}");
  world_pass(1000);
  assert_false(is_open(a));
}

static void a_drain_ends_all(void **state) {
  (void)state;
  struct asked *a = stream("events");
  api_drain(world.api);
  assert_false(is_open(a));
  assert_refused(stream("events"), 503, "unavailable", "the server is draining");
}

static void tenants_have_streams_of_their_own(void **state) {
  (void)state;
  const char *acme =
      make_key("{\"name\":\"k\",\"roles\":[\"reader\",\"producer\"],\"tenant\":\"acme\"}");
  struct asked *mine = stream("events"), *theirs = stream_as(acme, "events");
  make_task("{\"type\":\"a\"}");
  soon();
  assert_int_equal(count_in(mine, EVENTS), 1);
  assert_int_equal(count_in(theirs, EVENTS), 0);
  ask_as(acme, "POST " TASKS, "{\"type\":\"a\"}");
  soon();
  assert_int_equal(count_in(mine, EVENTS), 1);
  assert_int_equal(count_in(theirs, EVENTS), 1);
}

// --- sessions ------------------------------------------------------------------------------------

static void a_session_has_streams_of_its_own(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.sessions.on = true;
  settings.api.streams.max = 100;
  ask_open(&settings);
  struct asked *a = stream_as("X-App-Session: me", "events");
  assert_true(is_open(a));
  struct asked *made = ask_as("X-App-Session: me", "POST " TASKS, "{\"name\":\"n\"}");
  soon();
  assert_int_equal(count_in(a, EVENTS), 1);
  assert_body_has(a, "\"durable\":false}\n\n");
  struct asked *one = stream_as("X-App-Session: me",
                                say("tasks/%s/events?lastEventId=0", text_at(made, "task.id")));
  assert_int_equal(count_in(one, EVENTS), 1);
  assert_refused(
      stream_as("X-App-Session: new", "events?taskId=01890a5d-ac96-774b-bcce-b302099a8057"), 404,
      "not_found", "there is no such task");
  for (int i = 2; i < LIMIT_SESSION_STREAMS; i++) stream_as("X-App-Session: me", "events");
  assert_refused(stream_as("X-App-Session: me", "events"), 429, "too_many",
                 "streams of events that you have: 20, as many as one session may have; end one of "
                 "them first");
  ask_as("X-App-Session: me", "DELETE /api/v1/sessions/me", NULL);
  assert_int_equal(world.streams, 0);
}

// One that is open keeps its session.
static void a_session_that_is_followed_is_not_idle(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.sessions.on = true;
  ask_open(&settings);
  struct asked *a = stream_as("X-App-Session: me", "events");
  world_pass(200000);
  assert_true(is_open(a));
  world_leave(&a->answer);
  world_pass(100000);
  assert_number(ask("GET /api/v1/sessions/stats", NULL), "count", 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ASK_TEST(a_stream_begins_now_and_tells_what_follows),
      ASK_TEST(a_stream_is_narrowed_like_a_list),
      ASK_TEST(a_stream_goes_on_where_it_was),
      ASK_TEST(what_cannot_be_gone_on_from_is_reset),
      ASK_TEST(progress_waits_for_a_moment_and_the_newest_goes),
      ASK_TEST(progress_of_many_tasks_waits_together),
      ASK_TEST(a_silent_stream_is_kept_alive),
      ASK_TEST(a_slow_client_gets_the_rest_when_it_takes_it),
      ASK_TEST(who_is_far_behind_reads_the_store),
      ASK_TEST(who_is_too_far_behind_lists_again),
      ASK_TEST(what_the_store_did_not_tell_is_asked_again),
      ASK_TEST(who_reads_back_asks_again_too),
      ASK_TEST(what_takes_too_long_to_read_is_reset),
      ASK_TEST(a_first_look_that_fails_is_the_answer),
      ASK_TEST(a_client_that_is_gone_is_let_go),
      ASK_TEST(a_head_tells_of_a_stream_and_begins_none),
      ASK_TEST(what_is_wrong_with_a_stream_is_told),
      ASK_TEST(only_who_asks_for_a_stream_gets_one),
      ASK_TEST(a_credential_has_so_many_streams),
      ASK_TEST(a_stream_ends_with_its_credential),
      ASK_TEST(an_open_server_that_gets_a_key_ends_its_streams),
      ASK_TEST(a_drain_ends_all),
      ASK_TEST(tenants_have_streams_of_their_own),
      ASK_TEST(a_session_has_streams_of_its_own),
      ASK_TEST(a_session_that_is_followed_is_not_idle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
