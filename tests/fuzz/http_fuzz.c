// http_fuzz.c: bytes of a connection to requests, in one piece and in many.
//
// The first byte says how the rest is cut. What must hold: the cuts change nothing; what is
// accepted keeps the rules that smuggling needs broken (RFC 9112 section 6.3); a request that was
// read comes back when it is written in its plainest form and read again.
#include "fuzz.h"

#include "http/inside.h"

enum { STORY_BYTES_MAX = 1 << 20 };

static struct http_server server = {.settings = {.body_bytes_max = 3000,
                                                 .bodies_bytes_max = 1 << 20,
                                                 .head_bytes_max = 600,
                                                 .uri_bytes_max = 120,
                                                 .headers_max = 8}};
static struct conn connection = {.server = &server, .peer = "127.0.0.1"};

// A connection that is read as conn.c does it, without sockets.
struct reading {
  enum conn_state state;
  struct scan scan;
  struct request *request;
  struct buf *pending;
  struct buf *story;  // every request that came of it, and how it ended
  bool checks;        // whether accepted requests are looked at besides
  struct fault why;
};

// They stay from one input to the next.
enum role { PENDING, WHOLE, PIECES, BYTES, PLAIN, FIRST, AGAIN, ROLES };
static struct buf bufs[ROLES];

static struct buf *fresh(enum role role) {
  if (bufs[role].max == 0) buf_init(&bufs[role], STORY_BYTES_MAX);
  buf_clear(&bufs[role]);
  return &bufs[role];
}

static void check_request(const struct request *r);
static void check_target(struct http_request *r);

static void tell(struct buf *story, const char *what, struct str text) {
  buf_put(story, str_of(what));
  BUF_LIT(story, " [");
  buf_put(story, text);
  BUF_LIT(story, "]\n");
}

static struct str method_of(const struct request *r) {
  return str_of(llhttp_method_name((llhttp_method_t)r->parser.method));
}

// Chunks are told as the length that they had.
static void tell_request(const struct request *r, struct buf *story) {
  const struct http_request *public = &r->public;
  char length[24];
  tell(story, r->http_1_0 ? "1.0" : "1.1", method_of(r));
  if (r->close) BUF_LIT(story, "closes\n");
  if (r->expects) BUF_LIT(story, "expects\n");
  tell(story, "path", public->path);
  tell(story, str_is_none(public->query) ? "no query" : "query", public->query);
  for (size_t i = 0; i < public->header_count; i++) {
    struct http_header h = public->headers[i];
    if (str_eq_nocase(h.name, STR("transfer-encoding"))) {
      snprintf(length, sizeof length, "%zu", public->body.len);
      h = (struct http_header){STR("Content-Length"), str_of(length)};
    }
    tell(story, "header", h.name);
    tell(story, "value", h.value);
  }
  tell(story, "body", public->body);
}

static void end_request(struct reading *c) {
  struct request *r = c->request;
  r->public.body =
      r->body_inline ? (struct str){r->body_inline, r->body_inline_len} : buf_str(&r->body);
  if (c->checks) check_target(&r->public);
  if (c->checks) check_request(r);
  tell_request(r, c->story);
  http_request_free(r);
  c->request = NULL;
  c->state = CONN_IDLE;
}

static void refuse_rest(struct reading *c, enum err err) {
  struct fault *why = &c->why;
  tell(c->story, err_code(err), str_of(why->detail));
  HOLDS(err == why->err && err_http_status(err) >= 400 && why->detail[0], "a refusal says why");
  if (c->request) http_request_free(c->request);
  c->request = NULL;
  c->state = CONN_CLOSED;
}

static bool take_head(struct reading *c, struct str *in) {
  bool whole = false;
  struct fault *why = &c->why;
  enum err err = http_scan(&c->scan, *in, &server.settings, &whole, why);
  if (err == ERR_OK && !whole) return false;
  struct str head = {in->at + c->scan.start, c->scan.at - c->scan.start};
  if (err == ERR_OK) {
    *in = str_from(*in, c->scan.at);
    c->request = http_request_new(&connection);
    err = http_parse_head(c->request, head, c->scan.lines, why);
  }
  if (err != ERR_OK)
    refuse_rest(c, err);
  else if (c->request->complete)
    end_request(c);
  else
    c->state = CONN_BODY;
  return true;
}

static void take_body(struct reading *c, struct str *in) {
  size_t used = 0;
  enum err err = http_parse_body(c->request, *in, &used, &c->why);
  HOLDS(used <= in->len, "no more is used than there is");
  *in = str_from(*in, used);
  if (err != ERR_OK) {
    refuse_rest(c, err);
  } else if (c->request->complete) {
    end_request(c);
  } else if (c->request->last_chunk) {
    c->scan = (struct scan){.lines = 1};
    c->state = CONN_TRAILER;
  }
}

static bool take_trailer(struct reading *c, struct str *in) {
  bool whole = false;
  enum err err = http_scan(&c->scan, *in, &server.settings, &whole, &c->why);
  if (err != ERR_OK) {
    refuse_rest(c, err);
  } else if (whole) {
    *in = str_from(*in, c->scan.at);
    end_request(c);
  }
  return err != ERR_OK || whole;
}

static void drive(struct reading *c, struct str *in) {
  bool enough = true;
  while (in->len > 0 && enough) {
    switch (c->state) {
    case CONN_IDLE:
      c->scan = (struct scan){0};
      c->state = CONN_HEAD;
      break;
    case CONN_HEAD: enough = take_head(c, in); break;
    case CONN_BODY: take_body(c, in); break;
    case CONN_TRAILER: enough = take_trailer(c, in); break;
    default: *in = str_from(*in, in->len); break;
    }
  }
}

static void feed(struct reading *c, struct str piece) {
  buf_put(c->pending, piece);
  struct str exact = exact_copy(buf_str(c->pending)), in = exact;
  drive(c, &in);
  if (in.len < exact.len) {
    buf_clear(c->pending);
    buf_put(c->pending, in);
  }
  exact_free(exact);
}

// Pieces of 1 to `most` bytes, as the input's own bytes fall; 0: one piece. What follows a refusal
// is thrown away, as conn.c does it.
static struct str read_all(struct str in, unsigned most, enum role role) {
  struct reading c = {.pending = fresh(PENDING), .story = fresh(role), .checks = role == WHOLE};
  while (in.len > 0 && c.state != CONN_CLOSED) {
    size_t len = most ? 1 + (unsigned char)in.at[in.len / 2] % most : in.len;
    if (len > in.len) len = in.len;
    feed(&c, (struct str){in.at, len});
    in = str_from(in, len);
  }
  if (c.request) http_request_free(c.request);
  BUF_LIT(c.story, "ends in state ");
  buf_i64(c.story, (int)c.state);
  return buf_str(c.story);
}

// --- what is said of accepted requests -----------------------------------------------------------

static void check_headers(const struct request *r) {
  const struct http_request *public = &r->public;
  unsigned hosts = 0, lengths = 0, codings = 0;
  for (size_t i = 0; i < public->header_count; i++) {
    const struct http_header *h = &public->headers[i];
    HOLDS(http_is_token(h->name), "a header's name is a token");
    for (size_t k = 0; k < h->value.len; k++)
      HOLDS((unsigned char)h->value.at[k] >= 0x20 || h->value.at[k] == '\t',
            "values hold no control");
    hosts += str_eq_nocase(h->name, STR("host"));
    codings += str_eq_nocase(h->name, STR("transfer-encoding"));
    if (!str_eq_nocase(h->name, STR("content-length"))) continue;
    int64_t length = -1;
    lengths++;
    HOLDS(h->value.at[0] != '+' && str_to_i64(h->value, &length), "a length is digits");
    HOLDS(length == (int64_t) public->body.len, "the body is as long as it was announced");
  }
  HOLDS(public->header_count <= server.settings.headers_max, "headers are bounded");
  HOLDS(hosts == 1 || (hosts == 0 && r->http_1_0), "there is one Host");
  HOLDS(lengths + codings <= 1, "there is one way to know the body's length");
  HOLDS(codings == 0 || !r->http_1_0, "HTTP/1.0 has no chunks");
  HOLDS(lengths + codings == 1 || public->body.len == 0, "no body comes unannounced");
}

// Decoded text, every byte of it escaped, decodes to itself.
static void check_decoded(struct arena *a, struct str text) {
  static const char HEX[] = "0123456789aBcDeF";
  char *escaped = arena_alloc(a, text.len * 3 + 1);
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.at[i];
    escaped[3 * i] = '%';
    escaped[3 * i + 1] = HEX[c >> 4];
    escaped[3 * i + 2] = HEX[c & 15];
  }
  struct str again;
  HOLDS(http_path_decode(a, (struct str){escaped, text.len * 3}, &again), "escaped text decodes");
  HOLDS(str_eq(text, again), "escaped text decodes to itself");
}

static void check_target(struct http_request *r) {
  HOLDS(r->path.len > 0 && (r->path.at[0] == '/' || str_eq(r->path, STR("*"))), "a path is one");
  struct str path = r->path, decoded, cursor = r->query, name, value;
  while (!str_is_none(path)) {
    struct str segment = exact_copy(str_cut(&path, '/'));
    if (http_path_decode(&r->arena, segment, &decoded)) check_decoded(&r->arena, decoded);
    exact_free(segment);
  }
  bool bad = false;
  while (http_query_next(r, &cursor, &name, &value, &bad)) {
    if (bad) break;
    check_decoded(&r->arena, name);
    check_decoded(&r->arena, value);
    HOLDS(!str_is_none(http_query(r, name, NULL)), "a parameter that is there is found");
  }
}

// The request in its plainest form, with a length in the place of chunks.
static void write_request(const struct request *r, struct buf *out) {
  const struct http_request *public = &r->public;
  buf_put(out, method_of(r));
  BUF_LIT(out, " ");
  buf_put(out, public->path);
  if (!str_is_none(public->query)) BUF_LIT(out, "?");
  buf_put(out, public->query);
  buf_put(out, r->http_1_0 ? STR(" HTTP/1.0\r\n") : STR(" HTTP/1.1\r\n"));
  for (size_t i = 0; i < public->header_count; i++) {
    const struct http_header *h = &public->headers[i];
    bool chunked = str_eq_nocase(h->name, STR("transfer-encoding"));
    buf_put(out, chunked ? STR("Content-Length") : h->name);
    BUF_LIT(out, ": ");
    if (chunked)
      buf_i64(out, (int64_t) public->body.len);
    else
      buf_put(out, h->value);
    BUF_LIT(out, "\r\n");
  }
  BUF_LIT(out, "\r\n");
  buf_put(out, public->body);
}

static void check_request(const struct request *r) {
  check_headers(r);
  HOLDS(r->public.body.len <= server.settings.body_bytes_max, "a body is bounded");
  struct buf *plain = fresh(PLAIN), *first = fresh(FIRST), *again = fresh(AGAIN);
  write_request(r, plain);
  tell_request(r, first);
  struct reading c = {.state = CONN_IDLE, .story = again};
  struct str in = buf_str(plain);
  struct scan scan = {0};
  bool whole;
  // Where a length took the place of chunks the head may have become too long.
  if (http_scan(&scan, in, &server.settings, &whole, &c.why) != ERR_OK) return;
  drive(&c, &in);
  HOLDS(c.state == CONN_IDLE && in.len == 0, "a request written plainly is read again: %.*s",
        STR_FMT(buf_str(again)));
  HOLDS(str_eq(buf_str(first), buf_str(again)), "and is the same:\n%.*s\nnot\n%.*s",
        STR_FMT(buf_str(again)), STR_FMT(buf_str(first)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (server.requests.next == NULL) {
    link_init(&server.requests);
    link_init(&server.free_requests);
  }
  struct dice dice = dice_of(data, size);
  unsigned most = 1 + dice_byte(&dice) % 32;
  struct str in = dice_rest(&dice);
  struct str whole = read_all(in, 0, WHOLE), pieces = read_all(in, most, PIECES);
  HOLDS(str_eq(whole, pieces), "pieces give what the whole gives:\n%.*s\nnot\n%.*s",
        STR_FMT(pieces), STR_FMT(whole));
  if (in.len < 400 && most > 1)
    HOLDS(str_eq(whole, read_all(in, 1, BYTES)), "bytes give what the whole gives");
  return 0;
}
