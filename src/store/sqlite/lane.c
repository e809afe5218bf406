// lane.c: the one writing connection: its units of work begin and end here, and so do checkpoints.
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "base/proof.h"
#include "store/sqlite/internal.h"

enum {
  WAL_RESTART = 16,      // a WAL this many times longer than a checkpoint wants has readers in it
  WAL_RESTART_MS = 200,  // how long those are waited for
};

size_t sqlite_lane_max(struct store *s) {
  return ((struct sqlite_store *)s)->settings.read_only ? 0 : 1;
}

// --- opening -------------------------------------------------------------------------------------

// Called after each commit that wrote something with the length of the WAL. One that has not grown
// by it began anew.
static int wal_grew(void *lane_ptr, sqlite3 *db, const char *schema, int pages) {
  (void)db;
  (void)schema;
  struct store_lane *lane = lane_ptr;
  if (pages <= lane->wal_pages) lane->wal_pages_copied = lane->wal_pages_tried = 0;
  lane->wal_pages = pages;
  return SQLITE_OK;
}

static enum err load_channels(struct store_lane *lane, struct fault *why) {
  struct arena arena;
  arena_init(&arena, 4096);
  struct use u = sqlite_use(lane->conn, QUERY_channel_all);
  bool row = false;
  enum err err = sqlite_use_row(&u, &row, why);
  while (err == ERR_OK && row) {
    struct tally tally;
    int64_t number = sqlite_catalog_tally(&u, &arena, &tally);
    err = sqlite_channels_add(lane->channels, &tally, number);
    if (err != ERR_OK)
      fault_set(why, err, "channel %lld makes no sense", (long long)number);
    else
      err = sqlite_use_row(&u, &row, why);
  }
  sqlite_use_end(&u);
  arena_fini(&arena);
  return err;
}

// What a crash left in the WAL goes into the file first, so that the WAL starts empty. On a full
// disk it stays where it is, and is as good there.
static enum err wal_start(struct store_lane *lane, struct fault *why) {
  errno = 0;
  int code = sqlite3_wal_checkpoint_v2(lane->conn->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  if (code == SQLITE_OK || code == SQLITE_BUSY) return ERR_OK;
  enum err err = sqlite_conn_fail(lane->conn, why);
  return err == ERR_DISK_FULL ? ERR_OK : err;
}

enum err sqlite_lane_make(struct sqlite_store *store, struct store_lane **out, struct fault *why) {
  assert(!store->lane_open && !store->settings.read_only);
  store->lane_open = true;
  struct store_lane *lane = mem_zero(sizeof *lane);
  lane->store = store;
  lane->conn = &store->conn;
  lane->channels = sqlite_channels_new();
  if (store->path) sqlite3_wal_hook(lane->conn->db, wal_grew, lane);
  enum err err = load_channels(lane, why);
  if (err == ERR_OK)
    *out = lane;
  else
    sqlite_lane_close(lane);
  return err;
}

enum err sqlite_lane_open(struct store *s, struct store_lane **out, struct fault *why) {
  struct sqlite_store *store = (struct sqlite_store *)s;
  struct store_lane *lane;
  TRY(sqlite_bulk_refuse(&store->conn, why));
  TRY(sqlite_lane_make(store, &lane, why));
  enum err err = store->path ? wal_start(lane, why) : ERR_OK;
  if (err == ERR_OK)
    *out = lane;
  else
    sqlite_lane_close(lane);
  return err;
}

void sqlite_lane_close(struct store_lane *lane) {
  if (!lane) return;
  sqlite_conn_rollback(lane->conn);
  sqlite3_wal_hook(lane->conn->db, NULL, NULL);
  lane->store->lane_open = false;
  sqlite_channels_free(lane->channels);
  mem_free(lane->feeds);
  mem_free(lane);
}

// --- units ---------------------------------------------------------------------------------------

enum err sqlite_lane_begin(struct store_lane *lane, struct fault *why) {
  if (!sqlite3_get_autocommit(lane->conn->db)) return ERR_OK;
  struct use u = sqlite_use(lane->conn, QUERY_begin);
  return sqlite_use_run(&u, why);
}

void sqlite_lane_abandon(struct store_lane *lane) {
  if (sqlite3_get_autocommit(lane->conn->db)) return;
  struct use u = sqlite_use(lane->conn, QUERY_rollback);
  if (sqlite_use_run(&u, NULL) != ERR_OK) sqlite_conn_rollback(lane->conn);
}

enum err sqlite_lane_wake_next(struct store_lane *lane, int64_t *at, struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_task_wake_next);
  bool row = false;
  TRY(sqlite_use_row(&u, &row, why));
  *at = row ? use_get_i64(&u) : 0;
  sqlite_use_end(&u);
  return ERR_OK;
}

// --- upkeep --------------------------------------------------------------------------------------

static enum err probe(struct store_lane *lane, struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_probe);
  TRY(sqlite_use_run(&u, why));
  lane->ailing = false;
  return ERR_OK;
}

// Copies what the readers allow. The next unit starts the WAL anew when that was all of it and no
// reader stands in it; only a WAL that has grown far past its size waits for them.
static enum err checkpoint(struct store_lane *lane, struct fault *why) {
  sqlite3 *db = lane->conn->db;
  int mode = SQLITE_CHECKPOINT_PASSIVE, pages = 0, copied = 0;
  if (lane->wal_pages > WAL_RESTART * lane->store->settings.checkpoint_pages) {
    mode = SQLITE_CHECKPOINT_RESTART;
    sqlite3_busy_timeout(db, WAL_RESTART_MS);
  }
  errno = 0;
  int code = sqlite3_wal_checkpoint_v2(db, NULL, mode, &pages, &copied);
  if (mode != SQLITE_CHECKPOINT_PASSIVE) sqlite3_busy_timeout(db, CONN_BUSY_MS);
  lane->wal_pages_tried = lane->wal_pages;
  if (code == SQLITE_BUSY) return ERR_OK;
  if (code != SQLITE_OK) return sqlite_conn_fail(lane->conn, why);
  lane->wal_pages = lane->wal_pages_tried = pages;
  lane->wal_pages_copied = copied;
  return ERR_OK;
}

// What proofs must catch: the answers are out by now.
static enum err commit_late(struct store_lane *lane, struct fault *why) {
  if (sqlite3_get_autocommit(lane->conn->db)) return ERR_OK;
  proof_fails_at(PROOF_TOO_LATE);
  struct use u = sqlite_use(lane->conn, QUERY_commit);
  return sqlite_use_run(&u, why);
}

enum err sqlite_lane_tend(struct store_lane *lane, bool idle, struct fault *why) {
  if (proof_word(PROOF_answer_early)) TRY(commit_late(lane, why));
  assert(sqlite3_get_autocommit(lane->conn->db));
  if (lane->ailing) TRY(probe(lane, why));
  int64_t grown = lane->wal_pages - lane->wal_pages_tried;
  bool due = grown >= lane->store->settings.checkpoint_pages;
  if (due || (idle && lane->wal_pages > lane->wal_pages_copied)) return checkpoint(lane, why);
  return ERR_OK;
}
