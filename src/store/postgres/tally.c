// tally.c: how a unit moves the numbers of tasks by status, channel by channel.
#include "store/postgres/unit.h"

static struct tally_moved *moved_of(struct store_lane *lane, int64_t number,
                                    struct tally_moved **all) {
  struct tally_moved *moved = lane->moves[number];
  if (moved) return moved;
  moved = ARENA_NEW(&lane->scratch, struct tally_moved);
  moved->channel = pg_channels_at(lane->store->channels, number);
  moved->next = *all;
  lane->moves[number] = moved;
  return *all = moved;
}

static void move(struct tally_moved *m, enum task_status status, enum waiting waiting, int64_t by) {
  m->count[status] += by;
  if (status == TASK_PENDING && waiting == WAIT_WORKER) m->ready += by;
}

void pg_tally_count(struct store_lane *lane, const struct change *change,
                    struct tally_moved **all) {
  *all = NULL;
  for (size_t i = 0; i < change->row_count; i++) {
    const struct row *row = change->rows[i];
    struct tally_moved *m = moved_of(lane, row->channel, all);
    if (!row->fresh) move(m, row->was_status, row->was_waiting, -1);
    if (!row->gone) move(m, row->task.status, row->task.waiting, 1);
  }
  for (struct tally_moved *m = *all; m; m = m->next) lane->moves[m->channel->number] = NULL;
}

static bool is_still(const struct tally_moved *m) {
  bool moved = m->ready != 0;
  for (size_t s = 0; s < TASK_STATUS_COUNT; s++) moved |= m->count[s] != 0;
  return !moved;
}

enum err pg_tally_send(struct store_lane *lane, struct tally_moved *all, struct fault *why) {
  size_t count = 0;
  for (const struct tally_moved *m = all; m; m = m->next) count += !is_still(m);
  if (count == 0) return ERR_OK;
  struct call c = pg_call(&lane->conn, QUERY_tally_insert);
  call_array_i64(&c, count);
  for (const struct tally_moved *m = all; m; m = m->next)
    if (!is_still(m)) call_put_i64(&c, m->channel->tenant);
  call_array_i64(&c, count);
  for (const struct tally_moved *m = all; m; m = m->next)
    if (!is_still(m)) call_put_i64(&c, m->channel->number);
  call_array_i64(&c, count);
  for (const struct tally_moved *m = all; m; m = m->next)
    if (!is_still(m)) call_put_i64(&c, m->ready);
  for (size_t s = 0; s < TASK_STATUS_COUNT; s++) {
    call_array_i64(&c, count);
    for (const struct tally_moved *m = all; m; m = m->next)
      if (!is_still(m)) call_put_i64(&c, m->count[s]);
  }
  return pg_send(&c, why);
}
