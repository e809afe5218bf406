// vacuum.c: removes dead rows where they come by the thousand and are in the way.
//
// A task leaves two or three dead rows in `live` and their entries at the front of the index that
// claims walk; each unit of work leaves one or more in `tally_move`, all of which every reading of
// tallies passes. The server's own vacuum looks once a minute, which at some thousand tasks a
// second is too late. Ours takes some 50 ms for a table that is small, with as many dead rows as
// are allowed here; a backlog makes it 0.3 s for each 100,000 tasks. So it has a thread of its own
// (upkeep.c).
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/desk.h"

enum {
  DEAD_MAX = 20000,                 // rows, in each table
  LOOK_EVERY_US = 5 * 1000 * 1000,  // and so vacuums are at least this far apart …
  SHARE = 20,                       // … and take at most one part in so many of the time
  REST_MAX_US = 30 * 1000 * 1000,   // after one that was in vain
  COUNT_TRIES = 10,
};
#define COUNT_AGAIN "SELECT pg_sleep(0.1)"  // on the server, where whoever stops us can cancel it

// INDEX_CLEANUP: the entries are what is in the way; the server skips them when they are few.
// TRUNCATE off: giving the end of the file back would lock everybody out, and it is needed again.
// SKIP_LOCKED: another node, or the server, is at it. PARALLEL 0: the processors have work to do.
#define VACUUM "VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF, SKIP_LOCKED ON, PARALLEL 0) @schema@."

static const struct {
  const char *table, *command;
} vacuums[VACUUM_TABLES] = {
    {"live", VACUUM "live"},
    {"tally_move", VACUUM "tally_move"},
    {"unit", VACUUM "unit"},
};

// As far as the server's statistics know: they are a second late, and 0 where it keeps none.
static enum err count_dead(struct vacuum *v, struct conn *c, bool *allowed, struct fault *why) {
  struct call call = pg_call(c, QUERY_dead_rows);
  struct result r;
  TRY(pg_run(&call, &r, why));
  *allowed = true;
  for (size_t i = 0; i < VACUUM_TABLES && result_next(&r); i++) {
    v->tables[i].dead = result_i64(&r);
    v->tables[i].vacuumed_at = result_i64(&r);
    *allowed &= result_i64(&r) != 0;
  }
  result_free(&r);
  return ERR_OK;
}

// The same once the statistics know of the vacuum that has just ended: before PostgreSQL 15 they
// are half a second behind. If they never do it was skipped.
static enum err count_left(struct vacuum *v, size_t table, struct conn *c, bool *skipped,
                           struct fault *why) {
  int64_t vacuumed_at = v->tables[table].vacuumed_at;
  bool allowed;
  *skipped = false;
  for (int tries = 0; tries < COUNT_TRIES; tries++) {
    TRY(count_dead(v, c, &allowed, why));
    if (v->tables[table].vacuumed_at != vacuumed_at) return ERR_OK;
    TRY(pg_exec(c, COUNT_AGAIN, why));
  }
  *skipped = true;
  return ERR_OK;
}

static bool is_due(struct vacuum_table *t) {
  if (t->dead < t->dead_left) t->dead_left = t->dead;  // the server has vacuumed
  return t->dead - t->dead_left > DEAD_MAX && clock_mono_us() >= t->not_before;
}

// Dead rows that somebody's old snapshot could still see stay, however often one tries.
static void rest(struct vacuum_table *t, bool in_vain, int64_t took_us) {
  t->rest_us = in_vain ? (t->rest_us ? t->rest_us * 2 : LOOK_EVERY_US) : 0;
  if (t->rest_us > REST_MAX_US) t->rest_us = REST_MAX_US;
  int64_t rest_us = took_us * SHARE > t->rest_us ? took_us * SHARE : t->rest_us;
  t->not_before = clock_mono_us() + rest_us;
}

static enum err vacuum(struct vacuum *v, size_t table, struct conn *c, struct fault *why) {
  struct vacuum_table *t = &v->tables[table];
  int64_t dead_before = t->dead, began_us = clock_mono_us();
  TRY(pg_exec(c, vacuums[table].command, why));
  int64_t took_us = clock_mono_us() - began_us;
  bool skipped;
  TRY(count_left(v, table, c, &skipped, why));
  rest(t, skipped || t->dead > dead_before / 2, took_us);
  if (skipped) return ERR_OK;  // all of it is still to do, so no more need to come first
  t->dead_left = t->dead;
  log_event(LOG_DEBUG, "a table was vacuumed", LOG_STR("table", str_of(vacuums[table].table)),
            LOG_I64("dead_before", dead_before), LOG_I64("dead_after", t->dead),
            LOG_I64("ms", took_us / 1000));
  return ERR_OK;
}

enum err pg_vacuum(struct vacuum *v, struct conn *c, struct fault *why) {
  bool allowed;
  if (clock_mono_us() < v->look_at_us) return ERR_OK;
  v->look_at_us = clock_mono_us() + LOOK_EVERY_US;
  TRY(count_dead(v, c, &allowed, why));
  if (!allowed && !v->forbidden_said)
    log_event(LOG_WARN,
              "the database user owns neither the store's tables nor the database, so it "
              "cannot vacuum them; claims get slow under load. Make it their owner");
  v->forbidden_said = !allowed;
  if (!allowed) return ERR_OK;
  for (size_t i = 0; i < VACUUM_TABLES; i++)
    if (is_due(&v->tables[i])) TRY(vacuum(v, i, c, why));
  return ERR_OK;
}
