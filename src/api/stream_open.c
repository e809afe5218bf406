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

// "17", or "3f0c-17" where the numbers of another store may begin anew. A number alone is taken
// everywhere, because lists give such.
static bool parse_mark(struct str text, uint32_t epoch, int64_t *mark) {
  uint64_t named = epoch;
  struct str number = text;
  if (str_find(text, '-') < text.len && !parse_hex(str_cut(&number, '-'), &named)) return false;
  if (number.len == 0 || number.at[0] < '0' || number.at[0] > '9') return false;
  if (!str_to_i64(number, mark)) return false;
  if (named != epoch) *mark = STREAM_MARK_FOREIGN;
  return true;
}

static enum err mark_in_header(struct call *c, struct str *out) {
  *out = STR_NONE;
  for (size_t i = 0; i < c->http->header_count; i++) {
    if (!str_eq_nocase(c->http->headers[i].name, STR("last-event-id"))) continue;
    if (!str_is_none(*out))
      return fault_set(&c->fault, ERR_BAD_REQUEST, "Last-Event-ID came twice; send it once");
    *out = str_trim(c->http->headers[i].value);
  }
  return ERR_OK;
}

// A client that comes back asks with the same URL as before, so the header, which is newer, counts.
static enum err take_mark(struct call *c, struct stream *s) {
  struct str text;
  s->mark = STREAM_MARK_NONE;
  TRY(mark_in_header(c, &text));
  if (text.len == 0) text = http_query(c->http, STR("lastEventId"), NULL);
  if (str_is_none(text) || parse_mark(text, s->follower->epoch, &s->mark)) return ERR_OK;
  return fault_set(&c->fault, ERR_BAD_REQUEST,
                   "Last-Event-ID (or lastEventId) must be the id of an event of this stream as it "
                   "was sent, or a number that a list gave as nextAfter");
}

// The stream may be read for when the request is gone.
static enum err take_filter(struct call *c, struct stream *s, struct str *project) {
  s->filter.task = c->id;
  enum err err = events_take_filter(c, &s->filter, project);
  s->filter.type = arena_dup(&s->arena, s->filter.type);
  s->filter.queue = arena_dup(&s->arena, s->filter.queue);
  return err;
}

static enum err refuse_paging(struct call *c) {
  static const char *const NAMES[] = {"after", "limit"};
  enum err err = ERR_OK;
  for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
    if (!str_is_none(http_query(c->http, str_of(NAMES[i]), NULL)))
      err = call_query_fault(c, NAMES[i],
                             "is for lists; a stream goes on behind lastEventId, or Last-Event-ID");
  return err;
}

static enum err read_request(struct call *c, struct stream *s) {
  struct str project = STR_NONE;
  s->progress_ms = LIMIT_STREAM_PROGRESS_DEFAULT_MS;
  enum err err = refuse_paging(c);
  call_also(&err, take_filter(c, s, &project));
  call_also(&err, call_query_int(c, "progressMs", 0, LIMIT_STREAM_PROGRESS_MS, &s->progress_ms));
  TRY(err);
  TRY(take_mark(c, s));
  if (str_is_none(project)) return ERR_OK;
  s->project = project_mark(project);
  s->follower->projects_wanted++;
  return ERR_OK;
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

enum err stream_open(struct call *c) {
  struct streams *all = c->api->streams;
  if (c->session) TRY(session_begin(c));  // what is to be told may be its first task
  TRY(streams_admit(all, c));
  struct follower *f = follower_take(all, c);
  struct stream *s = mem_zero(sizeof *s);
  arena_init(&s->arena, STREAM_ARENA_BYTES);
  buf_init(&s->held_text, HELD_BYTES_MAX);
  link_stream(s, f);
  s->actor = arena_dup(&s->arena, c->who.actor);
  auth_standing(c, &s->standing);
  enum err err = read_request(c, s);
  if (err != ERR_OK) {
    stream_free(s);
    follower_release(f);
    return err;
  }
  s->call = c;
  c->stream = s;
  s->reading.filter = s->filter;
  s->reading.filter.limit = 1;
  reading_start(&s->reading, f, run_first, on_first, s);
  return ERR_OK;
}
