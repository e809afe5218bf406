// words_test.c: each status has a word at each door, and is found by it again.
#include "api/doors/words.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_status_is_found_by_its_word(void **state) {
  (void)state;
  for (int d = 0; d < DIALECT_COUNT; d++)
    for (int i = 0; i < TASK_STATUS_COUNT; i++) {
      struct str word = door_word((enum dialect)d, (enum task_status)i);
      assert_true(door_statuses((enum dialect)d, word) & 1u << i);
    }
}

static void one_word_may_stand_for_several_statuses(void **state) {
  (void)state;
  assert_int_equal(door_statuses(DIALECT_REPOSITORY, STR("failed")),
                   1u << TASK_FAILED | 1u << TASK_ABANDONED);
}

static void each_door_has_words_of_its_own(void **state) {
  (void)state;
  assert_true(str_eq(door_word(DIALECT_BULL, TASK_RUNNING), STR("in_progress")));
  assert_true(str_eq(door_word(DIALECT_REPOSITORY, TASK_RUNNING), STR("processing")));
  assert_int_equal(door_statuses(DIALECT_BULL, STR("processing")), 0);
}

static void a_status_may_have_two_spellings(void **state) {
  (void)state;
  assert_int_equal(door_statuses(DIALECT_REPOSITORY, STR("cancelled")), 1u << TASK_CANCELLED);
  assert_int_equal(door_statuses(DIALECT_REPOSITORY, STR("canceled")), 1u << TASK_CANCELLED);
  assert_true(str_eq(door_word(DIALECT_REPOSITORY, TASK_CANCELLED), STR("cancelled")));
}

static void what_is_no_word_stands_for_nothing(void **state) {
  (void)state;
  assert_int_equal(door_statuses(DIALECT_REPOSITORY, STR("Processing")), 0);
  assert_int_equal(door_statuses(DIALECT_REPOSITORY, STR("")), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_status_is_found_by_its_word),
      cmocka_unit_test(one_word_may_stand_for_several_statuses),
      cmocka_unit_test(each_door_has_words_of_its_own),
      cmocka_unit_test(a_status_may_have_two_spellings),
      cmocka_unit_test(what_is_no_word_stands_for_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
