// session.c: the front door of the async task system (S4): tasks of an anonymous session.
//
// It translates names and shapes. A task is created pending and waits to be started, its one
// attempt is its last, and its statuses are five: who wants another attempt asks for a retry.
#include "api/doors/session.h"

#include "api/doors/words.h"
#include "api/inputs.h"
#include "api/sessions.h"

// --- failures ------------------------------------------------------------------------------------

// Its clients know 400 for what is wrong with a request and for a move that the status forbids.
static int failure_status(enum err err) {
  return err == ERR_INVALID || err == ERR_WRONG_STATUS ? 400 : err_http_status(err);
}

static void put_failure(struct buf *b, enum err err, struct str detail) {
  (void)err, (void)detail;
  BUF_LIT(b, ",\"durable\":false");
}

const struct door DOOR_session = {.status = failure_status, .put_failure = put_failure};

// --- what goes out -------------------------------------------------------------------------------

#define KEY(key) BUF_LIT(b, ",\"" key "\":")

static void put_progress(struct buf *b, const struct encode_context *x, const struct task *task) {
  BUF_LIT(b, "\"status\":");
  buf_json_str(b, shown_status(x, task));
  KEY("progress");
  buf_i64(b, task->progress);
}

int session_put_status(struct buf *b, const struct encode_context *x, const struct task *task) {
  BUF_LIT(b, "{\"success\":true,");
  put_progress(b, x, task);
  KEY("currentStep");
  put_text_or_null(b, task->step);
  KEY("currentStepDescription");
  put_text_or_null(b, task->step_description);
  KEY("startedAt");
  put_time_or_null(b, task->started_at);
  KEY("completedAt");
  put_time_or_null(b, task->completed_at);
  KEY("error");
  encode_error(b, task);
  buf_char(b, '}');
  return 200;
}

static void put_beginning(struct buf *b, const struct encode_context *x, const struct task *task) {
  BUF_LIT(b, "{\"id\":");
  put_id(b, task->id);
  KEY("name");
  put_text_or_null(b, task->name);
  buf_char(b, ',');
  put_progress(b, x, task);
}

void session_put_started(struct buf *b, const struct encode_context *x, const struct task *task) {
  put_beginning(b, x, task);
  KEY("sessionKey");
  buf_json_str(b, x->session_key);
  buf_char(b, '}');
}

void session_put_listed(struct buf *b, const struct encode_context *x, const struct task *task) {
  put_beginning(b, x, task);
  KEY("createdAt");
  put_time_or_null(b, task->created_at);
  KEY("completedAt");
  put_time_or_null(b, task->completed_at);
  buf_char(b, '}');
}

void session_put_counts(struct buf *b, const struct tally *sum) {
  const int64_t *count = sum->count;
  int64_t failed = count[TASK_FAILED] + count[TASK_ABANDONED];
  buf_printf(b, "\"stats\":{\"total\":%lld,\"pending\":%lld,\"running\":%lld,",
             (long long)tally_total(sum), (long long)count[TASK_PENDING],
             (long long)count[TASK_RUNNING]);
  buf_printf(b, "\"completed\":%lld,\"failed\":%lld,\"cancelled\":%lld}",
             (long long)count[TASK_COMPLETED], (long long)failed, (long long)count[TASK_CANCELLED]);
}

int session_put_stats(struct buf *b, const struct tally *sum) {
  BUF_LIT(b, "{\"success\":true,");
  session_put_counts(b, sum);
  buf_char(b, '}');
  return 200;
}

// --- create --------------------------------------------------------------------------------------

struct create_item *session_new_item(struct call *c) {
  struct create_item *item = ARENA_NEW(c->arena, struct create_item);
  item->task = (struct task){
      .priority = ABSENT, .timeout_ms = ABSENT, .version = VERSION_NONE, .attempts_max = 1};
  c->order.in.create.items = item;
  c->order.in.create.count = 1;
  return item;
}

static int render_created(struct call *c, struct buf *b) {
  struct encode_context x = call_encoding(c);
  BUF_LIT(b, "{\"success\":true,\"message\":\"Task created successfully\",\"task\":");
  encode_task(b, &x, &c->order.tasks[0], call_parts(c, ENCODE_PAYLOAD | ENCODE_RESULT));
  buf_char(b, '}');
  return 201;
}

enum err session_create(struct call *c) {
  struct session_body in = {.type = STR("task")};
  TRY(call_needs_body(c));
  TRY(call_body(c, &BODY_session_task, &in, NULL, NULL));
  struct create_item *item = session_new_item(c);
  item->hold = true;
  item->task.type = in.type;
  item->task.name = in.name;
  item->task.description = in.description;
  item->task.metadata = in.metadata;
  item->task.payload = in.payload;
  TRY(session_begin(c));
  return call_order(c, ORDER_CREATE, render_created);
}
