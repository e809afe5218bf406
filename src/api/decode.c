// decode.c: JSON members to struct fields, by table, with a pointer to everything that is wrong.
#include "api/decode.h"

#include "base/buf.h"
#include "base/id.h"
#include "model/limits.h"

// --- pointers
// --------------------------------------------------------------------------------------

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

static struct str pointer(struct arena *a, const struct where *w, struct str key) {
  struct buf b;
  buf_init(&b, FAULT_POINTER_BYTES * 2);
  put_where(&b, w);
  if (!str_is_none(key)) {
    buf_char(&b, '/');
    put_escaped(&b, key);
  }
  struct str text = arena_dup(a, buf_str(&b));
  buf_fini(&b);
  return text;
}

struct str where_pointer(struct arena *a, const struct where *w, const char *key) {
  return pointer(a, w, str_of(key));
}

// --- values
// ----------------------------------------------------------------------------------------

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

bool token_parse(struct str text, int64_t *out) {
  if (text.len != 16) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < 16; i++) {
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
  *out = (int64_t)value;
  return true;
}

static const char *take_text(struct arena *a, const struct field *f, struct str value,
                             struct str *out) {
  if (json_kind(value) != JSON_STRING) return "must be a string";
  bool nul = false;
  struct str text = json_string(a, value, &nul);
  if (nul) return "must not contain U+0000";
  if (f->kind == FIELD_NAME && !name_is_good(text))
    return "must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -";
  if (f->kind == FIELD_TEXT && (int64_t)text.len < f->min) return "must not be empty";
  if (f->kind == FIELD_TEXT && (int64_t)text.len > f->max) return "is too long";
  *out = text;
  return NULL;
}

static const char *take_int(const struct field *f, struct str value, int64_t *out) {
  int64_t number;
  if (json_kind(value) != JSON_NUMBER) return "must be a number";
  if (!json_integer(value, &number)) return "must be an integer within ±(2^53 − 1)";
  if (number < f->min || number > f->max) return "is out of range";
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

static const char *take_token(struct arena *a, struct str value, int64_t *out) {
  if (json_kind(value) != JSON_STRING) return "must be a string";
  // A token that was never ours holds no lease: that is a lost lease, not a malformed field.
  if (!token_parse(json_string(a, value, NULL), out)) *out = -1;
  return NULL;
}

static const char *take_object(const struct field *f, struct str value, struct str *out) {
  if (json_kind(value) != JSON_OBJECT) return "must be an object";
  if ((int64_t)value.len > f->max) return "is too large";
  *out = value;
  return NULL;
}

// Names may be spelled with escapes; two spellings of one name are one tag.
static const char *take_tag(struct arena *a, struct str key, struct str value, struct str *names,
                            size_t count) {
  static const char *const NUL = "must not contain U+0000";
  bool nul = false;
  if (json_kind(value) != JSON_STRING) return "must have strings as values";
  json_string(a, value, &nul);
  if (nul) return NUL;
  names[count] = json_string(a, (struct str){key.at - 1, key.len + 2}, &nul);  // with its quotes
  if (nul) return NUL;
  if (names[count].len == 0 || names[count].len > LIMIT_NAME_BYTES)
    return "must have names of 1 to 128 bytes";
  for (size_t i = 0; i < count; i++)
    if (str_eq(names[i], names[count])) return "has a name twice";
  return NULL;
}

static const char *take_tags(struct arena *a, const struct field *f, struct str value,
                             struct str *out) {
  const char *wrong = take_object(f, value, out);
  if (wrong) return wrong;
  struct json_walk w = json_walk(value);
  struct str key, member, names[LIMIT_TAGS_COUNT];
  for (size_t count = 0; json_next(&w, &key, &member); count++) {
    if (count == LIMIT_TAGS_COUNT) return "must have at most 32 tags";
    wrong = take_tag(a, key, member, names, count);
    if (wrong) return wrong;
  }
  return NULL;
}

static const char *take_list(struct arena *a, const struct field *f, struct str value,
                             struct names *out) {
  if (json_kind(value) != JSON_ARRAY) return "must be an array of strings";
  bool names = f->kind == FIELD_NAMES;
  size_t max = names ? LIMIT_FILTER_NAMES : (size_t)f->max;
  struct field item = {.kind = names ? FIELD_NAME : FIELD_TEXT, .max = LIMIT_BODY_BYTES_CEILING};
  struct names list = {ARENA_ARRAY(a, struct str, max), 0};
  struct json_walk w = json_walk(value);
  struct str key, member;
  while (json_next(&w, &key, &member)) {
    if (list.count == max) return "has too many elements";
    const char *wrong = take_text(a, &item, member, &list.at[list.count++]);
    if (wrong) return wrong;
  }
  *out = list;
  return NULL;
}

static const char *take_array(struct str value, struct str *out) {
  if (json_kind(value) != JSON_ARRAY) return "must be an array";
  *out = value;
  return NULL;
}

// NULL when the value is good, else what is wrong with it.
static const char *take(struct arena *a, const struct field *f, struct str value, void *at) {
  switch (f->kind) {
  case FIELD_TEXT:
  case FIELD_NAME: return take_text(a, f, value, at);
  case FIELD_INT: return take_int(f, value, at);
  case FIELD_BOOL: return take_bool(value, at);
  case FIELD_ID: return take_id(a, value, at);
  case FIELD_TOKEN: return take_token(a, value, at);
  case FIELD_FRACTION: return take_fraction(value, at);
  case FIELD_OBJECT: return take_object(f, value, at);
  case FIELD_TAGS: return take_tags(a, f, value, at);
  case FIELD_NAMES:
  case FIELD_TEXTS: return take_list(a, f, value, at);
  case FIELD_ARRAY: return take_array(value, at);
  case FIELD_JSON: break;
  }
  *(struct str *)at = value;
  return NULL;
}

// --- objects
// ---------------------------------------------------------------------------------------

struct decoding {
  struct arena *arena;
  struct fields fields;
  const struct where *where;
  char *out;
  uint64_t seen, nulls;
  struct fault *why;
};

static enum err wrong(struct decoding *d, struct str key, const char *sentence) {
  struct str at = pointer(d->arena, d->where, key);
  const struct str shown = key.len > 64 ? (struct str){key.at, 64} : key;
  return fault_field(d->why, arena_cstr(d->arena, at), "%.*s %s", STR_FMT(shown), sentence);
}

static enum err wrong_range(struct decoding *d, const struct field *f) {
  struct str at = pointer(d->arena, d->where, str_of(f->name));
  return fault_field(d->why, arena_cstr(d->arena, at), "%s must be from %lld to %lld", f->name,
                     (long long)f->min, (long long)f->max);
}

static const struct field *find(struct fields fields, struct str key, size_t hint) {
  for (size_t n = 0; n < fields.count; n++) {
    size_t i = (hint + n) % fields.count;  // members mostly come in the table's order
    const struct field *f = &fields.at[i];
    if (f->name[0] == key.at[0] && strlen(f->name) == key.len &&
        memcmp(f->name, key.at, key.len) == 0)
      return f;
  }
  return NULL;
}

static enum err decode_member(struct decoding *d, const struct field *f, struct str value) {
  uint64_t bit = 1ULL << (f - d->fields.at);
  if (d->seen & bit) return wrong(d, str_of(f->name), "is there twice");
  d->seen |= bit;
  if (json_kind(value) == JSON_NULL && f->kind != FIELD_JSON) {
    d->nulls |= bit;
    return f->required ? wrong(d, str_of(f->name), "must not be null") : ERR_OK;
  }
  const char *sentence = take(d->arena, f, value, d->out + f->offset);
  if (sentence == NULL) return ERR_OK;
  if (f->kind == FIELD_INT && json_kind(value) == JSON_NUMBER) {
    int64_t number;
    if (json_integer(value, &number)) return wrong_range(d, f);
  }
  return wrong(d, str_of(f->name), sentence);
}

static struct str nearest(struct fields fields, struct str key) {
  struct str best = STR_NONE;
  size_t distance = 3;
  for (size_t i = 0; i < fields.count; i++) {
    size_t d = str_distance(key, str_of(fields.at[i].name));
    if (d < distance) {
      distance = d;
      best = str_of(fields.at[i].name);
    }
  }
  return best;
}

static enum err unknown(struct decoding *d, struct str key) {
  struct str near = nearest(d->fields, key);
  if (str_is_none(near)) return wrong(d, key, "is not a field of this request");
  return wrong(
      d, key,
      arena_printf(d->arena, "is not a field of this request; did you mean %.*s?", STR_FMT(near))
          .at);
}

static enum err check_required(struct decoding *d) {
  enum err err = ERR_OK;
  for (size_t i = 0; i < d->fields.count; i++) {
    if (d->fields.at[i].required && !(d->seen & 1ULL << i))
      err = wrong(d, str_of(d->fields.at[i].name), "is missing");
  }
  return err;
}

enum err decode_object(struct arena *a, struct str json, struct fields fields,
                       const struct where *where, void *out, uint64_t *seen, uint64_t *nulls,
                       struct fault *why) {
  struct decoding d = {.arena = a, .fields = fields, .where = where, .out = out, .why = why};
  if (json_kind(json) != JSON_OBJECT) {
    struct str at = pointer(a, where, STR_NONE);
    return fault_field(why, at.len ? arena_cstr(a, at) : "", "must be an object");
  }
  enum err err = ERR_OK;
  size_t hint = 0;
  struct json_walk w = json_walk(json);
  struct str key, value;
  while (json_next(&w, &key, &value)) {
    const struct field *f = key.len && fields.count ? find(fields, key, hint) : NULL;
    enum err one = f ? decode_member(&d, f, value) : unknown(&d, key);
    if (one != ERR_OK) err = one;
    if (f) hint = (size_t)(f - fields.at) + 1;
  }
  enum err missing = check_required(&d);
  if (seen) *seen = d.seen;
  if (nulls) *nulls = d.nulls;
  return err != ERR_OK ? err : missing;
}
