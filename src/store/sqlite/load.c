// load.c: the first half of a unit of work: rows that orders name, rows picked, rows that are due,
// rows that have ended.
#include <assert.h>

#include "store/sqlite/columns.h"
#include "store/sqlite/internal.h"

// --- one row -------------------------------------------------------------------------------------

enum err sqlite_load_row(struct store_lane *lane, struct use *u, struct arena *a, struct row **out,
                         struct fault *why) {
  struct row *row = ARENA_NEW(a, struct row);
  struct task *t = &row->task;
  row->channel = sqlite_columns_read(u, a, t);
  row->event_last = use_get_i64(u);
  const struct channel *channel = sqlite_channels_at(lane->channels, row->channel);
  if (!channel)
    return fault_set(why, ERR_STORE_BROKEN, "a task is in channel %lld, which does not exist",
                     (long long)row->channel);
  t->queue = channel->queue;  // live as long as the lane
  t->type = channel->type;
  row->was_revision = t->revision;
  row->was_status = t->status;
  row->was_waiting = t->waiting;
  *out = row;
  return ERR_OK;
}

static enum err load_body(struct conn *c, enum query query, int64_t key, struct arena *a,
                          struct str *out, struct fault *why) {
  struct use u = sqlite_use(c, query);
  use_i64(&u, key);
  bool row = false;
  TRY(sqlite_use_row(&u, &row, why));
  if (row) *out = use_get_text(&u, a);
  sqlite_use_end(&u);
  return ERR_OK;
}

enum err sqlite_load_parts(struct conn *c, struct arena *a, struct task *t, unsigned parts,
                           struct fault *why) {
  int64_t key = id_key(t->id);
  if (parts & PART_PAYLOAD) TRY(load_body(c, QUERY_payload_read, key, a, &t->payload, why));
  if (parts & PART_RESULT) TRY(load_body(c, QUERY_result_read, key, a, &t->result, why));
  return ERR_OK;
}

// Steps the statement once; NULL when it gives no row.
static enum err load_one(struct store_lane *lane, struct use *u, struct arena *a, struct row **out,
                         struct fault *why) {
  bool found = false;
  TRY(sqlite_use_row(u, &found, why));
  enum err err = ERR_OK;
  *out = NULL;
  if (found) err = sqlite_load_row(lane, u, a, out, why);
  sqlite_use_end(u);
  return err;
}

// --- the wants -----------------------------------------------------------------------------------

static enum err load_ids(struct store_lane *lane, struct load *want, struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_task_by_id);
  for (size_t i = 0; i < want->id_count; i++) {
    struct want_id *w = &want->ids[i];
    use_i64(&u, id_key(w->id));
    use_i64(&u, (int64_t)w->id.lo);
    use_i64(&u, w->tenant);
    TRY(load_one(lane, &u, want->arena, &w->row, why));
    if (w->row && w->parts)
      TRY(sqlite_load_parts(lane->conn, want->arena, &w->row->task, w->parts, why));
  }
  return ERR_OK;
}

static enum err load_uniques(struct store_lane *lane, struct load *want, struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_task_by_unique);
  for (size_t i = 0; i < want->unique_count; i++) {
    struct want_unique *w = &want->uniques[i];
    use_i64(&u, w->tenant);
    use_text(&u, w->key);
    TRY(load_one(lane, &u, want->arena, &w->row, why));
  }
  return ERR_OK;
}

// Its columns in QUERY_replay_read and QUERY_bulk_replays are the same.
void sqlite_replay_read(struct use *u, struct arena *a, struct replay *r) {
  r->at = use_get_i64(u);
  r->status = use_get_i64(u);
  use_get_blob(u, r->fingerprint, sizeof r->fingerprint);
  r->task = use_get_id(u);
  r->revision = use_get_i64(u);
  r->body = use_get_text(u, a);
}

static struct replay *read_replay(struct use *u, struct arena *a, const struct want_replay *w) {
  struct replay *r = ARENA_NEW(a, struct replay);
  r->tenant = w->tenant;
  r->key = w->key;
  sqlite_replay_read(u, a, r);
  return r;
}

static enum err load_replays(struct store_lane *lane, struct load *want, struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_replay_read);
  for (size_t i = 0; i < want->replay_count; i++) {
    struct want_replay *w = &want->replays[i];
    use_i64(&u, w->tenant);
    use_text(&u, w->key);
    bool found = false;
    TRY(sqlite_use_row(&u, &found, why));
    w->found = found ? read_replay(&u, want->arena, w) : NULL;
    sqlite_use_end(&u);
  }
  return ERR_OK;
}

static enum err load_due(struct store_lane *lane, struct load *want, struct fault *why) {
  want->due_count = 0;
  want->due = ARENA_ARRAY(want->arena, struct row *, want->due_limit);
  struct use u = sqlite_use(lane->conn, QUERY_task_due);
  use_i64(&u, want->due_at);
  use_i64(&u, (int64_t)want->due_limit);
  bool found = false;
  enum err err = sqlite_use_row(&u, &found, why);
  while (err == ERR_OK && found) {
    err = sqlite_load_row(lane, &u, want->arena, &want->due[want->due_count++], why);
    if (err == ERR_OK) err = sqlite_use_row(&u, &found, why);
  }
  sqlite_use_end(&u);
  return err;
}

// Within a unit the counts are those that were committed: nobody else writes.
static void load_tallies(const struct store_lane *lane, struct load *want) {
  const struct channels *cs = lane->channels;
  want->tally = ARENA_ARRAY(want->arena, struct tally, cs->count + 1);
  want->tally_count = 0;
  for (size_t i = 0; i < cs->count; i++) {
    const struct channel *c = cs->all[i];
    if (!c) continue;
    struct tally *tally = &want->tally[want->tally_count++];
    *tally = (struct tally){
        .tenant = c->tenant, .queue = c->queue, .type = c->type, .ready = c->counts.ready};
    memcpy(tally->count, c->counts.count, sizeof tally->count);
  }
}

static enum err load_ended(struct store_lane *lane, struct load *want, struct fault *why) {
  size_t left = want->ended_limit;
  for (size_t i = 0; i < want->ended_count; i++) {
    TRY(sqlite_ended(lane, want->arena, &want->ended[i], left, why));
    left -= want->ended[i].row_count;
  }
  return ERR_OK;
}

// --- all of it -----------------------------------------------------------------------------------

static enum err load_all(struct store_lane *lane, struct load *want, struct fault *why) {
  if (want->id_count) TRY(load_ids(lane, want, why));
  if (want->unique_count) TRY(load_uniques(lane, want, why));
  if (want->replay_count) TRY(load_replays(lane, want, why));
  for (size_t i = 0; i < want->pick_count; i++)
    TRY(sqlite_pick(lane, want->arena, &want->picks[i], why));
  if (want->due_at > 0 && want->due_limit > 0) TRY(load_due(lane, want, why));
  if (want->tallies) load_tallies(lane, want);
  return load_ended(lane, want, why);
}

enum err sqlite_load(struct store_lane *lane, struct load *want, struct fault *why) {
  assert(want->arena);
  bool picks = want->pick_count > 0 && lane->channels->ready_count > 0;
  // One transaction from the first read to the commit. An idle server's claims open none.
  if (want->id_count || want->unique_count || want->replay_count || picks || want->due_at > 0 ||
      want->ended_count)
    TRY(sqlite_lane_begin(lane, why));
  enum err err = load_all(lane, want, why);
  if (err != ERR_OK) sqlite_conn_rollback(lane->conn);
  return err;
}
