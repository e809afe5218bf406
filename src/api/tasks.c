// tasks.c: tasks as their producers see them: create, read, change, remove, start, cancel, retry.
#include "api/doors/repository.h"
#include "api/doors/session.h"
#include "api/inputs.h"
#include "api/sessions.h"

struct encode_context call_encoding(const struct call *c) {
  if (c->session)
    return (struct encode_context){
        .engine = c->engine, .session_key = c->session->key, .session_number = c->session->number};
  return (struct encode_context){.engine = c->engine, .tenant_name = c->who.tenant_name};
}

// --- answers -------------------------------------------------------------------------------------

unsigned call_parts(struct call *c, unsigned parts) {
  if (!c->wants_minimal) return parts;
  c->minimal_applied = true;
  return ENCODE_MINIMAL;
}

int render_task(struct call *c, struct buf *b) {
  struct encode_context x = call_encoding(c);
  BUF_LIT(b, "{\"success\":true,\"task\":");
  encode_task(b, &x, &c->order.tasks[0], call_parts(c, 0));
  buf_char(b, '}');
  return 200;
}

static int render_whole(struct call *c, struct buf *b) {
  struct encode_context x = call_encoding(c);
  BUF_LIT(b, "{\"success\":true,\"task\":");
  encode_task(b, &x, &c->order.tasks[0], call_parts(c, ENCODE_PAYLOAD | ENCODE_RESULT));
  if (repository_is_service(c) && !c->wants_minimal)
    repository_put_members(c, b, &c->order.tasks[0]);
  buf_char(b, '}');
  return 200;
}

static int render_created(struct call *c, struct buf *b) {
  struct encode_context x = call_encoding(c);
  bool dup = c->order.deduplicated > 0;
  // A task that was there already is read without its payload: it is not what this request brought.
  unsigned parts = dup ? 0 : ENCODE_PAYLOAD | ENCODE_RESULT;
  BUF_LIT(b, "{\"success\":true,\"task\":");
  encode_task(b, &x, &c->order.tasks[0], call_parts(c, parts));
  if (dup) BUF_LIT(b, ",\"deduplicated\":true");
  if (repository_is_task(c->body)) repository_put_created(b, &c->order.tasks[0]);
  buf_char(b, '}');
  return dup ? 200 : 201;
}

static int render_created_many(struct call *c, struct buf *b) {
  struct encode_context x = call_encoding(c);
  BUF_LIT(b, "{\"success\":true,\"tasks\":[");
  for (size_t i = 0; i < c->order.task_count; i++) {
    if (i) buf_char(b, ',');
    encode_task(b, &x, &c->order.tasks[i], call_parts(c, 0));
  }
  buf_printf(b, "],\"count\":%zu", c->order.task_count);
  if (c->order.deduplicated) buf_printf(b, ",\"deduplicated\":%zu", c->order.deduplicated);
  buf_char(b, '}');
  return 201;
}

// --- create --------------------------------------------------------------------------------------

enum err call_backoff(struct call *c, struct str json, const struct where *where,
                      struct backoff *out) {
  if (str_is_none(json) || json_kind(json) == JSON_NULL) return ERR_OK;
  struct backoff_input in = {.delay_ms = 1000, .max_delay_ms = 3600000, .jitter = 20};
  TRY(decode_object(c->arena, json, BODY_backoff.fields, where, &in, NULL, NULL, &c->fault));
  bool fixed = str_eq(in.type, STR("fixed"));
  if (!str_is_none(in.type) && !fixed && !str_eq(in.type, STR("exponential")))
    return fault_field(&c->fault, where_pointer(c->arena, where, "type"),
                       "type must be \"exponential\" or \"fixed\"");
  *out = (struct backoff){
      .kind = fixed ? BACKOFF_FIXED : BACKOFF_EXPONENTIAL,
      .delay_ms = in.delay_ms,
      .delay_max_ms = in.max_delay_ms < in.delay_ms ? in.delay_ms : in.max_delay_ms,
      .jitter_percent = in.jitter};
  return ERR_OK;
}

static void fill_item(struct create_item *item, const struct create_input *in) {
  item->delay_ms = in->delay_ms;
  item->hold = !in->auto_start;
  struct task *task = &item->task;
  task->type = in->type;
  task->payload = in->payload;
  task->name = in->name;
  task->description = in->description;
  task->queue = in->queue;
  task->priority = in->priority;
  task->run_at = in->run_at;
  task->attempts_max = in->attempts_max;
  task->lease_ms = in->lease_ms;
  task->timeout_ms = in->timeout_ms;
  task->expires_at = in->expires_at;
  task->version = in->version;
  task->tags = in->tags;
  task->metadata = in->metadata;
  task->project = in->project;
  task->subject = in->subject;
  task->unique_key = in->unique_key;
}

static enum err decode_item(struct call *c, struct str json, const struct where *where,
                            struct create_item *item) {
  struct create_input in = {
      .priority = ABSENT, .timeout_ms = ABSENT, .version = VERSION_NONE, .auto_start = true};
  if (repository_is_task(json))
    TRY(repository_task(c, json, where, &in));
  else
    TRY(decode_object(c->arena, json, BODY_create.fields, where, &in, NULL, NULL, &c->fault));
  if (in.run_at && in.delay_ms)
    return fault_field(&c->fault, where_pointer(c->arena, where, "delayMs"),
                       "delayMs and runAt exclude each other");
  const struct where at = {.up = where, .key = "backoff"};
  TRY(call_backoff(c, in.backoff, &at, &item->task.backoff));
  fill_item(item, &in);
  return ERR_OK;
}

static enum err decode_items(struct call *c) {
  size_t count = call_count(c->body), i = 0;
  if (count == 0 || count > LIMIT_BATCH_ITEMS)
    return fault_field(&c->fault, "", "an array must have 1 to %d tasks", LIMIT_BATCH_ITEMS);
  struct create_item *items = ARENA_ARRAY(c->arena, struct create_item, count);
  struct json_walk w = json_walk(c->body);
  struct str key, value;
  enum err err = ERR_OK;
  for (; c->fault.field_count < FAULT_FIELDS_MAX && json_next(&w, &key, &value); i++) {
    const struct where where = {.index = i};
    enum err one = decode_item(c, value, &where, &items[i]);
    if (one != ERR_OK) err = one;
  }
  c->order.in.create.items = items;
  c->order.in.create.count = count;
  return err;
}

enum err task_create(struct call *c) {
  TRY(call_wait(c, &c->order.wait_ms));
  TRY(call_needs_body(c));
  if (json_kind(c->body) == JSON_ARRAY) {
    TRY(decode_items(c));
    c->order.wait_ms = 0;  // many tasks have no common end
    c->waited = false;
    return call_order(c, ORDER_CREATE, render_created_many);
  }
  struct create_item *item = ARENA_NEW(c->arena, struct create_item);
  TRY(decode_item(c, c->body, NULL, item));
  c->order.in.create.items = item;
  c->order.in.create.count = 1;
  return call_order(c, ORDER_CREATE, render_created);
}

// --- read ----------------------------------------------------------------------------------------

static void run_get(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct task *task = NULL;
  q->err = ops->read_task(reader, &c->read, c->who.tenant, c->id, PART_PAYLOAD | PART_RESULT, &task,
                          &q->fault);
  c->order.tasks = task;
  c->order.task_count = q->err == ERR_OK;
}

static int render_got(struct call *c, struct buf *b) {
  return call_has_already(c, c->order.tasks[0].revision) ? 304 : render_whole(c, b);
}

enum err task_get(struct call *c) {
  TRY(call_wait(c, &c->order.wait_ms));
  if (c->order.wait_ms > 0) return call_order(c, ORDER_WATCH, render_got);
  return call_query(c, run_get, render_got);
}

static int render_status(struct call *c, struct buf *b) {
  const struct task *task = &c->order.tasks[0];
  struct encode_context x = call_encoding(c);
  if (call_is_session(c)) return session_put_status(b, &x, task);
  BUF_LIT(b, "{\"success\":true,\"id\":");
  put_id(b, task->id);
  BUF_LIT(b, ",\"status\":");
  buf_json_str(b, task_status_word(task->status));
  BUF_LIT(b, ",\"waitingFor\":");
  put_text_or_null(b, shown_waiting(&x, task));
  buf_printf(b, ",\"progress\":%lld,\"currentStep\":", (long long)task->progress);
  put_text_or_null(b, task->step);
  BUF_LIT(b, ",\"currentStepDescription\":");
  put_text_or_null(b, task->step_description);
  buf_printf(b, ",\"attempt\":%lld,\"maxAttempts\":%lld,\"cancelRequested\":",
             (long long)task->attempt, (long long)task->attempts_max);
  put_bool(b, task->cancel_requested_at != 0);
  BUF_LIT(b, ",\"startedAt\":");
  put_time_or_null(b, task->started_at);
  BUF_LIT(b, ",\"completedAt\":");
  put_time_or_null(b, task->completed_at);
  BUF_LIT(b, ",\"error\":");
  encode_error(b, task);
  buf_char(b, '}');
  return 200;
}

enum err task_status(struct call *c) { return call_query(c, run_get, render_status); }

// --- change --------------------------------------------------------------------------------------

enum err task_edit(struct call *c) {
  struct edit_body in = {0};
  uint64_t seen = 0, nulls = 0;
  c->order.if_revision = call_if_match(c);
  TRY(call_body(c, &BODY_edit, &in, &seen, &nulls));
  if (nulls & EDIT_PRIORITY)
    return fault_field(&c->fault, "/priority", "priority must not be null");
  c->order.in.edit = (struct edit_input){.set_priority = seen & EDIT_PRIORITY,
                                         .priority = in.priority,
                                         .set_tags = seen & EDIT_TAGS,
                                         .tags = in.tags,
                                         .set_metadata = seen & EDIT_METADATA,
                                         .metadata = in.metadata,
                                         .set_run_at = seen & EDIT_RUN_AT,
                                         .run_at = in.run_at,
                                         .set_expires_at = seen & EDIT_EXPIRES_AT,
                                         .expires_at = in.expires_at};
  return call_order(c, ORDER_EDIT, render_task);
}

static int render_deleted(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"id\":");
  put_id(b, c->id);
  buf_char(b, '}');
  return 200;
}

enum err task_delete(struct call *c) {
  c->order.if_revision = call_if_match(c);
  TRY(call_query_bool(c, "force", &c->order.in.delete.force));
  return call_order(c, ORDER_DELETE, render_deleted);
}

// --- moves ---------------------------------------------------------------------------------------

enum err task_start(struct call *c) { return call_order(c, ORDER_START, render_task); }
enum err task_retry(struct call *c) { return call_order(c, ORDER_RETRY, render_task); }

enum err task_cancel(struct call *c) {
  struct cancel_body in = {.grace_ms = 10000};
  TRY(call_body(c, &BODY_cancel, &in, NULL, NULL));
  c->order.in.cancel.grace_ms = in.grace_ms;
  c->order.in.cancel.reason = in.reason;
  return call_order(c, ORDER_CANCEL, render_task);
}
