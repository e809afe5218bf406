// metrics.h: named figures, each with the values of several runs.
#ifndef BENCH_METRICS_H
#define BENCH_METRICS_H

#include "base/buf.h"

enum { METRIC_NAME_BYTES = 64, METRIC_VALUES_MAX = 16, METRICS_MAX = 512 };

struct metric {
  char name[METRIC_NAME_BYTES];  // "life3.tasks_per_s"
  unsigned count;
  double values[METRIC_VALUES_MAX];
};

struct metrics {
  unsigned count;
  struct metric all[METRICS_MAX];
};

// Adds a value to the metric "SUBJECT.FIELD"; the first one creates it.
void bench_metrics_add(struct metrics *m, const char *subject, const char *field, double value);

// NULL: never measured.
const struct metric *bench_metrics_find(const struct metrics *m, const char *subject,
                                        const char *field);

double bench_metric_median(const struct metric *m);
double bench_metric_min(const struct metric *m);
double bench_metric_max(const struct metric *m);

// {"life3.tasks_per_s":{"median":…,"min":…,"max":…,"runs":[…]}, …}
void bench_metrics_json(const struct metrics *m, struct buf *out);

#endif
