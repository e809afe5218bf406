// ended.c: what the cleanup needs of a unit's load: tasks that have ended, the earliest end first;
// how many tasks there are; and whether this process has the cleanup.
#include "store/postgres/unit.h"

// --- tasks that have ended -----------------------------------------------------------------------

// A section of the index: one channel, one way to end.
struct section {
  size_t want;
  int64_t channel;
  unsigned status;
};

struct sections {
  struct section *at;
  size_t count;
};

static void add_sections(struct sections *all, size_t nr, unsigned statuses,
                         struct channel **channels, size_t count) {
  for (size_t i = 0; i < count; i++)
    for (unsigned s = 0; s < TASK_STATUS_COUNT; s++)
      if (statuses & 1u << s) all->at[all->count++] = (struct section){nr, channels[i]->number, s};
}

static struct sections plan(struct loaded *l, const struct load *want) {
  struct channels *cs = l->lane->store->channels;
  struct arena *a = &l->lane->scratch;
  struct channel ***channels = ARENA_ARRAY(a, struct channel **, want->ended_count);
  size_t *counts = ARENA_ARRAY(a, size_t, want->ended_count), total = 0;
  for (size_t i = 0; i < want->ended_count; i++) {
    const struct want_ended *w = &want->ended[i];
    counts[i] = pg_channels_fitting(cs, a, w->tenant, &w->type, !str_is_none(w->type), NULL, 0,
                                    NULL, 0, &channels[i]);
    total += counts[i];
  }
  struct sections all = {.at = ARENA_ARRAY(a, struct section, total * TASK_STATUS_COUNT + 1)};
  for (size_t i = 0; i < want->ended_count; i++)
    add_sections(&all, i, want->ended[i].statuses, channels[i], counts[i]);
  return all;
}

static void put_sections(struct call *c, const struct sections *all) {
  call_array_i64(c, all->count);
  for (size_t i = 0; i < all->count; i++) call_put_i64(c, (int64_t)all->at[i].want);
  call_array_i64(c, all->count);
  for (size_t i = 0; i < all->count; i++) call_put_i64(c, all->at[i].channel);
  call_array_i64(c, all->count);
  for (size_t i = 0; i < all->count; i++) call_put_i64(c, all->at[i].status);
}

static int64_t before_of(const struct want_ended *w) { return w->before ? w->before : INT64_MAX; }

static enum err send_ended(struct loaded *l, const struct load *want,
                           const struct sections *sections, struct fault *why) {
  struct call c = pg_call(&l->lane->conn, QUERY_load_ended);
  call_array_i64(&c, want->ended_count);
  for (size_t i = 0; i < want->ended_count; i++) call_put_i64(&c, (int64_t)i);
  call_array_i64(&c, want->ended_count);
  for (size_t i = 0; i < want->ended_count; i++) call_put_i64(&c, want->ended[i].tenant);
  call_array_i64(&c, want->ended_count);
  for (size_t i = 0; i < want->ended_count; i++) call_put_i64(&c, before_of(&want->ended[i]));
  call_array_i64(&c, want->ended_count);
  for (size_t i = 0; i < want->ended_count; i++) call_put_i64(&c, (int64_t)want->ended[i].limit);
  put_sections(&c, sections);
  call_i64(&c, (int64_t)want->ended_limit);
  call_array_i64(&c, want->ended_count);
  for (size_t i = 0; i < want->ended_count; i++) call_put_i64(&c, want->ended[i].after);
  return pg_send(&c, why);
}

static enum err send_next(struct loaded *l, const struct load *want,
                          const struct sections *sections, struct fault *why) {
  struct call c = pg_call(&l->lane->conn, QUERY_load_ended_next);
  put_sections(&c, sections);
  call_array_i64(&c, sections->count);
  for (size_t i = 0; i < sections->count; i++)
    call_put_i64(&c, want->ended[sections->at[i].want].tenant);
  call_array_i64(&c, sections->count);
  for (size_t i = 0; i < sections->count; i++)
    call_put_i64(&c, before_of(&want->ended[sections->at[i].want]));
  return pg_send(&c, why);
}

static enum err receive_ended(struct loaded *l, struct load *want, struct fault *why) {
  struct result r;
  TRY(pg_receive(&l->lane->conn, &r, why));
  while (result_next(&r)) {
    struct want_ended *w = &want->ended[result_i64(&r)];
    w->rows[w->row_count++] = pg_loaded_row(l, &r);
  }
  result_free(&r);
  TRY(pg_receive(&l->lane->conn, &r, why));
  while (result_next(&r)) {
    struct want_ended *w = &want->ended[result_i64(&r)];
    w->next_at = result_i64(&r);
  }
  result_free(&r);
  return ERR_OK;
}

// --- counts, and the cleanup itself --------------------------------------------------------------

// Numbers of channels: their names may have to be asked for, see pg_cleanup_name.
static enum err receive_tallies(struct loaded *l, struct load *want, struct fault *why) {
  struct result r;
  TRY(pg_receive(&l->lane->conn, &r, why));
  want->tally = ARENA_ARRAY(l->arena, struct tally, (size_t)r.count);
  l->tally_channels = ARENA_ARRAY(l->arena, int64_t, (size_t)r.count);
  while (result_next(&r)) {
    struct tally *tally = &want->tally[want->tally_count];
    l->tally_channels[want->tally_count++] = result_i64(&r);
    tally->ready = result_i64(&r);
    for (size_t i = 0; i < TASK_STATUS_COUNT; i++) tally->count[i] = result_i64(&r);
  }
  result_free(&r);
  return ERR_OK;
}

static enum err receive_duty(struct loaded *l, struct load *want, struct fault *why) {
  struct result r;
  TRY(pg_receive(&l->lane->conn, &r, why));
  if (result_next(&r)) {
    want->duty = ARENA_NEW(l->arena, struct duty);
    want->duty->until = result_i64(&r);
    want->duty->holder = result_i64(&r);
  }
  result_free(&r);
  return ERR_OK;
}

// --- in the unit's pipeline ----------------------------------------------------------------------

void pg_cleanup_clear(struct load *want) {
  for (size_t i = 0; i < want->ended_count; i++) {
    struct want_ended *w = &want->ended[i];
    size_t limit = w->limit < want->ended_limit ? w->limit : want->ended_limit;
    w->rows = ARENA_ARRAY(want->arena, struct row *, limit + 1);
    w->row_count = 0;
    w->next_at = 0;
  }
  want->tally_count = 0;
  want->duty = NULL;
}

enum err pg_cleanup_send(struct loaded *l, const struct load *want, struct fault *why) {
  struct call duty = pg_call(&l->lane->conn, QUERY_cleanup_lock);
  struct call tallies = pg_call(&l->lane->conn, QUERY_load_tallies);
  if (want->cleanup) TRY(pg_send(&duty, why));
  if (want->tallies) TRY(pg_send(&tallies, why));
  if (want->ended_count == 0) return ERR_OK;
  struct sections sections = plan(l, want);
  TRY(send_ended(l, want, &sections, why));
  return send_next(l, want, &sections, why);
}

enum err pg_cleanup_receive(struct loaded *l, struct load *want, struct fault *why) {
  if (want->cleanup) TRY(receive_duty(l, want, why));
  if (want->tallies) TRY(receive_tallies(l, want, why));
  return want->ended_count ? receive_ended(l, want, why) : ERR_OK;
}

// A number that is not known here is of a channel that another process made.
enum err pg_cleanup_name(struct loaded *l, struct load *want, struct fault *why) {
  struct channels *cs = l->lane->store->channels;
  bool again = false;
  for (size_t i = 0; i < want->tally_count; i++) {
    const struct channel *channel = pg_channels_at(cs, l->tally_channels[i]);
    if (!channel && !again) {
      TRY(pg_channels_load(&l->lane->conn, cs, why));
      channel = pg_channels_at(cs, l->tally_channels[i]);
      again = true;
    }
    if (!channel)
      return fault_set(why, ERR_UNAVAILABLE, "a count is of channel %lld, which does not exist",
                       (long long)l->tally_channels[i]);
    want->tally[i].tenant = channel->tenant;
    want->tally[i].queue = channel->queue;
    want->tally[i].type = channel->type;
  }
  return ERR_OK;
}

enum err pg_cleanup_set(struct conn *conn, const struct duty *duty, struct fault *why) {
  if (!duty) return ERR_OK;
  struct call c = pg_call(conn, QUERY_cleanup_set);
  call_i64(&c, duty->until);
  call_i64(&c, duty->holder);
  return pg_send(&c, why);
}
