// api_session_workers_test.c: how workers get the tasks of sessions, what their lease tokens move,
// and how claims that wait for any session get their turn.
#include "tests/world/api_ask.h"

#include "model/limits.h"

#define TASKS "/api/v1/tasks"

static int set_up(void **state) {
  (void)ask_set_up(state);
  struct world_settings settings = ask_usual();
  settings.api.sessions.on = true;
  ask_open(&settings);
  return 0;
}

static const char *as_session(const char *key) { return say("X-App-Session: %s", key); }

// A task of that session that workers may have.
static const char *start(const char *key, const char *type) {
  struct asked *a = ask_as(as_session(key), "POST " TASKS,
                           say("{\"name\":\"n\",\"type\":\"%s\",\"payload\":{\"n\": 1}}", type));
  assert_status(a, 201);
  const char *id = text_at(a, "task.id");
  assert_status(ask_as(as_session(key), say("POST " TASKS "/%s/start", id), NULL), 200);
  return id;
}

static struct asked *claim(const char *more) {
  return ask("POST /api/v1/claims", say("{\"sessions\":true%s%s}", *more ? "," : "", more));
}

static struct asked *read_of(const char *key, const char *id) {
  return ask_as(as_session(key), say("GET " TASKS "/%s", id), NULL);
}

// --- claims --------------------------------------------------------------------------------------

static void a_claim_brings_the_whole_task_of_a_session(void **state) {
  (void)state;
  const char *id = start("one", "a");
  assert_number(ask("POST /api/v1/claims", "{}"), "count", 0);  // of those that are kept
  struct asked *a = claim("\"workerId\":\"w\"");
  assert_status(a, 200);
  assert_number(a, "count", 1);
  assert_text(a, "tasks.0.id", id);
  assert_text(a, "tasks.0.sessionKey", "one");
  assert_text(a, "tasks.0.status", "running");
  assert_text(a, "tasks.0.workerId", "w");
  assert_json(a, "tasks.0.payload", "{\"n\": 1}");
  const char *token = text_at(a, "tasks.0.leaseToken");
  assert_int_equal(strlen(token), 26);
  assert_int_equal(token[0], 's');
  a = ask("GET /api/v1/workers", NULL);
  assert_text(a, "workers.0.workerId", "w");
  assert_number(a, "workers.0.claimed", 1);
}

static void kept_tasks_are_none_of_a_session(void **state) {
  (void)state;
  make_task("{\"type\":\"a\"}");
  assert_number(claim(""), "count", 0);
}

static void sessions_take_turns(void **state) {
  (void)state;
  static const char *const keys[] = {"one", "two", "three"};
  for (size_t round = 0; round < 2; round++)
    for (size_t i = 0; i < COUNT_OF(keys); i++) start(keys[i], "a");
  for (size_t n = 0; n < 2 * COUNT_OF(keys); n++)
    assert_text(claim("\"types\":[\"a\"]"), "tasks.0.sessionKey", keys[n % COUNT_OF(keys)]);
  assert_number(claim("\"types\":[\"a\"]"), "count", 0);
}

static void one_answer_has_tasks_of_one_session(void **state) {
  (void)state;
  start("one", "a");
  start("one", "a");
  start("two", "a");
  assert_number(claim("\"limit\":10"), "count", 2);
  assert_number(claim("\"limit\":10"), "count", 1);
}

static void a_claim_waits_for_any_session(void **state) {
  (void)state;
  struct asked *other = claim("\"types\":[\"b\"],\"waitMs\":60000");
  struct asked *first = claim("\"types\":[\"a\"],\"waitMs\":60000,\"workerId\":\"w1\"");
  struct asked *second = claim("\"types\":[\"a\"],\"waitMs\":5000,\"workerId\":\"w2\"");
  assert_waits(first);
  assert_json(ask("GET /api/v1/workers", NULL), "workers.0.waiting", "true");
  assert_number(ask("GET /api/v1/sessions/stats", NULL), "waitingClaims", 3);
  const char *id = start("one", "a");
  assert_text(first, "tasks.0.id", id);
  assert_waits(second);
  world_pass(5010);
  assert_status(second, 200);
  assert_json(second, "tasks", "[]");
  struct asked *a =
      ask_as(as_session("one"), say("GET " TASKS "/%s/explain", start("one", "c")), NULL);
  assert_number(a, "explain.data.waitingWorkers", 1);
  assert_waits(other);
  assert_text(other, "tasks.0.id", start("two", "b"));
}

static void who_waits_in_a_queue_gets_its_tasks(void **state) {
  (void)state;
  struct asked *waits = claim("\"queues\":[\"default\"],\"waitMs\":1000");
  struct asked *elsewhere = claim("\"queues\":[\"slow\"],\"waitMs\":1000");
  start("one", "a");
  assert_status(waits, 200);
  assert_waits(elsewhere);
  world_pass(1010);
  assert_number(elsewhere, "count", 0);
}

static void a_worker_that_left_is_leased_nothing(void **state) {
  (void)state;
  struct asked *gone = claim("\"waitMs\":60000"), *stays = claim("\"waitMs\":60000");
  world_leave(&gone->answer);
  assert_refused(gone, 503, "unavailable", "the client went away");
  assert_text(stays, "tasks.0.id", start("one", "a"));
}

// It leaves while a session is asked on its behalf: the task stays for the next.
static void a_worker_that_leaves_while_a_session_is_asked_loses_nothing(void **state) {
  (void)state;
  const char *id = start("one", "a");
  world.still = true;
  struct asked *gone = claim("\"waitMs\":60000");
  world_leave(&gone->answer);
  world.still = false;
  assert_status(gone, 503);
  assert_text(claim(""), "tasks.0.id", id);
}

static void so_many_claims_wait_for_sessions(void **state) {
  (void)state;
  struct asked *first = claim("\"waitMs\":60000");
  for (int i = 1; i < LIMIT_SESSION_CLAIMS; i++) assert_waits(claim("\"waitMs\":60000"));
  struct asked *a = claim("\"waitMs\":60000");
  assert_refused(a, 429, "too_many",
                 "too many claims wait for tasks of sessions already; try again");
  assert_header(a, "Retry-After", "1");
  world_leave(&first->answer);
  assert_waits(claim("\"waitMs\":60000"));
}

// Two wait and two tasks come at once: each gets one, and neither waits on.
static void as_many_are_sent_as_tasks_came(void **state) {
  (void)state;
  const char *one = start("one", "a");
  claim("");
  struct asked *first = claim("\"waitMs\":60000"), *second = claim("\"waitMs\":60000");
  const char *two = start("two", "a");
  assert_text(first, "tasks.0.id", two);
  assert_waits(second);
  world_pass(WORLD_LEASE_MS);  // the one attempt of the first task is lost
  assert_text(read_of("one", one), "task.status", "failed");
  assert_status(ask_as(as_session("one"), say("POST " TASKS "/%s/retry", one), NULL), 200);
  assert_text(second, "tasks.0.id", one);
}

static void whoever_lost_his_key_gets_nothing(void **state) {
  (void)state;
  const char *key = make_key("{\"name\":\"k\",\"roles\":[\"worker\"]}");
  struct asked *a = ask_as(key, "POST /api/v1/claims", "{\"sessions\":true,\"waitMs\":60000}");
  assert_waits(a);
  ask(say("DELETE /api/v1/keys/%s", text_at(ask("GET /api/v1/keys", NULL), "keys.0.id")), NULL);
  const char *id = start("one", "a");
  assert_status(a, 200);
  assert_number(a, "count", 0);
  assert_text(claim(""), "tasks.0.id", id);
}

static void a_drain_answers_who_waits(void **state) {
  (void)state;
  struct asked *a = claim("\"waitMs\":60000");
  api_drain(world.api);
  world_turn();
  assert_status(a, 200);
  assert_number(claim("\"waitMs\":60000"), "count", 0);
}

static void what_does_not_go_with_sessions_is_told(void **state) {
  (void)state;
  assert_refused(
      ask_as(AS_ADMIN "\nIdempotency-Key: 1", "POST /api/v1/claims", "{\"sessions\":true}"), 400,
      "bad_request", "a claim for sessions takes no Idempotency-Key: send it again without one");
  assert_wrong(claim("\"workerId\":\"key:x\""), "/workerId",
               "workerId must not begin with key: (so do claims that are bound to a key)");
}

// --- moves ---------------------------------------------------------------------------------------

static void a_token_leads_to_the_task_of_its_session(void **state) {
  (void)state;
  const char *id = start("one", "a");
  const char *token = text_at(claim(""), "tasks.0.leaseToken");
  assert_status(move_task(id, "heartbeat", token, ""), 200);
  assert_status(move_task(id, "progress", token, "\"progress\":50"), 200);
  assert_status(move_task(id, "logs", token, "\"text\":\"line\""), 200);
  assert_number(read_of("one", id), "task.progress", 50);
  assert_wrong(move_task(id, "complete", token, "\"claim\":{}"), "/claim",
               "claim does not go with tasks of sessions; send POST /claims");
  struct asked *waits = ask_as(as_session("one"), say("GET " TASKS "/%s?waitMs=5000", id), NULL);
  assert_status(move_task(id, "complete", token, "\"result\":{\"ok\": true}"), 200);
  assert_text(waits, "task.status", "completed");
  assert_json(waits, "task.result", "{\"ok\": true}");
  struct asked *a = ask_as(as_session("one"), say("GET " TASKS "/%s/events", id), NULL);
  assert_text(a, "events.2.actor", "worker");  // keys of workers are not the visitor's business
}

static void tasks_of_one_session_end_together(void **state) {
  (void)state;
  const char *one = start("one", "a"), *two = start("one", "a");
  struct asked *a = claim("\"limit\":2");
  const char *items =
      say("{\"items\":[{\"id\":\"%s\",\"leaseToken\":\"%s\"},{\"id\":\"%s\",\"leaseToken\":\"%s\","
          "\"error\":\"no\"}]}",
          one, text_at(a, "tasks.0.leaseToken"), two, text_at(a, "tasks.1.leaseToken"));
  a = ask("POST /api/v1/completions", items);
  assert_text(a, "items.0.status", "completed");
  assert_text(a, "items.1.status", "failed");
}

static void the_end_of_a_session_ends_its_leases(void **state) {
  (void)state;
  static const char lost[] = "the lease token does not hold this task any more; stop working on it";
  const char *id = start("one", "a");
  const char *token = text_at(claim(""), "tasks.0.leaseToken");
  const char *acme = make_key("{\"name\":\"k\",\"roles\":[\"worker\"],\"tenant\":\"acme\"}");
  const char *line = say("POST " TASKS "/%s/heartbeat", id);
  const char *body = say("{\"leaseToken\":\"%s\"}", token);
  assert_refused(ask_as(acme, line, body), 409, "lease_lost", lost);
  assert_status(ask(line, body), 200);
  ask("DELETE /api/v1/sessions/one", NULL);
  assert_refused(ask(line, body), 409, "lease_lost", lost);
}

// --- what a session logs -------------------------------------------------------------------------

static void a_task_whose_worker_fell_silent_says_so(void **state) {
  (void)state;
  const char *id = start("one", "a");
  claim("");
  world_pass(WORLD_LEASE_MS);
  struct asked *a = read_of("one", id);
  assert_text(a, "task.status", "failed");
  assert_text(a, "task.error.code", "lease_lost");
  a = ask_as(as_session("one"), "GET " TASKS "/stats", NULL);
  assert_number(a, "stats.failed", 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, ask_tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_claim_brings_the_whole_task_of_a_session),
      TEST(kept_tasks_are_none_of_a_session),
      TEST(sessions_take_turns),
      TEST(one_answer_has_tasks_of_one_session),
      TEST(a_claim_waits_for_any_session),
      TEST(who_waits_in_a_queue_gets_its_tasks),
      TEST(a_worker_that_left_is_leased_nothing),
      TEST(a_worker_that_leaves_while_a_session_is_asked_loses_nothing),
      TEST(so_many_claims_wait_for_sessions),
      TEST(as_many_are_sent_as_tasks_came),
      TEST(whoever_lost_his_key_gets_nothing),
      TEST(a_drain_answers_who_waits),
      TEST(what_does_not_go_with_sessions_is_told),
      TEST(a_token_leads_to_the_task_of_its_session),
      TEST(tasks_of_one_session_end_together),
      TEST(the_end_of_a_session_ends_its_leases),
      TEST(a_task_whose_worker_fell_silent_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
