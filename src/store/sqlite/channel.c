// channel.c: the channels of a store and their counts, in memory.
#include "store/sqlite/channel.h"

#include <assert.h>

#include "base/hash.h"
#include "base/mem.h"

struct channels *sqlite_channels_new(void) {
  struct channels *cs = mem_zero(sizeof *cs);
  arena_init(&cs->arena, 4096);
  return cs;
}

void sqlite_channels_free(struct channels *cs) {
  if (!cs) return;
  arena_fini(&cs->arena);
  mem_free(cs);
}

struct channel *sqlite_channels_at(const struct channels *cs, int64_t number) {
  if (number < 1 || number > (int64_t)cs->count) return NULL;
  return cs->all[number - 1];
}

// --- finding -------------------------------------------------------------------------------------

static bool channel_is(const struct channel *c, int64_t tenant, struct str queue, struct str type) {
  return c->tenant == tenant && str_eq(c->type, type) && str_eq(c->queue, queue);
}

// The slot that holds the triple, or the free one where it belongs.
static uint16_t *slot_find(struct channels *cs, int64_t tenant, struct str queue, struct str type) {
  uint64_t hash = hash_fast(type) * 31 + hash_fast(queue) + (uint64_t)tenant;
  for (size_t i = hash ^ hash >> 32;; i++) {
    uint16_t *slot = &cs->slots[i % CHANNEL_SLOTS];
    if (!*slot || channel_is(cs->all[*slot - 1], tenant, queue, type)) return slot;
  }
}

static struct channel *channel_put(struct channels *cs, uint16_t *slot, size_t number) {
  struct channel *c = ARENA_NEW(&cs->arena, struct channel);
  c->number = (int64_t)number;
  cs->all[number - 1] = c;
  if (cs->count < number) cs->count = number;
  *slot = (uint16_t)number;
  return c;
}

enum err sqlite_channels_get(struct channels *cs, int64_t tenant, struct str queue, struct str type,
                             struct channel **out, struct fault *why) {
  uint16_t *slot = slot_find(cs, tenant, queue, type);
  if (*slot) {
    *out = cs->all[*slot - 1];
    return ERR_OK;
  }
  if (cs->count == LIMIT_CHANNELS)
    return fault_set(why, ERR_TOO_MANY,
                     "there are %d pairs of queue and type already, and no more "
                     "can be made; use fewer names",
                     LIMIT_CHANNELS);
  struct channel *c = channel_put(cs, slot, cs->count + 1);
  c->tenant = tenant;
  c->queue = arena_dup(&cs->arena, queue);
  c->type = arena_dup(&cs->arena, type);
  c->fresh = true;
  *out = c;
  return ERR_OK;
}

// --- counting ------------------------------------------------------------------------------------

static void ready_list_update(struct channels *cs, struct channel *c, bool was_ready) {
  bool is_ready = c->counts.ready > 0;
  if (is_ready && !was_ready) {
    c->ready_at = cs->ready_count;
    cs->ready[cs->ready_count++] = c;
  } else if (!is_ready && was_ready) {
    struct channel *last = cs->ready[--cs->ready_count];
    cs->ready[c->ready_at] = last;
    last->ready_at = c->ready_at;
  }
}

enum err sqlite_channels_add(struct channels *cs, const struct tally *tally, int64_t number) {
  if (number < 1 || number > LIMIT_CHANNELS || sqlite_channels_at(cs, number))
    return ERR_STORE_BROKEN;
  uint16_t *slot = slot_find(cs, tally->tenant, tally->queue, tally->type);
  if (*slot) return ERR_STORE_BROKEN;
  struct channel *c = channel_put(cs, slot, (size_t)number);
  c->tenant = tally->tenant;
  c->queue = arena_dup(&cs->arena, tally->queue);
  c->type = arena_dup(&cs->arena, tally->type);
  memcpy(c->counts.count, tally->count, sizeof c->counts.count);
  c->counts.ready = tally->ready;
  ready_list_update(cs, c, false);
  return ERR_OK;
}

void sqlite_channels_move(struct channels *cs, struct channel *c, enum task_status status,
                          enum waiting waiting, int64_t by) {
  assert(status < TASK_STATUS_COUNT);
  c->moved.count[status] += by;
  if (waiting == WAIT_WORKER) c->moved.ready += by;
  if (c->touched) return;
  c->touched = true;
  cs->touched[cs->touched_count++] = c;
}

static void channel_commit(struct channels *cs, struct channel *c) {
  bool was_ready = c->counts.ready > 0;
  for (size_t i = 0; i < TASK_STATUS_COUNT; i++) c->counts.count[i] += c->moved.count[i];
  c->counts.ready += c->moved.ready;
  c->fresh = false;
  ready_list_update(cs, c, was_ready);
}

// Takes back the channels that the unit made. They are the last of all, and went last into the hash
// table, so clearing their slots cuts no other's chain.
static void forget_fresh(struct channels *cs) {
  while (cs->count > 0 && cs->all[cs->count - 1] && cs->all[cs->count - 1]->fresh) {
    struct channel *c = cs->all[cs->count - 1];
    *slot_find(cs, c->tenant, c->queue, c->type) = 0;
    cs->all[--cs->count] = NULL;
  }
}

void sqlite_channels_settle(struct channels *cs, bool committed) {
  for (size_t i = 0; i < cs->touched_count; i++) {
    struct channel *c = cs->touched[i];
    if (committed) channel_commit(cs, c);
    c->moved = (struct channel_counts){0};
    c->touched = false;
  }
  cs->touched_count = 0;
  if (!committed) forget_fresh(cs);
}
