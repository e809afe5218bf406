// streams.c: all live streams: how many there may be, what is due by time, and their end.
#include "api/streams.h"

#include "api/sessions.h"
#include "base/mem.h"
#include "base/rand.h"

enum {
  FRAME_BYTES_MAX = 256 << 10,
  OUT_BYTES_MAX = 1 << 20,
};

// --- from the lanes ------------------------------------------------------------------------------

static void wake_loop(struct streams *all) {
  if (!atomic_exchange(&all->woken, true) && all->api->server) http_wake(all->api->server);
}

void streams_happened(struct streams *all, int64_t tenant) {
  if (!atomic_load_explicit(&all->followed, memory_order_acquire)) return;
  atomic_store(&all->marks[tenant % TENANT_MARKS], true);
  wake_loop(all);
}

void streams_happened_in(struct streams *all, struct session *s) {
  if (!atomic_load_explicit(&s->followed, memory_order_acquire)) return;
  atomic_store(&s->happened, true);
  wake_loop(all);
}

void streams_look(struct streams *all) {
  bool marked[TENANT_MARKS];
  if (!atomic_exchange(&all->woken, false)) return;
  for (size_t i = 0; i < TENANT_MARKS; i++) marked[i] = atomic_exchange(&all->marks[i], false);
  for (struct follower *f = all->followers, *next; f; f = next) {
    next = f->next;
    bool stirred = f->session ? atomic_exchange(&f->session->happened, false)
                              : marked[f->tenant % TENANT_MARKS];
    if (stirred) follower_stir(f);
  }
}

// --- admission -----------------------------------------------------------------------------------

static size_t count_of(const struct streams *all, const struct call *c) {
  size_t count = 0;
  for (const struct follower *f = all->followers; f; f = f->next) {
    if (f->engine != c->engine || f->tenant != c->who.tenant) continue;
    for (const struct stream *s = f->streams; s; s = s->next)
      count += str_eq(s->actor, c->who.actor);
  }
  return count;
}

enum err streams_admit(struct streams *all, struct call *c) {
  const struct stream_settings *settings = &all->api->settings.streams;
  c->fault.retry_after_s = 5;
  if (all->draining) return fault_set(&c->fault, ERR_UNAVAILABLE, "the server is draining");
  if (all->count >= settings->max)
    return fault_set(&c->fault, ERR_OVERLOADED,
                     "the server has %zu streams of events, which is as many as it serves at once "
                     "(streams_max); poll, or try again",
                     all->count);
  size_t most = c->session ? LIMIT_SESSION_STREAMS : settings->each_max;
  if (count_of(all, c) >= most)
    return fault_set(
        &c->fault, ERR_TOO_MANY,
        "streams of events that you have: %zu, as many as one %s; end one of them first", most,
        c->session ? "session may have" : "credential may have (streams_each_max)");
  c->fault.retry_after_s = 0;
  return ERR_OK;
}

// --- time ----------------------------------------------------------------------------------------

void streams_due(struct streams *all, int64_t at_us) {
  if (all->timer == NULL || at_us >= all->due_us) return;
  int64_t left_us = at_us - clock_mono_us();
  all->due_us = at_us;
  http_timer_set(all->timer, left_us > 0 ? (left_us + 999) / 1000 : 0);
}

static void on_time(void *self) {
  struct streams *all = self;
  int64_t now_us = clock_mono_us();
  bool check = now_us - all->checked_us >= STREAMS_CHECK_US;
  if (check) all->checked_us = now_us;
  all->due_us = INT64_MAX;
  for (struct follower *f = all->followers, *next; f; f = next) {
    next = f->next;
    follower_tick(f, now_us);
    for (struct stream *s = f->streams, *after; s; s = after) {
      after = s->next;
      stream_tick(s, now_us, check);
    }
    follower_release(f);
  }
  if (all->followers) streams_due(all, all->checked_us + STREAMS_CHECK_US);
}

// --- the end -------------------------------------------------------------------------------------

static void end_all(struct streams *all, const struct session *only) {
  for (struct follower *f = all->followers, *next; f; f = next) {
    next = f->next;
    if (only && f->session != only) continue;
    for (struct stream *s = f->streams, *after; s; s = after) {
      after = s->next;
      stream_close(s);
    }
    follower_release(f);
  }
}

void streams_end_session(struct streams *all, const struct session *s) { end_all(all, s); }

void streams_drain(struct streams *all) {
  all->draining = true;
  end_all(all, NULL);
}

struct streams *streams_open(struct api *api) {
  struct streams *all = mem_zero(sizeof *all);
  all->api = api;
  all->due_us = INT64_MAX;
  buf_init(&all->out, OUT_BYTES_MAX);
  buf_init(&all->frame, FRAME_BYTES_MAX);
  arena_init(&all->scratch, 1024);
  if (engine_is_fleeting(api->settings.engine)) all->epoch = (uint32_t)rand_u64() | 1;
  return all;
}

void streams_attach(struct streams *all, struct http_server *server) {
  all->timer = http_timer_new(server, on_time, all);
}

void streams_close(struct streams *all) {
  if (all == NULL) return;
  while (all->followers) follower_free(all->followers);
  buf_fini(&all->out);
  buf_fini(&all->frame);
  arena_fini(&all->scratch);
  mem_free(all);
}
