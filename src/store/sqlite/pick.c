// pick.c: ready tasks for a claim. Which channels have any is known from memory.
#include "store/sqlite/internal.h"

static bool listed(struct str name, const struct str *names, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(name, names[i])) return true;
  return false;
}

static bool channel_fits(const struct channel *c, const struct pick *pick) {
  return c->tenant == pick->tenant &&
         (pick->type_count == 0 || listed(c->type, pick->types, pick->type_count)) &&
         (pick->queue_count == 0 || listed(c->queue, pick->queues, pick->queue_count)) &&
         !listed(c->queue, pick->not_queues, pick->not_queue_count);
}

static int64_t *channels_fitting(const struct channels *cs, const struct pick *pick,
                                 struct arena *a, size_t *count) {
  int64_t *numbers = arena_alloc(a, sizeof *numbers * cs->ready_count);
  *count = 0;
  for (size_t i = 0; i < cs->ready_count; i++)
    if (channel_fits(cs->ready[i], pick)) numbers[(*count)++] = cs->ready[i]->number;
  return numbers;
}

static enum err pick_key(struct store_lane *lane, int64_t key, struct arena *a, struct row **out,
                         struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_task_by_key);
  use_i64(&u, key);
  bool found = false;
  TRY(sqlite_use_row(&u, &found, why));
  enum err err = found
                     ? sqlite_load_row(lane, &u, a, out, why)
                     : fault_set(why, ERR_STORE_BROKEN, "an index names a task that is not there");
  if (err == ERR_OK) (*out)->task.payload = use_get_text(&u, a);
  sqlite_use_end(&u);
  return err;
}

enum err sqlite_pick(struct store_lane *lane, struct arena *a, struct pick *pick,
                     struct fault *why) {
  pick->rows = NULL;
  pick->row_count = 0;
  size_t channel_count;
  int64_t *channels = channels_fitting(lane->channels, pick, a, &channel_count);
  if (channel_count == 0 || pick->limit == 0) return ERR_OK;

  struct use u = sqlite_use(lane->conn, QUERY_task_ready);
  struct ready *ready = NULL;
  size_t ready_count = 0;
  TRY(sqlite_ready_merge(&u, channels, channel_count, (struct ready_after){INT64_MAX, 0},
                         pick->limit, a, &ready, &ready_count, why));
  pick->rows = ARENA_ARRAY(a, struct row *, ready_count);
  size_t bytes = 0;
  for (size_t i = 0; i < ready_count && (i == 0 || bytes <= pick->bytes_max); i++) {
    TRY(pick_key(lane, ready[i].key, a, &pick->rows[i], why));
    pick->row_count++;
    bytes += pick->rows[i]->task.payload.len;
  }
  return ERR_OK;
}
