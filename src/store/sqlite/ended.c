// ended.c: tasks that have ended, the earliest end first, for the cleanup. What the cleanup asks
// for may be spread over several channels and ways to end: the index has a row of them for each of
// those, and they are merged.
#include <stdlib.h>

#include "store/sqlite/internal.h"

struct end {
  int64_t key, at;
};

// The earliest so far, in order, and room for as many more.
struct earliest {
  struct end *ends;
  size_t count, limit;
  int64_t after, before;  // they ended between these
};

static int by_time(const void *a_ptr, const void *b_ptr) {
  const struct end *a = a_ptr, *b = b_ptr;
  if (a->at != b->at) return a->at < b->at ? -1 : 1;
  return (a->key > b->key) - (a->key < b->key);
}

static enum err merge(struct store_lane *lane, struct earliest *e, int64_t channel,
                      enum task_status status, struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_task_ended);
  use_i64(&u, channel);
  use_i64(&u, (int64_t)status);
  use_i64(&u, e->after);
  use_i64(&u, e->before);
  use_i64(&u, (int64_t)e->limit);
  bool found = false;
  size_t had = e->count;
  enum err err = sqlite_use_row(&u, &found, why);
  while (err == ERR_OK && found) {
    struct end *end = &e->ends[e->count++];
    end->key = use_get_i64(&u);
    end->at = use_get_i64(&u);
    err = sqlite_use_row(&u, &found, why);
  }
  sqlite_use_end(&u);
  if (had && e->count > had) qsort(e->ends, e->count, sizeof *e->ends, by_time);
  if (e->count < e->limit) return err;
  e->count = e->limit;
  e->before = e->ends[e->limit - 1].at;
  return err;
}

static enum err look_behind(struct store_lane *lane, struct want_ended *want, int64_t channel,
                            enum task_status status, struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_task_ended_next);
  use_i64(&u, channel);
  use_i64(&u, (int64_t)status);
  use_i64(&u, want->before);
  bool found = false;
  TRY(sqlite_use_row(&u, &found, why));
  int64_t at = found ? use_get_i64(&u) : 0;
  sqlite_use_end(&u);
  if (at && (want->next_at == 0 || at < want->next_at)) want->next_at = at;
  return ERR_OK;
}

static enum err load_rows(struct store_lane *lane, struct arena *a, const struct earliest *e,
                          struct want_ended *want, struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_task_ended_row);
  want->rows = ARENA_ARRAY(a, struct row *, e->count + 1);
  for (size_t i = 0; i < e->count; i++) {
    use_i64(&u, e->ends[i].key);
    bool found = false;
    TRY(sqlite_use_row(&u, &found, why));
    if (!found) return fault_set(why, ERR_STORE_BROKEN, "an index names a task that is not there");
    enum err err = sqlite_load_row(lane, &u, a, &want->rows[want->row_count++], why);
    sqlite_use_end(&u);
    TRY(err);
  }
  return ERR_OK;
}

static bool fits(const struct channel *c, const struct want_ended *want) {
  return c->tenant == want->tenant && (str_is_none(want->type) || str_eq(c->type, want->type));
}

enum err sqlite_ended(struct store_lane *lane, struct arena *a, struct want_ended *want,
                      size_t limit, struct fault *why) {
  const struct channels *cs = lane->channels;
  struct earliest e = {.limit = want->limit < limit ? want->limit : limit,
                       .after = want->after,
                       .before = want->before ? want->before : INT64_MAX};
  want->row_count = 0;
  want->next_at = 0;
  e.ends = arena_alloc(a, sizeof *e.ends * (2 * e.limit + 1));
  for (size_t i = 0; i < cs->count; i++) {
    const struct channel *c = cs->all[i];
    if (!c || !fits(c, want)) continue;
    for (unsigned s = 0; s < TASK_STATUS_COUNT; s++) {
      if (!(want->statuses & 1u << s) || c->counts.count[s] == 0) continue;
      if (e.limit) TRY(merge(lane, &e, c->number, (enum task_status)s, why));
      if (want->before) TRY(look_behind(lane, want, c->number, (enum task_status)s, why));
    }
  }
  return load_rows(lane, a, &e, want, why);
}
