// mark.c: marks of a move as text: source, rows, tenant, id, number, and at the end the key, which
// may hold anything.
#include "store/mark.h"

#include <inttypes.h>

// A store under migration is known by any of them.
const char *const MARK_NAMES[BULK_PARTS] = {
    [BULK_CATALOG] = "moved catalogue", [BULK_TASKS] = "moved tasks",
    [BULK_LOGS] = "moved logs",         [BULK_EVENTS] = "moved events",
    [BULK_REPLAYS] = "moved replays",
};

void mark_put(const struct bulk_mark *mark, struct buf *out) {
  char id[ID_TEXT_BYTES];
  id_text(mark->id, id);
  struct str text = id_is_none(mark->id) ? STR("-") : (struct str){id, sizeof id};
  buf_printf(out, "%" PRId64 " %" PRId64 " %" PRId64 " %.*s %" PRId64 " ", mark->source, mark->rows,
             mark->tenant, STR_FMT(text), mark->number);
  if (str_is_none(mark->key)) return;
  buf_char(out, '=');
  buf_put(out, mark->key);
}

static bool take_i64(struct str *rest, int64_t *out) {
  return !str_is_none(*rest) && str_to_i64(str_cut(rest, ' '), out);
}

static bool take_id(struct str *rest, struct id *out) {
  if (str_is_none(*rest)) return false;
  struct str text = str_cut(rest, ' ');
  *out = (struct id){0};
  return str_eq(text, STR("-")) || id_parse(text, out);
}

bool mark_parse(struct str text, struct arena *a, struct bulk_mark *out) {
  struct bulk_mark mark = {0};
  bool whole = take_i64(&text, &mark.source) && take_i64(&text, &mark.rows) &&
               take_i64(&text, &mark.tenant) && take_id(&text, &mark.id) &&
               take_i64(&text, &mark.number) && !str_is_none(text);
  if (!whole || (text.len && *text.at != '=')) return false;
  if (text.len) mark.key = arena_dup(a, str_from(text, 1));
  *out = mark;
  return true;
}

bool mark_eq(const struct bulk_mark *a, const struct bulk_mark *b) {
  return a->source == b->source && a->rows == b->rows && a->tenant == b->tenant &&
         id_eq(a->id, b->id) && a->number == b->number &&
         str_is_none(a->key) == str_is_none(b->key) && str_eq(a->key, b->key);
}
