// report.h: what was measured, as text, Markdown or JSON, and the verdict on each figure.
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/driver.h"
#include "bench/latency.h"
#include "bench/machine.h"
#include "bench/metrics.h"

// Takes the figures of one run into the metrics, under the profile's name.
void bench_report_note(struct metrics *m, const struct profile *profile,
                       const struct run_result *run);
void bench_report_note_latency(struct metrics *m, const struct latency_result *run);

// The figures of one subject, one a line.
void bench_report_text(const struct metrics *m, const char *subject, struct buf *out);

// What the tables of a whole suite need to know besides the metrics.
struct report_frame {
  struct machine machine;
  const char *origin;  // of the program: its commit, the libraries it loads; may be ""
  char store[64];      // as the server names it; "" when it does not
  unsigned runs;
  double window_s;
  long preloaded;  // rows in the stores that are not empty
};

void bench_report_markdown(const struct metrics *m, const struct report_frame *frame,
                           struct buf *out);
void bench_report_json(const struct metrics *m, const struct report_frame *frame, struct buf *out);

#endif
