// command.c: `taskyard bench`: one profile against a running server, or the whole suite.
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/options.h"
#include "bench/idle.h"
#include "bench/process.h"
#include "bench/suite.h"

enum { EXIT_WRONG = 1, EXIT_USAGE = 64, EXIT_UNREACHABLE = 69, COMMAND_TEXT_BYTES = 1 << 20 };

static const struct option_spec bench_options[] = {
    {"url", 'u', "URL",
     "the running server (TASKYARD_URL, or http://127.0.0.1:8503); again: further servers of the "
     "same store"},
    {"key", 'k', "KEY", "its API key (TASKYARD_KEY)"},
    {"profile", 'p', "NAME", "what to run; see --list (create)"},
    {"connections", 'c', "N", "instead of the profile's"},
    {"batch", 'b', "N", "tasks a request, instead of the profile's"},
    {"minimal", 'm', NULL, "ask for minimal answers"},
    {"seconds", 's', "S", "length of the measured window (6)"},
    {"parts", 0, "S", "report the window in parts of so many seconds too, 16 at most"},
    {"warmup", 0, "S", "seconds before it (2)"},
    {"preload", 0, "N",
     "rows that the store is to hold before, where the profile asks for them (1000000)"},
    {"pid", 0, "PID", "the server's process, to count its CPU time; again: of further servers"},
    {"json", 0, NULL, "print JSON"},
    {"list", 'l', NULL, "list the profiles"},
    {"suite", 0, NULL, "run all profiles against servers of its own and judge the figures"},
    {"quick", 'q', NULL, "with --suite: short runs and small stores"},
    {"runs", 0, "N", "with --suite: runs of each profile (3; quick: 1)"},
    {"dir", 'd', "DIR", "with --suite: where the stores go, on a disk (build)"},
    {"server", 0, "PROGRAM", "with --suite: the server's program (this one)"},
    {"origin", 0, "TEXT",
     "with --suite: what its report says of the program's commit and libraries (bench/versions)"},
    {0}};

static const char *const bench_examples[] = {
    "taskyard bench --profile life2 --seconds 10",
    "taskyard bench --profile create --connections 256 --json", "taskyard bench --suite --quick",
    NULL};

const struct option_command bench_usage = {
    .usage = "taskyard bench [OPTION]…",
    .summary =
        "Measures a server, and checks afterwards that its counts are those of the answers.\n"
        "It creates tasks of the types bench-0 … bench-4: use a store of its own.",
    .options = bench_options,
    .examples = bench_examples};

// Profiles of another kind than a closed loop.
static const char *const special_profiles[][2] = {
    {"latency", "submit to handler start: 100 tasks/s, one idle long-polling worker"},
    {"idle", "what the server uses while nothing happens (needs --pid)"},
    {"fill-completed", "nothing but --preload completed tasks, in batches"},
    {"fill-pending", "nothing but --preload pending tasks, in batches"}};
enum { SPECIAL_PROFILES = sizeof special_profiles / sizeof special_profiles[0] };

struct bench {
  const struct options *given;
  struct endpoint endpoints[DRIVER_SERVERS_MAX];
  size_t endpoint_count;
  pid_t pids[DRIVER_SERVERS_MAX];
  size_t pid_count;
  int64_t seconds, parts, warmup, preload;
  struct metrics *metrics;
};

// --- one profile ---------------------------------------------------------------------------------

static enum err run_closed(struct bench *b, const struct profile *found, struct fault *why) {
  int64_t connections = found->connections, batch = found->batch;
  TRY(options_i64(b->given, "connections", 1, 10000, &connections, why));
  TRY(options_i64(b->given, "batch", 1, TALK_BATCH_MAX, &batch, why));
  struct run_plan plan = {.endpoints = b->endpoints,
                          .endpoint_count = b->endpoint_count,
                          .profile = *found,
                          .warmup_s = (double)b->warmup,
                          .window_s = (double)b->seconds,
                          .part_s = (double)b->parts,
                          .server_pids = b->pids,
                          .server_pid_count = b->pid_count};
  plan.profile.connections = (unsigned)connections;
  plan.profile.batch = (unsigned)batch;
  if (options_has(b->given, "minimal")) plan.profile.minimal = true;
  TRY(bench_preload(&b->endpoints[0], found->preload, b->preload, why));
  struct run_result *result = mem_alloc(sizeof *result);
  enum err err = bench_run(&plan, result, why);
  if (result->seconds > 0) bench_report_note(b->metrics, found, result);
  mem_free(result);
  return err;
}

static enum err run_latency(struct bench *b, struct fault *why) {
  struct latency_result *result = mem_alloc(sizeof *result);
  enum err err = bench_latency_run(&b->endpoints[0], (double)b->seconds, result, why);
  if (err == ERR_OK) bench_report_note_latency(b->metrics, result);
  mem_free(result);
  return err;
}

static enum err run_idle(struct bench *b, struct fault *why) {
  struct idle_result idle;
  struct process_usage usage;
  if (!b->pid_count || !bench_process_read(b->pids[0], &usage))
    return fault_set(why, ERR_INVALID, "idle needs --pid, the process of the server");
  TRY(bench_idle_run(&b->endpoints[0], b->pids[0], (double)b->seconds, &idle, why));
  bench_metrics_add(b->metrics, "idle", "cpu_percent", idle.cpu_percent);
  bench_metrics_add(b->metrics, "idle", "write_bytes", idle.write_bytes);
  bench_metrics_add(b->metrics, "idle", "switches_per_s", idle.switches_per_s);
  bench_metrics_add(b->metrics, "idle", "resident_mb", (double)usage.resident_kb / 1024);
  return ERR_OK;
}

static enum err run_fill(struct bench *b, const char *name, enum preload kind, struct fault *why) {
  int64_t begin_us = clock_mono_us();
  TRY(bench_preload(&b->endpoints[0], kind, b->preload, why));
  bench_metrics_add(b->metrics, name, "seconds", (double)(clock_mono_us() - begin_us) / 1e6);
  return ERR_OK;
}

static enum err run_named(struct bench *b, const char *name, struct fault *why) {
  if (strcmp(name, "fill-completed") == 0) return run_fill(b, name, PRELOAD_COMPLETED, why);
  if (strcmp(name, "fill-pending") == 0) return run_fill(b, name, PRELOAD_PENDING, why);
  if (strcmp(name, "latency") == 0) return run_latency(b, why);
  if (strcmp(name, "idle") == 0) return run_idle(b, why);
  const struct profile *found = bench_profile_find(str_of(name));
  if (found) return run_closed(b, found, why);
  return fault_set(why, ERR_INVALID, "there is no profile %s; see --list", name);
}

static const char *value_or(const struct options *given, const char *option, const char *variable,
                            const char *otherwise) {
  const char *value = options_value(given, option);
  if (!value) value = getenv(variable);
  return value ? value : otherwise;
}

static enum err find_processes(struct bench *b, struct fault *why) {
  const char *value;
  for (size_t at = 0; options_next(b->given, "pid", &at, &value);) {
    int64_t pid;
    if (!str_to_i64(str_of(value), &pid) || pid < 1 || pid > INT32_MAX)
      return fault_set(why, ERR_INVALID, "--pid takes the number of a process, not %s", value);
    if (b->pid_count == DRIVER_SERVERS_MAX)
      return fault_set(why, ERR_INVALID, "--pid can be given %d times", DRIVER_SERVERS_MAX);
    b->pids[b->pid_count++] = (pid_t)pid;
  }
  return ERR_OK;
}

static enum err find_servers(struct bench *b, struct fault *why) {
  struct str key = str_of(value_or(b->given, "key", "TASKYARD_KEY", NULL));
  const char *url = value_or(b->given, "url", "TASKYARD_URL", "http://127.0.0.1:8503");
  TRY(find_processes(b, why));
  if (!options_has(b->given, "url")) {
    b->endpoint_count = 1;
    return bench_endpoint_parse(str_of(url), key, &b->endpoints[0], why);
  }
  for (size_t at = 0; options_next(b->given, "url", &at, &url);) {
    if (b->endpoint_count == DRIVER_SERVERS_MAX)
      return fault_set(why, ERR_INVALID, "--url can be given %d times", DRIVER_SERVERS_MAX);
    TRY(bench_endpoint_parse(str_of(url), key, &b->endpoints[b->endpoint_count++], why));
  }
  return ERR_OK;
}

static enum err run_one(const struct options *given, struct metrics *m, struct buf *out,
                        struct fault *why) {
  struct bench b = {.given = given, .seconds = 6, .warmup = 2, .preload = 1000000, .metrics = m};
  const char *name = options_value(given, "profile");
  if (!name) name = "create";
  TRY(options_i64(given, "seconds", 1, 3600, &b.seconds, why));
  TRY(options_i64(given, "warmup", 0, 600, &b.warmup, why));
  TRY(options_i64(given, "preload", 0, 100000000, &b.preload, why));
  TRY(options_i64(given, "parts", 0, 3600, &b.parts, why));
  TRY(find_servers(&b, why));
  enum err err = run_named(&b, name, why);
  if (options_has(given, "json")) {
    bench_metrics_json(m, out);
    BUF_LIT(out, "\n");
  } else if (m->count) {
    buf_printf(out, "%s\n", name);
    bench_report_text(m, name, out);
  }
  return err;
}

// --- the suite -----------------------------------------------------------------------------------

static enum err run_suite(const struct options *given, struct metrics *m, struct buf *out,
                          struct fault *why) {
  struct suite_plan plan = options_has(given, "quick") ? bench_suite_quick : bench_suite_full;
  struct report_frame frame;
  int64_t runs = plan.runs, preload = plan.preload;
  TRY(options_i64(given, "runs", 1, METRIC_VALUES_MAX, &runs, why));
  TRY(options_i64(given, "preload", 1, 100000000, &preload, why));
  plan.runs = (unsigned)runs;
  plan.preload = preload;
  plan.directory = options_value(given, "dir") ? options_value(given, "dir") : "build";
  plan.program = options_value(given, "server") ? options_value(given, "server") : "/proc/self/exe";
  plan.origin = options_value(given, "origin") ? options_value(given, "origin") : "";
  enum err err = bench_suite_run(&plan, m, &frame, why);
  if (m->count && options_has(given, "json")) bench_report_json(m, &frame, out);
  if (m->count && !options_has(given, "json")) bench_report_markdown(m, &frame, out);
  return err;
}

// --- the command ---------------------------------------------------------------------------------

static void list(struct buf *out) {
  for (size_t i = 0; i < bench_profile_count; i++)
    buf_printf(out, "%-22s %s\n", bench_profiles[i].name, bench_profiles[i].about);
  for (size_t i = 0; i < SPECIAL_PROFILES; i++)
    buf_printf(out, "%-22s %s\n", special_profiles[i][0], special_profiles[i][1]);
}

static enum err run(const struct options *given, struct buf *out, struct fault *why) {
  struct metrics *m = mem_zero(sizeof *m);
  enum err err =
      options_has(given, "suite") ? run_suite(given, m, out, why) : run_one(given, m, out, why);
  mem_free(m);
  return err;
}

static int answer(int argc, char **argv, struct arena *arena, struct buf *out) {
  struct options given;
  struct fault why = {0};
  enum err err = options_parse(&bench_usage, argc - 1, argv + 1, arena, &given, &why);
  if (err == ERR_OK && given.help)
    options_help(&bench_usage, out);
  else if (err == ERR_OK && options_has(&given, "list"))
    list(out);
  else if (err == ERR_OK)
    err = run(&given, out, &why);
  fwrite(buf_str(out).at, 1, out->len, stdout);
  fflush(stdout);
  if (err == ERR_OK) return 0;
  fprintf(stderr, "taskyard bench: %s\n", why.detail);
  return err == ERR_INVALID ? EXIT_USAGE : err == ERR_UNAVAILABLE ? EXIT_UNREACHABLE : EXIT_WRONG;
}

int bench_command(int argc, char **argv) {
  struct arena arena;
  struct buf out;
  arena_init(&arena, 4096);
  buf_init(&out, COMMAND_TEXT_BYTES);
  int code = answer(argc, argv, &arena, &out);
  buf_fini(&out);
  arena_fini(&arena);
  return code;
}
