// keyset.c: API keys in memory, found by their ids.
//
// Every request with a key looks one up, so that is a table; all else is rare and may be slow.
#include "engine/keyset.h"

#include <stdatomic.h>

#include "base/hash.h"
#include "base/mem.h"

enum { SLOTS_MIN = 16 };

static struct str own(struct str s) {
  return str_is_none(s) ? s : (struct str){mem_copy(s.at, s.len), s.len};
}

static void disown(struct str s) { mem_free((char *)s.at); }

static void own_key(struct api_key *key) {
  key->id = own(key->id);
  key->name = own(key->name);
  key->service = own(key->service);
  key->replaced_by = own(key->replaced_by);
}

static void disown_key(const struct api_key *key) {
  disown(key->id);
  disown(key->name);
  disown(key->service);
  disown(key->replaced_by);
}

void keyset_fini(struct keyset *k) {
  for (size_t i = 0; i < k->count; i++) disown_key(&k->at[i]);
  mem_free(k->at);
  mem_free(k->used_at);
  mem_free(k->slots);
  *k = (struct keyset){0};
}

// --- the table -----------------------------------------------------------------------------------

// The slot of the id, or the free one where it would stand.
static uint32_t *slot_of(const struct keyset *k, struct str id) {
  size_t i = hash_fast(id) & (k->slot_count - 1);
  while (k->slots[i] && !str_eq(k->at[k->slots[i] - 1].id, id)) i = (i + 1) & (k->slot_count - 1);
  return &k->slots[i];
}

static void index_all(struct keyset *k) {
  memset(k->slots, 0, k->slot_count * sizeof *k->slots);
  for (size_t i = 0; i < k->count; i++) *slot_of(k, k->at[i].id) = (uint32_t)i + 1;
}

static void reserve(struct keyset *k, size_t count) {
  if (k->slot_count >= 2 * count && k->slot_count) return;
  size_t slots = SLOTS_MIN;
  while (slots < 2 * count) slots *= 2;
  k->at = mem_resize(k->at, slots / 2 * sizeof *k->at);
  k->used_at = mem_resize(k->used_at, slots / 2 * sizeof *k->used_at);
  k->slots = mem_resize(k->slots, slots * sizeof *k->slots);
  k->slot_count = slots;
  index_all(k);
}

const struct api_key *keyset_find(const struct keyset *k, struct str id) {
  if (k->count == 0) return NULL;
  uint32_t place = *slot_of(k, id);
  return place ? &k->at[place - 1] : NULL;
}

// --- changes -------------------------------------------------------------------------------------

void keyset_put(struct keyset *k, const struct api_key *key) {
  reserve(k, k->count + 1);
  uint32_t *slot = slot_of(k, key->id);
  struct api_key fresh = *key;
  own_key(&fresh);  // its texts may be those of the one that goes
  if (*slot == 0) {
    atomic_init(&k->used_at[k->count], 0);
    *slot = (uint32_t)++k->count;
  } else {
    disown_key(&k->at[*slot - 1]);
  }
  k->at[*slot - 1] = fresh;
}

// The others stay in their order, which is that of their lists.
void keyset_remove(struct keyset *k, struct str id) {
  const struct api_key *key = keyset_find(k, id);
  if (key == NULL) return;
  disown_key(key);
  k->count--;
  for (size_t i = (size_t)(key - k->at); i < k->count; i++) {
    k->at[i] = k->at[i + 1];
    atomic_store_explicit(&k->used_at[i], k->used_at[i + 1], memory_order_relaxed);
  }
  index_all(k);
}

void keyset_replace(struct keyset *k, const struct api_key *all, size_t count) {
  struct keyset fresh = {0};
  reserve(&fresh, count);
  for (size_t i = 0; i < count; i++) {
    keyset_put(&fresh, &all[i]);
    const struct api_key *old = keyset_find(k, all[i].id);
    if (old) keyset_use(&fresh, &fresh.at[i], keyset_used_at(k, old));
  }
  keyset_fini(k);
  *k = fresh;
}

void keyset_use(const struct keyset *k, const struct api_key *key, int64_t now) {
  atomic_store_explicit(&k->used_at[key - k->at], now, memory_order_relaxed);
}

int64_t keyset_used_at(const struct keyset *k, const struct api_key *key) {
  return atomic_load_explicit(&k->used_at[key - k->at], memory_order_relaxed);
}
