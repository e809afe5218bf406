// api_repository_test.c: front door S3: what clients of the task repository service send and get,
// and what holds for the keys of services only.
#include "tests/world/api_ask.h"

#define TASKS "/api/v1/tasks"
#define TASK                                                                                       \
  "{\"task_type\":\"GEN\",\"request\":{\"content\":{\"p\": 1}},\"template\":{\"t\":2},"            \
  "\"tags\":{\"service\":\"svc\",\"custom_tags\":[1]},\"priority\":2,\"metadata\":{\"m\":1},"      \
  "\"task_id\":\"old 1\",\"tenant_id\":\"acme\",\"batch_id\":\"b\",\"more\":true}"

static const char *service;  // headers of its key
static const char *other;    // of another service's

static int set_up(void **state) {
  (void)ask_set_up(state);
  service = make_key(
      "{\"name\":\"s\",\"roles\":[\"producer\",\"worker\",\"reader\"],\"service\":\"svc\"}");
  other = make_key("{\"name\":\"o\",\"roles\":[\"worker\"],\"service\":\"other\"}");
  return 0;
}

static struct asked *as_service(const char *line, const char *body) {
  return ask_as(service, line, body);
}

static const char *make(const char *body) {
  struct asked *a = as_service("POST " TASKS, body);
  assert_status(a, 201);
  return text_at(a, "task_id");
}

// A task of theirs that the service has claimed.
static const char *held(const char *rest) {
  const char *id = make("{\"task_type\":\"GEN\"}");
  assert_status(as_service(say("POST " TASKS "/%s/claim%s", id, rest), NULL), 200);
  return id;
}

static struct asked *move(const char *id, const char *verb, const char *body) {
  return as_service(say("POST " TASKS "/%s/%s", id, verb), body);
}

// --- creating ------------------------------------------------------------------------------------

static void the_whole_body_becomes_the_payload(void **state) {
  (void)state;
  struct asked *a = ask("POST " TASKS, TASK);  // whoever sends it
  assert_status(a, 201);
  assert_text(a, "task_id", text_at(a, "task.id"));
  static const struct {
    const char *path, *json;
  } rows[] = {
      {"type", "\"GEN\""},       {"payload", TASK},         {"tags", "{\"service\":\"svc\"}"},
      {"priority", "3"},         {"metadata", "{\"m\":1}"}, {"uniqueKey", "\"old 1\""},
      {"projectId", "\"acme\""}, {"subject", "\"b\""}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_json(a, say("task.%s", rows[i].path), rows[i].json);
  assert_status(ask("POST " TASKS, TASK), 200);  // there is one with this task_id
}

static void what_is_wrong_with_their_task_is_told_by_field(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"POST " TASKS, "{\"task_type\":1}", "/task_type", "task_type must be a string"},
      {"POST " TASKS, "{\"task_type\":\"a\",\"priority\":11}", "/priority",
       "priority must be from 1 to 10"},
      {"POST " TASKS, "{\"task_type\":\"a\",\"status\":\"done\"}", "/status",
       "status must be pending: a new task is"},
      {"POST " TASKS, "{\"task_type\":\"a\",\"tags\":{\"a\":\"b\",\"a\":\"c\"}}", "/tags/a",
       "a is there twice"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 422, "invalid_field");
  assert_status(ask("POST " TASKS, "{\"task_type\":\"a\",\"status\":\"pending\"}"), 201);
}

// --- finding -------------------------------------------------------------------------------------

static void a_service_that_names_no_status_asks_for_work(void **state) {
  (void)state;
  const char *id = make(TASK);
  make("{\"task_type\":\"OTHER\"}");
  held("");
  struct asked *a = as_service("GET " TASKS "?task_type=GEN", NULL);
  assert_number(a, "count", 1);
  const struct {
    const char *path, *json;
  } rows[] = {{"task_type", "\"GEN\""},
              {"request", "{\"content\":{\"p\": 1}}"},
              {"template", "{\"t\":2}"},
              {"more", "true"},
              {"status", "\"pending\""},
              {"priority", "3"},
              {"tags", "{\"service\":\"svc\"}"},
              {"processor_id", "null"},
              {"batch_id", "\"b\""},
              {"_id", say("\"%s\"", id)}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_json(a, say("tasks.0.%s", rows[i].path), rows[i].json);
  assert_no(a, "tasks.0.payload");
  assert_number(as_service("GET " TASKS, NULL), "count", 2);
  assert_number(ask("GET " TASKS, NULL), "count", 3);
}

static void a_task_of_ours_is_shown_with_its_payload(void **state) {
  (void)state;
  make_task("{\"type\":\"a\",\"payload\":{\"request\":1}}");
  struct asked *a = as_service("GET " TASKS, NULL);
  assert_json(a, "tasks.0.payload", "{\"request\":1}");
  assert_text(a, "tasks.0.task_type", "a");
}

static void their_words_for_a_status_are_read(void **state) {
  (void)state;
  const char *failed = held("");
  assert_status(move(failed, "fail", "{\"message\":\"x\"}"), 200);
  held("");
  const char *gone = make("{\"task_type\":\"GEN\"}");
  ask(say("POST " TASKS "/%s/cancel", gone), NULL);
  static const struct {
    const char *query;
    int64_t count;
  } rows[] = {{"status=processing", 1}, {"status=failed", 1}, {"status=canceled", 1},
              {"status=running", 1},    {"status=all", 3},    {"status=pending,cancelled", 1}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_number(as_service(say("GET " TASKS "?%s", rows[i].query), NULL), "count", rows[i].count);
  assert_wrong(as_service("GET " TASKS "?limit=101", NULL), "?limit",
               "limit must be from 1 to 100");
  assert_status(as_service("GET " TASKS "?limit=101&status=all", NULL), 200);
}

static void a_task_is_found_by_the_id_it_had(void **state) {
  (void)state;
  const char *id = make(TASK);
  struct asked *a = as_service("GET " TASKS "/old%201", NULL);
  assert_status(a, 200);
  assert_text(a, "task_id", id);
  assert_text(a, "task.id", id);
  assert_number(a, "priority", 2);
  assert_json(a, "request", "{\"content\":{\"p\": 1}}");
  assert_json(a, "results", "null");
  assert_json(a, "error", "null");
  assert_refused(as_service("GET " TASKS "/old%202", NULL), 404, "not_found",
                 "there is no such task");
  assert_refused(ask("GET " TASKS "/old%201", NULL), 404, "not_found", "there is no such task");
  assert_status(as_service("POST " TASKS "/old%201/claim?tenant_id=acme", NULL), 200);
}

// --- claiming and moving -------------------------------------------------------------------------

static void a_claim_of_a_service_is_bound_to_its_key(void **state) {
  (void)state;
  const char *id = make(TASK);
  struct asked *a = as_service(say("POST " TASKS "/%s/claim?processor_id=p1", id), NULL);
  assert_status(a, 200);
  assert_text(a, "status", "processing");
  assert_text(a, "processor_id", "p1");
  assert_json(a, "template", "{\"t\":2}");
  assert_number(a, "task.leaseExpiresAt", WORLD_START_MS + 30 * 60 * 1000);
  assert_int_equal(strncmp(text_at(a, "task.workerId"), "key:", 4), 0);
  static const char moved[] =
      "this key does not hold the task, so it moves nothing without a lease token: it did not "
      "claim the task, or its claim has ended; stop working on it";
  assert_refused(ask_as(other, say("POST " TASKS "/%s/complete", id), "{}"), 409, "lease_lost",
                 moved);
  assert_refused(move(id, "heartbeat?processor_id=p2", NULL), 409, "lease_lost", moved);
  assert_status(move(id, "heartbeat?processor_id=p1", NULL), 200);
  assert_status(move(id, "progress", "{\"progress\":10}"), 200);
  assert_status(move(id, "logs", "{\"text\":\"x\"}"), 200);
  assert_status(move(id, "release", NULL), 200);
}

static void a_processor_may_be_named_in_many_places(void **state) {
  (void)state;
  static const struct {
    const char *header, *query, *body, *processor;
  } rows[] = {{"", "", "{\"service_id\":\"a\"}", "\"a\""},
              {"", "", "{\"workerId\":\"b\",\"service_id\":\"a\"}", "\"b\""},
              {"", "?processor_id=c", NULL, "\"c\""},
              {"\nX-Service-Id: d", "", NULL, "\"d\""},
              {"\nX-Service-Id: a b", "", NULL, NULL}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const char *id = make("{\"task_type\":\"GEN\"}");
    struct asked *a = ask_as(say("%s%s", service, rows[i].header),
                             say("POST " TASKS "/%s/claim%s", id, rows[i].query), rows[i].body);
    assert_status(a, 200);
    const char *key = say("\"%s\"", text_at(a, "task.workerId"));
    assert_json(a, "processor_id", rows[i].processor ? rows[i].processor : key);
  }
  const char *id = make("{\"task_type\":\"GEN\"}");
  assert_wrong(move(id, "claim", say("{\"service_id\":\"%0128d\"}", 0)), "/workerId",
               "workerId must be shorter, by 13 bytes: the id of the key stands before it");
  assert_wrong(move(id, "claim", "{\"service_id\":\"key:x\"}"), "/workerId",
               "workerId must not begin with key: (so do claims that are bound to a key)");
}

static void a_body_without_result_is_the_result(void **state) {
  (void)state;
  static const struct {
    const char *body, *results;
  } rows[] = {{"{\"text\":\"x\"}", "{\"text\":\"x\"}"},
              {"{\"result\":1,\"more\":2}", "{\"result\":1,\"more\":2}"},
              {"{\"result\":[1]}", "[1]"},
              {"[7]", "[7]"},
              {NULL, "null"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const char *id = held("");
    struct asked *a = move(id, "complete", rows[i].body);
    assert_status(a, 200);
    a = as_service(say("GET " TASKS "/%s", id), NULL);
    assert_json(a, "results", rows[i].results);
    assert_text(a, "status", "completed");
    assert_status(move(id, "complete", rows[i].body), 409);
  }
}

static void a_failure_stays_one_unless_it_asks_for_more(void **state) {
  (void)state;
  static const struct {
    const char *body, *status, *message, *detail;
  } rows[] = {
      {"{\"message\":\"m\"}", "failed", "m", "null"},
      {"{\"message\":\"m\",\"code\":5}", "failed", "m", "{\"message\":\"m\",\"code\":5}"},
      {"{\"error\":\"e\"}", "failed", "e", "null"},
      {"{\"error\":{\"message\":\"e\",\"detail\":[1]}}", "failed", "e", "[1]"},
      {"{\"error\":{\"message\":\"e\",\"at\":3}}", "failed", "e", "{\"message\":\"e\",\"at\":3}"},
      {"{\"message\":\"m\",\"retry\":true}", "pending", "m", "null"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct asked *a = move(held(""), "fail", rows[i].body);
    assert_status(a, 200);
    assert_text(a, "task.status", rows[i].status);
    assert_text(a, "task.error.message", rows[i].message);
    assert_json(a, "task.error.detail", rows[i].detail);
  }
}

static void a_failure_needs_a_text(void **state) {
  (void)state;
  const char *id = held("");
  const struct {
    const char *body, *pointer, *detail;
  } rows[] = {
      {"{}", "/message", "message is missing: say what went wrong"},
      {"{\"error\":{\"at\":1}}", "/error/message", "message is missing: say what went wrong"},
      {say("{\"message\":\"m\",\"x\":\"%016384d\"}", 0), "",
       "an error must have at most 16384 bytes"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_wrong(move(id, "fail", rows[i].body), rows[i].pointer, rows[i].detail);
}

static void with_a_token_a_service_speaks_as_all_others(void **state) {
  (void)state;
  const char *id = make("{\"task_type\":\"GEN\"}");
  const char *token = text_at(move(id, "claim", NULL), "task.leaseToken");
  assert_wrong(move(id, "complete", say("{\"leaseToken\":\"%s\",\"text\":1}", token)), "/text",
               "text is not a field of this request; known are leaseToken, result, claim");
  struct asked *a = move(id, "fail", say("{\"leaseToken\":\"%s\",\"error\":\"x\"}", token));
  assert_text(a, "task.status", "pending");
}

// --- a status that is set ------------------------------------------------------------------------

static struct asked *set_status(const char *headers, const char *id, const char *status) {
  return ask_as(headers, say("PATCH " TASKS "/%s/status?processor_id=p", id),
                say("{\"status\":\"%s\"}", status));
}

static void a_status_that_is_set_is_the_move_to_it(void **state) {
  (void)state;
  static const struct {
    const char *set, *status;
  } rows[] = {{"completed", "completed"}, {"failed", "failed"}, {"pending", "pending"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const char *id = make("{\"task_type\":\"GEN\"}");
    struct asked *a = set_status(service, id, "processing");
    assert_text(a, "status", "processing");
    assert_text(a, "processor_id", "p");
    a = set_status(service, id, rows[i].set);
    assert_status(a, 200);
    assert_text(a, "task.status", rows[i].status);
  }
  const char *id = make("{\"task_type\":\"GEN\"}");
  assert_refused(set_status(other, id, "cancelled"), 403, "forbidden",
                 "to cancel a task needs a key with the role producer");
  assert_text(set_status(service, id, "canceled"), "task.status", "cancelled");
  assert_wrong(set_status(service, id, "done"), "/status",
               "status must be pending, processing, completed, failed or cancelled");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, ask_tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(the_whole_body_becomes_the_payload),
      TEST(what_is_wrong_with_their_task_is_told_by_field),
      TEST(a_service_that_names_no_status_asks_for_work),
      TEST(a_task_of_ours_is_shown_with_its_payload),
      TEST(their_words_for_a_status_are_read),
      TEST(a_task_is_found_by_the_id_it_had),
      TEST(a_claim_of_a_service_is_bound_to_its_key),
      TEST(a_processor_may_be_named_in_many_places),
      TEST(a_body_without_result_is_the_result),
      TEST(a_failure_stays_one_unless_it_asks_for_more),
      TEST(a_failure_needs_a_text),
      TEST(with_a_token_a_service_speaks_as_all_others),
      TEST(a_status_that_is_set_is_the_move_to_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
