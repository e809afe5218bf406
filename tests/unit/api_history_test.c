// api_history_test.c: what happened: events, attempts; and why a task is, or is not, running.
#include "tests/world/api_ask.h"

#define TASKS "/api/v1/tasks"

static struct asked *get(const char *path) { return ask(say("GET /api/v1/%s", path), NULL); }

// --- events --------------------------------------------------------------------------------------

static void events_tell_who_did_what(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\",\"queue\":\"q\"}"), *token = claim_task(id);
  world_pass(10);
  move_task(id, "progress", token, "\"progress\":30,\"currentStep\":\"load\"");
  move_task(id, "complete", token, "\"result\":1");
  struct asked *a = get(say("tasks/%s/events", id));
  static const char *const words[] = {"task.created", "task.claimed", "task.progress",
                                      "task.completed"};
  assert_number(a, "count", COUNT_OF(words));
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    assert_text(a, say("events.%zu.event", i), words[i]);
    assert_number(a, say("events.%zu.seq", i), (int64_t)i + 1);
    assert_text(a, say("events.%zu.taskId", i), id);
    assert_text(a, say("events.%zu.queue", i), "q");
    assert_text(a, say("events.%zu.type", i), "a");
  }
  assert_text(a, "events.0.actor", "key:API_KEY");
  assert_text(a, "events.1.worker", "w");
  assert_number(a, "events.1.attempt", 1);
  assert_json(a, "events.1.progress", "null");
  assert_number(a, "events.2.progress", 30);
  assert_text(a, "events.2.note", "load");
  assert_number(a, "events.3.at", WORLD_START_MS + 10);
  assert_number(a, "nextAfter", 4);
  assert_json(a, "more", "false");
}

// Three tasks: one of project p, one of queue q, one of type b.
static void make_three(void) {
  make_task("{\"type\":\"a\",\"projectId\":\"p\"}");
  make_task("{\"type\":\"a\",\"queue\":\"q\"}");
  make_task("{\"type\":\"b\"}");
}

static void events_of_all_are_numbered_and_narrowed(void **state) {
  (void)state;
  make_three();
  ask("POST /api/v1/queues/q/pause", NULL);
  static const struct {
    const char *query;
    int64_t count, first;
  } rows[] = {{"", 4, 1},
              {"?type=a", 2, 1},
              {"?queue=q&type=a", 1, 2},
              {"?projectId=p", 1, 1},
              {"?projectId=none", 0, 0},
              {"?after=2&limit=1", 1, 3}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct asked *a = get(say("events%s", rows[i].query));
    assert_number(a, "count", rows[i].count);
    if (rows[i].count) assert_number(a, "events.0.seq", rows[i].first);
  }
  struct asked *a = get("events?after=3");
  assert_text(a, "events.0.event", "queue.paused");
  assert_json(a, "events.0.taskId", "null");
  assert_text(a, "events.0.note", "q");
}

static void a_list_of_events_says_where_to_go_on(void **state) {
  (void)state;
  make_three();
  struct asked *a = get("events?limit=2");
  assert_number(a, "nextAfter", 2);
  assert_json(a, "more", "true");
  a = get("events?after=3");
  assert_number(a, "count", 0);
  assert_number(a, "nextAfter", 3);  // for who comes back later
  const char *id = make_task("{\"type\":\"a\",\"projectId\":\"p\"}");
  a = get("events?projectId=p&limit=1");
  assert_json(a, "more", "true");
  a = get(say("events?projectId=p&limit=1&after=%lld", (long long)number_at(a, "nextAfter")));
  assert_text(a, "events.0.taskId", id);
  assert_json(a, "more", "false");
  assert_number(get(say("events?taskId=%s", id)), "count", 1);
}

static void what_is_wrong_with_a_list_of_events_is_told(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"GET /api/v1/events?lastEventId=1", NULL, "?lastEventId",
       "lastEventId is for streams: send Accept: text/event-stream"},
      {"GET /api/v1/events?progressMs=1", NULL, "?progressMs",
       "progressMs is for streams: send Accept: text/event-stream"},
      {"GET /api/v1/events?taskId=1", NULL, "?taskId", "taskId must be a task's id"},
      {"GET /api/v1/events?type=a%20b", NULL, "?type",
       "type must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -"},
      {"GET /api/v1/events?after=-1", NULL, "?after",
       "after must be from 0 to 4611686018427387903"},
      {"GET /api/v1/events?limit=1001", NULL, "?limit", "limit must be from 1 to 1000"},
      {"GET /api/v1/events?projectId=", NULL, "?projectId", "projectId must have 1 to 200 bytes"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 422, "invalid_field");
}

// --- attempts ------------------------------------------------------------------------------------

static void attempts_are_told_with_how_they_ended(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\",\"maxAttempts\":9}");
  const char *line = say("tasks/%s/attempts", id);
  assert_json(get(line), "attempts", "[]");
  move_task(id, "fail", claim_task(id), "\"error\":{\"code\":\"net\",\"message\":\"no route\"}");
  world_pass(WORLD_RETRY_MS);
  move_task(id, "release", claim_task(id), "");
  claim_task(id);
  world_pass(WORLD_LEASE_MS + WORLD_RETRY_MS);
  const char *token = claim_task(id);
  struct asked *a = get(line);
  assert_number(a, "count", 4);
  assert_number(a, "attempts.0.attempt", 1);
  assert_text(a, "attempts.0.worker", "w");
  assert_text(a, "attempts.0.outcome", "failed");
  assert_json(a, "attempts.0.error", "{\"code\":\"net\",\"message\":\"no route\"}");
  assert_number(a, "attempts.0.endedAt", WORLD_START_MS);
  assert_text(a, "attempts.1.outcome", "released");
  assert_json(a, "attempts.1.error", "null");
  assert_text(a, "attempts.2.outcome", "lease_lost");
  assert_text(a, "attempts.3.outcome", "running");
  assert_json(a, "attempts.3.endedAt", "null");
  ask(say("POST " TASKS "/%s/cancel", id), "{\"graceMs\":0}");
  world_pass(1);
  assert_text(get(line), "attempts.3.outcome", "cancelled");
  assert_status(move_task(id, "heartbeat", token, ""), 409);
  ask(say("POST " TASKS "/%s/retry", id), NULL);
  complete_task(id, "1");
  assert_text(get(line), "attempts.4.outcome", "completed");
}

// --- explain -------------------------------------------------------------------------------------

static void assert_reason(const char *id, const char *reason) {
  assert_text(get(say("tasks/%s/explain", id)), "explain.reason", reason);
}

static void a_ready_task_tells_who_else_waits(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  make_task("{\"type\":\"a\"}");
  struct asked *waits = ask("POST /api/v1/claims", "{\"types\":[\"b\"],\"waitMs\":1000}");
  struct asked *named =
      ask("POST /api/v1/claims", "{\"types\":[\"b\"],\"waitMs\":1000,\"workerId\":\"w\"}");
  assert_reason(id,
                "It is ready. No worker has claimed type a from queue default yet; such tasks "
                "that are ready: 2, workers that wait for other work: 1.");
  struct asked *a = get(say("tasks/%s/explain", id));
  assert_text(a, "explain.status", "pending");
  assert_text(a, "explain.waitingFor", "worker");
  assert_number(a, "explain.data.readyBeside", 2);
  assert_number(a, "explain.data.waitingWorkers", 1);
  assert_number(a, "explain.data.maxAttempts", WORLD_ATTEMPTS);
  world_pass(1000);
  assert_status(waits, 200);
  assert_status(named, 200);
}

static void a_pending_task_tells_what_it_waits_for(void **state) {
  (void)state;
  assert_reason(make_task("{\"type\":\"a\",\"autoStart\":false}"),
                "It was created with autoStart false; POST its /start to release it.");
  assert_reason(make_task("{\"type\":\"a\",\"delayMs\":5300}"),
                "Its runAt lies ahead; it becomes ready in 5.3 s.");
  const char *id = make_task("{\"type\":\"b\"}");
  move_task(id, "fail", claim_task(id), "\"error\":\"x\"");
  assert_reason(id, "Attempt 1 of 3 did not succeed; the next one is due in 1.0 s.");
  ask("POST /api/v1/queues/q/pause", NULL);
  assert_reason(make_task("{\"type\":\"a\",\"queue\":\"q\"}"),
                "Its queue q is paused; POST /api/v1/queues/q/resume hands it out again.");
}

// The seconds are those of the clock that decides leases: a database has one of its own.
static void a_running_task_tells_how_long_it_may(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  claim_task(id);
  world_pass(10000);
  assert_reason(id,
                "It is running on w, attempt 1 of 3; unless renewed, its lease ends in 20.0 s.");
  struct asked *a = get(say("tasks/%s/explain", id));
  assert_number(a, "explain.data.now", WORLD_START_MS + 10000);
  assert_number(a, "explain.data.leaseExpiresAt", WORLD_START_MS + WORLD_LEASE_MS);
  ask(say("POST " TASKS "/%s/cancel", id), "{\"graceMs\":2000}");
  assert_reason(id,
                "It is running on w, attempt 1 of 3; its cancel was requested and takes effect "
                "within 2.0 s.");
}

static void an_ended_task_tells_how(void **state) {
  (void)state;
  const char *done = make_task("{\"type\":\"a\"}"), *failed = make_task("{\"type\":\"a\"}");
  complete_task(done, "1");
  move_task(failed, "fail", claim_task(failed), "\"error\":{\"code\":\"net\"},\"retry\":false");
  assert_reason(done, "It has ended: completed; its result is kept.");
  assert_reason(failed, "It has ended: failed (net); POST its /retry sends it back to pending.");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ASK_TEST(events_tell_who_did_what),
      ASK_TEST(events_of_all_are_numbered_and_narrowed),
      ASK_TEST(a_list_of_events_says_where_to_go_on),
      ASK_TEST(what_is_wrong_with_a_list_of_events_is_told),
      ASK_TEST(attempts_are_told_with_how_they_ended),
      ASK_TEST(a_ready_task_tells_who_else_waits),
      ASK_TEST(a_pending_task_tells_what_it_waits_for),
      ASK_TEST(a_running_task_tells_how_long_it_may),
      ASK_TEST(an_ended_task_tells_how),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
