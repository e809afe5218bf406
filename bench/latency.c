// latency.c: an open-loop producer and one long-polling worker.
#include "bench/latency.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench/counts.h"
#include "bench/talk.h"

enum {
  LATENCY_PRODUCERS = 16,  // connections; more than ever wait at once on a server that keeps up
  LATENCY_GRACE_MS = 10000,
};

// What an event of the epoll set belongs to: a producer by its index, or one of these.
enum { SOURCE_WORKER = LATENCY_PRODUCERS, SOURCE_TIMER };

struct producer {
  struct wire wire;
  bool busy;
  int64_t sent_us;
};

struct latency {
  const struct endpoint *endpoint;
  struct latency_result *result;
  struct producer producers[LATENCY_PRODUCERS];
  struct wire worker;
  bool completing;  // the worker's request in flight is a completion, not a claim
  int epoll, timer;
  uint64_t due, sent, wanted;
  uint64_t acknowledged, started, completed;
  int64_t *sent_us;  // by sequence; 0 when not sent, or when it has started
  struct buf body;
  char type[32];  // of this run alone, so that nothing left by another one comes between
};

// --- the producer --------------------------------------------------------------------------------

static enum err send_all(struct wire *w, struct fault *why) {
  // A few hundred bytes into an empty socket buffer: they fit, or the connection is broken.
  if (bench_wire_send(w) == WIRE_DONE) return ERR_OK;
  return fault_set(why, ERR_UNAVAILABLE, "a request could not be sent");
}

static enum err produce(struct latency *l, struct producer *p, struct fault *why) {
  buf_clear(&l->body);
  buf_printf(&l->body, "{\"type\":\"%s\",\"payload\":", l->type);
  bench_payload_write(&l->body, l->sent);
  BUF_LIT(&l->body, "}");
  bench_wire_request(&p->wire, l->endpoint, STR("POST /api/v1/tasks"), STR(""), buf_str(&l->body));
  p->busy = true;
  p->sent_us = clock_mono_us();
  l->sent_us[l->sent++] = p->sent_us;
  return send_all(&p->wire, why);
}

static enum err produce_due(struct latency *l, struct fault *why) {
  for (size_t i = 0; i < LATENCY_PRODUCERS && l->sent < l->due; i++)
    if (!l->producers[i].busy) TRY(produce(l, &l->producers[i], why));
  return ERR_OK;
}

static enum err on_timer(struct latency *l, struct fault *why) {
  uint64_t ticks = 0;
  if (read(l->timer, &ticks, sizeof ticks) != sizeof ticks) return ERR_OK;
  l->due += ticks;
  if (l->due >= l->wanted) {
    static const struct itimerspec never;
    l->due = l->wanted;
    timerfd_settime(l->timer, 0, &never, NULL);  // from here on, silence means that nothing comes
  }
  return produce_due(l, why);
}

static enum err on_created(struct latency *l, struct producer *p, struct fault *why) {
  enum wire_state state = bench_wire_receive(&p->wire);
  if (state == WIRE_WAITS) return ERR_OK;
  if (state == WIRE_BROKEN || !p->busy || p->wire.status != 201)
    return fault_set(why, ERR_INTERNAL, "a create was not answered 201 but %d", p->wire.status);
  bench_histogram_add(&l->result->create, clock_mono_us() - p->sent_us);
  p->busy = false;
  l->acknowledged++;
  return produce_due(l, why);
}

// --- the worker ----------------------------------------------------------------------------------

static enum err claim(struct latency *l, struct fault *why) {
  buf_clear(&l->body);
  buf_printf(&l->body, "{\"types\":[\"%s\"],\"workerId\":\"bench\",\"limit\":1,\"waitMs\":30000}",
             l->type);
  l->completing = false;
  bench_wire_request(&l->worker, l->endpoint, STR("POST /api/v1/claims"), STR(""),
                     buf_str(&l->body));
  return send_all(&l->worker, why);
}

static enum err complete(struct latency *l, const struct lease *lease, struct fault *why) {
  char line[96];
  int length = snprintf(line, sizeof line, "POST /api/v1/tasks/%.36s/complete", lease->id);
  buf_clear(&l->body);
  buf_printf(&l->body, "{\"leaseToken\":\"%.*s\",\"result\":{\"ok\":true}}",
             (int)lease->token_bytes, lease->token);
  l->completing = true;
  bench_wire_request(&l->worker, l->endpoint, (struct str){line, (size_t)length}, STR(""),
                     buf_str(&l->body));
  return send_all(&l->worker, why);
}

static enum err on_claimed(struct latency *l, struct str body, int64_t now_us, struct fault *why) {
  struct lease lease;
  const char *at = body.at;
  uint64_t sequence;
  if (!bench_lease_next(&at, body.at + body.len, &lease)) return claim(l, why);
  if (!bench_payload_read(body, &sequence) || sequence >= l->sent || l->sent_us[sequence] == 0)
    return fault_set(why, ERR_INTERNAL, "the worker got a task that was not sent, or got it twice");
  bench_histogram_add(&l->result->start, now_us - l->sent_us[sequence]);
  l->sent_us[sequence] = 0;
  l->started++;
  return complete(l, &lease, why);
}

static enum err on_worker(struct latency *l, struct fault *why) {
  enum wire_state state = bench_wire_receive(&l->worker);
  if (state == WIRE_WAITS) return ERR_OK;
  if (state == WIRE_BROKEN || l->worker.status != 200)
    return fault_set(why, ERR_INTERNAL, "the worker was not answered 200 but %d", l->worker.status);
  if (!l->completing) return on_claimed(l, bench_wire_body(&l->worker), clock_mono_us(), why);
  l->completed++;
  return claim(l, why);
}

// --- the run -------------------------------------------------------------------------------------

static enum err watch(struct latency *l, int fd, uint64_t source, struct fault *why) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = source};
  if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0) return ERR_OK;
  return fault_set(why, ERR_INTERNAL, "cannot watch a socket: %s", strerror(errno));
}

static enum err open_all(struct latency *l, struct fault *why) {
  l->epoll = epoll_create1(EPOLL_CLOEXEC);
  l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (l->epoll < 0 || l->timer < 0)
    return fault_set(why, ERR_INTERNAL, "no epoll set or timer: %s", strerror(errno));
  TRY(watch(l, l->timer, SOURCE_TIMER, why));
  TRY(bench_wire_open(&l->worker, l->endpoint, why));
  TRY(watch(l, l->worker.fd, SOURCE_WORKER, why));
  for (unsigned i = 0; i < LATENCY_PRODUCERS; i++) {
    TRY(bench_wire_open(&l->producers[i].wire, l->endpoint, why));
    TRY(watch(l, l->producers[i].wire.fd, i, why));
  }
  return ERR_OK;
}

static void close_all(struct latency *l) {
  for (unsigned i = 0; i < LATENCY_PRODUCERS; i++) bench_wire_close(&l->producers[i].wire);
  bench_wire_close(&l->worker);
  if (l->timer >= 0) close(l->timer);
  if (l->epoll >= 0) close(l->epoll);
  mem_free(l->sent_us);
  buf_fini(&l->body);
}

static enum err dispatch(struct latency *l, uint64_t source, struct fault *why) {
  if (source == SOURCE_TIMER) return on_timer(l, why);
  if (source == SOURCE_WORKER) return on_worker(l, why);
  return on_created(l, &l->producers[source], why);
}

static enum err loop(struct latency *l, struct fault *why) {
  while (l->completed < l->wanted || l->acknowledged < l->wanted) {
    struct epoll_event events[LATENCY_PRODUCERS + 2];
    int count = epoll_wait(l->epoll, events, LATENCY_PRODUCERS + 2, LATENCY_GRACE_MS);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      return fault_set(why, ERR_INTERNAL, "%llu of %llu tasks never reached the worker",
                       (unsigned long long)(l->wanted - l->started), (unsigned long long)l->wanted);
    for (int i = 0; i < count; i++) TRY(dispatch(l, events[i].data.u64, why));
  }
  return ERR_OK;
}

static enum err drive(struct latency *l, struct fault *why) {
  const long every_ns = 1000000000L / LATENCY_TASKS_PER_S;
  struct itimerspec schedule = {.it_interval.tv_nsec = every_ns, .it_value.tv_nsec = every_ns};
  TRY(open_all(l, why));
  TRY(claim(l, why));
  timerfd_settime(l->timer, 0, &schedule, NULL);
  return loop(l, why);
}

// The worker's last claim is still parked when its connection closes; nobody is to lose by that.
enum err bench_latency_run(const struct endpoint *to, double seconds, struct latency_result *out,
                           struct fault *why) {
  struct counts before, after;
  TRY(bench_counts_read(to, &before, why));
  memset(out, 0, sizeof *out);
  struct latency *l = mem_zero(sizeof *l);
  *l = (struct latency){.endpoint = to, .result = out, .epoll = -1, .timer = -1, .worker.fd = -1};
  for (unsigned i = 0; i < LATENCY_PRODUCERS; i++) l->producers[i].wire.fd = -1;
  snprintf(l->type, sizeof l->type, "bench-latency-%llx", (unsigned long long)clock_mono_us());
  l->wanted = (uint64_t)(seconds * LATENCY_TASKS_PER_S);
  l->sent_us = mem_zero(sizeof *l->sent_us * (l->wanted + 1));
  buf_init(&l->body, 1 << 16);
  enum err err = drive(l, why);
  out->tasks = l->started;
  close_all(l);
  mem_free(l);
  TRY(err);
  TRY(bench_counts_read(to, &after, why));
  if (after.completed - before.completed == (int64_t)out->tasks) return ERR_OK;
  return fault_set(why, ERR_INTERNAL, "%llu tasks were completed, the server counts %lld",
                   (unsigned long long)out->tasks, (long long)(after.completed - before.completed));
}
