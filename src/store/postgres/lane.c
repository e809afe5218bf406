// lane.c: the connections that write: how they come and go, and how units of work begin and end.
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/postgres/unit.h"

// Two share the work of a small server best: while one commits, the other gathers. More of them
// make smaller groups, and units of one tenant commit one after the other anyway (events.c).
enum { LANES_DEFAULT = 2, LANES_MAX = 32 };
enum { PAUSE_FIRST_US = 100 * 1000, PAUSE_MAX_US = 1000 * 1000 };  // between tries to connect

size_t pg_lane_max(struct store *s) {
  const struct postgres_settings *settings = &((struct postgres_store *)s)->settings;
  if (settings->read_only) return 0;
  size_t wanted = settings->lanes ? settings->lanes : LANES_DEFAULT;
  return wanted < LANES_MAX ? wanted : LANES_MAX;
}

// --- connecting ----------------------------------------------------------------------------------

// Tries again after a while that grows, and differs from lane to lane so that a server that comes
// back is not met by all at once.
static void pause_tries(struct store_lane *lane) {
  int64_t pause = lane->pause_us ? lane->pause_us * 2 : PAUSE_FIRST_US;
  lane->pause_us = pause < PAUSE_MAX_US ? pause : PAUSE_MAX_US;
  lane->next_try_us = clock_mono_us() + lane->pause_us - rand_below(lane->pause_us / 4);
}

// The server that answers now need not be the one that was found fit when the store was opened: it
// was started again, or another one took over.
static enum err connect_lane(struct store_lane *lane, struct fault *why) {
  TRY(pg_open(&lane->conn, &lane->store->lane_conn, &lane->scratch, why));
  if (lane->store->settings.unsafe) return ERR_OK;
  enum err err = pg_guard_again(&lane->conn, why);
  if (err == ERR_INVALID && strcmp(lane->unfit, why->detail) != 0)
    log_event(LOG_ERROR, "the database server is not fit to be written to",
              LOG_STR("reason", str_of(why->detail)));
  return err;
}

// Whatever it is, it may be mended there.
static enum err unavailable(const struct store_lane *lane, struct fault *why) {
  if (why) why->retry_after_s = 1;
  return fault_set(why, ERR_UNAVAILABLE, "%s", lane->unfit);
}

enum err pg_lane_ready(struct store_lane *lane, struct fault *why) {
  if (pg_is_open(&lane->conn)) return ERR_OK;
  struct fault reason = {0};
  lane->open = false;
  pg_close(&lane->conn);
  if (clock_mono_us() < lane->next_try_us) return unavailable(lane, why);
  if (connect_lane(lane, &reason) == ERR_OK) {
    lane->pause_us = lane->next_try_us = 0;
    lane->unfit[0] = '\0';
    return ERR_OK;
  }
  pg_close(&lane->conn);
  memcpy(lane->unfit, reason.detail, sizeof lane->unfit);
  pause_tries(lane);
  return unavailable(lane, why);
}

enum err pg_lane_open(struct store *store, struct store_lane **out, struct fault *why) {
  struct postgres_store *s = (struct postgres_store *)store;
  TRY(pg_bulk_refuse(s, why));
  return pg_lane_make(s, out, why);
}

enum err pg_lane_make(struct postgres_store *s, struct store_lane **out, struct fault *why) {
  struct store_lane *lane = mem_zero(sizeof *lane);
  lane->store = s;
  lane->moves = mem_zero(sizeof *lane->moves * (LIMIT_CHANNELS + 1));
  arena_init(&lane->scratch, 256 << 10);
  enum err err = pg_lane_ready(lane, why);
  if (err == ERR_OK)
    *out = lane;
  else
    pg_lane_close(lane);
  return err;
}

void pg_lane_close(struct store_lane *lane) {
  if (!lane) return;
  lane->picked_count = lane->picked_cap = 0;  // the unit's arena may be gone
  if (lane->open) pg_lane_failed(lane);
  pg_close(&lane->conn);
  arena_fini(&lane->scratch);
  mem_free(lane->moves);
  mem_free(lane);
}

// --- units ---------------------------------------------------------------------------------------

enum err pg_lane_begin(struct store_lane *lane, struct fault *why) {
  if (lane->open) return ERR_OK;
  struct call begin = pg_call(&lane->conn, QUERY_begin);
  TRY(pg_send(&begin, why));
  lane->open = true;
  lane->begun = 1;
  return pg_send_settings(&lane->conn, why);
}

enum err pg_receive_begun(struct store_lane *lane, struct fault *why) {
  for (; lane->begun > 0; lane->begun--) TRY(pg_receive_done(&lane->conn, why));
  return ERR_OK;
}

void pg_lane_failed(struct store_lane *lane) {
  lane->open = false;
  lane->begun = 0;
  pg_reset(&lane->conn);
  pg_pick_release(lane, true);  // not while it is still held: others would pass it over again
  arena_reset(&lane->scratch);
}

void pg_lane_abandon(struct store_lane *lane) {
  if (!lane->open) return;
  struct fault why = {0};
  struct call rollback = pg_call(&lane->conn, QUERY_rollback);
  enum err err = pg_send(&rollback, &why);
  if (err == ERR_OK) err = pg_sync(&lane->conn, &why);
  if (err == ERR_OK) err = pg_receive_done(&lane->conn, &why);
  if (err == ERR_OK) err = pg_finish(&lane->conn, &why);
  lane->open = false;
  if (err != ERR_OK) pg_reset(&lane->conn);
  pg_pick_release(lane, true);
}

// Errors of a connection that broke amid a unit that was not committed: it comes back in a moment,
// as a rule, and the unit can be decided again. A server that said nothing for so long will not be
// there in a moment, and whoever asked has waited enough.
enum err pg_lane_lost(struct store_lane *lane, enum err err, struct fault *why) {
  bool lost = !pg_is_open(&lane->conn) && !lane->conn.silent;
  pg_lane_failed(lane);
  if (!lost || err != ERR_UNAVAILABLE) return err;
  return fault_set(why, ERR_CONFLICT, "the connection to the database was lost");
}

// --- timers and upkeep ---------------------------------------------------------------------------

static enum err run_number(struct store_lane *lane, struct call *call, int64_t *out,
                           struct fault *why) {
  struct result r;
  enum err err = pg_run(call, &r, why);
  if (err != ERR_OK) return pg_lane_lost(lane, err, why);
  if (result_next(&r)) *out = result_i64(&r);
  result_free(&r);
  return ERR_OK;
}

enum err pg_lane_wake_next(struct store_lane *lane, int64_t *at, struct fault *why) {
  TRY(pg_lane_ready(lane, why));
  arena_reset(&lane->scratch);
  struct call call = pg_call(&lane->conn, QUERY_wake_next);
  call_i64(&call, atomic_load(&lane->store->wake_floor));
  return run_number(lane, &call, at, why);
}

// A lane that works shows it by working; one whose latest unit failed, or that had none for a
// while, is tried out: what libpq believes of a connection at rest tells nothing.
enum err pg_lane_tend(struct store_lane *lane, bool idle, struct fault *why) {
  if (!lane->ailing && !idle) return ERR_OK;
  TRY(pg_lane_ready(lane, why));
  arena_reset(&lane->scratch);
  struct call call = pg_call(&lane->conn, QUERY_probe);
  int64_t standby = 0;
  TRY(run_number(lane, &call, &standby, why));
  if (standby) {
    pg_close(&lane->conn);
    return fault_set(why, ERR_UNAVAILABLE, "the database server is a standby and takes no writes");
  }
  lane->ailing = false;
  return ERR_OK;
}
