// commands.c: picks a command by its word, reads its options, runs it, reports how it ended.
#include "app/commands.h"

#include "app/print.h"
#include "bench/bench.h"
#include "client/client.h"
#include "worker/worker.h"

#include <stdio.h>

#define COMMAND(name, summary) extern const struct command_spec COMMAND_##name;
#define HIDDEN(name, summary) COMMAND(name, summary)
#define PROGRAM(name, function, usage, summary)
#include "app/commands.def"
#undef COMMAND
#undef HIDDEN
#undef PROGRAM

const struct command_entry COMMANDS[] = {
#define COMMAND(name, summary)                                                                     \
  {#name, &COMMAND_##name.options, &COMMAND_##name, NULL, summary, false},
#define HIDDEN(name, summary)                                                                      \
  {#name, &COMMAND_##name.options, &COMMAND_##name, NULL, summary, true},
#define PROGRAM(name, function, usage, summary) {#name, &usage, NULL, function, summary, false},
#include "app/commands.def"
#undef COMMAND
#undef HIDDEN
#undef PROGRAM
    {0}};

enum {
  COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0],
  ARENA_BLOCK_BYTES = 64 * 1024,
  HELP_BYTES = 64 * 1024
};

const struct command_entry *commands_find(const char *name) {
  for (const struct command_entry *entry = COMMANDS; entry->name; entry++)
    if (strcmp(entry->name, name) == 0) return entry;
  return NULL;
}

static int refuse_word(const char *word) {
  const char *names[COMMAND_COUNT] = {0};
  size_t count = 0;
  for (const struct command_entry *entry = COMMANDS; entry->name; entry++)
    if (!entry->hidden) names[count++] = entry->name;
  const char *nearest = options_nearest(word, names);
  fprintf(stderr, "taskyard: there is no command \"%s\"", word);
  if (*word == '-') {
    fprintf(stderr, "; options come behind it: taskyard COMMAND %s …\n", word);
    return EXIT_USAGE;
  }
  if (nearest) fprintf(stderr, "; did you mean %s?\n", nearest);
  if (!nearest) fprintf(stderr, "; `taskyard help` lists them all\n");
  return EXIT_USAGE;
}

static int print_overview(FILE *to) {
  struct buf text;
  buf_init(&text, HELP_BYTES);
  commands_overview(&text);
  fwrite(text.at, 1, text.len, to);
  buf_fini(&text);
  return to == stdout ? EXIT_DONE : EXIT_USAGE;
}

static enum err print_help(const struct command_spec *spec, struct fault *why) {
  struct buf text;
  buf_init(&text, HELP_BYTES);
  options_help(&spec->options, &text);
  enum err err = print_text(&text, why);
  buf_fini(&text);
  return err;
}

static enum err parse_and_run(const struct command_spec *spec, struct command *c, int argc,
                              char **argv, struct fault *why) {
  enum err err = options_parse(&spec->options, argc - 1, argv + 1, &c->arena, &c->given, why);
  if (err != ERR_OK) {
    c->exit_code = EXIT_USAGE;
    return err;
  }
  return c->given.help ? print_help(spec, why) : spec->run(c, why);
}

static int run(const struct command_entry *entry, int argc, char **argv) {
  struct command c = {0};
  struct fault why = {0};
  arena_init(&c.arena, ARENA_BLOCK_BYTES);
  enum err err = parse_and_run(entry->spec, &c, argc, argv, &why);
  if (err != ERR_OK) {
    if (c.exit_code == EXIT_DONE) c.exit_code = (int)command_exit_code(err);
    command_complain(&why);
    if (c.exit_code == EXIT_USAGE) fprintf(stderr, "Try `taskyard %s --help`.\n", entry->name);
  }
  client_close(c.client);
  arena_fini(&c.arena);
  return c.exit_code;
}

int commands_main(int argc, char **argv) {
  if (argc < 2) return print_overview(stderr);
  const char *word = argv[1];
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return print_overview(stdout);
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) word = "version";
  const struct command_entry *entry = commands_find(word);
  if (!entry) return refuse_word(word);
  return entry->program ? entry->program(argc - 1, argv + 1) : run(entry, argc - 1, argv + 1);
}

void commands_overview(struct buf *out) {
  BUF_LIT(out,
          "Taskyard keeps tasks safe and hands them to workers.\n\n"
          "Usage: taskyard COMMAND [ARGUMENT]…\n\nCommands:\n");
  for (const struct command_entry *entry = COMMANDS; entry->name; entry++)
    if (!entry->hidden) buf_printf(out, "  %-11s %s\n", entry->name, entry->summary);
  BUF_LIT(out,
          "\nStart here:\n"
          "  taskyard serve                          a server on 127.0.0.1:8503\n"
          "  taskyard worker --type count --exec wc  a worker, in another terminal\n"
          "  taskyard submit count '\"some words\"' --wait\n"
          "\nEnvironment:\n"
          "  TASKYARD_URL  where the server is; http://127.0.0.1:8503 if not set\n"
          "  TASKYARD_KEY  the API key to send\n"
          "  TASKYARD_SESSION  the session to work in, where there is no key\n"
          "\nExit codes:\n");
#define EXIT_ROW(name, code, meaning) buf_printf(out, "  %2d  %s\n", code, meaning);
#include "app/exits.def"
#undef EXIT_ROW
  BUF_LIT(out, "\n`taskyard COMMAND --help` explains a command.\n");
}
