// conn.c: one connection to SQLite: its settings, its named statements, and what its errors mean.
#include "store/sqlite/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/id.h"
#include "model/words.h"
#include "store/sqlite/error.h"
#include "store/sqlite/proof.h"
#include "store/sqlite/sums.h"

enum {
  STEPS_PER_LOOK = 20000,     // instructions of SQLite between two looks at the clock: about a ms
  JOURNAL_BYTES = 128 << 20,  // what stays of a WAL that has grown larger; twice its usual size
};

static const char *const query_texts[] = {
#define SQL(name, text) text,
#include "store/sqlite/queries.def"
#undef SQL
};

// --- lists in statements -------------------------------------------------------------------------

#define COMMA(text) text ", "
#define IF_STATE(text) text
#define IF_INPUT(text)

// Each list ends in ", ", which `expand` cuts off.
static const struct list {
  const char *name, *text;
} lists[] = {
    {
        "task_columns",
#define COLUMN(column, field, kind, group, meaning) COMMA(#column)
#include "store/task.def"
#undef COLUMN
    },
    {
        "task_columns_t",
#define COLUMN(column, field, kind, group, meaning) COMMA("t." #column)
#include "store/task.def"
#undef COLUMN
    },
    {
        "task_binds",
#define COLUMN(column, field, kind, group, meaning) COMMA("?")
#include "store/task.def"
#undef COLUMN
    },
    {
        "task_sets",
#define COLUMN(column, field, kind, group, meaning) IF_##group(COMMA(#column " = ?"))
#include "store/task.def"
#undef COLUMN
    },
    {
        "status_columns",
#define STATUS(name, word, final, meaning) COMMA(word)
#include "model/task_status.def"
#undef STATUS
    },
    {
        "status_binds",
#define STATUS(name, word, final, meaning) COMMA("?")
#include "model/task_status.def"
#undef STATUS
    },
};

// The name is one of ours; one that is not there ends the program at its first use.
static struct str list_find(struct str name) {
  const struct list *list = lists, *end = lists + sizeof lists / sizeof *lists;
  while (list < end && !str_eq(str_of(list->name), name)) list++;
  assert(list < end);
  return (struct str){list->text, strlen(list->text) - strlen(", ")};
}

void sqlite_conn_expand(struct buf *out, const char *sql) {
  struct str rest = str_of(sql);
  while (!str_is_none(rest)) {
    buf_put(out, str_cut(&rest, '@'));
    if (!str_is_none(rest)) buf_put(out, list_find(str_cut(&rest, '@')));
  }
}

// --- errors --------------------------------------------------------------------------------------

static bool is_in_memory(const struct conn *c) {
  const char *file = sqlite3_db_filename(c->db, "main");
  return file == NULL || *file == '\0';
}

// Takes the cause from errno, which whoever called SQLite has cleared before: sqlite3_system_errno
// is not set by a COMMIT that fails, and then still tells of an earlier error.
static enum err fail_as(struct conn *c, int code, struct fault *why) {
  int os_error = errno;
  // Other calls may have succeeded since.
  bool is_latest = sqlite3_extended_errcode(c->db) == code;
  const char *text = is_latest ? sqlite3_errmsg(c->db) : sqlite3_errstr(code);
  enum err err = sqlite_error_means(code, os_error);
  assert(err != ERR_OK);
  switch (err) {
  case ERR_DISK_FULL:
    return fault_set(why, err, "%s; nothing was changed",
                     is_in_memory(c) ? "this store in memory has reached its size"
                                     : "the disk that holds the store is full");
  case ERR_SCAN_LIMIT:
    return fault_set(why, err, "the query read too long and was stopped; narrow its filter");
  default: break;
  }
  if (code == SQLITE_IOERR_DATA)
    return fault_set(why, err,
                     "the sum of a page of the store does not hold: it is damaged, or another "
                     "program has written to the file; the log says which page, and "
                     "docs/operations.md what to do");
  return fault_set(why, err, "sqlite: %s (code %d)", text, code);
}

enum err sqlite_conn_fail(struct conn *c, struct fault *why) {
  return fail_as(c, sqlite3_extended_errcode(c->db), why);
}

// --- opening -------------------------------------------------------------------------------------

static int deadline_passed(void *conn) { return sqlite_conn_late(conn); }

bool sqlite_conn_late(const struct conn *c) {
  return c->limit_us > 0 && clock_mono_us() > c->limit_us;
}

void sqlite_conn_limit(struct conn *c, int64_t ms) {
  c->limit_us = ms > 0 ? clock_mono_us() + ms * 1000 : 0;
  sqlite3_progress_handler(c->db, ms > 0 ? STEPS_PER_LOOK : 0, deadline_passed, c);
}

enum err sqlite_conn_exec(struct conn *c, const char *sql, struct fault *why) {
  errno = 0;
  if (sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK) return ERR_OK;
  return sqlite_conn_fail(c, why);
}

// id_text(key, salt): the id of a task as people know it.
static void id_text_of(sqlite3_context *call, int count, sqlite3_value **values) {
  assert(count == 2);
  uint64_t salt = (uint64_t)sqlite3_value_int64(values[1]);
  char text[ID_TEXT_BYTES];
  id_text(id_from_key(sqlite3_value_int64(values[0]), salt), text);
  sqlite3_result_text(call, text, sizeof text, SQLITE_TRANSIENT);
}

// Settings that hold for the connection, not for the file. `secure_delete` is on in Debian's build
// and would overwrite with zeros whatever an update leaves behind.
static enum err configure(struct conn *c, enum conn_kind kind, int64_t cache_kib,
                          struct fault *why) {
  sqlite_sums_opened(c->db);
  sqlite3_extended_result_codes(c->db, 1);
  sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_busy_timeout(c->db, CONN_BUSY_MS);
  sqlite3_create_function_v2(c->db, "id_text", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                             id_text_of, NULL, NULL, NULL);
  char sql[512];
  snprintf(sql, sizeof sql,
           "PRAGMA cache_size = -%lld; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
           "PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d;"
           "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA secure_delete = OFF;"
           "PRAGMA query_only = %d;",
           (long long)cache_kib, JOURNAL_BYTES, kind == CONN_READ);
  TRY(sqlite_conn_exec(c, sql, why));
  sqlite_proof_opened(c->db);
  return ERR_OK;
}

enum err sqlite_conn_open(struct conn *c, const char *path, const char *vfs, enum conn_kind kind,
                          int64_t cache_kib, struct fault *why) {
  *c = (struct conn){0};
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= kind == CONN_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (kind == CONN_MEMORY) path = ":memory:";
  errno = 0;
  int code = sqlite3_open_v2(path, &c->db, flags, vfs);
  enum err err = ERR_OK;
  if (code != SQLITE_OK)
    err = fault_set(why, sqlite_error_means(code, errno),
                    "cannot open %s: %s; is there a store of that name?", path,
                    sqlite3_errmsg(c->db));
  // Without the permission SQLite opens for reading instead, and says so only at the first write.
  if (err == ERR_OK && kind == CONN_WRITE && sqlite3_db_readonly(c->db, "main") == 1)
    err = fault_set(why, ERR_UNAVAILABLE, "no permission to write to %s", path);
  if (err == ERR_OK) err = configure(c, kind, cache_kib, why);
  if (err != ERR_OK && (sqlite3_errcode(c->db) & 0xff) == SQLITE_NOTADB)
    err = fault_set(why, ERR_INVALID, "%s is not a store of taskyard; it was left as it is", path);
  if (err != ERR_OK) sqlite_conn_close(c);
  return err;
}

enum err sqlite_conn_bound(struct conn *c, int64_t bytes_max, struct fault *why) {
  enum { PAGE_BYTES = 4096 };
  char sql[64];
  snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld;", (long long)(bytes_max / PAGE_BYTES));
  return sqlite_conn_exec(c, sql, why);
}

void sqlite_conn_borrow(struct conn *c, const struct conn *of) {
  *c = (struct conn){.db = of->db, .borrowed = true};
}

void sqlite_conn_rollback(struct conn *c) {
  // SQLite has already rolled back by itself after some errors.
  if (!sqlite3_get_autocommit(c->db)) sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
}

void sqlite_conn_close(struct conn *c) {
  for (size_t i = 0; i < QUERY_COUNT; i++) sqlite3_finalize(c->statements[i]);
  if (!c->borrowed) {
    int code = sqlite3_close(c->db);
    assert(code == SQLITE_OK);  // else a statement was left open
    (void)code;
  }
  *c = (struct conn){0};
}

// --- running a statement -------------------------------------------------------------------------

static int prepare(struct conn *c, const char *text, sqlite3_stmt **out) {
  struct buf sql;
  buf_init(&sql, 1 << 16);
  sqlite_conn_expand(&sql, text);
  assert(!sql.overflow);
  int code = sqlite3_prepare_v3(c->db, sql.at, (int)sql.len, SQLITE_PREPARE_PERSISTENT, out, NULL);
  buf_fini(&sql);
  return code;
}

struct use sqlite_use(struct conn *c, enum query query) {
  int code = SQLITE_OK;
  if (!c->statements[query]) code = prepare(c, query_texts[query], &c->statements[query]);
  return (struct use){.conn = c, .statement = c->statements[query], .failed = code};
}

enum err sqlite_use_sql(struct conn *c, struct str sql, struct use *out, struct fault *why) {
  *out = (struct use){.conn = c};
  errno = 0;
  int code = sqlite3_prepare_v2(c->db, sql.at, (int)sql.len, &out->statement, NULL);
  return code == SQLITE_OK ? ERR_OK : sqlite_conn_fail(c, why);
}

void sqlite_use_close(struct use *u) {
  sqlite3_finalize(u->statement);
  u->statement = NULL;
}

void sqlite_use_end(struct use *u) {
  if (u->statement) sqlite3_reset(u->statement);
  u->bound = 0;
}

enum err sqlite_use_row(struct use *u, bool *row, struct fault *why) {
  int code = u->failed;
  errno = 0;
  if (code == SQLITE_OK) code = sqlite3_step(u->statement);
  u->column = 0;
  *row = code == SQLITE_ROW;
  if (code == SQLITE_ROW) return ERR_OK;
  enum err err = code == SQLITE_DONE ? ERR_OK : fail_as(u->conn, code, why);
  sqlite_use_end(u);
  return err;
}

enum err sqlite_use_run(struct use *u, struct fault *why) {
  bool row = false;
  TRY(sqlite_use_row(u, &row, why));
  assert(!row);
  return ERR_OK;
}
