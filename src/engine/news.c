// news.c: what other processes did to a store that several share. A thread asks for it again and
// again, and those whom it concerns look again.
#include <errno.h>
#include <time.h>

#include "base/log.h"
#include "engine/inside.h"

enum { NEWS_ARENA_BYTES = 64 * 1024, OUTAGE_PAUSE_MS = 1000 };

// --- what is waited for here ---------------------------------------------------------------------

static struct str *copied(struct arena *a, const struct str *names, size_t count) {
  struct str *copy = ARENA_ARRAY(a, struct str, count + 1);
  for (size_t i = 0; i < count; i++) copy[i] = arena_dup(a, names[i]);
  return copy;
}

static void copy_parked(struct engine *e, struct news *news) {
  size_t count = 0;
  for (const struct park_group *g = e->groups; g; g = g->next) count++;
  news->parked = ARENA_ARRAY(news->arena, struct pick, count + 1);
  for (const struct park_group *g = e->groups; g; g = g->next) {
    struct pick *pick = &news->parked[news->parked_count++];
    struct str *paused;
    *pick = (struct pick){.tenant = g->tenant,
                          .types = copied(news->arena, g->types, g->type_count),
                          .type_count = g->type_count,
                          .queues = copied(news->arena, g->queues, g->queue_count),
                          .queue_count = g->queue_count,
                          .limit = 1,
                          .bytes_max = LIMIT_CLAIM_BYTES};
    pick->not_queue_count = catalog_paused(e, g->tenant, news->arena, &paused);
    pick->not_queues = paused;
  }
}

static void copy_watched(struct engine *e, struct news *news) {
  struct want_id *ids = ARENA_ARRAY(news->arena, struct want_id, e->watch_count + 1);
  for (size_t i = 0; i < e->watch_count; i++)
    ids[i] = (struct want_id){.tenant = e->watches[i].order->tenant, .id = e->watches[i].id};
  news->watched = ids;
  news->watched_count = e->watch_count;
}

// --- what others did -----------------------------------------------------------------------------

// Something fits what this group waits for, and nobody has come for it.
static void wake_group(struct engine *e, const struct pick *filter) {
  struct park_group *g = park_group_of(e, filter);
  struct order *order = g ? park_first(g, NULL) : NULL;
  if (order) park_again(e, order);
}

static void absorb(struct engine *e, const struct news *news) {
  if (news->changed) catalog_learn(e, news->changed);
  for (size_t i = 0; i < news->ready_count; i++) {
    const struct ready_news *ready = &news->ready[i];
    feed_wake(e, ready->tenant, ready->queue, ready->type, ready->count);
  }
  for (size_t i = 0; i < news->parked_count; i++)
    if (news->parked[i].busy) wake_group(e, &news->parked[i]);
  for (size_t i = 0; i < news->ended_count; i++) park_ended_one(e, news->ended[i]);
  if (news->wake_at && (e->wake_at == 0 || news->wake_at < e->wake_at)) e->wake_at = news->wake_at;
}

// Without a lock, as of what happens here.
static void tell_listener(const struct engine *e, const struct news *news) {
  if (e->settings.elsewhere == NULL) return;
  for (size_t i = 0; i < news->stirred_count; i++)
    e->settings.elsewhere(e->settings.self, news->stirred[i]);
}

enum err news_turn(struct engine *e, struct arena *a, struct fault *why) {
  struct news news = {.arena = a};
  engine_enter(e);
  copy_parked(e, &news);
  copy_watched(e, &news);
  news.catalog_version = e->catalog.version;
  engine_pause(e);
  lanes_news_begin(e);
  enum err err = e->store->ops->news(e->store, &news, why);
  lanes_news_end(e, err);
  TRY(err);
  engine_enter(e);
  absorb(e, &news);
  engine_leave(e);
  tell_listener(e, &news);
  queue_call(e);
  return ERR_OK;
}

// --- the thread ----------------------------------------------------------------------------------

// False: time to stop.
static bool pause_a_while(struct engine *e) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += OUTAGE_PAUSE_MS / 1000;
  int late = 0;
  pthread_mutex_lock(&e->queue_lock);
  while (!e->stopping && late != ETIMEDOUT)
    late = pthread_cond_timedwait(&e->news_paused, &e->queue_lock, &until);
  bool stopping = e->stopping;
  pthread_mutex_unlock(&e->queue_lock);
  return !stopping;
}

static bool is_stopping(struct engine *e) {
  pthread_mutex_lock(&e->queue_lock);
  bool stopping = e->stopping;
  pthread_mutex_unlock(&e->queue_lock);
  return stopping;
}

void *news_run(void *engine) {
  struct engine *e = engine;
  pthread_setname_np(pthread_self(), "news");
  struct arena a;
  arena_init(&a, NEWS_ARENA_BYTES);
  bool heard = true;
  while (!is_stopping(e)) {
    struct fault why = {0};
    enum err err = news_turn(e, &a, &why);
    arena_reset(&a);
    if (err == ERR_OK && !heard) log_event(LOG_INFO, "the store tells what others did again");
    if (err != ERR_OK && heard && !is_stopping(e))
      log_event(LOG_WARN, "the store does not tell what others did; claims may wait for longer",
                LOG_STR("reason", str_of(why.detail)));
    heard = err == ERR_OK;
    if (!heard && !pause_a_while(e)) break;
  }
  arena_fini(&a);
  return NULL;
}
