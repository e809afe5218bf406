// completion.h: a completion script made from the tables of the commands.
#ifndef APP_COMPLETION_H
#define APP_COMPLETION_H

#include "app/commands.h"

// For bash 4 or later; depends on nothing but bash.
void completion_bash(const struct command_entry *commands, struct buf *out);

#endif
