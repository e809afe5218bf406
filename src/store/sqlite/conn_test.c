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

int main(void) {
  sqlite3_initialize();
  sqlite_sums_setup();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_statement_that_could_not_be_prepared_still_fails_after_others_succeeded),
      cmocka_unit_test(a_binding_that_failed_is_told_when_the_statement_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
