// metrics.c: keeps figures by name, and sums them up.
#include "bench/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static struct metric *find(const struct metrics *m, const char *subject, const char *field) {
  char name[METRIC_NAME_BYTES];
  snprintf(name, sizeof name, "%s.%s", subject, field);
  for (unsigned i = 0; i < m->count; i++)
    if (strcmp(m->all[i].name, name) == 0) return (struct metric *)&m->all[i];
  return NULL;
}

const struct metric *bench_metrics_find(const struct metrics *m, const char *subject,
                                        const char *field) {
  return find(m, subject, field);
}

void bench_metrics_add(struct metrics *m, const char *subject, const char *field, double value) {
  struct metric *metric = find(m, subject, field);
  if (!metric) {
    assert(m->count < METRICS_MAX);
    metric = &m->all[m->count++];
    snprintf(metric->name, sizeof metric->name, "%s.%s", subject, field);
  }
  assert(metric->count < METRIC_VALUES_MAX);
  metric->values[metric->count++] = value;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double bench_metric_median(const struct metric *m) {
  double sorted[METRIC_VALUES_MAX];
  memcpy(sorted, m->values, sizeof sorted);
  qsort(sorted, m->count, sizeof sorted[0], by_value);
  unsigned middle = m->count / 2;
  return m->count % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double bench_metric_min(const struct metric *m) {
  double least = m->values[0];
  for (unsigned i = 1; i < m->count; i++)
    if (m->values[i] < least) least = m->values[i];
  return least;
}

double bench_metric_max(const struct metric *m) {
  double most = m->values[0];
  for (unsigned i = 1; i < m->count; i++)
    if (m->values[i] > most) most = m->values[i];
  return most;
}

void bench_metrics_json(const struct metrics *m, struct buf *out) {
  BUF_LIT(out, "{");
  for (unsigned i = 0; i < m->count; i++) {
    const struct metric *metric = &m->all[i];
    buf_printf(out, "%s\n  \"%s\":{\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,\"runs\":[",
               i ? "," : "", metric->name, bench_metric_median(metric), bench_metric_min(metric),
               bench_metric_max(metric));
    for (unsigned k = 0; k < metric->count; k++)
      buf_printf(out, "%s%.6g", k ? "," : "", metric->values[k]);
    BUF_LIT(out, "]}");
  }
  BUF_LIT(out, "}");
}
