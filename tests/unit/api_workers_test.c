// api_workers_test.c: tasks as workers see them: claims, reports, the ends of attempts, and what is
// told of the workers themselves.
#include "tests/world/api_ask.h"

#include "model/limits.h"

#define TASKS "/api/v1/tasks"
static const char LOST[] = "the lease token does not hold this task any more; stop working on it";
static const char STRANGE[] = "0f0f0f0f0f0f0f0f";

static struct asked *claim(const char *body) { return ask("POST /api/v1/claims", body); }
static struct asked *read_task(const char *id) { return ask(say("GET " TASKS "/%s", id), NULL); }

// --- claims --------------------------------------------------------------------------------------

static void a_claim_leases_what_is_ready_best_first(void **state) {
  (void)state;
  make_task("{\"type\":\"a\",\"payload\":1}");
  make_task("{\"type\":\"a\",\"payload\":2,\"priority\":5}");
  make_task("{\"type\":\"b\",\"queue\":\"q\",\"payload\":3}");
  struct asked *a = claim("{\"types\":[\"a\"],\"workerId\":\"w\",\"limit\":5,\"leaseMs\":60000}");
  assert_status(a, 200);
  assert_number(a, "count", 2);
  assert_json(a, "tasks.0.payload", "2");
  assert_json(a, "tasks.1.payload", "1");
  assert_text(a, "tasks.0.status", "running");
  assert_text(a, "tasks.0.workerId", "w");
  assert_number(a, "tasks.0.attempt", 1);
  assert_number(a, "tasks.0.leaseExpiresAt", WORLD_START_MS + 60000);
  assert_int_equal(strlen(text_at(a, "tasks.0.leaseToken")), 16);
  assert_number(claim("{\"types\":[\"a\"]}"), "count", 0);
  assert_number(claim("{\"queues\":[\"other\"]}"), "count", 0);
  assert_json(claim("{\"queues\":[\"q\"]}"), "tasks.0.payload", "3");
}

static void a_claim_waits_for_work(void **state) {
  (void)state;
  struct asked *first = claim("{\"types\":[\"a\"],\"workerId\":\"w1\",\"waitMs\":60000}");
  struct asked *brief = claim("{\"types\":[\"a\"],\"workerId\":\"w2\",\"waitMs\":2000}");
  assert_waits(first);
  const char *id = make_task("{\"type\":\"a\"}");
  assert_text(first, "tasks.0.id", id);  // who has waited longest
  world_pass(1999);
  assert_waits(brief);
  world_pass(1);
  assert_status(brief, 200);
  assert_json(brief, "tasks", "[]");
}

static void whoever_left_is_leased_nothing(void **state) {
  (void)state;
  struct asked *a = claim("{\"types\":[\"a\"],\"waitMs\":60000}");
  world_leave(&a->answer);
  assert_refused(a, 503, "unavailable", "the client went away");
  assert_text(read_task(make_task("{\"type\":\"a\"}")), "task.status", "pending");
}

static void one_task_is_claimed_by_its_id(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\",\"payload\":[1]}");
  const char *line = say("POST " TASKS "/%s/claim", id);
  struct asked *a = ask(line, "{\"service_id\":\"s\",\"leaseMs\":5000}");
  assert_status(a, 200);
  assert_json(a, "task.payload", "[1]");
  assert_text(a, "task.workerId", "s");
  assert_number(a, "task.leaseExpiresAt", WORLD_START_MS + 5000);
  assert_no(a, "task_id");  // of the repository's services only
  assert_refused(ask(line, NULL), 409, "wrong_status",
                 "the task is running and cannot be claimed now; GET its /explain for why");
}

static void a_task_is_claimed_only_of_the_project_that_is_said(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\",\"projectId\":\"p\"}");
  const char *line = say("POST " TASKS "/%s/claim?tenant_id=", id);
  assert_refused(ask(say("%sq", line), NULL), 404, "not_found", "there is no such task");
  assert_status(ask(say("%sp", line), NULL), 200);
}

static void what_is_wrong_with_a_claim_is_told_by_field(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"POST /api/v1/claims", "{\"limit\":0}", "/limit", "limit must be from 1 to 1000"},
      {"POST /api/v1/claims", "{\"types\":\"a\"}", "/types", "types must be an array of strings"},
      {"POST /api/v1/claims", "{\"types\":[\"a\",\"b c\"]}", "/types/1",
       "element 1 of types must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -"},
      {"POST /api/v1/claims", "{\"leaseMs\":999}", "/leaseMs",
       "leaseMs must be from 1000 to 86400000"},
      {"POST /api/v1/claims", "{\"waitMs\":60001}", "/waitMs", "waitMs must be from 0 to 60000"},
      {"POST /api/v1/claims", "{\"workerId\":\"key:x\"}", "/workerId",
       "workerId must not begin with key: (so do claims that are bound to a key)"},
      {"POST /api/v1/claims", "{\"workerId\":\"\"}", "/workerId", "workerId must not be empty"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 422, "invalid_field");
  assert_refused(claim(NULL), 400, "malformed_json",
                 "line 1, column 1: the body is empty; send a JSON object");
  assert_refused(claim("{\"sessions\":true}"), 409, "sessions_off",
                 "this server serves no sessions: start it with TASKYARD_SESSIONS=yes (or "
                 "ENABLE_SESSION_ISOLATION=true)");
}

// --- reports -------------------------------------------------------------------------------------

static void a_heartbeat_renews_the_lease(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  world_pass(20000);
  struct asked *a = move_task(id, "heartbeat", token, "");
  assert_status(a, 200);
  assert_json(a, "cancelRequested", "false");
  assert_number(a, "leaseExpiresAt", WORLD_START_MS + 20000 + WORLD_LEASE_MS);
}

static void a_token_comes_in_the_body_or_as_header(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  const char *line = say("POST " TASKS "/%s/heartbeat", id);
  const char *header = say(AS_ADMIN "\nLease-Token: %s", token);
  assert_status(ask_as(header, line, NULL), 200);
  assert_status(ask_as(header, line, say("{\"leaseToken\":\"%s\"}", token)), 200);
  assert_wrong(ask_as(header, line, say("{\"leaseToken\":\"%s\"}", STRANGE)), "/leaseToken",
               "leaseToken is another one than the header Lease-Token; send one of them");
  assert_wrong(ask(line, NULL), "/leaseToken",
               "leaseToken is missing: send it in the body or as header Lease-Token");
  assert_status(ask_as(say("%s\nLease-Token: %s", header, token), line, NULL), 400);
}

static void another_token_moves_nothing(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  claim_task(id);
  static const char *const tokens[] = {"0f0f0f0f0f0f0f0f", "none", "",
                                       "s00000001.0f0f0f0f0f0f0f0f"};
  static const struct {
    const char *verb, *more;
  } moves[] = {{"heartbeat", ""}, {"progress", "\"progress\":1"}, {"logs", "\"text\":\"x\""},
               {"complete", ""},  {"fail", "\"error\":\"x\""},    {"release", ""}};
  for (size_t i = 0; i < COUNT_OF(moves); i++)
    for (size_t k = 0; k < COUNT_OF(tokens); k++)
      assert_refused(move_task(id, moves[i].verb, tokens[k], moves[i].more), 409, "lease_lost",
                     LOST);
  assert_text(read_task(id), "task.status", "running");
}

static void a_lost_lease_is_told_to_its_worker(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  world_pass(WORLD_LEASE_MS);
  assert_text(read_task(id), "task.status", "pending");
  assert_refused(move_task(id, "complete", token, "\"result\":1"), 409, "lease_lost", LOST);
}

static void log_lines_are_kept_in_their_order(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  assert_status(move_task(id, "logs", token, "\"lines\":[\"one\",\"two\"]"), 200);
  assert_status(move_task(id, "logs", token, "\"text\":\"three\\n\\nfive\\n\""), 200);
  struct asked *a = ask(say("GET " TASKS "/%s/logs", id), NULL);
  assert_number(a, "count", 5);
  assert_text(a, "logs.0.text", "one");
  assert_number(a, "logs.0.number", 1);
  assert_text(a, "logs.3.text", "");
  assert_text(a, "logs.4.text", "five");
  assert_number(a, "nextAfter", 5);
  assert_json(a, "more", "false");
  a = ask(say("GET " TASKS "/%s/logs?after=1&limit=2", id), NULL);
  assert_text(a, "logs.0.text", "two");
  assert_number(a, "nextAfter", 3);
  assert_json(a, "more", "true");
}

static void long_lines_are_cut_at_a_character(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  const char *full = say("%0*d", LIMIT_LOG_LINE_BYTES, 0);
  move_task(id, "logs", token, say("\"lines\":[\"%s\",\"%s0\"]", full, full));
  // A character of two bytes lies on the border: it goes as a whole.
  move_task(id, "logs", token, say("\"text\":\"%.*sé%s\"", LIMIT_LOG_LINE_BYTES - 5, full, full));
  struct asked *a = ask(say("GET " TASKS "/%s/logs", id), NULL);
  assert_text(a, "logs.0.text", full);
  assert_text(a, "logs.1.text", say("%.*s …", LIMIT_LOG_LINE_BYTES - 4, full));
  assert_text(a, "logs.2.text", say("%.*s …", LIMIT_LOG_LINE_BYTES - 5, full));
}

static void what_is_wrong_with_log_lines_is_told(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  const char *lines = many(LIMIT_LOG_LINES_REQUEST, "\\n");
  assert_status(move_task(id, "logs", token, say("\"text\":\"%s\"", lines)), 200);
  const struct {
    const char *more, *pointer, *detail;
  } rows[] = {{"", "/lines", "lines is missing: send at least one line"},
              {"\"lines\":[]", "/lines", "lines is missing: send at least one line"},
              {"\"text\":\"\"", "/lines", "lines is missing: send at least one line"},
              {"\"lines\":[\"a\"],\"text\":\"b\"", "/text", "send lines or text, not both"},
              {say("\"text\":\"%sx\"", lines), "/text", "text must have at most 100 lines"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_wrong(move_task(id, "logs", token, rows[i].more), rows[i].pointer, rows[i].detail);
}

// --- ends ----------------------------------------------------------------------------------------

static void a_result_ends_the_task(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  struct asked *a = move_task(id, "complete", token, "\"result\":{\"n\": 1}");
  assert_status(a, 200);
  assert_text(a, "task.status", "completed");
  assert_no(a, "tasks");
  assert_json(read_task(id), "task.result", "{\"n\": 1}");
  assert_status(move_task(id, "complete", token, "\"result\":{\"n\": 1}"), 200);  // a repeat
}

static void the_end_of_a_task_may_claim_the_next(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  const char *next = make_task("{\"type\":\"a\",\"payload\":2}");
  struct asked *a = move_task(id, "complete", token, "\"claim\":{\"types\":[\"a\"]}");
  assert_text(a, "task.id", id);
  assert_text(a, "tasks.0.id", next);
  assert_number(a, "count", 1);
  assert_wrong(move_task(id, "complete", token, "\"claim\":{\"limit\":0}"), "/claim/limit",
               "limit must be from 1 to 1000");
  assert_wrong(move_task(id, "complete", token, "\"claim\":{\"sessions\":true}"), "/claim",
               "claim does not go with tasks of sessions; send POST /claims");
}

static void a_failure_is_tried_again(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  struct asked *a =
      move_task(id, "fail", claim_task(id),
                "\"error\":{\"code\":\"net\",\"message\":\"no route\",\"detail\":{\"at\":3}}");
  assert_text(a, "task.status", "pending");
  assert_text(a, "task.waitingFor", "retry");
  assert_text(a, "task.error.code", "net");
  assert_text(a, "task.error.message", "no route");
  assert_json(a, "task.error.detail", "{\"at\":3}");
  assert_number(a, "task.runAt", WORLD_START_MS + WORLD_RETRY_MS);
  world_pass(WORLD_RETRY_MS);
  a = move_task(id, "fail", claim_task(id), "\"error\":\"again\",\"retryDelayMs\":50");
  assert_text(a, "task.error.code", "failed");
  assert_number(a, "task.runAt", WORLD_START_MS + WORLD_RETRY_MS + 50);
  world_pass(50);
  a = move_task(id, "fail", claim_task(id), "\"error\":\"no\",\"retry\":false");
  assert_text(a, "task.status", "failed");
}

static void a_failure_says_what_went_wrong(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}"), *token = claim_task(id);
  static const char missing[] =
      "error is missing: say what went wrong, as a text or {code, message, detail}";
  static const char long_text[] = "error must have at most 2000 bytes and no U+0000";
  const struct {
    const char *more, *pointer, *detail;
  } rows[] = {
      {"", "/error", missing},
      {"\"error\":null", "/error", missing},
      {"\"error\":\"a\\u0000b\"", "/error", long_text},
      {say("\"error\":\"%0*d\"", LIMIT_TEXT_BYTES + 1, 0), "/error", long_text},
      {"\"error\":5", "/error", "error must be an object"},
      {"\"error\":{\"text\":\"x\"}", "/error/text",
       "text is not a field of this request; known are code, message, detail"},
      {say("\"error\":{\"detail\":\"%0*d\"}", LIMIT_ERROR_DETAIL_BYTES - 1, 0), "/error/detail",
       "detail must have at most 16384 bytes"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    assert_wrong(move_task(id, "fail", token, rows[i].more), rows[i].pointer, rows[i].detail);
  const char *most = say("\"error\":{\"detail\":\"%0*d\"}", LIMIT_ERROR_DETAIL_BYTES - 2, 0);
  assert_status(move_task(id, "fail", token, most), 200);
}

static void a_task_may_be_given_back_unharmed(void **state) {
  (void)state;
  const char *id = make_task("{\"type\":\"a\"}");
  struct asked *a = move_task(id, "release", claim_task(id), "\"delayMs\":500");
  assert_text(a, "task.status", "pending");
  assert_number(a, "task.attempt", 0);
  assert_number(claim("{}"), "count", 0);
  world_pass(500);
  assert_text(claim("{}"), "tasks.0.id", id);
}

static void many_attempts_end_each_with_its_answer(void **state) {
  (void)state;
  const char *one = make_task("{\"type\":\"a\"}"), *two = make_task("{\"type\":\"a\"}");
  const char *next = make_task("{\"type\":\"b\"}");
  const char *items =
      say("[{\"id\":\"%s\",\"leaseToken\":\"%s\",\"result\":1},"
          "{\"id\":\"%s\",\"leaseToken\":\"%s\",\"error\":\"no\",\"retry\":false},"
          "{\"id\":\"%s\",\"leaseToken\":\"%s\"}]",
          one, claim_task(one), two, claim_task(two), next, STRANGE);
  struct asked *a =
      ask("POST /api/v1/completions", say("{\"items\":%s,\"claim\":{\"types\":[\"b\"]}}", items));
  assert_status(a, 200);
  assert_json(a, "items.0", say("{\"id\":\"%s\",\"success\":true,\"status\":\"completed\"}", one));
  assert_text(a, "items.1.status", "failed");
  assert_json(a, "items.2.success", "false");
  assert_text(a, "items.2.code", "lease_lost");
  assert_text(a, "items.2.error", LOST);
  assert_text(a, "tasks.0.id", next);
  a = ask("POST /api/v1/completions", say("{\"items\":%s}", items));
  assert_number(a, "count", 3);
  assert_no(a, "tasks");
}

static void what_is_wrong_with_completions_is_told_by_item(void **state) {
  (void)state;
#define ITEM "\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"leaseToken\":"
  static const struct refusal rows[] = {
      {"POST /api/v1/completions", "{}", "/items", "items is missing"},
      {"POST /api/v1/completions", "{\"items\":[]}", "/items",
       "items must have 1 to 1000 elements"},
      {"POST /api/v1/completions", "{\"items\":[{" ITEM "\"x\"},{\"id\":1}]}", "/items/1/id",
       "id must be a task's id"},
      {"POST /api/v1/completions",
       "{\"items\":[{" ITEM "\"0000000000000001\",\"result\":1,\"error\":\"x\"}]}",
       "/items/0/error", "send result or error, not both"},
      {"POST /api/v1/completions",
       "{\"items\":[{" ITEM "\"0000000000000001\"},{" ITEM "\"s00000001.0000000000000001\"}]}",
       "/items/1/leaseToken",
       "leaseToken is not of the session of the first item: send a request for each session, and "
       "one for tasks of none"},
      {"POST /api/v1/completions",
       "{\"items\":[{" ITEM "\"s00000001.0000000000000001\"}],\"claim\":{}}", "/claim",
       "claim does not go with tasks of sessions; send POST /claims"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 422, "invalid_field");
  struct asked *a =
      ask("POST /api/v1/completions", "{\"items\":[{" ITEM "\"s00000001.0000000000000001\"}]}");
  assert_status(a, 200);  // of a session that is gone
  assert_text(a, "items.0.code", "lease_lost");
}

// --- workers -------------------------------------------------------------------------------------

static void workers_are_told_with_what_they_do(void **state) {
  (void)state;
  make_task("{\"type\":\"a\"}");
  make_task("{\"type\":\"a\"}");
  claim("{\"types\":[\"a\"],\"queues\":[\"default\"],\"workerId\":\"w1\",\"limit\":2}");
  struct asked *waits = claim("{\"types\":[\"c\"],\"workerId\":\"w2\",\"waitMs\":1000}");
  struct asked *a = ask("GET /api/v1/workers", NULL);
  assert_number(a, "count", 2);
  int one = strcmp(text_at(a, "workers.0.workerId"), "w1") == 0 ? 0 : 1;
  assert_text(a, say("workers.%d.workerId", one), "w1");
  assert_number(a, say("workers.%d.running", one), 2);
  assert_number(a, say("workers.%d.claimed", one), 2);
  assert_json(a, say("workers.%d.waiting", one), "false");
  assert_json(a, say("workers.%d.types", one), "[\"a\"]");
  assert_json(a, say("workers.%d.queues", one), "[\"default\"]");
  assert_number(a, say("workers.%d.lastSeenAt", one), WORLD_START_MS);
  assert_text(a, say("workers.%d.workerId", 1 - one), "w2");
  assert_json(a, say("workers.%d.waiting", 1 - one), "true");
  assert_number(a, say("workers.%d.running", 1 - one), 0);
  assert_json(a, "node", "null");  // a store that nobody else can share
  assert_json(a, "nodes", "[]");
  world_pass(1000);
  assert_status(waits, 200);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ASK_TEST(a_claim_leases_what_is_ready_best_first),
      ASK_TEST(a_claim_waits_for_work),
      ASK_TEST(whoever_left_is_leased_nothing),
      ASK_TEST(one_task_is_claimed_by_its_id),
      ASK_TEST(a_task_is_claimed_only_of_the_project_that_is_said),
      ASK_TEST(what_is_wrong_with_a_claim_is_told_by_field),
      ASK_TEST(a_heartbeat_renews_the_lease),
      ASK_TEST(a_token_comes_in_the_body_or_as_header),
      ASK_TEST(another_token_moves_nothing),
      ASK_TEST(a_lost_lease_is_told_to_its_worker),
      ASK_TEST(log_lines_are_kept_in_their_order),
      ASK_TEST(long_lines_are_cut_at_a_character),
      ASK_TEST(what_is_wrong_with_log_lines_is_told),
      ASK_TEST(a_result_ends_the_task),
      ASK_TEST(the_end_of_a_task_may_claim_the_next),
      ASK_TEST(a_failure_is_tried_again),
      ASK_TEST(a_failure_says_what_went_wrong),
      ASK_TEST(a_task_may_be_given_back_unharmed),
      ASK_TEST(many_attempts_end_each_with_its_answer),
      ASK_TEST(what_is_wrong_with_completions_is_told_by_item),
      ASK_TEST(workers_are_told_with_what_they_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
