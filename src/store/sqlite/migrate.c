// migrate.c: the schema's version: brings an older file up to date, refuses a newer or foreign one.
#include <assert.h>
#include <stdio.h>

#include "store/sqlite/internal.h"
#include "store/steps.h"

// In the order of their names: step n makes version n.
static const char *const steps[] = {
#define SQL(name, text) text,
#include "store/sqlite/schema.def"
#undef SQL
};

enum {
  VERSION = sizeof steps / sizeof *steps,
  APPLICATION = 0x54736b79,  // "Tsky", set by the first step
};

// One number that a statement gives.
static enum err number(struct conn *c, struct str sql, int64_t *out, struct fault *why) {
  struct use u;
  TRY(sqlite_use_sql(c, sql, &u, why));
  bool row = false;
  enum err err = sqlite_use_row(&u, &row, why);
  if (row) *out = use_get_i64(&u);
  sqlite_use_close(&u);
  return err;
}

// Each step is one transaction, so that a crash leaves a whole version behind.
static enum err step_run(struct conn *c, int64_t version, struct fault *why) {
  char done[160];
  snprintf(done, sizeof done,
           "INSERT OR REPLACE INTO meta(name, value) VALUES ('steps', %lld);"
           "PRAGMA user_version = %lld; COMMIT",
           (long long)steps_sum(steps, version), (long long)version);
  enum err err = sqlite_conn_exec(c, "BEGIN IMMEDIATE", why);
  if (err == ERR_OK) err = sqlite_conn_exec(c, steps[version - 1], why);
  if (err == ERR_OK) err = sqlite_conn_exec(c, done, why);
  if (err != ERR_OK) sqlite_conn_rollback(c);
  return err;
}

static enum err refuse_foreign(const char *path, struct fault *why) {
  return fault_set(why, ERR_INVALID, "%s is not a store of taskyard; it was left as it is", path);
}

static enum err refuse_version(const char *path, int64_t version, struct fault *why) {
  if (version > VERSION)
    return fault_set(why, ERR_INVALID,
                     "%s was written by a newer taskyard (schema %lld, this one "
                     "knows %d); install the newer version",
                     path, (long long)version, VERSION);
  return fault_set(why, ERR_INVALID,
                   "%s has the older schema %lld; start the server once to bring "
                   "it to %d",
                   path, (long long)version, VERSION);
}

static enum err check_steps(struct conn *c, const char *path, int64_t version, struct fault *why) {
  int64_t sum = 0;
  TRY(number(c, STR("SELECT value FROM meta WHERE name = 'steps'"), &sum, why));
  if (sum == steps_sum(steps, version)) return ERR_OK;
  return fault_set(why, ERR_INVALID, "%s " STEPS_DIFFER, path);
}

enum err sqlite_migrate(struct conn *c, const char *path, bool read_only, struct fault *why) {
  int64_t application = 0, version = 0, objects = 0;
  TRY(number(c, STR("SELECT count(*) FROM sqlite_schema"), &objects, why));
  TRY(number(c, STR("PRAGMA application_id"), &application, why));
  TRY(number(c, STR("PRAGMA user_version"), &version, why));
  bool empty = application == 0 && version == 0 && objects == 0;
  if (application != APPLICATION && !(empty && !read_only)) return refuse_foreign(path, why);
  if (version > VERSION || (version < VERSION && read_only))
    return refuse_version(path, version, why);
  if (version > 0) TRY(check_steps(c, path, version, why));
  // Readers beside the writer need WAL; a file remembers it. (In memory there is no such mode.)
  if (!read_only) TRY(sqlite_conn_exec(c, "PRAGMA journal_mode = WAL", why));
  while (version < VERSION) TRY(step_run(c, ++version, why));
  return ERR_OK;
}
