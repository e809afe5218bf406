// parse.c: makes a request of the bytes: llhttp's callbacks, and the rules that it leaves to us.
//
// Needs llhttp built with LLHTTP_STRICT_MODE=1: the loose build takes any two bytes for the CRLF
// behind a chunk.
#include "http/inside.h"

#include "base/clock.h"

static struct request *of(llhttp_t *parser) { return parser->data; }

// The head is parsed in one piece, hence each name and each value comes in one piece, too. Fields
// of a trailer section never get here: conn.c scans it and drops it.
static int on_header_field(llhttp_t *parser, const char *at, size_t len) {
  struct http_request *r = &of(parser)->public;
  r->headers[r->header_count].name = (struct str){at, len};
  r->headers[r->header_count].value = (struct str){at + len, 0};
  return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len) {
  struct http_request *r = &of(parser)->public;
  r->headers[r->header_count].value = str_trim((struct str){at, len});
  return 0;
}

static int on_header_value_complete(llhttp_t *parser) {
  of(parser)->public.header_count++;
  return 0;
}

// An upgrade is not taken, which RFC 9110 section 7.8 allows: the request is read as it stands.
static int on_headers_complete(llhttp_t *parser) {
  of(parser)->flags = parser->flags;
  parser->upgrade = 0;
  return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len) {
  struct request *r = of(parser);
  if (r->body_inline) {
    memcpy(r->body_inline + r->body_inline_len, at, len);
    r->body_inline_len += len;
  } else {
    buf_bytes(&r->body, at, len);
  }
  return 0;
}

static int on_chunk_extension(llhttp_t *parser, const char *at, size_t len) {
  (void)at;
  struct request *r = of(parser);
  r->extension_bytes += len;
  if (r->extension_bytes <= CHUNK_EXTENSION_BYTES_MAX) return 0;
  llhttp_set_error_reason(parser, "a chunk extension is too long");
  return HPE_USER;
}

static int on_chunk_header(llhttp_t *parser) {
  struct request *r = of(parser);
  r->extension_bytes = 0;
  r->last_chunk = parser->content_length == 0;
  if (r->last_chunk) return HPE_PAUSED;
  r->too_large = parser->content_length > r->body.max - r->body.len;
  return r->too_large ? -1 : 0;
}

static int on_message_complete(llhttp_t *parser) {
  of(parser)->complete = true;
  return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

static enum err refuse_parser(const struct request *r, struct fault *why) {
  if (r->too_large) {
    return fault_set(why, ERR_BODY_TOO_LARGE,
                     "the body is over %zu bytes, the server's setting body_max; send less at a "
                     "time, or raise it",
                     r->body.max);
  }
  return fault_set(why, ERR_BAD_REQUEST, "the request is not clean HTTP/1.1: %s",
                   llhttp_get_error_reason(&r->parser));
}

static enum http_method method_of(const llhttp_t *parser) {
  switch (parser->method) {
  case HTTP_GET: return HTTP_METHOD_GET;
  case HTTP_HEAD: return HTTP_METHOD_HEAD;
  case HTTP_POST: return HTTP_METHOD_POST;
  case HTTP_PUT: return HTTP_METHOD_PUT;
  case HTTP_PATCH: return HTTP_METHOD_PATCH;
  case HTTP_DELETE: return HTTP_METHOD_DELETE;
  case HTTP_OPTIONS: return HTTP_METHOD_OPTIONS;
  default: return HTTP_METHOD_OTHER;
  }
}

// METHOD SP target SP HTTP/1.x, with single spaces. llhttp checks the method and the characters of
// the target, but knows more protocols than we serve, and more blanks than are allowed.
static enum err cut_request_line(struct request *r, struct str line, struct str *target,
                                 struct fault *why) {
  struct str version = line;
  (void)str_cut(&version, ' ');
  *target = str_is_none(version) ? STR_NONE : str_cut(&version, ' ');
  r->http_1_0 = str_eq(version, STR("HTTP/1.0"));
  if (!r->http_1_0 && !str_eq(version, STR("HTTP/1.1"))) {
    return fault_set(why, ERR_BAD_REQUEST, "the request line must be: method, target, HTTP/1.1");
  }
  size_t target_bytes_max = r->server->settings.uri_bytes_max;
  if (target->len > target_bytes_max) {
    return fault_set(why, ERR_URI_TOO_LONG, "the request target is over %zu bytes",
                     target_bytes_max);
  }
  return ERR_OK;
}

// What the headers say about the message itself.
struct framing {
  unsigned hosts, codings;
  struct str host, coding;
};

static bool is_sane_id(struct str value) {
  return value.len <= REQUEST_ID_BYTES_MAX && http_is_token(value);
}

// RFC 9110 section 7.6.1: words between commas, with blanks and tabs around them. llhttp looks for
// this one, too, but takes a tab behind it for a part of it.
static bool says_close(struct str words) {
  while (!str_is_none(words))
    if (str_eq_nocase(str_trim(str_cut(&words, ',')), STR("close"))) return true;
  return false;
}

static void read_header(struct request *r, const struct http_header *h, struct framing *framing) {
  switch (h->name.len) {
  case sizeof "Host" - 1:
    if (!str_eq_nocase(h->name, STR("Host"))) return;
    framing->hosts++;
    framing->host = h->value;
    return;
  case sizeof "Expect" - 1:
    if (!str_eq_nocase(h->name, STR("Expect"))) return;
    r->expects = str_eq_nocase(h->value, STR("100-continue")) && !r->http_1_0;
    return;
  case sizeof "Connection" - 1:
    if (!str_eq_nocase(h->name, STR("Connection"))) return;
    if (says_close(h->value)) r->close = true;
    return;
  case sizeof "X-Request-Id" - 1:
    if (!str_eq_nocase(h->name, STR("X-Request-Id"))) return;
    if (is_sane_id(h->value)) r->public.id = h->value;
    return;
  case sizeof "Transfer-Encoding" - 1:
    if (!str_eq_nocase(h->name, STR("Transfer-Encoding"))) return;
    framing->codings++;
    framing->coding = h->value;
    return;
  default: return;
  }
}

static enum err check_framing(const struct request *r, const struct framing *framing,
                              struct fault *why) {
  if (framing->hosts > 1 || (framing->hosts == 0 && !r->http_1_0)) {
    return fault_set(why, ERR_BAD_REQUEST, "there must be exactly one Host header");
  }
  if (!http_is_host(framing->host)) {
    return fault_set(why, ERR_BAD_REQUEST, "the Host header is not a host and a port");
  }
  if (framing->codings == 0) return ERR_OK;
  if (r->http_1_0) {
    return fault_set(why, ERR_BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding");
  }
  if (framing->codings > 1 || !str_eq_nocase(framing->coding, STR("chunked"))) {
    return fault_set(why, ERR_BAD_REQUEST, "Transfer-Encoding must be: chunked");
  }
  return ERR_OK;
}

// Slow ones and those that wait for the store add up.
static enum err check_bodies(struct request *r, struct fault *why) {
  if (http_request_fits(r)) return ERR_OK;
  return fault_set(why, ERR_OVERLOADED,
                   "the bodies of requests under way hold %zu bytes of memory, over the limit of "
                   "%zu bytes (bodies_max); nothing was changed, try again later",
                   r->server->body_bytes, r->server->settings.bodies_bytes_max);
}

// Refuses or makes room for what is announced. An announcement costs the client nothing, so a large
// body gets its memory as it comes.
static enum err prepare_body(struct request *r, struct fault *why) {
  uint64_t length = r->flags & F_CONTENT_LENGTH ? r->parser.content_length : 0;
  r->too_large = length > r->body.max;
  if (r->too_large) return refuse_parser(r, why);
  if (length > BODY_INLINE_BYTES) {
    (void)buf_room(&r->body, length < INPUT_BYTES ? (size_t)length : INPUT_BYTES);
    return check_bodies(r, why);
  } else if (length > 0) {
    r->body_inline = arena_alloc(&r->public.arena, (size_t)length);
  }
  return ERR_OK;
}

static enum err run_parser(struct request *r, struct str head, struct fault *why) {
  llhttp_init(&r->parser, HTTP_REQUEST, &callbacks);
  r->parser.data = r;
  llhttp_errno_t result = llhttp_execute(&r->parser, head.at, head.len);
  if (result != HPE_OK && result != HPE_PAUSED) return refuse_parser(r, why);
  r->public.method = method_of(&r->parser);
  r->close = r->http_1_0;
  return ERR_OK;
}

enum err http_parse_head(struct request *r, struct str head, unsigned lines, struct fault *why) {
  struct http_request *public = &r->public;
  public->started_us = clock_mono_us();
  head.at = memcpy(arena_alloc(&public->arena, head.len), head.at, head.len);
  public->headers = arena_alloc(&public->arena, lines * sizeof *public->headers);
  struct str target;
  TRY(cut_request_line(r, (struct str){head.at, str_find(head, '\r')}, &target, why));
  TRY(run_parser(r, head, why));
  struct framing framing = {0};
  for (size_t i = 0; i < public->header_count; i++) read_header(r, &public->headers[i], &framing);
  TRY(check_framing(r, &framing, why));
  TRY(http_target(public, target, framing.host, why));
  return prepare_body(r, why);
}

enum err http_parse_body(struct request *r, struct str piece, size_t *used, struct fault *why) {
  llhttp_errno_t result = llhttp_execute(&r->parser, piece.at, piece.len);
  if (result == HPE_OK) {
    *used = piece.len;
    return check_bodies(r, why);
  }
  if (result != HPE_PAUSED) return refuse_parser(r, why);
  *used = (size_t)(llhttp_get_error_pos(&r->parser) - piece.at);
  return check_bodies(r, why);
}
