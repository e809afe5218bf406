// demo_payload.c: what the demo tasks take from their payloads.
#include "worker/demo_payload.h"

#include "base/json.h"

#include <stddef.h>

enum member_kind { MEMBER_TEXT, MEMBER_NUMBER, MEMBER_JSON, MEMBER_ITEMS };

static const struct member {
  struct str name;
  enum member_kind kind;
  size_t offset;    // in struct demo_payload
  int64_t max;      // of a number
  const char *why;  // what is wrong when it is not as it must be
} members[] = {
#define MEMBER(name, kind, field, max, why)                                                        \
  { {(name), sizeof(name) - 1}, kind, offsetof(struct demo_payload, field), max, why }
    MEMBER("delayMs", MEMBER_NUMBER, delay_ms, DEMO_DELAY_MS_MAX,
           "delayMs must be a whole number from 0 to 600000"),
    MEMBER("delayMinSec", MEMBER_NUMBER, min_s, DEMO_DELAY_S_MAX,
           "delayMinSec must be a whole number from 0 to 600"),
    MEMBER("delayMaxSec", MEMBER_NUMBER, max_s, DEMO_DELAY_S_MAX,
           "delayMaxSec must be a whole number from 0 to 600"),
    MEMBER("description", MEMBER_TEXT, description, 0, "description must be a string"),
    MEMBER("filePath", MEMBER_TEXT, file_path, 0, "filePath must be a string that is not empty"),
    MEMBER("fileSize", MEMBER_NUMBER, file_size, INT64_MAX,
           "fileSize must be a whole number of bytes"),
    MEMBER("endpoint", MEMBER_TEXT, endpoint, 0, "endpoint must be a string that is not empty"),
    MEMBER("data", MEMBER_JSON, data, 0, ""),
    MEMBER("message", MEMBER_JSON, message, 0, ""),
    MEMBER("items", MEMBER_ITEMS, items, 0, "items must be an array of at most 1000 elements"),
#undef MEMBER
};

static int64_t count_of(struct str array) {
  int64_t count = 0;
  struct str key, element;
  struct json_walk elements = json_walk(array);
  while (json_next(&elements, &key, &element)) count++;
  return count;
}

static bool take_text(struct arena *a, struct str value, bool may_be_empty, struct str *out) {
  if (json_kind(value) != JSON_STRING) return false;
  *out = json_string(a, value, NULL);
  return out->len > 0 || may_be_empty;
}

static bool take_number(struct str value, int64_t max, int64_t *out) {
  return json_kind(value) == JSON_NUMBER && json_integer(value, out) && *out >= 0 && *out <= max;
}

static bool take_items(struct str value, struct demo_payload *out) {
  if (json_kind(value) != JSON_ARRAY) return false;
  out->items = value;
  out->item_count = count_of(value);
  return out->item_count <= DEMO_ITEMS_MAX;
}

static bool take(struct arena *a, const struct member *m, struct str value,
                 struct demo_payload *out) {
  void *field = (char *)out + m->offset;
  bool may_be_empty = m->offset == offsetof(struct demo_payload, description);
  switch (m->kind) {
  case MEMBER_TEXT: return take_text(a, value, may_be_empty, field);
  case MEMBER_NUMBER: return take_number(value, m->max, field);
  case MEMBER_ITEMS: return take_items(value, out);
  case MEMBER_JSON: *(struct str *)field = value; return true;
  }
  return false;
}

static const struct member *member_find(struct str name) {
  for (size_t i = 0; i < sizeof members / sizeof *members; i++)
    if (str_eq(name, members[i].name)) return &members[i];
  return NULL;
}

bool demo_payload_read(struct arena *a, struct str payload, struct demo_payload *out,
                       const char **why) {
  struct str document, key, value;
  struct json_error error;
  *out = (struct demo_payload){.delay_ms = -1,
                               .min_s = -1,
                               .max_s = -1,
                               .file_size = -1,
                               .data = STR("null"),
                               .message = STR("null")};
  if (!json_check(payload, &document, &error) || json_kind(document) == JSON_NULL) return true;
  *why = "the payload must be an object";
  if (json_kind(document) != JSON_OBJECT) return false;
  struct json_walk walk = json_walk(document);
  while (json_next(&walk, &key, &value)) {
    const struct member *m = member_find(key);
    if (!m || json_kind(value) == JSON_NULL) continue;
    *why = m->why;
    if (!take(a, m, value, out)) return false;
  }
  return true;
}
