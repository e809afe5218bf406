// utf8.h: finds the characters of UTF-8 text (RFC 3629).
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

// Length in bytes, 1 to 4, of the character at `at`; 0 when the bytes up to `end` do not start with
// a valid one (overlong forms, surrogates and what lies past U+10FFFF are not). `at` < `end`.
static inline size_t utf8_length(const char *at, const char *end) {
  const unsigned char *p = (const unsigned char *)at;
  size_t left = (size_t)(end - at);
  if (p[0] < 0x80) return 1;
  if (p[0] < 0xc2 || p[0] > 0xf4 || left < 2 || (p[1] & 0xc0) != 0x80) return 0;
  if (p[0] < 0xe0) return 2;
  if (left < 3 || (p[2] & 0xc0) != 0x80) return 0;
  if (p[0] < 0xf0) {
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    return 3;
  }
  if (left < 4 || (p[3] & 0xc0) != 0x80) return 0;
  if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
  return 4;
}

#endif
