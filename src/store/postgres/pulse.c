// pulse.c: once a second a node asks the database, in one statement, for everything that a notice
// could have told it, and for what no notice tells: the time, and tasks whose time has come and
// whom their node, which died or stalls, has not moved.
#include "base/clock.h"
#include "base/rand.h"
#include "store/postgres/desk.h"

enum {
  PULSE_US = 1000 * 1000,
  OVERDUE_MS = 500,         // before that, the node that wrote it moves it
  FLOOR_MARGIN_MS = 60000,  // no commit takes so long that a wake_at so old is new
  WATCHED_MAX = 5000,       // asked for in one pulse, if notices were missed
};
// Walking over dead entries of an index, which a snapshot that somebody holds keeps there, may be
// dear. It gets at most one part in so many of the time, and rests when it ran into the deadline.
enum { DEEP_SHARE = 10, DEEP_REST_US = 60 * 1000 * 1000 };
// Now and then the overdue are looked for without the floor, in case it was wrong.
static const int64_t WHOLE_LOOK_US = 5LL * 60 * 1000 * 1000;

enum what { CLOCK, CATALOGUE, CHANNEL, OVERDUE, READY, ENDED };

// What one pulse asks about, and what it got.
struct pulse {
  struct channel ***fitting;  // the channels of each parked filter
  size_t *fitting_count;
  struct channel **channels;  // all of them, each once
  size_t count;
  bool *ready;                    // by number
  const struct want_id *watched;  // those that are asked for
  size_t watched_count;
  bool deep, whole;
  int64_t floor, until;
  int64_t catalogue, highest, overdue;
};

// --- asking --------------------------------------------------------------------------------------

static void ask_once(struct pulse *p, bool *asked, size_t known, size_t filter) {
  for (size_t i = 0; i < p->fitting_count[filter]; i++) {
    struct channel *c = p->fitting[filter][i];
    if ((size_t)c->number >= known || asked[c->number]) continue;
    asked[c->number] = true;
    p->channels[p->count++] = c;
  }
}

// Each channel is asked for once, however many filters fit it.
static void gather_channels(struct news_desk *d, const struct news *news, struct pulse *p) {
  struct channels *cs = d->store->channels;
  size_t known = (size_t)pg_channels_highest(cs) + 1;
  bool *asked = ARENA_ARRAY(&d->scratch, bool, known);
  p->ready = ARENA_ARRAY(&d->scratch, bool, known);
  p->channels = ARENA_ARRAY(&d->scratch, struct channel *, known);
  p->fitting = ARENA_ARRAY(&d->scratch, struct channel **, news->parked_count);
  p->fitting_count = ARENA_ARRAY(&d->scratch, size_t, news->parked_count);
  for (size_t i = 0; i < news->parked_count; i++) {
    const struct pick *f = &news->parked[i];
    p->fitting_count[i] =
        pg_channels_fitting(cs, &d->scratch, f->tenant, f->types, f->type_count, f->queues,
                            f->queue_count, f->not_queues, f->not_queue_count, &p->fitting[i]);
    ask_once(p, asked, known, i);
  }
}

// Of very many, another part each time.
static void gather_watched(const struct news *news, struct pulse *p) {
  p->watched = news->watched;
  p->watched_count = news->watched_count;
  if (p->watched_count <= WATCHED_MAX) return;
  p->watched += rand_below((int64_t)(p->watched_count - WATCHED_MAX) + 1);
  p->watched_count = WATCHED_MAX;
}

static void prepare(struct news_desk *d, const struct news *news, struct pulse *p) {
  int64_t now_us = clock_mono_us();
  p->deep = now_us >= d->deep_at_us;
  p->whole = p->deep && now_us - d->whole_look_us > WHOLE_LOOK_US;
  p->floor = p->whole ? 0 : atomic_load(&d->store->wake_floor);
  p->until = pg_now(&d->store->store) - OVERDUE_MS;
  p->catalogue = news->catalog_version;
  if (d->missed) return;  // all of it is reported anyway
  if (p->deep) gather_channels(d, news, p);
  gather_watched(news, p);
}

static struct call ask(struct news_desk *d, const struct pulse *p) {
  struct call c = pg_call(&d->conn, QUERY_pulse);
  call_i64(&c, p->floor);
  call_i64(&c, p->deep ? p->until : 0);
  call_array_i64(&c, p->count);
  for (size_t i = 0; i < p->count; i++) call_put_i64(&c, p->channels[i]->tenant);
  call_array_i64(&c, p->count);
  for (size_t i = 0; i < p->count; i++) call_put_i64(&c, p->channels[i]->number);
  call_array_i64(&c, p->watched_count);
  for (size_t i = 0; i < p->watched_count; i++) call_put_i64(&c, p->watched[i].tenant);
  call_array_id(&c, p->watched_count);
  for (size_t i = 0; i < p->watched_count; i++) call_put_id(&c, p->watched[i].id);
  return c;
}

// --- the answer ----------------------------------------------------------------------------------

// Claims that wait should have got it long ago; at the latest now they begin there.
static void take_ready(struct news_desk *d, struct pulse *p, struct channel *c, struct result *r) {
  int64_t rank = result_i64(r);
  struct id id = result_id(r);
  p->ready[c->number] = true;
  pg_channels_lower(d->store->channels, c, rank, id, id);
}

static void take(struct news_desk *d, struct pulse *p, struct result *r, struct found *f,
                 int64_t *clock_ms) {
  while (result_next(r)) {
    enum what what = (enum what)result_i64(r);
    int64_t value = result_i64(r);
    switch (what) {
    case CLOCK: *clock_ms = value; break;
    case CATALOGUE: p->catalogue = value; break;
    case CHANNEL: p->highest = value; break;
    case OVERDUE: p->overdue = value; break;
    case READY: take_ready(d, p, p->channels[value - 1], r); break;
    case ENDED: pg_found_ended(f, p->watched[value - 1].id); break;
    }
  }
}

// The deadline hits what walks indexes. Without that part the pulse goes on.
static bool ran_too_long(struct news_desk *d, const struct pulse *p) {
  if (!p->deep || !pg_is_open(&d->conn) || strcmp(d->conn.sqlstate, "57014") != 0) return false;
  d->deep_at_us = clock_mono_us() + DEEP_REST_US;
  return true;
}

static enum err run(struct news_desk *d, struct pulse *p, struct found *f, struct fault *why) {
  int64_t clock_ms = 0, sent_us = clock_mono_us();
  struct call c = ask(d, p);
  struct result r;
  TRY(pg_run(&c, &r, why));
  int64_t received_us = clock_mono_us();
  take(d, p, &r, f, &clock_ms);
  result_free(&r);
  pg_clock_sample(d->store, clock_ms, sent_us, received_us);
  if (p->deep) d->deep_at_us = received_us + (received_us - sent_us) * DEEP_SHARE;
  if (p->whole) d->whole_look_us = received_us;
  return ERR_OK;
}

static void report_fitting(const struct pulse *p, struct news *news) {
  if (!p->ready) return;
  for (size_t i = 0; i < news->parked_count; i++)
    for (size_t k = 0; k < p->fitting_count[i] && !news->parked[i].busy; k++)
      news->parked[i].busy = p->ready[p->fitting[i][k]->number];
}

// Nothing is set before what was found, or before `until`; what is committed late has the margin.
// It follows a clock that is set back.
static void move_floor(struct postgres_store *s, const struct pulse *p) {
  int64_t floor = (p->overdue ? p->overdue : p->until) - FLOOR_MARGIN_MS;
  atomic_store(&s->wake_floor, floor > 0 ? floor : 0);
}

static enum err load_catalogue(struct news_desk *d, struct news *news, struct fault *why) {
  struct catalog *changed = ARENA_NEW(news->arena, struct catalog);
  TRY(pg_catalog_read_at_once(&d->conn, news->arena, changed, why));
  news->changed = changed;
  return ERR_OK;
}

enum err pg_pulse(struct news_desk *d, struct found *f, struct fault *why) {
  struct pulse p = {0};
  arena_reset(&d->scratch);
  prepare(d, f->news, &p);
  d->pulse_at_us = clock_mono_us() + PULSE_US;
  enum err err = run(d, &p, f, why);
  if (err != ERR_OK) return ran_too_long(d, &p) ? ERR_OK : err;
  report_fitting(&p, f->news);
  if (p.deep) {
    f->news->wake_at = p.overdue;
    move_floor(d->store, &p);
  }
  if (p.highest > pg_channels_highest(d->store->channels)) {
    TRY(pg_channels_load(&d->conn, d->store->channels, why));
    d->pulse_at_us = 0;  // what is ready in them was not asked for
  }
  if (p.catalogue != f->news->catalog_version) TRY(load_catalogue(d, f->news, why));
  if (!d->missed) return ERR_OK;
  d->missed = false;
  pg_found_all_ready(f);
  pg_found_all_ended(f);
  return ERR_OK;
}
