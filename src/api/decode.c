// decode.c: JSON members to struct fields, by table, with a pointer to everything that is wrong.
#include "api/decode.h"

#include <assert.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/nearest.h"
#include "model/limits.h"

// --- pointers ------------------------------------------------------------------------------------

static void put_escaped(struct buf *b, struct str key) {
  for (size_t i = 0; i < key.len; i++) {
    if (key.at[i] == '~')
      BUF_LIT(b, "~0");
    else if (key.at[i] == '/')
      BUF_LIT(b, "~1");
    else
      buf_char(b, key.at[i]);
  }
}

static void put_where(struct buf *b, const struct where *w) {
  if (w == NULL) return;
  put_where(b, w->up);  // as deep as our own tables nest: three
  buf_char(b, '/');
  if (w->key)
    put_escaped(b, str_of(w->key));
  else
    buf_i64(b, (int64_t)w->index);
}

// As a C string.
static const char *pointer(struct arena *a, const struct where *w, struct str key) {
  struct buf b;
  buf_init(&b, FAULT_POINTER_BYTES * 2);
  put_where(&b, w);
  if (!str_is_none(key)) {
    buf_char(&b, '/');
    put_escaped(&b, key);
  }
  const char *text = arena_cstr(a, buf_str(&b));
  buf_fini(&b);
  return text;
}

const char *where_pointer(struct arena *a, const struct where *w, const char *key) {
  return pointer(a, w, str_of(key));
}

// --- values --------------------------------------------------------------------------------------

bool name_is_good(struct str name) {
  if (name.len == 0 || name.len > LIMIT_NAME_BYTES) return false;
  for (size_t i = 0; i < name.len; i++) {
    unsigned char c = (unsigned char)name.at[i];
    bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
    bool other = (c >= '0' && c <= '9') || c == '.' || c == '_' || c == ':' || c == '/' || c == '-';
    if (!letter && !other) return false;
  }
  return true;
}

static bool parse_digits(struct str text, size_t count, uint64_t *out) {
  if (text.len != count) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < count; i++) {
    char c = text.at[i];
    unsigned digit;
    if (c >= '0' && c <= '9')
      digit = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = (unsigned)(c - 'a') + 10;
    else
      return false;
    value = value << 4 | digit;
  }
  *out = value;
  return true;
}

bool hex_parse(struct str text, uint64_t *out) { return parse_digits(text, 16, out); }

struct lease_token token_lease(struct str token) {
  struct str lease = token;
  uint64_t lease_number, session_number = 0;
  if (str_starts(token, STR("s"))) {
    lease = str_from(token, 1);
    struct str session = str_cut(&lease, '.');
    if (!parse_digits(session, 8, &session_number) || session_number == 0) lease = STR_NONE;
  }
  if (!hex_parse(lease, &lease_number) || lease_number == 0)
    return (struct lease_token){.lease = LEASE_NONE};
  return (struct lease_token){(int64_t)lease_number, (uint32_t)session_number};
}

static const char *take_text(struct arena *a, const struct field *f, struct str value,
                             struct str *out) {
  if (json_kind(value) != JSON_STRING) return "must be a string";
  bool nul = false;
  struct str text = json_string(a, value, &nul);
  if (nul) return "must not contain U+0000";
  if (f->kind == FIELD_NAME && !name_is_good(text)) return "must be " NAME_RULE;
  if (f->kind == FIELD_TEXT && (int64_t)text.len < f->min) return "must not be empty";
  if (f->kind == FIELD_TEXT && (int64_t)text.len > f->max)
    return arena_printf(a, "must have at most %lld bytes", (long long)f->max).at;
  *out = text;
  return NULL;
}

static const char *take_int(struct arena *a, const struct field *f, struct str value,
                            int64_t *out) {
  int64_t number;
  if (json_kind(value) != JSON_NUMBER) return "must be a number";
  if (!json_integer(value, &number)) return "must be an integer within ±(2^53 − 1)";
  if (number < f->min || number > f->max)
    return arena_printf(a, "must be from %lld to %lld", (long long)f->min, (long long)f->max).at;
  *out = number;
  return NULL;
}

static const char *take_fraction(struct str value, int64_t *out) {
  double number;
  if (json_kind(value) != JSON_NUMBER || !json_double(value, &number) || number < 0 || number > 1)
    return "must be a number from 0 to 1";
  *out = (int64_t)(number * 100 + 0.5);
  return NULL;
}

static const char *take_bool(struct str value, bool *out) {
  enum json_kind kind = json_kind(value);
  if (kind != JSON_TRUE && kind != JSON_FALSE) return "must be true or false";
  *out = kind == JSON_TRUE;
  return NULL;
}

static const char *take_id(struct arena *a, struct str value, struct id *out) {
  if (json_kind(value) != JSON_STRING || !id_parse(json_string(a, value, NULL), out))
    return "must be a task's id";
  return NULL;
}

static const char *take_token(struct arena *a, struct str value, struct lease_token *out) {
  if (json_kind(value) != JSON_STRING) return "must be a string";
  *out = token_lease(json_string(a, value, NULL));
  return NULL;
}

static const char *take_object(struct arena *a, const struct field *f, struct str value,
                               struct str *out) {
  if (json_kind(value) != JSON_OBJECT) return "must be an object";
  if ((int64_t)value.len > f->max)
    return arena_printf(a, "must have at most %lld bytes", (long long)f->max).at;
  *out = value;
  return NULL;
}

static const char *take_array(struct str value, struct str *out) {
  if (json_kind(value) != JSON_ARRAY) return "must be an array";
  *out = value;
  return NULL;
}

// NULL when the value is good, else what is wrong with it.
static const char *take(struct arena *a, const struct field *f, struct str value, void *out) {
  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_NAME: return take_text(a, f, value, out);
  case FIELD_INT: return take_int(a, f, value, out);
  case FIELD_BOOL: return take_bool(value, out);
  case FIELD_ID: return take_id(a, value, out);
  case FIELD_TOKEN: return take_token(a, value, out);
  case FIELD_FRACTION: return take_fraction(value, out);
  case FIELD_TAGS:  // and then take_tags looks into it
  case FIELD_OBJECT: return take_object(a, f, value, out);
  case FIELD_ARRAY: return take_array(value, out);
  case FIELD_JSON: *(struct str *)out = value; return NULL;
  case FIELD_NAMES:
  case FIELD_TEXTS: break;
  }
  assert(false && "lists are for take_list");
  return NULL;
}

// --- objects -------------------------------------------------------------------------------------

struct decoding {
  struct arena *arena;
  struct fields fields;
  const struct where *where;
  char *out;
  uint64_t seen, nulls;
  struct fault *why;
};

static enum err wrong(struct decoding *d, const struct where *where, struct str key,
                      const char *sentence) {
  struct str shown = {key.at, key.len > 64 ? 64 : key.len};
  return fault_field(d->why, pointer(d->arena, where, key), "%.*s %s", STR_FMT(shown), sentence);
}

static enum err wrong_field(struct decoding *d, const struct field *f, const char *sentence) {
  return wrong(d, d->where, str_of(f->name), sentence);
}

// Names may be spelled with escapes; two spellings of one name are one tag.
static const char *take_tag(struct arena *a, struct str name, struct str value,
                            const struct str *names, size_t count) {
  bool nul = false;
  if (json_kind(value) != JSON_STRING) return "must be a string";
  json_string(a, value, &nul);
  if (nul) return "must not contain U+0000";
  if (name.len == 0 || name.len > LIMIT_NAME_BYTES) return "must have a name of 1 to 128 bytes";
  for (size_t i = 0; i < count; i++)
    if (str_eq(names[i], name)) return "is there twice";
  return NULL;
}

static enum err take_tags(struct decoding *d, const struct field *f, struct str object) {
  const struct where tags = {.up = d->where, .key = f->name};
  struct json_walk w = json_walk(object);
  struct str raw, value, names[LIMIT_TAGS_COUNT];
  for (size_t count = 0; json_next(&w, &raw, &value); count++) {
    if (count == LIMIT_TAGS_COUNT) return wrong_field(d, f, "must have at most 32 tags");
    bool nul = false;
    names[count] = json_name(d->arena, raw, &nul);
    if (nul) return wrong_field(d, f, "must not contain U+0000");
    const char *sentence = take_tag(d->arena, names[count], value, names, count);
    if (sentence) return wrong(d, &tags, names[count], sentence);
  }
  return ERR_OK;
}

static enum err wrong_element(struct decoding *d, const struct field *f, size_t index,
                              const char *sentence) {
  const struct where list = {.up = d->where, .key = f->name};
  return fault_field(d->why, pointer(d->arena, &list, arena_printf(d->arena, "%zu", index)),
                     "element %zu of %s %s", index, f->name, sentence);
}

static enum err take_list(struct decoding *d, const struct field *f, struct str array,
                          struct names *out) {
  if (json_kind(array) != JSON_ARRAY) return wrong_field(d, f, "must be an array of strings");
  struct field item = {.kind = f->kind == FIELD_NAMES ? FIELD_NAME : FIELD_TEXT,
                       .max = LIMIT_BODY_BYTES_CEILING};
  size_t max = (size_t)f->max;
  struct names names = {ARENA_ARRAY(d->arena, struct str, max), 0};
  struct json_walk w = json_walk(array);
  struct str key, value;
  for (; json_next(&w, &key, &value); names.count++) {
    if (names.count == max)
      return wrong_field(d, f, arena_printf(d->arena, "must have at most %zu elements", max).at);
    const char *sentence = take_text(d->arena, &item, value, &names.at[names.count]);
    if (sentence) return wrong_element(d, f, names.count, sentence);
  }
  *out = names;
  return ERR_OK;
}

static const struct field *find(struct fields fields, struct str key, size_t hint) {
  for (size_t n = 0; n < fields.count; n++) {
    size_t i = (hint + n) % fields.count;  // members mostly come in the table's order
    const struct field *f = &fields.at[i];
    if (str_eq(str_of(f->name), key)) return f;
  }
  return NULL;
}

static enum err decode_member(struct decoding *d, const struct field *f, struct str value) {
  uint64_t bit = 1ULL << (f - d->fields.at);
  if (d->seen & bit) return wrong_field(d, f, "is there twice");
  d->seen |= bit;
  if (json_kind(value) == JSON_NULL && f->kind != FIELD_JSON) {
    d->nulls |= bit;
    return f->required ? wrong_field(d, f, "must not be null") : ERR_OK;
  }
  void *out = d->out + f->offset;
  if (f->kind == FIELD_NAMES || f->kind == FIELD_TEXTS) return take_list(d, f, value, out);
  const char *sentence = take(d->arena, f, value, out);
  if (sentence) return wrong_field(d, f, sentence);
  return f->kind == FIELD_TAGS ? take_tags(d, f, value) : ERR_OK;
}

static enum err unknown(struct decoding *d, struct str key) {
  struct str names[FIELDS_MAX];
  for (size_t i = 0; i < d->fields.count; i++) names[i] = str_of(d->fields.at[i].name);
  struct buf sentence;
  buf_init(&sentence, FAULT_DETAIL_BYTES);
  BUF_LIT(&sentence, "is not a field of this request");
  nearest_tell(key, names, d->fields.count, &sentence);
  enum err err = wrong(d, d->where, key, arena_cstr(d->arena, buf_str(&sentence)));
  buf_fini(&sentence);
  return err;
}

static enum err check_required(struct decoding *d) {
  enum err err = ERR_OK;
  for (size_t i = 0; i < d->fields.count; i++)
    if (d->fields.at[i].required && !(d->seen & 1ULL << i))
      err = wrong_field(d, &d->fields.at[i], "is missing");
  return err;
}

static enum err not_object(struct arena *a, const struct where *where, struct fault *why) {
  const char *at = pointer(a, where, STR_NONE);
  if (where == NULL) return fault_field(why, at, "the body must be an object");
  if (where->key == NULL)
    return fault_field(why, at, "element %zu must be an object", where->index);
  return fault_field(why, at, "%s must be an object", where->key);
}

// Past the faults that `why` keeps nothing is looked at any more: a body may hold 100,000 mistakes.
enum err decode_object(struct arena *a, struct str json, struct fields fields,
                       const struct where *where, void *out, uint64_t *seen, uint64_t *nulls,
                       struct fault *why) {
  assert(fields.count <= FIELDS_MAX);
  if (json_kind(json) != JSON_OBJECT) return not_object(a, where, why);
  struct decoding d = {.arena = a, .fields = fields, .where = where, .out = out, .why = why};
  enum err err = ERR_OK;
  size_t hint = 0;
  struct json_walk w = json_walk(json);
  struct str raw, value;
  while (why->field_count < FAULT_FIELDS_MAX && json_next(&w, &raw, &value)) {
    struct str key = json_name(a, raw, NULL);
    const struct field *f = find(fields, key, hint);
    if (!f && fields.open) continue;
    enum err one = f ? decode_member(&d, f, value) : unknown(&d, key);
    if (one != ERR_OK) err = one;
    if (f) hint = (size_t)(f - fields.at) + 1;
  }
  enum err missing = check_required(&d);
  if (seen) *seen = d.seen;
  if (nulls) *nulls = d.nulls;
  return err != ERR_OK ? err : missing;
}
