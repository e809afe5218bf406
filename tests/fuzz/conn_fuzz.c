// conn_fuzz.c: a server and up to four clients on loopback: requests in pieces and one behind the
// other, answers at once, later or piece by piece, clients that stop reading, shut, or vanish, and
// deadlines that pass.
//
// Each byte of the input is a step. What must hold: every request is answered once, and in order;
// what a client reads is a sequence of whole answers, cut only where the connection ended; the
// server's counts are right at each step; it notices that clients have left; it always stops. The
// server is used again for the next input unless this one stops it.
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/inside.h"

// BODY is more than the sockets of both sides hold, which are made small so that answers get stuck.
enum { CLIENTS = 4, OWED = 64, STEPS = 200, BODY = 40000, READ_MAX = 8 << 20 };
enum { SOCKET_BYTES = 8192, CLIENT_BYTES = 4096, TURNS = 10 };

// The targets are linked so that api_fuzz.c sees each answer; here there is nothing to see.
void __real_http_respond(struct http_request *r, const struct http_answer *answer);

int __wrap_uv_send_buffer_size(uv_handle_t *handle, int *value);
int __real_uv_send_buffer_size(uv_handle_t *handle, int *value);

int __wrap_uv_send_buffer_size(uv_handle_t *handle, int *value) {
  (void)value;
  return __real_uv_send_buffer_size(handle, &(int){SOCKET_BYTES});
}

struct client {
  int fd;  // -1: none. The buffers stay for the next client
  struct buf out;
  size_t sent;
  struct buf in;
};

struct owed {
  struct http_request *request;  // NULL: a free place
  bool streams, full;
};

static struct world {
  struct http_server *server;
  struct client clients[CLIENTS];
  struct owed owed[OWED];
  unsigned serial;
  char *body;
} world;

// --- the handler ---------------------------------------------------------------------------------

static struct owed *place_of(const struct http_request *r) {
  for (size_t i = 0; i < OWED; i++)
    if (world.owed[i].request == r) return &world.owed[i];
  return NULL;
}

// The head that tells a reader which answer it is, and whether a body follows.
static struct http_answer answer_to(struct http_request *r, size_t body) {
  bool head = r->method == HTTP_METHOD_HEAD;
  struct str serial = arena_printf(&r->arena, "%u", ++world.serial);
  return (struct http_answer){
      .status = 200,
      .content_type = STR("text/plain"),
      .body = {world.body, body},
      .extra = {{STR("X-Serial"), serial}, {STR("X-Head"), head ? STR("1") : STR("0")}},
  };
}

static void answer(struct owed *o, size_t body) {
  struct http_request *r = o->request;
  struct http_answer with = answer_to(r, body);
  *o = (struct owed){0};
  __real_http_respond(r, &with);
}

static void begin_stream(struct owed *o) {
  struct http_request *r = o->request;
  struct http_answer head = answer_to(r, 0);
  bool ended = false;
  o->streams = true;
  enum http_flow flow = http_stream_begin(r, &head, STR("first"), &ended);
  if (ended)
    *o = (struct owed){0};
  else
    o->full = flow == HTTP_FULL;
}

static void on_request(void *self, struct http_request *r) {
  (void)self;
  struct owed *o = place_of(NULL);
  HOLDS(o != NULL, "a connection has one request at a time");
  o->request = r;
  if (r->path.len > 1 && r->path.at[1] == 'n') answer(o, r->body.len);
}

static void on_gone(void *self, struct http_request *r) {
  (void)self;
  struct owed *o = place_of(r);
  HOLDS(o != NULL, "only who waits for an answer can be gone");
  if (!o->streams && (world.serial & 1)) answer(o, 5);
}

static void on_drained(void *self, struct http_request *r) {
  (void)self;
  struct owed *o = place_of(r);
  HOLDS(o && o->streams && o->full, "only a full stream drains");
  o->full = false;
}

static void on_refused(void *self, enum err err, const char *detail, struct http_request *r,
                       struct str id, struct buf *body) {
  (void)self;
  (void)r;
  (void)id;
  buf_printf(body, "%d %s", (int)err, detail);
}

// --- steps of the handler ------------------------------------------------------------------------

static struct owed *choose_owed(struct dice *dice, bool streams) {
  struct owed *found[OWED];
  unsigned count = 0;
  for (size_t i = 0; i < OWED; i++)
    if (world.owed[i].request && world.owed[i].streams == streams) found[count++] = &world.owed[i];
  return count ? found[dice_below(dice, count)] : NULL;
}

static void step_answer(struct dice *dice) {
  struct owed *o = choose_owed(dice, false);
  unsigned way = dice_below(dice, 4);
  if (o == NULL) return;
  if (way == 0)
    begin_stream(o);
  else
    answer(o, way == 1 ? BODY : way);
}

static void step_stream(struct dice *dice) {
  struct owed *o = choose_owed(dice, true);
  unsigned way = dice_below(dice, 4);
  if (o == NULL) return;
  enum http_flow flow = HTTP_FLOWS;
  if (way > 0 && !o->full)
    flow = http_stream_write(o->request, (struct str){world.body, way == 1 ? BODY : way - 2});
  o->full |= flow == HTTP_FULL;
  if (way > 0 && flow != HTTP_GONE) return;
  struct http_request *r = o->request;
  *o = (struct owed){0};
  http_stream_end(r);
}

// --- steps of clients ----------------------------------------------------------------------------

static void leave(struct client *c, bool reset) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  if (reset) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(c->fd);
  c->fd = -1;
}

// The fuzzer's alarm clock interrupts a call now and then; the connection then comes by itself.
static bool reach(int fd, const struct sockaddr_in *to) {
  if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0) return true;
  if (errno != EINTR) return false;
  struct pollfd wanted = {.fd = fd, .events = POLLOUT};
  int error = 0;
  socklen_t bytes = sizeof error;
  while (poll(&wanted, 1, -1) < 0 && errno == EINTR) {}
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 && error == 0;
}

static void enter(struct client *c) {
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)http_port(world.server)),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int small = CLIENT_BYTES;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  HOLDS(reach(c->fd, &to), "the server listens: %s", strerror(errno));
  if (c->in.max == 0) buf_init(&c->out, READ_MAX);
  if (c->in.max == 0) buf_init(&c->in, READ_MAX);
  buf_clear(&c->out);
  buf_clear(&c->in);
  c->sent = 0;
}

static void say(struct client *c, struct dice *dice) {
  static const char *const requests[] = {
      "GET /now HTTP/1.1\r\nHost: t\r\n\r\n",
      "GET /later HTTP/1.1\r\nHost: t\r\n\r\n",
      "HEAD /later HTTP/1.1\r\nHost: t\r\n\r\n",
      "POST /now HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nnine byte",
      ("POST /later HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3\r\nabc\r\n0\r\nA: b\r\n\r\n"),
      "POST /later HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
      "GET /later HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
      "GET /later HTTP/1.0\r\n\r\n",
      "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "POST /later HTTP/1.1\r\nHost: t\r\nContent-Length: 4000\r\n\r\n",
  };
  unsigned which = dice_below(dice, sizeof requests / sizeof *requests + 2);
  if (which < sizeof requests / sizeof *requests) {
    buf_put(&c->out, str_of(requests[which]));
    return;
  }
  unsigned bytes = dice_byte(dice);
  if (which & 1) {  // the input's own
    for (unsigned i = 0; i < bytes % 32; i++) buf_char(&c->out, (char)dice_byte(dice));
  } else {  // many requests behind each other
    for (unsigned i = 0; i < bytes; i++) buf_put(&c->out, str_of(requests[0]));
  }
}

static void send_some(struct client *c, size_t most) {
  size_t left = c->out.len - c->sent;
  if (left == 0) return;
  ssize_t sent =
      send(c->fd, c->out.at + c->sent, left < most ? left : most, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) c->sent += (size_t)sent;
}

static bool read_some(struct client *c) {
  if (!buf_room(&c->in, 65536)) return false;
  ssize_t got = recv(c->fd, c->in.at + c->in.len, 65536, MSG_DONTWAIT);
  if (got > 0) c->in.len += (size_t)got;
  return got > 0;
}

static void step_client(struct dice *dice) {
  struct client *c = &world.clients[dice_below(dice, CLIENTS)];
  if (c->fd < 0) {
    enter(c);
    return;
  }
  switch (dice_below(dice, 8)) {
  case 0:
  case 1: say(c, dice); break;
  case 2: send_some(c, 1 + dice_byte(dice)); break;
  case 3: send_some(c, SIZE_MAX); break;
  case 4:
  case 5: read_some(c); break;
  case 6: shutdown(c->fd, SHUT_WR); break;
  case 7: leave(c, dice_byte(dice) & 1); break;
  }
}

// --- what a client has read ----------------------------------------------------------------------

static struct str header_of(struct str head, const char *name) {
  const char *at = memmem(head.at, head.len, name, strlen(name));
  if (at == NULL) return STR_NONE;
  struct str rest = str_from(head, (size_t)(at - head.at) + strlen(name));
  return (struct str){rest.at, str_find(rest, '\r')};
}

// Of a copy: strtoul would be followed by a look for the end of all that the client has read, which
// is how AddressSanitizer checks its text, and took half the time.
static size_t number_of(struct str s, int base) {
  char text[24] = "";
  HOLDS(s.len < sizeof text, "a number is short: %.40s", s.at);
  memcpy(text, s.at, s.len);
  return strtoul(text, NULL, base);
}

// Takes a chunked body off; false: it is cut.
static bool take_chunks(struct str *in) {
  for (;;) {
    const char *end = memmem(in->at, in->len, "\r\n", 2);
    if (end == NULL) return false;
    size_t digits = (size_t)(end - in->at), line = digits + 2;
    HOLDS(line <= 10, "a chunk begins with its size");
    size_t size = number_of((struct str){in->at, digits}, 16);
    if (in->len < line + size + 2) return false;
    HOLDS(memcmp(in->at + line + size, "\r\n", 2) == 0, "a chunk is as long as it says");
    *in = str_from(*in, line + size + 2);
    if (size == 0) return true;
  }
}

// Takes the next answer off; false: it is cut, or lasts until the close.
static bool take_answer(struct str *in, int64_t *serial) {
  const char *end = memmem(in->at, in->len, "\r\n\r\n", 4);
  if (end == NULL) return false;
  struct str head = {in->at, (size_t)(end - in->at) + 4};
  HOLDS(str_starts(head, STR("HTTP/1.1 ")), "an answer follows where one has ended: %.40s", in->at);
  *in = str_from(*in, head.len);
  if (str_starts(head, STR("HTTP/1.1 100 "))) return true;
  struct str own = header_of(head, "\r\nX-Serial: "),
             length = header_of(head, "\r\nContent-Length: ");
  bool chunked = !str_is_none(header_of(head, "\r\nTransfer-Encoding: chunked"));
  HOLDS(!chunked || str_is_none(length), "one way to know the length");
  HOLDS(*serial >= 0, "nothing follows a refusal");
  int64_t number = -1;
  HOLDS(str_is_none(own) || str_to_i64(own, &number), "the serial is a number");
  HOLDS(number < 0 || number > *serial, "answers come in order, each once");
  *serial = number;
  if (str_eq(header_of(head, "\r\nX-Head: "), STR("1"))) return true;
  if (chunked) return take_chunks(in);
  if (str_is_none(length)) return false;
  size_t bytes = number_of(length, 10);
  if (in->len < bytes) return false;
  *in = str_from(*in, bytes);
  return true;
}

static void judge(struct client *c) {
  buf_char(&c->in, '\0');
  struct str in = {c->in.at, c->in.len - 1};
  int64_t serial = 0;
  while (in.len > 0 && take_answer(&in, &serial)) {}
}

// --- the server ----------------------------------------------------------------------------------

static void check_counts(void) {
  uint64_t answers = 0, streams = 0;
  for (size_t i = 0; i < OWED; i++) {
    answers += world.owed[i].request && !world.owed[i].streams;
    streams += world.owed[i].request && world.owed[i].streams;
  }
  struct http_stats stats = http_stats(world.server);
  HOLDS(stats.in_flight == answers, "%d in flight, %d owed", (int)stats.in_flight, (int)answers);
  HOLDS(stats.streams == streams, "%d streams, not %d", (int)stats.streams, (int)streams);
}

static void step_time(void) {
  struct http_server *s = world.server;
  for (struct link *l = s->conns.next, *next; l != &s->conns; l = next) {
    struct conn *c = LINK_OF(struct conn, link, l);
    next = l->next;
    if (c->deadline_ms != INT64_MAX) http_conn_expire(c);
  }
}

static void open_world(void) {
  struct http_settings settings = HTTP_DEFAULTS;
  settings.port = 0;
  settings.body_bytes_max = 3000;
  settings.head_bytes_max = 600;
  settings.connections_max = 3;
  struct http_hooks hooks = {
      .handle = on_request, .gone = on_gone, .drained = on_drained, .refuse = on_refused};
  struct fault why = {0};
  HOLDS(http_open(&settings, &hooks, &world.server, &why) == ERR_OK, "it opens: %s", why.detail);
  uv_send_buffer_size((uv_handle_t *)&world.server->listener, NULL);  // accepted ones take it over
}

static void begin_world(void) {
  if (world.server == NULL) open_world();
  uv_update_time(&world.server->loop);
  for (size_t i = 0; i < CLIENTS; i++) world.clients[i].fd = -1;
  world.serial = 0;
}

// Whatever is owed is answered, before the clients leave or after.
static void end_world(bool clients_first) {
  for (size_t i = 0; clients_first && i < CLIENTS; i++)
    if (world.clients[i].fd >= 0) leave(&world.clients[i], true);
  for (size_t i = 0; i < OWED; i++) {
    struct http_request *r = world.owed[i].request;
    if (r == NULL) continue;
    bool streams = world.owed[i].streams;
    if (streams) world.owed[i] = (struct owed){0};
    if (streams) http_stream_end(r);
    if (!streams) answer(&world.owed[i], 7);
  }
  for (size_t i = 0; i < CLIENTS; i++) {
    struct client *c = &world.clients[i];
    if (c->fd < 0) continue;
    while (read_some(c)) uv_run(&world.server->loop, UV_RUN_NOWAIT);
    judge(c);
    leave(c, true);
  }
}

static void answer_the_rest(void) {
  for (size_t i = 0; i < OWED; i++)  // what came with the last bytes
    if (world.owed[i].request) answer(&world.owed[i], 1);
}

static void stop_server(void) {
  http_stop(world.server, 0);
  http_run(world.server);
  answer_the_rest();
  HOLDS(http_stats(world.server).connections == 0, "it stops");
  check_counts();
  http_close(world.server);
  world.server = NULL;
}

// A turn of the loop waits for something to happen, at most as long as a tick. The first one does
// not, and takes those who came and left before they were accepted.
static void let_clients_go(void) {
  uv_run(&world.server->loop, UV_RUN_NOWAIT);
  answer_the_rest();
  for (int turns = 0; http_stats(world.server).connections > 0; turns++) {
    HOLDS(turns < CLIENTS * TURNS, "it notices that its clients have left");
    uv_run(&world.server->loop, UV_RUN_ONCE);
    answer_the_rest();
  }
  check_counts();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (world.body == NULL) {
    world.body = mem_alloc(BODY);
    memset(world.body, 'b', BODY);
  }
  struct dice dice = dice_of(data, size);
  unsigned flags = dice_byte(&dice);
  begin_world();
  for (int i = 0; i < STEPS && dice.at < dice.end; i++) {
    switch (dice_below(&dice, 8)) {
    case 0: uv_run(&world.server->loop, UV_RUN_NOWAIT); break;
    case 1: step_answer(&dice); break;
    case 2: step_stream(&dice); break;
    case 3:
      if (dice_byte(&dice) < 64) step_time();
      break;
    default: step_client(&dice); break;
    }
    if (flags & 2) uv_run(&world.server->loop, UV_RUN_NOWAIT);
    check_counts();
  }
  end_world(flags & 1);
  if (flags & 12)
    let_clients_go();
  else
    stop_server();
  return 0;
}
