// error_test.c: which errors heal, which mean "load and decide again", and that none ends the
// process.
#include "store/postgres/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void each_code_means_what_its_callers_must_do(void **state) {
  (void)state;
  static const struct {
    const char *sqlstate;
    enum err err;
  } cases[] = {
      {"40001", ERR_CONFLICT},    {"40P01", ERR_CONFLICT},
      {"23505", ERR_CONFLICT},    {"22012", ERR_CONFLICT},
      {"55P03", ERR_CONFLICT},    {"53100", ERR_DISK_FULL},
      {"53200", ERR_UNAVAILABLE}, {"53300", ERR_UNAVAILABLE},
      {"08006", ERR_UNAVAILABLE}, {"25006", ERR_UNAVAILABLE},
      {"25P03", ERR_UNAVAILABLE}, {"28P01", ERR_UNAVAILABLE},
      {"3D000", ERR_UNAVAILABLE}, {"42501", ERR_UNAVAILABLE},
      {"57014", ERR_UNAVAILABLE}, {"57P01", ERR_UNAVAILABLE},
      {"57P02", ERR_UNAVAILABLE}, {"57P03", ERR_UNAVAILABLE},
      {"58030", ERR_UNAVAILABLE}, {"XX000", ERR_UNAVAILABLE},
      {"XX001", ERR_UNAVAILABLE}, {"XX002", ERR_UNAVAILABLE},
      {"", ERR_UNAVAILABLE},      {"42601", ERR_INTERNAL},  // a statement of ours that is wrong
      {"23502", ERR_INTERNAL},    {"22021", ERR_INTERNAL},
      {"40002", ERR_INTERNAL},  // not every code of a class means the same
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(pg_error_means(cases[i].sqlstate, false), cases[i].err);
    if (strcmp(cases[i].sqlstate, "57014") != 0)
      assert_int_equal(pg_error_means(cases[i].sqlstate, true), cases[i].err);
  }
}

static void a_read_that_is_cancelled_ran_past_its_deadline(void **state) {
  (void)state;
  assert_int_equal(pg_error_means("57014", true), ERR_SCAN_LIMIT);
}

static void a_session_that_cannot_serve_any_more_is_left(void **state) {
  (void)state;
  assert_true(pg_error_ends_session("25006"));  // a standby now
  assert_true(pg_error_ends_session("26000"));  // our prepared statements are gone
  assert_true(pg_error_ends_session("42P05"));  // or were not ours
  assert_true(pg_error_ends_session("0A000"));  // or do not fit the tables any more
  assert_false(pg_error_ends_session("40001"));
  assert_false(pg_error_ends_session("57014"));
  assert_false(pg_error_ends_session(""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_code_means_what_its_callers_must_do),
      cmocka_unit_test(a_read_that_is_cancelled_ran_past_its_deadline),
      cmocka_unit_test(a_session_that_cannot_serve_any_more_is_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
