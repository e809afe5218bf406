// news_test.c: a store that several processes share: what one hears of the others. No threads: each
// round of news is run by hand.
#include "base/hash.h"
#include "base/log.h"
#include "engine/inside.h"
#include "engine/testing.h"
#include "engine/testing_keys.h"

static enum err hear(struct yard *y) {
  struct arena a;
  struct fault why = {0};
  arena_init(&a, 4096);
  enum err err = news_turn(y->e, &a, &why);
  arena_fini(&a);
  turn(y);
  return err;
}

static struct yard *beside(struct yard *y) {
  struct yard *other = yard_beside(y);
  turn(other);
  return other;
}

// --- tasks that became ready ---------------------------------------------------------------------

static void a_task_that_another_process_made_wakes_a_claim_that_waits_here(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct ask *a = parked(y, "t", 60000), *elsewhere = parked(y, "u", 60000);
  struct id id = made(other, "t");
  turn(y);
  assert_waits(a);
  assert_int_equal(hear(y), ERR_OK);
  assert_got(a, id);
  assert_waits(elsewhere);
  yard_end(other);
}

static void as_many_as_there_are_tasks_are_woken_and_who_waits_longest_first(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct ask *all[] = {parked(y, "t", 60000), parked(y, NULL, 60000), parked(y, "t", 60000)};
  struct ask *create = creating(other, "t", 2);
  ask(create);
  size_t rows = y->store.rows_loaded;
  hear(y);
  assert_got(all[0], create->tasks[0].id);
  assert_got(all[1], create->tasks[1].id);
  assert_waits(all[2]);
  assert_true(y->store.rows_loaded - rows <= 4);  // each of them saw what both can take
  yard_end(other);
}

// Elsewhere its Idempotency-Key came with another request while it waited.
static void a_woken_claim_that_is_refused_leaves_its_task_to_the_next(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct ask *first = claiming(y, "t", NULL, 1, 60000), *second;
  with_key(first, "k", "one");
  ask(first);
  second = parked(y, NULL, 60000);
  struct ask *elsewhere = claiming(other, "u", NULL, 1, 0);
  with_key(elsewhere, "k", "two");
  assert_int_equal(ask(elsewhere), ERR_OK);
  struct id id = made(y, "t");
  assert_int_equal(first->err, ERR_KEY_REUSED);
  assert_got(second, id);
  yard_end(other);
}

static void one_claim_of_many_tasks_stands_for_many(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct ask *many = claiming(y, "t", NULL, 5, 60000);
  ask(many);
  struct ask *next = parked(y, NULL, 60000);
  ask(creating(other, "t", 4));
  size_t rows = y->store.rows_loaded;
  hear(y);
  assert_int_equal(many->claimed_count, 4);
  assert_waits(next);
  assert_int_equal(y->store.rows_loaded, rows + 4);  // the next one was left asleep
  yard_end(other);
}

static void news_that_tell_of_nothing_left_change_nothing(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct ask *a = parked(y, "t", 60000);
  made(other, "t");
  taken(other);
  hear(y);
  assert_waits(a);
  assert_int_equal(engine_stats(y->e).parked_claims, 1);
  yard_end(other);
}

static int64_t stirred;  // the tenant that was told of last

static void hear_elsewhere(void *yard, int64_t tenant) {
  (void)yard;
  stirred = tenant;
}

static void events_of_another_process_are_told_by_their_tenant(void **state) {
  (void)state;
  struct yard *y = yard_new(2);
  fake_share(&y->store, &y->store.head, &y->ops, &y->news);
  y->elsewhere = hear_elsewhere;
  yard_open_engine(y);
  struct yard *other = beside(y);
  made(y, "t");
  hear(y);
  assert_int_equal(stirred, 0);  // its own are heard of as they happen
  made(other, "t");
  hear(y);
  assert_int_equal(stirred, 1);
  yard_end(other);
  yard_end(y);
}

// The first request waits here, its repeat found something there: both get that.
static void a_key_that_was_answered_elsewhere_answers_the_claim_that_waits_here(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct ask *a = claiming(y, "t", NULL, 1, 60000), *repeat = claiming(other, "t", NULL, 1, 0);
  with_key(a, "k", "claim"), with_key(repeat, "k", "claim");
  ask(a);
  struct id first = made(other, "t");
  ask(repeat);
  assert_got(repeat, first);
  struct id second = made(other, "t");
  hear(y);
  assert_int_equal(a->err, ERR_OK);
  assert_true(a->replayed.len > 0);
  assert_status(y, second, TASK_PENDING);
  yard_end(other);
}

// Without a hint: the store was looked at, and something fits.
static void who_waits_longest_with_a_filter_looks_when_something_fits_it(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct ask *a = parked(y, "t", 60000), *b = parked(y, "t", 60000), *c = parked(y, "u", 60000);
  struct ask *create = creating(other, "t", 2);
  ask(create);
  y->news.ready_count = 0;  // lost
  y->news.pulse = true;
  hear(y);
  assert_got(a, create->tasks[0].id);
  assert_got(b, create->tasks[1].id);  // it was passed on
  assert_waits(c);
  yard_end(other);
}

static void the_store_is_told_what_is_waited_for_and_what_is_paused(void **state) {
  struct yard *y = *state;
  ask(pausing(y, "side", true));
  struct task task = running(y);
  parked(y, NULL, 60000);
  ask(watching(y, task.id, 60000));
  hear(y);
  assert_int_equal(y->news.parked_count, 1);
  assert_int_equal(y->news.parked[0].tenant, 1);
  assert_int_equal(y->news.parked[0].type_count, 0);
  assert_int_equal(y->news.parked[0].not_queue_count, 1);
  assert_int_equal(y->news.watched_count, 1);
}

static struct yard *hearer;

static enum err news_of_what_nobody_waits_for(struct store *s, struct news *news,
                                              struct fault *why) {
  (void)s, (void)why;
  assert_int_equal(news->parked_count, 1);
  news->parked[0].busy = true;
  pass(hearer, 60000);  // meanwhile its wait is over
  return ERR_OK;
}

static void something_may_fit_whoever_has_gone_meanwhile(void **state) {
  struct yard *y = hearer = *state;
  struct ask *a = parked(y, "t", 60000);
  y->ops.news = news_of_what_nobody_waits_for;
  assert_int_equal(hear(y), ERR_OK);
  assert_nothing(a);
  assert_int_equal(engine_stats(y->e).parked_claims, 0);
}

// Who waits with a key is not fed, since its answer may have been kept elsewhere; the one that came
// later took something better, and left what had been found for both.
static void what_a_claim_has_left_is_passed_on_to_who_waits_for_the_same(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct ask *waits = claiming(y, "t", NULL, 1, 60000), *a = claiming(y, "t", NULL, 1, 0);
  with_key(waits, "k", "claim");
  ask(waits);
  struct id left = made(other, "t");
  struct ask *better = creating(y, "t", 1);
  item_of(better, 0)->priority = 9;
  submit(better), submit(a);
  turn(y);
  assert_got(a, better->tasks[0].id);
  assert_got(waits, left);
  yard_end(other);
}

// What ran into a conflict forgets what it had come to, and may be answered elsewhere by then.
static void a_create_in_conflict_is_answered_by_its_repeat_elsewhere(void **state) {
  struct yard *y = *state, *other = beside(y);
  for (int i = 0; i < 2; i++) {
    struct ask *a = creating(y, "t", 1), *repeat = creating(other, "t", 1);
    a->order.wait_ms = 60000;
    with_key(a, i ? "k" : "l", "body"), with_key(repeat, i ? "k" : "l", i ? "another" : "body");
    fail_next(y, ERR_CONFLICT);
    submit(a);
    assert_true(engine_turn(y->e, &y->next_at));
    assert_int_equal(ask(repeat), ERR_OK);
    live(y, 100);
    assert_int_equal(a->answers, 1);
    assert_int_equal(a->err, i ? ERR_KEY_REUSED : ERR_OK);
    assert_int_equal(a->replayed.len > 0, i == 0);
  }
  assert_int_equal(engine_stats(y->e).watching, 0);
  assert_int_equal(y->store.task_count, 2);
  yard_end(other);
}

// --- ends ----------------------------------------------------------------------------------------

static void a_task_that_another_process_ended_is_told_to_those_who_watch_it(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct task task = running(y), more = running(y);
  struct ask *a = watching(y, task.id, 60000), *b = watching(y, more.id, 60000);
  struct ask *create = creating(y, "v", 1);
  create->order.wait_ms = 60000;
  ask(a), ask(b), ask(create);
  ask(completing(other, &task));
  hear(y);
  assert_int_equal(a->tasks[0].status, TASK_COMPLETED);
  assert_waits(b);
  struct task last = taken(other);
  ask(completing(other, &last));
  hear(y);
  assert_int_equal(create->tasks[0].status, TASK_COMPLETED);
  yard_end(other);
}

// --- news while a unit is under way --------------------------------------------------------------

static struct yard *far;
static bool done;

static void create_far_away(void *self, struct store_lane *lane, enum fake_point point) {
  struct yard *y = self;
  if (done || point != FAKE_LOADED || lane != y->e->lanes[0].store) return;
  done = true;
  made(far, "t");
  struct arena a;
  arena_init(&a, 4096);
  assert_int_equal(news_turn(y->e, &a, NULL), ERR_OK);
  arena_fini(&a);
}

static void news_that_come_before_a_claim_waits_are_not_missed(void **state) {
  struct yard *y = *state;
  far = beside(y);
  done = false;
  y->store.hook = create_far_away;
  y->store.hook_self = y;
  struct ask *a = claiming(y, "t", NULL, 1, 60000);
  ask(a);
  assert_true(done);
  assert_int_equal(a->claimed_count, 1);
  yard_end(far);
}

// --- time ----------------------------------------------------------------------------------------

static void what_is_overdue_elsewhere_is_moved_on_here(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct task task = running(other);  // only that process knows when its lease ends
  turn(y);
  assert_int_equal(y->next_at, 0);
  y->now += LEASE_MS + 600;  // and it died
  turn(y);
  assert_status(y, task.id, TASK_RUNNING);
  y->news.wake_at = y->now - 600;
  hear(y);
  assert_status(y, task.id, TASK_PENDING);
  yard_end(other);
}

static void of_two_times_the_earlier_one_is_woken_for(void **state) {
  struct yard *y = *state;
  struct ask *later = creating(y, "t", 1);
  later->order.in.create.items[0].delay_ms = 5000;
  ask(later);
  assert_int_equal(y->next_at, y->now + 5000);
  y->news.wake_at = y->now + 9000;
  hear(y);
  assert_int_equal(y->next_at, y->now + 5000);
  y->news.wake_at = y->now + 1000;
  hear(y);
  assert_int_equal(y->next_at, y->now + 1000);
}

static int64_t store_time(struct store *s) { return 7 * yard_now(fake_of(s)->hook_self); }

static void the_stores_clock_decides(void **state) {
  struct yard *y = yard_new(1);
  y->ops = *y->store.head.store.ops;
  y->ops.now = store_time;
  y->store.head.store.ops = &y->ops;
  y->store.hook_self = y;
  yard_open_engine(y);
  struct task task = taken_one(y, made(y, "t"));
  assert_int_equal(task.claimed_at, 7 * START_MS);
  assert_int_equal(engine_now(y->e), 7 * START_MS);
  (void)state;
  yard_end(y);
}

// --- the catalogue -------------------------------------------------------------------------------

static int64_t opens(struct yard *y, const char *id) {
  struct arena a;
  struct principal who = {0};
  uint8_t hash[SHA256_BYTES];
  arena_init(&a, 4096);
  hash_sha256(str_of(id), hash);
  enum key_state state;
  bool good = engine_key_check(y->e, str_of(id), hash, &a, &who, &state);
  arena_fini(&a);
  return good ? who.tenant : 0;
}

static void a_key_made_or_revoked_elsewhere_counts_once_the_news_are_heard(void **state) {
  struct yard *y = *state, *other = beside(y);
  assert_int_equal(ask(keying_as(other, "k1", NULL, ROLE_ADMIN)), ERR_OK);
  assert_int_equal(opens(y, "k1"), 0);
  hear(y);
  assert_int_equal(opens(y, "k1"), 1);
  assert_int_equal(ask(keying_as(y, "k2", NULL, ROLE_ADMIN)), ERR_OK);
  assert_int_equal(ask(revoking(other, "k1")), ERR_OK);  // it sees k2 in time
  assert_int_equal(opens(y, "k1"), 1);
  hear(y);
  assert_int_equal(opens(y, "k1"), 0);
  assert_int_equal(opens(y, "k2"), 1);
  yard_end(other);
}

static void who_waits_by_a_key_revoked_elsewhere_is_sent_back(void **state) {
  struct yard *y = *state, *other = beside(y);
  ask(keying_as(y, "k1", NULL, ROLE_ADMIN)), ask(keying_as(y, "k2", NULL, ROLE_ADMIN));
  struct ask *a = claiming(y, "t", NULL, 1, 60000), *b = claiming(y, "t", NULL, 1, 60000);
  a->order.actor = ask_text(a, "key:k1");
  b->order.actor = ask_text(b, "key:k2");
  submit(a), submit(b);
  turn(y);
  hear(other);
  ask(revoking(other, "k1"));
  assert_waits(a);
  hear(y);
  assert_nothing(a);
  assert_waits(b);
  struct id id = made(y, "t");
  assert_got(b, id);
  yard_end(other);
}

static void the_last_admin_key_is_kept_although_two_servers_revoke_at_once(void **state) {
  struct yard *y = *state, *other = beside(y);
  ask(keying_as(y, "k1", NULL, ROLE_ADMIN)), ask(keying_as(y, "k2", NULL, ROLE_ADMIN));
  hear(other);
  assert_int_equal(ask(revoking(other, "k1")), ERR_OK);
  assert_int_equal(ask(revoking(y, "k2")), ERR_CONFLICT);  // this one has heard nothing of it yet
  assert_int_equal(opens(y, "k2"), 1);
  yard_end(other);
}

static void two_servers_make_a_tenant_of_one_name_once(void **state) {
  struct yard *y = *state, *other = beside(y);
  assert_int_equal(ask(keying_as(other, "k1", "acme", ROLE_ADMIN)), ERR_OK);
  assert_int_equal(ask(keying_as(y, "k2", "acme", ROLE_ADMIN)), ERR_OK);
  assert_int_equal(ask(keying_as(y, "k3", "globex", ROLE_ADMIN)), ERR_OK);
  assert_int_equal(y->store.tenant_count, 3);
  hear(other), hear(y);
  for (int i = 0; i < 2; i++) {
    struct yard *at = i ? other : y;
    assert_int_equal(opens(at, "k1"), 2);
    assert_int_equal(opens(at, "k2"), 2);
    assert_int_equal(opens(at, "k3"), 3);
  }
  assert_int_equal(y->e->catalog.tenant_count, 3);
  yard_end(other);
}

static void a_queue_resumed_elsewhere_feeds_those_who_wait_here(void **state) {
  struct yard *y = *state, *other = beside(y);
  ask(pausing(other, "default", true));
  hear(y);
  assert_true(engine_queue_paused(y->e, 1, STR("default")));
  struct id id = made(y, "t");
  struct ask *a = parked(y, NULL, 60000);
  ask(pausing(other, "default", false));
  assert_waits(a);
  hear(y);
  assert_got(a, id);
  yard_end(other);
}

static void pausing_what_was_paused_elsewhere_is_no_event(void **state) {
  struct yard *y = *state, *other = beside(y);
  ask(pausing(other, "q", true));
  size_t events = y->store.event_count;
  assert_int_equal(ask(pausing(y, "q", true)), ERR_OK);
  assert_int_equal(y->store.event_count, events);
  assert_true(engine_queue_paused(y->e, 1, STR("q")));
  yard_end(other);
}

static void old_news_do_not_undo_what_was_changed_here(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct arena a;
  struct fault why = {0};
  struct catalog old;
  arena_init(&a, 4096);
  ask(pausing(other, "q", true));
  assert_int_equal(y->ops.catalog(&y->store.head.store, &a, &old, &why), ERR_OK);
  ask(pausing(y, "q", false));  // made upon that
  assert_false(engine_queue_paused(y->e, 1, STR("q")));
  catalog_learn(y->e, &old);
  assert_false(engine_queue_paused(y->e, 1, STR("q")));
  hear(y);
  assert_false(engine_queue_paused(y->e, 1, STR("q")));
  arena_fini(&a);
  yard_end(other);
}

static void types_and_names_stay_whole_through_many_changes(void **state) {
  struct yard *y = *state, *other = beside(y);
  for (int i = 0; i < 20; i++) {
    struct yard *at = i % 2 ? y : other;
    struct ask *type = ask_new(at, ORDER_TYPE);
    char name[16];
    snprintf(name, sizeof name, "t%d", i % 7);
    type->order.in.type =
        (struct type){.tenant = 1, .name = ask_text(type, name), .priority = i, .timeout_ms = -1};
    if (i % 3) type->order.in.type.queue = ask_text(type, "side");
    assert_int_equal(ask(type), ERR_OK);
    if (i % 5 == 0) hear(y);
  }
  hear(y), hear(other);
  struct arena a;
  arena_init(&a, 4096);
  struct type *here, *there;
  assert_int_equal(engine_types(y->e, 1, &a, &here), 7);
  assert_int_equal(engine_types(other->e, 1, &a, &there), 7);
  for (size_t i = 0; i < 7; i++) assert_int_equal(here[i].priority, there[i].priority);
  arena_fini(&a);
  yard_end(other);
}

// --- the other processes -------------------------------------------------------------------------

static void the_servers_that_share_the_store_are_passed_through(void **state) {
  struct yard *y = *state, *other = beside(y);
  struct arena a;
  struct fault why = {0};
  struct node *nodes;
  size_t count;
  arena_init(&a, 4096);
  assert_int_equal(engine_nodes(y->e, &a, &nodes, &count, &why), ERR_OK);
  assert_int_equal(count, 2);
  assert_true(nodes[0].self);
  assert_false(nodes[1].self);
  assert_int_equal(engine_nodes(other->e, &a, &nodes, &count, &why), ERR_OK);
  assert_true(nodes[1].self);
  struct yard *alone = yard_new(1);
  yard_open_engine(alone);
  assert_int_equal(engine_nodes(alone->e, &a, &nodes, &count, &why), ERR_OK);
  assert_int_equal(count, 0);
  yard_end(alone);
  yard_end(other);
  arena_fini(&a);
}

static void news_that_fail_leave_everything_as_it_is(void **state) {
  struct yard *y = *state;
  struct ask *a = parked(y, "t", 60000);
  y->news.fail = ERR_UNAVAILABLE;
  assert_int_equal(hear(y), ERR_UNAVAILABLE);
  assert_int_equal(hear(y), ERR_UNAVAILABLE);
  assert_waits(a);
  y->news.fail = ERR_OK;
  assert_int_equal(hear(y), ERR_OK);
}

// An idle server has nothing else by which to learn that its store is gone.
static void a_store_that_tells_no_news_is_not_well_until_a_lane_works(void **state) {
  struct yard *y = *state;
  made(y, "t");
  y->news.fail = ERR_UNAVAILABLE;
  assert_int_equal(hear(y), ERR_UNAVAILABLE);
  assert_int_equal(engine_stats(y->e).store, ERR_UNAVAILABLE);
  made(y, "t");
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
  assert_int_equal(hear(y), ERR_UNAVAILABLE);  // of the same outage
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
  y->news.fail = ERR_OK;
  assert_int_equal(hear(y), ERR_OK);
  y->news.fail = ERR_UNAVAILABLE;
  assert_int_equal(hear(y), ERR_UNAVAILABLE);
  assert_int_equal(engine_stats(y->e).store, ERR_UNAVAILABLE);
  y->news.fail = ERR_OK;
  assert_int_equal(hear(y), ERR_OK);
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
}

static void a_store_that_does_not_answer_for_news_is_not_well_until_a_lane_works(void **state) {
  struct yard *y = *state;
  made(y, "t");
  lanes_news_begin(y->e);
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
  y->e->news_began_us -= 3001LL * 1000;
  assert_int_equal(engine_stats(y->e).store, ERR_UNAVAILABLE);
  made(y, "t");
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
  lanes_news_end(y->e, ERR_OK);
  assert_int_equal(engine_stats(y->e).store, ERR_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SHARED_TEST(a_task_that_another_process_made_wakes_a_claim_that_waits_here),
      SHARED_TEST(as_many_as_there_are_tasks_are_woken_and_who_waits_longest_first),
      SHARED_TEST(a_woken_claim_that_is_refused_leaves_its_task_to_the_next),
      SHARED_TEST(one_claim_of_many_tasks_stands_for_many),
      SHARED_TEST(news_that_tell_of_nothing_left_change_nothing),
      cmocka_unit_test(events_of_another_process_are_told_by_their_tenant),
      SHARED_TEST(a_key_that_was_answered_elsewhere_answers_the_claim_that_waits_here),
      SHARED_TEST(who_waits_longest_with_a_filter_looks_when_something_fits_it),
      SHARED_TEST(the_store_is_told_what_is_waited_for_and_what_is_paused),
      SHARED_TEST(a_task_that_another_process_ended_is_told_to_those_who_watch_it),
      SHARED_TEST(news_that_come_before_a_claim_waits_are_not_missed),
      SHARED_TEST(what_is_overdue_elsewhere_is_moved_on_here),
      cmocka_unit_test(the_stores_clock_decides),
      SHARED_TEST(a_key_made_or_revoked_elsewhere_counts_once_the_news_are_heard),
      SHARED_TEST(who_waits_by_a_key_revoked_elsewhere_is_sent_back),
      SHARED_TEST(the_last_admin_key_is_kept_although_two_servers_revoke_at_once),
      SHARED_TEST(two_servers_make_a_tenant_of_one_name_once),
      SHARED_TEST(a_queue_resumed_elsewhere_feeds_those_who_wait_here),
      SHARED_TEST(pausing_what_was_paused_elsewhere_is_no_event),
      SHARED_TEST(old_news_do_not_undo_what_was_changed_here),
      SHARED_TEST(types_and_names_stay_whole_through_many_changes),
      SHARED_TEST(the_servers_that_share_the_store_are_passed_through),
      SHARED_TEST(news_that_fail_leave_everything_as_it_is),
      SHARED_TEST(a_store_that_tells_no_news_is_not_well_until_a_lane_works),
      SHARED_TEST(of_two_times_the_earlier_one_is_woken_for),
      SHARED_TEST(something_may_fit_whoever_has_gone_meanwhile),
      SHARED_TEST(a_create_in_conflict_is_answered_by_its_repeat_elsewhere),
      SHARED_TEST(a_store_that_does_not_answer_for_news_is_not_well_until_a_lane_works),
      SHARED_TEST(what_a_claim_has_left_is_passed_on_to_who_waits_for_the_same),
  };
  (void)log_open("/dev/null");  // failures are reported there
  return cmocka_run_group_tests(tests, NULL, NULL);
}
