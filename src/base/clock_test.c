// clock_test.c: the real clock.
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static void the_real_clock_tells_the_wall_time(void **state) {
  (void)state;
  struct timespec wall;
  int64_t now = clock_now(clock_real());
  clock_gettime(CLOCK_REALTIME, &wall);
  int64_t apart = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000 - now;
  assert_true(apart > -1000 && apart < 1000);
}

static void time_never_goes_back(void **state) {
  (void)state;
  int64_t last_ms = 0, last_us = 0;
  for (int i = 0; i < 100000; i++) {
    int64_t ms = clock_now(clock_real()), us = clock_mono_us();
    assert_true(ms >= last_ms && us >= last_us);
    last_ms = ms;
    last_us = us;
  }
}

static int64_t read_own(void *self) { return *(int64_t *)self; }

static void a_test_can_hand_in_its_own_time(void **state) {
  (void)state;
  int64_t time_ms = 5;
  struct clock own = {read_own, &time_ms};
  assert_int_equal(clock_now(&own), 5);
  time_ms = 9;
  assert_int_equal(clock_now(&own), 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_real_clock_tells_the_wall_time),
      cmocka_unit_test(time_never_goes_back),
      cmocka_unit_test(a_test_can_hand_in_its_own_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
