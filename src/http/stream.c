// stream.c: answers without an end: their pieces, as chunks where the client knows chunks.
#include "http/inside.h"

#include <assert.h>
#include <stdio.h>

static char CHUNK_END[] = "\r\n";

// Whoever writes learns from the return that the client is gone, not from the hook as well.
static enum http_flow push(struct conn *c, const uv_buf_t *pieces, unsigned count) {
  struct request *r = c->request;
  bool knew = r->public.gone;
  r->public.gone = true;
  bool whole = http_push(c, pieces, count);
  if (c->state == CONN_CLOSED) return HTTP_GONE;
  r->public.gone = knew;
  return whole ? HTTP_FLOWS : HTTP_FULL;
}

static enum http_flow push_piece(struct conn *c, struct str head, struct str piece) {
  char size[24];
  int size_bytes = snprintf(size, sizeof size, "%zx\r\n", piece.len);
  uv_buf_t pieces[4] = {{(char *)(uintptr_t)head.at, head.len}};
  unsigned count = head.len > 0;
  bool some = piece.len > 0;
  if (some && c->chunked) pieces[count++] = (uv_buf_t){size, (size_t)size_bytes};
  if (some) pieces[count++] = (uv_buf_t){(char *)(uintptr_t)piece.at, piece.len};
  if (some && c->chunked) pieces[count++] = (uv_buf_t){CHUNK_END, sizeof CHUNK_END - 1};
  return count ? push(c, pieces, count) : HTTP_FLOWS;
}

static void compose(struct request *r, const struct http_answer *answer, bool close) {
  http_compose_head(r->server, &(struct sending){.answer = answer,
                                                 .id = r->public.id,
                                                 .close = close,
                                                 .stream = true,
                                                 .chunked = !r->http_1_0});
}

// A head is all that HEAD gets.
static enum http_flow answer_head(struct request *r, const struct http_answer *answer, bool close) {
  struct conn *c = r->conn;
  r->server->stats.in_flight--;
  c->request = NULL;
  http_send(c, &(struct sending){.answer = answer,
                                 .id = r->public.id,
                                 .head_only = true,
                                 .close = close,
                                 .stream = true,
                                 .chunked = !r->http_1_0});
  http_request_free(r);
  return HTTP_GONE;
}

enum http_flow http_stream_begin(struct http_request *public, const struct http_answer *answer,
                                 struct str first, bool *ended) {
  struct request *r = (struct request *)public;
  struct http_server *s = r->server;
  struct conn *c = r->conn;
  assert(r->handed && !r->streaming && s->hooks.drained);
  bool close = answer->close || r->close || r->http_1_0 || s->draining;
  *ended = c && public->method == HTTP_METHOD_HEAD;
  if (*ended) return answer_head(r, answer, close);
  r->streaming = true;
  s->stats.in_flight--;
  s->stats.streams++;
  if (c == NULL) return HTTP_GONE;
  int bytes = STREAM_SOCKET_BYTES;
  (void)uv_send_buffer_size((uv_handle_t *)&c->tcp, &bytes);
  c->chunked = !r->http_1_0;
  c->close_after = close;
  compose(r, answer, close);
  http_conn_enter(c, CONN_STREAMING, -1);
  return push_piece(c, buf_str(&s->head), first);
}

enum http_flow http_stream_write(struct http_request *public, struct str piece) {
  struct request *r = (struct request *)public;
  assert(r->streaming);
  if (r->conn == NULL) return HTTP_GONE;
  assert(r->conn->rest == NULL);
  return push_piece(r->conn, STR(""), piece);
}

void http_stream_end(struct http_request *public) {
  struct request *r = (struct request *)public;
  struct conn *c = r->conn;
  assert(r->streaming);
  r->server->stats.streams--;
  if (c) {
    c->request = NULL;
    c->close_after |= r->server->draining;
    c->end_owed = c->chunked;
    c->state = CONN_SENDING;  // with the deadline of `rest`, if there is some
    if (c->rest == NULL) http_finish(c);
  }
  http_request_free(r);
}
