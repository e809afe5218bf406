// claim_test.c: claimed tasks are read from the server's answers.
#include "worker/claim.h"
#include "worker/testing_texts.h"

#define TASK                                                                                       \
  "{\"id\":\"i\",\"type\":\"t\",\"name\":null,\"queue\":\"q\",\"payload\":{ \"a\" : 1.50 },"       \
  "\"attempt\":2,\"maxAttempts\":3,\"workerId\":\"w\",\"claimedAt\":1000,"                         \
  "\"leaseExpiresAt\":31000,\"leaseToken\":\"tok\"}"

static void the_first_task_of_an_answer_is_read(void **state) {
  (void)state;
  struct claim c;
  bool valid;
  assert_true(claim_read(&the_arena, STR("{\"success\":true,\"tasks\":[" TASK "],\"count\":1}"), &c,
                         &valid));
  assert_true(valid);
  check_str(c.id, "i");
  check_str(c.type, "t");
  check_str(c.queue, "q");
  check_str(c.worker, "w");
  check_str(c.token, "tok");
  check_str(c.payload, "{ \"a\" : 1.50 }");
  assert_null(c.name.at);
  assert_int_equal(c.attempt, 2);
  assert_int_equal(c.attempts_max, 3);
  assert_int_equal(c.lease_ms, 30000);
}

static void an_empty_answer_is_valid_and_brings_nothing(void **state) {
  (void)state;
  struct claim c;
  bool valid = false;
  assert_false(claim_read(&the_arena, STR("{\"tasks\":[],\"count\":0}"), &c, &valid));
  assert_true(valid);
}

static void answers_of_somebody_else_are_not_valid(void **state) {
  (void)state;
  static const char *const answers[] = {
      "",
      "<html>",
      "[]",
      "{}",
      "{\"tasks\":1}",
      "{\"tasks\":[1]}",
      "{\"tasks\":[{}]}",
      "{\"tasks\":[{\"id\":\"i\",\"leaseToken\":\"t\"}]}",
      "{\"tasks\":[{\"id\":1,\"leaseToken\":\"t\",\"claimedAt\":1,\"leaseExpiresAt\":9}]}",
  };
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    struct claim c;
    bool valid = true;
    assert_false(claim_read(&the_arena, str_of(answers[i]), &c, &valid));
    assert_false(valid);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_task_of_an_answer_is_read),
      cmocka_unit_test(an_empty_answer_is_valid_and_brings_nothing),
      cmocka_unit_test(answers_of_somebody_else_are_not_valid),
  };
  return cmocka_run_group_tests(tests, a_fresh_arena, the_arena_freed);
}
