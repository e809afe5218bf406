// json.c: walks JSON text that json_check has accepted, and reads its values.
#include "base/json.h"

#include "base/mem.h"
#include "base/swar.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum json_kind json_kind(struct str value) {
  assert(value.len > 0);
  switch (*value.at) {
  case 'n': return JSON_NULL;
  case 'f': return JSON_FALSE;
  case 't': return JSON_TRUE;
  case '"': return JSON_STRING;
  case '[': return JSON_ARRAY;
  case '{': return JSON_OBJECT;
  default: return JSON_NUMBER;
  }
}

static inline const char *skip_blanks(const char *at) {
  while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') at++;
  return at;
}

// The first quote or backslash at or after `at`; there is one.
static inline const char *find_quote(const char *at, const char *end) {
  for (; end - at >= 8; at += 8) {
    uint64_t word = swar_load(at);
    uint64_t hits = swar_is(word, '"') | swar_is(word, '\\');
    if (hits) return at + swar_first(hits);
  }
  while (*at != '"' && *at != '\\') at++;
  return at;
}

// `at` is behind an opening quote; returns the closing one.
static inline const char *string_end(const char *at, const char *end) {
  for (at = find_quote(at, end); *at == '\\'; at = find_quote(at, end)) at += 2;
  return at;
}

// `at` is the opening bracket; returns what is behind the closing one. Which kind of bracket does
// not matter, since they are known to match.
static const char *skip_nested(const char *at, const char *end) {
  unsigned depth = 0;
  do {
    char c = *at++;
    if (c == '"') at = string_end(at, end) + 1;
    if (c == '[' || c == '{') depth++;
    if (c == ']' || c == '}') depth--;
  } while (depth > 0);
  return at;
}

// Only members are skipped: a bracket stands behind them, if nothing else.
static inline const char *skip_scalar(const char *at) {
  while (*at != ',' && *at != ']' && *at != '}' && (unsigned char)*at > ' ') at++;
  return at;
}

static inline const char *skip_value(const char *at, const char *end) {
  if (*at == '"') return string_end(at + 1, end) + 1;
  if (*at == '{' || *at == '[') return skip_nested(at, end);
  return skip_scalar(at);
}

struct json_walk json_walk(struct str value) {
  assert(value.len >= 2 && (*value.at == '{' || *value.at == '['));
  return (struct json_walk){value.at + 1, value.at + value.len, *value.at == '{'};
}

bool json_next(struct json_walk *w, struct str *key, struct str *value) {
  const char *at = skip_blanks(w->at);
  if (*at == ']' || *at == '}') return false;
  *key = STR_NONE;
  if (w->object) {
    const char *close = string_end(at + 1, w->end);
    *key = (struct str){at + 1, (size_t)(close - at - 1)};
    at = skip_blanks(skip_blanks(close + 1) + 1);  // behind the colon
  }
  const char *after = skip_value(at, w->end);
  *value = (struct str){at, (size_t)(after - at)};
  after = skip_blanks(after);
  w->at = *after == ',' ? skip_blanks(after + 1) : after;
  return true;
}

static unsigned hex_digit(char c) {
  return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

static unsigned hex4(const char *at) {
  return hex_digit(at[0]) << 12 | hex_digit(at[1]) << 8 | hex_digit(at[2]) << 4 | hex_digit(at[3]);
}

static char *put_utf8(char *out, unsigned point) {
  if (point < 0x80) {
    *out++ = (char)point;
    return out;
  }
  if (point < 0x800) {
    *out++ = (char)(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    *out++ = (char)(0xe0 | point >> 12);
    *out++ = (char)(0x80 | (point >> 6 & 0x3f));
  } else {
    *out++ = (char)(0xf0 | point >> 18);
    *out++ = (char)(0x80 | (point >> 12 & 0x3f));
    *out++ = (char)(0x80 | (point >> 6 & 0x3f));
  }
  *out++ = (char)(0x80 | (point & 0x3f));
  return out;
}

static char simple_escape(char letter) {
  switch (letter) {
  case 'b': return '\b';
  case 'f': return '\f';
  case 'n': return '\n';
  case 'r': return '\r';
  case 't': return '\t';
  default: return letter;
  }
}

// `*at` is the backslash; it is left behind the escape (or the pair of them).
static char *put_escape(char *out, const char **at) {
  const char *from = *at;
  if (from[1] != 'u') {
    *at = from + 2;
    *out++ = simple_escape(from[1]);
    return out;
  }
  unsigned point = hex4(from + 2);
  *at = from + 6;
  if (point >= 0xd800 && point <= 0xdbff) {
    point = 0x10000 + ((point - 0xd800) << 10) + (hex4(from + 8) - 0xdc00);
    *at = from + 12;
  }
  return put_utf8(out, point);
}

// What is resolved is never longer than what it was written as.
static struct str resolve(struct arena *a, struct str raw) {
  char *text = arena_alloc(a, raw.len), *out = text;
  const char *at = raw.at, *end = raw.at + raw.len;
  while (at < end) {
    const char *escape = memchr(at, '\\', (size_t)(end - at));
    size_t plain = (size_t)((escape ? escape : end) - at);
    memcpy(out, at, plain);
    out += plain;
    at += plain;
    if (escape) out = put_escape(out, &at);
  }
  return (struct str){text, (size_t)(out - text)};
}

struct str json_string(struct arena *a, struct str value, bool *has_nul) {
  assert(value.len >= 2 && *value.at == '"');
  struct str text = {value.at + 1, value.len - 2};
  bool escaped = str_find(text, '\\') < text.len;
  if (escaped) text = resolve(a, text);
  if (has_nul) *has_nul = escaped && str_find(text, '\0') < text.len;
  return text;
}

// It stands between quotes.
struct str json_name(struct arena *a, struct str key, bool *has_nul) {
  return json_string(a, (struct str){key.at - 1, key.len + 2}, has_nul);
}

// A number as (±) digits · 10^exponent; the digits start and end with one that is not 0.
struct decimal {
  bool negative;
  int64_t significant;  // how many digits; 0: the number is zero
  uint64_t digits;      // their value; meaningless past 18 of them
  int64_t exponent;
};

enum { EXPONENT_MAX = 1000000000 };  // farther than any text is long

static int64_t read_exponent(const char *at, const char *end) {
  bool negative = *at == '-';
  if (*at == '-' || *at == '+') at++;
  int64_t exponent = 0;
  for (; at < end; at++)
    if (exponent < EXPONENT_MAX) exponent = exponent * 10 + (*at - '0');
  return negative ? -exponent : exponent;
}

// Zeros are held back until a digit follows them, so that those at the end only move the exponent.
static struct decimal read_decimal(struct str value) {
  struct decimal d = {0};
  const char *at = value.at, *end = at + value.len;
  bool fraction = false;
  int64_t zeros = 0;
  for (; at < end && (*at | 0x20) != 'e'; at++) {
    d.negative |= *at == '-';
    fraction |= *at == '.';
    if (*at < '0') continue;
    d.exponent -= fraction;
    zeros++;
    if (*at == '0') continue;
    d.significant += d.significant ? zeros : 1;
    for (; zeros > 0 && d.significant <= 18; zeros--) d.digits *= 10;
    d.digits += (unsigned)(*at - '0');
    zeros = 0;
  }
  d.exponent += zeros;
  if (at < end) d.exponent += read_exponent(at + 1, end);
  return d;
}

bool json_integer(struct str value, int64_t *out) {
  const uint64_t magnitude_max = (UINT64_C(1) << 53) - 1;
  struct decimal d = read_decimal(value);
  if (d.significant == 0) {
    *out = 0;
    return true;
  }
  if (d.exponent < 0 || d.significant + d.exponent > 16) return false;
  uint64_t magnitude = d.digits;
  for (; d.exponent > 0; d.exponent--) magnitude *= 10;
  if (magnitude > magnitude_max) return false;
  *out = d.negative ? -(int64_t)magnitude : (int64_t)magnitude;
  return true;
}

// strtod wants a NUL behind the number.
bool json_double(struct str value, double *out) {
  char text[64];
  char *copy = value.len < sizeof text ? text : mem_alloc(value.len + 1);
  memcpy(copy, value.at, value.len);
  copy[value.len] = '\0';
  double read = strtod(copy, NULL);
  if (copy != text) mem_free(copy);
  if (isinf(read)) return false;
  *out = read;
  return true;
}

void json_position(struct str text, size_t offset, size_t *line, size_t *column) {
  assert(offset <= text.len);
  size_t lines = 1, line_start = 0;
  for (size_t i = 0; i < offset; i++) {
    if (text.at[i] != '\n') continue;
    lines++;
    line_start = i + 1;
  }
  *line = lines;
  *column = offset - line_start + 1;
}
