// testing_locks.h: the locks of the fake store: a part of testing_store.h.
//
// What a unit has loaded to change stays locked until it is over. Wants wait for each other, all at
// once, so that no two units can wait for one another; picks and due rows are passed over.
#ifndef ENGINE_TESTING_LOCKS_H
#define ENGINE_TESTING_LOCKS_H

#include "base/hash.h"

enum fake_lock_kind {
  FAKE_LOCK_ON_ID = 1,
  FAKE_LOCK_ON_UNIQUE,
  FAKE_LOCK_ON_REPLAY,
  FAKE_LOCK_ON_CATALOG,
  FAKE_LOCK_ON_CLEANUP
};

struct fake_lock {
  enum fake_lock_kind kind;
  uint64_t a, b;
};
#define FAKE_LOCK_CATALOG ((struct fake_lock){.kind = FAKE_LOCK_ON_CATALOG})
#define FAKE_LOCK_CLEANUP ((struct fake_lock){.kind = FAKE_LOCK_ON_CLEANUP})

static inline struct fake_lock fake_lock_of_id(struct id id) {
  return (struct fake_lock){.kind = FAKE_LOCK_ON_ID, .a = id.hi, .b = id.lo};
}

static inline struct fake_lock fake_lock_of_key(enum fake_lock_kind kind, int64_t tenant,
                                                struct str key) {
  return (struct fake_lock){.kind = kind, .a = (uint64_t)tenant, .b = hash_fast(key)};
}

static inline bool fake_has(const struct store_lane *lane, struct fake_lock lock) {
  for (size_t i = 0; i < lane->lock_count; i++)
    if (lane->locks[i].kind == lock.kind && lane->locks[i].a == lock.a &&
        lane->locks[i].b == lock.b)
      return true;
  return false;
}

static inline bool fake_is_locked(const struct store_lane *lane, struct fake_lock lock) {
  for (size_t i = 0; i < FAKE_LANES; i++)
    if (&lane->s->lanes[i] != lane && fake_has(&lane->s->lanes[i], lock)) return true;
  return false;
}

static inline void fake_take(struct store_lane *lane, struct fake_lock lock) {
  if (lane->lock_count == lane->lock_cap) {
    lane->lock_cap = lane->lock_cap ? lane->lock_cap * 2 : 64;
    lane->locks = mem_resize(lane->locks, sizeof *lane->locks * lane->lock_cap);
  }
  lane->locks[lane->lock_count++] = lock;
}

static inline void fake_unlock_all(struct store_lane *lane) {
  lane->unit_open = false;
  lane->lock_count = 0;
  pthread_cond_broadcast(&lane->s->unlocked);
}

// True when all of them were free and are taken now.
static inline bool fake_try_wants(struct store_lane *lane, const struct load *want) {
  size_t count = 0;
  struct fake_lock *all = ARENA_ARRAY(want->arena, struct fake_lock,
                                      want->id_count + want->unique_count + want->replay_count + 1);
  for (size_t i = 0; i < want->id_count; i++) all[count++] = fake_lock_of_id(want->ids[i].id);
  for (size_t i = 0; i < want->unique_count; i++)
    all[count++] =
        fake_lock_of_key(FAKE_LOCK_ON_UNIQUE, want->uniques[i].tenant, want->uniques[i].key);
  for (size_t i = 0; i < want->replay_count; i++)
    all[count++] =
        fake_lock_of_key(FAKE_LOCK_ON_REPLAY, want->replays[i].tenant, want->replays[i].key);
  if (want->catalog) all[count++] = FAKE_LOCK_CATALOG;
  for (size_t i = 0; i < count; i++)
    if (fake_is_locked(lane, all[i])) return false;
  for (size_t i = 0; i < count; i++) fake_take(lane, all[i]);
  return true;
}

static inline void fake_lock_wants(struct store_lane *lane, const struct load *want) {
  while (!fake_try_wants(lane, want)) {
    assert(lane->s->threads);  // else nobody would ever let go of it
    pthread_cond_wait(&lane->s->unlocked, &lane->s->lock);
  }
}

#endif
