// lines.c: rules about lines, for every kind of text: purpose, length, blanks, words.
#include <ctype.h>
#include <string.h>

#include "tidy.h"

// Spelt in halves, so that this file keeps its own rules.
static const char *const UNFINISHED[] = {
    "TO"
    "DO",
    "FIX"
    "ME",
    "XX"
    "X"};
static const char *const MACHINE_PATHS[] = {
    "/ho"
    "me/",
    "/ro"
    "ot/",
    "/wo"
    "rk/"};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool is_c(const char *path) { return tidy_ends(path, ".c") || tidy_ends(path, ".h"); }

// Tables are one row a line, however long, and prose breaks where its writer likes.
static bool has_columns(const char *path) {
  return !tidy_ends(path, ".def") && !tidy_ends(path, ".md") && !tidy_ends(path, "LICENSE");
}

static bool may_tab(const char *path) {
  return tidy_ends(path, "Makefile") || tidy_ends(path, ".md");
}

static size_t columns(const char *line, size_t length) {
  size_t count = 0;
  for (size_t i = 0; i < length; i++) count += ((unsigned char)line[i] & 0xc0) != 0x80;
  return count;
}

// Finds `word` with no letter, digit or underscore in front, nor (when `whole`) behind.
static bool has_word(const char *line, size_t length, const char *word, bool whole) {
  size_t size = strlen(word);
  for (size_t i = 0; i + size <= length; i++) {
    if (memcmp(line + i, word, size) != 0) continue;
    if (i > 0 && (isalnum((unsigned char)line[i - 1]) || line[i - 1] == '_')) continue;
    if (whole && i + size < length && isalnum((unsigned char)line[i + size])) continue;
    return true;
  }
  return false;
}

static void check_line(struct tidy *t, const char *path, size_t number, const char *line,
                       size_t length) {
  if (length && (line[length - 1] == ' ' || line[length - 1] == '\t' || line[length - 1] == '\r'))
    tidy_report(t, path, number, "blanks at the end of the line");
  if (memchr(line, '\t', length) && !may_tab(path))
    tidy_report(t, path, number, "a tab; use spaces");
  if (has_columns(path) && columns(line, length) > TIDY_COLUMNS)
    tidy_report(t, path, number, "%zu columns; at most %d", columns(line, length), TIDY_COLUMNS);
  for (size_t i = 0; i < COUNT(UNFINISHED); i++)
    if (has_word(line, length, UNFINISHED[i], true))
      tidy_report(t, path, number, "unfinished (%s): do it, or file it", UNFINISHED[i]);
  for (size_t i = 0; i < COUNT(MACHINE_PATHS); i++)
    if (has_word(line, length, MACHINE_PATHS[i], false))
      tidy_report(t, path, number, "a path of one machine (%s)", MACHINE_PATHS[i]);
}

// The first line of a source says what the file is for: `// name.c: …` or `-- name.sql: …`.
static void check_purpose(struct tidy *t, const struct source *s) {
  const char *mark = tidy_ends(s->path, ".sql") ? "-- " : "// ";
  if (!is_c(s->path) && !tidy_ends(s->path, ".def") && !tidy_ends(s->path, ".sql")) return;
  const char *slash = strrchr(s->path, '/');
  const char *name = slash ? slash + 1 : s->path;
  char start[2 * TIDY_NAME_BYTES];
  snprintf(start, sizeof start, "%s%s: ", mark, name);
  if (!tidy_starts(s->text, start))
    tidy_report(t, s->path, 1, "the first line must say its purpose: %s…", start);
}

void lines_check(struct tidy *t, const struct source *s) {
  check_purpose(t, s);
  size_t number = 0;
  const char *at = s->text;
  while (*at) {
    size_t length = strcspn(at, "\n");
    check_line(t, s->path, ++number, at, length);
    at += length;
    if (*at) at++;
  }
  if (at > s->text && at[-1] != '\n')
    tidy_report(t, s->path, number, "no line end at the end of the file");
  if (is_c(s->path) && number > TIDY_FILE_LINES)
    tidy_report(t, s->path, number, "%zu lines in a file; at most %d", number, TIDY_FILE_LINES);
}
