// pick.c: ready tasks for claims.
//
// Claimed tasks leave dead entries in the index of ready ones, at its front, where each claim would
// walk over them until a vacuum, and for as long as anybody holds an old snapshot. So the walk of a
// channel begins at its frontier: the first task that the latest claim got. What becomes ready
// before the frontier is known when this process did it, and told by the news when another did;
// now and then, as seldom as it is dear, a walk begins at the very front all the same.
#include "base/clock.h"
#include "store/postgres/unit.h"

enum {
  FRONT_EVERY_US = 250 * 1000,  // walks from the front are at least this far apart …
  FRONT_SHARE = 20,             // … and take at most one part in so many of the time
  HELD_MIN = 32,                // tasks in the way that other units hold, besides as many as asked
};
static const int64_t RANK_FRONT = INT32_MIN;

// One pick on its way: where its walk begins in each channel.
struct pick_walk {
  struct channel **channels;
  struct frontier *from;  // walked_at 0: at the front
  size_t count;
  int64_t sent_us;
  int64_t *bytes;               // of the payload of each row
  bool from_front, past_front;  // some channels are walked from there, some not
};

// --- where to begin ------------------------------------------------------------------------------

static bool front_is_due(const struct frontier *f, int64_t now_us) {
  int64_t rest = f->walk_us * FRONT_SHARE;
  return f->walked_at == 0 ||
         now_us - f->walked_at > (rest > FRONT_EVERY_US ? rest : FRONT_EVERY_US);
}

static void choose(struct loaded *l, const struct pick *pick, struct pick_walk *walk, bool front) {
  struct channels *cs = l->lane->store->channels;
  walk->count = pg_channels_fitting(cs, l->arena, pick->tenant, pick->types, pick->type_count,
                                    pick->queues, pick->queue_count, pick->not_queues,
                                    pick->not_queue_count, &walk->channels);
  walk->from = ARENA_ARRAY(l->arena, struct frontier, walk->count + 1);
  walk->sent_us = clock_mono_us();
  walk->from_front = walk->past_front = false;
  for (size_t i = 0; i < walk->count; i++) {
    struct frontier f = pg_channels_frontier(cs, walk->channels[i]);
    bool at_front = front || front_is_due(&f, walk->sent_us);
    if (!at_front) walk->from[i] = f;
    walk->from_front |= at_front;
    walk->past_front |= !at_front;
  }
}

static bool is_before(const struct task *t, const struct frontier *f) {
  if (t->priority != f->priority) return t->priority > f->priority;
  return t->id.hi != f->id.hi ? t->id.hi < f->id.hi : t->id.lo < f->id.lo;
}

static void move_frontier(struct channels *cs, const struct row *row,
                          const struct pick_walk *walk) {
  struct channel *channel = pg_channels_at(cs, row->channel);
  if (!channel) return;
  struct frontier f = pg_channels_frontier(cs, channel);
  f.priority = row->task.priority;
  f.id = row->task.id;
  if (walk->from_front) {
    f.walked_at = clock_mono_us();
    f.walk_us = f.walked_at - walk->sent_us;
  }
  pg_channels_frontier_set(cs, channel, f);
}

// To the first row of each channel. One that others hold may lie before it, and become ready again
// when they fail: a later walk from the front finds it.
static void move_frontiers(struct loaded *l, const struct pick *pick,
                           const struct pick_walk *walk) {
  for (size_t i = pick->row_count; i-- > 0;) {
    bool first = i == 0 || pick->rows[i - 1]->channel != pick->rows[i]->channel;
    if (first) move_frontier(l->lane->store->channels, pick->rows[i], walk);
  }
}

void pg_pick_became_ready(struct postgres_store *s, const struct change *change) {
  for (size_t i = 0; i < change->row_count; i++) {
    const struct row *row = change->rows[i];
    const struct task *t = &row->task;
    if (row->gone || t->status != TASK_PENDING || t->waiting != WAIT_WORKER) continue;
    struct channel *channel = pg_channels_at(s->channels, row->channel);
    if (!channel) continue;
    struct frontier f = pg_channels_frontier(s->channels, channel);
    if (f.walked_at == 0 || !is_before(t, &f)) continue;
    f.priority = t->priority;
    f.id = t->id;
    pg_channels_frontier_set(s->channels, channel, f);
  }
}

// --- the trip ------------------------------------------------------------------------------------

static int64_t rank_of(const struct frontier *f) {
  return f->walked_at ? -f->priority : RANK_FRONT;
}

static enum err send_walk(struct store_lane *lane, const struct pick *pick,
                          const struct pick_walk *walk, struct fault *why) {
  struct call c = pg_call(&lane->conn, QUERY_pick);
  call_i64(&c, pick->tenant);
  call_array_i64(&c, walk->count);
  for (size_t i = 0; i < walk->count; i++) call_put_i64(&c, walk->channels[i]->number);
  call_array_i64(&c, walk->count);
  for (size_t i = 0; i < walk->count; i++) call_put_i64(&c, rank_of(&walk->from[i]));
  call_array_id(&c, walk->count);
  for (size_t i = 0; i < walk->count; i++)
    call_put_id(&c, walk->from[i].walked_at ? walk->from[i].id : (struct id){0});
  call_i64(&c, (int64_t)(2 * pick->limit + HELD_MIN));
  call_i64(&c, (int64_t)pick->limit);
  call_i64(&c, (int64_t)(pick->bytes_max / pick->limit) + 1);
  return pg_send(&c, why);
}

static enum err send_any(struct store_lane *lane, const struct pick *pick,
                         const struct pick_walk *walk, struct fault *why) {
  struct call c = pg_call(&lane->conn, QUERY_pick_any);
  call_i64(&c, pick->tenant);
  call_array_i64(&c, walk->count);
  for (size_t i = 0; i < walk->count; i++) call_put_i64(&c, walk->channels[i]->number);
  return pg_send(&c, why);
}

static bool is_walked(const struct pick *pick, const struct pick_walk *walk) {
  return pick->limit > 0 && walk->count > 0;
}

enum err pg_pick_send(struct loaded *l, struct load *want, struct fault *why) {
  l->walks = ARENA_ARRAY(l->arena, struct pick_walk, want->pick_count);
  for (size_t i = 0; i < want->pick_count; i++) {
    choose(l, &want->picks[i], &l->walks[i], false);
    if (is_walked(&want->picks[i], &l->walks[i]))
      TRY(send_walk(l->lane, &want->picks[i], &l->walks[i], why));
  }
  return ERR_OK;
}

// Rows are kept until their payloads pass the pick's sum.
static enum err receive_walk(struct loaded *l, struct pick *pick, struct pick_walk *walk,
                             struct fault *why) {
  struct result r;
  TRY(pg_receive(&l->lane->conn, &r, why));
  pick->rows = ARENA_ARRAY(l->arena, struct row *, pick->limit);
  walk->bytes = ARENA_ARRAY(l->arena, int64_t, pick->limit);
  pick->row_count = 0;
  size_t sum = 0;
  while (pick->row_count < pick->limit && (pick->row_count == 0 || sum <= pick->bytes_max) &&
         result_next(&r)) {
    struct row *row = pg_loaded_row(l, &r);
    row->task.payload = result_text(&r, l->arena);
    walk->bytes[pick->row_count] = result_i64(&r);
    sum += (size_t)walk->bytes[pick->row_count];
    pick->rows[pick->row_count++] = row;
  }
  result_free(&r);
  move_frontiers(l, pick, walk);
  return ERR_OK;
}

enum err pg_pick_receive(struct loaded *l, struct load *want, struct fault *why) {
  for (size_t i = 0; i < want->pick_count; i++)
    if (is_walked(&want->picks[i], &l->walks[i]))
      TRY(receive_walk(l, &want->picks[i], &l->walks[i], why));
  return ERR_OK;
}

// --- what needs another trip ---------------------------------------------------------------------

// A walk that found nothing says so only after it has begun at the front, over all channels there
// are; and then tells whether others hold what it looked for.
static enum err look_again(struct loaded *l, struct pick *pick, struct pick_walk *walk, bool more,
                           struct fault *why) {
  struct conn *conn = &l->lane->conn;
  bool walk_again = more || walk->past_front;
  if (walk_again) choose(l, pick, walk, true);
  if (!is_walked(pick, walk)) return ERR_OK;
  if (walk_again) TRY(send_walk(l->lane, pick, walk, why));
  TRY(send_any(l->lane, pick, walk, why));
  TRY(pg_sync(conn, why));
  if (walk_again) TRY(receive_walk(l, pick, walk, why));
  struct result r;
  TRY(pg_receive(conn, &r, why));
  pick->busy = pick->row_count == 0 && result_next(&r) && result_i64(&r) != 0;
  result_free(&r);
  return pg_finish(conn, why);
}

static enum err fetch_long(struct loaded *l, const struct pick *pick, const struct pick_walk *walk,
                           struct fault *why) {
  for (size_t i = 0; i < pick->row_count; i++) {
    struct task *t = &pick->rows[i]->task;
    if (walk->bytes[i] == 0 || !str_is_none(t->payload)) continue;
    struct call c = pg_call(&l->lane->conn, QUERY_payload_read);
    call_i64(&c, t->tenant);
    call_id(&c, t->id);
    struct result r;
    TRY(pg_send(&c, why));
    TRY(pg_sync(&l->lane->conn, why));
    TRY(pg_receive(&l->lane->conn, &r, why));
    if (result_next(&r)) t->payload = result_text(&r, l->arena);
    result_free(&r);
    TRY(pg_finish(&l->lane->conn, why));
  }
  return ERR_OK;
}

enum err pg_pick_finish(struct loaded *l, struct load *want, struct fault *why) {
  if (want->pick_count == 0) return ERR_OK;
  struct channels *cs = l->lane->store->channels;
  bool more = l->channel_highest > pg_channels_highest(cs);
  if (more) TRY(pg_channels_load(&l->lane->conn, cs, why));
  for (size_t i = 0; i < want->pick_count; i++) {
    struct pick *pick = &want->picks[i];
    if (pick->limit == 0) continue;
    if (pick->row_count == 0) TRY(look_again(l, pick, &l->walks[i], more, why));
    TRY(fetch_long(l, pick, &l->walks[i], why));
  }
  return ERR_OK;
}
