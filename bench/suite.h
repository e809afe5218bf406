// suite.h: all profiles in one go, against servers of its own.
#ifndef BENCH_SUITE_H
#define BENCH_SUITE_H

#include "bench/report.h"

struct suite_plan {
  const char *directory;  // where the stores go; on a disk
  const char *program;    // the server's program
  const char *origin;     // what the report says of it: commit, libraries; may be ""
  unsigned runs;          // of each profile, at most METRIC_VALUES_MAX
  double warmup_s, window_s;
  double latency_s, idle_s, log_s;
  long preload;  // rows in the stores that are not empty
};

extern const struct suite_plan bench_suite_full, bench_suite_quick;

// Runs everything, telling on standard error what it does. Anything wrong (an answer, a count, a
// server that does not come up) ends it; figures that are not reached do not.
MUST_USE enum err bench_suite_run(const struct suite_plan *plan, struct metrics *m,
                                  struct report_frame *frame, struct fault *why);

#endif
