// apply.c: the second half of a unit of work: everything that it changes, committed once.
//
// The work goes table by table, not task by task, so that one statement and one tree stay in the
// processor's caches for the whole group.
#include <assert.h>

#include "base/proof.h"
#include "store/sqlite/columns.h"
#include "store/sqlite/internal.h"

enum {
  REPLAYS_DROPPED = 500,     // kept answers removed by one unit at most
  RESULT_SHORT_BYTES = 512,  // still five rows to a page
};

// --- tasks ---------------------------------------------------------------------------------------

static enum err channel_of(struct store_lane *lane, struct row *row, struct channel **out,
                           struct fault *why) {
  const struct task *t = &row->task;
  if (row->fresh)
    TRY(sqlite_channels_get(lane->channels, t->tenant, t->queue, t->type, out, why));
  else
    *out = sqlite_channels_at(lane->channels, row->channel);
  assert(*out);
  row->channel = (*out)->number;
  return ERR_OK;
}

// Moves the tallies by what the row was and what it becomes.
static enum err count_row(struct store_lane *lane, struct row *row, struct fault *why) {
  assert(row->fresh || row->dirty || row->gone);
  struct channel *c = NULL;
  TRY(channel_of(lane, row, &c, why));
  struct channels *cs = lane->channels;
  if (!row->fresh) sqlite_channels_move(cs, c, row->was_status, row->was_waiting, -1);
  if (!row->gone) sqlite_channels_move(cs, c, row->task.status, row->task.waiting, 1);
  return ERR_OK;
}

// A short result lives in its task's row: the row is rewritten anyway when the result comes, and as
// a rule for the last time. A payload never does: each claim would rewrite it.
static bool is_short(struct str result) { return result.len <= RESULT_SHORT_BYTES; }
static struct str short_or_none(struct str result) { return is_short(result) ? result : STR_NONE; }

static enum err insert_task(struct use *u, const struct row *row, struct fault *why) {
  const struct task *t = &row->task;
  use_i64(u, id_key(t->id));
  use_i64(u, (int64_t)t->id.lo);
  use_i64(u, t->tenant);
  use_i64(u, row->channel);
  use_text(u, row->result_new ? short_or_none(t->result) : STR_NONE);
  use_i64(u, row->event_last);
  sqlite_columns_bind(u, t);
  return sqlite_use_run(u, why);
}

// A statement that names the revision that was read, and so changes one row or finds a conflict.
static enum err run_compared(struct use *u, const struct row *row, struct fault *why) {
  use_i64(u, id_key(row->task.id));
  use_i64(u, row->was_revision);
  TRY(sqlite_use_run(u, why));
  if (sqlite3_changes(u->conn->db) == 1) return ERR_OK;
  return fault_set(why, ERR_CONFLICT, "a task was changed since it was read");
}

static enum err update_task(struct use *u, const struct row *row, struct fault *why) {
  sqlite_columns_bind_state(u, &row->task);
  use_i64(u, row->event_last);
  if (row->result_new) use_text(u, short_or_none(row->task.result));
  return run_compared(u, row, why);
}

static enum err write_tasks(struct store_lane *lane, const struct change *change,
                            struct fault *why) {
  struct use insert = sqlite_use(lane->conn, QUERY_task_insert);
  struct use update = sqlite_use(lane->conn, QUERY_task_update);
  struct use finish = sqlite_use(lane->conn, QUERY_task_update_result);
  for (size_t i = 0; i < change->row_count; i++) {
    const struct row *row = change->rows[i];
    if (row->gone) continue;
    if (row->fresh)
      TRY(insert_task(&insert, row, why));
    else
      TRY(update_task(row->result_new ? &finish : &update, row, why));
  }
  return ERR_OK;
}

// --- payloads and results ------------------------------------------------------------------------

static enum err put_body(struct use *u, const struct row *row, struct str body, struct fault *why) {
  use_i64(u, id_key(row->task.id));
  use_text(u, body);
  return sqlite_use_run(u, why);
}

static enum err delete_of(struct conn *c, enum query query, const struct row *row,
                          struct fault *why) {
  struct use u = sqlite_use(c, query);
  use_i64(&u, id_key(row->task.id));
  return sqlite_use_run(&u, why);
}

static enum err write_bodies(struct store_lane *lane, const struct change *change,
                             struct fault *why) {
  struct use payload = sqlite_use(lane->conn, QUERY_payload_insert);
  struct use result = sqlite_use(lane->conn, QUERY_result_put);
  for (size_t i = 0; i < change->row_count; i++) {
    const struct row *row = change->rows[i];
    const struct task *t = &row->task;
    if (row->gone) continue;
    if (row->fresh && !str_is_none(t->payload)) TRY(put_body(&payload, row, t->payload, why));
    if (!row->result_new) continue;
    if (!is_short(t->result))
      TRY(put_body(&result, row, t->result, why));
    else if (str_is_none(t->result))
      TRY(delete_of(lane->conn, QUERY_result_delete, row, why));
  }
  return ERR_OK;
}

static enum err keep_events_of(struct conn *c, const struct row *row, struct fault *why) {
  const struct task *t = &row->task;
  struct use u = sqlite_use(c, QUERY_removed_insert);
  use_i64(&u, id_key(t->id));
  use_i64(&u, (int64_t)t->id.lo);
  use_i64(&u, t->tenant);
  use_i64(&u, row->event_last);
  return sqlite_use_run(&u, why);
}

// Along the chain, from the newest to the first.
static enum err delete_events_of(struct conn *c, const struct row *row, struct fault *why) {
  int64_t seq = row->event_last;
  while (seq) {
    struct use u = sqlite_use(c, QUERY_event_delete);
    use_i64(&u, sqlite_event_id(row->task.tenant, seq));
    bool found = false;
    TRY(sqlite_use_row(&u, &found, why));
    if (!found) return fault_set(why, ERR_STORE_BROKEN, "an event that a task names is missing");
    int64_t previous = use_get_i64(&u);
    sqlite_use_end(&u);
    if (previous >= seq) return fault_set(why, ERR_STORE_BROKEN, "a chain of events has a loop");
    seq = previous;
  }
  return ERR_OK;
}

static enum err delete_task(struct conn *c, const struct row *row, struct fault *why) {
  struct use u = sqlite_use(c, QUERY_task_delete);
  TRY(run_compared(&u, row, why));
  TRY(row->forgotten ? delete_events_of(c, row, why) : keep_events_of(c, row, why));
  TRY(delete_of(c, QUERY_payload_delete, row, why));
  TRY(delete_of(c, QUERY_result_delete, row, why));
  struct use log = sqlite_use(c, QUERY_log_drop);
  use_i64(&log, id_key(row->task.id));
  use_i64(&log, INT64_MAX);
  return sqlite_use_run(&log, why);
}

static enum err delete_tasks(struct store_lane *lane, const struct change *change,
                             struct fault *why) {
  for (size_t i = 0; i < change->row_count; i++) {
    const struct row *row = change->rows[i];
    if (row->gone && !row->fresh) TRY(delete_task(lane->conn, row, why));
  }
  return ERR_OK;
}

// --- what goes with tasks ------------------------------------------------------------------------

static enum err write_log(struct store_lane *lane, const struct change_log *log,
                          struct fault *why) {
  struct use insert = sqlite_use(lane->conn, QUERY_log_insert);
  int64_t key = id_key(log->row->task.id);
  for (size_t i = 0; i < log->line_count; i++) {
    const struct log_line *line = &log->lines[i];
    if (line->number <= log->drop_through) continue;
    use_i64(&insert, key);
    use_i64(&insert, line->number);
    use_i64(&insert, line->at);
    use_text(&insert, line->text);
    TRY(sqlite_use_run(&insert, why));
  }
  if (log->drop_through <= 0) return ERR_OK;
  struct use drop = sqlite_use(lane->conn, QUERY_log_drop);
  use_i64(&drop, key);
  use_i64(&drop, log->drop_through);
  return sqlite_use_run(&drop, why);
}

static enum err write_replays(struct store_lane *lane, const struct change *change,
                              struct fault *why) {
  struct use insert = sqlite_use(lane->conn, QUERY_replay_put);
  for (size_t i = 0; i < change->replay_count; i++) {
    const struct replay *r = &change->replays[i];
    use_i64(&insert, r->tenant);
    use_text(&insert, r->key);
    use_i64(&insert, r->at);
    use_i64(&insert, r->status);
    use_blob(&insert, r->fingerprint, sizeof r->fingerprint);
    use_i64(&insert, id_key(r->task));
    use_i64(&insert, (int64_t)r->task.lo);
    use_i64(&insert, r->revision);
    use_text(&insert, str_is_none(r->body) ? STR("") : r->body);
    TRY(sqlite_use_run(&insert, why));
  }
  if (change->replays_before <= 0) return ERR_OK;
  struct use drop = sqlite_use(lane->conn, QUERY_replay_drop);
  use_i64(&drop, change->replays_before);
  use_i64(&drop, REPLAYS_DROPPED);
  return sqlite_use_run(&drop, why);
}

// Each channel that the unit touched is written once, with its new sums.
static enum err write_tallies(struct store_lane *lane, struct fault *why) {
  const struct channels *cs = lane->channels;
  struct use put = sqlite_use(lane->conn, QUERY_channel_put);
  for (size_t i = 0; i < cs->touched_count; i++) {
    const struct channel *c = cs->touched[i];
    use_i64(&put, c->number);
    use_i64(&put, c->tenant);
    use_text(&put, c->queue);
    use_text(&put, c->type);
    use_i64(&put, c->counts.ready + c->moved.ready);
    for (size_t s = 0; s < TASK_STATUS_COUNT; s++)
      use_i64(&put, c->counts.count[s] + c->moved.count[s]);
    TRY(sqlite_use_run(&put, why));
  }
  return ERR_OK;
}

// --- the unit ------------------------------------------------------------------------------------

static enum err write_all(struct store_lane *lane, const struct change *change, struct fault *why) {
  for (size_t i = 0; i < change->row_count; i++) TRY(count_row(lane, change->rows[i], why));
  // Before the rows, because each row carries the number of its newest event.
  TRY(sqlite_events_number(lane, change, why));
  TRY(delete_tasks(lane, change, why));
  TRY(write_tasks(lane, change, why));
  TRY(write_bodies(lane, change, why));
  TRY(sqlite_events_insert(lane, change, why));
  for (size_t i = 0; i < change->log_count; i++) TRY(write_log(lane, &change->logs[i], why));
  TRY(write_replays(lane, change, why));
  TRY(sqlite_catalog_apply(lane->conn, change, why));
  return write_tallies(lane, why);
}

static enum err commit(struct store_lane *lane, struct fault *why) {
  if (proof_word(PROOF_answer_early)) return ERR_OK;  // `tend` commits, which is too late
  struct use u = sqlite_use(lane->conn, QUERY_commit);
  return sqlite_use_run(&u, why);
}

enum err sqlite_apply(struct store_lane *lane, const struct change *change, struct fault *why) {
  enum err err = sqlite_lane_begin(lane, why);
  if (err == ERR_OK) err = write_all(lane, change, why);
  if (err == ERR_OK) err = commit(lane, why);
  if (err != ERR_OK) sqlite_conn_rollback(lane->conn);
  sqlite_channels_settle(lane->channels, err == ERR_OK);
  sqlite_events_settle(lane, err == ERR_OK);
  lane->ailing = err == ERR_DISK_FULL;
  return err;
}
