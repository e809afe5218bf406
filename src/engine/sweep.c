// sweep.c: moving on the tasks whose time has come: due, retry, lease run out, cancel grace,
// expiry.
#include "engine/inside.h"

void sweep_plan(struct unit *u, struct order *order) {
  (void)u;  // the load brings whatever is due
  (void)order;
}

bool sweep_expire(struct unit *u, struct row *row) {
  struct task *task = &row->task;
  if (task->status != TASK_PENDING || !task->expires_at || task->expires_at > u->now) return false;
  unit_move(u, row, MOVE_EXPIRE, WAIT_NONE, NULL);
  task->error_code = STR("expired");
  task->error_message = STR("expiresAt passed while no worker had the task");
  unit_event(u, &u->lane->sweep, row, EVENT_EXPIRED);
  return true;
}

static void sweep_pending(struct unit *u, struct order *order, struct row *row) {
  const struct task *task = &row->task;
  if (sweep_expire(u, row)) return;
  if (task->run_at <= u->now && (task->waiting == WAIT_TIME || task->waiting == WAIT_RETRY)) {
    unit_move(u, row, MOVE_DUE, WAIT_WORKER, NULL);
    unit_event(u, order, row, EVENT_DUE);
  }
}

static void lose(struct unit *u, struct order *order, struct row *row) {
  struct task *task = &row->task;
  struct str worker = task->worker;
  bool retry = task->attempt < task->attempts_max;
  task->run_at = retry ? 0 : task->run_at;
  unit_move(u, row, retry ? MOVE_LOSE_RETRY : MOVE_LOSE, WAIT_WORKER, NULL);
  task->error_code = STR("lease_lost");
  task->error_message = STR("the worker stopped renewing its lease");
  struct event *event = unit_event(u, order, row, retry ? EVENT_LEASE_LOST : EVENT_ABANDONED);
  event->worker = worker;
  event->note = task->error_code;
}

static void time_out(struct unit *u, struct order *order, struct row *row) {
  struct settle_item item = {.verb = SETTLE_FAIL,
                             .delay_ms = ABSENT,
                             .error_code = STR("timeout"),
                             .error_message = STR("the attempt ran longer than timeoutMs")};
  settle_failed(u, order, row, &item);
}

static void sweep_running(struct unit *u, struct order *order, struct row *row) {
  const struct task *task = &row->task;
  if (task->lease_expires_at > u->now) return;
  if (task->cancel_requested_at) {
    struct str worker = task->worker;
    unit_move(u, row, MOVE_CANCEL, WAIT_NONE, NULL);
    unit_event(u, order, row, EVENT_CANCELLED)->worker = worker;
  } else if (task->timeout_ms && task->claimed_at + task->timeout_ms <= u->now) {
    time_out(u, order, row);
  } else {
    lose(u, order, row);
  }
  sweep_expire(u, row);
}

enum verdict sweep_decide(struct unit *u, struct order *order) {
  for (size_t i = 0; i < u->due_count; i++) {
    struct row *row = u->due[i];
    if (row->gone) continue;
    if (row->task.status == TASK_RUNNING)
      sweep_running(u, order, row);
    else if (row->task.status == TASK_PENDING)
      sweep_pending(u, order, row);
  }
  return ANSWERED;
}
