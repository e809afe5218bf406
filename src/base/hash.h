// hash.h: digests. OpenSSL is caged in hash.c.
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

enum { SHA256_BYTES = 32 };

void hash_sha256(struct str data, uint8_t out[SHA256_BYTES]);
bool hash_equal(const void *a, const void *b, size_t count);  // in constant time
uint32_t hash_crc32(struct str data);                         // IEEE 802.3, as in zlib
uint64_t hash_fast(struct str data);  // FNV-1a 64; stores keep it. Not against forgery

#endif
