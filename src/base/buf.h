// buf.h: bytes that grow, up to a stated maximum, and the JSON writer on top of them.
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

// A buffer that reached its maximum drops what follows and remembers it in `overflow`; writers need
// not check each step, the sender checks once. Zero-initialised is a valid empty buffer of max 0.
struct buf {
  char *at;
  size_t len, cap, max;
  bool overflow;
};

void buf_init(struct buf *b, size_t bytes_max);
void buf_fini(struct buf *b);
static inline void buf_clear(struct buf *b) {
  b->len = 0;
  b->overflow = false;
}
static inline struct str buf_str(const struct buf *b) {
  return (struct str){b->at ? b->at : "", b->len};
}

bool buf_grow(struct buf *b, size_t more);  // room for `more` bytes; false: over the maximum

static inline bool buf_room(struct buf *b, size_t more) {
  return b->cap - b->len >= more ? true : buf_grow(b, more);
}

static inline void buf_bytes(struct buf *b, const char *at, size_t len) {
  if (len == 0 || !buf_room(b, len)) return;
  memcpy(b->at + b->len, at, len);
  b->len += len;
}

static inline void buf_put(struct buf *b, struct str s) { buf_bytes(b, s.at, s.len); }

#define BUF_LIT(b, literal) buf_bytes((b), (literal), sizeof(literal) - 1)

static inline void buf_char(struct buf *b, char c) { buf_bytes(b, &c, 1); }
void buf_i64(struct buf *b, int64_t value);
void buf_hex(struct buf *b, const void *bytes, size_t count);  // lower case
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A JSON string with its quotes: ", \ and control characters escaped, UTF-8 untouched. The input
// must be valid UTF-8; bytes that are not become U+FFFD.
void buf_json_str(struct buf *b, struct str s);

#endif
