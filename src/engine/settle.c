// settle.c: the end of an attempt: completed, failed or released, by the worker that holds the
// lease.
#include "engine/inside.h"

#include "base/rand.h"

// Then the task can be handed out in the same unit, for which its payload is needed.
static bool is_ready_at_once(const struct settle_item *item) {
  if (item->verb == SETTLE_RELEASE && item->delay_ms == ABSENT) return true;
  return item->verb != SETTLE_COMPLETE && item->delay_ms == 0;
}

void settle_plan(struct unit *u, struct order *order) {
  for (size_t i = 0; i < order->in.settle.count; i++) {
    const struct settle_item *item = &order->in.settle.items[i];
    unit_want(u, order->tenant, item->id, is_ready_at_once(item) ? PART_PAYLOAD : 0);
  }
  if (order->claim.limit) claim_plan(u, order);
}

static double random_unit(void) { return (double)(rand_u64() >> 11) / (double)(1ULL << 53); }

static void set_error(struct task *task, struct str code, struct str message, struct str detail) {
  task->error_code = code;
  task->error_message = message;
  task->error_detail = detail;
}

static void complete(struct unit *u, struct order *order, struct row *row,
                     const struct settle_item *item) {
  unit_move(u, row, MOVE_COMPLETE, WAIT_NONE, NULL);
  row->task.progress = 100;
  row->task.result = item->result;
  row->result_new = !str_is_none(item->result);
  set_error(&row->task, STR_NONE, STR_NONE, STR_NONE);
  unit_event(u, order, row, EVENT_COMPLETED)->worker = row->task.worker;
}

static void stop_cancelled(struct unit *u, struct order *order, struct row *row) {
  unit_move(u, row, MOVE_CANCEL, WAIT_NONE, NULL);
  unit_event(u, order, row, EVENT_CANCELLED)->worker = row->task.worker;
}

void settle_back_to_pending(struct unit *u, struct row *row, enum move move, int64_t delay_ms) {
  row->task.run_at = delay_ms > 0 ? u->now + delay_ms : 0;
  unit_move(u, row, move, delay_ms > 0 ? WAIT_RETRY : WAIT_WORKER, NULL);
}

void settle_failed(struct unit *u, struct order *order, struct row *row,
                   const struct settle_item *item) {
  struct task *task = &row->task;
  bool retry = !item->no_retry && task->attempt < task->attempts_max;
  if (retry) {
    int64_t delay = item->delay_ms != ABSENT
                        ? item->delay_ms
                        : engine_backoff_ms(&task->backoff, task->attempt, random_unit());
    settle_back_to_pending(u, row, MOVE_FAIL_RETRY, delay);
  } else {
    unit_move(u, row, MOVE_FAIL, WAIT_NONE, NULL);
  }
  set_error(task, item->error_code, item->error_message, item->error_detail);
  struct event *event = unit_event(u, order, row, retry ? EVENT_ATTEMPT_FAILED : EVENT_FAILED);
  event->worker = task->worker;
  event->note = item->error_code;
  event->text = item->error_message;
}

static void release(struct unit *u, struct order *order, struct row *row,
                    const struct settle_item *item) {
  unit_event(u, order, row, EVENT_RELEASED)->worker = row->task.worker;
  row->task.attempt--;
  settle_back_to_pending(u, row, MOVE_RELEASE, item->delay_ms == ABSENT ? 0 : item->delay_ms);
}

static void end_attempt(struct unit *u, struct order *order, struct row *row,
                        const struct settle_item *item) {
  bool cancelling = row->task.cancel_requested_at != 0;
  if (item->verb == SETTLE_COMPLETE)
    complete(u, order, row, item);
  else if (cancelling)
    stop_cancelled(u, order, row);
  else if (item->verb == SETTLE_FAIL)
    settle_failed(u, order, row, item);
  else
    release(u, order, row, item);
  sweep_expire(u, row);
}

// A worker that lost the answer to its completion asks again with the same token: same answer.
// Without a token a repeat cannot be told from another completion.
static bool is_repeat(const struct task *task, const struct settle_item *item) {
  enum task_status ended = item->verb == SETTLE_COMPLETE ? TASK_COMPLETED : TASK_FAILED;
  return item->lease != 0 && task->status == ended && task->lease == item->lease &&
         item->verb != SETTLE_RELEASE;
}

static enum err check(const struct order *order, const struct row *row,
                      const struct settle_item *item, struct str *why) {
  if (row == NULL) {
    *why = STR("there is no such task");
    return ERR_NOT_FOUND;
  }
  if (holder_is(order, &row->task, item->lease, item->worker)) return ERR_OK;
  if (is_repeat(&row->task, item)) return ERR_OK;
  *why = holder_refusal(item->lease);
  return ERR_LEASE_LOST;
}

static void settle_one(struct unit *u, struct order *order, struct settle_item *item) {
  struct row *row = unit_find(u, order->tenant, item->id);
  item->task = NULL;
  item->why = STR_NONE;
  item->err = check(order, row, item, &item->why);
  if (item->err != ERR_OK) return;
  if (row->task.status == TASK_RUNNING) {
    workers_seen(u->e, order->tenant, row->task.worker, u->now);
    end_attempt(u, order, row, item);
  }
  item->task = unit_snapshot(&u->arena, &row->task, true);
}

enum verdict settle_decide(struct unit *u, struct order *order) {
  if (!order->again) {  // its attempts were ended by an earlier decision: only the claim is left
    for (size_t i = 0; i < order->in.settle.count; i++)
      settle_one(u, order, &order->in.settle.items[i]);
  }
  const struct settle_item *first = order->in.settle.items;
  if (order->in.settle.single && first->err != ERR_OK) {
    order->err = fault_set(&order->fault, first->err, "%.*s", STR_FMT(first->why));
    return ANSWERED;
  }
  return claim_decide(u, order);
}
