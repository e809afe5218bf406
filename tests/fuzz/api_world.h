// api_world.h: the API, the engine and a store in memory in one thread, with a clock that stands
// still until it is moved. Requests go to the API's hooks without bytes or sockets; its answers
// come to world_answered, because the linker puts __wrap_http_respond in the place of http_respond.
#ifndef TESTS_FUZZ_API_WORLD_H
#define TESTS_FUZZ_API_WORLD_H

#include "fuzz.h"
#include "untold.h"

#include <sqlite3.h>
#include <stdarg.h>

#include "api/api.h"
#include "api/jwt_testing.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sign.h"
#include "engine/inside.h"
#include "store/sqlite/sqlite.h"

enum { WORLD_START_MS = 1790000000, WORLD_HEADERS = 6, WORLD_UNITS_MAX = 10000 };

struct world {
  struct store *store;
  struct engine *engine;
  struct api *api;
  struct http_hooks hooks;
  int64_t now, next_at;
  int waiting;  // requests that are not answered yet
  // The latest answer.
  int status;
  struct str type;
  bool replayed;  // it is kept from an earlier request
  bool is_read;   // to a GET
  struct buf body;
};

static struct world world;

// Called for each answer, with world.status, .type and .body.
static void world_answered(const struct http_request *r);

void __wrap_http_respond(struct http_request *r, const struct http_answer *answer);

void __wrap_http_respond(struct http_request *r, const struct http_answer *answer) {
  world.status = answer->status;
  world.type = answer->content_type;
  world.replayed = str_eq(answer->extra[0].name, STR("Idempotent-Replayed"));
  world.is_read = r->method == HTTP_METHOD_GET;
  buf_clear(&world.body);
  if (!str_is_none(answer->body)) buf_put(&world.body, answer->body);
  world.waiting--;
  world_answered(r);
  arena_fini(&r->arena);
  mem_free(r);
}

// --- the store -----------------------------------------------------------------------------------

// One for all inputs, emptied before each: to open one costs as much as some hundred requests. Its
// statements stay prepared, those of the reader too.
enum { TABLES_MAX = 32, EMPTYING_MAX = 3 * TABLES_MAX };
static struct {
  struct store *store;
  sqlite3 *db;
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
  kept.db = *out;
  return code;
}

static enum err kept_reader_open(struct store *store, struct store_reader **out,
                                 struct fault *why) {
  if (kept.reader == NULL) TRY(kept.own_ops->reader_open(store, &kept.reader, why));
  *out = kept.reader;
  return ERR_OK;
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
  HOLDS(code == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(kept.db));
  return statement;
}

static bool kept_step(sqlite3_stmt *statement) {
  int code = sqlite3_step(statement);
  HOLDS(code == SQLITE_ROW || code == SQLITE_DONE, "%s: %s", sqlite3_sql(statement),
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
  HOLDS(sqlite_store_open(NULL, &settings, &kept.store, &why) == ERR_OK, "a store: %s", why.detail);
  sqlite3_stmt *tables = kept_sql("SELECT name FROM main.sqlite_schema WHERE type = 'table'");
  while (count < TABLES_MAX && kept_step(tables))
    snprintf(names[count++], sizeof names[0], "%s", (const char *)sqlite3_column_text(tables, 0));
  sqlite3_finalize(tables);
  HOLDS(count > 0 && count < TABLES_MAX, "a store has tables");
  kept.empty[kept.empty_count++] = kept_sql("BEGIN");
  for (size_t i = 0; i < count; i++) kept_add_table(names[i]);
  kept.empty[kept.empty_count++] = kept_sql("COMMIT");
  kept.own_ops = kept.store->ops;
  kept.ops = *kept.own_ops;
  kept.ops.reader_open = kept_reader_open;
  kept.ops.reader_close = kept_reader_close;
  kept.store->ops = &kept.ops;
}

// --- the world -----------------------------------------------------------------------------------

static int64_t world_now(void *self) { return ((struct world *)self)->now; }

static void world_broken(void *self, const struct fault *why) {
  (void)self;
  HOLDS(false, "no request breaks the store: %s", why->detail);
}

static void world_open(struct str admin_key) {
  struct clock clock = {.now_ms = world_now, .self = &world};
  struct fault why = {0};
  if (kept.store == NULL) kept_open();
  kept_empty();
  world = (struct world){.now = WORLD_START_MS * 1000LL, .store = kept.store, .body = world.body};
  struct engine_settings of_engine = {
      .clock = &clock,
      .lease_ms = 30000,
      .attempts_max = 3,
      .backoff = {.kind = BACKOFF_FIXED, .delay_ms = 1000, .delay_max_ms = 1000},
      .broken = world_broken};
  if (world.body.max == 0) buf_init(&world.body, (size_t)64 << 20);
  enum err err = engine_open(world.store, &of_engine, &world.engine, &why);
  if (err == ERR_OK) err = readers_start(world.engine, &why);
  HOLDS(err == ERR_OK, "a store in memory opens: %s", why.detail);
  struct api_settings of_api = {
      .engine = world.engine,
      .version = STR("0"),
      .store_name = STR("memory"),
      .service_name = STR("fuzz"),
      .admin_key = admin_key,
      .body_bytes_max = 1 << 20,
      .jwt = {
          .ways = 1u << SIGN_HS256, .secret = STR(SECRET), .leeway_ms = 30000, .roles = ROLE_USER}};
  world.api = api_open(&of_api);
  world.hooks = api_hooks(world.api);
}

// Runs units and reads until there is nothing left to do.
static void world_turn(void) {
  int units = 0;
  bool worked;
  do {
    worked = engine_turn(world.engine, &world.next_at);
    worked |= readers_serve(world.engine);
    worked |= world.next_at && world.next_at <= world.now;
    engine_collect(world.engine);
    HOLDS(units++ < WORLD_UNITS_MAX, "work comes to an end");
  } while (worked);
}

// Lets time pass, with a turn at each moment at which the engine wants one.
static void world_pass(int64_t ms) {
  int64_t end = world.now + ms;
  for (int i = 0; world.next_at && world.next_at <= end; i++) {
    if (world.next_at > world.now) world.now = world.next_at;
    world_turn();
    HOLDS(i < WORLD_UNITS_MAX, "time moves on");
  }
  world.now = end;
  world_turn();
}

struct world_ask {
  enum http_method method;
  struct str path, query, body;  // body STR_NONE: none
  struct str key;                // STR_NONE: none
  struct str user;               // whose token goes with it, in place of the key; STR_NONE: none
  struct str extra_name, extra_value;
};

// Ends in 2033.
static struct str world_bearer(struct arena *a, struct str user) {
  struct str claims = arena_printf(a, "{\"sub\":\"%.*s\",\"exp\":2000000000}", STR_FMT(user));
  struct str token = token_of(a, STR("{\"alg\":\"HS256\"}"), claims);
  return arena_printf(a, "Bearer %.*s", STR_FMT(token));
}

static struct http_request *world_request(const struct world_ask *ask) {
  struct http_request *r = mem_zero(sizeof *r);
  arena_init(&r->arena, 4096);
  struct arena *a = &r->arena;
  r->method = ask->method;
  r->path = arena_dup(a, ask->path);
  r->query = arena_dup(a, ask->query);
  r->body = str_is_none(ask->body) ? STR("") : arena_dup(a, ask->body);
  r->peer = STR("127.0.0.1");
  r->id = STR("fuzz");
  r->started_us = clock_mono_us();
  r->headers = ARENA_ARRAY(a, struct http_header, WORLD_HEADERS);
  struct http_header *h = r->headers;
  *h++ = (struct http_header){STR("Host"), STR("localhost")};
  if (!str_is_none(ask->body))
    *h++ = (struct http_header){STR("Content-Type"), STR("application/json")};
  if (!str_is_none(ask->user))
    *h++ = (struct http_header){STR("Authorization"), world_bearer(a, ask->user)};
  else if (!str_is_none(ask->key))
    *h++ = (struct http_header){STR("x-api-key"), arena_dup(a, ask->key)};
  if (!str_is_none(ask->extra_name))
    *h++ = (struct http_header){arena_dup(a, ask->extra_name), arena_dup(a, ask->extra_value)};
  r->header_count = (size_t)(h - r->headers);
  return r;
}

// False: it waits for its answer.
static bool world_send(const struct world_ask *ask) {
  int waiting = world.waiting++;
  struct http_request *r = world_request(ask);
  world.hooks.handle(world.hooks.self, r);
  world_turn();
  return world.waiting <= waiting;
}

static void world_close(void) {
  engine_drain(world.engine);
  world_turn();
  HOLDS(world.waiting == 0, "every request is answered, once: %d are not", world.waiting);
  engine_stop(world.engine);
  api_close(world.api);
  engine_close(world.engine);
}

#endif
