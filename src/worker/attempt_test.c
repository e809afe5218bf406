// attempt_test.c: what cuts an attempt short, and what then becomes of its task.
#include "worker/testing.h"

#include <pthread.h>

static void lease_becomes(struct stand *s, enum lease_state lease) {
  struct progress progress = {1, STR_NONE, STR_NONE};
  if (lease == LEASE_HELD) return;
  if (lease == LEASE_CANCEL) desk_says(s->desk, "/progress", 1, 200, CANCEL_ASKED);
  if (lease == LEASE_LOST) desk_says(s->desk, "/progress", 1, 409, PROBLEM("lease_lost"));
  lease_progress(s->lease, &progress);
  stand_await(s, lease);
}

static void of_several_reasons_the_most_urgent_counts(void **state) {
  struct stand *s = *state;
  static const struct {
    enum lease_state lease;
    enum halt by_phase[4];  // RUN, DRAIN, END, NOW
  } rows[] = {{LEASE_HELD, {HALT_NONE, HALT_NONE, HALT_END, HALT_NOW}},
              {LEASE_CANCEL, {HALT_CANCEL, HALT_CANCEL, HALT_CANCEL, HALT_NOW}},
              {LEASE_LOST, {HALT_LOST, HALT_LOST, HALT_LOST, HALT_NOW}}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    stand_begin(s, 30000);
    lease_becomes(s, rows[i].lease);
    for (int phase = PHASE_RUN; phase <= PHASE_NOW; phase++) {
      atomic_store(&s->phase, phase);
      assert_int_equal(attempt_halt(&s->attempt), rows[i].by_phase[phase]);
    }
    assert_int_equal(stand_end(s), rows[i].lease);
  }
}

static void what_was_cut_short_is_given_back_but_for_a_cancel_and_a_lost_lease(void **state) {
  struct stand *s = *state;
  struct outcome cancelled = attempt_halted(&s->attempt, HALT_CANCEL);
  assert_int_equal(cancelled.kind, OUTCOME_FAILED);
  assert_string_equal(cancelled.code, "cancelled");
  check_str(cancelled.message, "stopped by the worker because it was cancelled");
  assert_int_equal(attempt_halted(&s->attempt, HALT_LOST).kind, OUTCOME_LOST);
  assert_int_equal(attempt_halted(&s->attempt, HALT_END).kind, OUTCOME_RELEASED);
  assert_int_equal(attempt_halted(&s->attempt, HALT_NOW).kind, OUTCOME_RELEASED);
}

static void a_pause_lasts_its_time_whatever_wakes_it(void **state) {
  struct stand *s = *state;
  stand_begin(s, 30000);
  int64_t began_us = clock_mono_us();
  stand_raise(s, PHASE_DRAIN);
  assert_true(attempt_pause(&s->attempt, 20));
  assert_true(clock_mono_us() - began_us >= 20 * 1000);
}

static void *raise_the_end(void *self) {
  stand_raise(self, PHASE_END);
  return NULL;
}

static void a_pause_ends_with_the_worker(void **state) {
  struct stand *s = *state;
  pthread_t other;
  stand_begin(s, 30000);
  assert_int_equal(pthread_create(&other, NULL, raise_the_end, s), 0);
  assert_false(attempt_pause(&s->attempt, 60000));
  assert_int_equal(attempt_halt(&s->attempt), HALT_END);
  pthread_join(other, NULL);
}

static void a_pause_ends_when_the_lease_is_over_without_a_word(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/heartbeat", ALWAYS, 0, NULL);
  stand_begin(s, 150);
  assert_false(attempt_pause(&s->attempt, 60000));
  assert_int_equal(attempt_halt(&s->attempt), HALT_LOST);
}

int main(void) {
#define AT_A_STAND(name) cmocka_unit_test_setup_teardown(name, stand_up, stand_down)
#define IN_HASTE(name) cmocka_unit_test_setup_teardown(name, stand_up_in_haste, stand_down)
  const struct CMUnitTest tests[] = {
      AT_A_STAND(of_several_reasons_the_most_urgent_counts),
      AT_A_STAND(what_was_cut_short_is_given_back_but_for_a_cancel_and_a_lost_lease),
      AT_A_STAND(a_pause_lasts_its_time_whatever_wakes_it),
      AT_A_STAND(a_pause_ends_with_the_worker),
      IN_HASTE(a_pause_ends_when_the_lease_is_over_without_a_word),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
