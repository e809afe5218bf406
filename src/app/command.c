// command.c: how commands end: what they say, and the code they exit with.
#include "app/command.h"

#include <stdarg.h>
#include <stdio.h>

enum err command_misused(struct command *c, struct fault *why, const char *format, ...) {
  char sentence[FAULT_DETAIL_BYTES];
  va_list args;
  va_start(args, format);
  vsnprintf(sentence, sizeof sentence, format, args);
  va_end(args);
  c->exit_code = EXIT_USAGE;
  return fault_set(why, ERR_INVALID, "%s", sentence);
}

void command_complain(const struct fault *why) {
  fprintf(stderr, "taskyard: %s\n", why->detail);
  for (unsigned i = 0; i < why->field_count; i++)
    if (strcmp(why->fields[i].detail, why->detail) != 0)
      fprintf(stderr, "  %s: %s\n", why->fields[i].pointer, why->fields[i].detail);
}

enum exit_code command_exit_code(enum err err) {
  switch (err) {
  case ERR_OK: return EXIT_DONE;
  case ERR_UNAUTHENTICATED:
  case ERR_FORBIDDEN: return EXIT_NOT_AUTHORISED;
  case ERR_UNAVAILABLE: return EXIT_UNREACHABLE;
  default: return EXIT_FAILURE;
  }
}
