// payload.h: the payload argument of submit, and input that holds one payload a line.
#ifndef APP_PAYLOAD_H
#define APP_PAYLOAD_H

#include "app/command.h"

#include <stdio.h>

// "@FILE" is the file's content, "-" standard input, anything else itself. It must be JSON; with
// `is_text` it is taken as text, and becomes a JSON string. STR_NONE for NULL.
enum err payload_read(struct command *c, const char *argument, bool is_text, struct str *out,
                      struct fault *why);

// Where lines come from: "@FILE", "-" or NULL (standard input).
enum err payload_open(struct command *c, const char *argument, FILE **out, struct fault *why);

// The payload of the next line that is not blank: `*more` false at the end. `*number` counts all
// lines. It lives until the next call.
struct payload_lines {
  FILE *file;
  bool is_text;
  char *line;  // getline's
  size_t room;
  int64_t number;
};
enum err payload_next(struct payload_lines *lines, struct arena *a, struct str *out, bool *more,
                      struct fault *why);
void payload_close(struct payload_lines *lines);

// A text as a JSON string.
struct str payload_quote(struct arena *a, struct str text);

#endif
