// bull.c: the front door S1, for callers of a task manager on a Bull queue: POST /api/tasks.
//
// It translates names and shapes. Attempts, backoff and priority are left to the type's defaults
// and the server's, which are those of the document unless somebody changed them.
#include "api/call.h"
#include "api/doors/queues.h"
#include "api/doors/words.h"
#include "api/inputs.h"

bool api_is_door_queue(struct str queue) {
  return str_eq(queue, BULL_QUEUE) || str_eq(queue, JOBS_QUEUE);
}

// --- failures ------------------------------------------------------------------------------------

int queues_failure_status(enum err err) { return err == ERR_INVALID ? 400 : err_http_status(err); }

static void put_failure(struct buf *b, enum err err, struct str detail) {
  bool fixed = err == ERR_METHOD_NOT_ALLOWED;  // the document gives the sentence
  BUF_LIT(b, ",\"message\":");
  buf_json_str(b, fixed ? str_of(err_title(err)) : detail);
}

const struct door DOOR_bull = {.status = queues_failure_status, .put_failure = put_failure};

// --- create --------------------------------------------------------------------------------------

static int render_created(struct call *c, struct buf *b) {
  const struct task *task = &c->order.tasks[0];
  BUF_LIT(b, "{\"success\":true,\"message\":\"Task created\",\"id\":");
  put_id(b, task->id);
  BUF_LIT(b, ",\"taskId\":");
  put_id(b, task->id);
  BUF_LIT(b, ",\"rowId\":");
  buf_i64(b, id_key(task->id));
  BUF_LIT(b, ",\"status\":");
  buf_json_str(b, door_word(DIALECT_BULL, task->status));
  buf_char(b, '}');
  return 200;
}

enum err bull_create(struct call *c) {
  struct bull_body in = {0};
  TRY(call_needs_body(c));
  TRY(call_body(c, &BODY_bull, &in, NULL, NULL));
  struct create_item *item = ARENA_NEW(c->arena, struct create_item);
  item->task = (struct task){.type = in.type,
                             .payload = in.payload,
                             .queue = BULL_QUEUE,
                             .priority = ABSENT,
                             .timeout_ms = ABSENT,
                             .version = VERSION_NONE};
  c->order.in.create.items = item;
  c->order.in.create.count = 1;
  return call_order(c, ORDER_CREATE, render_created);
}
