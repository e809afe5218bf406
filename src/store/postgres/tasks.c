// tasks.c: tasks as readers see them: one, or a page of a list.
#include <assert.h>

#include "store/postgres/reads.h"

// Reads the columns of QUERY_read_task.
static enum err read_whole(struct store_reader *r, struct result *result, struct arena *a,
                           struct task **out, struct fault *why) {
  struct task *t = ARENA_NEW(a, struct task);
  int64_t channel = pg_columns_read(result, a, t);
  t->payload = result_text(result, a);
  t->result = result_text(result, a);
  *out = t;
  return pg_reader_names(r, channel, &t->queue, &t->type, why);
}

// --- one task ------------------------------------------------------------------------------------

struct one {
  int64_t tenant;
  struct id id;
  unsigned parts;
  struct task *task;
};

static enum err ask_one(struct store_reader *r, struct arena *a, void *about, struct fault *why) {
  struct one *one = about;
  struct call call = pg_call(&r->conn, QUERY_read_task);
  call_i64(&call, one->tenant);
  call_id(&call, one->id);
  call_i64(&call, one->parts);
  struct result result;
  TRY(pg_run(&call, &result, why));
  enum err err = ERR_OK;
  if (result_next(&result))
    err = read_whole(r, &result, a, &one->task, why);
  else
    err = fault_set(why, ERR_NOT_FOUND, "there is no such task");
  result_free(&result);
  return err;
}

enum err pg_read_task(struct store_reader *r, struct arena *a, int64_t tenant, struct id id,
                      unsigned parts, struct task **out, struct fault *why) {
  struct one one = {.tenant = tenant, .id = id, .parts = parts};
  TRY(pg_reader_ask(r, a, ask_one, &one, why));
  *out = one.task;
  return ERR_OK;
}

// --- a list --------------------------------------------------------------------------------------

// The tasks of a page `p` with all that is asked for. Payloads and results are sent up to a sum of
// bytes; a task behind it is cut. Of a row that does not fit only the id is sent.
static const char LIST_HEAD[] =
    "SELECT q.fits, q.page_id, q.cut, q.tenant, q.page_id, q.channel, @state_columns q@,"
    " @input_columns q@, CASE WHEN NOT q.cut THEN q.payload END,"
    " CASE WHEN NOT q.cut THEN q.result END"
    " FROM (SELECT p.id AS page_id, p.fits, t.tenant, s.channel, @state_columns s@,"
    " @input_columns t@, t.payload, s.result, row_number() OVER listed AS nr,"
    " coalesce(sum(coalesce(octet_length(t.payload), 0) + coalesce(octet_length(s.result), 0))"
    " OVER (listed ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) >= $6::bigint AS cut"
    " FROM (";
static const char LIST_TAIL[] =
    ") AS p LEFT JOIN LATERAL (SELECT i.tenant, @input_columns i@,"
    " CASE WHEN $5::bigint & 1 <> 0 THEN i.payload END AS payload FROM @schema@.task AS i"
    " WHERE i.tenant = $1::bigint AND i.id = p.id AND p.fits OFFSET 0) AS t ON true"
    " LEFT JOIN LATERAL (SELECT l.channel, @state_columns l@, NULL::text AS result"
    " FROM @schema@.live AS l WHERE l.tenant = $1::bigint AND l.id = p.id AND p.fits"
    " UNION ALL SELECT d.channel, @state_columns d@,"
    " CASE WHEN $5::bigint & 2 <> 0 THEN d.result END"
    " FROM @schema@.done AS d WHERE d.tenant = $1::bigint AND d.id = p.id AND p.fits"
    ") AS s ON true WINDOW listed AS (ORDER BY ";
static const char LIST_END[] = ")) AS q ORDER BY q.nr";

_Static_assert(PART_PAYLOAD == 1 && PART_RESULT == 2, "as in the statements");

struct list {
  const struct task_filter *filter;
  struct scan scan;
  struct task_page page;
};

static struct str statement(const struct scan *s, struct arena *a) {
  return arena_printf(a, "%s%.*s%s%s%s", LIST_HEAD, STR_FMT(buf_str(&s->page)), LIST_TAIL, s->order,
                      LIST_END);
}

static struct call call_for_list(struct store_reader *r, const struct list *l) {
  struct call call = pg_call_sql(&r->conn, statement(&l->scan, &r->scratch));
  pg_scan_bind(&l->scan, &call, l->filter);
  return call;
}

// One row more than the page holds, one that is cut, or the last that may be looked at: each tells
// that there may be more, and behind which task.
static enum err read_page(struct store_reader *r, struct result *result, struct arena *a,
                          struct list *l, struct fault *why) {
  struct task_page *page = &l->page;
  *page = (struct task_page){.tasks = ARENA_ARRAY(a, struct task *, l->filter->limit)};
  while (result_next(result)) {
    bool fits = result_i64(result);
    struct id id = result_id(result);
    bool cut = result_i64(result);
    page->more = !fits || cut || page->count == l->filter->limit;
    if (!fits) page->last = id;
    if (page->more) break;
    struct task *task;
    TRY(read_whole(r, result, a, &task, why));
    page->tasks[page->count++] = task;
    page->last = id;
    page->last_priority = task->priority;
  }
  return ERR_OK;
}

static enum err ask_list(struct store_reader *r, struct arena *a, void *about, struct fault *why) {
  struct list *l = about;
  struct call call = call_for_list(r, l);
  struct result result;
  TRY(pg_run(&call, &result, why));
  enum err err = read_page(r, &result, a, l, why);
  result_free(&result);
  return err;
}

enum err pg_read_tasks(struct store_reader *r, struct arena *a, const struct task_filter *filter,
                       struct task_page *out, struct fault *why) {
  assert(filter->limit > 0 && filter->limit <= LIMIT_PAGE_ITEMS);
  struct list l = {.filter = filter};
  pg_scan_init(&l.scan, filter, a);
  enum err err = pg_reader_ask(r, a, ask_list, &l, why);
  pg_scan_fini(&l.scan);
  if (err == ERR_OK) *out = l.page;
  return err;
}
