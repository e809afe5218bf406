// rand.c: unpredictable bytes from the kernel, buffered per thread.
#include "base/rand.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { POOL_BYTES = 4096 };

static _Thread_local struct {
  size_t left;  // unused bytes, at the end of the pool
  unsigned char bytes[POOL_BYTES];
} pool;

static pthread_once_t watching_forks = PTHREAD_ONCE_INIT;

// A child must not hand out the bytes that its parent will.
static void pool_drop(void) { pool.left = 0; }

static void watch_forks(void) { pthread_atfork(NULL, NULL, pool_drop); }

// getrandom fails only when interrupted before it has bytes; anything else is no kernel of ours.
static void kernel_bytes(unsigned char *out, size_t count) {
  while (count) {
    ssize_t got = getrandom(out, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) abort();
    out += got;
    count -= (size_t)got;
  }
}

static void pool_fill(void) {
  pthread_once(&watching_forks, watch_forks);
  kernel_bytes(pool.bytes, sizeof pool.bytes);
  pool.left = sizeof pool.bytes;
}

// Bytes handed out are wiped, so that memory read later does not tell what they were.
void rand_bytes(void *out, size_t count) {
  if (count > POOL_BYTES / 4) {
    kernel_bytes(out, count);
    return;
  }
  if (pool.left < count) pool_fill();
  unsigned char *from = pool.bytes + POOL_BYTES - pool.left;
  memcpy(out, from, count);
  memset(from, 0, count);
  pool.left -= count;
}

uint64_t rand_u64(void) {
  uint64_t value;
  rand_bytes(&value, sizeof value);
  return value;
}

// Draws again what lies past the last whole multiple of the bound: every result is equally likely.
int64_t rand_below(int64_t bound) {
  assert(bound > 0);
  uint64_t range = (uint64_t)bound;
  uint64_t surplus = (UINT64_MAX % range + 1) % range;
  uint64_t value;
  do value = rand_u64();
  while (value > UINT64_MAX - surplus);
  return (int64_t)(value % range);
}
