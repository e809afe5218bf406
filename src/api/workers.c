// workers.c: the workers that this server has seen, what they run, and the servers beside it.
#include "api/call.h"

#include <stdlib.h>

enum { RUNNING_PAGES_MAX = 20 };

struct holder {
  struct str worker;
  int64_t running;
};

struct workers_call {
  struct holder *holders;  // by worker
  size_t count, cap;
};

static void remember(struct call *c, struct str worker) {
  struct workers_call *w = c->input;
  if (w->count == w->cap) {
    size_t cap = w->cap ? w->cap * 2 : 256;
    struct holder *grown = ARENA_ARRAY(&c->read, struct holder, cap);
    if (w->count) memcpy(grown, w->holders, w->count * sizeof *grown);
    w->holders = grown;
    w->cap = cap;
  }
  w->holders[w->count++] = (struct holder){arena_dup(&c->read, worker), 1};
}

static int by_worker(const void *a, const void *b) {
  return str_compare(((const struct holder *)a)->worker, ((const struct holder *)b)->worker);
}

static void merge(struct workers_call *w) {
  size_t n = 0;
  if (w->count) qsort(w->holders, w->count, sizeof *w->holders, by_worker);
  for (size_t i = 0; i < w->count; i++) {
    if (n && str_eq(w->holders[n - 1].worker, w->holders[i].worker))
      w->holders[n - 1].running++;
    else
      w->holders[n++] = w->holders[i];
  }
  w->count = n;
}

static void run_running(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct task_filter filter = {
      .tenant = c->who.tenant, .statuses = 1u << TASK_RUNNING, .limit = LIMIT_PAGE_ITEMS};
  struct task_page page = {.more = true};
  struct arena scratch;
  arena_init(&scratch, READ_ARENA_BYTES);
  for (int n = 0; n < RUNNING_PAGES_MAX && page.more && q->err == ERR_OK; n++) {
    arena_reset(&scratch);
    q->err = ops->read_tasks(reader, &scratch, &filter, &page, &q->fault);
    for (size_t i = 0; q->err == ERR_OK && i < page.count; i++)
      if (!str_is_none(page.tasks[i]->worker)) remember(c, page.tasks[i]->worker);
    filter.before = page.last;
  }
  arena_fini(&scratch);
  merge(c->input);
}

static int64_t running_on(const struct workers_call *w, struct str worker) {
  struct holder key = {.worker = worker};
  const struct holder *found =
      w->count ? bsearch(&key, w->holders, w->count, sizeof key, by_worker) : NULL;
  return found ? found->running : 0;
}

static void put_names(struct buf *b, const struct str *names, size_t count) {
  buf_char(b, '[');
  for (size_t i = 0; i < count; i++) {
    if (i) buf_char(b, ',');
    buf_json_str(b, names[i]);
  }
  buf_char(b, ']');
}

// The servers that share the store, where it can be shared. What is told of workers is what the
// one that answers has seen.
static void put_nodes(struct call *c, struct buf *b) {
  struct node *nodes = NULL;
  size_t count = 0;
  if (engine_nodes(c->engine, c->arena, &nodes, &count, &c->fault) != ERR_OK) count = 0;
  struct str self = STR_NONE;
  for (size_t i = 0; i < count; i++)
    if (nodes[i].self) self = nodes[i].name;
  BUF_LIT(b, "\"node\":");
  put_text_or_null(b, self);
  BUF_LIT(b, ",\"nodes\":[");
  for (size_t i = 0; i < count; i++) {
    if (i) buf_char(b, ',');
    BUF_LIT(b, "{\"name\":");
    buf_json_str(b, nodes[i].name);
    buf_printf(b, ",\"startedAt\":%lld,\"seenAt\":%lld}", (long long)nodes[i].started_at,
               (long long)nodes[i].seen_at);
  }
  buf_char(b, ']');
}

static int render_workers(struct call *c, struct buf *b) {
  struct worker_info *workers;
  size_t count = engine_workers(c->engine, c->who.tenant, c->arena, &workers);
  BUF_LIT(b, "{\"success\":true,\"workers\":[");
  for (size_t i = 0; i < count; i++) {
    if (i) buf_char(b, ',');
    BUF_LIT(b, "{\"workerId\":");
    buf_json_str(b, workers[i].worker);
    buf_printf(b, ",\"lastSeenAt\":%lld,\"running\":%lld,\"claimed\":%lld,\"waiting\":",
               (long long)workers[i].seen_at, (long long)running_on(c->input, workers[i].worker),
               (long long)workers[i].claimed);
    put_bool(b, workers[i].waiting);
    BUF_LIT(b, ",\"types\":");
    put_names(b, workers[i].types, workers[i].type_count);
    BUF_LIT(b, ",\"queues\":");
    put_names(b, workers[i].queues, workers[i].queue_count);
    buf_char(b, '}');
  }
  buf_printf(b, "],\"count\":%zu,", count);
  put_nodes(c, b);
  buf_char(b, '}');
  return 200;
}

enum err worker_list(struct call *c) {
  c->input = ARENA_NEW(c->arena, struct workers_call);
  return call_query(c, run_running, render_workers);
}
