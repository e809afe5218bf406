// check.c: looks whether everything that must hold in a store does; checks.sql says what that is.
#include "store/postgres/internal.h"

static const char *const checks[] = {
#define SQL(name, text) text,
#include "store/postgres/checks.def"
#undef SQL
};

enum { CHECK_COUNT = sizeof checks / sizeof *checks };

static enum err run(struct conn *c, const char *sql, struct arena *a, struct check_finding *out,
                    struct fault *why) {
  struct call call = pg_call_sql(c, str_of(sql));
  struct result r;
  TRY(pg_run(&call, &r, why));
  if (result_next(&r)) {
    out->invariant = result_text(&r, a).at;
    out->violations = result_i64(&r);
    out->example = result_text(&r, a);
  }
  result_free(&r);
  return ERR_OK;
}

// All of them look at the same moment, and may take as long as they need.
static enum err run_all(struct conn *c, struct arena *a, struct check_finding *out,
                        struct fault *why) {
  TRY(pg_exec(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", why));
  TRY(pg_limit(c, 0, why));
  for (size_t i = 0; i < CHECK_COUNT; i++) {
    arena_reset(c->scratch);
    TRY(run(c, checks[i], a, &out[i], why));
  }
  return ERR_OK;
}

enum err pg_check(struct store *s, struct arena *a, struct check_finding **out, size_t *count,
                  struct fault *why) {
  struct postgres_store *store = (struct postgres_store *)s;
  struct check_finding *findings = ARENA_ARRAY(a, struct check_finding, CHECK_COUNT);
  struct arena scratch;
  struct conn c = {0};
  arena_init(&scratch, 64 << 10);
  enum err err = pg_open(&c, &store->side_conn, &scratch, why);
  if (err == ERR_OK) err = run_all(&c, a, findings, why);
  pg_close(&c);
  arena_fini(&scratch);
  if (err != ERR_OK) return err;
  *out = findings;
  *count = CHECK_COUNT;
  return ERR_OK;
}
