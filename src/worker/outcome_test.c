// outcome_test.c: what exit statuses and printed bytes mean for a task.
#include "worker/outcome.h"
#include "worker/testing_texts.h"

#include "base/mem.h"
#include "model/limits.h"

#include <signal.h>
#include <sys/wait.h>

static struct outcome ended(int wait_status, const char *out, const char *err) {
  return outcome_of_exit(&the_arena, wait_status, str_of(out), str_of(err));
}

static void json_stays_as_it_is_and_text_becomes_a_string(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"", "null"},
      {"\n", "null"},
      {" \t\r\n\n", "null"},
      {"{\"a\": 1}\n", "{\"a\": 1}"},
      {"42", "42"},
      {"\"quoted\"", "\"quoted\""},
      {"hello\n", "\"hello\""},
      {" two\nlines \r\n\n", "\" two\\nlines \""},
      {"{\"a\":}", "\"{\\\"a\\\":}\""},
      {"1 2", "\"1 2\""},
      {"a\xff", "\"a\xef\xbf\xbd\""},
      {"tab\there", "\"tab\\there\""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    check_str(outcome_result(&the_arena, str_of(rows[i][0])), rows[i][1]);
}

static void exit_0_completes(void **state) {
  (void)state;
  struct outcome o = ended(W_EXITCODE(0, 0), "7\n", "noise\n");
  assert_int_equal(o.kind, OUTCOME_COMPLETED);
  check_str(o.result, "7");
}

static void exit_75_asks_for_a_retry(void **state) {
  (void)state;
  struct outcome o = ended(W_EXITCODE(75, 0), "ignored", "try later");
  assert_int_equal(o.kind, OUTCOME_RETRY);
  assert_string_equal(o.code, "exit_75");
  check_str(o.message, "try later");
}

static void every_other_exit_fails_for_good(void **state) {
  (void)state;
  for (int code = 1; code < 256; code++) {
    if (code == 75) continue;
    struct outcome o = ended(W_EXITCODE(code, 0), "", "why");
    assert_int_equal(o.kind, OUTCOME_FAILED);
    assert_string_equal(o.code, arena_printf(&the_arena, "exit_%d", code).at);
  }
}

static void a_signal_fails_for_good_by_its_name(void **state) {
  (void)state;
  struct outcome o = ended(W_EXITCODE(0, SIGKILL), "", "");
  assert_int_equal(o.kind, OUTCOME_FAILED);
  assert_string_equal(o.code, "signal_KILL");
  check_str(o.message, "the program ended with signal_KILL and wrote nothing to stderr");
  assert_string_equal(ended(W_EXITCODE(0, SIGRTMIN + 1), "", "").code, "signal_35");
}

static void a_long_message_keeps_its_end_and_whole_characters(void **state) {
  (void)state;
  struct str text = STR("");
  for (int i = 0; i < 100; i++)
    text = arena_printf(&the_arena, "%s%03d äöüäöüäöüäöüäöü\xff\n", text.at, i);
  struct outcome o = outcome_of_exit(&the_arena, W_EXITCODE(1, 0), STR(""), text);
  assert_true(o.message.len <= LIMIT_TEXT_BYTES && o.message.len > LIMIT_TEXT_BYTES - 4);
  struct str tail = STR("\xef\xbf\xbd\n");
  assert_memory_equal(o.message.at + o.message.len - tail.len, tail.at, tail.len);
  assert_int_not_equal((unsigned char)o.message.at[0] & 0xc0, 0x80);
}

static void a_result_over_the_limit_fails_for_good(void **state) {
  (void)state;
  char *text = mem_alloc(OUTCOME_RESULT_BYTES_MAX + 1);
  memset(text, '1', OUTCOME_RESULT_BYTES_MAX + 1);
  struct str all = {text, OUTCOME_RESULT_BYTES_MAX + 1}, most = {text, OUTCOME_RESULT_BYTES_MAX};
  struct outcome o = outcome_of_exit(&the_arena, 0, all, STR(""));
  assert_int_equal(o.kind, OUTCOME_FAILED);
  assert_string_equal(o.code, "result_too_large");
  assert_int_equal(outcome_of_exit(&the_arena, 0, most, STR("")).kind, OUTCOME_COMPLETED);
  memset(text, '\n', 1);
  memset(text + 1, '"', OUTCOME_RESULT_BYTES_MAX / 2);  // fits only before it is escaped
  most.len = OUTCOME_RESULT_BYTES_MAX / 2 + 1;
  assert_string_equal(outcome_of_exit(&the_arena, 0, most, STR("")).code, "result_too_large");
  mem_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(json_stays_as_it_is_and_text_becomes_a_string),
      cmocka_unit_test(exit_0_completes),
      cmocka_unit_test(exit_75_asks_for_a_retry),
      cmocka_unit_test(every_other_exit_fails_for_good),
      cmocka_unit_test(a_signal_fails_for_good_by_its_name),
      cmocka_unit_test(a_long_message_keeps_its_end_and_whole_characters),
      cmocka_unit_test(a_result_over_the_limit_fails_for_good),
  };
  return cmocka_run_group_tests(tests, a_fresh_arena, the_arena_freed);
}
