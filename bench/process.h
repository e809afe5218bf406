// process.h: what a process has used so far, as the kernel counts it.
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_usage {
  int64_t cpu_us;       // of all threads that live now
  int64_t write_bytes;  // that had to reach a disk
  int64_t switches;     // times that a thread gave up its core to wait
  int64_t resident_kb, resident_peak_kb;
};

// False: there is no such process, or its figures may not be read. Fields not known are 0.
bool bench_process_read(pid_t pid, struct process_usage *out);

// Time that all cores together have been busy, with whatever; 0 when that is not known.
int64_t bench_process_busy_us(void);

#endif
