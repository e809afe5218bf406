// apply.c: the second half of a unit of work: everything that it changes, committed once.
//
// Two trips that overlap: the rows are sent first; while the server still writes them the number of
// the transaction comes back, and only then the events and the commit are sent. So a commit whose
// connection is lost can always be asked about, and the lock under which events are numbered is
// held for a moment only.
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/rand.h"
#include "store/postgres/unit.h"

enum { REPLAY_DROP_US = 60 * 1000 * 1000 };  // old answers are removed this often, by a lane

// The rows of a change by what happens to them.
struct sorted {
  struct row **created;  // into `task`
  struct row **born;     // into `live`
  struct row **moved;    // change within `live`
  struct row **left;     // out of `live`
  struct row **ended;    // into `done`
  struct row **amended;  // change within `done`
  struct row **revived;  // out of `done`
  struct row **gone;     // out of `task`, with their log
  size_t created_count, born_count, moved_count, left_count, ended_count, amended_count,
      revived_count, gone_count;
};

// --- sorting -------------------------------------------------------------------------------------

// In the order of their unique keys, so that two units that make the same ones wait for each other
// in that order and never in a circle.
static int by_unique_key(const void *a_ptr, const void *b_ptr) {
  const struct task *a = &(*(struct row *const *)a_ptr)->task;
  const struct task *b = &(*(struct row *const *)b_ptr)->task;
  if (a->tenant != b->tenant) return a->tenant < b->tenant ? -1 : 1;
  return str_compare(a->unique_key, b->unique_key);
}

static void sort_row(struct sorted *s, struct row *row) {
  bool was_done = task_status_is_final(row->was_status),
       is_done = task_status_is_final(row->task.status);
  if (row->fresh && row->gone) return;
  if (row->fresh) s->created[s->created_count++] = row;
  if (row->gone) s->gone[s->gone_count++] = row;
  bool stays = !row->fresh && !row->gone;
  if (stays && was_done == is_done) {
    if (is_done)
      s->amended[s->amended_count++] = row;
    else
      s->moved[s->moved_count++] = row;
    return;
  }
  if (!row->fresh && was_done) s->revived[s->revived_count++] = row;
  if (!row->fresh && !was_done) s->left[s->left_count++] = row;
  if (!row->gone && is_done) s->ended[s->ended_count++] = row;
  if (!row->gone && !is_done) s->born[s->born_count++] = row;
}

static struct sorted sort_rows(struct store_lane *lane, const struct change *change) {
  struct sorted s = {0};
  struct row ***lists[] = {&s.created, &s.born,    &s.moved,   &s.left,
                           &s.ended,   &s.amended, &s.revived, &s.gone};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    *lists[i] = ARENA_ARRAY(&lane->scratch, struct row *, change->row_count + 1);
  bool keys = false;
  for (size_t i = 0; i < change->row_count; i++) {
    sort_row(&s, change->rows[i]);
    keys |= change->rows[i]->fresh && !str_is_none(change->rows[i]->task.unique_key);
  }
  if (keys) qsort(s.created, s.created_count, sizeof *s.created, by_unique_key);
  return s;
}

// --- rows ----------------------------------------------------------------------------------------

static void put_keys(struct call *c, struct row *const *rows, size_t count) {
  call_array_i64(c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(c, rows[i]->task.tenant);
  call_array_id(c, count);
  for (size_t i = 0; i < count; i++) call_put_id(c, rows[i]->task.id);
}

static enum err send_inputs(struct conn *conn, struct row *const *rows, size_t count,
                            struct fault *why) {
  if (count == 0) return ERR_OK;
  struct call c = pg_call(conn, QUERY_task_insert);
  call_array_rows(&c, ROW_INPUT, count);
  for (size_t i = 0; i < count; i++) pg_columns_put_input(&c, rows[i]);
  return pg_send(&c, why);
}

static enum err send_states(struct conn *conn, enum query query, struct row *const *rows,
                            size_t count, struct fault *why) {
  if (count == 0) return ERR_OK;
  struct call c = pg_call(conn, query);
  call_array_rows(&c, ROW_STATE, count);
  for (size_t i = 0; i < count; i++) pg_columns_put_state(&c, rows[i]);
  return pg_send(&c, why);
}

static enum err send_removed(struct conn *conn, enum query query, struct row *const *rows,
                             size_t count, struct fault *why) {
  if (count == 0) return ERR_OK;
  struct call c = pg_call(conn, query);
  put_keys(&c, rows, count);
  call_array_place(&c, count);
  for (size_t i = 0; i < count; i++) call_put_place(&c, rows[i]->place);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, rows[i]->was_revision);
  return pg_send(&c, why);
}

static enum err send_gone(struct conn *conn, struct row *const *rows, size_t count,
                          struct fault *why) {
  if (count == 0) return ERR_OK;
  struct call task = pg_call(conn, QUERY_task_delete), log = pg_call(conn, QUERY_log_drop);
  put_keys(&task, rows, count);
  TRY(pg_send(&task, why));
  put_keys(&log, rows, count);
  call_array_i64(&log, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&log, INT64_MAX);
  return pg_send(&log, why);
}

static enum err send_rows(struct store_lane *lane, const struct change *change, struct fault *why) {
  struct conn *conn = &lane->conn;
  struct sorted s = sort_rows(lane, change);
  TRY(send_inputs(conn, s.created, s.created_count, why));
  TRY(send_removed(conn, QUERY_live_delete, s.left, s.left_count, why));
  TRY(send_removed(conn, QUERY_done_delete, s.revived, s.revived_count, why));
  TRY(send_states(conn, QUERY_live_insert, s.born, s.born_count, why));
  TRY(send_states(conn, QUERY_done_insert, s.ended, s.ended_count, why));
  TRY(send_states(conn, QUERY_live_update, s.moved, s.moved_count, why));
  TRY(send_states(conn, QUERY_done_update, s.amended, s.amended_count, why));
  return send_gone(conn, s.gone, s.gone_count, why);
}

// --- what goes with them -------------------------------------------------------------------------

static size_t lines_kept(const struct change_log *log) {
  size_t count = 0;
  for (size_t i = 0; i < log->line_count; i++) count += log->lines[i].number > log->drop_through;
  return count;
}

#define EACH_LINE(statement)                                                                       \
  for (size_t i = 0; i < change->log_count; i++) {                                                 \
    const struct change_log *log = &change->logs[i];                                               \
    for (size_t k = 0; k < log->line_count; k++) {                                                 \
      const struct log_line *line = &log->lines[k];                                                \
      if (line->number > log->drop_through) statement;                                             \
    }                                                                                              \
  }

static enum err send_lines(struct conn *conn, const struct change *change, struct fault *why) {
  size_t count = 0;
  for (size_t i = 0; i < change->log_count; i++) count += lines_kept(&change->logs[i]);
  if (count == 0) return ERR_OK;
  struct call c = pg_call(conn, QUERY_log_insert);
  call_array_i64(&c, count);
  EACH_LINE(call_put_i64(&c, log->row->task.tenant));
  call_array_id(&c, count);
  EACH_LINE(call_put_id(&c, log->row->task.id));
  call_array_i64(&c, count);
  EACH_LINE(call_put_i64(&c, line->number));
  call_array_i64(&c, count);
  EACH_LINE(call_put_i64(&c, line->at));
  call_array_text(&c, count);
  EACH_LINE(call_put_text(&c, line->text));
  return pg_send(&c, why);
}

static enum err send_line_drops(struct conn *conn, const struct change *change, struct fault *why) {
  for (size_t i = 0; i < change->log_count; i++) {
    const struct change_log *log = &change->logs[i];
    if (log->drop_through <= 0) continue;
    struct row *row = log->row;
    struct call c = pg_call(conn, QUERY_log_drop);
    put_keys(&c, &row, 1);
    call_array_i64(&c, 1);
    call_put_i64(&c, log->drop_through);
    TRY(pg_send(&c, why));
  }
  return ERR_OK;
}

static int by_replay_key(const void *a_ptr, const void *b_ptr) {
  const struct replay *a = *(const struct replay *const *)a_ptr;
  const struct replay *b = *(const struct replay *const *)b_ptr;
  if (a->tenant != b->tenant) return a->tenant < b->tenant ? -1 : 1;
  return str_compare(a->key, b->key);
}

// In the order of their keys, for the same reason as with unique keys. The last one of a key
// counts; it replaces the others of the same unit.
static enum err send_replays(struct store_lane *lane, const struct change *change, bool replacing,
                             struct fault *why) {
  const struct replay **all =
      ARENA_ARRAY(&lane->scratch, const struct replay *, change->replay_count + 1);
  size_t count = 0;
  for (size_t i = 0; i < change->replay_count; i++)
    if (change->replays[i].replaces == replacing) all[count++] = &change->replays[i];
  if (count == 0) return ERR_OK;
  qsort(all, count, sizeof *all, by_replay_key);
  struct call c = pg_call(&lane->conn, replacing ? QUERY_replay_replace : QUERY_replay_insert);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, all[i]->tenant);
  call_array_text(&c, count);
  for (size_t i = 0; i < count; i++) call_put_text(&c, all[i]->key);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, all[i]->at);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, all[i]->status);
  call_array_bytes(&c, count);
  for (size_t i = 0; i < count; i++)
    call_put_bytes(&c, all[i]->fingerprint, sizeof all[i]->fingerprint);
  call_array_id(&c, count);
  for (size_t i = 0; i < count; i++) call_put_id(&c, all[i]->task);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, all[i]->revision);
  call_array_text(&c, count);
  for (size_t i = 0; i < count; i++)
    call_put_text(&c, str_is_none(all[i]->body) ? STR("") : all[i]->body);
  return pg_send(&c, why);
}

static enum err send_replay_drop(struct store_lane *lane, const struct change *change,
                                 struct fault *why) {
  int64_t now_us = clock_mono_us();
  bool due = lane->replays_dropped_us == 0 || now_us - lane->replays_dropped_us > REPLAY_DROP_US;
  if (change->replays_before <= 0 || !due) return ERR_OK;
  lane->replays_dropped_us = now_us;
  struct call c = pg_call(&lane->conn, QUERY_replay_drop);
  call_i64(&c, change->replays_before);
  return pg_send(&c, why);
}

// --- the unit ------------------------------------------------------------------------------------

static enum err send_token(struct store_lane *lane, struct proof *proof, struct fault *why) {
  struct call c = pg_call(&lane->conn, QUERY_unit_insert);
  proof->token = (int64_t)(rand_u64() >> 1);
  call_i64(&c, proof->token);
  call_i64(&c, pg_now(&lane->store->store));
  return pg_send(&c, why);
}

static enum err send_writes(struct store_lane *lane, const struct change *change,
                            struct proof *proof, struct fault *why) {
  struct conn *conn = &lane->conn;
  struct tally_moved *moved;
  size_t sent = 0;
  TRY(pg_lane_begin(lane, why));
  struct call xid = pg_call(conn, QUERY_xid);
  TRY(pg_send(&xid, why));
  TRY(pg_catalog_send(conn, change, &sent, why));
  TRY(send_rows(lane, change, why));
  TRY(send_lines(conn, change, why));
  TRY(send_line_drops(conn, change, why));
  TRY(send_replays(lane, change, false, why));
  TRY(send_replays(lane, change, true, why));
  TRY(send_replay_drop(lane, change, why));
  TRY(pg_cleanup_set(conn, change->duty, why));
  pg_tally_count(lane, change, &moved);
  TRY(pg_tally_send(lane, moved, why));
  return send_token(lane, proof, why);
}

static enum err receive_xid(struct store_lane *lane, struct proof *proof, struct fault *why) {
  struct result r;
  TRY(pg_receive_begun(lane, why));
  TRY(pg_receive(&lane->conn, &r, why));
  if (result_next(&r)) proof->xid = result_i64(&r);
  result_free(&r);
  return ERR_OK;
}

static enum err commit(struct store_lane *lane, const struct change *change, struct fault *why) {
  struct conn *conn = &lane->conn;
  size_t writes = conn->awaited;
  conn->warned = false;
  TRY(pg_events_send(lane, change, why));
  struct call c = pg_call(conn, QUERY_commit);
  TRY(pg_send(&c, why));
  TRY(pg_sync(conn, why));
  for (size_t i = 0; i < writes; i++) TRY(pg_receive_done(conn, why));
  TRY(pg_events_receive(lane, change, why));
  TRY(pg_receive_done(conn, why));
  TRY(pg_finish(conn, why));
  if (!conn->warned) return ERR_OK;
  return fault_set(why, ERR_UNAVAILABLE,
                   "the commit did not reach a synchronous standby in time; whether it lasts is "
                   "unknown: see to the standby, and repeat with the same Idempotency-Key");
}

static enum err run(struct store_lane *lane, const struct change *change, struct fault *why) {
  struct proof proof = {0};
  TRY(pg_channels_name(lane, change, why));
  enum err err = send_writes(lane, change, &proof, why);
  if (err == ERR_OK) err = pg_flush(&lane->conn, why);
  if (err == ERR_OK) err = receive_xid(lane, &proof, why);
  if (err != ERR_OK) return pg_lane_lost(lane, err, why);  // no commit was sent
  err = commit(lane, change, why);
  lane->open = false;
  if (err == ERR_OK) return ERR_OK;
  bool lost = !pg_is_open(&lane->conn);
  pg_lane_failed(lane);
  return lost ? pg_settle(lane, &proof, why) : err;
}

enum err pg_apply(struct store_lane *lane, const struct change *change, struct fault *why) {
  enum err err = pg_lane_ready(lane, why);
  if (err == ERR_OK) {
    if (!lane->open) arena_reset(&lane->scratch);
    err = run(lane, change, why);
  }
  if (err != ERR_OK && lane->open) pg_lane_failed(lane);
  bool refused = err == ERR_CONFLICT || err == ERR_TOO_MANY;
  lane->ailing = !pg_is_open(&lane->conn) || (err != ERR_OK && !refused);
  if (err != ERR_OK) return err;
  pg_pick_release(lane, false);
  pg_pick_became_ready(lane->store, change);
  if (lane->store->desk) pg_desk_tell(lane->store, change);
  return ERR_OK;
}
