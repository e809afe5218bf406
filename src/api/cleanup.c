// cleanup.c: what is kept of tasks that ended: the state of the cleanup, and a run on request.
#include "api/sessions.h"

// Of limits, where 0 is none.
static void put_limit(struct buf *b, const char *key, int64_t limit) {
  buf_printf(b, "\"%s\":", key);
  if (limit > 0)
    buf_i64(b, limit);
  else
    BUF_LIT(b, "null");
}

static void put_counts(struct buf *b, const struct cleanup_counts *counts) {
  buf_printf(b, "{\"completed\":%lld,\"failed\":%lld,\"cancelled\":%lld}",
             (long long)counts->completed, (long long)counts->failed, (long long)counts->cancelled);
}

static void put_options(struct buf *b, const struct retention *retention) {
  BUF_LIT(b, "{");
  put_limit(b, "maxCompletedTasks", retention->keep.completed);
  buf_char(b, ',');
  put_limit(b, "maxFailedTasks", retention->keep.failed);
  buf_char(b, ',');
  put_limit(b, "cleanupInterval", retention->interval_ms);
  if (!retention->per_tenant) {
    buf_char(b, ',');
    put_limit(b, "keepForMs", retention->keep.for_ms);
  }
  buf_char(b, '}');
}

static void put_said(struct buf *b, const char *key, int64_t value) {
  buf_printf(b, ",\"%s\":", key);
  if (value == KEEP_UNSAID)
    BUF_LIT(b, "null");
  else
    buf_i64(b, value);
}

static bool says_anything(const struct type *type) {
  return type->keep.completed != KEEP_UNSAID || type->keep.failed != KEEP_UNSAID ||
         type->keep.for_ms != KEEP_UNSAID || type->keep_result;
}

// The types that say something themselves; 0 is no limit there, against one of the server.
static void put_types(struct call *c, struct buf *b) {
  struct type *types;
  size_t count = engine_types(c->engine, c->who.tenant, c->arena, &types);
  bool first = true;
  BUF_LIT(b, "[");
  for (size_t i = 0; i < count; i++) {
    if (!says_anything(&types[i])) continue;
    if (!first) buf_char(b, ',');
    first = false;
    BUF_LIT(b, "{\"name\":");
    buf_json_str(b, types[i].name);
    put_said(b, "keepCompleted", types[i].keep.completed);
    put_said(b, "keepFailed", types[i].keep.failed);
    put_said(b, "keepForMs", types[i].keep.for_ms);
    BUF_LIT(b, ",\"keepResult\":");
    put_bool(b, types[i].keep_result);
    buf_char(b, '}');
  }
  buf_char(b, ']');
}

static void put_latest(struct buf *b, const struct cleanup_state *state) {
  BUF_LIT(b, ",\"lastRunAt\":");
  put_time_or_null(b, state->last_at);
  BUF_LIT(b, ",\"lastRunMs\":");
  if (state->last_at)
    buf_i64(b, state->last_ms);
  else
    BUF_LIT(b, "null");
  BUF_LIT(b, ",\"lastRunError\":");
  put_text_or_null(b, state->last_err ? str_of(err_code(state->last_err)) : STR_NONE);
  BUF_LIT(b, ",\"removed\":");
  put_counts(b, &state->removed);
  BUF_LIT(b, ",\"nextRunAt\":");
  put_time_or_null(b, state->next_at);
}

static bool is_of_nothing(const struct call *c) {
  return call_is_session(c) && !session_has_begun(c);
}

// What is of all that have not begun has a cleanup too, which is none of theirs.
static struct cleanup_state state_of(const struct call *c) {
  struct cleanup_state state = engine_cleanup(c->engine, c->who.tenant);
  if (!is_of_nothing(c)) return state;
  return (struct cleanup_state){.active = state.active,
                                .retention = state.retention,
                                .next_at = engine_now(c->engine) + state.retention.interval_ms};
}

// `lastRun` is a word where its document has one; the time stands beside it.
static int render_status(struct call *c, struct buf *b) {
  struct cleanup_state state = state_of(c);
  BUF_LIT(b, "{\"success\":true,\"status\":{\"isRunning\":");
  put_bool(b, state.running);
  BUF_LIT(b, ",\"isActive\":");
  put_bool(b, state.active);
  BUF_LIT(b, ",\"options\":");
  put_options(b, &state.retention);
  BUF_LIT(b, ",\"lastRun\":");
  buf_json_str(b, state.running ? STR("running") : STR("idle"));
  put_latest(b, &state);
  if (!state.retention.per_tenant) {
    BUF_LIT(b, ",\"types\":");
    put_types(c, b);
  }
  BUF_LIT(b, "}}");
  return 200;
}

enum err cleanup_status(struct call *c) { return call_now(c, render_status); }

static int render_run(struct call *c, struct buf *b) {
  const char *skipped = c->order.in.cleanup.skipped;
  BUF_LIT(b, "{\"success\":true,\"skipped\":");
  put_bool(b, skipped != NULL);
  BUF_LIT(b, ",\"message\":");
  buf_json_str(b, skipped ? str_of(skipped) : STR("cleanup completed"));
  BUF_LIT(b, ",\"removed\":");
  put_counts(b, &c->order.in.cleanup.removed);
  buf_char(b, '}');
  return 200;
}

enum err cleanup_run(struct call *c) {
  return is_of_nothing(c) ? call_now(c, render_run) : call_order(c, ORDER_CLEANUP, render_run);
}
