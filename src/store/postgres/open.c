// open.c: opens and closes the store, its clock, its side connection, and the table of its calls.
#include <limits.h>
#include <stdio.h>

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/postgres/internal.h"

enum { READ_DEADLINE_MS = 5000 };
// A clock that was set back by less stands still until it is caught up with; by more, goes back.
enum { CLOCK_STAND_MS = 5000 };

// --- clock ---------------------------------------------------------------------------------------

int64_t pg_now(struct store *store) {
  struct postgres_store *s = (struct postgres_store *)store;
  int64_t now = clock_mono_us() / 1000 + atomic_load(&s->clock_offset);
  int64_t told = atomic_load(&s->clock_told);
  while (now > told || now < told - CLOCK_STAND_MS)
    if (atomic_compare_exchange_weak(&s->clock_told, &told, now)) return now;
  return told;
}

// The server read its clock at some time between sending and receiving, so a sample gives a range.
// An offset within it is left alone: the faster the answer, the narrower the range.
void pg_clock_sample(struct postgres_store *s, int64_t server_ms, int64_t sent_us,
                     int64_t received_us) {
  int64_t low = server_ms - received_us / 1000, high = server_ms - sent_us / 1000;
  int64_t offset = atomic_load(&s->clock_offset), kept = offset;
  if (offset == 0) kept = low + (high - low) / 2;  // the first
  if (kept < low) kept = low;
  if (kept > high) kept = high;
  if (kept == offset) return;
  atomic_store(&s->clock_offset, kept);
  if (offset != 0 && (kept < offset - CLOCK_STAND_MS || kept > offset + CLOCK_STAND_MS))
    log_event(LOG_WARN, "the database server's clock was set", LOG_I64("by_ms", kept - offset));
}

static enum err sample_clock(struct postgres_store *s, struct conn *c, struct fault *why) {
  struct call call =
      pg_call_sql(c, STR("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"));
  struct result r;
  int64_t sent_us = clock_mono_us();
  TRY(pg_run(&call, &r, why));
  if (result_next(&r)) pg_clock_sample(s, result_i64(&r), sent_us, clock_mono_us());
  result_free(&r);
  return ERR_OK;
}

// --- side connection -----------------------------------------------------------------------------

enum err pg_side_begin(struct postgres_store *s, struct conn **out, struct fault *why) {
  pthread_mutex_lock(&s->side_lock);
  enum err err = ERR_OK;
  if (!pg_is_open(&s->side)) {
    pg_close(&s->side);
    err = pg_open(&s->side, &s->side_conn, &s->side_scratch, why);
  }
  if (err == ERR_OK)
    *out = &s->side;
  else
    pg_side_end(s);
  return err;
}

void pg_side_end(struct postgres_store *s) {
  pg_reset(&s->side);
  arena_reset(&s->side_scratch);
  pthread_mutex_unlock(&s->side_lock);
}

// --- opening and closing -------------------------------------------------------------------------

static struct str copy(struct str s) { return (struct str){mem_copy(s.at, s.len), s.len}; }

static struct str default_node(char out[HOST_NAME_MAX + 24]) {
  char host[HOST_NAME_MAX + 1] = "";
  if (gethostname(host, sizeof host - 1) != 0 || !*host) snprintf(host, sizeof host, "taskyard");
  snprintf(out, HOST_NAME_MAX + 24, "%s-%d", host, (int)getpid());
  return str_of(out);
}

static void settings_fill(struct postgres_store *s, const struct postgres_settings *given) {
  struct postgres_settings *p = &s->settings;
  char node[HOST_NAME_MAX + 24];
  if (given) *p = *given;
  if (p->read_deadline_ms <= 0) p->read_deadline_ms = READ_DEADLINE_MS;
  p->schema = copy(p->schema.len ? p->schema : STR("taskyard"));
  p->node = copy(p->node.len ? p->node : default_node(node));
  struct conn_settings common = {.url = s->url, .schema = p->schema};
  s->lane_conn = s->reader_conn = s->side_conn = common;
  s->lane_conn.kind = CONN_LANE;
  s->reader_conn.kind = CONN_READER;
  s->reader_conn.deadline_ms = p->read_deadline_ms;
  s->side_conn.kind = CONN_SIDE;
}

// The schema's name, which is not empty, goes into statements as it is.
static enum err check_schema(struct str name, struct fault *why) {
  bool good =
      name.len <= 63 && !(name.at[0] >= '0' && name.at[0] <= '9') && !str_starts(name, STR("pg_"));
  for (size_t i = 0; i < name.len; i++) {
    char c = name.at[i];
    good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
  }
  if (good) return ERR_OK;
  return fault_set(
      why, ERR_INVALID,
      "a store_schema is made of a to z, 0 to 9 and _, begins neither with a digit nor "
      "with pg_, and is at most 63 long");
}

static enum err prepare(struct postgres_store *s, struct conn *c, struct fault *why) {
  TRY(pg_guard(c, s->settings.unsafe || s->settings.read_only, why));
  TRY(pg_migrate(c, s->settings.schema, s->settings.read_only, why));
  TRY(sample_clock(s, c, why));
  return pg_channels_load(c, s->channels, why);
}

static enum err open_all(struct postgres_store *s, struct fault *why) {
  struct conn *c;
  TRY(check_schema(s->settings.schema, why));
  TRY(pg_side_begin(s, &c, why));
  enum err err = prepare(s, c, why);
  pg_side_end(s);
  bool has_news = !s->settings.read_only && !s->settings.alone;
  if (err == ERR_OK && has_news) err = pg_desk_open(s, why);
  return err;
}

static void store_close(struct store *store) {
  if (!store) return;
  struct postgres_store *s = (struct postgres_store *)store;
  if (s->desk) pg_desk_close(s);
  pg_lane_close(s->mover);
  pg_close(&s->side);
  arena_fini(&s->side_scratch);
  pthread_mutex_destroy(&s->side_lock);
  pg_channels_free(s->channels);
  mem_free((char *)s->settings.schema.at);
  mem_free((char *)s->settings.node.at);
  mem_free(s->url);
  mem_free(s);
}

enum err postgres_store_open(const char *url, const struct postgres_settings *settings,
                             struct store **out, struct fault *why) {
  struct postgres_store *s = mem_zero(sizeof *s);
  s->id_share = (int64_t)(rand_u64() % ID_SHARES);
  s->store.ops = &postgres_ops;
  s->url = mem_copy(url, strlen(url));
  pthread_mutex_init(&s->side_lock, NULL);
  arena_init(&s->side_scratch, 64 << 10);
  s->channels = pg_channels_new();
  settings_fill(s, settings);
  enum err err = open_all(s, why);
  if (err == ERR_OK)
    *out = &s->store;
  else
    store_close(&s->store);
  return err;
}

const struct store_ops postgres_ops = {
    .name = "postgresql",
    .lane_reads = false,
    .fleeting = false,
    .now = pg_now,
    .id_share = pg_id_share,
    .catalog = pg_catalog_read,
    .last_id = pg_last_id,
    .lane_max = pg_lane_max,
    .lane_open = pg_lane_open,
    .lane_close = pg_lane_close,
    .load = pg_load,
    .apply = pg_apply,
    .abandon = pg_lane_abandon,
    .wake_next = pg_lane_wake_next,
    .tend = pg_lane_tend,
    .news = pg_news,
    .news_stop = pg_news_stop,
    .nodes = pg_nodes,
    .reader_open = pg_reader_open,
    .reader_close = pg_reader_close,
    .read_task = pg_read_task,
    .read_tasks = pg_read_tasks,
    .read_events = pg_read_events,
    .read_newest = pg_read_newest,
    .read_logs = pg_read_logs,
    .read_tallies = pg_read_tallies,
    .backup = pg_backup,
    .check = pg_check,
    .bulk_read = pg_bulk_read,
    .bulk_write = pg_bulk_write,
    .bulk_mark = pg_bulk_mark,
    .bulk_written = pg_bulk_written,
    .bulk_finish = pg_bulk_finish,
    .bulk_whole = pg_bulk_whole,
    .close = store_close,
};
