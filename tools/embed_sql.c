// embed_sql.c: turns .sql files into rows of a table for C: SQL(name, "text").
//
//   embed_sql FILE.sql… > queries.def
//
// A file is a run of statements, each opened by a line `-- name: task_insert` with a comment above
// it that says what the statement is for. Whole-line comments stay behind; comments at the end of a
// line stay in the text, so that they are to be read in the schema of a store.
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 1024 };

struct source {
  const char *path;
  int line;
  bool commented;  // a comment stands above this line
  bool open;       // inside a statement
  bool filled;     // … that has text
};

static void refuse(const struct source *s, const char *what) {
  fprintf(stderr, "%s:%d: %s\n", s->path, s->line, what);
  exit(EXIT_FAILURE);
}

static void statement_close(struct source *s) {
  if (s->open && !s->filled) refuse(s, "the statement above has no text");
  if (s->open) printf(")\n");
  s->open = false;
}

static void statement_open(struct source *s, const char *name) {
  statement_close(s);
  if (!s->commented) refuse(s, "a comment above must say what the statement is for");
  if (!*name) refuse(s, "the name is missing");
  for (const char *c = name; *c; c++)
    if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_')
      refuse(s, "a name is made of a-z, 0-9 and _");
  printf("SQL(%s", name);
  s->open = true;
  s->filled = false;
  s->commented = false;
}

static void text_line(struct source *s, const char *text) {
  if (!s->open) refuse(s, "a statement begins with a line '-- name: …'");
  printf("%s\n    \"", s->filled ? "" : ",");
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    putchar(*text);
  }
  printf("\\n\"");
  s->filled = true;
}

static void any_line(struct source *s, char *line) {
  static const char mark[] = "-- name:";
  line[strcspn(line, "\r\n")] = '\0';
  const char *text = line + strspn(line, " \t");
  if (strncmp(text, mark, sizeof mark - 1) == 0) {
    text += sizeof mark - 1;
    statement_open(s, text + strspn(text, " "));
  } else if (strncmp(text, "--", 2) == 0) {
    s->commented = true;
  } else if (*text) {
    text_line(s, line);
    s->commented = false;
  }
}

static void embed(const char *path) {
  struct source s = {.path = path};
  FILE *file = fopen(path, "re");
  if (!file) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(EXIT_FAILURE);
  }
  char line[LINE_BYTES];
  while (fgets(line, sizeof line, file)) {
    s.line++;
    if (!strchr(line, '\n') && !feof(file)) refuse(&s, "the line is too long");
    any_line(&s, line);
  }
  statement_close(&s);
  fclose(file);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: embed_sql FILE.sql… > FILE.def\n");
    return EXIT_FAILURE;
  }
  for (int i = 1; i < argc; i++) embed(argv[i]);
  return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
