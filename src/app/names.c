// names.c: `taskyard queue` and `taskyard type`: what the server knows by name.
#include "app/print.h"
#include "app/remote.h"
#include "app/table.h"
#include "base/json.h"

#include <inttypes.h>
#include <unistd.h>

static const struct option_spec OPTIONS[] = {
    {"json", 'j', NULL, "what the server answered, one line a row"}, {0}};
static const char *const QUEUE_EXAMPLES[] = {"taskyard queue list", "taskyard queue pause images",
                                             "taskyard queue resume images", NULL};
static const char *const TYPE_EXAMPLES[] = {"taskyard type list", NULL};
static const char *const QUEUE_WORDS[] = {"list", "pause", "resume", NULL};
static const char *const TYPE_WORDS[] = {"list", NULL};

static const char *const QUEUE_TITLES[] = {"QUEUE",     "STATE",     "PENDING", "READY",
                                           "RUNNING",   "COMPLETED", "FAILED",  "CANCELLED",
                                           "ABANDONED", NULL};
static const char *const TYPE_TITLES[] = {"TYPE",    "QUEUE",     "PRIORITY", "ATTEMPTS", "PENDING",
                                          "RUNNING", "COMPLETED", "FAILED",   NULL};

// Blank where the server says null: a type without a default.
static struct table_cell number_cell(struct command *c, struct str object, const char *key) {
  if (str_is_none(reply_raw(object, key))) return (struct table_cell){STR(""), STYLE_PLAIN};
  struct str text = arena_printf(&c->arena, "%" PRId64, reply_i64(object, key));
  return (struct table_cell){text, STYLE_PLAIN};
}

static struct table_cell text_cell(struct command *c, struct str object, const char *key) {
  struct str text = reply_text(&c->arena, object, key);
  return (struct table_cell){str_is_none(text) ? STR("") : text, STYLE_PLAIN};
}

static void add_queue(struct command *c, struct table *table, struct str queue) {
  bool is_paused = reply_bool(queue, "paused");
  struct table_cell state = {is_paused ? STR("paused") : STR("active"),
                             is_paused ? STYLE_WARN : STYLE_GOOD};
  const struct table_cell cells[] = {
      text_cell(c, queue, "name"),       state,
      number_cell(c, queue, "pending"),  number_cell(c, queue, "ready"),
      number_cell(c, queue, "running"),  number_cell(c, queue, "completed"),
      number_cell(c, queue, "failed"),   number_cell(c, queue, "cancelled"),
      number_cell(c, queue, "abandoned")};
  table_add(table, cells);
}

static void add_type(struct command *c, struct table *table, struct str type) {
  const struct table_cell cells[] = {
      text_cell(c, type, "name"),        text_cell(c, type, "queue"),
      number_cell(c, type, "priority"),  number_cell(c, type, "maxAttempts"),
      number_cell(c, type, "pending"),   number_cell(c, type, "running"),
      number_cell(c, type, "completed"), number_cell(c, type, "failed")};
  table_add(table, cells);
}

// A collection of the API, as a table.
struct collection {
  const char *path, *list;
  const char *const *titles;
  void (*add)(struct command *, struct table *, struct str);
};
static const struct collection QUEUES = {"/api/v1/queues", "queues", QUEUE_TITLES, add_queue};
static const struct collection TYPES = {"/api/v1/types", "types", TYPE_TITLES, add_type};

static enum err print_collection(struct command *c, const struct collection *of,
                                 struct fault *why) {
  struct str document, key, item;
  TRY(remote_get(c, str_of(of->path), &document, why));
  struct str items = reply_raw(document, of->list);
  if (str_is_none(items)) return remote_refuse_answer(why);
  struct term term = term_of(STDOUT_FILENO);
  struct table table;
  table_init(&table, &c->arena, of->titles);
  struct json_walk walk = json_walk(items);
  while (json_next(&walk, &key, &item)) {
    if (options_has(&c->given, "json")) TRY(print_line(item, why));
    of->add(c, &table, item);
  }
  return options_has(&c->given, "json") ? ERR_OK : table_show(&table, &term, why);
}

static enum err change_queue(struct command *c, const char *name, const char *move,
                             struct fault *why) {
  struct str document, path = arena_printf(&c->arena, "/%s", move);
  path = remote_path(&c->arena, "queues", name, path.at);
  TRY(remote_post(c, path, STR("{}"), &document, why));
  struct str queue = reply_raw(document, "queue");
  if (str_is_none(queue)) return remote_refuse_answer(why);
  if (options_has(&c->given, "json")) return print_line(queue, why);
  bool is_paused = reply_bool(queue, "paused");
  return print_line(arena_printf(&c->arena, "%s\t%s", name, is_paused ? "paused" : "active"), why);
}

static enum err run_queue(struct command *c, struct fault *why) {
  size_t count = c->given.positional_count;
  const char *word = count ? c->given.positionals[0] : "list";
  if (strcmp(word, "list") == 0 && count <= 1) return print_collection(c, &QUEUES, why);
  bool is_change = strcmp(word, "pause") == 0 || strcmp(word, "resume") == 0;
  if (!is_change || count < 2)
    return command_misused(c, why, "say queue list, queue pause NAME, or queue resume NAME");
  for (size_t i = 1; i < count; i++) TRY(change_queue(c, c->given.positionals[i], word, why));
  return ERR_OK;
}

static enum err run_type(struct command *c, struct fault *why) {
  if (c->given.positional_count && strcmp(c->given.positionals[0], "list") != 0)
    return command_misused(c, why, "say type list");
  return print_collection(c, &TYPES, why);
}

const struct command_spec COMMAND_queue = {
    .options = {.usage = "taskyard queue [list | pause NAME… | resume NAME…]",
                .summary =
                    "Lists queues with their tasks. A paused queue takes tasks and hands none out.",
                .options = OPTIONS,
                .common = REMOTE_OPTIONS,
                .positionals_max = OPTIONS_ANY,
                .examples = QUEUE_EXAMPLES},
    .words = QUEUE_WORDS,
    .run = run_queue};

const struct command_spec COMMAND_type = {
    .options = {.usage = "taskyard type [list]",
                .summary = "Lists the types of tasks, their defaults and their tasks.",
                .options = OPTIONS,
                .common = REMOTE_OPTIONS,
                .positionals_max = 1,
                .examples = TYPE_EXAMPLES},
    .words = TYPE_WORDS,
    .run = run_type};
