// spawn_test.c: which programs can be started, and what they inherit.
#include "worker/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

extern char **environ;

static struct arena a;
static const struct claim claim = {.id = {"0190-ab", 7},
                                   .type = {"t", 1},
                                   .queue = {"q", 1},
                                   .worker = {"w", 1},
                                   .name = {"My task", 7},
                                   .attempt = 2,
                                   .attempts_max = 3};

static int a_fresh_arena(void **state) {
  (void)state;
  arena_init(&a, 1 << 12);
  return 0;
}

static int the_arena_freed(void **state) {
  (void)state;
  arena_fini(&a);
  return 0;
}

// All that it prints to a stream until it closes it.
static const char *read_all(struct child *child, enum stream stream) {
  char text[4096];
  size_t len = 0;
  while (true) {
    struct pollfd ready = {.fd = child->fd[stream], .events = POLLIN};
    assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    ssize_t got = read(child->fd[stream], text + len, sizeof text - 1 - len);
    assert_true(got >= 0);
    if (got == 0) break;
    len += (size_t)got;
  }
  return arena_cstr(&a, (struct str){text, len});
}

// Waits for its end; gives its status.
static int end(struct child *child) {
  int status = -1;
  assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
  assert_int_equal(close(child->pidfd), 0);
  for (int s = 0; s < STREAM_COUNT; s++) spawn_close(child, (enum stream)s);
  return status;
}

static struct child sh(const char *script) {
  char *argv[] = {"sh", "-c", (char *)script, NULL};
  struct child child;
  struct fault why;
  assert_int_equal(spawn_program(argv, environ, &child, &why), ERR_OK);
  return child;
}

static void its_streams_are_0_to_3_and_it_has_no_other(void **state) {
  (void)state;
  int kept_open = open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a library may leave it
  struct child child = sh("cat >&2; echo three >&3; ls /proc/self/fd | tr '\\n' ' '");
  assert_int_equal(write(child.fd[STREAM_IN], "in", 2), 2);
  spawn_close(&child, STREAM_IN);
  spawn_close(&child, STREAM_IN);  // harmless
  assert_string_equal(read_all(&child, STREAM_ERR), "in");
  assert_string_equal(read_all(&child, STREAM_PROGRESS), "three\n");
  assert_string_equal(read_all(&child, STREAM_OUT), "0 1 2 3 4 ");  // 4 is the folder that ls reads
  assert_int_equal(end(&child), 0);
  close(kept_open);
}

// A worker may be started without standard input: then a pipe's own end is descriptor 0.
static void its_streams_are_right_when_ours_are_closed(void **state) {
  (void)state;
  int kept = dup(STDIN_FILENO);
  if (kept >= 0) close(STDIN_FILENO);
  struct child child = sh("cat; echo three >&3");
  for (int s = 0; s < STREAM_COUNT; s++) assert_true(child.fd[s] > STREAM_PROGRESS);
  assert_int_equal(write(child.fd[STREAM_IN], "in", 2), 2);
  spawn_close(&child, STREAM_IN);
  assert_string_equal(read_all(&child, STREAM_OUT), "in");
  assert_string_equal(read_all(&child, STREAM_PROGRESS), "three\n");
  assert_int_equal(end(&child), 0);
  if (kept >= 0) dup2(kept, STDIN_FILENO);
  if (kept >= 0) close(kept);
}

static void it_has_a_process_group_of_its_own(void **state) {
  (void)state;
  struct child child = sh("read line");
  assert_int_equal(getpgid(child.pid), child.pid);
  spawn_close(&child, STREAM_IN);
  (void)end(&child);
}

static void signals_that_we_block_or_ignore_reach_it(void **state) {
  (void)state;
  static const int numbers[] = {SIGUSR1, SIGPIPE};
  sigset_t usr1, before;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &usr1, &before);
  (void)signal(SIGPIPE, SIG_IGN);
  struct child children[] = {sh("kill -USR1 $$; exit 0"), sh("kill -PIPE $$; exit 0")};
  (void)signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, NULL);
  for (int i = 0; i < 2; i++) {
    int status = end(&children[i]);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), numbers[i]);
  }
}

static void its_end_shows_at_the_pidfd(void **state) {
  (void)state;
  struct child child = sh("read line; exit 3");
  struct pollfd ended = {.fd = child.pidfd, .events = POLLIN};
  assert_int_equal(poll(&ended, 1, 0), 0);
  spawn_close(&child, STREAM_IN);
  assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
  assert_int_equal(WEXITSTATUS(end(&child)), 3);
}

static void what_cannot_be_started_is_told_with_the_reason(void **state) {
  (void)state;
  struct child child;
  struct fault why;
  assert_int_equal(spawn_program((char *[]){"/no/such", NULL}, environ, &child, &why),
                   ERR_UNAVAILABLE);
  assert_string_equal(why.detail, "/no/such cannot be started: No such file or directory");
  assert_int_equal(spawn_program((char *[]){"/dev/null", NULL}, environ, &child, &why),
                   ERR_UNAVAILABLE);
  assert_string_equal(why.detail, "/dev/null cannot be started: Permission denied");
}

static int lowest_free_descriptor(void) {
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), number = fd;
  close(fd);
  return number;
}

// However many are left, nothing runs that is not watched, and none stays open.
static void without_descriptors_nothing_is_started(void **state) {
  (void)state;
  char *argv[] = {"true", NULL};
  struct rlimit before, few;
  struct child child;
  struct fault why;
  int held = open("/dev/null", O_RDONLY | O_CLOEXEC);  // or 3 would be left over at the end
  int free_fd = lowest_free_descriptor();
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  enum err err = ERR_UNAVAILABLE;
  int left = STREAM_COUNT;  // fewer is another error
  for (; err != ERR_OK; left++) {
    few = before;
    few.rlim_cur = (rlim_t)(free_fd + left);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    err = spawn_program(argv, environ, &child, &why);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    if (err == ERR_OK) break;
    assert_string_equal(why.detail, "true cannot be started: Too many open files");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);  // there is no child
    assert_int_equal(lowest_free_descriptor(), free_fd);
  }
  assert_true(left > 2 * STREAM_COUNT);  // both ends of the pipes, and the pidfd
  assert_int_equal(end(&child), 0);
  close(held);
}

// --- the environment -----------------------------------------------------------------------------

static const char *variable(char **env, const char *name) {
  size_t len = strlen(name);
  const char *found = NULL;
  for (; *env; env++) {
    if (strncmp(*env, name, len) != 0 || (*env)[len] != '=') continue;
    assert_null(found);  // each is there once
    found = *env + len + 1;
  }
  return found;
}

static void the_task_is_described_over_what_is_inherited(void **state) {
  (void)state;
  setenv("TASKYARD_TYPE", "of a worker inside of a worker", 1);
  setenv("TASKYARD_TEST_INHERITED", "yes", 1);
  char **env = spawn_environment(&a, &claim);
  assert_string_equal(variable(env, "TASKYARD_TASK_ID"), "0190-ab");
  assert_string_equal(variable(env, "TASKYARD_TYPE"), "t");
  assert_string_equal(variable(env, "TASKYARD_QUEUE"), "q");
  assert_string_equal(variable(env, "TASKYARD_ATTEMPT"), "2");
  assert_string_equal(variable(env, "TASKYARD_MAX_ATTEMPTS"), "3");
  assert_string_equal(variable(env, "TASKYARD_WORKER_ID"), "w");
  assert_string_equal(variable(env, "TASKYARD_NAME"), "My task");
  assert_string_equal(variable(env, "TASKYARD_TEST_INHERITED"), "yes");
}

static void a_task_without_a_name_does_not_inherit_another_ones(void **state) {
  (void)state;
  struct claim nameless = claim;
  nameless.name = STR_NONE;
  setenv("TASKYARD_NAME", "another", 1);
  assert_null(variable(spawn_environment(&a, &nameless), "TASKYARD_NAME"));
  unsetenv("TASKYARD_NAME");
}

static void the_attempts_of_a_task_are_spans_of_one_trace(void **state) {
  (void)state;
  static const char TRACE[] = "00-0190ab-";
  const char *one = variable(spawn_environment(&a, &claim), "TRACEPARENT"),
             *two = variable(spawn_environment(&a, &claim), "TRACEPARENT");
  assert_int_equal(strncmp(one, TRACE, strlen(TRACE)), 0);
  assert_int_equal(strncmp(two, TRACE, strlen(TRACE)), 0);
  assert_string_not_equal(one, two);
  assert_int_equal(strlen(one), strlen(TRACE) + 16 + strlen("-01"));
}

static void a_task_of_a_session_sees_no_secret(void **state) {
  (void)state;
  struct claim of_session = claim;
  of_session.session = STR("k");
  setenv("TASKYARD_KEY", "tk_secret", 1);
  setenv("PGPASSWORD", "secret", 1);
  assert_string_equal(variable(spawn_environment(&a, &claim), "TASKYARD_KEY"), "tk_secret");
  char **env = spawn_environment(&a, &of_session);
  assert_null(variable(env, "TASKYARD_KEY"));
  assert_null(variable(env, "PGPASSWORD"));
  assert_non_null(variable(env, "PATH"));
  unsetenv("TASKYARD_KEY");
  unsetenv("PGPASSWORD");
}

// --- looking for the program ---------------------------------------------------------------------

static void a_program_is_looked_for_in_path_or_where_it_says(void **state) {
  (void)state;
  struct fault why;
  assert_int_equal(spawn_check("sh", &why), ERR_OK);
  assert_int_equal(spawn_check("/bin/sh", &why), ERR_OK);
  assert_int_equal(spawn_check("no-such-program-at-all", &why), ERR_INVALID);
  assert_string_equal(why.detail, "there is no program no-such-program-at-all in PATH");
  static const char *const no_programs[] = {"/", "./absent", "/etc/passwd"};
  for (size_t i = 0; i < sizeof no_programs / sizeof *no_programs; i++) {
    assert_int_equal(spawn_check(no_programs[i], &why), ERR_INVALID);
    assert_string_equal(why.detail,
                        arena_printf(&a, "%s is not a program that can be run", no_programs[i]).at);
  }
}

static void an_empty_folder_in_path_is_the_present_one(void **state) {
  (void)state;
  struct fault why;
  char folder[] = "/tmp/spawn_test.XXXXXX", before[4096];
  const char *path = arena_cstr(&a, str_of(getenv("PATH")));
  assert_non_null(mkdtemp(folder));
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(folder), 0);
  int fd = open("mine", O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
  assert_true(fd >= 0);
  close(fd);
  setenv("PATH", "/nowhere::", 1);
  enum err here = spawn_check("mine", &why);
  setenv("PATH", "/nowhere", 1);
  enum err nowhere = spawn_check("mine", &why);
  unsetenv("PATH");
  enum err unset = spawn_check("sh", &why);
  setenv("PATH", path, 1);
  assert_int_equal(unlink("mine"), 0);
  assert_int_equal(chdir(before), 0);
  assert_int_equal(rmdir(folder), 0);
  assert_int_equal(here, ERR_OK);
  assert_int_equal(nowhere, ERR_INVALID);
  assert_int_equal(unset, ERR_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(its_streams_are_0_to_3_and_it_has_no_other),
      cmocka_unit_test(its_streams_are_right_when_ours_are_closed),
      cmocka_unit_test(it_has_a_process_group_of_its_own),
      cmocka_unit_test(signals_that_we_block_or_ignore_reach_it),
      cmocka_unit_test(its_end_shows_at_the_pidfd),
      cmocka_unit_test(what_cannot_be_started_is_told_with_the_reason),
      cmocka_unit_test(without_descriptors_nothing_is_started),
      cmocka_unit_test(the_task_is_described_over_what_is_inherited),
      cmocka_unit_test(a_task_without_a_name_does_not_inherit_another_ones),
      cmocka_unit_test(the_attempts_of_a_task_are_spans_of_one_trace),
      cmocka_unit_test(a_task_of_a_session_sees_no_secret),
      cmocka_unit_test(a_program_is_looked_for_in_path_or_where_it_says),
      cmocka_unit_test(an_empty_folder_in_path_is_the_present_one),
  };
  return cmocka_run_group_tests(tests, a_fresh_arena, the_arena_freed);
}
