// meter_test.c: how far a command has come, in lines and as a bar; the clock is turned back by
// hand.
#include "app/meter.h"

#include "base/clock.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_BYTES = 4096, SECOND_US = 1000 * 1000 };

// Standard error goes to a file meanwhile.
struct capture {
  FILE *file;
  int before;
};

static struct capture capture_errors(void) {
  struct capture c = {tmpfile(), dup(STDERR_FILENO)};
  assert_non_null(c.file);
  fflush(stderr);
  assert_int_equal(dup2(fileno(c.file), STDERR_FILENO), STDERR_FILENO);
  return c;
}

static void end_capture(struct capture *c, char text[TEXT_BYTES]) {
  fflush(stderr);
  assert_int_equal(dup2(c->before, STDERR_FILENO), STDERR_FILENO);
  rewind(c->file);
  size_t len = fread(text, 1, TEXT_BYTES - 1, c->file);
  text[len] = '\0';
  close(c->before);
  fclose(c->file);
}

static void pass(struct meter *m, int64_t us) {
  m->began_us -= us;
  m->part_us -= us;
  m->shown_us -= us;
}

static void a_log_gets_a_line_every_five_seconds(void **state) {
  (void)state;
  char text[TEXT_BYTES];
  struct meter m;
  struct capture c = capture_errors();
  meter_start(&m, 2000);
  m.term.is_terminal = false;
  meter_part(&m, STR("moving tasks"), true, 0);
  pass(&m, 3 * SECOND_US);
  meter_tell(&m, 100);
  pass(&m, 2 * SECOND_US);
  meter_tell(&m, 1000);
  meter_tell(&m, 1001);
  meter_part_end(&m);
  meter_part(&m, STR("moving logs"), false, 7);
  meter_part_there(&m);
  meter_erase(&m);
  end_capture(&c, text);
  int64_t first = 0, second = 0;
  int end = 0;
  assert_int_equal(sscanf(text,
                          "moving tasks: 1000 rows, %" SCNd64 "/s\n"
                          "moving tasks: 1001 rows, %" SCNd64 "/s, all of them\n"
                          "moving logs: 7 rows, there already\n%n",
                          &first, &second, &end),
                   2);
  assert_int_equal(end, strlen(text));
  assert_in_range(first, 100, 200);  // 1000 rows in five seconds, and as long as the test took
  assert_in_range(second, 100, 200);
}

static void a_terminal_gets_a_bar_over_all_parts(void **state) {
  (void)state;
  char text[TEXT_BYTES];
  struct meter m;
  struct capture c = capture_errors();
  meter_start(&m, 200);
  m.term = (struct term){.is_terminal = true, .columns = 80};
  meter_part(&m, STR("moving tasks"), true, 0);
  pass(&m, -60 * SECOND_US);  // however long the test takes to get here
  meter_tell(&m, 10);         // too soon after the beginning
  pass(&m, 63 * SECOND_US);
  meter_tell(&m, 50);
  meter_part_end(&m);
  meter_part(&m, STR("moving logs"), false, 0);
  pass(&m, SECOND_US);
  meter_tell(&m, 9);
  meter_erase(&m);
  end_capture(&c, text);
  assert_null(strstr(text, "10 rows"));
  assert_non_null(strstr(text, "\r\033[K#####---------------  25%  moving tasks: 50 rows, "));
  assert_non_null(strstr(text, "/s  0:0"));
  assert_non_null(strstr(text, "  25%  moving logs: 9 rows, "));
  assert_string_equal(text + strlen(text) - 4, "\r\033[K");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_log_gets_a_line_every_five_seconds),
      cmocka_unit_test(a_terminal_gets_a_bar_over_all_parts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
