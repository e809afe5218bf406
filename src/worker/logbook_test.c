// logbook_test.c: log lines wait in their order, within bounds, until they were sent.
#include "worker/logbook.h"

#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct logbook *book;
static struct arena a;

static int an_empty_logbook(void **state) {
  (void)state;
  book = mem_zero(sizeof *book);
  logbook_init(book);
  arena_init(&a, 1 << 16);
  return 0;
}

static int all_freed(void **state) {
  (void)state;
  logbook_fini(book);
  mem_free(book);
  arena_fini(&a);
  return 0;
}

static void with_lines(int64_t count) {
  for (int64_t i = 0; i < count; i++) logbook_add(book, arena_printf(&a, "line %d", (int)i));
}

// How many strings a batch holds; it must be JSON.
static int64_t size_of(struct str batch) {
  struct str text = arena_printf(&a, "[%.*s]", STR_FMT(batch)), value, key, line;
  struct json_error error;
  assert_true(json_check(text, &value, &error));
  int64_t count = 0;
  struct json_walk lines = json_walk(value);
  while (json_next(&lines, &key, &line)) count++;
  return count;
}

static void a_batch_holds_the_oldest_lines_as_json(void **state) {
  (void)state;
  logbook_add(book, STR("say \"hi\""));
  logbook_add(book, STR("bad \xff\0 bytes"));
  int64_t end = 0;
  struct str batch = logbook_batch(book, &a, &end);
  assert_string_equal(batch.at, "\"say \\\"hi\\\"\",\"bad \xef\xbf\xbd\xef\xbf\xbd bytes\"");
  assert_int_equal(logbook_count(book), 2);
  logbook_sent(book, end);
  assert_int_equal(logbook_count(book), 0);
}

static void a_batch_keeps_to_the_lines_of_one_request(void **state) {
  (void)state;
  with_lines(LIMIT_LOG_LINES_REQUEST + 5);
  int64_t end = 0;
  assert_int_equal(size_of(logbook_batch(book, &a, &end)), LIMIT_LOG_LINES_REQUEST);
  logbook_sent(book, end);
  assert_int_equal(size_of(logbook_batch(book, &a, &end)), 5);
}

static void a_batch_stays_under_the_body_limit_whatever_the_lines_hold(void **state) {
  (void)state;
  char line[LIMIT_LOG_LINE_BYTES];
  memset(line, 1, sizeof line);  // each byte is written as \u0001
  for (int i = 0; i < LIMIT_LOG_LINES_REQUEST; i++)
    logbook_add(book, (struct str){line, sizeof line});
  int64_t end = 0, batches = 0, bytes_max = 0;
  for (; logbook_count(book) > 0; batches++) {
    struct str batch = logbook_batch(book, &a, &end);
    if ((int64_t)batch.len > bytes_max) bytes_max = (int64_t)batch.len;
    logbook_sent(book, end);
  }
  assert_true(batches > 1);
  assert_true(bytes_max < LIMIT_BODY_BYTES / 2);
}

static void past_the_bound_the_oldest_go_and_a_line_tells(void **state) {
  (void)state;
  with_lines(LIMIT_LOG_LINES + 3);
  assert_int_equal(logbook_count(book), LIMIT_LOG_LINES);
  int64_t end = 0;
  struct str batch = logbook_batch(book, &a, &end);
  assert_non_null(strstr(batch.at, "[3 lines were dropped here"));
  assert_non_null(strstr(batch.at, "\"line 3\""));
  assert_int_equal(size_of(batch), LIMIT_LOG_LINES_REQUEST);
  logbook_sent(book, end);
  assert_null(strstr(logbook_batch(book, &a, &end).at, "dropped"));
}

static void lines_dropped_while_a_batch_was_on_its_way_do_no_harm(void **state) {
  (void)state;
  with_lines(LIMIT_LOG_LINES);
  int64_t end = 0;
  (void)logbook_batch(book, &a, &end);
  with_lines(LIMIT_LOG_LINES / 2);
  logbook_sent(book, end);
  assert_int_equal(logbook_count(book), LIMIT_LOG_LINES);
  logbook_clear(book);
  assert_int_equal(logbook_count(book), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, an_empty_logbook, all_freed)
  const struct CMUnitTest tests[] = {
      TEST(a_batch_holds_the_oldest_lines_as_json),
      TEST(a_batch_keeps_to_the_lines_of_one_request),
      TEST(a_batch_stays_under_the_body_limit_whatever_the_lines_hold),
      TEST(past_the_bound_the_oldest_go_and_a_line_tells),
      TEST(lines_dropped_while_a_batch_was_on_its_way_do_no_harm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
