// slot.c: one of the worker's places to run a task: claims, runs, reports, over and over.
#include "worker/slot.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
  CLAIM_WAIT_MS = 30000,  // a long poll; well under the idle limits of common proxies
  MOVE_TIMEOUT_MS =
      10000,  // a third of the default lease, so that a silent server leaves two tries
  RETRY_MS_MAX = 10000,
  ARENA_BYTES = 64 << 10,
};

enum { UNTIL_EMPTY_PATIENCE_US = 15 * 1000 * 1000 };

struct slot {
  struct slot_plan *plan;
  int wake_fd;
  struct client *claims;  // interrupted when the worker drains
  struct client *moves;   // all else; lent to `lease` while a task runs
  struct lease *lease;
  struct arena arenas[2];  // of the present task and of the next
  int present;             // which is which
  unsigned failures;       // claims in a row that got no answer
  int64_t failing_us;      // when the first of them failed
  _Atomic int refused;     // enum err
  pthread_t thread;
};

static void *slot_thread(void *self);

static void slot_free(struct slot *s) {
  lease_close(s->lease);
  client_close(s->moves);
  client_close(s->claims);
  if (s->wake_fd >= 0) (void)close(s->wake_fd);
  for (int i = 0; i < 2; i++) arena_fini(&s->arenas[i]);
  mem_free(s);
}

enum err slot_start(struct slot_plan *plan, struct slot **out, struct fault *why) {
  struct slot *s = mem_zero(sizeof *s);
  s->plan = plan;
  for (int i = 0; i < 2; i++) arena_init(&s->arenas[i], ARENA_BYTES);
  s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

  struct client_settings quick = plan->server;
  quick.timeout_ms = MOVE_TIMEOUT_MS;
  enum err err = s->wake_fd < 0 ? fault_set(why, ERR_INTERNAL, "there are no descriptors left")
                                : client_open(&quick, &s->claims, why);
  if (err == ERR_OK) err = client_open(&quick, &s->moves, why);
  if (err != ERR_OK) {
    slot_free(s);
    return err;
  }
  s->lease = lease_open(s->moves, s->wake_fd);
  int failed = pthread_create(&s->thread, NULL, slot_thread, s);
  assert(!failed);
  *out = s;
  return ERR_OK;
}

void slot_notice(struct slot *s) {
  client_interrupt(s->claims);
  (void)eventfd_write(s->wake_fd, 1);
}

void slot_join(struct slot *s) {
  (void)pthread_join(s->thread, NULL);
  slot_free(s);
}

enum err slot_refused(const struct slot *s) { return (enum err)atomic_load(&s->refused); }

static enum phase phase_of(const struct slot *s) {
  return (enum phase)atomic_load(&s->plan->phase);
}

static struct arena *arena_present(struct slot *s) { return &s->arenas[s->present]; }
static struct arena *arena_next(struct slot *s) { return &s->arenas[!s->present]; }

// Waits between two tries. False: the worker is past `last`, so there will be no other.
static bool slot_pause(struct slot *s, int64_t wait_ms, enum phase last) {
  int64_t until_us = clock_mono_us() + wait_ms * 1000;
  while (phase_of(s) <= last) {
    int64_t left_us = until_us - clock_mono_us();
    if (left_us <= 0) return true;
    wake_clear(s->wake_fd);
    if (phase_of(s) <= last) wake_wait(s->wake_fd, left_us / 1000 + 1);
  }
  return false;
}

static int64_t retry_wait_ms(unsigned failures, const struct fault *why) {
  int64_t wait_ms = lease_backoff_ms(failures, RETRY_MS_MAX);
  return why->retry_after_s * 1000LL > wait_ms ? why->retry_after_s * 1000LL : wait_ms;
}

// A server that cannot be reached is waited for, but not for ever by a worker that is to end when
// there is nothing to do; one that says no will say no again.
static bool claim_failed(struct slot *s, enum err err, const struct fault *why) {
  bool passes = moves_err_passes(err) && err != ERR_UNAUTHENTICATED && err != ERR_FORBIDDEN;
  if (!passes) {
    log_event(LOG_ERROR, "the server refuses to hand out tasks",
              LOG_STR("error", str_of(why->detail)));
    atomic_store(&s->refused, (int)err);
    return false;
  }
  if (++s->failures == 1) {
    s->failing_us = clock_mono_us();
    log_event(LOG_WARN, "no task can be claimed; trying again",
              LOG_STR("error", str_of(why->detail)));
  }
  if (s->plan->until_empty && clock_mono_us() - s->failing_us > UNTIL_EMPTY_PATIENCE_US) {
    log_event(LOG_ERROR, "giving up on the server", LOG_STR("error", str_of(why->detail)));
    atomic_store(&s->refused, (int)ERR_UNAVAILABLE);
    return false;
  }
  return slot_pause(s, retry_wait_ms(s->failures, why), PHASE_RUN);
}

// Waits for a task. False: the slot is to end.
static bool slot_claim(struct slot *s, struct claim *out) {
  int64_t wait_ms = s->plan->until_empty ? 0 : CLAIM_WAIT_MS;
  while (phase_of(s) == PHASE_RUN) {
    struct fault why = {0};
    bool found = false;
    arena_reset(arena_present(s));
    enum err err =
        moves_claim(s->claims, arena_present(s), &s->plan->wish, wait_ms, out, &found, &why);
    if (err == ERR_OK && s->failures > 0) log_event(LOG_INFO, "the server answers again");
    if (err == ERR_OK) s->failures = 0;
    if (found) return true;
    if (err == ERR_OK && s->plan->until_empty) return false;
    if (err != ERR_OK && phase_of(s) == PHASE_RUN && !claim_failed(s, err, &why)) return false;
  }
  return false;
}

struct report {
  const struct claim *claim;
  const struct outcome *outcome;
  struct claim *next;
  bool *found;
};

static enum err report_once(struct slot *s, const struct report *r, struct fault *why) {
  struct arena *a = arena_next(s);
  arena_reset(a);
  const struct outcome *o = r->outcome;
  struct failure failure = {o->code, o->message, o->kind == OUTCOME_RETRY};
  bool more = phase_of(s) == PHASE_RUN && !s->plan->once && !s->plan->sessions;
  switch (o->kind) {
  case OUTCOME_COMPLETED:
    return moves_complete(s->moves, a, r->claim, o->result, more ? &s->plan->wish : NULL, r->next,
                          r->found, why);
  case OUTCOME_FAILED:
  case OUTCOME_RETRY: return moves_fail(s->moves, a, r->claim, &failure, why);
  case OUTCOME_RELEASED: return moves_release(s->moves, a, r->claim, why);
  case OUTCOME_LOST: return ERR_OK;
  }
  return ERR_OK;
}

// Repeats are harmless: the same token gets the same answer. After the end of the lease they are in
// vain.
static enum err report_until_over(struct slot *s, const struct report *r, struct fault *why) {
  for (unsigned failures = 1;; failures++) {
    enum err err = report_once(s, r, why);
    if (err == ERR_OK || !moves_err_passes(err)) return err;
    int64_t wait_ms = retry_wait_ms(failures, why);
    if (wait_ms >= lease_left_ms(s->lease)) return err;
    if (failures == 1)
      log_event(LOG_WARN, "a report failed; trying again", LOG_STR("task", r->claim->id),
                LOG_STR("error", str_of(why->detail)));
    if (!slot_pause(s, wait_ms, PHASE_END)) return err;
  }
}

static bool is_refusal(enum err err) { return err == ERR_INVALID || err == ERR_BODY_TOO_LARGE; }

// Tells the server how the task ended. True: the answer brought the next one.
static bool slot_report(struct slot *s, const struct claim *claim, const struct outcome *outcome,
                        struct claim *next) {
  bool found = false;
  struct fault why = {0};
  struct report report = {claim, outcome, next, &found};
  enum err err = report_until_over(s, &report, &why);
  if (is_refusal(err)) {
    struct outcome refused = outcome_fail(arena_present(s), "report_refused",
                                          "the server refused the report: %s", why.detail);
    report.outcome = &refused;
    err = report_until_over(s, &report, &why);
  }
  if (err != ERR_OK)
    log_event(LOG_ERROR, "a report was lost; the task goes on when its lease is over",
              LOG_STR("task", claim->id), LOG_STR("error", str_of(why.detail)));
  return found;
}

static struct str outcome_word(enum outcome_kind kind) {
  switch (kind) {
  case OUTCOME_COMPLETED: return STR("completed");
  case OUTCOME_FAILED: return STR("failed");
  case OUTCOME_RETRY: return STR("asks for a retry");
  case OUTCOME_RELEASED: return STR("released");
  case OUTCOME_LOST: return STR("lease lost");
  }
  return STR("");
}

static void log_end(const struct claim *claim, const struct outcome *outcome, int64_t started_us) {
  enum log_level level = outcome->kind == OUTCOME_COMPLETED ? LOG_INFO : LOG_WARN;
  int64_t took_ms = (clock_mono_us() - started_us) / 1000;
  log_event(level, "task ended", LOG_STR("task", claim->id), LOG_STR("type", claim->type),
            LOG_STR("outcome", outcome_word(outcome->kind)), LOG_I64("ms", took_ms),
            LOG_STR("code", outcome->code ? str_of(outcome->code) : STR("")));
}

// A task that came while the worker was already told to stop is given back untouched.
static struct outcome slot_run(struct slot *s, const struct claim *claim) {
  if (phase_of(s) != PHASE_RUN) return (struct outcome){.kind = OUTCOME_RELEASED};
  log_event(LOG_INFO, "task started", LOG_STR("task", claim->id), LOG_STR("type", claim->type),
            LOG_I64("attempt", claim->attempt));
  struct attempt attempt = {claim, s->lease, &s->plan->phase, s->wake_fd, arena_present(s)};
  return s->plan->handler(s->plan->handler_self, &attempt);
}

// Runs one task to its end. True: `*claim` is now the next one.
static bool slot_serve(struct slot *s, struct claim *claim) {
  int64_t started_us = clock_mono_us();
  lease_begin(s->lease, claim);
  struct outcome outcome = slot_run(s, claim);
  if (lease_end(s->lease) == LEASE_LOST) outcome.kind = OUTCOME_LOST;

  struct claim next;
  bool found = slot_report(s, claim, &outcome, &next);
  log_end(claim, &outcome, started_us);
  s->present = !s->present;
  if (found) *claim = next;
  return found;
}

static void *slot_thread(void *self) {
  struct slot *s = self;
  struct claim claim;
  bool found = slot_claim(s, &claim);
  while (found) {
    found = slot_serve(s, &claim);
    if (s->plan->once) break;
    if (!found) found = slot_claim(s, &claim);
  }
  (void)eventfd_write(s->plan->ended_fd, 1);
  return NULL;
}
