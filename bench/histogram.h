// histogram.h: how long requests took, in buckets whose width is 1/32 of their value.
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
  HISTOGRAM_SUB_BITS = 5,  // 32 buckets for each power of two: a quantile is at most 3.2 % too high
  HISTOGRAM_VALUE_BITS = 36,  // longer than 19 hours counts as 19 hours
  HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
};

// Zero-initialised is empty.
struct histogram {
  uint64_t count;
  uint64_t max_us;
  uint64_t buckets[HISTOGRAM_BUCKETS];
};

// Values below 32 µs have a bucket each; from there on the top six bits choose it.
static inline unsigned histogram_bucket(uint64_t us) {
  if (us < 1u << HISTOGRAM_SUB_BITS) return (unsigned)us;
  unsigned shift = 63u - (unsigned)__builtin_clzll(us) - HISTOGRAM_SUB_BITS;
  return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(us >> shift);
}

static inline void bench_histogram_add(struct histogram *h, int64_t us) {
  const uint64_t longest = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;
  uint64_t value = us < 0 ? 0 : (uint64_t)us > longest ? longest : (uint64_t)us;
  h->buckets[histogram_bucket(value)]++;
  h->count++;
  if (value > h->max_us) h->max_us = value;
}

void bench_histogram_merge(struct histogram *into, const struct histogram *from);

// The value that `share` (0…1) of all do not exceed, in milliseconds: the upper edge of its bucket,
// so never flattering. 0 when empty.
double bench_histogram_ms(const struct histogram *h, double share);

#endif
