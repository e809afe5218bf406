// bulk.c: a whole store, page by page: read along the keys, written into a new one.
//
// A page is written as a unit of work of new rows by a lane that is kept for it, so that tallies
// and the rest come out as they would have from the engine, and a lost commit is cleared up the
// same way. The mark, the tenants and the events, which have their numbers already, go first in the
// same transaction.
#include <assert.h>

#include "store/mark.h"
#include "store/postgres/unit.h"

enum { MARK_BYTES = 4096 };

// --- who else uses it ----------------------------------------------------------------------------

static enum err require_alone(struct postgres_store *s, struct conn *c, struct fault *why) {
  struct call call = pg_call(c, QUERY_bulk_user);
  struct result r;
  call_text(&call, s->settings.node);
  call_i64(&call, NODE_DEAD_MS);
  TRY(pg_run(&call, &r, why));
  enum err err = ERR_OK;
  if (result_next(&r)) {
    struct str name = result_text(&r, c->scratch);
    err = fault_set(why, ERR_UNAVAILABLE,
                    "server %.*s uses the database, as of %lld ms ago; stop all servers of it (one "
                    "that crashed is forgotten after %d s)",
                    STR_FMT(name), (long long)result_i64(&r), NODE_DEAD_MS / 1000);
  }
  result_free(&r);
  return err;
}

enum err pg_bulk_refuse(struct postgres_store *s, struct fault *why) {
  struct conn *c;
  struct result r;
  TRY(pg_side_begin(s, &c, why));
  struct call call = pg_call(c, QUERY_moved_any);
  enum err err = pg_run(&call, &r, why);
  if (err == ERR_OK) {
    if (result_next(&r))
      err = fault_set(why, ERR_INVALID,
                      "the store is the target of a move that was not finished; repeat the same "
                      "`taskyard migrate` to finish it, or delete the schema %.*s",
                      STR_FMT(s->settings.schema));
    result_free(&r);
  }
  pg_side_end(s);
  return err;
}

enum err pg_bulk_whole(struct store *s, struct fault *why) {
  return pg_bulk_refuse((struct postgres_store *)s, why);
}

// --- marks ---------------------------------------------------------------------------------------

static enum err read_identity(struct conn *c, int64_t *out, struct fault *why) {
  struct call call = pg_call(c, QUERY_identity);
  struct result r;
  TRY(pg_run(&call, &r, why));
  *out = result_next(&r) ? result_i64(&r) : 0;
  result_free(&r);
  return ERR_OK;
}

// `*found`: the part was begun.
static enum err read_mark(struct conn *c, struct arena *a, enum bulk_part part,
                          struct bulk_mark *out, bool *finished, bool *found, struct fault *why) {
  struct call call = pg_call(c, QUERY_moved_read);
  struct result r;
  call_text(&call, str_of(MARK_NAMES[part]));
  TRY(pg_run(&call, &r, why));
  *out = (struct bulk_mark){0};
  *found = result_next(&r);
  *finished = *found && result_i64(&r) != 0;
  struct str text = *found ? result_text(&r, a) : STR_NONE;
  result_free(&r);
  if (!*found || (!str_is_none(text) && mark_parse(text, a, out))) return ERR_OK;
  return fault_set(why, ERR_STORE_BROKEN, "the mark of %s makes no sense", MARK_NAMES[part]);
}

static enum err read_mark_aside(struct postgres_store *s, struct arena *a, enum bulk_part part,
                                struct bulk_mark *out, bool *finished, bool *found,
                                struct fault *why) {
  struct conn *c;
  TRY(pg_side_begin(s, &c, why));
  enum err err = read_mark(c, a, part, out, finished, found, why);
  pg_side_end(s);
  return err;
}

enum err pg_bulk_mark(struct store *s, struct arena *a, enum bulk_part part, struct bulk_mark *out,
                      bool *finished, struct fault *why) {
  bool found;
  return read_mark_aside((struct postgres_store *)s, a, part, out, finished, &found, why);
}

// --- reading -------------------------------------------------------------------------------------

// A page under way.
struct reading {
  struct postgres_store *store;
  struct conn *conn;
  struct arena *arena;
  const struct bulk_mark *after;
  size_t limit;
  struct bulk *out;
};

// Reads the result's present row into the page.
typedef void read_fn(struct reading *rd, struct result *r);

static void set_channel(struct reading *rd, int64_t number, struct task *t) {
  const struct channel *channel = pg_channels_at(rd->store->channels, number);
  if (!channel) return;  // the sums will not agree
  t->queue = channel->queue;
  t->type = channel->type;
}

static void read_task(struct reading *rd, struct result *r) {
  struct bulk *out = rd->out;
  struct task *t = &out->tasks[out->task_count++];
  set_channel(rd, pg_columns_read(r, rd->arena, t), t);
  t->payload = result_text(r, rd->arena);
  t->result = result_text(r, rd->arena);
  out->last.tenant = t->tenant;
  out->last.id = t->id;
}

static void read_log(struct reading *rd, struct result *r) {
  struct bulk *out = rd->out;
  struct bulk_log *l = &out->logs[out->log_count++];
  l->tenant = out->last.tenant = result_i64(r);
  l->task = out->last.id = result_id(r);
  l->line.number = out->last.number = result_i64(r);
  l->line.at = result_i64(r);
  l->line.text = result_text(r, rd->arena);
}

static void read_event(struct reading *rd, struct result *r) {
  struct bulk *out = rd->out;
  struct event *e = &out->events[out->event_count++];
  e->tenant = out->last.tenant = result_i64(r);
  e->seq = out->last.number = result_i64(r);
  e->kind = (enum event_kind)result_i64(r);
  e->at = result_i64(r);
  e->task = result_id(r);
  e->attempt = result_i64(r);
  e->progress = result_i64(r);
  e->actor = result_text(r, rd->arena);
  e->worker = result_text(r, rd->arena);
  e->note = result_text(r, rd->arena);
  e->text = result_text(r, rd->arena);
  e->queue = result_text(r, rd->arena);
  e->type = result_text(r, rd->arena);
}

static void read_replay(struct reading *rd, struct result *r) {
  struct bulk *out = rd->out;
  struct replay *p = &out->replays[out->replay_count++];
  p->tenant = out->last.tenant = result_i64(r);
  p->key = out->last.key = result_text(r, rd->arena);
  pg_replay_read(r, rd->arena, p);
  out->last.number = p->at;
}

static enum err receive_page(struct reading *rd, read_fn *read, struct fault *why) {
  struct result r;
  for (size_t i = 0; i < 2; i++) TRY(pg_receive_done(rd->conn, why));
  TRY(pg_receive(rd->conn, &r, why));
  while (result_next(&r)) {
    read(rd, &r);
    rd->out->last.rows++;
    // A page that was cut by its bytes looks like the last one, so only an empty one is.
    rd->out->more = true;
  }
  result_free(&r);
  TRY(pg_receive_done(rd->conn, why));
  return pg_finish(rd->conn, why);
}

// The call is complete. It runs in a transaction, for the sake of its plan.
static enum err read_page(struct reading *rd, struct call *call, read_fn *read, struct fault *why) {
  struct call begin = pg_call(rd->conn, QUERY_begin), plan = pg_call(rd->conn, QUERY_bulk_plan),
              commit = pg_call(rd->conn, QUERY_commit);
  struct call *calls[] = {&begin, &plan, call, &commit};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) TRY(pg_send(calls[i], why));
  TRY(pg_sync(rd->conn, why));
  return receive_page(rd, read, why);
}

static enum err read_total(struct reading *rd, enum query query, struct fault *why) {
  struct call call = pg_call(rd->conn, query);
  struct result r;
  TRY(pg_run(&call, &r, why));
  rd->out->total = result_next(&r) ? result_i64(&r) : 0;
  result_free(&r);
  return ERR_OK;
}

static enum err read_catalog(struct reading *rd, struct fault *why) {
  struct catalog *c = &rd->out->catalog;
  TRY(pg_catalog_load(rd->conn, rd->arena, c, why));
  rd->out->total = (int64_t)(c->tenant_count + c->key_count + c->queue_count + c->type_count);
  rd->out->last.rows = rd->out->total;
  return ERR_OK;
}

static enum err read_tasks(struct reading *rd, struct fault *why) {
  rd->out->tasks = ARENA_ARRAY(rd->arena, struct task, rd->limit);
  struct call call = pg_call(rd->conn, QUERY_bulk_tasks);
  call_i64(&call, rd->after->tenant);
  call_id(&call, rd->after->id);
  call_i64(&call, (int64_t)rd->limit);
  call_i64(&call, BULK_PAGE_BYTES);
  return read_page(rd, &call, read_task, why);
}

static enum err read_logs(struct reading *rd, struct fault *why) {
  rd->out->logs = ARENA_ARRAY(rd->arena, struct bulk_log, rd->limit);
  struct call call = pg_call(rd->conn, QUERY_bulk_logs);
  call_i64(&call, rd->after->tenant);
  call_id(&call, rd->after->id);
  call_i64(&call, rd->after->number);
  call_i64(&call, (int64_t)rd->limit);
  return read_page(rd, &call, read_log, why);
}

static enum err read_events(struct reading *rd, struct fault *why) {
  rd->out->events = ARENA_ARRAY(rd->arena, struct event, rd->limit);
  struct call call = pg_call(rd->conn, QUERY_bulk_events);
  call_i64(&call, rd->after->tenant);
  call_i64(&call, rd->after->number);
  call_i64(&call, (int64_t)rd->limit);
  return read_page(rd, &call, read_event, why);
}

static enum err read_replays(struct reading *rd, struct fault *why) {
  rd->out->replays = ARENA_ARRAY(rd->arena, struct replay, rd->limit);
  struct call call = pg_call(rd->conn, QUERY_bulk_replays);
  call_i64(&call, rd->after->number);
  call_i64(&call, rd->after->tenant);
  call_text(&call, rd->after->key);
  call_i64(&call, (int64_t)rd->limit);
  call_i64(&call, BULK_PAGE_BYTES);
  return read_page(rd, &call, read_replay, why);
}

// At the beginning of a part: that nobody else is there, and how long it is.
static enum err begin_part(struct reading *rd, enum bulk_part part, struct fault *why) {
  if (rd->after->rows > 0) return ERR_OK;
  TRY(require_alone(rd->store, rd->conn, why));
  TRY(pg_channels_load(rd->conn, rd->store->channels, why));
  if (part == BULK_TASKS) return read_total(rd, QUERY_bulk_tasks_total, why);
  return part == BULK_EVENTS ? read_total(rd, QUERY_bulk_events_total, why) : ERR_OK;
}

static enum err read_part(struct reading *rd, enum bulk_part part, struct fault *why) {
  TRY(begin_part(rd, part, why));
  TRY(read_identity(rd->conn, &rd->out->last.source, why));
  switch (part) {
  case BULK_CATALOG: return read_catalog(rd, why);
  case BULK_TASKS: return read_tasks(rd, why);
  case BULK_LOGS: return read_logs(rd, why);
  case BULK_EVENTS: return read_events(rd, why);
  default: return read_replays(rd, why);
  }
}

enum err pg_bulk_read(struct store *s, struct arena *a, enum bulk_part part,
                      const struct bulk_mark *after, size_t limit, struct bulk *out,
                      struct fault *why) {
  struct reading rd = {
      .store = (struct postgres_store *)s, .arena = a, .after = after, .limit = limit, .out = out};
  TRY(pg_side_begin(rd.store, &rd.conn, why));
  *out = (struct bulk){.last = *after};
  enum err err = read_part(&rd, part, why);
  pg_side_end(rd.store);
  return err;
}

// --- writing -------------------------------------------------------------------------------------

// A statement ahead of the unit's own, in its transaction.
static enum err send_ahead(struct store_lane *lane, struct call *call, struct fault *why) {
  TRY(pg_send(call, why));
  lane->begun++;
  return ERR_OK;
}

static enum err send_mark(struct store_lane *lane, enum bulk_part part, const struct bulk *bulk,
                          struct fault *why) {
  struct buf text;
  buf_init(&text, MARK_BYTES);
  mark_put(&bulk->last, &text);
  assert(!text.overflow);
  struct call call = pg_call(&lane->conn, QUERY_moved_put);
  call_text(&call, str_of(MARK_NAMES[part]));
  call_i64(&call, !bulk->more);
  call_text(&call, arena_dup(&lane->scratch, buf_str(&text)));
  enum err err = send_ahead(lane, &call, why);
  buf_fini(&text);
  return err;
}

static enum err send_tenants(struct store_lane *lane, const struct catalog *c, struct fault *why) {
  struct call call = pg_call(&lane->conn, QUERY_bulk_tenants_put);
  call_array_i64(&call, c->tenant_count);
  for (size_t i = 0; i < c->tenant_count; i++) call_put_i64(&call, c->tenants[i].number);
  call_array_text(&call, c->tenant_count);
  for (size_t i = 0; i < c->tenant_count; i++) call_put_text(&call, c->tenants[i].name);
  return send_ahead(lane, &call, why);
}

#define EACH(statement)                                                                            \
  for (size_t i = 0; i < bulk->event_count; i++) {                                                 \
    const struct event *e = &bulk->events[i];                                                      \
    statement;                                                                                     \
  }

static enum err send_events(struct store_lane *lane, const struct bulk *bulk,
                            const int64_t *channels, struct fault *why) {
  if (bulk->event_count == 0) return ERR_OK;
  struct call call = pg_call(&lane->conn, QUERY_bulk_events_put);
  call_array_i64(&call, bulk->event_count);
  EACH(call_put_i64(&call, e->tenant));
  call_array_i64(&call, bulk->event_count);
  EACH(call_put_i64(&call, e->seq));
  call_array_i64(&call, bulk->event_count);
  EACH(call_put_i64(&call, e->at));
  call_array_id(&call, bulk->event_count);
  EACH(call_put_id(&call, e->task));
  call_array_i64(&call, bulk->event_count);
  EACH((void)e; call_put_i64(&call, channels[i]));
  call_array_i64(&call, bulk->event_count);
  EACH(call_put_i64(&call, e->attempt));
  call_array_i64(&call, bulk->event_count);
  EACH(call_put_i64(&call, (int64_t)e->kind));
  call_array_i64(&call, bulk->event_count);
  EACH(call_put_i64(&call, e->progress));
  const size_t texts[] = {offsetof(struct event, actor), offsetof(struct event, worker),
                          offsetof(struct event, note), offsetof(struct event, text)};
  for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
    call_array_text(&call, bulk->event_count);
    EACH(call_put_text(&call, *(const struct str *)((const char *)e + texts[t])));
  }
  call_array_text(&call, bulk->event_count);
  EACH(call_put_text(&call, channels[i] ? STR_NONE : e->queue));
  call_array_text(&call, bulk->event_count);
  EACH(call_put_text(&call, channels[i] ? STR_NONE : e->type));
  return send_ahead(lane, &call, why);
}

// The channels of events' tasks, which may be gone; 0: it is about something else.
static enum err find_channels(struct store_lane *lane, struct arena *a, const struct bulk *bulk,
                              int64_t **out, struct fault *why) {
  *out = ARENA_ARRAY(a, int64_t, bulk->event_count);
  for (size_t i = 0; i < bulk->event_count; i++) {
    const struct event *e = &bulk->events[i];
    const struct task t = {.tenant = e->tenant, .queue = e->queue, .type = e->type};
    if (id_is_none(e->task) || str_is_none(e->queue) || str_is_none(e->type)) continue;
    TRY(pg_channel_find(lane->store, &t, &(*out)[i], why));
  }
  return ERR_OK;
}

static void add_tasks(struct arena *a, const struct bulk *bulk, struct change *change) {
  struct row *rows = ARENA_ARRAY(a, struct row, bulk->task_count);
  change->rows = ARENA_ARRAY(a, struct row *, bulk->task_count);
  change->row_count = bulk->task_count;
  for (size_t i = 0; i < bulk->task_count; i++) {
    rows[i].task = bulk->tasks[i];
    rows[i].fresh = true;
    rows[i].result_new = !str_is_none(bulk->tasks[i].result);
    change->rows[i] = &rows[i];
  }
}

static void add_logs(struct arena *a, const struct bulk *bulk, struct change *change) {
  struct change_log *logs = ARENA_ARRAY(a, struct change_log, bulk->log_count);
  struct row *rows = ARENA_ARRAY(a, struct row, bulk->log_count);
  for (size_t i = 0; i < bulk->log_count; i++) {
    rows[i].task.tenant = bulk->logs[i].tenant;
    rows[i].task.id = bulk->logs[i].task;
    logs[i] = (struct change_log){.row = &rows[i], .lines = &bulk->logs[i].line, .line_count = 1};
  }
  change->logs = logs;
  change->log_count = bulk->log_count;
}

static struct change change_of(struct arena *a, enum bulk_part part, const struct bulk *bulk) {
  const struct catalog *c = &bulk->catalog;
  struct change change = {0};
  if (part == BULK_CATALOG)
    change = (struct change){.queues = c->queues,
                             .queue_count = c->queue_count,
                             .types = c->types,
                             .type_count = c->type_count,
                             .keys = c->keys,
                             .key_count = c->key_count};
  if (part == BULK_TASKS) add_tasks(a, bulk, &change);
  if (part == BULK_LOGS) add_logs(a, bulk, &change);
  if (part == BULK_REPLAYS) {
    change.replays = bulk->replays;
    change.replay_count = bulk->replay_count;
  }
  return change;
}

// Sends what goes ahead, and leaves the unit open.
static enum err send_all_ahead(struct store_lane *lane, enum bulk_part part,
                               const struct bulk *bulk, const int64_t *channels,
                               struct fault *why) {
  struct call hurry = pg_call(&lane->conn, QUERY_bulk_hurry);
  TRY(pg_lane_begin(lane, why));
  TRY(send_ahead(lane, &hurry, why));
  TRY(send_mark(lane, part, bulk, why));
  if (part == BULK_CATALOG) TRY(send_tenants(lane, &bulk->catalog, why));
  return part == BULK_EVENTS ? send_events(lane, bulk, channels, why) : ERR_OK;
}

static enum err write_page(struct store_lane *lane, struct arena *a, enum bulk_part part,
                           const struct bulk *bulk, struct fault *why) {
  struct change change = change_of(a, part, bulk);
  int64_t *channels = NULL;
  TRY(find_channels(lane, a, bulk, &channels, why));
  TRY(pg_lane_ready(lane, why));
  arena_reset(&lane->scratch);
  enum err err = send_all_ahead(lane, part, bulk, channels, why);
  if (err == ERR_OK) return pg_apply(lane, &change, why);
  pg_lane_failed(lane);
  return err;
}

// What was written last may come again, when the outcome was not known.
static enum err write_once(struct postgres_store *s, struct arena *a, enum bulk_part part,
                           const struct bulk *bulk, struct fault *why) {
  struct bulk_mark mark;
  bool finished, found;
  TRY(read_mark_aside(s, a, part, &mark, &finished, &found, why));
  if (found && finished == !bulk->more && mark_eq(&mark, &bulk->last)) return ERR_OK;
  if (!s->mover) TRY(pg_lane_make(s, &s->mover, why));
  return write_page(s->mover, a, part, bulk, why);
}

enum err pg_bulk_write(struct store *store, enum bulk_part part, const struct bulk *bulk,
                       struct fault *why) {
  struct postgres_store *s = (struct postgres_store *)store;
  struct arena a;
  arena_init(&a, 1 << 20);
  enum err err = write_once(s, &a, part, bulk, why);
  arena_fini(&a);
  return err;
}

// --- the end -------------------------------------------------------------------------------------

static enum err require_finished(struct conn *c, struct fault *why) {
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) {
    struct bulk_mark mark;
    bool finished, found;
    TRY(read_mark(c, c->scratch, part, &mark, &finished, &found, why));
    if (!finished)
      return fault_set(why, ERR_CONFLICT, "%s are not all there yet", MARK_NAMES[part]);
  }
  return ERR_OK;
}

// The planner is told what it has to do with, before all is read back and before the first claim.
// Plans that were made when the tables were empty go with it.
enum err pg_bulk_written(struct store *store, struct fault *why) {
  struct postgres_store *s = (struct postgres_store *)store;
  struct conn *c;
  TRY(pg_side_begin(s, &c, why));
  struct call analyze = pg_call(c, QUERY_bulk_analyze);
  enum err err = pg_run_done(&analyze, why);
  pg_side_end(s);
  return err;
}

// Tallies grew with the pages.
static enum err finish(struct postgres_store *s, struct conn *c, struct fault *why) {
  TRY(require_finished(c, why));
  TRY(require_alone(s, c, why));
  struct call begin = pg_call(c, QUERY_begin), changed = pg_call(c, QUERY_catalog_raise),
              drop = pg_call(c, QUERY_moved_drop), commit = pg_call(c, QUERY_commit);
  struct call *calls[] = {&begin, &changed, &drop, &commit};
  enum { CALLS = sizeof calls / sizeof *calls };
  for (size_t i = 0; i < CALLS; i++) TRY(pg_send(calls[i], why));
  TRY(pg_sync(c, why));
  for (size_t i = 0; i < CALLS; i++) TRY(pg_receive_done(c, why));
  return pg_finish(c, why);
}

enum err pg_bulk_finish(struct store *store, struct fault *why) {
  struct postgres_store *s = (struct postgres_store *)store;
  struct conn *c;
  TRY(pg_side_begin(s, &c, why));
  enum err err = finish(s, c, why);
  pg_side_end(s);
  return err;
}
