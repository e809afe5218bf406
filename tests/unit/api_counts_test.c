// api_counts_test.c: counts of tasks, the queues and types that they are counted by, and what is
// kept of tasks that ended.
#include "tests/world/api_ask.h"

#define NO_NAME "names have 1 to 128 characters of A-Z a-z 0-9 . _ : / -"

static struct asked *get(const char *path) { return ask(say("GET /api/v1/%s", path), NULL); }

// --- counts --------------------------------------------------------------------------------------

static void tasks_are_counted_by_status_and_channel(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  make_task("{\"type\":\"a\",\"autoStart\":false}");
  make_task("{\"type\":\"a\",\"queue\":\"q\"}");
  complete_task(id, "1");
  struct asked *a = get("tasks/stats");
  assert_number(a, "stats.total", 3);
  assert_number(a, "stats.completed", 1);
  assert_number(a, "stats.pending", 2);
  assert_number(a, "stats.ready", 1);
  assert_text(a, "byType.0.queue", "default");
  assert_number(a, "byType.0.total", 2);
  assert_text(a, "byType.1.queue", "q");
  assert_text(a, "byType.1.type", "a");
  assert_number(a, "byType.1.ready", 1);
}

static void the_repositorys_numbers_have_its_words(void **state) {
  (void)state;
  make_task("{\"type\":\"b\"}");
  make_task("{\"type\":\"a\"}");
  claim_task(make_task("{\"type\":\"b\",\"queue\":\"q\"}"));
  struct asked *a = get("stats");
  assert_number(a, "total_tasks", 3);
  assert_number(a, "status_distribution.pending", 2);
  assert_number(a, "status_distribution.processing", 1);
  assert_json(a, "type_distribution", "{\"a\":1,\"b\":2}");
}

// --- queues --------------------------------------------------------------------------------------

static void a_queue_is_there_once_something_was_in_it(void **state) {
  (void)state;
  assert_number(get("queues"), "count", 0);
  assert_refused(get("queues/q"), 404, "not_found", "there is no such queue");
  make_task("{\"type\":\"a\",\"queue\":\"q\"}");
  make_task("{\"type\":\"b\",\"queue\":\"q\"}");
  make_task("{\"type\":\"b\",\"queue\":\"p/1\"}");
  struct asked *a = get("queues");
  assert_number(a, "count", 2);
  assert_text(a, "queues.0.name", "p/1");
  assert_number(a, "queues.1.total", 2);
  a = get("queues/p%2F1");
  assert_text(a, "queue.name", "p/1");
  assert_number(a, "queue.ready", 1);
  assert_json(a, "queue.paused", "false");
  assert_refused(get("queues/none"), 404, "not_found", "there is no such queue");
  assert_refused(get("queues/a%20b"), 404, "not_found", NO_NAME);
  assert_refused(get("queues/a%2"), 400, "bad_request", "the path has a broken percent escape");
}

static void a_paused_queue_hands_out_nothing(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\",\"queue\":\"q\"}");
  struct asked *a = ask("POST /api/v1/queues/q/pause", NULL);
  assert_status(a, 200);
  assert_text(a, "queue.name", "q");
  assert_json(a, "queue.paused", "true");
  assert_json(get("queues/q"), "queue.paused", "true");
  assert_text(get(say("tasks/%s", id)), "task.waitingFor", "pause");
  assert_refused(ask(say("POST /api/v1/tasks/%s/claim", id), NULL), 409, "wrong_status",
                 "the task's queue is paused");
  struct asked *waits = ask("POST /api/v1/claims", "{\"waitMs\":5000}");
  assert_waits(waits);
  a = ask("POST /api/v1/queues/q/resume", NULL);
  assert_json(a, "queue.paused", "false");
  assert_text(waits, "tasks.0.id", id);
  assert_refused(ask("POST /api/v1/queues/a%20b/pause", NULL), 404, "not_found", NO_NAME);
}

static void a_queue_that_was_paused_before_its_first_task_is_there(void **state) {
  (void)state;
  ask("POST /api/v1/queues/q/pause", NULL);
  struct asked *a = get("queues");
  assert_number(a, "count", 1);
  assert_json(a, "queues.0.paused", "true");
  assert_number(a, "queues.0.total", 0);
}

// --- types ---------------------------------------------------------------------------------------

static void a_type_has_defaults_for_its_tasks(void **state) {
  (void)state;
  struct asked *a =
      ask("PUT /api/v1/types/mail",
          "{\"queue\":\"slow\",\"description\":\"Letters\",\"priority\":4,\"maxAttempts\":5,"
          "\"backoff\":{\"delayMs\":10,\"maxDelayMs\":5,\"jitter\":0.5},\"leaseMs\":5000,"
          "\"timeoutMs\":9000,\"keepCompleted\":1,\"keepFailed\":0,\"keepForMs\":1000,"
          "\"keepResult\":true}");
  assert_status(a, 200);
  static const struct {
    const char *path, *json;
  } rows[] = {
      {"name", "\"mail\""},      {"queue", "\"slow\""},        {"description", "\"Letters\""},
      {"priority", "4"},         {"maxAttempts", "5"},         {"backoff.type", "\"exponential\""},
      {"backoff.delayMs", "10"}, {"backoff.maxDelayMs", "10"}, {"backoff.jitter", "0.50"},
      {"leaseMs", "5000"},       {"timeoutMs", "9000"},        {"keepCompleted", "1"},
      {"keepFailed", "0"},       {"keepForMs", "1000"},        {"keepResult", "true"}};
  struct asked *read = get("types/mail");
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    assert_json(a, say("type.%s", rows[i].path), rows[i].json);
    assert_json(read, say("type.%s", rows[i].path), rows[i].json);
  }
  assert_number(read, "type.total", 0);
  a = get(say("tasks/%s", make_task("{\"type\":\"mail\"}")));
  assert_text(a, "task.queue", "slow");
  assert_number(a, "task.priority", 4);
  assert_number(a, "task.maxAttempts", 5);
}

static void what_a_type_leaves_out_is_the_servers_again(void **state) {
  (void)state;
  ask("PUT /api/v1/types/mail", "{\"maxAttempts\":5,\"timeoutMs\":9000}");
  struct asked *a = ask("PUT /api/v1/types/mail", "{}");
  assert_json(a, "type.maxAttempts", "null");
  assert_json(a, "type.timeoutMs", "null");
  assert_json(a, "type.backoff", "null");
  assert_json(a, "type.keepCompleted", "null");
  assert_json(a, "type.keepResult", "false");
}

static void types_are_listed_with_their_counts(void **state) {
  (void)state;
  ask("PUT /api/v1/types/z", "{\"priority\":1}");
  make_task("{\"type\":\"a\"}");
  make_task("{\"type\":\"a\",\"queue\":\"q\"}");
  struct asked *a = get("types");
  assert_number(a, "count", 2);
  assert_text(a, "types.0.name", "a");
  assert_number(a, "types.0.total", 2);
  assert_json(a, "types.0.priority", "null");
  assert_number(a, "types.1.priority", 1);
  assert_number(get("types/a"), "type.ready", 2);
}

static void what_is_wrong_with_a_type_is_told(void **state) {
  (void)state;
  assert_refused(get("types/none"), 404, "not_found", "there is no such type");
  assert_refused(get("types/a%20b"), 404, "not_found", NO_NAME);
  assert_refused(ask("PUT /api/v1/types/a%20b", "{}"), 404, "not_found", NO_NAME);
  static const struct refusal rows[] = {
      {"PUT /api/v1/types/a", "{\"queue\":\"a b\"}", "/queue",
       "queue must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -"},
      {"PUT /api/v1/types/a", "{\"keepForMs\":-1}", "/keepForMs",
       "keepForMs must be from 0 to 315619200000"},
      {"PUT /api/v1/types/a", "{\"backoff\":{\"type\":\"none\"}}", "/backoff/type",
       "type must be \"exponential\" or \"fixed\""},
      {"PUT /api/v1/types/a", "{\"backoff\":{\"jitter\":1.5}}", "/backoff/jitter",
       "jitter must be a number from 0 to 1"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 422, "invalid_field");
}

// --- what is kept --------------------------------------------------------------------------------

static void without_limits_everything_is_kept(void **state) {
  (void)state;
  struct asked *a = get("tasks/cleanup/status");
  assert_json(a, "status.isRunning", "false");
  assert_json(a, "status.isActive", "false");
  assert_json(a, "status.options",
              "{\"maxCompletedTasks\":null,\"maxFailedTasks\":null,\"cleanupInterval\":null,"
              "\"keepForMs\":null}");
  assert_text(a, "status.lastRun", "idle");
  assert_json(a, "status.lastRunAt", "null");
  assert_json(a, "status.lastRunMs", "null");
  assert_json(a, "status.lastRunError", "null");
  assert_json(a, "status.nextRunAt", "null");
  assert_json(a, "status.types", "[]");
}

static void what_is_past_the_limits_goes_on_request(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.engine.retention =
      (struct retention){.keep = {.completed = 1, .failed = 2}, .interval_ms = 60000};
  ask_open(&settings);
  for (int i = 0; i < 3; i++) complete_task(make_task("{\"type\":\"a\"}"), "1");
  complete_task(make_task("{\"type\":\"kept\"}"), "1");
  ask("PUT /api/v1/types/kept", "{\"keepCompleted\":0,\"keepResult\":true}");
  struct asked *a = ask("POST /api/v1/tasks/cleanup/run", NULL);
  assert_status(a, 200);
  assert_json(a, "skipped", "false");
  assert_text(a, "message", "cleanup completed");
  assert_json(a, "removed", "{\"completed\":2,\"failed\":0,\"cancelled\":0}");
  a = get("tasks/cleanup/status");
  assert_json(a, "status.isActive", "true");
  assert_number(a, "status.options.maxCompletedTasks", 1);
  assert_number(a, "status.options.cleanupInterval", 60000);
  assert_number(a, "status.lastRunAt", WORLD_START_MS);
  assert_number(a, "status.lastRunMs", 0);
  assert_number(a, "status.removed.completed", 2);
  assert_json(a, "status.types",
              "[{\"name\":\"kept\",\"keepCompleted\":0,\"keepFailed\":null,\"keepForMs\":null,"
              "\"keepResult\":true}]");
  assert_number(get("tasks/stats"), "stats.total", 2);
}

static void what_is_past_the_limits_goes_in_time(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.engine.retention = (struct retention){.keep = {.for_ms = 5000}, .interval_ms = 60000};
  ask_open(&settings);
  complete_task(make_task("{\"type\":\"a\"}"), "1");
  struct asked *a = get("tasks/cleanup/status");
  assert_number(a, "status.options.keepForMs", 5000);
  world_pass(120000);
  assert_number(get("tasks/stats"), "stats.total", 0);
  assert_number(get("tasks/cleanup/status"), "status.removed.completed", 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ASK_TEST(tasks_are_counted_by_status_and_channel),
      ASK_TEST(the_repositorys_numbers_have_its_words),
      ASK_TEST(a_queue_is_there_once_something_was_in_it),
      ASK_TEST(a_paused_queue_hands_out_nothing),
      ASK_TEST(a_queue_that_was_paused_before_its_first_task_is_there),
      ASK_TEST(a_type_has_defaults_for_its_tasks),
      ASK_TEST(what_a_type_leaves_out_is_the_servers_again),
      ASK_TEST(types_are_listed_with_their_counts),
      ASK_TEST(what_is_wrong_with_a_type_is_told),
      ASK_TEST(without_limits_everything_is_kept),
      ASK_TEST(what_is_past_the_limits_goes_on_request),
      ASK_TEST(what_is_past_the_limits_goes_in_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
