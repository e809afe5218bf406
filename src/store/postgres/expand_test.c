// expand_test.c: the words between @ signs in statements, and what none of them may say.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/postgres/conn.h"

static struct buf text;

static const char *const statements[QUERY_COUNT] = {
#define SQL(name, text) text,
#include "store/postgres/queries.def"
#undef SQL
};

static int start(void **state) {
  (void)state;
  buf_init(&text, 1 << 16);
  return 0;
}

static int stop(void **state) {
  (void)state;
  buf_fini(&text);
  return 0;
}

static const char *expanded(const char *sql) {
  buf_clear(&text);
  pg_expand(&text, STR("yard"), sql);
  buf_char(&text, '\0');
  return text.at;
}

static bool begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

static bool ends(const char *s, const char *with) {
  return strlen(s) >= strlen(with) && strcmp(s + strlen(s) - strlen(with), with) == 0;
}

static int count(const char *s, const char *what) {
  int n = 0;
  for (; (s = strstr(s, what)) != NULL; s++) n++;
  return n;
}

enum {
  COLUMNS_STATE = 0
#define I_STATE 1
#define I_INPUT 0
#define COLUMN(column, field, kind, group, meaning) +I_##group
#include "store/task.def"
#undef COLUMN
  ,
  COLUMNS_INPUT = 0
#define COLUMN(column, field, kind, group, meaning) +1 - I_##group
#include "store/task.def"
#undef COLUMN
};

static void text_without_words_stays(void **state) {
  (void)state;
  assert_string_equal(expanded("SELECT $1::bigint"), "SELECT $1::bigint");
  assert_string_equal(expanded(""), "");
}

static void the_schema_is_named(void **state) {
  (void)state;
  assert_string_equal(expanded("SELECT 1 FROM @schema@.live, @schema@.done"),
                      "SELECT 1 FROM yard.live, yard.done");
}

static void columns_are_listed_in_the_order_of_the_table(void **state) {
  (void)state;
  const char *s = expanded("(@state_columns@)");
  assert_true(begins(s, "(status, waiting, revision, "));
  assert_true(ends(s, ", tags, metadata)"));
  assert_int_equal(count(s, ", "), COLUMNS_STATE - 1);
  s = expanded("@input_columns@");
  assert_true(begins(s, "attempts_grant, created_at, backoff_kind, "));
  assert_true(ends(s, ", subject, unique_key"));
  assert_int_equal(count(s, ", "), COLUMNS_INPUT - 1);
}

static void columns_may_be_of_a_table(void **state) {
  (void)state;
  const char *s = expanded("@state_columns l@, @input_columns t@");
  assert_true(begins(s, "l.status, l.waiting, "));
  assert_true(ends(s, ", t.subject, t.unique_key"));
  assert_int_equal(count(s, "l."), COLUMNS_STATE);
  assert_int_equal(count(s, "t."), COLUMNS_INPUT);
}

static void sets_take_from_a_table(void **state) {
  (void)state;
  const char *s = expanded("SET @state_sets u@ FROM");
  assert_true(begins(s, "SET status = u.status, waiting = u.waiting, "));
  assert_true(ends(s, ", metadata = u.metadata FROM"));
  assert_null(strstr(s, "created_at"));
}

static void statuses_are_columns(void **state) {
  (void)state;
  assert_string_equal(expanded("@status_columns@"),
                      "pending, running, completed, failed, cancelled, abandoned");
  assert_true(begins(expanded("@status_columns m@"), "m.pending, m.running, "));
}

// Its commit would hold a lock that all share who notify; the thread of the news alone does.
static void one_statement_notifies_and_it_is_of_no_unit(void **state) {
  (void)state;
  for (enum query q = 0; q < QUERY_COUNT; q++)
    assert_int_equal(strcasestr(statements[q], "notify") != NULL, q == QUERY_notice_send);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_without_words_stays),
      cmocka_unit_test(the_schema_is_named),
      cmocka_unit_test(columns_are_listed_in_the_order_of_the_table),
      cmocka_unit_test(columns_may_be_of_a_table),
      cmocka_unit_test(sets_take_from_a_table),
      cmocka_unit_test(statuses_are_columns),
      cmocka_unit_test(one_statement_notifies_and_it_is_of_no_unit),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
