// crew.c: the worker's slots together: starts them, hears signals, and sees them out.
#include "worker/crew.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
  STATUS_REFUSED = 1,
  STATUS_UNREACHABLE = 69,
  STATUS_NOT_AUTHORISED = 77,  // as in sysexits.h
  FORCED_END_MS = 3000,  // after a second signal: to kill the programs and to give the tasks back
};

// A running worker, as its main thread sees it.
struct crew {
  struct slot_plan *plan;
  struct slot *slots[CREW_SLOTS_MAX];
  int64_t count, ended;
  int signal_fd;
  int64_t drain_ms;
  int64_t deadline_us;  // 0: none. When the present phase turns into the next
  int signals, last_signal;
};

static void phase_raise(struct crew *c, enum phase phase) {
  if ((enum phase)atomic_load(&c->plan->phase) >= phase) return;
  atomic_store(&c->plan->phase, phase);
  for (int64_t i = 0; i < c->count; i++) slot_notice(c->slots[i]);
}

static int64_t in_ms(int64_t ms) { return clock_mono_us() + ms * 1000; }

static void take_signal(struct crew *c) {
  struct signalfd_siginfo info;
  if (read(c->signal_fd, &info, sizeof info) != sizeof info) return;
  c->last_signal = (int)info.ssi_signo;
  if (++c->signals == 1) {
    log_event(LOG_INFO, "draining: no new tasks; a second signal ends at once",
              LOG_I64("signal", c->last_signal), LOG_I64("drainMs", c->drain_ms));
    phase_raise(c, PHASE_DRAIN);
    c->deadline_us = in_ms(c->drain_ms);
  } else {
    log_event(LOG_WARN, "ending at once", LOG_I64("signal", c->last_signal));
    phase_raise(c, PHASE_NOW);
    if (c->signals == 2) c->deadline_us = in_ms(FORCED_END_MS);
  }
}

// A refusal concerns all slots alike.
static void take_ends(struct crew *c) {
  eventfd_t count;
  if (eventfd_read(c->plan->ended_fd, &count) == 0) c->ended += (int64_t)count;
  for (int64_t i = 0; i < c->count; i++) {
    if (slot_refused(c->slots[i]) == ERR_OK || c->signals > 0 || c->deadline_us) continue;
    phase_raise(c, PHASE_DRAIN);
    c->deadline_us = in_ms(c->drain_ms);
  }
}

static void take_deadline(struct crew *c) {
  if (c->deadline_us == 0 || clock_mono_us() < c->deadline_us) return;
  // A slot hangs in a call that nobody answers, and its program is dead: nothing is left to wait
  // for.
  if (c->signals > 1) _exit(128 + c->last_signal);
  log_event(LOG_WARN, "the time to drain is over; stopping what still runs");
  phase_raise(c, PHASE_END);
  c->deadline_us = 0;
}

static void crew_watch(struct crew *c) {
  while (c->ended < c->count) {
    struct pollfd ready[] = {{.fd = c->signal_fd, .events = POLLIN},
                             {.fd = c->plan->ended_fd, .events = POLLIN}};
    int64_t left_ms = c->deadline_us ? (c->deadline_us - clock_mono_us()) / 1000 + 1 : -1;
    if (c->deadline_us && left_ms < 0) left_ms = 0;
    (void)poll(ready, 2, (int)left_ms);
    if (ready[0].revents) take_signal(c);
    if (ready[1].revents) take_ends(c);
    take_deadline(c);
  }
}

static int crew_finish(struct crew *c) {
  enum err refused = ERR_OK;
  for (int64_t i = 0; i < c->count; i++) {
    if (refused == ERR_OK) refused = slot_refused(c->slots[i]);
    slot_join(c->slots[i]);
  }
  if (c->count > 0) log_event(LOG_INFO, "worker ended");
  if (c->signals > 1) return 128 + c->last_signal;
  if (refused == ERR_UNAUTHENTICATED || refused == ERR_FORBIDDEN) return STATUS_NOT_AUTHORISED;
  if (refused == ERR_UNAVAILABLE) return STATUS_UNREACHABLE;
  return refused == ERR_OK ? 0 : STATUS_REFUSED;
}

// Signals are read by the main thread alone; every thread started after this has them blocked.
static int signals_take_over(void) {
  (void)signal(SIGPIPE, SIG_IGN);  // programs may close their stdin early
  sigset_t set;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGTERM);
  (void)sigaddset(&set, SIGINT);
  (void)sigaddset(&set, SIGHUP);
  (void)sigprocmask(SIG_BLOCK, &set, NULL);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

enum err crew_run(struct crew_plan *plan, int *status, struct fault *why) {
  struct crew *c = mem_zero(sizeof *c);
  c->plan = &plan->slot;
  c->drain_ms = plan->drain_ms;
  c->signal_fd = signals_take_over();
  c->plan->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  enum err err = ERR_OK;
  while (err == ERR_OK && c->count < plan->concurrency) {
    err = slot_start(c->plan, &c->slots[c->count], why);
    if (err == ERR_OK) c->count++;
  }
  if (err == ERR_OK)
    log_event(LOG_INFO, "worker started", LOG_STR("worker", str_of(plan->name)),
              LOG_STR("server", c->plan->server.url), LOG_I64("slots", c->count));
  else
    phase_raise(c, PHASE_DRAIN);
  crew_watch(c);
  int ended = crew_finish(c);
  (void)close(c->plan->ended_fd);
  (void)close(c->signal_fd);
  mem_free(c);
  if (err == ERR_OK) *status = ended;
  return err;
}
