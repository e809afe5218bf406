// create.c: taking in tasks: defaults, uniqueness, when they are ready.
#include "engine/inside.h"

// Other processes that make ids for this store take other shares.
static struct id next_id(struct unit *u) {
  struct engine *e = u->e;
  if (e->store->ops->id_share) {
    e->ids.shares = ID_SHARES;
    e->ids.share = e->store->ops->id_share(e->store);
  }
  return id_next(&e->ids, u->now);
}

void create_plan(struct unit *u, struct order *order) {
  for (size_t i = 0; i < order->in.create.count; i++) {
    struct str key = order->in.create.items[i].task.unique_key;
    if (!str_is_none(key)) unit_want_unique(u, order->tenant, key);
  }
}

static int64_t first_set(int64_t a, int64_t b, int64_t c) { return a ? a : b ? b : c; }

static int64_t first_present(int64_t a, int64_t b, int64_t c) {
  return a != ABSENT ? a : b != ABSENT ? b : c;
}

static void apply_defaults(struct unit *u, struct task *task) {
  const struct engine_settings *built_in = &u->e->settings;
  struct type type = {.priority = ABSENT, .timeout_ms = -1};
  catalog_type(u->e, task->tenant, task->type, &u->arena, &type);
  if (str_is_none(task->queue)) task->queue = type.queue;
  if (str_is_none(task->queue)) task->queue = STR("default");
  task->priority = first_present(task->priority, type.priority, 0);
  task->attempts_max = first_set(task->attempts_max, type.attempts_max, built_in->attempts_max);
  task->attempts_grant = task->attempts_max;
  task->lease_ms = first_set(task->lease_ms, type.lease_ms, built_in->lease_ms);
  if (task->timeout_ms == ABSENT) task->timeout_ms = type.timeout_ms < 0 ? 0 : type.timeout_ms;
  if (task->backoff.delay_ms == 0)
    task->backoff = type.backoff.delay_ms ? type.backoff : built_in->backoff;
}

static enum waiting first_waiting(const struct task *task, bool hold, int64_t now) {
  if (hold) return WAIT_START;
  return task->run_at > now ? WAIT_TIME : WAIT_WORKER;
}

static struct row *create_one(struct unit *u, struct order *order, const struct create_item *item) {
  struct task task = item->task;
  task.id = next_id(u);
  task.tenant = order->tenant;
  apply_defaults(u, &task);
  task.revision = 1;
  task.created_at = task.updated_at = u->now;
  if (item->delay_ms) task.run_at = u->now + item->delay_ms;
  task.status = TASK_PENDING;
  task.waiting = first_waiting(&task, item->hold, u->now);
  struct row *row = unit_add(u, &task);
  unit_event(u, order, row, EVENT_CREATED);
  return row;
}

enum verdict create_decide(struct unit *u, struct order *order) {
  size_t count = order->in.create.count;
  order->tasks = arena_alloc(&u->arena, sizeof *order->tasks * count);
  order->task_count = count;
  order->deduplicated = 0;
  for (size_t i = 0; i < count; i++) {
    struct create_item *item = &order->in.create.items[i];
    struct str key = item->task.unique_key;
    struct row *row = str_is_none(key) ? NULL : unit_find_unique(u, order->tenant, key);
    item->deduplicated = row != NULL;
    if (row)
      order->deduplicated++;
    else
      row = create_one(u, order, item);
    // One that another order of this unit made has texts that live with that order's request.
    bool borrowed = item->deduplicated && (row->fresh || row->dirty);
    order->tasks[i] = borrowed ? *unit_snapshot(&u->arena, &row->task, true) : row->task;
  }
  if (count == 1) order->id = order->tasks[0].id;
  order->ended = count == 1 && task_status_is_final(order->tasks[0].status);
  return ANSWERED;
}
