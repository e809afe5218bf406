// demo.c: the demo routes of the async task system (S4): tasks that the bundled worker's demo types
// run, made and started in one request.
//
// The whole body becomes the payload: what a demo type reads there is what its route takes.
#include "api/doors/session.h"
#include "api/inputs.h"
#include "api/sessions.h"

static const struct demo {
  const char *type;
  const struct body *body;
  const char *name, *message, *note;
} DEMOS[] = {
    {"sample", &BODY_demo_sample, "Sample Long-Running Task", "Sample task created and started",
     "The task runs in the background; ask for its status to follow it."},
    {"file-processing", &BODY_demo_file, "File Processing Task",
     "File processing task created and started",
     "The file is processed in the background; ask for the task's status to follow it."},
    {"api-call", &BODY_demo_api, "API Call Task", "API call task created and started",
     "The call is made in the background; ask for the task's status to follow it."},
    {"batch", &BODY_demo_batch, "Batch Processing Task",
     "Batch processing task created and started",
     "The items are processed in the background; ask for the task's status to follow them."},
};

static int render_demo(struct call *c, struct buf *b) {
  const struct demo *demo = c->input;
  struct encode_context x = call_encoding(c);
  BUF_LIT(b, "{\"success\":true,\"message\":");
  buf_json_str(b, str_of(demo->message));
  BUF_LIT(b, ",\"task\":");
  session_put_started(b, &x, &c->order.tasks[0]);
  BUF_LIT(b, ",\"note\":");
  buf_json_str(b, str_of(demo->note));
  buf_char(b, '}');
  return 201;
}

static enum err check_items(struct call *c, struct str items) {
  if (str_is_none(items)) return ERR_OK;
  size_t count = call_count(items);
  if (count > 0 && count <= LIMIT_DEMO_ITEMS) return ERR_OK;
  return fault_field(&c->fault, "/items", "items must have 1 to %d elements", LIMIT_DEMO_ITEMS);
}

enum err session_demo(struct call *c) {
  struct demo_body in = {0};
  const struct demo *demo = DEMOS;
  while (demo->body != c->entry.body) demo++;
  TRY(call_body(c, demo->body, &in, NULL, NULL));
  TRY(check_items(c, in.items));
  struct create_item *item = session_new_item(c);
  item->task.type = str_of(demo->type);
  item->task.name = str_of(demo->name);
  item->task.description = in.description;
  item->task.payload = str_is_none(c->body) ? STR("{}") : c->body;
  c->input = (void *)demo;
  TRY(session_begin(c));
  return call_order(c, ORDER_CREATE, render_demo);
}
