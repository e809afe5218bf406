// list.c: `taskyard list`: tasks by filter, page after page.
#include "app/moment.h"
#include "app/print.h"
#include "app/remote.h"
#include "app/table.h"
#include "base/clock.h"
#include "base/json.h"
#include "model/limits.h"

#include <inttypes.h>
#include <unistd.h>

static const struct option_spec OPTIONS[] = {
    {"status", 's', "STATUS",
     "pending, running, completed, failed, cancelled, abandoned; with commas"},
    {"type", 't', "TYPE", "tasks of this type"},
    {"queue", 'q', "NAME", "tasks of this queue"},
    {"tag", 0, "NAME=VALUE", "tasks that have this tag"},
    {"project", 0, "ID", "tasks of this project"},
    {"subject", 0, "ID", "tasks about this"},
    {"worker", 0, "ID", "tasks that this worker claimed last"},
    {"search", 0, "TEXT", "tasks with this in name, description, type, subject or id"},
    {"limit", 'n', "N", "no more than this; 50 if not given"},
    {"all", 'a', NULL, "all there are"},
    {"json", 'j', NULL, "print the whole tasks, one line a task"},
    {0}};

static const char *const EXAMPLES[] = {
    "taskyard list", "taskyard list --status failed,abandoned --type resize",
    "taskyard list --tag album=summer --all --json | jq -r .id", NULL};

static const char *const TITLES[] = {"ID", "TYPE", "STATUS", "PROGRESS", "AGE", NULL};
static const char *const SESSION_TITLES[] = {"ID", "NAME", "STATUS", "PROGRESS", "AGE", NULL};

enum { QUERY_BYTES_MAX = 16 * 1024, PAGE_BLOCK_BYTES = 256 * 1024 };

struct listing {
  struct command *c;
  struct arena arena;  // of one page
  struct buf query;    // without limit and cursor
  struct term term;
  int64_t now_ms;
  int64_t left;  // tasks still wanted
  int64_t page;
};

static void put_parameter(struct listing *l, const char *name, struct str value) {
  struct str escaped = client_escape(&l->c->arena, value);
  buf_printf(&l->query, "&%s=", name);
  buf_put(&l->query, escaped);
}

// The key of a service is shown ready work only, unless it asks for all.
static void put_status(struct listing *l) {
  if (!options_has(&l->c->given, "status")) put_parameter(l, "status", STR("all"));
}

static void put_option(struct listing *l, const char *option, const char *name) {
  const char *value = options_value(&l->c->given, option);
  if (value) put_parameter(l, name, str_of(value));
}

static enum err put_tag(struct listing *l, struct fault *why) {
  const char *tag = options_value(&l->c->given, "tag");
  if (!tag) return ERR_OK;
  struct str value = str_of(tag), name = str_cut(&value, '=');
  if (str_is_none(value) || name.len == 0)
    return command_misused(l->c, why, "--tag must be NAME=VALUE, not \"%s\"", tag);
  struct str escaped = client_escape(&l->c->arena, name);
  put_parameter(l, arena_printf(&l->c->arena, "tag.%.*s", STR_FMT(escaped)).at, value);
  return ERR_OK;
}

static enum err read_options(struct listing *l, struct fault *why) {
  static const struct {
    const char *option, *name;
  } names[] = {{"status", "status"},     {"type", "type"},       {"queue", "queue"},
               {"project", "projectId"}, {"subject", "subject"}, {"worker", "worker"},
               {"search", "q"}};
  static const char *const NOT_IN_SESSIONS[] = {"type",    "queue",  "tag",    "project",
                                                "subject", "worker", "search", NULL};
  TRY(remote_needs_key(l->c, NOT_IN_SESSIONS,
                       "the tasks of a session are narrowed by --status only", why));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    put_option(l, names[i].option, names[i].name);
  put_status(l);
  l->left = options_has(&l->c->given, "all") ? INT64_MAX : LIMIT_PAGE_DEFAULT;
  enum err err = options_i64(&l->c->given, "limit", 1, INT64_MAX, &l->left, why);
  if (err != ERR_OK) l->c->exit_code = EXIT_USAGE;
  return err == ERR_OK ? put_tag(l, why) : err;
}

// An age for people, the moment itself for programs.
static struct str created_text(struct listing *l, int64_t created_at) {
  struct buf text;
  buf_init(&text, 64);
  if (l->term.is_terminal) moment_show_age(created_at, l->now_ms, &text);
  if (!l->term.is_terminal) moment_show(created_at, &text);
  struct str copy = arena_dup(&l->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

static struct str progress_text(struct listing *l, int64_t progress) {
  return arena_printf(&l->arena, "%" PRId64 "%s", progress, l->term.is_terminal ? "%" : "");
}

// A session lists its tasks by name, without their types.
static void add_row(struct listing *l, struct table *table, struct str task) {
  const char *what = remote_in_session(l->c) ? "name" : "type";
  struct str status = reply_text(&l->arena, task, "status");
  const struct table_cell cells[] = {{reply_text(&l->arena, task, "id"), STYLE_PLAIN},
                                     {reply_text(&l->arena, task, what), STYLE_PLAIN},
                                     {status, term_status_style(status)},
                                     {progress_text(l, reply_i64(task, "progress")), STYLE_PLAIN},
                                     {created_text(l, reply_i64(task, "createdAt")), STYLE_DIM}};
  table_add(table, cells);
}

static enum err print_table(struct listing *l, struct str tasks, struct fault *why) {
  struct table table;
  struct str key, task;
  table_init(&table, &l->arena, remote_in_session(l->c) ? SESSION_TITLES : TITLES);
  table.has_no_titles = l->page > 0;
  struct json_walk walk = json_walk(tasks);
  while (json_next(&walk, &key, &task)) add_row(l, &table, task);
  return table_show(&table, &l->term, why);
}

static enum err print_lines(struct str tasks, struct fault *why) {
  struct str key, task;
  struct json_walk walk = json_walk(tasks);
  while (json_next(&walk, &key, &task)) TRY(print_line(task, why));
  return ERR_OK;
}

// One page; `*cursor` is where the next begins, STR_NONE after the last.
static enum err print_page(struct listing *l, struct str *cursor, struct fault *why) {
  int64_t limit = l->left < LIMIT_PAGE_ITEMS ? l->left : LIMIT_PAGE_ITEMS;
  struct client_call call = {
      .method = "GET",
      .path = arena_printf(&l->arena, "/api/v1/tasks?limit=%" PRId64 "%.*s%s%.*s", limit,
                           STR_FMT(buf_str(&l->query)), cursor->len ? "&cursor=" : "",
                           (int)cursor->len, cursor->len ? cursor->at : "")};
  struct str document;
  TRY(remote_call(l->c, &l->arena, &call, &document, why));
  struct str tasks = reply_raw(document, "tasks");
  if (str_is_none(tasks)) return remote_refuse_answer(why);
  bool as_json = options_has(&l->c->given, "json");
  TRY(as_json ? print_lines(tasks, why) : print_table(l, tasks, why));
  l->left -= reply_i64(document, "count");
  l->page++;
  *cursor = reply_text(&l->arena, document, "nextCursor");
  return ERR_OK;
}

// The arena is emptied between pages, so that the longest list costs one page of memory. The cursor
// moves to the arena of the command, escaped.
static enum err print_pages(struct listing *l, struct fault *why) {
  struct str cursor = STR_NONE;
  do {
    arena_reset(&l->arena);
    TRY(print_page(l, &cursor, why));
    if (cursor.len) cursor = client_escape(&l->c->arena, cursor);
  } while (cursor.len && l->left > 0);
  return ERR_OK;
}

static enum err run(struct command *c, struct fault *why) {
  struct listing l = {.c = c, .term = term_of(STDOUT_FILENO), .now_ms = clock_now(clock_real())};
  buf_init(&l.query, QUERY_BYTES_MAX);
  arena_init(&l.arena, PAGE_BLOCK_BYTES);
  enum err err = read_options(&l, why);
  if (err == ERR_OK) err = print_pages(&l, why);
  arena_fini(&l.arena);
  buf_fini(&l.query);
  return err;
}

const struct command_spec COMMAND_list = {
    .options =
        {.usage = "taskyard list [OPTION]…",
         .summary =
             "Lists tasks, newest first: a table on a terminal, elsewhere one line a task with\n"
             "tabs between id, type, status, progress and time of creation.",
         .options = OPTIONS,
         .common = REMOTE_OPTIONS,
         .examples = EXAMPLES},
    .run = run};
