// table.h: rows in columns: aligned and styled on a terminal, separated by tabs elsewhere.
#ifndef APP_TABLE_H
#define APP_TABLE_H

#include "app/term.h"
#include "base/arena.h"
#include "base/err.h"

enum { TABLE_COLUMNS_MAX = 12 };

struct table_cell {
  struct str text;
  enum term_style style;
};

struct table {
  struct arena *arena;        // keeps the rows, not their texts
  const char *const *titles;  // ends with NULL; shown on a terminal only
  bool has_no_titles;         // of a table that continues one above
  size_t column_count, row_count;
  struct table_cell *rows;  // row_count * column_count
  size_t row_cap;
};

void table_init(struct table *t, struct arena *arena, const char *const *titles);

// One row, a cell for each title; the texts must live until the table is printed.
void table_add(struct table *t, const struct table_cell *cells);

void table_render(const struct table *t, const struct term *term, struct buf *out);

// To standard output.
enum err table_show(const struct table *t, const struct term *term, struct fault *why);

#endif
