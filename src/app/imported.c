// imported.c: documents of the task repository service, as tasks.
#include "app/imported.h"

#include "app/remote.h"
#include "base/json.h"
#include "model/limits.h"

#include <inttypes.h>

enum { PRIORITY_MIDDLE = 5 };  // of 1 to 10, lower first; our 0

static const struct {
  struct str word;
  enum imported_kind kind;
} STATUSES[] = {
    {STR("pending"), IMPORTED_PENDING},     {STR("processing"), IMPORTED_PROCESSING},
    {STR("completed"), IMPORTED_COMPLETED}, {STR("failed"), IMPORTED_FAILED},
    {STR("cancelled"), IMPORTED_CANCELLED}, {STR("canceled"), IMPORTED_CANCELLED},
};
enum { STATUS_COUNT = sizeof STATUSES / sizeof *STATUSES };

bool imported_has_ended(const struct imported *doc) {
  return doc->kind == IMPORTED_COMPLETED || doc->kind == IMPORTED_FAILED ||
         doc->kind == IMPORTED_CANCELLED;
}

struct str imported_word(enum imported_kind kind) {
  for (size_t i = 0; i < STATUS_COUNT; i++)
    if (STATUSES[i].kind == kind) return STATUSES[i].word;
  return STR("no document");
}

// A document without a status is a new one.
static bool read_status(struct arena *a, struct imported *doc) {
  doc->status = reply_text(a, doc->json, "status");
  if (str_is_none(reply_raw(doc->json, "status"))) doc->status = STATUSES[0].word;
  for (size_t i = 0; i < STATUS_COUNT; i++) {
    if (!str_eq(STATUSES[i].word, doc->status)) continue;
    doc->kind = STATUSES[i].kind;
    return true;
  }
  return false;
}

// An ObjectId has become a text; a number is as good.
static struct str read_id(struct arena *a, struct str json) {
  struct str id = reply_raw(json, "_id");
  if (str_is_none(id)) return STR_NONE;
  if (json_kind(id) == JSON_STRING) return json_string(a, id, NULL);
  return json_kind(id) == JSON_NUMBER ? id : STR_NONE;
}

static bool read_priority(struct imported *doc) {
  struct str value = reply_raw(doc->json, "priority");
  int64_t number = PRIORITY_MIDDLE;
  if (!str_is_none(value) && (json_kind(value) != JSON_NUMBER || !json_integer(value, &number)))
    return false;
  doc->priority = PRIORITY_MIDDLE - number;
  return number >= 1 && number <= 10;
}

static struct str read_object(struct str json, const char *key) {
  struct str value = reply_raw(json, key);
  return !str_is_none(value) && json_kind(value) == JSON_OBJECT ? value : STR_NONE;
}

static void read_ends(struct arena *a, struct imported *doc) {
  doc->results = reply_raw(doc->json, "results");
  struct str error = reply_raw(doc->json, "error");
  if (str_is_none(error)) return;
  doc->error = json_kind(error) == JSON_STRING ? json_string(a, error, NULL) : error;
  if (doc->error.len > LIMIT_TEXT_BYTES) doc->error = STR("see the error of the payload");
}

const char *imported_read(struct arena *a, struct str json, bool history, struct imported *out) {
  if (json_kind(json) != JSON_OBJECT) return "is no JSON object";
  struct imported doc = {.kind = IMPORTED_KINDS, .json = json};
  doc.id = read_id(a, json);
  if (str_is_none(doc.id) || doc.id.len == 0)
    return "has no _id that is an ObjectId, text or number";
  out->id = doc.id;
  doc.type = reply_text(a, json, "task_type");
  if (str_is_none(doc.type)) return "has no task_type";
  if (!read_status(a, &doc)) return "has a status that is none of this collection";
  if (!read_priority(&doc)) return "has a priority that is no integer from 1 to 10";
  doc.tags = read_object(json, "tags");
  doc.metadata = read_object(json, "metadata");
  doc.tenant = reply_text(a, json, "tenant_id");
  doc.batch = reply_text(a, json, "batch_id");
  if (!str_is_none(doc.tags)) doc.service = reply_text(a, doc.tags, "service");
  read_ends(a, &doc);
  doc.history = history && imported_has_ended(&doc);
  *out = doc;
  return NULL;
}

static void put_text(struct buf *out, const char *key, struct str text) {
  if (str_is_none(text) || text.len == 0) return;
  buf_printf(out, ",\"%s\":", key);
  buf_json_str(out, text);
}

// Only texts can be tags; all of them stay in the payload.
static void put_tags(struct buf *out, struct str tags) {
  if (str_is_none(tags)) return;
  struct json_walk w = json_walk(tags);
  struct str key, value;
  bool first = true;
  BUF_LIT(out, ",\"tags\":{");
  while (json_next(&w, &key, &value)) {
    if (json_kind(value) != JSON_STRING) continue;
    buf_printf(out, "%s\"%.*s\":%.*s", first ? "" : ",", STR_FMT(key), STR_FMT(value));
    first = false;
  }
  buf_char(out, '}');
}

void imported_put_task(const struct imported *doc, struct buf *out) {
  BUF_LIT(out, "{\"type\":");
  if (doc->history) {
    // No worker that asks for the type gets what has ended long ago.
    struct buf type;
    buf_init(&type, doc->type.len + 16);
    BUF_LIT(&type, "history/");
    buf_put(&type, doc->type);
    buf_json_str(out, buf_str(&type));
    buf_fini(&type);
  } else {
    buf_json_str(out, doc->type);
  }
  put_text(out, "uniqueKey", doc->id);
  buf_printf(out, ",\"priority\":%" PRId64, doc->priority);
  put_text(out, "projectId", doc->tenant);
  put_text(out, "subject", doc->batch);
  put_tags(out, doc->tags);
  if (!str_is_none(doc->metadata)) {
    BUF_LIT(out, ",\"metadata\":");
    buf_put(out, doc->metadata);
  }
  if (doc->history && doc->kind == IMPORTED_CANCELLED) BUF_LIT(out, ",\"autoStart\":false");
  BUF_LIT(out, ",\"payload\":");
  buf_put(out, doc->json);
  buf_char(out, '}');
}

void imported_put_end(const struct imported *doc, struct str lease_token, struct buf *out) {
  BUF_LIT(out, "{\"leaseToken\":");
  buf_json_str(out, lease_token);
  if (doc->kind == IMPORTED_COMPLETED) {
    BUF_LIT(out, ",\"result\":");
    buf_put(out, str_is_none(doc->results) ? STR("null") : doc->results);
  } else {
    BUF_LIT(out, ",\"retry\":false,\"error\":");
    buf_json_str(out, str_is_none(doc->error) ? STR("failed") : doc->error);
  }
  buf_char(out, '}');
}
