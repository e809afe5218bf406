// testing_news.h: the fake store as one that several processes share: a part of testing_store.h.
#ifndef ENGINE_TESTING_NEWS_H
#define ENGINE_TESTING_NEWS_H

#include <time.h>

enum { FAKE_NEWS = 4096, FAKE_NEWS_MS = 5, FAKE_TENANTS = 8 };

// What one process has not been told yet. Past FAKE_NEWS it is forgotten: news are hints.
struct fake_news {
  struct fake_head *head;
  pthread_cond_t some;
  bool over;
  bool pulse;  // looks at the store as well: what fits, what has ended, what is overdue
  enum err fail;
  struct ready_news ready[FAKE_NEWS];
  struct id ended[FAKE_NEWS];
  size_t ready_count, ended_count;
  int64_t stirred[FAKE_TENANTS];
  size_t stirred_count;
  int64_t wake_at;
  size_t rounds;
  struct pick parked[8];  // what the latest round asked for; without names
  size_t parked_count, watched_count;
};

static inline void fake_note_ready(struct fake_news *n, const struct task *task) {
  for (size_t i = 0; i < n->ready_count; i++) {
    struct ready_news *r = &n->ready[i];
    if (r->tenant != task->tenant || !str_eq(r->queue, task->queue) || !str_eq(r->type, task->type))
      continue;
    r->count++;
    return;
  }
  struct arena *a = &n->head->s->arena;
  if (n->ready_count < FAKE_NEWS)
    n->ready[n->ready_count++] = (struct ready_news){.tenant = task->tenant,
                                                     .queue = arena_dup(a, task->queue),
                                                     .type = arena_dup(a, task->type),
                                                     .count = 1};
}

static inline void fake_note_stirred(struct fake_news *n, int64_t tenant) {
  for (size_t i = 0; i < n->stirred_count; i++)
    if (n->stirred[i] == tenant) return;
  if (n->stirred_count < FAKE_TENANTS) n->stirred[n->stirred_count++] = tenant;
}

static inline void fake_tell(struct store_lane *lane, const struct change *change) {
  for (size_t i = 0; i < lane->s->told_count; i++) {
    struct fake_news *n = lane->s->told[i];
    if (n->head == lane->head) continue;
    for (size_t k = 0; k < change->row_count; k++) {
      const struct task *task = &change->rows[k]->task;
      if (task->status == TASK_PENDING && task->waiting == WAIT_WORKER) fake_note_ready(n, task);
      if (task_status_is_final(task->status) && n->ended_count < FAKE_NEWS)
        n->ended[n->ended_count++] = task->id;
    }
    for (size_t k = 0; k < change->event_count; k++)
      fake_note_stirred(n, change->events[k].event.tenant);
    pthread_cond_signal(&n->some);
  }
}

static inline void fake_pulse(struct fake_store *s, struct fake_news *n, struct news *news) {
  for (size_t i = 0; i < news->parked_count; i++)
    for (size_t k = 0; k < s->task_count && !news->parked[i].busy; k++)
      news->parked[i].busy = fake_fits(&news->parked[i], &s->tasks[k]);
  for (size_t i = 0; i < news->watched_count; i++) {
    const struct task *task = fake_find(s, news->watched[i].id);
    bool over = task == NULL || task_status_is_final(task->status);
    if (over && n->ended_count < FAKE_NEWS) n->ended[n->ended_count++] = news->watched[i].id;
  }
}

static inline bool fake_has_news(const struct fake_news *n, const struct news *news) {
  return n->ready_count || n->ended_count || n->stirred_count || n->wake_at || n->over || n->fail ||
         n->head->s->version != news->catalog_version;
}

static inline void fake_wait_for_news(struct fake_news *n, const struct news *news) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += FAKE_NEWS_MS * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  int late = 0;
  while (!fake_has_news(n, news) && !late)
    late = pthread_cond_timedwait(&n->some, &n->head->s->lock, &until);
}

static inline void fake_hand_news(struct fake_news *n, struct news *news) {
  struct ready_news *ready = ARENA_ARRAY(news->arena, struct ready_news, n->ready_count + 1);
  struct id *ended = ARENA_ARRAY(news->arena, struct id, n->ended_count + 1);
  memcpy(ready, n->ready, sizeof *ready * n->ready_count);
  memcpy(ended, n->ended, sizeof *ended * n->ended_count);
  news->ready = ready;
  news->ready_count = n->ready_count;
  news->ended = ended;
  news->ended_count = n->ended_count;
  int64_t *stirred = ARENA_ARRAY(news->arena, int64_t, FAKE_TENANTS);
  memcpy(stirred, n->stirred, sizeof n->stirred);
  news->stirred = stirred;
  news->stirred_count = n->stirred_count;
  news->wake_at = n->wake_at;
  n->wake_at = 0;
  n->ready_count = n->ended_count = n->stirred_count = 0;
}

static inline enum err fake_news(struct store *store, struct news *news, struct fault *why) {
  struct fake_news *n = ((struct fake_head *)store)->news;
  struct fake_store *s = n->head->s;
  pthread_mutex_lock(&s->lock);
  if (s->threads) fake_wait_for_news(n, news);
  n->rounds++;
  n->parked_count = news->parked_count;
  n->watched_count = news->watched_count;
  for (size_t i = 0; i < news->parked_count && i < 8; i++) n->parked[i] = news->parked[i];
  enum err err = n->fail;
  if (err == ERR_OK) {
    if (n->pulse) fake_pulse(s, n, news);
    fake_hand_news(n, news);
    if (s->version != news->catalog_version) {
      news->changed = ARENA_NEW(news->arena, struct catalog);
      (void)fake_catalog(store, news->arena, news->changed, why);
    }
  }
  pthread_mutex_unlock(&s->lock);
  return err == ERR_OK ? ERR_OK : fault_set(why, err, "the test says so");
}

static inline void fake_news_stop(struct store *store) {
  struct fake_news *n = ((struct fake_head *)store)->news;
  pthread_mutex_lock(&n->head->s->lock);
  n->over = true;
  pthread_cond_signal(&n->some);
  pthread_mutex_unlock(&n->head->s->lock);
}

static inline enum err fake_nodes(struct store *store, struct arena *a, struct node **out,
                                  size_t *count, struct fault *why) {
  struct fake_store *s = fake_of(store);
  static const char *const NAMES[] = {"one", "two", "three", "four"};
  (void)why;
  *out = ARENA_ARRAY(a, struct node, s->told_count + 1);
  *count = s->told_count;
  for (size_t i = 0; i < s->told_count; i++)
    (*out)[i] = (struct node){.name = str_of(NAMES[i]), .self = &s->told[i]->head->store == store};
  return ERR_OK;
}

// Makes `head`, the store's own or another one, that of a process among several. `ops` and `news`
// live as long as the store.
static inline void fake_share(struct fake_store *s, struct fake_head *head, struct store_ops *ops,
                              struct fake_news *news) {
  *ops = *s->head.store.ops;
  ops->news = fake_news;
  ops->news_stop = fake_news_stop;
  ops->nodes = fake_nodes;
  *news = (struct fake_news){.head = head};
  pthread_cond_init(&news->some, NULL);
  *head = (struct fake_head){.store.ops = ops, .s = s, .news = news};
  assert(s->told_count < 4);
  s->told[s->told_count++] = news;
}

#endif
