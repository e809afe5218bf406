// err_test.c: the error table and faults.
#include "base/err.h"

#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_row_has_a_status_a_code_and_a_title(void **state) {
  (void)state;
  for (enum err err = ERR_OK; err < ERR_COUNT; err++) {
    assert_in_range(err_http_status(err), 200, 599);
    assert_true(strspn(err_code(err), "abcdefghijklmnopqrstuvwxyz_") == strlen(err_code(err)));
    assert_true(strlen(err_title(err)) > 0);
  }
  assert_int_equal(err_http_status(ERR_LEASE_LOST), 409);
  assert_string_equal(err_code(ERR_LEASE_LOST), "lease_lost");
}

static void codes_are_unique(void **state) {
  (void)state;
  for (enum err a = ERR_OK; a < ERR_COUNT; a++)
    for (enum err b = a + 1; b < ERR_COUNT; b++) assert_string_not_equal(err_code(a), err_code(b));
}

static void a_fault_has_its_error_and_sentence(void **state) {
  (void)state;
  struct fault why = {0};
  assert_int_equal(fault_set(&why, ERR_NOT_FOUND, "no task %d", 7), ERR_NOT_FOUND);
  assert_int_equal(why.err, ERR_NOT_FOUND);
  assert_string_equal(why.detail, "no task 7");
  assert_int_equal(why.field_count, 0);
}

static void without_a_fault_the_error_is_returned_all_the_same(void **state) {
  (void)state;
  assert_int_equal(fault_set(NULL, ERR_CONFLICT, "x"), ERR_CONFLICT);
  assert_int_equal(fault_field(NULL, "/a", "x"), ERR_INVALID);
}

static void the_first_field_becomes_the_detail(void **state) {
  (void)state;
  struct fault why = {0};
  assert_int_equal(fault_field(&why, "/priority", "must be an integer"), ERR_INVALID);
  assert_int_equal(fault_field(&why, "/queue", "is too %s", "long"), ERR_INVALID);
  assert_int_equal(why.err, ERR_INVALID);
  assert_int_equal(why.field_count, 2);
  assert_string_equal(why.detail, "must be an integer");
  assert_string_equal(why.fields[1].pointer, "/queue");
  assert_string_equal(why.fields[1].detail, "is too long");
}

static void fields_past_the_last_are_dropped(void **state) {
  (void)state;
  struct fault why = {0};
  for (int i = 0; i < FAULT_FIELDS_MAX + 3; i++)
    assert_int_equal(fault_field(&why, "/x", "wrong %d", i), ERR_INVALID);
  assert_int_equal(why.field_count, FAULT_FIELDS_MAX);
  assert_string_equal(why.fields[FAULT_FIELDS_MAX - 1].detail, "wrong 3");
}

static void a_new_fault_forgets_the_fields_of_the_old(void **state) {
  (void)state;
  struct fault why = {0};
  assert_int_equal(fault_field(&why, "/x", "wrong"), ERR_INVALID);
  assert_int_equal(fault_set(&why, ERR_TOO_MANY, "full"), ERR_TOO_MANY);
  assert_int_equal(why.field_count, 0);
}

static void assert_cut_well(const char *text, size_t room) {
  size_t len = strlen(text);
  assert_in_range(len, room - 8, room - 1);
  assert_string_equal(text + len - 3, "…");
  for (const char *at = text; *at; at += utf8_length(at, text + len))
    assert_int_not_equal(utf8_length(at, text + len), 0);
}

static void a_long_sentence_is_cut_at_a_whole_character_with_a_mark(void **state) {
  (void)state;
  char long_text[1200] = "";
  for (unsigned i = 0; i + 4 < sizeof long_text; i += 4)
    memcpy(long_text + i, "\xF0\x9F\x98\xB9", 5);
  for (unsigned shift = 0; shift < 4; shift++) {
    struct fault why = {0};
    assert_int_equal(fault_field(&why, long_text, "%.*s%s", (int)shift, "abc", long_text),
                     ERR_INVALID);
    assert_cut_well(why.detail, sizeof why.detail);
    assert_cut_well(why.fields[0].pointer, sizeof why.fields[0].pointer);
  }
}

static void a_sentence_that_just_fits_is_not_cut(void **state) {
  (void)state;
  struct fault why = {0};
  assert_int_equal(fault_set(&why, ERR_INTERNAL, "%*d", FAULT_DETAIL_BYTES - 1, 1), ERR_INTERNAL);
  assert_int_equal(strlen(why.detail), FAULT_DETAIL_BYTES - 1);
  assert_int_equal(why.detail[FAULT_DETAIL_BYTES - 2], '1');
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_has_a_status_a_code_and_a_title),
      cmocka_unit_test(codes_are_unique),
      cmocka_unit_test(a_fault_has_its_error_and_sentence),
      cmocka_unit_test(without_a_fault_the_error_is_returned_all_the_same),
      cmocka_unit_test(the_first_field_becomes_the_detail),
      cmocka_unit_test(fields_past_the_last_are_dropped),
      cmocka_unit_test(a_new_fault_forgets_the_fields_of_the_old),
      cmocka_unit_test(a_long_sentence_is_cut_at_a_whole_character_with_a_mark),
      cmocka_unit_test(a_sentence_that_just_fits_is_not_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
