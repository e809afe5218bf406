// store_bench.c: drives a store's load and apply alone, to see what bounds it below the server.
//
//   store_bench FOLDER [SECONDS [COMPLETED [PENDING]]]
//
// Makes a store in FOLDER, fills it with finished and with ready tasks, then runs units of so many
// creates, and units of so many whole lives: creates, claims of what is ready, completions of what
// the unit before has claimed. 200-byte payloads, five types, ten priorities.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/sqlite/sqlite.h"

enum { TYPES = 5, PRIORITIES = 10, FILL_GROUP = 1000, LEASE_MS = 30000 };

static const struct str type_names[TYPES] = {
    {"resize", 6}, {"transcribe", 10}, {"email", 5}, {"report", 6}, {"index", 5}};
static char payload_text[200];

struct bench {
  struct store *store;
  const struct store_ops *ops;
  struct store_lane *lane;
  struct arena arena;  // of one unit
  struct id_source ids;
  struct id *claimed;  // by the unit before
  size_t claimed_count;
  struct row **rows;  // of the unit under way
  struct change_event *events;
  size_t row_count, event_count;
};

static void must(enum err err, const struct fault *why) {
  if (err == ERR_OK) return;
  fprintf(stderr, "store_bench: %s: %s\n", err_code(err), why->detail);
  exit(EXIT_FAILURE);
}

// --- what a unit does ----------------------------------------------------------------------------

static void add(struct bench *b, struct row *row, enum event_kind kind, int64_t now) {
  struct task *t = &row->task;
  t->updated_at = now;
  t->revision++;
  b->rows[b->row_count++] = row;
  b->events[b->event_count++] = (struct change_event){.event = {.tenant = 1,
                                                                .kind = kind,
                                                                .at = now,
                                                                .task = t->id,
                                                                .attempt = t->attempt,
                                                                .actor = STR("key:k1"),
                                                                .worker = t->worker},
                                                      .row = row};
}

static void create(struct bench *b, enum task_status status) {
  int64_t now = clock_now(clock_real());
  struct row *row = ARENA_NEW(&b->arena, struct row);
  row->fresh = true;
  row->task = (struct task){.id = id_next(&b->ids, now),
                            .tenant = 1,
                            .queue = STR("default"),
                            .type = type_names[rand_below(TYPES)],
                            .status = status,
                            .priority = rand_below(PRIORITIES),
                            .waiting = status == TASK_PENDING ? WAIT_WORKER : WAIT_NONE,
                            .attempts_max = 3,
                            .attempts_grant = 3,
                            .backoff = {.delay_ms = 1000, .delay_max_ms = 3600000},
                            .lease_ms = 30000,
                            .created_at = now,
                            .completed_at = status == TASK_COMPLETED ? now : 0,
                            .version = VERSION_NONE,
                            .payload = {payload_text, sizeof payload_text}};
  add(b, row, EVENT_CREATED, now);
}

static void claim(struct bench *b, struct row *row) {
  int64_t now = clock_now(clock_real());
  struct task *t = &row->task;
  row->dirty = true;
  t->status = TASK_RUNNING;
  t->waiting = WAIT_NONE;
  t->attempt++;
  t->lease = (int64_t)(rand_u64() >> 1 | 1);
  t->lease_length_ms = LEASE_MS;
  t->lease_expires_at = t->wake_at = now + LEASE_MS;
  t->claimed_at = t->started_at = now;
  t->worker = STR("worker-1");
  add(b, row, EVENT_CLAIMED, now);
  b->claimed[b->claimed_count++] = t->id;
}

static void complete(struct bench *b, struct row *row) {
  int64_t now = clock_now(clock_real());
  struct task *t = &row->task;
  row->dirty = row->result_new = true;
  t->status = TASK_COMPLETED;
  t->lease = t->lease_length_ms = t->lease_expires_at = t->wake_at = 0;
  t->completed_at = now;
  t->progress = 100;
  t->result = STR("{\"ok\":true}");
  add(b, row, EVENT_COMPLETED, now);
}

static void load(struct bench *b, size_t claims, struct load *want) {
  struct fault why;
  *want = (struct load){.arena = &b->arena, .id_count = b->claimed_count, .pick_count = 1};
  want->ids = ARENA_ARRAY(&b->arena, struct want_id, b->claimed_count + 1);
  for (size_t i = 0; i < b->claimed_count; i++)
    want->ids[i] = (struct want_id){.tenant = 1, .id = b->claimed[i]};
  want->picks = ARENA_NEW(&b->arena, struct pick);
  want->picks[0] = (struct pick){.tenant = 1, .limit = claims, .bytes_max = 32 << 20};
  must(b->ops->load(b->lane, want, &why), &why);
}

static void apply(struct bench *b) {
  struct fault why;
  struct change change = {.rows = b->rows,
                          .row_count = b->row_count,
                          .events = b->events,
                          .event_count = b->event_count};
  must(b->ops->apply(b->lane, &change, &why), &why);
  b->row_count = b->event_count = 0;
  must(b->ops->tend(b->lane, false, &why), &why);
  arena_reset(&b->arena);
}

static void unit_of_creates(struct bench *b, size_t group, enum task_status status) {
  for (size_t i = 0; i < group; i++) create(b, status);
  apply(b);
}

static void unit_of_lives(struct bench *b, size_t group) {
  struct load want;
  load(b, group, &want);
  for (size_t i = 0; i < want.id_count; i++) complete(b, want.ids[i].row);
  b->claimed_count = 0;
  for (size_t i = 0; i < want.picks[0].row_count; i++) claim(b, want.picks[0].rows[i]);
  for (size_t i = 0; i < group; i++) create(b, TASK_PENDING);
  apply(b);
}

// --- measuring -----------------------------------------------------------------------------------

static int64_t cpu_us(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL + u.ru_utime.tv_usec +
         u.ru_stime.tv_usec;
}

// Bytes handed to the disk so far.
static int64_t written(void) {
  FILE *io = fopen("/proc/self/io", "re");
  char line[128];
  int64_t bytes = 0;
  while (io && fgets(line, sizeof line, io))
    if (strncmp(line, "write_bytes: ", 13) == 0) bytes = strtoll(line + 13, NULL, 10);
  if (io) fclose(io);
  return bytes;
}

static void measure(struct bench *b, const char *what, size_t group, double seconds) {
  bool lives = strcmp(what, "lives") == 0;
  int64_t start = clock_mono_us(), end = start + (int64_t)(seconds * 1e6), cpu = cpu_us(),
          bytes = written();
  int64_t units = 0, longest = 0, now = start;
  while (now < end) {
    if (lives)
      unit_of_lives(b, group);
    else
      unit_of_creates(b, group, TASK_PENDING);
    int64_t then = now;
    now = clock_mono_us();
    if (now - then > longest) longest = now - then;
    units++;
  }
  double tasks = (double)units * (double)group, took = (double)(now - start) / 1e6;
  printf(
      "%-8s %5zu a unit: %8.0f/s, %6.1f us of CPU and %5.0f bytes each, unit %6.0f us, longest "
      "%5.1f ms\n",
      what, group, tasks / took, (double)(cpu_us() - cpu) / tasks,
      (double)(written() - bytes) / tasks, took * 1e6 / (double)units, (double)longest / 1e3);
  fflush(stdout);
}

static void fill(struct bench *b, const char *what, enum task_status status, size_t count) {
  int64_t start = clock_mono_us();
  for (size_t i = 0; i < count; i += FILL_GROUP) unit_of_creates(b, FILL_GROUP, status);
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  if (count)
    printf("filled with %zu %s in %.1f s, at most %ld MB resident\n", count, what,
           (double)(clock_mono_us() - start) / 1e6, u.ru_maxrss >> 10);
}

int main(int argc, char **argv) {
  if (argc < 2)
    return fprintf(stderr, "usage: store_bench FOLDER [SECONDS [COMPLETED [PENDING]]]\n");
  struct bench b = {0};
  struct fault why;
  char path[4096];
  snprintf(path, sizeof path, "%s/store_bench-%d.db", argv[1], (int)getpid());
  must(sqlite_store_open(path, NULL, &b.store, &why), &why);
  b.ops = b.store->ops;
  must(b.ops->lane_open(b.store, &b.lane, &why), &why);
  arena_init(&b.arena, 1 << 20);
  b.claimed = mem_alloc(sizeof *b.claimed * 4096);
  b.rows = mem_alloc(sizeof *b.rows * 4096);
  b.events = mem_alloc(sizeof *b.events * 4096);
  memset(payload_text, 'x', sizeof payload_text);
  payload_text[0] = payload_text[sizeof payload_text - 1] = '"';

  double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
  fill(&b, "completed", TASK_COMPLETED, argc > 3 ? strtoul(argv[3], NULL, 10) : 0);
  fill(&b, "pending", TASK_PENDING, argc > 4 ? strtoul(argv[4], NULL, 10) : 0);
  static const size_t groups[] = {1, 10, 33, 100, 1000};
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
    measure(&b, "lives", groups[i], seconds);
  measure(&b, "creates", 33, seconds);
  measure(&b, "creates", 1000, seconds);

  b.ops->lane_close(b.lane);
  b.ops->close(b.store);
  unlink(path);
  snprintf(path, sizeof path, "%s/store_bench-%d.db.lock", argv[1], (int)getpid());
  unlink(path);
  return EXIT_SUCCESS;
}
