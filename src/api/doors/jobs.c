// jobs.c: the job API of front door S4: tasks of the queue `jobs`, each of the user by whose token
// it was made.
//
// It translates names, shapes and statuses. Attempts and backoff are left to the type's defaults
// and the server's, which are those of the document unless somebody changed them.
#include "api/call.h"
#include "api/doors/queues.h"
#include "api/doors/words.h"
#include "api/inputs.h"
#include "api/lists.h"

enum { DUMMY_MIN_S = 1, DUMMY_MAX_S = 5 };

#define NO_SUCH_JOB "there is no such job"

static enum err check(struct call *c) {
  struct str off = c->api->settings.jobs_off;
  if (str_is_none(off)) return ERR_OK;
  return fault_set(&c->fault, ERR_SWITCHED_OFF, "%.*s", STR_FMT(off));
}

const struct door DOOR_jobs = {.status = queues_failure_status,
                               .check = check,
                               .by_token = true,
                               .home = "/api/v1/jobs",
                               .absent = NO_SUCH_JOB};

static bool sees_all(const struct call *c) { return (c->who.roles & ROLE_ADMIN) != 0; }

static bool is_own_job(const struct call *c, const struct task *task) {
  if (!str_eq(task->queue, JOBS_QUEUE)) return false;
  return sees_all(c) || (!str_is_none(task->subject) && str_eq(task->subject, c->who.subject));
}

// --- answers -------------------------------------------------------------------------------------

static bool has_failed(const struct task *task) {
  return (door_statuses(DIALECT_JOBS, STR("failed")) & 1u << task->status) != 0;
}

static struct str error_code(const struct task *task) {
  return task->status == TASK_CANCELLED ? STR("cancelled") : task->error_code;
}

static struct str error_message(const struct task *task) {
  if (task->status == TASK_CANCELLED) return STR("the job was cancelled before it ended");
  return str_is_none(task->error_message) ? task->error_code : task->error_message;
}

// Of jobs that have failed only: a client may go by whether there is one.
static void put_error(struct buf *b, const struct task *task) {
  if (!has_failed(task)) {
    BUF_LIT(b, "null");
    return;
  }
  BUF_LIT(b, "{\"message\":");
  put_text_or_null(b, error_message(task));
  BUF_LIT(b, ",\"code\":");
  put_text_or_null(b, error_code(task));
  BUF_LIT(b, ",\"detail\":");
  put_json_or_null(b, task->status == TASK_CANCELLED ? STR_NONE : task->error_detail);
  buf_char(b, '}');
}

static void put_times(struct buf *b, const struct task *task) {
  BUF_LIT(b, ",\"createdAt\":");
  put_time_or_null(b, task->created_at);
  BUF_LIT(b, ",\"updatedAt\":");
  put_time_or_null(b, task->updated_at);
  BUF_LIT(b, ",\"startedAt\":");
  put_time_or_null(b, task->started_at);
  BUF_LIT(b, ",\"completedAt\":");
  put_time_or_null(b, task->completed_at);
}

// The members of a job, without braces.
static void put_job(struct buf *b, const struct task *task) {
  BUF_LIT(b, "\"id\":");
  put_id(b, task->id);
  BUF_LIT(b, ",\"userId\":");
  put_text_or_null(b, task->subject);
  BUF_LIT(b, ",\"type\":");
  buf_json_str(b, task->type);
  BUF_LIT(b, ",\"status\":");
  buf_json_str(b, door_word(DIALECT_JOBS, task->status));
  BUF_LIT(b, ",\"meta\":");
  put_json_or_null(b, task->payload);
  BUF_LIT(b, ",\"result\":");
  put_json_or_null(b, task->result);
  BUF_LIT(b, ",\"error\":");
  put_error(b, task);
  BUF_LIT(b, ",\"bullJobId\":");
  put_id(b, task->id);
  buf_printf(b, ",\"progress\":%lld,\"attempt\":%lld,\"maxAttempts\":%lld",
             (long long)task->progress, (long long)task->attempt, (long long)task->attempts_max);
  put_times(b, task);
}

static int render_job(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,");
  put_job(b, &c->order.tasks[0]);
  buf_char(b, '}');
  return 200;
}

static int render_created(struct call *c, struct buf *b) {
  (void)render_job(c, b);
  return 201;
}

// --- create --------------------------------------------------------------------------------------

static enum err create(struct call *c, struct str type, struct str payload, bool system) {
  struct create_item *item = ARENA_NEW(c->arena, struct create_item);
  item->task = (struct task){.type = type,
                             .payload = payload,
                             .queue = JOBS_QUEUE,
                             .subject = system ? STR_NONE : c->who.subject,
                             .priority = ABSENT,
                             .timeout_ms = ABSENT,
                             .version = VERSION_NONE};
  c->order.in.create.items = item;
  c->order.in.create.count = 1;
  return call_order(c, ORDER_CREATE, render_created);
}

enum err jobs_create(struct call *c) {
  struct job_body in = {0};
  TRY(call_needs_body(c));
  TRY(call_body(c, &BODY_job, &in, NULL, NULL));
  if (in.system && !sees_all(c))
    return fault_set(&c->fault, ERR_FORBIDDEN,
                     "a job of the system needs a token with the role admin");
  return create(c, in.type, in.arguments, in.system);
}

enum err jobs_start_dummy(struct call *c) {
  struct dummy_body in = {.min_s = DUMMY_MIN_S, .max_s = ABSENT};
  TRY(call_body(c, &BODY_dummy_job, &in, NULL, NULL));
  if (in.max_s == ABSENT) in.max_s = in.min_s > DUMMY_MAX_S ? in.min_s : DUMMY_MAX_S;
  if (in.max_s < in.min_s)
    return fault_field(&c->fault, "/delayMaxSec", "delayMaxSec must not be below delayMinSec");
  struct str payload = arena_printf(c->arena, "{\"delayMinSec\":%lld,\"delayMaxSec\":%lld}",
                                    (long long)in.min_s, (long long)in.max_s);
  return create(c, STR("dummy"), payload, false);
}

// --- read ----------------------------------------------------------------------------------------

// A job of somebody else is answered as one that is not there.
static void run_get(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct task *task = NULL;
  q->err = ops->read_task(reader, &c->read, c->who.tenant, c->id, PART_PAYLOAD | PART_RESULT, &task,
                          &q->fault);
  if (q->err == ERR_NOT_FOUND || (q->err == ERR_OK && !is_own_job(c, task))) {
    q->err = fault_set(&q->fault, ERR_NOT_FOUND, NO_SUCH_JOB);
    return;
  }
  c->order.tasks = task;
  c->order.task_count = q->err == ERR_OK;
}

static int render_got(struct call *c, struct buf *b) {
  return call_has_already(c, c->order.tasks[0].revision) ? 304 : render_job(c, b);
}

enum err jobs_get(struct call *c) { return call_query(c, run_get, render_got); }

// --- list ----------------------------------------------------------------------------------------

struct jobs_call {
  struct list_call list;
  int64_t offset;
};

// Sets the filter behind the first `offset` jobs; `*end` when there are no more. One read of a
// list, which is why an offset has the bound that a page has.
static enum err skip(struct query *q, const struct store_ops *ops, struct store_reader *reader,
                     struct jobs_call *jobs, bool *end) {
  struct call *c = q->context;
  struct task_filter head = jobs->list.filter;
  struct task_page page = {0};
  head.limit = (size_t)jobs->offset;
  head.parts = 0;
  TRY(ops->read_tasks(reader, &c->read, &head, &page, &q->fault));
  *end = !page.more;
  if (page.more && page.count < head.limit)
    return fault_set(&q->fault, ERR_SCAN_LIMIT,
                     "so many jobs cannot be skipped at once; leave offset out and follow "
                     "nextCursor");
  jobs->list.filter.before = page.last;
  return ERR_OK;
}

static void run_list(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct jobs_call *jobs = c->input;
  bool end = false;
  if (jobs->offset > 0) q->err = skip(q, ops, reader, jobs, &end);
  if (q->err == ERR_OK && !end)
    q->err = ops->read_tasks(reader, &c->read, &jobs->list.filter, &jobs->list.page, &q->fault);
}

static int render_list(struct call *c, struct buf *b) {
  const struct jobs_call *jobs = c->input;
  const struct task_page *page = &jobs->list.page;
  BUF_LIT(b, "{\"success\":true,\"jobs\":[");
  for (size_t i = 0; i < page->count; i++) {
    buf_put(b, i ? STR(",{") : STR("{"));
    put_job(b, page->tasks[i]);
    buf_char(b, '}');
  }
  buf_printf(b, "],\"count\":%zu,\"nextCursor\":", page->count);
  list_put_cursor(b, &jobs->list);
  buf_char(b, '}');
  return 200;
}

static enum err take_status(struct call *c, unsigned *out) {
  struct str word = http_query(c->http, STR("status"), NULL);
  if (str_is_none(word)) return ERR_OK;
  *out = door_statuses(DIALECT_JOBS, word);
  if (*out) return ERR_OK;
  return call_query_fault(c, "status", "must be pending, processing, completed or failed");
}

static enum err take_offset(struct call *c, int64_t *out) {
  if (str_is_none(http_query(c->http, STR("offset"), NULL))) return ERR_OK;
  if (!str_is_none(http_query(c->http, STR("cursor"), NULL)))
    return call_query_fault(c, "offset", "and cursor exclude each other");
  return call_query_int(c, "offset", 0, LIMIT_OFFSET_ITEMS, out);
}

enum err jobs_list(struct call *c) {
  static const struct str QUEUES[] = {{"jobs", sizeof "jobs" - 1}};
  struct jobs_call *jobs = ARENA_NEW(c->arena, struct jobs_call);
  struct task_filter *filter = &jobs->list.filter;
  c->input = jobs;
  enum err err = take_status(c, &filter->statuses);
  call_also(&err, take_offset(c, &jobs->offset));
  filter->queues = QUEUES;
  filter->queue_count = 1;
  filter->parts = PART_PAYLOAD | PART_RESULT;
  if (!sees_all(c)) filter->subject = c->who.subject;
  TRY(list_take_page(c, err, LIMIT_PAGE_DEFAULT, LIMIT_PAGE_ITEMS, &jobs->list));
  return call_query(c, run_list, render_list);
}
