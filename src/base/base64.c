// base64.c: base64url to bytes.
#include "base/base64.h"

// The value of a letter, 64 for what is none.
static unsigned letter(char c) {
  if (c >= 'A' && c <= 'Z') return (unsigned)(c - 'A');
  if (c >= 'a' && c <= 'z') return (unsigned)(c - 'a') + 26;
  if (c >= '0' && c <= '9') return (unsigned)(c - '0') + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : 64;
}

bool base64url_decode(struct arena *a, struct str text, struct str *out) {
  if (text.len % 4 == 1) return false;
  char *bytes = arena_alloc(a, text.len / 4 * 3 + 3);
  size_t len = 0;
  unsigned bits = 0, count = 0;  // read, and not a whole byte yet
  for (size_t i = 0; i < text.len; i++) {
    unsigned value = letter(text.at[i]);
    if (value == 64) return false;
    bits = (bits << 6 | value) & 0xfff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[len++] = (char)(bits >> count & 0xff);
  }
  if (bits & ((1U << count) - 1)) return false;
  *out = (struct str){bytes, len};
  return true;
}
