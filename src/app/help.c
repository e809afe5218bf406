// help.c: `taskyard help` and `taskyard version`.
#include "app/commands.h"
#include "app/print.h"

static const char *const HELP_EXAMPLES[] = {"taskyard help", "taskyard help submit", NULL};

enum { TEXT_BYTES_MAX = 64 * 1024 };

static enum err explain(const struct command_entry *entry, struct fault *why) {
  struct buf text;
  buf_init(&text, TEXT_BYTES_MAX);
  options_help(entry->options, &text);
  enum err err = print_text(&text, why);
  buf_fini(&text);
  return err;
}

static enum err run_help(struct command *c, struct fault *why) {
  if (c->given.positional_count) {
    const char *word = c->given.positionals[0];
    const struct command_entry *entry = commands_find(word);
    return entry ? explain(entry, why)
                 : command_misused(
                       c, why, "there is no command \"%s\"; `taskyard help` lists them all", word);
  }
  struct buf text;
  buf_init(&text, TEXT_BYTES_MAX);
  commands_overview(&text);
  enum err err = print_text(&text, why);
  buf_fini(&text);
  return err;
}

static const struct option_spec VERSION_OPTIONS[] = {{"json", 'j', NULL, "print one JSON document"},
                                                     {0}};

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHECKED ", with sanitizers"
#else
#define CHECKED ""
#endif

static enum err run_version(struct command *c, struct fault *why) {
  struct str json =
      STR("{\"version\":\"" TASKYARD_VERSION "\",\"build\":\"" COMPILER CHECKED "\"}");
  struct str text = STR("taskyard " TASKYARD_VERSION "\nbuilt by " COMPILER CHECKED);
  return print_line(options_has(&c->given, "json") ? json : text, why);
}

const struct command_spec COMMAND_help = {
    .options = {.usage = "taskyard help [COMMAND]",
                .summary = "Explains a command, or lists them all.",
                .positionals_max = 1,
                .examples = HELP_EXAMPLES},
    .run = run_help};

const struct command_spec COMMAND_version = {
    .options = {.usage = "taskyard version [--json]",
                .summary = "Prints the version and how it was built.",
                .options = VERSION_OPTIONS},
    .run = run_version};
