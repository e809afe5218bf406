// store_bench.c: drives a store's load and apply alone, to see what bounds it below the server.
//
//   store_bench STORE [SECONDS [COMPLETED [PENDING]]]
//   store_bench STORE decay [SECONDS [LANES [GROUP [held]]]]
//
// STORE is a folder, in which an embedded store is made and removed again, or postgresql://…, which
// is best empty. The first form fills it with finished and with ready tasks, then runs units of so
// many creates, and units of so many whole lives: creates, claims of what is ready, completions of
// what the unit before has claimed. The second runs lives on several lanes at once and tells the
// rate every 5 s; `held`: beside a snapshot that psql holds. 200-byte payloads, five types, ten
// priorities.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/postgres/postgres.h"
#include "store/sqlite/sqlite.h"

enum {
  TYPES = 5,
  PRIORITIES = 10,
  FILL_GROUP = 1000,
  LEASE_MS = 30000,
  ROWS_MAX = 4096,
  LANES_MAX = 8,
  TELL_S = 5,
};

static const struct str type_names[TYPES] = {
    {"resize", 6}, {"transcribe", 10}, {"email", 5}, {"report", 6}, {"index", 5}};
static char payload_text[200];

// One lane.
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
  _Atomic int64_t lives, conflicts;  // units that were decided again
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

// False: another unit came between, and nothing was changed.
static bool apply(struct bench *b) {
  struct fault why;
  struct change change = {.rows = b->rows,
                          .row_count = b->row_count,
                          .events = b->events,
                          .event_count = b->event_count};
  enum err err = b->ops->apply(b->lane, &change, &why);
  if (err != ERR_CONFLICT) must(err, &why);
  b->row_count = b->event_count = 0;
  must(b->ops->tend(b->lane, false, &why), &why);
  arena_reset(&b->arena);
  return err == ERR_OK;
}

static void unit_of_creates(struct bench *b, size_t group, enum task_status status) {
  for (size_t i = 0; i < group; i++) create(b, status);
  if (!apply(b)) b->conflicts++;
}

static void unit_of_lives(struct bench *b, size_t group) {
  struct load want;
  struct id before[ROWS_MAX];
  size_t before_count = b->claimed_count;
  memcpy(before, b->claimed, before_count * sizeof *before);
  load(b, group, &want);
  for (size_t i = 0; i < want.id_count; i++) complete(b, want.ids[i].row);
  b->claimed_count = 0;
  for (size_t i = 0; i < want.picks[0].row_count; i++) claim(b, want.picks[0].rows[i]);
  for (size_t i = 0; i < group; i++) create(b, TASK_PENDING);
  if (apply(b)) {
    b->lives += (int64_t)before_count;
    return;
  }
  b->conflicts++;
  memcpy(b->claimed, before, before_count * sizeof *before);
  b->claimed_count = before_count;
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

static void measure_all(struct bench *b, int argc, char **argv) {
  double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
  fill(b, "completed", TASK_COMPLETED, argc > 3 ? strtoul(argv[3], NULL, 10) : 0);
  fill(b, "pending", TASK_PENDING, argc > 4 ? strtoul(argv[4], NULL, 10) : 0);
  static const size_t groups[] = {1, 10, 33, 100, 1000};
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
    measure(b, "lives", groups[i], seconds);
  measure(b, "creates", 33, seconds);
  measure(b, "creates", 1000, seconds);
}

// --- decay ---------------------------------------------------------------------------------------

static void pause_ms(int ms) { poll(NULL, 0, ms); }

static _Atomic bool over;
static size_t decay_group;

static void *live_on(void *arg) {
  struct bench *b = arg;
  while (!over) unit_of_lives(b, decay_group);
  return NULL;
}

// The loop that a server has: the store's upkeep goes by it.
static void *hear_news(void *arg) {
  struct store *store = arg;
  struct arena arena;
  arena_init(&arena, 1 << 16);
  while (!over) {
    struct fault why;
    struct news news = {.arena = &arena};
    if (store->ops->news(store, &news, &why) != ERR_OK) pause_ms(100);
    arena_reset(&arena);
  }
  arena_fini(&arena);
  return NULL;
}

// Until the end of the pipe that comes back is closed.
static int hold_snapshot(const char *url) {
  static const char begin[] =
      "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class;\n";
  char *const arguments[] = {"psql", "-Xqo", "/dev/null", "-d", (char *)(uintptr_t)url, NULL};
  int ends[2];
  pid_t child;
  posix_spawn_file_actions_t actions;
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
  int failed = posix_spawnp(&child, "psql", &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[0]);
  if (failed || write(ends[1], begin, sizeof begin - 1) < 0)
    fprintf(stderr, "store_bench: no psql to hold a snapshot\n");
  return ends[1];
}

static void tell_rates(struct bench *lanes, size_t count, double seconds) {
  int64_t start = clock_mono_us(), at = start, lives = 0, conflicts = 0;
  while ((double)(at - start) / 1e6 < seconds) {
    int64_t then = at, lives_then = lives, conflicts_then = conflicts;
    pause_ms(TELL_S * 1000);
    at = clock_mono_us();
    lives = conflicts = 0;
    for (size_t i = 0; i < count; i++) {
      lives += lanes[i].lives;
      conflicts += lanes[i].conflicts;
    }
    printf("%4.0f s: %8.0f lives/s, %lld conflicts\n", (double)(at - start) / 1e6,
           (double)(lives - lives_then) / ((double)(at - then) / 1e6),
           (long long)(conflicts - conflicts_then));
    fflush(stdout);
  }
}

static void decay(struct bench *lanes, size_t count, double seconds, const char *held_url) {
  pthread_t threads[LANES_MAX], news;
  struct store *store = lanes[0].store;
  int snapshot = held_url ? hold_snapshot(held_url) : -1;
  if (store->ops->news) pthread_create(&news, NULL, hear_news, store);
  for (size_t i = 0; i < count; i++) pthread_create(&threads[i], NULL, live_on, &lanes[i]);
  tell_rates(lanes, count, seconds);
  over = true;
  for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
  if (store->ops->news) {
    store->ops->news_stop(store);
    pthread_join(news, NULL);
  }
  if (snapshot >= 0) close(snapshot);
}

// --- the program ---------------------------------------------------------------------------------

static void open_lane(struct bench *b, struct store *store) {
  struct fault why;
  b->store = store;
  b->ops = store->ops;
  must(b->ops->lane_open(store, &b->lane, &why), &why);
  arena_init(&b->arena, 1 << 20);
  b->claimed = mem_alloc(sizeof *b->claimed * ROWS_MAX);
  b->rows = mem_alloc(sizeof *b->rows * ROWS_MAX);
  b->events = mem_alloc(sizeof *b->events * ROWS_MAX);
}

static void open_store(const char *where, char *path, size_t size, struct store **out) {
  struct fault why;
  if (strncmp(where, "postgres", 8) == 0) {
    path[0] = '\0';
    must(postgres_store_open(where, &(struct postgres_settings){.lanes = LANES_MAX}, out, &why),
         &why);
    return;
  }
  snprintf(path, size, "%s/store_bench-%d.db", where, (int)getpid());
  must(sqlite_store_open(path, NULL, out, &why), &why);
}

static void remove_store(const char *path) {
  char lock[4200];
  if (!path[0]) return;
  snprintf(lock, sizeof lock, "%s.lock", path);
  unlink(path);
  unlink(lock);
}

int main(int argc, char **argv) {
  if (argc < 2)
    return fprintf(stderr,
                   "usage: store_bench STORE [SECONDS [COMPLETED [PENDING]]]\n"
                   "       store_bench STORE decay [SECONDS [LANES [GROUP [held]]]]\n");
  static struct bench lanes[LANES_MAX];
  struct store *store;
  char path[4096];
  bool decays = argc > 2 && strcmp(argv[2], "decay") == 0;
  size_t count = decays && argc > 4 ? strtoul(argv[4], NULL, 10) : 1;
  if (count < 1 || count > LANES_MAX) return fprintf(stderr, "1 to %d lanes\n", LANES_MAX);
  open_store(argv[1], path, sizeof path, &store);
  for (size_t i = 0; i < count; i++) open_lane(&lanes[i], store);
  memset(payload_text, 'x', sizeof payload_text);
  payload_text[0] = payload_text[sizeof payload_text - 1] = '"';

  decay_group = decays && argc > 5 ? strtoul(argv[5], NULL, 10) : 100;
  if (decays)
    decay(lanes, count, argc > 3 ? strtod(argv[3], NULL) : 60, argc > 6 ? argv[1] : NULL);
  else
    measure_all(&lanes[0], argc, argv);

  for (size_t i = 0; i < count; i++) store->ops->lane_close(lanes[i].lane);
  store->ops->close(store);
  remove_store(path);
  return EXIT_SUCCESS;
}
