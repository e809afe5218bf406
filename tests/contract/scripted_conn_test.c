// scripted_conn_test.c: one connection to a PostgreSQL that says what it should not: who is let in,
// and what becomes of what was sent. Needs no database: the server is scripted.h.
#include "scripted.h"

#include <dlfcn.h>

#include "base/log.h"
#include "store/postgres/internal.h"

static struct scripted server;
static struct conn_settings settings;
static struct arena arena;
static struct conn conn;
static struct fault why;

static int start(void **state) {
  (void)state;
  scripted_start(&server);
  arena_init(&arena, 1 << 16);
  settings = (struct conn_settings){.url = server.url, .schema = STR("yard"), .kind = CONN_LANE};
  conn = (struct conn){0};
  why = (struct fault){0};
  return 0;
}

static const char *refused;  // the call of libpq that fails from now on; NULL: none

static int stop(void **state) {
  (void)state;
  refused = NULL;
  pg_close(&conn);
  arena_fini(&arena);
  scripted_stop(&server);
  return 0;
}

#define SCRIPTED_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

#define SCRIPT(name, ...) static struct reply name[] = {__VA_ARGS__, {.about = NULL}}

static void check_err(enum err err, enum err want, const char *words) {
  if (err != want || (words && !strstr(why.detail, words)))
    fail_msg("%s: %s, not %s: %s", err_code(err), why.detail, err_code(want), words ? words : "");
}

static void open_it(struct reply *replies) {
  scripted_says(&server, replies);
  check_err(pg_open(&conn, &settings, &arena, &why), ERR_OK, NULL);
}

static void check_open_fails(struct reply *replies, enum err err, const char *words) {
  scripted_says(&server, replies);
  check_err(pg_open(&conn, &settings, &arena, &why), err, words);
  assert_false(pg_is_open(&conn));
}

// One statement and its result. On failure the connection is left as it is.
static enum err ask(const char *sql, struct result *r) {
  struct call call = pg_call_sql(&conn, str_of(sql));
  enum err err = pg_send(&call, &why);
  if (err == ERR_OK) err = pg_sync(&conn, &why);
  if (err == ERR_OK) err = pg_receive(&conn, r, &why);
  if (err != ERR_OK) return err;
  err = pg_finish(&conn, &why);
  if (err != ERR_OK) result_free(r);
  return err;
}

static enum err ask_done(const char *sql) {
  struct result r;
  enum err err = ask(sql, &r);
  if (err == ERR_OK) result_free(&r);
  return err;
}

// --- calls of libpq that fail --------------------------------------------------------------------

static bool refuses(const char *name) { return refused && strcmp(refused, name) == 0; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int PQsetnonblocking(PGconn *db, int on) {
  return refuses("PQsetnonblocking") ? -1 : REAL(PQsetnonblocking)(db, on);
}
int PQenterPipelineMode(PGconn *db) {
  return refuses("PQenterPipelineMode") ? 0 : REAL(PQenterPipelineMode)(db);
}
int PQexitPipelineMode(PGconn *db) {
  return refuses("PQexitPipelineMode") ? 0 : REAL(PQexitPipelineMode)(db);
}
int PQsendQuery(PGconn *db, const char *sql) {
  return refuses("PQsendQuery") ? 0 : REAL(PQsendQuery)(db, sql);
}
int PQpipelineSync(PGconn *db) { return refuses("PQpipelineSync") ? 0 : REAL(PQpipelineSync)(db); }
int PQsendQueryParams(PGconn *db, const char *sql, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats,
                      int format) {
  if (refuses("PQsendQueryParams")) return 0;
  return REAL(PQsendQueryParams)(db, sql, count, types, values, lengths, formats, format);
}
int PQflush(PGconn *db) { return refuses("PQflush") ? -1 : REAL(PQflush)(db); }
int PQconsumeInput(PGconn *db) { return refuses("PQconsumeInput") ? 0 : REAL(PQconsumeInput)(db); }

static void a_connection_that_takes_no_pipeline_is_refused(void **state) {
  (void)state;
  static const char *const calls[] = {"PQsetnonblocking", "PQenterPipelineMode"};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    refused = calls[i];
    check_open_fails(NULL, ERR_UNAVAILABLE, "cannot connect");
  }
  refused = NULL;
  open_it(NULL);
}

static void a_text_that_cannot_be_sent_counts_as_a_lost_connection(void **state) {
  (void)state;
  static const char *const calls[] = {"PQexitPipelineMode", "PQsendQuery", "PQenterPipelineMode"};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    open_it(NULL);
    refused = calls[i];
    check_err(pg_exec(&conn, "SELECT", &why), ERR_UNAVAILABLE, "was lost");
    refused = NULL;
    assert_false(pg_is_open(&conn));
  }
}

static void what_cannot_be_flushed_counts_as_lost(void **state) {
  (void)state;
  struct call call;
  open_it(NULL);
  call = pg_call_sql(&conn, STR("SELECT"));
  check_err(pg_send(&call, &why), ERR_OK, NULL);
  refused = "PQflush";
  check_err(pg_flush(&conn, &why), ERR_UNAVAILABLE, "was lost");
  // Whoever goes on with it is told the same, until it is closed.
  check_err(pg_sync(&conn, &why), ERR_UNAVAILABLE, "was lost");
  pg_reset(&conn);
  assert_false(pg_is_open(&conn));
  check_err(pg_sync(&conn, &why), ERR_UNAVAILABLE, "is closed");
}

static void what_cannot_be_flushed_while_an_answer_is_awaited_counts_as_lost(void **state) {
  (void)state;
  SCRIPT(script, {.about = "SELECT 77", .says = "?"});
  open_it(script);
  struct call call = pg_call_sql(&conn, STR("SELECT 77"));
  struct result r;
  check_err(pg_send(&call, &why), ERR_OK, NULL);
  check_err(pg_sync(&conn, &why), ERR_OK, NULL);
  refused = "PQflush";
  check_err(pg_receive(&conn, &r, &why), ERR_UNAVAILABLE, "was lost");
}

static void a_rollback_that_fails_closes_the_connection(void **state) {
  (void)state;
  static const char *const calls[] = {"PQsendQueryParams", "PQpipelineSync"};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    open_it(NULL);
    check_err(pg_exec(&conn, "BEGIN", &why), ERR_OK, NULL);
    refused = calls[i];
    pg_reset(&conn);
    refused = NULL;
    assert_false(pg_is_open(&conn));
  }
  SCRIPT(refuses_it, {.about = "^ROLLBACK", .says = "!ERROR XX000 it does not go back"});
  open_it(refuses_it);
  check_err(pg_exec(&conn, "BEGIN", &why), ERR_OK, NULL);
  pg_reset(&conn);
  assert_false(pg_is_open(&conn));
}

// The server says that all is well, and is still in its transaction.
static void a_connection_that_does_not_come_to_rest_is_closed(void **state) {
  (void)state;
  SCRIPT(stays, {.about = "^ROLLBACK", .says = "&"});
  open_it(stays);
  check_err(pg_exec(&conn, "BEGIN", &why), ERR_OK, NULL);
  pg_reset(&conn);
  assert_false(pg_is_open(&conn));
}

// --- opening -------------------------------------------------------------------------------------

static void whoever_is_refused_is_told_the_server_s_words_and_what_helps(void **state) {
  (void)state;
  static const struct {
    const char *says, *words;
  } cases[] = {
      {"!FATAL 28000 role \"yard\" does not exist", "createuser"},
      {"!FATAL 3D000 database \"yard\" does not exist", "createdb"},
      {"!FATAL 28P01 password authentication failed", "PGPASSWORD"},
      {"!FATAL 57P03 the moon is full", "the moon is full"},
      {"!", "cannot connect"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct reply script[] = {{.about = "startup", .says = cases[i].says}, {.about = NULL}};
    check_open_fails(script, ERR_UNAVAILABLE, cases[i].words);
    scripted_says(&server, NULL);
  }
  assert_null(strstr(why.detail, "name the primary"));
}

static void a_schema_whose_types_are_gone_is_said_to_be(void **state) {
  (void)state;
  SCRIPT(script, {.about = "relnatts", .says = "1,2\n3,4"});
  check_open_fails(script, ERR_UNAVAILABLE, "restore its schema");
}

static void a_connection_fails_whose_settings_cannot_be_made(void **state) {
  (void)state;
  SCRIPT(script, {.about = "set_config", .says = "!ERROR 42501 not for you"});
  check_open_fails(script, ERR_UNAVAILABLE, "not for you");
}

static void each_kind_of_connection_waits_as_long_as_it_is_meant_to(void **state) {
  (void)state;
  int64_t patience_us[3];
  for (enum conn_kind kind = CONN_LANE; kind <= CONN_SIDE; kind++) {
    settings.kind = kind;
    open_it(NULL);
    patience_us[kind] = conn.patience_us;
    pg_close(&conn);
  }
  assert_true(patience_us[CONN_READER] < patience_us[CONN_LANE]);
  assert_true(patience_us[CONN_LANE] < patience_us[CONN_SIDE]);
  settings.deadline_ms = 1000;
  open_it(NULL);
  assert_true(conn.patience_us < patience_us[CONN_READER]);
  check_err(pg_limit(&conn, 2000, &why), ERR_OK, NULL);
  assert_int_equal(conn.patience_us, (2000 + 5000) * 1000);
  check_err(pg_limit(&conn, 0, &why), ERR_OK, NULL);
  assert_int_equal(conn.patience_us, 0);
  check_err(ask_done("SELECT"), ERR_OK, NULL);  // waits for ever, if need be
}

// --- which server is let have the store ----------------------------------------------------------

static void check_guard(const char *server_says, bool unsafe, enum err err, const char *words) {
  struct reply script[] = {{.about = "server_version_num", .says = server_says}, {.about = NULL}};
  open_it(script);
  check_err(pg_guard(&conn, unsafe, &why), err, words);
  pg_close(&conn);
  scripted_says(&server, NULL);
}

static void a_server_that_is_not_fit_is_refused_and_told_why(void **state) {
  (void)state;
  settings.kind = CONN_SIDE;
  check_guard("130000,false,'UTF8,'on,'on,'on,'", false, ERR_OK, NULL);
  check_guard("120022,false,'UTF8,'on,'on,'on,'", false, ERR_INVALID,
              "PostgreSQL 12; it must be 13");
  check_guard("160000,true,'UTF8,'on,'on,'on,'", false, ERR_UNAVAILABLE, "name the primary");
  check_guard("160000,false,'LATIN1,'on,'on,'on,'", false, ERR_INVALID, "LATIN1");
  check_guard("160000,false,'UTF8,'off,'on,'on,'", false, ERR_INVALID, "fsync off");
  check_guard("160000,false,'UTF8,'on,'off,'on,'", false, ERR_INVALID, "full_page_writes off");
  check_guard("160000,false,'UTF8,'on,'on,'off,'", false, ERR_INVALID, "synchronous_commit off");
  check_guard("160000,false,'UTF8,'on,'on,'local,'ANY 1 (a)", false, ERR_INVALID,
              "synchronous_commit local");
  check_guard("160000,false,'UTF8,'on,'on,'local,'", false, ERR_OK, NULL);
  check_guard("160000,false,'UTF8,'on,'on,'on,'ANY 1 (a)", false, ERR_OK, NULL);
  check_guard("160000,false,'UTF8,'off,'off,'off,'", true, ERR_OK, NULL);
  check_guard("", false, ERR_INVALID, "PostgreSQL 0");
}

static void a_way_that_takes_no_transaction_is_refused(void **state) {
  (void)state;
  SCRIPT(no_begin, {.about = "^BEGIN", .says = "!ERROR 08P01 not in this mode"});
  SCRIPT(no_end, {.about = "^ROLLBACK", .says = "!ERROR 08P01 not in this mode"});
  SCRIPT(gone, {.about = "^BEGIN", .says = "!"});
  settings.kind = CONN_SIDE;
  open_it(no_begin);
  check_err(pg_guard(&conn, false, &why), ERR_INVALID, "session or transaction mode");
  pg_close(&conn);
  open_it(no_end);
  check_err(pg_guard(&conn, false, &why), ERR_INVALID, "session or transaction mode");
  pg_close(&conn);
  open_it(gone);
  check_err(pg_guard(&conn, false, &why), ERR_UNAVAILABLE, "takes no transaction");
}

// --- which schema is -----------------------------------------------------------------------------

static void check_migrate(struct reply *script, bool read_only, enum err err, const char *words) {
  open_it(script);
  check_err(pg_migrate(&conn, STR("yard"), read_only, &why), err, words);
  pg_close(&conn);
}

static void a_schema_that_is_not_fit_is_refused_and_told_why(void **state) {
  (void)state;
  SCRIPT(key_word, {.about = "quote_ident", .says = "false,false,false,false"});
  SCRIPT(unlisted, {.about = "name = 'schema'", .says = ""});
  SCRIPT(newer, {.about = "name = 'schema'", .says = "99,false"});
  SCRIPT(other, {.about = "name = 'schema'", .says = "1,false"});
  SCRIPT(nonsense, {.about = "name = 'schema'", .says = "-1,false"});
  SCRIPT(zero, {.about = "name = 'schema'", .says = "0,false"});
  SCRIPT(empty, {.about = "quote_ident", .says = "true,false,false,false"});
  SCRIPT(silent, {.about = "quote_ident", .says = ""});
  settings.kind = CONN_SIDE;
  check_migrate(key_word, false, ERR_INVALID, "key word");
  check_migrate(silent, false, ERR_INVALID, "key word");
  check_migrate(unlisted, false, ERR_INVALID, "something else");
  check_migrate(newer, false, ERR_INVALID, "newer taskyard");
  check_migrate(other, false, ERR_INVALID, "between releases");
  check_migrate(other, true, ERR_INVALID, "between releases");
  check_migrate(nonsense, false, ERR_INVALID, "makes no sense");
  check_migrate(nonsense, true, ERR_INVALID, "makes no sense");
  check_migrate(zero, false, ERR_INVALID, "makes no sense");
  check_migrate(empty, true, ERR_INVALID, "there is no store");
  check_migrate(NULL, false, ERR_OK, NULL);
  check_migrate(NULL, true, ERR_OK, NULL);
}

// While one waits for the lock another makes it.
static void a_schema_that_another_made_meanwhile_is_taken(void **state) {
  (void)state;
  SCRIPT(script, {.about = "quote_ident", .says = "true,false,false,false", .times = 1},
         {.about = "CREATE", .says = "!ERROR 42P06 it is there"});
  settings.kind = CONN_SIDE;
  check_migrate(script, false, ERR_OK, NULL);
  assert_int_equal(scripted_given(&server, &script[1]), 0);
}

static void a_schema_that_may_not_be_made_is_asked_for(void **state) {
  (void)state;
  SCRIPT(forbidden, {.about = "quote_ident", .says = "true,false,false,false"},
         {.about = "CREATE SCHEMA", .says = "!ERROR 42501 permission denied"});
  SCRIPT(full, {.about = "quote_ident", .says = "true,false,false,false"},
         {.about = "CREATE SCHEMA", .says = "!ERROR 53100 no space"});
  settings.kind = CONN_SIDE;
  check_migrate(forbidden, false, ERR_UNAVAILABLE, "AUTHORIZATION");
  check_migrate(full, false, ERR_DISK_FULL, "disk of the database server is full");
}

// --- what a server says of a statement -----------------------------------------------------------

static void errors_mean_what_their_codes_say(void **state) {
  (void)state;
  static const struct {
    const char *says;
    enum err err;
    const char *words;
    bool open;  // afterwards
  } cases[] = {
      {"!ERROR 40001 again", ERR_CONFLICT, "database: again (40001 in a statement)", true},
      {"!ERROR 42501 no", ERR_UNAVAILABLE, "grant it", true},
      {"!ERROR 42P01 no", ERR_UNAVAILABLE, "restore them", true},
      {"!ERROR 3F000 no", ERR_UNAVAILABLE, "restore them", true},
      {"!ERROR 42601", ERR_INTERNAL, "no reason was given", true},
      {"!ERROR XX001 a page is broken", ERR_UNAVAILABLE, "a page is broken", true},
      {"!ERROR 58030 no file", ERR_UNAVAILABLE, "no file", true},
      {"!ERROR 53100 no", ERR_DISK_FULL, "nothing was changed", true},
      {"!ERROR 57014 too long", ERR_UNAVAILABLE, "too long", true},
      {"!ERROR 25006 read only", ERR_UNAVAILABLE, "read only", false},
      {"!FATAL 57P01 goodbye", ERR_UNAVAILABLE, "goodbye", false},
      {"!PANIC XX000 help", ERR_UNAVAILABLE, "help", false},
      {"!- 40001 severe or not", ERR_CONFLICT, "severe or not", true},
      {"!ERROR - who knows", ERR_UNAVAILABLE, "was lost", false},
      {"!", ERR_UNAVAILABLE, "was lost", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct reply script[] = {{.about = "SELECT 77", .says = cases[i].says}, {.about = NULL}};
    open_it(script);
    check_err(ask_done("SELECT 77"), cases[i].err, cases[i].words);
    pg_reset(&conn);
    assert_int_equal(pg_is_open(&conn), cases[i].open);
    if (cases[i].open) check_err(ask_done("SELECT"), ERR_OK, NULL);
    pg_close(&conn);
    scripted_says(&server, NULL);
  }
}

static void the_deadline_of_a_reader_is_one_of_its_filter(void **state) {
  (void)state;
  SCRIPT(script, {.about = "SELECT 77", .says = "!ERROR 57014 too long"});
  settings.kind = CONN_READER;
  open_it(script);
  check_err(ask_done("SELECT 77"), ERR_SCAN_LIMIT, "narrow its filter");
}

static void a_text_that_fails_leaves_the_connection_usable(void **state) {
  (void)state;
  SCRIPT(script, {.about = "SELECT 77", .says = "!ERROR 40001 again"},
         {.about = "SELECT 78", .says = "!FATAL 57P01 goodbye"});
  open_it(script);
  check_err(pg_exec(&conn, "SELECT 77", &why), ERR_CONFLICT, "again");
  check_err(pg_exec(&conn, "SELECT", &why), ERR_OK, NULL);
  check_err(pg_exec(&conn, "SELECT 78", &why), ERR_UNAVAILABLE, "goodbye");
  check_err(pg_exec(&conn, "SELECT", &why), ERR_UNAVAILABLE, "is closed");
}

// What was sent behind the statement that ended the session is not waited for.
static void a_session_that_ends_amid_a_pipeline_fails_all_that_is_behind(void **state) {
  (void)state;
  SCRIPT(script, {.about = "SELECT 77", .says = "!FATAL 57P01 goodbye"});
  open_it(script);
  struct call good = pg_call_sql(&conn, STR("SELECT 1")),
              bad = pg_call_sql(&conn, STR("SELECT 77")), *calls[] = {&good, &bad, &good, &good};
  for (size_t i = 0; i < 4; i++) check_err(pg_send(calls[i], &why), ERR_OK, NULL);
  check_err(pg_sync(&conn, &why), ERR_OK, NULL);
  check_err(pg_receive_done(&conn, &why), ERR_OK, NULL);
  for (size_t i = 0; i < 2; i++) {
    struct result r;
    check_err(pg_receive(&conn, &r, &why), ERR_UNAVAILABLE, "goodbye");
  }
  check_err(pg_finish(&conn, &why), ERR_UNAVAILABLE, "goodbye");
  check_err(pg_limit(&conn, 5, &why), ERR_UNAVAILABLE, "goodbye");
  pg_reset(&conn);
  assert_false(pg_is_open(&conn));
  assert_string_equal(conn.sqlstate, "57P01");
}

static void the_same_is_found_when_it_is_given_up(void **state) {
  (void)state;
  SCRIPT(script, {.about = "SELECT 77", .says = "!FATAL 57P01 goodbye"});
  open_it(script);
  struct call bad = pg_call_sql(&conn, STR("SELECT 77"));
  for (size_t i = 0; i < 3; i++) check_err(pg_send(&bad, &why), ERR_OK, NULL);
  pg_reset(&conn);
  assert_false(pg_is_open(&conn));
}

static void a_name_whose_preparation_was_lost_is_prepared_again(void **state) {
  (void)state;
  open_it(NULL);
  struct call call = pg_call(&conn, QUERY_begin), again = pg_call(&conn, QUERY_begin);
  refused = "PQflush";
  check_err(pg_send(&call, &why), ERR_OK, NULL);
  check_err(pg_sync(&conn, &why), ERR_UNAVAILABLE, "was lost");
  check_err(pg_receive_done(&conn, &why), ERR_UNAVAILABLE, "was lost");
  refused = NULL;
  pg_close(&conn);
  open_it(NULL);
  check_err(pg_send(&again, &why), ERR_OK, NULL);
  check_err(pg_sync(&conn, &why), ERR_OK, NULL);
  check_err(pg_receive_done(&conn, &why), ERR_OK, NULL);
  check_err(pg_finish(&conn, &why), ERR_OK, NULL);
  assert_true(conn.prepared[QUERY_begin]);
}

static void only_a_warning_of_its_kind_is_remembered(void **state) {
  (void)state;
  SCRIPT(script, {.about = "SELECT 1", .says = "~NOTICE 00000 by the way"},
         {.about = "SELECT 2", .says = "~WARNING 01004 it was cut"},
         {.about = "SELECT 3", .says = "~NOTICE 01000 hm"}, {.about = "SELECT 4", .says = "~- -"},
         {.about = "SELECT 5", .says = "~WARNING -"}, {.about = "SELECT 6", .says = "~- 01000"},
         {.about = "SELECT 7", .says = "~WARNING 01000 the standby did not answer"});
  static const char *const texts[] = {"SELECT 1", "SELECT 2", "SELECT 3",
                                      "SELECT 4", "SELECT 5", "SELECT 6"};
  open_it(script);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    check_err(ask_done(texts[i]), ERR_OK, NULL);
    assert_false(conn.warned);
  }
  check_err(ask_done("SELECT 7"), ERR_OK, NULL);
  assert_true(conn.warned);
}

static void values_of_another_size_are_none(void **state) {
  (void)state;
  SCRIPT(script, {.about = "SELECT 77", .says = "null,#123456789,'12345678,'1234,null,'"});
  struct result r;
  char bytes[8];
  open_it(script);
  check_err(ask("SELECT 77", &r), ERR_OK, NULL);
  assert_true(result_next(&r));
  assert_true(result_is_null(&r));
  assert_int_equal(result_i64(&r), 0);
  assert_int_equal(result_i64(&r), 0);
  result_bytes(&r, bytes, sizeof bytes);
  assert_memory_equal(bytes, "12345678", sizeof bytes);
  result_bytes(&r, bytes, sizeof bytes);
  assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0", sizeof bytes);
  result_bytes(&r, bytes, sizeof bytes);
  assert_memory_equal(bytes, "\0\0\0\0\0\0\0\0", sizeof bytes);
  assert_true(id_is_none(result_id(&r)));
  assert_false(result_next(&r));
  result_free(&r);
}

// --- a server that stands still ------------------------------------------------------------------

static void a_server_that_answers_no_more_counts_as_lost(void **state) {
  (void)state;
  SCRIPT(script, {.about = "SELECT 77", .says = "?"});
  open_it(script);
  conn.patience_us = 20 * 1000;
  check_err(ask_done("SELECT 77"), ERR_UNAVAILABLE, "does not answer");
  pg_reset(&conn);
  assert_false(pg_is_open(&conn));
}

static void a_server_that_takes_nothing_in_counts_as_lost(void **state) {
  (void)state;
  enum { BYTES = 32 << 20 };
  open_it(NULL);
  scripted_deafen(&server);
  conn.patience_us = 50 * 1000;
  char *much = mem_zero(BYTES);
  struct call call = pg_call_sql(&conn, STR("SELECT $1::bytea"));
  call_bytes(&call, much, BYTES);
  enum err err = pg_send(&call, &why);
  if (err == ERR_OK) err = pg_sync(&conn, &why);
  check_err(err, ERR_UNAVAILABLE, "takes in nothing more");
  mem_free(much);
}

static void a_server_that_is_gone_while_much_is_sent_counts_as_lost(void **state) {
  (void)state;
  enum { BYTES = 32 << 20 };
  open_it(NULL);
  scripted_deafen(&server);
  char *much = mem_zero(BYTES);
  struct call call = pg_call_sql(&conn, STR("SELECT $1::bytea"));
  call_bytes(&call, much, BYTES);
  check_err(pg_send(&call, &why), ERR_OK, NULL);
  refused = "PQconsumeInput";
  check_err(pg_sync(&conn, &why), ERR_UNAVAILABLE, "was lost");
  mem_free(much);
}

static void what_does_not_fit_into_a_message_is_refused(void **state) {
  (void)state;
  static const char byte;
  open_it(NULL);
  struct call call = pg_call_sql(&conn, STR("SELECT $1::bytea"));
  call_bytes(&call, &byte, (size_t)1 << 30);  // which is not read
  check_err(pg_send(&call, &why), ERR_INTERNAL, "more than fits");
  check_err(ask_done("SELECT"), ERR_OK, NULL);
}

// --- behind a pooler -----------------------------------------------------------------------------

static void behind_a_pooler_each_statement_has_its_transaction(void **state) {
  (void)state;
  SCRIPT(script, {.about = "pg_backend_pid()", .says = ""}, {.about = "^BEGIN", .says = ""},
         {.about = "^COMMIT", .says = ""});
  settings.kind = CONN_READER;
  open_it(script);
  assert_true(conn.pooled);
  struct call call = pg_call(&conn, QUERY_identity), inside = pg_call(&conn, QUERY_identity);
  check_err(pg_run_done(&call, &why), ERR_OK, NULL);
  assert_int_equal(scripted_given(&server, &script[1]), 1);
  assert_int_equal(scripted_given(&server, &script[2]), 1);
  check_err(pg_exec(&conn, "BEGIN", &why), ERR_OK, NULL);
  check_err(pg_run_done(&inside, &why), ERR_OK, NULL);
  assert_int_equal(scripted_given(&server, &script[1]), 2);
  assert_int_equal(scripted_given(&server, &script[2]), 1);
  check_err(pg_limit(&conn, 100, &why), ERR_OK, NULL);
}

int main(void) {
  log_setup(LOG_ERROR, LOG_TEXT);
  const struct CMUnitTest tests[] = {
      SCRIPTED_TEST(a_connection_that_takes_no_pipeline_is_refused),
      SCRIPTED_TEST(a_text_that_cannot_be_sent_counts_as_a_lost_connection),
      SCRIPTED_TEST(what_cannot_be_flushed_counts_as_lost),
      SCRIPTED_TEST(what_cannot_be_flushed_while_an_answer_is_awaited_counts_as_lost),
      SCRIPTED_TEST(a_rollback_that_fails_closes_the_connection),
      SCRIPTED_TEST(a_connection_that_does_not_come_to_rest_is_closed),
      SCRIPTED_TEST(whoever_is_refused_is_told_the_server_s_words_and_what_helps),
      SCRIPTED_TEST(a_schema_whose_types_are_gone_is_said_to_be),
      SCRIPTED_TEST(a_connection_fails_whose_settings_cannot_be_made),
      SCRIPTED_TEST(each_kind_of_connection_waits_as_long_as_it_is_meant_to),
      SCRIPTED_TEST(a_server_that_is_not_fit_is_refused_and_told_why),
      SCRIPTED_TEST(a_way_that_takes_no_transaction_is_refused),
      SCRIPTED_TEST(a_schema_that_is_not_fit_is_refused_and_told_why),
      SCRIPTED_TEST(a_schema_that_another_made_meanwhile_is_taken),
      SCRIPTED_TEST(a_schema_that_may_not_be_made_is_asked_for),
      SCRIPTED_TEST(errors_mean_what_their_codes_say),
      SCRIPTED_TEST(the_deadline_of_a_reader_is_one_of_its_filter),
      SCRIPTED_TEST(a_text_that_fails_leaves_the_connection_usable),
      SCRIPTED_TEST(a_session_that_ends_amid_a_pipeline_fails_all_that_is_behind),
      SCRIPTED_TEST(the_same_is_found_when_it_is_given_up),
      SCRIPTED_TEST(a_name_whose_preparation_was_lost_is_prepared_again),
      SCRIPTED_TEST(only_a_warning_of_its_kind_is_remembered),
      SCRIPTED_TEST(values_of_another_size_are_none),
      SCRIPTED_TEST(a_server_that_answers_no_more_counts_as_lost),
      SCRIPTED_TEST(a_server_that_takes_nothing_in_counts_as_lost),
      SCRIPTED_TEST(a_server_that_is_gone_while_much_is_sent_counts_as_lost),
      SCRIPTED_TEST(what_does_not_fit_into_a_message_is_refused),
      SCRIPTED_TEST(behind_a_pooler_each_statement_has_its_transaction),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
