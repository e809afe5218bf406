// swar.h: looks at eight bytes of text at once, in one 64-bit word (SIMD within a register).
#ifndef BASE_SWAR_H
#define BASE_SWAR_H

#include <stdint.h>
#include <string.h>

#define SWAR_ONES UINT64_C(0x0101010101010101)
#define SWAR_TOPS UINT64_C(0x8080808080808080)

// Eight bytes, the first one in the lowest bits.
static inline uint64_t swar_load(const char *at) {
  uint64_t word;
  memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

// Which byte of the word is the first whose top bit is set in `hits`, which is not 0.
static inline unsigned swar_first(uint64_t hits) { return (unsigned)__builtin_ctzll(hits) / 8; }

// The tests below set the top bit of the first byte that fits, and perhaps of later ones that do
// not (a borrow runs upwards): only the first hit counts.

static inline uint64_t swar_is(uint64_t word, char c) {
  uint64_t zero_if = word ^ (SWAR_ONES * (unsigned char)c);
  return (zero_if - SWAR_ONES) & ~zero_if & SWAR_TOPS;
}

// ", \, a control character, or not ASCII: what a JSON string cannot pass over.
static inline uint64_t swar_json_special(uint64_t word) {
  uint64_t quote = (word ^ (SWAR_ONES * '"')) - SWAR_ONES;
  uint64_t backslash = (word ^ (SWAR_ONES * '\\')) - SWAR_ONES;
  uint64_t control = word - SWAR_ONES * 0x20;
  return (quote | backslash | control | word) & SWAR_TOPS;
}

#endif
