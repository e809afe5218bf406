// request.c: reading a request: its body by table, its query parameters, its preferences.
#include "api/call.h"

// --- body
// ------------------------------------------------------------------------------------------

static enum err check_media(struct call *c) {
  struct str type = http_header(c->http, STR("content-type"));
  struct str media = str_trim(str_cut(&type, ';'));
  if (media.len && !str_eq_nocase(media, STR("application/json")))
    return fault_set(&c->fault, ERR_UNSUPPORTED_MEDIA,
                     "the body must be sent as Content-Type: application/json, not %.*s",
                     (int)(media.len > 60 ? 60 : media.len), media.at);
  struct str encoding = http_header(c->http, STR("content-encoding"));
  if (encoding.len && !str_eq_nocase(encoding, STR("identity")))
    return fault_set(&c->fault, ERR_UNSUPPORTED_MEDIA, "the body must not be compressed");
  return ERR_OK;
}

enum err call_read_body(struct call *c) {
  c->body = STR_NONE;
  if (c->http->body.len == 0) return ERR_OK;
  TRY(check_media(c));
  struct json_error error;
  if (json_check(c->http->body, &c->body, &error)) return ERR_OK;
  size_t line, column;
  json_position(c->http->body, error.offset, &line, &column);
  return fault_set(&c->fault, ERR_MALFORMED_JSON, "line %zu, column %zu: %s", line, column,
                   error.message);
}

enum err call_needs_body(struct call *c) {
  if (!str_is_none(c->body)) return ERR_OK;
  return fault_set(&c->fault, ERR_MALFORMED_JSON,
                   "line 1, column 1: the body is empty; send a JSON object");
}

enum err call_body(struct call *c, const struct body *body, void *out, uint64_t *seen,
                   uint64_t *nulls) {
  struct str json = str_is_none(c->body) ? STR("{}") : c->body;
  return decode_object(c->arena, json, body->fields, NULL, out, seen, nulls, &c->fault);
}

// --- query
// -----------------------------------------------------------------------------------------

static enum err bad_query(struct call *c, const char *name, const char *sentence) {
  struct str pointer = arena_printf(c->arena, "?%s", name);
  return fault_field(&c->fault, pointer.at, "%s %s", name, sentence);
}

enum err call_query_text(struct call *c, const char *name, size_t max, struct str *out) {
  bool bad = false;
  struct str value = http_query(c->http, str_of(name), &bad);
  if (bad) return bad_query(c, name, "has a broken percent escape");
  if (str_is_none(value)) return ERR_OK;
  if (value.len == 0 || value.len > max) return bad_query(c, name, "is empty or too long");
  *out = value;
  return ERR_OK;
}

enum err call_query_int(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out) {
  struct str text = STR_NONE;
  int64_t value;
  TRY(call_query_text(c, name, 32, &text));
  if (str_is_none(text)) return ERR_OK;
  if (!str_to_i64(text, &value)) return bad_query(c, name, "must be an integer");
  if (value < min || value > max) {
    struct str sentence =
        arena_printf(c->arena, "must be from %lld to %lld", (long long)min, (long long)max);
    return bad_query(c, name, sentence.at);
  }
  *out = value;
  return ERR_OK;
}

enum err call_query_bool(struct call *c, const char *name, bool *out) {
  struct str text = STR_NONE;
  TRY(call_query_text(c, name, 8, &text));
  if (str_is_none(text)) return ERR_OK;
  bool yes = str_eq(text, STR("true")) || str_eq(text, STR("1"));
  if (!yes && !str_eq(text, STR("false")) && !str_eq(text, STR("0")))
    return bad_query(c, name, "must be true or false");
  *out = yes;
  return ERR_OK;
}

static bool is_known(struct str name, const char *query) {
  struct str left = str_of(query);
  while (!str_is_none(left)) {
    struct str known = str_cut(&left, ' ');
    bool prefix = known.len && known.at[known.len - 1] == '*';
    if (prefix ? str_starts(name, (struct str){known.at, known.len - 1}) : str_eq(name, known))
      return true;
  }
  return false;
}

enum err call_query_known(struct call *c) {
  struct str cursor = c->http->query, name, value;
  bool bad = false;
  enum err err = ERR_OK;
  while (http_query_next(c->http, &cursor, &name, &value, &bad)) {
    if (bad) return fault_set(&c->fault, ERR_BAD_REQUEST, "the query has a broken percent escape");
    if (is_known(name, c->route->query)) continue;
    struct str shown = {name.at, name.len > 40 ? 40 : name.len};
    struct str at = arena_printf(c->arena, "?%.*s", STR_FMT(shown));
    err = fault_field(&c->fault, at.at, "%.*s is not a parameter of this route", STR_FMT(shown));
  }
  return err;
}

// --- preferences
// -----------------------------------------------------------------------------------

void call_preferences(struct call *c) {
  struct str all = http_header(c->http, STR("prefer"));
  while (!str_is_none(all)) {
    struct str one = str_trim(str_cut(&all, ','));
    if (str_eq_nocase(one, STR("return=minimal"))) c->minimal = true;
  }
}

static int64_t preferred_wait(struct call *c) {
  struct str all = http_header(c->http, STR("prefer"));
  while (!str_is_none(all)) {
    struct str value = str_trim(str_cut(&all, ','));
    struct str name = str_cut(&value, '=');
    int64_t seconds;
    if (str_eq_nocase(name, STR("wait")) && !str_is_none(value) && str_to_i64(value, &seconds) &&
        seconds >= 0)
      return seconds > LIMIT_WAIT_MS / 1000 ? LIMIT_WAIT_MS : seconds * 1000;
  }
  return -1;
}

enum err call_wait(struct call *c, int64_t *wait_ms) {
  int64_t preferred = preferred_wait(c);
  c->waited = preferred >= 0;
  if (c->waited) *wait_ms = preferred;
  return call_query_int(c, "waitMs", 0, LIMIT_WAIT_MS, wait_ms);
}

// A revision in quotes, as ETag gave it; `*` is any.
enum err call_if_match(struct call *c, int64_t *revision) {
  struct str tag = str_trim(http_header(c->http, STR("if-match")));
  *revision = ABSENT;
  if (str_is_none(tag) || str_eq(tag, STR("*"))) return ERR_OK;
  bool quoted = tag.len > 2 && tag.at[0] == '"' && tag.at[tag.len - 1] == '"';
  if (quoted) tag = (struct str){tag.at + 1, tag.len - 2};
  if (str_to_i64(tag, revision)) return ERR_OK;
  *revision = -1;  // a tag that no revision has
  return ERR_OK;
}
