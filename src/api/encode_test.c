// encode_test.c: nouns to JSON, byte for byte.
#include "api/encode.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// No queue is asked about here: nothing is ready, so none can be paused.
static const struct encode_context CONTEXT = {.engine = NULL, .tenant_name = {"acme", 4}};
static const struct id ID = {0x0189000000007000, 0x800000000000000a};
#define ID_JSON "\"01890000-0000-7000-8000-00000000000a\""

static struct buf buf;

static int set_up(void **state) {
  (void)state;
  buf_init(&buf, 64 * 1024);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  buf_fini(&buf);
  return 0;
}

static void assert_json(const char *wanted) {
  struct str value;
  struct json_error error;
  if (!str_eq(buf_str(&buf), str_of(wanted)))
    fail_msg("\n%.*s is not\n%s", STR_FMT(buf_str(&buf)), wanted);
  if (!json_check(buf_str(&buf), &value, &error))
    fail_msg("%s at %zu", error.message, error.offset);
  buf_clear(&buf);
}

static struct task minimal(void) {
  return (struct task){.id = ID,
                       .type = STR("sample"),
                       .queue = STR("default"),
                       .status = TASK_PENDING,
                       .waiting = WAIT_START,
                       .revision = 1,
                       .attempts_max = 3,
                       .version = VERSION_NONE,
                       .created_at = 1700000000000,
                       .updated_at = 1700000000000};
}

static struct task full(void) {
  return (struct task){
      .id = ID,
      .type = STR("a/b"),
      .queue = STR("q"),
      .status = TASK_RUNNING,
      .revision = 9007199254740993,
      .priority = -5,
      .attempt = 2,
      .attempts_max = 3,
      .created_at = 1,
      .updated_at = 2,
      .run_at = 3,
      .expires_at = 4,
      .started_at = 5,
      .completed_at = 6,
      .lease = 0x0123456789abcdef,
      .lease_expires_at = 7,
      .claimed_at = 8,
      .cancel_requested_at = 9,
      .worker = STR("w\"1"),
      .progress = 50,
      .step = STR("one"),
      .step_description = STR("the first"),
      .error_code = STR("boom"),
      .error_message = STR("line\nbreak"),
      .error_detail = STR("{\"a\": 1}"),
      .name = STR("näme"),
      .description = STR("\\"),
      .tags = STR("{\"k\":\"v\"}"),
      .metadata = STR("{ \"n\" : 1.50 }"),
      .project = STR("p"),
      .subject = STR("s"),
      .unique_key = STR(""),
      .version = 0,
      .payload = STR("[1, 2]"),
      .result = STR("\"r\""),
  };
}

#define FULL_HEAD                                                                                  \
  "{\"id\":" ID_JSON                                                                               \
  ",\"type\":\"a/b\",\"name\":\"näme\",\"description\":\"\\\\\","                                 \
  "\"status\":\"running\",\"waitingFor\":null,\"queue\":\"q\",\"priority\":-5"
#define FULL_TAIL                                                                                  \
  ",\"error\":{\"code\":\"boom\",\"message\":\"line\\nbreak\",\"detail\":{\"a\": 1}},"             \
  "\"progress\":50,\"currentStep\":\"one\",\"currentStepDescription\":\"the first\","              \
  "\"attempt\":2,\"maxAttempts\":3,\"version\":0,\"tags\":{\"k\":\"v\"},"                          \
  "\"metadata\":{ \"n\" : 1.50 },\"tenantId\":\"acme\",\"projectId\":\"p\",\"subject\":\"s\","     \
  "\"sessionKey\":null,\"cost\":null,\"parentId\":null,\"dependsOn\":null,"                        \
  "\"concurrencyKey\":null,\"uniqueKey\":\"\",\"callbackUrl\":null,\"workerId\":\"w\\\"1\","       \
  "\"claimedAt\":8,\"leaseExpiresAt\":7,\"cancelRequested\":true,\"runAt\":3,\"expiresAt\":4,"     \
  "\"createdAt\":1,\"updatedAt\":2,\"startedAt\":5,\"completedAt\":6,\"resultHandling\":null,"     \
  "\"revision\":9007199254740993"

static void what_a_task_does_not_have_is_null(void **state) {
  (void)state;
  struct task task = minimal();
  encode_task(&buf, &CONTEXT, &task, ENCODE_PAYLOAD | ENCODE_RESULT);
  assert_json(
      "{\"id\":" ID_JSON
      ",\"type\":\"sample\",\"name\":null,\"description\":null,"
      "\"status\":\"pending\",\"waitingFor\":\"start\",\"queue\":\"default\",\"priority\":0,"
      "\"payload\":null,\"result\":null,\"error\":null,\"progress\":0,\"currentStep\":null,"
      "\"currentStepDescription\":null,\"attempt\":0,\"maxAttempts\":3,\"version\":null,"
      "\"tags\":null,\"metadata\":null,\"tenantId\":\"acme\",\"projectId\":null,\"subject\":null,"
      "\"sessionKey\":null,\"cost\":null,\"parentId\":null,\"dependsOn\":null,"
      "\"concurrencyKey\":null,\"uniqueKey\":null,\"callbackUrl\":null,\"workerId\":null,"
      "\"claimedAt\":null,\"leaseExpiresAt\":null,\"cancelRequested\":false,\"runAt\":null,"
      "\"expiresAt\":null,\"createdAt\":1700000000000,\"updatedAt\":1700000000000,"
      "\"startedAt\":null,\"completedAt\":null,\"resultHandling\":null,\"revision\":1}");
}

static void every_field_stands_in_its_place_and_the_callers_bytes_stay(void **state) {
  (void)state;
  struct task task = full();
  encode_task(&buf, &CONTEXT, &task, ENCODE_PAYLOAD | ENCODE_RESULT);
  assert_json(FULL_HEAD ",\"payload\":[1, 2],\"result\":\"r\"" FULL_TAIL "}");
}

static void parts_that_are_not_wanted_are_left_out(void **state) {
  (void)state;
  struct task task = full();
  encode_task(&buf, &CONTEXT, &task, 0);
  assert_json(FULL_HEAD FULL_TAIL "}");
  encode_task(&buf, &CONTEXT, &task, ENCODE_RESULT);
  assert_json(FULL_HEAD ",\"result\":\"r\"" FULL_TAIL "}");
}

static void a_claimed_task_ends_with_its_token(void **state) {
  (void)state;
  struct task task = full();
  encode_task(&buf, &CONTEXT, &task, ENCODE_LEASE);
  assert_json(FULL_HEAD FULL_TAIL ",\"leaseToken\":\"0123456789abcdef\"}");
}

static void a_minimal_answer_has_id_and_status(void **state) {
  (void)state;
  struct task task = full();
  encode_task(&buf, &CONTEXT, &task, ENCODE_MINIMAL);
  assert_json("{\"id\":" ID_JSON ",\"status\":\"running\"}");
}

static void a_token_has_16_digits(void **state) {
  (void)state;
  put_token(&buf, (struct lease_token){10, 0});
  assert_json("\"000000000000000a\"");
  put_token(&buf, (struct lease_token){INT64_MAX, 0});
  assert_json("\"7fffffffffffffff\"");
  put_token(&buf, (struct lease_token){-1, 0x2a});
  assert_json("\"s0000002a.ffffffffffffffff\"");
}

static void only_pending_tasks_wait_for_something(void **state) {
  (void)state;
  struct task task = minimal();
  assert_true(str_eq(shown_waiting(&CONTEXT, &task), STR("start")));
  task.waiting = WAIT_RETRY;
  assert_true(str_eq(shown_waiting(&CONTEXT, &task), STR("retry")));
  task.status = TASK_COMPLETED;
  assert_true(str_is_none(shown_waiting(&CONTEXT, &task)));
}

static void an_error_without_words_has_nulls(void **state) {
  (void)state;
  struct task task = minimal();
  encode_error(&buf, &task);
  assert_json("null");
  task.error_code = STR("failed");
  encode_error(&buf, &task);
  assert_json("{\"code\":\"failed\",\"message\":null,\"detail\":null}");
}

static void an_event_tells_what_happened(void **state) {
  (void)state;
  struct event event = {.seq = 7, .kind = EVENT_QUEUE_PAUSED, .at = 8, .queue = STR("q")};
  encode_event(&buf, &event);
  assert_json(
      "{\"seq\":7,\"event\":\"queue.paused\",\"at\":8,\"taskId\":null,\"queue\":\"q\","
      "\"type\":null,\"attempt\":0,\"actor\":null,\"worker\":null,\"note\":null,\"text\":null,"
      "\"progress\":null}");
  event = (struct event){.seq = 9,
                         .kind = EVENT_PROGRESS,
                         .at = 10,
                         .task = ID,
                         .queue = STR("q"),
                         .type = STR("t"),
                         .attempt = 2,
                         .progress = 0,
                         .actor = STR("key:x"),
                         .worker = STR("w"),
                         .note = STR("one"),
                         .text = STR("the \x01")};
  encode_event(&buf, &event);
  assert_json("{\"seq\":9,\"event\":\"task.progress\",\"at\":10,\"taskId\":" ID_JSON
              ",\"queue\":\"q\",\"type\":\"t\",\"attempt\":2,\"actor\":\"key:x\",\"worker\":\"w\","
              "\"note\":\"one\",\"text\":\"the \\u0001\",\"progress\":0}");
}

static void a_live_event_tells_what_became_of_its_task(void **state) {
  (void)state;
  const struct encode_context session = {.session_key = STR("s")};
  struct event event = {.seq = 7,
                        .kind = EVENT_ABANDONED,
                        .at = 8,
                        .task = ID,
                        .queue = STR("q"),
                        .type = STR("t"),
                        .attempt = 1,
                        .progress = 40};
#define ABANDONED                                                                                  \
  "{\"seq\":7,\"event\":\"task.abandoned\",\"at\":8,\"taskId\":" ID_JSON                           \
  ",\"queue\":\"q\",\"type\":\"t\",\"attempt\":1,\"actor\":null,\"worker\":null,\"note\":null,"    \
  "\"text\":null,\"progress\":40,\"status\":"
  encode_event_live(&buf, &CONTEXT, &event);
  assert_json(ABANDONED "\"abandoned\"}");
  encode_event_live(&buf, &session, &event);
  assert_json(ABANDONED "\"failed\",\"durable\":false}");
#undef ABANDONED
  event = (struct event){.seq = 9, .kind = EVENT_QUEUE_PAUSED, .at = 8, .queue = STR("q")};
  encode_event_live(&buf, &CONTEXT, &event);
  assert_json(
      "{\"seq\":9,\"event\":\"queue.paused\",\"at\":8,\"taskId\":null,\"queue\":\"q\","
      "\"type\":null,\"attempt\":0,\"actor\":null,\"worker\":null,\"note\":null,\"text\":null,"
      "\"progress\":null,\"status\":null}");
}

static void a_backoff_is_written_as_it_is_read(void **state) {
  (void)state;
  struct backoff backoff = {.kind = BACKOFF_FIXED, .delay_ms = 0};
  encode_backoff(&buf, &backoff);
  assert_json("null");
  backoff = (struct backoff){BACKOFF_FIXED, 5, 6, 100};
  encode_backoff(&buf, &backoff);
  assert_json("{\"type\":\"fixed\",\"delayMs\":5,\"maxDelayMs\":6,\"jitter\":1.00}");
  backoff = (struct backoff){BACKOFF_EXPONENTIAL, 1000, 3600000, 20};
  encode_backoff(&buf, &backoff);
  assert_json("{\"type\":\"exponential\",\"delayMs\":1000,\"maxDelayMs\":3600000,\"jitter\":0.20}");
}

static void counts_are_summed_over_all_statuses(void **state) {
  (void)state;
  struct tally tally = {.count = {1, 2, 3, 4, 5, 6}, .ready = 1};
  buf_char(&buf, '{');
  encode_counts(&buf, &tally);
  buf_char(&buf, '}');
  assert_json(
      "{\"total\":21,\"pending\":1,\"running\":2,\"completed\":3,\"failed\":4,\"cancelled\":5,"
      "\"abandoned\":6,\"ready\":1}");
}

#define ENCODE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      ENCODE_TEST(what_a_task_does_not_have_is_null),
      ENCODE_TEST(every_field_stands_in_its_place_and_the_callers_bytes_stay),
      ENCODE_TEST(parts_that_are_not_wanted_are_left_out),
      ENCODE_TEST(a_claimed_task_ends_with_its_token),
      ENCODE_TEST(a_minimal_answer_has_id_and_status),
      ENCODE_TEST(a_token_has_16_digits),
      ENCODE_TEST(only_pending_tasks_wait_for_something),
      ENCODE_TEST(an_error_without_words_has_nulls),
      ENCODE_TEST(an_event_tells_what_happened),
      ENCODE_TEST(a_live_event_tells_what_became_of_its_task),
      ENCODE_TEST(a_backoff_is_written_as_it_is_read),
      ENCODE_TEST(counts_are_summed_over_all_statuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
