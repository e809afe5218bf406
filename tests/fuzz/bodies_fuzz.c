// bodies_fuzz.c: JSON to the inputs of requests, by the tables of bodies.c.
//
// The first byte chooses the table. What must hold: what is accepted keeps the rules of its rows;
// what is refused is named by a pointer and a sentence; members may come in any order; a member
// that the table does not know is refused, unless the table is open.
#include "fuzz.h"

#include "api/bodies_testing.h"
#include "base/utf8.h"

// What a body was decoded to.
struct decoded {
  void *out;
  uint64_t seen, nulls;
  enum err err;
  struct fault why;
};

static struct decoded decode(struct arena *a, size_t which, struct str json) {
  struct decoded d = {.out = mem_zero(TABLES[which].bytes)};
  d.err =
      decode_object(a, json, TABLES[which].body->fields, NULL, d.out, &d.seen, &d.nulls, &d.why);
  return d;
}

static bool is_text(struct str s) {
  const char *end = s.at + s.len;
  for (const char *at = s.at; at < end;) {
    size_t length = *at ? utf8_length(at, end) : 0;
    if (length == 0) return false;
    at += length;
  }
  return true;
}

static bool is_kind(struct str json, enum json_kind kind) {
  struct json_error error;
  struct str value;
  return json_check(json, &value, &error) && str_eq(json, value) && json_kind(json) == kind;
}

static void check_texts(const struct field *f, const struct names *names) {
  HOLDS((int64_t)names->count <= f->max, "%s has at most its number of elements", f->name);
  for (size_t i = 0; i < names->count; i++)
    HOLDS(f->kind == FIELD_NAMES ? name_is_good(names->at[i]) : is_text(names->at[i]),
          "an element of %s is a name or text", f->name);
}

static void check_value(const struct field *f, const void *at) {
  struct json_error error;
  struct str text, ignored;
  int64_t number;
  switch (f->kind) {
  case FIELD_TEXT:
    memcpy(&text, at, sizeof text);
    HOLDS(is_text(text) && (int64_t)text.len >= f->min && (int64_t)text.len <= f->max, "%s is text",
          f->name);
    break;
  case FIELD_NAME:
    memcpy(&text, at, sizeof text);
    HOLDS(name_is_good(text), "%s is a name", f->name);
    break;
  case FIELD_INT:
    memcpy(&number, at, sizeof number);
    HOLDS(number >= f->min && number <= f->max, "%s is in its range", f->name);
    break;
  case FIELD_FRACTION:
    memcpy(&number, at, sizeof number);
    HOLDS(number >= 0 && number <= 100, "%s is a share", f->name);
    break;
  case FIELD_TOKEN:
    memcpy(&number, at, sizeof number);
    HOLDS(number != 0, "%s names a lease, if only one that was never ours", f->name);
    break;
  case FIELD_ID: HOLDS(!id_is_none(*(const struct id *)at), "%s is an id", f->name); break;
  case FIELD_OBJECT:
  case FIELD_TAGS:
    memcpy(&text, at, sizeof text);
    HOLDS(is_kind(text, JSON_OBJECT) && (int64_t)text.len <= f->max, "%s is an object", f->name);
    break;
  case FIELD_ARRAY:
    memcpy(&text, at, sizeof text);
    HOLDS(is_kind(text, JSON_ARRAY), "%s is an array", f->name);
    break;
  case FIELD_JSON:
    memcpy(&text, at, sizeof text);
    HOLDS(json_check(text, &ignored, &error) && str_eq(text, ignored), "%s is JSON", f->name);
    break;
  case FIELD_NAMES:
  case FIELD_TEXTS: check_texts(f, at); break;
  case FIELD_BOOL: HOLDS(*(const uint8_t *)at <= 1, "%s is true or false", f->name); break;
  }
}

static void check_accepted(const struct fields *fields, const struct decoded *d) {
  for (size_t i = 0; i < fields->count; i++) {
    const struct field *f = &fields->at[i];
    bool came = d->seen & 1ULL << i, null = d->nulls & 1ULL << i;
    HOLDS(!null || came, "what is null came");
    HOLDS(!f->required || (came && !null), "%s is there, which is required", f->name);
    if (came && !null) check_value(f, (const char *)d->out + f->offset);
  }
}

// RFC 6901: a slash before each step, and ~ only as ~0 or ~1.
static void check_refused(const struct decoded *d) {
  HOLDS(d->err == ERR_INVALID && d->why.err == ERR_INVALID, "a wrong body is invalid_fields");
  HOLDS(d->why.field_count > 0 && d->why.detail[0], "a refusal names a field");
  HOLDS(d->why.field_count <= FAULT_FIELDS_MAX, "faults are bounded");
  for (unsigned i = 0; i < d->why.field_count; i++) {
    const char *pointer = d->why.fields[i].pointer;
    HOLDS(pointer[0] == '\0' || pointer[0] == '/', "a pointer starts with a slash");
    HOLDS(d->why.fields[i].detail[0], "a fault has a sentence");
  }
}

// The members the other way round.
static struct str reversed(struct arena *a, struct str object) {
  struct str key, value, all = STR("");
  struct json_walk w = json_walk(object);
  while (json_next(&w, &key, &value))
    all = arena_printf(a, "%s\"%.*s\":%.*s%s%.*s", "", STR_FMT(key), STR_FMT(value),
                       all.len ? "," : "", STR_FMT(all));
  return arena_printf(a, "{%.*s}", STR_FMT(all));
}

static void check_order(struct arena *a, size_t which, struct str object, const struct decoded *d) {
  struct decoded other = decode(a, which, reversed(a, object));
  HOLDS((other.err == ERR_OK) == (d->err == ERR_OK), "members may come in any order");
  if (d->err == ERR_OK)
    HOLDS(other.seen == d->seen && other.nulls == d->nulls, "and mean the same");
  mem_free(other.out);
}

static void check_stranger(struct arena *a, size_t which, struct str object) {
  struct str inner = {object.at + 1, object.len - 2};
  bool empty =
      !json_next(&(struct json_walk[]){json_walk(object)}[0], &(struct str){0}, &(struct str){0});
  struct str with = arena_printf(a, "{\"a stranger\":1%s%.*s}", empty ? "" : ",", STR_FMT(inner));
  struct decoded d = decode(a, which, with);
  bool open = TABLES[which].body->fields.open;
  HOLDS((d.err == ERR_OK) == open, "a field that is not of the table is refused, but by open ones");
  if (!open) HOLDS(strcmp(d.why.fields[0].pointer, "/a stranger") == 0, "it is named");
  mem_free(d.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct dice dice = dice_of(data, size);
  size_t which = dice_below(&dice, TABLE_COUNT);
  struct str text = dice_rest(&dice), value;
  struct json_error error;
  if (text.len > 1 << 16 || !json_check(text, &value, &error)) return 0;
  struct str exact = exact_copy(value);
  struct arena a;
  arena_init(&a, 4096);
  struct decoded d = decode(&a, which, exact);
  if (d.err == ERR_OK)
    check_accepted(&TABLES[which].body->fields, &d);
  else
    check_refused(&d);
  if (json_kind(exact) == JSON_OBJECT) check_order(&a, which, exact, &d);
  if (d.err == ERR_OK) check_stranger(&a, which, exact);
  mem_free(d.out);
  arena_fini(&a);
  exact_free(exact);
  return 0;
}
