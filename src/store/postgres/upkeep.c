// upkeep.c: sums up tallies, forgets what is too old, removes dead rows, looks for forgotten tasks.
//
// Each process that writes minds it, on a thread and a connection of its own, and lets it be while
// another one is at it. What a process that died has left is summed up by the next one that writes.
// One that does not write makes no queries for this, but for one an hour.
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/postgres/desk.h"
#include "store/postgres/unit.h"

enum {
  FOLD_EVERY_US = 2 * 1000 * 1000,
  FOLD_ROWS = 50000,            // in one statement: a tenth of a second
  FRONT_EVERY_US = 250 * 1000,  // walks from the front are at least this far apart …
  FRONT_SHARE = 20,             // … and take at most one part in so many of the time
  RETRY_US = 5 * 1000 * 1000,   // after a failure
  CLEAN_EVERY_US = 60 * 1000 * 1000,
  CLEAN_ROWS = 10000,
  PROOF_MS = 10 * 60 * 1000,  // a lane asks for the proof of a commit within seconds
  NODE_MS = 60 * 60 * 1000,
  STATEMENT_MS = 10 * 60 * 1000,  // a vacuum of a large backlog on a slow disk
};
static const int64_t CLEAN_IDLE_US = 60LL * 60 * 1000 * 1000;
static const int64_t ACTIVE_US = (PROOF_MS + 60 * 1000) * 1000LL;  // after the latest commit

struct upkeep {
  struct postgres_store *store;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t woken;       // lock
  bool stop;                  // lock
  PGcancel *cancel;           // lock; for what runs on the connection; NULL: it is closed
  _Atomic int64_t written;    // rows, since the tallies were summed up
  _Atomic bool front_wanted;  // claims began behind a front from which it is dear to walk

  // Only for the thread.
  struct conn_settings settings;
  struct conn conn;
  struct arena scratch;
  struct vacuum vacuum;
  bool complained;
  int64_t active_us;  // when there was something to sum up
  int64_t fold_at_us, clean_at_us, front_at_us;
};

// --- the connection ------------------------------------------------------------------------------

static void set_cancel(struct upkeep *u, PGcancel *cancel) {
  pthread_mutex_lock(&u->lock);
  PGcancel *old = u->cancel;
  u->cancel = cancel;
  pthread_mutex_unlock(&u->lock);
  PQfreeCancel(old);
}

static void disconnect(struct upkeep *u) {
  set_cancel(u, NULL);
  pg_close(&u->conn);
}

// Nothing that is done here must outlive a crash of the server: it would be done again. And an
// operator who slows vacuums down means those of large tables.
static enum err connect_upkeep(struct upkeep *u, struct fault *why) {
  if (pg_is_open(&u->conn)) return ERR_OK;
  disconnect(u);
  TRY(pg_open(&u->conn, &u->settings, &u->scratch, why));
  set_cancel(u, PQgetCancel(u->conn.db));
  if (u->conn.pooled) return ERR_OK;
  return pg_exec(&u->conn, "SET synchronous_commit = off; SET vacuum_cost_delay = 0", why);
}

// --- what is done --------------------------------------------------------------------------------

// Calls again while there is more than fits into one call. `*mine`: no other node was at it.
static enum err repeat(struct upkeep *u, enum query query, int64_t before, int64_t rows, bool *mine,
                       struct fault *why) {
  int64_t done;
  do {
    arena_reset(&u->scratch);
    struct call c = pg_call(&u->conn, query);
    struct result r;
    call_i64(&c, pg_lock_key(u->store, "upkeep", 0));
    if (before) call_i64(&c, before);
    call_i64(&c, rows);
    TRY(pg_run(&c, &r, why));
    result_next(&r);
    *mine = result_i64(&r) != 0;
    done = result_i64(&r);
    result_free(&r);
  } while (done >= rows);
  return ERR_OK;
}

// Only when something was written, and only this thread takes that back.
static enum err fold(struct upkeep *u, struct fault *why) {
  int64_t written = atomic_exchange(&u->written, 0);
  bool mine = false;
  u->active_us = clock_mono_us();
  enum err err = repeat(u, QUERY_tally_fold, 0, FOLD_ROWS, &mine, why);
  if (err == ERR_OK && mine) return pg_vacuum(&u->vacuum, &u->conn, why);
  atomic_fetch_add(&u->written, written);  // the other may have been too early to see it
  return err;
}

static enum err clean(struct upkeep *u, struct fault *why) {
  int64_t now = pg_now(&u->store->store);
  bool mine;
  TRY(repeat(u, QUERY_unit_forget, now - PROOF_MS, CLEAN_ROWS, &mine, why));
  TRY(repeat(u, QUERY_replay_forget, now - LIMIT_IDEMPOTENCY_MS, CLEAN_ROWS, &mine, why));
  arena_reset(&u->scratch);
  struct call c = pg_call(&u->conn, QUERY_node_forget);
  call_i64(&c, now - NODE_MS);
  return pg_run_done(&c, why);
}

// What lanes leave to us where it is dear: a walk from the front of the ready tasks, over all that
// somebody's snapshot keeps there. It finds what a process that died had held.
static enum err search_fronts(struct upkeep *u, struct fault *why) {
  struct channels *cs = u->store->channels;
  struct channel **dear;
  arena_reset(&u->scratch);
  atomic_store(&u->front_wanted, false);
  size_t count = pg_channels_dear(cs, &u->scratch, &dear);
  if (count == 0) return ERR_OK;
  struct call c = pg_call(&u->conn, QUERY_front_first);
  struct result r;
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, (int64_t)i);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, dear[i]->tenant);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, dear[i]->number);
  int64_t began_us = clock_mono_us();
  TRY(pg_run(&c, &r, why));
  int64_t now_us = clock_mono_us(), each_us = (now_us - began_us) / (int64_t)count;
  for (size_t i = 0; i < count; i++) pg_channels_walked(cs, dear[i], NULL, now_us, each_us);
  while (result_next(&r)) {
    struct channel *channel = dear[result_i64(&r)];
    int64_t rank = result_i64(&r);
    struct id id = result_id(&r);
    pg_channels_lower(cs, channel, rank, id, id);
  }
  result_free(&r);
  int64_t rest_us = (now_us - began_us) * FRONT_SHARE;
  u->front_at_us = now_us + (rest_us > FRONT_EVERY_US ? rest_us : FRONT_EVERY_US);
  return ERR_OK;
}

static bool is_active(const struct upkeep *u) { return clock_mono_us() - u->active_us < ACTIVE_US; }

static enum err work(struct upkeep *u, struct fault *why) {
  TRY(connect_upkeep(u, why));
  if (atomic_load(&u->written) > 0 && clock_mono_us() >= u->fold_at_us) {
    TRY(fold(u, why));
    u->fold_at_us = clock_mono_us() + FOLD_EVERY_US;
  }
  if (atomic_load(&u->front_wanted) && clock_mono_us() >= u->front_at_us)
    TRY(search_fronts(u, why));
  if (clock_mono_us() < u->clean_at_us) return ERR_OK;
  TRY(clean(u, why));
  u->clean_at_us = clock_mono_us() + (is_active(u) ? CLEAN_EVERY_US : CLEAN_IDLE_US);
  if (!is_active(u)) disconnect(u);
  return ERR_OK;
}

static bool is_stopped(struct upkeep *u) {
  pthread_mutex_lock(&u->lock);
  bool stop = u->stop;
  pthread_mutex_unlock(&u->lock);
  return stop;
}

// The news tell of a database that cannot be reached.
static void work_and_complain(struct upkeep *u) {
  struct fault why = {0};
  enum err err = work(u, &why);
  if (err != ERR_OK) {
    int64_t again_us = clock_mono_us() + RETRY_US + rand_below(RETRY_US);
    u->fold_at_us = u->front_at_us = again_us;
    if (u->clean_at_us < again_us) u->clean_at_us = again_us;
  }
  if (err != ERR_OK && pg_is_open(&u->conn) && !u->complained && !is_stopped(u))
    log_event(LOG_WARN, "the upkeep of the database failed; it is tried again",
              LOG_STR("reason", str_of(why.detail)));
  u->complained = err != ERR_OK;
}

// --- the thread ----------------------------------------------------------------------------------

// False: stop.
static bool wait_for_work(struct upkeep *u) {
  pthread_mutex_lock(&u->lock);
  while (!u->stop) {
    int64_t at_us = u->clean_at_us;
    if (atomic_load(&u->written) > 0 && u->fold_at_us < at_us) at_us = u->fold_at_us;
    if (atomic_load(&u->front_wanted) && u->front_at_us < at_us) at_us = u->front_at_us;
    if (clock_mono_us() >= at_us) break;
    struct timespec until = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
    pthread_cond_timedwait(&u->woken, &u->lock, &until);
  }
  bool go_on = !u->stop;
  pthread_mutex_unlock(&u->lock);
  return go_on;
}

static void *run(void *self) {
  struct upkeep *u = self;
  pthread_setname_np(pthread_self(), "upkeep");
  while (wait_for_work(u)) work_and_complain(u);
  return NULL;
}

static void wake(struct upkeep *u) {
  pthread_mutex_lock(&u->lock);
  pthread_cond_signal(&u->woken);
  pthread_mutex_unlock(&u->lock);
}

void pg_upkeep_wrote(struct upkeep *u, size_t rows) {
  if (atomic_fetch_add(&u->written, (int64_t)rows) == 0) wake(u);
}

void pg_upkeep_front_wanted(struct upkeep *u) {
  if (!atomic_exchange(&u->front_wanted, true)) wake(u);
}

// --- starting and stopping -----------------------------------------------------------------------

static void upkeep_free(struct upkeep *u) {
  disconnect(u);
  pthread_cond_destroy(&u->woken);
  pthread_mutex_destroy(&u->lock);
  arena_fini(&u->scratch);
  mem_free(u);
}

enum err pg_upkeep_start(struct postgres_store *s, struct upkeep **out, struct fault *why) {
  struct upkeep *u = mem_zero(sizeof *u);
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&u->woken, &attr);
  pthread_condattr_destroy(&attr);
  pthread_mutex_init(&u->lock, NULL);
  arena_init(&u->scratch, 16 << 10);
  u->store = s;
  u->settings = s->side_conn;
  u->settings.deadline_ms = STATEMENT_MS;
  u->written = 1;  // what others left
  u->fold_at_us = u->clean_at_us = clock_mono_us() + FOLD_EVERY_US;
  if (pthread_create(&u->thread, NULL, run, u) != 0) {
    upkeep_free(u);
    return fault_set(why, ERR_UNAVAILABLE, "no thread can be started; raise the limit of tasks");
  }
  *out = u;
  return ERR_OK;
}

// A cancel that comes before its statement is lost, so it is sent until it is heard.
static void cancel(struct upkeep *u) {
  char reason[256];
  pthread_mutex_lock(&u->lock);
  u->stop = true;
  pthread_cond_signal(&u->woken);
  if (u->cancel) (void)PQcancel(u->cancel, reason, sizeof reason);
  pthread_mutex_unlock(&u->lock);
}

void pg_upkeep_stop(struct upkeep *u) {
  if (!u) return;
  struct timespec until;
  do {
    cancel(u);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
  } while (pthread_timedjoin_np(u->thread, NULL, &until) == ETIMEDOUT);
  upkeep_free(u);
}
