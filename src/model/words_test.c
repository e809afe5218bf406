// words_test.c: the words of the tables, there and back.
#include "model/words.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_status_is_parsed_back_from_its_word(void **state) {
  (void)state;
  for (enum task_status status = 0; status < TASK_STATUS_COUNT; status++) {
    enum task_status parsed = TASK_STATUS_COUNT;
    assert_true(task_status_parse(task_status_word(status), &parsed));
    assert_int_equal(parsed, status);
  }
  enum task_status untouched = TASK_FAILED;
  assert_false(task_status_parse(STR("Pending"), &untouched));
  assert_false(task_status_parse(STR(""), &untouched));
  assert_false(task_status_parse(STR_NONE, &untouched));
  assert_int_equal(untouched, TASK_FAILED);
}

static void only_pending_and_running_are_not_final(void **state) {
  (void)state;
  for (enum task_status status = 0; status < TASK_STATUS_COUNT; status++)
    assert_int_equal(task_status_is_final(status),
                     status != TASK_PENDING && status != TASK_RUNNING);
}

static void every_reason_to_wait_is_parsed_back_and_none_has_no_word(void **state) {
  (void)state;
  assert_true(str_is_none(waiting_word(WAIT_NONE)));
  for (enum waiting waiting = WAIT_NONE + 1; waiting < WAITING_COUNT; waiting++) {
    enum waiting parsed = WAIT_NONE;
    assert_true(waiting_parse(waiting_word(waiting), &parsed));
    assert_int_equal(parsed, waiting);
  }
  enum waiting untouched = WAIT_TIME;
  assert_false(waiting_parse(STR(""), &untouched));
  assert_false(waiting_parse(STR("never"), &untouched));
  assert_int_equal(untouched, WAIT_TIME);
}

static void every_event_has_a_word_of_its_own(void **state) {
  (void)state;
  for (enum event_kind a = 0; a < EVENT_KIND_COUNT; a++) {
    assert_true(str_find(event_word(a), '.') < event_word(a).len);
    for (enum event_kind b = 0; b < a; b++) assert_false(str_eq(event_word(a), event_word(b)));
  }
}

static void every_role_is_parsed_back_as_its_bit(void **state) {
  (void)state;
  unsigned all = 0;
  for (enum role_index index = 0; index < ROLE_COUNT; index++) {
    enum role role = 0;
    assert_true(role_parse(role_word(index), &role));
    assert_int_equal(role, 1U << index);
    all |= role;
  }
  assert_int_equal(all, ROLE_ALL);
  enum role untouched = ROLE_ADMIN;
  assert_false(role_parse(STR("root"), &untouched));
  assert_int_equal(untouched, ROLE_ADMIN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_status_is_parsed_back_from_its_word),
      cmocka_unit_test(only_pending_and_running_are_not_final),
      cmocka_unit_test(every_reason_to_wait_is_parsed_back_and_none_has_no_word),
      cmocka_unit_test(every_event_has_a_word_of_its_own),
      cmocka_unit_test(every_role_is_parsed_back_as_its_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
