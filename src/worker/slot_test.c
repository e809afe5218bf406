// slot_test.c: a slot claims, runs and reports, and knows when to try again and when to end.
#include "worker/slot.h"

#include "base/log.h"
#include "worker/testing.h"

#include <fcntl.h>
#include <sys/resource.h>

struct place {
  struct desk *desk;
  struct slot_plan plan;
  struct slot *slot;
  struct arena arena;
  // What the handler gives, and how often it ran.
  struct outcome outcome;
  int runs;
  bool waits_for_lease;  // it first waits until its lease is lost
};

// A handler that gives what the test wants. With the result "id" it is the id of the task.
static struct outcome handle(const void *self, const struct attempt *at) {
  struct place *p = (struct place *)self;
  p->runs++;
  if (p->waits_for_lease) (void)attempt_pause(at, PATIENCE_MS);
  struct outcome outcome = p->outcome;
  if (outcome.kind == OUTCOME_COMPLETED && str_is_none(outcome.result))
    outcome.result = arena_printf(at->arena, "\"%.*s\"", STR_FMT(at->claim->id));
  return outcome;
}

static int a_place(void **state) {
  struct place *p = mem_zero(sizeof *p);
  p->desk = desk_open();
  arena_init(&p->arena, 4096);
  p->plan = (struct slot_plan){.server = {.url = str_of(p->desk->url)},
                               .handler = handle,
                               .handler_self = p,
                               .ended_fd = eventfd(0, EFD_CLOEXEC)};
  const struct wish_parts parts = {.worker = "w"};
  p->plan.wish = wish_make(&p->arena, &parts);
  *state = p;
  return 0;
}

static void start(struct place *p) {
  struct fault why;
  assert_int_equal(slot_start(&p->plan, &p->slot, &why), ERR_OK);
}

static void raise_phase(struct place *p, enum phase phase) {
  atomic_store(&p->plan.phase, phase);
  slot_notice(p->slot);
}

// Waits until the slot has ended; gives what refused it.
static enum err end(struct place *p) {
  struct pollfd ready = {.fd = p->plan.ended_fd, .events = POLLIN};
  if (poll(&ready, 1, PATIENCE_MS) != 1) fail_msg("the slot did not end");
  enum err refused = slot_refused(p->slot);
  slot_join(p->slot);
  p->slot = NULL;
  return refused;
}

static int left(void **state) {
  struct place *p = *state;
  if (p->slot) {
    raise_phase(p, PHASE_NOW);
    (void)end(p);
  }
  desk_close(p->desk);
  (void)close(p->plan.ended_fd);
  arena_fini(&p->arena);
  mem_free(p);
  return 0;
}

#define TASK_OF(id, lease)                                                                         \
  "{\"tasks\":[{\"id\":\"" id                                                                      \
  "\",\"type\":\"t\",\"queue\":\"q\",\"payload\":1,\"attempt\":1,"                                 \
  "\"maxAttempts\":3,\"workerId\":\"w\",\"claimedAt\":1000,\"leaseExpiresAt\":" lease              \
  ","                                                                                              \
  "\"leaseToken\":\"tok-" id "\"}]}"
#define TASK(id) TASK_OF(id, "31000")
#define NO_TASK "{\"tasks\":[]}"

static void a_completion_brings_the_next_task_along(void **state) {
  struct place *p = *state;
  p->plan.until_empty = true;
  desk_says(p->desk, "/claims", 1, 200, TASK("one"));
  desk_says(p->desk, "/one/complete", 1, 200, TASK("two"));
  start(p);
  assert_int_equal(end(p), ERR_OK);
  assert_int_equal(p->runs, 2);
  assert_string_equal(desk_told(p->desk, "/one/complete", 1),
                      "{\"leaseToken\":\"tok-one\",\"result\":\"one\","
                      "\"claim\":{\"workerId\":\"w\",\"limit\":1,\"waitMs\":0}}");
  check_says(desk_told(p->desk, "/two/complete", 1), "\"result\":\"two\"");
  // It asked before the first task, and once more when no other came.
  assert_int_equal(desk_count(p->desk, "/claims"), 2);
  check_says(desk_told(p->desk, "/claims", 2), "\"waitMs\":0");
}

static void a_slot_that_stays_waits_in_a_long_poll_until_it_is_to_drain(void **state) {
  struct place *p = *state;
  desk_says(p->desk, "/claims", 1, 200, NO_TASK);
  desk_says(p->desk, "/claims", ALWAYS, 0, NULL);
  start(p);
  check_says(desk_told(p->desk, "/claims", 2), "\"waitMs\":30000");
  raise_phase(p, PHASE_DRAIN);
  assert_int_equal(end(p), ERR_OK);
  assert_int_equal(p->runs, 0);
}

static void once_is_one_task_and_no_other_is_asked_for(void **state) {
  struct place *p = *state;
  p->plan.once = true;
  desk_says(p->desk, "/claims", ALWAYS, 200, TASK("one"));
  start(p);
  assert_int_equal(end(p), ERR_OK);
  assert_string_equal(desk_told(p->desk, "/one/complete", 1),
                      "{\"leaseToken\":\"tok-one\",\"result\":\"one\"}");
  assert_int_equal(desk_count(p->desk, "/claims"), 1);
}

static void of_sessions_each_claim_is_a_request_of_its_own(void **state) {
  struct place *p = *state;
  p->plan.until_empty = p->plan.sessions = true;
  desk_says(p->desk, "/claims", 2, 200, TASK("one"));
  start(p);
  assert_int_equal(end(p), ERR_OK);
  assert_int_equal(p->runs, 2);
  assert_int_equal(desk_count(p->desk, "/claims"), 3);
  assert_null(strstr(desk_told(p->desk, "/complete", 1), "claim"));
}

// Runs one task, whose handler gives that outcome.
static void run_one(struct place *p, struct outcome outcome) {
  p->plan.until_empty = true;
  p->outcome = outcome;
  desk_says(p->desk, "/claims", 1, 200, TASK("one"));
  start(p);
  assert_int_equal(end(p), ERR_OK);
  assert_int_equal(p->runs, 1);
}

static void a_failure_says_whether_another_try_may_help(void **state) {
  struct place *p = *state;
  run_one(p, (struct outcome){OUTCOME_FAILED, STR_NONE, "exit_3", STR("why")});
  assert_string_equal(
      desk_told(p->desk, "/one/fail", 1),
      "{\"leaseToken\":\"tok-one\",\"error\":{\"code\":\"exit_3\",\"message\":\"why\"},"
      "\"retry\":false}");
  p->runs = 0;
  run_one(p, (struct outcome){OUTCOME_RETRY, STR_NONE, "exit_75", STR("later")});
  check_says(desk_told(p->desk, "/one/fail", 2), "\"message\":\"later\"},\"retry\":true}");
}

static void what_is_released_is_given_back(void **state) {
  struct place *p = *state;
  run_one(p, (struct outcome){.kind = OUTCOME_RELEASED});
  assert_string_equal(desk_told(p->desk, "/one/release", 1), "{\"leaseToken\":\"tok-one\"}");
}

static void a_report_that_does_not_get_through_is_repeated(void **state) {
  struct place *p = *state;
  desk_says(p->desk, "/complete", 1, 503, PROBLEM("unavailable"));
  desk_says(p->desk, "/complete", 1, 200, "<html>");
  run_one(p, (struct outcome){.kind = OUTCOME_COMPLETED});
  assert_int_equal(desk_count(p->desk, "/complete"), 3);
  assert_string_equal(desk_told(p->desk, "/complete", 1), desk_told(p->desk, "/complete", 3));
}

static void a_report_is_not_repeated_past_the_lease(void **state) {
  struct place *p = *state;
  desk_add(p->desk, (struct desk_rule){.path = "/complete",
                                       .status = 503,
                                       .body = PROBLEM("unavailable"),
                                       .times = ALWAYS,
                                       .retry_after_s = 31});
  run_one(p, (struct outcome){.kind = OUTCOME_COMPLETED});
  assert_int_equal(desk_count(p->desk, "/complete"), 1);
}

static void a_report_that_is_refused_fails_the_task_with_the_servers_words(void **state) {
  struct place *p = *state;
  desk_says(p->desk, "/complete", ALWAYS, 413, PROBLEM("body_too_large"));
  run_one(p, (struct outcome){.kind = OUTCOME_COMPLETED});
  assert_int_equal(desk_count(p->desk, "/complete"), 1);
  check_says(desk_told(p->desk, "/one/fail", 1),
             "{\"code\":\"report_refused\",\"message\":\"the server refused the report: a sentence "
             "about body_too_large\"},\"retry\":false");
}

static void a_report_that_comes_too_late_is_dropped_and_the_slot_goes_on(void **state) {
  struct place *p = *state;
  desk_says(p->desk, "/complete", ALWAYS, 409, PROBLEM("lease_lost"));
  run_one(p, (struct outcome){.kind = OUTCOME_COMPLETED});
  assert_int_equal(desk_count(p->desk, "/complete"), 1);
  assert_int_equal(desk_count(p->desk, "/claims"), 2);
}

static void a_task_whose_lease_was_lost_is_not_reported(void **state) {
  struct place *p = *state;
  p->plan.until_empty = true;
  p->waits_for_lease = true;
  desk_says(p->desk, "/claims", 1, 200, TASK_OF("one", "1300"));
  desk_says(p->desk, "/heartbeat", ALWAYS, 404, PROBLEM("not_found"));
  start(p);
  assert_int_equal(end(p), ERR_OK);
  assert_int_equal(p->runs, 1);
  assert_int_equal(desk_count(p->desk, "/complete"), 0);
}

static void a_server_that_fails_is_asked_again(void **state) {
  struct place *p = *state;
  p->plan.until_empty = true;
  desk_says(p->desk, "/claims", 1, 503, PROBLEM("overloaded"));
  desk_says(p->desk, "/claims", 1, 200, "{\"tasks\":[{}]}");
  desk_says(p->desk, "/claims", 1, 200, TASK("one"));
  start(p);
  assert_int_equal(end(p), ERR_OK);
  assert_int_equal(p->runs, 1);
  assert_int_equal(desk_count(p->desk, "/claims"), 4);
}

// Sends the log into a pipe; gives the end to read it from. log_open(NULL) ends that.
static int log_pipe(void) {
  int ends[2];
  char path[64];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
  assert_true(log_open(path));
  close(ends[1]);
  return ends[0];
}

static void await_log(int fd, const char *text) {
  char all[4096];
  for (size_t len = 0; len < sizeof all - 1;) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, PATIENCE_MS) != 1) fail_msg("%s did not come to the log", text);
    ssize_t got = read(fd, all + len, sizeof all - 1 - len);
    assert_true(got > 0);
    len += (size_t)got;
    all[len] = '\0';
    if (strstr(all, text)) return;
  }
  fail_msg("%s is not in the log: %s", text, all);
}

static void a_wait_for_the_server_ends_with_the_worker(void **state) {
  struct place *p = *state;
  desk_add(p->desk, (struct desk_rule){.path = "/claims",
                                       .status = 429,
                                       .body = PROBLEM("too_many"),
                                       .times = ALWAYS,
                                       .retry_after_s = 600});
  int log = log_pipe();
  start(p);
  await_log(log, "no task can be claimed; trying again");
  raise_phase(p, PHASE_DRAIN);
  assert_int_equal(end(p), ERR_OK);
  assert_int_equal(desk_count(p->desk, "/claims"), 1);
  assert_true(log_open(NULL));
  close(log);
}

// A second signal: whoever gets the task next need not wait for this worker.
static void a_report_is_not_repeated_when_the_worker_ends_at_once(void **state) {
  struct place *p = *state;
  desk_says(p->desk, "/claims", 1, 200, TASK("one"));
  desk_add(p->desk, (struct desk_rule){.path = "/complete",
                                       .status = 503,
                                       .body = PROBLEM("unavailable"),
                                       .times = ALWAYS,
                                       .retry_after_s = 20});
  int log = log_pipe();
  start(p);
  await_log(log, "a report failed; trying again");
  raise_phase(p, PHASE_NOW);
  assert_int_equal(end(p), ERR_OK);
  assert_int_equal(desk_count(p->desk, "/complete"), 1);
  assert_true(log_open(NULL));
  close(log);
}

static void a_server_that_says_no_ends_the_slot(void **state) {
  struct place *p = *state;
  static const struct {
    int status;
    const char *body;
    enum err err;
  } rows[] = {{401, PROBLEM("unauthenticated"), ERR_UNAUTHENTICATED},
              {403, PROBLEM("forbidden"), ERR_FORBIDDEN},
              {422, PROBLEM("invalid_field"), ERR_INVALID},
              {409, PROBLEM("sessions_off"), ERR_SESSIONS_OFF}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    desk_says(p->desk, "/claims", 1, rows[i].status, rows[i].body);
    start(p);
    assert_int_equal(end(p), rows[i].err);
    eventfd_t count;
    assert_int_equal(eventfd_read(p->plan.ended_fd, &count), 0);
    assert_int_equal(count, 1);
  }
}

// The answer was under way when the worker was told to stop.
static void drain_before_the_answer(void *self, const char *path) {
  struct place *p = self;
  if (path_ends(path, "/claims")) atomic_store(&p->plan.phase, PHASE_DRAIN);
}

static void a_task_that_comes_during_a_drain_is_given_back_untouched(void **state) {
  struct place *p = *state;
  p->desk->seen_self = p;
  p->desk->seen = drain_before_the_answer;
  desk_says(p->desk, "/claims", 1, 200, TASK("one"));
  start(p);
  assert_int_equal(end(p), ERR_OK);
  assert_int_equal(p->runs, 0);
  assert_int_equal(desk_count(p->desk, "/one/release"), 1);
  assert_int_equal(desk_count(p->desk, "/claims"), 1);
}

static void settings_that_cannot_work_are_refused_at_the_start(void **state) {
  struct place *p = *state;
  struct fault why;
  p->plan.server.url = STR("ftp://x");
  assert_int_equal(slot_start(&p->plan, &p->slot, &why), ERR_INVALID);
  assert_null(p->slot);
  check_says(why.detail, "the server's URL must look like");
}

static void without_descriptors_no_slot_starts(void **state) {
  struct place *p = *state;
  struct rlimit before, none;
  struct fault why;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  enum err err = slot_start(&p->plan, &p->slot, &why);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(err, ERR_INTERNAL);
  assert_string_equal(why.detail, "there are no descriptors left");
}

int main(void) {
#define AT_A_PLACE(name) cmocka_unit_test_setup_teardown(name, a_place, left)
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(a_completion_brings_the_next_task_along),
      AT_A_PLACE(a_slot_that_stays_waits_in_a_long_poll_until_it_is_to_drain),
      AT_A_PLACE(once_is_one_task_and_no_other_is_asked_for),
      AT_A_PLACE(of_sessions_each_claim_is_a_request_of_its_own),
      AT_A_PLACE(a_failure_says_whether_another_try_may_help),
      AT_A_PLACE(what_is_released_is_given_back),
      AT_A_PLACE(a_report_that_does_not_get_through_is_repeated),
      AT_A_PLACE(a_report_is_not_repeated_past_the_lease),
      AT_A_PLACE(a_report_that_is_refused_fails_the_task_with_the_servers_words),
      AT_A_PLACE(a_report_that_comes_too_late_is_dropped_and_the_slot_goes_on),
      AT_A_PLACE(a_task_whose_lease_was_lost_is_not_reported),
      AT_A_PLACE(a_server_that_fails_is_asked_again),
      AT_A_PLACE(a_wait_for_the_server_ends_with_the_worker),
      AT_A_PLACE(a_report_is_not_repeated_when_the_worker_ends_at_once),
      AT_A_PLACE(a_server_that_says_no_ends_the_slot),
      AT_A_PLACE(a_task_that_comes_during_a_drain_is_given_back_untouched),
      AT_A_PLACE(settings_that_cannot_work_are_refused_at_the_start),
      AT_A_PLACE(without_descriptors_no_slot_starts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
