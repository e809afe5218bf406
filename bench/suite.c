// suite.c: the order of the measurements, chosen so that a drift of the machine hits all alike.
#include "bench/suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench/counts.h"
#include "bench/disklog.h"
#include "bench/idle.h"
#include "bench/process.h"
#include "bench/server.h"

enum {
  GROUP_GUESS = 32,  // operations a commit at 64 connections, for a server that does not count
  GROUP_MAX = 20000,
};

const struct suite_plan bench_suite_full = {.runs = 3,
                                            .warmup_s = 2,
                                            .window_s = 6,
                                            .latency_s = 30,
                                            .idle_s = 10,
                                            .log_s = 1,
                                            .preload = 1000000};
const struct suite_plan bench_suite_quick = {.runs = 1,
                                             .warmup_s = 0.5,
                                             .window_s = 2.5,
                                             .latency_s = 8,
                                             .idle_s = 5,
                                             .log_s = 0.5,
                                             .preload = 100000};

struct suite {
  const struct suite_plan *plan;
  struct metrics *metrics;
  struct server server;
  struct run_result *result;
};

static void tell(const char *format, ...) PRINTF_LIKE(1, 2);
static void tell(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
}

static enum err measure_idle(struct suite *s, const char *subject, struct fault *why) {
  struct idle_result idle;
  tell("%s\n", subject);
  bench_server_settle(&s->server);
  TRY(bench_idle_run(&s->server.endpoint, s->server.pid, s->plan->idle_s, &idle, why));
  bench_metrics_add(s->metrics, subject, "cpu_percent", idle.cpu_percent);
  bench_metrics_add(s->metrics, subject, "write_bytes", idle.write_bytes);
  bench_metrics_add(s->metrics, subject, "switches_per_s", idle.switches_per_s);
  return ERR_OK;
}

// --- one profile ---------------------------------------------------------------------------------

// How near the server came to a log that does nothing but sync groups of the same size.
static enum err compare_with_log(struct suite *s, const struct profile *p, struct fault *why) {
  const struct run_result *r = s->result;
  double guess = p->batch == 1 ? GROUP_GUESS : p->batch;
  double group = r->group >= 1 ? r->group : guess;
  if (group > GROUP_MAX) group = GROUP_MAX;
  struct disklog_result *log = mem_alloc(sizeof *log);
  unsigned whole = (unsigned)(group + 0.5);
  enum err err = bench_disklog_run(s->server.directory, whole, s->plan->log_s, log, why);
  double operations_per_s = (double)r->tasks / r->seconds * bench_profile_operations(p);
  if (err == ERR_OK)
    bench_metrics_add(s->metrics, p->name, "of_bare_log",
                      operations_per_s / (log->groups_per_s * whole));
  mem_free(log);
  return err;
}

static enum err run_profile(struct suite *s, const struct profile *p, struct fault *why) {
  struct run_plan plan = {.endpoints = &s->server.endpoint,
                          .endpoint_count = 1,
                          .profile = *p,
                          .warmup_s = s->plan->warmup_s,
                          .window_s = s->plan->window_s,
                          .server_pids = &s->server.pid,
                          .server_pid_count = 1};
  tell("%-22s ", p->name);
  bench_server_settle(&s->server);
  TRY(bench_run(&plan, s->result, why));
  bench_report_note(s->metrics, p, s->result);
  TRY(compare_with_log(s, p, why));
  tell("%10.0f tasks/s\n", (double)s->result->tasks / s->result->seconds);
  return ERR_OK;
}

static enum err fresh_server(struct suite *s, struct fault *why) {
  TRY(bench_server_stop(&s->server, false, why));
  bench_server_wipe(&s->server);
  return bench_server_start(&s->server, why);
}

static enum err on_empty_stores(struct suite *s, struct fault *why) {
  for (unsigned run = 0; run < s->plan->runs; run++)
    for (size_t i = 0; i < bench_profile_count; i++) {
      if (bench_profiles[i].preload != PRELOAD_NOTHING) continue;
      TRY(fresh_server(s, why));
      TRY(run_profile(s, &bench_profiles[i], why));
    }
  return ERR_OK;
}

// --- full stores ---------------------------------------------------------------------------------

static void note_memory(struct suite *s, const char *subject, const char *field) {
  struct process_usage usage;
  if (bench_process_read(s->server.pid, &usage))
    bench_metrics_add(s->metrics, subject, field, (double)usage.resident_kb / 1024);
}

static enum err restart(struct suite *s, bool kill_it, bool cold, const char *subject,
                        const char *field, struct fault *why) {
  TRY(bench_server_stop(&s->server, kill_it, why));
  if (cold) bench_server_cool(&s->server);
  TRY(bench_server_start(&s->server, why));
  bench_metrics_add(s->metrics, subject, field, s->server.ready_s);
  return ERR_OK;
}

static enum err restarts(struct suite *s, const char *start, const char *memory,
                         struct fault *why) {
  tell("%s\n", start);
  for (unsigned run = 0; run < s->plan->runs; run++) {
    TRY(restart(s, false, false, start, "after_stop_s", why));
    note_memory(s, memory, "restarted_mb");
    TRY(restart(s, true, false, start, "after_kill_s", why));
    TRY(restart(s, false, true, start, "cold_s", why));
  }
  return ERR_OK;
}

static enum err on_full_store(struct suite *s, enum preload kind, struct fault *why) {
  bool pending = kind == PRELOAD_PENDING;
  const char *memory = pending ? "memory-pending" : "memory-completed";
  TRY(fresh_server(s, why));
  note_memory(s, memory, "empty_mb");
  tell("loading %ld %s tasks\n", s->plan->preload, pending ? "pending" : "completed");
  int64_t begin_us = clock_mono_us();
  TRY(bench_preload(&s->server.endpoint, kind, s->plan->preload, why));
  bench_metrics_add(s->metrics, pending ? "load-pending" : "load-completed", "seconds",
                    (double)(clock_mono_us() - begin_us) / 1e6);
  note_memory(s, memory, "loaded_mb");
  for (unsigned run = 0; run < s->plan->runs; run++)
    for (size_t i = 0; i < bench_profile_count; i++)
      if (bench_profiles[i].preload == kind) TRY(run_profile(s, &bench_profiles[i], why));
  note_memory(s, memory, "after_runs_mb");
  TRY(restarts(s, pending ? "start-pending" : "start-completed", memory, why));
  return pending ? measure_idle(s, "idle-pending", why) : ERR_OK;
}

// --- the rest ------------------------------------------------------------------------------------

static enum err measure_log(struct suite *s, struct fault *why) {
  static const unsigned groups[] = {1, 32, 100, 1000};
  struct disklog_result *log = mem_alloc(sizeof *log);
  enum err err = ERR_OK;
  tell("bare log\n");
  for (size_t i = 0; i < sizeof groups / sizeof groups[0] && err == ERR_OK; i++) {
    char subject[32];
    snprintf(subject, sizeof subject, "bare-log-%u", groups[i]);
    err = bench_disklog_run(s->server.directory, groups[i], s->plan->log_s, log, why);
    if (err != ERR_OK) break;
    bench_metrics_add(s->metrics, subject, "syncs_per_s", log->groups_per_s);
    bench_metrics_add(s->metrics, subject, "items_per_s", log->groups_per_s * groups[i]);
    bench_metrics_add(s->metrics, subject, "p50_ms", bench_histogram_ms(&log->sync, 0.5));
    bench_metrics_add(s->metrics, subject, "p99_ms", bench_histogram_ms(&log->sync, 0.99));
  }
  mem_free(log);
  return err;
}

static enum err measure_latency(struct suite *s, struct fault *why) {
  struct latency_result *result = mem_alloc(sizeof *result);
  enum err err = fresh_server(s, why);
  tell("latency\n");
  for (unsigned run = 0; run < s->plan->runs && err == ERR_OK; run++) {
    bench_server_settle(&s->server);
    err = bench_latency_run(&s->server.endpoint, s->plan->latency_s, result, why);
    if (err == ERR_OK) bench_report_note_latency(s->metrics, result);
  }
  mem_free(result);
  return err;
}

static void measure_binary(struct suite *s) {
  size_t bytes = bench_machine_stripped_bytes(s->plan->program, s->server.directory);
  if (bytes) bench_metrics_add(s->metrics, "binary", "stripped_mb", (double)bytes / (1 << 20));
}

static enum err run_all(struct suite *s, struct report_frame *frame, struct fault *why) {
  struct health health;
  measure_binary(s);
  TRY(measure_log(s, why));
  TRY(fresh_server(s, why));
  TRY(measure_idle(s, "idle", why));
  TRY(bench_health_read(&s->server.endpoint, &health, why));
  snprintf(frame->store, sizeof frame->store, "%s", health.store);
  TRY(measure_latency(s, why));
  TRY(on_empty_stores(s, why));
  TRY(measure_log(s, why));
  TRY(on_full_store(s, PRELOAD_COMPLETED, why));
  TRY(on_full_store(s, PRELOAD_PENDING, why));
  TRY(measure_log(s, why));
  return bench_server_stop(&s->server, false, why);
}

enum err bench_suite_run(const struct suite_plan *plan, struct metrics *m,
                         struct report_frame *frame, struct fault *why) {
  struct suite s = {.plan = plan, .metrics = m};
  *frame = (struct report_frame){.origin = plan->origin,
                                 .runs = plan->runs,
                                 .window_s = plan->window_s,
                                 .preloaded = plan->preload};
  TRY(bench_server_prepare(&s.server, plan->directory, plan->program, why));
  bench_machine_read(s.server.directory, &frame->machine);
  s.result = mem_alloc(sizeof *s.result);
  enum err err = run_all(&s, frame, why);
  mem_free(s.result);
  if (err == ERR_OK)
    bench_server_discard(&s.server);
  else
    bench_server_abandon(&s.server);
  return err;
}
