// preload.c: fills a store through the API, with the same conversations that the profiles have.
#include "base/mem.h"
#include "bench/counts.h"
#include "bench/driver.h"

enum { PRELOAD_SECONDS_MAX = 900 };

enum err bench_preload(const struct endpoint *to, enum preload kind, int64_t tasks,
                       struct fault *why) {
  struct counts counts;
  TRY(bench_counts_read(to, &counts, why));
  int64_t there = kind == PRELOAD_COMPLETED ? counts.completed : counts.pending;
  if (kind == PRELOAD_NOTHING || there >= tasks) return ERR_OK;
  struct run_plan plan = {
      .endpoints = to,
      .endpoint_count = 1,
      .profile = {.name = "preload",
                  .way = kind == PRELOAD_COMPLETED ? WAY_LIFE2 : WAY_CREATE,
                  .connections = 4,
                  .batch = TALK_BATCH_MAX,
                  .minimal = true},
      .window_s = PRELOAD_SECONDS_MAX,
      .tasks_max = (uint64_t)(tasks - there),
  };
  struct run_result *result = mem_alloc(sizeof *result);
  enum err err = bench_run(&plan, result, why);
  mem_free(result);
  return err;
}
