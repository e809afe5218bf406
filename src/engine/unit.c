// unit.c: the working set of one unit of work and the change that grows in it.
#include "engine/unit.h"

#include <assert.h>

#include "base/hash.h"
#include "engine/inside.h"

void *list_push(struct arena *a, struct list *l, size_t item_bytes) {
  if (l->count == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 16;
    void *grown = arena_alloc(a, cap * item_bytes);
    if (l->count) memcpy(grown, l->at, l->count * item_bytes);
    l->at = grown;
    l->cap = cap;
  }
  return memset((char *)l->at + l->count++ * item_bytes, 0, item_bytes);
}

void unit_begin(struct unit *u, struct lane *lane, int64_t now) {
  struct arena arena = u->arena;
  memset(u, 0, sizeof *u);
  u->arena = arena;
  u->e = lane->e;
  u->lane = lane;
  u->now = now;
}

void unit_want(struct unit *u, int64_t tenant, struct id id, unsigned parts) {
  *LIST_PUSH(&u->arena, &u->want_ids, struct want_id) =
      (struct want_id){.tenant = tenant, .id = id, .parts = parts};
}

void unit_want_unique(struct unit *u, int64_t tenant, struct str key) {
  *LIST_PUSH(&u->arena, &u->want_uniques, struct want_unique) =
      (struct want_unique){.tenant = tenant, .key = key};
}

// --- the working set -----------------------------------------------------------------------------

static struct row **slot_of(struct row **table, size_t cap, struct id id) {
  size_t i = (size_t)(id.lo ^ id.hi * 0x9e3779b97f4a7c15u) & (cap - 1);
  while (table[i] && !id_eq(table[i]->task.id, id)) i = (i + 1) & (cap - 1);
  return &table[i];
}

static void table_grow(struct unit *u) {
  size_t cap = u->table_cap ? u->table_cap * 2 : 64;
  struct row **table = ARENA_ARRAY(&u->arena, struct row *, cap);
  for (size_t i = 0; i < u->table_cap; i++)
    if (u->table[i]) *slot_of(table, cap, u->table[i]->task.id) = u->table[i];
  u->table = table;
  u->table_cap = cap;
}

// The same task may be loaded twice: the first row counts, and takes over parts it lacks. (Of
// itself it takes what it has.)
struct row *unit_adopt(struct unit *u, struct row *row) {
  if (u->table_count * 2 >= u->table_cap) table_grow(u);
  struct row **slot = slot_of(u->table, u->table_cap, row->task.id);
  if (*slot == NULL) {
    *slot = row;
    u->table_count++;
  } else {
    struct task *kept = &(*slot)->task;
    if (str_is_none(kept->payload)) kept->payload = row->task.payload;
    if (str_is_none(kept->result)) kept->result = row->task.result;
  }
  return *slot;
}

struct row *unit_find(struct unit *u, int64_t tenant, struct id id) {
  if (u->table_cap == 0) return NULL;
  struct row *row = *slot_of(u->table, u->table_cap, id);
  return row && !row->gone && row->task.tenant == tenant ? row : NULL;
}

// One want stands for all with the same key. Its slot is empty when nobody asked for this key.
static struct want_unique **unique_slot(struct unit *u, int64_t tenant, struct str key) {
  size_t i = (size_t)hash_fast(key) & (u->unique_cap - 1);
  while (u->uniques[i] && !(u->uniques[i]->tenant == tenant && str_eq(u->uniques[i]->key, key)))
    i = (i + 1) & (u->unique_cap - 1);
  return &u->uniques[i];
}

static void index_uniques(struct unit *u) {
  if (u->want_uniques.count == 0) return;
  u->unique_cap = 16;
  while (u->unique_cap < u->want_uniques.count * 2) u->unique_cap *= 2;
  u->uniques = ARENA_ARRAY(&u->arena, struct want_unique *, u->unique_cap);
  for (size_t i = 0; i < u->want_uniques.count; i++) {
    struct want_unique *want = LIST_AT(u->want_uniques, struct want_unique, i);
    if (want->row) want->row = unit_adopt(u, want->row);
    *unique_slot(u, want->tenant, want->key) = want;
  }
}

struct row *unit_find_unique(struct unit *u, int64_t tenant, struct str key) {
  assert(u->unique_cap > 0);  // create_plan asked for it
  const struct want_unique *want = *unique_slot(u, tenant, key);
  assert(want != NULL);
  return want->row && !want->row->gone ? want->row : NULL;
}

static void remember_unique(struct unit *u, struct row *row) {
  struct want_unique **slot = unique_slot(u, row->task.tenant, row->task.unique_key);
  assert(*slot != NULL);  // create_plan asked for it
  (*slot)->row = row;
}

void unit_adopt_all(struct unit *u) {
  for (size_t i = 0; i < u->want_ids.count; i++) {
    struct want_id *want = LIST_AT(u->want_ids, struct want_id, i);
    if (want->row) unit_adopt(u, want->row)->whole |= (want->parts & PART_PAYLOAD) != 0;
  }
  index_uniques(u);
  for (size_t i = 0; i < u->slots.count; i++) {
    struct pick_slot *slot = *LIST_AT(u->slots, struct pick_slot *, i);
    for (size_t k = 0; k < slot->pick.row_count; k++) {
      slot->bytes += slot->pick.rows[k]->task.payload.len;
      slot->pick.rows[k] = unit_adopt(u, slot->pick.rows[k]);
      slot->pick.rows[k]->whole = true;
    }
  }
  for (size_t i = 0; i < u->due_count; i++) u->due[i] = unit_adopt(u, u->due[i]);
  for (size_t i = 0; i < u->want_ended.count; i++) {
    struct want_ended *want = LIST_AT(u->want_ended, struct want_ended, i);
    for (size_t k = 0; k < want->row_count; k++) want->rows[k] = unit_adopt(u, want->rows[k]);
  }
}

// --- deciding ------------------------------------------------------------------------------------

bool task_is_ready(const struct task *task) {
  return task->status == TASK_PENDING && task->waiting == WAIT_WORKER;
}

static int64_t earlier(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return a ? a : b;
  return a < b ? a : b;
}

static int64_t wake_at(const struct task *task) {
  if (task->status == TASK_RUNNING) return task->lease_expires_at;
  if (task->status != TASK_PENDING) return 0;
  bool timed = task->waiting == WAIT_TIME || task->waiting == WAIT_RETRY;
  return earlier(timed ? task->run_at : 0, task->expires_at);
}

int64_t task_lease_end(const struct task *task, int64_t now) {
  int64_t end = now + task->lease_length_ms;
  int64_t timeout = task->timeout_ms ? task->claimed_at + task->timeout_ms : 0;
  return earlier(end, earlier(timeout, task->cancel_by));
}

// Kept best first: priority falling, then older first. Almost always an append.
static void ready_insert(struct unit *u, struct row *row) {
  LIST_PUSH(&u->arena, &u->ready, struct row *);
  struct row **all = u->ready.at;
  size_t i = u->ready.count - 1;
  while (i > u->ready_head && (all[i - 1]->task.priority < row->task.priority ||
                               (all[i - 1]->task.priority == row->task.priority &&
                                id_key(all[i - 1]->task.id) > id_key(row->task.id)))) {
    all[i] = all[i - 1];
    i--;
  }
  all[i] = row;
  row->offered = false;
  u->ready_new = true;
}

// What is past already is due now: a shared store does not look far back.
void unit_reschedule(struct unit *u, struct row *row) {
  int64_t at = wake_at(&row->task);
  row->task.wake_at = at && at < u->now ? u->now : at;
  u->wake_min = earlier(u->wake_min, row->task.wake_at);
  if (!task_is_ready(&row->task)) return;
  if (row->whole)  // with its payload
    ready_insert(u, row);
  else
    *LIST_PUSH(&u->arena, &u->late, struct row *) = row;
}

struct row *unit_add(struct unit *u, const struct task *task) {
  struct row *row = arena_alloc(&u->arena, sizeof *row);
  *row = (struct row){.task = *task, .fresh = true, .whole = true};
  unit_adopt(u, row);
  *LIST_PUSH(&u->arena, &u->rows, struct row *) = row;
  if (!str_is_none(task->unique_key)) remember_unique(u, row);
  unit_reschedule(u, row);
  return row;
}

void unit_touch(struct unit *u, struct row *row) {
  row->task.updated_at = u->now;
  row->task.revision++;
  if (row->fresh || row->dirty) return;
  row->dirty = true;
  *LIST_PUSH(&u->arena, &u->rows, struct row *) = row;
}

struct event *unit_event(struct unit *u, const struct order *order, struct row *row,
                         enum event_kind kind) {
  struct change_event *entry = LIST_PUSH(&u->arena, &u->events, struct change_event);
  entry->row = row;
  entry->event =
      (struct event){.kind = kind, .at = u->now, .actor = order->actor, .tenant = order->tenant};
  if (row) {
    entry->event.tenant = row->task.tenant;
    entry->event.task = row->task.id;
    entry->event.queue = row->task.queue;
    entry->event.type = row->task.type;
    entry->event.attempt = row->task.attempt;
    entry->event.progress = row->task.progress;
  }
  return &entry->event;
}

static void leave_running(struct task *task) {
  task->lease_expires_at = 0;
  task->lease_length_ms = 0;
}

enum err unit_move(struct unit *u, struct row *row, enum move move, enum waiting waiting,
                   struct fault *why) {
  struct task *task = &row->task;
  enum task_status to;
  if (!lifecycle_next(task->status, move, &to)) {
    return fault_set(why, ERR_WRONG_STATUS, "the task is %s; from there this move is not possible",
                     task_status_word(task->status).at);
  }
  if (task->status == TASK_RUNNING) leave_running(task);
  task->status = to;
  task->waiting = to == TASK_PENDING ? waiting : WAIT_NONE;
  task->completed_at = task_status_is_final(to) ? u->now : 0;
  if (to != TASK_RUNNING) task->cancel_requested_at = task->cancel_by = 0;
  // A final task keeps the token of the attempt that ended it, so that a repeated completion is
  // known.
  if (to == TASK_PENDING) task->lease = 0;
  unit_touch(u, row);
  if (to != TASK_RUNNING) unit_reschedule(u, row);
  return ERR_OK;
}

// --- the change ----------------------------------------------------------------------------------

bool unit_has_change(const struct unit *u) {
  return u->rows.count || u->events.count || u->logs.count || u->replays.count || u->queues.count ||
         u->types.count || u->keys.count || u->tenants.count || u->duty_changes;
}

struct change unit_change(const struct unit *u) {
  return (struct change){
      .rows = u->rows.at,
      .row_count = u->rows.count,
      .events = u->events.at,
      .event_count = u->events.count,
      .logs = u->logs.at,
      .log_count = u->logs.count,
      .replays = u->replays.at,
      .replay_count = u->replays.count,
      .replays_before = u->replays.count ? u->now - LIMIT_IDEMPOTENCY_MS : 0,
      .queues = u->queues.at,
      .queue_count = u->queues.count,
      .types = u->types.at,
      .type_count = u->types.count,
      .keys = u->keys.at,
      .key_count = u->keys.count,
      .keys_gone = u->keys_gone.at,
      .key_gone_count = u->keys_gone.count,
      .tenants = u->tenants.at,
      .tenant_count = u->tenants.count,
      .duty = u->duty_changes ? &u->new_duty : NULL,
  };
}

static void deepen(struct arena *a, struct task *task) {
#define ENUM(field)
#define I64(field)
#define SPARSE(field)
#define TEXT(field) task->field = arena_dup(a, task->field);
#define COLUMN(column, field, kind, group, meaning) kind(field)
#include "store/task.def"
#undef COLUMN
#undef TEXT
#undef SPARSE
#undef I64
#undef ENUM
  task->queue = arena_dup(a, task->queue);
  task->type = arena_dup(a, task->type);
  task->payload = arena_dup(a, task->payload);
  task->result = arena_dup(a, task->result);
}

struct task *unit_snapshot(struct arena *a, const struct task *task, bool deep) {
  struct task *copy = arena_alloc(a, sizeof *copy);
  *copy = *task;
  if (deep) deepen(a, copy);
  return copy;
}
