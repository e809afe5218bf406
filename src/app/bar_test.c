// bar_test.c: the progress bar, drawn into a buffer.
#include "app/bar.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct term ascii = {.is_terminal = true, .columns = 80};
static const struct term unicode = {.is_terminal = true, .has_unicode = true, .columns = 80};

static void assert_drawn(const struct term *t, const struct bar *bar, const char *expected) {
  struct buf out;
  buf_init(&out, 1024);
  bar_render(t, bar, &out);
  buf_char(&out, '\0');
  assert_string_equal(out.at, expected);
  buf_fini(&out);
}

static void a_bar_shows_percent_step_and_time(void **state) {
  (void)state;
  struct bar bar = {.status = STR("running"),
                    .step = STR("scan"),
                    .description = STR("page 3 of 7"),
                    .progress = 42,
                    .elapsed_s = 17};
  assert_drawn(&ascii, &bar, "########------------  42%  scan: page 3 of 7  0:17");
}

static void a_bar_uses_the_lines_of_unicode(void **state) {
  (void)state;
  struct bar bar = {.status = STR("running"), .progress = 50, .elapsed_s = 3661};
  assert_drawn(&unicode, &bar, "━━━━━━━━━━──────────  50%  running  1:01:01");
}

static void an_empty_and_a_full_bar_have_all_cells(void **state) {
  (void)state;
  struct bar bar = {.status = STR("pending")};
  assert_drawn(&ascii, &bar, "--------------------   0%  pending  0:00");
  bar = (struct bar){.status = STR("completed"), .progress = 100, .elapsed_s = 60};
  assert_drawn(&ascii, &bar, "#################### 100%  completed  1:00");
}

static void a_label_stands_in_front(void **state) {
  (void)state;
  struct bar bar = {.label = STR("2/5"), .status = STR("pending")};
  assert_drawn(&ascii, &bar, "2/5  --------------------   0%  pending  0:00");
}

static void a_step_or_a_description_can_stand_alone(void **state) {
  (void)state;
  struct bar bar = {.status = STR("running"), .step = STR("scan")};
  assert_drawn(&ascii, &bar, "--------------------   0%  scan  0:00");
  bar = (struct bar){.status = STR("running"), .description = STR("scanning")};
  assert_drawn(&ascii, &bar, "--------------------   0%  scanning  0:00");
}

static void a_bar_is_never_wider_than_its_terminal(void **state) {
  (void)state;
  char text[600];
  memset(text, 'x', sizeof text);
  struct bar bar = {.label = STR("10/10"),
                    .step = STR("step"),
                    .description = {text, sizeof text},
                    .progress = 99,
                    .elapsed_s = 100000};
  for (int columns = 20; columns <= 200; columns += 7) {
    struct term t = {.is_terminal = true, .columns = columns};
    struct buf out;
    buf_init(&out, 4096);
    bar_render(&t, &bar, &out);
    assert_true(term_width(buf_str(&out)) <= (size_t)(columns < 48 ? 48 : columns));
    buf_fini(&out);
  }
}

static void a_step_cannot_steer_the_terminal(void **state) {
  (void)state;
  struct bar bar = {.step = STR("a\033[2J\r\n")};
  assert_drawn(&ascii, &bar,
               "--------------------   0%  a\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd  0:00");
}

static void colours_are_taken_back_at_the_end(void **state) {
  (void)state;
  struct term t = {.is_terminal = true, .has_colour = true, .columns = 80};
  struct bar bar = {.status = STR("running"), .progress = 5};
  assert_drawn(
      &t, &bar,
      "\033[36m#\033[0m\033[2m-------------------\033[0m   5%  running  \033[2m0:00\033[0m");
}

static void a_redraw_begins_with_an_empty_line(void **state) {
  (void)state;
  struct buf out;
  buf_init(&out, 256);
  bar_redraw(&ascii, &(struct bar){.status = STR("pending")}, &out);
  assert_true(str_starts(buf_str(&out), STR("\r\033[K-----")));
  buf_fini(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_bar_shows_percent_step_and_time),
      cmocka_unit_test(a_bar_uses_the_lines_of_unicode),
      cmocka_unit_test(an_empty_and_a_full_bar_have_all_cells),
      cmocka_unit_test(a_label_stands_in_front),
      cmocka_unit_test(a_step_or_a_description_can_stand_alone),
      cmocka_unit_test(a_bar_is_never_wider_than_its_terminal),
      cmocka_unit_test(a_step_cannot_steer_the_terminal),
      cmocka_unit_test(colours_are_taken_back_at_the_end),
      cmocka_unit_test(a_redraw_begins_with_an_empty_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
