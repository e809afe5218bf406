// crew_test.c: how a worker's slots end together: by themselves, by a refusal, by signals.
#include "worker/crew.h"

#include "worker/testing.h"

#include <semaphore.h>
#include <signal.h>

struct shop {
  struct desk *desk;
  struct crew_plan plan;
  struct arena arena;
};

static int a_shop(void **state) {
  struct shop *s = mem_zero(sizeof *s);
  s->desk = desk_open();
  arena_init(&s->arena, 4096);
  const struct wish_parts parts = {.worker = "w"};
  s->plan = (struct crew_plan){
      .slot = {.server = {.url = str_of(s->desk->url)}}, .name = "w", .concurrency = 1};
  s->plan.drain_ms = 60000;
  s->plan.slot.wish = wish_make(&s->arena, &parts);
  *state = s;
  return 0;
}

static int closed(void **state) {
  struct shop *s = *state;
  desk_close(s->desk);
  arena_fini(&s->arena);
  mem_free(s);
  return 0;
}

#define TASK                                                                                       \
  "{\"tasks\":[{\"id\":\"one\",\"type\":\"t\",\"queue\":\"q\",\"payload\":1,\"attempt\":1,"        \
  "\"maxAttempts\":3,\"workerId\":\"w\",\"claimedAt\":1000,\"leaseExpiresAt\":61000,"              \
  "\"leaseToken\":\"tok\"}]}"

// Runs the worker until it ends; gives its exit status. The desk hands out one task.
static int run(struct shop *s, attempt_handler *handler) {
  int status = -1;
  struct fault why;
  s->plan.slot.handler = handler;
  if (handler) desk_says(s->desk, "/claims", 1, 200, TASK);
  assert_int_equal(crew_run(&s->plan, &status, &why), ERR_OK);
  return status;
}

static void await_phase(const struct attempt *at, int phase) {
  while (atomic_load(at->phase) < phase) {
    wake_wait(at->wake_fd, PATIENCE_MS);
    wake_clear(at->wake_fd);
  }
}

static struct outcome ends_in_the_drain(const void *self, const struct attempt *at) {
  (void)self;
  await_phase(at, PHASE_DRAIN);
  return (struct outcome){.kind = OUTCOME_COMPLETED, .result = STR("7")};
}

static struct outcome asks_to_drain(const void *self, const struct attempt *at) {
  (void)kill(getpid(), SIGTERM);
  return ends_in_the_drain(self, at);
}

static struct outcome asks_to_drain_and_goes_on(const void *self, const struct attempt *at) {
  (void)self;
  (void)kill(getpid(), SIGHUP);
  (void)attempt_pause(at, 600000);
  return attempt_halted(at, attempt_halt(at));
}

static struct outcome asks_twice(const void *self, const struct attempt *at) {
  (void)self;
  (void)kill(getpid(), SIGTERM);
  await_phase(at, PHASE_DRAIN);
  (void)kill(getpid(), SIGINT);
  (void)attempt_pause(at, 600000);
  return attempt_halted(at, attempt_halt(at));
}

static void slots_that_find_nothing_end_the_worker_when_it_is_told_so(void **state) {
  struct shop *s = *state;
  s->plan.slot.until_empty = true;
  s->plan.concurrency = 3;
  assert_int_equal(run(s, NULL), 0);
  assert_int_equal(desk_count(s->desk, "/claims"), 3);
}

static void a_refusal_is_told_by_the_exit_status(void **state) {
  struct shop *s = *state;
  static const struct {
    int http;
    const char *body;
    int status;
  } rows[] = {{401, PROBLEM("unauthenticated"), 77},
              {403, PROBLEM("forbidden"), 77},
              {409, PROBLEM("sessions_off"), 1},
              {422, PROBLEM("invalid_field"), 1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    desk_says(s->desk, "/claims", 1, rows[i].http, rows[i].body);
    atomic_store(&s->plan.slot.phase, PHASE_RUN);
    assert_int_equal(run(s, NULL), rows[i].status);
  }
}

static sem_t begun;

static struct outcome begins_and_ends_in_the_drain(const void *self, const struct attempt *at) {
  (void)sem_post(&begun);
  return ends_in_the_drain(self, at);
}

// The second claim is not answered before the task of the first one runs.
static void hold_the_second_claim(void *self, const char *path) {
  struct shop *s = self;
  if (path_ends(path, "/claims") && desk_count(s->desk, "/claims") == 1) (void)sem_wait(&begun);
}

static void a_refusal_of_one_slot_lets_the_others_end_what_they_run(void **state) {
  struct shop *s = *state;
  s->plan.concurrency = 2;
  s->desk->seen_self = s;
  s->desk->seen = hold_the_second_claim;
  (void)sem_init(&begun, 0, 0);
  desk_says(s->desk, "/claims", 1, 200, TASK);
  desk_says(s->desk, "/claims", ALWAYS, 403, PROBLEM("forbidden"));
  assert_int_equal(run(s, begins_and_ends_in_the_drain), 77);
  (void)sem_destroy(&begun);
  assert_string_equal(desk_told(s->desk, "/one/complete", 1),
                      "{\"leaseToken\":\"tok\",\"result\":7}");
}

static void the_first_signal_lets_what_runs_come_to_its_end(void **state) {
  struct shop *s = *state;
  assert_int_equal(run(s, asks_to_drain), 0);
  assert_string_equal(desk_told(s->desk, "/one/complete", 1),
                      "{\"leaseToken\":\"tok\",\"result\":7}");
  assert_int_equal(desk_count(s->desk, "/claims"), 1);
}

static void what_outlasts_the_drain_is_given_back(void **state) {
  struct shop *s = *state;
  s->plan.drain_ms = 50;
  int64_t began_us = clock_mono_us();
  assert_int_equal(run(s, asks_to_drain_and_goes_on), 0);
  assert_true(clock_mono_us() - began_us >= 50 * 1000);
  assert_int_equal(desk_count(s->desk, "/one/release"), 1);
}

static void a_second_signal_does_not_wait_and_is_the_exit_status(void **state) {
  struct shop *s = *state;
  assert_int_equal(run(s, asks_twice), 128 + SIGINT);
  assert_int_equal(desk_count(s->desk, "/one/release"), 1);
}

static void a_worker_that_cannot_start_says_why(void **state) {
  struct shop *s = *state;
  int status = -1;
  struct fault why;
  s->plan.slot.server.url = STR("http://x/?query");
  assert_int_equal(crew_run(&s->plan, &status, &why), ERR_INVALID);
  check_says(why.detail, "without user or query");
  assert_int_equal(status, -1);
}

int main(void) {
  // Before there are threads, so that only the worker hears these.
  sigset_t heard;
  sigemptyset(&heard);
  sigaddset(&heard, SIGTERM);
  sigaddset(&heard, SIGINT);
  sigaddset(&heard, SIGHUP);
  sigprocmask(SIG_BLOCK, &heard, NULL);
#define IN_A_SHOP(name) cmocka_unit_test_setup_teardown(name, a_shop, closed)
  const struct CMUnitTest tests[] = {
      IN_A_SHOP(slots_that_find_nothing_end_the_worker_when_it_is_told_so),
      IN_A_SHOP(a_refusal_is_told_by_the_exit_status),
      IN_A_SHOP(a_refusal_of_one_slot_lets_the_others_end_what_they_run),
      IN_A_SHOP(the_first_signal_lets_what_runs_come_to_its_end),
      IN_A_SHOP(what_outlasts_the_drain_is_given_back),
      IN_A_SHOP(a_second_signal_does_not_wait_and_is_the_exit_status),
      IN_A_SHOP(a_worker_that_cannot_start_says_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
