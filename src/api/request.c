// request.c: reading a request: its body by table, its query parameters, its preferences.
#include "api/call.h"
#include "base/nearest.h"

enum { PARAMETERS_MAX = 64 };  // of one route: a bit for each

// --- headers -------------------------------------------------------------------------------------

enum err call_header(struct call *c, const char *name, struct str *out) {
  struct str value = STR_NONE;
  for (size_t i = 0; i < c->http->header_count; i++) {
    if (!str_eq_nocase(c->http->headers[i].name, str_of(name))) continue;
    if (!str_is_none(value))
      return fault_set(&c->fault, ERR_BAD_REQUEST, "the header %s must come only once", name);
    value = c->http->headers[i].value;
  }
  *out = value;
  return ERR_OK;
}

// --- body ----------------------------------------------------------------------------------------

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

size_t call_count(struct str array) {
  struct json_walk w = json_walk(array);
  struct str key, value;
  size_t count = 0;
  while (json_next(&w, &key, &value)) count++;
  return count;
}

// --- query ---------------------------------------------------------------------------------------

enum err call_query_fault(struct call *c, const char *name, const char *sentence) {
  struct str pointer = arena_printf(c->arena, "?%s", name);
  return fault_field(&c->fault, pointer.at, "%s %s", name, sentence);
}

// call_query_known has seen that all of the query can be decoded.
enum err call_query_text(struct call *c, const char *name, size_t max, struct str *out) {
  struct str value = http_query(c->http, str_of(name), NULL);
  if (str_is_none(value)) return ERR_OK;
  if (value.len == 0 || value.len > max)
    return call_query_fault(c, name, arena_printf(c->arena, "must have 1 to %zu bytes", max).at);
  *out = value;
  return ERR_OK;
}

enum err call_query_name(struct call *c, const char *name, struct str *out) {
  struct str value = http_query(c->http, str_of(name), NULL);
  if (str_is_none(value)) return ERR_OK;
  if (!name_is_good(value)) return call_query_fault(c, name, "must be " NAME_RULE);
  *out = value;
  return ERR_OK;
}

enum err call_query_id(struct call *c, const char *name, struct id *out) {
  struct str value = http_query(c->http, str_of(name), NULL);
  if (str_is_none(value) || id_parse(value, out)) return ERR_OK;
  return call_query_fault(c, name, "must be a task's id");
}

enum err call_query_int(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out) {
  struct str text = http_query(c->http, str_of(name), NULL);
  int64_t value;
  if (str_is_none(text)) return ERR_OK;
  if (!str_to_i64(text, &value)) return call_query_fault(c, name, "must be an integer");
  if (value < min || value > max) {
    struct str sentence =
        arena_printf(c->arena, "must be from %lld to %lld", (long long)min, (long long)max);
    return call_query_fault(c, name, sentence.at);
  }
  *out = value;
  return ERR_OK;
}

enum err call_query_bool(struct call *c, const char *name, bool *out) {
  struct str text = http_query(c->http, str_of(name), NULL);
  if (str_is_none(text)) return ERR_OK;
  bool yes = str_eq(text, STR("true")) || str_eq(text, STR("1"));
  if (!yes && !str_eq(text, STR("false")) && !str_eq(text, STR("0")))
    return call_query_fault(c, name, "must be true or false");
  *out = yes;
  return ERR_OK;
}

// A bit for each parameter that the route names; 0: it does not name this one.
static uint64_t known_bit(struct str name, const char *query) {
  struct str left = str_of(query);
  for (uint64_t bit = 1; left.len; bit <<= 1) {
    struct str known = str_cut(&left, ' ');
    bool prefix = known.at[known.len - 1] == '*';
    if (prefix ? str_starts(name, (struct str){known.at, known.len - 1}) : str_eq(name, known))
      return bit;
  }
  return 0;
}

static enum err refuse_unknown(struct call *c, struct str name, const char *shown) {
  struct str names[PARAMETERS_MAX], left = str_of(c->entry.query);
  size_t count = 0;
  while (left.len && count < PARAMETERS_MAX) names[count++] = str_cut(&left, ' ');
  struct buf sentence;
  buf_init(&sentence, FAULT_DETAIL_BYTES);
  BUF_LIT(&sentence, "is not a parameter of this route");
  nearest_tell(name, names, count, &sentence);
  enum err err = call_query_fault(c, shown, arena_cstr(c->arena, buf_str(&sentence)));
  buf_fini(&sentence);
  return err;
}

enum err call_query_known(struct call *c) {
  struct str cursor = c->http->query, name, value;
  bool bad = false;
  enum err err = ERR_OK;
  uint64_t seen = 0;
  while (c->fault.field_count < FAULT_FIELDS_MAX &&
         http_query_next(c->http, &cursor, &name, &value, &bad)) {
    if (bad)
      return fault_set(&c->fault, ERR_BAD_REQUEST,
                       "the query has a broken percent escape, or is not UTF-8 without NUL");
    uint64_t bit = known_bit(name, c->entry.query);
    const char *shown =
        arena_printf(c->arena, "%.*s", (int)(name.len > 40 ? 40 : name.len), name.at).at;
    if (!bit)
      call_also(&err, refuse_unknown(c, name, shown));
    else if (seen & bit)
      call_also(&err, call_query_fault(c, shown, "is one too many: one of its kind is taken"));
    seen |= bit;
  }
  return err;
}

// --- preferences ---------------------------------------------------------------------------------

// The value of the first preference of this name in all Prefer headers (RFC 7240), "" when it has
// none; STR_NONE: it did not come.
static struct str preference(const struct http_request *r, struct str name) {
  for (size_t i = 0; i < r->header_count; i++) {
    struct str all = r->headers[i].value;
    if (!str_eq_nocase(r->headers[i].name, STR("prefer"))) continue;
    while (!str_is_none(all)) {
      struct str left = str_cut(&all, ',');
      struct str value = str_cut(&left, ';');  // what follows are parameters of its own
      struct str word = str_trim(str_cut(&value, '='));
      if (str_eq_nocase(word, name)) return str_is_none(value) ? STR("") : str_trim(value);
    }
  }
  return STR_NONE;
}

void call_preferences(struct call *c) {
  c->wants_minimal = str_eq_nocase(preference(c->http, STR("return")), STR("minimal"));
}

enum err call_wait(struct call *c, int64_t *wait_ms) {
  int64_t seconds;
  c->waited = str_to_i64(preference(c->http, STR("wait")), &seconds) && seconds >= 0;
  if (c->waited) *wait_ms = seconds > LIMIT_WAIT_MS / 1000 ? LIMIT_WAIT_MS : seconds * 1000;
  return call_query_int(c, "waitMs", 0, LIMIT_WAIT_MS, wait_ms);
}

// The revision that a tag names, with its quotes or without; -1, which no task has, when it is none
// of ours. A weak one is none: it cannot be told from another of the same meaning.
static int64_t tag_revision(struct str tag) {
  int64_t revision;
  bool quoted = tag.len > 2 && tag.at[0] == '"' && tag.at[tag.len - 1] == '"';
  if (quoted) tag = (struct str){tag.at + 1, tag.len - 2};
  return str_to_i64(tag, &revision) && revision >= 0 ? revision : -1;
}

// Of several tags the newest counts: revisions only rise.
int64_t call_if_match(const struct call *c) {
  struct str all = http_header(c->http, STR("if-match"));
  int64_t newest = -1;
  if (str_is_none(all)) return ABSENT;
  while (!str_is_none(all)) {
    struct str tag = str_trim(str_cut(&all, ','));
    int64_t revision = tag_revision(tag);
    if (str_eq(tag, STR("*"))) return ABSENT;
    if (revision > newest) newest = revision;
  }
  return newest;
}

// Tags are compared weakly, as RFC 9110 wants it here: a proxy may have put W/ before them.
bool call_has_already(const struct call *c, int64_t revision) {
  struct str all = http_header(c->http, STR("if-none-match"));
  struct str mine = arena_printf(c->arena, "\"%lld\"", (long long)revision);
  while (!str_is_none(all)) {
    struct str tag = str_trim(str_cut(&all, ','));
    if (str_starts(tag, STR("W/"))) tag = str_from(tag, 2);
    if (str_eq(tag, mine) || str_eq(tag, STR("*"))) return true;
  }
  return false;
}
