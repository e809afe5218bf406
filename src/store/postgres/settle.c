// settle.c: what became of a commit whose connection was lost.
//
// The server knows the outcome of a transaction by its number. But a crash may lose the number of
// one that had not reached the disk, and its successor be given the same; so "committed" is
// believed only with the unit's own token, which was written in the same transaction.
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/postgres/unit.h"

enum { SETTLE_US = 5 * 1000 * 1000, LOOK_EVERY_MS = 50 };

enum outcome { DONE, UNDONE, UNDECIDED };

static void pause_ms(int64_t ms) {
  struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

static enum err has_token(struct conn *c, int64_t token, bool *has, struct fault *why) {
  struct call call = pg_call(c, QUERY_unit_known);
  struct result r;
  call_i64(&call, token);
  TRY(pg_run(&call, &r, why));
  *has = result_next(&r);
  result_free(&r);
  return ERR_OK;
}

// A number that the server has not given out yet (it says so as an error) is of a transaction that
// went down with another server.
static enum err ask_status(struct conn *c, int64_t xid, struct arena *a, struct str *status,
                           struct fault *why) {
  struct call call = pg_call(c, QUERY_xid_status);
  struct result r;
  call_i64(&call, xid);
  enum err err = pg_run(&call, &r, why);
  if (err != ERR_OK && pg_is_open(c) && strcmp(c->sqlstate, "22023") == 0) {
    pg_reset(c);
    *status = STR("unborn");
    return ERR_OK;
  }
  TRY(err);
  *status = result_next(&r) ? result_text(&r, a) : STR_NONE;
  result_free(&r);
  return ERR_OK;
}

static enum err ask(struct conn *c, const struct proof *proof, struct arena *a, enum outcome *out,
                    struct fault *why) {
  struct str status;
  bool has = false;
  TRY(ask_status(c, proof->xid, a, &status, why));
  *out = UNDECIDED;
  if (str_eq(status, STR("in progress"))) return ERR_OK;
  TRY(has_token(c, proof->token, &has, why));
  *out = has ? DONE : UNDONE;
  return ERR_OK;
}

enum err pg_settle(struct store_lane *lane, const struct proof *proof, struct fault *why) {
  int64_t until = clock_mono_us() + SETTLE_US;
  enum outcome outcome = UNDECIDED;
  do {
    enum err err = pg_lane_ready(lane, why);
    if (err == ERR_OK) err = ask(&lane->conn, proof, &lane->scratch, &outcome, why);
    if (err != ERR_OK) pg_reset(&lane->conn);
    if (outcome != UNDECIDED) break;
    pause_ms(LOOK_EVERY_MS);
  } while (clock_mono_us() < until);
  arena_reset(&lane->scratch);
  log_event(outcome == UNDECIDED ? LOG_WARN : LOG_INFO, "the connection was lost amid a commit",
            LOG_STR("outcome", outcome == DONE     ? STR("committed")
                               : outcome == UNDONE ? STR("not committed")
                                                   : STR("unknown")));
  if (outcome == DONE) return ERR_OK;
  if (outcome == UNDONE)
    return fault_set(why, ERR_CONFLICT, "the connection to the database was lost");
  if (why) why->retry_after_s = 1;
  return fault_set(why, ERR_UNAVAILABLE,
                   "the connection to the database was lost amid a commit; whether the change was "
                   "made is unknown: ask, or repeat with the same Idempotency-Key");
}
