// park_test.c: claims that wait for work: who is woken, in which order, and when in vain.
#include "engine/testing.h"

// --- being fed -----------------------------------------------------------------------------------

static void a_waiting_claim_is_fed_in_the_unit_of_the_create_with_one_commit(void **state) {
  struct yard *y = *state;
  struct ask *a = parked(y, "t", 60000);
  assert_int_equal(engine_stats(y->e).parked_claims, 1);
  struct ask *create = creating(y, "t", 1);
  created(create);
  assert_got(a, create->tasks[0].id);
  assert_text(a->claimed[0].payload, "{\"n\":1}");
  assert_int_equal(y->store.applies, 1);
  assert_int_equal(engine_stats(y->e).parked_claims, 0);
  assert_true(a->place < create->place);  // the handler starts before its producer hears
}

static void a_waiting_claim_gets_only_what_it_asked_for(void **state) {
  struct yard *y = *state;
  struct ask *a = parked(y, "a", 60000), *b = parked(y, "b", 60000);
  struct ask *foreign = claiming(y, NULL, NULL, 1, 60000);
  foreign->order.tenant = 2;
  ask(foreign);
  struct ask *elsewhere = claiming(y, "b", "side", 1, 60000);
  ask(elsewhere);
  struct id id = made(y, "b");
  assert_got(b, id);
  made(y, "b");
  assert_waits(a);
  assert_waits(foreign);
  assert_waits(elsewhere);
}

static void claims_that_wait_are_served_first_come_first_served(void **state) {
  struct yard *y = *state;
  // Different filters on purpose: the order holds across the groups.
  struct ask *all[] = {parked(y, "t", 60000), parked(y, NULL, 60000), parked(y, "t", 60000),
                       parked(y, NULL, 60000)};
  struct ask *a = creating(y, "t", 3);
  ask(a);
  for (size_t i = 0; i < 3; i++) assert_got(all[i], a->tasks[i].id);
  assert_waits(all[3]);
}

static void a_claim_that_waits_comes_before_one_that_arrives_with_the_task(void **state) {
  struct yard *y = *state;
  struct ask *waiting = parked(y, "t", 60000);
  struct ask *create = creating(y, "t", 1), *late = claiming(y, "t", NULL, 1, 60000);
  submit(create), submit(late);
  turn(y);
  assert_got(waiting, create->tasks[0].id);
  assert_waits(late);
}

static void of_two_claims_around_a_create_in_one_unit_the_first_is_served(void **state) {
  struct yard *y = *state;
  struct ask *first = claiming(y, "t", NULL, 1, 60000), *create = creating(y, "t", 1);
  struct ask *second = claiming(y, NULL, NULL, 1, 60000);
  submit(first), submit(create), submit(second);
  turn(y);
  assert_got(first, create->tasks[0].id);
  assert_waits(second);
}

static void a_batch_feeds_as_many_as_it_can_by_their_limits(void **state) {
  struct yard *y = *state;
  struct ask *two = claiming(y, "t", NULL, 2, 60000), *five = claiming(y, "t", NULL, 5, 60000);
  ask(two), ask(five);
  ask(creating(y, "t", 4));
  assert_int_equal(two->claimed_count, 2);
  assert_int_equal(five->claimed_count, 2);
}

// Every way in which a task can become ready, and the payload that its worker needs with it.
static void whatever_makes_a_task_ready_feeds_a_waiting_claim_with_its_payload(void **state) {
  struct yard *y = *state;
  struct ask *held = creating(y, "t", 1), *a;
  held->order.in.create.items[0].hold = true;
  struct id id = created(held);
  a = parked(y, "t", 60000);
  ask(about(y, ORDER_START, id));
  assert_got(a, id);

  struct task task = a->claimed[0];
  a = parked(y, "t", 60000);
  ask(settling(y, &task, SETTLE_RELEASE));
  assert_got(a, id);

  task = a->claimed[0];
  a = parked(y, "t", 60000);
  ask(settling(y, &task, SETTLE_FAIL));
  assert_waits(a);
  pass(y, 1000);  // its backoff
  assert_got(a, id);

  a = parked(y, "t", 60000);
  pass(y, LEASE_MS);  // its worker vanished
  assert_got(a, id);

  ask(canceling(y, id, 0));
  turn(y);
  assert_status(y, id, TASK_CANCELLED);
  a = parked(y, "t", 60000);
  ask(about(y, ORDER_RETRY, id));
  assert_got(a, id);

  struct ask *later = creating(y, "t", 1);
  later->order.in.create.items[0].delay_ms = 100000;
  id = created(later);
  a = parked(y, "t", 60000);
  struct ask *edit = about(y, ORDER_EDIT, id);
  edit->order.in.edit = (struct edit_input){.set_run_at = true};
  ask(edit);
  assert_got(a, id);
}

static void tasks_that_come_due_wake_as_many_claims_as_there_are(void **state) {
  struct yard *y = *state;
  struct ask *later = creating(y, "t", 2), *waiting[3];
  later->order.in.create.items[0].delay_ms = later->order.in.create.items[1].delay_ms = 50;
  ask(later);
  for (size_t i = 0; i < 3; i++) waiting[i] = parked(y, i ? "t" : NULL, 60000);
  pass(y, 50);
  assert_got(waiting[0], later->tasks[0].id);
  assert_got(waiting[1], later->tasks[1].id);
  assert_waits(waiting[2]);
}

static void what_is_sent_back_and_deleted_in_one_unit_feeds_nobody(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  ask(canceling(y, task.id, 0));
  turn(y);
  assert_status(y, task.id, TASK_CANCELLED);
  struct ask *a = parked(y, "t", 60000);
  submit(about(y, ORDER_RETRY, task.id)), submit(about(y, ORDER_DELETE, task.id));
  turn(y);
  assert_waits(a);
  assert_null(fake_find(&y->store, task.id));
}

// --- paused queues -------------------------------------------------------------------------------

// The first one waits for anything and takes the better task; the other one is the second's.
static void what_came_due_is_not_left_by_whoever_took_something_better(void **state) {
  struct yard *y = *state;
  struct ask *any = parked(y, NULL, 60000), *of_a = parked(y, "a", 60000);
  struct ask *a = creating(y, "a", 1), *b = creating(y, "b", 1);
  a->order.in.create.items[0].delay_ms = b->order.in.create.items[0].delay_ms = 1000;
  item_of(b, 0)->priority = 5;
  struct id of_b_id, of_a_id = created(a);
  of_b_id = created(b);
  pass(y, 1000);
  assert_got(any, of_b_id);
  assert_got(of_a, of_a_id);
}

static void whoever_leaves_before_he_took_what_came_due_leaves_it_to_the_next(void **state) {
  struct yard *y = *state;
  struct ask *first = parked(y, NULL, 60000), *second = parked(y, NULL, 60000);
  struct ask *a = creating(y, "a", 1);
  a->order.in.create.items[0].delay_ms = 1000;
  struct id id = created(a);
  y->now += 1000;
  assert_true(engine_turn(y->e, &y->next_at));  // wakes the first one
  engine_withdraw(y->e, &first->order);
  turn(y);
  assert_int_equal(first->err, ERR_UNAVAILABLE);
  assert_got(second, id);
}

static void a_resumed_queue_feeds_those_who_wait_in_their_order(void **state) {
  struct yard *y = *state;
  enum { WAITING = 20, READY = 7 };
  ask(pausing(y, "default", true));
  struct ask *tasks = creating(y, "t", READY), *waiting[WAITING];
  ask(tasks);
  // Deadlines against the order of arrival, so that nothing else can stand in for it.
  for (size_t i = 0; i < WAITING; i++)
    waiting[i] = parked(y, NULL, 60000 - (int64_t)(i * 7919 % WAITING) * 1000);
  ask(pausing(y, "default", false));
  for (size_t i = 0; i < READY; i++) assert_got(waiting[i], tasks->tasks[i].id);
  for (size_t i = READY; i < WAITING; i++) assert_waits(waiting[i]);
}

static void a_paused_queue_does_not_feed(void **state) {
  struct yard *y = *state;
  struct ask *a = parked(y, NULL, 60000);
  ask(pausing(y, "default", true));
  struct id id = made(y, "t");
  assert_waits(a);
  ask(pausing(y, "default", false));
  assert_got(a, id);
}

// --- ends of waiting -----------------------------------------------------------------------------

static void a_claim_that_waited_in_vain_is_answered_empty_at_its_limit(void **state) {
  struct yard *y = *state;
  struct ask *late = parked(y, "t", 900), *soon = parked(y, "t", 300);
  assert_int_equal(y->next_at, y->now + 300);
  pass(y, 299);
  assert_waits(soon);
  pass(y, 1);
  assert_nothing(soon);
  assert_waits(late);
  pass(y, 600);
  assert_nothing(late);
  assert_int_equal(y->store.applies, 0);
  made(y, "t");
  taken(y);  // it was leased to none of them
}

static void a_claim_that_was_withdrawn_gets_nothing_and_keeps_nobody_waiting(void **state) {
  struct yard *y = *state;
  struct ask *gone = parked(y, "t", 60000), *next = parked(y, "t", 60000);
  engine_withdraw(y->e, &gone->order);
  struct id id = made(y, "t");
  assert_int_equal(gone->answers, 1);
  assert_int_equal(gone->claimed_count, 0);
  assert_got(next, id);
}

static void a_claim_that_is_withdrawn_before_it_was_looked_at_takes_nothing(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *gone = claiming(y, "t", NULL, 1, 60000), *waits = claiming(y, "none", NULL, 1, 60000);
  submit(gone), submit(waits);
  engine_withdraw(y->e, &gone->order);
  engine_withdraw(y->e, &waits->order);
  turn(y);
  assert_int_equal(gone->answers, 1);
  assert_int_equal(waits->answers, 1);
  assert_int_equal(engine_stats(y->e).parked_claims, 0);
  assert_status(y, id, TASK_PENDING);
}

static struct ask *leaves;

static void leave_amid_a_unit(void *self, struct store_lane *lane, enum fake_point point) {
  (void)lane;
  if (point != FAKE_LOADED || !leaves) return;
  engine_withdraw(((struct yard *)self)->e, &leaves->order);
  leaves = NULL;
}

static void a_claim_that_is_withdrawn_amid_a_unit_is_not_fed_by_it(void **state) {
  struct yard *y = *state;
  struct ask *gone = leaves = parked(y, "t", 60000), *next = parked(y, "t", 60000);
  y->store.hook = leave_amid_a_unit;
  y->store.hook_self = y;
  struct id id = made(y, "t");
  assert_null(leaves);
  assert_int_equal(gone->err, ERR_UNAVAILABLE);
  assert_got(next, id);
}

static void a_completion_that_is_withdrawn_is_done_but_takes_nothing(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct id next = made(y, "t");
  struct ask *a = and_claim(completing(y, &task), 1, 60000);
  submit(a);
  engine_withdraw(y->e, &a->order);
  turn(y);
  assert_status(y, task.id, TASK_COMPLETED);
  assert_status(y, next, TASK_PENDING);
}

static void many_clients_that_leave_at_once_are_all_let_go(void **state) {
  struct yard *y = *state;
  enum { MANY = 2000 };
  struct ask **all = mem_zero(sizeof *all * MANY);
  for (size_t i = 0; i < MANY; i++) submit(all[i] = claiming(y, "t", NULL, 1, 60000));
  turn(y);
  for (size_t i = 0; i < MANY; i += 2) engine_withdraw(y->e, &all[i]->order);
  turn(y);
  for (size_t i = 0; i < MANY; i++) assert_int_equal(all[i]->answers, i % 2 == 0);
  assert_int_equal(engine_stats(y->e).parked_claims, MANY / 2);
  mem_free(all);
}

static void past_the_limit_of_waiting_claims_one_is_refused_but_a_completion_holds(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  for (size_t i = 0; i < LIMIT_PARKED; i++) {
    submit(claiming(y, "none", NULL, 1, 60000));
    if (i % 1000 == 999) turn(y);
  }
  struct ask *a = claiming(y, "none", NULL, 1, 60000);
  assert_int_equal(ask(a), ERR_TOO_MANY);
  struct ask *settle = and_claim(completing(y, &task), 1, 60000);
  assert_int_equal(ask(settle), ERR_OK);
  assert_nothing(settle);
  assert_status(y, task.id, TASK_COMPLETED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_waiting_claim_is_fed_in_the_unit_of_the_create_with_one_commit),
      YARD_TEST(a_waiting_claim_gets_only_what_it_asked_for),
      YARD_TEST(claims_that_wait_are_served_first_come_first_served),
      YARD_TEST(a_claim_that_waits_comes_before_one_that_arrives_with_the_task),
      YARD_TEST(of_two_claims_around_a_create_in_one_unit_the_first_is_served),
      YARD_TEST(a_batch_feeds_as_many_as_it_can_by_their_limits),
      YARD_TEST(whatever_makes_a_task_ready_feeds_a_waiting_claim_with_its_payload),
      YARD_TEST(tasks_that_come_due_wake_as_many_claims_as_there_are),
      YARD_TEST(what_came_due_is_not_left_by_whoever_took_something_better),
      YARD_TEST(whoever_leaves_before_he_took_what_came_due_leaves_it_to_the_next),
      YARD_TEST(a_resumed_queue_feeds_those_who_wait_in_their_order),
      YARD_TEST(a_paused_queue_does_not_feed),
      YARD_TEST(a_claim_that_waited_in_vain_is_answered_empty_at_its_limit),
      YARD_TEST(a_claim_that_was_withdrawn_gets_nothing_and_keeps_nobody_waiting),
      YARD_TEST(a_claim_that_is_withdrawn_before_it_was_looked_at_takes_nothing),
      YARD_TEST(a_completion_that_is_withdrawn_is_done_but_takes_nothing),
      YARD_TEST(many_clients_that_leave_at_once_are_all_let_go),
      YARD_TEST(past_the_limit_of_waiting_claims_one_is_refused_but_a_completion_holds),
      YARD_TEST(a_claim_that_is_withdrawn_amid_a_unit_is_not_fed_by_it),
      YARD_TEST(what_is_sent_back_and_deleted_in_one_unit_feeds_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
