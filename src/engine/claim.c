// claim.c: who gets which task next.
#include "engine/inside.h"

#include <assert.h>

#include "base/rand.h"

enum {
  BUSY_TRIES = 3,         // a claim that does not wait looks again so often
  BUSY_WAITING_MAX = 16,  // of those that wait with one filter; they pass on what they leave
};

static bool listed(const struct str *names, size_t count, struct str name) {
  if (count == 0) return true;
  for (size_t i = 0; i < count; i++)
    if (str_eq(names[i], name)) return true;
  return false;
}

bool claim_fits(const struct claim_filter *f, const struct task *task) {
  return listed(f->types, f->type_count, task->type) &&
         listed(f->queues, f->queue_count, task->queue);
}

// --- planning ------------------------------------------------------------------------------------

bool claim_same_names(const struct str *a, size_t an, const struct str *b, size_t bn) {
  if (an != bn) return false;
  for (size_t i = 0; i < an; i++)
    if (!str_eq(a[i], b[i])) return false;
  return true;
}

// Of one tenant.
static bool same_filter(const struct pick *pick, const struct order *order) {
  const struct claim_filter *f = &order->claim;
  return claim_same_names(pick->types, pick->type_count, f->types, f->type_count) &&
         claim_same_names(pick->queues, pick->queue_count, f->queues, f->queue_count);
}

static bool names_meet(const struct str *a, size_t an, const struct str *b, size_t bn) {
  if (an == 0 || bn == 0) return true;
  for (size_t i = 0; i < an; i++)
    if (listed(b, bn, a[i])) return true;
  return false;
}

// Whether a task can be what both ask for.
static bool filters_meet(const struct pick *pick, const struct order *order) {
  const struct claim_filter *f = &order->claim;
  return pick->tenant == order->tenant &&
         names_meet(pick->types, pick->type_count, f->types, f->type_count) &&
         names_meet(pick->queues, pick->queue_count, f->queues, f->queue_count);
}

// Claims of one filter share their candidates. Those of different filters may name the same tasks,
// so each must see as many as all that it meets can take together.
static void want_candidates(struct unit *u, struct order *order) {
  size_t others = 0;
  struct pick_slot *mine = NULL;
  for (size_t i = 0; i < u->slots.count; i++) {
    struct pick_slot *slot = *LIST_AT(u->slots, struct pick_slot *, i);
    if (!filters_meet(&slot->pick, order)) continue;
    others += slot->asked;
    slot->pick.limit += order->claim.limit;
    if (same_filter(&slot->pick, order)) mine = slot;
  }
  if (mine == NULL) {
    mine = ARENA_NEW(&u->arena, struct pick_slot);
    mine->pick = (struct pick){.tenant = order->tenant,
                               .limit = others + order->claim.limit,
                               .types = order->claim.types,
                               .type_count = order->claim.type_count,
                               .queues = order->claim.queues,
                               .queue_count = order->claim.queue_count,
                               .bytes_max = LIMIT_CLAIM_BYTES};
    struct str *paused = NULL;
    mine->pick.not_queue_count = catalog_paused(u->e, order->tenant, &u->arena, &paused);
    mine->pick.not_queues = paused;
    *LIST_PUSH(&u->arena, &u->slots, struct pick_slot *) = mine;
  }
  mine->asked += order->claim.limit;
  mine->pick.sure |= order->busy_tries >= BUSY_TRIES;  // its last look
  order->slot = mine;
}

void claim_plan(struct unit *u, struct order *order) { want_candidates(u, order); }

void claim_one_plan(struct unit *u, struct order *order) {
  unit_want(u, order->tenant, order->id, PART_PAYLOAD);
}

// --- deciding ------------------------------------------------------------------------------------

static int64_t new_lease(void) {
  int64_t lease;
  do lease = (int64_t)(rand_u64() >> 1);
  while (lease == 0);
  return lease;
}

static int64_t lease_length(const struct task *task, const struct claim_filter *f) {
  if (f->lease_ms) return f->lease_ms;
  return task->lease_ms < f->lease_least_ms ? f->lease_least_ms : task->lease_ms;
}

static void start_attempt(struct unit *u, struct task *task, const struct claim_filter *f) {
  task->attempt++;
  task->lease = new_lease();
  task->lease_length_ms = lease_length(task, f);
  task->claimed_at = u->now;
  if (task->started_at == 0) task->started_at = u->now;
  task->lease_expires_at = task_lease_end(task, u->now);
  task->worker = f->worker;
  task->progress = 0;
  task->step = task->step_description = STR_NONE;
}

void claim_take(struct unit *u, struct order *order, struct row *row) {
  bool borrowed = row->fresh || row->dirty;  // texts may live with another request
  enum err err = unit_move(u, row, MOVE_CLAIM, WAIT_NONE, NULL);
  assert(err == ERR_OK);  // callers take ready tasks only
  (void)err;
  start_attempt(u, &row->task, &order->claim);
  unit_reschedule(u, row);
  struct event *event = unit_event(u, order, row, EVENT_CLAIMED);
  event->worker = order->claim.worker;
  if (order->claimed == NULL)
    order->claimed = arena_alloc(&u->arena, sizeof *order->claimed * order->claim.limit);
  order->claimed[order->claimed_count++] = *unit_snapshot(&u->arena, &row->task, borrowed);
}

static struct row *next_ready(struct unit *u, const struct order *order, size_t *from) {
  struct row **all = u->ready.at;
  while (u->ready_head < u->ready.count && !task_is_ready(&all[u->ready_head]->task))
    u->ready_head++;
  if (*from < u->ready_head) *from = u->ready_head;
  for (; *from < u->ready.count; ++*from) {
    const struct task *task = &all[*from]->task;
    if (all[*from]->gone || task->tenant != order->tenant || !task_is_ready(task)) continue;
    if (claim_fits(&order->claim, task) && !engine_queue_paused(u->e, task->tenant, task->queue))
      return all[*from];
  }
  return NULL;
}

struct row *claim_left(struct pick_slot *slot) {
  for (; slot && slot->next < slot->pick.row_count; slot->next++) {
    struct row *row = slot->pick.rows[slot->next];
    if (!row->gone && task_is_ready(&row->task)) return row;
  }
  return NULL;
}

// As the queues are now: one may have been paused since the load.
static struct row *next_picked(struct unit *u, struct pick_slot *slot) {
  struct row *row = claim_left(slot);
  while (slot && row && engine_queue_paused(u->e, row->task.tenant, row->task.queue)) {
    slot->next++;
    row = claim_left(slot);
  }
  return row;
}

static struct row *better(struct row *a, struct row *b) {
  if (a == NULL || b == NULL) return a ? a : b;
  if (a->task.priority != b->task.priority) return a->task.priority > b->task.priority ? a : b;
  return id_key(a->task.id) <= id_key(b->task.id) ? a : b;
}

static size_t take_best(struct unit *u, struct order *order, struct pick_slot *slot) {
  size_t from = u->ready_head, bytes = 0;
  while (order->claimed_count < order->claim.limit) {
    struct row *row = better(next_picked(u, slot), next_ready(u, order, &from));
    if (row == NULL) break;
    bytes += row->task.payload.len;
    if (order->claimed_count && bytes > LIMIT_CLAIM_BYTES) break;
    claim_take(u, order, row);
  }
  workers_asked(u->e, order->tenant, &order->claim, u->now);
  return order->claimed_count;
}

size_t claim_from_ready(struct unit *u, struct order *order) { return take_best(u, order, NULL); }

// Candidates may have been cut off, by their number or size, and then taken by others, or
// cancelled, or deleted: there may be more.
bool claim_was_cut(const struct pick_slot *slot) {
  return slot->pick.row_count == slot->pick.limit || slot->bytes > slot->pick.bytes_max;
}

// Others hold what fits, and may or may not take it.
static enum verdict look_again_soon(struct unit *u, struct order *order) {
  if (u->e->lane_draining || order->expired) return ANSWERED;
  if (order->wait_ms > 0) {
    if (order->slot->soon >= BUSY_WAITING_MAX) return WAITS;
    if (order->deadline == 0) order->deadline = u->now + order->wait_ms;
    if (order->ticket == 0) order->ticket = ++u->e->tickets;
  } else if (order->busy_tries++ >= BUSY_TRIES) {
    return ANSWERED;
  }
  order->slot->soon++;
  order->not_before = u->now + CLAIM_BUSY_MS;
  return AGAIN;
}

enum verdict claim_decide(struct unit *u, struct order *order) {
  order->claimed = NULL;
  order->claimed_count = 0;
  if (order->claim.limit == 0) return ANSWERED;
  if (order_is_gone(order)) return WAITS;  // takes nothing; see may_wait
  feed_parked(u);                          // those who wait come first
  if (take_best(u, order, order->slot) > 0) {
    order->slot->served++;
    return ANSWERED;
  }
  if (claim_was_cut(order->slot)) return AGAIN;
  if (order->slot->pick.busy) return look_again_soon(u, order);
  return order->wait_ms > 0 && !order->expired ? WAITS : ANSWERED;
}

enum verdict claim_one_decide(struct unit *u, struct order *order) {
  struct row *row = unit_find(u, order->tenant, order->id);
  order->claimed = NULL;
  order->claimed_count = 0;
  if (row == NULL) {
    order->err = fault_set(&order->fault, ERR_NOT_FOUND, "there is no such task");
  } else if (!task_is_ready(&row->task)) {
    order->err = fault_set(&order->fault, ERR_WRONG_STATUS,
                           "the task is %s and cannot be claimed now; GET its /explain for why",
                           task_status_word(row->task.status).at);
  } else if (engine_queue_paused(u->e, order->tenant, row->task.queue)) {
    order->err = fault_set(&order->fault, ERR_WRONG_STATUS, "the task's queue is paused");
  } else {
    order->claim.limit = 1;
    claim_take(u, order, row);
    workers_asked(u->e, order->tenant, &order->claim, u->now);
  }
  return ANSWERED;
}
