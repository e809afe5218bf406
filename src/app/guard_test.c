// guard_test.c: what a server gives up, looked at in a process of its own.
#include "app/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NO_NEW_PRIVS = 1, DUMPABLE = 2 };

// What holds of a process that was guarded so.
static int guarded(struct settings s) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    guard_process(&s);
    int bits = prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL) == 1 ? NO_NEW_PRIVS : 0;
    if (prctl(PR_GET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) == 1) bits |= DUMPABLE;
    _exit(bits);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void no_server_gets_new_rights(void **state) {
  (void)state;
  assert_int_equal(guarded((struct settings){0}) & NO_NEW_PRIVS, NO_NEW_PRIVS);
}

static void without_a_secret_a_core_file_may_be_written(void **state) {
  (void)state;
  assert_int_equal(guarded((struct settings){0}) & DUMPABLE, DUMPABLE);
}

static void with_a_secret_none_is_written(void **state) {
  (void)state;
  assert_int_equal(guarded((struct settings){.api_key = STR("key")}) & DUMPABLE, 0);
  assert_int_equal(guarded((struct settings){.jwt_secret = STR("secret")}) & DUMPABLE, 0);
  assert_int_equal(guarded((struct settings){.store.address = "postgresql://h/d"}) & DUMPABLE, 0);
}

static void core_dumps_allows_it_all_the_same(void **state) {
  (void)state;
  struct settings s = {.api_key = STR("key"), .core_dumps = true};
  assert_int_equal(guarded(s), NO_NEW_PRIVS | DUMPABLE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_server_gets_new_rights),
      cmocka_unit_test(without_a_secret_a_core_file_may_be_written),
      cmocka_unit_test(with_a_secret_none_is_written),
      cmocka_unit_test(core_dumps_allows_it_all_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
