// lifecycle_docs_test.c: the page about the life of a task, held against the lifecycle itself.
#include "app/lifecycle_docs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/lifecycle.h"

static int make_page(void **state) {
  static struct buf page;
  buf_init(&page, 64 << 10);
  lifecycle_docs(&page);
  buf_char(&page, '\0');
  assert_false(page.overflow);
  *state = &page;
  return 0;
}

static int free_page(void **state) {
  buf_fini(*state);
  return 0;
}

static bool says(void **state, const char *text) {
  const struct buf *page = *state;
  return strstr(page->at, text) != NULL;
}

static void there_is_an_arrow_exactly_where_a_move_is_possible(void **state) {
  for (int from = 0; from < TASK_STATUS_COUNT; from++) {
    for (int to = 0; to < TASK_STATUS_COUNT; to++) {
      bool possible = false;
      for (int move = 0; move < MOVE_COUNT; move++) {
        enum task_status next;
        possible |= lifecycle_next((enum task_status)from, (enum move)move, &next) &&
                    next == (enum task_status)to;
      }
      char arrow[64];
      snprintf(arrow, sizeof arrow, "  %s --> %s: ", task_status_word((enum task_status)from).at,
               task_status_word((enum task_status)to).at);
      assert_int_equal(says(state, arrow), possible);
    }
  }
}

static void moves_between_the_same_two_share_an_arrow(void **state) {
  assert_true(says(state, "\n  pending --> cancelled: cancel, expire\n"));
}

static void only_completed_has_no_way_out(void **state) {
  assert_true(says(state, "\n  completed --> [*]\n"));
  assert_false(says(state, "\n  failed --> [*]\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(there_is_an_arrow_exactly_where_a_move_is_possible),
      cmocka_unit_test(moves_between_the_same_two_share_an_arrow),
      cmocka_unit_test(only_completed_has_no_way_out),
  };
  return cmocka_run_group_tests(tests, make_page, free_page);
}
