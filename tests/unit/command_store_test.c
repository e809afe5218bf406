// command_store_test.c: `taskyard check`, `backup` and `migrate`: what they do with a store that no
// server, or one, has open.
#include "tests/unit/program.h"

#include "store/sqlite/sums.h"

#define OLD "sqlite:old.db"
#define NEW "sqlite:new.db"

// So many tasks in a store that is closed again.
static void fill(struct place *at, const char *store, int tasks) {
  struct buf lines;
  struct program *server = SERVE(at, "--store", store);
  buf_init(&lines, 1 << 20);
  for (int i = 0; i < tasks; i++) BUF_LIT(&lines, "1\n");
  buf_char(&lines, '\0');
  const struct program *p = RUN_WITH(at, lines.at, "submit", "t", "--from-lines",
                                     "--idempotency-key", "k", "--name", "Name");
  buf_fini(&lines);
  assert_exit(p, EXIT_DONE);
  assert_exit(STOP(server), EXIT_DONE);
}

// Runs SQL on the file of a closed store, past the store. Its pages get their sums.
static void sql(struct place *at, const char *file, const char *text) {
  sqlite3 *db = NULL;
  char *error = NULL;
  assert_int_equal(sqlite3_initialize(), SQLITE_OK);
  sqlite_sums_setup();
  assert_int_equal(
      sqlite3_open_v2(place_path(at, file), &db, SQLITE_OPEN_READWRITE, SQLITE_SUMS_VFS),
      SQLITE_OK);
  if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK) fail_msg("%s: %s", text, error);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

// --- check and backup ----------------------------------------------------------------------------

static void check_and_backup_work_beside_a_server(void **state) {
  struct place *at = *state;
  struct program *server = SERVE(at, "--store", OLD);
  const char *id = first_line(RUN(at, "submit", "t"));
  const struct program *p = RUN(at, "check", "--store", OLD);
  assert_exit(p, EXIT_DONE);
  assert_true(str_starts(str_of(p->out), STR("ok    ")));
  assert_null(strstr(p->out, "FAIL"));
  assert_err_is(p, "");
  p = RUN(at, "backup", "--store", OLD, "copy.db");
  assert_exit(p, EXIT_DONE);
  assert_err_is(p, "The copy is copy.db.\n");
  assert_exit(STOP(server), EXIT_DONE);
  p = RUN(at, "check", "--store", "sqlite:copy.db", "--json");
  assert_exit(p, EXIT_DONE);
  assert_out(p, ",\"violations\":0,\"example\":null}\n");
  (void)SERVE(at, "--store", "sqlite:copy.db");
  assert_out(RUN(at, "list"), id);
}

static void check_tells_what_is_violated(void **state) {
  struct place *at = *state;
  fill(at, OLD, 2);
  sql(at, "old.db", "UPDATE channel SET pending = pending + 1");
  const struct program *p = RUN(at, "check", "--store", OLD);
  assert_exit(p, EXIT_FAILURE);
  assert_out(p, "FAIL  tallies equal what they count: 1 violation, first queue default, type t\n");
  assert_err(p, " invariants are violated; keep a copy of the store before anything else\n");
  p = RUN(at, "check", "--store", OLD, "--json", "--trust-pages");
  assert_exit(p, EXIT_FAILURE);
  assert_out(
      p, "{\"invariant\":\"tallies equal what they count\",\"violations\":1,\"example\":\"queue");
}

static void what_can_be_neither_checked_nor_copied_is_refused(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "check", "--store", "memory:");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "a store in memory can be neither checked nor copied");
  p = RUN(at, "check", "--store", "sqlite:none.db");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "none.db");
  p = RUN(at, "check", "--store", OLD, "--store-schema", "x");
  assert_exit(p, EXIT_USAGE);
  assert_err(p, "--store-schema is for PostgreSQL, and the store is a file");
  fill(at, OLD, 1);
  p = RUN(at, "backup", "--store", OLD, "missing/copy.db");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "missing/copy.db");
  assert_out_is(p, "");
}

// --- migrate -------------------------------------------------------------------------------------

static void everything_comes_over(void **state) {
  struct place *at = *state;
  fill(at, OLD, 30);
  const struct program *p = RUN(at, "migrate", "--from", OLD, "--to", NEW);
  assert_exit(p, EXIT_DONE);
  assert_out(p, "tasks\t30\t30\tok\n");
  assert_out(p, "events\t");
  assert_null(strstr(p->out, "DIFFERENT"));
  assert_err(p, "moving tasks: 30 rows, ");
  assert_err(p, "reading kept answers: ");
  assert_err(p, "/s, all of them\n");
  assert_err(p, "All is moved. The old store is as it was; start the servers with the new one.\n");
  assert_out_is(RUN(at, "migrate", "--from", OLD, "--to", NEW, "--verify"), p->out);
  (void)SERVE(at, "--store", NEW);
  p = RUN(at, "queue");
  assert_out(p, "default\tactive\t30\t");
}

static void a_terminal_shows_how_far_a_move_is(void **state) {
  struct place *at = *state;
  fill(at, OLD, 30);
  place_sets(at, "TERM", "xterm");
  const struct program *p = END(START_ON_TERMINAL(at, "migrate", "--from", OLD, "--to", NEW));
  assert_exit(p, EXIT_DONE);
  assert_out(p, "moving tasks: 30 rows");
  assert_out(p, "100%");
  assert_out(p, "verified");
}

static void a_changed_byte_is_found(void **state) {
  struct place *at = *state;
  fill(at, OLD, 3);
  assert_exit(RUN(at, "migrate", "--from", OLD, "--to", NEW), EXIT_DONE);
  sql(at, "new.db", "UPDATE task SET name = 'name' WHERE key = (SELECT min(key) FROM task)");
  const struct program *p = RUN(at, "migrate", "--from", OLD, "--to", NEW, "--verify");
  assert_exit(p, EXIT_FAILURE);
  assert_out(p, "tasks\t3\t3\tDIFFERENT\n");
  assert_out(p, "catalogue\t1\t1\tok\n");
  assert_err(p, "taskyard: the stores differ in 1 of 5 parts\n");
}

// Passes its errors on. The signal comes when the first part is there, and before the next begins.
static ssize_t interrupt(void *self, const char *line, size_t len) {
  static const char PART[] = "moving the catalogue: ";
  (void)self;
  if (str_starts((struct str){line, len}, (struct str){PART, sizeof PART - 1})) raise(SIGINT);
  return write(STDERR_FILENO, line, len);
}

static int move_interrupted(void *argv) {
  stderr = fopencookie(NULL, "w", (cookie_io_functions_t){.write = interrupt});
  if (!stderr || setvbuf(stderr, NULL, _IOLBF, BUFSIZ) != 0) return EXIT_FAILURE;
  return program_enters(argv);
}

static void begin_to_move(struct place *at) {
  const char *argv[] = {"taskyard", "migrate", "--from", OLD, "--to", NEW, NULL};
  struct program *p = program_new(at, "migrate");
  program_launch(p, PLAIN_WAY, move_interrupted, argv);
  assert_exit(END(p), 128 + SIGINT);
  assert_err(p, "moving the catalogue: 1 rows, ");
  assert_null(strstr(p->err, "moving tasks"));
  assert_err(p, "taskyard: stopped by signal 2\n");
  assert_err(p, "What was moved is kept; repeat the same command to go on.");
}

static void half_a_store_is_neither_served_nor_taken_for_a_whole_one(void **state) {
  struct place *at = *state;
  fill(at, OLD, 30);
  begin_to_move(at);
  const struct program *p = RUN(at, "serve", "--listen", "127.0.0.1:0", "--store", NEW);
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "taskyard migrate");
  p = RUN(at, "check", "--store", NEW);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "a move that was not finished");
  fill(at, "sqlite:other.db", 1);
  p = RUN(at, "migrate", "--from", "sqlite:other.db", "--to", NEW);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "the store of --to is half filled from another store than --from");
  p = RUN(at, "migrate", "--from", NEW, "--to", "sqlite:third.db");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "taskyard: --from: ");

  // It goes on, and does not end well before both are the same.
  sql(at, "old.db", "INSERT INTO queue(tenant, name, paused) VALUES (1, 'late', true)");
  p = RUN(at, "migrate", "--from", OLD, "--to", NEW);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "An earlier run was interrupted; this one goes on where it ended.\n");
  assert_err(p, "moving the catalogue: 1 rows, there already\n");
  assert_out(p, "tasks\t30\t30\tok\n");
  assert_out(p, "\tDIFFERENT\n");
  assert_err(p, "the stores differ, and the new one stays closed");
  sql(at, "old.db", "DELETE FROM queue WHERE name = 'late'");
  p = RUN(at, "migrate", "--from", OLD, "--to", NEW);
  assert_exit(p, EXIT_DONE);
  assert_err(p, "All is moved. ");
}

static void a_store_that_holds_something_is_left_as_it_is(void **state) {
  struct place *at = *state;
  fill(at, OLD, 1);
  fill(at, NEW, 2);
  const struct program *p = RUN(at, "migrate", "--from", OLD, "--to", NEW);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "the store of --to is not empty, and nothing was moved; name another one");
  assert_exit(RUN(at, "backup", "--store", OLD, "copy.db"), EXIT_DONE);
  p = RUN(at, "migrate", "--from", OLD, "--to", "sqlite:copy.db");
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "--from and --to are the same store, or copies of one");
}

static void a_store_that_a_server_uses_is_not_moved(void **state) {
  struct place *at = *state;
  (void)SERVE(at, "--store", OLD);
  const struct program *p = RUN(at, "migrate", "--from", OLD, "--to", NEW);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "in use by another taskyard, process");
  assert_out_is(p, "");
}

static void what_cannot_be_moved_is_refused(void **state) {
  static const struct {
    const char *words[8];
    const char *sentence;
  } WRONG[] = {
      {{"migrate", "--from", OLD}, "--from URL and --to URL are both needed"},
      {{"migrate", "--from", OLD, "--to", "memory:"},
       "--to names a store in memory, which nobody else can reach"},
      {{"migrate", "--from", "memory:", "--to", NEW}, "--from names a store in memory"},
      {{"migrate", "--from", OLD, "--to", OLD}, "--from and --to name the same store"},
      {{"migrate", "--from", OLD, "--to", "sqlite:./old.db"}, "--from and --to name the same"},
      {{"migrate", "--from", OLD, "--to", NEW, "--to-schema", "x"},
       "--to-schema is for PostgreSQL, and --to names a file"},
      {{"migrate", "--from", OLD, "--to", "new.db"},
       "taskyard: --to must be sqlite:PATH or postgresql://USER@HOST/DATABASE\n"},
  };
  struct place *at = *state;
  fill(at, OLD, 1);
  for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
    const struct program *p = END(program_start(at, PLAIN_WAY, WRONG[i].words));
    assert_exit(p, EXIT_USAGE);
    assert_err(p, WRONG[i].sentence);
  }
  const struct program *p = RUN(at, "migrate", "--from", "sqlite:nothing.db", "--to", NEW);
  assert_exit(p, EXIT_FAILURE);
  assert_err(p, "is there a store of that name");
  assert_null(place_reads(at, "new.db"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(check_and_backup_work_beside_a_server),
      AT_A_PLACE(check_tells_what_is_violated),
      AT_A_PLACE(what_can_be_neither_checked_nor_copied_is_refused),
      AT_A_PLACE(everything_comes_over),
      AT_A_PLACE(a_terminal_shows_how_far_a_move_is),
      AT_A_PLACE(a_changed_byte_is_found),
      AT_A_PLACE(half_a_store_is_neither_served_nor_taken_for_a_whole_one),
      AT_A_PLACE(a_store_that_holds_something_is_left_as_it_is),
      AT_A_PLACE(a_store_that_a_server_uses_is_not_moved),
      AT_A_PLACE(what_cannot_be_moved_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
