// api_fuzz.c: sequences of requests against the whole server but for its sockets.
//
// Each byte of the input chooses a request, the bytes behind it its numbers. What must hold: every
// request is answered once, never with 5xx, with JSON of the right shape; a task keeps the rules of
// its life from answer to answer; at the end lists, counts and events agree, and the store's own
// checks find nothing.
#include "fuzz.h"

#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/engine.h"
#include "model/words.h"
#include "tests/world/api_world.h"

enum { STEPS_MAX = 60, KNOWN_MAX = 40 };
#define ADMIN "an admin key of the world"

// What was seen of a task.
struct known {
  char id[ID_TEXT_BYTES];
  char token[16];
  bool has_token, gone;
  enum task_status status;
  int64_t revision;
};

static struct known known[KNOWN_MAX];
static size_t known_count;
static char service_key[64];  // of a key that was made; empty: none
static bool unknown_token;    // the request carries a token that was never given out

// The latest answer.
static struct {
  struct world_answer answer;
  bool replayed;  // it is kept from an earlier request
  bool is_read;   // to a GET
} latest;

// --- what is said of answers ---------------------------------------------------------------------

static struct str member(struct str object, const char *name) {
  struct json_walk w = json_walk(object);
  struct str key, value;
  while (json_next(&w, &key, &value))
    if (str_eq(key, str_of(name))) return value;
  return STR_NONE;
}

static struct str text_of(struct str value) {
  bool good = value.len >= 2 && *value.at == '"';
  return good ? (struct str){value.at + 1, value.len - 2} : STR_NONE;
}

static bool is_null(struct str value) { return str_eq(value, STR("null")); }

static int64_t number_of(struct str value) {
  int64_t number = -1;
  HOLDS(!str_is_none(value) && json_integer(value, &number), "a number is one");
  return number;
}

static struct known *known_of(struct str id) {
  for (size_t i = 0; i < known_count; i++)
    if (str_eq(id, (struct str){known[i].id, ID_TEXT_BYTES})) return &known[i];
  if (known_count == KNOWN_MAX) return NULL;
  struct known *k = &known[known_count++];
  *k = (struct known){.revision = -1};
  memcpy(k->id, id.at, ID_TEXT_BYTES);
  return k;
}

// Answers of one unit of work may come in any order: a claim that has waited may be told of its
// task before the one who made it; and a completion that waits for the next task is answered late.
// A read tells of what is.
static void check_life(struct known *k, enum task_status status, int64_t revision) {
  HOLDS(!latest.is_read || !k->gone, "a task that was removed does not come back");
  HOLDS(!latest.is_read || revision >= k->revision, "a read tells nothing older than was told");
  if (revision < k->revision) return;
  HOLDS(revision > k->revision || k->status == status, "a status changes with its revision only");
  HOLDS(k->revision < 0 || k->status != TASK_COMPLETED || status == TASK_COMPLETED,
        "what is completed stays so");
  k->status = status;
  k->revision = revision;
}

// What is looked at of a task, found in one walk: tasks are most of what is read here.
enum part {
  PART_ID,
  PART_STATUS,
  PART_MAX,
  PART_ATTEMPT,
  PART_LEASE_END,
  PART_WAITING,
  PART_ENDED,
  PART_PROGRESS_OF,
  PART_REVISION,
  PART_TOKEN,
  PARTS
};

static void find_parts(struct str task, struct str parts[PARTS]) {
  static const char *const NAMES[PARTS] = {
      "id",         "status",      "maxAttempts", "attempt",  "leaseExpiresAt",
      "waitingFor", "completedAt", "progress",    "revision", "leaseToken"};
  struct json_walk w = json_walk(task);
  struct str key, value;
  for (int i = 0; i < PARTS; i++) parts[i] = STR_NONE;
  while (json_next(&w, &key, &value))
    for (int i = 0; i < PARTS; i++)
      if (str_eq(key, str_of(NAMES[i]))) parts[i] = value;
}

static void check_task(struct str task) {
  enum task_status status;
  struct str part[PARTS];
  struct id parsed;
  find_parts(task, part);
  struct str id = text_of(part[PART_ID]);
  HOLDS(id_parse(id, &parsed), "a task has an id");
  HOLDS(task_status_parse(text_of(part[PART_STATUS]), &status), "a task has a status");
  struct known *k = known_of(id);
  if (str_is_none(part[PART_MAX])) return;  // a short form
  HOLDS(number_of(part[PART_ATTEMPT]) <= number_of(part[PART_MAX]), "attempts are bounded");
  HOLDS((status == TASK_RUNNING) == !is_null(part[PART_LEASE_END]), "who runs has a lease");
  HOLDS((status == TASK_PENDING) == !is_null(part[PART_WAITING]), "who waits, waits for it");
  HOLDS(task_status_is_final(status) == !is_null(part[PART_ENDED]), "who ended has an end");
  int64_t progress = number_of(part[PART_PROGRESS_OF]);
  HOLDS(progress >= 0 && progress <= 100, "progress is a percentage");
  if (k == NULL || latest.replayed) return;
  check_life(k, status, number_of(part[PART_REVISION]));
  struct str token = text_of(part[PART_TOKEN]);
  if (token.len != sizeof k->token) return;
  memcpy(k->token, token.at, token.len);
  k->has_token = true;
}

static void check_success(struct str body) {
  struct str key, value, tasks = member(body, "tasks"), task = member(body, "task");
  HOLDS(latest.answer.status < 400, "a success says so: %d", latest.answer.status);
  if (!str_is_none(task) && json_kind(task) == JSON_OBJECT) check_task(task);
  if (str_is_none(tasks) || json_kind(tasks) != JSON_ARRAY) return;
  struct json_walk w = json_walk(tasks);
  int64_t count = 0;
  for (; json_next(&w, &key, &value); count++)
    if (json_kind(value) == JSON_OBJECT) check_task(value);
  struct str told = member(body, "count");
  HOLDS(str_is_none(told) || number_of(told) == count, "a list is as long as it says");
}

static void check_failure(struct str body, bool door) {
  struct str code = text_of(member(body, "code"));
  HOLDS(number_of(member(body, "status")) == latest.answer.status, "a problem tells its status");
  HOLDS(!str_is_none(text_of(member(body, "detail"))), "a problem has a sentence");
  for (int i = 1; i < ERR_COUNT; i++) {
    if (!str_eq(code, str_of(err_code((enum err)i)))) continue;
    HOLDS(door || err_http_status((enum err)i) == latest.answer.status,
          "a code goes with its status");
    return;
  }
  HOLDS(false, "a problem has a code of the table, not %.*s", STR_FMT(code));
}

static bool is_told;  // FUZZ_TELL is set: each request and answer is printed, for a replay

static void tell(const struct http_request *r) {
  fprintf(stderr, "%lld %d %.*s?%.*s %.*s\n  %d %.*s\n", (long long)world.now, (int)r->method,
          STR_FMT(r->path), STR_FMT(r->query), STR_FMT(r->body), latest.answer.status,
          STR_FMT(buf_str(&latest.answer.body)));
}

static void answered(const struct http_request *r, const struct world_answer *answer) {
  struct json_error error = {0};
  struct str body;
  latest.is_read = r->method == HTTP_METHOD_GET;
  struct str head = buf_str(&answer->head);
  latest.replayed = str_starts(head, STR("Idempotent-Replayed"));
  if (is_told) tell(r);
  HOLDS(latest.answer.status >= 200 && latest.answer.status < 500, "%.*s is answered %d: %.*s",
        STR_FMT(r->path), latest.answer.status, STR_FMT(buf_str(&latest.answer.body)));
  HOLDS(!unknown_token || latest.answer.status >= 400,
        "a token that nobody was given opens nothing");
  if (r->method == HTTP_METHOD_HEAD || str_is_none(latest.answer.type)) return;
  if (str_starts(latest.answer.type, STR("text/"))) return;
  HOLDS(json_check(buf_str(&latest.answer.body), &body, &error), "an answer is JSON: %s",
        error.message);
  struct str success = member(body, "success");
  HOLDS(!str_eq(success, STR("false")) || latest.answer.status >= 400, "a failure says so: %d",
        latest.answer.status);
  if (latest.answer.status >= 400)
    check_failure(
        body, str_starts(r->path, STR("/api/tasks")) || str_starts(r->path, STR("/api/v1/jobs")));
  else if (!str_is_none(success))
    check_success(body);
}

// --- requests ------------------------------------------------------------------------------------

// What a request is put together from.
struct scene {
  struct dice *dice;
  struct arena *arena;
  struct world_ask ask;
};

#define TEXT(s, ...) arena_printf((s)->arena, __VA_ARGS__)

static const char *one_of(struct scene *s, const char *const *words, unsigned count) {
  return words[dice_below(s->dice, count)];
}
#define ONE_OF(s, ...)                                                                             \
  one_of(s, (const char *const[]){__VA_ARGS__},                                                    \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static const char *type_name(struct scene *s) { return ONE_OF(s, "a", "b", "c/d"); }
static const char *queue_name(struct scene *s) {
  return ONE_OF(s, "default", "slow", "task-queue");
}

static struct str id_of(struct scene *s) {
  unsigned which = dice_below(s->dice, 8);
  if (which == 7 || known_count == 0) return STR("01890a5d-ac96-774b-bcce-b302099a8057");
  return (struct str){known[which % known_count].id, ID_TEXT_BYTES};
}

// The token of a task, mostly the right one.
static struct str token_of_task(struct scene *s, struct str id) {
  struct known *k = known_of(id);
  unsigned how = dice_below(s->dice, 8);
  unknown_token = how == 7;
  if (how == 7) return STR("0f0f0f0f0f0f0f0f");
  if (k == NULL || !k->has_token) return STR("0000000000000001");
  return (struct str){k->token, sizeof k->token};
}

static void ask_task(struct scene *s, enum http_method method, const char *verb, struct str body) {
  struct str id = id_of(s);
  s->ask.method = method;
  s->ask.path = TEXT(s, "/api/v1/tasks/%.*s%s%s", STR_FMT(id), *verb ? "/" : "", verb);
  s->ask.body = body;
}

static struct str create_body(struct scene *s) {
  struct buf b;
  buf_init(&b, 4096);
  buf_printf(&b, "{\"type\":\"%s\",\"payload\":{\"n\":%u}", type_name(s), dice_below(s->dice, 9));
  unsigned with = dice_byte(s->dice);
  if (with & 1) buf_printf(&b, ",\"queue\":\"%s\"", queue_name(s));
  if (with & 2) buf_printf(&b, ",\"priority\":%d", (int)dice_below(s->dice, 9) - 4);
  if (with & 4) buf_printf(&b, ",\"maxAttempts\":%u", 1 + dice_below(s->dice, 4));
  if (with & 8) buf_printf(&b, ",\"delayMs\":%u", dice_below(s->dice, 4000));
  if (with & 16) buf_printf(&b, ",\"uniqueKey\":\"u%u\"", dice_below(s->dice, 4));
  if (with & 32) BUF_LIT(&b, ",\"autoStart\":false");
  if (with & 64) buf_printf(&b, ",\"timeoutMs\":%u", 1000 + dice_below(s->dice, 60000));
  if (with & 128)
    buf_printf(&b, ",\"expiresAt\":%lld", (long long)world.now + dice_below(s->dice, 60000));
  buf_char(&b, '}');
  struct str text = arena_dup(s->arena, buf_str(&b));
  buf_fini(&b);
  return text;
}

static void step_create(struct scene *s) {
  s->ask.method = HTTP_METHOD_POST;
  s->ask.path = STR("/api/v1/tasks");
  s->ask.body = create_body(s);
  unsigned how = dice_below(s->dice, 6);
  if (how == 0) {
    struct str one = create_body(s), two = create_body(s);
    s->ask.body = TEXT(s, "[%.*s,%.*s]", STR_FMT(one), STR_FMT(two));
  }
  if (how == 1) s->ask.query = TEXT(s, "waitMs=%u", dice_below(s->dice, 5000));
  if (how == 2) {
    s->ask.extra[0].name = STR("Idempotency-Key");
    s->ask.extra[0].value = TEXT(s, "k%u", dice_below(s->dice, 3));
  }
}

static struct str claim_body(struct scene *s, unsigned limit_max) {
  unsigned wait = dice_below(s->dice, 3) == 0 ? dice_below(s->dice, 9000) : 0;
  return TEXT(
      s,
      "{\"types\":[\"%s\",\"%s\"],\"workerId\":\"w%u\",\"limit\":%u,\"leaseMs\":%u,\"waitMs\":%u}",
      type_name(s), type_name(s), dice_below(s->dice, 3), 1 + dice_below(s->dice, limit_max),
      1000 + dice_below(s->dice, 60000), wait);
}

static void step_claim(struct scene *s) {
  s->ask.method = HTTP_METHOD_POST;
  s->ask.path = STR("/api/v1/claims");
  s->ask.body = claim_body(s, 4);
}

static void step_claim_one(struct scene *s) {
  ask_task(s, HTTP_METHOD_POST, "claim", STR("{\"workerId\":\"w1\"}"));
}

// Moves of a worker, with the token that was given out or another one.
static void step_move(struct scene *s) {
  static const char *const VERBS[] = {"heartbeat", "progress", "logs",
                                      "complete",  "fail",     "release"};
  unsigned verb = dice_below(s->dice, 6);
  ask_task(s, HTTP_METHOD_POST, VERBS[verb], STR_NONE);
  struct str id = {s->ask.path.at + sizeof "/api/v1/tasks/" - 1, ID_TEXT_BYTES};
  struct str token = token_of_task(s, id), more = STR("");
  if (verb == 1) more = TEXT(s, ",\"progress\":%u,\"currentStep\":\"s\"", dice_below(s->dice, 101));
  if (verb == 2) more = STR(",\"lines\":[\"one\",\"two\"]");
  if (verb == 3) more = TEXT(s, ",\"result\":%s", ONE_OF(s, "1", "null", "{\"made\":true}"));
  if (verb == 3 && dice_below(s->dice, 3) == 0) {
    struct str claim = claim_body(s, 2);
    more = TEXT(s, "%.*s,\"claim\":%.*s", STR_FMT(more), STR_FMT(claim));
  }
  if (verb == 4) more = TEXT(s, ",\"error\":\"broke\",\"retry\":%s", ONE_OF(s, "true", "false"));
  s->ask.body = TEXT(s, "{\"leaseToken\":\"%.*s\"%.*s}", STR_FMT(token), STR_FMT(more));
}

static void step_completions(struct scene *s) {
  struct str one = id_of(s), two = id_of(s);
  struct str first = token_of_task(s, one), second = token_of_task(s, two);
  unknown_token = false;  // each item has an answer of its own
  s->ask.method = HTTP_METHOD_POST;
  s->ask.path = STR("/api/v1/completions");
  s->ask.body = TEXT(s,
                     "{\"items\":[{\"id\":\"%.*s\",\"leaseToken\":\"%.*s\",\"result\":1},"
                     "{\"id\":\"%.*s\",\"leaseToken\":\"%.*s\",\"error\":\"no\"}]}",
                     STR_FMT(one), STR_FMT(first), STR_FMT(two), STR_FMT(second));
}

static void step_person(struct scene *s) {
  switch (dice_below(s->dice, 6)) {
  case 0: ask_task(s, HTTP_METHOD_POST, "start", STR_NONE); break;
  case 1: ask_task(s, HTTP_METHOD_POST, "retry", STR_NONE); break;
  case 2:
    ask_task(s, HTTP_METHOD_POST, "cancel", STR("{\"reason\":\"enough\",\"graceMs\":500}"));
    break;
  case 3: ask_task(s, HTTP_METHOD_POST, "cancel", STR_NONE); break;
  case 4:
    ask_task(s, HTTP_METHOD_PATCH, "",
             TEXT(s, "{\"priority\":%u,\"runAt\":%lld}", dice_below(s->dice, 9),
                  (long long)world.now + dice_below(s->dice, 3000)));
    break;
  default:
    ask_task(s, HTTP_METHOD_PATCH, "", STR("{\"tags\":{\"x\":\"y\"},\"expiresAt\":null}"));
    break;
  }
}

static void step_delete(struct scene *s) {
  ask_task(s, HTTP_METHOD_DELETE, "", STR_NONE);
  if (dice_below(s->dice, 2)) s->ask.query = STR("force=true");
}

static void step_read(struct scene *s) {
  static const char *const LISTS[] = {
      "/api/v1/tasks", "/api/v1/tasks/stats", "/api/v1/tasks/pending", "/api/v1/queues",
      "/api/v1/types", "/api/v1/workers",     "/api/v1/events",        "/health"};
  s->ask.method = HTTP_METHOD_GET;
  if (dice_below(s->dice, 2)) {
    ask_task(s, HTTP_METHOD_GET, ONE_OF(s, "", "status", "events", "attempts", "logs", "explain"),
             STR_NONE);
    return;
  }
  unsigned which = dice_below(s->dice, 8);
  s->ask.path = str_of(LISTS[which]);
  if (which == 0)
    s->ask.query = TEXT(s, "status=%s&limit=%u&include=payload,result",
                        ONE_OF(s, "pending", "running", "completed,failed", "all"),
                        1 + dice_below(s->dice, 5));
}

static void step_operator(struct scene *s) {
  s->ask.method = HTTP_METHOD_POST;
  switch (dice_below(s->dice, 4)) {
  case 0: s->ask.path = TEXT(s, "/api/v1/queues/%s/pause", queue_name(s)); break;
  case 1: s->ask.path = TEXT(s, "/api/v1/queues/%s/resume", queue_name(s)); break;
  case 2:
    s->ask.method = HTTP_METHOD_PUT;
    s->ask.path = TEXT(s, "/api/v1/types/%s", ONE_OF(s, "a", "b"));
    s->ask.body =
        TEXT(s, "{\"maxAttempts\":%u,\"leaseMs\":%u,\"timeoutMs\":%u}", 1 + dice_below(s->dice, 5),
             1000 + dice_below(s->dice, 50000), 1000 + dice_below(s->dice, 50000));
    break;
  default:
    s->ask.path = STR("/api/v1/keys");
    s->ask.body =
        STR("{\"name\":\"k\",\"roles\":[\"producer\",\"worker\",\"reader\"],\"service\":\"svc\"}");
    break;
  }
}

static void step_doors(struct scene *s) {
  unsigned how = dice_below(s->dice, 3);
  s->ask.method = HTTP_METHOD_POST;
  if (how == 0) {
    s->ask.path = STR("/api/tasks");
    s->ask.body = TEXT(s, "{\"type\":\"%s\",\"payload\":1}", type_name(s));
  } else if (how == 1) {
    s->ask.path = STR("/api/v1/tasks");
    s->ask.body = TEXT(s, "{\"task_type\":\"%s\",\"request\":{},\"priority\":%u}", type_name(s),
                       1 + dice_below(s->dice, 10));
  } else {
    ask_task(s, HTTP_METHOD_PATCH, "status",
             TEXT(s, "{\"status\":\"%s\"}",
                  ONE_OF(s, "processing", "completed", "failed", "cancelled")));
    s->ask.query = STR("processor_id=p1");
  }
}

// The job API of front door S4: two users with tokens, who see their own.
static void step_jobs(struct scene *s) {
  s->ask.user = STR("ann");
  if (dice_below(s->dice, 2)) s->ask.user = STR("bob");
  s->ask.path = STR("/api/v1/jobs");
  s->ask.method = HTTP_METHOD_POST;
  switch (dice_below(s->dice, 4)) {
  case 0:
    s->ask.body = TEXT(s, "{\"type\":\"%s\",\"arguments\":{\"n\":1},\"system\":%s}", type_name(s),
                       ONE_OF(s, "true", "false"));
    break;
  case 1: s->ask.path = STR("/api/v1/jobs/start-dummy-job"); break;
  case 2: {
    struct str id = id_of(s);
    s->ask.method = HTTP_METHOD_GET;
    s->ask.path = TEXT(s, "/api/v1/jobs/%.*s", STR_FMT(id));
    break;
  }
  default:
    s->ask.method = HTTP_METHOD_GET;
    s->ask.query =
        TEXT(s, "limit=%u&offset=%u", 1 + dice_below(s->dice, 5), dice_below(s->dice, 4));
    break;
  }
}

// A request of the input's own bytes: what the others never say.
static void step_raw(struct scene *s) {
  static const char *const PATHS[] = {"/api/v1/tasks", "/api/v1/claims", "/api/v1/completions",
                                      "/api/v1/keys",  "/api/tasks",     "/api/v1/events"};
  size_t len = dice_below(s->dice, 64);
  struct str left = dice_rest(s->dice);
  if (len > left.len) len = left.len;
  s->dice->at += len;
  s->ask.method = (enum http_method)dice_below(s->dice, HTTP_METHOD_OTHER + 1);
  s->ask.path = str_of(PATHS[dice_below(s->dice, 6)]);
  bool get = s->ask.method == HTTP_METHOD_GET;
  *(get ? &s->ask.query : &s->ask.body) = (struct str){left.at, len};
}

static void step_time(struct scene *s) {
  static const int64_t MS[] = {1, 200, 1000, 1001, 5000, 30000, 61000, 3600000};
  world_pass(MS[dice_below(s->dice, 8)]);
}

// After a key was made: its secret, which is shown this once.
static void learn_key(void) {
  struct json_error error;
  struct str body;
  if (latest.answer.status != 201 || !json_check(buf_str(&latest.answer.body), &body, &error))
    return;
  const char *at = memmem(body.at, body.len, "\"tk_", 4);
  if (at == NULL) return;
  struct str rest = str_from(body, (size_t)(at + 1 - body.at));
  struct str key = str_cut(&rest, '"');
  if (key.len < sizeof service_key) snprintf(service_key, sizeof service_key, "%.*s", STR_FMT(key));
}

// What the lower five bits of a byte choose. New steps take the place of one that is there more
// than once, so that seeds keep their meaning. The top bit: by the key that was made, if one was.
static void (*const STEPS[32])(struct scene *) = {
    step_create,      step_create, step_create, step_create,    step_create,    step_claim,
    step_claim,       step_claim,  step_claim,  step_claim_one, step_claim_one, step_move,
    step_move,        step_move,   step_move,   step_move,      step_move,      step_person,
    step_person,      step_person, step_read,   step_read,      step_read,      step_delete,
    step_time,        step_time,   step_time,   step_doors,     step_raw,       step_operator,
    step_completions, step_jobs,
};

static void step(struct dice *dice, struct arena *arena) {
  struct scene s = {.dice = dice, .arena = arena};
  unsigned which = dice_byte(dice);
  s.ask.key = which & 128 && service_key[0] ? str_of(service_key) : STR(ADMIN);
  STEPS[which & 31](&s);
  if (str_is_none(s.ask.path)) return;
  bool answered = world_send(&s.ask, &latest.answer);
  unknown_token = false;
  if (!answered) return;
  if (str_eq(s.ask.path, STR("/api/v1/keys"))) learn_key();
  struct str id = {s.ask.path.at + sizeof "/api/v1/tasks/" - 1, ID_TEXT_BYTES};
  if (s.ask.method == HTTP_METHOD_DELETE && latest.answer.status < 300) known_of(id)->gone = true;
}

// --- at the end ----------------------------------------------------------------------------------

// The answer to a read, which comes at once. It stays until the next request.
static struct str read_of(const char *path, struct str query) {
  struct world_ask ask = {
      .method = HTTP_METHOD_GET, .path = str_of(path), .query = query, .key = STR(ADMIN)};
  HOLDS(world_send(&ask, &latest.answer) && latest.answer.status == 200, "%s is read", path);
  struct json_error error;
  struct str body = STR_NONE;
  (void)json_check(buf_str(&latest.answer.body), &body, &error);
  return body;
}

static void count_list(struct arena *a, int64_t counts[TASK_STATUS_COUNT]) {
  struct str query = STR("limit=3&status=all"), key, task;  // the first page is small
  for (int pages = 0; pages < 1000; pages++) {
    struct str body = read_of("/api/v1/tasks", query);
    struct json_walk w = json_walk(member(body, "tasks"));
    enum task_status status;
    while (json_next(&w, &key, &task))
      if (task_status_parse(text_of(member(task, "status")), &status)) counts[status]++;
    struct str cursor = text_of(member(body, "nextCursor"));
    if (str_is_none(cursor)) return;
    query = arena_printf(a, "limit=12&status=all&cursor=%.*s", STR_FMT(cursor));
  }
  HOLDS(false, "a list comes to its end");
}

static void check_counts(struct arena *a) {
  int64_t counts[TASK_STATUS_COUNT] = {0}, total = 0;
  count_list(a, counts);
  struct str stats = member(read_of("/api/v1/tasks/stats", STR_NONE), "stats");
  for (int i = 0; i < TASK_STATUS_COUNT; i++) {
    struct str word = task_status_word((enum task_status)i);
    int64_t told = number_of(member(stats, arena_cstr(a, word)));
    HOLDS(told == counts[i], "%.*s: counts say %lld, lists %lld", STR_FMT(word), (long long)told,
          (long long)counts[i]);
    total += counts[i];
  }
  HOLDS(number_of(member(stats, "total")) == total, "the total is the sum");
}

static void check_events(void) {
  struct str key, event;
  struct json_walk w = json_walk(member(read_of("/api/v1/events", STR("limit=300")), "events"));
  for (int64_t seq = 1; json_next(&w, &key, &event); seq++)
    HOLDS(number_of(member(event, "seq")) == seq, "events are numbered without a gap");
}

static void check_store(struct arena *a) {
  struct check_finding *findings;
  size_t count = 0;
  struct fault why = {0};
  enum err err = world.store->ops->check(world.store, a, &findings, &count, &why);
  HOLDS(err == ERR_OK && count > 0, "the store can be checked: %s", why.detail);
  for (size_t i = 0; i < count; i++)
    HOLDS(findings[i].violations == 0, "%s: %.*s", findings[i].invariant,
          STR_FMT(findings[i].example));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool quiet;
  if (!quiet) quiet = log_open("/dev/null");
  struct dice dice = dice_of(data, size);
  struct arena a;
  arena_init(&a, 1 << 16);
  known_count = 0;
  service_key[0] = '\0';
  unknown_token = false;
  is_told = getenv("FUZZ_TELL") != NULL;
  if (latest.answer.body.max == 0) world_answer_init(&latest.answer);
  struct world_settings settings = world_usual(STR(ADMIN));
  world_open(&settings);
  world.answered = answered;
  for (int i = 0; i < STEPS_MAX && dice.at < dice.end; i++) step(&dice, &a);
  check_counts(&a);
  check_events();
  check_store(&a);
  world_close();
  arena_fini(&a);
  return 0;
}
