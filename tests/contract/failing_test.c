// failing_test.c: each call of a store is made again and again, and each time another of the calls
// that it makes to its database fails: all of it is told, and what is left is whole.
//
// With TASKYARD_FAIL_MORE in the environment few are left out, which takes minutes.
//
// What fails is libsqlite3's sqlite3_step, or what libpq sends and receives. They come from shared
// libraries, so that those of the program come first.
#include "filled.h"

#include <dlfcn.h>

#include "base/log.h"

enum {
  SQLITE_IOERR = 10,
  ROUNDS_MAX = 4000,
#ifdef __SANITIZE_THREAD__
  SLOWER = 9,  // one thread makes the calls, so there is nothing to race
#else
  SLOWER = 1,
#endif
  TRIES_US = 20 * 1000 * 1000,  // until a lane that lost its connection has another one
};

// The call of the test's own thread that is to fail, counted down; 0: none.
static _Thread_local int fails_in;
static _Thread_local bool fired;

static _Thread_local bool inside;  // what a library calls of itself does not count

static bool fails(void) {
  if (inside || fails_in == 0 || --fails_in > 0) return false;
  return fired = true;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// Of the real function, or of one that is asked for what cannot be: SQLite keeps its own errors.
#define CALL(name, ...)                                                                            \
  ({                                                                                               \
    bool inside_ = inside;                                                                         \
    inside = true;                                                                                 \
    __auto_type result_ = REAL(name)(__VA_ARGS__);                                                 \
    inside = inside_;                                                                              \
    result_;                                                                                       \
  })

struct sqlite3;
struct sqlite3_stmt;
typedef int sqlite3_row_function(void *self, int count, char **values, char **names);
int sqlite3_step(struct sqlite3_stmt *statement);
int sqlite3_exec(struct sqlite3 *db, const char *sql, sqlite3_row_function *row, void *self,
                 char **message);
int sqlite3_prepare_v2(struct sqlite3 *db, const char *sql, int bytes, struct sqlite3_stmt **out,
                       const char **rest);
int sqlite3_wal_checkpoint_v2(struct sqlite3 *db, const char *name, int mode, int *pages,
                              int *copied);

int sqlite3_step(struct sqlite3_stmt *statement) {
  return fails() ? SQLITE_IOERR : CALL(sqlite3_step, statement);
}

// A rollback by hand is the last thing that is tried.
int sqlite3_exec(struct sqlite3 *db, const char *sql, sqlite3_row_function *row, void *self,
                 char **message) {
  if (strcmp(sql, "ROLLBACK") != 0 && fails()) sql = "no statement";
  return CALL(sqlite3_exec, db, sql, row, self, message);
}

int sqlite3_prepare_v2(struct sqlite3 *db, const char *sql, int bytes, struct sqlite3_stmt **out,
                       const char **rest) {
  if (fails()) return CALL(sqlite3_prepare_v2, db, "no statement", -1, out, rest);
  return CALL(sqlite3_prepare_v2, db, sql, bytes, out, rest);
}

int sqlite3_wal_checkpoint_v2(struct sqlite3 *db, const char *name, int mode, int *pages,
                              int *copied) {
  if (fails()) name = "no database";
  return CALL(sqlite3_wal_checkpoint_v2, db, name, mode, pages, copied);
}

int PQsendPrepare(PGconn *db, const char *name, const char *query, int count, const Oid *types) {
  return fails() ? 0 : REAL(PQsendPrepare)(db, name, query, count, types);
}

int PQsendQueryPrepared(PGconn *db, const char *name, int count, const char *const *values,
                        const int *lengths, const int *formats, int format) {
  if (fails()) return 0;
  return REAL(PQsendQueryPrepared)(db, name, count, values, lengths, formats, format);
}

int PQsendQueryParams(PGconn *db, const char *query, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats,
                      int format) {
  if (fails()) return 0;
  return REAL(PQsendQueryParams)(db, query, count, types, values, lengths, formats, format);
}

int PQpipelineSync(PGconn *db) { return fails() ? 0 : REAL(PQpipelineSync)(db); }

PGresult *PQgetResult(PGconn *db) { return fails() ? NULL : REAL(PQgetResult)(db); }

// A store that does not meet the process that it has connected to takes this for a pooler's doing.
static bool pooled;

int PQbackendPID(const PGconn *db) { return pooled ? -1 : REAL(PQbackendPID)(db); }

// --- what is made to fail ------------------------------------------------------------------------

typedef enum err step_function(struct world *w);

static struct made made;
static struct id task;  // that steps move about
static int64_t broken;  // invariants that the made up rows break from the beginning

static enum err load_one(struct world *w, struct id id, struct row **out) {
  struct want_id want = {.tenant = 1, .id = id, .parts = PART_PAYLOAD | PART_RESULT};
  struct load load = {.arena = &w->arena, .ids = &want, .id_count = 1};
  TRY(w->ops->load(w->lane, &load, &w->why));
  *out = want.row;
  return want.row ? ERR_OK : ERR_NOT_FOUND;
}

static enum err load_everything(struct world *w) {
  static const struct str types[] = {STR("resize"), STR("nothing")};
  struct want_id ids[] = {{.tenant = 1, .id = made.running, .parts = PART_PAYLOAD},
                          {.tenant = 1, .id = made.worked_on, .parts = PART_RESULT}};
  struct want_unique unique = {.tenant = 1, .key = STR("once")};
  struct want_replay replay = {.tenant = 2, .key = STR("key:abc POST 6")};
  struct pick picks[] = {{.tenant = 1, .limit = 2, .bytes_max = 1 << 20},
                         {.tenant = 1,
                          .limit = 2,
                          .bytes_max = 1 << 20,
                          .types = types,
                          .type_count = 2,
                          .sure = true},
                         {.tenant = 7, .limit = 1, .bytes_max = 1, .sure = true}};
  struct want_ended ended = {
      .tenant = 1, .statuses = 1u << TASK_COMPLETED | 1u << TASK_FAILED, .limit = 3, .before = 9};
  struct load load = {.arena = &w->arena,
                      .ids = ids,
                      .id_count = 2,
                      .uniques = &unique,
                      .unique_count = 1,
                      .replays = &replay,
                      .replay_count = 1,
                      .picks = picks,
                      .pick_count = 3,
                      .due_at = w->now + 500000,
                      .due_limit = 3,
                      .ended = &ended,
                      .ended_count = 1,
                      .ended_limit = 5,
                      .tallies = true,
                      .cleanup = true,
                      .catalog = true};
  enum err err = w->ops->load(w->lane, &load, &w->why);
  w->ops->abandon(w->lane);
  return err;
}

// A new task with an answer that is kept, and something new in the catalogue.
static enum err create(struct world *w) {
  static int number;
  struct unit *u = unit_new(w);
  struct queue queue = {1, STR("images"), number % 2 == 0};
  struct type type = {.tenant = 1, .name = STR("resize"), .priority = VERSION_NONE};
  struct api_key key = {.id = STR("new"), .tenant = 1, .roles = 1, .created_at = 9};
  const struct str gone = STR("new");
  struct replay replay = {.tenant = 1,
                          .key = arena_printf(&w->arena, "key %d", ++number),
                          .status = 200,
                          .at = clock_now(clock_real())};
  unit_create(u, STR("resize"))->payload = STR("[1]");
  u->change.replays = &replay;
  u->change.replays_before = 1;
  u->change.queues = &queue;
  u->change.types = &type;
  u->change.keys = &key;
  u->change.keys_gone = &gone;
  u->change.replay_count = u->change.queue_count = u->change.type_count = u->change.key_count =
      u->change.key_gone_count = 1;
  return unit_apply(u);
}

// From pending to its end, and back again.
static enum err move(struct world *w) {
  struct row *row;
  TRY(load_one(w, task, &row));
  struct unit *u = unit_new(w);
  const struct log_line line = {row->task.log_lines + 1, w->now, STR("line")};
  const struct change_log log = {
      .row = row, .lines = &line, .line_count = 1, .drop_through = row->task.log_lines};
  if (row->task.status == TASK_PENDING) {
    unit_claim(u, row)->log_lines++;
    u->change.logs = &log;
    u->change.log_count = 1;
  } else if (row->task.status == TASK_RUNNING) {
    unit_finish(u, row, TASK_FAILED)->result = long_text(w, 20000);
    row->result_new = true;
  } else {
    struct task *t = unit_change(u, row, EVENT_RETRIED);
    t->status = TASK_PENDING;
    t->waiting = WAIT_WORKER;
    t->completed_at = 0;
    t->attempts_max = t->attempt + 3;
    t->result = STR_NONE;
    row->result_new = true;
  }
  return unit_apply(u);
}

static enum err take_one_away(struct world *w) {
  struct pick pick = {.tenant = 1, .limit = 1, .bytes_max = 1 << 20, .sure = true};
  struct load load = {.arena = &w->arena, .picks = &pick, .pick_count = 1};
  TRY(create(w));
  TRY(w->ops->load(w->lane, &load, &w->why));
  if (pick.row_count == 0) return ERR_NOT_FOUND;
  struct unit *u = unit_new(w);
  unit_change(u, pick.rows[0], EVENT_DELETED);
  pick.rows[0]->gone = true;
  return unit_apply(u);
}

static enum err read_one(struct world *w) {
  struct task *t;
  struct log_page lines;
  struct tally *tallies;
  size_t count;
  TRY(w->ops->read_task(w->reader, &w->arena, 1, made.worked_on, PART_PAYLOAD | PART_RESULT, &t,
                        &w->why));
  TRY(w->ops->read_logs(w->reader, &w->arena, 1, made.worked_on, 0, 2, &lines, &w->why));
  return w->ops->read_tallies(w->reader, &w->arena, 1, &tallies, &count, &w->why);
}

static enum err read_lists(struct world *w) {
  static const struct str type = STR("resize");
  const struct task_filter newest = {.tenant = 1, .limit = 3, .types = &type, .type_count = 1};
  const struct task_filter ready = {.tenant = 2, .limit = 3, .ready_only = true};
  struct task_page page;
  struct event_page events;
  struct event_filter of_task = {.tenant = 1, .task = made.worked_on, .limit = 2},
                      feed = {.tenant = 1, .limit = 2}, gone = {.tenant = 1, .limit = 2};
  gone.task = made.removed;
  TRY(w->ops->read_tasks(w->reader, &w->arena, &newest, &page, &w->why));
  TRY(w->ops->read_tasks(w->reader, &w->arena, &ready, &page, &w->why));
  TRY(w->ops->read_events(w->reader, &w->arena, &of_task, &events, &w->why));
  TRY(w->ops->read_events(w->reader, &w->arena, &gone, &events, &w->why));
  return w->ops->read_events(w->reader, &w->arena, &feed, &events, &w->why);
}

static enum err look_after_it(struct world *w) {
  struct check_finding *findings;
  struct catalog catalog;
  size_t count;
  int64_t number;
  TRY(w->ops->catalog(w->store, &w->arena, &catalog, &w->why));
  TRY(w->ops->last_id(w->store, &number, &w->why));
  TRY(w->ops->wake_next(w->lane, &number, &w->why));
  TRY(w->ops->tend(w->lane, true, &w->why));
  return w->ops->check(w->store, &w->arena, &findings, &count, &w->why);
}

static enum err read_to_move(struct world *w) {
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) {
    struct bulk_mark mark = {0};
    struct bulk page = {.more = true};
    while (page.more) {
      TRY(w->ops->bulk_read(w->store, &w->arena, part, &mark, 1000, &page, &w->why));
      mark = page.last;
    }
  }
  return w->ops->bulk_whole(w->store, &w->why);
}

// What others did, of which there is nothing; where nobody shares the store there is no such call.
static enum err hear(struct world *w) {
  struct pick parked = {.tenant = 1, .limit = 1, .bytes_max = 1};
  const struct want_id watched = {.tenant = 1, .id = made.running};
  struct news news = {.arena = &w->arena,
                      .parked = &parked,
                      .parked_count = 1,
                      .watched = &watched,
                      .watched_count = 1};
  return kind_now->shared ? w->ops->news(w->store, &news, &w->why) : ERR_OK;
}

// Armed again when it is over: what a test does by itself is not to fail.
static int disarm(void) {
  int armed = fails_in;
  fails_in = 0;
  return armed;
}

static enum err copy_part(struct world *w, struct world *to, enum bulk_part part) {
  struct bulk_mark mark = {0};
  struct bulk page = {.more = true};
  bool finished;
  TRY(to->store->ops->bulk_mark(to->store, &w->arena, part, &mark, &finished, &w->why));
  for (mark = (struct bulk_mark){0}; page.more; mark = page.last) {
    TRY(w->ops->bulk_read(w->store, &w->arena, part, &mark, 1000, &page, &w->why));
    TRY(to->store->ops->bulk_write(to->store, part, &page, &w->why));
  }
  return ERR_OK;
}

static enum err copy_into(struct world *w, struct world *to) {
  const struct store_ops *ops = to->store->ops;
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) TRY(copy_part(w, to, part));
  if (ops->bulk_written) TRY(ops->bulk_written(to->store, &w->why));
  return ops->bulk_finish(to->store, &w->why);
}

// Into a store of its own, which goes with the test.
static enum err write_to_move(struct world *w) {
  static int number;
  struct world *to = ARENA_NEW(&w->arena, struct world);
  snprintf(to->path, sizeof to->path, "%s/to%d.db", w->folder, ++number);
  snprintf(to->schema, sizeof to->schema, "%.32s_to", w->schema);
  int armed = disarm();
  if (kind_now->shared) backdoor_do("DROP SCHEMA IF EXISTS %s CASCADE", to->schema);
  fails_in = armed;
  enum err err = world_open_store(to, &to->store);
  if (err == ERR_OK) err = copy_into(w, to);
  armed = disarm();
  if (to->store) to->store->ops->close(to->store);
  if (kind_now->shared) backdoor_do("DROP SCHEMA IF EXISTS %s CASCADE", to->schema);
  fails_in = armed;
  if (err != ERR_OK && w->why.err == ERR_OK) w->why = to->why;
  return err;
}

static enum err back_up(struct world *w) {
  static int number;
  char path[64];
  snprintf(path, sizeof path, "%s/backup%d.db", w->folder, ++number);
  return kind_now->shared ? ERR_OK : w->ops->backup(w->store, path, &w->why);
}

// Stops and starts, where a store outlives that.
static enum err open_anew(struct world *w) {
  if (!kind_now->outlives) return ERR_OK;
  world_close(w);
  TRY(world_open_store(w, &w->store));
  TRY(w->store->ops->lane_open(w->store, &w->lane, &w->why));
  return w->store->ops->reader_open(w->store, &w->reader, &w->why);
}

static const struct {
  const char *name;
  step_function *run;
  int every[3];   // of the calls one in so many, by kind: some take long where there is a disk
  bool promises;  // an error of an embedded store means that nothing has changed
} steps[] = {
    {"load", load_everything, {1, 1, 2}, true},
    {"create", create, {1, 1, 2}, true},
    {"move", move, {1, 1, 3}, true},
    {"delete", take_one_away, {1, 1, 5}, false},
    {"read", read_one, {1, 1, 1}, true},
    {"list", read_lists, {1, 1, 1}, true},
    {"upkeep", look_after_it, {1, 1, 2}, true},
    {"bulk", read_to_move, {7, 1, 7}, true},
    {"copy", write_to_move, {29, 1, 83}, true},
    {"backup", back_up, {1, 1, 1}, true},
    {"news", hear, {1, 1, 17}, true},
    {"open", open_anew, {1, 1, 29}, true},
};

// --- each of its calls ---------------------------------------------------------------------------

static enum err run_failing(struct world *w, size_t step, int call) {
  fired = false;
  fails_in = call;
  enum err err = steps[step].run(w);
  fails_in = 0;
  return err;
}

static void have_parts(struct world *w) {
  if (!w->store) OK(world_open_store(w, &w->store));
  w->ops = w->store->ops;
  if (!w->lane) OK(w->ops->lane_open(w->store, &w->lane, &w->why));
  if (!w->reader) OK(w->ops->reader_open(w->store, &w->reader, &w->why));
}

// A lane that has lost its connection gets another one after a moment.
static void repeat(struct world *w, size_t step) {
  int64_t began_us = clock_mono_us();
  enum err err;
  do {
    have_parts(w);
    w->ops->abandon(w->lane);
    arena_reset(&w->arena);
    err = steps[step].run(w);
  } while (err != ERR_OK && kind_now->shared && clock_mono_us() - began_us < TRIES_US);
  if (err != ERR_OK) fail_msg("%s, once more: %s", steps[step].name, w->why.detail);
}

static int64_t tasks_of(struct world *w) {
  struct tally tally = world_tally(w, 1);
  int64_t sum = 0;
  for (size_t s = 0; s < TASK_STATUS_COUNT; s++) sum += tally.count[s];
  return sum;
}

// Nothing is broken that was whole.
static void check_whole(struct world *w, const char *after) {
  struct check_finding *findings = NULL;
  size_t count = 0;
  int64_t now = 0;
  OK(w->ops->check(w->store, &w->arena, &findings, &count, &w->why));
  for (size_t i = 0; i < count; i++) now += findings[i].violations > 0;
  if (now == broken) return;
  for (size_t i = 0; i < count; i++)
    if (findings[i].violations)
      print_error("%s: %.*s\n", findings[i].invariant, STR_FMT(findings[i].example));
  fail_msg("after %s", after);
}

// What an embedded store says of an error: nothing was changed.
static void check_promises(struct world *w, size_t step, int call, enum err err, int64_t tasks) {
  if (kind_now->shared) return;
  if (err != ERR_OK && steps[step].promises && tasks_of(w) != tasks)
    fail_msg("%s: call %d failed, and tasks were made or lost", steps[step].name, call);
  check_whole(w, steps[step].name);
}

// Until there is no further call; what moves makes more of them at one time than at another.
static void fail_each(struct world *w, size_t step) {
  int every = steps[step].every[kind_now - kinds] * (pooled ? 7 : 1) * SLOWER;
  if (getenv("TASKYARD_FAIL_MORE")) every = (every + 7) / 8;
  for (int call = 1, beyond = 0; beyond < 3; call += every) {
    assert_true(call < ROUNDS_MAX);
    int64_t tasks = kind_now->shared ? 0 : tasks_of(w);
    enum err err = run_failing(w, step, call);
    bool was_fired = fired;
    if (!was_fired && err != ERR_OK) fail_msg("%s: %s", steps[step].name, w->why.detail);
    have_parts(w);
    w->ops->abandon(w->lane);
    check_promises(w, step, call, err, tasks);
    if (was_fired) repeat(w, step);
    beyond = was_fired ? 0 : beyond + 1;
    arena_reset(&w->arena);
  }
}

static void fail_all(struct world *w) {
  made = fill(w);
  task = world_create(w, STR("moved"));
  broken = world_check(w);
  for (size_t step = 0; step < sizeof steps / sizeof *steps; step++) {
    fail_each(w, step);
    check_whole(w, steps[step].name);
  }
}

static void each_call_may_fail_and_leaves_a_store_that_is_whole(void **state) { fail_all(*state); }

static void so_it_is_behind_a_pooler(void **state) {
  struct world *w = *state;
  pooled = true;
  (void)world_reopen(w);
  fail_all(w);
  pooled = false;
}

int main(void) {
  log_setup(LOG_ERROR, LOG_TEXT);
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(each_call_may_fail_and_leaves_a_store_that_is_whole),
  };
  const struct CMUnitTest behind_a_pooler[] = {
      CONTRACT_TEST(so_it_is_behind_a_pooler),
  };
  int failed = CONTRACT_RUN(tests);
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return failed;
  return failed + cmocka_run_group_tests(behind_a_pooler, NULL, NULL);
}
