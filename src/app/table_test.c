// table_test.c: rows in columns, on a terminal and in a pipe.
#include "app/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *const titles[] = {"ID", "STATUS", "AGE", NULL};
static const struct term terminal = {.is_terminal = true, .columns = 80};
static const struct term pipe_end = {.columns = 80};
static struct arena arena;
static struct table table;

static int start(void **state) {
  (void)state;
  arena_init(&arena, 4096);
  table_init(&table, &arena, titles);
  return 0;
}

static int stop(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

static void add(const char *id, const char *status, const char *age) {
  table_add(&table,
            (const struct table_cell[]){
                {str_of(id), STYLE_PLAIN}, {str_of(status), STYLE_GOOD}, {str_of(age), STYLE_DIM}});
}

static void assert_rendered(const struct term *t, const char *expected) {
  struct buf out;
  buf_init(&out, 64 * 1024);
  table_render(&table, t, &out);
  buf_char(&out, '\0');
  assert_string_equal(out.at, expected);
  buf_fini(&out);
}

static void a_terminal_gets_titles_and_aligned_columns(void **state) {
  (void)state;
  add("a", "completed", "5m");
  add("größer", "failed", "12h");
  assert_rendered(&terminal,
                  "ID      STATUS     AGE\n"
                  "a       completed  5m\n"
                  "größer  failed     12h\n");
}

static void a_pipe_gets_tabs_and_no_titles(void **state) {
  (void)state;
  add("a", "completed", "5m");
  assert_rendered(&pipe_end, "a\tcompleted\t5m\n");
}

static void a_tab_inside_a_text_adds_no_column(void **state) {
  (void)state;
  add("a\tb\nc", "", "");
  assert_rendered(&pipe_end,
                  "a\xef\xbf\xbd"
                  "b\xef\xbf\xbd"
                  "c\t\t\n");
}

static void an_empty_table_has_its_titles_only_on_a_terminal(void **state) {
  (void)state;
  assert_rendered(&terminal, "ID  STATUS  AGE\n");
  assert_rendered(&pipe_end, "");
}

static void a_table_that_continues_has_no_titles(void **state) {
  (void)state;
  table.has_no_titles = true;
  add("a", "b", "c");
  assert_rendered(&terminal, "a   b       c\n");
}

static void colour_does_not_count_as_width(void **state) {
  (void)state;
  struct term t = {.is_terminal = true, .has_colour = true, .columns = 80};
  table.has_no_titles = true;
  add("a", "ok", "1s");
  assert_rendered(&t, "a   \033[32mok\033[0m      \033[2m1s\033[0m\n");
}

static void many_rows_keep_their_order(void **state) {
  (void)state;
  static char names[300][8];
  for (int i = 0; i < 300; i++) {
    snprintf(names[i], sizeof names[i], "%03d", i);
    add(names[i], "s", "1s");
  }
  struct buf out;
  buf_init(&out, 64 * 1024);
  table_render(&table, &pipe_end, &out);
  assert_int_equal(out.len, 300 * strlen("000\ts\t1s\n"));
  assert_memory_equal(out.at + 299 * 9, "299\ts\t1s\n", 9);
  buf_fini(&out);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      EACH(a_terminal_gets_titles_and_aligned_columns),
      EACH(a_pipe_gets_tabs_and_no_titles),
      EACH(a_tab_inside_a_text_adds_no_column),
      EACH(an_empty_table_has_its_titles_only_on_a_terminal),
      EACH(a_table_that_continues_has_no_titles),
      EACH(colour_does_not_count_as_width),
      EACH(many_rows_keep_their_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
