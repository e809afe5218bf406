// mem_test.c: the process heap.
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void nothing_can_be_allocated_too(void **state) {
  (void)state;
  char *a = mem_alloc(0), *b = mem_zero(0);
  assert_non_null(a);
  assert_non_null(b);
  a = mem_resize(a, 0);
  assert_non_null(a);
  mem_free(a);
  mem_free(b);
  mem_free(NULL);
}

static void memory_keeps_its_bytes_when_resized(void **state) {
  (void)state;
  char *at = mem_alloc(4);
  memcpy(at, "abcd", 4);
  at = mem_resize(at, 100000);
  assert_memory_equal(at, "abcd", 4);
  mem_free(at);
}

static void zeroed_memory_is_zero(void **state) {
  (void)state;
  unsigned char *at = mem_zero(1000);
  for (int i = 0; i < 1000; i++) assert_int_equal(at[i], 0);
  mem_free(at);
}

static void a_copy_ends_in_nul(void **state) {
  (void)state;
  char *copy = mem_copy("abcdef", 3);
  assert_string_equal(copy, "abc");
  mem_free(copy);
  copy = mem_copy(NULL, 0);
  assert_string_equal(copy, "");
  mem_free(copy);
}

// In a child, whose complaint is not ours to show.
static void running_out_of_memory_ends_the_process(void **state) {
  (void)state;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    mem_alloc(PTRDIFF_MAX);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_can_be_allocated_too),
      cmocka_unit_test(memory_keeps_its_bytes_when_resized),
      cmocka_unit_test(zeroed_memory_is_zero),
      cmocka_unit_test(a_copy_ends_in_nul),
      cmocka_unit_test(running_out_of_memory_ends_the_process),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
