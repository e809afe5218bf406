// api_world.c: see api_world.h. The store is one for all worlds of a process, emptied before each:
// to open one costs as much as some hundred requests.
#include "tests/world/api_world.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/jwt_testing.h"
#include "api/sessions.h"
#include "base/mem.h"
#include "base/sign.h"
#include "engine/inside.h"
#include "store/sqlite/sqlite.h"

enum { UNITS_MAX = 10000, HEADERS_MAX = WORLD_EXTRA + 3, SESSION_BYTES = 1 << 20 };
static const size_t ANSWER_BYTES_MAX = (size_t)64 << 20;

struct world world;

// What must hold of the world itself; its sentence is what a failure says.
__attribute__((format(printf, 2, 3))) static void must(bool holds, const char *format, ...) {
  va_list args;
  if (holds) return;
  va_start(args, format);
  fprintf(stderr, "the world does not hold: ");
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  abort();
}

// --- the store -----------------------------------------------------------------------------------

// Its statements stay prepared, those of the reader too.
enum { TABLES_MAX = 32, EMPTYING_MAX = 3 * TABLES_MAX };
static struct {
  struct store *store;
  sqlite3 *db;
  bool opening;
  const struct store_ops *own_ops;
  struct store_ops ops;
  struct store_reader *reader;
  sqlite3_stmt *empty[EMPTYING_MAX];  // empties it
  size_t empty_count;
} kept;

int __real_sqlite3_open_v2(const char *path, sqlite3 **out, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **out, int flags, const char *vfs);

int __wrap_sqlite3_open_v2(const char *path, sqlite3 **out, int flags, const char *vfs) {
  int code = __real_sqlite3_open_v2(path, out, flags, vfs);
  if (kept.opening) kept.db = *out;
  return code;
}

static enum err kept_reader_open(struct store *store, struct store_reader **out,
                                 struct fault *why) {
  if (kept.reader == NULL) TRY(kept.own_ops->reader_open(store, &kept.reader, why));
  *out = kept.reader;
  return ERR_OK;
}

static enum err kept_read_events(struct store_reader *reader, struct arena *a,
                                 const struct event_filter *filter, struct event_page *out,
                                 struct fault *why) {
  if (world.failing_reads == 0) return kept.own_ops->read_events(reader, a, filter, out, why);
  world.failing_reads--;
  return fault_set(why, world.read_err, "the test says so");
}

static void kept_reader_close(struct store_reader *reader) { (void)reader; }

__attribute__((format(printf, 1, 2))) static sqlite3_stmt *kept_sql(const char *format, ...) {
  char sql[256];
  sqlite3_stmt *statement = NULL;
  va_list args;
  va_start(args, format);
  vsnprintf(sql, sizeof sql, format, args);
  va_end(args);
  int code = sqlite3_prepare_v2(kept.db, sql, -1, &statement, NULL);
  must(code == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(kept.db));
  return statement;
}

static bool kept_step(sqlite3_stmt *statement) {
  int code = sqlite3_step(statement);
  must(code == SQLITE_ROW || code == SQLITE_DONE, "%s: %s", sqlite3_sql(statement),
       sqlite3_errmsg(kept.db));
  return code == SQLITE_ROW;
}

static void kept_empty(void) {
  for (size_t i = 0; i < kept.empty_count; i++) {
    kept_step(kept.empty[i]);
    sqlite3_reset(kept.empty[i]);
  }
}

static bool kept_has_rows(const char *table) {
  sqlite3_stmt *look = kept_sql("SELECT 1 FROM main.%s LIMIT 1", table);
  bool some = kept_step(look);
  sqlite3_finalize(look);
  return some;
}

// The rows that a new store has are kept beside it.
static void kept_add_table(const char *name) {
  bool some = kept_has_rows(name);
  kept.empty[kept.empty_count++] = kept_sql("DELETE FROM main.%s", name);
  if (!some) return;
  sqlite3_stmt *copy = kept_sql("CREATE TEMP TABLE first_%s AS SELECT * FROM main.%s", name, name);
  kept_step(copy);
  sqlite3_finalize(copy);
  kept.empty[kept.empty_count++] =
      kept_sql("INSERT INTO main.%s SELECT * FROM temp.first_%s", name, name);
}

static void kept_open(void) {
  struct sqlite_settings settings = {0};
  struct fault why = {0};
  char names[TABLES_MAX][64];
  size_t count = 0;
  kept.opening = true;
  must(sqlite_store_open(NULL, &settings, &kept.store, &why) == ERR_OK, "a store: %s", why.detail);
  kept.opening = false;
  sqlite3_stmt *tables = kept_sql("SELECT name FROM main.sqlite_schema WHERE type = 'table'");
  while (count < TABLES_MAX && kept_step(tables))
    snprintf(names[count++], sizeof names[0], "%s", (const char *)sqlite3_column_text(tables, 0));
  sqlite3_finalize(tables);
  must(count > 0 && count < TABLES_MAX, "a store has tables");
  kept.empty[kept.empty_count++] = kept_sql("BEGIN");
  for (size_t i = 0; i < count; i++) kept_add_table(names[i]);
  kept.empty[kept.empty_count++] = kept_sql("COMMIT");
  kept.own_ops = kept.store->ops;
  kept.ops = *kept.own_ops;
  kept.ops.reader_open = kept_reader_open;
  kept.ops.reader_close = kept_reader_close;
  kept.ops.read_events = kept_read_events;
  kept.store->ops = &kept.ops;
}

static enum err open_session_store(void *self, struct store **out, struct fault *why) {
  const struct sqlite_settings settings = {.bytes_max = SESSION_BYTES};
  (void)self;
  return sqlite_store_open(NULL, &settings, out, why);
}

// --- in the place of the HTTP server -------------------------------------------------------------

struct world_request {
  struct http_request public;
  struct world_answer *answer;
};

void __wrap_http_respond(struct http_request *r, const struct http_answer *answer);
enum http_flow __wrap_http_stream_begin(struct http_request *r, const struct http_answer *head,
                                        struct str first, bool *ended);
enum http_flow __wrap_http_stream_write(struct http_request *r, struct str piece);
void __wrap_http_stream_end(struct http_request *r);
struct http_timer *__wrap_http_timer_new(struct http_server *s, void (*on)(void *self), void *self);
void __wrap_http_timer_set(struct http_timer *t, int64_t ms);
void __wrap_http_wake(struct http_server *s);
struct http_stats __wrap_http_stats(const struct http_server *s);
int64_t __wrap_clock_mono_us(void);
enum err __wrap_engine_start(struct engine *e, struct fault *why);

static struct world_answer *answer_of(struct http_request *r) {
  return ((struct world_request *)r)->answer;
}

static void free_request(struct http_request *r) {
  arena_fini(&r->arena);
  mem_free(r);
}

static void take_head(struct world_answer *to, const struct http_answer *answer) {
  to->status = answer->status;
  to->type = answer->content_type;
  buf_clear(&to->head);
  buf_clear(&to->body);
  for (const struct http_header *h = answer->extra; !str_is_none(h->name); h++)
    buf_printf(&to->head, "%.*s: %.*s\n", STR_FMT(h->name), STR_FMT(h->value));
  world.waiting--;
}

void __wrap_http_respond(struct http_request *r, const struct http_answer *answer) {
  struct world_answer *to = answer_of(r);
  take_head(to, answer);
  if (r->method != HTTP_METHOD_HEAD && !str_is_none(answer->body)) buf_put(&to->body, answer->body);
  to->request = NULL;
  if (world.answered) world.answered(r, to);
  free_request(r);
}

enum http_flow __wrap_http_stream_begin(struct http_request *r, const struct http_answer *head,
                                        struct str first, bool *ended) {
  struct world_answer *to = answer_of(r);
  take_head(to, head);
  *ended = r->method == HTTP_METHOD_HEAD;
  if (*ended) {
    to->request = NULL;
    free_request(r);
    return HTTP_GONE;
  }
  world.streams++;
  buf_put(&to->body, first);
  return to->flow;
}

enum http_flow __wrap_http_stream_write(struct http_request *r, struct str piece) {
  struct world_answer *to = answer_of(r);
  must(to->request == r, "what has ended is written to no more");
  buf_put(&to->body, piece);
  return to->flow;
}

void __wrap_http_stream_end(struct http_request *r) {
  answer_of(r)->request = NULL;
  world.streams--;
  free_request(r);
}

struct http_timer *__wrap_http_timer_new(struct http_server *s, void (*on)(void *self),
                                         void *self) {
  (void)s;
  must(world.timer_count < WORLD_TIMERS, "there are no more timers than that");
  struct world_timer *t = &world.timers[world.timer_count++];
  *t = (struct world_timer){.on = on, .self = self};
  return (struct http_timer *)t;
}

void __wrap_http_timer_set(struct http_timer *timer, int64_t ms) {
  struct world_timer *t = (struct world_timer *)timer;
  t->set = ms >= 0;
  t->due_us = (world.now + ms) * 1000;
}

void __wrap_http_wake(struct http_server *s) {
  (void)s;
  world.woken = true;
}

struct http_stats __wrap_http_stats(const struct http_server *s) {
  (void)s;
  return (struct http_stats){
      .connections = 3, .requests_total = 7, .in_flight = (uint64_t)world.waiting};
}

int64_t __wrap_clock_mono_us(void) { return world.now * 1000; }

// Of a session: whoever turns the world turns its engine.
enum err __wrap_engine_start(struct engine *e, struct fault *why) { return readers_start(e, why); }

// --- time ----------------------------------------------------------------------------------------

static int64_t now_ms(void *self) {
  (void)self;
  return world.now;
}

static const struct clock CLOCK = {.now_ms = now_ms};

static bool turn_engine(struct engine *e) {
  int64_t next_at = 0;
  bool worked = engine_turn(e, &next_at);
  worked |= readers_serve(e);
  worked |= next_at && next_at <= world.now;
  world.next_at = clock_sooner(world.next_at, next_at);
  return worked;
}

static bool turn_sessions(void) {
  const struct sessions *all = world.api->sessions;
  bool worked = false;
  if (all == NULL) return false;
  for (struct session *s = all->first; s; s = s->next) worked |= turn_engine(s->engine);
  if (all->empty) worked |= turn_engine(all->empty->engine);
  return worked;
}

static bool run_timers(void) {
  bool worked = false;
  for (size_t i = 0; i < world.timer_count; i++) {
    struct world_timer *t = &world.timers[i];
    if (!t->set || t->due_us > world.now * 1000) continue;
    t->set = false;
    t->on(t->self);
    worked = true;
  }
  return worked;
}

static bool wake(void) {
  if (!world.woken) return false;
  world.woken = false;
  world.hooks.wake(world.hooks.self);
  return true;
}

void world_turn(void) {
  int units = 0;
  bool worked;
  do {
    world.next_at = 0;
    worked = turn_engine(world.engine);
    worked |= turn_sessions();
    worked |= run_timers();
    worked |= wake();
    must(units++ < UNITS_MAX, "work comes to an end");
  } while (worked);
}

int64_t world_next(void) {
  int64_t next_at = world.next_at;
  for (size_t i = 0; i < world.timer_count; i++)
    if (world.timers[i].set) next_at = clock_sooner(next_at, world.timers[i].due_us / 1000);
  return next_at;
}

void world_pass(int64_t ms) {
  int64_t end = world.now + ms, next_at;
  for (int i = 0; (next_at = world_next()) != 0 && next_at <= end; i++) {
    if (next_at > world.now) world.now = next_at;
    world_turn();
    must(i < UNITS_MAX, "time moves on");
  }
  world.now = end;
  world_turn();
}

// --- the world -----------------------------------------------------------------------------------

void world_answer_init(struct world_answer *answer) {
  *answer = (struct world_answer){.flow = HTTP_FLOWS};
  buf_init(&answer->head, ANSWER_BYTES_MAX);
  buf_init(&answer->body, ANSWER_BYTES_MAX);
}

void world_answer_fini(struct world_answer *answer) {
  buf_fini(&answer->head);
  buf_fini(&answer->body);
}

static void on_wake(void *self) {
  (void)self;
  world.woken = true;
}

static void on_event(void *self, const struct event *event) {
  (void)self;
  api_happened(world.api, event->tenant);
}

static void on_broken(void *self, const struct fault *why) {
  (void)self;
  must(false, "no request breaks the store: %s", why->detail);
}

struct world_settings world_usual(struct str admin_key) {
  struct engine_settings engine = {.clock = &CLOCK,
                                   .lease_ms = WORLD_LEASE_MS,
                                   .attempts_max = WORLD_ATTEMPTS,
                                   .backoff = {.kind = BACKOFF_FIXED,
                                               .delay_ms = WORLD_RETRY_MS,
                                               .delay_max_ms = WORLD_RETRY_MS},
                                   .wake = on_wake,
                                   .happened = on_event,
                                   .broken = on_broken};
  struct api_settings api = {
      .version = STR("0"),
      .store_name = STR("memory"),
      .service_name = STR("world"),
      .admin_key = admin_key,
      .body_bytes_max = 1 << 20,
      .jwt = {.ways = 1u << SIGN_HS256,
              .secret = STR(SECRET),
              .leeway_ms = 30000,
              .roles = ROLE_USER},
      .streams = {.max = 8, .each_max = 4, .heartbeat_ms = 15000, .behind_max = 1000},
      .sessions = {.max = 4,
                   .timeout_ms = 60000,
                   .bytes = SESSION_BYTES,
                   .engine = engine,
                   .open_store = open_session_store}};
  return (struct world_settings){api, engine};
}

void world_open(const struct world_settings *settings) {
  struct fault why = {0};
  struct api_settings api = settings->api;
  if (kept.store == NULL) kept_open();
  kept_empty();
  world = (struct world){.now = WORLD_START_MS, .store = kept.store};
  enum err err = engine_open(world.store, &settings->engine, &world.engine, &why);
  if (err == ERR_OK) err = readers_start(world.engine, &why);
  must(err == ERR_OK, "a store in memory opens: %s", why.detail);
  api.engine = world.engine;
  world.api = api_open(&api);
  world.hooks = api_hooks(world.api);
  api_attach(world.api, (struct http_server *)&world);
  world_turn();
}

// As app/server.c does it.
void world_close(void) {
  api_drain(world.api);
  engine_drain(world.engine);
  world_turn();
  must(world.waiting == 0, "every request is answered, once: %d are not", world.waiting);
  must(world.streams == 0, "every stream ends: %d do not", world.streams);
  engine_stop(world.engine);
  api_stop(world.api);
  engine_close(world.engine);
  api_close(world.api);
}

// --- requests ------------------------------------------------------------------------------------

struct str world_bearer(struct arena *a, struct str members) {
  struct str claims = arena_printf(a, "{%.*s,\"exp\":2000000000}", STR_FMT(members));
  struct str token = token_of(a, STR("{\"alg\":\"HS256\"}"), claims);
  return arena_printf(a, "Bearer %.*s", STR_FMT(token));
}

static bool names_type(const struct world_ask *ask) {
  for (const struct http_header *h = ask->extra; !str_is_none(h->name); h++)
    if (str_eq_nocase(h->name, STR("content-type"))) return true;
  return false;
}

static void put_headers(struct http_request *r, const struct world_ask *ask) {
  struct arena *a = &r->arena;
  struct http_header *h = r->headers = ARENA_ARRAY(a, struct http_header, HEADERS_MAX);
  struct str host = str_is_none(ask->host) ? STR("localhost") : arena_dup(a, ask->host);
  *h++ = (struct http_header){STR("Host"), host};
  if (!str_is_none(ask->body) && !names_type(ask))
    *h++ = (struct http_header){STR("Content-Type"), STR("application/json")};
  if (!str_is_none(ask->user)) {
    struct str members = arena_printf(a, "\"sub\":\"%.*s\"", STR_FMT(ask->user));
    *h++ = (struct http_header){STR("Authorization"), world_bearer(a, members)};
  } else if (!str_is_none(ask->key)) {
    *h++ = (struct http_header){STR("x-api-key"), arena_dup(a, ask->key)};
  }
  for (const struct http_header *extra = ask->extra; !str_is_none(extra->name); extra++)
    *h++ = (struct http_header){arena_dup(a, extra->name), arena_dup(a, extra->value)};
  r->header_count = (size_t)(h - r->headers);
}

static struct http_request *new_request(const struct world_ask *ask, struct world_answer *answer) {
  struct world_request *whole = mem_zero(sizeof *whole);
  struct http_request *r = &whole->public;
  whole->answer = answer;
  arena_init(&r->arena, 4096);
  struct arena *a = &r->arena;
  r->method = ask->method;
  r->path = arena_dup(a, ask->path);
  r->query = arena_dup(a, ask->query);
  r->body = str_is_none(ask->body) ? STR("") : arena_dup(a, ask->body);
  r->peer = str_is_none(ask->peer) ? STR("127.0.0.1") : arena_dup(a, ask->peer);
  r->id = STR("world");
  r->started_us = clock_mono_us();
  put_headers(r, ask);
  return r;
}

bool world_send(const struct world_ask *ask, struct world_answer *answer) {
  struct http_request *r = new_request(ask, answer);
  answer->status = 0;
  answer->request = r;
  world.waiting++;
  world.hooks.handle(world.hooks.self, r);
  if (!world.still) world_turn();
  return answer->status != 0;
}

void world_leave(const struct world_answer *answer) {
  answer->request->gone = true;
  world.hooks.gone(world.hooks.self, answer->request);
  world_turn();
}

void world_drained(struct world_answer *answer) {
  answer->flow = HTTP_FLOWS;
  world.hooks.drained(world.hooks.self, answer->request);
  world_turn();
}
