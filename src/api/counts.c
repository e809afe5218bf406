// counts.c: counts of tasks, and the queues and types that they are counted by.
#include "api/call.h"
#include "api/inputs.h"

struct counts_call {
  struct tally *tallies;
  size_t count;
};

static void run_counts(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct counts_call *counts = c->input;
  q->err = ops->read_tallies(reader, &c->read, c->who.tenant, &counts->tallies, &counts->count,
                             &q->fault);
}

static void add(struct tally *sum, const struct tally *tally) {
  for (int i = 0; i < TASK_STATUS_COUNT; i++) sum->count[i] += tally->count[i];
  sum->ready += tally->ready;
}

// The text that a tally is grouped by: its queue or its type.
static struct str *label(struct tally *tally, bool by_type) {
  return by_type ? &tally->type : &tally->queue;
}

// Adds the counts to the rows of `all`, which holds `n` names already; new names get rows of their
// own.
static size_t group(const struct counts_call *counts, bool by_type, struct tally *all, size_t n) {
  for (size_t i = 0; i < counts->count; i++) {
    struct str name = *label(&counts->tallies[i], by_type);
    size_t k = 0;
    while (k < n && !str_eq(*label(&all[k], by_type), name)) k++;
    if (k == n) *label(&all[n++], by_type) = name;
    add(&all[k], &counts->tallies[i]);
  }
  return n;
}

static struct tally *find(struct tally *all, size_t count, bool by_type, struct str name) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(*label(&all[i], by_type), name)) return &all[i];
  return NULL;
}

static enum err start(struct call *c, int (*render)(struct call *, struct buf *)) {
  c->input = ARENA_NEW(c->arena, struct counts_call);
  return call_query(c, run_counts, render);
}

// --- stats
// -----------------------------------------------------------------------------------------

static int render_stats(struct call *c, struct buf *b) {
  const struct counts_call *counts = c->input;
  struct tally sum = {0};
  for (size_t i = 0; i < counts->count; i++) add(&sum, &counts->tallies[i]);
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

enum err task_stats(struct call *c) { return start(c, render_stats); }

static int render_absent(struct call *c, struct buf *b, const char *sentence) {
  fault_set(&c->fault, ERR_NOT_FOUND, "%s", sentence);
  call_problem(b, &c->fault, ERR_NOT_FOUND, c->http->id);
  return 404;
}

// --- queues
// ----------------------------------------------------------------------------------------

// All queues that have tasks or were ever paused, by name; `sums` gets their counts.
static size_t collect_queues(struct call *c, const struct counts_call *counts,
                             struct tally **sums) {
  struct queue *known;
  size_t known_count = engine_queues(c->api->settings.engine, c->who.tenant, c->arena, &known);
  struct tally *all = ARENA_ARRAY(c->arena, struct tally, known_count + counts->count + 1);
  size_t n = 0;
  for (size_t i = 0; i < known_count; i++) all[n++].queue = known[i].name;
  *sums = all;
  return group(counts, false, all, n);
}

static void put_queue(struct call *c, struct buf *b, const struct tally *sum) {
  BUF_LIT(b, "{\"name\":");
  buf_json_str(b, sum->queue);
  BUF_LIT(b, ",\"paused\":");
  put_bool(b, engine_queue_paused(c->api->settings.engine, c->who.tenant, sum->queue));
  buf_char(b, ',');
  encode_counts(b, sum);
  buf_char(b, '}');
}

static int render_queues(struct call *c, struct buf *b) {
  struct tally *sums;
  size_t count = collect_queues(c, c->input, &sums);
  BUF_LIT(b, "{\"success\":true,\"queues\":[");
  for (size_t i = 0; i < count; i++) {
    if (i) buf_char(b, ',');
    put_queue(c, b, &sums[i]);
  }
  buf_printf(b, "],\"count\":%zu}", count);
  return 200;
}

// There is a queue once a task was put there, or it was paused.
static int render_queue(struct call *c, struct buf *b) {
  struct tally *sums;
  size_t count = collect_queues(c, c->input, &sums);
  const struct tally *found = find(sums, count, false, c->param);
  if (found == NULL) return render_absent(c, b, "there is no such queue");
  BUF_LIT(b, "{\"success\":true,\"queue\":");
  put_queue(c, b, found);
  buf_char(b, '}');
  return 200;
}

static enum err check_name(struct call *c) {
  if (name_is_good(c->param)) return ERR_OK;
  return fault_set(&c->fault, ERR_NOT_FOUND,
                   "names have 1 to 128 characters of A-Z a-z 0-9 . _ : / -");
}

enum err queue_list(struct call *c) { return start(c, render_queues); }

enum err queue_get(struct call *c) {
  TRY(check_name(c));
  return start(c, render_queue);
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
  TRY(call_body(c, &BODY_empty, NULL, NULL, NULL));
  c->order.in.queue = (struct queue){.tenant = c->who.tenant, .name = c->param, .paused = paused};
  return call_order(c, ORDER_PAUSE, render_paused);
}

enum err queue_pause(struct call *c) { return set_paused(c, true); }
enum err queue_resume(struct call *c) { return set_paused(c, false); }

// --- types
// -----------------------------------------------------------------------------------------

static const struct type NO_DEFAULTS = {.priority = ABSENT, .timeout_ms = -1};

static void put_optional(struct buf *b, const char *key, int64_t value, int64_t absent) {
  buf_printf(b, ",\"%s\":", key);
  if (value == absent)
    BUF_LIT(b, "null");
  else
    buf_i64(b, value);
}

// `sum` NULL: without counts.
static void put_type(struct call *c, struct buf *b, struct str name, const struct tally *sum) {
  struct type type = NO_DEFAULTS;
  engine_type(c->api->settings.engine, c->who.tenant, name, c->arena, &type);
  BUF_LIT(b, "{\"name\":");
  buf_json_str(b, name);
  BUF_LIT(b, ",\"queue\":");
  put_text_or_null(b, type.queue);
  BUF_LIT(b, ",\"description\":");
  put_text_or_null(b, type.description);
  put_optional(b, "priority", type.priority, ABSENT);
  put_optional(b, "maxAttempts", type.attempts_max, 0);
  BUF_LIT(b, ",\"backoff\":");
  encode_backoff(b, &type.backoff);
  put_optional(b, "leaseMs", type.lease_ms, 0);
  put_optional(b, "timeoutMs", type.timeout_ms, -1);
  if (sum) {
    buf_char(b, ',');
    encode_counts(b, sum);
  }
  buf_char(b, '}');
}

static size_t collect_types(struct call *c, const struct counts_call *counts, struct tally **sums) {
  struct type *known;
  size_t known_count = engine_types(c->api->settings.engine, c->who.tenant, c->arena, &known);
  struct tally *all = ARENA_ARRAY(c->arena, struct tally, known_count + counts->count + 1);
  size_t n = 0;
  for (size_t i = 0; i < known_count; i++) all[n++].type = known[i].name;
  *sums = all;
  return group(counts, true, all, n);
}

static int render_types(struct call *c, struct buf *b) {
  struct tally *sums;
  size_t count = collect_types(c, c->input, &sums);
  BUF_LIT(b, "{\"success\":true,\"types\":[");
  for (size_t i = 0; i < count; i++) {
    if (i) buf_char(b, ',');
    put_type(c, b, sums[i].type, &sums[i]);
  }
  buf_printf(b, "],\"count\":%zu}", count);
  return 200;
}

// There is a type once a task had it, or its defaults were set.
static int render_type(struct call *c, struct buf *b) {
  struct tally *sums;
  size_t count = collect_types(c, c->input, &sums);
  const struct tally *found = find(sums, count, true, c->param);
  if (found == NULL) return render_absent(c, b, "there is no such type");
  BUF_LIT(b, "{\"success\":true,\"type\":");
  put_type(c, b, c->param, found);
  buf_char(b, '}');
  return 200;
}

enum err type_list(struct call *c) { return start(c, render_types); }

enum err type_get(struct call *c) {
  TRY(check_name(c));
  return start(c, render_type);
}

static int render_put_type(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"type\":");
  put_type(c, b, c->param, NULL);
  buf_char(b, '}');
  return 200;
}

enum err type_put(struct call *c) {
  static const struct where BACKOFF = {.key = "backoff"};
  struct type_body in = {.priority = ABSENT, .timeout_ms = -1};
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
                        .timeout_ms = in.timeout_ms};
  TRY(call_backoff(c, in.backoff, &BACKOFF, &type->backoff));
  return call_order(c, ORDER_TYPE, render_put_type);
}
