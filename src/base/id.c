// id.c: UUID version 7, its text, its integer key.
#include "base/id.h"

#include "base/rand.h"

#define VERSION_BITS 0x7000U
#define VARIANT_BITS (UINT64_C(2) << 62)

// Where the text has its dashes, and where the two digits of each byte start.
static const unsigned char dashes[] = {8, 13, 18, 23};
static const unsigned char pairs[] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

struct id id_from_key(int64_t key, uint64_t lo) {
  uint64_t k = (uint64_t)key;
  return (struct id){k >> 12 << 16 | VERSION_BITS | (k & 0xfff), lo};
}

// More than 4096 ids in one millisecond, or as many as a share has, borrow from the next one.
struct id id_next(struct id_source *source, int64_t now_ms) {
  int64_t key = id_key_from_ms(now_ms);
  if (key <= source->last) key = source->last + 1;
  if (source->shares)
    key += (source->share + source->shares - key % source->shares) % source->shares;
  source->last = key;
  return id_from_key(key, VARIANT_BITS | rand_u64() >> 2);
}

void id_text(struct id id, char out[ID_TEXT_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  for (unsigned i = 0; i < sizeof dashes; i++) out[dashes[i]] = '-';
  for (unsigned i = 0; i < sizeof pairs; i++) {
    uint64_t half = i < 8 ? id.hi : id.lo;
    unsigned byte = half >> (56 - i % 8 * 8) & 0xff;
    out[pairs[i]] = digits[byte >> 4];
    out[pairs[i] + 1] = digits[byte & 0xf];
  }
}

static unsigned hex_value(char c) {
  if (c >= '0' && c <= '9') return (unsigned)(c - '0');
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 0x100;
}

bool id_parse(struct str text, struct id *out) {
  if (text.len != ID_TEXT_BYTES) return false;
  for (unsigned i = 0; i < sizeof dashes; i++)
    if (text.at[dashes[i]] != '-') return false;
  uint64_t half[2] = {0, 0};
  for (unsigned i = 0; i < sizeof pairs; i++) {
    const char *pair = text.at + pairs[i];
    unsigned byte = hex_value(pair[0]) << 4 | hex_value(pair[1]);
    if (byte > 0xff) return false;
    half[i / 8] = half[i / 8] << 8 | byte;
  }
  if ((half[0] & 0xf000) != VERSION_BITS || half[1] >> 62 != VARIANT_BITS >> 62) return false;
  *out = (struct id){half[0], half[1]};
  return true;
}
