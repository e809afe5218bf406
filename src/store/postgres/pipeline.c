// pipeline.c: statements sent one after the other without waiting, and their results.
#include "store/postgres/conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/postgres/error.h"

enum { STATEMENT_BYTES_MAX = 1 << 20 };

struct statement {
  const char *name, *text;
};

static const struct statement statements[QUERY_COUNT] = {
#define SQL(name, text) {"ty_" #name, text},
#include "store/postgres/queries.def"
#undef SQL
};

// --- failures ------------------------------------------------------------------------------------

// Keeps the first failure of a pipeline.
static void fail(struct conn *c, enum err err, const char *sqlstate, const char *reason) {
  if (c->failed != ERR_OK) return;
  c->failed = err;
  snprintf(c->sqlstate, sizeof c->sqlstate, "%s", sqlstate);
  pg_one_line(reason, c->reason, sizeof c->reason);
}

static enum err failed(const struct conn *c, struct fault *why) {
  return fault_set(why, c->failed, "%s", c->reason);
}

static void fail_lost(struct conn *c, const char *reason) {
  char text[FAULT_DETAIL_BYTES];
  snprintf(text, sizeof text, "the connection to the database was lost: %s", reason);
  c->lost = true;
  fail(c, ERR_UNAVAILABLE, "", text);
}

static const char *library_says(const struct conn *c) {
  const char *text = PQerrorMessage(c->db);
  return *text ? text : "it was closed";
}

// What helps besides the server's own sentence.
static const char *hint(const char *sqlstate) {
  if (strcmp(sqlstate, "42501") == 0)
    return "; grant it to the user of the store's address, or make that user the schema's owner";
  if (strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "3F000") == 0)
    return "; tables of the store are gone: restore them, or start anew";
  return "";
}

static void put_reason(const PGresult *r, const char *statement, enum err err, char *out,
                       size_t bytes) {
  const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
  if (err == ERR_DISK_FULL)
    snprintf(out, bytes, "the disk of the database server is full; nothing was changed");
  else if (err == ERR_SCAN_LIMIT)
    snprintf(out, bytes, "the query read too long and was stopped; narrow its filter");
  else
    snprintf(out, bytes, "database: %s (%s in %s)%s", message ? message : "no reason was given",
             sqlstate, statement, hint(sqlstate));
}

static const char *name_of(enum query query) {
  return query == QUERY_COUNT ? "a statement" : statements[query].name + strlen("ty_");
}

static bool is_fatal(const PGresult *r) {
  const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
  return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void fail_result(struct conn *c, const PGresult *r, enum query query) {
  const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  if (!sqlstate) {  // libpq's own: the connection broke
    fail_lost(c, library_says(c));
    return;
  }
  if (is_fatal(r) || pg_error_ends_session(sqlstate) || PQstatus(c->db) != CONNECTION_OK)
    c->lost = true;
  enum err err = pg_error_means(sqlstate, c->settings->kind == CONN_READER);
  char text[FAULT_DETAIL_BYTES];
  put_reason(r, name_of(query), err, text, sizeof text);
  bool damaged = strncmp(sqlstate, "XX", 2) == 0 || strncmp(sqlstate, "58", 2) == 0;
  if (c->failed == ERR_OK && (damaged || err == ERR_INTERNAL))
    log_event(LOG_ERROR, "the database failed", LOG_STR("reason", str_of(text)));
  fail(c, err, sqlstate, text);
}

// --- waiting -------------------------------------------------------------------------------------

// Waits until the socket is readable, or writable if that is wanted. False: it took too long.
static bool wait_socket(struct conn *c, bool write, int64_t until_us) {
  struct pollfd p = {.fd = PQsocket(c->db), .events = (short)(POLLIN | (write ? POLLOUT : 0))};
  for (;;) {
    int64_t left_us = until_us - clock_mono_us();
    if (c->patience_us > 0 && left_us <= 0) return false;
    int timeout = c->patience_us > 0 ? (int)((left_us + 999) / 1000) : -1;
    int ready = poll(&p, 1, timeout);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // reading will tell
  }
}

// Sends what is buffered, and takes in meanwhile what comes, so that neither side blocks the other.
static bool flush(struct conn *c, int64_t until_us) {
  for (;;) {
    int left = PQflush(c->db);
    if (left == 0) return true;
    if (left < 0 || !PQconsumeInput(c->db)) {
      fail_lost(c, library_says(c));
      return false;
    }
    if (!wait_socket(c, true, until_us)) {
      c->silent = true;
      fail_lost(c, "the server takes in nothing more");
      return false;
    }
  }
}

// The next thing that the server says. NULL: it ended a statement's results, or the connection is
// lost, and then that is kept as the failure.
static PGresult *next(struct conn *c) {
  int64_t until_us = clock_mono_us() + c->patience_us;
  while (PQisBusy(c->db)) {
    if (!flush(c, until_us)) return NULL;
    if (!wait_socket(c, false, until_us)) {
      c->silent = true;
      fail_lost(c, "the server does not answer");
      return NULL;
    }
    if (!PQconsumeInput(c->db)) break;  // the server's last words may have come
  }
  return PQgetResult(c->db);
}

// --- sending -------------------------------------------------------------------------------------

static void expect(struct conn *c, enum query query, enum expect what) {
  if (c->expected_first == c->expected_count) c->expected_first = c->expected_count = 0;
  if (c->expected_count == c->expected_cap) {
    c->expected_cap = c->expected_cap ? c->expected_cap * 2 : 64;
    c->expected = mem_resize(c->expected, c->expected_cap * sizeof *c->expected);
  }
  c->expected[c->expected_count++] = (struct expected){.query = query, .what = what};
  c->unsynced = true;
  if (what == EXPECT_RESULT) c->awaited++;
}

static enum err lost(struct conn *c, struct fault *why) {
  if (c->failed != ERR_OK) return failed(c, why);
  return fault_set(why, ERR_UNAVAILABLE, "the connection to the database is closed");
}

// libpq refuses to send only when the connection is broken or memory is short.
static enum err sent(struct conn *c, int ok, struct fault *why) {
  if (ok) return ERR_OK;
  fail_lost(c, library_says(c));
  return failed(c, why);
}

static char *expanded(struct conn *c, const char *sql) {
  struct buf text;
  buf_init(&text, STATEMENT_BYTES_MAX);
  pg_expand(&text, c->settings->schema, sql);
  assert(!text.overflow);
  char *out = arena_cstr(c->scratch, buf_str(&text));
  buf_fini(&text);
  return out;
}

// A statement's name lasts as long as the connection, whatever becomes of the transaction.
static enum err prepare(struct conn *c, enum query query, struct fault *why) {
  const char *text = expanded(c, statements[query].text);
  TRY(sent(c, PQsendPrepare(c->db, statements[query].name, text, 0, NULL), why));
  expect(c, query, EXPECT_PREPARED);
  c->prepared[query] = true;  // taken back if it fails
  return ERR_OK;
}

enum err pg_send(struct call *call, struct fault *why) {
  struct conn *c = call->conn;
  assert(call->array.left == 0 && call->array.columns_left == 0 && !c->synced);
  if (!pg_is_open(c)) return lost(c, why);
  if (call->too_large)
    return fault_set(why, ERR_INTERNAL, "more than fits into one message to the database");
  static const int binary[CALL_ARGS_MAX] = {[0 ... CALL_ARGS_MAX - 1] = 1};
  bool named = str_is_none(call->sql);
  int ok;
  if (named && !c->pooled) {
    if (!c->prepared[call->query]) TRY(prepare(c, call->query, why));
    ok = PQsendQueryPrepared(c->db, statements[call->query].name, call->count, call->values,
                             call->lengths, binary, 1);
  } else {
    const char *sql = named ? statements[call->query].text : arena_cstr(c->scratch, call->sql);
    ok = PQsendQueryParams(c->db, expanded(c, sql), call->count, NULL, call->values, call->lengths,
                           binary, 1);
  }
  TRY(sent(c, ok, why));
  expect(c, call->query, EXPECT_RESULT);
  return ERR_OK;
}

enum err pg_flush(struct conn *c, struct fault *why) {
  if (!pg_is_open(c)) return lost(c, why);
  TRY(sent(c, PQsendFlushRequest(c->db), why));
  return flush(c, clock_mono_us() + c->patience_us) ? ERR_OK : failed(c, why);
}

enum err pg_sync(struct conn *c, struct fault *why) {
  assert(!c->synced);
  if (!pg_is_open(c)) return lost(c, why);
  TRY(sent(c, PQpipelineSync(c->db), why));
  c->synced = true;
  c->unsynced = false;
  return flush(c, clock_mono_us() + c->patience_us) ? ERR_OK : failed(c, why);
}

// --- receiving -----------------------------------------------------------------------------------

// The result of what was sent longest ago. NULL: it failed, and the failure is kept.
static PGresult *take(struct conn *c) {
  assert(c->expected_first < c->expected_count);
  struct expected e = c->expected[c->expected_first++];
  if (e.what == EXPECT_RESULT) c->awaited--;
  PGresult *r = c->lost && PQstatus(c->db) != CONNECTION_OK ? NULL : next(c);
  ExecStatusType status = PQresultStatus(r);
  bool good = r && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
  if (r && !good && status != PGRES_PIPELINE_ABORTED) fail_result(c, r, e.query);
  if (e.what == EXPECT_PREPARED) c->prepared[e.query] = good;
  if (r) PQclear(next(c));  // the end of its results
  if (good) return r;
  PQclear(r);
  if (c->failed == ERR_OK) fail_lost(c, library_says(c));
  return NULL;
}

// Takes in what nobody receives, and leaves the next result of a call as the first one.
static bool take_silent(struct conn *c) {
  while (c->expected_first < c->expected_count &&
         c->expected[c->expected_first].what != EXPECT_RESULT) {
    PGresult *r = take(c);
    PQclear(r);
    if (!r && c->lost) return false;
  }
  return true;
}

enum err pg_receive(struct conn *c, struct result *out, struct fault *why) {
  if (!c->db) return lost(c, why);
  PGresult *r = NULL;
  if (take_silent(c)) r = take(c);
  if (!r || c->failed != ERR_OK) {
    PQclear(r);
    return failed(c, why);
  }
  *out = (struct result){.result = r, .row = -1, .count = PQntuples(r)};
  return ERR_OK;
}

enum err pg_receive_done(struct conn *c, struct fault *why) {
  struct result r;
  TRY(pg_receive(c, &r, why));
  result_free(&r);
  return ERR_OK;
}

// Takes in everything up to the sync. Without it, or on a lost connection, nothing is left.
// An error of the sync itself is one of the commit that it makes outside a transaction.
static void drain(struct conn *c) {
  while (c->expected_first < c->expected_count && !c->lost) PQclear(take(c));
  while (c->synced && !c->lost) {
    PGresult *r = next(c);
    ExecStatusType status = PQresultStatus(r);
    if (!r && !c->lost) fail_lost(c, library_says(c));
    if (r && status == PGRES_FATAL_ERROR) fail_result(c, r, QUERY_COUNT);
    if (status == PGRES_PIPELINE_SYNC) c->synced = false;
    PQclear(r);
  }
  c->expected_first = c->expected_count = c->awaited = 0;
}

enum err pg_finish(struct conn *c, struct fault *why) {
  if (!c->db) return lost(c, why);
  assert(c->synced || c->lost);
  drain(c);
  if (c->failed == ERR_OK) return ERR_OK;
  enum err err = failed(c, why);
  if (!c->lost) c->failed = ERR_OK;
  return err;
}

static bool roll_back(struct conn *c) {
  if (!PQsendQueryParams(c->db, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 1)) return false;
  expect(c, QUERY_COUNT, EXPECT_RESULT);
  struct fault why = {0};
  return pg_sync(c, &why) == ERR_OK && pg_finish(c, &why) == ERR_OK;
}

void pg_reset(struct conn *c) {
  if (!c->db) return;
  struct fault why = {0};
  char sqlstate[sizeof c->sqlstate];  // of what led here
  memcpy(sqlstate, c->sqlstate, sizeof sqlstate);
  // Only a sync tells whether a transaction is open, and ends the server's skipping after an error.
  if (!c->lost && c->unsynced && pg_sync(c, &why) != ERR_OK) c->lost = true;
  if (!c->lost) drain(c);
  if (!c->lost) {
    c->failed = ERR_OK;
    if (PQtransactionStatus(c->db) != PQTRANS_IDLE && !roll_back(c)) c->lost = true;
  }
  if (c->lost || PQtransactionStatus(c->db) != PQTRANS_IDLE) pg_close(c);
  memcpy(c->sqlstate, sqlstate, sizeof sqlstate);
}

// --- at once -------------------------------------------------------------------------------------

static enum err send_plain(struct conn *c, const char *sql, struct fault *why) {
  TRY(sent(c, PQsendQueryParams(c->db, sql, 0, NULL, NULL, NULL, NULL, 1), why));
  expect(c, QUERY_COUNT, EXPECT_NOTHING);
  return ERR_OK;
}

// Through a pooler the settings hold in a transaction alone, so there must be one.
static enum err run(struct call *call, struct result *out, struct fault *why) {
  struct conn *c = call->conn;
  if (!pg_is_open(c)) return lost(c, why);
  assert(!c->awaited && !c->synced);
  bool alone = c->pooled && PQtransactionStatus(c->db) == PQTRANS_IDLE;
  if (alone) TRY(send_plain(c, "BEGIN", why));
  if (alone) TRY(pg_send_settings(c, why));
  TRY(pg_send(call, why));
  if (alone) TRY(send_plain(c, "COMMIT", why));
  TRY(pg_sync(c, why));
  TRY(pg_receive(c, out, why));
  enum err err = pg_finish(c, why);
  if (err != ERR_OK) result_free(out);
  return err;
}

enum err pg_run(struct call *call, struct result *out, struct fault *why) {
  enum err err = run(call, out, why);
  if (err != ERR_OK) pg_reset(call->conn);
  return err;
}

enum err pg_run_done(struct call *call, struct fault *why) {
  struct result r;
  TRY(pg_run(call, &r, why));
  result_free(&r);
  return ERR_OK;
}

static void exec(struct conn *c, const char *text) {
  if (!PQexitPipelineMode(c->db) || !PQsendQuery(c->db, text)) {
    fail_lost(c, library_says(c));
    return;
  }
  PGresult *r;
  while ((r = next(c)) != NULL) {
    if (PQresultStatus(r) == PGRES_FATAL_ERROR) fail_result(c, r, QUERY_COUNT);
    PQclear(r);
  }
  if (!c->lost && !PQenterPipelineMode(c->db)) fail_lost(c, library_says(c));
}

enum err pg_exec(struct conn *c, const char *sql, struct fault *why) {
  if (!pg_is_open(c)) return lost(c, why);
  assert(!c->awaited && !c->synced);
  exec(c, expanded(c, sql));
  if (c->failed == ERR_OK) return ERR_OK;
  enum err err = failed(c, why);
  pg_reset(c);
  return err;
}

enum err pg_send_settings(struct conn *c, struct fault *why) {
  if (!pg_is_open(c)) return lost(c, why);
  if (!c->pooled) return ERR_OK;
  return send_plain(c, pg_settings_sql(c, true), why);
}
