// naming.c: gives new pairs of queue and type their numbers.
//
// In a transaction of its own, so that a number stays when the unit that asked for it fails: units
// do not wait for each other's new channels, and a number that is known here is always there.
#include <assert.h>

#include "store/postgres/unit.h"

static struct channel *known(struct postgres_store *s, const struct row *row) {
  const struct task *t = &row->task;
  return pg_channels_find(s->channels, t->tenant, t->queue, t->type);
}

static enum err insert_channels(struct postgres_store *s, struct conn *c, struct row *const *rows,
                                size_t count, struct fault *why) {
  struct call begin = pg_call(c, QUERY_begin), lock = pg_call(c, QUERY_channel_lock),
              insert = pg_call(c, QUERY_channel_insert), commit = pg_call(c, QUERY_commit);
  call_i64(&lock, pg_lock_key(s, "channel", 0));
  call_array_i64(&insert, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&insert, rows[i]->task.tenant);
  call_array_text(&insert, count);
  for (size_t i = 0; i < count; i++) call_put_text(&insert, rows[i]->task.queue);
  call_array_text(&insert, count);
  for (size_t i = 0; i < count; i++) call_put_text(&insert, rows[i]->task.type);
  call_i64(&insert, LIMIT_CHANNELS);
  struct call *calls[] = {&begin, &lock, &insert, &commit};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) TRY(pg_send(calls[i], why));
  TRY(pg_sync(c, why));
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) TRY(pg_receive_done(c, why));
  TRY(pg_finish(c, why));
  return pg_channels_load(c, s->channels, why);
}

static enum err make_channels(struct postgres_store *s, struct row *const *rows, size_t count,
                              struct fault *why) {
  struct conn *side;
  TRY(pg_side_begin(s, &side, why));
  int64_t patience_us = side->patience_us;
  side->patience_us = pg_patience_us(&s->lane_conn);  // a unit waits for it
  enum err err = insert_channels(s, side, rows, count, why);
  bool lost = !pg_is_open(side) && !side->silent;
  side->patience_us = patience_us;
  pg_side_end(s);
  if (lost && err == ERR_UNAVAILABLE)  // as pg_lane_lost: nothing of the unit is done yet
    return fault_set(why, ERR_CONFLICT, "the connection to the database was lost");
  TRY(err);
  for (size_t i = 0; i < count; i++)
    if (!known(s, rows[i]))
      return fault_set(why, ERR_TOO_MANY,
                       "there are %d pairs of queue and type already, and no more can be made; "
                       "use fewer names",
                       LIMIT_CHANNELS);
  return ERR_OK;
}

enum err pg_channels_name(struct store_lane *lane, const struct change *change, struct fault *why) {
  struct row **unknown = ARENA_ARRAY(&lane->scratch, struct row *, change->row_count + 1);
  size_t count = 0;
  for (size_t i = 0; i < change->row_count; i++) {
    struct row *row = change->rows[i];
    assert(row->fresh || row->dirty || row->gone);
    if (row->fresh && !known(lane->store, row)) unknown[count++] = row;
  }
  if (count) TRY(make_channels(lane->store, unknown, count, why));
  for (size_t i = 0; i < change->row_count; i++)
    if (change->rows[i]->fresh)
      change->rows[i]->channel = known(lane->store, change->rows[i])->number;
  return ERR_OK;
}

enum err pg_channel_find(struct postgres_store *s, const struct task *t, int64_t *number,
                         struct fault *why) {
  struct row row = {.task = *t}, *rows[] = {&row};
  if (!known(s, &row)) TRY(make_channels(s, rows, 1, why));
  *number = known(s, &row)->number;
  return ERR_OK;
}
