// edit.c: changing what may be changed of a pending task, and removing a task.
#include "engine/inside.h"

static enum err check_revision(const struct order *order, const struct row *row,
                               struct fault *why) {
  if (order->if_revision == ABSENT || order->if_revision == row->task.revision) return ERR_OK;
  return fault_set(why, ERR_REVISION_CHANGED, "the task is at revision %lld; read it again",
                   (long long)row->task.revision);
}

void edit_plan(struct unit *u, struct order *order) {
  unit_want(u, order->tenant, order->id, PART_PAYLOAD);
}

static bool edits_nothing(const struct edit_input *in) {
  return !in->set_priority && !in->set_tags && !in->set_metadata && !in->set_run_at &&
         !in->set_expires_at;
}

static void edit_fields(struct task *task, const struct edit_input *in) {
  if (in->set_priority) task->priority = in->priority;
  if (in->set_tags) task->tags = in->tags;
  if (in->set_metadata) task->metadata = in->metadata;
  if (in->set_expires_at) task->expires_at = in->expires_at;
  if (in->set_run_at) task->run_at = in->run_at;
}

// A new runAt also decides whether the task waits for it. One that waits for its start, or for the
// backoff of a retry that is not touched, goes on waiting.
static enum waiting edited_waiting(const struct task *task, const struct edit_input *in,
                                   int64_t now) {
  if (task->waiting == WAIT_START || !in->set_run_at) return task->waiting;
  return task->run_at > now ? WAIT_TIME : WAIT_WORKER;
}

enum verdict edit_decide(struct unit *u, struct order *order) {
  struct row *row = order_row(u, order);
  if (row == NULL) return ANSWERED;
  struct task *task = &row->task;
  order->err = check_revision(order, row, &order->fault);
  if (order->err != ERR_OK) return ANSWERED;
  if (task->status != TASK_PENDING) {
    order->err = fault_set(&order->fault, ERR_WRONG_STATUS,
                           "the task is %s; only a pending task can be changed",
                           task_status_word(task->status).at);
    return ANSWERED;
  }
  if (edits_nothing(&order->in.edit)) {
    order_answer_row(u, order, row);
    return ANSWERED;
  }
  edit_fields(task, &order->in.edit);
  task->waiting = edited_waiting(task, &order->in.edit, u->now);
  unit_touch(u, row);
  unit_reschedule(u, row);
  unit_event(u, order, row, EVENT_CHANGED);
  order_answer_row(u, order, row);
  return ANSWERED;
}

void delete_plan(struct unit *u, struct order *order) { unit_want(u, order->tenant, order->id, 0); }

enum verdict delete_decide(struct unit *u, struct order *order) {
  struct row *row = order_row(u, order);
  if (row == NULL) return ANSWERED;
  order->err = check_revision(order, row, &order->fault);
  if (order->err != ERR_OK) return ANSWERED;
  if (row->task.status == TASK_RUNNING) {
    if (!order->in.delete.force) {
      order->err = fault_set(&order->fault, ERR_WRONG_STATUS,
                             "the task is running; cancel it first, or delete with ?force=true");
      return ANSWERED;
    }
    unit_move(u, row, MOVE_CANCEL, WAIT_NONE, NULL);
    unit_event(u, order, row, EVENT_CANCELLED);
  }
  unit_touch(u, row);
  unit_event(u, order, row, EVENT_DELETED);
  order_answer_row(u, order, row);
  row->gone = true;
  return ANSWERED;
}
