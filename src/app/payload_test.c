// payload_test.c: payloads from arguments, files and lines.
#include "app/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct command command;
static struct fault why;
static struct str payload;
static char argument[] = "@taskyard-payload-XXXXXX";

static int start(void **state) {
  (void)state;
  memcpy(argument, "@taskyard-payload-XXXXXX", sizeof argument);
  int fd = mkstemp(argument + 1);
  if (fd < 0 || close(fd) != 0) return -1;
  command = (struct command){0};
  why = (struct fault){0};
  arena_init(&command.arena, 4096);
  return 0;
}

static int stop(void **state) {
  (void)state;
  arena_fini(&command.arena);
  return unlink(argument + 1);
}

static void write_file(const char *content) {
  FILE *out = fopen(argument + 1, "we");
  assert_non_null(out);
  assert_true(fputs(content, out) >= 0);
  assert_int_equal(fclose(out), 0);
}

static void assert_read(const char *text, bool is_text, const char *expected) {
  assert_int_equal(payload_read(&command, text, is_text, &payload, &why), ERR_OK);
  assert_true(str_eq(payload, str_of(expected)));
}

static void without_an_argument_there_is_no_payload(void **state) {
  (void)state;
  assert_int_equal(payload_read(&command, NULL, false, &payload, &why), ERR_OK);
  assert_true(str_is_none(payload));
}

static void json_is_taken_as_it_is(void **state) {
  (void)state;
  assert_read("{\"a\": 1.0}", false, "{\"a\": 1.0}");
  assert_read(" 17 ", false, "17");
}

static void what_is_no_json_is_refused_with_its_place(void **state) {
  (void)state;
  assert_int_not_equal(payload_read(&command, "hello", false, &payload, &why), ERR_OK);
  assert_int_equal(command.exit_code, EXIT_USAGE);
  assert_non_null(strstr(why.detail, "the payload is not JSON (line 1, column 1: "));
  assert_non_null(strstr(why.detail, "--text takes text"));
}

static void text_becomes_a_json_string(void **state) {
  (void)state;
  assert_read("say \"hi\"", true, "\"say \\\"hi\\\"\"");
  assert_read("", true, "\"\"");
}

static void an_at_sign_names_a_file(void **state) {
  (void)state;
  write_file("[1,\n2]\n");
  assert_read(argument, false, "[1,\n2]");
  assert_read(argument, true, "\"[1,\\n2]\\n\"");
}

static void a_missing_file_is_a_wrong_command_line(void **state) {
  (void)state;
  assert_int_not_equal(payload_read(&command, "@no/such", false, &payload, &why), ERR_OK);
  assert_string_equal(why.detail, "no/such cannot be read: No such file or directory");
  assert_int_equal(command.exit_code, EXIT_USAGE);
}

static void lines_come_from_a_file_or_standard_input_only(void **state) {
  (void)state;
  FILE *file = NULL;
  assert_int_equal(payload_open(&command, NULL, &file, &why), ERR_OK);
  assert_ptr_equal(file, stdin);
  assert_int_equal(payload_open(&command, "-", &file, &why), ERR_OK);
  assert_ptr_equal(file, stdin);
  assert_int_not_equal(payload_open(&command, "{}", &file, &why), ERR_OK);
}

static bool next(struct payload_lines *lines) {
  bool more = false;
  assert_int_equal(payload_next(lines, &command.arena, &payload, &more, &why), ERR_OK);
  return more;
}

static void each_line_that_is_not_blank_is_a_payload(void **state) {
  (void)state;
  write_file("{\"n\":1}\n\n  \t\n[2]\r\n3");
  struct payload_lines lines = {0};
  assert_int_equal(payload_open(&command, argument, &lines.file, &why), ERR_OK);
  assert_true(next(&lines));
  assert_true(str_eq(payload, STR("{\"n\":1}")));
  assert_true(next(&lines));
  assert_true(str_eq(payload, STR("[2]")));
  assert_true(next(&lines));
  assert_true(str_eq(payload, STR("3")));
  assert_false(next(&lines));
  payload_close(&lines);
}

static void a_line_of_text_becomes_a_string(void **state) {
  (void)state;
  write_file("./a file.txt\n");
  struct payload_lines lines = {.is_text = true};
  assert_int_equal(payload_open(&command, argument, &lines.file, &why), ERR_OK);
  assert_true(next(&lines));
  assert_true(str_eq(payload, STR("\"./a file.txt\"")));
  payload_close(&lines);
}

static void a_bad_line_is_named_by_its_number(void **state) {
  (void)state;
  write_file("1\n\nnope\n");
  struct payload_lines lines = {0};
  bool more;
  assert_int_equal(payload_open(&command, argument, &lines.file, &why), ERR_OK);
  assert_true(next(&lines));
  assert_int_equal(payload_next(&lines, &command.arena, &payload, &more, &why), ERR_INVALID);
  assert_true(str_starts(str_of(why.detail), STR("line 3 is not JSON (column ")));
  payload_close(&lines);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      EACH(without_an_argument_there_is_no_payload),
      EACH(json_is_taken_as_it_is),
      EACH(what_is_no_json_is_refused_with_its_place),
      EACH(text_becomes_a_json_string),
      EACH(an_at_sign_names_a_file),
      EACH(a_missing_file_is_a_wrong_command_line),
      EACH(lines_come_from_a_file_or_standard_input_only),
      EACH(each_line_that_is_not_blank_is_a_payload),
      EACH(a_line_of_text_becomes_a_string),
      EACH(a_bad_line_is_named_by_its_number),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
