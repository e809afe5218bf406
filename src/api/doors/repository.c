// repository.c: requests of the task repository service's clients, as what the engine is asked.
#include "api/doors/repository.h"

#include "api/claims.h"
#include "api/doors/words.h"

enum { PRIORITY_MIDDLE = 5 };  // of 1 to 10, lower first; our 0

bool repository_is_service(const struct call *c) {
  return !str_is_none(c->who.service) && engine_can_hold(c->who.actor);
}

// --- which task ----------------------------------------------------------------------------------

struct resolve_call {
  struct str project;  // STR_NONE: any
  struct task *task;   // NULL: there is none
  enum err (*then)(struct call *c);
};

static struct str claimed_project(const struct call *c) {
  if (c->route->handle != claim_one) return STR_NONE;
  return http_query(c->http, STR("tenant_id"), NULL);
}

bool repository_must_resolve(const struct call *c) {
  return !str_is_none(c->old_id) || !str_is_none(claimed_project(c));
}

static enum err read_by_old_id(struct call *c, const struct store_ops *ops,
                               struct store_reader *reader, struct task **out, struct fault *why) {
  const struct task_filter filter = {.tenant = c->who.tenant, .unique_key = c->old_id, .limit = 1};
  struct task_page page = {0};
  TRY(ops->read_tasks(reader, &c->read, &filter, &page, why));
  *out = page.count ? page.tasks[0] : NULL;
  return ERR_OK;
}

static void run_resolve(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct resolve_call *x = c->input;
  if (str_is_none(c->old_id))
    q->err = ops->read_task(reader, &c->read, c->who.tenant, c->id, 0, &x->task, &q->fault);
  else
    q->err = read_by_old_id(c, ops, reader, &x->task, &q->fault);
}

static enum err refuse_absent(struct call *c) {
  return fault_set(&c->fault, ERR_NOT_FOUND, "there is no such task");
}

static void resolved(struct query *q) {
  struct call *c = q->context;
  const struct resolve_call *x = c->input;
  enum err err = q->err;
  c->fault = q->fault;
  bool other =
      err == ERR_OK && x->task && !str_is_none(x->project) && !str_eq(x->task->project, x->project);
  if (err == ERR_OK && (x->task == NULL || other)) err = refuse_absent(c);
  if (err == ERR_OK) c->id = x->task->id;
  if (c->http->gone) c->order.gone = true;  // it left meanwhile: it waits for nothing
  arena_fini(&c->read);
  if (err == ERR_OK) err = x->then(c);
  if (err != ERR_OK) call_fail(c, err);
}

// Only services have ids of before.
enum err repository_resolve(struct call *c, enum err (*then)(struct call *c)) {
  if (!str_is_none(c->old_id) && !repository_is_service(c)) return refuse_absent(c);
  if (!str_is_none(c->new_tenant)) return refuse_absent(c);  // it has no tasks
  struct resolve_call *x = ARENA_NEW(c->arena, struct resolve_call);
  x->project = claimed_project(c);
  x->then = then;
  c->input = x;
  arena_init(&c->read, READ_ARENA_BYTES);
  call_ask(c, run_resolve, resolved);
  return ERR_OK;
}

// --- tasks ---------------------------------------------------------------------------------------

static bool has_member(struct str object, struct str name) {
  struct json_walk w = json_walk(object);
  struct str key, value;
  while (json_next(&w, &key, &value))
    if (str_eq(key, name)) return true;
  return false;
}

bool repository_is_task(struct str json) {
  return !str_is_none(json) && json_kind(json) == JSON_OBJECT && has_member(json, STR("task_type"));
}

// Tags of ours are strings. Other values stay where the processor reads them: in the payload.
static struct str text_tags(struct call *c, struct str object) {
  struct buf b;
  buf_init(&b, object.len + 32);
  BUF_LIT(&b, "{\"tags\":{");
  struct json_walk w = json_walk(object);
  struct str key, value;
  for (bool first = true; json_next(&w, &key, &value);) {
    if (json_kind(value) != JSON_STRING) continue;
    if (!first) buf_char(&b, ',');
    first = false;
    buf_char(&b, '"');
    buf_put(&b, key);
    BUF_LIT(&b, "\":");
    buf_put(&b, value);
  }
  BUF_LIT(&b, "}}");
  struct str text = arena_dup(c->arena, buf_str(&b));
  buf_fini(&b);
  return text;
}

static enum err take_tags(struct call *c, struct str object, const struct where *where,
                          struct str *out) {
  if (str_is_none(object)) return ERR_OK;
  struct edit_body tags = {0};
  TRY(decode_object(c->arena, text_tags(c, object), BODY_edit.fields, where, &tags, NULL, NULL,
                    &c->fault));
  if (tags.tags.len > 2) *out = tags.tags;
  return ERR_OK;
}

int64_t repository_priority(int64_t priority) {
  int64_t turned = PRIORITY_MIDDLE - priority;
  return turned < 1 ? 1 : turned > 10 ? 10 : turned;
}

static enum err check_new(struct call *c, const struct repository_body *in,
                          const struct where *where) {
  if (str_is_none(in->status) || str_eq(in->status, STR("pending"))) return ERR_OK;
  return fault_field(&c->fault, where_pointer(c->arena, where, "status"),
                     "status must be pending: a new task is");
}

enum err repository_task(struct call *c, struct str json, const struct where *where,
                         struct create_input *out) {
  struct repository_body in = {.priority = ABSENT};
  TRY(decode_object(c->arena, json, BODY_repository.fields, where, &in, NULL, NULL, &c->fault));
  TRY(check_new(c, &in, where));
  TRY(take_tags(c, in.tags, where, &out->tags));
  out->type = in.type;
  out->payload = json;
  if (in.priority != ABSENT) out->priority = PRIORITY_MIDDLE - in.priority;
  out->metadata = in.metadata;
  out->project = in.tenant;
  out->subject = in.batch;
  out->unique_key = in.id;
  return ERR_OK;
}

// --- claims --------------------------------------------------------------------------------------

static enum err bind(struct call *c, const struct where *where, struct claim_filter *claim) {
  claim->worker = engine_holder(c->arena, c->who.actor, claim->worker);
  if (claim->worker.len <= LIMIT_NAME_BYTES) return ERR_OK;
  return fault_field(&c->fault, where_pointer(c->arena, where, "workerId"),
                     "workerId must be shorter, by %zu bytes: the id of the key stands before it",
                     claim->worker.len - LIMIT_NAME_BYTES);
}

enum err repository_processor(struct call *c, struct str *out) {
  return call_query_text(c, "processor_id", LIMIT_NAME_BYTES, out);
}

enum err repository_check_worker(struct call *c, const struct where *where,
                                 struct claim_filter *claim) {
  if (str_is_none(claim->worker)) TRY(repository_processor(c, &claim->worker));
  if (engine_worker_reserved(claim->worker))
    return fault_field(&c->fault, where_pointer(c->arena, where, "workerId"),
                       "workerId must not begin with key: (so do claims that are bound to a key)");
  return ERR_OK;
}

enum err repository_claim(struct call *c, const struct where *where, struct claim_filter *claim) {
  TRY(repository_check_worker(c, where, claim));
  if (!repository_is_service(c)) return ERR_OK;
  if (str_is_none(claim->worker)) {
    struct str header = http_header(c->http, STR("x-service-id"));
    if (header.len > 0 && name_is_good(header)) claim->worker = header;
  }
  return bind(c, where, claim);
}

// --- moves ---------------------------------------------------------------------------------------

static bool is_known(const struct body *body, struct str key) {
  for (size_t i = 0; i < body->fields.count; i++)
    if (str_eq(str_of(body->fields.at[i].name), key)) return true;
  return false;
}

static bool all_known(const struct body *body, struct str object) {
  struct json_walk w = json_walk(object);
  struct str key, value;
  while (json_next(&w, &key, &value))
    if (!is_known(body, key)) return false;
  return true;
}

// With a token it is a canonical move, which says `result` and `error` as the canonical API does.
static bool is_bare(struct call *c) {
  if (!repository_is_service(c) || str_is_none(c->body)) return false;
  if (!str_is_none(http_header(c->http, STR("lease-token")))) return false;
  return json_kind(c->body) != JSON_OBJECT || !has_member(c->body, STR("leaseToken"));
}

bool repository_is_result(struct call *c) {
  if (!is_bare(c)) return false;
  if (json_kind(c->body) != JSON_OBJECT) return true;
  return !has_member(c->body, STR("result")) || !all_known(&BODY_complete, c->body);
}

bool repository_is_failure(struct call *c) {
  return is_bare(c) && json_kind(c->body) == JSON_OBJECT;
}

// An error with members of its own is kept whole as the detail.
static enum err take_error(struct call *c, struct str error, struct settle_item *out) {
  static const struct where ERROR = {.key = "error"};
  if (json_kind(error) != JSON_OBJECT || all_known(&BODY_error, error))
    return claims_error(c, error, &ERROR, out);
  struct repository_failure in = {0};
  TRY(decode_object(c->arena, error, BODY_repository_error.fields, &ERROR, &in, NULL, NULL,
                    &c->fault));
  return claims_failure(c, in.message, error, &ERROR, out);
}

// The document knows no second attempt: what its processor reports failed stays failed, unless it
// asks for another.
enum err repository_failure(struct call *c, struct settle_item *out) {
  struct repository_failure body = {.retry_delay_ms = ABSENT};
  TRY(decode_object(c->arena, c->body, BODY_repository_failure.fields, NULL, &body, NULL, NULL,
                    &c->fault));
  out->no_retry = !body.retry;
  out->delay_ms = body.retry_delay_ms;
  bool has_error = !str_is_none(body.error) && json_kind(body.error) != JSON_NULL;
  if (has_error) return take_error(c, body.error, out);
  bool whole = all_known(&BODY_repository_failure, c->body);
  return claims_failure(c, body.message, whole ? STR_NONE : c->body, NULL, out);
}

// --- a status that is set ------------------------------------------------------------------------

static enum err set_failed(struct call *c, const struct worker_body *in) {
  struct settle_item *item = claims_item(c, in, SETTLE_FAIL);
  item->no_retry = true;
  TRY(claims_failure(c, STR("its status was set to failed"), STR_NONE, NULL, item));
  return claims_settle(c);
}

static enum err set_cancelled(struct call *c) {
  if (!(c->who.roles & (ROLE_PRODUCER | ROLE_ADMIN)))
    return fault_set(&c->fault, ERR_FORBIDDEN, "to cancel a task needs a %s with the role producer",
                     c->has_token ? "token" : "key");
  c->order.in.cancel.grace_ms = 10000;
  return call_order(c, ORDER_CANCEL, render_task);
}

static enum err set(struct call *c, unsigned status, struct worker_body *in) {
  if (status & 1u << TASK_RUNNING) return claims_one(c, in->worker, 0);
  if (status & 1u << TASK_CANCELLED) return set_cancelled(c);
  TRY(claims_token(c, in));
  if (status & 1u << TASK_FAILED) return set_failed(c, in);
  claims_item(c, in, status & 1u << TASK_COMPLETED ? SETTLE_COMPLETE : SETTLE_RELEASE);
  return claims_settle(c);
}

enum err task_set_status(struct call *c) {
  struct worker_body in = {.retry = true, .retry_delay_ms = ABSENT, .delay_ms = ABSENT};
  TRY(call_body(c, &BODY_status, &in, NULL, NULL));
  unsigned status = door_statuses(DIALECT_REPOSITORY, in.text);
  if (status == 0)
    return fault_field(&c->fault, "/status",
                       "status must be pending, processing, completed, failed or cancelled");
  return set(c, status, &in);
}
