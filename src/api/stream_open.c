// stream_open.c: a request for live events: what is wanted, and from which event on.
#include "api/sessions.h"
#include "api/streams.h"
#include "base/mem.h"

enum { STREAM_ARENA_BYTES = 512, HELD_BYTES_MAX = 128 << 10 };

// --- the request ---------------------------------------------------------------------------------

bool stream_is_wanted(const struct call *c) {
  for (size_t i = 0; i < c->http->header_count; i++) {
    struct str all = c->http->headers[i].value;
    if (!str_eq_nocase(c->http->headers[i].name, STR("accept"))) continue;
    while (!str_is_none(all)) {
      struct str range = str_cut(&all, ',');
      if (str_eq_nocase(str_trim(str_cut(&range, ';')), STR("text/event-stream"))) return true;
    }
  }
  return false;
}

static bool parse_hex(struct str text, uint64_t *out) {
  *out = 0;
  for (size_t i = 0; i < text.len; i++) {
    char digit = text.at[i];
    bool decimal = digit >= '0' && digit <= '9', letter = digit >= 'a' && digit <= 'f';
    if (!decimal && !letter) return false;
    *out = *out << 4 | (uint64_t)(decimal ? digit - '0' : digit - 'a' + 10);
  }
  return text.len > 0 && text.len <= 8;
}

// Behind which event a stream is to go on, as the client was told it.
struct mark {
  bool sent;
  bool names_store;  // by `store`
  uint64_t store;
  int64_t seq;
};

// "17", or "3f0c-17" where the numbers of another store may begin anew. A number alone is taken
// everywhere, because lists give such.
static bool parse_mark(struct str text, struct mark *out) {
  struct mark mark = {.sent = true, .names_store = str_find(text, '-') < text.len};
  struct str number = text;
  if (mark.names_store && !parse_hex(str_cut(&number, '-'), &mark.store)) return false;
  if (number.len == 0 || number.at[0] < '0' || number.at[0] > '9') return false;
  if (!str_to_i64(number, &mark.seq)) return false;
  *out = mark;
  return true;
}

static int64_t mark_of(const struct mark *mark, const struct follower *f) {
  if (!mark->sent) return STREAM_MARK_NONE;
  return mark->names_store && mark->store != f->epoch ? STREAM_MARK_FOREIGN : mark->seq;
}

// A client that comes back asks with the same URL as before, so the header, which is newer, counts.
static enum err take_mark(struct call *c, struct mark *out) {
  struct str text;
  TRY(call_header(c, "Last-Event-ID", &text));
  if (text.len == 0) text = http_query(c->http, STR("lastEventId"), NULL);
  if (str_is_none(text) || parse_mark(text, out)) return ERR_OK;
  return fault_set(&c->fault, ERR_BAD_REQUEST,
                   "Last-Event-ID (or lastEventId) must be the id of an event of this stream as it "
                   "was sent, or a number that a list gave as nextAfter");
}

struct wanted {
  struct event_filter filter;  // its texts are the request's
  uint64_t project;            // 0: any
  int64_t progress_ms;
  struct mark mark;
};

static enum err read_request(struct call *c, struct wanted *w) {
  static const char *const PAGING[] = {"after", "limit", NULL};
  w->progress_ms = LIMIT_STREAM_PROGRESS_DEFAULT_MS;
  enum err err = events_refuse(
      c, PAGING, "is for lists; a stream goes on behind lastEventId, or Last-Event-ID");
  call_also(&err, events_wanted(c, &w->filter, &w->project));
  call_also(&err, call_query_int(c, "progressMs", 0, LIMIT_STREAM_PROGRESS_MS, &w->progress_ms));
  TRY(err);
  return take_mark(c, &w->mark);
}

// What is to be told may be its first task. Of one that has no task yet no single one can be told,
// and whoever asks for one takes no place by it.
static enum err begin_session(struct call *c, const struct wanted *w) {
  if (c->session == NULL || session_has_begun(c)) return ERR_OK;
  if (!id_is_none(w->filter.task))
    return fault_set(&c->fault, ERR_NOT_FOUND, "there is no such task");
  return session_begin(c);
}

// --- the first look ------------------------------------------------------------------------------

// Where the log ends now, and whether the task is there at all. A mark that is ahead of what the
// follower has read may yet be good: another node gave it.
static void run_first(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct stream *s = q->context;
  struct reading *rd = &s->reading;
  q->err = ops->read_newest(reader, rd->filter.tenant, &s->newest, &q->fault);
  if (q->err != ERR_OK || id_is_none(rd->filter.task)) return;
  rd->filter.after = s->newest;
  q->err = ops->read_events(reader, &rd->arena, &rd->filter, &rd->page, &q->fault);
}

static void on_first(struct query *q) {
  struct stream *s = q->context;
  struct follower *f = s->follower;
  struct call *c = s->call;
  enum err err = q->err;
  reading_over(&s->reading, f);
  arena_fini(&s->reading.arena);
  c->fault = q->fault;
  if (err == ERR_OK && s->gone) err = fault_set(&c->fault, ERR_UNAVAILABLE, "the stream has ended");
  if (err == ERR_OK) {
    stream_begin(s);
  } else {
    c->stream = NULL;
    s->call = NULL;
    call_fail(c, err);
    stream_free(s);
  }
  follower_release(f);
}

static void link_stream(struct stream *s, struct follower *f) {
  s->follower = f;
  s->next = f->streams;
  if (s->next) s->next->previous = s;
  f->streams = s;
  f->stream_count++;
  f->of->count++;
  if (f->session) session_enter(f->session);
}

static struct stream *make_stream(struct call *c, const struct wanted *w) {
  struct follower *f = follower_take(c->api->streams, c);
  struct stream *s = mem_zero(sizeof *s);
  arena_init(&s->arena, STREAM_ARENA_BYTES);
  buf_init(&s->held_text, HELD_BYTES_MAX);
  link_stream(s, f);
  s->actor = arena_dup(&s->arena, c->who.actor);
  auth_standing(c, &s->standing);
  s->filter = w->filter;
  s->filter.type = arena_dup(&s->arena, w->filter.type);
  s->filter.queue = arena_dup(&s->arena, w->filter.queue);
  s->project = w->project;
  f->projects_wanted += s->project != 0;
  s->progress_ms = w->progress_ms;
  s->mark = mark_of(&w->mark, f);
  return s;
}

enum err stream_open(struct call *c) {
  struct wanted wanted = {0};
  TRY(read_request(c, &wanted));
  TRY(streams_admit(c->api->streams, c));
  TRY(begin_session(c, &wanted));
  struct stream *s = make_stream(c, &wanted);
  s->call = c;
  c->stream = s;
  s->reading.filter = s->filter;
  s->reading.filter.limit = 1;
  reading_start(&s->reading, s->follower, run_first, on_first, s);
  return ERR_OK;
}
