// expand.c: what the words between @ signs in our statements stand for: the schema's name, and
// lists made from store/task.def and model/task_status.def.
//
//   @schema@             taskyard
//   @state_columns@      status, waiting, revision, …         also input_, status_
//   @state_columns l@    l.status, l.waiting, l.revision, …   also input_, status_
//   @state_arrays 4@     $4::bigint[], $5::bigint[], …        also input_
//   @state_sets u@       status = u.status, …
#include <assert.h>

#include "store/postgres/conn.h"

enum list { LIST_STATE, LIST_INPUT, LIST_STATUS };
enum { LIST_ENUM, LIST_I64, LIST_TEXT };

static const struct column {
  struct str name;
  int list, kind;
} columns[] = {
#define COLUMN(column, field, kind, group, meaning) {STR(#column), LIST_##group, LIST_##kind},
#include "store/task.def"
#undef COLUMN
#define STATUS(name, word, final, meaning) {STR(word), LIST_STATUS, LIST_I64},
#include "model/task_status.def"
#undef STATUS
};

enum form { FORM_COLUMNS, FORM_ARRAYS, FORM_SETS };

static const struct word {
  struct str name;
  int list;
  enum form form;
} words[] = {
    {STR("state_columns"), LIST_STATE, FORM_COLUMNS},
    {STR("input_columns"), LIST_INPUT, FORM_COLUMNS},
    {STR("status_columns"), LIST_STATUS, FORM_COLUMNS},
    {STR("state_arrays"), LIST_STATE, FORM_ARRAYS},
    {STR("input_arrays"), LIST_INPUT, FORM_ARRAYS},
    {STR("state_sets"), LIST_STATE, FORM_SETS},
};

// The word is one of ours; one that is not there ends the program at its first use.
static const struct word *word_find(struct str name) {
  const struct word *word = words, *end = words + sizeof words / sizeof *words;
  while (word < end && !str_eq(word->name, name)) word++;
  assert(word < end);
  return word;
}

static void put_named(struct buf *out, struct str table, struct str name) {
  if (!str_is_none(table)) {
    buf_put(out, table);
    buf_char(out, '.');
  }
  buf_put(out, name);
}

// `detail` is what stands behind the word: a table's name, or the number of the first mark.
static void put_list(struct buf *out, const struct word *word, struct str detail) {
  int64_t mark = 0;
  bool numbered = word->form != FORM_ARRAYS || str_to_i64(detail, &mark);
  assert(numbered);
  (void)numbered;
  const char *comma = "";
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    const struct column *c = &columns[i];
    if (c->list != word->list) continue;
    buf_printf(out, "%s", comma);
    comma = ", ";
    if (word->form == FORM_SETS) buf_printf(out, "%.*s = ", STR_FMT(c->name));
    if (word->form == FORM_ARRAYS)
      buf_printf(out, "$%lld::%s[]", (long long)mark++, c->kind == LIST_TEXT ? "text" : "bigint");
    else
      put_named(out, detail, c->name);
  }
}

void pg_expand(struct buf *out, struct str schema, const char *sql) {
  struct str rest = str_of(sql);
  while (!str_is_none(rest)) {
    buf_put(out, str_cut(&rest, '@'));
    if (str_is_none(rest)) break;
    struct str detail = str_cut(&rest, '@');
    struct str name = str_cut(&detail, ' ');
    if (str_eq(name, STR("schema")))
      buf_put(out, schema);
    else
      put_list(out, word_find(name), detail);
  }
}
