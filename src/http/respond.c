// respond.c: sends answers: head and body with one system call, and no copy of what it takes.
#include "http/inside.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"

struct status_line {
  const char *at;
  size_t len;
};

static const struct status_line status_lines[600] = {
#define STATUS(code, reason, meaning)                                                              \
  [code] = {"HTTP/1.1 " #code " " reason "\r\n", sizeof("HTTP/1.1 " #code " " reason "\r\n") - 1},
#include "http/status.def"
#undef STATUS
};

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// IMF-fixdate (RFC 9110 section 5.6.7), which strftime would translate.
static void put_date(struct http_server *s) {
  uint64_t second = uv_now(&s->loop) / 1000 + 1;  // never 0, so that the first one is made
  if (second != s->date_second) {
    s->date_second = second;
    time_t now = time(NULL);
    struct tm t;
    gmtime_r(&now, &t);
    snprintf(s->date, sizeof s->date, "Date: %s, %02u %s %04u %02u:%02u:%02u GMT\r\n",
             days[t.tm_wday], (unsigned)t.tm_mday % 100, months[t.tm_mon],
             (unsigned)(t.tm_year + 1900) % 10000, (unsigned)t.tm_hour % 100,
             (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
  }
  buf_bytes(&s->head, s->date, sizeof "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" - 1);
}

// A line break in a value would start another header: controls become blanks.
static void put_header(struct buf *b, struct str name, struct str value) {
  buf_put(b, name);
  BUF_LIT(b, ": ");
  size_t start = b->len;
  buf_put(b, value);
  for (size_t i = start; i < b->len; i++) {
    if ((unsigned char)b->at[i] < 0x20 || b->at[i] == 0x7f) b->at[i] = ' ';
  }
  BUF_LIT(b, "\r\n");
}

static bool has_body(const struct http_answer *answer) {
  return !str_is_none(answer->content_type) && answer->status != 204 && answer->status != 304;
}

static void put_extra(struct buf *b, const struct http_answer *answer) {
  size_t count = sizeof answer->extra / sizeof answer->extra[0];
  for (size_t i = 0; i < count && !str_is_none(answer->extra[i].name); i++) {
    put_header(b, answer->extra[i].name, answer->extra[i].value);
  }
}

static void put_length(struct buf *b, const struct sending *what) {
  const struct http_answer *answer = what->answer;
  if (what->chunked) BUF_LIT(b, "Transfer-Encoding: chunked\r\n");
  if (what->stream || answer->status == 204 || answer->status == 304) return;
  BUF_LIT(b, "Content-Length: ");
  buf_i64(b, has_body(answer) ? (int64_t)answer->body.len : 0);
  BUF_LIT(b, "\r\n");
}

void http_compose_head(struct http_server *s, const struct sending *what) {
  const struct http_answer *answer = what->answer;
  assert(answer->status >= 200 && answer->status < 600 && status_lines[answer->status].at);
  struct buf *b = &s->head;
  buf_clear(b);
  buf_bytes(b, status_lines[answer->status].at, status_lines[answer->status].len);
  if (has_body(answer)) put_header(b, STR("Content-Type"), answer->content_type);
  put_length(b, what);
  put_header(b, STR("X-Request-Id"), what->id);
  put_date(s);
  put_extra(b, answer);
  if (what->close) BUF_LIT(b, "Connection: close\r\n");
  BUF_LIT(b, "\r\n");
  assert(!b->overflow);
}

static void on_rest_sent(uv_write_t *write, int status) {
  struct conn *c = write->data;
  mem_free(c->rest);
  c->rest = NULL;
  // Closed meanwhile: libuv tells only now of what it had written before.
  if (status < 0 || c->state == CONN_CLOSED) {
    http_conn_close(c);
  } else if (c->state == CONN_STREAMING) {
    struct http_server *s = c->server;
    http_conn_enter(c, CONN_STREAMING, -1);
    s->hooks.drained(s->hooks.self, &c->request->public);
  } else {
    http_finish(c);
  }
}

// Copies what is left of the pieces behind their first `sent` bytes, and lets libuv send it.
static void send_rest(struct conn *c, const uv_buf_t *pieces, unsigned count, size_t sent) {
  size_t total = 0, at = 0;
  for (unsigned i = 0; i < count; i++) total += pieces[i].len;
  c->rest = mem_alloc(total - sent);
  for (unsigned i = 0; i < count; i++) {
    size_t skip = sent < pieces[i].len ? sent : pieces[i].len, left = pieces[i].len - skip;
    if (left) memcpy(c->rest + at, pieces[i].base + skip, left);
    at += left;
    sent -= skip;
  }
  c->rest_left = at;
  c->uv.write.data = c;
  uv_buf_t rest = {c->rest, at};
  http_conn_enter(c, c->state, c->server->settings.write_timeout_ms);
  if (uv_write(&c->uv.write, (uv_stream_t *)&c->tcp, &rest, 1, on_rest_sent) == 0) return;
  mem_free(c->rest);
  c->rest = NULL;
  http_conn_close(c);
}

bool http_push(struct conn *c, const uv_buf_t *pieces, unsigned count) {
  size_t total = 0;
  for (unsigned i = 0; i < count; i++) total += pieces[i].len;
  int sent = uv_try_write((uv_stream_t *)&c->tcp, pieces, count);
  if (sent == UV_EAGAIN) sent = 0;
  if (sent < 0) {
    http_conn_close(c);
    return false;
  }
  if ((size_t)sent == total) return true;
  send_rest(c, pieces, count, (size_t)sent);
  return false;
}

void http_finish(struct conn *c) {
  static char text[] = "0\r\n\r\n";
  uv_buf_t last = {text, sizeof text - 1};
  bool owed = c->end_owed;
  c->end_owed = false;
  if (!owed || http_push(c, &last, 1)) http_conn_sent(c);
}

void http_send(struct conn *c, const struct sending *what) {
  http_compose_head(c->server, what);
  bool body = has_body(what->answer) && !what->head_only && what->answer->body.len > 0;
  uv_buf_t pieces[2] = {{c->server->head.at, c->server->head.len},
                        {(char *)(uintptr_t)what->answer->body.at, what->answer->body.len}};
  c->close_after = what->close;
  c->end_owed = false;
  c->state = CONN_SENDING;
  if (http_push(c, pieces, body ? 2 : 1)) http_conn_sent(c);
}

// Nothing else is unsent when a body is waited for, so the socket takes this whole or is broken.
bool http_send_continue(struct conn *c) {
  static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
  uv_buf_t piece = {text, sizeof text - 1};
  if (uv_try_write((uv_stream_t *)&c->tcp, &piece, 1) == (int)piece.len) return true;
  http_conn_close(c);
  return false;
}

void http_respond(struct http_request *public, const struct http_answer *answer) {
  struct request *r = (struct request *)public;
  assert(r->handed);
  r->server->stats.in_flight--;
  struct conn *c = r->conn;
  if (c) {
    c->request = NULL;
    http_send(c, &(struct sending){
                     .answer = answer,
                     .id = public->id,
                     .head_only = public->method == HTTP_METHOD_HEAD,
                     .close = answer->close || r->close || r->server->draining,
                 });
  }
  http_request_free(r);
}
