// expand.c: what the words between @ signs in our statements stand for: the schema's name, and
// lists made from store/task.def and model/task_status.def.
//
//   @schema@             taskyard
//   @state_columns@      status, waiting, revision, …         also input_, status_
//   @state_columns l@    l.status, l.waiting, l.revision, …   also input_, status_
//   @state_sets u@       status = u.status, …
#include <assert.h>

#include "store/postgres/conn.h"

enum list { LIST_STATE, LIST_INPUT, LIST_STATUS };

static const struct column {
  struct str name;
  int list;
} columns[] = {
#define COLUMN(column, field, kind, group, meaning) {STR(#column), LIST_##group},
#include "store/task.def"
#undef COLUMN
#define STATUS(name, word, final, meaning) {STR(word), LIST_STATUS},
#include "model/task_status.def"
#undef STATUS
};

static const struct word {
  struct str name;
  int list;
  bool sets;  // as "column = table.column"
} words[] = {
    {STR("state_columns"), LIST_STATE, false},
    {STR("input_columns"), LIST_INPUT, false},
    {STR("status_columns"), LIST_STATUS, false},
    {STR("state_sets"), LIST_STATE, true},
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

static void put_list(struct buf *out, const struct word *word, struct str table) {
  const char *comma = "";
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
    const struct column *c = &columns[i];
    if (c->list != word->list) continue;
    buf_printf(out, "%s", comma);
    comma = ", ";
    if (word->sets) buf_printf(out, "%.*s = ", STR_FMT(c->name));
    put_named(out, table, c->name);
  }
}

void pg_expand(struct buf *out, struct str schema, const char *sql) {
  struct str rest = str_of(sql);
  for (;;) {
    buf_put(out, str_cut(&rest, '@'));
    if (str_is_none(rest)) break;
    struct str table = str_cut(&rest, '@');
    assert(!str_is_none(rest));  // the word has its end
    struct str name = str_cut(&table, ' ');
    if (str_eq(name, STR("schema")))
      buf_put(out, schema);
    else
      put_list(out, word_find(name), table);
  }
}
