// wire.c: writes requests, reads answers, counts no cost that the server does not cause.
#include "bench/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"

enum {
  WIRE_FIRST_READ = 16 << 10,  // holds the answer to any single-task request
  WIRE_BYTES_MAX = 64 << 20,
  WIRE_HEAD_BYTES_MAX = 16 << 10,
};

enum err bench_wire_open(struct wire *w, const struct endpoint *to, struct fault *why) {
  memset(w, 0, sizeof *w);
  w->fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (w->fd < 0) return fault_set(why, ERR_UNAVAILABLE, "no socket: %s", strerror(errno));
  if (connect(w->fd, (const struct sockaddr *)&to->address, to->address_bytes) != 0) {
    int reason = errno;
    close(w->fd);
    w->fd = -1;
    return fault_set(why, ERR_UNAVAILABLE, "cannot connect: %s", strerror(reason));
  }
  int on = 1;
  setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  buf_init(&w->out, WIRE_BYTES_MAX);
  buf_init(&w->in, WIRE_BYTES_MAX);
  return ERR_OK;
}

void bench_wire_close(struct wire *w) {
  if (w->fd < 0) return;
  close(w->fd);
  w->fd = -1;
  buf_fini(&w->out);
  buf_fini(&w->in);
}

void bench_wire_request(struct wire *w, const struct endpoint *to, struct str line,
                        struct str extra, struct str body) {
  buf_clear(&w->out);
  buf_clear(&w->in);
  w->sent = w->head_bytes = w->body_bytes = 0;
  buf_put(&w->out, line);
  BUF_LIT(&w->out, " HTTP/1.1\r\n");
  buf_bytes(&w->out, to->headers, to->headers_bytes);
  buf_put(&w->out, extra);
  BUF_LIT(&w->out, "Content-Length: ");
  buf_i64(&w->out, (int64_t)body.len);
  BUF_LIT(&w->out, "\r\n\r\n");
  buf_put(&w->out, body);
}

enum wire_state bench_wire_send(struct wire *w) {
  while (w->sent < w->out.len) {
    ssize_t n = send(w->fd, w->out.at + w->sent, w->out.len - w->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? WIRE_WAITS : WIRE_BROKEN;
    w->sent += (size_t)n;
  }
  return WIRE_DONE;
}

static bool read_number(const char *at, const char *end, size_t *out) {
  size_t value = 0;
  while (at < end && *at == ' ') at++;
  const char *first = at;
  for (; at < end && *at >= '0' && *at <= '9'; at++) value = value * 10 + (size_t)(*at - '0');
  *out = value;
  return at > first && at == end && value < WIRE_BYTES_MAX;
}

// Finds Content-Length in the head that ends at w->head_bytes.
static bool read_head(struct wire *w) {
  static const char name[] = "content-length:";
  const char *at = w->in.at, *end = at + w->head_bytes - 2;
  if (w->head_bytes < 16 || memcmp(at, "HTTP/1.1 ", 9) != 0) return false;
  w->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
  while (at < end) {
    const char *line_end = memchr(at, '\r', (size_t)(end - at) + 1);
    if (!line_end) return false;
    if ((*at | 0x20) == 'c' && line_end - at > (ptrdiff_t)sizeof name - 1 &&
        strncasecmp(at, name, sizeof name - 1) == 0)
      return read_number(at + sizeof name - 1, line_end, &w->body_bytes);
    at = line_end + 2;
  }
  return false;
}

// WIRE_DONE: the answer is complete. WIRE_WAITS: bytes are missing.
static enum wire_state judge(struct wire *w) {
  if (w->head_bytes == 0) {
    const char *blank = memmem(w->in.at, w->in.len, "\r\n\r\n", 4);
    if (!blank) return w->in.len > WIRE_HEAD_BYTES_MAX ? WIRE_BROKEN : WIRE_WAITS;
    w->head_bytes = (size_t)(blank - w->in.at) + 4;
    if (!read_head(w)) return WIRE_BROKEN;
  }
  size_t whole = w->head_bytes + w->body_bytes;
  if (w->in.len > whole) return WIRE_BROKEN;  // an answer nobody asked for
  return w->in.len == whole ? WIRE_DONE : WIRE_WAITS;
}

enum wire_state bench_wire_receive(struct wire *w) {
  for (;;) {
    size_t missing = w->head_bytes ? w->head_bytes + w->body_bytes - w->in.len : 0;
    size_t room = missing > WIRE_FIRST_READ ? missing : WIRE_FIRST_READ;
    if (!buf_room(&w->in, room)) return WIRE_BROKEN;
    ssize_t n = recv(w->fd, w->in.at + w->in.len, w->in.cap - w->in.len, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return WIRE_WAITS;
    if (n <= 0) return WIRE_BROKEN;
    w->in.len += (size_t)n;
    enum wire_state state = judge(w);
    if (state != WIRE_WAITS) return state;
  }
}

// Moves bytes until the answer is complete, the connection breaks or the time is up.
static enum wire_state exchange(struct wire *w, int64_t until_us) {
  for (;;) {
    enum wire_state sent = bench_wire_send(w);
    enum wire_state state = sent == WIRE_DONE ? bench_wire_receive(w) : sent;
    if (state != WIRE_WAITS) return state;
    int64_t left_ms = (until_us - clock_mono_us()) / 1000;
    struct pollfd wait = {.fd = w->fd, .events = sent == WIRE_DONE ? POLLIN : POLLOUT};
    if (left_ms <= 0 || (poll(&wait, 1, (int)left_ms) < 0 && errno != EINTR)) return WIRE_WAITS;
  }
}

enum err bench_wire_call(const struct endpoint *to, struct str line, struct str request,
                         int timeout_ms, int *status, struct buf *body, struct fault *why) {
  struct wire w;
  TRY(bench_wire_open(&w, to, why));
  bench_wire_request(&w, to, line, STR(""), request);
  enum wire_state state = exchange(&w, clock_mono_us() + timeout_ms * INT64_C(1000));
  if (state == WIRE_DONE) {
    *status = w.status;
    buf_put(body, bench_wire_body(&w));
  }
  bench_wire_close(&w);
  if (state == WIRE_DONE) return ERR_OK;
  return fault_set(why, ERR_UNAVAILABLE, "%.*s: %s", STR_FMT(line),
                   state == WIRE_WAITS ? "no answer in time" : "the connection broke");
}
