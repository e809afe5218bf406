// scripted_store.h: a shared store on the server of scripted.h, and a clock that a test moves on.
#ifndef SCRIPTED_STORE_H
#define SCRIPTED_STORE_H

#include "scripted.h"

#include <sched.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/desk.h"
#include "store/postgres/reads.h"
#include "store/postgres/unit.h"

enum { SECOND_US = 1000 * 1000, MINUTE_US = 60 * SECOND_US };

// --- the clock -----------------------------------------------------------------------------------

static _Atomic int64_t ahead_us;       // by so much the monotonic clock is ahead …
static _Thread_local int64_t step_us;  // … and by so much more with each look of this thread

int clock_gettime(clockid_t which, struct timespec *t) {
  int failed = (int)syscall(SYS_clock_gettime, which, t);
  if (which != CLOCK_MONOTONIC) return failed;
  int64_t us =
      (int64_t)t->tv_sec * SECOND_US + t->tv_nsec / 1000 + atomic_fetch_add(&ahead_us, step_us);
  *t = (struct timespec){.tv_sec = us / SECOND_US, .tv_nsec = us % SECOND_US * 1000};
  return failed;
}

static inline void jump(int64_t us) { atomic_fetch_add(&ahead_us, us); }

// --- a store -------------------------------------------------------------------------------------

static struct scripted server;
static struct arena arena;
static struct store *store;
static struct postgres_store *inside;
static struct store_lane *lane;
static struct store_reader *reader;
static struct fault why;

static inline void check_err(enum err err, enum err want, const char *words) {
  if (err != want || (words && !strstr(why.detail, words)))
    fail_msg("%s: %s, not %s: %s", err_code(err), why.detail, err_code(want), words ? words : "");
}

static const struct postgres_settings usual = {.schema = STR("yard"), .node = STR("me")};

static inline enum err try_store(struct postgres_settings settings) {
  enum err err = postgres_store_open(server.url, &settings, &store, &why);
  inside = err == ERR_OK ? (struct postgres_store *)store : NULL;
  return err;
}

static inline void open_store(struct reply *replies) {
  scripted_says(&server, replies);
  check_err(try_store(usual), ERR_OK, NULL);
}

static inline void close_store(void) {
  if (reader) store->ops->reader_close(reader);
  if (lane) store->ops->lane_close(lane);
  if (store) store->ops->close(store);
  reader = NULL;
  lane = NULL;
  store = NULL;
}

static inline void open_lane(void) {
  check_err(store->ops->lane_open(store, &lane, &why), ERR_OK, NULL);
}

static inline int start(void **state) {
  (void)state;
  scripted_start(&server);
  arena_init(&arena, 1 << 16);
  why = (struct fault){0};
  return 0;
}

static inline int stop(void **state) {
  (void)state;
  scripted_says(&server, NULL);
  close_store();
  arena_fini(&arena);
  scripted_stop(&server);
  return 0;
}

#define SCRIPTED_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

#define SCRIPT(name, ...) static struct reply name[] = {__VA_ARGS__, {.about = NULL}}

#endif
