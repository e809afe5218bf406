// sessions.c: the sessions that there are: opened when they are first asked for, ended when nobody
// asks any more.
#include "api/sessions.h"

#include <assert.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

enum { LOOK_AGAIN_US = 5 * 1000 * 1000, LOOK_ARENA_BYTES = 4096 };

// --- hooks, from the lanes of the sessions -------------------------------------------------------

static void wake_loop(struct sessions *all) {
  if (all->api->server) http_wake(all->api->server);
}

static void on_answers(void *self) {
  struct session *s = self;
  atomic_store(&s->woken, true);
  atomic_store(&s->of->woken, true);
  wake_loop(s->of);
}

// What a worker that waits need not hear of.
static bool makes_nothing_ready(enum event_kind kind) {
  return kind == EVENT_CLAIMED || kind == EVENT_PROGRESS || kind == EVENT_COMPLETED ||
         kind == EVENT_FAILED || kind == EVENT_CANCELLED;
}

static void on_event(void *self, const struct event *event) {
  struct session *s = self;
  session_log(s->key, event);
  if (makes_nothing_ready(event->kind)) return;
  atomic_store(&s->stirred, true);
  atomic_store(&s->of->stirred, true);
  wake_loop(s->of);
}

// --- opening and closing -------------------------------------------------------------------------

static void close_parts(struct session *s) {
  if (s->engine) engine_stop(s->engine);
  engine_close(s->engine);
  if (s->store) s->store->ops->close(s->store);
  mem_free((char *)s->key.at);
  mem_free(s);
}

static enum err open_parts(struct sessions *all, struct session *s, struct fault *why) {
  const struct session_settings *settings = &all->api->settings.sessions;
  struct engine_settings with = settings->engine;
  with.lanes = 1;
  with.self = s;
  with.wake = on_answers;
  with.happened = on_event;
  TRY(settings->open_store(settings->self, &s->store, why));
  TRY(engine_open(s->store, &with, &s->engine, why));
  return engine_start(s->engine, why);
}

static uint32_t new_number(const struct sessions *all) {
  uint32_t number;
  do number = (uint32_t)rand_u64();
  while (number == 0 || sessions_of_number(all, number));
  return number;
}

static enum err open_session(struct sessions *all, struct str key, struct session **out,
                             struct fault *why) {
  struct session *s = mem_zero(sizeof *s);
  s->of = all;
  s->key = (struct str){mem_copy(key.at, key.len), key.len};
  s->key_hash = hash_fast(key);
  s->number = new_number(all);
  s->serial = ++all->serials;
  s->opened_at = clock_now(clock_real());
  enum err err = open_parts(all, s, why);
  if (err != ERR_OK) {
    close_parts(s);
    return err;
  }
  if (all->last)
    all->last->next = s;
  else
    all->first = s;
  all->last = s;
  all->count++;
  *out = s;
  return ERR_OK;
}

static enum err refuse_more(const struct sessions *all, struct fault *why) {
  why->retry_after_s = 30;
  return fault_set(why, ERR_OVERLOADED,
                   "this server has %zu sessions, which is as many as it serves at once "
                   "(sessions_max); try again when one has ended",
                   all->count);
}

enum err sessions_take(struct sessions *all, struct str key, struct session **out,
                       struct fault *why) {
  struct session *s = sessions_find(all, key);
  if (s == NULL) {
    if (all->draining) {
      why->retry_after_s = 1;
      return fault_set(why, ERR_UNAVAILABLE, "the server is draining");
    }
    if (all->count >= all->api->settings.sessions.max) return refuse_more(all, why);
    TRY(open_session(all, key, &s, why));
    log_event(LOG_DEBUG, "session began", LOG_STR("session", s->key));
    sessions_soon(all);  // its end is to be minded
  }
  session_seen(s);
  *out = s;
  return ERR_OK;
}

// --- finding -------------------------------------------------------------------------------------

struct session *sessions_find(const struct sessions *all, struct str key) {
  uint64_t hash = hash_fast(key);
  for (struct session *s = all->first; s; s = s->next)
    if (s->key_hash == hash && !s->leaving && str_eq(s->key, key)) return s;
  return NULL;
}

struct session *sessions_of_number(const struct sessions *all, uint32_t number) {
  for (struct session *s = all->first; s; s = s->next)
    if (s->number == number && !s->leaving) return s;
  return NULL;
}

// --- calls ---------------------------------------------------------------------------------------

void session_seen(struct session *s) { s->seen_us = clock_mono_us(); }

void session_enter(struct session *s) { s->calls++; }

void session_leave(struct session *s) {
  assert(s->calls > 0);
  s->calls--;
  if (s->leaving && s->calls == 0) sessions_soon(s->of);
}

// Whoever still waits in it is answered.
void session_end(struct session *s, const char *reason) {
  if (s->leaving) return;
  s->leaving = true;
  s->reason = reason;
  engine_drain(s->engine);
  sessions_soon(s->of);
}

void sessions_collect(struct sessions *all) {
  if (atomic_exchange(&all->woken, false)) {
    for (struct session *s = all->first; s; s = s->next)
      if (atomic_exchange(&s->woken, false)) engine_collect(s->engine);
  }
  session_claims_look(all);
}

// --- ends ----------------------------------------------------------------------------------------

// Whether tasks of an idle session run is asked of its store, as any caller would ask it.
struct session_look {
  struct query query;
  struct session *of;
  struct arena arena;
  int64_t now;
  bool running;
};

static bool is_idle(const struct session *s, int64_t now_us) {
  int64_t timeout_us = s->of->api->settings.sessions.timeout_ms * 1000;
  return s->calls == 0 && now_us - s->seen_us >= timeout_us;
}

// A task whose lease is over has no worker. In a session that is full it stays, since no change is
// taken any more, and must not keep the session.
static void run_look(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct session_look *look = q->context;
  const struct task_filter running = {
      .tenant = 1, .statuses = 1u << TASK_RUNNING, .limit = LIMIT_PAGE_ITEMS};
  struct task_page page = {0};
  q->err = ops->read_tasks(reader, &look->arena, &running, &page, &q->fault);
  look->running = page.more;
  for (size_t i = 0; q->err == ERR_OK && i < page.count; i++)
    look->running |= page.tasks[i]->lease_expires_at > look->now;
}

static void look_done(struct query *q) {
  struct session_look *look = q->context;
  struct session *s = look->of;
  bool busy = look->running && q->err == ERR_OK;
  int64_t now_us = clock_mono_us();
  s->look = NULL;
  s->calls--;
  s->look_us = busy ? now_us + LOOK_AGAIN_US : 0;
  if (!busy && is_idle(s, now_us)) session_end(s, "timeout");
  sessions_soon(s->of);
  arena_fini(&look->arena);
  mem_free(look);
}

static void start_look(struct session *s) {
  struct session_look *look = mem_zero(sizeof *look);
  arena_init(&look->arena, LOOK_ARENA_BYTES);
  look->of = s;
  look->now = engine_now(s->engine);
  look->query = (struct query){.run = run_look, .done = look_done, .context = look};
  s->look = look;
  session_enter(s);
  engine_query(s->engine, &look->query);
}

static void close_session(struct sessions *all, struct session **link) {
  struct session *s = *link;
  *link = s->next;
  all->count--;
  log_event(LOG_INFO, "session ended", LOG_STR("session", s->key),
            LOG_STR("reason", str_of(s->reason)));
  close_parts(s);
}

// When the session is to be looked at, µs; 0: something else will see to it.
static int64_t session_due(struct session *s, int64_t now_us) {
  int64_t due_us = s->seen_us + s->of->api->settings.sessions.timeout_ms * 1000;
  if (s->leaving || s->look) return 0;
  if (due_us < s->look_us) due_us = s->look_us;
  if (due_us > now_us) return due_us;
  // One that is asked just now is not idle: a long poll is in it.
  if (s->calls > 0) return now_us + LOOK_AGAIN_US;
  start_look(s);
  return 0;
}

static int64_t sooner(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return a ? a : b;
  return a < b ? a : b;
}

void sessions_tick(void *sessions) {
  struct sessions *all = sessions;
  int64_t now_us = clock_mono_us(), next_us = session_claims_due(all, now_us);
  struct session **link = &all->first, *last = NULL;
  while (*link) {
    struct session *s = *link;
    if (s->leaving && s->calls == 0) {
      close_session(all, link);
      continue;
    }
    next_us = sooner(next_us, session_due(s, now_us));
    last = s;
    link = &s->next;
  }
  all->last = last;
  if (all->timer) http_timer_set(all->timer, next_us ? (next_us - now_us) / 1000 + 1 : -1);
}

void sessions_soon(struct sessions *all) {
  if (all->timer) http_timer_set(all->timer, 0);
}

// --- all of them ---------------------------------------------------------------------------------

struct sessions *sessions_open(struct api *api) {
  struct sessions *all = mem_zero(sizeof *all);
  all->api = api;
  return all;
}

void sessions_attach(struct sessions *all, struct http_server *server) {
  all->timer = http_timer_new(server, sessions_tick, all);
  sessions_soon(all);
}

void sessions_drain(struct sessions *all) {
  all->draining = true;
  for (struct session *s = all->first; s; s = s->next) engine_drain(s->engine);
  sessions_soon(all);
}

// The loop has ended: whatever is still answered goes out from here.
void sessions_stop(struct sessions *all) {
  all->draining = true;
  for (struct session *s = all->first; s; s = s->next) {
    engine_stop(s->engine);
    engine_collect(s->engine);
  }
  (void)session_claims_due(all, INT64_MAX);
  all->timer = NULL;  // it goes with the loop
}

void sessions_close(struct sessions *all) {
  if (all == NULL) return;
  while (all->first) {
    struct session *s = all->first;
    all->first = s->next;
    close_parts(s);
  }
  mem_free(all);
}
