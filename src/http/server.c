// server.c: the loop: listening, waking, deadlines, signals, and the way to stop.
#include "http/inside.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>

#include "base/mem.h"

enum {
  BACKLOG = 4096,  // the kernel cuts it to net.core.somaxconn
  HEAD_OUT_BYTES_MAX = 64 << 10,
  PROBLEM_BYTES_MAX = 64 << 10,
  TICK_MS_MIN = 5,
  TICK_MS_MAX = 1000,
};

const struct http_settings HTTP_DEFAULTS = {
    .host = {"127.0.0.1", sizeof "127.0.0.1" - 1},
    .port = 8503,
    .body_bytes_max = 1 << 20,
    .bodies_bytes_max = 256 << 20,
    .head_bytes_max = 32 << 10,
    .uri_bytes_max = 8 << 10,
    .headers_max = 64,
    .connections_max = 10000,
    .head_timeout_ms = 10000,
    .body_rate_min = 1000,
    .body_grace_ms = 5000,
    .idle_timeout_ms = 60000,
    .write_timeout_ms = 30000,
};

struct watch {
  uv_signal_t handle;
  struct watch *next;
  void (*on)(void *self, int signal);
  void *self;
};

struct http_timer {
  uv_timer_t handle;
  struct http_timer *next;
  void (*on)(void *self);
  void *self;
};

static void on_tick(uv_timer_t *tick) {
  struct http_server *s = tick->data;
  int64_t now = (int64_t)uv_now(&s->loop);
  for (struct link *l = s->conns.next; l != &s->conns; l = l->next) {
    struct conn *c = LINK_OF(struct conn, link, l);
    if (c->deadline_ms <= now) http_conn_expire(c);
  }
}

// A quarter of the shortest time limit is as late as any of them may be noticed, at most a second.
static uint64_t tick_for(const struct http_settings *settings) {
  int64_t limits[] = {settings->head_timeout_ms, settings->body_grace_ms, settings->idle_timeout_ms,
                      settings->write_timeout_ms};
  int64_t tick = TICK_MS_MAX;
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    if (limits[i] / 4 < tick) tick = limits[i] / 4;
  }
  return tick < TICK_MS_MIN ? TICK_MS_MIN : (uint64_t)tick;
}

void http_server_count_in(struct http_server *s) {
  s->stats.connections_total++;
  if (s->stats.connections++ == 0) uv_timer_start(&s->tick, on_tick, s->tick_ms, s->tick_ms);
}

void http_server_count_out(struct http_server *s) {
  assert(s->stats.connections > 0);
  if (--s->stats.connections > 0) return;
  uv_timer_stop(&s->tick);
  if (s->draining) uv_stop(&s->loop);
}

static void on_resume(uv_idle_t *resumer) {
  struct http_server *s = resumer->data;
  while (!link_is_alone(&s->resuming)) {
    struct conn *c = LINK_OF(struct conn, resuming, s->resuming.next);
    link_remove(&c->resuming);
    http_conn_resume(c);
  }
  uv_idle_stop(resumer);
}

void http_server_resume_soon(struct conn *c) {
  struct http_server *s = c->server;
  link_remove(&c->resuming);
  link_append(&s->resuming, &c->resuming);
  uv_idle_start(&s->resumer, on_resume);
}

static void on_connection(uv_stream_t *listener, int status) {
  if (status == 0) http_conn_open(listener->data, listener);
}

static enum err resolve(struct http_server *s, const char *host, const char *port,
                        uv_getaddrinfo_t *found, struct fault *why) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
  int failed = uv_getaddrinfo(&s->loop, found, NULL, host, port, &hints);
  if (failed == 0) return ERR_OK;
  return fault_set(why, ERR_INVALID, "cannot find the host %s to listen on: %s", host,
                   uv_strerror(failed));
}

// The error, too, that libuv keeps of a bind for later: that the address is in use.
static int read_port(const uv_tcp_t *listener, int *port) {
  union {
    struct sockaddr_storage any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } address;
  int bytes = sizeof address;
  int failed = uv_tcp_getsockname(listener, (struct sockaddr *)&address, &bytes);
  if (failed) return failed;
  *port = ntohs(address.any.ss_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
  return 0;
}

static enum err refuse_address(const struct http_server *s, int failed, struct fault *why) {
  return fault_set(
      why, ERR_UNAVAILABLE,
      "cannot listen on %.*s port %d: %s; stop what listens there, or listen elsewhere",
      STR_FMT(s->settings.host), s->settings.port, uv_strerror(failed));
}

// libuv sets SO_REUSEADDR.
static enum err take_address(struct http_server *s, struct fault *why) {
  char host[256], port[8];
  if (s->settings.host.len >= sizeof host) {
    return fault_set(why, ERR_INVALID, "the name of the host to listen on is too long");
  }
  snprintf(host, sizeof host, "%.*s", STR_FMT(s->settings.host));
  snprintf(port, sizeof port, "%u", (unsigned)s->settings.port & 0xffff);
  uv_getaddrinfo_t found;
  TRY(resolve(s, host, port, &found, why));
  int failed = uv_tcp_bind(&s->listener, found.addrinfo->ai_addr, 0);
  uv_freeaddrinfo(found.addrinfo);
  if (!failed) failed = read_port(&s->listener, &s->port);
  return failed ? refuse_address(s, failed, why) : ERR_OK;
}

static void on_async(uv_async_t *async);

static void init_handles(struct http_server *s) {
  int failed = uv_loop_init(&s->loop) || uv_async_init(&s->loop, &s->async, on_async) ||
               uv_tcp_init(&s->loop, &s->listener) || uv_timer_init(&s->loop, &s->tick) ||
               uv_timer_init(&s->loop, &s->grace) || uv_idle_init(&s->loop, &s->resumer);
  assert(!failed);
  s->async.data = s->listener.data = s->tick.data = s->grace.data = s->resumer.data = s;
}

// SIGPIPE is ignored in the whole process: libuv writes without MSG_NOSIGNAL.
enum err http_bind(const struct http_settings *settings, struct http_server **out,
                   struct fault *why) {
  assert(settings->body_rate_min > 0 && settings->body_grace_ms >= 0);
  struct http_server *s = mem_zero(sizeof *s);
  s->settings = *settings;
  s->tick_ms = tick_for(settings);
  link_init(&s->conns);
  link_init(&s->resuming);
  link_init(&s->requests);
  link_init(&s->free_requests);
  buf_init(&s->head, HEAD_OUT_BYTES_MAX);
  buf_init(&s->problem, PROBLEM_BYTES_MAX);
  signal(SIGPIPE, SIG_IGN);
  init_handles(s);
  enum err err = take_address(s, why);
  if (err == ERR_OK)
    *out = s;
  else
    http_close(s);
  return err;
}

enum err http_listen(struct http_server *s, const struct http_hooks *hooks, struct fault *why) {
  s->hooks = *hooks;
  int failed = uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection);
  return failed ? refuse_address(s, failed, why) : ERR_OK;
}

enum err http_open(const struct http_settings *settings, const struct http_hooks *hooks,
                   struct http_server **out, struct fault *why) {
  struct http_server *s;
  TRY(http_bind(settings, &s, why));
  enum err err = http_listen(s, hooks, why);
  if (err == ERR_OK)
    *out = s;
  else
    http_close(s);
  return err;
}

int http_port(const struct http_server *s) { return s->port; }

struct http_stats http_stats(const struct http_server *s) {
  return s->stats;
}

// The handles stay open until http_close, so that http_wake is harmless after this returned.
void http_run(struct http_server *s) { uv_run(&s->loop, UV_RUN_DEFAULT); }

void http_wake(struct http_server *s) {
  atomic_store(&s->wake_wanted, true);
  uv_async_send(&s->async);
}

static void on_signal(uv_signal_t *handle, int number) {
  struct watch *watch = handle->data;
  watch->on(watch->self, number);
}

void http_on_signal(struct http_server *s, int signal, void (*on)(void *self, int signal),
                    void *self) {
  struct watch *watch = mem_zero(sizeof *watch);
  watch->on = on;
  watch->self = self;
  watch->next = s->watches;
  s->watches = watch;
  int failed = uv_signal_init(&s->loop, &watch->handle);
  watch->handle.data = watch;
  if (!failed) failed = uv_signal_start(&watch->handle, on_signal, signal);
  assert(!failed);
}

struct http_timer *http_timer_new(struct http_server *s, void (*on)(void *self), void *self) {
  struct http_timer *t = mem_zero(sizeof *t);
  t->on = on;
  t->self = self;
  t->next = s->timers;
  s->timers = t;
  int failed = uv_timer_init(&s->loop, &t->handle);
  assert(!failed);
  t->handle.data = t;
  return t;
}

static void on_timer(uv_timer_t *handle) {
  struct http_timer *t = handle->data;
  t->on(t->self);
}

void http_timer_set(struct http_timer *t, int64_t ms) {
  if (ms < 0)
    uv_timer_stop(&t->handle);
  else
    uv_timer_start(&t->handle, on_timer, (uint64_t)ms, 0);
}

void http_stop(struct http_server *s, int64_t grace_ms) {
  atomic_store(&s->stop_grace_ms, grace_ms > 0 ? grace_ms : 0);
  atomic_store(&s->stop_wanted, true);
  uv_async_send(&s->async);
}

// Whether something came that the loop has not read yet. To close on it would reset the connection.
static bool has_unread(const struct conn *c) {
  uv_os_fd_t fd;
  char byte;
  return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 &&
         recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void close_conns(struct http_server *s, bool only_idle) {
  for (struct link *l = s->conns.next; l != &s->conns; l = l->next) {
    struct conn *c = LINK_OF(struct conn, link, l);
    bool idle = c->state == CONN_IDLE && http_conn_pending(c) == 0;
    if (!only_idle || (idle && !has_unread(c))) http_conn_close(c);
  }
}

static void on_grace_over(uv_timer_t *grace) { close_conns(grace->data, false); }

// Stopping again while draining sets a new grace.
static void drain(struct http_server *s) {
  if (!s->draining) uv_close((uv_handle_t *)&s->listener, NULL);
  s->draining = true;
  close_conns(s, true);
  uv_timer_start(&s->grace, on_grace_over, (uint64_t)atomic_load(&s->stop_grace_ms), 0);
  if (s->stats.connections == 0) uv_stop(&s->loop);
}

static void on_async(uv_async_t *async) {
  struct http_server *s = async->data;
  bool wake = atomic_exchange(&s->wake_wanted, false);
  if (wake && s->hooks.wake) s->hooks.wake(s->hooks.self);
  if (atomic_exchange(&s->stop_wanted, false)) drain(s);
}

static void close_handle(uv_handle_t *handle, void *unused) {
  (void)unused;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void free_requests(struct http_server *s) {
  while (!link_is_alone(&s->requests)) {
    http_request_free(LINK_OF(struct request, link, s->requests.next));
  }
  while (!link_is_alone(&s->free_requests)) {
    struct request *r = LINK_OF(struct request, link, s->free_requests.next);
    link_remove(&r->link);
    arena_fini(&r->public.arena);
    mem_free(r);
  }
}

// What the handler still owes an answer to is freed with the server, without a word.
void http_close(struct http_server *s) {
  if (s == NULL) return;
  s->hooks.gone = NULL;
  s->draining = false;
  close_conns(s, false);
  uv_walk(&s->loop, close_handle, NULL);
  uv_run(&s->loop, UV_RUN_DEFAULT);
  int failed = uv_loop_close(&s->loop);
  assert(!failed);
  while (s->watches) {
    struct watch *watch = s->watches;
    s->watches = watch->next;
    mem_free(watch);
  }
  while (s->timers) {
    struct http_timer *timer = s->timers;
    s->timers = timer->next;
    mem_free(timer);
  }
  free_requests(s);
  buf_fini(&s->head);
  buf_fini(&s->problem);
  mem_free(s);
}
