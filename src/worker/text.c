// text.c: makes clean, bounded UTF-8 of the bytes that a program printed.
#include "worker/text.h"

#include "base/utf8.h"

static struct str clean(struct arena *a, struct str raw) {
  static const char replacement[] = "\xef\xbf\xbd";  // U+FFFD
  char *text = arena_alloc(a, raw.len * 3 + 1), *to = text;
  const char *end = raw.at + raw.len;
  for (const char *at = raw.at; at < end;) {
    size_t len = *at == '\0' ? 0 : utf8_length(at, end);
    memcpy(to, len ? at : replacement, len ? len : 3);
    to += len ? len : 3;
    at += len ? len : 1;
  }
  *to = '\0';
  return (struct str){text, (size_t)(to - text)};
}

static bool continues(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

struct str text_head(struct arena *a, struct str raw, size_t bytes_max) {
  struct str text = clean(a, raw);
  if (text.len <= bytes_max) return text;
  text.len = bytes_max;
  while (text.len > 0 && continues(text.at[text.len])) text.len--;
  return text;
}

struct str text_tail(struct arena *a, struct str raw, size_t bytes_max) {
  struct str text = clean(a, raw);
  if (text.len <= bytes_max) return text;
  size_t start = text.len - bytes_max;
  while (start < text.len && continues(text.at[start])) start++;
  return str_from(text, start);
}
