// functions.c: how long functions are.
//
// A function is found by its shape: at the top level, a `{` that follows a `)` and belongs to no
// initializer. Preprocessor lines are skipped.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tidy.h"

struct scan {
  size_t line;
  int depth;             // of braces
  size_t start;          // line at which the present top-level statement began; 0: none yet
  const char *name_end;  // its first "("
  bool assigned;         // it has a "="
  bool function;         // it is the head of a function
  char last;             // its latest character that is not blank
};

static void end_statement(struct scan *scan) {
  *scan = (struct scan){.line = scan->line, .depth = scan->depth};
}

static void read_name(const char *code, const char *end, char name[TIDY_NAME_BYTES]) {
  const char *start = end;
  while (start > code && (isalnum((unsigned char)start[-1]) || start[-1] == '_')) start--;
  snprintf(name, TIDY_NAME_BYTES, "%.*s", (int)(end - start), start);
}

static void remember(struct tidy *t, const struct function *f) {
  if (t->function_count == t->function_room) {
    t->function_room = t->function_room ? 2 * t->function_room : 256;
    t->functions = realloc(t->functions, t->function_room * sizeof *t->functions);
    if (!t->functions) abort();
  }
  t->functions[t->function_count++] = *f;
}

static void end_function(struct tidy *t, const struct source *s, const struct scan *scan) {
  struct function f = {.lines = scan->line - scan->start + 1};
  read_name(s->code, scan->name_end, f.name);
  if (f.lines > TIDY_FUNCTION_LINES)
    tidy_report(t, s->path, scan->start, "%s has %zu lines; at most %d", f.name, f.lines,
                TIDY_FUNCTION_LINES);
  if (tidy_starts(s->path, "src/") && !tidy_is_test(s->path)) remember(t, &f);
}

static const char *skip_directive(const char *c, struct scan *scan) {
  for (; *c && *c != '\n'; c++) {
    if (c[0] != '\\' || c[1] != '\n') continue;
    c++;
    scan->line++;
  }
  return c;
}

static void see(struct tidy *t, const struct source *s, struct scan *scan, const char *c) {
  bool top = scan->depth == 0;
  if (top && !scan->start && !strchr(";}", *c)) scan->start = scan->line;
  if (top && *c == '(' && !scan->name_end) scan->name_end = c;
  if (top && *c == '=') scan->assigned = true;
  if (top && *c == '{') scan->function = scan->last == ')' && !scan->assigned && scan->name_end;
  if (*c == '{') scan->depth++;
  if (*c == '}' && scan->depth > 0) scan->depth--;
  scan->last = *c;
  if (scan->depth == 0 && *c == '}' && scan->function) {
    end_function(t, s, scan);
    end_statement(scan);
  }
  if (scan->depth == 0 && *c == ';') end_statement(scan);
}

void functions_check(struct tidy *t, const struct source *s) {
  struct scan scan = {.line = 1};
  bool fresh_line = true;
  for (const char *c = s->code; *c; c++) {
    if (fresh_line && *c == '#') c = skip_directive(c, &scan);
    if (*c == '\n') {
      scan.line++;
      fresh_line = true;
    } else if (!isspace((unsigned char)*c)) {
      fresh_line = false;
      see(t, s, &scan, c);
    }
    if (!*c) return;
  }
}

static int longest_first(const void *a, const void *b) {
  const struct function *x = a, *y = b;
  return x->lines < y->lines ? 1 : x->lines > y->lines ? -1 : strcmp(x->name, y->name);
}

void functions_print(struct tidy *t) {
  if (!t->function_count) return;
  qsort(t->functions, t->function_count, sizeof *t->functions, longest_first);
  fprintf(t->out, "%zu functions, median %zu lines; the longest:\n", t->function_count,
          t->functions[t->function_count / 2].lines);
  for (size_t i = 0; i < 10 && i < t->function_count; i++)
    fprintf(t->out, "%5zu  %s\n", t->functions[i].lines, t->functions[i].name);
}
