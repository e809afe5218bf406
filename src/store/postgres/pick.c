// pick.c: ready tasks for claims.
//
// Claimed tasks leave dead entries in the index of ready ones, at its front, where each claim would
// walk over them until a vacuum, and for as long as anybody holds an old snapshot. So the walk of a
// channel begins at its frontier: the first task that the latest claim got. What becomes ready
// before the frontier is known when this process did it, and told by the news when another did;
// now and then a walk begins at the very front all the same. Where that is dear the upkeep does it.
#include "base/clock.h"
#include "store/postgres/unit.h"

enum {
  FRESH_MS = 1000,              // what is younger may be committed after what is younger still …
  FRESH_MARGIN_MS = 50,         // … within this
  FRONT_EVERY_US = 250 * 1000,  // a channel's walks from the front are at least this far apart
  HELD_MIN = 32,                // tasks in the way that other units hold, besides as many as asked
};

// One pick on its way: where its walk begins in each channel.
struct pick_walk {
  struct channel **channels;
  struct frontier *from;  // walked_at 0: at the front
  struct frontier *seen;  // as they were
  size_t count;
  struct stretch *stretches;
  size_t stretch_count;
  int64_t known;  // the highest channel that there was for it
  int64_t sent_us;
  int64_t *bytes;               // of the payload of each row
  bool from_front, past_front;  // some channels are walked from there, some not
  bool dear;                    // a walk from there is long
};

// --- where to begin ------------------------------------------------------------------------------

// Where it is dear, it is left to the upkeep.
static bool front_is_due(const struct frontier *f, int64_t now_us) {
  return f->walked_at == 0 || (!frontier_is_dear(f) && now_us - f->walked_at > FRONT_EVERY_US);
}

static void choose(struct loaded *l, const struct pick *pick, struct pick_walk *walk, bool front) {
  struct channels *cs = l->lane->store->channels;
  walk->known = pg_channels_highest(cs);  // before: what comes meanwhile is looked for again
  walk->count = pg_channels_fitting(cs, l->arena, pick->tenant, pick->types, pick->type_count,
                                    pick->queues, pick->queue_count, pick->not_queues,
                                    pick->not_queue_count, &walk->channels);
  walk->from = ARENA_ARRAY(l->arena, struct frontier, walk->count + 1);
  walk->seen = ARENA_ARRAY(l->arena, struct frontier, walk->count + 1);
  walk->sent_us = clock_mono_us();
  walk->from_front = walk->past_front = walk->dear = false;
  for (size_t i = 0; i < walk->count; i++) {
    struct frontier *f = &walk->seen[i];
    *f = pg_channels_frontier(cs, walk->channels[i]);
    bool at_front = front || front_is_due(f, walk->sent_us);
    if (!at_front) walk->from[i] = *f;
    walk->from_front |= at_front;
    walk->past_front |= !at_front;
    walk->dear |= frontier_is_dear(f);
  }
  if (walk->dear) pg_desk_front_wanted(l->lane->store);
  walk->stretch_count =
      frontier_plan(walk->from, walk->count, walk->dear, l->arena, &walk->stretches);
}

static size_t place_of(const struct pick_walk *walk, int64_t number) {
  size_t i = 0;
  while (i < walk->count && walk->channels[i]->number != number) i++;
  return i;
}

// Ids rise with the time, but commits have an order of their own: what was made a moment earlier
// may become visible a moment later.
static struct id with_margin(struct postgres_store *s, struct id id) {
  if (id_ms(id) < pg_now(&s->store) - FRESH_MS) return id;
  return (struct id){.hi = id.hi - ((uint64_t)FRESH_MARGIN_MS << 16)};
}

// A walk that found nothing has come to the end of each channel.
static void note_drained(struct loaded *l, const struct pick_walk *walk, int64_t now_us) {
  for (size_t i = 0; i < walk->count; i++)
    if (walk->from[i].walked_at == 0)
      pg_channels_walked(l->lane->store->channels, walk->channels[i], &walk->seen[i], now_us,
                         now_us - walk->sent_us);
}

// To the first row of each channel and priority. One that others hold may lie before it, and become
// ready again when they fail: a later walk from the front finds it.
static void move_frontiers(struct loaded *l, const struct pick *pick,
                           const struct pick_walk *walk) {
  struct postgres_store *s = l->lane->store;
  int64_t now_us = clock_mono_us();
  if (pick->row_count == 0) note_drained(l, walk, now_us);
  for (size_t i = pick->row_count; i-- > 0;) {
    const struct row *row = pick->rows[i], *before = i ? pick->rows[i - 1] : NULL;
    if (before && before->channel == row->channel && before->task.priority == row->task.priority)
      continue;
    size_t place = place_of(walk, row->channel);
    if (place == walk->count) continue;
    bool from_front = walk->from[place].walked_at == 0;
    pg_channels_raise(s->channels, walk->channels[place], &walk->seen[place], -row->task.priority,
                      with_margin(s, row->task.id), from_front ? now_us : 0,
                      now_us - walk->sent_us);
  }
}

void pg_pick_became_ready(struct postgres_store *s, const struct change *change) {
  for (size_t i = 0; i < change->row_count; i++) {
    const struct row *row = change->rows[i];
    const struct task *t = &row->task;
    if (row->gone || t->status != TASK_PENDING || t->waiting != WAIT_WORKER) continue;
    struct channel *channel = pg_channels_at(s->channels, row->channel);
    if (channel) pg_channels_lower(s->channels, channel, -t->priority, t->id, t->id);
  }
}

// --- the trip ------------------------------------------------------------------------------------

static bool is_walked(const struct pick *pick, const struct pick_walk *walk) {
  return pick->limit > 0 && walk->count > 0;
}

// Values of all picks that are walked, and of all their stretches, as one array a column.
#define EACH_PICK(statement)                                                                       \
  for (size_t i = 0; i < count; i++) {                                                             \
    const struct pick *pick = &picks[i];                                                           \
    if (is_walked(pick, &walks[i])) call_put_i64(c, (int64_t)(statement));                         \
  }
#define EACH_STRETCH(statement)                                                                    \
  for (size_t i = 0; i < count; i++) {                                                             \
    for (size_t k = 0; is_walked(&picks[i], &walks[i]) && k < walks[i].stretch_count; k++) {       \
      const struct stretch *s = &walks[i].stretches[k];                                            \
      (void)s;                                                                                     \
      statement;                                                                                   \
    }                                                                                              \
  }
static void put_picks(struct call *c, const struct pick *picks, const struct pick_walk *walks,
                      size_t count, size_t walked) {
  call_array_i64(c, walked);
  EACH_PICK(i);
  call_array_i64(c, walked);
  EACH_PICK(pick->tenant);
  call_array_i64(c, walked);
  EACH_PICK(2 * pick->limit + HELD_MIN);
  call_array_i64(c, walked);
  EACH_PICK(pick->limit);
  call_array_i64(c, walked);
  EACH_PICK(pick->bytes_max / pick->limit + 1);
}

static void put_stretches(struct call *c, const struct pick *picks, const struct pick_walk *walks,
                          size_t count, size_t stretches) {
  call_array_i64(c, stretches);
  EACH_STRETCH(call_put_i64(c, (int64_t)i));
  call_array_i64(c, stretches);
  EACH_STRETCH(call_put_i64(c, (int64_t)s->step));
  call_array_i64(c, stretches);
  EACH_STRETCH(call_put_i64(c, walks[i].channels[s->channel]->number));
  call_array_i64(c, stretches);
  EACH_STRETCH(call_put_i64(c, s->rank));
  call_array_id(c, stretches);
  EACH_STRETCH(call_put_id(c, s->id));
  call_array_i64(c, stretches);
  EACH_STRETCH(call_put_i64(c, s->rank_end));
}

// Sends nothing when no channel fits any of them. `*sent` tells.
static enum err send_walks(struct store_lane *lane, const struct pick *picks,
                           const struct pick_walk *walks, size_t count, bool *sent,
                           struct fault *why) {
  size_t walked = 0, stretches = 0, last_step = 0;
  for (size_t i = 0; i < count; i++) {
    if (!is_walked(&picks[i], &walks[i])) continue;
    walked++;
    stretches += walks[i].stretch_count;
    size_t last = walks[i].stretches[walks[i].stretch_count - 1].step;
    if (last > last_step) last_step = last;
  }
  *sent = walked > 0;
  if (!*sent) return ERR_OK;
  struct call c = pg_call(&lane->conn, QUERY_pick);
  put_picks(&c, picks, walks, count, walked);
  put_stretches(&c, picks, walks, count, stretches);
  call_i64(&c, (int64_t)last_step);
  return pg_send(&c, why);
}

// Whether anything ready lies where the walk went, whoever holds it.
static enum err send_any(struct store_lane *lane, const struct pick *pick,
                         const struct pick_walk *walk, struct fault *why) {
  struct call c = pg_call(&lane->conn, QUERY_pick_any);
  size_t count = walk->stretch_count;
  const struct stretch *all = walk->stretches;
  call_i64(&c, pick->tenant);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, walk->channels[all[i].channel]->number);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, all[i].rank);
  call_array_id(&c, count);
  for (size_t i = 0; i < count; i++) call_put_id(&c, all[i].id);
  call_array_i64(&c, count);
  for (size_t i = 0; i < count; i++) call_put_i64(&c, all[i].rank_end);
  return pg_send(&c, why);
}

enum err pg_pick_send(struct loaded *l, struct load *want, struct fault *why) {
  l->walks = ARENA_ARRAY(l->arena, struct pick_walk, want->pick_count);
  for (size_t i = 0; i < want->pick_count; i++) choose(l, &want->picks[i], &l->walks[i], false);
  return send_walks(l->lane, want->picks, l->walks, want->pick_count, &l->walking, why);
}

// What is left of them when the unit ends was held meanwhile, and passed over by others.
static void remember_picked(struct loaded *l, struct row *row) {
  struct store_lane *lane = l->lane;
  if (lane->picked_count == lane->picked_cap) {
    lane->picked_cap = lane->picked_cap ? lane->picked_cap * 2 : 64;
    struct row **more = ARENA_ARRAY(l->arena, struct row *, lane->picked_cap);
    if (lane->picked_count) memcpy(more, lane->picked, lane->picked_count * sizeof *more);
    lane->picked = more;
  }
  lane->picked[lane->picked_count++] = row;
}

// Rows are kept until their payloads pass the pick's sum.
static void keep_row(struct loaded *l, struct result *r, struct pick *pick, struct pick_walk *walk,
                     size_t *sum) {
  struct row *row = pg_loaded_row(l, r);
  remember_picked(l, row);
  if (pick->row_count == pick->limit || (pick->row_count > 0 && *sum > pick->bytes_max)) return;
  row->task.payload = result_text(r, l->arena);
  walk->bytes[pick->row_count] = result_i64(r);
  *sum += (size_t)walk->bytes[pick->row_count];
  pick->rows[pick->row_count++] = row;
}

static enum err receive_walks(struct loaded *l, struct pick *picks, struct pick_walk *walks,
                              size_t count, struct fault *why) {
  struct result r;
  TRY(pg_receive(&l->lane->conn, &r, why));
  size_t *sums = ARENA_ARRAY(l->arena, size_t, count);
  for (size_t i = 0; i < count; i++) {
    picks[i].rows = ARENA_ARRAY(l->arena, struct row *, picks[i].limit);
    walks[i].bytes = ARENA_ARRAY(l->arena, int64_t, picks[i].limit);
    picks[i].row_count = 0;
  }
  while (result_next(&r)) {
    size_t i = (size_t)result_i64(&r);
    keep_row(l, &r, &picks[i], &walks[i], &sums[i]);
  }
  result_free(&r);
  for (size_t i = 0; i < count; i++) move_frontiers(l, &picks[i], &walks[i]);
  return ERR_OK;
}

enum err pg_pick_receive(struct loaded *l, struct load *want, struct fault *why) {
  if (!l->walking) return ERR_OK;
  return receive_walks(l, want->picks, l->walks, want->pick_count, why);
}

// --- what needs another trip ---------------------------------------------------------------------

// A walk that found nothing says so only after it has begun at the front, unless that is dear and
// need not be sure; and then tells whether others hold what it looked for.
static enum err look_again(struct loaded *l, struct pick *pick, struct pick_walk *walk,
                           struct fault *why) {
  struct conn *conn = &l->lane->conn;
  // Whoever has learnt of them: the news may have been faster than we.
  bool more = pg_channels_highest(l->lane->store->channels) > walk->known;
  bool front = walk->past_front && (pick->sure || !walk->dear), walking = false;
  if (more || front) choose(l, pick, walk, front);
  if (!is_walked(pick, walk)) return ERR_OK;
  if (more || front) TRY(send_walks(l->lane, pick, walk, 1, &walking, why));
  TRY(send_any(l->lane, pick, walk, why));
  TRY(pg_sync(conn, why));
  if (walking) TRY(receive_walks(l, pick, walk, 1, why));
  struct result r;
  TRY(pg_receive(conn, &r, why));
  pick->busy = pick->row_count == 0 && result_next(&r) && result_i64(&r) != 0;
  result_free(&r);
  return pg_finish(conn, why);
}

// Channels that another process made since we read them; the news bring them too, but later.
static enum err learn_channels(struct loaded *l, struct fault *why) {
  struct channels *cs = l->lane->store->channels;
  struct call c = pg_call(&l->lane->conn, QUERY_channel_highest);
  struct result r;
  TRY(pg_send(&c, why));
  TRY(pg_sync(&l->lane->conn, why));
  TRY(pg_receive(&l->lane->conn, &r, why));
  bool more = result_next(&r) && result_i64(&r) > pg_channels_highest(cs);
  result_free(&r);
  TRY(pg_finish(&l->lane->conn, why));
  return more ? pg_channels_load(&l->lane->conn, cs, why) : ERR_OK;
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

void pg_pick_release(struct store_lane *lane, bool failed) {
  struct channels *cs = lane->store->channels;
  for (size_t i = 0; i < lane->picked_count; i++) {
    const struct row *row = lane->picked[i];
    const struct task *t = &row->task;
    bool ready = t->status == TASK_PENDING && t->waiting == WAIT_WORKER;
    struct channel *channel = pg_channels_at(cs, row->channel);
    if (channel && (failed || ready)) pg_channels_lower(cs, channel, -t->priority, t->id, t->id);
  }
  lane->picked_count = lane->picked_cap = 0;
}

enum err pg_pick_finish(struct loaded *l, struct load *want, struct fault *why) {
  bool asked = false;
  for (size_t i = 0; i < want->pick_count; i++) {
    struct pick *pick = &want->picks[i];
    if (pick->limit == 0) continue;
    if (pick->row_count == 0 && !asked) TRY(learn_channels(l, why));
    asked |= pick->row_count == 0;
    if (pick->row_count == 0) TRY(look_again(l, pick, &l->walks[i], why));
    TRY(fetch_long(l, pick, &l->walks[i], why));
  }
  return ERR_OK;
}
