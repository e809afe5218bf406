// str.c: slices: comparing, cutting, reading numbers from them.
#include "base/str.h"

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool str_eq_nocase(struct str a, struct str b) {
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++)
    if (lower(a.at[i]) != lower(b.at[i])) return false;
  return true;
}

bool str_starts(struct str s, struct str prefix) {
  return s.len >= prefix.len && str_eq((struct str){s.at, prefix.len}, prefix);
}

int str_compare(struct str a, struct str b) {
  size_t common = a.len < b.len ? a.len : b.len;
  int order = common ? memcmp(a.at, b.at, common) : 0;
  if (order) return order;
  return (a.len > b.len) - (a.len < b.len);
}

size_t str_find(struct str s, char c) {
  const char *found = s.len ? memchr(s.at, c, s.len) : NULL;
  return found ? (size_t)(found - s.at) : s.len;
}

struct str str_cut(struct str *rest, char c) {
  size_t at = str_find(*rest, c);
  struct str before = {rest->at, at};
  *rest = at == rest->len ? STR_NONE : str_from(*rest, at + 1);
  return before;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

struct str str_trim(struct str s) {
  while (s.len && is_blank(s.at[0])) s = str_from(s, 1);
  while (s.len && is_blank(s.at[s.len - 1])) s.len--;
  return s;
}

// Counts downwards, because the negative range is the larger one.
static bool digits_to_negative(struct str s, int64_t *out) {
  int64_t value = 0;
  for (size_t i = 0; i < s.len; i++) {
    if (!is_digit(s.at[i])) return false;
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (__builtin_sub_overflow(value, s.at[i] - '0', &value)) return false;
  }
  *out = value;
  return s.len > 0;
}

bool str_to_i64(struct str s, int64_t *out) {
  bool negative = s.len && s.at[0] == '-';
  if (s.len && (negative || s.at[0] == '+')) s = str_from(s, 1);
  int64_t value;
  if (!digits_to_negative(s, &value)) return false;
  if (!negative && __builtin_sub_overflow(0, value, &value)) return false;
  *out = value;
  return true;
}

static int64_t unit_ms(struct str unit) {
  static const struct {
    struct str name;
    int64_t ms;
  } units[] = {{{"ms", 2}, 1},
               {{"s", 1}, 1000},
               {{"m", 1}, 60000},
               {{"h", 1}, 3600000},
               {{"d", 1}, 86400000}};
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (str_eq(units[i].name, unit)) return units[i].ms;
  return 0;
}

bool str_to_duration_ms(struct str s, int64_t *out_ms) {
  size_t digits = 0;
  while (digits < s.len && is_digit(s.at[digits])) digits++;
  int64_t count;
  if (!str_to_i64((struct str){s.at, digits}, &count)) return false;
  if (digits == s.len && count == 0) return *out_ms = 0, true;
  int64_t ms = unit_ms(str_from(s, digits));
  if (ms == 0 || __builtin_mul_overflow(count, ms, &count)) return false;
  *out_ms = count;
  return true;
}

enum { DISTANCE_BYTES_MAX = 64 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

// Levenshtein's: one row of the table at a time; row[j] is the distance of what was read of `a` to
// the first j bytes of `b`.
size_t str_distance(struct str a, struct str b) {
  if (a.len > DISTANCE_BYTES_MAX || b.len > DISTANCE_BYTES_MAX) return SIZE_MAX;
  size_t row[DISTANCE_BYTES_MAX + 1];
  for (size_t j = 0; j <= b.len; j++) row[j] = j;
  for (size_t i = 1; i <= a.len; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.len; j++) {
      size_t replaced = diagonal + (a.at[i - 1] != b.at[j - 1]);
      diagonal = row[j];
      row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
    }
  }
  return row[b.len];
}
