// conn_test.c: what a statement that fails says, and when.
#include "store/sqlite/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/sqlite/sums.h"

static void a_statement_that_could_not_be_prepared_still_fails_after_others_succeeded(
    void **state) {
  (void)state;
  struct conn c;
  struct fault why = {0};
  assert_int_equal(sqlite_conn_open(&c, NULL, SQLITE_SUMS_VFS, CONN_MEMORY, 100, &why), ERR_OK);
  struct use bad = sqlite_use(&c, QUERY_log_drop);  // there is no such table
  use_i64(&bad, 1);
  use_i64(&bad, 1);
  assert_int_equal(sqlite_conn_exec(&c, "SELECT 1", &why), ERR_OK);
  assert_int_equal(sqlite_use_run(&bad, &why), ERR_INTERNAL);
  sqlite_conn_close(&c);
}

static void a_binding_that_failed_is_told_when_the_statement_runs(void **state) {
  (void)state;
  struct conn c;
  struct fault why = {0};
  assert_int_equal(sqlite_conn_open(&c, NULL, SQLITE_SUMS_VFS, CONN_MEMORY, 100, &why), ERR_OK);
  struct use u = sqlite_use(&c, QUERY_begin);
  use_i64(&u, 1);  // it has no mark to bind
  assert_int_equal(sqlite_conn_exec(&c, "SELECT 1", &why), ERR_OK);
  assert_int_equal(sqlite_use_run(&u, &why), ERR_INTERNAL);
  sqlite_conn_close(&c);
}

// Whatever is bound behind a binding that failed is left out: the first failure is what is told.
static void what_is_bound_behind_a_binding_that_failed_is_left_out(void **state) {
  (void)state;
  struct conn c;
  struct fault why = {0};
  assert_int_equal(sqlite_conn_open(&c, NULL, SQLITE_SUMS_VFS, CONN_MEMORY, 100, &why), ERR_OK);
  struct use u = sqlite_use(&c, QUERY_begin);
  use_i64(&u, 1);
  int failed = u.failed;
  assert_int_not_equal(failed, SQLITE_OK);
  use_i64(&u, 1);
  use_text(&u, STR("text"));
  use_blob(&u, "blob", 4);
  assert_int_equal(u.failed, failed);
  assert_int_equal(u.bound, 1);
  assert_int_equal(sqlite_use_run(&u, &why), ERR_INTERNAL);
  sqlite_conn_close(&c);
}

static void a_read_is_late_past_its_limit_and_never_without_one(void **state) {
  (void)state;
  struct conn c;
  struct fault why = {0};
  assert_int_equal(sqlite_conn_open(&c, NULL, SQLITE_SUMS_VFS, CONN_MEMORY, 100, &why), ERR_OK);
  assert_false(sqlite_conn_late(&c));
  sqlite_conn_limit(&c, 3600000);
  assert_false(sqlite_conn_late(&c));
  c.limit_us = 1;
  assert_true(sqlite_conn_late(&c));
  sqlite_conn_limit(&c, 0);
  assert_false(sqlite_conn_late(&c));
  sqlite_conn_close(&c);
}

// Of a file that ours has no word of, and of a store in memory that has reached its size.
static void an_error_says_what_has_run_out(void **state) {
  (void)state;
  struct conn c;
  struct fault why = {0};
  assert_int_equal(sqlite_conn_open(&c, NULL, SQLITE_SUMS_VFS, CONN_MEMORY, 100, &why), ERR_OK);
  assert_int_equal(sqlite_conn_exec(&c, "CREATE TABLE t(body)", &why), ERR_OK);
  assert_int_equal(sqlite_conn_bound(&c, 10 * 4096, &why), ERR_OK);
  assert_int_equal(sqlite_conn_exec(&c, "INSERT INTO t VALUES (zeroblob(1 << 20))", &why),
                   ERR_DISK_FULL);
  assert_string_equal(why.detail, "this store in memory has reached its size; nothing was changed");
  assert_int_equal(sqlite_conn_exec(&c, "no statement", &why), ERR_INTERNAL);
  assert_non_null(strstr(why.detail, "syntax error (code 1)"));
  sqlite_conn_close(&c);
}

int main(void) {
  sqlite3_initialize();
  sqlite_sums_setup();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_statement_that_could_not_be_prepared_still_fails_after_others_succeeded),
      cmocka_unit_test(a_binding_that_failed_is_told_when_the_statement_runs),
      cmocka_unit_test(what_is_bound_behind_a_binding_that_failed_is_left_out),
      cmocka_unit_test(a_read_is_late_past_its_limit_and_never_without_one),
      cmocka_unit_test(an_error_says_what_has_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
