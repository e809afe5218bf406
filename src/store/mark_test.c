// mark_test.c: a mark comes back from its text as it was.
#include "store/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_comes_back(const struct bulk_mark *mark) {
  struct arena a;
  arena_init(&a, 1024);
  struct buf text;
  buf_init(&text, 4096);
  mark_put(mark, &text);
  struct bulk_mark back = {.rows = 77};
  assert_true(mark_parse(buf_str(&text), &a, &back));
  assert_true(mark_eq(mark, &back));
  buf_fini(&text);
  arena_fini(&a);
}

static void a_mark_comes_back(void **state) {
  (void)state;
  const struct bulk_mark none = {0};
  assert_comes_back(&none);
  const struct bulk_mark full = {.source = INT64_MIN,
                                 .rows = INT64_MAX,
                                 .tenant = 7,
                                 .id = id_from_key(1700000000000 << 12 | 5, UINT64_C(2) << 62 | 9),
                                 .number = -1,
                                 .key = STR("key:abc POST /tasks 1 = ü\n")};
  assert_comes_back(&full);
  const struct bulk_mark empty_key = {.source = 1, .key = STR("")};
  assert_comes_back(&empty_key);
}

static void marks_differ_in_any_field(void **state) {
  (void)state;
  const struct bulk_mark none = {0};
  const struct bulk_mark others[] = {
      {.source = 1},  {.rows = 1},   {.tenant = 1},    {.id = {1, 0}},
      {.id = {0, 1}}, {.number = 1}, {.key = STR("")},
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_false(mark_eq(&none, &others[i]));
}

static void other_text_is_no_mark(void **state) {
  (void)state;
  const char *const texts[] = {
      "", "1", "1 2 3 - 4", "1 2 3 - x ", "1 2 3 0000 4 ", "1 2 3 - 4 key", "a 2 3 - 4 ",
  };
  struct arena a;
  arena_init(&a, 1024);
  struct bulk_mark out;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    assert_false(mark_parse(str_of(texts[i]), &a, &out));
  arena_fini(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_mark_comes_back),
      cmocka_unit_test(marks_differ_in_any_field),
      cmocka_unit_test(other_text_is_no_mark),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
