// get.c: `taskyard get`: one task, its log, its history, and why it does not run.
#include "app/moment.h"
#include "app/print.h"
#include "app/remote.h"
#include "app/table.h"
#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <unistd.h>

static const struct option_spec OPTIONS[] = {
    {"logs", 'l', NULL, "its log"},
    {"events", 'e', NULL, "what has happened to it"},
    {"attempts", 'a', NULL, "its attempts"},
    {"explain", 'x', NULL, "why it runs, or does not"},
    {"json", 'j', NULL, "what the server answered, as JSON"},
    {0}};

static const char *const EXAMPLES[] = {
    "taskyard get 0198f3a2-5b7c-7e21-9a53-3f0d2c1b4a59",
    "taskyard get --logs 0198f3a2-5b7c-7e21-9a53-3f0d2c1b4a59",
    "taskyard get --json 0198f3a2-5b7c-7e21-9a53-3f0d2c1b4a59 | jq .result", NULL};

enum { TEXT_BYTES_MAX = 256 << 20, PAGE_ITEMS = 1000 };

// --- the task, a line for each field -------------------------------------------------------------

// How a field is shown; absent ones are left out.
enum field_kind { FIELD_TEXT, FIELD_STATUS, FIELD_MOMENT, FIELD_NUMBER, FIELD_JSON };
static const struct field {
  const char *key, *title;
  enum field_kind kind;
} FIELDS[] = {
    {"id", "id", FIELD_TEXT},
    {"type", "type", FIELD_TEXT},
    {"queue", "queue", FIELD_TEXT},
    {"status", "status", FIELD_STATUS},
    {"waitingFor", "waiting for", FIELD_TEXT},
    {"name", "name", FIELD_TEXT},
    {"description", "description", FIELD_TEXT},
    {"priority", "priority", FIELD_NUMBER},
    {"progress", "progress", FIELD_NUMBER},
    {"currentStep", "step", FIELD_TEXT},
    {"currentStepDescription", "", FIELD_TEXT},
    {"attempt", "attempt", FIELD_NUMBER},
    {"maxAttempts", "of at most", FIELD_NUMBER},
    {"workerId", "worker", FIELD_TEXT},
    {"projectId", "project", FIELD_TEXT},
    {"subject", "subject", FIELD_TEXT},
    {"uniqueKey", "unique key", FIELD_TEXT},
    {"tags", "tags", FIELD_JSON},
    {"metadata", "metadata", FIELD_JSON},
    {"createdAt", "created", FIELD_MOMENT},
    {"runAt", "not before", FIELD_MOMENT},
    {"expiresAt", "expires", FIELD_MOMENT},
    {"startedAt", "started", FIELD_MOMENT},
    {"leaseExpiresAt", "lease until", FIELD_MOMENT},
    {"completedAt", "ended", FIELD_MOMENT},
    {"payload", "payload", FIELD_JSON},
    {"result", "result", FIELD_JSON},
    {"error", "error", FIELD_JSON},
};

struct page {
  struct command *c;
  struct term term;
  struct buf text;
};

static struct str moment_text(struct page *p, int64_t ms) {
  struct buf text;
  buf_init(&text, 128);
  moment_show(ms, &text);
  BUF_LIT(&text, " (");
  moment_show_age(ms, clock_now(clock_real()), &text);
  buf_put(&text, ms <= clock_now(clock_real()) ? STR(" ago)") : STR(")"));
  struct str copy = arena_dup(&p->c->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

static struct str field_text(struct page *p, const struct field *field, struct str raw) {
  switch (field->kind) {
  case FIELD_TEXT:
  case FIELD_STATUS:
    return json_kind(raw) == JSON_STRING ? json_string(&p->c->arena, raw, NULL) : raw;
  case FIELD_MOMENT: {
    int64_t ms = 0;
    return json_integer(raw, &ms) ? moment_text(p, ms) : raw;
  }
  case FIELD_NUMBER:
  case FIELD_JSON: return raw;
  }
  return raw;
}

static void put_field(struct page *p, const struct field *field, struct str raw) {
  struct str text = field_text(p, field, raw);
  enum term_style style = field->kind == FIELD_STATUS ? term_status_style(text) : STYLE_PLAIN;
  struct str title = arena_printf(&p->c->arena, "%-12s ", field->title);
  term_text(&p->term, STYLE_DIM, title, &p->text);
  term_text(&p->term, style, text, &p->text);
  buf_char(&p->text, '\n');
}

static enum err put_task(struct page *p, struct str document, struct fault *why) {
  struct str task = reply_raw(document, "task");
  if (str_is_none(task)) return remote_refuse_answer(why);
  for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
    struct str raw = reply_raw(task, FIELDS[i].key);
    if (!str_is_none(raw)) put_field(p, &FIELDS[i], raw);
  }
  return ERR_OK;
}

// --- its parts -----------------------------------------------------------------------------------

static struct str stamp(struct page *p, struct str object, const char *key) {
  struct buf text;
  buf_init(&text, 64);
  int64_t ms = reply_i64(object, key);
  if (ms) moment_show(ms, &text);
  struct str copy = arena_dup(&p->c->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

static struct str text_of(struct page *p, struct str object, const char *key) {
  struct str text = reply_text(&p->c->arena, object, key);
  return str_is_none(text) ? STR("") : text;
}

static void add_log(struct page *p, struct table *table, struct str line) {
  table_add(table, (const struct table_cell[]){{stamp(p, line, "at"), STYLE_DIM},
                                               {text_of(p, line, "text"), STYLE_PLAIN}});
}

static void add_event(struct page *p, struct table *table, struct str event) {
  table_add(table, (const struct table_cell[]){{stamp(p, event, "at"), STYLE_DIM},
                                               {text_of(p, event, "event"), STYLE_PLAIN},
                                               {text_of(p, event, "actor"), STYLE_PLAIN},
                                               {text_of(p, event, "worker"), STYLE_PLAIN},
                                               {text_of(p, event, "note"), STYLE_PLAIN},
                                               {text_of(p, event, "text"), STYLE_PLAIN}});
}

static void add_attempt(struct page *p, struct table *table, struct str attempt) {
  struct arena *a = &p->c->arena;
  struct str error = reply_raw(attempt, "error");
  struct str message = str_is_none(error) ? STR("") : text_of(p, error, "message");
  struct str number = arena_printf(a, "%" PRId64, reply_i64(attempt, "attempt"));
  table_add(table, (const struct table_cell[]){{number, STYLE_PLAIN},
                                               {stamp(p, attempt, "startedAt"), STYLE_DIM},
                                               {stamp(p, attempt, "endedAt"), STYLE_DIM},
                                               {text_of(p, attempt, "worker"), STYLE_PLAIN},
                                               {text_of(p, attempt, "outcome"), STYLE_PLAIN},
                                               {message, STYLE_PLAIN}});
}

static const char *const LOG_TITLES[] = {"AT", "LINE", NULL};
static const char *const EVENT_TITLES[] = {"AT", "EVENT", "ACTOR", "WORKER", "NOTE", "TEXT", NULL};
static const char *const ATTEMPT_TITLES[] = {"ATTEMPT", "STARTED", "ENDED", "WORKER",
                                             "OUTCOME", "ERROR",   NULL};

// A list that belongs to a task, as the API serves it; `after` names what its pages continue
// behind.
static const struct part {
  const char *option, *suffix, *list;
  const char *const *titles;
  void (*add)(struct page *, struct table *, struct str);
  bool has_pages;
} PARTS[] = {{"logs", "/logs", "logs", LOG_TITLES, add_log, true},
             {"events", "/events", "events", EVENT_TITLES, add_event, true},
             {"attempts", "/attempts", "attempts", ATTEMPT_TITLES, add_attempt, false}};

static struct str part_path(struct page *p, const struct part *part, int64_t after) {
  struct str path = remote_path(&p->c->arena, "tasks", p->c->given.positionals[0], part->suffix);
  if (!part->has_pages) return path;
  return arena_printf(&p->c->arena, "%.*s?limit=%d&after=%" PRId64, STR_FMT(path), PAGE_ITEMS,
                      after);
}

// All pages; the answers as they came with --json.
static enum err put_part(struct page *p, const struct part *part, struct fault *why) {
  bool as_json = options_has(&p->c->given, "json");
  struct table table;
  table_init(&table, &p->c->arena, part->titles);
  int64_t after = 0, count;
  do {
    struct str document, key, item;
    TRY(remote_get(p->c, part_path(p, part, after), &document, why));
    struct str items = reply_raw(document, part->list);
    if (str_is_none(items)) return remote_refuse_answer(why);
    if (as_json) TRY(print_line(items, why));
    struct json_walk walk = json_walk(items);
    for (count = 0; json_next(&walk, &key, &item); count++) part->add(p, &table, item);
    after = reply_i64(document, "nextAfter");
  } while (part->has_pages && count == PAGE_ITEMS);
  if (!as_json) table_render(&table, &p->term, &p->text);
  return ERR_OK;
}

static enum err put_explanation(struct page *p, struct fault *why) {
  struct str document,
      path = remote_path(&p->c->arena, "tasks", p->c->given.positionals[0], "/explain");
  TRY(remote_get(p->c, path, &document, why));
  struct str explain = reply_raw(document, "explain");
  if (str_is_none(explain)) return remote_refuse_answer(why);
  if (options_has(&p->c->given, "json")) return print_line(explain, why);
  term_text(&p->term, STYLE_PLAIN, text_of(p, explain, "reason"), &p->text);
  buf_char(&p->text, '\n');
  return ERR_OK;
}

static enum err put_whole(struct page *p, struct fault *why) {
  struct str document, path = remote_path(&p->c->arena, "tasks", p->c->given.positionals[0], "");
  TRY(remote_get(p->c, path, &document, why));
  if (!options_has(&p->c->given, "json")) return put_task(p, document, why);
  struct str task = reply_raw(document, "task");
  return str_is_none(task) ? remote_refuse_answer(why) : print_line(task, why);
}

static enum err put_wanted(struct page *p, struct fault *why) {
  if (options_has(&p->c->given, "explain")) return put_explanation(p, why);
  for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
    if (options_has(&p->c->given, PARTS[i].option)) return put_part(p, &PARTS[i], why);
  return put_whole(p, why);
}

static enum err run(struct command *c, struct fault *why) {
  struct page p = {.c = c, .term = term_of(STDOUT_FILENO)};
  buf_init(&p.text, TEXT_BYTES_MAX);
  enum err err = remote_about(c->given.positionals[0], put_wanted(&p, why), why);
  if (err == ERR_OK && p.text.len) err = print_text(&p.text, why);
  buf_fini(&p.text);
  return err;
}

const struct command_spec COMMAND_get = {
    .options = {.usage = "taskyard get [OPTION]… ID",
                .summary =
                    "Shows a task, or with an option its log, history, attempts, or explanation.",
                .options = OPTIONS,
                .common = REMOTE_OPTIONS,
                .positionals_min = 1,
                .positionals_max = 1,
                .examples = EXAMPLES},
    .run = run};
