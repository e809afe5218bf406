// options.h: reads a command line by a table, and prints the help from the same table.
//
//   static const struct option_spec submit_options[] = {
//       {"queue", 'q', "NAME", "the queue to put it in"},
//       {"wait", 'w', NULL, "wait until the task has ended"},
//       {0}};
//   static const struct option_command submit = {
//       .usage = "taskyard submit [OPTION]… TYPE [PAYLOAD]", .options = submit_options, …};
//   struct options given;
//   TRY(options_parse(&submit, argc - 2, argv + 2, arena, &given, why));
//   if (given.help) … options_help(&submit, &text) …
//
// Nothing here prints or exits.
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

// One option. A table ends at the first row without a name. -h and --help are always known, must
// not stand in a table, and are listed by the help.
struct option_spec {
  const char *name;   // long name, without the dashes
  char letter;        // short form; 0: none
  const char *value;  // what its value is called in the help, "HOST:PORT"; NULL: a flag
  const char *help;   // a few words, lower case, no full stop; wrapped by the help printer
};

enum { OPTIONS_ANY = -1 };

// One subcommand. Static; all texts but `usage` may be NULL.
struct option_command {
  const char *usage;    // one line, as printed after "Usage: "
  const char *summary;  // a sentence or a few lines, printed as they are
  const struct option_spec *options;
  const struct option_spec *common;  // a second table, for what all subcommands know; NULL: none
  int positionals_min;
  int positionals_max;          // OPTIONS_ANY: no bound
  const char *const *examples;  // lines, ended by NULL, printed indented by two
};

struct option_given {
  const struct option_spec *spec;
  const char *value;  // NULL for a flag
};

// What was given, in its order. The texts are argv's own; the arrays live in the arena.
struct options {
  const struct option_command *command;
  bool help;  // -h or --help stood somewhere; nothing else was then checked
  size_t given_count;
  struct option_given *given;
  size_t positional_count;
  const char **positionals;  // ended by NULL
};

// Reads `argv[0 … argc-1]`, which start after the subcommand's word. Options and positional
// arguments may mix. Understood: --name=value, --name value, -n value, -nvalue, -abc for three
// flags, a lone - as a positional, and -- after which all are positional. A value is taken as it
// is, even when it starts with a dash.
//
// ERR_INVALID, with a sentence in `why` that names the argument: unknown option (with the nearest
// name, if one is near), a missing value, a value for a flag, too few or too many positionals.
MUST_USE enum err options_parse(const struct option_command *command, int argc, char *const *argv,
                                struct arena *arena, struct options *out, struct fault *why);

// Below, `name` must stand in one of the command's tables; anything else is a programmer's error.

bool options_has(const struct options *o, const char *name);
size_t options_count(const struct options *o, const char *name);       // how often it was given
const char *options_value(const struct options *o, const char *name);  // the last one; NULL: none

// Walks the values of an option that may be repeated, in their order:
//   size_t at = 0; const char *value;
//   while (options_next(&given, "tag", &at, &value)) …
bool options_next(const struct options *o, const char *name, size_t *at, const char **value);

// The last value as a number within min … max, or as a duration ("250ms", "30s", "5m", "2h", "7d")
// of min … max milliseconds. `*out` stays as it is when the option was not given, so set the
// default before. ERR_INVALID with a sentence that names the option, the value and the bounds.
MUST_USE enum err options_i64(const struct options *o, const char *name, int64_t min, int64_t max,
                              int64_t *out, struct fault *why);
MUST_USE enum err options_duration_ms(const struct options *o, const char *name, int64_t min,
                                      int64_t max, int64_t *out, struct fault *why);

// Usage, summary, the options of both tables aligned and wrapped at 80 columns, examples.
void options_help(const struct option_command *command, struct buf *out);

// The one of `names` (ended by NULL) that `word` was probably meant to be, or NULL.
const char *options_nearest(const char *word, const char *const *names);

#endif
