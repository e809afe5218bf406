// error_test.c: which errors end the process, which heal, and which mean "load and decide again".
#include "store/sqlite/error.h"

#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void each_code_means_what_its_callers_must_do(void **state) {
  (void)state;
  static const struct {
    int code, os_error;
    enum err err;
  } cases[] = {
      {SQLITE_OK, 0, ERR_OK},
      {SQLITE_ROW, 0, ERR_OK},
      {SQLITE_DONE, 0, ERR_OK},
      {SQLITE_FULL, 0, ERR_DISK_FULL},
      {SQLITE_IOERR_WRITE, ENOSPC, ERR_DISK_FULL},
      {SQLITE_IOERR_WRITE, EDQUOT, ERR_DISK_FULL},
      {SQLITE_IOERR_SHMSIZE, EFBIG, ERR_DISK_FULL},
      {SQLITE_IOERR_WRITE, EIO, ERR_STORE_BROKEN},
      {SQLITE_IOERR_READ, 0, ERR_STORE_BROKEN},
      {SQLITE_IOERR_FSYNC, EIO, ERR_STORE_BROKEN},
      {SQLITE_IOERR_FSYNC, ENOSPC, ERR_STORE_BROKEN},  // a sync that failed is never tried again
      {SQLITE_CORRUPT_INDEX, 0, ERR_STORE_BROKEN},
      {SQLITE_NOTADB, 0, ERR_STORE_BROKEN},
      {SQLITE_CONSTRAINT_UNIQUE, 0, ERR_CONFLICT},
      {SQLITE_CONSTRAINT_PRIMARYKEY, 0, ERR_CONFLICT},
      {SQLITE_CONSTRAINT_NOTNULL, 0, ERR_INTERNAL},
      {SQLITE_BUSY, 0, ERR_UNAVAILABLE},
      {SQLITE_CANTOPEN_ISDIR, 0, ERR_UNAVAILABLE},
      {SQLITE_READONLY_ROLLBACK, 0, ERR_UNAVAILABLE},
      {SQLITE_INTERRUPT, 0, ERR_SCAN_LIMIT},
      {SQLITE_MISUSE, 0, ERR_INTERNAL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(sqlite_error_means(cases[i].code, cases[i].os_error), cases[i].err);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_code_means_what_its_callers_must_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
