// sessions.c: the sessions that there are: opened when they are first asked for, ended when nobody
// asks any more.
#include "api/sessions.h"
#include "api/streams.h"

#include <assert.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

enum {
  LOOK_AGAIN_US = 5 * 1000 * 1000,
  LOOK_ARENA_BYTES = 4096,
  RETRY_S = 30,  // where there is no place for a session: until one may have ended
};

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

// The visitor's limit: it is told by each answer, and the operator once.
static void on_full(void *self) {
  struct session *s = self;
  if (atomic_exchange(&s->told_full, true)) return;
  log_event(LOG_WARN, "a session is full; what it sends is refused until it has room again",
            LOG_STR("session", s->key), LOG_I64("bytes", s->of->api->settings.sessions.bytes));
}

static void on_event(void *self, const struct event *event) {
  struct session *s = self;
  session_log(s->key, event);
  streams_happened_in(s->of->api->streams, s);
  if (!session_hear(s, event)) return;
  atomic_store(&s->stirred, true);
  atomic_store(&s->of->stirred, true);
  wake_loop(s->of);
}

// --- opening and closing -------------------------------------------------------------------------

static void close_parts(struct session *s) {
  if (s->engine) engine_stop(s->engine);
  engine_close(s->engine);
  if (s->store) s->store->ops->close(s->store);
  pthread_mutex_destroy(&s->heard_lock);
  mem_free((char *)s->key.at);
  mem_free((char *)s->ended_by.at);
  mem_free(s);
}

static enum err open_parts(struct sessions *all, struct session *s, struct fault *why) {
  const struct session_settings *settings = &all->api->settings.sessions;
  struct engine_settings with = settings->engine;
  with.lanes = 1;
  with.session = s->key;
  with.self = s;
  with.wake = on_answers;
  with.happened = on_event;
  with.full = on_full;
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
  pthread_mutex_init(&s->heard_lock, NULL);
  s->serial = ++all->serials;
  s->opened_at = clock_now(clock_real());
  enum err err = open_parts(all, s, why);
  if (err != ERR_OK) {
    close_parts(s);
    return err;
  }
  session_seen(s);
  *out = s;
  return ERR_OK;
}

static void list_session(struct sessions *all, struct session *s) {
  if (all->last)
    all->last->next = s;
  else
    all->first = s;
  all->last = s;
  all->count++;
}

static enum err refuse_draining(struct fault *why) {
  why->retry_after_s = 1;
  return fault_set(why, ERR_UNAVAILABLE, "the server is draining");
}

static enum err refuse_more(const struct sessions *all, struct fault *why) {
  why->retry_after_s = RETRY_S;
  return fault_set(why, ERR_OVERLOADED,
                   "this server has %zu sessions, which is as many as it serves at once "
                   "(sessions_max); try again when one has ended",
                   all->count);
}

// Not those that leave: their places are about to be free, and who ends one may begin another.
static size_t count_of_home(const struct sessions *all, const struct address *home) {
  size_t count = 0;
  for (const struct session *s = all->first; s; s = s->next)
    count += !s->leaving && memcmp(&s->home, home, sizeof *home) == 0;
  return count;
}

static enum err check_home(const struct sessions *all, const struct address *home,
                           struct fault *why) {
  size_t most = all->api->settings.sessions.per_address;
  if (most == 0 || count_of_home(all, home) < most) return ERR_OK;
  why->retry_after_s = RETRY_S;
  return fault_set(why, ERR_TOO_MANY,
                   "your address has begun %zu sessions, which is as many as it may have at once "
                   "(sessions_per_address); use or end one of them. If a proxy stands before this "
                   "server, name it in trusted_proxies",
                   most);
}

enum err sessions_begin(struct sessions *all, struct str key, const struct address *home,
                        struct session **out, struct fault *why) {
  if (all->draining) return refuse_draining(why);
  TRY(check_home(all, home, why));
  if (all->count >= all->api->settings.sessions.max) return refuse_more(all, why);
  TRY(open_session(all, key, out, why));
  (*out)->home = *home;
  list_session(all, *out);
  log_event(LOG_DEBUG, "session began", LOG_STR("session", (*out)->key));
  sessions_soon(all);  // its end is to be minded
  return ERR_OK;
}

enum err sessions_empty(struct sessions *all, struct session **out, struct fault *why) {
  if (all->draining) return refuse_draining(why);
  if (all->empty == NULL) TRY(open_session(all, STR(""), &all->empty, why));
  *out = all->empty;
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
void session_end(struct session *s, const char *reason, struct str actor) {
  if (s->leaving) return;
  s->leaving = true;
  s->reason = reason;
  s->ended_by = (struct str){mem_copy(actor.at, actor.len), actor.len};
  engine_drain(s->engine);
  streams_end_session(s->of->api->streams, s);
  sessions_soon(s->of);
}

void sessions_collect(struct sessions *all) {
  if (atomic_exchange(&all->woken, false)) {
    for (struct session *s = all->first; s; s = s->next)
      if (atomic_exchange(&s->woken, false)) engine_collect(s->engine);
    if (all->empty && atomic_exchange(&all->empty->woken, false))
      engine_collect(all->empty->engine);
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
  if (!busy && is_idle(s, now_us)) session_end(s, "timeout", STR("system"));
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
            LOG_STR("reason", str_of(s->reason)), LOG_STR("actor", s->ended_by));
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
    next_us = clock_sooner(next_us, session_due(s, now_us));
    last = s;
    link = &s->next;
  }
  all->last = last;
  all->due_us = next_us;
  if (all->timer) http_timer_set(all->timer, next_us ? (next_us - now_us) / 1000 + 1 : -1);
}

void sessions_soon(struct sessions *all) {
  if (all->timer) http_timer_set(all->timer, 0);
}

void sessions_by(struct sessions *all, int64_t at_us) {
  if (all->due_us == 0 || all->due_us > at_us) sessions_soon(all);
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
  if (all->empty) engine_drain(all->empty->engine);
  sessions_soon(all);
}

static void stop_session(struct session *s) {
  engine_stop(s->engine);
  engine_collect(s->engine);
}

// The loop has ended: whatever is still answered goes out from here.
void sessions_stop(struct sessions *all) {
  all->draining = true;
  for (struct session *s = all->first; s; s = s->next) stop_session(s);
  if (all->empty) stop_session(all->empty);
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
  if (all->empty) close_parts(all->empty);
  mem_free(all);
}
