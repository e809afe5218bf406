// clock.h: what time it is. Handed in, so that tests own it.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
  int64_t (*now_ms)(void *self);  // milliseconds since the Unix epoch; never goes back
  void *self;
};

// The real clock: wall time at the first call, carried on by the monotonic clock, so that setting
// the system's time neither expires leases nor fires timers early.
const struct clock *clock_real(void);

static inline int64_t clock_now(const struct clock *c) { return c->now_ms(c->self); }

int64_t clock_mono_us(void);  // microseconds of the monotonic clock, for measuring durations

// The earlier of two moments, each of which may be 0: never.
static inline int64_t clock_sooner(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return a ? a : b;
  return a < b ? a : b;
}

#endif
