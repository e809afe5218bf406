// driver.c: the loop itself. What it costs is reported with each run, so it is kept short.
#include "bench/driver.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench/counts.h"
#include "bench/process.h"

enum {
  DRIVER_EVENTS = 256,
  DRIVER_SILENCE_MS = 15000,  // no answer at all for so long ends the run
  DRIVER_ERRORS_MAX = 100,    // so many wrong answers, too
  DRIVER_QUOTE_BYTES = 160,   // of a wrong answer, so that it fits into a fault
};

enum phase { PHASE_WARMUP, PHASE_WINDOW, PHASE_DRAIN };

// What is subtracted to get the figures of the window.
struct mark {
  int64_t at_us, driver_cpu_us, busy_us;
  struct tally tally;
  struct process_usage server;
};

struct driver {
  const struct run_plan *plan;
  struct run_result *result;
  struct talk *talks;
  unsigned open, talking;
  int epoll;
  enum phase phase;
  int64_t phase_ends_us;
  struct mark begin, end;
  int64_t part_ends_us, part_began_us;
  uint64_t part_began_tasks;
  struct histogram part_latency;
  bool broken;
};

static int64_t own_cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void take_mark(struct driver *d, struct mark *mark) {
  memset(mark, 0, sizeof *mark);
  mark->at_us = clock_mono_us();
  mark->driver_cpu_us = own_cpu_us();
  mark->busy_us = bench_process_busy_us();
  mark->tally = d->result->tally;
  for (size_t i = 0; i < d->plan->server_pid_count; i++) {
    struct process_usage one = {0};
    if (bench_process_read(d->plan->server_pids[i], &one)) mark->server.cpu_us += one.cpu_us;
  }
}

static uint64_t tasks_done(const struct driver *d, const struct tally *tally) {
  return d->plan->profile.way == WAY_CREATE ? tally->created : tally->completed;
}

// --- one connection ------------------------------------------------------------------------------

// Counts a wrong answer. The first one is kept: `what` was wrong, or with NULL the answer's status
// and the start of its body.
static void note_error(struct driver *d, const struct talk *t, const char *what) {
  static const char *const steps[] = {"create", "claim", "complete", "complete and claim"};
  struct run_result *r = d->result;
  if (++r->errors >= DRIVER_ERRORS_MAX) d->broken = true;
  if (r->errors > 1) return;
  if (what) {
    snprintf(r->first_error, sizeof r->first_error, "%s: %s", steps[t->step], what);
    return;
  }
  struct str body = bench_wire_body(&t->wire);
  if (body.len > DRIVER_QUOTE_BYTES) body.len = DRIVER_QUOTE_BYTES;
  snprintf(r->first_error, sizeof r->first_error, "%s: %d %.*s", steps[t->step], t->wire.status,
           STR_FMT(body));
}

static void watch(struct driver *d, struct talk *t, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = t};
  if (epoll_ctl(d->epoll, operation, t->wire.fd, &event) != 0) d->broken = true;
}

static void hang_up(struct driver *d, struct talk *t) {
  note_error(d, t, "the connection broke or the answer cannot be read");
  d->broken = true;
}

static void say(struct driver *d, struct talk *t, int64_t now_us) {
  t->waiting = bench_talk_say(t, d->phase == PHASE_DRAIN);
  if (!t->waiting) {
    d->talking--;
    return;
  }
  t->started_us = now_us;
  enum wire_state state = bench_wire_send(&t->wire);
  if (state == WIRE_WAITS) watch(d, t, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  if (state == WIRE_BROKEN) hang_up(d, t);
}

static void note_latency(struct driver *d, const struct talk *t, int64_t us) {
  if (d->phase != PHASE_WINDOW) return;
  bench_histogram_add(&d->result->latency[t->step], us);
  bool claims = t->step == STEP_CLAIM || t->step == STEP_COMPLETE_AND_CLAIM;
  if (claims || d->plan->profile.way == WAY_CREATE) bench_histogram_add(&d->part_latency, us);
}

static void hear(struct driver *d, struct talk *t) {
  enum wire_state state = bench_wire_receive(&t->wire);
  if (state == WIRE_WAITS) return;
  if (state == WIRE_BROKEN || !t->waiting) {
    hang_up(d, t);
    return;
  }
  int64_t now_us = clock_mono_us();
  note_latency(d, t, now_us - t->started_us);
  if (t->wire.status / 100 != 2) {
    note_error(d, t, NULL);
    t->held_count = 0;
  } else if (!bench_talk_hear(t, &d->result->tally)) {
    note_error(d, t, NULL);
  }
  say(d, t, now_us);
}

static void handle(struct driver *d, const struct epoll_event *event) {
  struct talk *t = event->data.ptr;
  if (event->events & EPOLLOUT) {
    enum wire_state state = bench_wire_send(&t->wire);
    if (state == WIRE_DONE) watch(d, t, EPOLLIN, EPOLL_CTL_MOD);
    if (state == WIRE_BROKEN) hang_up(d, t);
    return;
  }
  hear(d, t);
}

// --- the run -------------------------------------------------------------------------------------

static void begin_part(struct driver *d, int64_t now_us) {
  d->part_began_us = now_us;
  d->part_ends_us = now_us + (int64_t)(d->plan->part_s * 1e6);
  d->part_began_tasks = tasks_done(d, &d->result->tally);
  memset(&d->part_latency, 0, sizeof d->part_latency);
}

// A last part that is much shorter than the others is left out.
static void end_part(struct driver *d, int64_t now_us) {
  struct run_result *r = d->result;
  double seconds = (double)(now_us - d->part_began_us) / 1e6;
  if (seconds < d->plan->part_s * 0.9 || r->part_count == DRIVER_PARTS_MAX) return;
  r->parts[r->part_count++] = (struct run_part){
      .tasks_per_s = (double)(tasks_done(d, &r->tally) - d->part_began_tasks) / seconds,
      .p99_ms = bench_histogram_ms(&d->part_latency, 0.99)};
  begin_part(d, now_us);
}

// Warm-up, window, drain. A run that ends by its number of tasks goes to the drain from where it
// is.
static void next_phase(struct driver *d, int64_t now_us) {
  const struct run_plan *plan = d->plan;
  bool in_parts = plan->part_s > 0 && d->phase == PHASE_WINDOW;
  if (in_parts && (now_us >= d->part_ends_us || now_us >= d->phase_ends_us)) end_part(d, now_us);
  bool enough = plan->tasks_max && tasks_done(d, &d->result->tally) >= plan->tasks_max;
  if (now_us < d->phase_ends_us && !enough) return;
  if (d->phase == PHASE_WARMUP && !enough) {
    d->phase = PHASE_WINDOW;
    take_mark(d, &d->begin);
    d->phase_ends_us = d->begin.at_us + (int64_t)(plan->window_s * 1e6);
    begin_part(d, d->begin.at_us);
    return;
  }
  if (d->phase != PHASE_DRAIN) take_mark(d, &d->end);
  d->phase = PHASE_DRAIN;
  d->phase_ends_us = INT64_MAX;
}

static void loop(struct driver *d) {
  struct epoll_event events[DRIVER_EVENTS];
  while (d->talking > 0 && !d->broken) {
    int count = epoll_wait(d->epoll, events, DRIVER_EVENTS, DRIVER_SILENCE_MS);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      note_error(d, &d->talks[0], "no answer at all for 15 s");
      d->broken = true;
      break;
    }
    for (int i = 0; i < count && !d->broken; i++) handle(d, &events[i]);
    next_phase(d, clock_mono_us());
  }
  if (d->phase != PHASE_DRAIN) take_mark(d, &d->end);
}

static enum err open_all(struct driver *d, struct fault *why) {
  const struct run_plan *plan = d->plan;
  d->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (d->epoll < 0) return fault_set(why, ERR_INTERNAL, "no epoll set: %s", strerror(errno));
  for (; d->open < plan->profile.connections; d->open++) {
    struct talk *t = &d->talks[d->open];
    const struct endpoint *to = &plan->endpoints[d->open % plan->endpoint_count];
    TRY(bench_talk_open(t, to, &plan->profile, d->open, why));
    watch(d, t, EPOLLIN, EPOLL_CTL_ADD);
  }
  return ERR_OK;
}

static void close_all(struct driver *d) {
  for (unsigned i = 0; i < d->open; i++) bench_talk_close(&d->talks[i]);
  mem_free(d->talks);
  if (d->epoll >= 0) close(d->epoll);
}

static void summarise(struct driver *d) {
  struct run_result *r = d->result;
  const struct mark *a = &d->begin, *b = &d->end;
  r->seconds = (double)(b->at_us - a->at_us) / 1e6;
  r->requests = b->tally.requests - a->tally.requests;
  r->tasks = tasks_done(d, &b->tally) - tasks_done(d, &a->tally);
  double requests = r->requests ? (double)r->requests : 1;
  int64_t driver_us = b->driver_cpu_us - a->driver_cpu_us;
  int64_t server_us = b->server.cpu_us - a->server.cpu_us;
  int64_t others_us = b->busy_us - a->busy_us - driver_us - server_us;
  r->driver_cpu_us = (double)driver_us / requests;
  r->server_cpu_us = (double)server_us / requests;
  r->others_cores = server_us == 0 ? -1 : others_us < 0 ? 0 : (double)others_us / 1e6 / r->seconds;
}

static enum err drive(struct driver *d, struct fault *why) {
  TRY(open_all(d, why));
  take_mark(d, &d->begin);
  d->phase_ends_us = d->begin.at_us + (int64_t)(d->plan->warmup_s * 1e6);
  d->talking = d->open;
  for (unsigned i = 0; i < d->open; i++) say(d, &d->talks[i], clock_mono_us());
  loop(d);
  summarise(d);
  return ERR_OK;
}

// --- the end state -------------------------------------------------------------------------------

static enum err check_answers(const struct run_result *r, struct fault *why) {
  if (r->errors == 0) return ERR_OK;
  return fault_set(why, ERR_INTERNAL, "%llu wrong answer(s), the first: %s",
                   (unsigned long long)r->errors, r->first_error);
}

// Every acknowledged task is there, and in the status that its acknowledgements say.
static enum err check_counts(const struct tally *tally, const struct counts *before,
                             const struct counts *after, struct fault *why) {
  int64_t created = (int64_t)tally->created, claimed = (int64_t)tally->claimed;
  int64_t completed = (int64_t)tally->completed;
  const struct {
    const char *what;
    int64_t told, counted;
  } rows[] = {
      {"tasks in all", created, after->total - before->total},
      {"pending tasks", created - claimed, after->pending - before->pending},
      {"running tasks", claimed - completed, after->running - before->running},
      {"completed tasks", completed, after->completed - before->completed},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (rows[i].told != rows[i].counted)
      return fault_set(why, ERR_INTERNAL,
                       "%s: %lld more by the answers, %lld by the server's stats", rows[i].what,
                       (long long)rows[i].told, (long long)rows[i].counted);
  return ERR_OK;
}

// Of all servers together.
static enum err read_health(const struct run_plan *plan, struct health *out, struct fault *why) {
  TRY(bench_health_read(&plan->endpoints[0], out, why));
  for (size_t i = 1; i < plan->endpoint_count; i++) {
    struct health one;
    TRY(bench_health_read(&plan->endpoints[i], &one, why));
    out->commits += one.commits;
    out->items += one.items;
  }
  return ERR_OK;
}

// A large struct, so it lives apart from the stack.
static enum err drive_plan(const struct run_plan *plan, struct run_result *out, struct fault *why) {
  struct driver *d = mem_zero(sizeof *d);
  *d = (struct driver){.plan = plan, .result = out, .epoll = -1};
  d->talks = mem_zero(sizeof *d->talks * plan->profile.connections);
  enum err err = drive(d, why);
  close_all(d);
  mem_free(d);
  return err;
}

enum err bench_run(const struct run_plan *plan, struct run_result *out, struct fault *why) {
  struct counts before, after;
  struct health at_start, at_end;
  struct run_plan own = *plan;
  memset(out, 0, sizeof *out);
  TRY(bench_counts_read(&plan->endpoints[0], &before, why));
  TRY(read_health(plan, &at_start, why));
  own.profile.patient = bench_health_is_shared(&at_start);
  TRY(drive_plan(&own, out, why));
  TRY(check_answers(out, why));
  TRY(read_health(plan, &at_end, why));
  if (at_start.known && at_end.known && at_end.commits > at_start.commits)
    out->group =
        (double)(at_end.items - at_start.items) / (double)(at_end.commits - at_start.commits);
  TRY(bench_counts_read(&plan->endpoints[0], &after, why));
  return check_counts(&out->tally, &before, &after, why);
}
