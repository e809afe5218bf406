// options.c: reads a command line by a table, and prints the help from the same table.
#include "base/options.h"

#include "base/nearest.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct option_spec no_options[] = {{0}};

static const struct option_spec help_row[] = {{"help", 'h', NULL, NULL}, {0}};

// The tables of a command, one after the other; NULL after the last.
static const struct option_spec *table(const struct option_command *command, int number) {
  switch (number) {
  case 0: return command->options ? command->options : no_options;
  case 1: return command->common ? command->common : no_options;
  case 2: return help_row;
  default: return NULL;
  }
}

#define EACH_OPTION(command, spec)                                                                 \
  for (int table_ = 0; table((command), table_); table_++)                                         \
    for (const struct option_spec *spec = table((command), table_); spec->name; spec++)

static const struct option_spec *find_name(const struct option_command *command, struct str name) {
  EACH_OPTION(command, spec) {
    if (str_eq(str_of(spec->name), name)) return spec;
  }
  return NULL;
}

static const struct option_spec *find_letter(const struct option_command *command, char letter) {
  EACH_OPTION(command, spec) {
    if (spec->letter == letter) return spec;
  }
  return NULL;
}

const char *options_nearest(const char *word, const char *const *names) {
  struct nearest n = nearest_begin(str_of(word));
  for (; *names; names++) nearest_try(&n, str_of(*names));
  return n.name.at;  // a name of the list, and so ended by a NUL
}

// A command line that is being read.
struct reader {
  const struct option_command *command;
  char *const *next, *const *end;
  struct options *out;
  struct fault *why;
};

static enum err unknown_name(const struct reader *r, struct str name) {
  struct nearest n = nearest_begin(name);
  EACH_OPTION(r->command, spec) { nearest_try(&n, str_of(spec->name)); }
  if (str_is_none(n.name))
    return fault_set(r->why, ERR_INVALID, "unknown option --%.*s", STR_FMT(name));
  return fault_set(r->why, ERR_INVALID, "unknown option --%.*s; did you mean --%.*s?",
                   STR_FMT(name), STR_FMT(n.name));
}

static enum err unknown_letter(const struct reader *r, const char *text) {
  size_t length = utf8_length(text, text + strlen(text));
  return fault_set(r->why, ERR_INVALID, "unknown option -%.*s", (int)(length ? length : 1), text);
}

static void give(struct reader *r, const struct option_spec *spec, const char *value) {
  if (spec == help_row)
    r->out->help = true;
  else
    r->out->given[r->out->given_count++] = (struct option_given){spec, value};
}

static enum err give_next(struct reader *r, const struct option_spec *spec) {
  if (r->next == r->end)
    return fault_set(r->why, ERR_INVALID, "--%s needs a value: %s", spec->name, spec->value);
  give(r, spec, *r->next++);
  return ERR_OK;
}

// `text` is behind the two dashes.
static enum err read_long(struct reader *r, const char *text) {
  struct str name = str_of(text);
  struct str value = name;
  name = str_cut(&value, '=');
  const struct option_spec *spec = find_name(r->command, name);
  if (!spec) return unknown_name(r, name);
  if (spec->value && str_is_none(value)) return give_next(r, spec);
  if (!spec->value && !str_is_none(value))
    return fault_set(r->why, ERR_INVALID, "--%s takes no value", spec->name);
  give(r, spec, value.at);
  return ERR_OK;
}

// `text` is behind the dash: flags, perhaps ended by an option and its value.
static enum err read_letters(struct reader *r, const char *text) {
  for (; *text; text++) {
    const struct option_spec *spec = find_letter(r->command, *text);
    if (!spec) return unknown_letter(r, text);
    if (!spec->value) {
      give(r, spec, NULL);
      continue;
    }
    if (!text[1]) return give_next(r, spec);
    give(r, spec, text + 1);
    return ERR_OK;
  }
  return ERR_OK;
}

static void add_positional(struct reader *r, const char *text) {
  r->out->positionals[r->out->positional_count++] = text;
}

static enum err read_argument(struct reader *r) {
  const char *text = *r->next++;
  if (text[0] != '-' || text[1] == '\0') {
    add_positional(r, text);
    return ERR_OK;
  }
  if (strcmp(text, "--") == 0) {
    while (r->next < r->end) add_positional(r, *r->next++);
    return ERR_OK;
  }
  return text[1] == '-' ? read_long(r, text + 2) : read_letters(r, text + 1);
}

static enum err check_positionals(const struct reader *r) {
  const struct option_command *command = r->command;
  size_t count = r->out->positional_count;
  if (count < (size_t)command->positionals_min)
    return fault_set(r->why, ERR_INVALID, "too few arguments; usage: %s", command->usage);
  if (command->positionals_max == OPTIONS_ANY || count <= (size_t)command->positionals_max)
    return ERR_OK;
  return fault_set(r->why, ERR_INVALID, "unexpected argument '%s'; usage: %s",
                   r->out->positionals[command->positionals_max], command->usage);
}

// Someone who asks for help gets it, whatever else is wrong with the line.
static bool help_follows(const struct reader *r) {
  for (char *const *at = r->next; at < r->end && strcmp(*at, "--") != 0; at++)
    if (strcmp(*at, "-h") == 0 || strcmp(*at, "--help") == 0) return true;
  return false;
}

// How many options the line can hold: only letters behind one dash make more than one an argument.
static size_t given_max(int argc, char *const *argv) {
  size_t count = 0;
  for (int i = 0; i < argc; i++)
    count += argv[i][0] == '-' && argv[i][1] != '-' ? strlen(argv[i]) : 1;
  return count;
}

enum err options_parse(const struct option_command *command, int argc, char *const *argv,
                       struct arena *arena, struct options *out, struct fault *why) {
  struct options given = {.command = command};
  given.given = ARENA_ARRAY(arena, struct option_given, given_max(argc, argv));
  given.positionals = ARENA_ARRAY(arena, const char *, (size_t)argc + 1);
  struct reader r = {command, argv, argv + argc, &given, why};
  enum err err = ERR_OK;
  while (err == ERR_OK && r.next < r.end) err = read_argument(&r);
  if (err != ERR_OK) given.help = given.help || help_follows(&r);
  if (!given.help) {
    TRY(err);
    TRY(check_positionals(&r));
  }
  *out = given;
  return ERR_OK;
}

static const struct option_spec *known(const struct options *o, const char *name) {
  const struct option_spec *spec = find_name(o->command, str_of(name));
  assert(spec);
  return spec;
}

size_t options_count(const struct options *o, const char *name) {
  const struct option_spec *spec = known(o, name);
  size_t count = 0;
  for (size_t i = 0; i < o->given_count; i++) count += o->given[i].spec == spec;
  return count;
}

bool options_has(const struct options *o, const char *name) { return options_count(o, name) > 0; }

bool options_next(const struct options *o, const char *name, size_t *at, const char **value) {
  const struct option_spec *spec = known(o, name);
  while (*at < o->given_count) {
    const struct option_given *given = &o->given[(*at)++];
    if (given->spec != spec) continue;
    *value = given->value;
    return true;
  }
  return false;
}

const char *options_value(const struct options *o, const char *name) {
  const char *value = NULL;
  size_t at = 0;
  while (options_next(o, name, &at, &value)) continue;
  return value;
}

enum err options_i64(const struct options *o, const char *name, int64_t min, int64_t max,
                     int64_t *out, struct fault *why) {
  const char *text = options_value(o, name);
  int64_t value;
  if (!text) return ERR_OK;
  if (!str_to_i64(str_of(text), &value) || value < min || value > max)
    return fault_set(why, ERR_INVALID, "--%s must be a whole number from %lld to %lld, not '%s'",
                     name, (long long)min, (long long)max, text);
  *out = value;
  return ERR_OK;
}

// In the longest unit that leaves no rest, as a person would have written it.
static struct duration_text { char text[24]; } duration_text(int64_t ms) {
  static const struct {
    int64_t ms;
    const char *unit;
  } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
  unsigned i = 0;
  while (units[i].ms > 1 && (ms == 0 || ms % units[i].ms != 0)) i++;
  struct duration_text out;
  snprintf(out.text, sizeof out.text, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
  return out;
}

enum err options_duration_ms(const struct options *o, const char *name, int64_t min, int64_t max,
                             int64_t *out, struct fault *why) {
  const char *text = options_value(o, name);
  int64_t value;
  if (!text) return ERR_OK;
  if (!str_to_duration_ms(str_of(text), &value))
    return fault_set(why, ERR_INVALID,
                     "--%s must be a duration such as 250ms, 30s, 5m or 2h, not '%s'", name, text);
  if (value < min || value > max)
    return fault_set(why, ERR_INVALID, "--%s must be from %s to %s, not '%s'", name,
                     duration_text(min).text, duration_text(max).text, text);
  *out = value;
  return ERR_OK;
}
