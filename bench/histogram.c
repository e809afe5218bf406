// histogram.c: quantiles of the buckets.
#include "bench/histogram.h"

void bench_histogram_merge(struct histogram *into, const struct histogram *from) {
  for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) into->buckets[i] += from->buckets[i];
  into->count += from->count;
  if (from->max_us > into->max_us) into->max_us = from->max_us;
}

static uint64_t upper_edge_us(unsigned bucket) {
  const unsigned sub = 1u << HISTOGRAM_SUB_BITS;
  if (bucket < 2 * sub) return bucket;
  unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
  uint64_t top = bucket - (shift << HISTOGRAM_SUB_BITS);
  return ((top + 1) << shift) - 1;
}

double bench_histogram_ms(const struct histogram *h, double share) {
  uint64_t wanted = (uint64_t)(share * (double)h->count + 0.5);
  uint64_t seen = 0;
  for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
    seen += h->buckets[i];
    if (seen == 0 || seen < wanted) continue;
    uint64_t us = upper_edge_us(i);
    return (double)(us < h->max_us ? us : h->max_us) / 1000.0;
  }
  return 0;
}
