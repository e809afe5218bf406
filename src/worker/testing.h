// testing.h: what the tests of the worker share: a server of a few words that keeps what it is
// told, and one attempt at a task, with its lease at that server.
//
// Nothing sleeps: who waits is woken by a request, with a deadline that only a failure reaches.
#ifndef WORKER_TESTING_H
#define WORKER_TESTING_H

#include "worker/attempt.h"
#include "worker/testing_texts.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
  DESK_CLIENTS_MAX = 8,
  DESK_RULES_MAX = 16,
  DESK_REQUESTS_MAX = 256,
  DESK_REQUEST_BYTES_MAX = 4 << 20,
  PATIENCE_MS = 20000,
  HASTE_MS = 150,
};

#define ALWAYS (-1)

// What is answered to requests whose path ends with `path`.
struct desk_rule {
  const char *path, *body;
  int status;  // 0: it is never answered
  int times;   // how often it still holds; ALWAYS: for ever
  int retry_after_s;
};

struct desk_request {
  char *path, *body;
};

struct desk_client {
  int fd;
  struct buf in;
};

struct desk {
  char url[64];
  int listener, stop_fd;
  pthread_t thread;
  struct desk_client clients[DESK_CLIENTS_MAX];  // the thread's
  // Called before a request is answered, in the thread.
  void (*seen)(void *self, const char *path);
  void *seen_self;

  pthread_mutex_t lock;  // guards all below
  pthread_cond_t more;   // a request has come
  struct desk_rule rules[DESK_RULES_MAX];
  int rule_count;
  struct desk_request requests[DESK_REQUESTS_MAX];
  int request_count;
};

static inline bool path_ends(const char *path, const char *end) {
  size_t len = strlen(path), end_len = strlen(end);
  return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

// Of the rules for a path the first that still holds; without one it is a success that says
// nothing.
static inline void desk_add(struct desk *d, struct desk_rule rule) {
  pthread_mutex_lock(&d->lock);
  assert(d->rule_count < DESK_RULES_MAX);
  d->rules[d->rule_count++] = rule;
  pthread_mutex_unlock(&d->lock);
}

static inline void desk_says(struct desk *d, const char *path, int times, int status,
                             const char *body) {
  desk_add(d, (struct desk_rule){.path = path, .body = body, .status = status, .times = times});
}

static inline struct desk_rule desk_rule_for(struct desk *d, const char *path) {
  for (int i = 0; i < d->rule_count; i++) {
    struct desk_rule *rule = &d->rules[i];
    if (rule->times == 0 || !path_ends(path, rule->path)) continue;
    if (rule->times > 0) rule->times--;
    return *rule;
  }
  bool claims = path_ends(path, "/claims");
  return (struct desk_rule){.status = 200,
                            .body = claims ? "{\"tasks\":[]}" : "{\"tasks\":[],\"success\":true}"};
}

static inline void desk_answer(struct desk *d, int fd, const char *path) {
  pthread_mutex_lock(&d->lock);
  struct desk_rule rule = desk_rule_for(d, path);
  pthread_mutex_unlock(&d->lock);
  if (rule.status == 0) return;
  char retry[40] = "";
  if (rule.retry_after_s)
    (void)snprintf(retry, sizeof retry, "Retry-After: %d\r\n", rule.retry_after_s);
  struct buf b;
  buf_init(&b, 1 << 20);
  buf_printf(&b, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", rule.status, retry,
             strlen(rule.body), rule.body);
  (void)send(fd, b.at, b.len, MSG_NOSIGNAL);  // the client may have gone
  buf_fini(&b);
}

static inline void desk_keep(struct desk *d, struct str path, struct str body) {
  pthread_mutex_lock(&d->lock);
  assert(d->request_count < DESK_REQUESTS_MAX);
  d->requests[d->request_count++] =
      (struct desk_request){mem_copy(path.at, path.len), mem_copy(body.at, body.len)};
  pthread_cond_broadcast(&d->more);
  pthread_mutex_unlock(&d->lock);
}

// Takes one request out of what a client has sent, if a whole one is there.
static inline bool desk_take(struct desk *d, struct desk_client *c) {
  buf_char(&c->in, '\0');
  c->in.len--;
  const char *head_end = strstr(c->in.at, "\r\n\r\n"),
             *length = strcasestr(c->in.at, "\r\ncontent-length: ");
  if (!head_end) return false;
  int64_t body_len = 0;
  if (length && length < head_end) {
    const char *digits = length + strlen("\r\ncontent-length: ");
    assert(str_to_i64((struct str){digits, strcspn(digits, "\r")}, &body_len));
  }
  size_t head_len = (size_t)(head_end + 4 - c->in.at), whole = head_len + (size_t)body_len;
  if (c->in.len < whole) return false;
  struct str rest = {c->in.at, head_len};
  (void)str_cut(&rest, ' ');
  char *path = mem_copy(rest.at, str_find(rest, ' '));
  if (d->seen) d->seen(d->seen_self, path);
  desk_keep(d, str_of(path), (struct str){c->in.at + head_len, (size_t)body_len});
  desk_answer(d, c->fd, path);
  mem_free(path);
  memmove(c->in.at, c->in.at + whole, c->in.len - whole);
  c->in.len -= whole;
  return true;
}

static inline void desk_hang_up(struct desk_client *c) {
  if (c->fd < 0) return;
  (void)close(c->fd);
  buf_fini(&c->in);
  c->fd = -1;
}

static inline void desk_read(struct desk *d, struct desk_client *c) {
  char bytes[16 << 10];
  ssize_t got = read(c->fd, bytes, sizeof bytes);
  if (got <= 0) {
    desk_hang_up(c);
    return;
  }
  buf_bytes(&c->in, bytes, (size_t)got);
  while (desk_take(d, c)) continue;
}

static inline void desk_accept(struct desk *d) {
  int i = 0;
  while (i < DESK_CLIENTS_MAX && d->clients[i].fd >= 0) i++;
  assert(i < DESK_CLIENTS_MAX);
  d->clients[i].fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC);
  buf_init(&d->clients[i].in, DESK_REQUEST_BYTES_MAX);
}

static inline void *desk_thread(void *self) {
  struct desk *d = self;
  enum { LISTENER = DESK_CLIENTS_MAX, STOP, COUNT };
  struct pollfd ready[COUNT];
  while (true) {
    for (int i = 0; i < DESK_CLIENTS_MAX; i++)
      ready[i] = (struct pollfd){.fd = d->clients[i].fd, .events = POLLIN};
    ready[LISTENER] = (struct pollfd){.fd = d->listener, .events = POLLIN};
    ready[STOP] = (struct pollfd){.fd = d->stop_fd, .events = POLLIN};
    (void)poll(ready, COUNT, -1);
    if (ready[STOP].revents) break;
    for (int i = 0; i < DESK_CLIENTS_MAX; i++)
      if (ready[i].revents) desk_read(d, &d->clients[i]);
    if (ready[LISTENER].revents) desk_accept(d);
  }
  for (int i = 0; i < DESK_CLIENTS_MAX; i++) desk_hang_up(&d->clients[i]);
  return NULL;
}

static inline struct desk *desk_open(void) {
  struct desk *d = mem_zero(sizeof *d);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  d->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  d->stop_fd = eventfd(0, EFD_CLOEXEC);
  assert_int_equal(bind(d->listener, (struct sockaddr *)&at, size), 0);
  assert_int_equal(listen(d->listener, DESK_CLIENTS_MAX), 0);
  assert_int_equal(getsockname(d->listener, (struct sockaddr *)&at, &size), 0);
  (void)snprintf(d->url, sizeof d->url, "http://127.0.0.1:%d", ntohs(at.sin_port));
  for (int i = 0; i < DESK_CLIENTS_MAX; i++) d->clients[i].fd = -1;
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->more, NULL);
  assert_int_equal(pthread_create(&d->thread, NULL, desk_thread, d), 0);
  return d;
}

static inline void desk_close(struct desk *d) {
  (void)eventfd_write(d->stop_fd, 1);
  pthread_join(d->thread, NULL);
  (void)close(d->listener);
  (void)close(d->stop_fd);
  for (int i = 0; i < d->request_count; i++) {
    mem_free(d->requests[i].path);
    mem_free(d->requests[i].body);
  }
  pthread_cond_destroy(&d->more);
  pthread_mutex_destroy(&d->lock);
  mem_free(d);
}

// With the lock held.
static inline const char *desk_find(const struct desk *d, const char *path, int number) {
  for (int i = 0; i < d->request_count; i++)
    if (path_ends(d->requests[i].path, path) && --number == 0) return d->requests[i].body;
  return NULL;
}

// Waits for request `number` (from 1) of those whose path ends so, and gives its body, which stays
// until the desk is closed.
static inline const char *desk_told(struct desk *d, const char *path, int number) {
  struct timespec until;
  (void)clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += PATIENCE_MS / 1000;
  pthread_mutex_lock(&d->lock);
  const char *body = desk_find(d, path, number);
  int failed = 0;
  while (!body && !failed) {
    failed = pthread_cond_timedwait(&d->more, &d->lock, &until);
    body = desk_find(d, path, number);
  }
  pthread_mutex_unlock(&d->lock);
  if (!body) fail_msg("request %d of %s did not come", number, path);
  return body;
}

static inline int desk_count(struct desk *d, const char *path) {
  int count = 0;
  pthread_mutex_lock(&d->lock);
  while (desk_find(d, path, count + 1)) count++;
  pthread_mutex_unlock(&d->lock);
  return count;
}

#define CANCEL_ASKED "{\"success\":true,\"cancelRequested\":true}"
#define PROBLEM(code) "{\"code\":\"" code "\",\"detail\":\"a sentence about " code "\"}"

// One attempt at a task, without a slot around it.
struct stand {
  struct desk *desk;
  struct client *client;
  struct lease *lease;
  int wake_fd;
  _Atomic int phase;
  struct arena arena;
  struct claim claim;
  struct attempt attempt;
  bool began;
};

static inline int stand_up_with(void **state, int64_t timeout_ms) {
  struct stand *s = mem_zero(sizeof *s);
  struct fault why;
  s->desk = desk_open();
  struct client_settings settings = {.url = str_of(s->desk->url), .timeout_ms = timeout_ms};
  assert_int_equal(client_open(&settings, &s->client, &why), ERR_OK);
  s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  s->lease = lease_open(s->client, s->wake_fd);
  arena_init(&s->arena, 64 << 10);
  s->claim = (struct claim){.id = STR("01-ab"),
                            .type = STR("t"),
                            .queue = STR("q"),
                            .worker = STR("w"),
                            .token = STR("tok"),
                            .payload = STR("null"),
                            .attempt = 1,
                            .attempts_max = 3,
                            .lease_ms = 30000};
  s->attempt = (struct attempt){&s->claim, s->lease, &s->phase, s->wake_fd, &s->arena};
  *state = s;
  return 0;
}

// A call is given up so late that a stall of the machine repeats none that the desk has counted.
static inline int stand_up(void **state) { return stand_up_with(state, PATIENCE_MS); }

// For a desk that does not answer.
static inline int stand_up_in_haste(void **state) { return stand_up_with(state, HASTE_MS); }

static inline void stand_begin(struct stand *s, int64_t lease_ms) {
  s->claim.lease_ms = lease_ms;
  lease_begin(s->lease, &s->claim);
  s->began = true;
}

static inline enum lease_state stand_end(struct stand *s) {
  s->began = false;
  return lease_end(s->lease);
}

static inline int stand_down(void **state) {
  struct stand *s = *state;
  if (s->began) (void)stand_end(s);
  lease_close(s->lease);
  client_close(s->client);
  desk_close(s->desk);
  (void)close(s->wake_fd);
  arena_fini(&s->arena);
  mem_free(s);
  return 0;
}

// Raises the phase as a crew does.
static inline void stand_raise(struct stand *s, enum phase phase) {
  atomic_store(&s->phase, phase);
  (void)eventfd_write(s->wake_fd, 1);
}

// Waits until the lease is in that state.
static inline void stand_await(struct stand *s, enum lease_state state) {
  int64_t until_us = clock_mono_us() + PATIENCE_MS * 1000LL;
  while (lease_state(s->lease) != state) {
    if (clock_mono_us() > until_us) fail_msg("the lease never came to state %d", (int)state);
    int64_t left_ms = lease_left_ms(s->lease);
    wake_wait(s->wake_fd, left_ms < PATIENCE_MS ? left_ms : PATIENCE_MS);
    wake_clear(s->wake_fd);
  }
}

#endif
