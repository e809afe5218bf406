// outbox.c: what was committed here since the others were told last, bounded: what is too much to
// be named is told as "look at everything".
#include "store/postgres/desk.h"

static bool is_better(const struct task *t, const struct notice_ready *r) {
  return t->priority != r->priority ? t->priority > r->priority : t->id.hi < r->id_hi;
}

static void became_ready(struct outbox *o, const struct row *row) {
  const struct task *t = &row->task;
  bool known = row->channel > 0 && row->channel <= LIMIT_CHANNELS;
  uint16_t *place = &o->places[known ? row->channel : 0];
  if (!known || (!*place && o->ready_count == OUTBOX_CHANNELS)) {
    o->all_ready = true;
    return;
  }
  if (!*place) {
    o->ready[o->ready_count++] = (struct notice_ready){
        .channel = row->channel, .priority = t->priority, .id_hi = t->id.hi, .oldest = t->id.hi};
    *place = (uint16_t)o->ready_count;
  }
  struct notice_ready *r = &o->ready[*place - 1];
  r->count++;
  if (t->id.hi < r->oldest) r->oldest = t->id.hi;
  if (!is_better(t, r)) return;
  r->priority = t->priority;
  r->id_hi = t->id.hi;
}

static void ended(struct outbox *o, struct id id) {
  if (o->ended_count < OUTBOX_ENDED)
    o->ended[o->ended_count++] = id;
  else
    o->all_ended = true;
}

static void collect_row(struct outbox *o, const struct row *row) {
  const struct task *t = &row->task;
  bool ready = !row->gone && t->status == TASK_PENDING && t->waiting == WAIT_WORKER;
  bool was_ready =
      !row->fresh && row->was_status == TASK_PENDING && row->was_waiting == WAIT_WORKER;
  bool over = row->gone || task_status_is_final(t->status);
  bool was_over = !row->fresh && task_status_is_final(row->was_status);
  if (ready && !was_ready) became_ready(o, row);
  if (over && !was_over) ended(o, t->id);
}

static void stirred(struct outbox *o, int64_t tenant) {
  size_t i = 0;
  while (i < o->stirred_count && o->stirred[i] != tenant) i++;
  if (i == OUTBOX_TENANTS) return;
  o->stirred[i] = tenant;
  if (i == o->stirred_count) o->stirred_count++;
}

static void collect_events(struct outbox *o, const struct change *change) {
  int64_t latest = 0;
  for (size_t i = 0; i < change->event_count; i++) {
    int64_t tenant = change->events[i].event.tenant;
    if (tenant != latest) stirred(o, tenant);
    latest = tenant;
  }
}

void pg_outbox_collect(struct outbox *o, const struct change *change) {
  for (size_t i = 0; i < change->row_count; i++) collect_row(o, change->rows[i]);
  collect_events(o, change);
  if (change->queue_count || change->type_count || change->key_count || change->tenant_count)
    o->catalogue = true;
  o->filled |= o->ready_count || o->ended_count || o->all_ready || o->catalogue;
}

void pg_outbox_take(struct outbox *o, struct arena *a, struct notice *out) {
  struct notice_ready *ready = ARENA_ARRAY(a, struct notice_ready, o->ready_count);
  struct id *ended_ids = ARENA_ARRAY(a, struct id, o->ended_count);
  int64_t *tenants = ARENA_ARRAY(a, int64_t, o->stirred_count);
  if (o->ready_count) memcpy(ready, o->ready, sizeof *ready * o->ready_count);
  if (o->ended_count) memcpy(ended_ids, o->ended, sizeof *ended_ids * o->ended_count);
  if (o->stirred_count) memcpy(tenants, o->stirred, sizeof *tenants * o->stirred_count);
  for (size_t i = 0; i < o->ready_count; i++) o->places[o->ready[i].channel] = 0;
  *out = (struct notice){.nodes = o->nodes,
                         .catalogue = o->catalogue,
                         .all_ready = o->all_ready,
                         .all_ended = o->all_ended,
                         .ready = ready,
                         .ready_count = o->ready_count,
                         .ended = ended_ids,
                         .ended_count = o->ended_count,
                         .stirred = tenants,
                         .stirred_count = o->stirred_count};
  o->filled = o->nodes = o->catalogue = o->all_ready = o->all_ended = false;
  o->ready_count = o->ended_count = o->stirred_count = 0;
}
