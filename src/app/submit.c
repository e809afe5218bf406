// submit.c: `taskyard submit`: one task from the arguments, or one for each line of input.
#include "app/moment.h"
#include "app/payload.h"
#include "app/print.h"
#include "app/remote.h"
#include "app/watch.h"
#include "base/json.h"
#include "model/limits.h"

#include <inttypes.h>
#include <stdio.h>

enum {
  BATCH_BYTES = 512 * 1024,  // half of what a server takes unless it was set otherwise
  ANSWER_BLOCK_BYTES = 256 * 1024
};

static const struct option_spec OPTIONS[] = {
    {"queue", 'q', "NAME", "the queue to put it in"},
    {"priority", 'p', "N", "higher runs first; 0 if not given"},
    {"delay", 'd', "DURATION", "run not before this time from now: 30s, 5m, 1h"},
    {"run-at", 0, "TIME", "run not before this time: 2030-01-31T09:30:00Z, without Z local time"},
    {"max-attempts", 0, "N", "give up after so many"},
    {"unique-key", 'u', "KEY", "at most one task has this key; the one that has it is shown"},
    {"tag", 't', "NAME=VALUE", "can be repeated"},
    {"name", 'n', "TEXT", "for people"},
    {"description", 0, "TEXT", "for people"},
    {"metadata", 'm', "JSON", "an object to keep with it"},
    {"project", 0, "ID", "the project that it belongs to"},
    {"subject", 0, "ID", "what it is about"},
    {"hold", 0, NULL, "do not start it until POST /tasks/ID/start"},
    {"text", 0, NULL, "the payload is text, not JSON"},
    {"from-lines", 'l', NULL, "a task for each line of @FILE or of standard input"},
    {"idempotency-key", 0, "KEY", "repeating the command with it adds nothing"},
    {"wait", 'w', NULL, "wait until it has ended and print its result"},
    {"timeout", 0, "DURATION", "wait no longer than this"},
    {"json", 'j', NULL, "print the whole task, one line a task"},
    {0}};

static const char *const EXAMPLES[] = {
    "taskyard submit resize '{\"width\": 640}'",
    "taskyard submit resize @photo.json --queue images --priority 5 --tag album=summer",
    "taskyard submit report --delay 1h --max-attempts 1",
    "taskyard submit greet --text 'some words' --wait --timeout 1m",
    "find . -name '*.txt' | taskyard submit count --text --from-lines",
    NULL};

static enum err run(struct command *c, struct fault *why);

const struct command_spec COMMAND_submit = {
    .options = {.usage = "taskyard submit [OPTION]… TYPE [PAYLOAD | @FILE | -]",
                .summary =
                    "Hands in a task and prints its id. The payload is JSON, null if not given.",
                .options = OPTIONS,
                .common = REMOTE_OPTIONS,
                .positionals_min = 1,
                .positionals_max = 2,
                .examples = EXAMPLES},
    .run = run};

// --- the task as JSON ----------------------------------------------------------------------------

static void put_key(struct buf *out, const char *key) { buf_printf(out, ",\"%s\":", key); }

static void put_text(struct command *c, const char *option, const char *key, struct buf *out) {
  const char *value = options_value(&c->given, option);
  if (!value) return;
  put_key(out, key);
  buf_json_str(out, str_of(value));
}

static enum err put_number(struct command *c, const char *option, const char *key, int64_t min,
                           int64_t max, struct buf *out, struct fault *why) {
  if (!options_has(&c->given, option)) return ERR_OK;
  int64_t value = 0;
  TRY(options_i64(&c->given, option, min, max, &value, why));
  put_key(out, key);
  buf_i64(out, value);
  return ERR_OK;
}

static enum err put_start(struct command *c, struct buf *out, struct fault *why) {
  const char *run_at = options_value(&c->given, "run-at");
  int64_t ms = 0;
  bool holds = options_has(&c->given, "hold");
  if (holds && !remote_in_session(c)) BUF_LIT(out, ",\"autoStart\":false");
  if (options_has(&c->given, "delay")) {
    TRY(options_duration_ms(&c->given, "delay", 0, LIMIT_DELAY_MS, &ms, why));
    buf_printf(out, ",\"delayMs\":%" PRId64, ms);
  }
  if (!run_at) return ERR_OK;
  if (!moment_parse(str_of(run_at), &ms))
    return fault_set(why, ERR_INVALID,
                     "--run-at must be a time as in 2030-01-31T09:30:00Z, not \"%s\"", run_at);
  buf_printf(out, ",\"runAt\":%" PRId64, ms);
  return ERR_OK;
}

static enum err put_tags(struct command *c, struct buf *out, struct fault *why) {
  size_t at = 0, count = 0;
  const char *tag;
  while (options_next(&c->given, "tag", &at, &tag)) {
    struct str value = str_of(tag), name = str_cut(&value, '=');
    if (str_is_none(value) || name.len == 0)
      return fault_set(why, ERR_INVALID, "--tag must be NAME=VALUE, not \"%s\"", tag);
    buf_put(out, count++ ? STR(",") : STR(",\"tags\":{"));
    buf_json_str(out, name);
    buf_char(out, ':');
    buf_json_str(out, value);
  }
  if (count) buf_char(out, '}');
  return ERR_OK;
}

static enum err put_metadata(struct command *c, struct buf *out, struct fault *why) {
  const char *metadata = options_value(&c->given, "metadata");
  if (!metadata) return ERR_OK;
  struct str value;
  struct json_error error;
  if (!json_check(str_of(metadata), &value, &error) || json_kind(value) != JSON_OBJECT)
    return fault_set(why, ERR_INVALID,
                     "--metadata must be a JSON object, as in '{\"from\": \"shell\"}'");
  put_key(out, "metadata");
  buf_put(out, value);
  return ERR_OK;
}

// A session asks for a name.
static void put_name(struct command *c, struct buf *out) {
  put_text(c, "name", "name", out);
  if (!remote_in_session(c) || options_has(&c->given, "name")) return;
  put_key(out, "name");
  buf_json_str(out, str_of(c->given.positionals[0]));
}

// All members but the payload, without the braces: the same for each line of the input.
static enum err put_members(struct command *c, struct buf *out, struct fault *why) {
  BUF_LIT(out, "\"type\":");
  buf_json_str(out, str_of(c->given.positionals[0]));
  put_text(c, "queue", "queue", out);
  put_text(c, "unique-key", "uniqueKey", out);
  put_name(c, out);
  put_text(c, "description", "description", out);
  put_text(c, "project", "projectId", out);
  put_text(c, "subject", "subject", out);
  TRY(put_number(c, "priority", "priority", -LIMIT_PRIORITY, LIMIT_PRIORITY, out, why));
  TRY(put_number(c, "max-attempts", "maxAttempts", 1, LIMIT_ATTEMPTS, out, why));
  TRY(put_start(c, out, why));
  TRY(put_tags(c, out, why));
  return put_metadata(c, out, why);
}

static void put_task(struct str members, struct str payload, struct buf *out) {
  buf_char(out, '{');
  buf_put(out, members);
  if (!str_is_none(payload)) put_key(out, "payload");
  buf_put(out, payload);
  buf_char(out, '}');
}

// --- one task ------------------------------------------------------------------------------------

static enum err send(struct command *c, struct arena *a, struct str body,
                     struct str idempotency_key, bool minimal, struct str *document,
                     struct fault *why) {
  struct client_call call = {.method = "POST",
                             .path = STR("/api/v1/tasks"),
                             .body = body,
                             .idempotency_key = idempotency_key,
                             .minimal = minimal};
  return remote_call(c, a, &call, document, why);
}

static enum err start_one(struct command *c, struct str task, struct str *document,
                          struct fault *why) {
  const char *id = arena_cstr(&c->arena, reply_text(&c->arena, task, "id"));
  struct client_call call = {
      .method = "POST",
      .path = remote_path(&c->arena, "tasks", id, "/start"),
      .body = STR("{}"),
      .idempotency_key = str_of(options_value(&c->given, "idempotency-key"))};
  enum err err = remote_call(c, &c->arena, &call, document, why);
  if (err != ERR_OK)
    fprintf(stderr, "The task is %s; it may not be started. `taskyard get %s` tells.\n", id, id);
  return err;
}

static enum err show_one(struct command *c, struct str document, struct fault *why) {
  bool as_json = options_has(&c->given, "json");
  struct str task = reply_raw(document, "task");
  if (str_is_none(task)) return remote_refuse_answer(why);
  if (remote_in_session(c) && !options_has(&c->given, "hold")) {  // it starts nothing by itself
    TRY(start_one(c, task, &document, why));
    task = reply_raw(document, "task");
    if (str_is_none(task)) return remote_refuse_answer(why);
  }
  struct str id = reply_text(&c->arena, task, "id");
  if (!options_has(&c->given, "wait")) return print_line(as_json ? task : id, why);
  struct watch watch = {.as_json = as_json};
  TRY(watch_timeout(c, &watch.timeout_ms, why));
  const char *ids[] = {arena_cstr(&c->arena, id)};
  enum err err = watch_tasks(c, &watch, ids, 1, why);
  if (err != ERR_OK)
    fprintf(stderr, "The task is %s; `taskyard wait %s` goes on waiting.\n", ids[0], ids[0]);
  return err;
}

static enum err submit_one(struct command *c, struct str members, struct fault *why) {
  struct str payload, document;
  const char *argument = c->given.positional_count > 1 ? c->given.positionals[1] : NULL;
  TRY(payload_read(c, argument, options_has(&c->given, "text"), &payload, why));
  struct buf body;
  buf_init(&body, members.len + payload.len + 64);
  put_task(members, payload, &body);
  struct str key = str_of(options_value(&c->given, "idempotency-key"));
  enum err err = send(c, &c->arena, buf_str(&body), key, false, &document, why);
  buf_fini(&body);
  return err == ERR_OK ? show_one(c, document, why) : err;
}

// --- a task for each line ------------------------------------------------------------------------

struct batch {
  struct command *c;
  struct str members;
  struct arena arena;  // the answer of one batch, and the payload of one line
  struct buf body;     // "[{…},{…}" without the last bracket
  int64_t count;
  int64_t sent;  // tasks of the batches before
  int64_t number;
};

static enum err print_ids(struct batch *b, struct str document, struct fault *why) {
  bool as_json = options_has(&b->c->given, "json");
  struct str tasks = reply_raw(document, "tasks"), key, task;
  if (str_is_none(tasks)) return remote_refuse_answer(why);
  struct json_walk walk = json_walk(tasks);
  while (json_next(&walk, &key, &task))
    TRY(print_line(as_json ? task : reply_text(&b->arena, task, "id"), why));
  return ERR_OK;
}

// Batches after the first need keys of their own, which must be the same when the command is
// repeated.
static struct str batch_key(struct batch *b) {
  const char *given = options_value(&b->c->given, "idempotency-key");
  if (!given) return STR_NONE;
  return arena_printf(&b->arena, "%s.%" PRId64, given, b->number);
}

static enum err flush(struct batch *b, struct fault *why) {
  if (b->count == 0) return ERR_OK;
  buf_char(&b->body, ']');
  struct str document;
  bool minimal = !options_has(&b->c->given, "json");
  TRY(send(b->c, &b->arena, buf_str(&b->body), batch_key(b), minimal, &document, why));
  TRY(print_ids(b, document, why));
  b->sent += b->count;
  b->count = 0;
  b->number++;
  buf_clear(&b->body);
  return ERR_OK;
}

static enum err add(struct batch *b, struct str payload, struct fault *why) {
  bool is_full =
      b->count == LIMIT_BATCH_ITEMS || b->body.len + b->members.len + payload.len > BATCH_BYTES;
  if (is_full) TRY(flush(b, why));
  buf_char(&b->body, b->count++ ? ',' : '[');
  put_task(b->members, payload, &b->body);
  if (!b->body.overflow) return ERR_OK;
  return fault_set(why, ERR_BODY_TOO_LARGE, "a line is larger than any server takes");
}

static enum err send_lines(struct batch *b, struct payload_lines *lines, struct fault *why) {
  while (true) {
    struct str payload;
    bool more;
    arena_reset(&b->arena);
    TRY(payload_next(lines, &b->arena, &payload, &more, why));
    if (!more) return flush(b, why);
    TRY(add(b, payload, why));
  }
}

static enum err submit_lines(struct command *c, struct str members, struct fault *why) {
  if (remote_in_session(c))
    return command_misused(c, why, "a session takes one task at a time; submit each by itself");
  if (options_has(&c->given, "wait") || options_has(&c->given, "unique-key"))
    return command_misused(c, why,
                           "--from-lines goes with neither --wait nor --unique-key; "
                           "`taskyard wait` takes the ids");
  struct payload_lines lines = {.is_text = options_has(&c->given, "text")};
  const char *source = c->given.positional_count > 1 ? c->given.positionals[1] : NULL;
  TRY(payload_open(c, source, &lines.file, why));
  struct batch b = {.c = c, .members = members};
  arena_init(&b.arena, ANSWER_BLOCK_BYTES);
  buf_init(&b.body, LIMIT_BODY_BYTES_CEILING);
  enum err err = send_lines(&b, &lines, why);
  if (err != ERR_OK && b.sent)
    fprintf(stderr, "taskyard: %" PRId64 " tasks were handed in before what follows\n", b.sent);
  buf_fini(&b.body);
  arena_fini(&b.arena);
  payload_close(&lines);
  return err;
}

static enum err run(struct command *c, struct fault *why) {
  static const char *const NOT_IN_SESSIONS[] = {"queue",        "priority",   "delay", "run-at",
                                                "max-attempts", "unique-key", "tag",   "project",
                                                "subject",      NULL};
  struct buf members;
  TRY(remote_needs_key(
      c, NOT_IN_SESSIONS,
      "a task of a session has a type, a name, a description, metadata and a payload only", why));
  buf_init(&members, LIMIT_BODY_BYTES_CEILING);
  enum err err = put_members(c, &members, why);
  if (err != ERR_OK)
    c->exit_code = EXIT_USAGE;
  else if (options_has(&c->given, "from-lines"))
    err = submit_lines(c, buf_str(&members), why);
  else
    err = submit_one(c, buf_str(&members), why);
  buf_fini(&members);
  return err;
}
