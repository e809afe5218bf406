// counts.h: what the server says about itself: its tasks by status, its commits.
#ifndef BENCH_COUNTS_H
#define BENCH_COUNTS_H

#include "bench/wire.h"

struct counts {
  int64_t total, pending, running, completed;
};
MUST_USE enum err bench_counts_read(const struct endpoint *to, struct counts *out,
                                    struct fault *why);

// GET /health, as far as it is told: a server that does not count its commits leaves `known` false.
struct health {
  bool known;
  int64_t commits, items;  // units of work made durable, and the items in them
  char version[64], store[64];
};
MUST_USE enum err bench_health_read(const struct endpoint *to, struct health *out,
                                    struct fault *why);
// Whether several servers may work on its store.
bool bench_health_is_shared(const struct health *h);

#endif
