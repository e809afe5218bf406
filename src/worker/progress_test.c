// progress_test.c: the lines that a program may write to fd 3.
#include "worker/progress.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check_text(struct str is, const char *expected) {
  if (!expected) {
    assert_null(is.at);
    return;
  }
  assert_int_equal(is.len, strlen(expected));
  assert_memory_equal(is.at, expected, is.len);
}

static void step_and_description_may_be_left_out(void **state) {
  (void)state;
  static const struct {
    const char *line;
    int64_t percent;
    const char *step, *description;
  } rows[] = {
      {"progress 40 resize: page 2 of 5", 40, "resize", "page 2 of 5"},
      {"progress 0", 0, NULL, NULL},
      {"progress 100%", 100, NULL, NULL},
      {"  progress  7   a step with blanks  ", 7, "a step with blanks", NULL},
      {"progress 7 step:", 7, "step", NULL},
      {"progress 7 : only a description", 7, NULL, "only a description"},
      {"progress 7: only a description", 7, NULL, "only a description"},
      {"progress 7 copy: http://x: y", 7, "copy", "http://x: y"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct progress p;
    assert_true(progress_parse(str_of(rows[i].line), &p));
    assert_int_equal(p.percent, rows[i].percent);
    check_text(p.step, rows[i].step);
    check_text(p.description, rows[i].description);
  }
}

static void anything_else_is_not_progress(void **state) {
  (void)state;
  static const char *const lines[] = {
      "",
      "progress",
      "progress ",
      "progress x",
      "progress -1",
      "progress 101",
      "progress 4.5",
      "progress %",
      "progress40",
      "Progress 40",
      "progress 99999999999999999999",
      "done 40",
      "progress 40a",
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    struct progress p;
    assert_false(progress_parse(str_of(lines[i]), &p));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(step_and_description_may_be_left_out),
      cmocka_unit_test(anything_else_is_not_progress),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
