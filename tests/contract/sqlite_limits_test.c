// sqlite_limits_test.c: what the embedded store does where something holds it back: rights,
// readers, a disk or a size that is full, time.
#include "contract.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

static enum err open_with(struct world *w, struct sqlite_settings settings) {
  world_close(w);
  TRY(sqlite_store_open(w->path, &settings, &w->store, &w->why));
  w->ops = w->store->ops;
  TRY(w->ops->lane_open(w->store, &w->lane, &w->why));
  return w->ops->reader_open(w->store, &w->reader, &w->why);
}

static off_t size_of(const struct world *w, const char *end) {
  char path[80];
  struct stat st;
  snprintf(path, sizeof path, "%s%s", w->path, end);
  assert_int_equal(stat(path, &st), 0);
  return st.st_size;
}

// --- rights --------------------------------------------------------------------------------------

enum { NOBODY = 65534 };

// Root may do everything, so that what is not allowed is tried as somebody else.
static void become(uid_t user) {
  if (getuid() == 0) assert_int_equal(seteuid(user), 0);
}

static enum err open_as_nobody(struct world *w) {
  char lock[80];
  struct store *s = NULL;
  snprintf(lock, sizeof lock, "%s.lock", w->path);
  unlink(lock);
  become(NOBODY);
  enum err err = sqlite_store_open(w->path, NULL, &s, &w->why);
  become(0);
  return err;
}

static void what_may_only_be_read_is_not_served_from(void **state) {
  struct world *w = *state;
  world_close(w);
  if (getuid() == 0) {
    assert_int_equal(chown(w->folder, NOBODY, (gid_t)-1), 0);
    assert_int_equal(chown(w->path, NOBODY, (gid_t)-1), 0);
  }
  assert_int_equal(chmod(w->path, 0400), 0);
  FAILS(ERR_UNAVAILABLE, open_as_nobody(w));
  assert_non_null(strstr(w->why.detail, "no permission to write to"));
  assert_int_equal(chmod(w->path, 0600), 0);
  assert_int_equal(chmod(w->folder, 0500), 0);
  FAILS(ERR_UNAVAILABLE, open_as_nobody(w));
  assert_non_null(strstr(w->why.detail, "the folder must be writable for the server's user"));
  assert_int_equal(chmod(w->folder, 0700), 0);
  world_open(w);
}

static void a_backup_needs_its_folder(void **state) {
  struct world *w = *state;
  FAILS(ERR_UNAVAILABLE, w->ops->backup(w->store, "/no/such/folder/backup.db", &w->why));
  assert_non_null(strstr(w->why.detail, "cannot create /no/such/folder/backup.db"));
}

// --- readers -------------------------------------------------------------------------------------

static sqlite3 *stand_in_the_wal(const struct world *w) {
  sqlite3 *db = NULL;
  assert_int_equal(sqlite3_open_v2(w->path, &db, SQLITE_OPEN_READONLY, "taskyard"), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM task", NULL, NULL, NULL),
                   SQLITE_OK);
  return db;
}

// It is waited for, but not for ever; and when it is gone the log begins anew.
static void a_reader_that_stands_in_the_wal_holds_checkpoints_back_and_nothing_else(void **state) {
  struct world *w = *state;
  OK(open_with(w, (struct sqlite_settings){.checkpoint_pages = 1}));
  world_create(w, STR("resize"));
  sqlite3 *reader = stand_in_the_wal(w);
  for (int i = 0; i < 20; i++) world_create(w, STR("resize"));
  OK(w->ops->tend(w->lane, false, &w->why));
  off_t grown = size_of(w, "-wal");
  world_create(w, STR("resize"));
  assert_true(size_of(w, "-wal") > grown);
  assert_int_equal(sqlite3_close(reader), SQLITE_OK);
  OK(w->ops->tend(w->lane, false, &w->why));
  grown = size_of(w, "-wal");
  for (int i = 0; i < 5; i++) world_create(w, STR("resize"));
  assert_int_equal(size_of(w, "-wal"), grown);
  assert_int_equal(world_tally(w, 1).ready, 27);
  assert_int_equal(world_check(w), 0);
}

// --- room ----------------------------------------------------------------------------------------

// Files that cannot grow past a size behave as a full disk does.
static void limit_files(rlim_t bytes) {
  struct rlimit limit;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void create_large(struct world *w, int count) {
  struct unit *u = unit_new(w);
  char *text = memset(arena_alloc(&w->arena, 1 << 16), '7', 1 << 16);
  for (int i = 0; i < count; i++)
    unit_create(u, STR("resize"))->payload = (struct str){text, 1 << 16};
  OK(unit_apply(u));
}

// What a killed server has left in the log is as good there.
static void a_log_that_does_not_fit_into_the_file_is_served_from(void **state) {
  struct world *w = *state;
  world_close(w);
  off_t before = size_of(w, "");
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    world_open(w);
    create_large(w, 50);
    raise(SIGKILL);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
  limit_files((rlim_t)before);
  enum err err = open_with(w, (struct sqlite_settings){0});
  limit_files(RLIM_INFINITY);
  OK(err);
  assert_int_equal(size_of(w, ""), before);
  assert_int_equal(world_tally(w, 1).ready, 50);
  w->now += 1000;  // the child has made ids until then
  create_large(w, 1);
  OK(w->ops->tend(w->lane, true, &w->why));
  assert_true(size_of(w, "") > before + (50 << 16));
  assert_int_equal(world_check(w), 0);
}

static void a_store_in_memory_that_has_reached_its_size_says_so_and_serves_on(void **state) {
  struct world *w = *state;
  const struct sqlite_settings small = {.bytes_max = 4 << 20};
  world_close(w);
  OK(sqlite_store_open(NULL, &small, &w->store, &w->why));
  world_open(w);
  create_large(w, 5);
  struct unit *u = unit_new(w);
  for (int i = 0; i < 1000; i++) unit_create(u, STR("resize"))->payload = STR("\"some words\"");
  OK(unit_apply(u));
  enum err err = ERR_OK;
  for (int i = 0; i < 100 && err == ERR_OK; i++) {
    u = unit_new(w);
    for (int k = 0; k < 1000; k++) unit_create(u, STR("resize"));
    err = unit_apply(u);
  }
  assert_int_equal(err, ERR_DISK_FULL);
  assert_string_equal(w->why.detail,
                      "this store in memory has reached its size; nothing was changed");
  assert_int_equal(world_tally(w, 1).ready % 1000, 5);
  assert_int_equal(world_check(w), 0);
}

// --- time ----------------------------------------------------------------------------------------

// A walk of short statements, none of which takes long.
static void the_events_of_a_task_are_not_walked_through_for_longer_than_a_read_may_take(
    void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  enum { UNITS = 20, EVENTS = 1000 };
  for (int i = 0; i < UNITS; i++) {
    struct row *row = world_load(w, id, 0);
    struct unit *u = unit_new(w);
    unit_change(u, row, EVENT_PROGRESS);
    for (int k = 1; k < EVENTS; k++) unit_event(u, row, EVENT_PROGRESS);
    OK(unit_apply(u));
    arena_reset(&w->arena);
  }
  OK(open_with(w, (struct sqlite_settings){.read_deadline_ms = 1}));
  struct event_page page;
  struct event_filter filter = {.tenant = 1, .task = id, .limit = 10};
  FAILS(ERR_SCAN_LIMIT, w->ops->read_events(w->reader, &w->arena, &filter, &page, &w->why));
  OK(open_with(w, (struct sqlite_settings){0}));
  filter.after = UNITS * EVENTS - 5;
  OK(w->ops->read_events(w->reader, &w->arena, &filter, &page, &w->why));
  assert_int_equal(page.count, 6);
  filter.after = 0;
  OK(w->ops->read_events(w->reader, &w->arena, &filter, &page, &w->why));
  assert_int_equal(page.events[0].kind, EVENT_CREATED);
}

// --- many ----------------------------------------------------------------------------------------

static void each_of_many_tenants_has_numbers_of_its_own(void **state) {
  struct world *w = *state;
  enum { TENANTS = 20 };
  for (int64_t round = 1; round <= 2; round++) {
    struct unit *u = unit_new(w);
    for (int64_t tenant = 1; tenant <= TENANTS; tenant++) {
      unit_create(u, STR("resize"))->tenant = tenant;
      u->events[tenant - 1].event.tenant = tenant;
    }
    OK(unit_apply(u));
    for (int64_t tenant = 1; tenant <= TENANTS; tenant++) {
      struct event_page page = world_events(w, (struct event_filter){.tenant = tenant});
      assert_int_equal(page.count, round);
      assert_int_equal(page.events[round - 1].seq, round);
    }
  }
  assert_int_equal(world_check(w), 0);
}

static void of_many_types_those_whose_tasks_ended_too_late_are_left_out(void **state) {
  struct world *w = *state;
  static const struct str TYPES[] = {STR("a"), STR("b"), STR("c")};
  static const int64_t LATER[] = {0, 5000, 1000};
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < 3; i++) {
    struct task *t = unit_create(u, TYPES[i]);
    t->status = TASK_COMPLETED;
    t->waiting = WAIT_NONE;
    t->completed_at = w->now + LATER[i];
  }
  OK(unit_apply(u));
  struct want_ended want = {
      .tenant = 1, .statuses = 1u << TASK_COMPLETED, .limit = 9, .before = w->now + 2000};
  struct load load = {.arena = &w->arena, .ended = &want, .ended_count = 1, .ended_limit = 9};
  OK(w->ops->load(w->lane, &load, &w->why));
  w->ops->abandon(w->lane);
  assert_int_equal(want.row_count, 2);
  assert_str(want.rows[0]->task.type, STR("a"));
  assert_str(want.rows[1]->task.type, STR("c"));
  assert_int_equal(want.next_at, w->now + 5000);
}

static void what_was_never_opened_is_closed_like_any(void **state) {
  struct world *w = *state;
  w->ops->reader_close(NULL);
  w->ops->lane_close(NULL);
  w->ops->close(NULL);
  world_create(w, STR("resize"));
}

// --- moves ---------------------------------------------------------------------------------------

static struct bulk page_of(struct task *tasks, size_t count) {
  return (struct bulk){
      .tasks = tasks, .task_count = count, .last = {.source = 1, .rows = (int64_t)count}};
}

// Only twins of ids have a sentence of their own.
static void a_page_that_no_store_can_hold_is_refused_whole(void **state) {
  struct world *w = *state;
  struct task tasks[2];
  for (size_t i = 0; i < 2; i++)
    tasks[i] = (struct task){.id = id_next(&w->ids, w->now),
                             .tenant = 1,
                             .queue = STR("a"),
                             .type = STR("b"),
                             .unique_key = STR("once"),
                             .version = VERSION_NONE};
  w->ops->reader_close(w->reader);
  w->ops->lane_close(w->lane);
  w->reader = NULL;
  w->lane = NULL;
  struct bulk page = page_of(tasks, 2);
  FAILS(ERR_CONFLICT, w->ops->bulk_write(w->store, BULK_TASKS, &page, &w->why));
  assert_null(strstr(w->why.detail, "two servers"));
  struct bulk_mark mark;
  bool finished;
  OK(w->ops->bulk_mark(w->store, &w->arena, BULK_TASKS, &mark, &finished, &w->why));
  assert_int_equal(mark.rows, 0);
}

// Of a task that was deleted before events told where it had been.
static void events_of_a_task_without_queue_or_type_come_over(void **state) {
  struct world *w = *state;
  struct event events[4];
  const struct id last = id_next(&w->ids, w->now);
  for (size_t i = 0; i < 4; i++)
    events[i] = (struct event){.tenant = 1,
                               .seq = (int64_t)i + 1,
                               .kind = EVENT_DELETED,
                               .at = w->now,
                               .task = {last.hi, last.lo - i},  // twins of two servers
                               .queue = i & 1 ? STR("a") : STR_NONE,
                               .type = i & 2 ? STR("b") : STR_NONE};
  w->ops->reader_close(w->reader);
  w->ops->lane_close(w->lane);
  w->reader = NULL;
  w->lane = NULL;
  struct bulk page = {.events = events, .event_count = 4, .last = {.source = 1, .rows = 4}}, got;
  const struct bulk_mark start = {0};
  OK(w->ops->bulk_write(w->store, BULK_EVENTS, &page, &w->why));
  OK(w->ops->bulk_read(w->store, &w->arena, BULK_EVENTS, &start, 10, &got, &w->why));
  assert_int_equal(got.event_count, 4);
  for (size_t i = 0; i < 4; i++) {
    assert_true(id_eq(got.events[i].task, events[i].task));
    assert_str(got.events[i].queue, events[i].queue);
    assert_str(got.events[i].type, events[i].type);
  }
}

int main(void) {
  kind_now = &kinds[0];
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(what_may_only_be_read_is_not_served_from),
      CONTRACT_TEST(a_backup_needs_its_folder),
      CONTRACT_TEST(a_reader_that_stands_in_the_wal_holds_checkpoints_back_and_nothing_else),
      CONTRACT_TEST(a_log_that_does_not_fit_into_the_file_is_served_from),
      CONTRACT_TEST(a_store_in_memory_that_has_reached_its_size_says_so_and_serves_on),
      CONTRACT_TEST(the_events_of_a_task_are_not_walked_through_for_longer_than_a_read_may_take),
      CONTRACT_TEST(a_page_that_no_store_can_hold_is_refused_whole),
      CONTRACT_TEST(events_of_a_task_without_queue_or_type_come_over),
      CONTRACT_TEST(each_of_many_tenants_has_numbers_of_its_own),
      CONTRACT_TEST(what_was_never_opened_is_closed_like_any),
      CONTRACT_TEST(of_many_types_those_whose_tasks_ended_too_late_are_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
