// driver.h: the closed loop: one thread, one epoll set, C connections that each wait for their
// answer.
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include "bench/histogram.h"
#include "bench/talk.h"

enum { DRIVER_SERVERS_MAX = 8, DRIVER_PARTS_MAX = 16 };

struct run_plan {
  const struct endpoint *endpoints;  // servers of one store; connections go to them in turn
  size_t endpoint_count;
  struct profile profile;
  double warmup_s, window_s;
  double part_s;       // the window is also reported in parts of this length; 0: it is not
  uint64_t tasks_max;  // ends the run after so many tasks, whatever the time; 0: only time ends it
  const pid_t *server_pids;  // whose CPU time is counted
  size_t server_pid_count;   // 0: not known
};

// A part of the window.
struct run_part {
  double tasks_per_s;
  double p99_ms;  // of requests that claim; of a way without claims, of those that create
};

// All figures but `tally` and `latency_all` are of the measured window.
struct run_result {
  double seconds;
  uint64_t requests, tasks;
  struct histogram latency[STEP_COUNT];
  double driver_cpu_us, server_cpu_us;  // of a request; 0: not known
  double others_cores;                  // cores that anything else kept busy; -1: not known
  double group;                         // items a commit, by the server's own count; 0: not told
  struct run_part parts[DRIVER_PARTS_MAX];
  unsigned part_count;
  struct tally tally;  // of the whole run
  uint64_t errors;
  char first_error[256];  // the first answer that was not as it should be; "" when all were
};

// Runs the plan and then compares the server's counts with what it acknowledged. ERR_OK only when
// every answer was right and the counts agree; else `why` says what was not, and `out` holds what
// was measured. Large: keep it off the stack.
MUST_USE enum err bench_run(const struct run_plan *plan, struct run_result *out, struct fault *why);

// Brings the store to at least `tasks` tasks that are completed or pending.
MUST_USE enum err bench_preload(const struct endpoint *to, enum preload kind, int64_t tasks,
                                struct fault *why);

#endif
