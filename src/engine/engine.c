// engine.c: the engine as a whole: opening, starting, stopping, and what it knows about itself.
#include "engine/engine.h"

#include <time.h>

#include "base/mem.h"
#include "engine/inside.h"

static void init_locks(struct engine *e) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&e->queue_filled, &attr);
  pthread_cond_init(&e->query_filled, &attr);
  pthread_condattr_destroy(&attr);
  pthread_mutex_init(&e->queue_lock, NULL);
  pthread_mutex_init(&e->answer_lock, NULL);
}

static enum err open_parts(struct engine *e, struct fault *why) {
  TRY(catalog_open(e, why));
  TRY(e->store->ops->last_id(e->store, &e->ids.last, why));
  TRY(e->store->ops->lane_open(e->store, &e->lane, why));
  return e->store->ops->wake_next(e->lane, &e->wake_at, why);
}

enum err engine_open(struct store *store, const struct engine_settings *settings,
                     struct engine **out, struct fault *why) {
  struct engine *e = mem_zero(sizeof *e);
  e->store = store;
  e->settings = *settings;
  e->clock = settings->clock ? *settings->clock : *clock_real();
  e->sweep = (struct order){.kind = ORDER_SWEEP, .actor = STR("system"), .if_revision = ABSENT};
  e->tended = true;
  init_locks(e);
  workers_open(e);
  enum err err = open_parts(e, why);
  if (err != ERR_OK) {
    engine_close(e);
    return err;
  }
  *out = e;
  return ERR_OK;
}

enum err engine_start(struct engine *e, struct fault *why) {
  TRY(readers_start(e, why));
  if (pthread_create(&e->lane_thread, NULL, lane_run, e) != 0)
    return fault_set(why, ERR_INTERNAL, "the lane's thread could not be started");
  e->started = true;
  return ERR_OK;
}

void engine_stop(struct engine *e) {
  pthread_mutex_lock(&e->queue_lock);
  e->stopping = true;
  pthread_cond_broadcast(&e->queue_filled);
  pthread_cond_broadcast(&e->query_filled);
  pthread_mutex_unlock(&e->queue_lock);
  if (e->started) pthread_join(e->lane_thread, NULL);
  e->started = false;
  readers_stop(e);
}

void engine_close(struct engine *e) {
  if (e == NULL) return;
  e->store->ops->lane_close(e->lane);
  units_free(e);
  catalog_close(e);
  workers_close(e);
  mem_free(e->deadlines);
  mem_free(e->watches);
  pthread_cond_destroy(&e->queue_filled);
  pthread_cond_destroy(&e->query_filled);
  pthread_mutex_destroy(&e->queue_lock);
  pthread_mutex_destroy(&e->answer_lock);
  mem_free(e);
}

struct engine_stats engine_stats(struct engine *e) {
  pthread_mutex_lock(&e->queue_lock);
  uint64_t queued = e->queued.count;
  bool draining = e->draining;
  pthread_mutex_unlock(&e->queue_lock);
  return (struct engine_stats){.units = atomic_load(&e->units),
                               .commits = atomic_load(&e->commits),
                               .orders = atomic_load(&e->orders),
                               .items = atomic_load(&e->items),
                               .parked_claims = atomic_load(&e->parked),
                               .watching = atomic_load(&e->watching),
                               .commit_us_max = (int64_t)atomic_exchange(&e->commit_us_max, 0),
                               .queued = queued,
                               .draining = draining,
                               .store = (enum err)atomic_load(&e->store_err)};
}
