// holder_test.c: claims that are bound to the key that made them, and moved without a lease token.
#include "engine/testing.h"

static void by(struct ask *a, const char *actor) { a->order.actor = ask_text(a, actor); }

static struct task held_by(struct yard *y, const char *actor, const char *worker) {
  struct ask *a = ask_new(y, ORDER_CLAIM_ONE);
  a->order.id = made(y, "t");
  by(a, actor);
  struct str name = worker ? ask_text(a, worker) : STR_NONE;
  a->order.claim.worker = engine_holder(&a->arena, a->order.actor, name);
  a->order.claim.limit = 1;
  assert_int_equal(ask(a), ERR_OK);
  return a->claimed[0];
}

static enum err settle(struct yard *y, const struct task *task, enum settle_verb verb,
                       const char *actor, const char *worker) {
  struct ask *a = settling(y, task, verb);
  by(a, actor);
  a->order.in.settle.items->lease = 0;
  if (worker) a->order.in.settle.items->worker = ask_text(a, worker);
  return ask(a);
}

static enum err heartbeat(struct yard *y, const struct task *task, const char *actor) {
  struct ask *a = reporting(y, task);
  by(a, actor);
  a->order.in.report.lease = 0;
  return ask(a);
}

static void the_key_that_claimed_moves_the_task_without_a_token(void **state) {
  struct yard *y = *state;
  for (int verb = SETTLE_COMPLETE; verb <= SETTLE_RELEASE; verb++) {
    struct task task = held_by(y, "key:aaaaaaaa", NULL);
    assert_int_equal(heartbeat(y, &task, "key:aaaaaaaa"), ERR_OK);
    assert_int_equal(settle(y, &task, (enum settle_verb)verb, "key:aaaaaaaa", NULL), ERR_OK);
    assert_int_not_equal(kept(y, task.id)->status, TASK_RUNNING);
  }
}

static void every_other_actor_moves_nothing(void **state) {
  struct yard *y = *state;
  static const char *const OTHERS[] = {
      "key:bbbbbbbb", "key:aaaaaaa", "key:aaaaaaaaa", "key:", "key:aaaaaaaa/", "local", "tester"};
  struct task task = held_by(y, "key:aaaaaaaa", "p");
  for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
    for (int verb = SETTLE_COMPLETE; verb <= SETTLE_RELEASE; verb++)
      assert_int_equal(settle(y, &task, (enum settle_verb)verb, OTHERS[i], NULL), ERR_LEASE_LOST);
    assert_int_equal(heartbeat(y, &task, OTHERS[i]), ERR_LEASE_LOST);
  }
  assert_int_equal(kept(y, task.id)->status, TASK_RUNNING);
}

static void a_claim_that_is_bound_to_no_key_needs_its_token(void **state) {
  struct yard *y = *state;
  struct task task = running(y);  // by "tester", as "w1"
  assert_int_equal(settle(y, &task, SETTLE_COMPLETE, "tester", NULL), ERR_LEASE_LOST);
  assert_int_equal(settle(y, &task, SETTLE_COMPLETE, "w1", NULL), ERR_LEASE_LOST);
  assert_int_equal(ask(completing(y, &task)), ERR_OK);
}

static void a_worker_that_is_named_must_be_the_one(void **state) {
  struct yard *y = *state;
  struct task task = held_by(y, "key:aaaaaaaa", "p/1");
  assert_text(task.worker, "key:aaaaaaaa/p/1");
  assert_int_equal(settle(y, &task, SETTLE_COMPLETE, "key:aaaaaaaa", "p"), ERR_LEASE_LOST);
  assert_int_equal(settle(y, &task, SETTLE_COMPLETE, "key:aaaaaaaa", "1"), ERR_LEASE_LOST);
  assert_int_equal(settle(y, &task, SETTLE_COMPLETE, "key:aaaaaaaa", "p/1"), ERR_OK);
  struct task other = held_by(y, "key:aaaaaaaa", NULL);
  assert_int_equal(settle(y, &other, SETTLE_COMPLETE, "key:aaaaaaaa", "p"), ERR_LEASE_LOST);
}

static void a_claim_that_has_ended_moves_nothing(void **state) {
  struct yard *y = *state;
  struct task task = held_by(y, "key:aaaaaaaa", NULL);
  pass(y, LEASE_MS);  // lost
  assert_int_equal(settle(y, &task, SETTLE_COMPLETE, "key:aaaaaaaa", NULL), ERR_LEASE_LOST);
  taken_one(y, task.id);
  assert_int_equal(settle(y, &task, SETTLE_COMPLETE, "key:aaaaaaaa", NULL), ERR_LEASE_LOST);
}

static void a_second_completion_without_a_token_is_refused(void **state) {
  struct yard *y = *state;
  struct task task = held_by(y, "key:aaaaaaaa", NULL);
  assert_int_equal(settle(y, &task, SETTLE_COMPLETE, "key:aaaaaaaa", NULL), ERR_OK);
  assert_int_equal(settle(y, &task, SETTLE_COMPLETE, "key:aaaaaaaa", NULL), ERR_LEASE_LOST);
  assert_int_equal(ask(completing(y, &task)), ERR_OK);  // with its token it is a repeat
}

static void a_least_lease_holds_unless_the_claim_names_one(void **state) {
  struct yard *y = *state;
  static const int64_t CASES[][3] = {{0, 60000, 60000}, {5000, 60000, 5000}, {0, 1000, LEASE_MS}};
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    struct ask *a = ask_new(y, ORDER_CLAIM_ONE);
    a->order.id = made(y, "t");
    a->order.claim =
        (struct claim_filter){.lease_ms = CASES[i][0], .lease_least_ms = CASES[i][1], .limit = 1};
    assert_int_equal(ask(a), ERR_OK);
    assert_int_equal(a->claimed[0].lease_expires_at, y->now + CASES[i][2]);
  }
}

static void only_the_names_of_keys_are_reserved(void **state) {
  (void)state;
  assert_true(engine_worker_reserved(STR("key:")));
  assert_true(engine_worker_reserved(STR("key:aaaaaaaa/p")));
  assert_false(engine_worker_reserved(STR("key")));
  assert_false(engine_worker_reserved(STR(" key:a")));
  assert_false(engine_worker_reserved(STR_NONE));
  assert_false(engine_can_hold(STR("local")));
}

#define HOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, yard_setup, yard_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      HOLDER_TEST(the_key_that_claimed_moves_the_task_without_a_token),
      HOLDER_TEST(every_other_actor_moves_nothing),
      HOLDER_TEST(a_claim_that_is_bound_to_no_key_needs_its_token),
      HOLDER_TEST(a_worker_that_is_named_must_be_the_one),
      HOLDER_TEST(a_claim_that_has_ended_moves_nothing),
      HOLDER_TEST(a_second_completion_without_a_token_is_refused),
      HOLDER_TEST(a_least_lease_holds_unless_the_claim_names_one),
      HOLDER_TEST(only_the_names_of_keys_are_reserved),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
