// stream.c: one live stream: what of the log it is sent, as frames of text/event-stream, and when.
//
// Frames leave in the order of their numbers, so that the last number a client has seen tells all
// that it has. A report of progress waits for a moment, and goes when a newer one of the same task
// comes; whatever else the stream is sent meanwhile takes what waits along, before it.
#include "api/sessions.h"
#include "api/streams.h"

#include <assert.h>

#include "base/mem.h"
#include "base/rand.h"

enum {
  BURST_BYTES = 64 << 10,  // handed to the socket at once; as much waits in memory if it takes none
  READ_BACK_EVENTS = 200,
  READ_BACKS = 2,            // at once: the readers are there for others too
  RETRY_US = 500 * 1000,     // after a failure of the store
  RECONNECT_MS_MIN = 2000,   // what clients are told to wait for, not all the same, …
  RECONNECT_MS_SPAN = 2000,  // … so that they do not all come back at once
};

// --- frames --------------------------------------------------------------------------------------

static void put_mark(struct buf *b, const struct follower *f, int64_t seq) {
  BUF_LIT(b, "id: ");
  if (f->epoch) buf_printf(b, "%lx-", (unsigned long)f->epoch);
  buf_i64(b, seq);
  buf_char(b, '\n');
}

static void put_frame(struct buf *b, const struct follower *f, const struct event *event) {
  const struct encode_context context = {.engine = f->engine,
                                         .session_key = f->session ? f->session->key : STR_NONE};
  put_mark(b, f, event->seq);
  BUF_LIT(b, "event: ");
  buf_put(b, event_word(event->kind));
  BUF_LIT(b, "\ndata: ");
  encode_event_live(b, &context, event);
  BUF_LIT(b, "\n\n");
}

static struct str frame_of(struct follower *f, struct batch *b, size_t i) {
  struct buf *scratch = &f->of->frame;
  if (!str_is_none(b->frames[i])) return b->frames[i];
  buf_clear(scratch);
  put_frame(scratch, f, &b->events[i]);
  b->frames[i] = arena_dup(&b->arena, buf_str(scratch));
  b->bytes += scratch->len;
  f->bytes += scratch->len;
  return b->frames[i];
}

static struct buf *out_of(const struct stream *s) { return &s->follower->of->out; }

// A client that is sent this is to list again, and goes on from here.
static void put_reset(struct stream *s, struct buf *b, int64_t seq, const char *reason) {
  s->seen = seq;
  s->held_count = 0;
  buf_clear(&s->held_text);
  put_mark(b, s->follower, seq);
  buf_printf(b, "event: reset\ndata: {\"event\":\"reset\",\"seq\":%lld,\"reason\":\"%s\"%s}\n\n",
             (long long)seq, reason, s->follower->session ? ",\"durable\":false" : "");
}

// --- sending -------------------------------------------------------------------------------------

static void note_flow(struct stream *s, enum http_flow flow) {
  s->sent_us = clock_mono_us();
  s->blocked = flow == HTTP_FULL;
  s->broken |= flow == HTTP_GONE;
}

static bool flows(const struct stream *s) { return !s->blocked && !s->broken; }

static void send_out(struct stream *s) {
  struct buf *out = out_of(s);
  assert(!out->overflow);
  if (out->len > 0) note_flow(s, http_stream_write(s->call->http, buf_str(out)));
  buf_clear(out);
}

static void let_go(struct stream *s, int64_t now_us) {
  if (s->held_count == 0) return;
  buf_put(out_of(s), buf_str(&s->held_text));
  s->held_count = 0;
  buf_clear(&s->held_text);
  s->progress_us = now_us;
}

static void drop_held(struct stream *s, size_t i) {
  struct held gone = s->held[i];
  struct buf *text = &s->held_text;
  memmove(text->at + gone.at, text->at + gone.at + gone.len, text->len - gone.at - gone.len);
  text->len -= gone.len;
  memmove(&s->held[i], &s->held[i + 1], (--s->held_count - i) * sizeof *s->held);
  for (; i < s->held_count; i++) s->held[i].at -= gone.len;
}

static void hold(struct stream *s, struct id task, struct str frame, int64_t now_us) {
  if (s->held == NULL) s->held = mem_zero(sizeof *s->held * LIMIT_STREAM_HELD);
  for (size_t i = 0; i < s->held_count; i++) {
    if (!id_eq(s->held[i].task, task)) continue;
    drop_held(s, i);
    break;
  }
  bool full = s->held_count == LIMIT_STREAM_HELD || s->held_text.len + frame.len > BURST_BYTES;
  if (full) let_go(s, now_us);
  s->held[s->held_count++] = (struct held){task, s->held_text.len, frame.len};
  buf_put(&s->held_text, frame);
}

static bool fits(const struct stream *s, const struct event *event, uint64_t project) {
  const struct event_filter *f = &s->filter;
  return (id_is_none(f->task) || id_eq(f->task, event->task)) &&
         (str_is_none(f->type) || str_eq(f->type, event->type)) &&
         (str_is_none(f->queue) || str_eq(f->queue, event->queue)) &&
         (s->project == 0 || s->project == project);
}

static void take(struct stream *s, const struct event *event, struct str frame, int64_t now_us) {
  if (event->kind == EVENT_PROGRESS && s->progress_ms > 0) {
    hold(s, event->task, frame, now_us);
  } else {
    let_go(s, now_us);
    buf_put(out_of(s), frame);
  }
  if (out_of(s)->len >= BURST_BYTES) send_out(s);
}

static void take_batch(struct stream *s, struct batch *b, int64_t now_us) {
  for (size_t i = 0; i < b->count && flows(s); i++) {
    const struct event *event = &b->events[i];
    if (event->seq <= s->seen) continue;
    if (fits(s, event, b->projects[i])) take(s, event, frame_of(s->follower, b, i), now_us);
    s->seen = event->seq;
  }
}

static void let_go_in_time(struct stream *s, int64_t now_us) {
  int64_t due_us = s->progress_us + s->progress_ms * 1000;
  if (s->held_count == 0 || !flows(s)) return;
  if (now_us >= due_us)
    let_go(s, now_us);
  else
    streams_due(s->follower->of, due_us);
}

static bool is_too_far(const struct stream *s) {
  int64_t most = s->follower->of->api->settings.streams.behind_max;
  return id_is_none(s->filter.task) && s->follower->seen - s->seen > most;
}

void stream_pump(struct stream *s, int64_t now_us) {
  struct follower *f = s->follower;
  if (s->call == NULL || !s->begun || !flows(s) || s->reading.busy) return;
  buf_clear(out_of(s));
  if (is_too_far(s)) put_reset(s, out_of(s), f->seen, "behind");
  s->wants_back = false;
  while (flows(s) && s->seen < f->seen && !s->wants_back) {
    struct batch *b = follower_batch(f, s->seen);
    if (b && (s->project == 0 || b->has_projects))
      take_batch(s, b, now_us);
    else
      s->wants_back = true;
  }
  let_go_in_time(s, now_us);
  if (flows(s)) send_out(s);
  if (s->broken)
    stream_close(s);
  else if (s->wants_back && flows(s))
    stream_read_back(s);
}

// --- reading back --------------------------------------------------------------------------------

// Those who wait for their turn, from the follower behind the one that had it: many streams of one
// tenant hold up nobody else.
static void serve_others(const struct follower *served) {
  struct streams *all = served->of;
  struct follower *f = served->next;
  for (bool round = false; !round; f = f->next) {
    if (f == NULL) f = all->followers;
    round = f == served;
    for (struct stream *s = f->streams, *next; s; s = next) {
      next = s->next;
      if (all->reading_back >= READ_BACKS) return;
      if (s->wants_back && s->call && !s->reading.busy && flows(s)) stream_read_back(s);
    }
  }
}

// False: there is nothing more to be done with it now.
static bool take_page(struct stream *s, int64_t now_us) {
  struct reading *rd = &s->reading;
  struct buf *frame = &s->follower->of->frame;
  size_t i = 0;
  buf_clear(out_of(s));
  for (; i < rd->page.count && flows(s); i++) {
    const struct event *event = &rd->page.events[i];
    if (fits(s, event, rd->projects ? rd->projects[i] : 0)) {
      buf_clear(frame);
      put_frame(frame, s->follower, event);
      take(s, event, buf_str(frame), now_us);
    }
    s->seen = event->seq;
  }
  if (i == rd->page.count && !rd->page.more && s->seen < s->target) s->seen = s->target;
  if (flows(s)) send_out(s);
  return !s->broken;
}

// There is more between than may be read at once. A stream that takes nothing now would not get the
// reset: it asks again later.
static bool give_up(struct stream *s) {
  if (!flows(s)) return !s->broken;
  buf_clear(out_of(s));
  put_reset(s, out_of(s), s->target, "behind");
  if (flows(s)) send_out(s);
  return !s->broken;
}

static void on_read_back(struct query *q) {
  struct stream *s = q->context;
  struct follower *f = s->follower;
  struct streams *all = f->of;
  int64_t now_us = clock_mono_us();
  all->reading_back--;
  reading_over(&s->reading, f);
  bool goes_on = s->call && q->err != ERR_NOT_FOUND;
  if (goes_on && q->err == ERR_OK)
    goes_on = take_page(s, now_us);
  else if (goes_on && q->err == ERR_SCAN_LIMIT)
    goes_on = give_up(s);
  else
    s->retry_us = now_us + RETRY_US;
  arena_fini(&s->reading.arena);
  serve_others(f);
  if (goes_on)
    stream_pump(s, now_us);
  else
    stream_close(s);
  follower_release(f);
}

// Behind all others of its follower, so that each has its turn.
static void go_last(struct stream *s) {
  struct follower *f = s->follower;
  struct stream *last = s;
  while (last->next) last = last->next;
  if (last == s) return;
  if (s->previous)
    s->previous->next = s->next;
  else
    f->streams = s->next;
  s->next->previous = s->previous;
  s->previous = last;
  s->next = NULL;
  last->next = s;
}

void stream_read_back(struct stream *s) {
  struct streams *all = s->follower->of;
  s->wants_back = true;
  if (clock_mono_us() < s->retry_us) {
    streams_due(all, s->retry_us);
    return;
  }
  if (all->reading_back >= READ_BACKS) return;
  s->wants_back = false;
  s->target = s->follower->seen;
  s->reading.filter = s->filter;
  s->reading.filter.after = s->seen;
  s->reading.filter.limit = READ_BACK_EVENTS;
  if (s->project && s->reading.known == NULL) s->reading.known = known_new();
  all->reading_back++;
  go_last(s);
  reading_start(&s->reading, s->follower, reading_run, on_read_back, s);
}

// --- life ----------------------------------------------------------------------------------------

static const char *why_reset(const struct stream *s) {
  int64_t most = s->follower->of->api->settings.streams.behind_max;
  if (s->mark == STREAM_MARK_NONE) return NULL;
  if (s->mark == STREAM_MARK_FOREIGN || s->mark > s->newest) return "unknown";
  return id_is_none(s->filter.task) && s->newest - s->mark > most ? "behind" : NULL;
}

static void put_beginning(struct stream *s, struct buf *b) {
  const char *reset = why_reset(s);
  s->seen = s->mark == STREAM_MARK_NONE || reset ? s->newest : s->mark;
  BUF_LIT(b, "retry: ");
  buf_i64(b, RECONNECT_MS_MIN + rand_below(RECONNECT_MS_SPAN));
  buf_char(b, '\n');
  if (reset) {
    buf_char(b, '\n');
    put_reset(s, b, s->newest, reset);
    return;
  }
  put_mark(b, s->follower, s->seen);
  buf_char(b, '\n');
}

void stream_begin(struct stream *s) {
  struct follower *f = s->follower;
  struct http_answer head = {
      .status = 200,
      .content_type = STR("text/event-stream"),
      .extra = {{STR("Cache-Control"), STR("no-store")}, {STR("X-Accel-Buffering"), STR("no")}}};
  bool ended;
  buf_clear(out_of(s));
  put_beginning(s, out_of(s));
  cors_add(s->call, &head);
  call_log_access(s->call, head.status);
  enum http_flow flow = http_stream_begin(s->call->http, &head, buf_str(out_of(s)), &ended);
  if (ended) {
    s->call = NULL;
    stream_close(s);
    return;
  }
  note_flow(s, flow);
  s->begun = true;
  follower_begin(f, s->newest);
  streams_due(f->of, clock_mono_us() + STREAMS_CHECK_US);
  if (s->broken)
    stream_close(s);
  else
    stream_pump(s, s->sent_us);
}

static void beat(struct stream *s) {
  struct buf *out = out_of(s);
  buf_clear(out);
  BUF_LIT(out, ":\n");
  // No event of its own, but the client keeps the number.
  if (s->held_count == 0) put_mark(out, s->follower, s->seen);
  buf_char(out, '\n');
  send_out(s);
}

void stream_tick(struct stream *s, int64_t now_us, bool check) {
  struct api *api = s->follower->of->api;
  if (s->call == NULL || !s->begun) return;
  if (check && !auth_stands(api, &s->standing, &s->follower->of->scratch)) {
    stream_close(s);
    return;
  }
  if (flows(s) && now_us - s->sent_us >= api->settings.streams.heartbeat_ms * 1000) beat(s);
  if (s->broken)
    stream_close(s);
  else
    stream_pump(s, now_us);
}

void stream_drained(struct stream *s) {
  struct follower *f = s->follower;
  s->blocked = false;
  stream_pump(s, clock_mono_us());
  follower_release(f);
}

// One whose first reading is under way is answered when that is over.
void stream_close(struct stream *s) {
  s->gone = true;
  if (s->call && !s->begun && s->reading.busy) return;
  if (s->call) {
    struct http_request *request = s->call->http;
    s->call->stream = NULL;
    s->call = NULL;
    http_stream_end(request);
  }
  if (!s->reading.busy) stream_free(s);
}

void stream_gone(struct stream *s) {
  struct follower *f = s->follower;
  stream_close(s);
  follower_release(f);
}

void stream_free(struct stream *s) {
  struct follower *f = s->follower;
  if (s->previous)
    s->previous->next = s->next;
  else
    f->streams = s->next;
  if (s->next) s->next->previous = s->previous;
  f->stream_count--;
  f->of->count--;
  f->projects_wanted -= s->project != 0;
  if (f->session) session_seen(f->session);
  if (f->session) session_leave(f->session);
  if (f->session) sessions_soon(f->session->of);  // its time to idle begins
  if (s->reading.arena.block_bytes) arena_fini(&s->reading.arena);
  mem_free(s->reading.known);
  mem_free(s->held);
  buf_fini(&s->held_text);
  arena_fini(&s->arena);
  mem_free(s);
}
