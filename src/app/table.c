// table.c: lays rows out in columns.
#include "app/table.h"

#include "app/print.h"

#include <assert.h>

enum { GAP = 2, ROWS_FIRST = 64, TEXT_BYTES_MAX = 64 << 20 };

void table_init(struct table *t, struct arena *arena, const char *const *titles) {
  *t = (struct table){.arena = arena, .titles = titles};
  while (titles[t->column_count]) t->column_count++;
  assert(t->column_count <= TABLE_COLUMNS_MAX);
}

static void grow(struct table *t) {
  size_t cap = t->row_cap ? t->row_cap * 2 : ROWS_FIRST;
  struct table_cell *rows = ARENA_ARRAY(t->arena, struct table_cell, cap * t->column_count);
  if (t->row_count) memcpy(rows, t->rows, t->row_count * t->column_count * sizeof *rows);
  t->rows = rows;
  t->row_cap = cap;
}

void table_add(struct table *t, const struct table_cell *cells) {
  if (t->row_count == t->row_cap) grow(t);
  memcpy(&t->rows[t->row_count++ * t->column_count], cells, t->column_count * sizeof *cells);
}

static void measure(const struct table *t, size_t widths[TABLE_COLUMNS_MAX]) {
  for (size_t column = 0; column < t->column_count; column++) {
    widths[column] = strlen(t->titles[column]);
    for (size_t row = 0; row < t->row_count; row++) {
      size_t width = term_width(t->rows[row * t->column_count + column].text);
      if (width > widths[column]) widths[column] = width;
    }
  }
}

static void put_blanks(size_t count, struct buf *out) {
  for (size_t i = 0; i < count; i++) buf_char(out, ' ');
}

static void print_aligned(const struct table *t, const struct table_cell *cells,
                          const size_t *widths, const struct term *term, struct buf *out) {
  for (size_t column = 0; column < t->column_count; column++) {
    bool is_last = column + 1 == t->column_count;
    term_text(term, cells[column].style, cells[column].text, out);
    if (!is_last) put_blanks(widths[column] - term_width(cells[column].text) + GAP, out);
  }
  buf_char(out, '\n');
}

static void print_titles(const struct table *t, const size_t *widths, const struct term *term,
                         struct buf *out) {
  struct table_cell cells[TABLE_COLUMNS_MAX];
  for (size_t column = 0; column < t->column_count; column++)
    cells[column] = (struct table_cell){str_of(t->titles[column]), STYLE_DIM};
  print_aligned(t, cells, widths, term, out);
}

// A tab or line end inside a text would add a column or row: term_text turns both into U+FFFD.
static void print_tabbed(const struct table *t, const struct table_cell *cells,
                         const struct term *term, struct buf *out) {
  for (size_t column = 0; column < t->column_count; column++) {
    if (column) buf_char(out, '\t');
    term_text(term, term->has_colour ? cells[column].style : STYLE_PLAIN, cells[column].text, out);
  }
  buf_char(out, '\n');
}

void table_render(const struct table *t, const struct term *term, struct buf *out) {
  size_t widths[TABLE_COLUMNS_MAX];
  if (term->is_terminal) measure(t, widths);
  if (term->is_terminal && !t->has_no_titles) print_titles(t, widths, term, out);
  for (size_t row = 0; row < t->row_count; row++) {
    const struct table_cell *cells = &t->rows[row * t->column_count];
    if (term->is_terminal) print_aligned(t, cells, widths, term, out);
    if (!term->is_terminal) print_tabbed(t, cells, term, out);
  }
}

enum err table_show(const struct table *t, const struct term *term, struct fault *why) {
  struct buf text;
  buf_init(&text, TEXT_BYTES_MAX);
  table_render(t, term, &text);
  enum err err = print_text(&text, why);
  buf_fini(&text);
  return err;
}
