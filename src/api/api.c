// api.c: a request's way through the API: route, identity, handler; then the answer's way back.
#include "api/api.h"

#include "api/doors/repository.h"
#include "api/sessions.h"
#include "api/streams.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/utf8.h"

// A page of tasks with payloads may be large; past this the caller is told to ask for fewer.
static const size_t ANSWER_BYTES_MAX = (size_t)128 << 20;
// What the scratch buffer may keep between answers.
static const size_t SCRATCH_KEPT_BYTES = (size_t)4 << 20;

// --- answers -------------------------------------------------------------------------------------

static void put_field_faults(struct buf *b, const struct fault *fault) {
  BUF_LIT(b, ",\"errors\":[");
  for (unsigned i = 0; i < fault->field_count; i++) {
    if (i) buf_char(b, ',');
    BUF_LIT(b, "{\"pointer\":");
    buf_json_str(b, str_of(fault->fields[i].pointer));
    BUF_LIT(b, ",\"code\":\"invalid_field\",\"detail\":");
    buf_json_str(b, str_of(fault->fields[i].detail));
    buf_char(b, '}');
  }
  buf_char(b, ']');
}

static int failure_status(const struct door *door, enum err err) {
  return door ? door->status(err) : err_http_status(err);
}

static void put_problem(struct buf *b, const struct fault *fault, enum err err,
                        struct str request_id, const struct door *door) {
  struct str detail = str_of(fault->detail[0] ? fault->detail : err_title(err));
  buf_printf(b, "{\"type\":\"/docs/errors#%s\",\"title\":\"%s\",\"status\":%d,\"detail\":",
             err_code(err), err_title(err), failure_status(door, err));
  buf_json_str(b, detail);
  buf_printf(b, ",\"success\":false,\"code\":\"%s\",\"error\":", err_code(err));
  buf_json_str(b, detail);
  BUF_LIT(b, ",\"requestId\":");
  buf_json_str(b, request_id);
  put_field_faults(b, fault);
  if (door && door->put_failure) door->put_failure(b, err, detail);
  buf_char(b, '}');
}

void call_problem(struct buf *b, const struct fault *fault, enum err err, struct str request_id) {
  put_problem(b, fault, err, request_id, NULL);
}

static bool begins_with_key(const struct call *c, struct str text) {
  const struct str admin = c->api->settings.admin_key;
  if (admin.len && str_starts(text, admin)) return true;
  return str_starts(text, STR("tk_")) && text.len > 4 + KEY_ID_BYTES &&
         text.at[3 + KEY_ID_BYTES] == '_';
}

// A token begins with the base64url of `{"`, and has parts.
static bool begins_with_token(struct str text) {
  return str_starts(text, STR("eyJ")) && str_find(text, '.') < text.len;
}

// As the log may show it: up to where somebody has pasted a key or a token into it, in whichever
// spelling.
static struct str shown_path(const struct call *c) {
  struct str path = c->http->path, plain;
  if (!http_path_decode(c->arena, path, &plain)) plain = path;
  for (size_t i = 0; i < plain.len; i++) {
    struct str rest = str_from(plain, i);
    if (begins_with_key(c, rest) || begins_with_token(rest))
      return arena_printf(c->arena, "%.*s***", (int)i, plain.at);
  }
  return path;
}

void call_log_access(const struct call *c, int status) {
  if (!c->api->settings.access_log) return;
  int64_t took = clock_mono_us() - c->http->started_us;
  log_event(LOG_INFO, "request", LOG_STR("method", str_of(method_word(c->http->method))),
            LOG_STR("path", shown_path(c)), LOG_I64("status", status), LOG_I64("us", took),
            LOG_STR("requestId", c->http->id), LOG_STR("peer", c->http->peer));
}

void call_answer(struct call *c, const struct http_answer *answer) {
  struct http_answer whole = *answer;
  cors_add(c, &whole);
  call_log_access(c, answer->status);
  http_respond(c->http, &whole);
}

// Which preferences were followed (RFC 7240).
static struct str applied(const struct call *c) {
  if (!c->minimal_applied) return c->waited ? STR("wait") : STR_NONE;
  return c->waited ? STR("return=minimal, wait") : STR("return=minimal");
}

enum { EXTRAS = 3 };  // headers of one answer, besides those that every answer has

static void send_body(struct call *c, int status, struct str body,
                      const struct http_header extra[EXTRAS]) {
  struct str type = status < 400 ? STR("application/json") : STR("application/problem+json");
  struct http_answer answer = {.status = status, .content_type = type, .body = body};
  size_t n = 0;
  for (; n < EXTRAS && !str_is_none(extra[n].name); n++) answer.extra[n] = extra[n];
  struct str preferences = applied(c);
  if (!str_is_none(preferences))
    answer.extra[n] = (struct http_header){STR("Preference-Applied"), preferences};
  call_answer(c, &answer);
}

static struct http_header retry_after(struct call *c) {
  int seconds = c->fault.retry_after_s > 0 ? c->fault.retry_after_s : 1;
  return (struct http_header){STR("Retry-After"), arena_printf(c->arena, "%d", seconds)};
}

// RFC 6750 section 3.
static struct http_header challenge(const struct call *c) {
  return (struct http_header){STR("WWW-Authenticate"),
                              c->has_token ? STR("Bearer error=\"invalid_token\"") : STR("Bearer")};
}

// An answer that says "later" is no fault of ours, and one that nobody waits for is nobody's.
static void log_failure(const struct call *c, enum err err) {
  // Nor is a session that has filled what it may have.
  bool full = c->session && err == ERR_DISK_FULL;
  bool later = err_http_status(err) == 503 || c->http->gone || full;
  log_event(later ? LOG_DEBUG : LOG_ERROR, "request failed", LOG_STR("code", str_of(err_code(err))),
            LOG_STR("detail", str_of(c->fault.detail)), LOG_STR("path", shown_path(c)),
            LOG_STR("requestId", c->http->id));
}

void call_fail(struct call *c, enum err err) {
  if (c->session && err == ERR_DISK_FULL)
    fault_set(&c->fault, err,
              "this session keeps as much as it may (session_bytes); nothing was changed");
  struct buf *b = &c->api->scratch;
  buf_clear(b);
  put_problem(b, &c->fault, err, c->http->id, c->door);
  int status = failure_status(c->door, err);
  struct http_answer answer = {
      .status = status, .content_type = STR("application/problem+json"), .body = buf_str(b)};
  if (status == 401) answer.extra[0] = challenge(c);
  if (status == 405) answer.extra[0] = (struct http_header){STR("Allow"), c->allow};
  bool later = status == 429 || (status == 503 && err != ERR_SWITCHED_OFF);
  if (later || err == ERR_IN_PROGRESS) answer.extra[0] = retry_after(c);
  if (status >= 500) log_failure(c, err);
  call_answer(c, &answer);
}

// Of the one task that an answer tells of.
static void put_task_headers(struct call *c, int status, struct id task, int64_t revision,
                             struct http_header extra[2]) {
  extra[0] =
      (struct http_header){STR("ETag"), arena_printf(c->arena, "\"%lld\"", (long long)revision)};
  if (status != 201) return;
  char id[ID_TEXT_BYTES];
  id_text(task, id);
  const char *home = c->door && c->door->home ? c->door->home : "/api/v1/tasks";
  extra[1] = (struct http_header){STR("Location"),
                                  arena_printf(c->arena, "%s/%.*s", home, ID_TEXT_BYTES, id)};
}

static void finish(struct call *c, int status) {
  struct buf *b = &c->api->scratch;
  if (b->overflow) {
    fault_set(&c->fault, ERR_BODY_TOO_LARGE, "the answer is over its limit; ask for fewer at once");
    call_fail(c, ERR_BODY_TOO_LARGE);
    return;
  }
  struct http_header extra[EXTRAS] = {{STR_NONE, STR_NONE}};
  const struct task *task = order_task(&c->order);
  if (task) put_task_headers(c, status, task->id, task->revision, extra);
  send_body(c, status, buf_str(b), extra);
}

// --- orders --------------------------------------------------------------------------------------

static void start_answer(struct api *api) {
  if (api->scratch.cap > SCRATCH_KEPT_BYTES) {
    buf_fini(&api->scratch);
    buf_init(&api->scratch, ANSWER_BYTES_MAX);
  }
  buf_clear(&api->scratch);
}

// What a session is told ends with a member that says how long it is kept.
static int render(struct call *c, struct buf *b) {
  int status = c->render(c, b);
  if (!call_is_session(c) || b->overflow || b->len == 0 || b->at[b->len - 1] != '}') return status;
  b->len--;
  BUF_LIT(b, ",\"durable\":false}");
  return status;
}

static int render_order(struct order *order, struct buf *body) {
  return render(order->context, body);
}

static void send_replay(struct call *c, const struct replay *replay) {
  struct http_header extra[EXTRAS] = {{STR("Idempotent-Replayed"), STR("true")}};
  if (!id_is_none(replay->task))
    put_task_headers(c, (int)replay->status, replay->task, replay->revision, extra + 1);
  send_body(c, (int)replay->status, replay->body, extra);
}

static void answer_order(struct call *c, const struct order *order) {
  if (order->err != ERR_OK) {
    c->fault = order->fault;
    call_fail(c, order->err);
  } else if (order->replayed) {
    send_replay(c, order->replayed);
  } else {
    start_answer(c->api);
    finish(c, render(c, &c->api->scratch));
  }
}

// The call is gone once it is answered.
static void order_done(struct order *order) {
  struct call *c = order->context;
  struct session *session = c->session;
  bool seeks = c->seeking != NULL;
  if (!seeks || !session_claim_goes_on(c)) answer_order(c, order);
  if (session && !seeks) session_seen(session);  // a worker that looks for work is no visitor
  if (session) session_leave(session);
}

static bool is_text(struct str s) {
  const char *at = s.at, *end = s.at + s.len;
  while (at < end) {
    size_t length = utf8_length(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

static enum err take_replay_key(struct call *c) {
  struct str key;
  if (c->http->method != HTTP_METHOD_POST) return ERR_OK;
  TRY(call_header(c, "Idempotency-Key", &key));
  if (str_is_none(key)) return ERR_OK;
  if (key.len >= 2 && key.at[0] == '"' && key.at[key.len - 1] == '"')
    key = (struct str){key.at + 1, key.len - 2};
  if (key.len == 0 || key.len > LIMIT_REFERENCE_BYTES)
    return fault_set(&c->fault, ERR_BAD_REQUEST, "Idempotency-Key must have 1 to %d bytes",
                     LIMIT_REFERENCE_BYTES);
  if (!is_text(key))
    return fault_set(&c->fault, ERR_BAD_REQUEST, "Idempotency-Key must be valid UTF-8");
  // An actor may hold blanks, so its length is there to keep it apart from what follows.
  struct str actor = str_is_none(c->replays_of) ? c->who.actor : c->replays_of;
  c->order.replay_key = arena_printf(c->arena, "%zu %.*s %.*s %.*s", actor.len, STR_FMT(actor),
                                     STR_FMT(c->http->path), STR_FMT(key));
  hash_sha256(c->http->body, c->order.fingerprint);
  return ERR_OK;
}

// Nobody waits for longer than his credential lasts.
void call_bound_wait(struct call *c) {
  if (c->who.expires_at == 0 || c->order.wait_ms == 0) return;
  int64_t left_ms = c->who.expires_at - engine_now(c->engine);
  if (left_ms < 0) left_ms = 0;
  if (c->order.wait_ms > left_ms) c->order.wait_ms = left_ms;
}

enum err call_order(struct call *c, enum order_kind kind,
                    int (*to_render)(struct call *, struct buf *)) {
  struct order *order = &c->order;
  order->kind = kind;
  order->tenant = c->who.tenant;
  order->actor = c->who.actor;
  order->arena = c->arena;
  order->id = c->id;
  order->render = render_order;
  order->done = order_done;
  order->context = c;
  c->render = to_render;
  call_bound_wait(c);
  TRY(take_replay_key(c));
  if (c->session) session_enter(c->session);
  engine_submit(c->engine, order);
  return ERR_OK;
}

// --- queries -------------------------------------------------------------------------------------

static void query_done(struct query *query) {
  struct call *c = query->context;
  struct arena read = c->read;  // the call is gone once it is answered
  struct session *session = c->session;
  c->fault = query->fault;
  if (query->err == ERR_OK) {
    start_answer(c->api);
    finish(c, render(c, &c->api->scratch));
  } else {
    call_fail(c, query->err);
  }
  arena_fini(&read);
  if (session) session_seen(session);
  if (session) session_leave(session);
}

// Apart from the call, so that the many that wait for work do not carry it.
void call_ask(struct call *c,
              void (*run)(struct query *, const struct store_ops *, struct store_reader *),
              void (*done)(struct query *)) {
  struct query *query = ARENA_NEW(c->arena, struct query);
  *query = (struct query){.run = run, .done = done, .context = c};
  engine_query(c->engine, query);
}

enum err call_query(struct call *c,
                    void (*run)(struct query *, const struct store_ops *, struct store_reader *),
                    int (*to_render)(struct call *, struct buf *)) {
  arena_init(&c->read, READ_ARENA_BYTES);
  c->render = to_render;
  if (c->session) session_enter(c->session);
  call_ask(c, run, query_done);
  return ERR_OK;
}

enum err call_now(struct call *c, int (*to_render)(struct call *, struct buf *)) {
  c->render = to_render;
  start_answer(c->api);
  finish(c, render(c, &c->api->scratch));
  return ERR_OK;
}

// --- requests ------------------------------------------------------------------------------------

static enum err run_handler(struct call *c) {
  TRY(call_query_known(c));
  // Under too much load a refusal must cost little: it comes before the body is read.
  if (c->entry.body == &BODY_create) TRY(engine_admits(c->engine, &c->fault));
  TRY(call_read_body(c));
  if (c->entry.body == NULL || c->entry.body == &BODY_empty)
    TRY(call_body(c, &BODY_empty, NULL, NULL, NULL));
  call_preferences(c);
  return c->entry.handle(c);
}

static void tenant_made(struct order *order) {
  struct call *c = order->context;
  enum err err = order->err;
  c->fault = order->fault;
  c->who.tenant = order->in.tenant.number;
  c->order = (struct order){.if_revision = ABSENT, .gone = order->gone};
  if (err == ERR_OK) err = run_handler(c);
  if (err != ERR_OK) call_fail(c, err);
}

// The call's own order is used for this first, and then for what the handler asks.
static enum err make_tenant(struct call *c) {
  c->order.kind = ORDER_TENANT;
  c->order.tenant = 1;
  c->order.actor = c->who.actor;
  c->order.arena = c->arena;
  c->order.in.tenant.name = c->new_tenant;
  c->order.done = tenant_made;
  c->order.context = c;
  engine_submit(c->api->settings.engine, &c->order);
  return ERR_OK;
}

static enum err handle_call(struct call *c) {
  if (cors_is_preflight(c)) return cors_preflight(c);
  enum err err = route_find(c);
  if (err != ERR_OK) session_refused(c, err);
  TRY(err);
  c->entry = (struct entry){c->route->handle, c->route->body, c->route->query};
  TRY(session_choose(c));
  if (call_is_session(c) && str_is_none(c->old_id)) return run_handler(c);
  if (!call_is_session(c)) TRY(auth_check(c));
  if (repository_must_resolve(c)) return repository_resolve(c, run_handler);
  return str_is_none(c->new_tenant) ? run_handler(c) : make_tenant(c);
}

static void handle(void *self, struct http_request *r) {
  struct call *c = ARENA_NEW(&r->arena, struct call);
  c->api = self;
  c->engine = c->api->settings.engine;
  c->http = r;
  c->arena = &r->arena;
  c->order.if_revision = ABSENT;
  r->context = c;
  enum err err = handle_call(c);
  if (err != ERR_OK) call_fail(c, err);
}

static void gone(void *self, struct http_request *r) {
  struct call *c = r->context;
  (void)self;
  if (c && c->stream)
    stream_gone(c->stream);
  else if (c && c->seeking)
    session_claim_gone(c);
  else if (c && c->order.done)
    engine_withdraw(c->engine, &c->order);
}

static void drained(void *self, struct http_request *r) {
  (void)self;
  stream_drained(((struct call *)r->context)->stream);
}

static void wake(void *self) {
  struct api *api = self;
  engine_collect(api->settings.engine);
  if (api->sessions) sessions_collect(api->sessions);
  streams_look(api->streams);
}

// Whose path it is, when that was read before something else was found to be wrong.
static const struct door *door_of(struct api *api, struct http_request *r) {
  if (r == NULL || str_is_none(r->path)) return NULL;
  struct call c = {.api = api, .http = r, .arena = &r->arena};
  session_refused(&c, route_find(&c));
  return c.door;
}

static void refuse(void *self, enum err err, const char *detail, struct http_request *r,
                   struct str request_id, struct buf *body) {
  struct fault fault = {0};
  fault_set(&fault, err, "%s", detail);
  put_problem(body, &fault, err, request_id, door_of(self, r));
}

struct api *api_open(const struct api_settings *settings) {
  struct api *api = mem_zero(sizeof *api);
  api->settings = *settings;
  api->started_us = clock_mono_us();
  api->has_admin_key = settings->admin_key.len > 0;
  if (api->has_admin_key) hash_sha256(settings->admin_key, api->admin_hash);
  jwt_init(&api->jwt, &settings->jwt);
  buf_init(&api->scratch, ANSWER_BYTES_MAX);
  api->refusals = mem_zero(sizeof *api->refusals);
  strikes_init(&api->refusals->strikes, rand_u64());
  if (settings->sessions.on) api->sessions = sessions_open(api);
  api->streams = streams_open(api);
  return api;
}

void api_close(struct api *api) {
  if (api == NULL) return;
  streams_close(api->streams);
  sessions_close(api->sessions);
  jwt_fini(&api->jwt);
  buf_fini(&api->scratch);
  mem_free(api->refusals);
  mem_free(api);
}

struct http_hooks api_hooks(struct api *api) {
  return (struct http_hooks){.self = api,
                             .handle = handle,
                             .gone = gone,
                             .drained = drained,
                             .wake = wake,
                             .refuse = refuse};
}

void api_attach(struct api *api, struct http_server *server) {
  api->server = server;
  streams_attach(api->streams, server);
  if (api->sessions) sessions_attach(api->sessions, server);
}

void api_drain(struct api *api) {
  streams_drain(api->streams);
  if (api->sessions) sessions_drain(api->sessions);
}

void api_happened(struct api *api, int64_t tenant) { streams_happened(api->streams, tenant); }

void api_stop(struct api *api) {
  if (api->sessions) sessions_stop(api->sessions);
}

void api_log_access(struct api *api, bool on) { api->settings.access_log = on; }

enum err api_take_jwks(struct api *api, struct str text, size_t *count, struct fault *why) {
  return jwt_take_jwks(&api->jwt, text, count, why);
}
