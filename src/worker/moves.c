// moves.c: the calls a worker makes, one function for each.
#include "worker/moves.h"

#include "base/buf.h"
#include "base/json.h"

#include <assert.h>

enum { OVERHEAD_BYTES = 64 << 10 };  // of a body, beside the result: error texts, names, tokens

static void put_names(struct buf *b, const char *member, const char *const *names) {
  if (!names || !*names) return;
  buf_printf(b, "\"%s\":[", member);
  for (size_t i = 0; names[i]; i++) {
    if (i) buf_char(b, ',');
    buf_json_str(b, str_of(names[i]));
  }
  BUF_LIT(b, "],");
}

struct wish wish_make(struct arena *a, const struct wish_parts *parts) {
  struct buf b;
  buf_init(&b, OVERHEAD_BYTES);
  put_names(&b, "types", parts->types);
  put_names(&b, "queues", parts->queues);
  BUF_LIT(&b, "\"workerId\":");
  buf_json_str(&b, str_of(parts->worker));
  if (parts->lease_ms) buf_printf(&b, ",\"leaseMs\":%lld", (long long)parts->lease_ms);
  if (parts->sessions) BUF_LIT(&b, ",\"sessions\":true");
  BUF_LIT(&b, ",\"limit\":1");
  struct wish wish = {arena_dup(a, buf_str(&b))};
  buf_fini(&b);
  return wish;
}

// Reads the task that an answer brings. `found` may be NULL when none was asked for.
static enum err read_claim(struct arena *a, const struct client_reply *reply, struct claim *out,
                           bool *found, struct fault *why) {
  bool valid = false, there = claim_read(a, reply->body, out, &valid);
  if (!valid) return fault_set(why, ERR_UNAVAILABLE, "the answer is not one of a Taskyard server");
  *found = there;
  return ERR_OK;
}

enum err moves_claim(struct client *c, struct arena *a, const struct wish *wish, int64_t wait_ms,
                     struct claim *out, bool *found, struct fault *why) {
  struct str body =
      arena_printf(a, "{%.*s,\"waitMs\":%lld}", STR_FMT(wish->members), (long long)wait_ms);
  struct client_call call = {
      .method = "POST", .path = STR("/api/v1/claims"), .body = body, .wait_ms = wait_ms};
  struct client_reply reply;
  TRY(client_expect(c, a, &call, &reply, why));
  return read_claim(a, &reply, out, found, why);
}

// Starts the body of a move: what follows is its other members and the closing brace.
static void body_start(struct buf *b, const struct claim *claim, size_t bytes) {
  buf_init(b, bytes + OVERHEAD_BYTES);
  BUF_LIT(b, "{\"leaseToken\":");
  buf_json_str(b, claim->token);
}

// Sends a move and frees its body.
static enum err send_move(struct client *c, struct arena *a, const struct claim *claim,
                          const char *verb, struct buf *body, struct client_reply *reply,
                          struct fault *why) {
  buf_char(body, '}');
  assert(!body->overflow);
  struct client_call call = {
      .method = "POST",
      .path = arena_printf(a, "/api/v1/tasks/%.*s/%s", STR_FMT(claim->id), verb),
      .body = buf_str(body),
      .minimal = true,
  };
  enum err err = client_expect(c, a, &call, reply, why);
  buf_fini(body);
  return err;
}

enum err moves_complete(struct client *c, struct arena *a, const struct claim *claim,
                        struct str result, const struct wish *wish, struct claim *out, bool *found,
                        struct fault *why) {
  struct buf body;
  struct client_reply reply;
  body_start(&body, claim, result.len);
  BUF_LIT(&body, ",\"result\":");
  buf_put(&body, result);
  if (wish) buf_printf(&body, ",\"claim\":{%.*s,\"waitMs\":0}", STR_FMT(wish->members));
  TRY(send_move(c, a, claim, "complete", &body, &reply, why));
  return wish ? read_claim(a, &reply, out, found, why) : ERR_OK;
}

enum err moves_fail(struct client *c, struct arena *a, const struct claim *claim,
                    const struct failure *failure, struct fault *why) {
  struct buf body;
  struct client_reply reply;
  body_start(&body, claim, failure->message.len);
  BUF_LIT(&body, ",\"error\":{\"code\":");
  buf_json_str(&body, str_of(failure->code));
  BUF_LIT(&body, ",\"message\":");
  buf_json_str(&body, failure->message);
  buf_printf(&body, "},\"retry\":%s", failure->retry ? "true" : "false");
  return send_move(c, a, claim, "fail", &body, &reply, why);
}

enum err moves_release(struct client *c, struct arena *a, const struct claim *claim,
                       struct fault *why) {
  struct buf body;
  struct client_reply reply;
  body_start(&body, claim, 0);
  return send_move(c, a, claim, "release", &body, &reply, why);
}

static bool says_cancel(struct str answer) {
  struct str document, key, value;
  struct json_error error;
  if (!json_check(answer, &document, &error) || json_kind(document) != JSON_OBJECT) return false;
  struct json_walk members = json_walk(document);
  while (json_next(&members, &key, &value))
    if (str_eq(key, STR("cancelRequested"))) return json_kind(value) == JSON_TRUE;
  return false;
}

// The moves that a running task makes all answer alike.
static enum err send_sign(struct client *c, struct arena *a, const struct claim *claim,
                          const char *verb, struct buf *body, bool *cancel, struct fault *why) {
  struct client_reply reply;
  TRY(send_move(c, a, claim, verb, body, &reply, why));
  *cancel = says_cancel(reply.body);
  return ERR_OK;
}

enum err moves_heartbeat(struct client *c, struct arena *a, const struct claim *claim, bool *cancel,
                         struct fault *why) {
  struct buf body;
  body_start(&body, claim, 0);
  return send_sign(c, a, claim, "heartbeat", &body, cancel, why);
}

enum err moves_progress(struct client *c, struct arena *a, const struct claim *claim,
                        const struct progress *progress, bool *cancel, struct fault *why) {
  struct buf body;
  body_start(&body, claim, 0);
  buf_printf(&body, ",\"progress\":%lld", (long long)progress->percent);
  if (!str_is_none(progress->step)) {
    BUF_LIT(&body, ",\"currentStep\":");
    buf_json_str(&body, progress->step);
  }
  if (!str_is_none(progress->description)) {
    BUF_LIT(&body, ",\"currentStepDescription\":");
    buf_json_str(&body, progress->description);
  }
  return send_sign(c, a, claim, "progress", &body, cancel, why);
}

enum err moves_logs(struct client *c, struct arena *a, const struct claim *claim, struct str lines,
                    bool *cancel, struct fault *why) {
  struct buf body;
  body_start(&body, claim, lines.len);
  BUF_LIT(&body, ",\"lines\":[");
  buf_put(&body, lines);
  buf_char(&body, ']');
  return send_sign(c, a, claim, "logs", &body, cancel, why);
}

bool moves_err_passes(enum err err) {
  switch (err) {
  case ERR_UNAVAILABLE:
  case ERR_OVERLOADED:
  case ERR_TOO_MANY:
  case ERR_SCAN_LIMIT:
  case ERR_DISK_FULL:
  case ERR_INTERNAL:
  case ERR_STORE_BROKEN:
  case ERR_REQUEST_TIMEOUT:
  case ERR_UNAUTHENTICATED:
  case ERR_FORBIDDEN: return true;
  default: return false;
  }
}
