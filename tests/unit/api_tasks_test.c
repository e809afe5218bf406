// api_tasks_test.c: tasks as their producers see them: create, read, change, remove, start, cancel,
// retry; and what every answer and refusal of them says.
#include "tests/world/api_ask.h"

#include "model/limits.h"

#define TASKS "/api/v1/tasks"
#define UNKNOWN_ID "01890a5d-ac96-774b-bcce-b302099a8057"
static const char MINIMAL[] = AS_ADMIN "\nPrefer: return=minimal";

// --- create --------------------------------------------------------------------------------------

static void a_task_is_made_with_its_defaults(void **state) {
  (void)state;
  struct asked *a = ask("POST " TASKS, "{\"type\":\"mail\",\"payload\":{\"n\": 1}}");
  assert_status(a, 201);
  assert_json(a, "success", "true");
  assert_text(a, "task.status", "pending");
  assert_text(a, "task.waitingFor", "worker");
  assert_text(a, "task.queue", "default");
  assert_json(a, "task.payload", "{\"n\": 1}");
  assert_json(a, "task.result", "null");
  assert_number(a, "task.maxAttempts", WORLD_ATTEMPTS);
  assert_number(a, "task.createdAt", WORLD_START_MS);
  assert_text(a, "task.tenantId", "default");
  assert_no(a, "deduplicated");
  assert_header(a, "Location", say(TASKS "/%s", text_at(a, "task.id")));
  assert_header(a, "ETag", say("\"%lld\"", (long long)number_at(a, "task.revision")));
}

static void every_field_of_a_task_comes_back(void **state) {
  (void)state;
  const char *id = make_task(
      "{\"type\":\"mail\",\"name\":\"A name\",\"description\":\"What for\",\"queue\":\"slow\","
      "\"priority\":7,\"delayMs\":5000,\"maxAttempts\":2,\"leaseMs\":60000,\"timeoutMs\":0,"
      "\"expiresAt\":1790000900000,\"version\":3,\"tags\":{\"a\":\"b\"},\"metadata\":{\"m\":[1]},"
      "\"projectId\":\"p\",\"subject\":\"s\",\"uniqueKey\":\"u\","
      "\"backoff\":{\"type\":\"fixed\",\"delayMs\":10}}");
  struct asked *a = ask(say("GET " TASKS "/%s", id), NULL);
  assert_status(a, 200);
  static const struct {
    const char *path, *json;
  } rows[] = {{"name", "\"A name\""},
              {"description", "\"What for\""},
              {"queue", "\"slow\""},
              {"priority", "7"},
              {"maxAttempts", "2"},
              {"waitingFor", "\"time\""},
              {"runAt", "1790000005000"},
              {"expiresAt", "1790000900000"},
              {"version", "3"},
              {"tags", "{\"a\":\"b\"}"},
              {"metadata", "{\"m\":[1]}"},
              {"projectId", "\"p\""},
              {"subject", "\"s\""},
              {"uniqueKey", "\"u\""},
              {"payload", "null"},
              {"cancelRequested", "false"},
              {"error", "null"},
              {"attempt", "0"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_json(a, say("task.%s", rows[i].path), rows[i].json);
}

static void an_array_makes_all_or_none(void **state) {
  (void)state;
  struct asked *a =
      ask("POST " TASKS "?waitMs=5000", "[{\"type\":\"a\"},{\"type\":\"b\",\"payload\":1}]");
  assert_status(a, 201);  // it does not wait: many tasks have no common end
  assert_number(a, "count", 2);
  assert_text(a, "tasks.0.type", "a");
  assert_text(a, "tasks.1.type", "b");
  assert_no(a, "tasks.1.payload");
  assert_header(a, "Location", NULL);
  a = ask("POST " TASKS, "[{\"type\":\"a\"},{\"type\":\"a b\"},{}]");
  assert_wrong(a, "/1/type", "type must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -");
  assert_text(a, "errors.1.pointer", "/2/type");
  assert_text(a, "errors.1.detail", "type is missing");
  assert_number(ask("GET " TASKS, NULL), "count", 2);
}

static void an_array_has_a_limit(void **state) {
  (void)state;
  static const char detail[] = "an array must have 1 to 1000 tasks";
  assert_wrong(ask("POST " TASKS, "[]"), "", detail);
  assert_status(ask("POST " TASKS, say("[%s]", many(LIMIT_BATCH_ITEMS, "{\"type\":\"a\"}"))), 201);
  assert_wrong(ask("POST " TASKS, say("[%s]", many(LIMIT_BATCH_ITEMS + 1, "1"))), "", detail);
}

static void what_is_wrong_with_a_task_is_told_by_field(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"POST " TASKS, "{}", "/type", "type is missing"},
      {"POST " TASKS, "5", "", "the body must be an object"},
      {"POST " TASKS, "{\"type\":\"a\",\"prio\":1}", "/prio",
       "prio is not a field of this request; did you mean priority?"},
      {"POST " TASKS, "{\"type\":\"a\",\"delayMs\":1,\"runAt\":1790000000001}", "/delayMs",
       "delayMs and runAt exclude each other"},
      {"POST " TASKS, "{\"type\":\"a\",\"backoff\":{\"type\":\"linear\"}}", "/backoff/type",
       "type must be \"exponential\" or \"fixed\""},
      {"POST " TASKS, "{\"type\":\"a\",\"backoff\":{\"delayMs\":0}}", "/backoff/delayMs",
       "delayMs must be from 1 to 34560000000"},
      {"POST " TASKS, "[{\"type\":\"a\",\"backoff\":3}]", "/0/backoff",
       "backoff must be an object"},
      {"POST " TASKS "?waitMs=60001", "{\"type\":\"a\"}", "?waitMs",
       "waitMs must be from 0 to 60000"},
      {"POST " TASKS "?wait=1", "{\"type\":\"a\"}", "?wait",
       "wait is not a parameter of this route; did you mean waitMs?"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 422, "invalid_field");
}

static void a_body_that_is_none_is_told_where(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"POST " TASKS, NULL, NULL, "line 1, column 1: the body is empty; send a JSON object"},
      {"POST " TASKS, "{\"type\":}", NULL, "line 1, column 9: a value was expected here"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 400, "malformed_json");
  struct asked *a = ask_as(AS_ADMIN "\nContent-Type: text/csv", "POST " TASKS, "{}");
  assert_refused(a, 415, "unsupported_media_type",
                 "the body must be sent as Content-Type: application/json, not text/csv");
}

static void a_unique_key_brings_the_first_task_again(void **state) {
  (void)state;
  static const char body[] = "{\"type\":\"a\",\"uniqueKey\":\"u\",\"payload\":7}";
  const char *id = make_task(body);
  struct asked *a = ask("POST " TASKS, body);
  assert_status(a, 200);
  assert_text(a, "task.id", id);
  assert_json(a, "deduplicated", "true");
  assert_no(a, "task.payload");
  a = ask("POST " TASKS, "[{\"type\":\"a\"},{\"type\":\"a\",\"uniqueKey\":\"u\"}]");
  assert_status(a, 201);
  assert_text(a, "tasks.1.id", id);
  assert_number(a, "deduplicated", 1);
}

static void a_repeat_with_a_key_gets_the_first_answer(void **state) {
  (void)state;
  static const char keyed[] = AS_ADMIN "\nIdempotency-Key: \"k 1\"";
  struct asked *first = ask_as(keyed, "POST " TASKS, "{\"type\":\"a\"}");
  assert_status(first, 201);
  assert_header(first, "Idempotent-Replayed", NULL);
  struct asked *again = ask_as(keyed, "POST " TASKS, "{\"type\":\"a\"}");
  assert_status(again, 201);
  assert_header(again, "Idempotent-Replayed", "true");
  assert_true(str_eq(buf_str(&again->answer.body), buf_str(&first->answer.body)));
  struct asked *other = ask_as(keyed, "POST " TASKS, "{\"type\":\"b\"}");
  assert_refused(other, 422, "idempotency_key_reused",
                 "this Idempotency-Key came before with another request; use a new one");
  assert_number(ask("GET " TASKS, NULL), "count", 1);
}

static void an_idempotency_key_has_bounds(void **state) {
  (void)state;
  static const char bounds[] = "Idempotency-Key must have 1 to 200 bytes";
  const struct {
    const char *header, *detail;  // NULL: it is taken
  } rows[] = {{"", bounds},
              {"\"\"", bounds},
              {say("%0200d", 0), NULL},
              {say("%0201d", 0), bounds},
              {"a\xff", "Idempotency-Key must be valid UTF-8"},
              {"1\nIdempotency-Key: 1", "the header Idempotency-Key must come only once"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const char *headers = say(AS_ADMIN "\nIdempotency-Key: %s", rows[i].header);
    struct asked *a = ask_as(headers, "POST " TASKS, "{\"type\":\"a\"}");
    if (rows[i].detail)
      assert_refused(a, 400, "bad_request", rows[i].detail);
    else
      assert_status(a, 201);
  }
}

static void a_create_waits_for_the_end_of_its_task(void **state) {
  (void)state;
  struct asked *a = ask("POST " TASKS "?waitMs=5000", "{\"type\":\"a\"}");
  assert_waits(a);
  const char *id = text_at(ask("GET " TASKS, NULL), "tasks.0.id");
  complete_task(id, "[1, 2]");
  assert_status(a, 201);
  assert_text(a, "task.status", "completed");
  assert_json(a, "task.result", "[1, 2]");
  a = ask_as(AS_ADMIN "\nPrefer: wait=2, return=minimal", "POST " TASKS, "{\"type\":\"a\"}");
  assert_waits(a);
  world_pass(1999);
  assert_waits(a);
  world_pass(1);
  assert_status(a, 201);
  assert_text(a, "task.status", "pending");
  assert_no(a, "task.type");
  assert_header(a, "Preference-Applied", "return=minimal, wait");
}

static void who_leaves_is_not_waited_for(void **state) {
  (void)state;
  struct asked *a = ask("POST " TASKS "?waitMs=5000", "{\"type\":\"a\"}");
  world_leave(&a->answer);
  assert_refused(a, 503, "unavailable", "the client went away");
  assert_text(ask("GET " TASKS, NULL), "tasks.0.status", "pending");
}

static void a_minimal_answer_has_id_and_status(void **state) {
  (void)state;
  struct asked *a = ask_as(MINIMAL, "POST " TASKS, "{\"type\":\"a\"}");
  assert_header(a, "Preference-Applied", "return=minimal");
  assert_json(a, "task", say("{\"id\":\"%s\",\"status\":\"pending\"}", text_at(a, "task.id")));
  a = ask_as(MINIMAL, "POST " TASKS, "[{\"type\":\"a\"}]");
  assert_no(a, "tasks.0.type");
}

// --- read ----------------------------------------------------------------------------------------

static void a_revision_that_is_known_is_not_sent_again(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  const char *line = say("GET " TASKS "/%s", id);
  struct asked *a = ask(line, NULL);
  const char *tag = say("\"%lld\"", (long long)number_at(a, "task.revision"));
  const struct {
    const char *tags;
    int status;
  } rows[] = {{tag, 304}, {say("\"99\", W/%s", tag), 304}, {"*", 304}, {"\"99\"", 200}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    a = ask_as(say(AS_ADMIN "\nIf-None-Match: %s", rows[i].tags), line, NULL);
    assert_status(a, rows[i].status);
    assert_header(a, "ETag", tag);
  }
}

static void a_read_waits_until_the_task_has_ended(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  struct asked *a = ask(say("GET " TASKS "/%s?waitMs=60000", id), NULL);
  struct asked *short_one = ask(say("GET " TASKS "/%s?waitMs=1000", id), NULL);
  assert_waits(a);
  world_pass(1000);
  assert_text(short_one, "task.status", "pending");
  complete_task(id, "{\"made\":true}");
  assert_status(a, 200);
  assert_json(a, "task.result", "{\"made\":true}");
}

static void a_status_tells_progress_alone(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\",\"payload\":1}");
  const char *line = say("GET " TASKS "/%s/status", id);
  struct asked *a = ask(line, NULL);
  assert_text(a, "status", "pending");
  assert_text(a, "waitingFor", "worker");
  assert_json(a, "startedAt", "null");
  assert_no(a, "payload");
  const char *token = claim_task(id);
  move_task(id, "progress", token,
            "\"progress\":40,\"currentStep\":\"load\",\"currentStepDescription\":\"Loading\"");
  a = ask(line, NULL);
  assert_text(a, "id", id);
  assert_text(a, "status", "running");
  assert_json(a, "waitingFor", "null");
  assert_number(a, "progress", 40);
  assert_text(a, "currentStep", "load");
  assert_text(a, "currentStepDescription", "Loading");
  assert_number(a, "attempt", 1);
  assert_number(a, "startedAt", WORLD_START_MS);
}

static void a_task_that_is_not_there_is_absent_on_every_route(void **state) {
  (void)state;
  static const struct {
    const char *method, *rest, *body;
  } rows[] = {{"GET", "", NULL},          {"GET", "/status", NULL},   {"GET", "/explain", NULL},
              {"GET", "/logs", NULL},     {"GET", "/attempts", NULL}, {"GET", "/events", NULL},
              {"GET", "?waitMs=5", NULL}, {"PATCH", "", "{}"},        {"PUT", "", "{}"},
              {"DELETE", "", NULL},       {"POST", "/start", NULL},   {"POST", "/cancel", NULL},
              {"POST", "/retry", NULL},   {"POST", "/claim", NULL}};
  static const char *const ids[] = {UNKNOWN_ID, "no-id", "%00", "pending"};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    for (size_t k = 0; k < COUNT_OF(ids); k++) {
      if (str_eq(str_of(ids[k]), STR("pending")) && *rows[i].rest != '/') continue;
      struct asked *a =
          ask(say("%s " TASKS "/%s%s", rows[i].method, ids[k], rows[i].rest), rows[i].body);
      assert_refused(a, 404, "not_found", "there is no such task");
    }
  }
}

// --- change --------------------------------------------------------------------------------------

static void a_pending_task_can_be_changed(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\",\"tags\":{\"x\":\"1\"},\"metadata\":{\"m\":1}}");
  const char *line = say("PATCH " TASKS "/%s", id);
  struct asked *a = ask(line,
                        "{\"priority\":9,\"runAt\":1790000060000,\"tags\":{\"y\":\"2\"},"
                        "\"expiresAt\":1790000090000}");
  assert_status(a, 200);
  assert_number(a, "task.priority", 9);
  assert_json(a, "task.tags", "{\"y\":\"2\"}");
  assert_json(a, "task.metadata", "{\"m\":1}");  // what is absent stays
  assert_text(a, "task.waitingFor", "time");
  a = ask(say("PUT " TASKS "/%s", id),
          "{\"tags\":null,\"metadata\":null,\"runAt\":null,\"expiresAt\":null}");
  assert_json(a, "task.tags", "null");
  assert_json(a, "task.metadata", "null");
  assert_json(a, "task.expiresAt", "null");
  assert_text(a, "task.waitingFor", "worker");
  assert_wrong(ask(line, "{\"priority\":null}"), "/priority", "priority must not be null");
  assert_wrong(ask(line, "{\"result\":1}"), "/result",
               "result is not a field of this request; known are priority, tags, metadata, runAt, "
               "expiresAt");
  claim_task(id);
  assert_refused(ask(line, "{\"priority\":1}"), 409, "wrong_status",
                 "the task is running; only a pending task can be changed");
}

static void a_change_may_rest_on_a_revision(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  const char *line = say("PATCH " TASKS "/%s", id);
  struct asked *a = ask(say("GET " TASKS "/%s", id), NULL);
  long long revision = (long long)number_at(a, "task.revision");
  static const char old[] = AS_ADMIN "\nIf-Match: \"%lld\"";
  a = ask_as(say(old, revision + 1), line, "{\"priority\":1}");
  assert_refused(a, 412, "revision_changed",
                 say("the task is at revision %lld; read it again", revision));
  a = ask_as(say(old, revision), line, "{\"priority\":1}");
  assert_status(a, 200);
  assert_status(ask_as(AS_ADMIN "\nIf-Match: *", line, "{\"priority\":2}"), 200);
  assert_status(ask_as(say(old, revision), say("DELETE " TASKS "/%s", id), NULL), 412);
}

static void a_task_that_is_removed_is_gone(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  struct asked *a = ask(say("DELETE " TASKS "/%s", id), NULL);
  assert_status(a, 200);
  assert_text(a, "id", id);
  assert_status(ask(say("GET " TASKS "/%s", id), NULL), 404);
  a = ask(say("GET " TASKS "/%s/events", id), NULL);
  assert_text(a, "events.1.event", "task.deleted");
}

static void a_running_task_is_removed_by_force_only(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  const char *line = say("DELETE " TASKS "/%s", id), *token = claim_task(id);
  assert_refused(ask(line, NULL), 409, "wrong_status",
                 "the task is running; cancel it first, or delete with ?force=true");
  assert_wrong(ask(say("%s?force=yes", line), NULL), "?force", "force must be true or false");
  assert_status(ask(say("%s?force=true", line), NULL), 200);
  assert_status(move_task(id, "heartbeat", token, ""), 404);
}

// --- moves ---------------------------------------------------------------------------------------

static void a_task_may_wait_for_its_start(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\",\"autoStart\":false}");
  const char *line = say("POST " TASKS "/%s/start", id);
  assert_text(ask(say("GET " TASKS "/%s", id), NULL), "task.waitingFor", "start");
  assert_status(ask(say("POST " TASKS "/%s/claim", id), NULL), 409);
  struct asked *a = ask(line, NULL);
  assert_status(a, 200);
  assert_text(a, "task.waitingFor", "worker");
  assert_refused(ask(line, NULL), 409, "wrong_status",
                 "the task is pending and was started already");
  assert_wrong(ask(line, "{\"now\":true}"), "/now",
               "now is not a field of this request, and none is known");
}

static void a_pending_task_is_cancelled_at_once(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  struct asked *a = ask(say("POST " TASKS "/%s/cancel", id), "{\"reason\":\"enough\"}");
  assert_text(a, "task.status", "cancelled");
  a = ask(say("GET " TASKS "/%s/events", id), NULL);
  assert_text(a, "events.1.event", "task.cancelled");
  assert_text(a, "events.1.text", "enough");
  assert_text(a, "events.1.actor", "key:API_KEY");
}

static void a_running_task_is_told_of_its_cancel(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  const char *line = say("POST " TASKS "/%s/cancel", id);
  assert_wrong(ask(line, "{\"graceMs\":600001}"), "/graceMs", "graceMs must be from 0 to 600000");
  struct asked *a = ask(line, "{\"graceMs\":5000}");
  assert_text(a, "task.status", "running");
  assert_json(a, "task.cancelRequested", "true");
  a = move_task(id, "heartbeat", token, "");
  assert_json(a, "cancelRequested", "true");
  assert_number(a, "leaseExpiresAt", WORLD_START_MS + 5000);
  world_pass(5000);
  assert_text(ask(say("GET " TASKS "/%s", id), NULL), "task.status", "cancelled");
}

static void an_ended_task_is_sent_back_with_fresh_attempts(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  const char *line = say("POST " TASKS "/%s/retry", id);
  assert_refused(ask(line, NULL), 409, "wrong_status",
                 "the task is running; from there this move is not possible");
  move_task(id, "fail", token, "\"error\":\"broke\",\"retry\":false");
  struct asked *a = ask_as(MINIMAL, line, NULL);
  assert_text(a, "task.status", "pending");
  a = ask(say("GET " TASKS "/%s", id), NULL);
  assert_number(a, "task.attempt", 1);
  assert_number(a, "task.maxAttempts", 1 + WORLD_ATTEMPTS);
  assert_json(a, "task.error", "null");
  complete_task(id, "1");
  assert_status(ask(line, NULL), 409);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ASK_TEST(a_task_is_made_with_its_defaults),
      ASK_TEST(every_field_of_a_task_comes_back),
      ASK_TEST(an_array_makes_all_or_none),
      ASK_TEST(an_array_has_a_limit),
      ASK_TEST(what_is_wrong_with_a_task_is_told_by_field),
      ASK_TEST(a_body_that_is_none_is_told_where),
      ASK_TEST(a_unique_key_brings_the_first_task_again),
      ASK_TEST(a_repeat_with_a_key_gets_the_first_answer),
      ASK_TEST(an_idempotency_key_has_bounds),
      ASK_TEST(a_create_waits_for_the_end_of_its_task),
      ASK_TEST(who_leaves_is_not_waited_for),
      ASK_TEST(a_minimal_answer_has_id_and_status),
      ASK_TEST(a_revision_that_is_known_is_not_sent_again),
      ASK_TEST(a_read_waits_until_the_task_has_ended),
      ASK_TEST(a_status_tells_progress_alone),
      ASK_TEST(a_task_that_is_not_there_is_absent_on_every_route),
      ASK_TEST(a_pending_task_can_be_changed),
      ASK_TEST(a_change_may_rest_on_a_revision),
      ASK_TEST(a_task_that_is_removed_is_gone),
      ASK_TEST(a_running_task_is_removed_by_force_only),
      ASK_TEST(a_task_may_wait_for_its_start),
      ASK_TEST(a_pending_task_is_cancelled_at_once),
      ASK_TEST(a_running_task_is_told_of_its_cancel),
      ASK_TEST(an_ended_task_is_sent_back_with_fresh_attempts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
