// meanwhile_test.c: what ends a wait, or may end it, while the unit of who waits is in the store.
#include "base/hash.h"
#include "base/log.h"
#include "engine/testing_meanwhile.h"
#include "engine/testing_keys.h"

// A claim that begins to wait in a unit that has something to commit.
static struct ask *waits_amid_a_unit(struct yard *y, const char *actor) {
  struct ask *a = claiming(y, "t", NULL, 1, 60000);
  if (actor) a->order.actor = ask_text(a, actor);
  submit(a), submit(creating(y, "other", 1));
  return a;
}

// --- keys and queues -----------------------------------------------------------------------------

static void revoke_beside(struct yard *y) {
  ask_beside(y, 0, revoking(y, "k1"));
  assert_int_equal(others[0]->err, ERR_OK);
}

static void who_waits_by_a_key_that_is_revoked_meanwhile_is_sent_back_after_the_commit(
    void **state) {
  struct yard *y = *state;
  ask(keying(y, "k1", NULL));
  while_in_the_store(y, FAKE_APPLYING, revoke_beside);
  struct ask *a = waits_amid_a_unit(y, "key:k1"), *b = waits_amid_a_unit(y, "key:k2");
  settle_all(y);
  assert_nothing(a);
  assert_waits(b);
}

// By the same key: one is to look again at once, the other after a pause.
static void nor_does_who_is_to_look_again_wait_on_by_it(void **state) {
  struct yard *y = *state;
  ask(keying(y, "k1", NULL));
  struct id id = made(y, "t");
  struct ask *a = claiming(y, "t", NULL, 1, 60000), *other = claiming(y, "x", NULL, 1, 60000);
  a->order.actor = ask_text(a, "key:k1");
  submit(canceling(y, id, 0)), submit(a), submit(other), submit(revoking(y, "k1"));
  turn(y);
  assert_nothing(a);
  assert_waits(other);
  ask(keying(y, "k2", NULL));
  id = made(y, "u");
  struct ask *b = claiming(y, "u", NULL, 1, 60000);
  b->order.actor = ask_text(b, "key:k2");
  fail_next(y, ERR_CONFLICT);
  submit(b);
  assert_true(engine_turn(y->e, &y->next_at));
  submit(canceling(y, id, 0)), submit(revoking(y, "k2"));
  turn(y);
  assert_waits(b);
  live(y, 20);
  assert_nothing(b);
}

static void resume_beside(struct yard *y) { ask_beside(y, 0, pausing(y, "default", false)); }

static void who_begins_to_wait_while_a_queue_is_resumed_looks_again(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  ask(pausing(y, "default", true));
  while_in_the_store(y, FAKE_APPLYING, resume_beside);
  struct ask *a = waits_amid_a_unit(y, NULL);
  settle_all(y);
  assert_got(a, id);
}

static void only_claims_of_its_tenant_look_when_a_queue_is_resumed(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "v");
  ask(pausing(y, "default", true));
  struct ask *watch = watching(y, id, 60000), *a = parked(y, "t", 60000);
  struct ask *foreign = claiming(y, "t", NULL, 1, 60000);
  foreign->order.tenant = 2;
  ask(watch), ask(foreign);
  size_t loads = y->store.loads;
  ask(pausing(y, "default", false));
  assert_int_equal(y->store.loads, loads + 2);  // of the order, and of the one that looks again
  assert_waits(watch);
  assert_waits(foreign);
  assert_waits(a);
}

// --- a drain -------------------------------------------------------------------------------------

static void drain_beside(struct yard *y) {
  engine_drain(y->e);
  turn_beside(y);
}

static void drain_after_claims(struct yard *y) {
  ask_beside(y, 0, claiming(y, "t", NULL, 1, 0));
  ask_beside(y, 1, claiming(y, "t", NULL, 1, 60000));
  assert_waits(others[0]);
  assert_waits(others[1]);
  drain_beside(y);
}

// What another unit holds is looked at again and again, but not when nobody may wait any more.
static void a_drain_ends_the_wait_for_what_another_unit_holds(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  while_in_the_store(y, FAKE_APPLYING, drain_after_claims);
  struct ask *a = claiming(y, "t", NULL, 1, 0);
  submit(a);
  settle_all(y);
  assert_got(a, id);
  struct fake_lock held = fake_lock_of_id(made(y, "t"));
  fake_take(&y->store.lanes[2], held);
  live(y, 10);
  fake_unlock_all(&y->store.lanes[2]);
  assert_nothing(others[0]);
  assert_nothing(others[1]);
}

static void drain_and_fail(struct yard *y) {
  drain_beside(y);
  fail_next(y, ERR_DISK_FULL);
}

// It had been fed, and is put back among those who wait, of whom there are none any more.
static void a_claim_whose_feeding_failed_does_not_wait_through_a_drain(void **state) {
  struct yard *y = *state;
  struct ask *a = parked(y, "t", 60000);
  while_in_the_store(y, FAKE_APPLYING, drain_and_fail);
  assert_int_equal(ask(creating(y, "t", 1)), ERR_DISK_FULL);
  assert_nothing(a);
}

// --- who leaves at the worst moment --------------------------------------------------------------

static struct order *leaver;
static bool was_parked;

// Whoever waits is noted with the time, by which a client is seen to leave while it is fed.
static int64_t now_when_it_leaves(void *self) {
  if (leaver && was_parked && !leaver->parked) leaver->gone = true;
  was_parked |= leaver && leaver->parked;
  return yard_now(self);
}

static void commit_beside(struct yard *y) {
  ask_beside(y, 0, creating(y, "other", 1));
  assert_int_equal(others[0]->err, ERR_OK);
  assert_int_equal(((struct ask *)leaver->context)->answers, 0);  // its unit sees to it
}

// Its answer would end the memory that the unit still knows it by.
static void a_client_that_leaves_while_it_is_fed_is_not_answered_before_the_commit(void **state) {
  struct yard *y = *state;
  struct ask *a = claiming(y, "t", NULL, 1, 60000), *create = creating(y, "t", 1);
  y->e->clock.now_ms = now_when_it_leaves;
  was_parked = false;
  leaver = &a->order;
  while_in_the_store(y, FAKE_APPLYING, commit_beside);
  submit(a), submit(create);
  settle_all(y);
  assert_true(a->order.gone);
  leaver = NULL;
  y->e->clock.now_ms = yard_now;
  assert_int_equal(a->answers, 1);
  assert_int_equal(engine_stats(y->e).parked_claims, 0);
}

static int64_t now_when_it_begins_to_wait(void *self) {
  if (leaver && leaver->group) leaver->gone = true;
  return yard_now(self);
}

static void a_client_that_leaves_when_it_has_been_parked_is_not_fed(void **state) {
  struct yard *y = *state;
  struct ask *a = claiming(y, "t", NULL, 1, 60000), *create = creating(y, "t", 1);
  y->e->clock.now_ms = now_when_it_begins_to_wait;
  leaver = &a->order;
  submit(a), submit(create);
  turn(y);
  leaver = NULL;
  y->e->clock.now_ms = yard_now;
  assert_int_equal(a->err, ERR_UNAVAILABLE);
  assert_status(y, create->tasks[0].id, TASK_PENDING);
}

// --- Idempotency-Key -----------------------------------------------------------------------------

static struct ask *keyed(struct ask *a, const char *key) {
  with_key(a, key, "same");
  return a;
}

static void resume_and_no_more(struct yard *y) {
  int64_t next_at;
  submit(pausing(y, "side", false));
  assert_true(lane_turn(&y->e->lanes[1], &next_at));
}

static void a_key_is_in_progress_while_its_claim_is_to_look_again(void **state) {
  struct yard *y = *state;
  ask(pausing(y, "side", true));
  struct ask *a = keyed(claiming(y, "t", NULL, 1, 60000), "k");
  ask(a);
  while_in_the_store(y, FAKE_LOADED, resume_and_no_more);
  struct ask *repeat = keyed(claiming(y, "t", NULL, 1, 0), "k");
  submit(repeat);
  settle_all(y);
  assert_int_equal(repeat->err, ERR_IN_PROGRESS);
  assert_waits(a);
}

static void and_while_it_is_to_look_again_after_a_pause(void **state) {
  struct yard *y = *state;
  struct fake_lock held = fake_lock_of_id(made(y, "t"));
  fake_take(&y->store.lanes[2], held);
  struct ask *a = keyed(claiming(y, "t", NULL, 1, 60000), "k");
  ask(a);
  assert_waits(a);
  assert_int_equal(ask(keyed(claiming(y, "t", NULL, 1, 0), "k")), ERR_IN_PROGRESS);
  fake_unlock_all(&y->store.lanes[2]);
  live(y, 10);
  assert_int_equal(a->claimed_count, 1);
}

static void create_with_a_key_beside(struct yard *y) {
  ask_beside(y, 0, keyed(creating(y, "v", 1), "l"));
  assert_int_equal(others[0]->err, ERR_OK);
}

static void keys_of_another_lane_s_unit_are_in_nobody_s_way(void **state) {
  struct yard *y = *state;
  struct id id = made(y, "t");
  struct ask *again = keyed(claiming(y, "t", NULL, 1, 0), "k");
  struct ask *create = keyed(creating(y, "u", 1), "m");
  while_in_the_store(y, FAKE_APPLYING, create_with_a_key_beside);
  submit(canceling(y, id, 0)), submit(again), submit(create);
  settle_all(y);
  assert_nothing(again);
  assert_int_equal(create->err, ERR_OK);
  assert_int_equal(y->store.replay_count, 3);
}

// --- what is left --------------------------------------------------------------------------------

static void each_queue_and_type_of_a_batch_is_offered_and_nothing_that_is_gone(void **state) {
  struct yard *y = *state;
  struct task failed = running(y);
  struct ask *fail = settling(y, &failed, SETTLE_FAIL);
  fail->order.in.settle.items->no_retry = true;
  ask(fail);
  struct ask *batch = creating(y, "u", 4), *foreign = creating(y, "u", 1);
  struct ask *waits = parked(y, "t", 60000);
  item_of(batch, 2)->type = ask_text(batch, "v");
  item_of(batch, 3)->type = ask_text(batch, "v");
  item_of(batch, 3)->queue = ask_text(batch, "side");
  foreign->order.tenant = 2;
  submit(about(y, ORDER_RETRY, failed.id)), submit(about(y, ORDER_DELETE, failed.id));
  submit(batch), submit(foreign);
  turn(y);
  assert_waits(waits);
  struct ask *a = claiming(y, "u", NULL, 5, 0), *b = claiming(y, "v", NULL, 5, 0);
  ask(a), ask(b);
  assert_int_equal(a->claimed_count, 2);
  assert_int_equal(b->claimed_count, 2);
}

static void the_store_is_as_ill_as_its_latest_failure_says(void **state) {
  struct yard *y = *state;
  made(y, "t");
  turn_beside(y);
  y->store.fail_apply = ERR_UNAVAILABLE;
  y->store.lanes[1].fails = true;
  ask_beside(y, 0, creating(y, "t", 1));
  assert_int_equal(others[0]->err, ERR_UNAVAILABLE);
  y->store.fail_apply = ERR_DISK_FULL;
  y->store.lanes[0].fails = true;
  assert_int_equal(ask(creating(y, "t", 1)), ERR_DISK_FULL);
  assert_int_equal(engine_stats(y->e).store, ERR_DISK_FULL);
  y->store.lanes[0].fails = y->store.lanes[1].fails = false;
  int64_t next_at;
  submit(creating(y, "t", 1));
  assert_true(lane_turn(&y->e->lanes[2], &next_at));
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
  y->e->lanes[0].err = y->e->lanes[1].err = ERR_OK;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LANES_TEST(who_waits_by_a_key_that_is_revoked_meanwhile_is_sent_back_after_the_commit),
      YARD_TEST(nor_does_who_is_to_look_again_wait_on_by_it),
      LANES_TEST(who_begins_to_wait_while_a_queue_is_resumed_looks_again),
      YARD_TEST(only_claims_of_its_tenant_look_when_a_queue_is_resumed),
      LANES_TEST(a_drain_ends_the_wait_for_what_another_unit_holds),
      LANES_TEST(a_claim_whose_feeding_failed_does_not_wait_through_a_drain),
      LANES_TEST(a_client_that_leaves_while_it_is_fed_is_not_answered_before_the_commit),
      YARD_TEST(a_client_that_leaves_when_it_has_been_parked_is_not_fed),
      LANES_TEST(a_key_is_in_progress_while_its_claim_is_to_look_again),
      LANES_TEST(keys_of_another_lane_s_unit_are_in_nobody_s_way),
      LANES_TEST(each_queue_and_type_of_a_batch_is_offered_and_nothing_that_is_gone),
      LANES_TEST(the_store_is_as_ill_as_its_latest_failure_says),
      LANES_TEST(and_while_it_is_to_look_again_after_a_pause),
  };
  (void)log_open("/dev/null");  // failures are reported there
  return cmocka_run_group_tests(tests, NULL, NULL);
}
