// session_routes.c: the sessions themselves as a resource: their numbers, and their end.
#include "api/doors/session.h"
#include "api/sessions.h"

#include "base/clock.h"

// What is of sessions only, asked for by somebody who is in none.
enum err session_needed(struct call *c) {
  if (c->api->sessions == NULL) return session_off(c);
  return fault_set(&c->fault, ERR_BAD_REQUEST,
                   "this route is for sessions: send a session key, as X-App-Session, and no "
                   "credential");
}

// Sessions are the server's, so of the tenants only the first one minds them.
static enum err check_admin(struct call *c) {
  if (c->api->sessions == NULL) return session_off(c);
  if (c->who.tenant == 1) return ERR_OK;
  return fault_set(&c->fault, ERR_NOT_FOUND, "there is no such session");
}

// --- numbers -------------------------------------------------------------------------------------

static void put_listed(struct buf *b, const struct session *s, int64_t now_us) {
  BUF_LIT(b, "{\"sessionKey\":");
  buf_json_str(b, s->key);
  buf_printf(b, ",\"startedAt\":%lld,\"idleMs\":%lld}", (long long)s->opened_at,
             (long long)((now_us - s->seen_us) / 1000));
}

static int render_all(struct call *c, struct buf *b) {
  const struct sessions *all = c->api->sessions;
  const struct session_settings *settings = &c->api->settings.sessions;
  int64_t now_us = clock_mono_us();
  size_t count = 0;
  BUF_LIT(b, "{\"success\":true,\"sessions\":[");
  for (const struct session *s = all->first; s; s = s->next) {
    if (s->leaving) continue;
    if (count++) buf_char(b, ',');
    put_listed(b, s, now_us);
  }
  buf_printf(b, "],\"count\":%zu,\"max\":%zu,\"timeoutMs\":%lld,\"waitingClaims\":%zu}", count,
             settings->max, (long long)settings->timeout_ms, all->waiting_count);
  return 200;
}

enum err sessions_stats(struct call *c) {
  TRY(check_admin(c));
  return call_now(c, render_all);
}

static void run_stats(struct query *q, const struct store_ops *ops, struct store_reader *reader) {
  struct call *c = q->context;
  struct tally *sum = c->input, *tallies;
  size_t count = 0;
  q->err = ops->read_tallies(reader, &c->read, c->who.tenant, &tallies, &count, &q->fault);
  for (size_t i = 0; q->err == ERR_OK && i < count; i++) tally_add(sum, &tallies[i]);
}

static int render_own(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"session\":{\"sessionKey\":");
  buf_json_str(b, c->session_key);
  // One that has not begun would begin now.
  int64_t started_at = session_has_begun(c) ? c->session->opened_at : clock_now(clock_real());
  buf_printf(b, ",\"startedAt\":%lld,\"timeoutMs\":%lld,", (long long)started_at,
             (long long)c->api->settings.sessions.timeout_ms);
  session_put_counts(b, c->input);
  BUF_LIT(b, "}}");
  return 200;
}

enum err session_stats(struct call *c) {
  c->input = ARENA_NEW(c->arena, struct tally);
  return call_query(c, run_stats, render_own);
}

// --- the end -------------------------------------------------------------------------------------

static int render_ended(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"sessionKey\":");
  buf_json_str(b, c->param);
  buf_char(b, '}');
  return 200;
}

static enum err end(struct call *c, struct session *s) {
  if (s == NULL) return fault_set(&c->fault, ERR_NOT_FOUND, "there is no such session");
  session_end(s, "asked", c->who.actor);
  return call_now(c, render_ended);
}

// Its own; any other is as if it were absent.
enum err session_delete(struct call *c) {
  return end(c, str_eq(c->param, c->session_key) ? c->session : NULL);
}

enum err sessions_delete(struct call *c) {
  TRY(check_admin(c));
  return end(c, sessions_find(c->api->sessions, c->param));
}
