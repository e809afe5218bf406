// lease_test.c: what a running task says reaches the server, and what the server says reaches it.
#include "worker/testing.h"

// A lease that sees heartbeats, one each third of it, and outlasts a stall of the machine.
enum { LEASE_MS = 2400, BEAT_MS = LEASE_MS / 3 };

// When the lease is over by our clock, µs, to 1 ms: asked again if this was interrupted.
static int64_t over_us(struct stand *s) {
  while (true) {
    int64_t before_us = clock_mono_us(), left_ms = lease_left_ms(s->lease);
    if (clock_mono_us() - before_us < 1000) return before_us + left_ms * 1000;
  }
}

static void say(struct stand *s, int64_t percent, const char *step) {
  struct progress progress = {percent, str_of(step), STR_NONE};
  lease_progress(s->lease, &progress);
}

static void heartbeats_keep_the_lease_past_its_length(void **state) {
  struct stand *s = *state;
  int64_t began_us = clock_mono_us();
  stand_begin(s, LEASE_MS);
  // The first was answered when the second goes out.
  assert_string_equal(desk_told(s->desk, "/tasks/01-ab/heartbeat", 2), "{\"leaseToken\":\"tok\"}");
  assert_true(over_us(s) - began_us >= (BEAT_MS + LEASE_MS - 1) * 1000);
  assert_in_range(lease_left_ms(s->lease), 1, LEASE_MS + 1);
  assert_int_equal(stand_end(s), LEASE_HELD);
}

static void a_wish_to_cancel_comes_with_a_heartbeat(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/heartbeat", ALWAYS, 200, CANCEL_ASKED);
  stand_begin(s, LEASE_MS);
  stand_await(s, LEASE_CANCEL);
  assert_int_equal(stand_end(s), LEASE_CANCEL);
}

static void a_wish_to_cancel_comes_with_whatever_is_sent_first(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/progress", ALWAYS, 200, CANCEL_ASKED);
  stand_begin(s, 30000);
  say(s, 1, NULL);
  stand_await(s, LEASE_CANCEL);
  assert_int_equal(desk_count(s->desk, "/heartbeat"), 0);
}

static void a_lease_that_is_taken_away_is_lost_and_nothing_more_is_said(void **state) {
  struct stand *s = *state;
  static const struct {
    int status;
    const char *body;
  } rows[] = {{409, PROBLEM("lease_lost")}, {409, PROBLEM("wrong_status")}, {404, "{}"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    desk_says(s->desk, "/progress", 1, rows[i].status, rows[i].body);
    stand_begin(s, 30000);
    say(s, 1, NULL);
    stand_await(s, LEASE_LOST);
    lease_log(s->lease, STR("nobody wants to know"));
    assert_int_equal(stand_end(s), LEASE_LOST);
    assert_int_equal(desk_count(s->desk, "/logs"), 0);
  }
}

// The server may have given the task to somebody else by then.
static void a_lease_is_over_by_our_clock_when_the_server_is_silent(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/heartbeat", ALWAYS, 0, NULL);
  stand_begin(s, 150);
  stand_await(s, LEASE_LOST);
  assert_int_equal(lease_left_ms(s->lease), 0);
  assert_int_equal(stand_end(s), LEASE_LOST);
}

static void a_heartbeat_that_fails_is_tried_again(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/heartbeat", 1, 503, PROBLEM("overloaded"));
  stand_begin(s, LEASE_MS);
  (void)desk_told(s->desk, "/heartbeat", 2);
  assert_int_equal(stand_end(s), LEASE_HELD);
}

static void lines_that_were_not_taken_are_said_again(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/logs", 1, 500, "an answer of somebody else");
  stand_begin(s, 30000);
  lease_log(s->lease, STR("once"));
  assert_int_equal(stand_end(s), LEASE_HELD);
  assert_int_equal(desk_count(s->desk, "/logs"), 2);
  assert_string_equal(desk_told(s->desk, "/logs", 1), desk_told(s->desk, "/logs", 2));
}

static void progress_that_was_not_taken_is_said_again(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/progress", 1, 503, PROBLEM("overloaded"));
  stand_begin(s, 30000);
  say(s, 10, "begin");
  assert_int_equal(stand_end(s), LEASE_HELD);
  assert_int_equal(desk_count(s->desk, "/progress"), 2);
  assert_string_equal(desk_told(s->desk, "/progress", 1), desk_told(s->desk, "/progress", 2));
}

// A line that the server refuses is not worth the others.
static void lines_that_are_refused_are_dropped(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/logs", 1, 422, PROBLEM("invalid_field"));
  stand_begin(s, 30000);
  lease_log(s->lease, STR("refused"));
  assert_int_equal(stand_end(s), LEASE_HELD);
  assert_int_equal(desk_count(s->desk, "/logs"), 1);
}

// While the first report is under way there is more to report.
static void report_more(void *self, const char *path) {
  struct stand *s = self;
  if (!path_ends(path, "/progress")) return;
  s->desk->seen = NULL;
  say(s, 50, "up");
  say(s, 20, "down");
}

static void after_a_failure_the_newest_progress_goes_out_and_the_highest_percentage(void **state) {
  struct stand *s = *state;
  desk_add(s->desk, (struct desk_rule){.path = "/progress",
                                       .status = 503,
                                       .body = PROBLEM("overloaded"),
                                       .times = 1,
                                       .retry_after_s = 1});
  s->desk->seen_self = s;
  s->desk->seen = report_more;
  stand_begin(s, 30000);
  int64_t began_us = clock_mono_us();
  say(s, 10, "begin");
  check_says(desk_told(s->desk, "/progress", 1), "\"progress\":10,\"currentStep\":\"begin\"");
  check_says(desk_told(s->desk, "/progress", 2), "\"progress\":50,\"currentStep\":\"down\"");
  assert_true(clock_mono_us() - began_us >= 1000 * 1000);  // Retry-After: 1
}

static void report_less(void *self, const char *path) {
  struct stand *s = self;
  if (!path_ends(path, "/progress")) return;
  s->desk->seen = NULL;
  say(s, 20, "down");
}

static void nor_is_a_percentage_lost_that_was_not_taken(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/progress", 1, 503, PROBLEM("overloaded"));
  s->desk->seen_self = s;
  s->desk->seen = report_less;
  stand_begin(s, 30000);
  say(s, 60, "up");
  check_says(desk_told(s->desk, "/progress", 1), "\"progress\":60,\"currentStep\":\"up\"");
  check_says(desk_told(s->desk, "/progress", 2), "\"progress\":60,\"currentStep\":\"down\"");
}

// All of them are there when the call under way is answered, however slow the machine is.
static void log_much(void *self, const char *path) {
  struct stand *s = self;
  char line[16];
  if (!path_ends(path, "/progress")) return;
  for (int i = 0; i < 50; i++) {
    (void)snprintf(line, sizeof line, "line %d", i);
    lease_log(s->lease, str_of(line));
  }
}

// Fewer would wait for company.
static void many_lines_travel_at_once_in_their_order(void **state) {
  struct stand *s = *state;
  s->desk->seen_self = s;
  s->desk->seen = log_much;
  stand_begin(s, 30000);
  say(s, 1, NULL);
  const char *lines = desk_told(s->desk, "/logs", 1);
  check_says(lines, "{\"leaseToken\":\"tok\",\"lines\":[\"line 0\",\"line 1\",");
  check_says(lines, "\"line 48\",\"line 49\"]}");
}

// The server does not renew it for them.
static void lines_do_not_renew_the_lease(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/heartbeat", ALWAYS, 503, PROBLEM("overloaded"));
  stand_begin(s, 30000);
  int64_t first_us = over_us(s);
  assert_true(attempt_pause(&s->attempt, 20));
  for (int batch = 1; batch <= 2; batch++) {  // the first was answered when the second goes out
    for (int i = 0; i < 50; i++) lease_log(s->lease, STR("line"));
    (void)desk_told(s->desk, "/logs", batch);
  }
  assert_in_range(over_us(s) - first_us + 2000, 0, 4000);  // a renewal moves it by 20 ms
}

static void the_end_waits_for_what_is_left_to_say(void **state) {
  struct stand *s = *state;
  stand_begin(s, 30000);
  lease_log(s->lease, STR("last words"));
  struct progress progress = {99, STR("s"), STR("d \xff")};
  lease_progress(s->lease, &progress);
  assert_int_equal(stand_end(s), LEASE_HELD);
  assert_int_equal(desk_count(s->desk, "/logs"), 1);
  assert_int_equal(desk_count(s->desk, "/progress"), 1);
  check_says(desk_told(s->desk, "/progress", 1),
             "\"currentStep\":\"s\",\"currentStepDescription\":\"d \xef\xbf\xbd\"");
}

static void the_end_does_not_wait_for_ever_and_old_lines_are_not_the_next_tasks(void **state) {
  struct stand *s = *state;
  desk_says(s->desk, "/logs", 1, 0, NULL);
  stand_begin(s, 500);
  lease_log(s->lease, STR("old"));
  (void)stand_end(s);
  stand_begin(s, 30000);
  lease_log(s->lease, STR("new"));
  assert_int_equal(stand_end(s), LEASE_HELD);
  assert_string_equal(desk_told(s->desk, "/logs", 2),
                      "{\"leaseToken\":\"tok\",\"lines\":[\"new\"]}");
}

static void waits_between_tries_double_up_to_the_longest(void **state) {
  (void)state;
  static const struct {
    unsigned failures;
    int64_t most;
  } rows[] = {{1, 250}, {2, 500}, {3, 1000}, {5, 4000}, {6, 5000}, {7, 5000}, {4000000000u, 5000}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (int n = 0; n < 50; n++)
      assert_in_range(lease_backoff_ms(rows[i].failures, 5000), rows[i].most / 2, rows[i].most);
}

int main(void) {
#define AT_A_STAND(name) cmocka_unit_test_setup_teardown(name, stand_up, stand_down)
#define IN_HASTE(name) cmocka_unit_test_setup_teardown(name, stand_up_in_haste, stand_down)
  const struct CMUnitTest tests[] = {
      AT_A_STAND(heartbeats_keep_the_lease_past_its_length),
      AT_A_STAND(a_wish_to_cancel_comes_with_a_heartbeat),
      AT_A_STAND(a_wish_to_cancel_comes_with_whatever_is_sent_first),
      AT_A_STAND(a_lease_that_is_taken_away_is_lost_and_nothing_more_is_said),
      IN_HASTE(a_lease_is_over_by_our_clock_when_the_server_is_silent),
      AT_A_STAND(a_heartbeat_that_fails_is_tried_again),
      AT_A_STAND(lines_that_were_not_taken_are_said_again),
      AT_A_STAND(progress_that_was_not_taken_is_said_again),
      AT_A_STAND(lines_that_are_refused_are_dropped),
      AT_A_STAND(after_a_failure_the_newest_progress_goes_out_and_the_highest_percentage),
      AT_A_STAND(nor_is_a_percentage_lost_that_was_not_taken),
      AT_A_STAND(many_lines_travel_at_once_in_their_order),
      AT_A_STAND(lines_do_not_renew_the_lease),
      AT_A_STAND(the_end_waits_for_what_is_left_to_say),
      IN_HASTE(the_end_does_not_wait_for_ever_and_old_lines_are_not_the_next_tasks),
      cmocka_unit_test(waits_between_tries_double_up_to_the_longest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
