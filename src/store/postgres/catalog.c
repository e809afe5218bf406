// catalog.c: what a server keeps in memory while it runs: tenants, keys, queues, types, channels.
#include "store/postgres/internal.h"

// --- reading -------------------------------------------------------------------------------------

static void read_tenant(struct result *r, struct arena *a, void *element) {
  struct tenant *t = element;
  t->number = result_i64(r);
  t->name = result_text(r, a);
}

static void read_key(struct result *r, struct arena *a, void *element) {
  struct api_key *k = element;
  k->id = result_text(r, a);
  k->tenant = result_i64(r);
  k->name = result_text(r, a);
  k->roles = (unsigned)result_i64(r);
  result_bytes(r, k->hash, sizeof k->hash);
  k->created_at = result_i64(r);
  k->revoked_at = result_i64(r);
  k->expires_at = result_i64(r);
  k->service = result_text(r, a);
  k->replaced_by = result_text(r, a);
}

static void read_queue(struct result *r, struct arena *a, void *element) {
  struct queue *q = element;
  q->tenant = result_i64(r);
  q->name = result_text(r, a);
  q->paused = result_i64(r) != 0;
}

static void read_type(struct result *r, struct arena *a, void *element) {
  struct type *t = element;
  t->tenant = result_i64(r);
  t->name = result_text(r, a);
  t->queue = result_text(r, a);
  t->description = result_text(r, a);
  t->priority = result_i64(r);
  t->attempts_max = result_i64(r);
  t->backoff.kind = (enum backoff_kind)result_i64(r);
  t->backoff.delay_ms = result_i64(r);
  t->backoff.delay_max_ms = result_i64(r);
  t->backoff.jitter_percent = result_i64(r);
  t->lease_ms = result_i64(r);
  t->timeout_ms = result_i64(r);
  t->keep.completed = result_i64(r);
  t->keep.failed = result_i64(r);
  t->keep.for_ms = result_i64(r);
  t->keep_result = result_i64(r) != 0;
}

typedef void read_fn(struct result *r, struct arena *a, void *element);

// Makes an array of what `read` makes of each row of the next result; `size` is of one element.
static enum err receive_list(struct conn *c, struct arena *a, size_t size, read_fn *read,
                             void **out, size_t *count, struct fault *why) {
  struct result r;
  TRY(pg_receive(c, &r, why));
  *count = 0;
  *out = arena_zero(a, size * (size_t)r.count);
  while (result_next(&r)) read(&r, a, (char *)*out + (*count)++ * size);
  result_free(&r);
  return ERR_OK;
}

// The version comes first: where the rest is read later, it is as new as that or newer, and then
// read again.
static const enum query reads[] = {QUERY_catalog_version, QUERY_tenant_all, QUERY_key_all,
                                   QUERY_queue_all, QUERY_type_all};

static enum err send_reads(struct conn *c, struct fault *why) {
  for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
    struct call call = pg_call(c, reads[i]);
    TRY(pg_send(&call, why));
  }
  return ERR_OK;
}

static enum err receive_reads(struct conn *c, struct arena *a, struct catalog *out,
                              struct fault *why) {
  struct result r;
  TRY(pg_receive(c, &r, why));
  out->version = result_next(&r) ? result_i64(&r) : 0;
  result_free(&r);
  const struct {
    size_t size;
    read_fn *read;
    void *list;
    size_t *count;
  } lists[] = {
      {sizeof *out->tenants, read_tenant, &out->tenants, &out->tenant_count},
      {sizeof *out->keys, read_key, &out->keys, &out->key_count},
      {sizeof *out->queues, read_queue, &out->queues, &out->queue_count},
      {sizeof *out->types, read_type, &out->types, &out->type_count},
  };
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    void *list = NULL;
    TRY(receive_list(c, a, lists[i].size, lists[i].read, &list, lists[i].count, why));
    memcpy(lists[i].list, &list, sizeof list);
  }
  return ERR_OK;
}

enum err pg_catalog_load(struct conn *c, struct arena *a, struct catalog *out, struct fault *why) {
  *out = (struct catalog){0};
  TRY(send_reads(c, why));
  TRY(pg_sync(c, why));
  TRY(receive_reads(c, a, out, why));
  return pg_finish(c, why);
}

enum err pg_catalog_read_at_once(struct conn *c, struct arena *a, struct catalog *out,
                                 struct fault *why) {
  struct call begin = pg_call(c, QUERY_catalog_begin), commit = pg_call(c, QUERY_commit);
  *out = (struct catalog){0};
  TRY(pg_send(&begin, why));
  TRY(pg_send_settings(c, why));
  TRY(send_reads(c, why));
  TRY(pg_send(&commit, why));
  TRY(pg_sync(c, why));
  TRY(pg_receive_done(c, why));
  TRY(receive_reads(c, a, out, why));
  TRY(pg_receive_done(c, why));
  return pg_finish(c, why);
}

enum err pg_catalog_read(struct store *s, struct arena *a, struct catalog *out, struct fault *why) {
  struct postgres_store *store = (struct postgres_store *)s;
  struct catalog read;
  struct conn *side;
  TRY(pg_side_begin(store, &side, why));
  enum err err = pg_catalog_read_at_once(side, a, &read, why);
  pg_side_end(store);
  if (err == ERR_OK) *out = read;
  return err;
}

// --- writing -------------------------------------------------------------------------------------

// One by one, since a change may hold the same queue twice, and the last one counts.
static enum err send_tenants(struct conn *c, const struct change *change, struct fault *why) {
  for (size_t i = 0; i < change->tenant_count; i++) {
    struct call call = pg_call(c, QUERY_tenant_insert);
    call_i64(&call, change->tenants[i].number);
    call_text(&call, change->tenants[i].name);
    TRY(pg_send(&call, why));
  }
  return ERR_OK;
}

static enum err send_keys(struct conn *c, const struct change *change, struct fault *why) {
  for (size_t i = 0; i < change->key_count; i++) {
    const struct api_key *k = &change->keys[i];
    struct call call = pg_call(c, QUERY_key_put);
    call_text(&call, k->id);
    call_i64(&call, k->tenant);
    call_text(&call, str_is_none(k->name) ? STR("") : k->name);
    call_i64(&call, (int64_t)k->roles);
    call_bytes(&call, k->hash, sizeof k->hash);
    call_i64(&call, k->created_at);
    call_i64(&call, k->revoked_at);
    call_i64(&call, k->expires_at);
    call_text(&call, k->service);
    call_text(&call, k->replaced_by);
    TRY(pg_send(&call, why));
  }
  return ERR_OK;
}

static enum err send_keys_gone(struct conn *c, const struct change *change, struct fault *why) {
  for (size_t i = 0; i < change->key_gone_count; i++) {
    struct call call = pg_call(c, QUERY_key_delete);
    call_text(&call, change->keys_gone[i]);
    TRY(pg_send(&call, why));
  }
  return ERR_OK;
}

static enum err send_queues(struct conn *c, const struct change *change, struct fault *why) {
  for (size_t i = 0; i < change->queue_count; i++) {
    const struct queue *q = &change->queues[i];
    struct call call = pg_call(c, QUERY_queue_put);
    call_i64(&call, q->tenant);
    call_text(&call, q->name);
    call_bool(&call, q->paused);
    TRY(pg_send(&call, why));
  }
  return ERR_OK;
}

static enum err send_types(struct conn *c, const struct change *change, struct fault *why) {
  for (size_t i = 0; i < change->type_count; i++) {
    const struct type *t = &change->types[i];
    struct call call = pg_call(c, QUERY_type_put);
    call_i64(&call, t->tenant);
    call_text(&call, t->name);
    call_text(&call, t->queue);
    call_text(&call, t->description);
    call_i64(&call, t->priority);
    call_i64(&call, t->attempts_max);
    call_i64(&call, (int64_t)t->backoff.kind);
    call_i64(&call, t->backoff.delay_ms);
    call_i64(&call, t->backoff.delay_max_ms);
    call_i64(&call, t->backoff.jitter_percent);
    call_i64(&call, t->lease_ms);
    call_i64(&call, t->timeout_ms);
    call_i64(&call, t->keep.completed);
    call_i64(&call, t->keep.failed);
    call_i64(&call, t->keep.for_ms);
    call_bool(&call, t->keep_result);
    TRY(pg_send(&call, why));
  }
  return ERR_OK;
}

enum err pg_catalog_send(struct conn *c, const struct change *change, size_t *sent,
                         struct fault *why) {
  size_t count = change->tenant_count + change->key_count + change->key_gone_count +
                 change->queue_count + change->type_count;
  if (count == 0) return ERR_OK;
  TRY(send_tenants(c, change, why));
  TRY(send_keys(c, change, why));
  TRY(send_keys_gone(c, change, why));
  TRY(send_queues(c, change, why));
  TRY(send_types(c, change, why));
  struct call raise = pg_call(c, QUERY_catalog_raise);
  TRY(pg_send(&raise, why));
  *sent += count + 1;
  return ERR_OK;
}

// --- channels ------------------------------------------------------------------------------------

enum err pg_channels_load(struct conn *c, struct channels *cs, struct fault *why) {
  struct call call = pg_call(c, QUERY_channel_above);
  call_i64(&call, pg_channels_highest(cs));
  struct result r;
  TRY(pg_send(&call, why));
  TRY(pg_sync(c, why));
  TRY(pg_receive(c, &r, why));
  while (result_next(&r)) {
    int64_t number = result_i64(&r), tenant = result_i64(&r);
    struct str queue = result_text(&r, c->scratch), type = result_text(&r, c->scratch);
    pg_channels_add(cs, number, tenant, queue, type);
  }
  result_free(&r);
  return pg_finish(c, why);
}
