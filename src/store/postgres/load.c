// load.c: the first half of a unit of work, in one trip to the server: rows that orders name, rows
// picked for claims, rows whose time has come.
#include <assert.h>
#include <stdlib.h>

#include "store/postgres/unit.h"

// --- one row -------------------------------------------------------------------------------------

static void remember(struct loaded *l, struct row *row) {
  if (l->count == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 64;
    struct row **rows = arena_alloc(l->arena, cap * sizeof *rows);
    if (l->count) memcpy(rows, l->rows, l->count * sizeof *rows);
    l->rows = rows;
    l->cap = cap;
  }
  l->rows[l->count++] = row;
}

struct row *pg_loaded_row(struct loaded *l, struct result *r) {
  struct row *row = ARENA_NEW(l->arena, struct row);
  struct task *t = &row->task;
  row->place = result_place(r);
  row->channel = pg_columns_read(r, l->arena, t);
  row->was_revision = t->revision;
  row->was_status = t->status;
  row->was_waiting = t->waiting;
  remember(l, row);
  return row;
}

// Gives the rows the names of their channels. A number that is not known here is of a channel that
// another process made.
static enum err name_rows(struct loaded *l, struct fault *why) {
  struct channels *cs = l->lane->store->channels;
  bool again = false;
  for (size_t i = 0; i < l->count; i++) {
    struct row *row = l->rows[i];
    const struct channel *channel = pg_channels_at(cs, row->channel);
    if (!channel && again)
      return fault_set(why, ERR_UNAVAILABLE, "a task is in channel %lld, which does not exist",
                       (long long)row->channel);
    if (!channel) {
      TRY(pg_channels_load(&l->lane->conn, cs, why));
      again = true;
      i--;
      continue;
    }
    row->task.queue = channel->queue;  // live as long as the store
    row->task.type = channel->type;
  }
  return ERR_OK;
}

// --- ids -----------------------------------------------------------------------------------------

static size_t missing(const struct load *want) {
  size_t count = 0;
  for (size_t i = 0; i < want->id_count; i++) count += want->ids[i].row == NULL;
  return count;
}

#define EACH_MISSING(statement)                                                                    \
  for (size_t i = 0; i < want->id_count; i++)                                                      \
    if (!want->ids[i].row) statement
static enum err send_ids(struct store_lane *lane, enum query query, const struct load *want,
                         struct fault *why) {
  size_t count = missing(want);
  struct call c = pg_call(&lane->conn, query);
  call_array_i64(&c, count);
  EACH_MISSING(call_put_i64(&c, (int64_t)i));
  call_array_i64(&c, count);
  EACH_MISSING(call_put_i64(&c, want->ids[i].tenant));
  call_array_id(&c, count);
  EACH_MISSING(call_put_id(&c, want->ids[i].id));
  call_array_i64(&c, count);
  EACH_MISSING(call_put_i64(&c, want->ids[i].parts));
  return pg_send(&c, why);
}

static enum err receive_ids(struct loaded *l, struct load *want, struct fault *why) {
  struct result r;
  TRY(pg_receive(&l->lane->conn, &r, why));
  while (result_next(&r)) {
    struct want_id *w = &want->ids[result_i64(&r)];
    w->row = pg_loaded_row(l, &r);
    w->row->task.payload = result_text(&r, l->arena);
    w->row->task.result = result_text(&r, l->arena);
  }
  result_free(&r);
  return ERR_OK;
}

// Most ids that orders name are of tasks that have not ended; only for the others it is worth
// looking further. One that was sent back to work while we looked has left `done` before we came
// there, and was not in `live` yet. It is there now.
static enum err load_missing(struct loaded *l, struct load *want, struct fault *why) {
  static const enum query tables[] = {QUERY_load_done, QUERY_load_live};
  for (size_t i = 0; i < 2 && missing(want) > 0; i++) {
    TRY(send_ids(l->lane, tables[i], want, why));
    TRY(pg_sync(&l->lane->conn, why));
    TRY(receive_ids(l, want, why));
    TRY(pg_finish(&l->lane->conn, why));
  }
  return ERR_OK;
}

// --- unique keys and kept answers ----------------------------------------------------------------

static enum err send_uniques(struct store_lane *lane, enum query query, const struct load *want,
                             struct fault *why) {
  struct call c = pg_call(&lane->conn, query);
  call_array_i64(&c, want->unique_count);
  for (size_t i = 0; i < want->unique_count; i++) call_put_i64(&c, (int64_t)i);
  call_array_i64(&c, want->unique_count);
  for (size_t i = 0; i < want->unique_count; i++) call_put_i64(&c, want->uniques[i].tenant);
  call_array_text(&c, want->unique_count);
  for (size_t i = 0; i < want->unique_count; i++) call_put_text(&c, want->uniques[i].key);
  return pg_send(&c, why);
}

static enum err receive_uniques(struct loaded *l, struct load *want, struct fault *why) {
  struct result r;
  TRY(pg_receive(&l->lane->conn, &r, why));
  while (result_next(&r)) {
    struct want_unique *w = &want->uniques[result_i64(&r)];
    w->row = pg_loaded_row(l, &r);
  }
  result_free(&r);
  return ERR_OK;
}

static enum err send_replays(struct store_lane *lane, const struct load *want, struct fault *why) {
  struct call c = pg_call(&lane->conn, QUERY_load_replays);
  call_array_i64(&c, want->replay_count);
  for (size_t i = 0; i < want->replay_count; i++) call_put_i64(&c, (int64_t)i);
  call_array_i64(&c, want->replay_count);
  for (size_t i = 0; i < want->replay_count; i++) call_put_i64(&c, want->replays[i].tenant);
  call_array_text(&c, want->replay_count);
  for (size_t i = 0; i < want->replay_count; i++) call_put_text(&c, want->replays[i].key);
  return pg_send(&c, why);
}

// Its columns in QUERY_load_replays and QUERY_bulk_replays are the same.
void pg_replay_read(struct result *r, struct arena *a, struct replay *out) {
  out->at = result_i64(r);
  out->status = result_i64(r);
  result_bytes(r, out->fingerprint, sizeof out->fingerprint);
  out->task = result_id(r);
  out->revision = result_i64(r);
  out->body = result_text(r, a);
}

static enum err receive_replays(struct loaded *l, struct load *want, struct fault *why) {
  struct result r;
  TRY(pg_receive(&l->lane->conn, &r, why));
  while (result_next(&r)) {
    struct want_replay *w = &want->replays[result_i64(&r)];
    struct replay *found = ARENA_NEW(l->arena, struct replay);
    found->tenant = w->tenant;
    found->key = w->key;
    pg_replay_read(&r, l->arena, found);
    w->found = found;
  }
  result_free(&r);
  return ERR_OK;
}

// --- tasks that are due, the catalogue -----------------------------------------------------------

static enum err send_due(struct store_lane *lane, const struct load *want, struct fault *why) {
  struct call c = pg_call(&lane->conn, QUERY_load_due);
  call_i64(&c, atomic_load(&lane->store->wake_floor));
  call_i64(&c, want->due_at);
  call_i64(&c, (int64_t)want->due_limit);
  return pg_send(&c, why);
}

static enum err receive_due(struct loaded *l, struct load *want, struct fault *why) {
  struct result r;
  TRY(pg_receive(&l->lane->conn, &r, why));
  while (result_next(&r)) want->due[want->due_count++] = pg_loaded_row(l, &r);
  result_free(&r);
  return ERR_OK;
}

// In a trip of its own, before anything else is locked or read: what comes after the lock must see
// what its last holder did.
static enum err load_catalogue(struct loaded *l, struct load *want, struct fault *why) {
  struct conn *conn = &l->lane->conn;
  struct call c = pg_call(conn, QUERY_catalogue_lock);
  struct result r;
  TRY(pg_send(&c, why));
  TRY(pg_sync(conn, why));
  TRY(pg_receive_begun(l->lane, why));
  TRY(pg_receive(conn, &r, why));
  int64_t version = result_next(&r) ? result_i64(&r) : 0;
  result_free(&r);
  TRY(pg_finish(conn, why));
  if (version == want->catalog_version) return ERR_OK;
  want->changed = ARENA_NEW(l->arena, struct catalog);
  return pg_catalog_load(conn, l->arena, want->changed, why);
}

// --- all of it -----------------------------------------------------------------------------------

static enum err send_all(struct loaded *l, struct load *want, struct fault *why) {
  struct store_lane *lane = l->lane;
  if (want->id_count) TRY(send_ids(lane, QUERY_load_live, want, why));
  if (want->unique_count) {
    TRY(send_uniques(lane, QUERY_load_unique_live, want, why));
    TRY(send_uniques(lane, QUERY_load_unique_done, want, why));
  }
  if (want->replay_count) TRY(send_replays(lane, want, why));
  if (want->pick_count) TRY(pg_pick_send(l, want, why));
  if (want->due_at > 0 && want->due_limit > 0) TRY(send_due(lane, want, why));
  TRY(pg_cleanup_send(l, want, why));
  return pg_sync(&lane->conn, why);
}

static enum err receive_all(struct loaded *l, struct load *want, struct fault *why) {
  TRY(pg_receive_begun(l->lane, why));
  if (want->id_count) TRY(receive_ids(l, want, why));
  for (int table = 0; want->unique_count && table < 2; table++) TRY(receive_uniques(l, want, why));
  if (want->replay_count) TRY(receive_replays(l, want, why));
  if (want->pick_count) TRY(pg_pick_receive(l, want, why));
  if (want->due_at > 0 && want->due_limit > 0) TRY(receive_due(l, want, why));
  TRY(pg_cleanup_receive(l, want, why));
  return pg_finish(&l->lane->conn, why);
}

static void clear(struct load *want) {
  for (size_t i = 0; i < want->id_count; i++) want->ids[i].row = NULL;
  for (size_t i = 0; i < want->unique_count; i++) want->uniques[i].row = NULL;
  for (size_t i = 0; i < want->replay_count; i++) want->replays[i].found = NULL;
  for (size_t i = 0; i < want->pick_count; i++) {
    want->picks[i].rows = NULL;
    want->picks[i].row_count = 0;
    want->picks[i].busy = false;
  }
  want->due_count = 0;
  want->due = want->due_limit ? ARENA_ARRAY(want->arena, struct row *, want->due_limit) : NULL;
  want->changed = NULL;
  pg_cleanup_clear(want);
}

static enum err load_all(struct loaded *l, struct load *want, struct fault *why) {
  TRY(pg_lane_begin(l->lane, why));
  if (want->catalog) TRY(load_catalogue(l, want, why));
  TRY(send_all(l, want, why));
  TRY(receive_all(l, want, why));
  TRY(load_missing(l, want, why));
  TRY(pg_pick_finish(l, want, why));
  TRY(pg_cleanup_name(l, want, why));
  return name_rows(l, why);
}

enum err pg_load(struct store_lane *lane, struct load *want, struct fault *why) {
  assert(want->arena && !lane->conn.awaited);
  clear(want);
  bool anything = want->id_count || want->unique_count || want->replay_count || want->pick_count ||
                  want->catalog || want->cleanup || want->tallies || want->ended_count ||
                  (want->due_at > 0 && want->due_limit > 0);
  if (!anything) return ERR_OK;
  enum err err = pg_lane_ready(lane, why);
  lane->picked_count = lane->picked_cap = 0;
  if (err == ERR_OK) {
    if (!lane->open) arena_reset(&lane->scratch);
    struct loaded l = {.lane = lane, .arena = want->arena};
    err = load_all(&l, want, why);
    if (err != ERR_OK) err = pg_lane_lost(lane, err, why);
  }
  lane->ailing = !pg_is_open(&lane->conn) || (err != ERR_OK && err != ERR_CONFLICT);
  return err;
}
