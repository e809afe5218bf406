// tidy.c: which checks apply to which file, and how findings are printed.
#include "tidy.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void tidy_check(struct tidy *t, const char *path, const char *text) {
  struct source s = {.path = path, .text = text};
  lines_check(t, &s);
  if (!tidy_ends(path, ".c") && !tidy_ends(path, ".h")) return;
  s.code = code_only(text);
  layers_check(t, &s);
  calls_check(t, &s);
  functions_check(t, &s);
  free(s.code);
}

void tidy_report(struct tidy *t, const char *path, size_t line, const char *format, ...) {
  va_list values;
  va_start(values, format);
  fprintf(t->out, "%s:%zu: ", path, line);
  vfprintf(t->out, format, values);
  fputc('\n', t->out);
  va_end(values);
  t->findings++;
}

bool tidy_ends(const char *path, const char *ending) {
  size_t have = strlen(path), want = strlen(ending);
  return have >= want && strcmp(path + have - want, ending) == 0;
}

bool tidy_starts(const char *path, const char *start) {
  return strncmp(path, start, strlen(start)) == 0;
}

bool tidy_is_test(const char *path) {
  return tidy_starts(path, "tests/") || tidy_ends(path, "_test.c");
}
