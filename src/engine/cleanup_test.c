// cleanup_test.c: ended tasks past what is to be kept are removed, and nothing else is.
#include "base/log.h"
#include "engine/testing.h"

enum { INTERVAL_MS = 60000, HOUR_MS = 3600 * 1000 };

// --- a yard that keeps little --------------------------------------------------------------------

static struct yard *keeping(struct keep keep) {
  return yard_keeping((struct retention){.keep = keep, .interval_ms = INTERVAL_MS}, false);
}

// Where nothing runs by itself.
static struct yard *asked_to_keep(struct keep keep) {
  return yard_keeping((struct retention){.keep = keep}, false);
}

static int64_t next_look(struct yard *y) { return engine_cleanup(y->e, 1).next_at; }

static void end_yard(struct yard *y) {
  y->store.hook = NULL;
  y->store.fail_applies = y->store.fail_loads = 0;
  yard_end(y);
}

// --- tasks that ended ----------------------------------------------------------------------------

// Each one a millisecond after the other.
static struct id ended(struct yard *y, struct ask *creating, enum task_status status) {
  item_of(creating, 0)->attempts_max = 1;
  struct id id = created(creating);
  if (status == TASK_CANCELLED) {
    assert_int_equal(ask(canceling(y, id, 0)), ERR_OK);
  } else {
    struct task task = taken_one(y, id);
    if (status == TASK_ABANDONED) pass(y, LEASE_MS);
    if (status == TASK_COMPLETED) ask(completing(y, &task));
    if (status == TASK_FAILED) ask(settling(y, &task, SETTLE_FAIL));
  }
  assert_status(y, id, status);
  y->now++;
  return id;
}

static struct id ended_of(struct yard *y, const char *type, enum task_status status) {
  return ended(y, creating(y, type, 1), status);
}

static bool is_kept(struct yard *y, struct id id) { return fake_find(&y->store, id) != NULL; }

static size_t kept_count(struct yard *y, enum task_status status) {
  size_t count = 0;
  for (size_t i = 0; i < y->store.task_count; i++) count += y->store.tasks[i].status == status;
  return count;
}

static void set_type(struct yard *y, const char *name, struct keep keep, bool keep_result) {
  struct ask *a = ask_new(y, ORDER_TYPE);
  a->order.in.type = (struct type){.tenant = 1,
                                   .name = ask_text(a, name),
                                   .priority = ABSENT,
                                   .timeout_ms = -1,
                                   .keep = keep,
                                   .keep_result = keep_result};
  assert_int_equal(ask(a), ERR_OK);
}

static const struct keep UNSAID = {KEEP_UNSAID, KEEP_UNSAID, KEEP_UNSAID};

// By hand.
static struct ask *cleaning(struct yard *y) { return ask_new(y, ORDER_CLEANUP); }

static struct cleanup_counts cleaned(struct yard *y) {
  struct ask *a = cleaning(y);
  submit(a);
  live(y, 1000);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_OK);
  assert_null(a->order.in.cleanup.skipped);
  return a->order.in.cleanup.removed;
}

// --- by count ------------------------------------------------------------------------------------

static void the_interval_removes_what_is_past_the_count_and_keeps_the_newest(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 2});
  struct id first = ended_of(y, "t", TASK_COMPLETED);
  struct id second = ended_of(y, "t", TASK_COMPLETED);
  struct id third = ended_of(y, "t", TASK_COMPLETED);
  struct id fourth = ended_of(y, "t", TASK_COMPLETED);
  assert_int_equal(next_look(y), START_MS + INTERVAL_MS);
  live(y, INTERVAL_MS);
  assert_false(is_kept(y, first));
  assert_false(is_kept(y, second));
  assert_true(is_kept(y, third));
  assert_true(is_kept(y, fourth));
  end_yard(y);
}

static void the_newest_are_those_that_ended_last_whenever_they_were_made(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 1});
  struct id older = made(y, "t"), newer = made(y, "t");
  struct task late = taken_one(y, older), early = taken_one(y, newer);
  ask(completing(y, &early));
  y->now++;
  ask(completing(y, &late));
  cleaned(y);
  assert_true(is_kept(y, older));
  assert_false(is_kept(y, newer));
  end_yard(y);
}

static void exactly_as_many_as_are_kept_are_left_alone(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 3, .failed = 1});
  for (int i = 0; i < 3; i++) ended_of(y, "t", TASK_COMPLETED);
  ended_of(y, "t", TASK_FAILED);
  assert_int_equal(cleaned(y).completed, 0);
  ended_of(y, "t", TASK_COMPLETED);
  assert_int_equal(cleaned(y).completed, 1);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 3);
  assert_int_equal(kept_count(y, TASK_FAILED), 1);
  end_yard(y);
}

static void abandoned_tasks_count_with_failed_ones_and_cancelled_ones_by_themselves(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.failed = 2});
  ended_of(y, "t", TASK_FAILED);
  struct id abandoned = ended_of(y, "t", TASK_ABANDONED);
  struct id failed = ended_of(y, "t", TASK_FAILED);
  for (int i = 0; i < 5; i++) ended_of(y, "t", TASK_CANCELLED);
  for (int i = 0; i < 4; i++) ended_of(y, "t", TASK_COMPLETED);
  struct cleanup_counts removed = cleaned(y);
  assert_int_equal(removed.failed, 1);
  assert_int_equal(removed.cancelled, 3);
  assert_int_equal(removed.completed, 0);  // no count was set for them
  assert_true(is_kept(y, abandoned));
  assert_true(is_kept(y, failed));
  end_yard(y);
}

static void what_has_not_ended_is_never_touched(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 1, .failed = 1, .for_ms = 1});
  struct id running_one = running(y).id, pending = made(y, "t");
  struct ask *held = creating(y, "t", 1);
  held->order.in.create.items[0].hold = true;
  struct id waiting = created(held);
  for (int i = 0; i < 3; i++) ended_of(y, "u", TASK_COMPLETED);
  y->now += 10;
  assert_int_equal(cleaned(y).completed, 3);
  assert_status(y, running_one, TASK_RUNNING);
  assert_status(y, pending, TASK_PENDING);
  assert_status(y, waiting, TASK_PENDING);
  end_yard(y);
}

static void each_type_has_its_own_count_over_all_its_queues(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 2});
  set_type(y, "many", (struct keep){3, KEEP_UNSAID, KEEP_UNSAID}, false);
  set_type(y, "all", (struct keep){0, KEEP_UNSAID, KEEP_UNSAID}, false);
  for (int i = 0; i < 5; i++) {
    struct ask *a = creating(y, "many", 1);
    item_of(a, 0)->queue = ask_text(a, i % 2 ? "q" : "r");
    ended(y, a, TASK_COMPLETED);
    ended_of(y, "all", TASK_COMPLETED);
    ended_of(y, "plain", TASK_COMPLETED);
  }
  assert_int_equal(cleaned(y).completed, 2 + 3);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 3 + 5 + 2);
  end_yard(y);
}

static void counts_may_hold_over_all_types_of_a_tenant_together(void **state) {
  (void)state;
  struct retention together = {.keep = {.completed = 2}, .per_tenant = true};
  struct yard *y = yard_keeping(together, false);
  set_type(y, "a", (struct keep){5, 5, 5}, true);  // has no say here
  ended_of(y, "a", TASK_COMPLETED);
  ended_of(y, "b", TASK_COMPLETED);
  struct id third = ended_of(y, "a", TASK_COMPLETED), fourth = ended_of(y, "b", TASK_COMPLETED);
  assert_int_equal(cleaned(y).completed, 2);
  assert_true(is_kept(y, third));
  assert_true(is_kept(y, fourth));
  end_yard(y);
}

static void no_count_takes_away_the_tasks_of_a_type_whose_results_are_kept_but_age_does(
    void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 1, .failed = 1, .for_ms = HOUR_MS});
  set_type(y, "t", UNSAID, true);
  for (int i = 0; i < 4; i++) ended_of(y, "t", TASK_COMPLETED);
  assert_int_equal(cleaned(y).completed, 0);
  y->now += HOUR_MS;
  assert_int_equal(cleaned(y).completed, 4);
  end_yard(y);
}

// --- by age --------------------------------------------------------------------------------------

static void what_ended_too_long_ago_goes_when_its_time_comes(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.for_ms = HOUR_MS});
  struct id first = ended_of(y, "t", TASK_COMPLETED);
  int64_t end = kept(y, first)->completed_at;
  live(y, 30000);
  struct id second = ended_of(y, "t", TASK_CANCELLED);
  live(y, INTERVAL_MS);
  assert_int_equal(next_look(y), end + HOUR_MS);
  live(y, end + HOUR_MS - 1 - y->now);
  assert_true(is_kept(y, first));
  live(y, 1);
  assert_false(is_kept(y, first));
  assert_true(is_kept(y, second));
  live(y, INTERVAL_MS);
  assert_false(is_kept(y, second));
  assert_int_equal(next_look(y), 0);
  end_yard(y);
}

static void age_and_count_of_a_type_hold_both(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 3, .for_ms = HOUR_MS});
  for (int i = 0; i < 2; i++) ended_of(y, "t", TASK_COMPLETED);
  y->now += HOUR_MS;
  for (int i = 0; i < 3; i++) ended_of(y, "t", TASK_COMPLETED);
  assert_int_equal(cleaned(y).completed, 2);  // too many and too old, but counted once
  y->now += HOUR_MS;
  assert_int_equal(cleaned(y).completed, 3);
  end_yard(y);
}

// --- when ----------------------------------------------------------------------------------------

static void nothing_is_asked_of_the_store_while_nothing_can_be_past_its_time(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 2});
  live(y, INTERVAL_MS);
  size_t loads = y->store.loads;
  live(y, 100 * INTERVAL_MS);
  assert_int_equal(y->store.loads, loads);
  assert_int_equal(next_look(y), 0);
  int64_t before = y->now;
  ended_of(y, "t", TASK_COMPLETED);
  assert_true(engine_cleanup(y->e, 1).last_at >= before);  // the latest look was long ago
  end_yard(y);
}

static void nothing_runs_where_everything_is_kept_for_ever(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){0});
  ended_of(y, "t", TASK_COMPLETED);
  assert_int_equal(next_look(y), 0);
  assert_false(engine_cleanup(y->e, 1).active);
  set_type(y, "t", (struct keep){1, KEEP_UNSAID, KEEP_UNSAID}, false);
  assert_true(engine_cleanup(y->e, 1).active);
  ended_of(y, "t", TASK_COMPLETED);
  live(y, INTERVAL_MS);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 1);
  end_yard(y);
}

static void without_an_interval_only_a_request_removes_anything(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 1});
  for (int i = 0; i < 3; i++) ended_of(y, "t", TASK_COMPLETED);
  live(y, 24 * HOUR_MS);
  assert_int_equal(next_look(y), 0);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 3);
  assert_int_equal(cleaned(y).completed, 2);
  end_yard(y);
}

// --- a run ---------------------------------------------------------------------------------------

static void many(struct yard *y, const char *type, size_t count) {
  struct ask *a = creating(y, type, count);
  created(a);
  struct ask *c = claiming(y, NULL, NULL, count, 0);
  assert_int_equal(ask(c), ERR_OK);
  assert_int_equal(c->claimed_count, count);
  for (size_t i = 0; i < count; i++) submit(completing(y, &c->claimed[i]));
  turn(y);
  assert_int_equal(kept_count(y, TASK_COMPLETED), count);
}

static void a_run_removes_bounded_batches_and_rests_between_them(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 10});
  many(y, "t", LIMIT_CLEANUP_ITEMS + 30);
  struct ask *a = cleaning(y);
  ask(a);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 30);
  assert_int_equal(a->answers, 0);
  assert_true(engine_cleanup(y->e, 1).running);
  assert_true(y->next_at > y->now);
  struct id between = made(y, "other");  // others are served meanwhile
  assert_status(y, between, TASK_PENDING);
  assert_int_equal(a->answers, 0);
  live(y, 1000);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->order.in.cleanup.removed.completed, LIMIT_CLEANUP_ITEMS + 20);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 10);
  end_yard(y);
}

static void a_batch_may_be_all_there_is(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 1});
  many(y, "t", LIMIT_CLEANUP_ITEMS + 1);
  assert_int_equal(cleaned(y).completed, LIMIT_CLEANUP_ITEMS);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 1);
  end_yard(y);
}

static void a_unit_looks_through_a_bounded_number_of_types_and_the_run_through_all(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 1});
  char name[32];
  for (int i = 0; i < LIMIT_CLEANUP_WANTS + 1; i++) {
    snprintf(name, sizeof name, "type%d", i);
    ended_of(y, name, TASK_COMPLETED);
    ended_of(y, name, TASK_COMPLETED);
  }
  struct ask *a = cleaning(y);
  ask(a);
  assert_int_equal(kept_count(y, TASK_COMPLETED), LIMIT_CLEANUP_WANTS + 2);
  live(y, 1000);
  assert_int_equal(a->order.in.cleanup.removed.completed, LIMIT_CLEANUP_WANTS + 1);
  assert_int_equal(kept_count(y, TASK_COMPLETED), LIMIT_CLEANUP_WANTS + 1);
  end_yard(y);
}

static void a_run_beside_another_is_skipped_and_says_so(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1});
  many(y, "t", LIMIT_CLEANUP_ITEMS + 30);
  struct ask *first = cleaning(y), *second = cleaning(y);
  ask(first);
  ask(second);
  assert_int_equal(first->answers, 0);
  assert_int_equal(second->answers, 1);
  assert_int_equal(second->err, ERR_OK);
  assert_string_equal(second->order.in.cleanup.skipped, "a cleanup is under way already");
  live(y, 1000);
  assert_int_equal(first->order.in.cleanup.removed.completed, LIMIT_CLEANUP_ITEMS + 29);
  end_yard(y);
}

static void each_removal_leaves_an_event_that_says_why(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 1});
  struct id id = ended_of(y, "t", TASK_COMPLETED);
  ended_of(y, "t", TASK_COMPLETED);
  size_t before = y->store.event_count;
  cleaned(y);
  assert_int_equal(y->store.event_count, before + 1);
  const struct event *event = &y->store.events[before];
  assert_int_equal(event->kind, EVENT_DELETED);
  assert_true(id_eq(event->task, id));
  assert_int_equal(event->tenant, 1);
  assert_text(event->actor, "tester");  // who asked for it
  assert_text(event->note, "cleanup");
  assert_text(event->text, "the newest 1 are kept");
  end_yard(y);
}

static void what_it_removes_is_gone_for_the_orders_behind_it_in_the_same_unit(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.failed = 1});
  struct id id = ended_of(y, "t", TASK_FAILED);
  ended_of(y, "t", TASK_FAILED);
  struct ask *clean = cleaning(y), *retry = about(y, ORDER_RETRY, id);
  int64_t next_at;
  submit(clean);
  assert_true(engine_turn(y->e, &next_at));  // it knows what is to go
  submit(retry);
  live(y, 1000);
  assert_int_equal(clean->order.in.cleanup.removed.failed, 1);
  assert_int_equal(retry->err, ERR_NOT_FOUND);
  end_yard(y);
}

static void what_is_sent_back_to_work_during_a_run_costs_no_other_its_place(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.failed = 2});
  for (int i = 0; i < 3; i++) ended_of(y, "t", TASK_FAILED);
  struct ask *a = cleaning(y);
  submit(a);
  assert_true(engine_turn(y->e, &y->next_at));  // it begins: one is too many
  y->store.tasks[1].status = TASK_PENDING;      // as somebody else would
  live(y, 1000);
  assert_int_equal(a->order.in.cleanup.removed.failed, 0);
  assert_int_equal(kept_count(y, TASK_FAILED), 2);
  end_yard(y);
}

static void a_request_removes_of_its_own_tenant_alone(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1});
  for (int i = 0; i < 3; i++) {
    ended_of(y, "t", TASK_COMPLETED);
    struct ask *a = creating(y, "t", 1);
    a->order.tenant = 2;
    created(a);
  }
  for (size_t i = 0; i < y->store.task_count; i++) {
    struct task *t = &y->store.tasks[i];
    if (t->tenant != 2) continue;
    t->status = TASK_COMPLETED;
    t->waiting = WAIT_NONE;
    t->completed_at = y->now++;
  }
  assert_int_equal(cleaned(y).completed, 2);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 1 + 3);
  assert_int_equal(engine_cleanup(y->e, 1).removed.completed, 2);
  assert_int_equal(engine_cleanup(y->e, 2).last_at, 0);
  live(y, INTERVAL_MS);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 1 + 1);
  assert_int_equal(engine_cleanup(y->e, 1).removed.completed, 0);
  assert_int_equal(engine_cleanup(y->e, 2).removed.completed, 2);
  end_yard(y);
}

static void the_state_tells_of_the_latest_run_and_the_next(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1});
  struct cleanup_state before = engine_cleanup(y->e, 1);
  assert_true(before.active);
  assert_false(before.running);
  assert_int_equal(before.last_at, 0);
  assert_int_equal(before.next_at, START_MS + INTERVAL_MS);
  for (int i = 0; i < 3; i++) ended_of(y, "t", TASK_COMPLETED);
  live(y, INTERVAL_MS);
  struct cleanup_state after = engine_cleanup(y->e, 1);
  assert_int_equal(after.last_at, START_MS + INTERVAL_MS);
  assert_int_equal(after.removed.completed, 2);
  assert_int_equal(after.last_err, ERR_OK);
  assert_int_equal(after.next_at, 0);
  end_yard(y);
}

// --- what goes wrong -----------------------------------------------------------------------------

static void a_run_whose_commit_fails_tells_who_asked_and_the_next_one_removes_it(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 1});
  for (int i = 0; i < 3; i++) ended_of(y, "t", TASK_COMPLETED);
  fail_next(y, ERR_DISK_FULL);
  struct ask *a = cleaning(y);
  submit(a);
  live(y, 1000);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->err, ERR_DISK_FULL);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 3);
  assert_false(engine_cleanup(y->e, 1).running);
  assert_int_equal(engine_cleanup(y->e, 1).last_err, ERR_DISK_FULL);
  assert_int_equal(cleaned(y).completed, 2);
  end_yard(y);
}

static void the_interval_s_own_run_is_tried_again_an_interval_later(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1});
  for (int i = 0; i < 3; i++) ended_of(y, "t", TASK_COMPLETED);
  fail_next(y, ERR_UNAVAILABLE);
  live(y, INTERVAL_MS);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 3);
  live(y, INTERVAL_MS);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 1);
  end_yard(y);
}

// It is decided again; and each batch may meet as many as an order, not all of a long run together.
static void a_long_run_meets_a_conflict_with_each_batch(void **state) {
  (void)state;
  struct yard *y = asked_to_keep((struct keep){.completed = 10});
  many(y, "t", 9 * LIMIT_CLEANUP_ITEMS + 10);
  struct ask *a = cleaning(y);
  ask(a);
  for (int64_t left = INT64_MAX; a->answers == 0; live(y, 1)) {
    int64_t now_left = (int64_t)kept_count(y, TASK_COMPLETED);
    if (now_left < left) fail_next(y, ERR_CONFLICT);
    left = now_left;
  }
  assert_int_equal(a->order.err, ERR_OK);
  assert_int_equal(a->order.in.cleanup.removed.completed, 9 * LIMIT_CLEANUP_ITEMS);
  end_yard(y);
}

static void a_drain_ends_a_run_after_its_batch(void **state) {
  (void)state;
  struct yard *y = keeping((struct keep){.completed = 1});
  many(y, "t", 3 * LIMIT_CLEANUP_ITEMS);
  struct ask *a = cleaning(y);
  ask(a);
  assert_int_equal(a->answers, 0);
  engine_drain(y->e);
  live(y, 1000);
  assert_int_equal(a->answers, 1);
  assert_int_equal(a->order.in.cleanup.removed.completed, 2 * LIMIT_CLEANUP_ITEMS);
  end_yard(y);
}

// --- several processes ---------------------------------------------------------------------------

static void one_of_several_processes_has_the_cleanup_and_gives_it_back(void **state) {
  (void)state;
  struct yard *y =
      yard_keeping((struct retention){.keep = {.completed = 1}, .interval_ms = INTERVAL_MS}, true);
  struct yard *other = yard_beside(y);
  many(y, "t", LIMIT_CLEANUP_ITEMS + 5);
  struct ask *a = cleaning(y), *b = cleaning(other);
  ask(a);
  assert_int_equal(a->answers, 0);
  assert_true(y->store.duty.holder != 0);
  ask(b);
  assert_string_equal(b->order.in.cleanup.skipped, "another server is at it");
  live(y, 1000);
  assert_int_equal(a->order.in.cleanup.removed.completed, LIMIT_CLEANUP_ITEMS + 4);
  assert_int_equal(y->store.duty.holder, 0);
  struct ask *c = cleaning(other);
  ask(c);
  assert_null(c->order.in.cleanup.skipped);
  yard_end(other);
  end_yard(y);
}

static void another_process_takes_over_when_the_time_of_one_that_died_is_up(void **state) {
  (void)state;
  struct yard *y =
      yard_keeping((struct retention){.keep = {.completed = 1}, .interval_ms = INTERVAL_MS}, true);
  for (int i = 0; i < 3; i++) ended_of(y, "t", TASK_COMPLETED);
  y->now = START_MS + INTERVAL_MS - 1;
  y->store.duty = (struct duty){.holder = 4711, .until = y->now + 60000};
  live(y, 60000);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 3);
  live(y, 1000);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 1);
  end_yard(y);
}

static void who_has_lost_the_cleanup_stops(void **state) {
  (void)state;
  struct yard *y =
      yard_keeping((struct retention){.keep = {.completed = 1}, .interval_ms = INTERVAL_MS}, true);
  many(y, "t", LIMIT_CLEANUP_ITEMS + 5);
  struct ask *a = cleaning(y);
  ask(a);
  y->store.duty = (struct duty){.holder = 4711, .until = y->now + 60000};
  live(y, 1000);
  assert_int_equal(a->answers, 1);
  assert_string_equal(a->order.in.cleanup.skipped, "another server is at it");
  assert_int_equal(a->order.in.cleanup.removed.completed, LIMIT_CLEANUP_ITEMS);
  assert_int_equal(kept_count(y, TASK_COMPLETED), 5);
  assert_int_equal(y->store.duty.holder, 4711);
  assert_false(engine_cleanup(y->e, 1).running);
  end_yard(y);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_interval_removes_what_is_past_the_count_and_keeps_the_newest),
      cmocka_unit_test(the_newest_are_those_that_ended_last_whenever_they_were_made),
      cmocka_unit_test(exactly_as_many_as_are_kept_are_left_alone),
      cmocka_unit_test(abandoned_tasks_count_with_failed_ones_and_cancelled_ones_by_themselves),
      cmocka_unit_test(what_has_not_ended_is_never_touched),
      cmocka_unit_test(each_type_has_its_own_count_over_all_its_queues),
      cmocka_unit_test(counts_may_hold_over_all_types_of_a_tenant_together),
      cmocka_unit_test(no_count_takes_away_the_tasks_of_a_type_whose_results_are_kept_but_age_does),
      cmocka_unit_test(what_ended_too_long_ago_goes_when_its_time_comes),
      cmocka_unit_test(age_and_count_of_a_type_hold_both),
      cmocka_unit_test(nothing_is_asked_of_the_store_while_nothing_can_be_past_its_time),
      cmocka_unit_test(nothing_runs_where_everything_is_kept_for_ever),
      cmocka_unit_test(without_an_interval_only_a_request_removes_anything),
      cmocka_unit_test(a_run_removes_bounded_batches_and_rests_between_them),
      cmocka_unit_test(a_batch_may_be_all_there_is),
      cmocka_unit_test(a_unit_looks_through_a_bounded_number_of_types_and_the_run_through_all),
      cmocka_unit_test(a_run_beside_another_is_skipped_and_says_so),
      cmocka_unit_test(each_removal_leaves_an_event_that_says_why),
      cmocka_unit_test(what_it_removes_is_gone_for_the_orders_behind_it_in_the_same_unit),
      cmocka_unit_test(what_is_sent_back_to_work_during_a_run_costs_no_other_its_place),
      cmocka_unit_test(a_request_removes_of_its_own_tenant_alone),
      cmocka_unit_test(the_state_tells_of_the_latest_run_and_the_next),
      cmocka_unit_test(a_run_whose_commit_fails_tells_who_asked_and_the_next_one_removes_it),
      cmocka_unit_test(the_interval_s_own_run_is_tried_again_an_interval_later),
      cmocka_unit_test(a_long_run_meets_a_conflict_with_each_batch),
      cmocka_unit_test(a_drain_ends_a_run_after_its_batch),
      cmocka_unit_test(one_of_several_processes_has_the_cleanup_and_gives_it_back),
      cmocka_unit_test(another_process_takes_over_when_the_time_of_one_that_died_is_up),
      cmocka_unit_test(who_has_lost_the_cleanup_stops),
  };
  log_setup(LOG_ERROR, LOG_TEXT);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
