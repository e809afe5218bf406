// explain.c: why a task is, or is not, running: in words for people and in data for programs.
#include "api/sessions.h"

struct explain_call {
  struct task *task;
  struct tally *tallies;
  size_t tally_count;
};

static void run_explain(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct explain_call *x = c->input;
  q->err = ops->read_task(reader, &c->read, c->who.tenant, c->id, 0, &x->task, &q->fault);
  if (q->err != ERR_OK) return;
  q->err =
      ops->read_tallies(reader, &c->read, c->who.tenant, &x->tallies, &x->tally_count, &q->fault);
}

static int64_t ready_beside(const struct explain_call *x) {
  for (size_t i = 0; i < x->tally_count; i++)
    if (str_eq(x->tallies[i].queue, x->task->queue) && str_eq(x->tallies[i].type, x->task->type))
      return x->tallies[i].ready;
  return 0;
}

static void put_seconds(struct buf *b, int64_t ms) {
  if (ms < 0) ms = 0;
  buf_printf(b, "%lld.%01lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

static void reason_ready(struct buf *b, const struct explain_call *x, size_t waiting_workers) {
  const struct task *task = x->task;
  buf_printf(b, "It is ready. No worker has claimed type %.*s from queue %.*s yet; ",
             STR_FMT(task->type), STR_FMT(task->queue));
  buf_printf(b, "such tasks that are ready: %lld, workers that wait for other work: %zu.",
             (long long)ready_beside(x), waiting_workers);
}

static void reason_pending(struct call *c, struct buf *b, const struct explain_call *x, int64_t now,
                           size_t waiting_workers) {
  const struct task *task = x->task;
  struct encode_context ctx = call_encoding(c);
  struct str waiting = shown_waiting(&ctx, task);
  if (str_eq(waiting, STR("pause"))) {
    buf_printf(b, "Its queue %.*s is paused; POST /api/v1/queues/%.*s/resume hands it out again.",
               STR_FMT(task->queue), STR_FMT(task->queue));
  } else if (task->waiting == WAIT_START) {
    BUF_LIT(b, "It was created with autoStart false; POST its /start to release it.");
  } else if (task->waiting == WAIT_TIME) {
    BUF_LIT(b, "Its runAt lies ahead; it becomes ready in ");
    put_seconds(b, task->run_at - now);
    buf_char(b, '.');
  } else if (task->waiting == WAIT_RETRY) {
    buf_printf(b, "Attempt %lld of %lld did not succeed; the next one is due in ",
               (long long)task->attempt, (long long)task->attempts_max);
    put_seconds(b, task->run_at - now);
    buf_char(b, '.');
  } else {
    reason_ready(b, x, waiting_workers);
  }
}

static void reason_running(struct buf *b, const struct task *task, int64_t now) {
  BUF_LIT(b, "It is running");
  if (!str_is_none(task->worker)) buf_printf(b, " on %.*s", STR_FMT(task->worker));
  buf_printf(b, ", attempt %lld of %lld; ", (long long)task->attempt,
             (long long)task->attempts_max);
  if (task->cancel_requested_at)
    BUF_LIT(b, "its cancel was requested and takes effect within ");
  else
    BUF_LIT(b, "unless renewed, its lease ends in ");
  put_seconds(b, task->lease_expires_at - now);
  buf_char(b, '.');
}

static void reason_ended(struct buf *b, const struct encode_context *x, const struct task *task) {
  buf_printf(b, "It has ended: %.*s", STR_FMT(shown_status(x, task)));
  if (!str_is_none(task->error_code)) buf_printf(b, " (%.*s)", STR_FMT(task->error_code));
  if (task->status == TASK_COMPLETED)
    BUF_LIT(b, "; its result is kept.");
  else
    BUF_LIT(b, "; POST its /retry sends it back to pending.");
}

static size_t count_waiting_workers(struct call *c) {
  if (c->session) return c->api->sessions->waiting_count;
  struct worker_info *workers;
  size_t count = engine_workers(c->engine, c->who.tenant, c->arena, &workers), n = 0;
  for (size_t i = 0; i < count; i++) n += workers[i].waiting;
  return n;
}

static int render_explain(struct call *c, struct buf *b) {
  const struct explain_call *x = c->input;
  const struct task *task = x->task;
  struct encode_context ctx = call_encoding(c);
  size_t waiting = count_waiting_workers(c);
  int64_t now = engine_now(c->engine);
  struct buf reason;
  buf_init(&reason, 2048);
  if (task->status == TASK_PENDING)
    reason_pending(c, &reason, x, now, waiting);
  else if (task->status == TASK_RUNNING)
    reason_running(&reason, task, now);
  else
    reason_ended(&reason, &ctx, task);
  BUF_LIT(b, "{\"success\":true,\"explain\":{\"status\":");
  buf_json_str(b, shown_status(&ctx, task));
  BUF_LIT(b, ",\"waitingFor\":");
  put_text_or_null(b, shown_waiting(&ctx, task));
  BUF_LIT(b, ",\"reason\":");
  buf_json_str(b, buf_str(&reason));
  buf_printf(b, ",\"data\":{\"attempt\":%lld,\"maxAttempts\":%lld,\"readyBeside\":%lld,",
             (long long)task->attempt, (long long)task->attempts_max, (long long)ready_beside(x));
  buf_printf(b, "\"waitingWorkers\":%zu,\"runAt\":", waiting);
  put_time_or_null(b, task->run_at);
  BUF_LIT(b, ",\"leaseExpiresAt\":");
  put_time_or_null(b, task->lease_expires_at);
  BUF_LIT(b, ",\"now\":");
  buf_i64(b, now);
  BUF_LIT(b, "}}}");
  buf_fini(&reason);
  return 200;
}

enum err task_explain(struct call *c) {
  c->input = ARENA_NEW(c->arena, struct explain_call);
  return call_query(c, run_explain, render_explain);
}
