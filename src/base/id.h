// id.h: task ids: UUID version 7 (RFC 9562 section 5.7), made in strictly increasing order.
//
// The upper 60 payload bits (48 of milliseconds, 12 of counter) are unique within one store and are
// its integer key; the 62 lower bits are random, so that an id cannot be guessed from its
// neighbour.
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/str.h"

struct id {
  uint64_t hi, lo;  // the 16 bytes, big-endian halves
};

enum { ID_TEXT_BYTES = 36 };

static inline bool id_eq(struct id a, struct id b) { return a.hi == b.hi && a.lo == b.lo; }
static inline bool id_is_none(struct id a) { return (a.hi | a.lo) == 0; }

// The 60-bit key: milliseconds << 12 | counter. Always positive as int64.
static inline int64_t id_key(struct id a) { return (int64_t)((a.hi >> 16) << 12 | (a.hi & 0xfff)); }
static inline int64_t id_key_from_ms(int64_t ms) { return ms << 12; }
struct id id_from_key(int64_t key, uint64_t lo);  // lo as it was in the id
static inline int64_t id_ms(struct id a) { return (int64_t)(a.hi >> 16); }

// Makes ids; owned by one thread. `last` is the key of the newest id of the store. Where several
// processes make ids for one store each takes only keys of its own share: the counter's value
// modulo `shares`. Zero shares: all keys are ours.
enum { ID_SHARES = 64 };
struct id_source {
  int64_t last;
  int64_t share, shares;
};
struct id id_next(struct id_source *source, int64_t now_ms);

void id_text(struct id id, char out[ID_TEXT_BYTES]);  // lower case, no NUL
bool id_parse(struct str text, struct id *out);       // 36 characters, either case, version 7 only

#endif
