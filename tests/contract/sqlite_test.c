// sqlite_test.c: what only the embedded store promises: its file, its lock, faults, backup, check.
#include "behind.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static enum err open_at(const char *path, const struct sqlite_settings *settings,
                        struct store **out, struct fault *why) {
  *out = NULL;
  return sqlite_store_open(path, settings, out, why);
}

// --- opening -------------------------------------------------------------------------------------

static void a_store_is_open_in_one_server_only(void **state) {
  struct world *w = *state;
  struct store *second;
  FAILS(ERR_UNAVAILABLE, open_at(w->path, NULL, &second, &w->why));
  assert_non_null(strstr(w->why.detail, "in use by another taskyard, process "));
  world_close(w);
  world_open(w);
}

static void another_way_to_the_file_is_no_way_around_its_lock(void **state) {
  struct world *w = *state;
  char link_path[48], around[64];
  snprintf(link_path, sizeof link_path, "%s/link.db", w->folder);
  snprintf(around, sizeof around, "%s/.//store.db", w->folder);
  assert_int_equal(symlink("store.db", link_path), 0);
  struct store *second;
  FAILS(ERR_UNAVAILABLE, open_at(link_path, NULL, &second, &w->why));
  assert_non_null(strstr(w->why.detail, "in use by another taskyard, process "));
  FAILS(ERR_UNAVAILABLE, open_at(around, NULL, &second, &w->why));

  // Beside the server, and alone when it is gone.
  const struct sqlite_settings read_only = {.read_only = true};
  struct id id = world_create(w, STR("resize"));
  OK(open_at(link_path, &read_only, &second, &w->why));
  second->ops->close(second);
  world_close(w);
  memcpy(w->path, link_path, sizeof link_path);
  world_open(w);
  assert_str(world_read(w, id)->type, STR("resize"));
  snprintf(around, sizeof around, "%s.lock", link_path);
  assert_int_not_equal(access(around, F_OK), 0);
}

// Its WAL would have another name, and SQLite would not find it.
static void a_file_with_a_second_name_is_refused(void **state) {
  struct world *w = *state;
  char other[80];
  snprintf(other, sizeof other, "%s/other.db", w->folder);
  assert_int_equal(link(w->path, other), 0);
  const struct sqlite_settings read_only = {.read_only = true};
  struct store *second;
  FAILS(ERR_INVALID, open_at(other, NULL, &second, &w->why));
  assert_non_null(strstr(w->why.detail, "has 2 names (hard links)"));
  FAILS(ERR_INVALID, open_at(other, &read_only, &second, &w->why));
  FAILS(ERR_INVALID, open_at(w->path, &read_only, &second, &w->why));
  assert_int_equal(unlink(other), 0);
  OK(open_at(w->path, &read_only, &second, &w->why));
  second->ops->close(second);
}

static void a_link_to_nothing_is_refused(void **state) {
  struct world *w = *state;
  char link_path[80];
  snprintf(link_path, sizeof link_path, "%s/link.db", w->folder);
  assert_int_equal(symlink("missing.db", link_path), 0);
  struct store *s;
  FAILS(ERR_UNAVAILABLE, open_at(link_path, NULL, &s, &w->why));
  assert_non_null(strstr(w->why.detail, "cannot follow the link"));
}

static void a_store_of_a_newer_version_is_refused(void **state) {
  struct world *w = *state;
  world_close(w);
  sql(w->path, "PRAGMA user_version = 99");
  struct store *s;
  FAILS(ERR_INVALID, open_at(w->path, NULL, &s, &w->why));
  assert_non_null(strstr(w->why.detail, "newer taskyard (schema 99"));
}

static void a_store_that_was_made_by_other_steps_is_refused(void **state) {
  struct world *w = *state;
  world_close(w);
  static const char *const HARMS[] = {"UPDATE meta SET value = value + 1 WHERE name = 'steps'",
                                      "DELETE FROM meta WHERE name = 'steps'"};
  const struct sqlite_settings read_only = {.read_only = true};
  struct store *s;
  for (size_t i = 0; i < sizeof HARMS / sizeof *HARMS; i++) {
    sql(w->path, HARMS[i]);
    FAILS(ERR_INVALID, open_at(w->path, NULL, &s, &w->why));
    assert_non_null(strstr(w->why.detail, w->path));
    assert_non_null(strstr(w->why.detail, "made by a build between releases"));
    FAILS(ERR_INVALID, open_at(w->path, &read_only, &s, &w->why));
  }
}

static void a_file_that_is_not_ours_is_refused_and_left_as_it_is(void **state) {
  struct world *w = *state;
  char path[80], text[] = "Dear diary, this is not a database at all.\n", after[80] = "";
  snprintf(path, sizeof path, "%s/diary.txt", w->folder);
  FILE *file = fopen(path, "w");
  for (int i = 0; i < 20; i++) fputs(text, file);
  fclose(file);
  struct store *s;
  FAILS(ERR_INVALID, open_at(path, NULL, &s, &w->why));
  assert_non_null(strstr(w->why.detail, "is not a store of taskyard"));
  file = fopen(path, "r");
  assert_non_null(fgets(after, sizeof after, file));
  fclose(file);
  assert_string_equal(after, text);

  snprintf(path, sizeof path, "%s/other.db", w->folder);
  sql(path, "CREATE TABLE t(x)");
  FAILS(ERR_INVALID, open_at(path, NULL, &s, &w->why));
  assert_non_null(strstr(w->why.detail, "is not a store of taskyard"));
  sql(path, "SELECT x FROM t");
}

static void a_store_needs_its_folder(void **state) {
  struct world *w = *state;
  struct store *s;
  FAILS(ERR_UNAVAILABLE, open_at("/tmp/no/such/folder/x.db", NULL, &s, &w->why));
  FAILS(ERR_INVALID, open_at("", NULL, &s, &w->why));
}

static void only_the_owner_may_read_the_file(void **state) {
  struct world *w = *state;
  struct stat st;
  assert_int_equal(stat(w->path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
}

// --- beside a running server ---------------------------------------------------------------------

static void a_read_only_store_stands_beside_a_running_server(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct store *s;
  const struct sqlite_settings read_only = {.read_only = true};
  OK(open_at(w->path, &read_only, &s, &w->why));
  assert_int_equal(s->ops->lane_max(s), 0);
  struct store_reader *r = NULL;
  OK(s->ops->reader_open(s, &r, &w->why));
  struct task *t = NULL;
  OK(s->ops->read_task(r, &w->arena, 1, id, 0, &t, &w->why));
  id = world_create(w, STR("brand-new"));
  OK(s->ops->read_task(r, &w->arena, 1, id, 0, &t, &w->why));
  assert_str(t->type, STR("brand-new"));
  struct check_finding *findings;
  size_t count;
  OK(s->ops->check(s, &w->arena, &findings, &count, &w->why));
  for (size_t i = 0; i < count; i++) assert_int_equal(findings[i].violations, 0);
  s->ops->reader_close(r);
  s->ops->close(s);
  world_create(w, STR("resize"));
}

static void a_read_only_store_is_never_created(void **state) {
  struct world *w = *state;
  const struct sqlite_settings read_only = {.read_only = true};
  char path[80];
  snprintf(path, sizeof path, "%s/nothing.db", w->folder);
  struct store *s;
  FAILS(ERR_UNAVAILABLE, open_at(path, &read_only, &s, &w->why));
  assert_int_not_equal(access(path, F_OK), 0);
}

static void a_read_that_takes_too_long_is_stopped(void **state) {
  struct world *w = *state;
  for (int i = 0; i < 40; i++) {
    struct unit *u = unit_new(w);
    for (int k = 0; k < 1000; k++) unit_create(u, STR("a"))->tags = STR("{\"a\":\"b\"}");
    OK(unit_apply(u));
    arena_reset(&w->arena);
  }
  world_close(w);
  const struct sqlite_settings hasty = {.read_deadline_ms = 1};
  OK(open_at(w->path, &hasty, &w->store, &w->why));
  OK(w->ops->lane_open(w->store, &w->lane, &w->why));
  OK(w->ops->reader_open(w->store, &w->reader, &w->why));
  const struct task_filter filter = {.tenant = 1,
                                     .limit = 5,
                                     .tag_name = STR("a"),
                                     .tag_value = STR("none"),
                                     .text = STR("nothing like it")};
  struct task_page page;
  FAILS(ERR_SCAN_LIMIT, w->ops->read_tasks(w->reader, &w->arena, &filter, &page, &w->why));
  // The reader serves on.
  assert_int_equal(world_tally(w, 1).ready, 40000);
}

// --- upkeep --------------------------------------------------------------------------------------

static void checkpoints_keep_the_wal_short_and_an_idle_store_writes_nothing(void **state) {
  struct world *w = *state;
  world_close(w);
  const struct sqlite_settings tidy = {.checkpoint_pages = 1000};
  OK(open_at(w->path, &tidy, &w->store, &w->why));
  OK(w->ops->lane_open(w->store, &w->lane, &w->why));
  char wal[80];
  snprintf(wal, sizeof wal, "%s-wal", w->path);
  for (int i = 0; i < 300; i++) {
    struct unit *u = unit_new(w);
    for (int k = 0; k < 500; k++) unit_create(u, STR("a"))->payload = STR("\"0123456789\"");
    OK(unit_apply(u));
    OK(w->ops->tend(w->lane, false, &w->why));
    arena_reset(&w->arena);
  }
  struct stat st, again;
  assert_int_equal(stat(wal, &st), 0);
  assert_true(st.st_size < 8 << 20);
  OK(w->ops->tend(w->lane, true, &w->why));
  assert_int_equal(stat(w->path, &st), 0);
  for (int i = 0; i < 3; i++) OK(w->ops->tend(w->lane, true, &w->why));
  assert_int_equal(stat(w->path, &again), 0);
  assert_memory_equal(&st.st_mtim, &again.st_mtim, sizeof st.st_mtim);
}

// --- faults --------------------------------------------------------------------------------------

// Runs `body` in a process of its own, which may come to any harm.
static int in_child(void (*body)(struct world *w), struct world *w) {
  world_close(w);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    body(w);
    _exit(0);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  world_open(w);
  return status;
}

static void work_and_die(struct world *w) {
  world_open(w);
  struct id id = world_create(w, STR("resize"));
  world_create(w, STR("resize"));
  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, id, 0));
  OK(unit_apply(u));
  world_load(w, id, 0);  // dies amid a unit
  raise(SIGKILL);
}

static void what_was_applied_survives_a_kill(void **state) {
  struct world *w = *state;
  assert_true(WIFSIGNALED(in_child(work_and_die, w)));
  struct tally tally = world_tally(w, 1);
  assert_int_equal(tally.count[TASK_RUNNING], 1);
  assert_int_equal(tally.ready, 1);
  assert_int_equal(world_check(w), 0);
}

// A store of a server that was killed after `count` commits: all of them are in the WAL.
static void die_after(struct world *w, int count) {
  world_close(w);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    world_open(w);
    for (int i = 0; i < count; i++) world_create(w, STR("resize"));
    raise(SIGKILL);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
}

// Flips a bit of the WAL, so many bytes from its beginning, or before its end.
static void flip(const struct world *w, off_t at) {
  char wal[80], byte = 0;
  snprintf(wal, sizeof wal, "%s-wal", w->path);
  int fd = open(wal, O_RDWR | O_CLOEXEC);
  assert_true(fd >= 0);
  if (at < 0) at += lseek(fd, 0, SEEK_END);
  assert_int_equal(pread(fd, &byte, 1, at), 1);
  byte = (char)(byte ^ 4);
  assert_int_equal(pwrite(fd, &byte, 1, at), 1);
  close(fd);
}

// SQLite would take the commits before the damage, and drop those behind it without a word.
static void a_damaged_wal_is_refused_and_kept(void **state) {
  struct world *w = *state;
  static const off_t places[] = {
      12,                  // in the head
      24,                  // in the sum of the head
      32 + 1,              // in the head of the first frame
      32 + 24 + 100,       // in its page
      32 + 3 * 4120 + 10,  // in the salts of another
      32 + 5 * 4120 + 18,  // in its sum
  };
  const struct sqlite_settings read_only = {.read_only = true};
  die_after(w, 10);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    struct store *s;
    flip(w, places[i]);
    FAILS(ERR_STORE_BROKEN, open_at(w->path, NULL, &s, &w->why));
    assert_non_null(strstr(w->why.detail, "-wal is damaged"));
    FAILS(ERR_STORE_BROKEN, open_at(w->path, &read_only, &s, &w->why));
    flip(w, places[i]);
  }
  world_open(w);
  assert_int_equal(world_tally(w, 1).ready, 10);
}

// The last commit may have been torn by a loss of power, and then nobody was told of it.
static void a_torn_last_commit_is_no_damage(void **state) {
  struct world *w = *state;
  die_after(w, 10);
  flip(w, -100);
  world_open(w);
  assert_int_equal(world_tally(w, 1).ready, 9);
  assert_int_equal(world_check(w), 0);
}

static void limit_files(rlim_t bytes) {
  struct rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(10);
}

static enum err create_many(struct world *w, int count) {
  struct unit *u = unit_new(w);
  for (int i = 0; i < count; i++) unit_create(u, STR("resize"))->payload = STR("\"some words\"");
  return unit_apply(u);
}

// Files that cannot grow behave as a full disk does. Exits with the step that went wrong.
static void fill_the_disk(struct world *w) {
  signal(SIGXFSZ, SIG_IGN);
  world_open(w);
  int64_t applied = 0;
  enum err err = create_many(w, 100);
  limit_files(1 << 20);
  for (int i = 0; i < 1000 && err == ERR_OK; i++) {
    applied += 100;
    err = create_many(w, 100);
  }
  if (err != ERR_DISK_FULL) _exit(1);
  if (world_tally(w, 1).ready != applied) _exit(2);  // reads go on, nothing half done
  if (world_pick(w, (struct pick){.limit = 5}).row_count != 5) _exit(3);
  w->ops->abandon(w->lane);
  err = w->ops->tend(w->lane, false, &w->why);  // a probe: what is left may do for so little
  if (err != ERR_DISK_FULL && err != ERR_OK) _exit(4);
  limit_files(RLIM_INFINITY);
  if (w->ops->tend(w->lane, false, &w->why) != ERR_OK) _exit(5);  // there is room again
  if (create_many(w, 100) != ERR_OK) _exit(6);
  if (world_tally(w, 1).ready != applied + 100) _exit(7);
  if (world_check(w) != 0) _exit(8);
  world_close(w);
}

static void a_full_disk_loses_nothing_and_heals(void **state) {
  struct world *w = *state;
  int status = in_child(fill_the_disk, w);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_int_equal(world_check(w), 0);
}

// --- backup --------------------------------------------------------------------------------------

struct load_thread {
  struct world *w;
  atomic_bool stop;
  atomic_int applied;
};

static void *create_until_stopped(void *arg) {
  struct load_thread *l = arg;
  while (!atomic_load(&l->stop)) {
    if (create_many(l->w, 10) != ERR_OK) break;
    atomic_fetch_add(&l->applied, 10);
  }
  return NULL;
}

static void a_backup_under_load_holds_all_that_was_acknowledged_before(void **state) {
  struct world *w = *state;
  char path[80];
  snprintf(path, sizeof path, "%s/backup.db", w->folder);
  struct load_thread l = {.w = w};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, create_until_stopped, &l), 0);
  while (atomic_load(&l.applied) < 500) sched_yield();
  int before = atomic_load(&l.applied);
  enum err err = w->ops->backup(w->store, path, &w->why);
  atomic_store(&l.stop, true);
  pthread_join(thread, NULL);
  OK(err);
  FAILS(ERR_CONFLICT, w->ops->backup(w->store, path, &w->why));  // never over a file

  world_close(w);
  snprintf(w->path, sizeof w->path, "%s/backup.db", w->folder);
  world_open(w);
  assert_true(world_tally(w, 1).ready >= before);
  assert_int_equal(world_check(w), 0);
  world_create(w, STR("resize"));
}

// --- check ---------------------------------------------------------------------------------------

// Harms a closed store and looks whether the check, as a command of its own, says so.
static bool check_finds(struct world *w, const char *harm, const char *invariant) {
  const struct sqlite_settings read_only = {.read_only = true};
  struct check_finding *findings = NULL;
  size_t count = 0;
  bool found = false;
  sql(w->path, harm);
  struct store *s;
  OK(open_at(w->path, &read_only, &s, &w->why));
  OK(s->ops->check(s, &w->arena, &findings, &count, &w->why));
  for (size_t i = 0; i < count; i++)
    found |= findings[i].violations > 0 && strstr(findings[i].invariant, invariant);
  s->ops->close(s);
  return found;
}

static void check_finds_what_was_broken_behind_the_stores_back(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  t->payload = STR("[1]");
  OK(unit_apply(u));
  const struct {
    const char *harm, *repair, *invariant;
  } cases[] = {
      {"UPDATE channel SET pending = 5", "UPDATE channel SET pending = 1", "tallies equal"},
      {"UPDATE channel SET tenant = 2", "UPDATE channel SET tenant = 1", "own tenant"},
      {"INSERT INTO channel SELECT 99, tenant, queue, type, 0, 0, 0, 0, 0, 0, 0 FROM channel",
       "DELETE FROM channel WHERE number = 99", "one channel"},
      {"UPDATE task SET status = 9", "UPDATE task SET status = 0", "one known status"},
      {"UPDATE task SET waiting = 0", "UPDATE task SET waiting = 1", "exactly while it is pending"},
      {"UPDATE task SET waiting = 4", "UPDATE task SET waiting = 1", "has a time"},
      {"UPDATE task SET status = 1", "UPDATE task SET status = 0", "has a lease"},
      {"UPDATE task SET lease = 3", "UPDATE task SET lease = 0", "has no lease"},
      {"UPDATE task SET attempt = 9", "UPDATE task SET attempt = 0", "more attempts"},
      {"UPDATE task SET completed_at = 9", "UPDATE task SET completed_at = 0", "has an end"},
      {"UPDATE task SET event_last = 9", "UPDATE task SET event_last = 1", "newest event"},
      {"UPDATE event SET previous = 1", "UPDATE event SET previous = 0", "one chain"},
      {"INSERT INTO event SELECT id + 5, kind, at, task, salt, 1, channel, attempt, progress, "
       "actor,"
       " worker, note, text, queue, type FROM event",
       "DELETE FROM event WHERE previous = 1", "without a gap"},
      {"INSERT INTO payload VALUES (7, 'x')", "DELETE FROM payload WHERE task = 7", "its task"},
      {"INSERT INTO log SELECT key, 3, 0, 'x' FROM task", "DELETE FROM log", "log lines"},
  };
  assert_int_equal(world_check(w), 0);
  world_close(w);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (!check_finds(w, cases[i].harm, cases[i].invariant)) fail_msg("missed: %s", cases[i].harm);
    sql(w->path, cases[i].repair);
  }
  world_open(w);
  assert_int_equal(world_check(w), 0);
}

// --- sessions ------------------------------------------------------------------------------------

// Numbers have a gap then, which only a store that is checked must not have.
static void a_forgotten_task_goes_with_its_own_events_and_leaves_no_trace(void **state) {
  struct world *w = *state;
  struct id goes = world_create(w, STR("resize")), stays = world_create(w, STR("resize"));
  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, goes, 0));
  unit_claim(u, world_load(w, stays, 0));
  OK(unit_apply(u));
  struct row *row = world_load(w, goes, 0);
  u = unit_new(w);
  unit_row(u, row);
  row->gone = row->forgotten = true;
  OK(unit_apply(u));
  assert_null(world_load(w, goes, 0));
  struct event_page left = world_events(w, (struct event_filter){0});
  assert_int_equal(left.count, 2);
  for (size_t i = 0; i < left.count; i++) assert_true(id_eq(left.events[i].task, stays));
  assert_int_equal(world_events(w, (struct event_filter){.task = stays}).count, 2);
  struct event_page none;
  const struct event_filter its = {.tenant = 1, .task = goes, .limit = 10};
  FAILS(ERR_NOT_FOUND, w->ops->read_events(w->reader, &w->arena, &its, &none, &w->why));
}

int main(void) {
  kind_now = &kinds[0];
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(a_store_is_open_in_one_server_only),
      CONTRACT_TEST(another_way_to_the_file_is_no_way_around_its_lock),
      CONTRACT_TEST(a_file_with_a_second_name_is_refused),
      CONTRACT_TEST(a_link_to_nothing_is_refused),
      CONTRACT_TEST(a_store_of_a_newer_version_is_refused),
      CONTRACT_TEST(a_store_that_was_made_by_other_steps_is_refused),
      CONTRACT_TEST(a_file_that_is_not_ours_is_refused_and_left_as_it_is),
      CONTRACT_TEST(a_store_needs_its_folder),
      CONTRACT_TEST(only_the_owner_may_read_the_file),
      CONTRACT_TEST(a_read_only_store_stands_beside_a_running_server),
      CONTRACT_TEST(a_read_only_store_is_never_created),
      CONTRACT_TEST(a_read_that_takes_too_long_is_stopped),
      CONTRACT_TEST(checkpoints_keep_the_wal_short_and_an_idle_store_writes_nothing),
      CONTRACT_TEST(what_was_applied_survives_a_kill),
      CONTRACT_TEST(a_damaged_wal_is_refused_and_kept),
      CONTRACT_TEST(a_torn_last_commit_is_no_damage),
      CONTRACT_TEST(a_full_disk_loses_nothing_and_heals),
      CONTRACT_TEST(a_backup_under_load_holds_all_that_was_acknowledged_before),
      CONTRACT_TEST(check_finds_what_was_broken_behind_the_stores_back),
      CONTRACT_TEST(a_forgotten_task_goes_with_its_own_events_and_leaves_no_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
