// encode.c: nouns to JSON, field by field in the order that docs/api.md gives.
#include "api/encode.h"

#include "api/doors/words.h"

#include <stdio.h>

void put_text_or_null(struct buf *b, struct str text) {
  if (str_is_none(text))
    BUF_LIT(b, "null");
  else
    buf_json_str(b, text);
}

void put_json_or_null(struct buf *b, struct str json) {
  if (str_is_none(json))
    BUF_LIT(b, "null");
  else
    buf_put(b, json);
}

void put_time_or_null(struct buf *b, int64_t at) {
  if (at == 0)
    BUF_LIT(b, "null");
  else
    buf_i64(b, at);
}

void put_bool(struct buf *b, bool value) {
  if (value)
    BUF_LIT(b, "true");
  else
    BUF_LIT(b, "false");
}

void put_id(struct buf *b, struct id id) {
  char text[ID_TEXT_BYTES + 2];
  text[0] = text[ID_TEXT_BYTES + 1] = '"';
  id_text(id, text + 1);
  buf_bytes(b, text, sizeof text);
}

void put_roles(struct buf *b, unsigned roles) {
  bool first = true;
  buf_char(b, '[');
  for (unsigned i = 0; i < ROLE_COUNT; i++) {
    if (!(roles & 1u << i)) continue;
    if (!first) buf_char(b, ',');
    first = false;
    buf_json_str(b, role_word((enum role_index)i));
  }
  buf_char(b, ']');
}

// Writes `count` hexadecimal digits and returns what is behind them.
static char *digits(char *at, uint64_t value, int count) {
  static const char DIGITS[] = "0123456789abcdef";
  for (int i = count - 1; i >= 0; i--) *at++ = DIGITS[value >> (4 * i) & 15];
  return at;
}

void put_token(struct buf *b, struct lease_token token) {
  char text[28], *at = text;
  *at++ = '"';
  if (token.session) {
    *at++ = 's';
    at = digits(at, token.session, 8);
    *at++ = '.';
  }
  at = digits(at, (uint64_t)token.lease, 16);
  *at++ = '"';
  buf_bytes(b, text, (size_t)(at - text));
}

struct str shown_status(const struct encode_context *x, const struct task *task) {
  if (str_is_none(x->session_key)) return task_status_word(task->status);
  return door_word(DIALECT_SESSION, task->status);
}

struct str shown_waiting(const struct encode_context *x, const struct task *task) {
  if (task->status != TASK_PENDING) return STR_NONE;
  bool paused =
      task->waiting == WAIT_WORKER && engine_queue_paused(x->engine, task->tenant, task->queue);
  return waiting_word(paused ? WAIT_PAUSE : task->waiting);
}

void encode_error(struct buf *b, const struct task *task) {
  if (str_is_none(task->error_code)) {
    BUF_LIT(b, "null");
    return;
  }
  BUF_LIT(b, "{\"code\":");
  buf_json_str(b, task->error_code);
  BUF_LIT(b, ",\"message\":");
  put_text_or_null(b, task->error_message);
  BUF_LIT(b, ",\"detail\":");
  put_json_or_null(b, task->error_detail);
  buf_char(b, '}');
}

#define TEXT(key, value) (BUF_LIT(b, ",\"" key "\":"), put_text_or_null(b, value))
#define JSON(key, value) (BUF_LIT(b, ",\"" key "\":"), put_json_or_null(b, value))
#define TIME(key, value) (BUF_LIT(b, ",\"" key "\":"), put_time_or_null(b, value))
#define NUMBER(key, value) (BUF_LIT(b, ",\"" key "\":"), buf_i64(b, value))

static void put_head(struct buf *b, const struct encode_context *x, const struct task *task) {
  BUF_LIT(b, "{\"id\":");
  put_id(b, task->id);
  TEXT("type", task->type);
  TEXT("name", task->name);
  TEXT("description", task->description);
  TEXT("status", shown_status(x, task));
  TEXT("waitingFor", shown_waiting(x, task));
  TEXT("queue", task->queue);
  NUMBER("priority", task->priority);
}

static void put_progress(struct buf *b, const struct task *task) {
  BUF_LIT(b, ",\"error\":");
  encode_error(b, task);
  NUMBER("progress", task->progress);
  TEXT("currentStep", task->step);
  TEXT("currentStepDescription", task->step_description);
  NUMBER("attempt", task->attempt);
  NUMBER("maxAttempts", task->attempts_max);
}

static void put_labels(struct buf *b, const struct encode_context *x, const struct task *task) {
  BUF_LIT(b, ",\"version\":");
  if (task->version == VERSION_NONE)
    BUF_LIT(b, "null");
  else
    buf_i64(b, task->version);
  JSON("tags", task->tags);
  JSON("metadata", task->metadata);
  TEXT("tenantId", x->tenant_name);
  TEXT("projectId", task->project);
  TEXT("subject", task->subject);
  TEXT("sessionKey", x->session_key);
  // Of features that this version does not have yet: always null, so that clients can rely on them.
  BUF_LIT(b,
          ",\"cost\":null,\"parentId\":null,\"dependsOn\":null,"
          "\"concurrencyKey\":null");
  TEXT("uniqueKey", task->unique_key);
  BUF_LIT(b, ",\"callbackUrl\":null");
}

static void put_times(struct buf *b, const struct task *task) {
  TEXT("workerId", task->worker);
  TIME("claimedAt", task->claimed_at);
  TIME("leaseExpiresAt", task->lease_expires_at);
  BUF_LIT(b, ",\"cancelRequested\":");
  put_bool(b, task->cancel_requested_at != 0);
  TIME("runAt", task->run_at);
  TIME("expiresAt", task->expires_at);
  TIME("createdAt", task->created_at);
  TIME("updatedAt", task->updated_at);
  TIME("startedAt", task->started_at);
  TIME("completedAt", task->completed_at);
  BUF_LIT(b, ",\"resultHandling\":null");
  NUMBER("revision", task->revision);
}

static void put_minimal(struct buf *b, const struct encode_context *x, const struct task *task) {
  BUF_LIT(b, "{\"id\":");
  put_id(b, task->id);
  TEXT("status", shown_status(x, task));
  buf_char(b, '}');
}

void encode_task(struct buf *b, const struct encode_context *x, const struct task *task,
                 unsigned parts) {
  if (parts & ENCODE_MINIMAL) {
    put_minimal(b, x, task);
    return;
  }
  put_head(b, x, task);
  if (parts & ENCODE_PAYLOAD) JSON("payload", task->payload);
  if (parts & ENCODE_RESULT) JSON("result", task->result);
  put_progress(b, task);
  put_labels(b, x, task);
  put_times(b, task);
  if (parts & ENCODE_LEASE) {
    BUF_LIT(b, ",\"leaseToken\":");
    put_token(b, (struct lease_token){task->lease, x->session_number});
  }
  if (!(parts & ENCODE_OPEN)) buf_char(b, '}');
}

static void put_event(struct buf *b, const struct event *event) {
  BUF_LIT(b, "{\"seq\":");
  buf_i64(b, event->seq);
  TEXT("event", event_word(event->kind));
  NUMBER("at", event->at);
  BUF_LIT(b, ",\"taskId\":");
  if (id_is_none(event->task))
    BUF_LIT(b, "null");
  else
    put_id(b, event->task);
  TEXT("queue", event->queue);
  TEXT("type", event->type);
  NUMBER("attempt", event->attempt);
  TEXT("actor", event->actor);
  TEXT("worker", event->worker);
  TEXT("note", event->note);
  TEXT("text", event->text);
  BUF_LIT(b, ",\"progress\":");
}

void encode_event(struct buf *b, const struct event *event) {
  put_event(b, event);
  if (event->kind == EVENT_PROGRESS)
    buf_i64(b, event->progress);
  else
    BUF_LIT(b, "null");
  buf_char(b, '}');
}

// The status that a task has when this has happened; false: it has none any more, or never had.
static bool status_after(enum event_kind kind, enum task_status *out) {
  switch (kind) {
  case EVENT_CREATED:
  case EVENT_STARTED:
  case EVENT_DUE:
  case EVENT_ATTEMPT_FAILED:
  case EVENT_RELEASED:
  case EVENT_LEASE_LOST:
  case EVENT_RETRIED:
  case EVENT_CHANGED: *out = TASK_PENDING; return true;
  case EVENT_CLAIMED:
  case EVENT_PROGRESS:
  case EVENT_CANCEL_REQUESTED: *out = TASK_RUNNING; return true;
  case EVENT_COMPLETED: *out = TASK_COMPLETED; return true;
  case EVENT_FAILED: *out = TASK_FAILED; return true;
  case EVENT_ABANDONED: *out = TASK_ABANDONED; return true;
  case EVENT_CANCELLED:
  case EVENT_EXPIRED: *out = TASK_CANCELLED; return true;
  default: return false;
  }
}

void encode_event_live(struct buf *b, const struct encode_context *x, const struct event *event) {
  struct task task = {0};
  bool has_status = status_after(event->kind, &task.status);
  put_event(b, event);
  if (id_is_none(event->task))
    BUF_LIT(b, "null");
  else
    buf_i64(b, event->progress);
  TEXT("status", has_status ? shown_status(x, &task) : STR_NONE);
  if (!str_is_none(x->session_key)) BUF_LIT(b, ",\"durable\":false");
  buf_char(b, '}');
}

void encode_backoff(struct buf *b, const struct backoff *backoff) {
  if (backoff->delay_ms == 0) {
    BUF_LIT(b, "null");
    return;
  }
  BUF_LIT(b, "{\"type\":");
  if (backoff->kind == BACKOFF_FIXED)
    BUF_LIT(b, "\"fixed\"");
  else
    BUF_LIT(b, "\"exponential\"");
  NUMBER("delayMs", backoff->delay_ms);
  NUMBER("maxDelayMs", backoff->delay_max_ms);
  buf_printf(b, ",\"jitter\":%.2f}", (double)backoff->jitter_percent / 100.0);
}

void tally_add(struct tally *sum, const struct tally *one) {
  for (int i = 0; i < TASK_STATUS_COUNT; i++) sum->count[i] += one->count[i];
  sum->ready += one->ready;
}

int64_t tally_total(const struct tally *tally) {
  int64_t total = 0;
  for (int i = 0; i < TASK_STATUS_COUNT; i++) total += tally->count[i];
  return total;
}

void encode_counts(struct buf *b, const struct tally *tally) {
  BUF_LIT(b, "\"total\":");
  buf_i64(b, tally_total(tally));
  for (int i = 0; i < TASK_STATUS_COUNT; i++) {
    BUF_LIT(b, ",\"");
    buf_put(b, task_status_word((enum task_status)i));
    BUF_LIT(b, "\":");
    buf_i64(b, tally->count[i]);
  }
  NUMBER("ready", tally->ready);
}
