// conn.h: one connection to SQLite: its settings, its named statements, and what its errors mean.
#ifndef STORE_SQLITE_CONN_H
#define STORE_SQLITE_CONN_H

#include <sqlite3.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

enum query {
#define SQL(name, text) QUERY_##name,
#include "store/sqlite/queries.def"
#undef SQL
  QUERY_COUNT
};

enum { CONN_BUSY_MS = 5000 };  // how long an operator's own sqlite3 shell may hold us up

enum conn_kind {
  CONN_WRITE,   // the lane's: commits and checkpoints; creates the file
  CONN_READ,    // never writes, not even a checkpoint
  CONN_MEMORY,  // a database of its own that has no file
};

// Zero-initialised is a closed connection. Used by one thread at a time.
struct conn {
  sqlite3 *db;
  bool borrowed;     // `db` is another connection's; only the statements are ours
  int64_t limit_us;  // of the read under way: when it is interrupted; 0: never
  sqlite3_stmt *statements[QUERY_COUNT];  // prepared when first asked for
};

// `vfs` is one of sums.h; `cache_kib` bounds the page cache.
MUST_USE enum err sqlite_conn_open(struct conn *c, const char *path, const char *vfs,
                                   enum conn_kind kind, int64_t cache_kib, struct fault *why);
// The database may not grow past that, which makes a change that would ERR_DISK_FULL.
MUST_USE enum err sqlite_conn_bound(struct conn *c, int64_t bytes_max, struct fault *why);
// A second user of the database of `of`, on the same thread.
void sqlite_conn_borrow(struct conn *c, const struct conn *of);
void sqlite_conn_close(struct conn *c);  // a closed one is allowed

// Runs statements that give no rows. `sql` is a constant of ours, never made from input.
MUST_USE enum err sqlite_conn_exec(struct conn *c, const char *sql, struct fault *why);

// Gives back a whole transaction, if one is open.
void sqlite_conn_rollback(struct conn *c);

// Reads that begin now are interrupted after `ms`, which makes them ERR_SCAN_LIMIT. 0: never.
void sqlite_conn_limit(struct conn *c, int64_t ms);
bool sqlite_conn_late(const struct conn *c);  // past that limit

// Sets the fault for the connection's latest error. errno was 0 before the call that failed.
enum err sqlite_conn_fail(struct conn *c, struct fault *why);

// Replaces @task_columns@ and its like in a statement (listed in conn.c).
void sqlite_conn_expand(struct buf *out, const char *sql);

// --- running a statement -------------------------------------------------------------------------

// A statement in use: values are bound in the order of its marks, columns read in their order.
//   struct use u = sqlite_use(c, QUERY_log_read);
//   use_i64(&u, task); … use_row(&u, &row, why) … use_get_i64(&u) … use_end(&u);
// Bound texts are borrowed until the statement has run.
struct use {
  struct conn *conn;
  sqlite3_stmt *statement;  // NULL: it could not be prepared
  int bound, column;
  int failed;  // the first bad result code of preparing and binding it
};

struct use sqlite_use(struct conn *c, enum query query);
// The same for a statement that has no name; closed after its use, on failure too.
MUST_USE enum err sqlite_use_sql(struct conn *c, struct str sql, struct use *out,
                                 struct fault *why);
void sqlite_use_close(struct use *u);
void sqlite_use_end(struct use *u);  // makes the statement free for its next use

// Makes it run to its end, giving no row. Ends the use.
MUST_USE enum err sqlite_use_run(struct use *u, struct fault *why);
// Steps to the next row; `*row` tells whether there is one. Without one the use has ended.
MUST_USE enum err sqlite_use_row(struct use *u, bool *row, struct fault *why);

static inline void use_i64(struct use *u, int64_t value) {
  if (!u->failed) u->failed = sqlite3_bind_int64(u->statement, ++u->bound, value);
}

static inline void use_text(struct use *u, struct str s) {  // NULL when absent
  if (!u->failed)
    u->failed = sqlite3_bind_text(u->statement, ++u->bound, s.at, (int)s.len, SQLITE_STATIC);
}

static inline void use_blob(struct use *u, const void *at, size_t bytes) {
  if (!u->failed)
    u->failed = sqlite3_bind_blob(u->statement, ++u->bound, at, (int)bytes, SQLITE_STATIC);
}

static inline int64_t use_get_i64(struct use *u) {
  return sqlite3_column_int64(u->statement, u->column++);
}

// Reads "key, salt", the two halves of an id; none when they are NULL or 0.
static inline struct id use_get_id(struct use *u) {
  int64_t key = use_get_i64(u);
  uint64_t salt = (uint64_t)use_get_i64(u);
  return key ? id_from_key(key, salt) : (struct id){0, 0};
}

// Zeros when the blob is of another size.
static inline void use_get_blob(struct use *u, void *out, size_t bytes) {
  int column = u->column++;
  const void *at = sqlite3_column_blob(u->statement, column);
  bool whole = at && (size_t)sqlite3_column_bytes(u->statement, column) == bytes;
  if (whole)
    memcpy(out, at, bytes);
  else
    memset(out, 0, bytes);
}

// Copied to the arena; STR_NONE for NULL.
static inline struct str use_get_text(struct use *u, struct arena *a) {
  int column = u->column++;
  const char *at = (const char *)sqlite3_column_text(u->statement, column);
  if (!at) return STR_NONE;
  return arena_dup(a, (struct str){at, (size_t)sqlite3_column_bytes(u->statement, column)});
}

#endif
