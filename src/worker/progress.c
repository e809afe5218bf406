// progress.c: what a program says on fd 3: "progress N STEP: DESCRIPTION".
#include "worker/progress.h"

static struct str some(struct str s) { return s.len ? s : STR_NONE; }

static bool percent_parse(struct str text, int64_t *out) {
  if (text.len > 0 && text.at[text.len - 1] == '%') text.len--;
  return str_to_i64(text, out) && *out >= 0 && *out <= 100;
}

bool progress_parse(struct str line, struct progress *out) {
  struct str rest = str_trim(line);
  if (!str_eq(str_cut(&rest, ' '), STR("progress")) || str_is_none(rest)) return false;
  rest = str_trim(rest);
  size_t digits = 0;
  while (digits < rest.len && !strchr(" \t:", rest.at[digits])) digits++;

  struct progress p = {0};
  if (!percent_parse((struct str){rest.at, digits}, &p.percent)) return false;
  rest = str_from(rest, digits);
  p.step = some(str_trim(str_cut(&rest, ':')));
  if (!str_is_none(rest)) p.description = some(str_trim(rest));
  *out = p;
  return true;
}
