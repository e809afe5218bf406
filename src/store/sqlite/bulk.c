// bulk.c: a whole store, page by page: read in the order of its tables, written into a new one.
//
// A page is written as a unit of work of new rows, so that tallies, short results and the rest come
// out as they would have from the engine. Only the events are put in by hand: they have their
// numbers already.
#include <assert.h>
#include <stdlib.h>

#include "store/mark.h"
#include "store/sqlite/columns.h"
#include "store/sqlite/internal.h"

enum { MARK_BYTES = 4096 };

// --- marks ---------------------------------------------------------------------------------------

static enum err read_identity(struct conn *c, int64_t *out, struct fault *why) {
  struct use u = sqlite_use(c, QUERY_identity);
  bool row = false;
  TRY(sqlite_use_row(&u, &row, why));
  *out = row ? use_get_i64(&u) : 0;
  sqlite_use_end(&u);
  return ERR_OK;
}

// `*found`: the part was begun.
static enum err read_mark(struct conn *c, struct arena *a, enum bulk_part part,
                          struct bulk_mark *out, bool *finished, bool *found, struct fault *why) {
  *out = (struct bulk_mark){0};
  *finished = false;
  struct use u = sqlite_use(c, QUERY_moved_read);
  use_text(&u, str_of(MARK_NAMES[part]));
  TRY(sqlite_use_row(&u, found, why));
  if (!*found) return ERR_OK;
  *finished = use_get_i64(&u) != 0;
  struct str text = use_get_text(&u, a);
  sqlite_use_end(&u);
  if (!str_is_none(text) && mark_parse(text, a, out)) return ERR_OK;
  return fault_set(why, ERR_STORE_BROKEN, "the mark of %s makes no sense", MARK_NAMES[part]);
}

static enum err write_mark(struct conn *c, enum bulk_part part, const struct bulk *bulk,
                           struct fault *why) {
  struct buf text;
  buf_init(&text, MARK_BYTES);
  mark_put(&bulk->last, &text);
  assert(!text.overflow);
  struct use u = sqlite_use(c, QUERY_moved_put);
  use_text(&u, str_of(MARK_NAMES[part]));
  use_i64(&u, !bulk->more);
  use_text(&u, buf_str(&text));
  enum err err = sqlite_use_run(&u, why);
  buf_fini(&text);
  return err;
}

enum err sqlite_bulk_mark(struct store *s, struct arena *a, enum bulk_part part,
                          struct bulk_mark *out, bool *finished, struct fault *why) {
  bool found = false;
  return read_mark(&((struct sqlite_store *)s)->conn, a, part, out, finished, &found, why);
}

enum err sqlite_bulk_refuse(struct conn *c, struct fault *why) {
  struct use u = sqlite_use(c, QUERY_moved_any);
  bool row = false;
  TRY(sqlite_use_row(&u, &row, why));
  sqlite_use_end(&u);
  if (!row) return ERR_OK;
  return fault_set(why, ERR_INVALID,
                   "the store is the target of a move that was not finished; repeat the same "
                   "`taskyard migrate` to finish it, or delete the store");
}

enum err sqlite_bulk_whole(struct store *s, struct fault *why) {
  return sqlite_bulk_refuse(&((struct sqlite_store *)s)->conn, why);
}

// --- reading -------------------------------------------------------------------------------------

// Reads the row that the statement stands on into the page, and returns what it weighs.
typedef size_t read_fn(struct use *u, struct arena *a, struct bulk *out);

static size_t read_task(struct use *u, struct arena *a, struct bulk *out) {
  struct task *t = &out->tasks[out->task_count++];
  sqlite_columns_read(u, a, t);
  t->queue = use_get_text(u, a);
  t->type = use_get_text(u, a);
  t->payload = use_get_text(u, a);
  t->result = use_get_text(u, a);
  out->last.id = t->id;
  out->last.tenant = t->tenant;
  return sizeof *t + t->payload.len + t->result.len;
}

static size_t read_log(struct use *u, struct arena *a, struct bulk *out) {
  struct bulk_log *l = &out->logs[out->log_count++];
  l->task = use_get_id(u);
  l->tenant = use_get_i64(u);
  l->line.number = use_get_i64(u);
  l->line.at = use_get_i64(u);
  l->line.text = use_get_text(u, a);
  out->last.id = l->task;
  out->last.tenant = l->tenant;
  out->last.number = l->line.number;
  return sizeof *l + l->line.text.len;
}

static size_t read_event(struct use *u, struct arena *a, struct bulk *out) {
  struct event *e = &out->events[out->event_count++];
  sqlite_event_read(u, a, e);
  out->last.tenant = e->tenant;
  out->last.number = e->seq;
  return sizeof *e + e->text.len;
}

static size_t read_replay(struct use *u, struct arena *a, struct bulk *out) {
  struct replay *r = &out->replays[out->replay_count++];
  out->last.number = use_get_i64(u);
  r->tenant = use_get_i64(u);
  r->key = use_get_text(u, a);
  sqlite_replay_read(u, a, r);
  out->last.tenant = r->tenant;
  return sizeof *r + r->key.len + r->body.len;
}

// The statement's marks but the last, which is the limit, are bound.
static enum err read_page(struct use *u, struct arena *a, size_t limit, read_fn *read,
                          struct bulk *out, struct fault *why) {
  size_t bytes = 0, count = 0;
  bool row = false;
  use_i64(u, (int64_t)limit + 1);
  enum err err = sqlite_use_row(u, &row, why);
  while (err == ERR_OK && row && count < limit && bytes < BULK_PAGE_BYTES) {
    bytes += read(u, a, out);
    count++;
    err = sqlite_use_row(u, &row, why);
  }
  sqlite_use_end(u);
  out->more = row;
  out->last.rows += (int64_t)count;
  return err;
}

static enum err read_total(struct conn *c, enum query query, int64_t *out, struct fault *why) {
  struct use u = sqlite_use(c, query);
  bool row = false;
  TRY(sqlite_use_row(&u, &row, why));
  *out = use_get_i64(&u);  // a sum, also of nothing
  sqlite_use_end(&u);
  return ERR_OK;
}

static enum err read_catalog(struct store *s, struct arena *a, struct bulk *out,
                             struct fault *why) {
  struct catalog *c = &out->catalog;
  TRY(sqlite_catalog_read(s, a, c, why));
  out->total = (int64_t)(c->tenant_count + c->key_count + c->queue_count + c->type_count);
  out->last.rows = out->total;
  return ERR_OK;
}

static enum err read_tasks(struct conn *c, struct arena *a, const struct bulk_mark *after,
                           size_t limit, struct bulk *out, struct fault *why) {
  if (after->rows == 0) TRY(read_total(c, QUERY_bulk_tasks_total, &out->total, why));
  out->tasks = ARENA_ARRAY(a, struct task, limit);
  struct use u = sqlite_use(c, QUERY_bulk_tasks);
  use_i64(&u, id_key(after->id));
  return read_page(&u, a, limit, read_task, out, why);
}

static enum err read_logs(struct conn *c, struct arena *a, const struct bulk_mark *after,
                          size_t limit, struct bulk *out, struct fault *why) {
  out->logs = ARENA_ARRAY(a, struct bulk_log, limit);
  struct use u = sqlite_use(c, QUERY_bulk_logs);
  use_i64(&u, id_key(after->id));
  use_i64(&u, after->number);
  return read_page(&u, a, limit, read_log, out, why);
}

static enum err read_events(struct conn *c, struct arena *a, const struct bulk_mark *after,
                            size_t limit, struct bulk *out, struct fault *why) {
  if (after->rows == 0) TRY(read_total(c, QUERY_bulk_events_total, &out->total, why));
  out->events = ARENA_ARRAY(a, struct event, limit);
  struct use u = sqlite_use(c, QUERY_bulk_events);
  use_i64(&u, sqlite_event_id(after->tenant, after->number));
  return read_page(&u, a, limit, read_event, out, why);
}

static enum err read_replays(struct conn *c, struct arena *a, const struct bulk_mark *after,
                             size_t limit, struct bulk *out, struct fault *why) {
  out->replays = ARENA_ARRAY(a, struct replay, limit);
  struct use u = sqlite_use(c, QUERY_bulk_replays);
  use_i64(&u, after->number);
  return read_page(&u, a, limit, read_replay, out, why);
}

enum err sqlite_bulk_read(struct store *s, struct arena *a, enum bulk_part part,
                          const struct bulk_mark *after, size_t limit, struct bulk *out,
                          struct fault *why) {
  struct conn *c = &((struct sqlite_store *)s)->conn;
  *out = (struct bulk){.last = *after};
  TRY(read_identity(c, &out->last.source, why));
  switch (part) {
  case BULK_CATALOG: return read_catalog(s, a, out, why);
  case BULK_TASKS: return read_tasks(c, a, after, limit, out, why);
  case BULK_LOGS: return read_logs(c, a, after, limit, out, why);
  case BULK_EVENTS: return read_events(c, a, after, limit, out, why);
  default: return read_replays(c, a, after, limit, out, why);
  }
}

// --- writing: events -----------------------------------------------------------------------------

// An event in the chain of its task.
struct link {
  struct id task;
  int64_t seq;
  size_t at;  // its place in the page
  int64_t previous;
};

static int compare_links(const void *a_ptr, const void *b_ptr) {
  const struct link *a = a_ptr, *b = b_ptr;
  if (a->task.hi != b->task.hi) return a->task.hi < b->task.hi ? -1 : 1;
  if (a->task.lo != b->task.lo) return a->task.lo < b->task.lo ? -1 : 1;
  return a->seq < b->seq ? -1 : a->seq > b->seq;
}

// The newest event so far of a task; `*query` tells where to put a newer one.
static enum err find_head(struct conn *c, int64_t tenant, struct id task, int64_t *head,
                          enum query *query, struct fault *why) {
  static const struct {
    enum query read, write;
  } places[] = {{QUERY_task_head, QUERY_bulk_event_head},
                {QUERY_removed_head, QUERY_bulk_removed_head}};
  *head = 0;
  *query = QUERY_bulk_removed_put;  // events are all that is left of it
  for (size_t i = 0; i < 2; i++) {
    struct use u = sqlite_use(c, places[i].read);
    use_i64(&u, id_key(task));
    use_i64(&u, (int64_t)task.lo);
    use_i64(&u, tenant);
    bool row = false;
    TRY(sqlite_use_row(&u, &row, why));
    if (!row) continue;
    *head = use_get_i64(&u);
    *query = places[i].write;
    sqlite_use_end(&u);
    break;
  }
  return ERR_OK;
}

static enum err put_head(struct conn *c, enum query query, int64_t tenant, struct id task,
                         int64_t head, struct fault *why) {
  struct use u = sqlite_use(c, query);
  if (query == QUERY_bulk_removed_put) {
    use_i64(&u, id_key(task));
    use_i64(&u, (int64_t)task.lo);
    use_i64(&u, tenant);
    use_i64(&u, head);
  } else {
    use_i64(&u, head);
    use_i64(&u, id_key(task));
  }
  return sqlite_use_run(&u, why);
}

// Chains the events of one task to those that were written before. Returns behind them.
static enum err chain_task(struct conn *c, const struct event *events, struct link *links,
                           size_t count, size_t *at, struct fault *why) {
  size_t first = *at;
  struct id task = links[first].task;
  int64_t tenant = events[links[first].at].tenant, head;
  enum query query;
  TRY(find_head(c, tenant, task, &head, &query, why));
  for (; *at < count && id_eq(links[*at].task, task); ++*at) {
    links[*at].previous = head;
    head = links[*at].seq;
  }
  return put_head(c, query, tenant, task, head, why);
}

// Gives each event of the page the one before it of the same task: previous[i], 0 for none.
static enum err chain(struct conn *c, struct arena *a, const struct bulk *bulk, int64_t *previous,
                      struct fault *why) {
  struct link *links = ARENA_ARRAY(a, struct link, bulk->event_count);
  size_t count = 0;
  for (size_t i = 0; i < bulk->event_count; i++) {
    const struct event *e = &bulk->events[i];
    if (!id_is_none(e->task)) links[count++] = (struct link){.task = e->task, e->seq, i, 0};
  }
  qsort(links, count, sizeof *links, compare_links);
  for (size_t at = 0; at < count;) TRY(chain_task(c, bulk->events, links, count, &at, why));
  for (size_t i = 0; i < count; i++) previous[links[i].at] = links[i].previous;
  return ERR_OK;
}

// The channel of an event's task, which may be gone; 0: it is about something else.
static enum err channel_of(struct store_lane *lane, const struct event *e, int64_t *out,
                           struct fault *why) {
  *out = 0;
  if (id_is_none(e->task) || str_is_none(e->queue) || str_is_none(e->type)) return ERR_OK;
  struct channel *channel;
  TRY(sqlite_channels_get(lane->channels, e->tenant, e->queue, e->type, &channel, why));
  // Counts nothing, but has a fresh channel written with the unit.
  if (channel->fresh) sqlite_channels_move(lane->channels, channel, TASK_PENDING, WAIT_NONE, 0);
  *out = channel->number;
  return ERR_OK;
}

static enum err write_events(struct store_lane *lane, struct arena *a, const struct bulk *bulk,
                             struct fault *why) {
  int64_t *previous = ARENA_ARRAY(a, int64_t, bulk->event_count);
  TRY(chain(lane->conn, a, bulk, previous, why));
  struct use u = sqlite_use(lane->conn, QUERY_event_insert);
  for (size_t i = 0; i < bulk->event_count; i++) {
    int64_t channel;
    TRY(channel_of(lane, &bulk->events[i], &channel, why));
    TRY(sqlite_event_insert(&u, &bulk->events[i], channel, previous[i], why));
  }
  return ERR_OK;
}

// --- writing: the rest ---------------------------------------------------------------------------

static enum err write_tenants(struct conn *c, const struct catalog *catalog, struct fault *why) {
  struct use u = sqlite_use(c, QUERY_bulk_tenant_put);
  for (size_t i = 0; i < catalog->tenant_count; i++) {
    use_i64(&u, catalog->tenants[i].number);
    use_text(&u, catalog->tenants[i].name);
    TRY(sqlite_use_run(&u, why));
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

// Neighbouring lines of one task are one entry.
static void add_logs(struct arena *a, const struct bulk *bulk, struct change *change) {
  struct change_log *logs = ARENA_ARRAY(a, struct change_log, bulk->log_count);
  struct log_line *lines = ARENA_ARRAY(a, struct log_line, bulk->log_count);
  change->logs = logs;
  for (size_t i = 0; i < bulk->log_count; i++) {
    lines[i] = bulk->logs[i].line;
    if (i == 0 || !id_eq(bulk->logs[i].task, bulk->logs[i - 1].task)) {
      struct row *row = ARENA_NEW(a, struct row);
      row->task.id = bulk->logs[i].task;
      logs[change->log_count++] = (struct change_log){.row = row, .lines = &lines[i]};
    }
    logs[change->log_count - 1].line_count++;
  }
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

// Here the upper bits of an id are the key of its task. Several servers on one PostgreSQL may have
// given the same ones to two.
static enum err explain_conflict(struct conn *c, const struct bulk *bulk, struct fault *why) {
  for (size_t i = 0; i < bulk->task_count; i++) {
    const struct task *t = &bulk->tasks[i];
    bool twin = i > 0 && id_key(t->id) == id_key(bulk->tasks[i - 1].id);
    struct use u = sqlite_use(c, QUERY_bulk_salt);
    use_i64(&u, id_key(t->id));
    bool row = false;
    TRY(sqlite_use_row(&u, &row, why));
    sqlite_use_end(&u);
    if (!twin && !row) continue;
    char text[ID_TEXT_BYTES];
    id_text(t->id, text);
    return fault_set(why, ERR_CONFLICT,
                     "task %.*s and another one were made in the same millisecond by two servers, "
                     "and an SQLite store cannot hold both; delete this one there and repeat",
                     ID_TEXT_BYTES, text);
  }
  return ERR_CONFLICT;
}

static enum err write_page(struct store_lane *lane, struct arena *a, enum bulk_part part,
                           const struct bulk *bulk, struct fault *why) {
  struct change change = change_of(a, part, bulk);
  TRY(sqlite_lane_begin(lane, why));
  enum err err = write_mark(lane->conn, part, bulk, why);
  if (err == ERR_OK && part == BULK_CATALOG) err = write_tenants(lane->conn, &bulk->catalog, why);
  if (err == ERR_OK && part == BULK_EVENTS) err = write_events(lane, a, bulk, why);
  if (err == ERR_OK) return sqlite_apply(lane, &change, why);
  sqlite_conn_rollback(lane->conn);
  return err;
}

static enum err write_once(struct store_lane *lane, struct arena *a, enum bulk_part part,
                           const struct bulk *bulk, struct fault *why) {
  struct bulk_mark mark;
  bool finished, found = false;
  TRY(read_mark(lane->conn, a, part, &mark, &finished, &found, why));
  if (found && finished == !bulk->more && mark_eq(&mark, &bulk->last)) return ERR_OK;
  enum err err = write_page(lane, a, part, bulk, why);
  if (err == ERR_CONFLICT) return explain_conflict(lane->conn, bulk, why);
  return err == ERR_OK ? sqlite_lane_tend(lane, false, why) : err;
}

enum err sqlite_bulk_write(struct store *s, enum bulk_part part, const struct bulk *bulk,
                           struct fault *why) {
  struct store_lane *lane;
  TRY(sqlite_lane_make((struct sqlite_store *)s, &lane, why));
  struct arena a;
  arena_init(&a, 1 << 20);
  enum err err = write_once(lane, &a, part, bulk, why);
  arena_fini(&a);
  sqlite_lane_close(lane);
  return err;
}

// --- the end -------------------------------------------------------------------------------------

// Tallies and chains grew with the pages, so that only the marks are left to go.
enum err sqlite_bulk_finish(struct store *s, struct fault *why) {
  struct conn *c = &((struct sqlite_store *)s)->conn;
  struct arena a;
  arena_init(&a, MARK_BYTES);
  enum err err = ERR_OK;
  for (enum bulk_part part = 0; err == ERR_OK && part < BULK_PARTS; part++) {
    struct bulk_mark mark;
    bool finished = false, found = false;
    err = read_mark(c, &a, part, &mark, &finished, &found, why);
    if (err == ERR_OK && !finished)
      err = fault_set(why, ERR_CONFLICT, "%s are not all there yet", MARK_NAMES[part]);
  }
  arena_fini(&a);
  TRY(err);
  struct use u = sqlite_use(c, QUERY_moved_drop);
  return sqlite_use_run(&u, why);
}
