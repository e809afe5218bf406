// claim_test.c: who gets which task.
#include "engine/testing.h"

static struct ask *prioritised(struct yard *y, const char *type, int64_t priority) {
  struct ask *a = creating(y, type, 1);
  item_of(a, 0)->priority = priority;
  return a;
}

// --- order ---------------------------------------------------------------------------------------

static void a_claim_takes_the_highest_priority_then_the_oldest(void **state) {
  struct yard *y = *state;
  struct id low = created(prioritised(y, "t", 1));
  struct id high = created(prioritised(y, "t", 9));
  struct id younger = created(prioritised(y, "t", 9));
  struct ask *a = claiming(y, NULL, NULL, 3, 0);
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(a->claimed_count, 3);
  assert_true(id_eq(a->claimed[0].id, high));
  assert_true(id_eq(a->claimed[1].id, younger));
  assert_true(id_eq(a->claimed[2].id, low));
}

static void stored_tasks_and_those_of_the_same_unit_are_taken_in_one_order(void **state) {
  struct yard *y = *state;
  struct id stored_low = created(prioritised(y, "t", 1));
  struct id stored_high = created(prioritised(y, "t", 5));
  struct ask *fresh_mid = prioritised(y, "t", 3), *fresh_low = prioritised(y, "t", 1);
  struct ask *fresh_top = prioritised(y, "t", 9), *a = claiming(y, NULL, NULL, 9, 0);
  submit(fresh_mid), submit(fresh_low), submit(fresh_top), submit(a);
  turn(y);
  const struct id expected[] = {fresh_top->tasks[0].id, stored_high, fresh_mid->tasks[0].id,
                                stored_low, fresh_low->tasks[0].id};
  assert_int_equal(a->claimed_count, 5);
  for (size_t i = 0; i < 5; i++) assert_true(id_eq(a->claimed[i].id, expected[i]));
  assert_int_equal(y->store.applies, 3);  // two before, one for these four
}

// --- filters -------------------------------------------------------------------------------------

static void a_claim_gets_only_what_it_asked_for(void **state) {
  struct yard *y = *state;
  made(y, "a");
  struct ask *other_queue = creating(y, "b", 1);
  item_of(other_queue, 0)->queue = ask_text(other_queue, "side");
  struct id side = created(other_queue);
  struct ask *a = claiming(y, "b", "default", 5, 0);
  ask(a);
  assert_nothing(a);
  a = claiming(y, "b", "side", 5, 0);
  ask(a);
  assert_got(a, side);
  a = claiming(y, NULL, NULL, 5, 0);
  a->order.tenant = 2;
  ask(a);
  assert_nothing(a);
}

static void overlapping_filters_in_one_unit_share_without_doubles_or_starving(void **state) {
  struct yard *y = *state;
  for (int i = 0; i < 5; i++) made(y, "a");
  for (int i = 0; i < 5; i++) made(y, "b");
  // Whoever comes first eats the oldest, which are what the second can take too.
  struct ask *any = claiming(y, NULL, NULL, 3, 0), *only_a = claiming(y, "a", NULL, 2, 0);
  struct ask *queue = claiming(y, NULL, "default", 3, 0), *only_b = claiming(y, "b", NULL, 2, 0);
  struct ask *all[] = {any, only_a, queue, only_b};
  for (size_t i = 0; i < 4; i++) submit(all[i]);
  turn(y);
  size_t sum = 0;
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(all[i]->claimed_count, all[i]->order.claim.limit);
    sum += all[i]->claimed_count;
  }
  assert_int_equal(sum, 10);
  for (size_t i = 0; i < y->store.task_count; i++) {
    assert_int_equal(y->store.tasks[i].status, TASK_RUNNING);
    assert_int_equal(y->store.tasks[i].attempt, 1);
  }
}

static void filters_that_cannot_meet_do_not_read_for_each_other(void **state) {
  struct yard *y = *state;
  struct ask *many = creating(y, "a", 20), *more = creating(y, "b", 20);
  ask(many), ask(more);
  y->store.rows_loaded = 0;
  struct ask *a = claiming(y, "a", NULL, 10, 0), *b = claiming(y, "b", NULL, 10, 0);
  submit(a), submit(b);
  turn(y);
  assert_int_equal(a->claimed_count, 10);
  assert_int_equal(b->claimed_count, 10);
  assert_int_equal(y->store.rows_loaded, 20);
}

static void claims_of_one_type_in_two_queues_do_not_read_for_each_other(void **state) {
  struct yard *y = *state;
  struct ask *many = creating(y, "a", 20);
  for (size_t i = 0; i < 20; i++) item_of(many, i)->queue = ask_text(many, i % 2 ? "q" : "r");
  ask(many);
  y->store.rows_loaded = 0;
  struct ask *a = claiming(y, "a", "q", 10, 0), *b = claiming(y, "a", "r", 10, 0);
  submit(a), submit(b);
  turn(y);
  assert_int_equal(a->claimed_count, 10);
  assert_int_equal(b->claimed_count, 10);
  assert_int_equal(y->store.rows_loaded, 20);
}

static void what_one_claim_of_a_unit_has_taken_the_next_passes_by(void **state) {
  struct yard *y = *state;
  struct ask *first = claiming(y, "b", NULL, 1, 0), *second = claiming(y, "b", NULL, 1, 0);
  submit(creating(y, "a", 1)), submit(creating(y, "b", 1)), submit(first), submit(second);
  turn(y);
  assert_int_equal(first->claimed_count, 1);
  assert_nothing(second);
}

static void a_claim_whose_candidates_went_away_in_the_same_unit_looks_again(void **state) {
  struct yard *y = *state;
  struct id first = made(y, "t"), second = made(y, "t");
  struct ask *cancel = canceling(y, first, 0), *a = claiming(y, NULL, NULL, 1, 60000);
  submit(cancel), submit(a);
  turn(y);
  assert_got(a, second);
}

static void of_a_task_that_comes_back_and_a_younger_one_the_older_is_taken(void **state) {
  struct yard *y = *state;
  struct task older = running(y);
  struct id younger = made(y, "t");
  struct ask *release = settling(y, &older, SETTLE_RELEASE), *a = claiming(y, NULL, NULL, 1, 0);
  submit(release), submit(a);
  turn(y);
  assert_got(a, older.id);
  assert_status(y, younger, TASK_PENDING);
}

static void what_comes_back_behind_something_younger_goes_before_it(void **state) {
  struct yard *y = *state;
  struct task older = running(y);
  struct ask *create = creating(y, "t", 1), *a = claiming(y, NULL, NULL, 1, 0);
  submit(create), submit(settling(y, &older, SETTLE_RELEASE)), submit(a);
  turn(y);
  assert_got(a, older.id);
  assert_status(y, create->tasks[0].id, TASK_PENDING);
}

static void what_is_sent_back_and_deleted_in_one_unit_is_not_handed_out(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  struct ask *fail = settling(y, &task, SETTLE_FAIL), *a = claiming(y, NULL, NULL, 1, 0);
  fail->order.in.settle.items->no_retry = true;
  ask(fail);
  submit(about(y, ORDER_RETRY, task.id)), submit(about(y, ORDER_DELETE, task.id)), submit(a);
  turn(y);
  assert_nothing(a);
  assert_null(fake_find(&y->store, task.id));
}

static void a_claim_of_none_gets_none(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *a = claiming(y, NULL, NULL, 0, 60000);
  ask(a);
  assert_nothing(a);
  assert_status(y, id, TASK_PENDING);
}

// --- how much ------------------------------------------------------------------------------------

static void a_claim_carries_at_most_so_many_bytes_and_the_rest_stays_ready(void **state) {
  struct yard *y = *state;
  size_t half = LIMIT_CLAIM_BYTES / 2 + 1;
  char *text = mem_zero(half);
  memset(text, ' ', half);
  struct ask *a = creating(y, "t", 3);
  for (size_t i = 0; i < 3; i++) item_of(a, i)->payload = (struct str){text, half};
  assert_int_equal(ask(a), ERR_OK);
  for (int i = 0; i < 3; i++) {
    struct ask *claim = claiming(y, NULL, NULL, 100, 0);
    ask(claim);
    assert_int_equal(claim->claimed_count, 1);
  }
  mem_free(text);
}

static void claims_of_one_unit_that_run_out_of_bytes_are_decided_again(void **state) {
  struct yard *y = *state;
  size_t third = LIMIT_CLAIM_BYTES / 3 + 1;
  char *text = mem_zero(third);
  memset(text, ' ', third);
  struct ask *a = creating(y, "t", 6), *claims[6];
  for (size_t i = 0; i < 6; i++) item_of(a, i)->payload = (struct str){text, third};
  assert_int_equal(ask(a), ERR_OK);
  for (size_t i = 0; i < 6; i++) submit(claims[i] = claiming(y, NULL, NULL, 1, 0));
  turn(y);
  for (size_t i = 0; i < 6; i++) assert_int_equal(claims[i]->claimed_count, 1);
  mem_free(text);
}

// --- the lease -----------------------------------------------------------------------------------

static void a_claim_starts_an_attempt_with_a_lease_of_its_own(void **state) {
  struct yard *y = *state;
  made(y, "t");
  y->now += 7;
  struct ask *a = claiming(y, NULL, NULL, 1, 0);
  a->order.claim.lease_ms = 5000;
  ask(a);
  const struct task *task = &a->claimed[0];
  assert_int_equal(task->status, TASK_RUNNING);
  assert_int_equal(task->attempt, 1);
  assert_true(task->lease > 0);
  assert_int_equal(task->claimed_at, y->now);
  assert_int_equal(task->started_at, y->now);
  assert_int_equal(task->lease_expires_at, y->now + 5000);
  assert_text(task->worker, "w1");
  assert_text(task->payload, "{\"n\":1}");
  assert_int_equal(last_event(y), EVENT_CLAIMED);
  assert_int_equal(kept(y, task->id)->lease, task->lease);
}

// Whoever was not told a token must not come by it: each of its bits is thrown anew.
static void lease_tokens_are_not_to_be_guessed(void **state) {
  struct yard *y = *state;
  int64_t ones = 0, zeros = 0;
  assert_int_equal(ask(creating(y, "t", 64)), ERR_OK);
  struct ask *a = claiming(y, NULL, NULL, 64, 0);
  ask(a);
  assert_int_equal(a->claimed_count, 64);
  for (size_t i = 0; i < 64; i++) {
    ones |= a->claimed[i].lease;
    zeros |= ~a->claimed[i].lease;
  }
  assert_int_equal(ones, INT64_MAX);
  assert_int_equal(zeros & INT64_MAX, INT64_MAX);
}

static void one_task_can_be_claimed_by_its_id_once(void **state) {
  struct yard *y = *state;
  made(y, "t");
  struct id second = made(y, "t");
  struct ask *a = about(y, ORDER_CLAIM_ONE, second), *late = about(y, ORDER_CLAIM_ONE, second);
  a->order.claim.limit = late->order.claim.limit = 1;
  submit(a), submit(late);
  turn(y);
  assert_got(a, second);
  assert_int_equal(late->err, ERR_WRONG_STATUS);
}

static void a_task_that_was_taken_in_the_same_unit_shows_another_revision(void **state) {
  struct yard *y = *state;
  struct ask *create = creating(y, "t", 1), *a = claiming(y, NULL, NULL, 1, 0);
  submit(create), submit(a);
  turn(y);
  assert_int_equal(create->tasks[0].status, TASK_PENDING);
  assert_true(a->claimed[0].revision > create->tasks[0].revision);
}

// --- paused queues -------------------------------------------------------------------------------

static void a_paused_queue_gives_nothing_until_it_is_resumed(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  ask(pausing(y, "default", true));
  struct ask *a = claiming(y, NULL, NULL, 1, 0);
  ask(a);
  assert_nothing(a);
  struct ask *one = about(y, ORDER_CLAIM_ONE, id);
  assert_int_equal(ask(one), ERR_WRONG_STATUS);
  ask(pausing(y, "default", false));
  a = claiming(y, NULL, NULL, 1, 0);
  ask(a);
  assert_got(a, id);
}

static void a_claim_passes_a_paused_queue_by(void **state) {
  struct yard *y = *state;
  made(y, "t");
  ask(pausing(y, "default", true));
  struct ask *other = creating(y, "t", 1);
  item_of(other, 0)->queue = ask_text(other, "side");
  struct id side = created(other);
  struct ask *a = claiming(y, NULL, NULL, 5, 0);
  ask(a);
  assert_got(a, side);
}

static void what_is_made_in_a_paused_queue_is_not_handed_out_in_its_unit(void **state) {
  struct yard *y = *state;
  ask(pausing(y, "default", true));
  struct ask *create = creating(y, "t", 1), *a = claiming(y, NULL, NULL, 1, 0);
  submit(create), submit(a);
  turn(y);
  assert_nothing(a);
  assert_status(y, create->tasks[0].id, TASK_PENDING);
}

static void of_pause_and_resume_in_one_unit_the_later_one_holds(void **state) {
  struct yard *y = *state;
  submit(pausing(y, "default", true));
  submit(pausing(y, "default", false));
  turn(y);
  assert_false(engine_queue_paused(y->e, 1, STR("default")));
  submit(pausing(y, "default", true));
  submit(pausing(y, "default", false));
  submit(pausing(y, "default", true));
  turn(y);
  assert_true(engine_queue_paused(y->e, 1, STR("default")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_claim_takes_the_highest_priority_then_the_oldest),
      YARD_TEST(stored_tasks_and_those_of_the_same_unit_are_taken_in_one_order),
      YARD_TEST(a_claim_gets_only_what_it_asked_for),
      YARD_TEST(overlapping_filters_in_one_unit_share_without_doubles_or_starving),
      YARD_TEST(filters_that_cannot_meet_do_not_read_for_each_other),
      YARD_TEST(a_claim_whose_candidates_went_away_in_the_same_unit_looks_again),
      YARD_TEST(a_claim_carries_at_most_so_many_bytes_and_the_rest_stays_ready),
      YARD_TEST(claims_of_one_unit_that_run_out_of_bytes_are_decided_again),
      YARD_TEST(a_claim_starts_an_attempt_with_a_lease_of_its_own),
      YARD_TEST(lease_tokens_are_not_to_be_guessed),
      YARD_TEST(one_task_can_be_claimed_by_its_id_once),
      YARD_TEST(a_task_that_was_taken_in_the_same_unit_shows_another_revision),
      YARD_TEST(a_paused_queue_gives_nothing_until_it_is_resumed),
      YARD_TEST(a_claim_passes_a_paused_queue_by),
      YARD_TEST(of_pause_and_resume_in_one_unit_the_later_one_holds),
      YARD_TEST(of_a_task_that_comes_back_and_a_younger_one_the_older_is_taken),
      YARD_TEST(what_is_sent_back_and_deleted_in_one_unit_is_not_handed_out),
      YARD_TEST(a_claim_of_none_gets_none),
      YARD_TEST(what_is_made_in_a_paused_queue_is_not_handed_out_in_its_unit),
      YARD_TEST(what_one_claim_of_a_unit_has_taken_the_next_passes_by),
      YARD_TEST(what_comes_back_behind_something_younger_goes_before_it),
      YARD_TEST(claims_of_one_type_in_two_queues_do_not_read_for_each_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
