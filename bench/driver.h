// driver.h: the closed loop: one thread, one epoll set, C connections that each wait for their
// answer.
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include "bench/histogram.h"
#include "bench/talk.h"

struct run_plan {
  struct endpoint endpoint;
  struct profile profile;
  double warmup_s, window_s;
  uint64_t tasks_max;  // ends the run after so many tasks, whatever the time; 0: only time ends it
  pid_t server_pid;    // whose CPU time is counted; 0: not known
};

// All figures but `tally` and `latency_all` are of the measured window.
struct run_result {
  double seconds;
  uint64_t requests, tasks;
  struct histogram latency[STEP_COUNT];
  double driver_cpu_us, server_cpu_us;  // of a request; 0: not known
  double others_cores;                  // cores that anything else kept busy; -1: not known
  double group;                         // items a commit, by the server's own count; 0: not told
  struct tally tally;                   // of the whole run
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
