// lifecycle_test.c: which status follows which: the table, and what the engine makes of it.
#include "engine/lifecycle.h"

#include "engine/testing.h"

// --- the table -----------------------------------------------------------------------------------

// A row a status, a letter a move, in the order of enum move: the status it leads to, '-' for none.
// Written by hand, so that a slip in lifecycle.def does not agree with itself.
static const struct {
  enum task_status from;
  const char *to;
} EXPECTED[] = {
    // start, due, claim, complete, fail, fail_retry, release, lose, lose_retry, cancel, expire,
    // retry
    {TASK_PENDING, "PPR------XX-"},   {TASK_RUNNING, "---CFPPAPX--"},
    {TASK_COMPLETED, "------------"}, {TASK_FAILED, "-----------P"},
    {TASK_CANCELLED, "-----------P"}, {TASK_ABANDONED, "-----------P"},
};

static const char LETTERS[TASK_STATUS_COUNT] = {
    [TASK_PENDING] = 'P', [TASK_RUNNING] = 'R',   [TASK_COMPLETED] = 'C',
    [TASK_FAILED] = 'F',  [TASK_CANCELLED] = 'X', [TASK_ABANDONED] = 'A'};

static void each_status_allows_exactly_the_moves_that_it_should(void **state) {
  (void)state;
  assert_int_equal(sizeof EXPECTED / sizeof EXPECTED[0], TASK_STATUS_COUNT);
  for (size_t i = 0; i < TASK_STATUS_COUNT; i++) {
    assert_int_equal(strlen(EXPECTED[i].to), MOVE_COUNT);
    for (int move = 0; move < MOVE_COUNT; move++) {
      enum task_status to = TASK_STATUS_COUNT;
      bool possible = lifecycle_next(EXPECTED[i].from, (enum move)move, &to);
      assert_int_equal(possible ? LETTERS[to] : '-', EXPECTED[i].to[move]);
      if (!possible) assert_int_equal(to, TASK_STATUS_COUNT);  // untouched
    }
  }
}

static void every_status_can_be_reached_and_only_completed_is_for_ever(void **state) {
  (void)state;
  for (int s = 0; s < TASK_STATUS_COUNT; s++) {
    bool reached = s == TASK_PENDING, left = false;
    for (int from = 0; from < TASK_STATUS_COUNT; from++) {
      for (int move = 0; move < MOVE_COUNT; move++) {
        enum task_status to;
        if (!lifecycle_next((enum task_status)from, (enum move)move, &to)) continue;
        reached |= (int)to == s;
        left |= from == s;
      }
    }
    assert_true(reached);
    assert_int_equal(left, s != TASK_COMPLETED);
  }
}

// --- the engine ----------------------------------------------------------------------------------

static struct task in_status(struct yard *y, enum task_status status) {
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->attempts_max = status == TASK_ABANDONED ? 1 : 3;
  struct id id = created(a);
  struct task task = {.id = id, .lease = 1};
  if (status != TASK_PENDING && status != TASK_CANCELLED) task = taken_one(y, id);
  if (status == TASK_CANCELLED) ask(canceling(y, id, 0));
  if (status == TASK_COMPLETED) ask(completing(y, &task));
  if (status == TASK_ABANDONED) pass(y, LEASE_MS);
  if (status == TASK_FAILED) {
    a = settling(y, &task, SETTLE_FAIL);
    a->order.in.settle.items->no_retry = true;
    ask(a);
  }
  assert_status(y, id, status);
  return task;
}

static struct ask *edit(struct yard *y, struct id id) {
  struct ask *a = about(y, ORDER_EDIT, id);
  a->order.in.edit = (struct edit_input){.set_priority = true, .priority = 5};
  return a;
}

// What comes of an order at a task in `status`, whose latest lease is `task->lease`.
static struct ask *order_at(struct yard *y, enum order_kind kind, const struct task *task) {
  switch (kind) {
  case ORDER_CLAIM_ONE: return about(y, kind, task->id);
  case ORDER_SETTLE: return completing(y, task);
  case ORDER_REPORT: return reporting(y, task);
  case ORDER_CANCEL: return canceling(y, task->id, 1000);
  case ORDER_EDIT: return edit(y, task->id);
  default: return about(y, kind, task->id);
  }
}

static void every_order_is_obeyed_or_refused_by_status_and_a_refusal_changes_nothing(void **state) {
  struct yard *y = *state;
  static const struct {
    enum order_kind kind;
    const char *obeyed_in;  // letters of statuses
    enum err refusal;
  } ORDERS[] = {
      {ORDER_CLAIM_ONE, "P", ERR_WRONG_STATUS}, {ORDER_SETTLE, "RC", ERR_LEASE_LOST},
      {ORDER_REPORT, "R", ERR_LEASE_LOST},      {ORDER_START, "", ERR_WRONG_STATUS},
      {ORDER_CANCEL, "PR", ERR_WRONG_STATUS},   {ORDER_RETRY, "FXA", ERR_WRONG_STATUS},
      {ORDER_EDIT, "P", ERR_WRONG_STATUS},      {ORDER_DELETE, "PCFXA", ERR_WRONG_STATUS},
      {ORDER_WATCH, "PRCFXA", ERR_OK},
  };
  for (size_t i = 0; i < sizeof ORDERS / sizeof ORDERS[0]; i++) {
    for (int status = 0; status < TASK_STATUS_COUNT; status++) {
      struct task task = in_status(y, (enum task_status)status);
      int64_t revision = kept(y, task.id)->revision;
      size_t events = y->store.event_count;
      bool obeyed = strchr(ORDERS[i].obeyed_in, LETTERS[status]) != NULL;
      enum err err = ask(order_at(y, ORDERS[i].kind, &task));
      assert_int_equal(err, obeyed ? ERR_OK : ORDERS[i].refusal);
      if (obeyed) continue;
      assert_int_equal(kept(y, task.id)->revision, revision);
      assert_int_equal(y->store.event_count, events);
    }
  }
}

static void an_order_about_a_task_that_is_not_there_or_foreign_is_told_so(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  static const enum order_kind KINDS[] = {ORDER_CLAIM_ONE, ORDER_SETTLE, ORDER_REPORT,
                                          ORDER_START,     ORDER_CANCEL, ORDER_RETRY,
                                          ORDER_EDIT,      ORDER_DELETE, ORDER_WATCH};
  for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
    struct task other = task;
    other.id.lo ^= 1;
    assert_int_equal(ask(order_at(y, KINDS[i], &other)), ERR_NOT_FOUND);
    struct ask *foreign = order_at(y, KINDS[i], &task);
    foreign->order.tenant = 2;
    assert_int_equal(ask(foreign), ERR_NOT_FOUND);
  }
  assert_status(y, task.id, TASK_RUNNING);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_status_allows_exactly_the_moves_that_it_should),
      cmocka_unit_test(every_status_can_be_reached_and_only_completed_is_for_ever),
      YARD_TEST(every_order_is_obeyed_or_refused_by_status_and_a_refusal_changes_nothing),
      YARD_TEST(an_order_about_a_task_that_is_not_there_or_foreign_is_told_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
