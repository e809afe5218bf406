// moves.c: the moves a person makes: start, cancel, retry, and reading a task until it ends.
#include "engine/inside.h"

struct row *order_row(struct unit *u, struct order *order) {
  struct row *row = unit_find(u, order->tenant, order->id);
  if (row == NULL) order->err = fault_set(&order->fault, ERR_NOT_FOUND, "there is no such task");
  return row;
}

void order_answer_row(struct unit *u, struct order *order, struct row *row) {
  order->tasks = unit_snapshot(&u->arena, &row->task, true);
  order->task_count = 1;
  order->ended = task_status_is_final(row->task.status);
}

void start_plan(struct unit *u, struct order *order) {
  unit_want(u, order->tenant, order->id, PART_PAYLOAD);
}

enum verdict start_decide(struct unit *u, struct order *order) {
  struct row *row = order_row(u, order);
  if (row == NULL) return ANSWERED;
  struct task *task = &row->task;
  if (task->status != TASK_PENDING || task->waiting != WAIT_START) {
    order->err =
        fault_set(&order->fault, ERR_WRONG_STATUS, "the task is %s and was started already",
                  task_status_word(task->status).at);
    return ANSWERED;
  }
  enum waiting waiting = task->run_at > u->now ? WAIT_TIME : WAIT_WORKER;
  order->err = unit_move(u, row, MOVE_START, waiting, &order->fault);
  unit_event(u, order, row, EVENT_STARTED);
  order_answer_row(u, order, row);
  return ANSWERED;
}

void cancel_plan(struct unit *u, struct order *order) { unit_want(u, order->tenant, order->id, 0); }

// A running task is not torn from its worker: it is told on its next call, and has until the grace
// ends, as long as it goes on renewing its lease. Asking again may only shorten that.
static void request_cancel(struct unit *u, struct order *order, struct row *row) {
  struct task *task = &row->task;
  int64_t by = u->now + order->in.cancel.grace_ms;
  if (task->cancel_requested_at == 0) {
    task->cancel_requested_at = u->now;
    unit_event(u, order, row, EVENT_CANCEL_REQUESTED)->text = order->in.cancel.reason;
  }
  if (task->cancel_by == 0 || by < task->cancel_by) task->cancel_by = by;
  if (by < task->lease_expires_at) task->lease_expires_at = by;
  unit_touch(u, row);
  unit_reschedule(u, row);
}

enum verdict cancel_decide(struct unit *u, struct order *order) {
  struct row *row = order_row(u, order);
  if (row == NULL) return ANSWERED;
  if (row->task.status == TASK_RUNNING) {
    request_cancel(u, order, row);
  } else {
    order->err = unit_move(u, row, MOVE_CANCEL, WAIT_NONE, &order->fault);
    if (order->err != ERR_OK) return ANSWERED;
    unit_event(u, order, row, EVENT_CANCELLED)->text = order->in.cancel.reason;
  }
  order_answer_row(u, order, row);
  return ANSWERED;
}

void retry_plan(struct unit *u, struct order *order) {
  unit_want(u, order->tenant, order->id, PART_PAYLOAD);
}

// A fresh set of attempts; what is left of the earlier ones stays readable in the events.
enum verdict retry_decide(struct unit *u, struct order *order) {
  struct row *row = order_row(u, order);
  if (row == NULL) return ANSWERED;
  struct task *task = &row->task;
  order->err = unit_move(u, row, MOVE_RETRY, WAIT_WORKER, &order->fault);
  if (order->err != ERR_OK) return ANSWERED;
  task->run_at = 0;
  task->attempts_max = task->attempt + task->attempts_grant;
  task->progress = 0;
  task->started_at = task->claimed_at = 0;
  task->expires_at = task->expires_at > u->now ? task->expires_at : 0;
  task->step = task->step_description = STR_NONE;
  task->error_code = task->error_message = task->error_detail = STR_NONE;
  task->worker = STR_NONE;
  unit_reschedule(u, row);
  unit_event(u, order, row, EVENT_RETRIED);
  order_answer_row(u, order, row);
  return ANSWERED;
}

void watch_plan(struct unit *u, struct order *order) {
  unit_want(u, order->tenant, order->id, PART_PAYLOAD | PART_RESULT);
}

enum verdict watch_decide(struct unit *u, struct order *order) {
  struct row *row = order_row(u, order);
  if (row == NULL) return ANSWERED;
  order_answer_row(u, order, row);
  return order->ended || order->expired || order->wait_ms <= 0 ? ANSWERED : WAITS;
}
