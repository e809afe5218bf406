// events.c: what happened: numbered per tenant, chained per task, written and read back.
#include <assert.h>

#include "base/mem.h"
#include "store/sqlite/internal.h"

// The id of an event: tenant and number, so that each tenant's feed is one range.
enum { SEQ_BITS = 40 };
static const int64_t SEQ_MAX = (1LL << SEQ_BITS) - 1;

int64_t sqlite_event_id(int64_t tenant, int64_t seq) { return tenant << SEQ_BITS | seq; }

// --- numbers -------------------------------------------------------------------------------------

// The number of a tenant's newest event; 0: there is none.
static enum err read_last(struct conn *conn, int64_t tenant, int64_t *last, struct fault *why) {
  struct use u = sqlite_use(conn, QUERY_event_last);
  use_i64(&u, sqlite_event_id(tenant, 0));
  use_i64(&u, sqlite_event_id(tenant, SEQ_MAX));
  bool row = false;
  TRY(sqlite_use_row(&u, &row, why));
  *last = use_get_i64(&u) & SEQ_MAX;
  sqlite_use_end(&u);
  return ERR_OK;
}

static enum err feed_read(struct store_lane *lane, int64_t tenant, struct feed *out,
                          struct fault *why) {
  int64_t last;
  TRY(read_last(lane->conn, tenant, &last, why));
  *out = (struct feed){.tenant = tenant, .last = last, .taken = last};
  return ERR_OK;
}

// The feed of a tenant, read when the tenant is first met. Valid until the next call.
static enum err feed_get(struct store_lane *lane, int64_t tenant, struct feed **out,
                         struct fault *why) {
  for (size_t i = 0; i < lane->feed_count; i++) {
    *out = &lane->feeds[i];
    if ((*out)->tenant == tenant) return ERR_OK;
  }
  struct feed feed;
  TRY(feed_read(lane, tenant, &feed, why));
  if (lane->feed_count == lane->feed_cap) {
    lane->feed_cap = lane->feed_cap ? lane->feed_cap * 2 : 4;
    lane->feeds = mem_resize(lane->feeds, lane->feed_cap * sizeof *lane->feeds);
  }
  lane->feeds[lane->feed_count] = feed;
  *out = &lane->feeds[lane->feed_count++];
  return ERR_OK;
}

enum err sqlite_events_number(struct store_lane *lane, const struct change *change,
                              struct fault *why) {
  struct feed *feed = NULL;
  for (size_t i = 0; i < change->event_count; i++) {
    struct change_event *e = &change->events[i];
    if (!feed || feed->tenant != e->event.tenant) TRY(feed_get(lane, e->event.tenant, &feed, why));
    assert(feed->taken < SEQ_MAX);
    e->event.seq = ++feed->taken;
    e->previous = e->row ? e->row->event_last : 0;
    if (e->row) e->row->event_last = e->event.seq;
  }
  return ERR_OK;
}

void sqlite_events_settle(struct store_lane *lane, bool committed) {
  for (size_t i = 0; i < lane->feed_count; i++) {
    struct feed *feed = &lane->feeds[i];
    if (committed)
      feed->last = feed->taken;
    else
      feed->taken = feed->last;
  }
}

// --- writing -------------------------------------------------------------------------------------

enum err sqlite_event_insert(struct use *u, const struct event *e, int64_t channel,
                             int64_t previous, struct fault *why) {
  use_i64(u, sqlite_event_id(e->tenant, e->seq));
  use_i64(u, (int64_t)e->kind);
  use_i64(u, e->at);
  use_i64(u, id_key(e->task));
  use_i64(u, (int64_t)e->task.lo);
  use_i64(u, previous);
  use_i64(u, channel);
  use_i64(u, e->attempt);
  use_i64(u, e->progress);
  use_text(u, e->actor);
  use_text(u, e->worker);
  use_text(u, e->note);
  use_text(u, e->text);
  use_text(u, channel ? STR_NONE : e->queue);
  use_text(u, channel ? STR_NONE : e->type);
  return sqlite_use_run(u, why);
}

enum err sqlite_events_insert(struct store_lane *lane, const struct change *change,
                              struct fault *why) {
  struct use u = sqlite_use(lane->conn, QUERY_event_insert);
  for (size_t i = 0; i < change->event_count; i++) {
    const struct change_event *e = &change->events[i];
    TRY(sqlite_event_insert(&u, &e->event, e->row ? e->row->channel : 0, e->previous, why));
  }
  return ERR_OK;
}

// --- reading -------------------------------------------------------------------------------------

// Those of QUERY_event_feed and QUERY_bulk_events are the same.
void sqlite_event_read(struct use *u, struct arena *a, struct event *e) {
  int64_t id = use_get_i64(u);
  e->tenant = id >> SEQ_BITS;
  e->seq = id & SEQ_MAX;
  e->kind = (enum event_kind)use_get_i64(u);
  e->at = use_get_i64(u);
  e->task = use_get_id(u);
  e->attempt = use_get_i64(u);
  e->progress = use_get_i64(u);
  e->actor = use_get_text(u, a);
  e->worker = use_get_text(u, a);
  e->note = use_get_text(u, a);
  e->text = use_get_text(u, a);
  e->queue = use_get_text(u, a);
  e->type = use_get_text(u, a);
}

static enum err read_feed(struct store_reader *r, struct arena *a, const struct event_filter *f,
                          struct event_page *out, struct fault *why) {
  struct use u = sqlite_use(&r->conn, QUERY_event_feed);
  use_i64(&u, sqlite_event_id(f->tenant, f->after < SEQ_MAX ? f->after : SEQ_MAX));
  use_i64(&u, sqlite_event_id(f->tenant, SEQ_MAX));
  use_text(&u, f->queue);
  use_text(&u, f->type);
  use_i64(&u, (int64_t)f->limit + 1);
  bool row = false;
  enum err err = sqlite_use_row(&u, &row, why);
  while (err == ERR_OK && row && out->count < f->limit) {
    sqlite_event_read(&u, a, &out->events[out->count++]);
    err = sqlite_use_row(&u, &row, why);
  }
  out->more = row;
  sqlite_use_end(&u);
  return err;
}

// Walks a task's chain back from its newest event to `after` and keeps the oldest numbers of those,
// at most `limit`: seqs[0] is the newest that is kept. The walk is short statements, which the
// reader's own limit does not see, so it looks at the clock itself.
static enum err walk_chain(struct store_reader *r, const struct event_filter *f, int64_t newest,
                           int64_t *seqs, size_t *walked, struct fault *why) {
  struct use u = sqlite_use(&r->conn, QUERY_event_previous);
  *walked = 0;
  for (int64_t seq = newest; seq > f->after;) {
    seqs[(*walked)++ % f->limit] = seq;
    if (*walked % 1024 == 0 && sqlite_conn_late(&r->conn))
      return fault_set(why, ERR_SCAN_LIMIT, "the task has too many events; ask for newer ones");
    use_i64(&u, sqlite_event_id(f->tenant, seq));
    bool row = false;
    TRY(sqlite_use_row(&u, &row, why));
    int64_t previous = row ? use_get_i64(&u) : 0;
    sqlite_use_end(&u);
    if (previous >= seq) return fault_set(why, ERR_STORE_BROKEN, "a chain of events has a loop");
    seq = previous;
  }
  return ERR_OK;
}

static enum err read_one(struct store_reader *r, struct arena *a, int64_t id, struct event *out,
                         struct fault *why) {
  struct use u = sqlite_use(&r->conn, QUERY_event_read);
  use_i64(&u, id);
  bool row = false;
  TRY(sqlite_use_row(&u, &row, why));
  if (row) sqlite_event_read(&u, a, out);
  sqlite_use_end(&u);
  return row ? ERR_OK : fault_set(why, ERR_STORE_BROKEN, "an event that a task names is missing");
}

static enum err read_chain(struct store_reader *r, struct arena *a, const struct event_filter *f,
                           struct event_page *out, struct fault *why) {
  int64_t newest = 0;
  TRY(sqlite_read_event_head(r, f->tenant, f->task, &newest, why));
  int64_t *seqs = ARENA_ARRAY(a, int64_t, f->limit);
  size_t walked = 0;
  TRY(walk_chain(r, f, newest, seqs, &walked, why));
  size_t kept = walked < f->limit ? walked : f->limit;
  for (; out->count < kept; out->count++) {
    int64_t id = sqlite_event_id(f->tenant, seqs[(walked - 1 - out->count) % f->limit]);
    TRY(read_one(r, a, id, &out->events[out->count], why));
  }
  out->more = walked > f->limit;
  return ERR_OK;
}

enum err sqlite_read_events(struct store_reader *r, struct arena *a, const struct event_filter *f,
                            struct event_page *out, struct fault *why) {
  assert(f->limit > 0);
  struct event_page page = {.events = ARENA_ARRAY(a, struct event, f->limit)};
  TRY(sqlite_reader_begin(r, why));
  enum err err =
      id_is_none(f->task) ? read_feed(r, a, f, &page, why) : read_chain(r, a, f, &page, why);
  sqlite_reader_end(r);
  if (err == ERR_OK) *out = page;
  return err;
}

enum err sqlite_read_newest(struct store_reader *r, int64_t tenant, int64_t *seq,
                            struct fault *why) {
  TRY(sqlite_reader_begin(r, why));
  enum err err = read_last(&r->conn, tenant, seq, why);
  sqlite_reader_end(r);
  return err;
}
