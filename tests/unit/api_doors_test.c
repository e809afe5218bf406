// api_doors_test.c: the front doors of other systems: S1's task queue and S4's job API.
#include "tests/world/api_ask.h"

#define TASKS "/api/v1/tasks"
#define JOBS "/api/v1/jobs"
#define NO_SUCH_JOB "there is no such job"

// --- S1 ------------------------------------------------------------------------------------------

static void s1_takes_a_task_into_its_queue(void **state) {
  (void)state;
  struct asked *a = ask("POST /api/tasks", "{\"type\":\"send\",\"payload\":{\"m\": \"x\"}}");
  assert_status(a, 200);
  assert_text(a, "message", "Task created");
  assert_text(a, "status", "pending");
  const char *id = text_at(a, "id");
  assert_text(a, "taskId", id);
  assert_true(number_at(a, "rowId") > 0);
  a = ask(say("GET " TASKS "/%s", id), NULL);
  assert_text(a, "task.queue", "task-queue");
  assert_json(a, "task.payload", "{\"m\": \"x\"}");
  assert_number(a, "task.maxAttempts", WORLD_ATTEMPTS);
}

static void s1_says_what_is_wrong_as_its_callers_know_it(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"POST /api/tasks", "{\"type\":\"a\"}", "/payload", "payload is missing"},
      {"POST /api/tasks", "{\"type\":\"a b\",\"payload\":1}", "/type",
       "type must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -"},
      {"POST /api/tasks", "{\"type\":\"a\",\"payload\":1,\"priority\":1}", "/priority",
       "priority is not a field of this request; known are type, payload"},
  };
  ask_each_refused(AS_ADMIN, rows, COUNT_OF(rows), 400, "invalid_field");
  struct asked *a = ask("POST /api/tasks", "{\"type\":\"a\"}");
  assert_text(a, "message", "payload is missing");
  a = ask("GET /api/tasks", NULL);
  assert_refused(a, 405, "method_not_allowed", "this route takes POST");
  assert_text(a, "message", "Method not allowed");
  assert_header(a, "Allow", "POST");
  a = ask("POST /api/tasks", NULL);
  assert_status(a, 400);
  assert_text(a, "message", "line 1, column 1: the body is empty; send a JSON object");
}

// --- S4: jobs of users ---------------------------------------------------------------------------

static const char *make_job(const char *headers, const char *body) {
  struct asked *a = ask_as(headers, "POST " JOBS, body);
  assert_status(a, 201);
  return text_at(a, "id");
}

static void a_job_belongs_to_the_user_of_its_token(void **state) {
  (void)state;
  const char *ann = as_user("ann", ""), *bob = as_user("bob", "");
  struct asked *a = ask_as(ann, "POST " JOBS, "{\"type\":\"report\",\"arguments\":{\"m\": 1}}");
  assert_status(a, 201);
  const char *id = text_at(a, "id");
  assert_header(a, "Location", say(JOBS "/%s", id));
  assert_text(a, "bullJobId", id);
  assert_text(a, "userId", "ann");
  assert_text(a, "type", "report");
  assert_text(a, "status", "pending");
  assert_json(a, "meta", "{\"m\": 1}");
  assert_json(a, "result", "null");
  assert_json(a, "error", "null");
  assert_number(a, "maxAttempts", WORLD_ATTEMPTS);
  assert_number(a, "createdAt", WORLD_START_MS);
  assert_json(a, "startedAt", "null");
  const char *line = say("GET " JOBS "/%s", id);
  assert_text(ask_as(ann, line, NULL), "id", id);
  assert_refused(ask_as(bob, line, NULL), 404, "not_found", NO_SUCH_JOB);
  assert_status(ask_as(as_user("root", ",\"roles\":[\"admin\"]"), line, NULL), 200);
  assert_refused(ask_as(ann, say("GET " TASKS "/%s", id), NULL), 403, "forbidden",
                 "this route needs a token with the role producer or worker or reader or admin");
}

static void only_jobs_are_jobs(void **state) {
  (void)state;
  const char *root = as_user("root", ",\"roles\":[\"admin\"]");
  static const char *const ids[] = {"no-id", "01890a5d-ac96-774b-bcce-b302099a8057"};
  for (size_t i = 0; i < COUNT_OF(ids); i++)
    assert_refused(ask_as(root, say("GET " JOBS "/%s", ids[i]), NULL), 404, "not_found",
                   NO_SUCH_JOB);
  const char *id = make_task("{\"type\":\"a\",\"subject\":\"root\"}");
  assert_status(ask_as(root, say("GET " JOBS "/%s", id), NULL), 404);
}

static void a_job_that_is_known_is_not_sent_again(void **state) {
  (void)state;
  const char *ann = as_user("ann", "");
  const char *line = say("GET " JOBS "/%s", make_job(ann, "{\"type\":\"a\"}"));
  assert_status(ask_as(say("%s\nIf-None-Match: *", ann), line, NULL), 304);
}

static void a_job_tells_its_end_in_the_words_of_s4(void **state) {
  (void)state;
  const char *ann = as_user("ann", "");
  const char *done = make_job(ann, "{\"type\":\"a\"}"), *failed = make_job(ann, "{\"type\":\"a\"}");
  const char *stopped = make_job(ann, "{\"type\":\"a\"}"),
             *runs = make_job(ann, "{\"type\":\"a\"}");
  complete_task(done, "{\"n\":2}");
  move_task(failed, "fail", claim_task(failed),
            "\"error\":{\"code\":\"net\",\"detail\":[1]},\"retry\":false");
  ask(say("POST " TASKS "/%s/cancel", stopped), NULL);
  claim_task(runs);
  const struct {
    const char *id, *status, *result, *error;
  } rows[] = {{done, "completed", "{\"n\":2}", "null"},
              {failed, "failed", "null", "{\"message\":\"net\",\"code\":\"net\",\"detail\":[1]}"},
              {stopped, "failed", "null",
               "{\"message\":\"the job was cancelled before it ended\",\"code\":\"cancelled\","
               "\"detail\":null}"},
              {runs, "processing", "null", "null"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct asked *a = ask_as(ann, say("GET " JOBS "/%s", rows[i].id), NULL);
    assert_text(a, "status", rows[i].status);
    assert_json(a, "result", rows[i].result);
    assert_json(a, "error", rows[i].error);
    struct asked *list = ask_as(ann, say("GET " JOBS "?status=%s", rows[i].status), NULL);
    assert_number(list, "count", i == 1 || i == 2 ? 2 : 1);
  }
}

static void between_two_attempts_a_job_has_no_error(void **state) {
  (void)state;
  const char *ann = as_user("ann", ""), *id = make_job(ann, "{\"type\":\"a\"}");
  move_task(id, "fail", claim_task(id), "\"error\":\"x\"");
  struct asked *a = ask_as(ann, say("GET " JOBS "/%s", id), NULL);
  assert_text(a, "status", "pending");
  assert_json(a, "error", "null");
  assert_number(a, "attempt", 1);
}

static void a_job_of_the_system_takes_an_admin(void **state) {
  (void)state;
  static const char body[] = "{\"type\":\"a\",\"system\":true}";
  assert_refused(ask_as(as_user("ann", ""), "POST " JOBS, body), 403, "forbidden",
                 "a job of the system needs a token with the role admin");
  struct asked *a = ask_as(as_user("root", ",\"roles\":[\"admin\"]"), "POST " JOBS, body);
  assert_status(a, 201);
  assert_json(a, "userId", "null");
  // A user whose name is empty or none is nobody's.
  assert_status(ask_as(as_user("null", ""), say("GET " JOBS "/%s", text_at(a, "id")), NULL), 404);
}

static void a_dummy_job_waits_between_two_bounds(void **state) {
  (void)state;
  const char *ann = as_user("ann", "");
  static const struct {
    const char *body, *meta;
  } rows[] = {
      {NULL, "{\"delayMinSec\":1,\"delayMaxSec\":5}"},
      {"{\"delayMinSec\":9}", "{\"delayMinSec\":9,\"delayMaxSec\":9}"},
      {"{\"delayMinSec\":0,\"delayMaxSec\":600}", "{\"delayMinSec\":0,\"delayMaxSec\":600}"}};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct asked *a = ask_as(ann, "POST " JOBS "/start-dummy-job", rows[i].body);
    assert_status(a, 201);
    assert_text(a, "type", "dummy");
    assert_json(a, "meta", rows[i].meta);
  }
  static const struct refusal wrong[] = {
      {"POST " JOBS "/start-dummy-job", "{\"delayMinSec\":2,\"delayMaxSec\":1}", "/delayMaxSec",
       "delayMaxSec must not be below delayMinSec"},
      {"POST " JOBS "/start-dummy-job", "{\"delayMaxSec\":601}", "/delayMaxSec",
       "delayMaxSec must be from 0 to 600"},
  };
  ask_each_refused(ann, wrong, COUNT_OF(wrong), 400, "invalid_field");
}

static void jobs_are_listed_by_page(void **state) {
  (void)state;
  const char *ann = as_user("ann", ""), *ids[4];
  for (size_t i = 0; i < COUNT_OF(ids); i++) ids[i] = make_job(ann, "{\"type\":\"a\"}");
  make_job(as_user("bob", ""), "{\"type\":\"a\"}");
  struct asked *a = ask_as(ann, "GET " JOBS "?limit=3", NULL);
  assert_number(a, "count", 3);
  assert_text(a, "jobs.0.id", ids[3]);
  a = ask_as(ann, say("GET " JOBS "?cursor=%s", text_at(a, "nextCursor")), NULL);
  assert_number(a, "count", 1);
  assert_text(a, "jobs.0.id", ids[0]);
  assert_json(a, "nextCursor", "null");
  a = ask_as(ann, "GET " JOBS "?offset=1&limit=2", NULL);
  assert_text(a, "jobs.0.id", ids[2]);
  assert_text(a, "jobs.1.id", ids[1]);
  assert_number(ask_as(ann, "GET " JOBS "?offset=4", NULL), "count", 0);
  assert_number(ask_as(ann, "GET " JOBS "?offset=1000", NULL), "count", 0);
  assert_number(ask_as(as_user("root", ",\"roles\":[\"admin\"]"), "GET " JOBS, NULL), "count", 5);
}

static void what_is_wrong_with_a_list_of_jobs_is_told(void **state) {
  (void)state;
  static const struct refusal rows[] = {
      {"GET " JOBS "?status=running", NULL, "?status",
       "status must be pending, processing, completed or failed"},
      {"GET " JOBS "?offset=1001", NULL, "?offset", "offset must be from 0 to 1000"},
      {"GET " JOBS "?offset=1&cursor=a", NULL, "?offset", "offset and cursor exclude each other"},
      {"GET " JOBS "?limit=0", NULL, "?limit", "limit must be from 1 to 1000"},
      {"GET " JOBS "?type=a", NULL, "?type",
       "type is not a parameter of this route; known are status, limit, offset, cursor"},
      {"POST " JOBS, "{\"arguments\":1}", "/type", "type is missing"},
  };
  ask_each_refused(as_user("ann", ""), rows, COUNT_OF(rows), 400, "invalid_field");
}

static void where_jobs_are_off_it_is_said_why(void **state) {
  (void)state;
  struct world_settings settings = ask_usual();
  settings.api.jobs_off = STR("the job API is off; set jobs = yes");
  ask_open(&settings);
  struct asked *a = ask_as(as_user("ann", ""), "GET " JOBS, NULL);
  assert_refused(a, 503, "switched_off", "the job API is off; set jobs = yes");
  assert_header(a, "Retry-After", NULL);  // it does not help
}

static void the_queues_of_the_doors_are_known(void **state) {
  (void)state;
  assert_true(api_is_door_queue(STR("task-queue")));
  assert_true(api_is_door_queue(STR("jobs")));
  assert_false(api_is_door_queue(STR("default")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ASK_TEST(s1_takes_a_task_into_its_queue),
      ASK_TEST(s1_says_what_is_wrong_as_its_callers_know_it),
      ASK_TEST(a_job_belongs_to_the_user_of_its_token),
      ASK_TEST(only_jobs_are_jobs),
      ASK_TEST(a_job_that_is_known_is_not_sent_again),
      ASK_TEST(a_job_tells_its_end_in_the_words_of_s4),
      ASK_TEST(between_two_attempts_a_job_has_no_error),
      ASK_TEST(a_job_of_the_system_takes_an_admin),
      ASK_TEST(a_dummy_job_waits_between_two_bounds),
      ASK_TEST(jobs_are_listed_by_page),
      ASK_TEST(what_is_wrong_with_a_list_of_jobs_is_told),
      ASK_TEST(where_jobs_are_off_it_is_said_why),
      ASK_TEST(the_queues_of_the_doors_are_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
