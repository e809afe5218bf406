// workers.c: which workers were seen lately. In memory only: after a restart they show up again
// with their next call. Bounded: the one unseen for longest makes room.
#include "base/hash.h"
#include "base/mem.h"
#include "engine/inside.h"

struct worker_entry {
  uint64_t hash;
  int64_t tenant;
  struct str worker;
  int64_t seen_at, claimed;
  int64_t waiting;    // parked claims
  uint64_t asked;     // hash of the names below
  struct str *names;  // types, then queues, of its latest claim
  size_t type_count, queue_count;
};

static void names_free(struct worker_entry *entry) {
  for (size_t i = 0; i < entry->type_count + entry->queue_count; i++)
    mem_free((char *)entry->names[i].at);
  mem_free(entry->names);
}

static void entry_fini(struct worker_entry *entry) {
  names_free(entry);
  mem_free((char *)entry->worker.at);
}

void workers_open(struct engine *e) { pthread_mutex_init(&e->workers.lock, NULL); }

void workers_close(struct engine *e) {
  for (size_t i = 0; i < e->workers.count; i++) entry_fini(&e->workers.entries[i]);
  mem_free(e->workers.entries);
  pthread_mutex_destroy(&e->workers.lock);
}

static bool is_entry(const struct worker_entry *entry, int64_t tenant, struct str worker,
                     uint64_t hash) {
  return entry->hash == hash && entry->tenant == tenant && str_eq(entry->worker, worker);
}

// The hint is where an entry of this hash was found last; a wrong one costs a scan.
static struct worker_entry *find(struct worker_memory *w, int64_t tenant, struct str worker,
                                 uint64_t hash) {
  uint32_t *hint = &w->hints[hash % WORKER_HINTS];
  if (*hint < w->count && is_entry(&w->entries[*hint], tenant, worker, hash))
    return &w->entries[*hint];
  for (size_t i = 0; i < w->count; i++) {
    if (!is_entry(&w->entries[i], tenant, worker, hash)) continue;
    *hint = (uint32_t)i;
    return &w->entries[i];
  }
  return NULL;
}

static struct worker_entry *oldest(struct worker_memory *w) {
  struct worker_entry *best = &w->entries[0];
  for (size_t i = 1; i < w->count; i++)
    if (w->entries[i].seen_at < best->seen_at) best = &w->entries[i];
  entry_fini(best);
  return best;
}

static struct worker_entry *add(struct worker_memory *w) {
  if (w->count >= LIMIT_WORKERS) return oldest(w);
  if (w->count == w->cap) {
    w->cap = w->cap ? w->cap * 2 : 16;
    w->entries = mem_resize(w->entries, sizeof *w->entries * w->cap);
  }
  return &w->entries[w->count++];
}

static struct worker_entry *entry_for(struct worker_memory *w, int64_t tenant, struct str worker) {
  uint64_t hash = hash_fast(worker);
  struct worker_entry *entry = find(w, tenant, worker, hash);
  if (entry) return entry;
  entry = add(w);
  *entry = (struct worker_entry){
      .hash = hash, .tenant = tenant, .worker = {mem_copy(worker.at, worker.len), worker.len}};
  return entry;
}

static uint64_t names_hash(const struct claim_filter *f) {
  uint64_t hash = f->type_count * 31 + f->queue_count + 1;
  for (size_t i = 0; i < f->type_count; i++) hash = hash * 31 + hash_fast(f->types[i]);
  for (size_t i = 0; i < f->queue_count; i++) hash = hash * 31 + hash_fast(f->queues[i]);
  return hash;
}

static void names_copy(struct worker_entry *entry, const struct claim_filter *f) {
  names_free(entry);
  entry->type_count = f->type_count;
  entry->queue_count = f->queue_count;
  entry->names = mem_alloc(sizeof *entry->names * (f->type_count + f->queue_count + 1));
  struct str *to = entry->names;
  for (size_t i = 0; i < f->type_count; i++, to++)
    *to = (struct str){mem_copy(f->types[i].at, f->types[i].len), f->types[i].len};
  for (size_t i = 0; i < f->queue_count; i++, to++)
    *to = (struct str){mem_copy(f->queues[i].at, f->queues[i].len), f->queues[i].len};
}

void workers_asked(struct engine *e, int64_t tenant, const struct claim_filter *f, int64_t now) {
  if (str_is_none(f->worker)) return;
  uint64_t asked = names_hash(f);
  pthread_mutex_lock(&e->workers.lock);
  struct worker_entry *entry = entry_for(&e->workers, tenant, f->worker);
  entry->seen_at = now;
  if (entry->asked != asked) names_copy(entry, f);  // hardly ever: a worker asks for the same
  entry->asked = asked;
  pthread_mutex_unlock(&e->workers.lock);
}

void workers_seen(struct engine *e, int64_t tenant, struct str worker, int64_t now) {
  if (str_is_none(worker)) return;
  pthread_mutex_lock(&e->workers.lock);
  entry_for(&e->workers, tenant, worker)->seen_at = now;
  pthread_mutex_unlock(&e->workers.lock);
}

void workers_claimed(struct engine *e, int64_t tenant, struct str worker, size_t count) {
  if (str_is_none(worker) || count == 0) return;
  pthread_mutex_lock(&e->workers.lock);
  entry_for(&e->workers, tenant, worker)->claimed += (int64_t)count;
  pthread_mutex_unlock(&e->workers.lock);
}

void workers_waiting(struct engine *e, int64_t tenant, struct str worker, bool waiting) {
  if (str_is_none(worker)) return;
  pthread_mutex_lock(&e->workers.lock);
  struct worker_entry *entry = entry_for(&e->workers, tenant, worker);
  entry->waiting += waiting ? 1 : -1;
  if (entry->waiting < 0) entry->waiting = 0;  // its entry made room meanwhile
  entry->seen_at = clock_now(&e->clock);
  pthread_mutex_unlock(&e->workers.lock);
}

static struct worker_info entry_info(const struct worker_entry *entry, struct arena *a) {
  size_t all = entry->type_count + entry->queue_count;
  struct str *names = ARENA_ARRAY(a, struct str, all + 1);
  for (size_t i = 0; i < all; i++) names[i] = arena_dup(a, entry->names[i]);
  return (struct worker_info){.worker = arena_dup(a, entry->worker),
                              .seen_at = entry->seen_at,
                              .claimed = entry->claimed,
                              .waiting = entry->waiting > 0,
                              .types = names,
                              .type_count = entry->type_count,
                              .queues = names + entry->type_count,
                              .queue_count = entry->queue_count};
}

size_t engine_workers(struct engine *e, int64_t tenant, struct arena *a, struct worker_info **out) {
  struct worker_memory *w = &e->workers;
  size_t count = 0;
  pthread_mutex_lock(&w->lock);
  *out = ARENA_ARRAY(a, struct worker_info, w->count + 1);
  for (size_t i = 0; i < w->count; i++) {
    const struct worker_entry *entry = &w->entries[i];
    if (entry->tenant != tenant) continue;
    (*out)[count++] = entry_info(entry, a);
  }
  pthread_mutex_unlock(&w->lock);
  return count;
}

void engine_worker_asked(struct engine *e, int64_t tenant, const struct claim_filter *f) {
  workers_asked(e, tenant, f, clock_now(&e->clock));
}

void engine_worker_waiting(struct engine *e, int64_t tenant, struct str worker, bool waiting) {
  workers_waiting(e, tenant, worker, waiting);
}

void engine_worker_claimed(struct engine *e, int64_t tenant, struct str worker, size_t count) {
  workers_claimed(e, tenant, worker, count);
}
