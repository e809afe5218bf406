// claim.c: reads a claimed task from the server's answer.
#include "worker/claim.h"

#include "base/json.h"

static struct str member(struct str object, struct str name) {
  struct str key, value;
  struct json_walk members = json_walk(object);
  while (json_next(&members, &key, &value))
    if (str_eq(key, name)) return value;
  return STR_NONE;
}

static struct str member_text(struct arena *a, struct str object, struct str name) {
  struct str value = member(object, name);
  if (str_is_none(value) || json_kind(value) != JSON_STRING) return STR_NONE;
  return json_string(a, value, NULL);
}

static int64_t member_i64(struct str object, struct str name) {
  struct str value = member(object, name);
  int64_t number = 0;
  if (str_is_none(value) || json_kind(value) != JSON_NUMBER) return 0;
  return json_integer(value, &number) ? number : 0;
}

static bool task_read(struct arena *a, struct str task, struct claim *out) {
  if (json_kind(task) != JSON_OBJECT) return false;
  struct claim c = {
      .id = member_text(a, task, STR("id")),
      .type = member_text(a, task, STR("type")),
      .queue = member_text(a, task, STR("queue")),
      .worker = member_text(a, task, STR("workerId")),
      .token = member_text(a, task, STR("leaseToken")),
      .name = member_text(a, task, STR("name")),
      .session = member_text(a, task, STR("sessionKey")),
      .payload = member(task, STR("payload")),
      .attempt = member_i64(task, STR("attempt")),
      .attempts_max = member_i64(task, STR("maxAttempts")),
  };
  // Both times are the server's, so its clock may differ from ours.
  c.lease_ms = member_i64(task, STR("leaseExpiresAt")) - member_i64(task, STR("claimedAt"));
  if (str_is_none(c.id) || str_is_none(c.token) || c.lease_ms <= 0) return false;
  if (str_is_none(c.payload)) c.payload = STR("null");
  *out = c;
  return true;
}

bool claim_read(struct arena *a, struct str answer, struct claim *out, bool *valid) {
  struct str document, key, first;
  struct json_error error;
  *valid = false;
  if (!json_check(answer, &document, &error) || json_kind(document) != JSON_OBJECT) return false;
  struct str tasks = member(document, STR("tasks"));
  if (str_is_none(tasks) || json_kind(tasks) != JSON_ARRAY) return false;
  *valid = true;
  struct json_walk elements = json_walk(tasks);
  if (!json_next(&elements, &key, &first)) return false;
  *valid = task_read(a, first, out);
  return *valid;
}
