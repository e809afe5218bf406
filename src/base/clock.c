// clock.c: the real clock.
#include "base/clock.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

static pthread_once_t anchored = PTHREAD_ONCE_INIT;
static int64_t anchor_us;  // what the monotonic clock lacks to the wall time at the first call

static int64_t read_us(clockid_t which) {
  struct timespec t;
  clock_gettime(which, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void anchor(void) { anchor_us = read_us(CLOCK_REALTIME) - clock_mono_us(); }

static int64_t real_now_ms(void *self) {
  (void)self;
  return (anchor_us + clock_mono_us()) / 1000;
}

const struct clock *clock_real(void) {
  static const struct clock real = {real_now_ms, NULL};
  pthread_once(&anchored, anchor);
  return &real;
}

int64_t clock_mono_us(void) { return read_us(CLOCK_MONOTONIC); }
