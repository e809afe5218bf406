// workers_test.c: which workers were seen, and what for.
#include "engine/testing.h"

static struct ask *claiming_as(struct yard *y, const char *worker, const char *type,
                               int64_t wait_ms) {
  struct ask *a = claiming(y, type, NULL, 1, wait_ms);
  a->order.claim.worker = ask_text(a, worker);
  return a;
}

// The one worker of tenant 1; its texts live in `a`.
static struct worker_info only(struct yard *y, struct arena *a) {
  struct worker_info *all;
  assert_int_equal(engine_workers(y->e, 1, a, &all), 1);
  return all[0];
}

static void a_worker_is_seen_with_what_it_asks_for_and_got(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  ask(claiming_as(y, "w1", "t", 500));
  struct worker_info info = only(y, &a);
  assert_text(info.worker, "w1");
  assert_true(info.waiting);
  assert_int_equal(info.seen_at, START_MS);
  assert_int_equal(info.claimed, 0);
  assert_int_equal(info.type_count, 1);
  assert_text(info.types[0], "t");
  assert_int_equal(info.queue_count, 0);
  made(y, "t");
  info = only(y, &a);
  assert_false(info.waiting);
  assert_int_equal(info.claimed, 1);
  y->now += 7;
  ask(reporting(y, &y->store.tasks[0]));
  assert_int_equal(only(y, &a).seen_at, y->now);
  ask(claiming_as(y, "w1", NULL, 0));
  assert_int_equal(only(y, &a).type_count, 0);
  arena_fini(&a);
}

static void a_worker_waits_as_long_as_one_of_its_claims_does(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  ask(claiming_as(y, "w1", "t", 300));
  ask(claiming_as(y, "w1", "t", 600));
  pass(y, 300);
  assert_true(only(y, &a).waiting);
  pass(y, 300);
  assert_false(only(y, &a).waiting);
  arena_fini(&a);
}

static void workers_of_another_tenant_or_without_a_name_are_not_seen(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 4096);
  struct worker_info *all;
  struct ask *foreign = claiming_as(y, "w1", NULL, 0);
  foreign->order.tenant = 2;
  ask(foreign);
  ask(claiming_as(y, NULL, NULL, 0));
  assert_int_equal(engine_workers(y->e, 1, &a, &all), 0);
  assert_int_equal(engine_workers(y->e, 2, &a, &all), 1);
  arena_fini(&a);
}

static void past_the_limit_the_one_unseen_for_longest_makes_room(void **state) {
  struct yard *y = *state;
  struct arena a;
  arena_init(&a, 1 << 20);
  ask(claiming_as(y, "first", NULL, 0));
  for (int i = 0; i < LIMIT_WORKERS; i++) {
    char name[16];
    snprintf(name, sizeof name, "w%d", i);
    y->now++;
    ask(claiming_as(y, name, NULL, 0));
  }
  struct worker_info *all;
  assert_int_equal(engine_workers(y->e, 1, &a, &all), LIMIT_WORKERS);
  for (size_t i = 0; i < LIMIT_WORKERS; i++) assert_false(str_eq(all[i].worker, STR("first")));
  arena_fini(&a);
}

static bool is_seen(struct yard *y, const char *worker, bool *waiting) {
  struct arena a;
  struct worker_info *all;
  bool seen = false;
  arena_init(&a, 1 << 20);
  size_t count = engine_workers(y->e, 1, &a, &all);
  for (size_t i = 0; i < count; i++) {
    if (!str_eq(all[i].worker, str_of(worker))) continue;
    seen = true;
    *waiting = all[i].waiting;
  }
  arena_fini(&a);
  return seen;
}

static void see_others(struct yard *y, int count) {
  for (int i = 0; i < count; i++) {
    char name[16];
    snprintf(name, sizeof name, "w%d", i);
    y->now++;
    ask(claiming_as(y, name, NULL, 0));
  }
}

static void whoever_comes_again_does_not_make_room(void **state) {
  struct yard *y = *state;
  bool waiting;
  ask(claiming_as(y, "first", NULL, 0));
  see_others(y, LIMIT_WORKERS - 1);
  ask(claiming_as(y, "first", NULL, 0));
  y->now++;
  ask(claiming_as(y, "one more", NULL, 0));
  assert_true(is_seen(y, "first", &waiting));
  assert_true(is_seen(y, "one more", &waiting));
  assert_false(is_seen(y, "w0", &waiting));
}

static void a_claim_that_outlasts_the_entry_of_its_worker_ends_like_any_other(void **state) {
  struct yard *y = *state;
  bool waiting = true;
  struct ask *a = claiming_as(y, "first", "t", 60000);
  ask(a);
  see_others(y, LIMIT_WORKERS);
  assert_false(is_seen(y, "first", &waiting));
  engine_withdraw(y->e, &a->order);
  turn(y);
  assert_true(is_seen(y, "first", &waiting));
  assert_false(waiting);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_worker_is_seen_with_what_it_asks_for_and_got),
      YARD_TEST(a_worker_waits_as_long_as_one_of_its_claims_does),
      YARD_TEST(workers_of_another_tenant_or_without_a_name_are_not_seen),
      YARD_TEST(past_the_limit_the_one_unseen_for_longest_makes_room),
      YARD_TEST(whoever_comes_again_does_not_make_room),
      YARD_TEST(a_claim_that_outlasts_the_entry_of_its_worker_ends_like_any_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
