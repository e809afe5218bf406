// code.c: finds what is code in C text: blanks comments and the insides of literals.
#include <stdlib.h>
#include <string.h>

#include "tidy.h"

static char *blank(char *from, const char *to) {
  for (; from < to; from++)
    if (*from != '\n') *from = ' ';
  return from;
}

static char *skip_literal(char *c) {
  char quote = *c++;
  char *inside = c;
  while (*c && *c != quote && *c != '\n') c += c[0] == '\\' && c[1] ? 2 : 1;
  blank(inside, c);
  return *c == quote ? c + 1 : c;
}

static char *skip_block_comment(char *c) {
  const char *end = strstr(c + 2, "*/");
  return blank(c, end ? end + 2 : c + strlen(c));
}

static char *skip_line_comment(char *c) { return blank(c, c + strcspn(c, "\n")); }

char *code_only(const char *text) {
  char *code = strdup(text);
  if (!code) abort();
  for (char *c = code; *c;) {
    if (c[0] == '/' && c[1] == '/')
      c = skip_line_comment(c);
    else if (c[0] == '/' && c[1] == '*')
      c = skip_block_comment(c);
    else if (*c == '"' || *c == '\'')
      c = skip_literal(c);
    else
      c++;
  }
  return code;
}
