// completion.c: `taskyard completion`: writes the completion script.
#include "app/completion.h"

#include "app/print.h"

enum { SCRIPT_BYTES_MAX = 256 * 1024 };

static const char *const WORDS[] = {"bash", NULL};
static const char *const EXAMPLES[] = {"source <(taskyard completion bash)",
                                       "taskyard completion bash > /etc/bash_completion.d/taskyard",
                                       NULL};

static void put_options(const struct option_spec *options, struct buf *out) {
  for (; options && options->name; options++) buf_printf(out, "--%s ", options->name);
}

// Options that take a value, as a pattern for `case`: what follows them is no word of ours.
static void put_valued(const struct option_spec *options, struct buf *out) {
  for (; options && options->name; options++)
    if (options->value) buf_printf(out, " --%s", options->name);
}

static void put_case(const struct command_entry *entry, struct buf *out) {
  const struct option_command *o = entry->options;
  const char *const *word = entry->spec ? entry->spec->words : NULL;
  buf_printf(out, "    %s)\n      options=\"", entry->name);
  put_options(o->options, out);
  put_options(o->common, out);
  BUF_LIT(out, "--help\"\n      valued=\"");
  put_valued(o->options, out);
  put_valued(o->common, out);
  BUF_LIT(out, " \"\n");
  if (word) BUF_LIT(out, "      words=\"");
  for (; word && *word; word++) buf_printf(out, word[1] ? "%s " : "%s\"\n", *word);
  BUF_LIT(out, "      ;;\n");
}

static void put_names(const struct command_entry *commands, struct buf *out) {
  for (const struct command_entry *entry = commands; entry->name; entry++)
    if (!entry->hidden) buf_printf(out, "%s%s", entry == commands ? "" : " ", entry->name);
}

void completion_bash(const struct command_entry *commands, struct buf *out) {
  BUF_LIT(out,
          "# bash completion of taskyard; made by `taskyard completion bash`.\n"
          "_taskyard() {\n"
          "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "  local commands=\"");
  put_names(commands, out);
  BUF_LIT(out,
          "\"\n"
          "  local options=\"--help\" valued=\"\" words=\"\"\n"
          "  COMPREPLY=()\n"
          "  if ((COMP_CWORD == 1)); then\n"
          "    COMPREPLY=($(compgen -W \"$commands\" -- \"$current\"))\n"
          "    return\n"
          "  fi\n"
          "  case ${COMP_WORDS[1]} in\n"
          "    help) words=$commands ;;\n");
  for (const struct command_entry *entry = commands; entry->name; entry++)
    if (!entry->hidden && strcmp(entry->name, "help") != 0) put_case(entry, out);
  BUF_LIT(out,
          "  esac\n"
          "  [[ $valued == *\" $before \"* ]] && return\n"
          "  if [[ $current == -* ]]; then\n"
          "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
          "  elif ((COMP_CWORD == 2)) && [[ $words ]]; then\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
          "  fi\n"
          "}\n"
          "complete -o default -F _taskyard taskyard\n");
}

static enum err run(struct command *c, struct fault *why) {
  if (strcmp(c->given.positionals[0], "bash") != 0)
    return command_misused(c, why, "there is a completion for bash only");
  struct buf script;
  buf_init(&script, SCRIPT_BYTES_MAX);
  completion_bash(COMMANDS, &script);
  enum err err = print_text(&script, why);
  buf_fini(&script);
  return err;
}

const struct command_spec COMMAND_completion = {
    .options = {.usage = "taskyard completion bash",
                .summary = "Prints a completion script for bash.",
                .positionals_min = 1,
                .positionals_max = 1,
                .examples = EXAMPLES},
    .words = WORDS,
    .run = run};
