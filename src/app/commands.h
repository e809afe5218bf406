// commands.h: the words after `taskyard`, from commands.def.
#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include "app/command.h"

// The whole program: picks the command, runs it, gives the exit code.
int commands_main(int argc, char **argv);

// One row of commands.def. Exactly one of `spec` and `program` is there.
struct command_entry {
  const char *name;
  const struct option_command *options;
  const struct command_spec *spec;
  int (*program)(int argc, char **argv);
  const char *summary;
  bool hidden;
};
extern const struct command_entry COMMANDS[];  // ends at the first without a name

const struct command_entry *commands_find(const char *name);  // NULL: there is none
void commands_overview(struct buf *out);                      // `taskyard help`

#endif
