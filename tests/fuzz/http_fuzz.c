// http_fuzz.c: bytes of a connection to requests, in one piece and in many.
//
// The first byte says how the rest is cut. What must hold: the cuts change nothing; what is
// accepted keeps the rules that smuggling needs broken (RFC 9112 section 6.3); a request that was
// read comes back when it is written in its plainest form and read again.
#include "fuzz.h"

#include "http/inside.h"

enum { STORY_BYTES_MAX = 1 << 20 };

static struct http_server server = {
    .settings = {
        .body_bytes_max = 3000, .head_bytes_max = 600, .uri_bytes_max = 120, .headers_max = 8}};
static struct conn connection = {.server = &server, .peer = "127.0.0.1"};

// A connection that is read as conn.c does it, without sockets.
struct reading {
  enum conn_state state;
  struct scan scan;
  struct request *request;
  struct buf pending;
  struct buf story;  // every request that came of it, and how it ended
  bool checks;       // whether accepted requests are looked at besides
};

static void check_request(struct request *r);

static void tell_request(struct reading *c) {
  struct request *r = c->request;
  struct http_request *public = &r->public;
  public->body =
      r->body_inline ? (struct str){r->body_inline, r->body_inline_len} : buf_str(&r->body);
  if (c->checks) check_request(r);
  buf_printf(&c->story, "%d %d %d %d [%.*s] [%.*s]\n", (int)public->method, r->http_1_0, r->close,
             r->expects, STR_FMT(public->path), STR_FMT(public->query));
  for (size_t i = 0; i < public->header_count; i++)
    buf_printf(&c->story, "%.*s=%.*s\n", STR_FMT(public->headers[i].name),
               STR_FMT(public->headers[i].value));
  buf_put(&c->story, public->body);
  http_request_free(r);
  c->request = NULL;
  c->state = CONN_IDLE;
}

static void refuse_rest(struct reading *c, enum err err, struct fault *why) {
  buf_printf(&c->story, "refused: %s: %s\n", err_code(err), why->detail);
  HOLDS(err == why->err && err_http_status(err) >= 400 && why->detail[0], "a refusal says why");
  if (c->request) http_request_free(c->request);
  c->request = NULL;
  c->state = CONN_CLOSED;
}

static bool take_head(struct reading *c, struct str *in, struct fault *why) {
  bool whole = false;
  enum err err = http_scan(&c->scan, *in, &server.settings, &whole, why);
  if (err == ERR_OK && !whole) return false;
  struct str head = {in->at + c->scan.start, c->scan.at - c->scan.start};
  if (err == ERR_OK) {
    *in = str_from(*in, c->scan.at);
    c->request = http_request_new(&connection);
    err = http_parse_head(c->request, head, c->scan.lines, why);
  }
  if (err != ERR_OK)
    refuse_rest(c, err, why);
  else if (c->request->complete)
    tell_request(c);
  else
    c->state = CONN_BODY;
  return true;
}

static void take_body(struct reading *c, struct str *in, struct fault *why) {
  size_t used = 0;
  enum err err = http_parse_body(c->request, *in, &used, why);
  HOLDS(used <= in->len, "no more is used than there is");
  *in = str_from(*in, used);
  if (err != ERR_OK) {
    refuse_rest(c, err, why);
  } else if (c->request->complete) {
    tell_request(c);
  } else if (c->request->last_chunk) {
    c->scan = (struct scan){.lines = 1};
    c->state = CONN_TRAILER;
  }
}

static bool take_trailer(struct reading *c, struct str *in, struct fault *why) {
  bool whole = false;
  enum err err = http_scan(&c->scan, *in, &server.settings, &whole, why);
  if (err != ERR_OK) {
    refuse_rest(c, err, why);
  } else if (whole) {
    *in = str_from(*in, c->scan.at);
    tell_request(c);
  }
  return err != ERR_OK || whole;
}

static void drive(struct reading *c, struct str *in) {
  bool enough = true;
  struct fault why = {0};
  while (in->len > 0 && enough) {
    switch (c->state) {
    case CONN_IDLE:
      c->scan = (struct scan){0};
      c->state = CONN_HEAD;
      break;
    case CONN_HEAD: enough = take_head(c, in, &why); break;
    case CONN_BODY: take_body(c, in, &why); break;
    case CONN_TRAILER: enough = take_trailer(c, in, &why); break;
    default: *in = str_from(*in, in->len); break;
    }
  }
}

static void feed(struct reading *c, struct str piece) {
  buf_put(&c->pending, piece);
  struct str exact = exact_copy(buf_str(&c->pending)), in = exact;
  drive(c, &in);
  buf_clear(&c->pending);
  buf_put(&c->pending, in);
  exact_free(exact);
}

// Pieces of 1 to `most` bytes, as the input's own bytes fall; 0: one piece.
static struct buf read_all(struct str in, unsigned most, bool checks) {
  struct reading c = {.state = CONN_IDLE, .checks = checks};
  buf_init(&c.pending, STORY_BYTES_MAX);
  buf_init(&c.story, STORY_BYTES_MAX);
  while (in.len > 0) {
    size_t len = most ? 1 + (unsigned char)in.at[in.len / 2] % most : in.len;
    if (len > in.len) len = in.len;
    feed(&c, (struct str){in.at, len});
    in = str_from(in, len);
  }
  if (c.request) http_request_free(c.request);
  buf_printf(&c.story, "ends in state %d\n", (int)c.state);
  buf_fini(&c.pending);
  return c.story;
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

// The request in its plainest form.
static void write_request(struct request *r, struct buf *out) {
  const struct http_request *public = &r->public;
  buf_printf(out, "%s %.*s", llhttp_method_name((llhttp_method_t)r->parser.method),
             STR_FMT(public->path));
  if (!str_is_none(public->query)) buf_printf(out, "?%.*s", STR_FMT(public->query));
  buf_printf(out, " HTTP/1.%d\r\n", r->http_1_0 ? 0 : 1);
  for (size_t i = 0; i < public->header_count; i++) {
    const struct http_header *h = &public->headers[i];
    bool chunked = str_eq_nocase(h->name, STR("transfer-encoding"));
    if (chunked)
      buf_printf(out, "Content-Length: %zu\r\n", public->body.len);
    else
      buf_printf(out, "%.*s: %.*s\r\n", STR_FMT(h->name), STR_FMT(h->value));
  }
  BUF_LIT(out, "\r\n");
  buf_put(out, public->body);
}

static void check_request(struct request *r) {
  struct buf plain, again;
  check_headers(r);
  check_target(&r->public);
  HOLDS(r->public.body.len <= server.settings.body_bytes_max, "a body is bounded");
  buf_init(&plain, STORY_BYTES_MAX);
  buf_init(&again, STORY_BYTES_MAX);
  write_request(r, &plain);
  struct reading c = {.state = CONN_IDLE};
  struct str in = buf_str(&plain);
  struct fault why = {0};
  struct scan scan = {0};
  bool whole;
  if (http_scan(&scan, in, &server.settings, &whole, &why) == ERR_OK) {
    // Longer than it came only where a length took the place of chunks.
    buf_init(&c.story, STORY_BYTES_MAX);
    drive(&c, &in);
    HOLDS(c.state == CONN_IDLE && in.len == 0, "a request written plainly is read again: %.*s",
          STR_FMT(buf_str(&c.story)));
    write_request(r, &again);
    HOLDS(str_eq(buf_str(&plain), buf_str(&again)), "reading does not change what is read");
    buf_fini(&c.story);
  }
  buf_fini(&plain);
  buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (server.requests.next == NULL) {
    link_init(&server.requests);
    link_init(&server.free_requests);
  }
  struct dice dice = dice_of(data, size);
  unsigned most = 1 + dice_byte(&dice) % 32;
  struct str in = dice_rest(&dice);
  struct buf whole = read_all(in, 0, true), pieces = read_all(in, most, false);
  HOLDS(str_eq(buf_str(&whole), buf_str(&pieces)),
        "pieces give what the whole gives:\n%.*s\nnot\n%.*s", STR_FMT(buf_str(&pieces)),
        STR_FMT(buf_str(&whole)));
  buf_fini(&pieces);
  if (in.len < 400) {
    struct buf bytes = read_all(in, 1, false);
    HOLDS(str_eq(buf_str(&whole), buf_str(&bytes)), "bytes give what the whole gives");
    buf_fini(&bytes);
  }
  buf_fini(&whole);
  return 0;
}
