// keyset.h: API keys in memory, found by their ids. Private to engine/; its user locks.
#ifndef ENGINE_KEYSET_H
#define ENGINE_KEYSET_H

#include "model/nouns.h"

// All zero is an empty one.
struct keyset {
  struct api_key *at;  // with texts of their own
  size_t count;
  _Atomic int64_t *used_at;  // of each; 0: not since the process started
  uint32_t *slots;           // place + 1 by the hash of the id, 0: free; linear probing
  size_t slot_count;         // a power of two, at least twice the count
};

void keyset_fini(struct keyset *k);
const struct api_key *keyset_find(const struct keyset *k, struct str id);  // NULL: there is none
void keyset_put(struct keyset *k, const struct api_key *key);              // or in its place
void keyset_remove(struct keyset *k, struct str id);                       // slow; if it is there
// Puts these in place of all. When a key that stays was used is kept.
void keyset_replace(struct keyset *k, const struct api_key *all, size_t count);

// The only change that needs no more than a reader's lock. `key` is one that keyset_find gave.
void keyset_use(const struct keyset *k, const struct api_key *key, int64_t now);
int64_t keyset_used_at(const struct keyset *k, const struct api_key *key);

#endif
