// history.c: what happened: events, attempts and log lines.
#include "api/streams.h"
#include "base/mem.h"

struct history_call {
  struct event_filter filter;
  struct event_page events;
  struct log_page logs;
  uint64_t project;  // 0: any
  int64_t next;      // where to go on, if that is not behind the last event
};

// --- what is asked for ---------------------------------------------------------------------------

enum err events_refuse(struct call *c, const char *const *names, const char *sentence) {
  enum err err = ERR_OK;
  for (; *names; names++)
    if (!str_is_none(http_query(c->http, str_of(*names), NULL)))
      err = call_query_fault(c, *names, sentence);
  return err;
}

enum err events_wanted(struct call *c, struct event_filter *filter, uint64_t *project) {
  struct str text = STR_NONE;
  filter->task = c->id;
  enum err err = call_query_id(c, "taskId", &filter->task);
  call_also(&err, call_query_name(c, "type", &filter->type));
  call_also(&err, call_query_name(c, "queue", &filter->queue));
  call_also(&err, call_query_text(c, "projectId", LIMIT_REFERENCE_BYTES, &text));
  *project = project_mark(text);
  return err;
}

static enum err take_paging(struct call *c, struct history_call *h) {
  int64_t limit = LIMIT_PAGE_DEFAULT;
  enum err err = call_query_int(c, "after", 0, INT64_MAX >> 1, &h->filter.after);
  call_also(&err, call_query_int(c, "limit", 1, LIMIT_PAGE_ITEMS, &limit));
  h->filter.limit = (size_t)limit;
  h->filter.tenant = c->who.tenant;
  return err;
}

static enum err start(struct call *c, struct history_call **out) {
  struct history_call *h = ARENA_NEW(c->arena, struct history_call);
  c->input = *out = h;
  return take_paging(c, h);
}

// --- events --------------------------------------------------------------------------------------

static void run_events(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct history_call *h = c->input;
  q->err = ops->read_events(reader, &c->read, &h->filter, &h->events, &q->fault);
}

// What one list looks through, of which it may keep little.
enum { PROJECT_PAGES_MAX = 20, PROJECT_PAGE_EVENTS = 200 };

// The events that are of the project; `*after` moves on with what was looked at.
static void keep_of_project(struct history_call *h, const struct event_page *page,
                            const uint64_t *projects, int64_t *after) {
  struct event_page *kept = &h->events;
  for (size_t i = 0; i < page->count && kept->count < h->filter.limit; i++) {
    if (projects[i] == h->project) kept->events[kept->count++] = page->events[i];
    *after = page->events[i].seq;
  }
}

static void run_project_events(struct query *q, const struct store_ops *ops,
                               struct store_reader *reader) {
  struct call *c = q->context;
  struct history_call *h = c->input;
  struct event_filter filter = h->filter;
  struct event_page page = {.more = true};
  struct known_project *known = known_new();
  h->events.events = ARENA_ARRAY(&c->read, struct event, filter.limit);
  if (filter.limit < PROJECT_PAGE_EVENTS) filter.limit = PROJECT_PAGE_EVENTS;
  for (int n = 0; page.more && h->events.count < h->filter.limit && q->err == ERR_OK; n++) {
    uint64_t *projects = NULL;
    if (n == PROJECT_PAGES_MAX) break;
    q->err = ops->read_events(reader, &c->read, &filter, &page, &q->fault);
    if (q->err == ERR_OK)
      q->err =
          projects_of(&page, filter.tenant, known, ops, reader, &c->read, &projects, &q->fault);
    if (q->err == ERR_OK) keep_of_project(h, &page, projects, &filter.after);
  }
  h->next = filter.after;
  h->events.more = page.more || (page.count && page.events[page.count - 1].seq > filter.after);
  mem_free(known);
}

// Where to go on: always a number, so that a reader can come back later for what is new.
static void put_next(struct buf *b, size_t count, bool more, int64_t next) {
  buf_printf(b, "],\"count\":%zu,\"nextAfter\":%lld,\"more\":", count, (long long)next);
  put_bool(b, more);
  buf_char(b, '}');
}

static int render_events(struct call *c, struct buf *b) {
  const struct history_call *h = c->input;
  const struct event_page *page = &h->events;
  BUF_LIT(b, "{\"success\":true,\"events\":[");
  for (size_t i = 0; i < page->count; i++) {
    if (i) buf_char(b, ',');
    encode_event(b, &page->events[i]);
  }
  put_next(b, page->count, page->more,
           h->next       ? h->next
           : page->count ? page->events[page->count - 1].seq
                         : h->filter.after);
  return 200;
}

enum err event_list(struct call *c) {
  static const char *const OF_STREAMS[] = {"lastEventId", "progressMs", NULL};
  struct history_call *h;
  if (stream_is_wanted(c)) return stream_open(c);
  enum err err = events_refuse(c, OF_STREAMS, "is for streams: send Accept: text/event-stream");
  call_also(&err, start(c, &h));
  call_also(&err, events_wanted(c, &h->filter, &h->project));
  TRY(err);
  return call_query(c, h->project ? run_project_events : run_events, render_events);
}

// --- attempts ------------------------------------------------------------------------------------
//
// Not kept anywhere: an attempt is what stands between two events.

enum { ATTEMPT_PAGES_MAX = 10, ATTEMPT_PAGE_EVENTS = 5000 };

// The word for how an attempt ended; STR_NONE for events that end none.
static struct str outcome_of(enum event_kind kind) {
  switch (kind) {
  case EVENT_COMPLETED: return STR("completed");
  case EVENT_ATTEMPT_FAILED:
  case EVENT_FAILED: return STR("failed");
  case EVENT_RELEASED: return STR("released");
  case EVENT_LEASE_LOST:
  case EVENT_ABANDONED: return STR("lease_lost");
  case EVENT_CANCELLED: return STR("cancelled");
  default: return STR_NONE;
  }
}

static bool bounds_attempt(enum event_kind kind) {
  return kind == EVENT_CLAIMED || !str_is_none(outcome_of(kind));
}

static void keep_event(struct call *c, const struct event *event) {
  struct event_page *kept = &((struct history_call *)c->input)->events;
  if (kept->count % ATTEMPT_PAGE_EVENTS == 0) {
    struct event *grown = ARENA_ARRAY(&c->read, struct event, kept->count + ATTEMPT_PAGE_EVENTS);
    if (kept->count) memcpy(grown, kept->events, kept->count * sizeof *grown);
    kept->events = grown;
  }
  struct event *copy = &kept->events[kept->count++];
  *copy = *event;
  copy->worker = arena_dup(&c->read, event->worker);
  copy->note = arena_dup(&c->read, event->note);
  copy->text = arena_dup(&c->read, event->text);
}

// Events of progress come by the thousand between those that count.
static void run_attempts(struct query *q, const struct store_ops *ops,
                         struct store_reader *reader) {
  struct call *c = q->context;
  struct event_filter filter = {
      .tenant = c->who.tenant, .task = c->id, .limit = ATTEMPT_PAGE_EVENTS};
  struct event_page page = {.more = true};
  struct arena scratch;
  arena_init(&scratch, READ_ARENA_BYTES);
  for (int n = 0; page.more && q->err == ERR_OK; n++) {
    arena_reset(&scratch);
    q->err = n < ATTEMPT_PAGES_MAX
                 ? ops->read_events(reader, &scratch, &filter, &page, &q->fault)
                 : fault_set(&q->fault, ERR_SCAN_LIMIT, "the task has too many events");
    for (size_t i = 0; q->err == ERR_OK && i < page.count; i++) {
      if (bounds_attempt(page.events[i].kind)) keep_event(c, &page.events[i]);
      filter.after = page.events[i].seq;
    }
  }
  arena_fini(&scratch);
}

static void put_attempt(struct buf *b, const struct event *claim, const struct event *end) {
  buf_printf(b, "{\"attempt\":%lld,\"worker\":", (long long)claim->attempt);
  put_text_or_null(b, claim->worker);
  buf_printf(b, ",\"startedAt\":%lld,\"endedAt\":", (long long)claim->at);
  put_time_or_null(b, end ? end->at : 0);
  BUF_LIT(b, ",\"outcome\":");
  buf_json_str(b, end ? outcome_of(end->kind) : STR("running"));
  BUF_LIT(b, ",\"error\":");
  if (end && !str_is_none(end->note)) {
    BUF_LIT(b, "{\"code\":");
    buf_json_str(b, end->note);
    BUF_LIT(b, ",\"message\":");
    put_text_or_null(b, end->text);
    buf_char(b, '}');
  } else {
    BUF_LIT(b, "null");
  }
  buf_char(b, '}');
}

static int render_attempts(struct call *c, struct buf *b) {
  const struct event_page *page = &((struct history_call *)c->input)->events;
  const struct event *claim = NULL;
  size_t count = 0;
  BUF_LIT(b, "{\"success\":true,\"attempts\":[");
  for (size_t i = 0; i <= page->count; i++) {
    const struct event *event = i < page->count ? &page->events[i] : NULL;
    bool ends = event == NULL || !str_is_none(outcome_of(event->kind));
    if (claim && ends) {
      if (count++) buf_char(b, ',');
      put_attempt(b, claim, event);
      claim = NULL;
    }
    if (event && event->kind == EVENT_CLAIMED) claim = event;
  }
  buf_printf(b, "],\"count\":%zu}", count);
  return 200;
}

enum err task_attempts(struct call *c) {
  c->input = ARENA_NEW(c->arena, struct history_call);
  return call_query(c, run_attempts, render_attempts);
}

// --- logs ----------------------------------------------------------------------------------------

static void run_logs(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct history_call *h = c->input;
  q->err = ops->read_logs(reader, &c->read, c->who.tenant, c->id, h->filter.after, h->filter.limit,
                          &h->logs, &q->fault);
}

static int render_logs(struct call *c, struct buf *b) {
  const struct history_call *h = c->input;
  const struct log_page *page = &h->logs;
  BUF_LIT(b, "{\"success\":true,\"logs\":[");
  for (size_t i = 0; i < page->count; i++) {
    const struct log_line *line = &page->lines[i];
    if (i) buf_char(b, ',');
    buf_printf(b, "{\"number\":%lld,\"at\":%lld,\"text\":", (long long)line->number,
               (long long)line->at);
    buf_json_str(b, line->text);
    buf_char(b, '}');
  }
  put_next(b, page->count, page->more,
           page->count ? page->lines[page->count - 1].number : h->filter.after);
  return 200;
}

enum err task_logs(struct call *c) {
  struct history_call *h;
  TRY(start(c, &h));
  return call_query(c, run_logs, render_logs);
}
