// reader.c: a connection that only reads: one moment for each call, and no call for ever.
#include "base/mem.h"
#include "store/sqlite/internal.h"

enum { READER_CACHE_KIB = 2 << 10 };

enum err sqlite_reader_open(struct store *s, struct store_reader **out, struct fault *why) {
  struct sqlite_store *store = (struct sqlite_store *)s;
  struct store_reader *r = mem_zero(sizeof *r);
  r->store = store;
  enum err err = ERR_OK;
  if (store->path)
    err = sqlite_store_conn(store, CONN_READ, READER_CACHE_KIB, &r->conn, why);
  else
    sqlite_conn_borrow(&r->conn, &store->conn);
  if (err == ERR_OK)
    *out = r;
  else
    mem_free(r);
  return err;
}

void sqlite_reader_close(struct store_reader *r) {
  if (!r) return;
  sqlite_conn_close(&r->conn);
  mem_free(r);
}

enum err sqlite_reader_begin(struct store_reader *r, struct fault *why) {
  sqlite_conn_limit(&r->conn, r->store->settings.read_deadline_ms);
  r->amid_unit = !sqlite3_get_autocommit(r->conn.db);
  if (r->amid_unit) return ERR_OK;
  struct use u = sqlite_use(&r->conn, QUERY_begin_read);
  return sqlite_use_run(&u, why);
}

void sqlite_reader_end(struct store_reader *r) {
  sqlite_conn_limit(&r->conn, 0);
  if (!r->amid_unit) sqlite_conn_rollback(&r->conn);
}

enum err sqlite_last_id(struct store *s, int64_t *key, struct fault *why) {
  struct use u = sqlite_use(&((struct sqlite_store *)s)->conn, QUERY_task_last);
  bool row = false;
  TRY(sqlite_use_row(&u, &row, why));
  *key = use_get_i64(&u);  // 0 for the NULL of an empty table
  sqlite_use_end(&u);
  return ERR_OK;
}
