// channel.c: the numbers of (tenant, queue, type) triples, in memory.
//
// One hash table holds groups of channels: each channel is in a group of its own, in that of its
// type, in that of its queue and in that of its tenant.
#include "store/postgres/channel.h"

#include <assert.h>

#include "base/hash.h"
#include "base/mem.h"

enum kind { KIND_ONE, KIND_TYPE, KIND_QUEUE, KIND_TENANT, KINDS };

struct node {
  struct channel channel;
  struct node *next[KINDS];  // in the groups that it is in
};

struct group {
  enum kind kind;
  int64_t tenant;
  struct str queue, type;  // STR_NONE where the kind has none
  struct node *first;
};

struct channels {
  pthread_rwlock_t lock;
  struct arena arena;  // of nodes, groups and names
  struct node **all;   // by number; NULL: not known
  size_t all_cap;
  int64_t highest;
  size_t count;
  struct group **slots;
  size_t slot_count, group_count;  // slots: a power of 2, at most half of them taken
};

struct channels *pg_channels_new(void) {
  struct channels *cs = mem_zero(sizeof *cs);
  pthread_rwlock_init(&cs->lock, NULL);
  arena_init(&cs->arena, 16 << 10);
  cs->slot_count = 64;
  cs->slots = mem_zero(cs->slot_count * sizeof *cs->slots);
  return cs;
}

void pg_channels_free(struct channels *cs) {
  if (!cs) return;
  pthread_rwlock_destroy(&cs->lock);
  arena_fini(&cs->arena);
  mem_free(cs->all);
  mem_free(cs->slots);
  mem_free(cs);
}

// --- groups --------------------------------------------------------------------------------------

static bool same(const struct group *a, const struct group *b) {
  return a->kind == b->kind && a->tenant == b->tenant && str_eq(a->type, b->type) &&
         str_eq(a->queue, b->queue);
}

static struct group **slot_find(const struct channels *cs, const struct group *like) {
  uint64_t hash = hash_fast(like->type) * 31 + hash_fast(like->queue);
  hash = hash * 31 + (uint64_t)like->tenant * KINDS + like->kind;
  hash *= 0x9e3779b97f4a7c15;
  for (size_t i = hash >> 32;; i++) {
    struct group **slot = &cs->slots[i & (cs->slot_count - 1)];
    if (!*slot || same(*slot, like)) return slot;
  }
}

static struct group like(enum kind kind, int64_t tenant, struct str queue, struct str type) {
  struct group g = {.kind = kind, .tenant = tenant, .queue = STR_NONE, .type = STR_NONE};
  if (kind == KIND_ONE || kind == KIND_QUEUE) g.queue = queue;
  if (kind == KIND_ONE || kind == KIND_TYPE) g.type = type;
  return g;
}

static struct node *first_of(const struct channels *cs, enum kind kind, int64_t tenant,
                             struct str queue, struct str type) {
  struct group g = like(kind, tenant, queue, type);
  const struct group *found = *slot_find(cs, &g);
  return found ? found->first : NULL;
}

static void slots_double(struct channels *cs) {
  struct group **old = cs->slots;
  size_t count = cs->slot_count;
  cs->slot_count *= 2;
  cs->slots = mem_zero(cs->slot_count * sizeof *cs->slots);
  for (size_t i = 0; i < count; i++)
    if (old[i]) *slot_find(cs, old[i]) = old[i];
  mem_free(old);
}

static void group_add(struct channels *cs, enum kind kind, struct node *node) {
  const struct channel *c = &node->channel;
  struct group g = like(kind, c->tenant, c->queue, c->type);
  struct group **slot = slot_find(cs, &g);
  if (!*slot) {
    struct group *made = arena_alloc(&cs->arena, sizeof *made);
    *made = g;
    *slot = made;
  }
  node->next[kind] = (*slot)->first;
  (*slot)->first = node;
  if (!node->next[kind] && ++cs->group_count * 2 > cs->slot_count) slots_double(cs);
}

// --- channels ------------------------------------------------------------------------------------

static struct node *node_at(const struct channels *cs, int64_t number) {
  return number > 0 && number <= cs->highest ? cs->all[number] : NULL;
}

static void all_grow(struct channels *cs, size_t number) {
  if (number < cs->all_cap) return;
  size_t cap = cs->all_cap ? cs->all_cap : 64;
  while (cap <= number) cap *= 2;
  cs->all = mem_resize(cs->all, cap * sizeof *cs->all);
  memset(cs->all + cs->all_cap, 0, (cap - cs->all_cap) * sizeof *cs->all);
  cs->all_cap = cap;
}

static void add(struct channels *cs, int64_t number, int64_t tenant, struct str queue,
                struct str type) {
  struct node *node = ARENA_NEW(&cs->arena, struct node);
  struct channel *c = &node->channel;
  c->number = number;
  c->frontier.rank = RANK_FRONT;
  c->tenant = tenant;
  c->queue = arena_dup(&cs->arena, queue);
  c->type = arena_dup(&cs->arena, type);
  all_grow(cs, (size_t)number);
  cs->all[number] = node;
  if (number > cs->highest) cs->highest = number;
  cs->count++;
  for (int kind = 0; kind < KINDS; kind++) group_add(cs, (enum kind)kind, node);
}

void pg_channels_add(struct channels *cs, int64_t number, int64_t tenant, struct str queue,
                     struct str type) {
  assert(number > 0 && number <= INT32_MAX);
  pthread_rwlock_wrlock(&cs->lock);
  if (!node_at(cs, number)) add(cs, number, tenant, queue, type);
  pthread_rwlock_unlock(&cs->lock);
}

int64_t pg_channels_highest(struct channels *cs) {
  pthread_rwlock_rdlock(&cs->lock);
  int64_t highest = cs->highest;
  pthread_rwlock_unlock(&cs->lock);
  return highest;
}

size_t pg_channels_count(struct channels *cs) {
  pthread_rwlock_rdlock(&cs->lock);
  size_t count = cs->count;
  pthread_rwlock_unlock(&cs->lock);
  return count;
}

struct channel *pg_channels_at(struct channels *cs, int64_t number) {
  pthread_rwlock_rdlock(&cs->lock);
  struct node *node = node_at(cs, number);
  pthread_rwlock_unlock(&cs->lock);
  return node ? &node->channel : NULL;
}

struct channel *pg_channels_find(struct channels *cs, int64_t tenant, struct str queue,
                                 struct str type) {
  pthread_rwlock_rdlock(&cs->lock);
  struct node *node = first_of(cs, KIND_ONE, tenant, queue, type);
  pthread_rwlock_unlock(&cs->lock);
  return node ? &node->channel : NULL;
}

// --- filters -------------------------------------------------------------------------------------

static bool has(const struct str *names, size_t count, struct str name) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(names[i], name)) return true;
  return false;
}

struct filter {
  const struct str *types, *queues, *not_queues;
  size_t type_count, queue_count, not_queue_count;
};

struct found {
  struct channel **at;
  size_t count, cap;
  struct arena *arena;
};

static void found_put(struct found *f, struct channel *c) {
  if (f->count == f->cap) {
    f->cap = f->cap ? f->cap * 2 : 16;
    struct channel **at = arena_alloc(f->arena, f->cap * sizeof *at);
    if (f->count) memcpy(at, f->at, f->count * sizeof *at);
    f->at = at;
  }
  f->at[f->count++] = c;
}

// Walks one group; what the group does not say already is compared.
static void walk(struct found *f, enum kind kind, struct node *first, const struct filter *filter) {
  for (struct node *node = first; node; node = node->next[kind]) {
    struct channel *c = &node->channel;
    if (filter->queue_count && !has(filter->queues, filter->queue_count, c->queue)) continue;
    if (has(filter->not_queues, filter->not_queue_count, c->queue)) continue;
    found_put(f, c);
  }
}

static void find_fitting(struct channels *cs, int64_t tenant, const struct filter *filter,
                         struct found *f) {
  if (!filter->type_count && !filter->queue_count)
    walk(f, KIND_TENANT, first_of(cs, KIND_TENANT, tenant, STR_NONE, STR_NONE), filter);
  for (size_t i = 0; i < filter->type_count; i++) {
    if (has(filter->types, i, filter->types[i])) continue;  // named twice
    walk(f, KIND_TYPE, first_of(cs, KIND_TYPE, tenant, STR_NONE, filter->types[i]), filter);
  }
  for (size_t i = 0; i < filter->queue_count && !filter->type_count; i++) {
    if (has(filter->queues, i, filter->queues[i])) continue;
    walk(f, KIND_QUEUE, first_of(cs, KIND_QUEUE, tenant, filter->queues[i], STR_NONE), filter);
  }
}

size_t pg_channels_fitting(struct channels *cs, struct arena *a, int64_t tenant,
                           const struct str *types, size_t type_count, const struct str *queues,
                           size_t queue_count, const struct str *not_queues, size_t not_queue_count,
                           struct channel ***out) {
  struct filter filter = {types, queues, not_queues, type_count, queue_count, not_queue_count};
  struct found found = {.arena = a};
  pthread_rwlock_rdlock(&cs->lock);
  find_fitting(cs, tenant, &filter, &found);
  pthread_rwlock_unlock(&cs->lock);
  *out = found.at;
  return found.count;
}

// --- frontiers -----------------------------------------------------------------------------------

struct frontier pg_channels_frontier(struct channels *cs, struct channel *c) {
  pthread_rwlock_rdlock(&cs->lock);
  struct frontier f = c->frontier;
  pthread_rwlock_unlock(&cs->lock);
  return f;
}

void pg_channels_lower(struct channels *cs, struct channel *c, int64_t rank, struct id id,
                       struct id oldest) {
  pthread_rwlock_wrlock(&cs->lock);
  frontier_lower(&c->frontier, rank, id, oldest);
  pthread_rwlock_unlock(&cs->lock);
}

void pg_channels_raise(struct channels *cs, struct channel *c, const struct frontier *seen,
                       int64_t rank, struct id id, int64_t walked_at, int64_t walk_us) {
  struct frontier *f = &c->frontier;
  pthread_rwlock_wrlock(&cs->lock);
  frontier_raise(f, seen, rank, id);
  if (walked_at) f->walked_at = walked_at;
  if (walked_at) f->walk_us = walk_us;
  pthread_rwlock_unlock(&cs->lock);
}

void pg_channels_walked(struct channels *cs, struct channel *c, const struct frontier *seen,
                        int64_t walked_at, int64_t walk_us) {
  pthread_rwlock_wrlock(&cs->lock);
  if (seen) frontier_drained(&c->frontier, seen);
  c->frontier.walked_at = walked_at;
  c->frontier.walk_us = walk_us;
  pthread_rwlock_unlock(&cs->lock);
}

size_t pg_channels_dear(struct channels *cs, struct arena *a, struct channel ***out) {
  struct found found = {.arena = a};
  pthread_rwlock_rdlock(&cs->lock);
  for (int64_t i = 1; i <= cs->highest; i++)
    if (cs->all[i] && frontier_is_dear(&cs->all[i]->channel.frontier))
      found_put(&found, &cs->all[i]->channel);
  pthread_rwlock_unlock(&cs->lock);
  *out = found.at;
  return found.count;
}
