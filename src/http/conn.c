// conn.c: a connection, from its first byte to its last.
//
//                 ┌─────────────────── http_conn_sent ─────────────────────┐
//                 ▼                                                        │
//   open ──▶    IDLE ──▶ HEAD ──▶ BODY ──▶ TRAILER ──▶ BUSY ──▶ SENDING ───┤
//                          │        │         │         │          ▲       │
//                          │        │         │         └▶ STREAMING ──────┤
//                          └────────┴─────────┴── refuse ──▶───────┘       ▼
//                                                             CLOSED ◀── LINGER
//
//  IDLE     Between requests. No byte of the next one is here, or it waits in `pending` for
//           http_conn_resume. Deadline: idle. Left by drive with the first byte.
//  HEAD     `pending` starts with the request; `scan` has checked what came of its head.
//           Deadline: head, from its first byte. Left by take_head when the head is whole: to BODY,
//           or to BUSY when there is none.
//  BODY     `request` is parsed but for its body. Deadline: minimum rate. Left by take_body: to
//           BUSY, or after the last chunk to TRAILER.
//  TRAILER  The body is whole, the trailer section of the chunked message is not; it is checked and
//           dropped. Deadline: minimum rate. Left by take_trailer to BUSY.
//  BUSY     The handler owes the answer to `request`. What is pipelined goes to `pending`; reading
//           goes on, so that a client's leaving is seen, and pauses only at PENDING_BYTES_MAX.
//           Deadline: none, it is the handler's. Left by http_respond, or to STREAMING.
//  SENDING  The socket did not take the whole answer; libuv sends `rest`. Mostly passed over.
//           Deadline: write, while nothing moves. Left by http_conn_sent to IDLE or LINGER.
//  STREAMING  The head of an answer without an end is out, and pieces follow as the handler has
//           them, from http_stream_begin to http_stream_end. Input is treated as in BUSY. While
//           libuv sends `rest`: deadline write, while nothing moves; else none. Left to IDLE or
//           LINGER, or to SENDING when a piece is still under way.
//  LINGER   The last answer is out and our side shut. What still comes is thrown away, because
//           closing on unread input would reset the connection and may take the answer with it.
//           Deadline: LINGER_MS. Left by the client's close.
//  CLOSED   libuv is closing the socket; on_closed frees the connection.
//
// Every state may go to CLOSED: on a broken connection, past a deadline that has no answer, when
// the server stops. A client that only shuts its sending side may still be reading: the handler
// learns that it is gone, but the answer is sent all the same.
#include "http/inside.h"

#include <assert.h>

#include "base/mem.h"

void http_conn_enter(struct conn *c, enum conn_state state, int64_t for_ms) {
  c->state = state;
  c->deadline_ms = for_ms < 0 ? INT64_MAX : (int64_t)uv_now(&c->server->loop) + for_ms;
}

static void on_closed(uv_handle_t *handle) {
  struct conn *c = handle->data;
  struct http_server *s = c->server;
  assert(c->state == CONN_CLOSED && c->request == NULL && c->rest == NULL);
  link_remove(&c->link);
  buf_fini(&c->pending);
  mem_free(c);
  http_server_count_out(s);
}

void http_conn_close(struct conn *c) {
  if (c->state == CONN_CLOSED) return;
  struct request *r = c->request;
  c->request = NULL;
  link_remove(&c->resuming);
  http_conn_enter(c, CONN_CLOSED, -1);
  uv_close((uv_handle_t *)&c->tcp, on_closed);
  if (r == NULL) return;
  r->conn = NULL;
  if (r->handed) {
    http_request_gone(r);
  } else {
    http_request_free(r);
  }
}

static void on_shut(uv_shutdown_t *shutdown, int status) {
  struct conn *c = shutdown->data;
  if (status < 0) http_conn_close(c);
}

static void linger(struct conn *c) {
  if (c->eof) {
    http_conn_close(c);
    return;
  }
  http_conn_enter(c, CONN_LINGER, LINGER_MS);
  c->received = 0;
  c->uv.shutdown.data = c;
  if (uv_shutdown(&c->uv.shutdown, (uv_stream_t *)&c->tcp, on_shut) < 0) http_conn_close(c);
}

static void throw_away(struct conn *c, size_t bytes) {
  c->received += bytes;
  if (c->received > LINGER_BYTES_MAX) http_conn_close(c);
}

// The handler has its request.
static bool owes_answer(const struct conn *c) {
  return c->state == CONN_BUSY || c->state == CONN_STREAMING;
}

static void hand_over(struct conn *c) {
  http_conn_enter(c, CONN_BUSY, -1);
  http_request_hand_over(c->request);
  if (owes_answer(c) && c->eof) http_request_gone(c->request);
}

// A body at the minimum rate b after a grace g has r bytes at g + r/b at the latest. One that came
// faster has not earned a long pause: at most 2g.
static void expect_body(struct conn *c, enum conn_state state) {
  const struct http_settings *settings = &c->server->settings;
  http_conn_enter(c, state, 2 * settings->body_grace_ms);
  int64_t due_ms = c->body_due_ms + (int64_t)c->received * 1000 / settings->body_rate_min;
  if (due_ms < c->deadline_ms) c->deadline_ms = due_ms;
}

static void start_body(struct conn *c, bool some_is_here) {
  c->received = 0;
  c->body_due_ms = (int64_t)uv_now(&c->server->loop) + c->server->settings.body_grace_ms;
  expect_body(c, CONN_BODY);
  if (c->request->expects && !some_is_here) http_send_continue(c);
}

static bool take_head(struct conn *c, struct str *in) {
  struct http_server *s = c->server;
  bool whole;
  enum err err = http_scan(&c->scan, *in, &s->settings, &whole, &s->why);
  if (err == ERR_OK && !whole) return false;
  struct str head = {in->at + c->scan.start, c->scan.at - c->scan.start};
  if (err == ERR_OK) {
    *in = str_from(*in, c->scan.at);
    c->request = http_request_new(c);
    err = http_parse_head(c->request, head, c->scan.lines, &s->why);
  }
  if (err != ERR_OK) {
    http_refuse(c, err, s->why.detail);
  } else if (c->request->complete) {
    hand_over(c);
  } else {
    start_body(c, in->len > 0);
  }
  return true;
}

static void take_body(struct conn *c, struct str *in) {
  size_t used = 0;
  enum err err = http_parse_body(c->request, *in, &used, &c->server->why);
  *in = str_from(*in, used);
  c->received += used;
  if (err != ERR_OK) {
    http_refuse(c, err, c->server->why.detail);
  } else if (c->request->complete) {
    hand_over(c);
  } else if (c->request->last_chunk) {
    c->scan = (struct scan){.lines = 1};
    expect_body(c, CONN_TRAILER);
  } else {
    expect_body(c, CONN_BODY);
  }
}

static bool take_trailer(struct conn *c, struct str *in) {
  struct http_server *s = c->server;
  bool whole;
  enum err err = http_scan(&c->scan, *in, &s->settings, &whole, &s->why);
  if (err != ERR_OK) {
    http_refuse(c, err, s->why.detail);
  } else if (whole) {
    *in = str_from(*in, c->scan.at);
    hand_over(c);
  }
  return err != ERR_OK || whole;
}

static void drive(struct conn *c, struct str *in) {
  bool enough = true;
  c->driving = true;
  while (in->len > 0 && enough) {
    switch (c->state) {
    case CONN_IDLE:
      c->scan = (struct scan){0};
      http_conn_enter(c, CONN_HEAD, c->server->settings.head_timeout_ms);
      break;
    case CONN_HEAD: enough = take_head(c, in); break;
    case CONN_BODY: take_body(c, in); break;
    case CONN_TRAILER: enough = take_trailer(c, in); break;
    case CONN_BUSY:
    case CONN_STREAMING:
    case CONN_SENDING: enough = false; break;
    case CONN_LINGER:
    case CONN_CLOSED: *in = str_from(*in, in->len); break;
    }
  }
  c->driving = false;
}

// Whether input has to wait in `pending`, which is then bounded.
static bool is_waiting(const struct conn *c) {
  return owes_answer(c) || c->state == CONN_SENDING || !link_is_alone(&c->resuming);
}

static void keep(struct conn *c, struct str in) {
  if (in.len == 0) return;
  if (c->pending_from > 0) {
    c->pending.len -= c->pending_from;
    memmove(c->pending.at, c->pending.at + c->pending_from, c->pending.len);
    c->pending_from = 0;
  }
  buf_put(&c->pending, in);
  assert(!c->pending.overflow);
}

// An idle connection keeps no memory for input.
static void drop_consumed(struct conn *c) {
  if (http_conn_pending(c) > 0) return;
  buf_fini(&c->pending);
  c->pending_from = 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
  (void)suggested;
  struct conn *c = handle->data;
  size_t room = INPUT_BYTES;
  if (is_waiting(c)) {
    assert(http_conn_pending(c) < PENDING_BYTES_MAX);
    room = PENDING_BYTES_MAX - http_conn_pending(c);
  }
  *out = (uv_buf_t){c->server->input, room};
}

static void on_eof(struct conn *c) {
  c->eof = true;
  c->reading = false;
  if (owes_answer(c)) {
    http_request_gone(c->request);
  } else if (!is_waiting(c)) {
    http_conn_close(c);
  }
}

static void on_bytes(struct conn *c, struct str in) {
  if (c->state == CONN_LINGER) {
    throw_away(c, in.len);
  } else if (is_waiting(c)) {
    keep(c, in);
  } else if (http_conn_pending(c) > 0) {
    keep(c, in);
    http_conn_resume(c);
  } else {
    drive(c, &in);
    keep(c, in);
  }
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

// Paused when `pending` is full, taken up again when half of it is consumed.
static void update_reading(struct conn *c) {
  if (c->state == CONN_CLOSED || c->eof) return;
  size_t most = c->reading ? PENDING_BYTES_MAX : PENDING_BYTES_MAX / 2;
  bool wanted = !is_waiting(c) || http_conn_pending(c) < most;
  if (wanted == c->reading) return;
  c->reading = wanted;
  if (!wanted) {
    uv_read_stop((uv_stream_t *)&c->tcp);
  } else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0) {
    http_conn_close(c);
  }
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
  struct conn *c = stream->data;
  if (count == UV_EOF) {
    on_eof(c);
  } else if (count < 0) {
    http_conn_close(c);
  } else if (count > 0) {
    on_bytes(c, (struct str){buffer->base, (size_t)count});
    update_reading(c);
  }
}

// When the client has shut its side, what cannot be completed from `pending` never will be.
void http_conn_resume(struct conn *c) {
  struct str in = {c->pending.at + c->pending_from, http_conn_pending(c)};
  drive(c, &in);
  c->pending_from = c->pending.len - in.len;
  drop_consumed(c);
  if (c->eof && !is_waiting(c)) http_conn_close(c);
  update_reading(c);
}

// An answer that was begun before draining did not say that it is the last one. What is pipelined
// behind it still gets its answer, which says so.
static bool is_last(const struct conn *c) {
  return c->close_after || (c->server->draining && http_conn_pending(c) == 0);
}

// Pending input is not consumed here but from the loop: http_respond must not call the handler,
// which may be in the middle of something.
void http_conn_sent(struct conn *c) {
  if (is_last(c)) {
    linger(c);
  } else {
    http_conn_enter(c, CONN_IDLE, c->server->settings.idle_timeout_ms);
    if (c->driving) return;
    if (http_conn_pending(c) > 0) {
      http_server_resume_soon(c);
    } else if (c->eof) {
      http_conn_close(c);
    }
  }
  update_reading(c);
}

static void expire_sending(struct conn *c) {
  size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
  if (left < c->rest_left) {
    c->rest_left = left;
    http_conn_enter(c, c->state, c->server->settings.write_timeout_ms);
  } else {
    http_conn_close(c);
  }
}

void http_conn_expire(struct conn *c) {
  switch (c->state) {
  case CONN_HEAD:
    http_refuse(c, ERR_REQUEST_TIMEOUT, "the request head did not arrive in time");
    break;
  case CONN_BODY:
  case CONN_TRAILER:
    http_refuse(c, ERR_REQUEST_TIMEOUT, "the request body comes too slowly");
    break;
  case CONN_STREAMING:
  case CONN_SENDING: expire_sending(c); break;
  case CONN_IDLE:
  case CONN_LINGER: http_conn_close(c); break;
  case CONN_BUSY:
  case CONN_CLOSED: assert(false);
  }
  update_reading(c);
}

// The peer's address as text; an IPv4 address that came through an IPv6 socket as IPv4.
static void name_peer(struct conn *c) {
  struct sockaddr_storage address;
  int bytes = sizeof address;
  if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&address, &bytes) < 0) return;
  if (address.ss_family == AF_INET6) {
    uv_ip6_name((struct sockaddr_in6 *)&address, c->peer, sizeof c->peer);
    struct str text = str_of(c->peer);
    bool mapped = str_starts(text, STR("::ffff:")) && str_find(text, '.') < text.len;
    if (mapped) memmove(c->peer, c->peer + 7, text.len - 7 + 1);
  } else {
    uv_ip4_name((struct sockaddr_in *)&address, c->peer, sizeof c->peer);
  }
}

static struct conn *conn_new(struct http_server *s) {
  struct conn *c = mem_zero(sizeof *c);
  c->server = s;
  c->tcp.data = c;
  buf_init(&c->pending, s->settings.head_bytes_max + INPUT_BYTES + PENDING_BYTES_MAX);
  link_init(&c->resuming);
  link_append(&s->conns, &c->link);
  return c;
}

void http_conn_open(struct http_server *s, uv_stream_t *listener) {
  struct conn *c = conn_new(s);
  http_server_count_in(s);
  uv_tcp_init(&s->loop, &c->tcp);
  http_conn_enter(c, CONN_IDLE, s->settings.idle_timeout_ms);
  uint64_t most = s->settings.connections_max;
  if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 ||
      s->stats.connections > most + CONNECTIONS_REFUSED_MAX) {
    http_conn_close(c);
    return;
  }
  uv_tcp_nodelay(&c->tcp, 1);
  name_peer(c);
  if (s->stats.connections > most) {
    http_refuse(c, ERR_OVERLOADED, "the server has as many connections as it may have");
  }
  update_reading(c);
}
