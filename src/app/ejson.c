// ejson.c: extended JSON to plain JSON.
#include "app/ejson.h"

#include "app/moment.h"
#include "base/json.h"

// The only member of an object, if it has one whose name begins with a dollar.
static bool typed(struct str object, struct str *name, struct str *value) {
  struct json_walk w = json_walk(object);
  struct str more;
  if (!json_next(&w, name, value) || !str_starts(*name, STR("$"))) return false;
  struct str ignored;
  return !json_next(&w, &more, &ignored);
}

// What stands between the quotes. Typed values are ASCII without escapes; others fit no type.
static struct str inner(struct str string) { return (struct str){string.at + 1, string.len - 2}; }

static bool put_number(struct buf *out, struct str value) {
  if (json_kind(value) == JSON_NUMBER) {
    buf_put(out, value);
    return true;
  }
  if (json_kind(value) != JSON_STRING) return false;
  struct str number;
  struct json_error error;
  bool good = json_check(inner(value), &number, &error) && json_kind(number) == JSON_NUMBER;
  buf_put(out, good ? number : value);
  return true;
}

static bool put_moment(struct buf *out, struct str value) {
  int64_t ms;
  if (json_kind(value) == JSON_STRING) {
    buf_put(out, value);
    return true;
  }
  struct str name = STR_NONE, number = value;
  if (json_kind(value) == JSON_OBJECT && !typed(value, &name, &number)) return false;
  if (json_kind(number) == JSON_STRING) number = inner(number);
  if (!str_to_i64(number, &ms)) return false;
  buf_char(out, '"');
  moment_show(ms, out);
  buf_char(out, '"');
  return true;
}

static bool put_typed(struct buf *out, struct str object) {
  struct str name, value;
  if (!typed(object, &name, &value)) return false;
  if (str_eq(name, STR("$date"))) return put_moment(out, value);
  if (str_starts(name, STR("$number"))) return put_number(out, value);
  if (!str_eq(name, STR("$oid")) || json_kind(value) != JSON_STRING) return false;
  buf_put(out, value);
  return true;
}

// As deep as json_check lets JSON nest.
static void put_all(struct buf *out, struct str value, bool object) {
  struct json_walk w = json_walk(value);
  struct str key, member;
  buf_char(out, object ? '{' : '[');
  for (bool first = true; json_next(&w, &key, &member); first = false) {
    if (!first) buf_char(out, ',');
    if (object) {
      buf_char(out, '"');
      buf_put(out, key);
      BUF_LIT(out, "\":");
    }
    ejson_plain(out, member);
  }
  buf_char(out, object ? '}' : ']');
}

void ejson_plain(struct buf *out, struct str value) {
  enum json_kind kind = json_kind(value);
  if (kind == JSON_OBJECT && put_typed(out, value)) return;
  if (kind == JSON_OBJECT || kind == JSON_ARRAY)
    put_all(out, value, kind == JSON_OBJECT);
  else
    buf_put(out, value);
}
