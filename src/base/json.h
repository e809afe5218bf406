// json.h: a strict JSON reader that keeps every value as the bytes it came as (RFC 8259).
//
// json_check reads the whole text once and refuses what is not JSON: bad UTF-8, lone surrogates,
// depth over the limit, bytes after the value. Everything else here walks text that json_check has
// accepted, allocates nothing and cannot fail on it.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/str.h"

enum { JSON_DEPTH_MAX = 64 };

struct json_error {
  size_t offset;        // byte at which the text stops being JSON
  const char *message;  // static: "a string is not closed", "depth is over 64", …
};

enum json_kind {
  JSON_NULL,
  JSON_FALSE,
  JSON_TRUE,
  JSON_NUMBER,
  JSON_STRING,
  JSON_ARRAY,
  JSON_OBJECT
};

// True when `text` is exactly one JSON value. On success `*value` is the text without the blanks
// around it.
bool json_check(struct str text, struct str *value, struct json_error *error);

// All below: only for text that json_check accepted.
enum json_kind json_kind(struct str value);

// Walks the members of an object or the elements of an array:
//   struct json_walk w = json_walk(value);
//   while (json_next(&w, &key, &member)) …
// `key` is the raw key without its quotes (escapes not resolved); for arrays it is STR_NONE.
struct json_walk {
  const char *at, *end;
  bool object;
};
struct json_walk json_walk(struct str value);
bool json_next(struct json_walk *w, struct str *key, struct str *value);

// The value of a string, escapes resolved; borrows the text when there are none. `has_nul` (may be
// NULL) tells whether it holds U+0000.
struct str json_string(struct arena *a, struct str value, bool *has_nul);
struct str json_name(struct arena *a, struct str key, bool *has_nul);  // the same of a raw key

// False when the number is not an integer in ±(2^53 − 1) (RFC 8259 section 6), whatever its
// spelling (1e3 and 5.0 are integers).
bool json_integer(struct str value, int64_t *out);
bool json_double(struct str value, double *out);  // false: out of range

// Line and column (both from 1, columns in bytes) of an offset, for messages.
void json_position(struct str text, size_t offset, size_t *line, size_t *column);

#endif
