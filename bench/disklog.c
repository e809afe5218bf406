// disklog.c: append, fdatasync, again.
#include "bench/disklog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

static enum err append(int file, const char *at, size_t bytes, struct fault *why) {
  while (bytes > 0) {
    ssize_t n = write(file, at, bytes);
    if (n < 0) return fault_set(why, ERR_STORE_BROKEN, "cannot write: %s", strerror(errno));
    at += n;
    bytes -= (size_t)n;
  }
  if (fdatasync(file) == 0) return ERR_OK;
  return fault_set(why, ERR_STORE_BROKEN, "cannot sync: %s", strerror(errno));
}

static enum err append_for(int file, size_t bytes, double seconds, struct disklog_result *out,
                           struct fault *why) {
  char *group = mem_alloc(bytes);
  memset(group, 'x', bytes);
  int64_t begin_us = clock_mono_us(), now_us = begin_us;
  int64_t end_us = begin_us + (int64_t)(seconds * 1e6);
  enum err err = ERR_OK;
  while (now_us < end_us && err == ERR_OK) {
    int64_t start_us = now_us;
    err = append(file, group, bytes, why);
    now_us = clock_mono_us();
    bench_histogram_add(&out->sync, now_us - start_us);
  }
  out->groups_per_s = (double)out->sync.count * 1e6 / (double)(now_us - begin_us + 1);
  mem_free(group);
  return err;
}

enum err bench_disklog_run(const char *directory, unsigned group, double seconds,
                           struct disklog_result *out, struct fault *why) {
  char path[512];
  memset(out, 0, sizeof *out);
  snprintf(path, sizeof path, "%s/bare.log", directory);
  int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0)
    return fault_set(why, ERR_STORE_BROKEN, "cannot create %s: %s", path, strerror(errno));
  enum err err = append_for(file, (size_t)group * DISKLOG_ITEM_BYTES, seconds, out, why);
  close(file);
  unlink(path);
  return err;
}
