// contract.h: a store to test and short words for what is done to it. Each test runs on every kind
// of store; a new one is a row of `kinds`.
#ifndef CONTRACT_H
#define CONTRACT_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/mem.h"
#include "store/postgres/postgres.h"
#include "store/sqlite/sqlite.h"
#include "tests/contract/backdoor.h"

// One test's store with one lane and one reader, and what the test made in it.
struct world {
  char folder[32];       // a temporary folder; gone after the test
  char path[64];         // of the store, where it is a file
  char schema[48];       // of the store, where it is in a database
  const char *url;       // of that, where the test says; NULL: the usual one
  struct world *beside;  // another on the same store: see world_beside
  bool borrows;          // `store` is another world's
  struct store *store;
  const struct store_ops *ops;
  struct store_lane *lane;
  struct store_reader *reader;
  struct arena arena;  // of the whole test
  struct id_source ids;
  int64_t now;
  struct fault why;  // of the latest failure
};

static const struct kind {
  const char *name;
  bool outlives;  // what it keeps is there after a restart
  bool shared;    // by lanes and processes
} kinds[] = {{"sqlite", true, false}, {"memory", false, false}, {"postgresql", true, true}};
static const struct kind *kind_now;

// Says why when a call on a world does not end as it should.
#define ENDS_IN(world, want, call)                                                                 \
  do {                                                                                             \
    enum err ended_ = (call);                                                                      \
    if (ended_ != (want))                                                                          \
      print_error("%s: %s: %s\n", #call, err_code(ended_), (world)->why.detail);                   \
    assert_int_equal(ended_, (want));                                                              \
  } while (0)
#define OK(call) ENDS_IN(w, ERR_OK, call)
#define OK_IN(world, call) ENDS_IN(world, ERR_OK, call)
#define FAILS(err, call) ENDS_IN(w, err, call)
#define FAILS_IN(world, err, call) ENDS_IN(world, err, call)

static inline void assert_str(struct str got, struct str want) {
  assert_int_equal(str_is_none(got), str_is_none(want));
  assert_int_equal(got.len, want.len);
  if (got.len) assert_memory_equal(got.at, want.at, want.len);
}

// --- opening and closing -------------------------------------------------------------------------

static inline enum err world_open_store(struct world *w, struct store **out) {
  const struct postgres_settings settings = {.schema = str_of(w->schema), .lanes = 8};
  if (kind_now->shared)
    return postgres_store_open(w->url ? w->url : backdoor_url(), &settings, out, &w->why);
  return sqlite_store_open(kind_now->outlives ? w->path : NULL, NULL, out, &w->why);
}

static inline void world_open(struct world *w) {
  if (!w->store) OK(world_open_store(w, &w->store));
  w->ops = w->store->ops;
  OK(w->ops->lane_open(w->store, &w->lane, &w->why));
  OK(w->ops->reader_open(w->store, &w->reader, &w->why));
}

static inline void world_close(struct world *w) {
  if (!w->store) return;
  w->ops->reader_close(w->reader);
  w->ops->lane_close(w->lane);
  if (!w->borrows) w->ops->close(w->store);
  w->reader = NULL;
  w->lane = NULL;
  w->store = NULL;
}

// Stops and starts, where a store outlives that. False: it does not.
static inline bool world_reopen(struct world *w) {
  if (!kind_now->outlives) return false;
  world_close(w);
  world_open(w);
  return true;
}

static inline struct world *world_new(void) {
  struct world *w = mem_zero(sizeof *w);
  arena_init(&w->arena, 1 << 16);
  w->now = 1700000000000;
  return w;
}

static inline void world_free(struct world *w) {
  world_close(w);
  arena_fini(&w->arena);
  mem_free(w);
}

static inline int world_setup(void **state) {
  static int number;
  struct world *w = world_new();
  *state = w;
  snprintf(w->folder, sizeof w->folder, "/tmp/contract-XXXXXX");
  if (!mkdtemp(w->folder)) return -1;
  snprintf(w->path, sizeof w->path, "%s/store.db", w->folder);
  snprintf(w->schema, sizeof w->schema, "contract_%d_%d", (int)getpid(), ++number);
  world_open(w);
  return 0;
}

// Another lane and reader of the same store: of the same process, or as another one has them.
// Ends with the test. May be used by a thread of its own, but not to assert anything there.
static inline struct world *world_beside(struct world *w, bool apart) {
  struct world *other = world_new();
  memcpy(other->schema, w->schema, sizeof other->schema);
  other->store = apart ? NULL : w->store;
  other->borrows = !apart;
  other->beside = w->beside;
  w->beside = other;
  world_open(other);
  return other;
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
  (void)st;
  (void)kind;
  (void)at;
  return remove(path);
}

static inline int world_teardown(void **state) {
  struct world *w = *state;
  for (struct world *other = w->beside, *next; other; other = next) {
    next = other->beside;
    world_free(other);
  }
  world_close(w);
  if (kind_now->shared) backdoor_do("DROP SCHEMA IF EXISTS %s CASCADE", w->schema);
  int failed = nftw(w->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  world_free(w);
  return failed;
}

#define CONTRACT_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

// Whether there is a server for it, and nobody asked for another kind alone. Stages of the tests
// that have a server say where it is.
static inline bool kind_is_here(const struct kind *kind) {
  const char *only = getenv("TASKYARD_TEST_STORE");
  if (only && strcmp(only, kind->name) != 0) return false;
  if (!kind->shared || backdoor_url()) return true;
  print_message("without TASKYARD_TEST_POSTGRES, a server's URL, %s is left out\n", kind->name);
  return false;
}

// Runs the tests on each kind of store.
#define CONTRACT_RUN(tests)                                                                        \
  ({                                                                                               \
    int failed_ = 0;                                                                               \
    for (size_t k_ = 0; k_ < sizeof kinds / sizeof *kinds; k_++) {                                 \
      kind_now = &kinds[k_];                                                                       \
      if (!kind_is_here(kind_now)) continue;                                                       \
      failed_ += _cmocka_run_group_tests(kind_now->name, tests, sizeof tests / sizeof *tests,      \
                                         NULL, NULL);                                              \
    }                                                                                              \
    failed_;                                                                                       \
  })

// --- making a change -----------------------------------------------------------------------------

// A change under way. Rows and events are added, then it is applied once.
struct unit {
  struct world *w;
  struct row *rows[1024];
  struct change_event events[1024];
  struct change change;
};

static inline struct unit *unit_new(struct world *w) {
  struct unit *u = ARENA_NEW(&w->arena, struct unit);
  u->w = w;
  u->change.rows = u->rows;
  u->change.events = u->events;
  return u;
}

static inline enum err unit_apply(struct unit *u) {
  return u->w->ops->apply(u->w->lane, &u->change, &u->w->why);
}

static inline void unit_row(struct unit *u, struct row *row) {
  assert_true(u->change.row_count < 1024);
  u->rows[u->change.row_count++] = row;
}

static inline void unit_event(struct unit *u, struct row *row, enum event_kind kind) {
  assert_true(u->change.event_count < 1024);
  struct task *t = &row->task;
  u->events[u->change.event_count++] = (struct change_event){.event = {.tenant = t->tenant,
                                                                       .kind = kind,
                                                                       .at = u->w->now,
                                                                       .task = t->id,
                                                                       .attempt = t->attempt,
                                                                       .actor = STR("local")},
                                                             .row = row};
}

// A new ready task, with the event of its creation. It can be changed until the unit is applied.
static inline struct task *unit_create(struct unit *u, struct str type) {
  struct world *w = u->w;
  struct row *row = ARENA_NEW(&w->arena, struct row);
  row->fresh = true;
  struct task *t = &row->task;
  t->id = id_next(&w->ids, w->now);
  t->tenant = 1;
  t->queue = STR("default");
  t->type = type;
  t->status = TASK_PENDING;
  t->waiting = WAIT_WORKER;
  t->revision = 1;
  t->attempts_max = t->attempts_grant = 3;
  t->created_at = t->updated_at = w->now;
  t->version = VERSION_NONE;
  unit_row(u, row);
  unit_event(u, row, EVENT_CREATED);
  return t;
}

// Marks a loaded row as changed, with an event.
static inline struct task *unit_change(struct unit *u, struct row *row, enum event_kind kind) {
  row->dirty = true;
  row->task.revision++;
  unit_row(u, row);
  unit_event(u, row, kind);
  return &row->task;
}

// What a claim makes of a ready row.
static inline struct task *unit_claim(struct unit *u, struct row *row) {
  struct task *t = unit_change(u, row, EVENT_CLAIMED);
  t->status = TASK_RUNNING;
  t->waiting = WAIT_NONE;
  t->attempt++;
  t->lease = 4711;
  t->lease_length_ms = 30000;
  t->lease_expires_at = t->wake_at = u->w->now + 30000;
  t->claimed_at = t->started_at = u->w->now;
  t->worker = STR("w1");
  return t;
}

// What the end of a running task makes of it.
static inline struct task *unit_finish(struct unit *u, struct row *row, enum task_status status) {
  struct task *t = unit_change(u, row, EVENT_COMPLETED);
  t->status = status;
  t->waiting = WAIT_NONE;
  t->lease = t->lease_length_ms = t->lease_expires_at = t->wake_at = 0;
  t->completed_at = u->w->now;
  return t;
}

// One new task, committed.
static inline struct id world_create(struct world *w, struct str type) {
  struct unit *u = unit_new(w);
  struct id id = unit_create(u, type)->id;
  OK(unit_apply(u));
  return id;
}

// --- reading -------------------------------------------------------------------------------------

static inline struct row *world_load(struct world *w, struct id id, unsigned parts) {
  struct want_id want = {.tenant = 1, .id = id, .parts = parts};
  struct load load = {.arena = &w->arena, .ids = &want, .id_count = 1};
  OK(w->ops->load(w->lane, &load, &w->why));
  return want.row;
}

static inline struct task *world_read(struct world *w, struct id id) {
  struct task *t = NULL;
  OK(w->ops->read_task(w->reader, &w->arena, 1, id, PART_PAYLOAD | PART_RESULT, &t, &w->why));
  return t;
}

static inline struct pick world_pick(struct world *w, struct pick pick) {
  if (!pick.tenant) pick.tenant = 1;
  if (!pick.bytes_max) pick.bytes_max = 1 << 20;
  struct load load = {.arena = &w->arena, .picks = &pick, .pick_count = 1};
  OK(w->ops->load(w->lane, &load, &w->why));
  return pick;
}

// The sums over all channels of a tenant.
static inline struct tally world_tally(struct world *w, int64_t tenant) {
  struct tally sum = {0}, *list = NULL;
  size_t count = 0;
  OK(w->ops->read_tallies(w->reader, &w->arena, tenant, &list, &count, &w->why));
  for (size_t i = 0; i < count; i++) {
    sum.ready += list[i].ready;
    for (size_t s = 0; s < TASK_STATUS_COUNT; s++) sum.count[s] += list[i].count[s];
  }
  return sum;
}

static inline struct event_page world_events(struct world *w, struct event_filter filter) {
  if (!filter.tenant) filter.tenant = 1;
  if (!filter.limit) filter.limit = 100;
  struct event_page page = {0};
  OK(w->ops->read_events(w->reader, &w->arena, &filter, &page, &w->why));
  return page;
}

// How many invariants are broken.
static inline int64_t world_check(struct world *w) {
  struct check_finding *findings = NULL;
  size_t count = 0;
  int64_t broken = 0;
  OK(w->ops->check(w->store, &w->arena, &findings, &count, &w->why));
  assert_true(count > 10);
  for (size_t i = 0; i < count; i++) broken += findings[i].violations > 0;
  return broken;
}

#endif
