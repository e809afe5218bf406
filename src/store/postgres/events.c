// events.c: numbers and writes events.
//
// A reader that has seen number n must never meet one before n later. So whoever numbers events of
// a tenant holds a lock of the transaction until it is committed, and numbers on from the newest
// that is there: numbers have no gaps and become visible in their order. The lock is taken last,
// for the moment of this insert and the commit. A row that counts would do the same, but its old
// versions would pile up under a long snapshot and slow every unit down; numbers of transactions
// would need no lock, but any long transaction of anybody would hold up every reader.
#include <stdlib.h>

#include "base/hash.h"
#include "store/postgres/unit.h"

int64_t pg_lock_key(const struct postgres_store *s, const char *what, int64_t number) {
  uint64_t hash = hash_fast(s->settings.schema) * 31 + hash_fast(str_of(what));
  return (int64_t)(hash * 1000003 + (uint64_t)number);
}

static int by_number(const void *a_ptr, const void *b_ptr) {
  int64_t a = *(const int64_t *)a_ptr, b = *(const int64_t *)b_ptr;
  return (a > b) - (a < b);
}

// The tenants of a change's events, each once, rising: the order in which all take the locks.
static size_t tenants_of(struct store_lane *lane, const struct change *change, int64_t **out) {
  int64_t *all = ARENA_ARRAY(&lane->scratch, int64_t, change->event_count + 1);
  size_t count = 0;
  for (size_t i = 0; i < change->event_count; i++)
    if (count == 0 || all[count - 1] != change->events[i].event.tenant)
      all[count++] = change->events[i].event.tenant;
  qsort(all, count, sizeof *all, by_number);
  size_t kept = 0;
  for (size_t i = 0; i < count; i++)
    if (kept == 0 || all[kept - 1] != all[i]) all[kept++] = all[i];
  *out = all;
  return kept;
}

static void put_event(struct call *c, int64_t number, const struct change_event *changed) {
  const struct event *e = &changed->event;
  const struct row *row = changed->row;
  call_put_i64(c, number);
  call_put_i64(c, e->at);
  call_put_id(c, e->task);
  if (row)
    call_put_i64(c, row->channel);
  else
    call_put_no_i64(c);
  call_put_i64(c, e->attempt);
  call_put_i64(c, (int64_t)e->kind);
  call_put_i64(c, e->progress);
  call_put_text(c, e->actor);
  call_put_text(c, e->worker);
  call_put_text(c, e->note);
  call_put_text(c, e->text);
  call_put_text(c, row ? STR_NONE : e->queue);
  call_put_text(c, row ? STR_NONE : e->type);
}

static enum err send_events(struct conn *conn, int64_t tenant, struct change_event *const *all,
                            size_t count, struct fault *why) {
  struct call c = pg_call(conn, QUERY_event_insert);
  call_i64(&c, tenant);
  call_array_rows(&c, ROW_EVENT, count);
  for (size_t i = 0; i < count; i++) put_event(&c, (int64_t)i + 1, all[i]);
  return pg_send(&c, why);
}

static size_t events_of(struct store_lane *lane, const struct change *change, int64_t tenant,
                        struct change_event ***out) {
  struct change_event **all =
      ARENA_ARRAY(&lane->scratch, struct change_event *, change->event_count);
  size_t count = 0;
  for (size_t i = 0; i < change->event_count; i++)
    if (change->events[i].event.tenant == tenant) all[count++] = &change->events[i];
  *out = all;
  return count;
}

enum err pg_events_send(struct store_lane *lane, const struct change *change, struct fault *why) {
  int64_t *tenants;
  size_t count = tenants_of(lane, change, &tenants);
  for (size_t i = 0; i < count; i++) {
    struct call lock = pg_call(&lane->conn, QUERY_event_lock);
    call_i64(&lock, pg_lock_key(lane->store, "event", tenants[i]));
    TRY(pg_send(&lock, why));
    struct change_event **events;
    size_t event_count = events_of(lane, change, tenants[i], &events);
    TRY(send_events(&lane->conn, tenants[i], events, event_count, why));
  }
  return ERR_OK;
}

enum err pg_events_receive(struct store_lane *lane, const struct change *change,
                           struct fault *why) {
  int64_t *tenants;
  size_t count = tenants_of(lane, change, &tenants);
  for (size_t i = 0; i < count; i++) {
    struct result r;
    TRY(pg_receive_done(&lane->conn, why));
    TRY(pg_receive(&lane->conn, &r, why));
    int64_t last = result_next(&r) ? result_i64(&r) : 0;
    result_free(&r);
    struct change_event **events;
    size_t event_count = events_of(lane, change, tenants[i], &events);
    for (size_t k = 0; k < event_count; k++) events[k]->event.seq = last + (int64_t)k + 1;
  }
  return ERR_OK;
}
