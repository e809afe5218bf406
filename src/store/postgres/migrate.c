// migrate.c: the schema's version: makes the schema, brings an older one up to date, refuses a
// newer or foreign one.
#include <assert.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/log.h"
#include "store/postgres/internal.h"
#include "store/steps.h"

// In the order of their names: step n makes version n.
static const char *const steps[] = {
#define SQL(name, text) text,
#include "store/postgres/schema.def"
#undef SQL
};

enum {
  VERSION = sizeof steps / sizeof *steps,
  MIGRATE_MS = 15 * 60 * 1000,  // for a step, and for another process that runs them
};

// What is there already.
struct found {
  bool plain;      // the name needs no quotes: it is no key word
  bool schema;     // the schema exists
  bool meta;       // it has our table of versions
  bool relations;  // it has any table, view, …
  bool listed;     // the table of versions has our row
  bool ours;       // it was made by our steps
  int64_t version;
};

// --- what is there -------------------------------------------------------------------------------

static enum err look_around(struct conn *c, struct str schema, struct found *f, struct fault *why) {
  struct call call = pg_call_sql(
      c, STR("SELECT quote_ident($1::text) = $1::text,"
             " EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1::text),"
             " EXISTS (SELECT 1 FROM pg_catalog.pg_class AS r"
             "  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace"
             "  WHERE n.nspname = $1::text),"
             " 3 = (SELECT count(*) FROM pg_catalog.pg_class AS r"
             "  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace"
             "  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0"
             "  WHERE n.nspname = $1::text AND r.relname = 'meta' AND r.relkind = 'r'"
             "   AND (a.attname, a.atttypid) IN (('name', 'text'::regtype),"
             "    ('value', 'bigint'::regtype), ('text', 'text'::regtype)))"));
  struct result r;
  call_text(&call, schema);
  TRY(pg_run(&call, &r, why));
  if (result_next(&r)) {
    f->plain = result_i64(&r) != 0;
    f->schema = result_i64(&r) != 0;
    f->relations = result_i64(&r) != 0;
    f->meta = result_i64(&r) != 0;
  }
  result_free(&r);
  return ERR_OK;
}

static struct str sum_text(struct conn *c, int64_t version) {
  return arena_printf(c->scratch, "%lld", (long long)steps_sum(steps, version));
}

static enum err read_version(struct conn *c, struct found *f, struct fault *why) {
  struct call call = pg_call_sql(c, STR("SELECT value, text = ($1::text[])[value]"
                                        " FROM @schema@.meta WHERE name = 'schema'"));
  struct result r;
  call_array_text(&call, VERSION);
  for (int64_t version = 1; version <= VERSION; version++)
    call_put_text(&call, sum_text(c, version));
  TRY(pg_run(&call, &r, why));
  f->listed = result_next(&r);
  if (f->listed) f->version = result_i64(&r);
  if (f->listed) f->ours = result_i64(&r) != 0;
  result_free(&r);
  return ERR_OK;
}

static enum err look(struct conn *c, struct str schema, struct found *f, struct fault *why) {
  *f = (struct found){0};
  TRY(look_around(c, schema, f, why));
  if (f->plain && f->meta) TRY(read_version(c, f, why));
  return ERR_OK;
}

static enum err judge(const struct found *f, struct str schema, bool read_only, struct fault *why) {
  if (!f->plain)
    return fault_set(why, ERR_INVALID,
                     "%.*s is a key word of SQL and cannot be the store's schema; choose another "
                     "name for store_schema",
                     STR_FMT(schema));
  if (f->relations && !f->listed)
    return fault_set(why, ERR_INVALID,
                     "the schema %.*s holds tables of something else; it was left as it is, choose "
                     "another name for store_schema",
                     STR_FMT(schema));
  if (f->listed && f->version < 1)
    return fault_set(why, ERR_INVALID,
                     "the schema %.*s says that it has version %lld, which makes no sense; restore "
                     "it from a backup, or choose another name for store_schema",
                     STR_FMT(schema), (long long)f->version);
  if (f->version > VERSION)
    return fault_set(why, ERR_INVALID,
                     "the schema %.*s was made by a newer taskyard (version %lld, this one knows "
                     "%d); install the newer taskyard",
                     STR_FMT(schema), (long long)f->version, VERSION);
  if (f->listed && !f->ours)
    return fault_set(why, ERR_INVALID, "the schema %.*s " STEPS_DIFFER, STR_FMT(schema));
  if (read_only && f->version == 0)
    return fault_set(why, ERR_INVALID,
                     "there is no store in the schema %.*s of this database: no server was started "
                     "on it and nothing was moved there; choose another database or schema",
                     STR_FMT(schema));
  if (read_only && f->version < VERSION)
    return fault_set(why, ERR_INVALID,
                     "the schema %.*s has the older version %lld; start the server once to bring "
                     "it to %d",
                     STR_FMT(schema), (long long)f->version, VERSION);
  return ERR_OK;
}

// --- steps ---------------------------------------------------------------------------------------

// Whoever comes second waits here until the first one is done.
static enum err lock(struct conn *c, struct str schema, struct fault *why) {
  struct call call = pg_call_sql(c, STR("SELECT pg_advisory_xact_lock($1::bigint)"));
  call_i64(&call,
           (int64_t)hash_fast(arena_printf(c->scratch, "taskyard migrate %.*s", STR_FMT(schema))));
  return pg_run_done(&call, why);
}

static enum err make_schema(struct conn *c, struct str schema, struct fault *why) {
  enum err err = pg_exec(c, "CREATE SCHEMA @schema@", why);
  if (err == ERR_OK || strcmp(c->sqlstate, "42501") != 0) return err;
  return fault_set(
      why, ERR_UNAVAILABLE,
      "the database user may not make the schema %.*s; let the database's owner make it "
      "for that user: CREATE SCHEMA %.*s AUTHORIZATION …",
      STR_FMT(schema), STR_FMT(schema));
}

static enum err run_steps(struct conn *c, struct str schema, const struct found *f,
                          struct fault *why) {
  if (!f->schema) TRY(make_schema(c, schema, why));
  for (int64_t version = f->version; version < VERSION; version++)
    TRY(pg_exec(c, steps[version], why));
  char done[200];
  snprintf(done, sizeof done,
           "INSERT INTO @schema@.meta (name, value, text) VALUES ('schema', %d, '%lld') "
           "ON CONFLICT (name) DO UPDATE SET value = excluded.value, text = excluded.text",
           VERSION, (long long)steps_sum(steps, VERSION));
  return pg_exec(c, done, why);
}

// All steps are one transaction, so that a crash leaves a whole version behind.
static enum err bring_up(struct conn *c, struct str schema, struct fault *why) {
  struct found f;
  char limits[96];
  snprintf(limits, sizeof limits, "SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %d",
           MIGRATE_MS, MIGRATE_MS);
  TRY(pg_exec(c, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", why));
  TRY(pg_exec(c, limits, why));
  TRY(lock(c, schema, why));
  TRY(look(c, schema, &f, why));
  TRY(judge(&f, schema, false, why));
  if (f.version < VERSION) {
    TRY(run_steps(c, schema, &f, why));
    log_event(LOG_INFO, "the store's schema was made or updated", LOG_STR("schema", schema),
              LOG_I64("from", f.version), LOG_I64("to", VERSION));
  }
  return pg_exec(c, "COMMIT", why);
}

enum err pg_migrate(struct conn *c, struct str schema, bool read_only, struct fault *why) {
  struct found f;
  TRY(look(c, schema, &f, why));
  TRY(judge(&f, schema, read_only, why));
  if (f.version == VERSION) return ERR_OK;
  int64_t patience_us = c->patience_us;
  c->patience_us = MIGRATE_MS * INT64_C(1000);
  enum err err = bring_up(c, schema, why);
  if (err != ERR_OK) pg_reset(c);
  c->patience_us = patience_us;
  return err;
}
