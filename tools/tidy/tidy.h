// tidy.h: the house rules that no general tool checks: layers, lengths, words, calls.
//
// A check looks at one file and prints `path:line: sentence` for each thing that is wrong. The
// rules themselves are data: src/LAYERS, and the tables in calls.c and lines.c.
#ifndef TIDY_TIDY_H
#define TIDY_TIDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
  TIDY_FILE_LINES = 600,
  TIDY_FUNCTION_LINES = 60,
  TIDY_COLUMNS = 100,
  TIDY_NAME_BYTES = 64,
  TIDY_ROWS = 64,
};

// src/LAYERS, read: which folder may include which others, and which headers are caged where.
struct layers {
  struct layer {
    char folder[TIDY_NAME_BYTES];
    char below[5 * TIDY_NAME_BYTES];  // folders it may include, a blank around each
  } rows[TIDY_ROWS];
  size_t row_count;
  struct cage {
    char header[TIDY_NAME_BYTES];
    char folder[TIDY_NAME_BYTES];
  } cages[TIDY_ROWS];
  size_t cage_count;
};

// One function of src/ that is not a test, for the statistics.
struct function {
  char name[TIDY_NAME_BYTES];
  size_t lines;
};

struct tidy {
  FILE *out;
  size_t findings;
  struct layers layers;
  struct function *functions;
  size_t function_count, function_room;
};

struct source {
  const char *path;  // from the root of the tree: "src/base/arena.c"
  const char *text;  // the whole file, ending in NUL
  char *code;        // the same, comments and literals blanked; NULL unless it is C
};

void tidy_report(struct tidy *t, const char *path, size_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool tidy_ends(const char *path, const char *ending);
bool tidy_starts(const char *path, const char *start);
bool tidy_is_test(const char *path);

// The text with comments and the insides of literals turned into blanks, so that what is left is
// code; the caller frees it. Line ends stay.
char *code_only(const char *text);

bool layers_read(struct layers *layers, const char *text);  // false: a line is not understood
void layers_check(struct tidy *t, const struct source *s);
void lines_check(struct tidy *t, const struct source *s);
void calls_check(struct tidy *t, const struct source *s);
void functions_check(struct tidy *t, const struct source *s);
void functions_print(struct tidy *t);  // count, median and the longest

// All checks that look at one file alone, whatever kind it is.
void tidy_check(struct tidy *t, const char *path, const char *text);

#endif
