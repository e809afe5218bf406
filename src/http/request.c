// request.c: requests: taken from a free list, handed to the handler, and given back.
#include "http/inside.h"

#include <assert.h>

#include "base/mem.h"
#include "base/rand.h"

struct str http_header(const struct http_request *r, struct str name) {
  for (size_t i = 0; i < r->header_count; i++) {
    if (str_eq_nocase(r->headers[i].name, name)) return r->headers[i].value;
  }
  return STR_NONE;
}

static struct request *take_free(struct http_server *s) {
  if (link_is_alone(&s->free_requests)) {
    struct request *r = mem_zero(sizeof *r);
    arena_init(&r->public.arena, BLOCK_BYTES - 64);
    buf_init(&r->body, s->settings.body_bytes_max);
    link_init(&r->link);
    return r;
  }
  struct request *r = LINK_OF(struct request, link, s->free_requests.prev);
  link_remove(&r->link);
  s->free_request_count--;
  return r;
}

// The peer is copied because a request can outlive its connection.
struct request *http_request_new(struct conn *c) {
  struct http_server *s = c->server;
  struct request *fresh = take_free(s);
  struct arena arena = fresh->public.arena;
  struct buf body = fresh->body;
  *fresh = (struct request){.public.arena = arena, .body = body, .server = s, .conn = c};
  link_append(&s->requests, &fresh->link);
  fresh->public.peer = arena_dup(&fresh->public.arena, str_of(c->peer));
  return fresh;
}

void http_request_free(struct request *r) {
  struct http_server *s = r->server;
  link_remove(&r->link);
  s->body_bytes -= r->body_held;
  buf_fini(&r->body);
  if (s->free_request_count >= FREE_REQUESTS_MAX) {
    arena_fini(&r->public.arena);
    mem_free(r);
    return;
  }
  arena_reset(&r->public.arena);
  r->handed = false;
  link_append(&s->free_requests, &r->link);
  s->free_request_count++;
}

bool http_request_fits(struct request *r) {
  struct http_server *s = r->server;
  s->body_bytes += r->body.cap - r->body_held;
  r->body_held = r->body.cap;
  return s->body_bytes <= s->settings.bodies_bytes_max || s->body_bytes == r->body_held;
}

struct str http_request_id_new(char out[24]) {
  static const char digits[] = "0123456789abcdef";
  unsigned char bytes[12];
  rand_bytes(bytes, sizeof bytes);
  for (size_t i = 0; i < sizeof bytes; i++) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  return (struct str){out, 24};
}

void http_request_hand_over(struct request *r) {
  struct http_server *s = r->server;
  struct http_request *public = &r->public;
  public->body =
      r->body_inline ? (struct str){r->body_inline, r->body_inline_len} : buf_str(&r->body);
  if (str_is_none(public->id)) public->id = http_request_id_new(arena_alloc(&public->arena, 24));
  r->handed = true;
  s->stats.requests_total++;
  s->stats.in_flight++;
  s->hooks.handle(s->hooks.self, public);
}

void http_request_gone(struct request *r) {
  assert(r->handed);
  if (r->public.gone) return;
  r->public.gone = true;
  if (r->server->hooks.gone) r->server->hooks.gone(r->server->hooks.self, &r->public);
}
