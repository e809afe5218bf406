// events.c: `taskyard events`: tells what happens, as it happens.
#include "app/moment.h"
#include "app/print.h"
#include "app/remote.h"
#include "app/table.h"
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const struct option_spec OPTIONS[] = {
    {"task", 0, "ID", "of this task only"},
    {"type", 't', "TYPE", "of tasks of this type"},
    {"queue", 'q', "NAME", "of tasks of this queue"},
    {"project", 0, "ID", "of tasks of this project"},
    {"after", 0, "N",
     "begin behind the event with this number; 0: with the first. Else from now on"},
    {"count", 'n', "N", "end after so many"},
    {"json", 'j', NULL, "print each event as JSON, one line an event"},
    {0}};

static const char *const EXAMPLES[] = {
    "taskyard events --type resize", "taskyard events --task 0198f3a2-5b7c-7e21-9a53-3f0d2c1b4a59",
    "taskyard events --json | jq -r 'select(.status == \"failed\") | .taskId'", NULL};

enum {
  LINE_BYTES_MAX = 1 << 20,
  SHOWN_BYTES_MAX = 4 * LINE_BYTES_MAX,  // what is harmful in a terminal is shown in more bytes
  EVENT_BLOCK_BYTES = 64 << 10,
  MARK_BYTES = 64,
  RETRY_MS = 3000
};

struct follow {
  struct command *c;
  struct term term;
  struct arena arena;  // of one event
  struct buf input;    // the beginning of a line
  struct buf shown;
  struct str path;
  char mark[MARK_BYTES];  // of the last event that came whole; "": none yet
  struct str data, id;    // of the event that comes, in the arena
  int64_t retry_ms, left;
  bool any;  // the server has answered once
  enum err err;
  struct fault *why;
};

// --- an event ------------------------------------------------------------------------------------

static const char *const TITLES[] = {"AT",       "EVENT", "TASK", "TYPE", "STATUS",
                                     "PROGRESS", "NOTE",  "TEXT", NULL};
enum { COLUMN_TEXT = 7, COLUMN_COUNT };

static struct str text_of(struct follow *f, const char *key) {
  struct str text = reply_text(&f->arena, f->data, key);
  return str_is_none(text) ? STR("") : text;
}

static struct str at_text(struct follow *f) {
  int64_t at = reply_i64(f->data, "at");
  struct buf text;
  buf_init(&text, 64);
  if (at) moment_show(at, &text);
  struct str copy = arena_dup(&f->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

static struct str progress_text(struct follow *f) {
  if (str_is_none(reply_raw(f->data, "progress"))) return STR("");
  return arena_printf(&f->arena, "%" PRId64 "%s", reply_i64(f->data, "progress"),
                      f->term.is_terminal ? "%" : "");
}

static void fill(struct follow *f, struct table_cell *cells) {
  struct str status = text_of(f, "status"), reason = text_of(f, "reason");
  const struct table_cell all[COLUMN_COUNT] = {
      {at_text(f), STYLE_DIM},
      {text_of(f, "event"), STYLE_PLAIN},
      {text_of(f, "taskId"), STYLE_PLAIN},
      {text_of(f, "type"), STYLE_PLAIN},
      {status, term_status_style(status)},
      {progress_text(f), STYLE_PLAIN},
      {reason.len ? reason : text_of(f, "note"), STYLE_PLAIN},
      {reason.len ? STR("list again, the server cannot tell what happened before")
                  : text_of(f, "text"),
       STYLE_PLAIN}};
  memcpy(cells, all, sizeof all);
}

// For people, who see each line when it comes: what there is, without columns.
static void put_line(struct follow *f, const struct table_cell *cells) {
  for (size_t i = 0; i < COLUMN_COUNT; i++) {
    if (cells[i].text.len == 0) continue;
    if (f->shown.len) buf_put(&f->shown, i == COLUMN_TEXT ? STR(": ") : STR("  "));
    term_text(&f->term, cells[i].style, cells[i].text, &f->shown);
  }
  buf_char(&f->shown, '\n');
}

static enum err show_line(struct follow *f) {
  struct table_cell cells[COLUMN_COUNT];
  struct table table;
  buf_clear(&f->shown);
  fill(f, cells);
  if (f->term.is_terminal) {
    put_line(f, cells);
  } else {
    table_init(&table, &f->arena, TITLES);
    table_add(&table, cells);
    table_render(&table, &f->term, &f->shown);
  }
  return print_text(&f->shown, f->why);
}

static enum err show(struct follow *f) {
  struct str value;
  struct json_error error;
  if (!json_check(f->data, &value, &error) || json_kind(value) != JSON_OBJECT)
    return remote_refuse_answer(f->why);
  f->data = value;
  if (f->left > 0) f->left--;
  return options_has(&f->c->given, "json") ? print_line(value, f->why) : show_line(f);
}

// --- lines of text/event-stream ------------------------------------------------------------------

static void drop_event(struct follow *f) {
  f->data = f->id = STR_NONE;
  arena_reset(&f->arena);
}

static bool end_event(struct follow *f) {
  if (!str_is_none(f->data)) f->err = show(f);
  if (f->id.len) memcpy(f->mark, f->id.at, f->id.len + 1);
  drop_event(f);
  return f->err == ERR_OK && f->left != 0;
}

static bool take_line(struct follow *f, struct str line) {
  if (line.len == 0) return end_event(f);
  struct str value = line, field = str_cut(&value, ':');
  if (value.len && value.at[0] == ' ') value = str_from(value, 1);
  if (str_eq(field, STR("data"))) f->data = arena_dup(&f->arena, value);
  if (str_eq(field, STR("retry"))) (void)str_to_i64(value, &f->retry_ms);
  if (str_eq(field, STR("id")) && value.len < sizeof f->mark) f->id = arena_dup(&f->arena, value);
  return true;
}

// False: that is enough.
static bool take(void *self, struct str piece) {
  struct follow *f = self;
  f->any = true;
  buf_put(&f->input, piece);
  if (f->input.overflow) f->err = remote_refuse_answer(f->why);
  struct str left = buf_str(&f->input);
  bool more = f->err == ERR_OK;
  while (more && str_find(left, '\n') < left.len) {
    struct str line = str_cut(&left, '\n');
    more = take_line(f, line);
  }
  if (left.len) memmove(f->input.at, left.at, left.len);
  f->input.len = left.len;
  return more;
}

// --- the stream ----------------------------------------------------------------------------------

static void make_path(struct follow *f) {
  static const char *const NAMES[][2] = {
      {"task", "taskId"}, {"type", "type"}, {"queue", "queue"}, {"project", "projectId"}};
  f->path = STR("/api/v1/events?");
  for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
    const char *value = options_value(&f->c->given, NAMES[i][0]);
    if (value == NULL) continue;
    struct str escaped = client_escape(&f->c->arena, str_of(value));
    f->path =
        arena_printf(&f->c->arena, "%.*s%s=%.*s&", STR_FMT(f->path), NAMES[i][1], STR_FMT(escaped));
  }
  f->path.len--;  // the last mark
}

static enum err read_options(struct follow *f, struct fault *why) {
  int64_t after = -1;
  enum err err = options_i64(&f->c->given, "after", 0, INT64_MAX >> 1, &after, why);
  if (err == ERR_OK) err = options_i64(&f->c->given, "count", 1, INT64_MAX >> 1, &f->left, why);
  if (err != ERR_OK) f->c->exit_code = EXIT_USAGE;
  if (after >= 0) snprintf(f->mark, sizeof f->mark, "%" PRId64, after);
  make_path(f);
  return err;
}

static void pause_ms(int64_t ms) {
  struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  while (nanosleep(&left, &left) < 0 && errno == EINTR) continue;
}

// What is worth another try, once the server has answered, if only with a stream that was empty.
static bool may_come_back(struct follow *f, enum err err) {
  f->any |= err == ERR_OK;
  return f->any &&
         (err == ERR_OK || err == ERR_UNAVAILABLE || err == ERR_OVERLOADED || err == ERR_TOO_MANY);
}

static enum err follow(struct follow *f, struct fault *why) {
  while (true) {
    struct fault lost = {0};
    struct client_call call = {.method = "GET",
                               .path = f->path,
                               .take = take,
                               .self = f,
                               .last_event_id = f->mark[0] ? str_of(f->mark) : STR_NONE};
    enum err err = remote_stream(f->c, &f->arena, &call, &lost);
    if (f->err != ERR_OK || f->left == 0) return f->err;
    if (!may_come_back(f, err)) {
      *why = lost;
      return err;
    }
    buf_clear(&f->input);
    drop_event(f);
    if (err != ERR_OK) command_complain(&lost);
    fputs(err == ERR_OK ? "The stream ended; trying again.\n" : "Trying again.\n", stderr);
    pause_ms(f->retry_ms);
  }
}

static enum err run(struct command *c, struct fault *why) {
  struct follow f = {
      .c = c, .term = term_of(STDOUT_FILENO), .retry_ms = RETRY_MS, .left = -1, .why = why};
  arena_init(&f.arena, EVENT_BLOCK_BYTES);
  buf_init(&f.input, LINE_BYTES_MAX);
  buf_init(&f.shown, SHOWN_BYTES_MAX);
  enum err err = read_options(&f, why);
  const char *task = options_value(&c->given, "task");
  if (err == ERR_OK) err = follow(&f, why);
  if (task) err = remote_about(task, err, why);
  buf_fini(&f.shown);
  buf_fini(&f.input);
  arena_fini(&f.arena);
  return err;
}

const struct command_spec COMMAND_events = {
    .options = {.usage = "taskyard events [OPTION]…",
                .summary =
                    "Tells what happens to tasks, as it happens, one line an event, until it is\n"
                    "stopped; elsewhere than on a terminal with tabs between time, event, task,\n"
                    "type, status, progress, note and text. When the server goes away it waits,\n"
                    "and goes on where it broke off.",
                .options = OPTIONS,
                .common = REMOTE_OPTIONS,
                .positionals_min = 0,
                .positionals_max = 0,
                .examples = EXAMPLES},
    .run = run};
