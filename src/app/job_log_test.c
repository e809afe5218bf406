// job_log_test.c: which events get a line in the log, of which tasks, and how it reads.
#include "app/job_log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/job-log-test-XXXXXX";
static char content[1 << 14];
static const char ID[] = "01890000-0000-7000-8000-00000000000a";

static int open_log(void **state) {
  (void)state;
  int fd = mkstemp(path);
  if (fd < 0) return -1;
  close(fd);
  log_setup(LOG_INFO, LOG_JSON);
  return log_open(path) ? 0 : -1;
}

static int remove_log(void **state) {
  (void)state;
  log_open(NULL);
  return unlink(path);
}

// What was written since the last time; "": nothing.
static const char *written(void) {
  static off_t from;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  ssize_t got = pread(fd, content, sizeof content - 1, from);
  close(fd);
  assert_true(got >= 0);
  content[got] = '\0';
  from += got;
  return content;
}

static struct event event_of(enum event_kind kind, struct str queue) {
  struct event event = {.kind = kind,
                        .queue = queue,
                        .type = STR("sendMessage"),
                        .attempt = 2,
                        .worker = STR("w1"),
                        .note = STR("boom"),
                        .text = STR("It broke.\nTwice.")};
  assert_true(id_parse(STR(ID), &event.task));
  if (kind == EVENT_COMPLETED) event.note = event.text = STR_NONE;
  return event;
}

static const char *line_of(enum log_jobs which, enum event_kind kind, struct str queue) {
  struct event event = event_of(kind, queue);
  job_log(which, &event);
  return written();
}

static void assert_holds(const char *line, const char *part) {
  if (!strstr(line, part)) fail_msg("'%s' is not in %s", part, line);
}

static void a_completed_task_is_told_at_info(void **state) {
  (void)state;
  const char *line = line_of(LOG_JOBS_DOOR, EVENT_COMPLETED, STR("task-queue"));
  assert_holds(line,
               "\"level\":\"info\",\"message\":\"Job completed: "
               "01890000-0000-7000-8000-00000000000a\"");
  assert_holds(line,
               "\"type\":\"sendMessage\",\"queue\":\"task-queue\",\"attempt\":2,"
               "\"worker\":\"w1\",\"status\":\"completed\"}");
}

static void a_failure_is_told_at_error_with_its_message(void **state) {
  (void)state;
  static const struct {
    enum event_kind kind;
    const char *status;
  } ends[] = {{EVENT_ATTEMPT_FAILED, "\"status\":\"pending\""},
              {EVENT_FAILED, "\"status\":\"failed\""}};
  for (size_t i = 0; i < 2; i++) {
    const char *line = line_of(LOG_JOBS_DOOR, ends[i].kind, STR("task-queue"));
    assert_holds(line,
                 "\"level\":\"error\",\"message\":\"Job failed: "
                 "01890000-0000-7000-8000-00000000000a\"");
    assert_holds(line, ends[i].status);
    assert_holds(line, "\"code\":\"boom\",\"error\":\"It broke.\\nTwice.\"}");
  }
}

static void a_lost_lease_is_told_at_warn(void **state) {
  (void)state;
  static const struct {
    enum event_kind kind;
    const char *status;
  } ends[] = {{EVENT_LEASE_LOST, "\"status\":\"pending\""},
              {EVENT_ABANDONED, "\"status\":\"abandoned\""}};
  for (size_t i = 0; i < 2; i++) {
    const char *line = line_of(LOG_JOBS_DOOR, ends[i].kind, STR("task-queue"));
    assert_holds(line,
                 "\"level\":\"warn\",\"message\":\"Job "
                 "01890000-0000-7000-8000-00000000000a is stalled\"");
    assert_holds(line, ends[i].status);
  }
}

static void only_the_tasks_that_are_asked_for_are_told(void **state) {
  (void)state;
  assert_string_equal(line_of(LOG_JOBS_DOOR, EVENT_FAILED, STR("default")), "");
  assert_string_equal(line_of(LOG_JOBS_NO, EVENT_FAILED, STR("task-queue")), "");
  assert_holds(line_of(LOG_JOBS_ALL, EVENT_FAILED, STR("default")), "Job failed: ");
}

static void other_events_are_not_told(void **state) {
  (void)state;
  for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
    const char *line = line_of(LOG_JOBS_ALL, (enum event_kind)kind, STR("task-queue"));
    bool ends = kind == EVENT_COMPLETED || kind == EVENT_ATTEMPT_FAILED || kind == EVENT_FAILED ||
                kind == EVENT_LEASE_LOST || kind == EVENT_ABANDONED;
    assert_int_equal(*line != '\0', ends);
  }
}

static void a_level_that_is_not_logged_costs_nothing(void **state) {
  (void)state;
  log_setup(LOG_ERROR, LOG_JSON);
  assert_string_equal(line_of(LOG_JOBS_ALL, EVENT_COMPLETED, STR("task-queue")), "");
  assert_holds(line_of(LOG_JOBS_ALL, EVENT_FAILED, STR("task-queue")), "Job failed: ");
  log_setup(LOG_INFO, LOG_JSON);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_completed_task_is_told_at_info),
      cmocka_unit_test(a_failure_is_told_at_error_with_its_message),
      cmocka_unit_test(a_lost_lease_is_told_at_warn),
      cmocka_unit_test(only_the_tasks_that_are_asked_for_are_told),
      cmocka_unit_test(other_events_are_not_told),
      cmocka_unit_test(a_level_that_is_not_logged_costs_nothing),
  };
  return cmocka_run_group_tests(tests, open_log, remove_log);
}
