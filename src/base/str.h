// str.h: a borrowed slice of bytes, passed by value. Never owns, need not end in NUL.
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
  const char *at;  // NULL only when absent; an empty string has at != NULL and len 0
  size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
#define STR_FMT(s) (int)(s).len, (s).at  // for "%.*s"; only for slices known to be < 2 GiB

static inline bool str_is_none(struct str s) { return s.at == NULL; }

static inline struct str str_of(const char *cstr) {
  return cstr ? (struct str){cstr, strlen(cstr)} : STR_NONE;
}

static inline bool str_eq(struct str a, struct str b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline struct str str_from(struct str s, size_t start) {
  return (struct str){s.at + start, s.len - start};
}

bool str_eq_nocase(struct str a, struct str b);  // ASCII only
bool str_starts(struct str s, struct str prefix);
int str_compare(struct str a, struct str b);  // like memcmp, shorter first
size_t str_find(struct str s, char c);        // index of c, or s.len

// Cuts `*rest` at the first `c`: returns what is before it, leaves what follows. When there is no
// `c`, returns all and leaves STR_NONE.
struct str str_cut(struct str *rest, char c);
struct str str_trim(struct str s);  // spaces and tabs on both ends

// Reads a whole slice as a decimal integer, sign allowed, no blanks. False when it is anything else
// or does not fit.
bool str_to_i64(struct str s, int64_t *out);

// "250ms", "30s", "5m", "2h", "7d", "0" to milliseconds. False when it is anything else: whoever
// forgets the unit means days as often as milliseconds.
bool str_to_duration_ms(struct str s, int64_t *out_ms);

// Distance in single-character edits, for "did you mean". Both at most 64 bytes, else SIZE_MAX.
size_t str_distance(struct str a, struct str b);

#endif
