// demo_test.c: what the demo types report on their way, and what they give in the end.
#include "worker/demo.h"

#include "worker/testing.h"

static struct outcome run(struct stand *s, const char *type, struct str payload) {
  s->claim.type = str_of(type);
  s->claim.payload = payload;
  stand_begin(s, 30000);
  struct outcome outcome = demo_run(NULL, &s->attempt);
  (void)stand_end(s);
  return outcome;
}

static void each_type_gives_its_result(void **state) {
  struct stand *s = *state;
  static const struct {
    const char *type, *payload, *result;
  } rows[] = {
      {"sample", "{\"delayMs\":0}",
       "{\"message\":\"Sample task completed\",\"steps\":5,\"description\":null,\"durationMs\":0,"
       "\"simulated\":true}"},
      {"file-processing", "{\"delayMs\":1,\"filePath\":\"/a \\\"b\\\"\",\"fileSize\":12}",
       "{\"message\":\"File processed\",\"filePath\":\"/a \\\"b\\\"\",\"fileSize\":12,"
       "\"bytesProcessed\":12,\"description\":null,\"durationMs\":1,\"simulated\":true}"},
      {"api-call", "{\"delayMs\":0,\"endpoint\":\"/x\",\"data\":{\"k\":[1]},\"description\":\"d\"}",
       "{\"message\":\"API call completed\",\"endpoint\":\"/x\",\"statusCode\":200,"
       "\"response\":{\"ok\":true,\"echo\":{\"k\":[1]}},\"description\":\"d\",\"durationMs\":0,"
       "\"simulated\":true}"},
      {"batch", "{\"delayMs\":0,\"items\":[\"a\",{\"b\":2}]}",
       "{\"message\":\"Batch completed\",\"items\":[{\"item\":\"a\",\"status\":\"done\"},"
       "{\"item\":{\"b\":2},\"status\":\"done\"}],\"processed\":2,\"failed\":0,"
       "\"description\":null,\"durationMs\":0,\"simulated\":true}"},
      {"batch", "{\"delayMs\":0,\"items\":[]}",
       "{\"message\":\"Batch completed\",\"items\":[],\"processed\":0,\"failed\":0,"
       "\"description\":null,\"durationMs\":0,\"simulated\":true}"},
      {"sendMessage", "{\"delayMs\":0,\"message\":[\"m\"]}",
       "{\"message\":\"Message sent\",\"sent\":[\"m\"],\"description\":null,\"durationMs\":0,"
       "\"simulated\":true}"},
      {"processVoice", "{\"delayMs\":0,\"filePath\":\"/a.wav\"}",
       "{\"message\":\"Voice processed\",\"filePath\":\"/a.wav\","
       "\"transcript\":\"This is where the words would be.\",\"description\":null,"
       "\"durationMs\":0,\"simulated\":true}"},
      {"processVoice", "{\"delayMs\":0}",
       "{\"message\":\"Voice processed\",\"filePath\":null,"
       "\"transcript\":\"This is where the words would be.\",\"description\":null,"
       "\"durationMs\":0,\"simulated\":true}"},
      {"dummy", "{\"delayMinSec\":0,\"delayMaxSec\":0}",
       "{\"message\":\"Dummy job completed\",\"waitedSeconds\":0.000,\"description\":null,"
       "\"durationMs\":0,\"simulated\":true}"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct outcome outcome = run(s, rows[i].type, str_of(rows[i].payload));
    assert_int_equal(outcome.kind, OUTCOME_COMPLETED);
    check_str(outcome.result, rows[i].result);
  }
}

static void what_a_worker_takes_without_being_told_is_what_it_can_do(void **state) {
  struct stand *s = *state;
  for (size_t i = 0; demo_types[i]; i++) {
    struct outcome outcome = run(s, demo_types[i], STR("[1]"));
    assert_string_equal(outcome.code, "bad_payload");
  }
}

static void a_message_goes_out_in_its_brief_time_when_none_is_named(void **state) {
  struct stand *s = *state;
  int64_t began_us = clock_mono_us();
  struct outcome outcome = run(s, "sendMessage", STR("null"));
  check_says(arena_cstr(&s->arena, outcome.result),
             "\"sent\":null,\"description\":null,\"durationMs\":200");
  assert_true(clock_mono_us() - began_us >= 200 * 1000);
  check_says(desk_told(s->desk, "/logs", 1), "\"pretending to send null\"");
}

static void a_file_without_a_size_is_of_a_mebibyte(void **state) {
  struct stand *s = *state;
  struct outcome outcome = run(s, "file-processing", STR("{\"delayMs\":0,\"filePath\":\"f\"}"));
  check_says(arena_cstr(&s->arena, outcome.result), "\"fileSize\":1048576,");
  check_says(desk_told(s->desk, "/logs", 1), "f\"");
}

enum { ITEMS = 3 };

// Runs a batch that takes so long; how many of its reports came. They came in order, the last one
// for certain.
static int batch_reports(struct stand *s, int delay_ms) {
  static const char *const reports[ITEMS] = {
      "\"progress\":0,\"currentStep\":\"Item 1 of 3\",\"currentStepDescription\":\"one\"",
      "\"progress\":33,\"currentStep\":\"Item 2 of 3\","
      "\"currentStepDescription\":\"{\\\"n\\\":2}\"",
      "\"progress\":66,\"currentStep\":\"Item 3 of 3\",\"currentStepDescription\":\"three\""};
  int before = desk_count(s->desk, "/progress"), item = 0;
  struct str payload =
      arena_printf(&s->arena, "{\"delayMs\":%d,\"items\":[\"one\",{\"n\":2},\"three\"]}", delay_ms);
  assert_int_equal(run(s, "batch", payload).kind, OUTCOME_COMPLETED);
  int came = desk_count(s->desk, "/progress") - before;
  for (int i = 1; i <= came; i++) {
    const char *body = desk_told(s->desk, "/progress", before + i);
    while (item < ITEMS && !strstr(body, reports[item])) item++;
    if (item++ == ITEMS) fail_msg("this is no report of an item, or too late: %s", body);
  }
  assert_int_equal(item, ITEMS);
  return came;
}

// Of reports within a short time only the last is sent: a machine that is too slow for one batch
// gets one that takes longer.
static void a_batch_reports_item_by_item(void **state) {
  struct stand *s = *state;
  for (int delay_ms = 900; batch_reports(s, delay_ms) < ITEMS; delay_ms *= 2)
    assert_true(delay_ms < PATIENCE_MS);
}

static void a_payload_that_cannot_be_used_fails_for_good_and_says_why(void **state) {
  struct stand *s = *state;
  static const char *const rows[][3] = {
      {"sample", "7", "the payload must be an object"},
      {"sample", "{\"delayMs\":-1}", "delayMs must be a whole number from 0 to 600000"},
      {"file-processing", "{}", "filePath is missing"},
      {"api-call", "{}", "endpoint is missing"},
      {"batch", "{}", "items is missing"},
      {"dummy", "{\"delayMinSec\":3,\"delayMaxSec\":2}",
       "delayMaxSec must not be below delayMinSec"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct outcome outcome = run(s, rows[i][0], str_of(rows[i][1]));
    assert_int_equal(outcome.kind, OUTCOME_FAILED);
    assert_string_equal(outcome.code, "bad_payload");
    check_str(outcome.message, rows[i][2]);
  }
}

static void a_type_that_nobody_knows_fails_for_good(void **state) {
  struct stand *s = *state;
  struct outcome outcome = run(s, "fly.to/the-moon", STR("null"));
  assert_int_equal(outcome.kind, OUTCOME_FAILED);
  assert_string_equal(outcome.code, "unknown_task_type");
  check_str(outcome.message, "Unknown task type: fly.to/the-moon");
}

static void a_payload_too_large_for_the_result_fails_for_good(void **state) {
  struct stand *s = *state;
  struct str head = STR("{\"delayMs\":0,\"endpoint\":\"e\",\"data\":\""), tail = STR("\"}");
  struct buf b;
  buf_init(&b, 2 << 20);
  buf_put(&b, head);
  for (int i = 0; i < OUTCOME_RESULT_BYTES_MAX; i++) buf_char(&b, 'x');
  buf_put(&b, tail);
  struct outcome outcome = run(s, "api-call", buf_str(&b));
  assert_int_equal(outcome.kind, OUTCOME_FAILED);
  check_str(outcome.message, "the payload is too large to be shown in the result");
  buf_fini(&b);
}

static void every_type_stops_when_it_is_cancelled(void **state) {
  struct stand *s = *state;
  static const char *const rows[][2] = {
      {"sample", "{\"delayMs\":600000}"},
      {"file-processing", "{\"delayMs\":600000,\"filePath\":\"f\"}"},
      {"api-call", "{\"delayMs\":600000,\"endpoint\":\"e\"}"},
      {"batch", "{\"delayMs\":600000,\"items\":[1,2]}"},
      {"sendMessage", "{\"delayMs\":600000}"},
      {"processVoice", "{\"delayMs\":600000}"},
      {"dummy", "{\"delayMinSec\":600}"},
  };
  desk_says(s->desk, "/progress", ALWAYS, 200, CANCEL_ASKED);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct outcome outcome = run(s, rows[i][0], str_of(rows[i][1]));
    assert_int_equal(outcome.kind, OUTCOME_FAILED);
    assert_string_equal(outcome.code, "cancelled");
  }
}

int main(void) {
#define AT_A_STAND(name) cmocka_unit_test_setup_teardown(name, stand_up, stand_down)
  const struct CMUnitTest tests[] = {
      AT_A_STAND(each_type_gives_its_result),
      AT_A_STAND(what_a_worker_takes_without_being_told_is_what_it_can_do),
      AT_A_STAND(a_message_goes_out_in_its_brief_time_when_none_is_named),
      AT_A_STAND(a_file_without_a_size_is_of_a_mebibyte),
      AT_A_STAND(a_batch_reports_item_by_item),
      AT_A_STAND(a_payload_that_cannot_be_used_fails_for_good_and_says_why),
      AT_A_STAND(a_type_that_nobody_knows_fails_for_good),
      AT_A_STAND(a_payload_too_large_for_the_result_fails_for_good),
      AT_A_STAND(every_type_stops_when_it_is_cancelled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
