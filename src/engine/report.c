// report.c: what a worker says while it works: heartbeat, progress, log lines. Each renews the
// lease.
#include "engine/inside.h"

void report_plan(struct unit *u, struct order *order) { unit_want(u, order->tenant, order->id, 0); }

// A renewal that brings little may be left out: it would cost a commit. It brings little while the
// lease would end less than a quarter of its length later, and half of it is still to come.
static bool may_be_left_out(const struct report_input *in, const struct task *task, int64_t now) {
  if (in->progress != ABSENT || !str_is_none(in->step) || !str_is_none(in->step_description) ||
      in->line_count)
    return false;
  int64_t length = task->lease_length_ms, left = task->lease_expires_at - now;
  int64_t gain = task_lease_end(task, now) - task->lease_expires_at;
  return gain * 4 < length && left * 2 >= length;
}

static void note_progress(struct unit *u, struct order *order, struct row *row) {
  const struct report_input *in = &order->in.report;
  struct task *task = &row->task;
  bool any = in->progress != ABSENT || !str_is_none(in->step) || !str_is_none(in->step_description);
  if (!any) return;
  // Never back within one attempt, whatever order the reports arrive in.
  if (in->progress != ABSENT && in->progress > task->progress) task->progress = in->progress;
  if (!str_is_none(in->step)) {
    task->step = in->step;
    task->step_description = in->step_description;
  } else if (!str_is_none(in->step_description)) {
    task->step_description = in->step_description;
  }
  struct event *event = unit_event(u, order, row, EVENT_PROGRESS);
  event->worker = task->worker;
  event->progress = task->progress;
  event->note = task->step;
  event->text = task->step_description;
}

static void append_lines(struct unit *u, struct order *order, struct row *row) {
  const struct report_input *in = &order->in.report;
  if (in->line_count == 0) return;
  struct log_line *lines = ARENA_ARRAY(&u->arena, struct log_line, in->line_count);
  for (size_t i = 0; i < in->line_count; i++) {
    lines[i] =
        (struct log_line){.number = ++row->task.log_lines, .at = u->now, .text = in->lines[i]};
  }
  int64_t drop = row->task.log_lines - LIMIT_LOG_LINES;
  *LIST_PUSH(&u->arena, &u->logs, struct change_log) =
      (struct change_log){.row = row,
                          .lines = lines,
                          .line_count = in->line_count,
                          .drop_through = drop > 0 ? drop : 0};
}

enum verdict report_decide(struct unit *u, struct order *order) {
  struct row *row = order_row(u, order);
  if (row == NULL) return ANSWERED;
  struct task *task = &row->task;
  const struct report_input *in = &order->in.report;
  if (!holder_is(order, task, in->lease, in->worker)) {
    struct str sentence = holder_refusal(in->lease);
    order->err = fault_set(&order->fault, ERR_LEASE_LOST, "%.*s", STR_FMT(sentence));
    return ANSWERED;
  }
  if (!may_be_left_out(in, task, u->now)) {
    unit_touch(u, row);
    task->lease_expires_at = task_lease_end(task, u->now);
    unit_reschedule(u, row);
    note_progress(u, order, row);
    append_lines(u, order, row);
  }
  workers_seen(u->e, order->tenant, task->worker, u->now);
  order->cancel_requested = task->cancel_requested_at != 0;
  order_answer_row(u, order, row);
  return ANSWERED;
}
