// api_ask.c: see api_ask.h.
#include "tests/world/api_ask.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static struct arena texts;
static struct asked *all;
static const char *peer, *host;

// --- a test's world ------------------------------------------------------------------------------

struct world_settings ask_usual(void) {
  return world_usual(STR(ADMIN_KEY));
}

int ask_set_up(void **state) {
  (void)state;
  static bool quiet;
  if (!quiet) quiet = log_open("/dev/null");
  arena_init(&texts, 4096);
  all = NULL;
  peer = host = NULL;
  struct world_settings settings = ask_usual();
  world_open(&settings);
  return 0;
}

void ask_open(const struct world_settings *settings) {
  world_close();
  world_open(settings);
}

int ask_tear_down(void **state) {
  (void)state;
  world_close();
  while (all) {
    struct asked *a = all;
    all = a->next;
    world_answer_fini(&a->answer);
    mem_free(a);
  }
  arena_fini(&texts);
  return 0;
}

const char *say(const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  assert_true(length >= 0);
  char *text = arena_alloc(&texts, (size_t)length + 1);
  vsnprintf(text, (size_t)length + 1, format, again);
  va_end(again);
  va_end(args);
  return text;
}

const char *many(size_t count, const char *text) {
  size_t len = strlen(text);
  char *all_of_it = arena_alloc(&texts, count * (len + 1) + 1), *at = all_of_it;
  for (size_t i = 0; i < count; i++) {
    if (i) *at++ = ',';
    memcpy(at, text, len);
    at += len;
  }
  *at = '\0';
  return all_of_it;
}

// --- asking --------------------------------------------------------------------------------------

static enum http_method method_of(struct str word) {
  static const char *const WORDS[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  for (size_t i = 0; i < COUNT_OF(WORDS); i++)
    if (str_eq(word, str_of(WORDS[i]))) return (enum http_method)i;
  return HTTP_METHOD_OTHER;
}

static void take_headers(struct world_ask *to, const char *lines) {
  struct str left = str_of(lines);
  size_t n = 0;
  while (left.len > 0) {
    struct str value = str_cut(&left, '\n'), name = str_cut(&value, ':');
    assert_true(n + 1 < WORLD_EXTRA);
    to->extra[n++] = (struct http_header){name, str_trim(value)};
  }
}

struct asked *ask_as(const char *headers, const char *line, const char *body) {
  struct asked *a = mem_zero(sizeof *a);
  struct str target = str_of(line), method = str_cut(&target, ' ');
  struct world_ask request = {.method = method_of(method),
                              .body = str_of(body),
                              .peer = str_of(peer),
                              .host = str_of(host)};
  request.path = str_cut(&target, '?');
  request.query = target;
  take_headers(&request, headers);
  a->line = line;
  a->body = body;
  a->next = all;
  all = a;
  world_answer_init(&a->answer);
  (void)world_send(&request, &a->answer);
  return a;
}

struct asked *ask(const char *line, const char *body) {
  return ask_as(AS_ADMIN, line, body);
}

void ask_from(const char *from_peer, const char *to_host) {
  peer = from_peer;
  host = to_host;
}

const char *as_user(const char *user, const char *members) {
  struct str all_members = arena_printf(&texts, "\"sub\":\"%s\"%s", user, members);
  struct str bearer = world_bearer(&texts, all_members);
  return say("Authorization: %.*s", STR_FMT(bearer));
}

// --- looking -------------------------------------------------------------------------------------

__attribute__((format(printf, 4, 5), noreturn)) static void fail_at(const struct asked *a,
                                                                    const char *file, int line,
                                                                    const char *format, ...) {
  char sentence[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(sentence, sizeof sentence, format, args);
  va_end(args);
  print_error("%s %s\n  answered %d %.*s\n  %s\n", a->line, a->body ? a->body : "",
              a->answer.status, STR_FMT(buf_str(&a->answer.body)), sentence);
  _fail(file, line);
  abort();
}

static struct str json_of(struct asked *a, const char *file, int line) {
  struct json_error error;
  if (str_is_none(a->json) && !json_check(buf_str(&a->answer.body), &a->json, &error))
    fail_at(a, file, line, "that is no JSON: %s", error.message);
  return a->json;
}

static struct str member_of(struct str value, struct str name) {
  struct str key, member;
  int64_t index = -1, i = 0;
  bool array = json_kind(value) == JSON_ARRAY;
  if (json_kind(value) != JSON_OBJECT && !array) return STR_NONE;
  if (array && !str_to_i64(name, &index)) return STR_NONE;
  struct json_walk w = json_walk(value);
  for (; json_next(&w, &key, &member); i++)
    if (array ? i == index : str_eq(key, name)) return member;
  return STR_NONE;
}

static struct str find(struct asked *a, const char *path, const char *file, int line) {
  struct str at = json_of(a, file, line), left = str_of(path);
  while (!str_is_none(at) && left.len > 0) at = member_of(at, str_cut(&left, '.'));
  return at;
}

struct str ask_json_at(struct asked *a, const char *path, const char *file, int line) {
  struct str value = find(a, path, file, line);
  if (str_is_none(value)) fail_at(a, file, line, "there is no %s", path);
  return value;
}

const char *ask_text_at(struct asked *a, const char *path, const char *file, int line) {
  struct str value = ask_json_at(a, path, file, line);
  if (json_kind(value) != JSON_STRING) fail_at(a, file, line, "%s is no text", path);
  return arena_cstr(&texts, json_string(&texts, value, NULL));
}

int64_t ask_number_at(struct asked *a, const char *path, const char *file, int line) {
  int64_t number = 0;
  struct str value = ask_json_at(a, path, file, line);
  if (json_kind(value) != JSON_NUMBER || !json_integer(value, &number))
    fail_at(a, file, line, "%s is no integer", path);
  return number;
}

void ask_status(struct asked *a, int status, const char *file, int line) {
  if (a->answer.status != status) fail_at(a, file, line, "that is not %d", status);
}

void ask_same(struct asked *a, const char *path, const char *json, const char *file, int line) {
  if (!str_eq(ask_json_at(a, path, file, line), str_of(json)))
    fail_at(a, file, line, "%s is not %s", path, json);
}

void ask_text(struct asked *a, const char *path, const char *text, const char *file, int line) {
  const char *is = ask_text_at(a, path, file, line);
  if (strcmp(is, text) != 0) fail_at(a, file, line, "%s is not \"%s\"", path, text);
}

void ask_number(struct asked *a, const char *path, int64_t number, const char *file, int line) {
  if (ask_number_at(a, path, file, line) != number)
    fail_at(a, file, line, "%s is not %lld", path, (long long)number);
}

void ask_no(struct asked *a, const char *path, const char *file, int line) {
  if (!str_is_none(find(a, path, file, line))) fail_at(a, file, line, "there is a %s", path);
}

void ask_header(struct asked *a, const char *name, const char *value, const char *file, int line) {
  struct str left = buf_str(&a->answer.head), is = STR_NONE;
  while (left.len > 0) {
    struct str rest = str_cut(&left, '\n');
    if (str_eq_nocase(str_cut(&rest, ':'), str_of(name))) is = str_trim(rest);
  }
  if (value ? !str_eq(is, str_of(value)) || str_is_none(is) : !str_is_none(is))
    fail_at(a, file, line, "the header %s is not %s but %.*s", name, value ? value : "absent",
            STR_FMT(str_is_none(is) ? STR("absent") : is));
}

void ask_body_has(struct asked *a, const char *text, const char *file, int line) {
  struct str body = buf_str(&a->answer.body);
  if (memmem(body.at, body.len, text, strlen(text)) == NULL)
    fail_at(a, file, line, "it does not have: %s", text);
}

void ask_refused(struct asked *a, int status, const char *code, const char *detail,
                 const char *file, int line) {
  ask_status(a, status, file, line);
  if (!str_eq(a->answer.type, STR("application/problem+json")))
    fail_at(a, file, line, "that is no problem document");
  ask_text(a, "code", code, file, line);
  ask_text(a, "detail", detail, file, line);
  ask_text(a, "error", detail, file, line);
  ask_text(a, "type", say("/docs/errors#%s", code), file, line);
  ask_number(a, "status", status, file, line);
  ask_same(a, "success", "false", file, line);
  ask_text(a, "requestId", "world", file, line);
}

static void ask_field(struct asked *a, const char *pointer, const char *detail, const char *file,
                      int line) {
  ask_text(a, "errors.0.pointer", pointer, file, line);
  ask_text(a, "errors.0.code", "invalid_field", file, line);
  ask_text(a, "errors.0.detail", detail, file, line);
}

void ask_wrong(struct asked *a, const char *pointer, const char *detail, const char *file,
               int line) {
  ask_refused(a, 422, "invalid_field", detail, file, line);
  ask_field(a, pointer, detail, file, line);
}

void ask_each_refused(const char *headers, const struct refusal *rows, size_t count, int status,
                      const char *code) {
  for (size_t i = 0; i < count; i++) {
    struct asked *a = ask_as(headers, rows[i].line, rows[i].body);
    assert_refused(a, status, code, rows[i].detail);
    if (rows[i].pointer)
      ask_field(a, rows[i].pointer, rows[i].detail, __FILE__, __LINE__);
    else
      assert_json(a, "errors", "[]");
  }
}

// --- what most tests need ------------------------------------------------------------------------

const char *make_task(const char *body) {
  struct asked *a = ask("POST /api/v1/tasks", body);
  assert_status(a, 201);
  return text_at(a, "task.id");
}

const char *claim_task(const char *id) {
  struct asked *a = ask(say("POST /api/v1/tasks/%s/claim", id), "{\"workerId\":\"w\"}");
  assert_status(a, 200);
  return text_at(a, "task.leaseToken");
}

struct asked *move_task(const char *id, const char *verb, const char *token, const char *more) {
  return ask(say("POST /api/v1/tasks/%s/%s", id, verb),
             say("{\"leaseToken\":\"%s\"%s%s}", token, *more ? "," : "", more));
}

void complete_task(const char *id, const char *result) {
  const char *token = claim_task(id);
  assert_status(move_task(id, "complete", token, say("\"result\":%s", result)), 200);
}

const char *make_key(const char *body) {
  struct asked *a = ask("POST /api/v1/keys", body);
  assert_status(a, 201);
  return say("x-api-key: %s", text_at(a, "secret"));
}
