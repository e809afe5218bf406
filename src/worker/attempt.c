// attempt.c: one run of one task, and what may cut it short.
#include "worker/attempt.h"

#include "base/clock.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>

enum halt attempt_halt(const struct attempt *at) {
  int phase = atomic_load(at->phase);
  if (phase == PHASE_NOW) return HALT_NOW;
  switch (lease_state(at->lease)) {
  case LEASE_LOST: return HALT_LOST;
  case LEASE_CANCEL: return HALT_CANCEL;
  case LEASE_HELD: break;
  }
  return phase == PHASE_END ? HALT_END : HALT_NONE;
}

bool attempt_pause(const struct attempt *at, int64_t wait_ms) {
  int64_t until_us = clock_mono_us() + wait_ms * 1000;
  while (true) {
    wake_clear(at->wake_fd);
    if (attempt_halt(at) != HALT_NONE) return false;
    int64_t left_us = until_us - clock_mono_us();
    if (left_us <= 0) return true;
    int64_t left_ms = left_us / 1000 + 1, lease_ms = lease_left_ms(at->lease);
    wake_wait(at->wake_fd, left_ms < lease_ms ? left_ms : lease_ms);
  }
}

struct outcome attempt_halted(const struct attempt *at, enum halt halt) {
  switch (halt) {
  case HALT_CANCEL:
    return outcome_fail(at->arena, "cancelled", "stopped by the worker because it was cancelled");
  case HALT_LOST: return (struct outcome){.kind = OUTCOME_LOST};
  default: return (struct outcome){.kind = OUTCOME_RELEASED};
  }
}

void wake_clear(int wake_fd) {
  eventfd_t count;
  (void)eventfd_read(wake_fd, &count);  // the descriptor does not block
}

void wake_wait(int wake_fd, int64_t wait_ms) {
  struct pollfd ready = {.fd = wake_fd, .events = POLLIN};
  (void)poll(&ready, 1, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms);
}
