// workers.c: the workers that this server has seen, and what they run.
#include "api/call.h"

enum { RUNNING_PAGES_MAX = 20 };

struct workers_call {
  struct str *holders;  // the worker of each running task
  size_t count, cap;
};

static void remember(struct call *c, struct workers_call *w, const struct task *task) {
  if (w->count == w->cap) {
    size_t cap = w->cap ? w->cap * 2 : 256;
    struct str *grown = ARENA_ARRAY(&c->read, struct str, cap);
    if (w->count) memcpy(grown, w->holders, w->count * sizeof *grown);
    w->holders = grown;
    w->cap = cap;
  }
  w->holders[w->count++] = task->worker;
}

static void run_running(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct task_filter filter = {
      .tenant = c->who.tenant, .statuses = 1u << TASK_RUNNING, .limit = LIMIT_PAGE_ITEMS};
  struct task_page page = {.more = true};
  for (int n = 0; n < RUNNING_PAGES_MAX && page.more && q->err == ERR_OK; n++) {
    page = (struct task_page){0};
    q->err = ops->read_tasks(reader, &c->read, &filter, &page, &q->fault);
    for (size_t i = 0; q->err == ERR_OK && i < page.count; i++)
      remember(c, c->input, page.tasks[i]);
    filter.before = page.last;
  }
}

static int64_t running_on(const struct workers_call *w, struct str worker) {
  int64_t n = 0;
  for (size_t i = 0; i < w->count; i++) n += str_eq(w->holders[i], worker);
  return n;
}

static void put_names(struct buf *b, const struct str *names, size_t count) {
  buf_char(b, '[');
  for (size_t i = 0; i < count; i++) {
    if (i) buf_char(b, ',');
    buf_json_str(b, names[i]);
  }
  buf_char(b, ']');
}

static int render_workers(struct call *c, struct buf *b) {
  struct worker_info *workers;
  size_t count = engine_workers(c->api->settings.engine, c->who.tenant, c->arena, &workers);
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
  buf_printf(b, "],\"count\":%zu}", count);
  return 200;
}

enum err worker_list(struct call *c) {
  c->input = ARENA_NEW(c->arena, struct workers_call);
  return call_query(c, run_running, render_workers);
}
