// engine.c: the engine as a whole: opening, starting, stopping, and what it knows about itself.
#include "engine/engine.h"

#include <time.h>

#include "base/mem.h"
#include "engine/inside.h"

static void init_locks(struct engine *e) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&e->query_filled, &attr);
  pthread_cond_init(&e->news_paused, &attr);
  for (size_t i = 0; i < e->lane_count; i++) pthread_cond_init(&e->lanes[i].called, &attr);
  pthread_condattr_destroy(&attr);
  pthread_mutex_init(&e->work_lock, NULL);
  pthread_mutex_init(&e->queue_lock, NULL);
  pthread_mutex_init(&e->answer_lock, NULL);
}

static int64_t store_now(void *store) {
  struct store *s = store;
  return s->ops->now(s);
}

// Servers that share a store must agree on the time, so its clock comes first.
static struct clock clock_of(struct store *store, const struct engine_settings *settings) {
  if (store->ops->now) return (struct clock){.now_ms = store_now, .self = store};
  return settings->clock ? *settings->clock : *clock_real();
}

static void make_lanes(struct engine *e) {
  size_t count = e->store->ops->lane_max(e->store), asked = e->settings.lanes;
  if (asked && asked < count) count = asked;
  if (count == 0) count = 1;
  e->lanes = mem_zero(sizeof *e->lanes * count);
  e->lane_count = count;
  e->join_items = LANE_JOIN_ITEMS;
  e->shared = count > 1 || e->store->ops->news;
  for (size_t i = 0; i < count; i++) {
    e->lanes[i].e = e;
    e->lanes[i].sweep =
        (struct order){.kind = ORDER_SWEEP, .actor = STR("system"), .if_revision = ABSENT};
  }
}

static enum err open_parts(struct engine *e, struct fault *why) {
  const struct store_ops *ops = e->store->ops;
  TRY(catalog_open(e, why));
  TRY(ops->last_id(e->store, &e->ids.last, why));
  for (size_t i = 0; i < e->lane_count; i++) TRY(ops->lane_open(e->store, &e->lanes[i].store, why));
  cleanup_rules_changed(e);
  return ops->wake_next(e->lanes[0].store, &e->wake_at, why);
}

enum err engine_open(struct store *store, const struct engine_settings *settings,
                     struct engine **out, struct fault *why) {
  struct engine *e = mem_zero(sizeof *e);
  e->store = store;
  e->settings = *settings;
  e->clock = clock_of(store, settings);
  make_lanes(e);
  init_locks(e);
  workers_open(e);
  cleanup_open(e);
  enum err err = open_parts(e, why);
  if (err != ERR_OK) {
    engine_close(e);
    return err;
  }
  queue_due(e);
  *out = e;
  return ERR_OK;
}

static enum err start_lane(struct lane *lane, struct fault *why) {
  struct engine *e = lane->e;
  pthread_mutex_lock(&e->queue_lock);
  e->awake++;
  pthread_mutex_unlock(&e->queue_lock);
  lane->started = pthread_create(&lane->thread, NULL, lane_run, lane) == 0;
  if (!lane->started) return fault_set(why, ERR_INTERNAL, "a lane's thread could not be started");
  e->started = true;
  return ERR_OK;
}

enum err engine_start(struct engine *e, struct fault *why) {
  TRY(readers_start(e, why));
  for (size_t i = 0; i < e->lane_count; i++) TRY(start_lane(&e->lanes[i], why));
  if (e->store->ops->news == NULL) return ERR_OK;
  e->news_started = pthread_create(&e->news_thread, NULL, news_run, e) == 0;
  if (e->news_started) return ERR_OK;
  return fault_set(why, ERR_INTERNAL, "the thread for news could not be started");
}

void engine_stop(struct engine *e) {
  pthread_mutex_lock(&e->queue_lock);
  e->stopping = true;
  queue_call_all(e);
  pthread_cond_broadcast(&e->query_filled);
  pthread_cond_broadcast(&e->news_paused);
  pthread_mutex_unlock(&e->queue_lock);
  if (e->news_started) {
    e->store->ops->news_stop(e->store);
    pthread_join(e->news_thread, NULL);
  }
  e->news_started = false;
  for (size_t i = 0; i < e->lane_count; i++) {
    if (e->lanes[i].started) pthread_join(e->lanes[i].thread, NULL);
    e->lanes[i].started = false;
  }
  if (e->started) lanes_answer_the_rest(e);
  e->started = false;
  readers_stop(e);
}

void engine_close(struct engine *e) {
  if (e == NULL) return;
  for (size_t i = 0; i < e->lane_count; i++) {
    e->store->ops->lane_close(e->lanes[i].store);
    pthread_cond_destroy(&e->lanes[i].called);
  }
  units_free(e);
  catalog_close(e);
  workers_close(e);
  cleanup_close(e);
  mem_free(e->lanes);
  mem_free(e->deadlines);
  mem_free(e->watches);
  pthread_cond_destroy(&e->query_filled);
  pthread_cond_destroy(&e->news_paused);
  pthread_mutex_destroy(&e->work_lock);
  pthread_mutex_destroy(&e->queue_lock);
  pthread_mutex_destroy(&e->answer_lock);
  mem_free(e);
}

void engine_pause(struct engine *e) {
  // A lane that has nothing to do must not come for what this one has taken already.
  if (e->lane_count > 1) queue_due(e);
  pthread_mutex_unlock(&e->work_lock);
}

void engine_leave(struct engine *e) {
  queue_due(e);
  bool wake = engine_hand_out(e);
  pthread_mutex_unlock(&e->work_lock);
  if (wake) e->settings.wake(e->settings.self);
}

bool engine_is_shared(const struct engine *e) { return e->store->ops->news != NULL; }

bool engine_is_fleeting(const struct engine *e) { return e->store->ops->fleeting; }

int64_t engine_now(struct engine *e) { return clock_now(&e->clock); }

enum err engine_nodes(struct engine *e, struct arena *a, struct node **out, size_t *count,
                      struct fault *why) {
  *out = NULL;
  *count = 0;
  const struct store_ops *ops = e->store->ops;
  return ops->nodes ? ops->nodes(e->store, a, out, count, why) : ERR_OK;
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
                               .lanes = e->lane_count,
                               .draining = draining,
                               .store = lanes_state(e)};
}
