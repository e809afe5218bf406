// problem.c: an answer that is not 2xx, as an error with the server's own sentence.
#include "client/problem.h"

#include "base/json.h"

struct problem {
  struct str code, detail, errors;
};

static bool problem_read(struct arena *a, struct str body, struct problem *out) {
  struct str document;
  struct json_error error;
  if (!json_check(body, &document, &error) || json_kind(document) != JSON_OBJECT) return false;
  struct str key, value;
  struct json_walk members = json_walk(document);
  while (json_next(&members, &key, &value)) {
    enum json_kind kind = json_kind(value);
    if (kind == JSON_STRING && str_eq(key, STR("code"))) out->code = json_string(a, value, NULL);
    if (kind == JSON_STRING && str_eq(key, STR("detail")))
      out->detail = json_string(a, value, NULL);
    if (kind == JSON_ARRAY && str_eq(key, STR("errors"))) out->errors = value;
  }
  return !str_is_none(out->code);
}

static enum err err_of_code(struct str code) {
  for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
    if (str_eq(code, str_of(err_code((enum err)e)))) return (enum err)e;
  return ERR_OK;
}

static enum err err_of_status(int status) {
  if (status == 429) return ERR_TOO_MANY;
  for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
    if (err_http_status((enum err)e) == status) return (enum err)e;
  if (status >= 500) return ERR_UNAVAILABLE;
  return ERR_BAD_REQUEST;
}

static void add_field(struct arena *a, struct str field, struct fault *why) {
  if (json_kind(field) != JSON_OBJECT) return;
  struct str pointer = STR(""), detail = STR(""), key, value;
  struct json_walk members = json_walk(field);
  while (json_next(&members, &key, &value)) {
    if (json_kind(value) != JSON_STRING) continue;
    if (str_eq(key, STR("pointer"))) pointer = json_string(a, value, NULL);
    if (str_eq(key, STR("detail"))) detail = json_string(a, value, NULL);
  }
  (void)fault_field(why, arena_cstr(a, pointer), "%.*s", STR_FMT(detail));
}

static void add_fields(struct arena *a, struct str errors, struct fault *why) {
  struct str key, field;
  struct json_walk elements = json_walk(errors);
  while (json_next(&elements, &key, &field)) add_field(a, field, why);
}

enum err problem_fault(struct arena *a, const struct client_reply *reply, struct fault *why) {
  struct problem problem = {0};
  enum err err = ERR_OK;
  if (problem_read(a, reply->body, &problem)) err = err_of_code(problem.code);
  if (err == ERR_OK) err = err_of_status(reply->status);

  struct fault fault = {0};
  if (!str_is_none(problem.errors)) add_fields(a, problem.errors, &fault);
  unsigned fields = fault.field_count;  // the sentence is the problem's own, not the first field's
  if (str_is_none(problem.detail))
    (void)fault_set(&fault, err, "the server answered with HTTP status %d", reply->status);
  else
    (void)fault_set(&fault, err, "%.*s", STR_FMT(problem.detail));
  fault.field_count = fields;
  fault.retry_after_s = (int)((reply->retry_after_ms + 999) / 1000);
  if (why) *why = fault;
  return err;
}
