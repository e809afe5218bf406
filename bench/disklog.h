// disklog.h: the yardstick: a bare log that appends a group and makes it durable, and does nothing
// else.
#ifndef BENCH_DISKLOG_H
#define BENCH_DISKLOG_H

#include "base/err.h"
#include "bench/histogram.h"

enum { DISKLOG_ITEM_BYTES = 450 };  // what a task's row and its event come to, about

struct disklog_result {
  double groups_per_s;
  struct histogram sync;  // one write and its fdatasync
};

// Appends groups of `group` items to a new file in `directory` for `seconds`, then removes it.
MUST_USE enum err bench_disklog_run(const char *directory, unsigned group, double seconds,
                                    struct disklog_result *out, struct fault *why);

#endif
