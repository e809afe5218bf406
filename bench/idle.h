// idle.h: what a server costs while nothing happens.
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

#include <sys/types.h>

#include "bench/wire.h"

struct idle_result {
  double cpu_percent;     // of one core
  double write_bytes;     // that had to reach a disk, over the whole time
  double switches_per_s;  // times a thread woke up and went back to wait
};

// Watches the process for `seconds` while one worker waits in a long poll for a type that has no
// tasks.
MUST_USE enum err bench_idle_run(const struct endpoint *to, pid_t server, double seconds,
                                 struct idle_result *out, struct fault *why);

#endif
