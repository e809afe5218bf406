// testing.h: what the tests of http share: a server in a thread of its own, and bare clients.
//
// The server's handler knows these paths:
//   /echo    201 with the request's body     /park     no answer, until /release or the client
//   /big     200 with 8 MiB                            goes away
//   /async   200, given by another thread    /release  answers all that are parked, then itself
//   /mark    204                             /stats    http_stats and more as text
//   /method  200 with enum http_method       /stay     never an answer
//   /peer    200 with the client's address  /stream  a stream that begins with "first\n"
//   /say     writes the body to all streams that take it; /flood: 64 KiB; /end: ends all streams
// Nothing sleeps: clients poll their sockets, with a deadline that only a failure reaches.
#ifndef HTTP_TESTING_H
#define HTTP_TESTING_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http.h"

enum { PARKED_MAX = 8192, STREAMS_MAX = 16, BIG_BYTES = 8 << 20, PATIENCE_MS = 20000 };
enum { PIECE_BYTES = 64 << 10 };

struct test_stream {
  struct http_request *request;
  bool full;
};

struct fixture {
  struct http_server *server;
  pthread_t loop, answerer;
  int port;
  // The loop thread's own.
  struct http_request *parked[PARKED_MAX];
  size_t parked_count, gone_count, stay_count;
  struct test_stream streams[STREAMS_MAX];
  size_t stream_count, full_count, drained_count;
  char *big;
  // Between the loop thread and the answerer, under the lock.
  pthread_mutex_t lock;
  pthread_cond_t some;
  struct http_request *asked[PARKED_MAX], *answered[PARKED_MAX];
  size_t asked_count, answered_count;
  bool over;
  pthread_cond_t turn;
  bool hold, held;  // the loop's thread is to wait in its hook, and does
};

static inline void answer_with(struct http_request *r, int status, struct str body) {
  struct http_answer answer = {.status = status, .content_type = STR("text/plain"), .body = body};
  http_respond(r, &answer);
}

static inline void answer_stats(struct fixture *f, struct http_request *r) {
  struct http_stats s = http_stats(f->server);
  struct str text = arena_printf(
      &r->arena,
      "connections=%d in_flight=%d refused=%d parked=%zu gone=%zu streams=%d full=%zu drained=%zu",
      (int)s.connections, (int)s.in_flight, (int)s.refused_total, f->parked_count, f->gone_count,
      (int)s.streams, f->full_count, f->drained_count);
  answer_with(r, 200, text);
}

static inline void release_parked(struct fixture *f) {
  while (f->parked_count > 0) answer_with(f->parked[--f->parked_count], 200, STR("released"));
}

static inline void ask_answerer(struct fixture *f, struct http_request *r) {
  pthread_mutex_lock(&f->lock);
  f->asked[f->asked_count++] = r;
  pthread_cond_signal(&f->some);
  pthread_mutex_unlock(&f->lock);
}

static inline void end_stream(struct fixture *f, size_t i) {
  struct http_request *r = f->streams[i].request;
  f->full_count -= f->streams[i].full;
  f->streams[i] = f->streams[--f->stream_count];
  http_stream_end(r);
}

static inline void note_flow(struct fixture *f, size_t i, enum http_flow flow) {
  f->streams[i].full = flow == HTTP_FULL;
  f->full_count += flow == HTTP_FULL;
  if (flow == HTTP_GONE) end_stream(f, i);
}

static inline void begin_stream(struct fixture *f, struct http_request *r) {
  bool ended;
  const struct http_answer head = {.status = 200, .content_type = STR("text/plain")};
  enum http_flow flow = http_stream_begin(r, &head, STR("first\n"), &ended);
  if (ended) return;
  f->streams[f->stream_count++] = (struct test_stream){.request = r};
  note_flow(f, f->stream_count - 1, flow);
}

static inline void say(struct fixture *f, struct str piece) {
  for (size_t i = f->stream_count; i-- > 0;)
    if (!f->streams[i].full) note_flow(f, i, http_stream_write(f->streams[i].request, piece));
}

static inline void end_streams(struct fixture *f) {
  while (f->stream_count > 0) end_stream(f, f->stream_count - 1);
}

static inline size_t stream_of(const struct fixture *f, const struct http_request *r) {
  size_t i = 0;
  while (i < f->stream_count && f->streams[i].request != r) i++;
  return i;
}

static inline void test_drained(void *self, struct http_request *r) {
  struct fixture *f = self;
  f->streams[stream_of(f, r)].full = false;
  f->full_count--;
  f->drained_count++;
}

// Whether the path is one of those of streams.
static inline bool handle_stream(struct fixture *f, struct http_request *r) {
  if (str_eq(r->path, STR("/stream"))) {
    begin_stream(f, r);
    return true;
  }
  bool says = str_eq(r->path, STR("/say")), floods = str_eq(r->path, STR("/flood"));
  bool ends = str_eq(r->path, STR("/end"));
  if (says) say(f, r->body);
  if (floods) say(f, (struct str){f->big, PIECE_BYTES});
  if (ends) end_streams(f);
  if (says || floods || ends) answer_with(r, 200, STR(""));
  return says || floods || ends;
}

static inline void test_handle(void *self, struct http_request *r) {
  struct fixture *f = self;
  if (handle_stream(f, r)) return;
  if (str_eq(r->path, STR("/park"))) {
    f->parked[f->parked_count++] = r;
  } else if (str_eq(r->path, STR("/stay"))) {
    f->stay_count++;
  } else if (str_eq(r->path, STR("/release"))) {
    release_parked(f);
    answer_with(r, 200, STR(""));
  } else if (str_eq(r->path, STR("/stats"))) {
    answer_stats(f, r);
  } else if (str_eq(r->path, STR("/async"))) {
    ask_answerer(f, r);
  } else if (str_eq(r->path, STR("/big"))) {
    answer_with(r, 200, (struct str){f->big, BIG_BYTES});
  } else if (str_eq(r->path, STR("/peer"))) {
    answer_with(r, 200, r->peer);
  } else if (str_eq(r->path, STR("/method"))) {
    answer_with(r, 200, arena_printf(&r->arena, "%d", (int)r->method));
  } else if (str_eq(r->path, STR("/mark"))) {
    http_respond(r, &(struct http_answer){.status = 204});
  } else {
    answer_with(r, 201, r->body);
  }
}

static inline void test_gone(void *self, struct http_request *r) {
  struct fixture *f = self;
  f->gone_count++;
  size_t stream = stream_of(f, r);
  if (stream < f->stream_count) {
    end_stream(f, stream);
    return;
  }
  for (size_t i = 0; i < f->parked_count; i++) {
    if (f->parked[i] != r) continue;
    f->parked[i] = f->parked[--f->parked_count];
    answer_with(r, 200, STR("nobody reads this"));
    return;
  }
}

static inline void test_wake(void *self) {
  struct fixture *f = self;
  static _Thread_local struct http_request *ready[PARKED_MAX];
  pthread_mutex_lock(&f->lock);
  while (f->hold) {
    f->held = true;
    pthread_cond_broadcast(&f->turn);
    pthread_cond_wait(&f->turn, &f->lock);
  }
  f->held = false;
  size_t count = f->answered_count;
  memcpy(ready, f->answered, count * sizeof *ready);
  f->answered_count = 0;
  pthread_mutex_unlock(&f->lock);
  for (size_t i = 0; i < count; i++) answer_with(ready[i], 200, STR("from another thread"));
}

static inline void test_refuse(void *self, enum err err, const char *detail, struct http_request *r,
                               struct str request_id, struct buf *body) {
  (void)self;
  (void)r;
  buf_printf(body, "%s: %s (%.*s)", err_code(err), detail, STR_FMT(request_id));
}

static inline void *run_loop(void *self) {
  http_run(((struct fixture *)self)->server);
  return NULL;
}

static inline void *run_answerer(void *self) {
  struct fixture *f = self;
  pthread_mutex_lock(&f->lock);
  while (!f->over) {
    if (f->asked_count == 0) {
      pthread_cond_wait(&f->some, &f->lock);
      continue;
    }
    memcpy(f->answered + f->answered_count, f->asked, f->asked_count * sizeof *f->asked);
    f->answered_count += f->asked_count;
    f->asked_count = 0;
    http_wake(f->server);
  }
  pthread_mutex_unlock(&f->lock);
  return NULL;
}

static inline struct http_settings test_settings(void) {
  struct http_settings settings = HTTP_DEFAULTS;
  settings.port = 0;
  return settings;
}

static inline struct fixture *a_server(struct http_settings settings) {
  struct fixture *f = mem_zero(sizeof *f);
  f->big = mem_zero(BIG_BYTES);
  memset(f->big, 'b', BIG_BYTES);
  pthread_mutex_init(&f->lock, NULL);
  pthread_cond_init(&f->some, NULL);
  pthread_cond_init(&f->turn, NULL);
  struct http_hooks hooks = {.self = f,
                             .handle = test_handle,
                             .gone = test_gone,
                             .drained = test_drained,
                             .wake = test_wake,
                             .refuse = test_refuse};
  struct fault why = {0};
  if (http_open(&settings, &hooks, &f->server, &why) != ERR_OK) fail_msg("%s", why.detail);
  f->port = http_port(f->server);
  pthread_create(&f->loop, NULL, run_loop, f);
  pthread_create(&f->answerer, NULL, run_answerer, f);
  return f;
}

// The loop stands still between these two, and then finds all that came meanwhile.
static inline void hold_loop(struct fixture *f) {
  pthread_mutex_lock(&f->lock);
  f->hold = true;
  http_wake(f->server);
  while (!f->held) pthread_cond_wait(&f->turn, &f->lock);
  pthread_mutex_unlock(&f->lock);
}

static inline void let_loop_go(struct fixture *f) {
  pthread_mutex_lock(&f->lock);
  f->hold = false;
  pthread_cond_broadcast(&f->turn);
  pthread_mutex_unlock(&f->lock);
}

static inline void stop_server(struct fixture *f, int64_t grace_ms) {
  http_stop(f->server, grace_ms);
  pthread_join(f->loop, NULL);
}

static inline void free_server(struct fixture *f) {
  pthread_mutex_lock(&f->lock);
  f->over = true;
  pthread_cond_signal(&f->some);
  pthread_mutex_unlock(&f->lock);
  pthread_join(f->answerer, NULL);
  http_close(f->server);
  pthread_mutex_destroy(&f->lock);
  pthread_cond_destroy(&f->some);
  mem_free(f->big);
  mem_free(f);
}

static inline void end_server(struct fixture *f, int64_t grace_ms) {
  stop_server(f, grace_ms);
  free_server(f);
}

struct client {
  int fd;
  struct buf in;     // all that was received since `in` was last empty
  size_t taken;      // what of it belongs to answers that have been read
  char answer[512];  // head of the last answer, cut
  struct str body;   // of the last answer; in `in`, until the next call
};

static inline struct client *a_client(const struct fixture *f) {
  struct client *c = mem_zero(sizeof *c);
  buf_init(&c->in, 4 * BIG_BYTES);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)f->port),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0) fail_msg("cannot connect");
  return c;
}

static inline void end_client(struct client *c) {
  close(c->fd);
  buf_fini(&c->in);
  mem_free(c);
}

// With a reset instead of an orderly close.
static inline void abort_client(struct client *c) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  end_client(c);
}

// False when the server has closed.
static inline bool client_send(struct client *c, struct str bytes) {
  while (bytes.len > 0) {
    ssize_t sent = send(c->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes = str_from(bytes, (size_t)sent);
  }
  return true;
}

// Reads what there is, waiting for it. 0: the server has closed; -1: it has reset, or time is up.
static inline ssize_t client_fill(struct client *c, int64_t deadline_us) {
  struct pollfd p = {.fd = c->fd, .events = POLLIN};
  int64_t left_ms = (deadline_us - clock_mono_us()) / 1000;
  if (poll(&p, 1, left_ms > 0 ? (int)left_ms : 0) != 1) return -1;
  if (!buf_room(&c->in, 65536)) return -1;
  ssize_t got = recv(c->fd, c->in.at + c->in.len, 65536, 0);
  if (got > 0) c->in.len += (size_t)got;
  return got;
}

static inline const char *find_text(struct str in, const char *what) {
  return memmem(in.at, in.len, what, strlen(what));
}

// The decimal number that `text` starts with.
static inline long number_at(const char *text) {
  int64_t number = -1;
  assert_true(str_to_i64((struct str){text, strspn(text, "0123456789")}, &number));
  return (long)number;
}

// The status of the next answer, whose body is then in c->body; 0: closed first; -1: reset, or
// nothing came.
static inline int client_answer(struct client *c) {
  int64_t deadline_us = clock_mono_us() + PATIENCE_MS * 1000LL;
  if (c->taken == c->in.len) c->taken = c->in.len = 0;
  for (;;) {
    struct str left = str_from(buf_str(&c->in), c->taken);
    const char *end = find_text(left, "\r\n\r\n");
    if (end) {
      size_t head = (size_t)(end - left.at) + 4;
      snprintf(c->answer, sizeof c->answer, "%.*s", (int)head, left.at);
      const char *length = strcasestr(c->answer, "\r\nContent-Length: ");
      size_t body = length ? (size_t)number_at(length + 18) : 0;
      if (left.len >= head + body) {
        c->taken += head + body;
        c->body = (struct str){left.at + head, body};
        return (int)number_at(c->answer + 9);
      }
    }
    ssize_t got = client_fill(c, deadline_us);
    if (got <= 0) return (int)got;
  }
}

static inline int client_ask(struct client *c, const char *request) {
  client_send(c, str_of(request));
  return client_answer(c);
}

static inline bool client_is_closed(struct client *c) { return client_answer(c) == 0; }

// What /stats says of one name.
static inline long stat_of(const struct fixture *f, const char *name) {
  struct client *c = a_client(f);
  assert_int_equal(200,
                   client_ask(c, "GET /stats HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
  char text[512], key[32];
  snprintf(text, sizeof text, " %.*s", STR_FMT(c->body));
  snprintf(key, sizeof key, " %s=", name);
  const char *at = strstr(text, key);
  assert_non_null(at);
  long number = number_at(at + strlen(key));
  end_client(c);
  return number;
}

// Asks until it is so; each asking is a round through the server's loop.
static inline void await_stat(const struct fixture *f, const char *name, long wanted) {
  int64_t deadline_us = clock_mono_us() + PATIENCE_MS * 1000LL;
  long found = stat_of(f, name);
  while (found != wanted && clock_mono_us() < deadline_us) found = stat_of(f, name);
  assert_int_equal(wanted, found);
}

// Everything that was sent before has been read by the server when this returns: what stands in the
// same round of events as the first question is behind it when the second is answered.
static inline void await_round(struct client *side) {
  for (int i = 0; i < 2; i++) {
    assert_int_equal(204, client_ask(side, "GET /mark HTTP/1.1\r\nHost: t\r\n\r\n"));
  }
}

#endif
