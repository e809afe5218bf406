// rand_test.c: unpredictable bytes.
#include "base/rand.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// Sixteen zero bytes in a row are not random.
static bool is_blank(const unsigned char *at) {
  static const unsigned char zeros[16];
  return memcmp(at, zeros, sizeof zeros) == 0;
}

static void requests_of_any_size_are_filled_and_not_overrun(void **state) {
  (void)state;
  static unsigned char bytes[10016];
  for (size_t count = 16; count + 16 <= sizeof bytes; count += count / 2) {
    memset(bytes, 0, sizeof bytes);
    rand_bytes(bytes, count);
    assert_false(is_blank(bytes));
    assert_false(is_blank(bytes + count - 16));
    assert_true(is_blank(bytes + count));
  }
}

static void no_number_comes_twice(void **state) {
  (void)state;
  uint64_t last = rand_u64();
  for (int i = 0; i < 5000; i++) {
    uint64_t next = rand_u64();
    assert_true(next != last);
    last = next;
  }
}

static void every_bit_is_sometimes_set_and_sometimes_not(void **state) {
  (void)state;
  uint64_t ever = 0, always = UINT64_MAX;
  for (int i = 0; i < 200; i++) {
    uint64_t value = rand_u64();
    ever |= value;
    always &= value;
  }
  assert_true(ever == UINT64_MAX);
  assert_true(always == 0);
}

static void below_stays_below_and_reaches_all(void **state) {
  (void)state;
  unsigned counts[7] = {0};
  for (int i = 0; i < 70000; i++) counts[rand_below(7)]++;
  for (int i = 0; i < 7; i++) assert_in_range(counts[i], 9000, 11000);
  assert_true(rand_below(1) == 0);
  for (int i = 0; i < 1000; i++) assert_true(rand_below(INT64_MAX) >= 0);
}

// Of 2^64 the bound leaves a rest of two thirds of itself: without a second draw three of four
// numbers would lie below that, not two of three.
static void below_prefers_no_number(void **state) {
  (void)state;
  unsigned low = 0;
  for (int i = 0; i < 30000; i++) {
    int64_t value = rand_below(INT64_C(3) << 61);
    assert_true(value >= 0 && value < INT64_C(3) << 61);
    low += value < INT64_C(1) << 62;
  }
  assert_in_range(low, 19300, 20700);
}

static void *draw(void *out) {
  *(uint64_t *)out = rand_u64();
  return NULL;
}

static void threads_draw_different_numbers(void **state) {
  (void)state;
  uint64_t values[4];
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, draw, &values[i]), 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < i; j++) assert_true(values[i] != values[j]);
}

static void a_child_does_not_draw_what_its_parent_draws(void **state) {
  (void)state;
  int ends[2];
  uint64_t mine, theirs = 0;
  rand_u64();
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    uint64_t value = rand_u64();
    _exit(write(ends[1], &value, sizeof value) == sizeof value ? 0 : 1);
  }
  mine = rand_u64();
  assert_int_equal(read(ends[0], &theirs, sizeof theirs), sizeof theirs);
  assert_int_equal(waitpid(child, NULL, 0), child);
  close(ends[0]);
  close(ends[1]);
  assert_true(mine != theirs);
}

static int interruptions;  // that the next draws meet
static bool scant;         // the kernel gives little at a time

ssize_t getrandom(void *out, size_t count, unsigned flags) {
  __typeof__(&getrandom) real = (__typeof__(&getrandom))dlsym(RTLD_NEXT, "getrandom");
  if (interruptions == 0) return real(out, scant && count > 100 ? 100 : count, flags);
  interruptions--;
  errno = EINTR;
  return -1;
}

static void a_draw_that_is_interrupted_or_cut_goes_on(void **state) {
  (void)state;
  static unsigned char bytes[10016];
  interruptions = 3;
  scant = true;
  rand_bytes(bytes, 10000);
  scant = false;
  assert_int_equal(interruptions, 0);
  for (size_t at = 0; at + 16 <= 10000; at += 16) assert_false(is_blank(bytes + at));
  assert_true(is_blank(bytes + 10000));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_of_any_size_are_filled_and_not_overrun),
      cmocka_unit_test(no_number_comes_twice),
      cmocka_unit_test(every_bit_is_sometimes_set_and_sometimes_not),
      cmocka_unit_test(below_stays_below_and_reaches_all),
      cmocka_unit_test(below_prefers_no_number),
      cmocka_unit_test(threads_draw_different_numbers),
      cmocka_unit_test(a_child_does_not_draw_what_its_parent_draws),
      cmocka_unit_test(a_draw_that_is_interrupted_or_cut_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
