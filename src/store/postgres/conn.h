// conn.h: one connection to PostgreSQL: its settings, its named statements in pipelines, and what
// its errors mean.
//
// Statements are sent one after the other without waiting; their results come back in the same
// order:
//   struct call c = pg_call(conn, QUERY_task_insert);
//   call_i64(&c, …); call_text(&c, …); TRY(pg_send(&c, why));        … more of them …
//   TRY(pg_sync(conn, why));
//   struct result r; TRY(pg_receive(conn, &r, why)); while (result_next(&r)) …; result_free(&r);
//   … one receive a statement … TRY(pg_finish(conn, why));
// The first statement that fails fails all after it, up to the sync. Whoever gives up in between
// calls pg_reset, which leaves the connection usable and outside any transaction, or closed.
//
// Never send much while large results wait unread: both sides would block on full sockets.
#ifndef STORE_POSTGRES_CONN_H
#define STORE_POSTGRES_CONN_H

#include <libpq-fe.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

enum query {
#define SQL(name, text) QUERY_##name,
#include "store/postgres/queries.def"
#undef SQL
  QUERY_COUNT
};

// Composite types of the schema: where many columns of many rows go to the server, one array of
// rows costs it about half of what an array a column does.
enum row_type {
  ROW_INPUT,  // input_row: of `task`
  ROW_STATE,  // state_row: of `live` and `done`
  ROW_EVENT,  // event_row: of `event`
  ROW_TYPE_COUNT
};
struct row_shape {
  uint32_t oid;
  uint32_t columns;
};

enum conn_kind {
  CONN_LANE,    // writes; index scans only, whatever the planner believes about small tables
  CONN_READER,  // read-only, with a statement deadline
  CONN_SIDE,    // upkeep, news, migration
};

struct conn_settings {
  const char *url;
  struct str schema;
  enum conn_kind kind;
  int64_t deadline_ms;  // of one statement, on the server; 0: the kind's default
};

// What is awaited from the server, in the order in which it was sent.
struct expected {
  enum query query;  // QUERY_COUNT: one without a name
  enum expect {
    EXPECT_RESULT,    // that the caller receives
    EXPECT_PREPARED,  // of preparing a named statement; nobody receives it
    EXPECT_NOTHING,   // of what belongs to the connection itself; nobody receives it
  } what;
};

// Zero-initialised is a closed connection. Used by one thread at a time.
struct conn {
  PGconn *db;  // NULL: closed
  const struct conn_settings *settings;
  // A pooler stands between us and the server: nothing of a session lasts from one transaction to
  // the next, so statements go without names, settings are made in each transaction, and there is
  // no LISTEN.
  bool pooled;
  bool lost;              // the connection broke; only closing it is left
  bool silent;            // it was given up because nothing came for `patience_us`
  bool warned;            // the server gave a warning; whoever cares clears it
  size_t awaited;         // statements sent whose results were not received
  bool unsynced;          // something was sent since the latest sync
  bool synced;            // a sync is sent and not received; nothing is sent until it is
  struct arena *scratch;  // holds the arguments of what is being sent; the owner resets it
  int64_t patience_us;    // how long a result may take until the server counts as lost; 0: for ever
  char sqlstate[6];       // of the latest failure; "": none, or it did not come from the server
  // The first failure since the latest sync: all statements after it fail with it.
  enum err failed;
  char reason[FAULT_DETAIL_BYTES];
  struct expected *expected;
  size_t expected_first, expected_count, expected_cap;
  bool prepared[QUERY_COUNT];
  struct row_shape row_shapes[ROW_TYPE_COUNT];  // of a lane's connection
};

// Connects (a few seconds at most) and makes the session's settings. `settings` must outlive it.
// ERR_UNAVAILABLE when the server cannot be reached or is not (yet) fit to be written to;
// ERR_INVALID when it never will be with these settings.
MUST_USE enum err pg_open(struct conn *c, const struct conn_settings *settings,
                          struct arena *scratch, struct fault *why);
void pg_close(struct conn *c);                                 // a closed one is allowed
int64_t pg_patience_us(const struct conn_settings *settings);  // that a connection begins with
static inline bool pg_is_open(const struct conn *c) { return c->db && !c->lost; }
// Sent right behind a BEGIN; where a pooler is between, it makes the settings for the transaction.
// Nobody receives its result.
MUST_USE enum err pg_send_settings(struct conn *c, struct fault *why);
// From now on a statement may take this long, on the server and until its result must have come;
// 0: as long as it likes. Through a pooler only up to the end of the transaction. At rest only.
MUST_USE enum err pg_limit(struct conn *c, int64_t ms, struct fault *why);

// --- sending -------------------------------------------------------------------------------------

enum { CALL_ARGS_MAX = 64 };
struct call {
  struct conn *conn;
  enum query query;
  struct str sql;  // of a statement that has no name: made of a list's filter; else STR_NONE
  int count;
  const char *values[CALL_ARGS_MAX];
  int lengths[CALL_ARGS_MAX];
  struct {
    char *at;               // in the arena; its last argument is made here
    size_t len, cap, left;  // `left`: elements still to be put
    uint32_t columns;       // of an array of rows: columns of each …
    uint32_t columns_left;  // … and those still to be put of the row under way …
    size_t row_at;          // … which begins here
  } array;
  bool too_large;  // for one message
};

struct call pg_call(struct conn *c, enum query query);
struct call pg_call_sql(struct conn *c, struct str sql);  // expanded like named ones
// Marks are typed in the statement ($1::bigint). All values go in binary.
void call_i64(struct call *c, int64_t value);  // $n::bigint
void call_bool(struct call *c, bool value);    // $n::boolean
void call_text(struct call *c, struct str s);  // $n::text; NULL when absent; borrowed
void call_id(struct call *c, struct id id);    // $n::uuid; NULL for none
void call_bytes(struct call *c, const void *at, size_t bytes);  // $n::bytea; borrowed
// Arrays: the number of elements is said first, then as many are put.
void call_array_i64(struct call *c, size_t count);    // $n::bigint[]
void call_array_text(struct call *c, size_t count);   // $n::text[]
void call_array_id(struct call *c, size_t count);     // $n::uuid[]
void call_array_bytes(struct call *c, size_t count);  // $n::bytea[]
void call_array_place(struct call *c, size_t count);  // $n::tid[]
// $n::@schema@.…_row[]: of each row all columns are put, in their order, before the next one's.
void call_array_rows(struct call *c, enum row_type type, size_t count);
void call_put_i64(struct call *c, int64_t value);
void call_put_no_i64(struct call *c);                // NULL
void call_put_place(struct call *c, int64_t place);  // of result_place; NULL for 0
void call_put_text(struct call *c, struct str s);    // NULL when absent; copied
void call_put_id(struct call *c, struct id id);      // NULL for none
void call_put_bytes(struct call *c, const void *at, size_t bytes);
MUST_USE enum err pg_send(struct call *c, struct fault *why);

// Makes the results so far come without ending the pipeline.
MUST_USE enum err pg_flush(struct conn *c, struct fault *why);
MUST_USE enum err pg_sync(struct conn *c, struct fault *why);

// --- receiving -----------------------------------------------------------------------------------

struct result {
  PGresult *result;
  int row, count, column;
};

// The result of the next statement. On failure the fault says what the server said, and `err` what
// it means (error.h). The result must be freed; on failure there is none.
MUST_USE enum err pg_receive(struct conn *c, struct result *out, struct fault *why);
MUST_USE enum err pg_receive_done(struct conn *c,
                                  struct fault *why);            // and its rows are not wanted
MUST_USE enum err pg_finish(struct conn *c, struct fault *why);  // receives the sync

bool result_next(struct result *r);    // to the next row; false: there is none
int64_t result_i64(struct result *r);  // of any integer type and boolean; 0 for NULL
struct str result_text(struct result *r, struct arena *a);     // copied; STR_NONE for NULL
struct id result_id(struct result *r);                         // none for NULL
int64_t result_place(struct result *r);                        // of a ctid, never 0
void result_bytes(struct result *r, void *out, size_t bytes);  // zeros when it is of another size
bool result_is_null(const struct result *r);                   // the next column, without taking it
void result_free(struct result *r);

// Gives up what is under way: takes in what is still to come, rolls back. A connection that cannot
// be brought to rest is closed.
void pg_reset(struct conn *c);

// One statement in a transaction of its own, from sending to its result.
MUST_USE enum err pg_run(struct call *c, struct result *out, struct fault *why);
MUST_USE enum err pg_run_done(struct call *c, struct fault *why);
// Several statements in one text, without arguments and results, as one transaction. Also for what
// cannot be in a transaction, such as VACUUM, which pg_run cannot do through a pooler.
MUST_USE enum err pg_exec(struct conn *c, const char *sql, struct fault *why);

// The connection's settings as one statement: for the session, or for the transaction it is in. In
// the scratch arena.
const char *pg_settings_sql(struct conn *c, bool transaction);
// A sentence of libpq or the server, which may have several lines, as one.
void pg_one_line(const char *text, char *out, size_t bytes);

// Replaces @schema@, @state_columns@ and their like in a statement (listed in expand.c).
void pg_expand(struct buf *out, struct str schema, const char *sql);

#endif
