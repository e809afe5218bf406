// claims.c: tasks as workers see them: claims, reports, and the ends of attempts.
#include "api/claims.h"

#include "api/doors/repository.h"
#include "api/sessions.h"

// --- claims --------------------------------------------------------------------------------------

static void put_claimed(struct call *c, struct buf *b) {
  struct encode_context x = call_encoding(c);
  BUF_LIT(b, "\"tasks\":[");
  for (size_t i = 0; i < c->order.claimed_count; i++) {
    if (i) buf_char(b, ',');
    encode_task(b, &x, &c->order.claimed[i], ENCODE_PAYLOAD | ENCODE_RESULT | ENCODE_LEASE);
  }
  buf_printf(b, "],\"count\":%zu", c->order.claimed_count);
}

static int render_claimed(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,");
  put_claimed(c, b);
  buf_char(b, '}');
  return 200;
}

static int render_claimed_one(struct call *c, struct buf *b) {
  struct encode_context x = call_encoding(c);
  BUF_LIT(b, "{\"success\":true,\"task\":");
  encode_task(b, &x, &c->order.claimed[0], ENCODE_PAYLOAD | ENCODE_RESULT | ENCODE_LEASE);
  if (repository_is_service(c)) repository_put_members(c, b, &c->order.claimed[0]);
  buf_char(b, '}');
  return 200;
}

static enum err decode_claim(struct call *c, struct str json, const struct where *where,
                             bool *sessions) {
  struct claim_body in = {.limit = 1};
  TRY(decode_object(c->arena, json, BODY_claim.fields, where, &in, NULL, NULL, &c->fault));
  c->order.claim = (struct claim_filter){.types = in.types.at,
                                         .type_count = in.types.count,
                                         .queues = in.queues.at,
                                         .queue_count = in.queues.count,
                                         .worker = in.worker,
                                         .limit = (size_t)in.limit,
                                         .lease_ms = in.lease_ms};
  c->order.wait_ms = in.wait_ms;
  *sessions = in.sessions;
  if (!in.sessions) return repository_claim(c, where, &c->order.claim);
  // Sessions see their workers' names, which a key's id has no place in.
  return repository_check_worker(c, where, &c->order.claim);
}

enum err claim_many(struct call *c) {
  TRY(call_needs_body(c));
  bool sessions;
  TRY(decode_claim(c, c->body, NULL, &sessions));
  if (sessions) return session_claim(c, render_claimed);
  return call_order(c, ORDER_CLAIM, render_claimed);
}

enum err claims_one(struct call *c, struct str worker, int64_t lease_ms) {
  c->order.claim = (struct claim_filter){.worker = worker, .lease_ms = lease_ms, .limit = 1};
  // The document's worker knows no heartbeat.
  if (repository_is_service(c)) c->order.claim.lease_least_ms = LIMIT_LEASE_SILENT_MS;
  TRY(repository_claim(c, NULL, &c->order.claim));
  return call_order(c, ORDER_CLAIM_ONE, render_claimed_one);
}

enum err claim_one(struct call *c) {
  struct claim_body in = {0};
  TRY(call_body(c, &BODY_claim_one, &in, NULL, NULL));
  return claims_one(c, str_is_none(in.worker) ? in.service : in.worker, in.lease_ms);
}

// --- reports -------------------------------------------------------------------------------------

static int render_report(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"cancelRequested\":");
  put_bool(b, c->order.cancel_requested);
  BUF_LIT(b, ",\"leaseExpiresAt\":");
  put_time_or_null(b, c->order.tasks[0].lease_expires_at);
  buf_char(b, '}');
  return 200;
}

static enum err check_same(struct call *c, const struct lease_token *token, struct str header) {
  if (str_is_none(header)) return ERR_OK;
  struct lease_token other = token_lease(header);
  if (other.lease == token->lease && other.session == token->session) return ERR_OK;
  return fault_field(&c->fault, "/leaseToken",
                     "leaseToken is another one than the header Lease-Token; send one of them");
}

// The key of a service needs none: then the lease stays 0.
static enum err find_token(struct call *c, struct worker_body *in) {
  struct str header;
  TRY(call_header(c, "Lease-Token", &header));
  if (in->token.lease != 0) return check_same(c, &in->token, header);
  if (str_is_none(header) && repository_is_service(c)) return repository_processor(c, &in->worker);
  if (str_is_none(header))
    return fault_field(&c->fault, "/leaseToken",
                       "leaseToken is missing: send it in the body or as header Lease-Token");
  in->token = token_lease(header);
  return ERR_OK;
}

enum err claims_token(struct call *c, struct worker_body *in) {
  TRY(find_token(c, in));
  return in->token.session ? session_of_lease(c, in->token.session) : ERR_OK;
}

static enum err decode_move(struct call *c, const struct body *body, struct worker_body *in) {
  *in = (struct worker_body){
      .progress = ABSENT, .retry = true, .retry_delay_ms = ABSENT, .delay_ms = ABSENT};
  TRY(call_body(c, body, in, NULL, NULL));
  return claims_token(c, in);
}

static enum err send_report(struct call *c, const struct worker_body *in) {
  c->order.in.report = (struct report_input){.lease = in->token.lease,
                                             .worker = in->worker,
                                             .progress = in->progress,
                                             .step = in->step,
                                             .step_description = in->step_description,
                                             .lines = in->lines.at,
                                             .line_count = in->lines.count};
  return call_order(c, ORDER_REPORT, render_report);
}

enum err report_heartbeat(struct call *c) {
  struct worker_body in;
  TRY(decode_move(c, &BODY_heartbeat, &in));
  return send_report(c, &in);
}

enum err report_progress(struct call *c) {
  struct worker_body in;
  TRY(decode_move(c, &BODY_progress, &in));
  return send_report(c, &in);
}

// Cut at a character's border, with a mark.
static struct str cut_line(struct arena *a, struct str line) {
  static const struct str MARK = {" …", sizeof " …" - 1};
  if (line.len <= LIMIT_LOG_LINE_BYTES) return line;
  size_t keep = LIMIT_LOG_LINE_BYTES - MARK.len;
  while (keep > 0 && ((unsigned char)line.at[keep] & 0xc0) == 0x80) keep--;
  return arena_printf(a, "%.*s%.*s", (int)keep, line.at, STR_FMT(MARK));
}

static enum err split_text(struct call *c, struct str text, struct names *lines) {
  struct str *all = ARENA_ARRAY(c->arena, struct str, LIMIT_LOG_LINES_REQUEST);
  size_t count = 0;
  while (!str_is_none(text)) {
    struct str line = str_cut(&text, '\n');
    if (str_is_none(text) && line.len == 0) break;  // the last line end ends a line
    if (count == LIMIT_LOG_LINES_REQUEST)
      return fault_field(&c->fault, "/text", "text must have at most %d lines",
                         LIMIT_LOG_LINES_REQUEST);
    all[count++] = line;
  }
  *lines = (struct names){all, count};
  return ERR_OK;
}

enum err report_logs(struct call *c) {
  struct worker_body in;
  TRY(decode_move(c, &BODY_logs, &in));
  if (!str_is_none(in.text) && in.lines.at)
    return fault_field(&c->fault, "/text", "send lines or text, not both");
  if (!str_is_none(in.text)) TRY(split_text(c, in.text, &in.lines));
  if (in.lines.count == 0)
    return fault_field(&c->fault, "/lines", "lines is missing: send at least one line");
  for (size_t i = 0; i < in.lines.count; i++) in.lines.at[i] = cut_line(c->arena, in.lines.at[i]);
  return send_report(c, &in);
}

// --- ends of attempts ----------------------------------------------------------------------------

enum err claims_failure(struct call *c, struct str message, struct str detail,
                        const struct where *where, struct settle_item *item) {
  if (str_is_none(message))
    return fault_field(&c->fault, where_pointer(c->arena, where, "message"),
                       "message is missing: say what went wrong");
  if (detail.len > LIMIT_ERROR_DETAIL_BYTES)
    return fault_field(&c->fault, where_pointer(c->arena, where, NULL),
                       "an error must have at most %d bytes", LIMIT_ERROR_DETAIL_BYTES);
  item->error_code = STR("failed");
  item->error_message = message;
  item->error_detail = detail;
  return ERR_OK;
}

enum err claims_error(struct call *c, struct str json, const struct where *where,
                      struct settle_item *item) {
  item->error_code = STR("failed");
  if (str_is_none(json) || json_kind(json) == JSON_NULL)
    return fault_field(
        &c->fault, where_pointer(c->arena, where, NULL),
        "error is missing: say what went wrong, as a text or {code, message, detail}");
  struct error_body in = {.code = item->error_code};
  if (json_kind(json) == JSON_STRING) {
    bool nul = false;
    in.message = json_string(c->arena, json, &nul);
    if (nul || in.message.len > LIMIT_TEXT_BYTES)
      return fault_field(&c->fault, where_pointer(c->arena, where, NULL),
                         "error must have at most %d bytes and no U+0000", LIMIT_TEXT_BYTES);
  } else {
    TRY(decode_object(c->arena, json, BODY_error.fields, where, &in, NULL, NULL, &c->fault));
  }
  if (in.detail.len > LIMIT_ERROR_DETAIL_BYTES)
    return fault_field(&c->fault, where_pointer(c->arena, where, "detail"),
                       "detail must have at most %d bytes", LIMIT_ERROR_DETAIL_BYTES);
  item->error_code = in.code;
  item->error_message = in.message;
  item->error_detail = in.detail;
  return ERR_OK;
}

struct settle_item *claims_item(struct call *c, const struct worker_body *in,
                                enum settle_verb verb) {
  struct settle_item *item = ARENA_NEW(c->arena, struct settle_item);
  *item = (struct settle_item){.id = c->id,
                               .lease = in->token.lease,
                               .worker = in->worker,
                               .verb = verb,
                               .result = in->result,
                               .no_retry = !in->retry,
                               .delay_ms = in->retry_delay_ms};
  c->order.in.settle.items = item;
  c->order.in.settle.count = 1;
  return item;
}

static int render_settled(struct call *c, struct buf *b) {
  const struct settle_item *item = &c->order.in.settle.items[0];
  struct encode_context x = call_encoding(c);
  BUF_LIT(b, "{\"success\":true,\"task\":");
  encode_task(b, &x, item->task, call_parts(c, 0));
  if (c->order.claim.limit) {
    buf_char(b, ',');
    put_claimed(c, b);
  }
  buf_char(b, '}');
  return 200;
}

enum err claims_settle(struct call *c) {
  c->order.in.settle.single = true;
  return call_order(c, ORDER_SETTLE, render_settled);
}

static enum err refuse_next(struct call *c) {
  return fault_field(&c->fault, "/claim",
                     "claim does not go with tasks of sessions; send POST /claims");
}

// One order goes to one engine, and sessions are asked in turn: theirs is a request of its own.
static enum err decode_next_claim(struct call *c, struct str json) {
  if (str_is_none(json) || json_kind(json) == JSON_NULL) return ERR_OK;
  const struct where where = {.key = "claim"};
  bool sessions;
  TRY(decode_claim(c, json, &where, &sessions));
  return sessions || c->session ? refuse_next(c) : ERR_OK;
}

static enum err take_result(struct call *c, struct worker_body *in) {
  if (!repository_is_result(c)) return decode_move(c, &BODY_complete, in);
  *in = (struct worker_body){.result = c->body};
  return claims_token(c, in);
}

enum err settle_complete(struct call *c) {
  struct worker_body in;
  TRY(take_result(c, &in));
  TRY(decode_next_claim(c, in.claim));
  claims_item(c, &in, SETTLE_COMPLETE);
  return claims_settle(c);
}

static enum err fail_as_service(struct call *c) {
  struct worker_body in = {0};
  TRY(claims_token(c, &in));
  TRY(repository_failure(c, claims_item(c, &in, SETTLE_FAIL)));
  return claims_settle(c);
}

enum err settle_fail(struct call *c) {
  struct worker_body in;
  const struct where where = {.key = "error"};
  if (repository_is_failure(c)) return fail_as_service(c);
  TRY(decode_move(c, &BODY_fail, &in));
  TRY(claims_error(c, in.error, &where, claims_item(c, &in, SETTLE_FAIL)));
  return claims_settle(c);
}

enum err settle_release(struct call *c) {
  struct worker_body in;
  TRY(decode_move(c, &BODY_release, &in));
  claims_item(c, &in, SETTLE_RELEASE)->delay_ms = in.delay_ms;
  return claims_settle(c);
}

// --- many at once --------------------------------------------------------------------------------

static void put_outcome(struct buf *b, const struct settle_item *item) {
  BUF_LIT(b, "{\"id\":");
  put_id(b, item->id);
  if (item->err == ERR_OK) {
    BUF_LIT(b, ",\"success\":true,\"status\":");
    buf_json_str(b, task_status_word(item->task->status));
  } else {
    BUF_LIT(b, ",\"success\":false,\"code\":");
    buf_json_str(b, str_of(err_code(item->err)));
    BUF_LIT(b, ",\"error\":");
    buf_json_str(b, item->why);
  }
  buf_char(b, '}');
}

static int render_completions(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"items\":[");
  for (size_t i = 0; i < c->order.in.settle.count; i++) {
    if (i) buf_char(b, ',');
    put_outcome(b, &c->order.in.settle.items[i]);
  }
  BUF_LIT(b, "],");
  if (c->order.claim.limit)
    put_claimed(c, b);
  else
    buf_printf(b, "\"count\":%zu", c->order.in.settle.count);
  buf_char(b, '}');
  return 200;
}

static enum err decode_completion(struct call *c, struct str json, const struct where *where,
                                  struct settle_item *item, uint32_t *session) {
  struct worker_body in = {.retry = true, .retry_delay_ms = ABSENT};
  TRY(decode_object(c->arena, json, BODY_completion_item.fields, where, &in, NULL, NULL,
                    &c->fault));
  *session = in.token.session;
  bool fails = !str_is_none(in.error) && json_kind(in.error) != JSON_NULL;
  *item = (struct settle_item){.id = in.id,
                               .lease = in.token.lease,
                               .result = in.result,
                               .verb = fails ? SETTLE_FAIL : SETTLE_COMPLETE,
                               .no_retry = !in.retry,
                               .delay_ms = in.retry_delay_ms};
  if (!fails) return ERR_OK;
  if (!str_is_none(in.result) && json_kind(in.result) != JSON_NULL)
    return fault_field(&c->fault, where_pointer(c->arena, where, "error"),
                       "send result or error, not both");
  const struct where at = {.up = where, .key = "error"};
  return claims_error(c, in.error, &at, item);
}

static enum err refuse_mixed(struct call *c, const struct where *where) {
  return fault_field(&c->fault, where_pointer(c->arena, where, "leaseToken"),
                     "leaseToken is not of the session of the first item: send a request for each "
                     "session, and one for tasks of none");
}

static enum err decode_completions(struct call *c, struct str array, uint32_t *session) {
  static const struct where ITEMS = {.key = "items"};
  size_t count = call_count(array), i = 0;
  if (count == 0 || count > LIMIT_BATCH_ITEMS)
    return fault_field(&c->fault, "/items", "items must have 1 to %d elements", LIMIT_BATCH_ITEMS);
  struct settle_item *items = ARENA_ARRAY(c->arena, struct settle_item, count);
  struct json_walk w = json_walk(array);
  struct str key, value;
  enum err err = ERR_OK;
  for (; c->fault.field_count < FAULT_FIELDS_MAX && json_next(&w, &key, &value); i++) {
    const struct where where = {.up = &ITEMS, .index = i};
    uint32_t its = 0;
    enum err one = decode_completion(c, value, &where, &items[i], &its);
    if (one == ERR_OK && i == 0) *session = its;
    if (one == ERR_OK && its != *session) one = refuse_mixed(c, &where);
    if (one != ERR_OK) err = one;
  }
  c->order.in.settle.items = items;
  c->order.in.settle.count = count;
  return err;
}

// The session is gone, and with it all leases.
static enum err lose_all(struct call *c, struct str claim) {
  if (!str_is_none(claim) && json_kind(claim) != JSON_NULL) return refuse_next(c);
  for (size_t i = 0; i < c->order.in.settle.count; i++) {
    c->order.in.settle.items[i].err = ERR_LEASE_LOST;
    c->order.in.settle.items[i].why = engine_lease_refusal();
  }
  return call_now(c, render_completions);
}

enum err settle_many(struct call *c) {
  struct worker_body in = {0};
  TRY(call_needs_body(c));
  TRY(call_body(c, &BODY_completions, &in, NULL, NULL));
  uint32_t session = 0;
  TRY(decode_completions(c, in.items, &session));
  if (session && session_of_lease(c, session) != ERR_OK) return lose_all(c, in.claim);
  TRY(decode_next_claim(c, in.claim));
  return call_order(c, ORDER_SETTLE, render_completions);
}
