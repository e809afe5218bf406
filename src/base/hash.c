// hash.c: digests by OpenSSL, checksums by hand.
#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t ready = PTHREAD_ONCE_INIT;
static pthread_key_t contexts;  // frees a thread's context when the thread ends
static EVP_MD *sha256;          // fetched once: a fetch costs more than a short digest

static _Thread_local EVP_MD_CTX *context;

static void context_free(void *ctx) { EVP_MD_CTX_free(ctx); }

// OpenSSL reports lack of memory and a broken installation here; neither can be gone on with.
static void must(bool ok) {
  if (!ok) abort();
}

static void get_ready(void) {
  must(pthread_key_create(&contexts, context_free) == 0);
  sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  must(sha256 != NULL);
}

static EVP_MD_CTX *thread_context(void) {
  if (context) return context;
  pthread_once(&ready, get_ready);
  context = EVP_MD_CTX_new();
  must(context != NULL);
  must(pthread_setspecific(contexts, context) == 0);
  return context;
}

void hash_sha256(struct str data, uint8_t out[SHA256_BYTES]) {
  EVP_MD_CTX *ctx = thread_context();
  must(EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
  must(EVP_DigestUpdate(ctx, data.at, data.len) == 1);
  must(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
}

bool hash_equal(const void *a, const void *b, size_t count) {
  return CRYPTO_memcmp(a, b, count) == 0;
}

static pthread_once_t crc_ready = PTHREAD_ONCE_INIT;
static uint32_t crc_table[256];

static void crc_fill(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320U : crc >> 1;
    crc_table[byte] = crc;
  }
}

uint32_t hash_crc32(struct str data) {
  pthread_once(&crc_ready, crc_fill);
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < data.len; i++)
    crc = crc >> 8 ^ crc_table[(crc ^ (uint8_t)data.at[i]) & 0xff];
  return ~crc;
}

uint64_t hash_fast(struct str data) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (size_t i = 0; i < data.len; i++) {
    hash ^= (uint8_t)data.at[i];
    hash *= 0x100000001b3U;
  }
  return hash;
}
