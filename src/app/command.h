// command.h: what the commands of the command line have in common.
#ifndef APP_COMMAND_H
#define APP_COMMAND_H

#include "base/options.h"

enum exit_code {
#define EXIT_ROW(name, code, meaning) EXIT_##name = (code),
#include "app/exits.def"
#undef EXIT_ROW
};

struct client;

// One running command.
struct command {
  struct options given;
  struct arena arena;     // until the command ends
  struct client *client;  // of commands that call a server; see remote.h
  int exit_code;          // set before returning an error: instead of the usual one for that error
};

struct command_spec {
  struct option_command options;
  const char *const *words;  // what the first argument can be, for completion; NULL: anything
  enum err (*run)(struct command *c, struct fault *why);
};

// Says that the command line is wrong: sets the exit code too, and returns ERR_INVALID.
enum err command_misused(struct command *c, struct fault *why, const char *format, ...)
    PRINTF_LIKE(3, 4);

// "taskyard: sentence" and the wrong fields on standard error.
void command_complain(const struct fault *why);

// The exit code that goes with an error.
enum exit_code command_exit_code(enum err err);

#endif
