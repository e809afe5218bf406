// counts.c: counts of tasks, and the queues and types that they are counted by.
#include "api/call.h"
#include "api/doors/repository.h"
#include "api/doors/session.h"
#include "api/inputs.h"

#include <stdlib.h>

// A queue or a type, with the counts of its tasks.
struct group {
  struct str name;
  bool paused;              // of a queue
  const struct type *type;  // of a type: its defaults, if it has any
  struct tally sum;
};

struct counts_call {
  struct tally *tallies;  // of each pair of queue and type
  size_t count;
  struct group *groups;  // of all queues, or all types, by name
  size_t group_count;
};

static void run_counts(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct counts_call *counts = c->input;
  q->err = ops->read_tallies(reader, &c->read, c->who.tenant, &counts->tallies, &counts->count,
                             &q->fault);
}

static int by_name(const void *a, const void *b) {
  return str_compare(((const struct group *)a)->name, ((const struct group *)b)->name);
}

// Makes one group of all that have the same name.
static void merge(struct counts_call *counts) {
  struct group *all = counts->groups;
  size_t n = 0;
  if (counts->group_count) qsort(all, counts->group_count, sizeof *all, by_name);
  for (size_t i = 0; i < counts->group_count; i++) {
    if (n == 0 || !str_eq(all[n - 1].name, all[i].name)) {
      all[n++] = all[i];
      continue;
    }
    struct group *into = &all[n - 1];
    tally_add(&into->sum, &all[i].sum);
    into->paused |= all[i].paused;
    if (all[i].type) into->type = all[i].type;
  }
  counts->group_count = n;
}

static const struct group *find(const struct counts_call *counts, struct str name) {
  struct group key = {.name = name};
  size_t count = counts->group_count;
  return count ? bsearch(&key, counts->groups, count, sizeof key, by_name) : NULL;
}

static enum err start(struct call *c,
                      void (*run)(struct query *, const struct store_ops *, struct store_reader *),
                      int (*render)(struct call *, struct buf *)) {
  c->input = ARENA_NEW(c->arena, struct counts_call);
  return call_query(c, run, render);
}

// --- stats ---------------------------------------------------------------------------------------

static int render_stats(struct call *c, struct buf *b) {
  const struct counts_call *counts = c->input;
  struct tally sum = {0};
  for (size_t i = 0; i < counts->count; i++) tally_add(&sum, &counts->tallies[i]);
  if (call_is_session(c)) return session_put_stats(b, &sum);
  BUF_LIT(b, "{\"success\":true,\"stats\":{");
  encode_counts(b, &sum);
  BUF_LIT(b, "},\"byType\":[");
  for (size_t i = 0; i < counts->count; i++) {
    if (i) buf_char(b, ',');
    BUF_LIT(b, "{\"queue\":");
    buf_json_str(b, counts->tallies[i].queue);
    BUF_LIT(b, ",\"type\":");
    buf_json_str(b, counts->tallies[i].type);
    buf_char(b, ',');
    encode_counts(b, &counts->tallies[i]);
    buf_char(b, '}');
  }
  BUF_LIT(b, "]}");
  return 200;
}

enum err task_stats(struct call *c) { return start(c, run_counts, render_stats); }

// The same numbers, as the original of front door S3 has them.
static int render_repository_stats(struct call *c, struct buf *b) {
  const struct counts_call *counts = c->input;
  return repository_put_stats(b, counts->tallies, counts->count);
}

enum err repository_stats(struct call *c) { return start(c, run_counts, render_repository_stats); }

// --- queues --------------------------------------------------------------------------------------

// All queues that have tasks or were ever paused.
static void run_queues(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct counts_call *counts = c->input;
  run_counts(q, ops, reader);
  if (q->err != ERR_OK) return;
  struct queue *known;
  size_t n = engine_queues(c->engine, c->who.tenant, &c->read, &known);
  counts->groups = ARENA_ARRAY(&c->read, struct group, n + counts->count);
  counts->group_count = n + counts->count;
  for (size_t i = 0; i < n; i++)
    counts->groups[i] = (struct group){.name = known[i].name, .paused = known[i].paused};
  for (size_t i = 0; i < counts->count; i++)
    counts->groups[n + i] =
        (struct group){.name = counts->tallies[i].queue, .sum = counts->tallies[i]};
  merge(counts);
}

// There is a queue once a task was put there, or it was paused.
static void run_queue(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  run_queues(q, ops, reader);
  if (q->err == ERR_OK && find(c->input, c->param) == NULL)
    q->err = fault_set(&q->fault, ERR_NOT_FOUND, "there is no such queue");
}

static void put_queue(struct buf *b, const struct group *queue) {
  BUF_LIT(b, "{\"name\":");
  buf_json_str(b, queue->name);
  BUF_LIT(b, ",\"paused\":");
  put_bool(b, queue->paused);
  buf_char(b, ',');
  encode_counts(b, &queue->sum);
  buf_char(b, '}');
}

static int render_queues(struct call *c, struct buf *b) {
  const struct counts_call *counts = c->input;
  BUF_LIT(b, "{\"success\":true,\"queues\":[");
  for (size_t i = 0; i < counts->group_count; i++) {
    if (i) buf_char(b, ',');
    put_queue(b, &counts->groups[i]);
  }
  buf_printf(b, "],\"count\":%zu}", counts->group_count);
  return 200;
}

static int render_queue(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"queue\":");
  put_queue(b, find(c->input, c->param));
  buf_char(b, '}');
  return 200;
}

static enum err check_name(struct call *c) {
  if (name_is_good(c->param)) return ERR_OK;
  return fault_set(&c->fault, ERR_NOT_FOUND,
                   "names have 1 to 128 characters of A-Z a-z 0-9 . _ : / -");
}

enum err queue_list(struct call *c) { return start(c, run_queues, render_queues); }

enum err queue_get(struct call *c) {
  TRY(check_name(c));
  return start(c, run_queue, render_queue);
}

static int render_paused(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"queue\":{\"name\":");
  buf_json_str(b, c->param);
  BUF_LIT(b, ",\"paused\":");
  put_bool(b, c->order.in.queue.paused);
  BUF_LIT(b, "}}");
  return 200;
}

static enum err set_paused(struct call *c, bool paused) {
  TRY(check_name(c));
  c->order.in.queue = (struct queue){.tenant = c->who.tenant, .name = c->param, .paused = paused};
  return call_order(c, ORDER_PAUSE, render_paused);
}

enum err queue_pause(struct call *c) { return set_paused(c, true); }
enum err queue_resume(struct call *c) { return set_paused(c, false); }

// --- types ---------------------------------------------------------------------------------------

#define NO_LIMITS                                                                                  \
  { KEEP_UNSAID, KEEP_UNSAID, KEEP_UNSAID }
static const struct type NO_DEFAULTS = {.priority = ABSENT, .timeout_ms = -1, .keep = NO_LIMITS};

// All types that tasks have, or whose defaults were ever set.
static void run_types(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct counts_call *counts = c->input;
  run_counts(q, ops, reader);
  if (q->err != ERR_OK) return;
  struct type *known;
  size_t n = engine_types(c->engine, c->who.tenant, &c->read, &known);
  counts->groups = ARENA_ARRAY(&c->read, struct group, n + counts->count);
  counts->group_count = n + counts->count;
  for (size_t i = 0; i < n; i++)
    counts->groups[i] = (struct group){.name = known[i].name, .type = &known[i]};
  for (size_t i = 0; i < counts->count; i++)
    counts->groups[n + i] =
        (struct group){.name = counts->tallies[i].type, .sum = counts->tallies[i]};
  merge(counts);
}

static void run_type(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  run_types(q, ops, reader);
  if (q->err == ERR_OK && find(c->input, c->param) == NULL)
    q->err = fault_set(&q->fault, ERR_NOT_FOUND, "there is no such type");
}

static void put_optional(struct buf *b, const char *key, int64_t value, int64_t absent) {
  buf_printf(b, ",\"%s\":", key);
  if (value == absent)
    BUF_LIT(b, "null");
  else
    buf_i64(b, value);
}

// Without the closing brace.
static void put_defaults(struct buf *b, struct str name, const struct type *type) {
  BUF_LIT(b, "{\"name\":");
  buf_json_str(b, name);
  BUF_LIT(b, ",\"queue\":");
  put_text_or_null(b, type->queue);
  BUF_LIT(b, ",\"description\":");
  put_text_or_null(b, type->description);
  put_optional(b, "priority", type->priority, ABSENT);
  put_optional(b, "maxAttempts", type->attempts_max, 0);
  BUF_LIT(b, ",\"backoff\":");
  encode_backoff(b, &type->backoff);
  put_optional(b, "leaseMs", type->lease_ms, 0);
  put_optional(b, "timeoutMs", type->timeout_ms, -1);
  put_optional(b, "keepCompleted", type->keep.completed, KEEP_UNSAID);
  put_optional(b, "keepFailed", type->keep.failed, KEEP_UNSAID);
  put_optional(b, "keepForMs", type->keep.for_ms, KEEP_UNSAID);
  BUF_LIT(b, ",\"keepResult\":");
  put_bool(b, type->keep_result);
}

static void put_type(struct buf *b, const struct group *group) {
  put_defaults(b, group->name, group->type ? group->type : &NO_DEFAULTS);
  buf_char(b, ',');
  encode_counts(b, &group->sum);
  buf_char(b, '}');
}

static int render_types(struct call *c, struct buf *b) {
  const struct counts_call *counts = c->input;
  BUF_LIT(b, "{\"success\":true,\"types\":[");
  for (size_t i = 0; i < counts->group_count; i++) {
    if (i) buf_char(b, ',');
    put_type(b, &counts->groups[i]);
  }
  buf_printf(b, "],\"count\":%zu}", counts->group_count);
  return 200;
}

static int render_type(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"type\":");
  put_type(b, find(c->input, c->param));
  buf_char(b, '}');
  return 200;
}

enum err type_list(struct call *c) { return start(c, run_types, render_types); }

enum err type_get(struct call *c) {
  TRY(check_name(c));
  return start(c, run_type, render_type);
}

static int render_put_type(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"type\":");
  put_defaults(b, c->param, &c->order.in.type);
  BUF_LIT(b, "}}");
  return 200;
}

enum err type_put(struct call *c) {
  static const struct where BACKOFF = {.key = "backoff"};
  struct type_body in = {.priority = ABSENT, .timeout_ms = -1, .keep = NO_LIMITS};
  struct type *type = &c->order.in.type;
  TRY(check_name(c));
  TRY(call_body(c, &BODY_type, &in, NULL, NULL));
  *type = (struct type){.tenant = c->who.tenant,
                        .name = c->param,
                        .queue = in.queue,
                        .description = in.description,
                        .priority = in.priority,
                        .attempts_max = in.attempts_max,
                        .lease_ms = in.lease_ms,
                        .timeout_ms = in.timeout_ms,
                        .keep = in.keep,
                        .keep_result = in.keep_result};
  TRY(call_backoff(c, in.backoff, &BACKOFF, &type->backoff));
  return call_order(c, ORDER_TYPE, render_put_type);
}
