// check.c: looks whether everything that must hold in a store does; checks.sql says what that is.
#include "store/sqlite/internal.h"

static const char *const checks[] = {
#define SQL(name, text) text,
#include "store/sqlite/checks.def"
#undef SQL
};

enum { CHECK_COUNT = sizeof checks / sizeof *checks, CHECK_CACHE_KIB = 64 << 10 };

static enum err run(struct conn *c, const char *sql, struct arena *a, struct check_finding *out,
                    struct fault *why) {
  struct use u;
  TRY(sqlite_use_sql(c, str_of(sql), &u, why));
  bool row = false;
  enum err err = sqlite_use_row(&u, &row, why);
  if (row) {
    out->invariant = use_get_text(&u, a).at;
    out->violations = use_get_i64(&u);
    out->example = use_get_text(&u, a);
  }
  sqlite_use_close(&u);
  return err;
}

// All of them look at the same moment.
static enum err run_all(struct conn *c, struct arena *a, struct check_finding *out,
                        struct fault *why) {
  TRY(sqlite_conn_exec(c, "BEGIN", why));
  enum err err = ERR_OK;
  for (size_t i = 0; i < CHECK_COUNT && err == ERR_OK; i++)
    err = run(c, checks[i], a, &out[i], why);
  sqlite_conn_rollback(c);
  return err;
}

enum err sqlite_check(struct store *s, struct arena *a, struct check_finding **out, size_t *count,
                      struct fault *why) {
  struct sqlite_store *store = (struct sqlite_store *)s;
  struct conn c;
  if (store->path)
    TRY(sqlite_store_conn(store, CONN_READ, CHECK_CACHE_KIB, &c, why));
  else
    sqlite_conn_borrow(&c, &store->conn);
  struct check_finding *findings = ARENA_ARRAY(a, struct check_finding, CHECK_COUNT);
  enum err err = run_all(&c, a, findings, why);
  sqlite_conn_close(&c);
  TRY(err);
  *out = findings;
  *count = CHECK_COUNT;
  return ERR_OK;
}
