// history.c: what happened, and what workers wrote about it, as readers see it.
#include <assert.h>

#include "store/postgres/reads.h"

// --- events --------------------------------------------------------------------------------------

struct events {
  const struct event_filter *filter;
  struct event_page page;
};

// The columns of QUERY_read_feed. Those that say nothing of a task name its queue and type
// themselves.
static enum err read_event(struct store_reader *r, struct result *result, struct arena *a,
                           struct event *e, struct fault *why) {
  e->at = result_i64(result);
  e->kind = (enum event_kind)result_i64(result);
  e->task = result_id(result);
  e->attempt = result_i64(result);
  e->progress = result_i64(result);
  e->actor = result_text(result, a);
  e->worker = result_text(result, a);
  e->note = result_text(result, a);
  e->text = result_text(result, a);
  int64_t channel = result_i64(result);
  e->queue = result_text(result, a);
  e->type = result_text(result, a);
  return channel ? pg_reader_names(r, channel, &e->queue, &e->type, why) : ERR_OK;
}

static enum err read_events(struct store_reader *r, struct result *result, struct arena *a,
                            struct events *events, struct fault *why) {
  struct event_page *page = &events->page;
  *page = (struct event_page){.events = ARENA_ARRAY(a, struct event, (size_t)result->count)};
  while (result_next(result)) {
    if (result_is_null(result)) continue;  // the task has none behind `after`
    if (page->count == events->filter->limit) {
      page->more = true;
      break;
    }
    struct event *e = &page->events[page->count++];
    e->tenant = events->filter->tenant;
    e->seq = result_i64(result);
    TRY(read_event(r, result, a, e, why));
  }
  return ERR_OK;
}

static struct call call_for_events(struct store_reader *r, const struct event_filter *f) {
  bool of_task = !id_is_none(f->task);
  bool some = !of_task && !(str_is_none(f->queue) && str_is_none(f->type));
  struct call call = pg_call(&r->conn, of_task ? QUERY_read_chain
                                       : some  ? QUERY_read_feed_some
                                               : QUERY_read_feed);
  call_i64(&call, f->tenant);
  call_i64(&call, f->after);
  call_i64(&call, (int64_t)f->limit + 1);
  if (of_task) call_id(&call, f->task);
  if (some) {
    call_text(&call, f->queue);
    call_text(&call, f->type);
  }
  return call;
}

static enum err ask_events(struct store_reader *r, struct arena *a, void *about,
                           struct fault *why) {
  struct events *events = about;
  struct call call = call_for_events(r, events->filter);
  struct result result;
  TRY(pg_run(&call, &result, why));
  enum err err = read_events(r, &result, a, events, why);
  bool known = result.count > 0 || id_is_none(events->filter->task);
  result_free(&result);
  return known ? err : fault_set(why, ERR_NOT_FOUND, "there is no such task");
}

enum err pg_read_events(struct store_reader *r, struct arena *a, const struct event_filter *filter,
                        struct event_page *out, struct fault *why) {
  assert(filter->limit > 0);
  struct events events = {.filter = filter};
  TRY(pg_reader_ask(r, a, ask_events, &events, why));
  *out = events.page;
  return ERR_OK;
}

struct newest {
  int64_t tenant, seq;
};

static enum err ask_newest(struct store_reader *r, struct arena *a, void *about,
                           struct fault *why) {
  struct newest *newest = about;
  struct call call = pg_call(&r->conn, QUERY_read_newest);
  struct result result;
  (void)a;
  call_i64(&call, newest->tenant);
  TRY(pg_run(&call, &result, why));
  newest->seq = result_next(&result) ? result_i64(&result) : 0;
  result_free(&result);
  return ERR_OK;
}

enum err pg_read_newest(struct store_reader *r, int64_t tenant, int64_t *seq, struct fault *why) {
  struct newest newest = {.tenant = tenant};
  TRY(pg_reader_ask(r, NULL, ask_newest, &newest, why));
  *seq = newest.seq;
  return ERR_OK;
}

// --- log -----------------------------------------------------------------------------------------

struct lines {
  int64_t tenant;
  struct id task;
  int64_t after;
  size_t limit;
  struct log_page page;
};

static void read_lines(struct result *result, struct arena *a, struct lines *lines) {
  struct log_page *page = &lines->page;
  *page = (struct log_page){.lines = ARENA_ARRAY(a, struct log_line, (size_t)result->count)};
  while (result_next(result)) {
    if (result_is_null(result)) continue;  // the task has none behind `after`
    if (page->count == lines->limit) {
      page->more = true;
      break;
    }
    struct log_line *line = &page->lines[page->count++];
    line->number = result_i64(result);
    line->at = result_i64(result);
    line->text = result_text(result, a);
  }
}

static enum err ask_lines(struct store_reader *r, struct arena *a, void *about, struct fault *why) {
  struct lines *lines = about;
  struct call call = pg_call(&r->conn, QUERY_read_log);
  call_i64(&call, lines->tenant);
  call_i64(&call, lines->after);
  call_i64(&call, (int64_t)lines->limit + 1);
  call_id(&call, lines->task);
  struct result result;
  TRY(pg_run(&call, &result, why));
  bool known = result.count > 0;
  read_lines(&result, a, lines);
  result_free(&result);
  return known ? ERR_OK : fault_set(why, ERR_NOT_FOUND, "there is no such task");
}

enum err pg_read_logs(struct store_reader *r, struct arena *a, int64_t tenant, struct id task,
                      int64_t after, size_t limit, struct log_page *out, struct fault *why) {
  assert(limit > 0);
  struct lines lines = {.tenant = tenant, .task = task, .after = after, .limit = limit};
  TRY(pg_reader_ask(r, a, ask_lines, &lines, why));
  *out = lines.page;
  return ERR_OK;
}
