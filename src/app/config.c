// config.c: `taskyard config`: what the settings are, and where each comes from.
#include "app/command.h"
#include "app/print.h"
#include "app/settings_flags.h"
#include "app/settings_typos.h"
#include "app/table.h"
#include "app/value.h"
#include "app/wrongs.h"
#include "model/limits.h"

#include <unistd.h>

// The flags of serve are taken too, so that one sees what they would do.
static const struct option_spec OPTIONS[] = {
    {"json", 'j', NULL, "print one JSON document"},
    {"check", 0, NULL, "print nothing if the settings are right, else all that is wrong"},
    {0}};
static const char *const EXAMPLES[] = {
    "taskyard config", "taskyard config --check --config /etc/taskyard/taskyard.conf",
    "taskyard config --json | jq .settings.listen", NULL};
static const char *const TITLES[] = {"SETTING", "VALUE", "FROM", NULL};

enum { TEXT_BYTES_MAX = 4 << 20 };

static struct str value_text(struct command *c, const struct settings *s, size_t which) {
  struct buf text;
  buf_init(&text, TEXT_BYTES_MAX);
  settings_show(s, (enum setting_index)which, &text);
  struct str copy = arena_dup(&c->arena, buf_str(&text));
  buf_fini(&text);
  return copy;
}

static void describe_keep(const struct type *t, struct buf *out) {
  const struct keep *k = &t->keep;
  if (k->completed >= 0) buf_printf(out, " keep_completed %lld", (long long)k->completed);
  if (k->failed >= 0) buf_printf(out, " keep_failed %lld", (long long)k->failed);
  if (k->for_ms >= 0) BUF_LIT(out, " keep_for ");
  if (k->for_ms >= 0) value_show(KIND_DURATION, &k->for_ms, out);
  if (t->keep_result) BUF_LIT(out, " keep_result");
}

// "exponential 1s max 1h jitter 0.2", and so on; only what the section says.
static void describe_type(const struct type *t, struct buf *out) {
  buf_printf(out, "[type %.*s]", STR_FMT(t->name));
  if (t->queue.len) buf_printf(out, " queue %.*s", STR_FMT(t->queue));
  if (t->priority != VERSION_NONE) buf_printf(out, " priority %lld", (long long)t->priority);
  if (t->attempts_max) buf_printf(out, " max_attempts %lld", (long long)t->attempts_max);
  if (t->lease_ms) BUF_LIT(out, " lease ");
  if (t->lease_ms) value_show(KIND_DURATION, &t->lease_ms, out);
  if (t->timeout_ms >= 0) BUF_LIT(out, " timeout ");
  if (t->timeout_ms >= 0) value_show(KIND_DURATION, &t->timeout_ms, out);
  if (t->backoff.delay_ms) BUF_LIT(out, " backoff ");
  if (t->backoff.delay_ms) value_show(KIND_BACKOFF, &t->backoff, out);
  describe_keep(t, out);
  buf_char(out, '\n');
}

static void describe_sections(const struct settings *s, struct buf *out) {
  if (s->type_count + s->queue_count) buf_char(out, '\n');
  for (size_t i = 0; i < s->type_count; i++) describe_type(&s->types[i], out);
  for (size_t i = 0; i < s->queue_count; i++)
    buf_printf(out, "[queue %.*s]%s\n", STR_FMT(s->queues[i].name),
               s->queues[i].paused ? " paused" : "");
}

static void render(struct command *c, const struct settings *s, struct buf *out) {
  struct term term = term_of(STDOUT_FILENO);
  struct table table;
  table_init(&table, &c->arena, TITLES);
  for (size_t i = 0; i < SETTINGS_COUNT; i++) {
    bool is_default = str_eq(s->origin[i], STR("default"));
    table_add(&table, (const struct table_cell[]){
                          {str_of(SETTINGS[i].name), STYLE_PLAIN},
                          {value_text(c, s, i), is_default ? STYLE_PLAIN : STYLE_BOLD},
                          {s->origin[i], STYLE_DIM}});
  }
  table_render(&table, &term, out);
  if (term.is_terminal) describe_sections(s, out);
}

static void put_names(const struct settings *s, struct buf *out) {
  BUF_LIT(out, "},\"types\":[");
  for (size_t i = 0; i < s->type_count; i++) {
    if (i) buf_char(out, ',');
    buf_json_str(out, s->types[i].name);
  }
  BUF_LIT(out, "],\"queues\":[");
  for (size_t i = 0; i < s->queue_count; i++) {
    if (i) buf_char(out, ',');
    buf_json_str(out, s->queues[i].name);
  }
  buf_char(out, ']');
}

static void render_json(struct command *c, const struct settings *s, struct buf *out) {
  BUF_LIT(out, "{\"file\":");
  if (str_is_none(s->file)) BUF_LIT(out, "null");
  if (!str_is_none(s->file)) buf_json_str(out, s->file);
  BUF_LIT(out, ",\"settings\":{");
  for (size_t i = 0; i < SETTINGS_COUNT; i++) {
    if (i) buf_char(out, ',');
    buf_json_str(out, str_of(SETTINGS[i].name));
    BUF_LIT(out, ":{\"value\":");
    buf_json_str(out, value_text(c, s, i));
    BUF_LIT(out, ",\"from\":");
    buf_json_str(out, s->origin[i]);
    buf_char(out, '}');
  }
  put_names(s, out);
  BUF_LIT(out, "}\n");
}

// Keys may also stand in the store, which is not opened here; so only what is wrong in any case is.
static enum err check(const struct settings *s, struct fault *why) {
  TRY(settings_check_exposure(s, true, why));
  struct fault without_one = {0};
  if (settings_check_exposure(s, false, &without_one) != ERR_OK)
    fprintf(stderr, "taskyard: without api_key, serve starts only if the store holds a key\n");
  return ERR_OK;
}

static enum err show(struct command *c, const struct settings *s, struct fault *why) {
  struct buf text;
  buf_init(&text, TEXT_BYTES_MAX);
  if (options_has(&c->given, "json"))
    render_json(c, s, &text);
  else
    render(c, s, &text);
  enum err err = print_text(&text, why);
  buf_fini(&text);
  return err;
}

static enum err run(struct command *c, struct fault *why) {
  struct settings_source source = settings_flags_read(&c->given);
  struct settings settings;
  bool only_check = options_has(&c->given, "check");
  c->exit_code = EXIT_CONFIG;
  TRY(wrongs_load(source, only_check ? SIZE_MAX : LIMIT_WRONGS_TOLD, &settings, why));
  settings_typos_tell(stderr);
  enum err err = only_check ? check(&settings, why) : show(c, &settings, why);
  if (err == ERR_OK) c->exit_code = EXIT_DONE;
  settings_fini(&settings);
  return err;
}

const struct command_spec COMMAND_config = {
    .options = {.usage = "taskyard config [OPTION]…",
                .summary =
                    "Shows each setting and where its value comes from: a flag, a variable of the\n"
                    "environment, a line of the file, or the default. Secrets are masked.",
                .options = OPTIONS,
                .common = SETTINGS_OPTIONS,
                .examples = EXAMPLES},
    .run = run};
