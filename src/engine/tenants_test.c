// tenants_test.c: orders of two tenants in one unit of work: they share its memory, nothing else.
#include "engine/testing.h"

static struct ask *of_another(struct ask *a) {
  a->order.tenant = 2;
  return a;
}

static void what_the_unit_has_loaded_for_one_is_absent_to_the_other(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *own = watching(y, id, 0), *foreign = of_another(canceling(y, id, 0));
  submit(own), submit(foreign);
  turn(y);
  assert_int_equal(own->err, ERR_OK);
  assert_int_equal(foreign->err, ERR_NOT_FOUND);
  assert_status(y, id, TASK_PENDING);
}

static void what_one_creates_the_other_does_not_claim(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1), *foreign = of_another(claiming(y, NULL, NULL, 1, 0));
  struct ask *own = claiming(y, NULL, NULL, 1, 0);
  submit(a), submit(foreign), submit(own);
  turn(y);
  assert_nothing(foreign);
  assert_got(own, a->tasks[0].id);
}

static void a_unique_key_is_each_tenant_s_own(void **state) {
  struct yard *y = *state;
  struct ask *own = creating(y, "t", 1), *foreign = of_another(creating(y, "t", 1));
  item_of(own, 0)->unique_key = ask_text(own, "once");
  item_of(foreign, 0)->unique_key = ask_text(foreign, "once");
  submit(own), submit(foreign);
  turn(y);
  assert_int_equal(foreign->err, ERR_OK);
  assert_int_equal(y->store.task_count, 2);
}

static void a_batch_ends_no_attempt_of_the_other(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *own = reporting(y, &task), *foreign = of_another(completing(y, &task));
  submit(own), submit(foreign);
  turn(y);
  assert_int_equal(own->err, ERR_OK);
  assert_int_equal(foreign->err, ERR_NOT_FOUND);
  assert_status(y, task.id, TASK_RUNNING);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(what_the_unit_has_loaded_for_one_is_absent_to_the_other),
      YARD_TEST(what_one_creates_the_other_does_not_claim),
      YARD_TEST(a_unique_key_is_each_tenant_s_own),
      YARD_TEST(a_batch_ends_no_attempt_of_the_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
