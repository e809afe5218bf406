// repository_view.c: tasks as the task repository service's clients look for them.
//
// A task that was created with the document's body has that body as its payload. Its members stand
// in the answers again, as they came, beside ours.
#include "api/doors/repository.h"
#include "api/doors/words.h"

#include <stdlib.h>

// What an answer itself says, and what we say of the task: the payload's own of that name are left
// out.
static const char ANSWER_NAMES[] =
    "success task tasks count deduplicated _id task_id task_type status priority processor_id "
    "results error";
// The same of an object of a list, which is a task of the canonical API.
static const char LISTED_NAMES[] =
    "_id task_id task_type processor_id id type name description status waitingFor queue priority "
    "payload result error progress currentStep currentStepDescription attempt maxAttempts version "
    "tags metadata tenantId projectId subject sessionKey cost parentId dependsOn concurrencyKey "
    "uniqueKey callbackUrl workerId claimedAt leaseExpiresAt cancelRequested runAt expiresAt "
    "createdAt updatedAt startedAt completedAt resultHandling revision leaseToken";

static bool is_one_of(struct str name, const char *names) {
  struct str left = str_of(names);
  while (!str_is_none(left))
    if (str_eq(str_cut(&left, ' '), name)) return true;
  return false;
}

// A name may be spelled with escapes; readers take that for the same name, and the later of two.
static void put_payload_members(struct call *c, struct buf *b, struct str payload,
                                const char *taken) {
  struct json_walk w = json_walk(payload);
  struct str key, value;
  while (json_next(&w, &key, &value)) {
    if (is_one_of(json_name(c->arena, key, NULL), taken)) continue;
    BUF_LIT(b, ",\"");
    buf_put(b, key);
    BUF_LIT(b, "\":");
    buf_put(b, value);
  }
}

// Of a claim that is bound to a key, what stands behind the key.
static struct str processor_of(const struct task *task) {
  if (!engine_worker_reserved(task->worker)) return task->worker;
  size_t slash = str_find(task->worker, '/');
  return slash < task->worker.len ? str_from(task->worker, slash + 1) : task->worker;
}

static void put_names(struct buf *b, const struct task *task) {
  BUF_LIT(b, ",\"_id\":");
  put_id(b, task->id);
  BUF_LIT(b, ",\"task_id\":");
  put_id(b, task->id);
  BUF_LIT(b, ",\"task_type\":");
  buf_json_str(b, task->type);
  BUF_LIT(b, ",\"processor_id\":");
  put_text_or_null(b, processor_of(task));
}

void repository_put_created(struct buf *b, const struct task *task) {
  BUF_LIT(b, ",\"task_id\":");
  put_id(b, task->id);
}

void repository_put_members(struct call *c, struct buf *b, const struct task *task) {
  put_names(b, task);
  BUF_LIT(b, ",\"status\":");
  buf_json_str(b, door_word(DIALECT_REPOSITORY, task->status));
  BUF_LIT(b, ",\"priority\":");
  buf_i64(b, repository_priority(task->priority));
  BUF_LIT(b, ",\"results\":");
  put_json_or_null(b, task->result);
  BUF_LIT(b, ",\"error\":");
  put_text_or_null(b, task->error_message);
  if (repository_is_task(task->payload)) put_payload_members(c, b, task->payload, ANSWER_NAMES);
}

// --- counts --------------------------------------------------------------------------------------

// How many tasks have this word of ours; several statuses may share it.
static int64_t count_of(const struct tally *sum, enum task_status first) {
  struct str word = door_word(DIALECT_REPOSITORY, first);
  int64_t count = 0;
  for (int i = 0; i < TASK_STATUS_COUNT; i++)
    if (str_eq(door_word(DIALECT_REPOSITORY, (enum task_status)i), word)) count += sum->count[i];
  return count;
}

static void put_statuses(struct buf *b, const struct tally *sum) {
  unsigned told = 0;  // statuses whose word was written
  for (int i = 0; i < TASK_STATUS_COUNT; i++) {
    struct str word = door_word(DIALECT_REPOSITORY, (enum task_status)i);
    if (told >> i & 1) continue;
    if (told) buf_char(b, ',');
    buf_json_str(b, word);
    buf_printf(b, ":%lld", (long long)count_of(sum, (enum task_status)i));
    told |= door_statuses(DIALECT_REPOSITORY, word);
  }
}

static int by_type(const void *a, const void *b) {
  return str_compare(((const struct tally *)a)->type, ((const struct tally *)b)->type);
}

// A type may have tasks in several queues.
static void put_types(struct buf *b, struct tally *tallies, size_t count) {
  if (count) qsort(tallies, count, sizeof *tallies, by_type);
  for (size_t i = 0; i < count;) {
    struct str type = tallies[i].type;
    int64_t sum = 0;
    if (i) buf_char(b, ',');
    for (; i < count && str_eq(tallies[i].type, type); i++) sum += tally_total(&tallies[i]);
    buf_json_str(b, type);
    buf_printf(b, ":%lld", (long long)sum);
  }
}

int repository_put_stats(struct buf *b, struct tally *tallies, size_t count) {
  struct tally sum = {0};
  for (size_t i = 0; i < count; i++) tally_add(&sum, &tallies[i]);
  buf_printf(b, "{\"success\":true,\"total_tasks\":%lld,\"status_distribution\":{",
             (long long)tally_total(&sum));
  put_statuses(b, &sum);
  BUF_LIT(b, "},\"type_distribution\":{");
  put_types(b, tallies, count);
  BUF_LIT(b, "}}");
  return 200;
}

// --- lists ---------------------------------------------------------------------------------------

void repository_put_listed(struct call *c, struct buf *b, const struct encode_context *x,
                           const struct task *task, unsigned parts) {
  bool ours = !repository_is_task(task->payload);
  encode_task(b, x, task, parts | ENCODE_OPEN | (ours ? ENCODE_PAYLOAD : 0));
  put_names(b, task);
  if (!ours) put_payload_members(c, b, task->payload, LISTED_NAMES);
  buf_char(b, '}');
}
