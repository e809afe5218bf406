// latency.h: how long it takes from sending a task until an idle worker has it.
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include "bench/histogram.h"
#include "bench/wire.h"

enum { LATENCY_TASKS_PER_S = 100 };

struct latency_result {
  uint64_t tasks;
  struct histogram start;   // create sent → claim answered
  struct histogram create;  // create sent → create answered
};

// One worker connection that claims with a long poll, completes, and claims again; a producer in an
// open loop, which sends at its due times whether answered or not. Every task must have reached the
// worker exactly once at the end.
MUST_USE enum err bench_latency_run(const struct endpoint *to, double seconds,
                                    struct latency_result *out, struct fault *why);

#endif
