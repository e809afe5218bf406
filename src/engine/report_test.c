// report_test.c: what a worker says while it works: heartbeats, progress, log lines.
#include "engine/testing.h"

static struct ask *progressing(struct yard *y, const struct task *task, int64_t progress,
                               const char *step) {
  struct ask *a = reporting(y, task);
  a->order.in.report.progress = progress;
  a->order.in.report.step = ask_text(a, step);
  return a;
}

static void a_heartbeat_renews_the_lease_by_its_own_length(void **state) {
  struct yard *y = *state;
  made(y, "t");
  struct ask *claim = claiming(y, NULL, NULL, 1, 0);
  claim->order.claim.lease_ms = 5000;
  ask(claim);
  struct task task = claim->claimed[0];
  for (int i = 0; i < 5; i++) {
    pass(y, 4999);
    struct ask *a = reporting(y, &task);
    assert_int_equal(ask(a), ERR_OK);
    assert_int_equal(a->tasks[0].lease_expires_at, y->now + 5000);
    assert_false(a->order.cancel_requested);
  }
  assert_status(y, task.id, TASK_RUNNING);
  pass(y, 5000);
  assert_status(y, task.id, TASK_PENDING);
}

// A commit for each would cost more than it brings.
static void a_heartbeat_that_brings_little_writes_nothing_and_tells_the_truth(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  size_t applies = y->store.applies;
  int64_t revision = kept(y, task.id)->revision;
  y->now += LEASE_MS / 4 - 1;
  struct ask *a = reporting(y, &task);
  assert_int_equal(ask(a), ERR_OK);
  assert_int_equal(a->tasks[0].lease_expires_at, task.lease_expires_at);
  assert_int_equal(y->store.applies, applies);
  assert_int_equal(kept(y, task.id)->revision, revision);
  y->now += 1;
  a = reporting(y, &task);
  ask(a);
  assert_int_equal(a->tasks[0].lease_expires_at, y->now + LEASE_MS);
  assert_int_equal(kept(y, task.id)->lease_expires_at, y->now + LEASE_MS);
  assert_int_equal(y->store.applies, applies + 1);
}

static void whatever_else_a_report_brings_is_written_with_a_renewal(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  for (int i = 0; i < 3; i++) {
    y->now += 1;
    struct ask *a = reporting(y, &task);
    struct str line = ask_text(a, "line");
    if (i == 0) a->order.in.report.progress = 0;
    if (i == 1) a->order.in.report.step_description = ask_text(a, "on it");
    if (i == 2) a->order.in.report.lines = &line, a->order.in.report.line_count = 1;
    ask(a);
    assert_int_equal(kept(y, task.id)->lease_expires_at, y->now + LEASE_MS);
  }
}

static void a_renewal_is_never_left_out_when_less_than_half_of_the_lease_is_left(void **state) {
  struct yard *y = *state;
  struct ask *create = creating(y, "t", 1);
  item_of(create, 0)->timeout_ms = LEASE_MS + 1000;
  struct task task = taken_one(y, created(create));
  y->now += LEASE_MS / 2;  // a gain of no more than 1,000 ms, with half of it left
  size_t applies = y->store.applies;
  ask(reporting(y, &task));
  assert_int_equal(y->store.applies, applies);
  y->now += 1;
  ask(reporting(y, &task));
  assert_int_equal(y->store.applies, applies + 1);
  assert_int_equal(kept(y, task.id)->lease_expires_at, task.lease_expires_at + 1000);
}

static void a_wish_to_cancel_is_heard_although_nothing_is_written(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  ask(canceling(y, task.id, LEASE_MS));
  size_t applies = y->store.applies;
  struct ask *a = reporting(y, &task);
  assert_int_equal(ask(a), ERR_OK);
  assert_true(a->order.cancel_requested);
  assert_int_equal(y->store.applies, applies);
}

static void a_heartbeat_in_the_unit_that_would_end_the_lease_saves_it(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  y->now += LEASE_MS;
  assert_int_equal(ask(reporting(y, &task)), ERR_OK);
  assert_status(y, task.id, TASK_RUNNING);
  assert_int_equal(y->next_at, y->now + LEASE_MS);
}

static void progress_never_goes_back_within_an_attempt(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  static const int64_t SAID[] = {10, 40, 30, ABSENT, 40, 100, 0},
                       SEEN[] = {10, 40, 40, 40, 40, 100, 100};
  for (size_t i = 0; i < sizeof SAID / sizeof SAID[0]; i++) {
    assert_int_equal(ask(progressing(y, &task, SAID[i], NULL)), ERR_OK);
    assert_int_equal(kept(y, task.id)->progress, SEEN[i]);
  }
  ask(settling(y, &task, SETTLE_RELEASE));
  taken_one(y, task.id);
  assert_int_equal(kept(y, task.id)->progress, 0);
  assert_text(kept(y, task.id)->step, NULL);
}

static void a_step_stays_until_another_one_comes(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  ask(progressing(y, &task, 1, "load"));
  ask(progressing(y, &task, 2, NULL));
  assert_text(kept(y, task.id)->step, "load");
  ask(progressing(y, &task, ABSENT, "save"));
  assert_text(kept(y, task.id)->step, "save");
  assert_int_equal(last_event(y), EVENT_PROGRESS);
  const struct event *event = &y->store.events[y->store.event_count - 1];
  assert_int_equal(event->progress, 2);
  assert_text(event->note, "save");
}

static int64_t last_progress(const struct yard *y) {
  return y->store.events[y->store.event_count - 1].progress;
}

static void each_event_tells_the_progress_that_its_task_has_then(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  assert_int_equal(last_progress(y), 0);
  ask(progressing(y, &task, 40, NULL));
  assert_int_equal(last_progress(y), 40);
  ask(settling(y, &task, SETTLE_RELEASE));
  assert_int_equal(last_event(y), EVENT_RELEASED);
  assert_int_equal(last_progress(y), 40);
  taken_one(y, task.id);
  assert_int_equal(last_event(y), EVENT_CLAIMED);
  assert_int_equal(last_progress(y), 0);
}

static void a_heartbeat_alone_is_no_event(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  size_t events = y->store.event_count;
  ask(reporting(y, &task));
  assert_int_equal(y->store.event_count, events);
}

static void log_lines_are_numbered_and_the_oldest_go(void **state) {
  struct yard *y = *state;
  struct task task = running(y);
  for (int batch = 0; batch < 11; batch++) {
    struct ask *a = reporting(y, &task);
    struct str *lines = ARENA_ARRAY(&a->arena, struct str, 100);
    for (int i = 0; i < 100; i++) lines[i] = ask_text(a, "line");
    a->order.in.report.lines = lines;
    a->order.in.report.line_count = 100;
    assert_int_equal(ask(a), ERR_OK);
  }
  assert_int_equal(kept(y, task.id)->log_lines, 1100);
  assert_int_equal(y->store.line_count, 1100);
  for (size_t i = 0; i < 1100; i++) assert_int_equal(y->store.lines[i].number, i + 1);
  assert_int_equal(y->store.dropped_through, 1100 - LIMIT_LOG_LINES);
}

static void a_report_does_not_run_past_the_timeout(void **state) {
  struct yard *y = *state;
  struct ask *a = creating(y, "t", 1);
  item_of(a, 0)->timeout_ms = 40000;
  struct task task = taken_one(y, created(a));
  assert_int_equal(task.lease_expires_at, y->now + LEASE_MS);
  y->now += 20000;
  a = reporting(y, &task);
  ask(a);
  assert_int_equal(a->tasks[0].lease_expires_at, task.claimed_at + 40000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      YARD_TEST(a_heartbeat_renews_the_lease_by_its_own_length),
      YARD_TEST(a_heartbeat_that_brings_little_writes_nothing_and_tells_the_truth),
      YARD_TEST(whatever_else_a_report_brings_is_written_with_a_renewal),
      YARD_TEST(a_renewal_is_never_left_out_when_less_than_half_of_the_lease_is_left),
      YARD_TEST(a_wish_to_cancel_is_heard_although_nothing_is_written),
      YARD_TEST(a_heartbeat_in_the_unit_that_would_end_the_lease_saves_it),
      YARD_TEST(progress_never_goes_back_within_an_attempt),
      YARD_TEST(a_step_stays_until_another_one_comes),
      YARD_TEST(each_event_tells_the_progress_that_its_task_has_then),
      YARD_TEST(a_heartbeat_alone_is_no_event),
      YARD_TEST(log_lines_are_numbered_and_the_oldest_go),
      YARD_TEST(a_report_does_not_run_past_the_timeout),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
