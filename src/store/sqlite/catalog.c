// catalog.c: what a server keeps in memory while it runs: tenants, keys, queues, types, tallies.
#include "store/sqlite/internal.h"

// --- reading -------------------------------------------------------------------------------------

struct list {
  void *at;
  size_t count;
};
typedef void read_fn(struct use *u, struct arena *a, void *element);

// Makes an array of what `read` makes of each row of a statement; `size` is of one element.
static enum err read_list(struct use *u, struct arena *a, size_t size, read_fn *read,
                          struct list *out, struct fault *why) {
  size_t cap = 16;
  *out = (struct list){.at = arena_zero(a, cap * size)};
  bool row = false;
  enum err err = sqlite_use_row(u, &row, why);
  while (err == ERR_OK && row) {
    if (out->count == cap) {
      void *larger = arena_zero(a, 2 * cap * size);
      out->at = memcpy(larger, out->at, cap * size);
      cap *= 2;
    }
    read(u, a, (char *)out->at + out->count++ * size);
    err = sqlite_use_row(u, &row, why);
  }
  sqlite_use_end(u);
  return err;
}

static enum err read_all(struct conn *c, enum query query, struct arena *a, size_t size,
                         read_fn *read, struct list *out, struct fault *why) {
  struct use u = sqlite_use(c, query);
  return read_list(&u, a, size, read, out, why);
}

static void read_tenant(struct use *u, struct arena *a, void *element) {
  struct tenant *t = element;
  t->number = use_get_i64(u);
  t->name = use_get_text(u, a);
}

static void read_key(struct use *u, struct arena *a, void *element) {
  struct api_key *k = element;
  k->id = use_get_text(u, a);
  k->tenant = use_get_i64(u);
  k->name = use_get_text(u, a);
  k->roles = (unsigned)use_get_i64(u);
  use_get_blob(u, k->hash, sizeof k->hash);
  k->created_at = use_get_i64(u);
  k->revoked_at = use_get_i64(u);
  k->expires_at = use_get_i64(u);
  k->service = use_get_text(u, a);
  k->replaced_by = use_get_text(u, a);
}

static void read_queue(struct use *u, struct arena *a, void *element) {
  struct queue *q = element;
  q->tenant = use_get_i64(u);
  q->name = use_get_text(u, a);
  q->paused = use_get_i64(u) != 0;
}

static void read_type(struct use *u, struct arena *a, void *element) {
  struct type *t = element;
  t->tenant = use_get_i64(u);
  t->name = use_get_text(u, a);
  t->queue = use_get_text(u, a);
  t->description = use_get_text(u, a);
  t->priority = use_get_i64(u);
  t->attempts_max = use_get_i64(u);
  t->backoff.kind = (enum backoff_kind)use_get_i64(u);
  t->backoff.delay_ms = use_get_i64(u);
  t->backoff.delay_max_ms = use_get_i64(u);
  t->backoff.jitter_percent = use_get_i64(u);
  t->lease_ms = use_get_i64(u);
  t->timeout_ms = use_get_i64(u);
  t->keep.completed = use_get_i64(u);
  t->keep.failed = use_get_i64(u);
  t->keep.for_ms = use_get_i64(u);
  t->keep_result = use_get_i64(u) != 0;
}

enum err sqlite_catalog_read(struct store *s, struct arena *a, struct catalog *out,
                             struct fault *why) {
  struct conn *c = &((struct sqlite_store *)s)->conn;
  struct list tenants, keys, queues, types;
  TRY(read_all(c, QUERY_tenant_all, a, sizeof(struct tenant), read_tenant, &tenants, why));
  TRY(read_all(c, QUERY_key_all, a, sizeof(struct api_key), read_key, &keys, why));
  TRY(read_all(c, QUERY_queue_all, a, sizeof(struct queue), read_queue, &queues, why));
  TRY(read_all(c, QUERY_type_all, a, sizeof(struct type), read_type, &types, why));
  *out = (struct catalog){
      .tenants = tenants.at,
      .tenant_count = tenants.count,
      .keys = keys.at,
      .key_count = keys.count,
      .queues = queues.at,
      .queue_count = queues.count,
      .types = types.at,
      .type_count = types.count,
  };
  return ERR_OK;
}

// --- tallies -------------------------------------------------------------------------------------

int64_t sqlite_catalog_tally(struct use *u, struct arena *a, struct tally *out) {
  int64_t number = use_get_i64(u);
  out->tenant = use_get_i64(u);
  out->queue = use_get_text(u, a);
  out->type = use_get_text(u, a);
  out->ready = use_get_i64(u);
  for (size_t i = 0; i < TASK_STATUS_COUNT; i++) out->count[i] = use_get_i64(u);
  return number;
}

static void read_tally(struct use *u, struct arena *a, void *element) {
  sqlite_catalog_tally(u, a, element);
}

enum err sqlite_read_tallies(struct store_reader *r, struct arena *a, int64_t tenant,
                             struct tally **out, size_t *count, struct fault *why) {
  TRY(sqlite_reader_begin(r, why));
  struct use u = sqlite_use(&r->conn, QUERY_channel_tallies);
  use_i64(&u, tenant);
  struct list list;
  enum err err = read_list(&u, a, sizeof(struct tally), read_tally, &list, why);
  sqlite_reader_end(r);
  TRY(err);
  *out = list.at;
  *count = list.count;
  return ERR_OK;
}

// --- writing -------------------------------------------------------------------------------------

static enum err put_queue(struct conn *c, const struct queue *q, struct fault *why) {
  struct use u = sqlite_use(c, QUERY_queue_put);
  use_i64(&u, q->tenant);
  use_text(&u, q->name);
  use_i64(&u, q->paused);
  return sqlite_use_run(&u, why);
}

static enum err put_type(struct conn *c, const struct type *t, struct fault *why) {
  struct use u = sqlite_use(c, QUERY_type_put);
  use_i64(&u, t->tenant);
  use_text(&u, t->name);
  use_text(&u, t->queue);
  use_text(&u, t->description);
  use_i64(&u, t->priority);
  use_i64(&u, t->attempts_max);
  use_i64(&u, (int64_t)t->backoff.kind);
  use_i64(&u, t->backoff.delay_ms);
  use_i64(&u, t->backoff.delay_max_ms);
  use_i64(&u, t->backoff.jitter_percent);
  use_i64(&u, t->lease_ms);
  use_i64(&u, t->timeout_ms);
  use_i64(&u, t->keep.completed);
  use_i64(&u, t->keep.failed);
  use_i64(&u, t->keep.for_ms);
  use_i64(&u, t->keep_result);
  return sqlite_use_run(&u, why);
}

static enum err put_key(struct conn *c, const struct api_key *k, struct fault *why) {
  struct use u = sqlite_use(c, QUERY_key_put);
  use_text(&u, k->id);
  use_i64(&u, k->tenant);
  use_text(&u, str_is_none(k->name) ? STR("") : k->name);
  use_i64(&u, (int64_t)k->roles);
  use_blob(&u, k->hash, sizeof k->hash);
  use_i64(&u, k->created_at);
  use_i64(&u, k->revoked_at);
  use_i64(&u, k->expires_at);
  use_text(&u, k->service);
  use_text(&u, k->replaced_by);
  return sqlite_use_run(&u, why);
}

static enum err delete_key(struct conn *c, struct str id, struct fault *why) {
  struct use u = sqlite_use(c, QUERY_key_delete);
  use_text(&u, id);
  return sqlite_use_run(&u, why);
}

static enum err insert_tenant(struct conn *c, const struct tenant *t, struct fault *why) {
  struct use u = sqlite_use(c, QUERY_tenant_insert);
  use_i64(&u, t->number);
  use_text(&u, t->name);
  return sqlite_use_run(&u, why);
}

enum err sqlite_catalog_apply(struct conn *c, const struct change *change, struct fault *why) {
  for (size_t i = 0; i < change->tenant_count; i++) TRY(insert_tenant(c, &change->tenants[i], why));
  for (size_t i = 0; i < change->key_count; i++) TRY(put_key(c, &change->keys[i], why));
  for (size_t i = 0; i < change->key_gone_count; i++) TRY(delete_key(c, change->keys_gone[i], why));
  for (size_t i = 0; i < change->queue_count; i++) TRY(put_queue(c, &change->queues[i], why));
  for (size_t i = 0; i < change->type_count; i++) TRY(put_type(c, &change->types[i], why));
  return ERR_OK;
}
