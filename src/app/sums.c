// sums.c: hashes rows. Every field counts, also whether a text is absent or empty.
#include "app/sums.h"

#include <assert.h>

#include "base/hash.h"

// --- one row -------------------------------------------------------------------------------------

static void put_i64(struct buf *out, int64_t value) {
  buf_bytes(out, (const char *)&value, sizeof value);
}

static void put_text(struct buf *out, struct str s) {
  put_i64(out, str_is_none(s) ? -1 : (int64_t)s.len);
  buf_put(out, s);
}

static void put_id(struct buf *out, struct id id) {
  put_i64(out, (int64_t)id.hi);
  put_i64(out, (int64_t)id.lo);
}

// FNV mixes its last bytes little, which a sum of many would show; these are the closing steps of
// MurmurHash3.
static uint64_t mix(uint64_t h) {
  h = (h ^ h >> 33) * 0xff51afd7ed558ccdU;
  h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53U;
  return h ^ h >> 33;
}

static void add_row(struct sum *sum, struct buf *row) {
  assert(!row->overflow);
  sum->rows++;
  sum->check += mix(hash_fast(buf_str(row)));
  buf_clear(row);
}

// --- the parts -----------------------------------------------------------------------------------

static void put_type(struct buf *out, const struct type *t) {
  put_i64(out, t->tenant);
  put_text(out, t->name);
  put_text(out, t->queue);
  put_text(out, t->description);
  put_i64(out, t->priority);
  put_i64(out, t->attempts_max);
  put_i64(out, (int64_t)t->backoff.kind);
  put_i64(out, t->backoff.delay_ms);
  put_i64(out, t->backoff.delay_max_ms);
  put_i64(out, t->backoff.jitter_percent);
  put_i64(out, t->lease_ms);
  put_i64(out, t->timeout_ms);
  put_i64(out, t->keep.completed);
  put_i64(out, t->keep.failed);
  put_i64(out, t->keep.for_ms);
  put_i64(out, t->keep_result);
}

static void put_key(struct buf *out, const struct api_key *k) {
  put_text(out, k->id);
  put_i64(out, k->tenant);
  put_text(out, k->name);
  put_i64(out, (int64_t)k->roles);
  buf_bytes(out, (const char *)k->hash, sizeof k->hash);
  put_i64(out, k->created_at);
  put_i64(out, k->revoked_at);
  put_i64(out, k->expires_at);
  put_text(out, k->service);
  put_text(out, k->replaced_by);
}

// The version is a store's own.
static void add_catalog(struct sum *sum, const struct catalog *c, struct buf *row) {
  for (size_t i = 0; i < c->tenant_count; i++) {
    BUF_LIT(row, "tenant");
    put_i64(row, c->tenants[i].number);
    put_text(row, c->tenants[i].name);
    add_row(sum, row);
  }
  for (size_t i = 0; i < c->key_count; i++) {
    BUF_LIT(row, "key");
    put_key(row, &c->keys[i]);
    add_row(sum, row);
  }
  for (size_t i = 0; i < c->queue_count; i++) {
    BUF_LIT(row, "queue");
    put_i64(row, c->queues[i].tenant);
    put_text(row, c->queues[i].name);
    put_i64(row, c->queues[i].paused);
    add_row(sum, row);
  }
  for (size_t i = 0; i < c->type_count; i++) {
    BUF_LIT(row, "type");
    put_type(row, &c->types[i]);
    add_row(sum, row);
  }
}

static void put_task(struct buf *out, const struct task *t) {
  put_id(out, t->id);
  put_i64(out, t->tenant);
  put_text(out, t->queue);
  put_text(out, t->type);
#define PUT_I64(field) put_i64(out, t->field)
#define PUT_SPARSE(field) PUT_I64(field)
#define PUT_ENUM(field) put_i64(out, (int64_t)t->field)
#define PUT_TEXT(field) put_text(out, t->field)
#define COLUMN(column, field, kind, group, meaning) PUT_##kind(field);
#include "store/task.def"
#undef COLUMN
  put_text(out, t->payload);
  put_text(out, t->result);
}

static void put_log(struct buf *out, const struct bulk_log *l) {
  put_i64(out, l->tenant);
  put_id(out, l->task);
  put_i64(out, l->line.number);
  put_i64(out, l->line.at);
  put_text(out, l->line.text);
}

static void put_event(struct buf *out, const struct event *e) {
  put_i64(out, e->tenant);
  put_i64(out, e->seq);
  put_i64(out, (int64_t)e->kind);
  put_i64(out, e->at);
  put_id(out, e->task);
  put_text(out, e->queue);
  put_text(out, e->type);
  put_i64(out, e->attempt);
  put_i64(out, e->progress);
  put_text(out, e->actor);
  put_text(out, e->worker);
  put_text(out, e->note);
  put_text(out, e->text);
}

static void put_replay(struct buf *out, const struct replay *r) {
  put_i64(out, r->tenant);
  put_text(out, r->key);
  buf_bytes(out, (const char *)r->fingerprint, sizeof r->fingerprint);
  put_i64(out, r->status);
  put_id(out, r->task);
  put_i64(out, r->revision);
  put_text(out, r->body);
  put_i64(out, r->at);
}

void sums_add(struct sum *sum, enum bulk_part part, const struct bulk *page, struct buf *scratch) {
  if (part == BULK_CATALOG) add_catalog(sum, &page->catalog, scratch);
  for (size_t i = 0; i < page->task_count; i++) {
    put_task(scratch, &page->tasks[i]);
    add_row(sum, scratch);
  }
  for (size_t i = 0; i < page->log_count; i++) {
    put_log(scratch, &page->logs[i]);
    add_row(sum, scratch);
  }
  for (size_t i = 0; i < page->event_count; i++) {
    put_event(scratch, &page->events[i]);
    add_row(sum, scratch);
  }
  for (size_t i = 0; i < page->replay_count; i++) {
    put_replay(scratch, &page->replays[i]);
    add_row(sum, scratch);
  }
}
