// lines_test.c: a stream of bytes becomes lines, wherever it was cut on its way.
#include "worker/lines.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void take(void *self, struct str line) {
  struct buf *seen = self;
  buf_put(seen, line);
  buf_char(seen, '|');
}

// All lines of `text`, fed `step` bytes at a time, each with a | behind it.
static struct buf lines_of(struct str text, size_t step) {
  struct buf seen;
  struct lines l;
  buf_init(&seen, 1 << 16);
  lines_init(&l, (struct lines_taker){take, &seen});
  for (size_t at = 0; at < text.len; at += step) {
    size_t len = text.len - at < step ? text.len - at : step;
    lines_feed(&l, (struct str){text.at + at, len});
  }
  lines_end(&l);
  return seen;
}

static void check(struct str text, struct str expected) {
  for (size_t step = 1; step <= text.len; step++) {
    struct buf seen = lines_of(text, step);
    assert_int_equal(seen.len, expected.len);
    assert_memory_equal(seen.at, expected.at, seen.len);
    buf_fini(&seen);
  }
}

static void lines_come_whole_wherever_the_stream_was_cut(void **state) {
  (void)state;
  check(STR("one\ntwo\n"), STR("one|two|"));
  check(STR("one\n\nlast"), STR("one||last|"));
  check(STR("dos\r\nmac\rmiddle\r\n\r\n"), STR("dos|mac\rmiddle||"));
  check(STR("a\0b\n"), STR("a\0b|"));
}

static void a_line_over_the_limit_comes_once_with_a_mark(void **state) {
  (void)state;
  char text[LIMIT_LOG_LINE_BYTES * 3];
  memset(text, 'x', sizeof text);
  text[LIMIT_LOG_LINE_BYTES * 2] = '\n';
  memcpy(text + sizeof text - 4, "\nend", 4);
  for (size_t step = 1; step < sizeof text; step = step * 3 + 1) {
    struct buf seen = lines_of((struct str){text, sizeof text}, step);
    assert_int_equal(seen.len, LIMIT_LOG_LINE_BYTES + 1 + (LIMIT_LOG_LINE_BYTES - 5) + 1 + 4);
    assert_memory_equal(seen.at + LIMIT_LOG_LINE_BYTES - 4, "x…|x", 6);
    assert_memory_equal(seen.at + seen.len - 6, "x|end|", 6);
    buf_fini(&seen);
  }
}

static void a_line_of_just_the_limit_is_not_cut(void **state) {
  (void)state;
  char text[LIMIT_LOG_LINE_BYTES + 1];
  memset(text, 'x', sizeof text);
  text[LIMIT_LOG_LINE_BYTES] = '\n';
  struct buf seen = lines_of((struct str){text, sizeof text}, 1000);
  assert_int_equal(seen.len, sizeof text);
  assert_memory_equal(seen.at + seen.len - 3, "xx|", 3);
  buf_fini(&seen);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_come_whole_wherever_the_stream_was_cut),
      cmocka_unit_test(a_line_over_the_limit_comes_once_with_a_mark),
      cmocka_unit_test(a_line_of_just_the_limit_is_not_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
