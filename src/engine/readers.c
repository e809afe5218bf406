// readers.c: reads, on threads of their own with a store reader each, so that they never wait for a
// commit. A store whose readers belong to the lane (memory:) is read there, between units.
#include "base/mem.h"
#include "engine/inside.h"

enum { QUERIES_MAX = 4096 };

static struct query *pop(struct engine *e) {
  struct query *query = e->query_head;
  if (query == NULL) return NULL;
  e->query_head = query->next;
  if (e->query_head == NULL) e->query_tail = NULL;
  e->query_count--;
  return query;
}

void engine_query(struct engine *e, struct query *query) {
  query->next = NULL;
  pthread_mutex_lock(&e->queue_lock);
  bool full = e->query_count >= QUERIES_MAX || e->stopping;
  if (!full) {
    if (e->query_tail)
      e->query_tail->next = query;
    else
      e->query_head = query;
    e->query_tail = query;
    e->query_count++;
    if (e->store->ops->lane_reads)
      queue_call_all(e);
    else
      pthread_cond_signal(&e->query_filled);
  }
  pthread_mutex_unlock(&e->queue_lock);
  if (!full) return;
  query->fault.retry_after_s = 1;
  query->err =
      fault_set(&query->fault, ERR_OVERLOADED, "%d reads wait already; try again", QUERIES_MAX);
  query_finish(e, query);
}

static void serve(struct engine *e, struct query *query, struct store_reader *reader) {
  query->run(query, e->store->ops, reader);
  query_finish(e, query);
}

bool readers_serve(struct engine *e) {
  if (!e->store->ops->lane_reads) return false;
  pthread_mutex_lock(&e->queue_lock);
  struct query *query = pop(e);
  pthread_mutex_unlock(&e->queue_lock);
  if (query) serve(e, query, e->lane_reader);
  return query != NULL;
}

struct reader_thread {
  struct engine *e;
  struct store_reader *reader;
};

static void *reader_run(void *arg) {
  struct reader_thread *self = arg;
  struct engine *e = self->e;
  pthread_setname_np(pthread_self(), "reader");
  for (;;) {
    pthread_mutex_lock(&e->queue_lock);
    while (!e->query_head && !e->stopping) pthread_cond_wait(&e->query_filled, &e->queue_lock);
    struct query *query = pop(e);
    pthread_mutex_unlock(&e->queue_lock);
    if (query == NULL) break;
    serve(e, query, self->reader);
  }
  e->store->ops->reader_close(self->reader);
  mem_free(self);
  return NULL;
}

static enum err start_one(struct engine *e, struct fault *why) {
  struct reader_thread *self = mem_zero(sizeof *self);
  self->e = e;
  enum err err = e->store->ops->reader_open(e->store, &self->reader, why);
  if (err == ERR_OK &&
      pthread_create(&e->reader_threads[e->reader_count], NULL, reader_run, self) != 0) {
    e->store->ops->reader_close(self->reader);
    err = fault_set(why, ERR_INTERNAL, "a thread could not be started");
  }
  if (err == ERR_OK)
    e->reader_count++;
  else
    mem_free(self);
  return err;
}

enum err readers_start(struct engine *e, struct fault *why) {
  if (e->store->ops->lane_reads) return e->store->ops->reader_open(e->store, &e->lane_reader, why);
  size_t count = e->settings.readers ? e->settings.readers : 1;
  e->reader_threads = mem_zero(sizeof *e->reader_threads * count);
  while (e->reader_count < count) TRY(start_one(e, why));
  return ERR_OK;
}

void readers_stop(struct engine *e) {
  for (size_t i = 0; i < e->reader_count; i++) pthread_join(e->reader_threads[i], NULL);
  mem_free(e->reader_threads);
  e->reader_threads = NULL;
  e->reader_count = 0;
  if (e->lane_reader) e->store->ops->reader_close(e->lane_reader);
  e->lane_reader = NULL;
}
