// bodies.c: the fields of every request body: the decoder, openapi.json and docs/api.md read these
// rows.
#include "api/inputs.h"

#include "api/call.h"

#define ROW(name, kind, required, min, max, type, member, meaning)                                 \
  { name, FIELD_##kind, required, min, max, offsetof(struct type, member), meaning }

#define TIME_MAX ((1LL << 53) - 1)

static const struct field CREATE[] = {
#define F(name, kind, min, max, member, meaning)                                                   \
  ROW(name, kind, false, min, max, create_input, member, meaning)
    ROW("type", NAME, true, 1, LIMIT_NAME_BYTES, create_input, type,
        "what kind of work it is; workers claim by it"),
    F("payload", JSON, 0, 0, payload, "the worker's input, kept byte for byte"),
    F("name", TEXT, 0, LIMIT_TITLE_BYTES, name, "for people"),
    F("description", TEXT, 0, LIMIT_TEXT_BYTES, description, "for people"),
    F("queue", NAME, 1, LIMIT_NAME_BYTES, queue, "default: the type's, else \"default\""),
    F("priority", INT, -LIMIT_PRIORITY, LIMIT_PRIORITY, priority, "higher first; default 0"),
    F("runAt", INT, 0, TIME_MAX, run_at, "not before this time, ms"),
    F("delayMs", INT, 0, LIMIT_DELAY_MS, delay_ms, "not before this long from now; excludes runAt"),
    F("maxAttempts", INT, 1, LIMIT_ATTEMPTS, attempts_max, "default: the type's, else 3"),
    F("backoff", JSON, 0, 0, backoff,
      "{type, delayMs, maxDelayMs, jitter}: the wait between attempts"),
    F("leaseMs", INT, LIMIT_LEASE_MS_MIN, LIMIT_LEASE_MS, lease_ms,
      "how long a worker may be silent; default: the type's, else 30 s"),
    F("timeoutMs", INT, 0, LIMIT_DELAY_MS, timeout_ms, "longest attempt; 0: for ever"),
    F("expiresAt", INT, 1, TIME_MAX, expires_at, "cancelled if still pending then, ms"),
    F("version", INT, -TIME_MAX, TIME_MAX, version, "a number of your own, kept with the task"),
    F("tags", TAGS, 0, LIMIT_TAGS_BYTES, tags, "an object of strings; lists filter by tag.NAME"),
    F("metadata", OBJECT, 0, LIMIT_METADATA_BYTES, metadata, "an object of your own"),
    F("projectId", TEXT, 1, LIMIT_REFERENCE_BYTES, project, "a reference of your own"),
    F("subject", TEXT, 1, LIMIT_REFERENCE_BYTES, subject, "what the task is about"),
    F("uniqueKey", TEXT, 1, LIMIT_REFERENCE_BYTES, unique_key,
      "at most one task has it; a second create answers with the first one"),
    F("autoStart", BOOL, 0, 0, auto_start, "false: waits for POST /tasks/{id}/start"),
#undef F
};

static const struct field EDIT[] = {
#define F(name, kind, min, max, member, meaning)                                                   \
  ROW(name, kind, false, min, max, edit_body, member, meaning)
    F("priority", INT, -LIMIT_PRIORITY, LIMIT_PRIORITY, priority, "higher first"),
    F("tags", TAGS, 0, LIMIT_TAGS_BYTES, tags, "replaces all tags; null removes them"),
    F("metadata", OBJECT, 0, LIMIT_METADATA_BYTES, metadata, "replaces it; null removes it"),
    F("runAt", INT, 0, TIME_MAX, run_at, "null: at once"),
    F("expiresAt", INT, 1, TIME_MAX, expires_at, "null: never"),
#undef F
};

static const struct field CANCEL[] = {
    ROW("reason", TEXT, false, 0, LIMIT_TEXT_BYTES, cancel_body, reason, "kept in the event"),
    ROW("graceMs", INT, false, 0, 600000, cancel_body, grace_ms,
        "how long the worker of a running task may take to stop; default 10 s"),
};

static const struct field CLAIM[] = {
#define F(name, kind, min, max, member, meaning)                                                   \
  ROW(name, kind, false, min, max, claim_body, member, meaning)
    F("types", NAMES, 0, LIMIT_FILTER_NAMES, types, "only these types; none: any"),
    F("queues", NAMES, 0, LIMIT_FILTER_NAMES, queues, "only these queues; none: any"),
    F("workerId", TEXT, 1, LIMIT_NAME_BYTES, worker, "who claims, for people and GET /workers"),
    F("limit", INT, 1, LIMIT_BATCH_ITEMS, limit, "at most so many; default 1"),
    F("leaseMs", INT, LIMIT_LEASE_MS_MIN, LIMIT_LEASE_MS, lease_ms, "default: each task's own"),
    F("waitMs", INT, 0, LIMIT_WAIT_MS, wait_ms, "wait so long when nothing is ready; default 0"),
    F("sessions", BOOL, 0, 0, sessions,
      "true: tasks of sessions, of one session at a time, instead of those that are kept"),
#undef F
};

static const struct field CLAIM_ONE[] = {
    ROW("workerId", TEXT, false, 1, LIMIT_NAME_BYTES, claim_body, worker, "who claims"),
    ROW("leaseMs", INT, false, LIMIT_LEASE_MS_MIN, LIMIT_LEASE_MS, claim_body, lease_ms,
        "default: the task's own; for a service's key at least 30 minutes"),
    ROW("service_id", TEXT, false, 1, LIMIT_NAME_BYTES, claim_body, service,
        "the same as workerId, in the words of the task repository service"),
};

#define W(name, kind, min, max, member, meaning)                                                   \
  ROW(name, kind, false, min, max, worker_body, member, meaning)
#define LEASE_ROW W("leaseToken", TOKEN, 0, 0, token, "from the claim; or as header Lease-Token")

static const struct field STATUS[] = {
    LEASE_ROW,
    ROW("status", TEXT, true, 1, 16, worker_body, text,
        "processing claims the task, completed and failed end it, pending gives it back, cancelled "
        "stops it"),
};

static const struct field HEARTBEAT[] = {LEASE_ROW};

static const struct field PROGRESS[] = {
    LEASE_ROW,
    W("progress", INT, 0, 100, progress, "percent; never goes back within one attempt"),
    W("currentStep", TEXT, 0, LIMIT_NAME_BYTES, step, "what the worker is doing"),
    W("currentStepDescription", TEXT, 0, LIMIT_TEXT_BYTES, step_description,
      "the same, for people"),
};

static const struct field LOGS[] = {
    LEASE_ROW,
    W("lines", TEXTS, 0, LIMIT_LOG_LINES_REQUEST, lines,
      "up to 100 lines; longer ones than 4096 bytes are cut"),
    W("text", TEXT, 0, LIMIT_BODY_BYTES_CEILING, text, "the same as one text, split at line ends"),
};

#define CLAIM_ROW                                                                                  \
  W("claim", JSON, 0, 0, claim, "as the body of POST /claims: claims the next tasks too")

static const struct field COMPLETE[] = {
    LEASE_ROW,
    W("result", JSON, 0, 0, result, "any JSON, kept byte for byte"),
    CLAIM_ROW,
};

static const struct field FAIL[] = {
    LEASE_ROW,
    W("error", JSON, 0, 0, error, "a text, or {code, message, detail}"),
    W("retry", BOOL, 0, 0, retry, "false: no further attempt; default true"),
    W("retryDelayMs", INT, 0, LIMIT_DELAY_MS, retry_delay_ms, "instead of the task's backoff"),
};

static const struct field RELEASE[] = {
    LEASE_ROW,
    W("delayMs", INT, 0, LIMIT_DELAY_MS, delay_ms, "before it is ready again; default 0"),
};

static const struct field COMPLETIONS[] = {
    ROW("items", ARRAY, true, 0, 0, worker_body, items,
        "up to 1,000 of {id, leaseToken, result} or {id, leaseToken, error, retry, retryDelayMs}"),
    CLAIM_ROW,
};

static const struct field COMPLETION_ITEM[] = {
    ROW("id", ID, true, 0, 0, worker_body, id, "the task"),
    ROW("leaseToken", TOKEN, true, 0, 0, worker_body, token, "from the claim"),
    W("result", JSON, 0, 0, result, "any JSON, kept byte for byte"),
    W("error", JSON, 0, 0, error, "a text, or {code, message, detail}; instead of result"),
    W("retry", BOOL, 0, 0, retry, "with error; false: no further attempt"),
    W("retryDelayMs", INT, 0, LIMIT_DELAY_MS, retry_delay_ms, "with error"),
};

static const struct field ERROR[] = {
    ROW("code", NAME, false, 1, LIMIT_NAME_BYTES, error_body, code, "a word; default \"failed\""),
    ROW("message", TEXT, false, 0, LIMIT_TEXT_BYTES, error_body, message, "for people"),
    ROW("detail", JSON, false, 0, 0, error_body, detail, "any JSON of at most 16 KiB"),
};

static const struct field BACKOFF[] = {
    ROW("type", TEXT, false, 1, 16, backoff_input, type, "exponential (default) or fixed"),
    ROW("delayMs", INT, false, 1, LIMIT_DELAY_MS, backoff_input, delay_ms,
        "before the second attempt; default 1000"),
    ROW("maxDelayMs", INT, false, 1, LIMIT_DELAY_MS, backoff_input, max_delay_ms,
        "the longest wait; default 1 h"),
    ROW("jitter", FRACTION, false, 0, 1, backoff_input, jitter,
        "share of the wait that is random, 0 to 1; default 0.2"),
};

static const struct field TYPE[] = {
#define F(name, kind, min, max, member, meaning)                                                   \
  ROW(name, kind, false, min, max, type_body, member, meaning)
    F("queue", NAME, 1, LIMIT_NAME_BYTES, queue, "where its tasks go by default"),
    F("description", TEXT, 0, LIMIT_TEXT_BYTES, description, "for people"),
    F("priority", INT, -LIMIT_PRIORITY, LIMIT_PRIORITY, priority, "default of its tasks"),
    F("maxAttempts", INT, 1, LIMIT_ATTEMPTS, attempts_max, "default of its tasks"),
    F("backoff", JSON, 0, 0, backoff, "{type, delayMs, maxDelayMs, jitter}"),
    F("leaseMs", INT, LIMIT_LEASE_MS_MIN, LIMIT_LEASE_MS, lease_ms, "default of its tasks"),
    F("timeoutMs", INT, 0, LIMIT_DELAY_MS, timeout_ms, "default of its tasks"),
    F("keepCompleted", INT, 0, LIMIT_KEEP_TASKS, keep.completed,
      "completed tasks that are kept, the newest; 0: all; default: the server's"),
    F("keepFailed", INT, 0, LIMIT_KEEP_TASKS, keep.failed,
      "failed and abandoned tasks that are kept, and as many cancelled ones; 0: all"),
    F("keepForMs", INT, 0, LIMIT_KEEP_MS, keep.for_ms,
      "how long a task is kept after its end; 0: for ever"),
    F("keepResult", BOOL, 0, 0, keep_result, "no count takes its tasks away, only keepForMs"),
#undef F
};

static const struct field KEY[] = {
    ROW("name", TEXT, true, 1, LIMIT_NAME_BYTES, key_body, name, "for people"),
    ROW("roles", NAMES, true, 0, ROLE_COUNT, key_body, roles,
        "producer, worker, reader, admin; user opens nothing by a key"),
    ROW("tenant", NAME, false, 1, LIMIT_NAME_BYTES, key_body, tenant,
        "default: your own; only the tenant \"default\" may name another"),
    ROW("service", NAME, false, 1, LIMIT_NAME_BYTES, key_body, service,
        "the microservice whose own key it is"),
    ROW("expiresAt", INT, false, 1, TIME_MAX, key_body, expires_at,
        "opens until then, ms; default: for ever"),
    ROW("expiresInMs", INT, false, 1, LIMIT_KEY_LIFETIME_MS, key_body, lifetime_ms,
        "opens for so long; excludes expiresAt"),
};

static const struct field ROTATE[] = {
    ROW("overlapMs", INT, false, 0, LIMIT_KEY_OVERLAP_MS, rotate_body, overlap_ms,
        "how long the old key opens still, if it does not expire before; default 24 h"),
    ROW("expiresAt", INT, false, 1, TIME_MAX, rotate_body, expires_at,
        "of the new key, ms; default: as long a life as the old one was given"),
    ROW("expiresInMs", INT, false, 1, LIMIT_KEY_LIFETIME_MS, rotate_body, lifetime_ms,
        "the same, from now; excludes expiresAt"),
};

// --- sessions ------------------------------------------------------------------------------------

static const struct field SESSION_TASK[] = {
#define F(name, kind, required, min, max, member, meaning)                                         \
  ROW(name, kind, required, min, max, session_body, member, meaning)
    F("name", TEXT, true, 1, LIMIT_TITLE_BYTES, name, "for people"),
    F("description", TEXT, false, 0, LIMIT_TEXT_BYTES, description, "for people"),
    F("metadata", OBJECT, false, 0, LIMIT_METADATA_BYTES, metadata, "an object of your own"),
    F("type", NAME, false, 1, LIMIT_NAME_BYTES, type,
      "what kind of work it is; workers claim by it; default \"task\""),
    F("payload", JSON, false, 0, 0, payload, "the worker's input, kept byte for byte"),
#undef F
};

#define F(name, kind, required, min, max, member, meaning)                                         \
  ROW(name, kind, required, min, max, demo_body, member, meaning)
#define DESCRIPTION_ROW                                                                            \
  F("description", TEXT, false, 0, LIMIT_TEXT_BYTES, description, "for people")
#define DELAY_ROW                                                                                  \
  F("delayMs", INT, false, 0, LIMIT_DEMO_DELAY_MS, delay_ms,                                       \
    "how long the worker pretends to work; default 5000")

static const struct field DEMO_SAMPLE[] = {DELAY_ROW, DESCRIPTION_ROW};

static const struct field DEMO_FILE[] = {
    F("filePath", TEXT, true, 1, LIMIT_TEXT_BYTES, file_path, "which file it is about"),
    F("fileSize", INT, false, 0, TIME_MAX, file_size, "its bytes"),
    DESCRIPTION_ROW,
    DELAY_ROW,
};

static const struct field DEMO_API[] = {
    F("endpoint", TEXT, true, 1, LIMIT_TEXT_BYTES, endpoint, "what would be called"),
    F("data", JSON, false, 0, 0, data, "what would be sent"),
    DESCRIPTION_ROW,
    DELAY_ROW,
};

static const struct field DEMO_BATCH[] = {
    F("items", ARRAY, true, 0, 0, items, "1 to 1,000 items"),
    DESCRIPTION_ROW,
    DELAY_ROW,
};
#undef F

static const struct field BULL[] = {
    ROW("type", NAME, true, 1, LIMIT_NAME_BYTES, bull_body, type, "what kind of work it is"),
    ROW("payload", JSON, true, 0, 0, bull_body, payload, "the worker's input, kept byte for byte"),
};

static const struct field REPOSITORY[] = {
#define F(name, kind, min, max, member, meaning)                                                   \
  ROW(name, kind, false, min, max, repository_body, member, meaning)
    ROW("task_type", NAME, true, 1, LIMIT_NAME_BYTES, repository_body, type, "the same as type"),
    F("request", JSON, 0, 0, request, "what is to be done: content, metadata"),
    F("template", JSON, 0, 0, template, "how: service_type, parameters"),
    F("tags", OBJECT, 0, LIMIT_BODY_BYTES_CEILING, tags,
      "service, source; strings among them become tags, others stay in the payload"),
    F("priority", INT, 1, 10, priority, "lower first; default 5, which is 0 of ours"),
    F("metadata", OBJECT, 0, LIMIT_METADATA_BYTES, metadata, "an object of your own"),
    F("task_id", TEXT, 1, LIMIT_REFERENCE_BYTES, id, "an id of your own; becomes uniqueKey"),
    F("tenant_id", TEXT, 1, LIMIT_REFERENCE_BYTES, tenant, "becomes projectId"),
    F("batch_id", TEXT, 1, LIMIT_REFERENCE_BYTES, batch, "becomes subject"),
    F("status", TEXT, 0, 16, status, "pending, if it comes at all"),
#undef F
};

static const struct field REPOSITORY_FAILURE[] = {
#define F(name, kind, min, max, member, meaning)                                                   \
  ROW(name, kind, false, min, max, repository_failure, member, meaning)
    F("message", TEXT, 0, LIMIT_TEXT_BYTES, message, "for people"),
    F("error", JSON, 0, 0, error, "instead: a text, or an object with a message"),
    F("retry", BOOL, 0, 0, retry, "true: try again, if attempts are left; default false"),
    F("retryDelayMs", INT, 0, LIMIT_DELAY_MS, retry_delay_ms, "instead of the task's backoff"),
#undef F
};

static const struct field REPOSITORY_ERROR[] = {
    ROW("message", TEXT, false, 0, LIMIT_TEXT_BYTES, repository_failure, message, "for people"),
};

static const struct field JOB[] = {
    ROW("type", NAME, true, 1, LIMIT_NAME_BYTES, job_body, type,
        "what kind of work it is; workers claim by it"),
    ROW("arguments", JSON, false, 0, 0, job_body, arguments,
        "the worker's input, kept byte for byte; shown as meta"),
    ROW("system", BOOL, false, 0, 0, job_body, system,
        "true: of no user, which admins alone may ask for"),
};

static const struct field DUMMY_JOB[] = {
    ROW("delayMinSec", INT, false, 0, LIMIT_DUMMY_SECONDS, dummy_body, min_s,
        "it waits at least so long; default 1"),
    ROW("delayMaxSec", INT, false, 0, LIMIT_DUMMY_SECONDS, dummy_body, max_s,
        "and at most so long; default 5, or delayMinSec if that is more"),
};

#define BODY_TABLE(name, table) const struct body BODY_##name = {#name, FIELDS(table)};
BODY_TABLE(create, CREATE)
BODY_TABLE(edit, EDIT)
BODY_TABLE(cancel, CANCEL)
BODY_TABLE(claim, CLAIM)
BODY_TABLE(claim_one, CLAIM_ONE)
BODY_TABLE(heartbeat, HEARTBEAT)
BODY_TABLE(progress, PROGRESS)
BODY_TABLE(logs, LOGS)
BODY_TABLE(complete, COMPLETE)
BODY_TABLE(fail, FAIL)
BODY_TABLE(release, RELEASE)
BODY_TABLE(completions, COMPLETIONS)
BODY_TABLE(completion_item, COMPLETION_ITEM)
BODY_TABLE(error, ERROR)
BODY_TABLE(backoff, BACKOFF)
BODY_TABLE(type, TYPE)
BODY_TABLE(key, KEY)
BODY_TABLE(rotate, ROTATE)
BODY_TABLE(bull, BULL)
BODY_TABLE(job, JOB)
BODY_TABLE(dummy_job, DUMMY_JOB)
BODY_TABLE(status, STATUS)
BODY_TABLE(session_task, SESSION_TASK)
BODY_TABLE(demo_sample, DEMO_SAMPLE)
BODY_TABLE(demo_file, DEMO_FILE)
BODY_TABLE(demo_api, DEMO_API)
BODY_TABLE(demo_batch, DEMO_BATCH)
#define OPEN_TABLE(name, table)                                                                    \
  const struct body BODY_##name = {#name, {table, sizeof(table) / sizeof *(table), true}};
OPEN_TABLE(repository, REPOSITORY)
OPEN_TABLE(repository_failure, REPOSITORY_FAILURE)
OPEN_TABLE(repository_error, REPOSITORY_ERROR)
const struct body BODY_empty = {"empty", {NULL, 0, false}};
