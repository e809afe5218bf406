// tasks.c: tasks as readers see them: one, or a page of a list.
#include <assert.h>

#include "store/sqlite/columns.h"
#include "store/sqlite/internal.h"

// --- one task ------------------------------------------------------------------------------------

static enum err read_head(struct store_reader *r, enum query query, int64_t tenant, struct id id,
                          int64_t *event_last, int64_t *log_lines, struct fault *why) {
  struct use u = sqlite_use(&r->conn, query);
  use_i64(&u, id_key(id));
  use_i64(&u, (int64_t)id.lo);
  use_i64(&u, tenant);
  bool found = false;
  TRY(sqlite_use_row(&u, &found, why));
  if (!found) return fault_set(why, ERR_NOT_FOUND, "there is no such task");
  *event_last = use_get_i64(&u);
  *log_lines = use_get_i64(&u);
  sqlite_use_end(&u);
  return ERR_OK;
}

enum err sqlite_read_log_head(struct store_reader *r, int64_t tenant, struct id id,
                              int64_t *log_lines, struct fault *why) {
  int64_t event_last;
  return read_head(r, QUERY_task_head, tenant, id, &event_last, log_lines, why);
}

// The events of a task outlive it.
enum err sqlite_read_event_head(struct store_reader *r, int64_t tenant, struct id id,
                                int64_t *event_last, struct fault *why) {
  int64_t log_lines;
  enum err err = read_head(r, QUERY_task_head, tenant, id, event_last, &log_lines, why);
  if (err != ERR_NOT_FOUND) return err;
  return read_head(r, QUERY_removed_head, tenant, id, event_last, &log_lines, why);
}

static enum err read_whole(struct store_reader *r, struct arena *a, int64_t tenant, struct id id,
                           unsigned parts, struct task **out, struct fault *why) {
  struct use u = sqlite_use(&r->conn, QUERY_task_read);
  use_i64(&u, id_key(id));
  use_i64(&u, (int64_t)id.lo);
  use_i64(&u, tenant);
  bool found = false;
  TRY(sqlite_use_row(&u, &found, why));
  if (!found) return fault_set(why, ERR_NOT_FOUND, "there is no such task");
  struct task *t = ARENA_NEW(a, struct task);
  sqlite_columns_read(&u, a, t);
  t->queue = use_get_text(&u, a);
  t->type = use_get_text(&u, a);
  sqlite_use_end(&u);
  TRY(sqlite_load_parts(&r->conn, a, t, parts, why));
  *out = t;
  return ERR_OK;
}

enum err sqlite_read_task(struct store_reader *r, struct arena *a, int64_t tenant, struct id id,
                          unsigned parts, struct task **out, struct fault *why) {
  TRY(sqlite_reader_begin(r, why));
  enum err err = read_whole(r, a, tenant, id, parts, out, why);
  sqlite_reader_end(r);
  return err;
}

// --- a list --------------------------------------------------------------------------------------

// A list under way: what to look for, and what was found so far.
struct listing {
  struct store_reader *r;
  struct arena *a;
  const struct task_filter *filter;
  struct scan scan;
  int64_t total;  // no more than this many can be found
  struct id *found;
  size_t count;
  bool more;
  struct id last;  // the last one looked at
  int64_t last_priority;
};

// A statement made of the filter; the caller binds ?1 to ?3 and closes it.
static enum err prepare(struct listing *l, const struct buf *sql, struct use *out,
                        struct fault *why) {
  assert(!sql->overflow);
  TRY(sqlite_use_sql(&l->r->conn, buf_str(sql), out, why));
  out->bound = SCAN_FIRST_BIND - 1;
  int marks = sqlite3_bind_parameter_count(out->statement);
  for (size_t i = 0; i < l->scan.bind_count && out->bound < marks; i++) {
    const struct scan_bind *b = &l->scan.binds[i];
    if (str_is_none(b->text))
      use_i64(out, b->number);
    else
      use_text(out, b->text);
  }
  out->bound = 0;
  return ERR_OK;
}

// Opens a statement over `channel` for the channels that the filter allows.
static enum err prepare_channels(struct listing *l, const char *columns, const char *condition,
                                 struct use *out, struct fault *why) {
  struct buf sql;
  buf_init(&sql, 64 << 10);
  buf_printf(&sql, "SELECT %s FROM channel WHERE tenant = ?1 AND %s AND %.*s", columns, condition,
             STR_FMT(buf_str(&l->scan.channels)));
  enum err err = prepare(l, &sql, out, why);
  buf_fini(&sql);
  if (err == ERR_OK) use_i64(out, l->filter->tenant);
  return err;
}

// How many tasks there are of these statuses, queues and types, by the tallies: a list that has
// found them all need not look at the rest of the table.
static enum err read_total(struct listing *l, struct fault *why) {
  struct buf columns;
  buf_init(&columns, 1024);
  buf_printf(&columns, "sum(%.*s)", STR_FMT(buf_str(&l->scan.counts)));
  buf_char(&columns, '\0');
  struct use u;
  enum err err = prepare_channels(l, columns.at, "1", &u, why);
  buf_fini(&columns);
  TRY(err);
  bool row = false;
  err = sqlite_use_row(&u, &row, why);
  if (err == ERR_OK) l->total = use_get_i64(&u);
  sqlite_use_close(&u);
  return err;
}

// --- newest first --------------------------------------------------------------------------------

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

static enum err scan_prepare(struct listing *l, struct use *out, struct fault *why) {
  const struct task_filter *f = l->filter;
  const struct scan *s = &l->scan;
  struct buf sql;
  buf_init(&sql, 64 << 10);
  buf_printf(&sql,
             "SELECT key, salt, %.*s FROM task %s %s WHERE tenant = ?1 AND key > ?2"
             " AND key < ?3%.*s ORDER BY key DESC",
             STR_FMT(buf_str(&s->fits)), s->index ? "INDEXED BY" : "NOT INDEXED",
             s->index ? s->index : "", STR_FMT(buf_str(&s->rows)));
  enum err err = prepare(l, &sql, out, why);
  buf_fini(&sql);
  TRY(err);
  int64_t below = id_is_none(f->before) ? INT64_MAX : id_key(f->before);
  if (f->created_before > 0) below = min_i64(below, id_key_from_ms(f->created_before));
  use_i64(out, f->tenant);
  use_i64(out, f->created_after > 0 ? id_key_from_ms(f->created_after + 1) - 1 : 0);
  use_i64(out, below);
  return ERR_OK;
}

// Looks at rows until the page is full, all that can fit are found, or enough were looked at.
static enum err scan_rows(struct listing *l, struct use *u, struct fault *why) {
  int64_t looked = 0;
  bool row = false;
  TRY(sqlite_use_row(u, &row, why));
  while (row) {
    if (l->count == l->filter->limit || looked == LIMIT_SCAN_ROWS) {
      l->more = true;
      return ERR_OK;
    }
    int64_t key = use_get_i64(u);
    l->last = id_from_key(key, (uint64_t)use_get_i64(u));
    looked++;
    if (use_get_i64(u)) l->found[l->count++] = l->last;
    if ((int64_t)l->count == l->total) return ERR_OK;
    TRY(sqlite_use_row(u, &row, why));
  }
  return ERR_OK;
}

static enum err list_newest(struct listing *l, struct fault *why) {
  struct use u;
  TRY(scan_prepare(l, &u, why));
  enum err err = scan_rows(l, &u, why);
  sqlite_use_close(&u);
  return err;
}

// --- claim order ---------------------------------------------------------------------------------

static enum err ready_channels(struct listing *l, int64_t *numbers, size_t *count,
                               struct fault *why) {
  struct use u;
  TRY(prepare_channels(l, "number", "ready > 0", &u, why));
  *count = 0;
  bool row = false;
  enum err err = sqlite_use_row(&u, &row, why);
  while (err == ERR_OK && row && *count < LIMIT_CHANNELS) {
    numbers[(*count)++] = use_get_i64(&u);
    err = sqlite_use_row(&u, &row, why);
  }
  sqlite_use_close(&u);
  return err;
}

static enum err ready_prepare(struct listing *l, struct use *out, struct fault *why) {
  struct buf sql;
  buf_init(&sql, 64 << 10);
  buf_printf(&sql,
             "SELECT key, priority, %.*s, salt FROM task INDEXED BY task_ready"
             " WHERE channel = ?1 AND waiting = 1 AND priority <= ?2"
             " AND (priority < ?2 OR key > ?3) ORDER BY priority DESC, key",
             STR_FMT(buf_str(&l->scan.fits)));
  enum err err = prepare(l, &sql, out, why);
  buf_fini(&sql);
  return err;
}

static enum err list_ready(struct listing *l, struct fault *why) {
  const struct task_filter *f = l->filter;
  struct ready_after after = {INT64_MAX, 0};
  if (!id_is_none(f->before)) after = (struct ready_after){f->before_priority, id_key(f->before)};
  int64_t *channels = arena_alloc(l->a, sizeof *channels * LIMIT_CHANNELS);
  size_t channel_count = 0, count = 0;
  TRY(ready_channels(l, channels, &channel_count, why));
  struct use u;
  struct ready *ready = NULL;
  TRY(ready_prepare(l, &u, why));
  enum err err = sqlite_ready_merge(&u, channels, channel_count, after, f->limit + 1, l->a, &ready,
                                    &count, why);
  sqlite_use_close(&u);
  TRY(err);
  l->more = count > f->limit;
  l->count = l->more ? f->limit : count;
  for (size_t i = 0; i < l->count; i++)
    l->found[i] = id_from_key(ready[i].key, (uint64_t)ready[i].salt);
  return ERR_OK;
}

// --- both ----------------------------------------------------------------------------------------

static size_t part_bytes(const struct task *task) { return task->payload.len + task->result.len; }

static enum err read_found(struct listing *l, struct task_page *page, struct fault *why) {
  size_t bytes = 0;
  page->tasks = ARENA_ARRAY(l->a, struct task *, l->count);
  for (; page->count < l->count && bytes < LIMIT_PAGE_BYTES; page->count++) {
    TRY(read_whole(l->r, l->a, l->filter->tenant, l->found[page->count], l->filter->parts,
                   &page->tasks[page->count], why));
    bytes += part_bytes(page->tasks[page->count]);
  }
  bool cut = page->count < l->count;
  page->more = l->more || cut;
  page->last = l->last;
  if (page->count == 0 || !(cut || l->filter->ready_only)) return ERR_OK;
  const struct task *last = page->tasks[page->count - 1];
  page->last = last->id;
  page->last_priority = last->priority;
  return ERR_OK;
}

static enum err list(struct listing *l, struct task_page *page, struct fault *why) {
  TRY(read_total(l, why));
  if (l->total > 0) TRY(l->filter->ready_only ? list_ready(l, why) : list_newest(l, why));
  return read_found(l, page, why);
}

enum err sqlite_read_tasks(struct store_reader *r, struct arena *a,
                           const struct task_filter *filter, struct task_page *out,
                           struct fault *why) {
  assert(filter->limit > 0 && filter->limit <= LIMIT_PAGE_ITEMS);
  struct listing l = {.r = r, .a = a, .filter = filter};
  l.found = ARENA_ARRAY(a, struct id, filter->limit);
  TRY(sqlite_reader_begin(r, why));
  sqlite_scan_init(&l.scan, filter, a);
  struct task_page page = {0};
  enum err err = list(&l, &page, why);
  sqlite_scan_fini(&l.scan);
  sqlite_reader_end(r);
  if (err == ERR_OK) *out = page;
  return err;
}
