// backoff.c: how long a failed task waits before its next attempt.
#include "engine/engine.h"

int64_t engine_backoff_ms(const struct backoff *backoff, int64_t attempt, double random) {
  int64_t wait = backoff->delay_ms;
  if (backoff->kind == BACKOFF_EXPONENTIAL) {
    // Doubling stops at the maximum, so it cannot overflow.
    for (int64_t n = 1; n < attempt && wait < backoff->delay_max_ms; n++) wait *= 2;
  }
  if (wait > backoff->delay_max_ms) wait = backoff->delay_max_ms;
  double off = (double)backoff->jitter_percent / 100.0 * random;
  return wait - (int64_t)((double)wait * off);
}
