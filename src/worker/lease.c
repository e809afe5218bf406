// lease.c: keeps the lease of one running task, and carries what it says to the server.
#include "worker/lease.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "worker/logbook.h"
#include "worker/moves.h"
#include "worker/text.h"

#include <assert.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

enum {
  BEAT_MS_MAX = 5000,       // a wish to cancel is heard at the next heartbeat
  BEATS_A_LEASE = 3,        // so that two may go missing
  LOG_DELAY_MS = 500,       // lines wait this long for company
  LOG_LINES_AT_ONCE = 50,   // or until so many are there
  PROGRESS_DELAY_MS = 200,  // of several reports within this time only the last is sent
  RETRY_MS_FIRST = 250,
  RETRY_MS_MAX = 5000,
  ARENA_BYTES = 32 << 10,
};

// What is to be sent next, in this order.
enum need { NEED_NOTHING, NEED_LOGS, NEED_PROGRESS, NEED_BEAT };

struct lease {
  struct client *client;
  int wake_fd;
  pthread_t thread;
  struct arena arena;  // of the thread's calls

  pthread_mutex_t mutex;   // guards all below
  pthread_cond_t changed;  // there may be something to do
  pthread_cond_t ended;    // `claim` has become NULL
  bool quit;
  const struct claim *claim;  // NULL: no task is running
  enum lease_state state;
  unsigned failures;   // calls in a row that did not get through
  int64_t over_us;     // when the lease is over unless a heartbeat gets through
  int64_t beat_us;     // when the next heartbeat is due
  int64_t retry_us;    // after a failure: no call before
  int64_t give_up_us;  // 0: the task runs; else it has ended, and this bounds the sending

  struct logbook log;
  int64_t log_due_us;
  bool progress_waits;
  int64_t progress_due_us;
  struct progress progress;
  char step[LIMIT_NAME_BYTES], description[LIMIT_TEXT_BYTES];  // what `progress` points to
};

static void *lease_thread(void *self);
static void state_set(struct lease *l, enum lease_state state);

struct lease *lease_open(struct client *client, int wake_fd) {
  struct lease *l = mem_zero(sizeof *l);
  l->client = client;
  l->wake_fd = wake_fd;
  arena_init(&l->arena, ARENA_BYTES);
  logbook_init(&l->log);
  pthread_condattr_t monotonic;
  (void)pthread_condattr_init(&monotonic);
  (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  (void)pthread_cond_init(&l->changed, &monotonic);
  (void)pthread_condattr_destroy(&monotonic);
  (void)pthread_cond_init(&l->ended, NULL);
  (void)pthread_mutex_init(&l->mutex, NULL);
  int failed = pthread_create(&l->thread, NULL, lease_thread, l);
  assert(!failed);
  return l;
}

void lease_close(struct lease *l) {
  if (!l) return;
  pthread_mutex_lock(&l->mutex);
  assert(!l->claim);
  l->quit = true;
  pthread_cond_signal(&l->changed);
  pthread_mutex_unlock(&l->mutex);
  (void)pthread_join(l->thread, NULL);
  (void)pthread_cond_destroy(&l->ended);
  (void)pthread_cond_destroy(&l->changed);
  (void)pthread_mutex_destroy(&l->mutex);
  logbook_fini(&l->log);
  arena_fini(&l->arena);
  mem_free(l);
}

static int64_t beat_every_us(const struct claim *claim) {
  int64_t third_ms = claim->lease_ms / BEATS_A_LEASE;
  return (third_ms < BEAT_MS_MAX ? third_ms : BEAT_MS_MAX) * 1000;
}

// `at_us`: when the server was last known to hold the lease for us.
static void lease_renew(struct lease *l, int64_t at_us) {
  l->over_us = at_us + l->claim->lease_ms * 1000;
  l->beat_us = at_us + beat_every_us(l->claim);
}

void lease_begin(struct lease *l, const struct claim *claim) {
  pthread_mutex_lock(&l->mutex);
  assert(!l->claim);
  l->claim = claim;
  l->state = LEASE_HELD;
  l->failures = 0;
  l->retry_us = l->give_up_us = l->progress_due_us = 0;
  l->progress_waits = false;
  lease_renew(l, clock_mono_us());
  pthread_cond_signal(&l->changed);
  pthread_mutex_unlock(&l->mutex);
}

void lease_log(struct lease *l, struct str line) {
  pthread_mutex_lock(&l->mutex);
  assert(l->claim);
  if (logbook_count(&l->log) == 0) l->log_due_us = clock_mono_us() + LOG_DELAY_MS * 1000;
  logbook_add(&l->log, line);
  int64_t count = logbook_count(&l->log);
  if (count == 1 || count == LOG_LINES_AT_ONCE) pthread_cond_signal(&l->changed);
  pthread_mutex_unlock(&l->mutex);
}

static struct str keep(char *room, size_t bytes, struct str text) {
  if (str_is_none(text)) return STR_NONE;
  struct arena a;
  arena_init(&a, 8 << 10);
  struct str clean = text_head(&a, text, bytes);
  memcpy(room, clean.at, clean.len);
  arena_fini(&a);
  return (struct str){room, clean.len};
}

void lease_progress(struct lease *l, const struct progress *progress) {
  pthread_mutex_lock(&l->mutex);
  assert(l->claim);
  // What was not sent yet is replaced, but for a higher percentage.
  bool lower = l->progress_waits && progress->percent < l->progress.percent;
  if (!lower) l->progress.percent = progress->percent;
  l->progress.step = keep(l->step, sizeof l->step, progress->step);
  l->progress.description = keep(l->description, sizeof l->description, progress->description);
  if (!l->progress_waits) pthread_cond_signal(&l->changed);
  l->progress_waits = true;
  pthread_mutex_unlock(&l->mutex);
}

enum lease_state lease_state(struct lease *l) {
  pthread_mutex_lock(&l->mutex);
  if (clock_mono_us() >= l->over_us) state_set(l, LEASE_LOST);
  enum lease_state state = l->state;
  pthread_mutex_unlock(&l->mutex);
  return state;
}

int64_t lease_left_ms(struct lease *l) {
  pthread_mutex_lock(&l->mutex);
  int64_t left_us = l->over_us - clock_mono_us();
  pthread_mutex_unlock(&l->mutex);
  return left_us > 0 ? left_us / 1000 + 1 : 0;
}

enum lease_state lease_end(struct lease *l) {
  pthread_mutex_lock(&l->mutex);
  assert(l->claim);
  int64_t now_us = clock_mono_us();
  l->give_up_us = now_us + (l->over_us - now_us) / 2;
  pthread_cond_signal(&l->changed);
  while (l->claim) pthread_cond_wait(&l->ended, &l->mutex);
  enum lease_state state = l->state;
  pthread_mutex_unlock(&l->mutex);
  return state;
}

int64_t lease_backoff_ms(unsigned failures, int64_t longest_ms) {
  int64_t wait_ms = RETRY_MS_FIRST;
  while (failures-- > 1 && wait_ms < longest_ms) wait_ms *= 2;
  if (wait_ms > longest_ms) wait_ms = longest_ms;
  return wait_ms / 2 + rand_below(wait_ms / 2 + 1);
}

// With the mutex held.
static void state_set(struct lease *l, enum lease_state state) {
  if (state <= l->state) return;
  l->state = state;
  (void)eventfd_write(l->wake_fd, 1);
}

// What to send now; NEED_NOTHING with the time until when there is nothing to do.
static enum need lease_need(const struct lease *l, int64_t now_us, int64_t *until_us) {
  bool ending = l->give_up_us != 0;
  bool log_waits = logbook_count(&l->log) > 0;
  bool log_full = logbook_count(&l->log) >= LOG_LINES_AT_ONCE;
  int64_t log_us = !log_waits ? INT64_MAX : ending || log_full ? 0 : l->log_due_us;
  int64_t progress_us = !l->progress_waits ? INT64_MAX : ending ? 0 : l->progress_due_us;

  *until_us = l->retry_us;
  if (now_us < l->retry_us) return NEED_NOTHING;
  if (now_us >= log_us) return NEED_LOGS;
  if (now_us >= progress_us) return NEED_PROGRESS;
  if (now_us >= l->beat_us) return NEED_BEAT;
  *until_us = l->beat_us;
  if (log_us < *until_us) *until_us = log_us;
  if (progress_us < *until_us) *until_us = progress_us;
  return NEED_NOTHING;
}

static enum err send_logs(struct lease *l, bool *cancel, struct fault *why) {
  int64_t end = 0;
  struct str batch = logbook_batch(&l->log, &l->arena, &end);
  pthread_mutex_unlock(&l->mutex);
  enum err err = moves_logs(l->client, &l->arena, l->claim, batch, cancel, why);
  pthread_mutex_lock(&l->mutex);
  if (!moves_err_passes(err)) logbook_sent(&l->log, end);
  l->log_due_us = clock_mono_us() + LOG_DELAY_MS * 1000;
  return err;
}

static enum err send_progress(struct lease *l, bool *cancel, struct fault *why) {
  struct progress copy = {l->progress.percent, arena_dup(&l->arena, l->progress.step),
                          arena_dup(&l->arena, l->progress.description)};
  l->progress_waits = false;
  pthread_mutex_unlock(&l->mutex);
  enum err err = moves_progress(l->client, &l->arena, l->claim, &copy, cancel, why);
  pthread_mutex_lock(&l->mutex);
  if (moves_err_passes(err)) {  // that one is to be sent, or a newer one
    l->progress_waits = true;
    if (l->progress.percent < copy.percent) l->progress.percent = copy.percent;
  }
  l->progress_due_us = clock_mono_us() + PROGRESS_DELAY_MS * 1000;
  return err;
}

static enum err send_beat(struct lease *l, bool *cancel, struct fault *why) {
  pthread_mutex_unlock(&l->mutex);
  enum err err = moves_heartbeat(l->client, &l->arena, l->claim, cancel, why);
  pthread_mutex_lock(&l->mutex);
  return err;
}

static enum err send_need(struct lease *l, enum need need, bool *cancel, struct fault *why) {
  switch (need) {
  case NEED_LOGS: return send_logs(l, cancel, why);
  case NEED_PROGRESS: return send_progress(l, cancel, why);
  default: return send_beat(l, cancel, why);
  }
}

static void after_failure(struct lease *l, enum err err, const struct fault *why) {
  if (err == ERR_LEASE_LOST || err == ERR_NOT_FOUND || err == ERR_WRONG_STATUS) {
    state_set(l, LEASE_LOST);
    return;
  }
  int64_t wait_ms = lease_backoff_ms(++l->failures, RETRY_MS_MAX);
  if (why->retry_after_s * 1000LL > wait_ms) wait_ms = why->retry_after_s * 1000LL;
  l->retry_us = clock_mono_us() + wait_ms * 1000;
  if (l->failures > 1) return;
  log_event(LOG_WARN, "the server did not take word of a running task",
            LOG_STR("task", l->claim->id), LOG_STR("error", str_of(why->detail)));
}

// One call, with the mutex let go while it lasts.
static void lease_send(struct lease *l, enum need need) {
  int64_t sent_us = clock_mono_us();
  struct fault why = {0};
  bool cancel = false;
  enum err err = send_need(l, need, &cancel, &why);
  arena_reset(&l->arena);
  if (err != ERR_OK) {
    after_failure(l, err, &why);
    return;
  }
  l->failures = 0;
  l->retry_us = 0;
  if (need != NEED_LOGS) lease_renew(l, sent_us);
  if (cancel) state_set(l, LEASE_CANCEL);
}

static void wait_until(struct lease *l, int64_t until_us) {
  struct timespec at = {until_us / 1000000, until_us % 1000000 * 1000};
  (void)pthread_cond_timedwait(&l->changed, &l->mutex, &at);
}

// Whether the task has ended and there is nothing more to say for it.
static bool is_done(const struct lease *l, int64_t now_us) {
  if (l->give_up_us == 0) return false;
  bool silent = logbook_count(&l->log) == 0 && !l->progress_waits;
  return silent || now_us >= l->give_up_us || l->state == LEASE_LOST;
}

static void lease_step(struct lease *l) {
  int64_t now_us = clock_mono_us(), until_us = INT64_MAX;
  if (now_us >= l->over_us) state_set(l, LEASE_LOST);
  if (is_done(l, now_us)) {
    logbook_clear(&l->log);
    l->claim = NULL;
    pthread_cond_signal(&l->ended);
    return;
  }
  if (l->state == LEASE_LOST) {
    pthread_cond_wait(&l->changed, &l->mutex);
    return;
  }
  enum need need = lease_need(l, now_us, &until_us);
  if (need != NEED_NOTHING) {
    lease_send(l, need);
    return;
  }
  if (l->give_up_us && l->give_up_us < until_us) until_us = l->give_up_us;
  wait_until(l, until_us < l->over_us ? until_us : l->over_us);
}

static void *lease_thread(void *self) {
  struct lease *l = self;
  pthread_mutex_lock(&l->mutex);
  while (!l->quit) {
    if (l->claim)
      lease_step(l);
    else
      pthread_cond_wait(&l->changed, &l->mutex);
  }
  pthread_mutex_unlock(&l->mutex);
  return NULL;
}
