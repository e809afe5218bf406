// query.c: decodes query parameters and the segments of a path.
#include "http/http.h"

#include "base/utf8.h"

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that the escape at raw.at[i] stands for, or -1.
static int unescape(struct str raw, size_t i) {
  if (raw.len - i < 3) return -1;
  int high = hex_digit(raw.at[i + 1]), low = hex_digit(raw.at[i + 2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

// Text without NUL, which C and PostgreSQL would end it at.
static bool is_text(struct str s) {
  const char *end = s.at + s.len;
  for (const char *at = s.at; at < end;) {
    size_t length = *at ? utf8_length(at, end) : 0;
    if (length == 0) return false;
    at += length;
  }
  return true;
}

// Borrows the text when nothing in it is escaped. `blank` is the character that stands for one.
static bool decode(struct arena *a, struct str raw, char blank, struct str *out) {
  size_t plain = 0;
  while (plain < raw.len && raw.at[plain] != '%' && raw.at[plain] != blank) plain++;
  *out = raw;
  if (plain == raw.len) return is_text(raw);
  char *text = arena_alloc(a, raw.len);
  size_t len = 0;
  for (size_t i = 0; i < raw.len; i++) {
    int c = raw.at[i] == blank ? ' ' : (unsigned char)raw.at[i];
    if (c == '%') {
      c = unescape(raw, i);
      if (c < 0) return false;
      i += 2;
    }
    text[len++] = (char)c;
  }
  *out = (struct str){text, len};
  return is_text(*out);
}

bool http_path_decode(struct arena *a, struct str segment, struct str *out) {
  return decode(a, segment, ' ', out);
}

// A plus is a blank, as forms and URLSearchParams write it.
bool http_query_next(struct http_request *r, struct str *cursor, struct str *name,
                     struct str *value, bool *bad) {
  struct str pair = {"", 0};
  while (pair.len == 0) {
    if (str_is_none(*cursor)) return false;
    pair = str_cut(cursor, '&');
  }
  struct str raw_value = pair, raw_name = str_cut(&raw_value, '=');
  if (str_is_none(raw_value)) raw_value = STR("");
  bool name_good = decode(&r->arena, raw_name, '+', name);
  bool value_good = decode(&r->arena, raw_value, '+', value);
  if (bad && !(name_good && value_good)) *bad = true;
  return true;
}

struct str http_query(struct http_request *r, struct str name, bool *bad) {
  struct str cursor = r->query, found, value;
  bool found_bad = false;
  while (http_query_next(r, &cursor, &found, &value, &found_bad)) {
    if (str_eq(found, name)) {
      if (bad && found_bad) *bad = true;
      return value;
    }
    found_bad = false;
  }
  return STR_NONE;
}
