// members.c: reads the members of a JSON object whose names must not repeat.
#include "api/members.h"

struct str members_find(const struct members *m, struct str name) {
  for (size_t i = 0; i < m->count; i++)
    if (str_eq(m->at[i].name, name)) return m->at[i].value;
  return STR_NONE;
}

bool members_read(struct arena *a, struct str value, size_t count_max, struct members *out) {
  if (json_kind(value) != JSON_OBJECT) return false;
  struct members m = {.at = ARENA_ARRAY(a, struct member, count_max)};
  struct json_walk walk = json_walk(value);
  struct str raw, member;
  while (json_next(&walk, &raw, &member)) {
    struct str name = json_name(a, raw, NULL);
    if (m.count == count_max || !str_is_none(members_find(&m, name))) return false;
    m.at[m.count++] = (struct member){name, member};
  }
  *out = m;
  return true;
}

bool members_text(struct arena *a, const struct members *m, struct str name, size_t bytes_max,
                  struct str *out) {
  struct str value = members_find(m, name);
  if (str_is_none(value)) return true;
  if (json_kind(value) != JSON_STRING) return false;
  struct str text = json_string(a, value, NULL);
  if (text.len > bytes_max) return false;
  *out = text;
  return true;
}
