// tidy_test.c: each house rule finds what breaks it and leaves alone what does not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tidy.h"

static const char LAYERS[] =
    "# a comment\n"
    "base:\n"
    "model:        base\n"
    "store:        base model\n"
    "store/sqlite: base model store\n"
    "main:         base\n"
    "cage sqlite3.h store/sqlite\n"
    "cage openssl   base\n";

static struct tidy house;
static char *printed;
static size_t printed_bytes;

static int open_house(void **state) {
  (void)state;
  house = (struct tidy){.out = open_memstream(&printed, &printed_bytes)};
  return house.out && layers_read(&house.layers, LAYERS) ? 0 : -1;
}

static int close_house(void **state) {
  (void)state;
  fclose(house.out);
  free(printed);
  free(house.functions);
  return 0;
}

static void expect_finding(const char *path, const char *text, const char *finding) {
  size_t before = house.findings;
  tidy_check(&house, path, text);
  fflush(house.out);
  if (!strstr(printed, finding)) fail_msg("expected \"%s\" in:\n%s", finding, printed);
  assert_int_equal(house.findings, before + 1);
}

static void expect_clean(const char *path, const char *text) {
  tidy_check(&house, path, text);
  fflush(house.out);
  if (house.findings) fail_msg("expected no finding, but:\n%s", printed);
}

// A function with `lines` lines, head and closing brace included.
static char *function_of(size_t lines) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *out = open_memstream(&text, &bytes);
  fputs("// a.c: a sample.\nint f(int x,\n", out);
  fputs("      int y) {\n", out);
  for (size_t i = 3; i < lines; i++) fputs("  y++;\n", out);
  fputs("}\n", out);
  fclose(out);
  return text;
}

static void a_clean_file_has_no_findings(void **state) {
  (void)state;
  expect_clean("src/store/a.c",
               "// a.c: a sample.\n"
               "#include \"store/a.h\"\n"
               "#include \"base/str.h\"\n"
               "#include <string.h>\n"
               "\n"
               "static const int numbers[] = {1, 2};\n"
               "int store_count(void) { return numbers[0]; }\n");
}

static void the_first_line_names_the_file_and_its_purpose(void **state) {
  (void)state;
  expect_finding("src/base/a.c", "// b.c: a sample.\n", "src/base/a.c:1: the first line must say");
  expect_finding("src/base/a.sql", "// a.sql: a sample.\n", "a.sql:1: the first line must say");
  expect_finding("src/base/a.def", "ROW(x)\n", "a.def:1: the first line must say");
  expect_finding("src/base/a.h", "", "a.h:1: the first line must say");
}

static void a_sql_file_has_a_purpose_in_its_own_comment_style(void **state) {
  (void)state;
  expect_clean("src/base/a.sql", "-- a.sql: a sample.\n");
}

static void an_include_from_a_layer_above_is_found(void **state) {
  (void)state;
  expect_finding("src/model/a.c", "// a.c: a sample.\n#include \"store/store.h\"\n",
                 "src/model/a.c:2: model must not include \"store/store.h\"");
}

static void a_folder_inside_another_is_a_layer_of_its_own(void **state) {
  (void)state;
  expect_finding("src/store/a.c", "// a.c: a sample.\n#include \"store/sqlite/b.h\"\n",
                 "a.c:2: store must not include");
}

static void an_unlisted_folder_counts_as_part_of_the_one_around_it(void **state) {
  (void)state;
  expect_clean("src/store/keys/a.c", "// a.c: a sample.\n#include \"store/store.h\"\n");
}

static void an_include_without_its_folder_is_found(void **state) {
  (void)state;
  expect_finding("src/base/a.c", "// a.c: a sample.\n#include \"str.h\"\n",
                 "a.c:2: name the folder too");
}

static void a_caged_header_is_found_outside_its_folder(void **state) {
  (void)state;
  expect_finding("src/store/a.c", "// a.c: a sample.\n#include <sqlite3.h>\n",
                 "a.c:2: <sqlite3.h> is caged in store/sqlite");
  expect_finding("src/store/b.c", "// b.c: a sample.\n#include <openssl/sha.h>\n",
                 "b.c:2: <openssl/sha.h> is caged in base");
}

static void a_caged_header_is_free_in_its_folder(void **state) {
  (void)state;
  expect_clean("src/store/sqlite/a.c", "// a.c: a sample.\n#include <sqlite3.h>\n");
}

static void a_layers_file_that_is_not_understood_is_refused(void **state) {
  (void)state;
  struct layers layers;
  assert_false(layers_read(&layers, "base model\n"));
}

static void a_function_of_sixty_lines_passes_and_one_of_sixty_one_does_not(void **state) {
  (void)state;
  char *fits = function_of(60), *long_one = function_of(61);
  expect_clean("src/base/a.c", fits);
  expect_finding("src/base/a.c", long_one, "a.c:2: f has 61 lines; at most 60");
  free(fits);
  free(long_one);
}

static void structs_and_initializers_are_no_functions(void **state) {
  (void)state;
  expect_clean("src/base/a.c",
               "// a.c: a sample.\n"
               "struct s {\n  int (*f)(int);\n};\n"
               "struct s one = (struct s){\n  .f = NULL,\n};\n"
               "#define LOOP(x) \\\n  for (;;) {\n"
               "int g(void) {\n  return 1;\n}\n");
  assert_int_equal(house.function_count, 1);
  assert_string_equal(house.functions[0].name, "g");
  assert_int_equal(house.functions[0].lines, 3);
}

static void a_banned_call_is_found(void **state) {
  (void)state;
  expect_finding("src/base/a.c", "// a.c: a sample.\nint n = f(atoi(\"1\"));\n",
                 "a.c:2: atoi is banned");
}

static void a_banned_word_in_a_comment_a_string_or_a_member_is_no_call(void **state) {
  (void)state;
  expect_clean(
      "src/base/a.c",
      "// a.c: never strcpy(a, b).\n"
      "/* nor gets(x) */\n"
      "const char *s = \"\\\"free(x)\"; char c = '\"'; int d = ops->free(x) + o.exit(1);\n");
}

static void the_heap_is_called_in_one_file_only(void **state) {
  (void)state;
  expect_clean("src/base/mem.c", "// mem.c: a sample.\nvoid *p = malloc(1);\n");
  expect_finding("src/base/memo.c", "// memo.c: a sample.\nvoid *p = malloc(1);\n",
                 "memo.c:2: malloc is banned");
}

static void only_the_application_ends_the_process(void **state) {
  (void)state;
  expect_clean("src/main.c", "// main.c: a sample.\nint x = (exit(1), 1);\n");
  expect_finding("src/base/a.c", "// a.c: a sample.\nint x = (exit(1), 1);\n", "exit is banned");
}

static void a_test_does_not_sleep(void **state) {
  (void)state;
  expect_clean("src/base/a.c", "// a.c: a sample.\nint x = usleep(1);\n");
  expect_finding("src/base/a_test.c", "// a_test.c: a sample.\nint x = usleep(1);\n",
                 "usleep is banned");
}

static void blanks_tabs_and_long_lines_are_found(void **state) {
  (void)state;
  char line[128];
  memset(line, 'x', sizeof line);
  memcpy(line + 101, "\n", 2);
  expect_finding("src/a.py", "x = 1 \n", "a.py:1: blanks at the end");
  expect_finding("src/b.py", "\tx = 1\n", "b.py:1: a tab");
  expect_finding("src/c.py", line, "c.py:1: 101 columns");
  expect_finding("src/d.py", "x = 1", "d.py:1: no line end");
}

static void columns_are_characters_and_tables_may_be_wide(void **state) {
  (void)state;
  char line[160] = "";
  for (int i = 0; i < 51; i++) memcpy(line + strlen(line), "é", 3);
  memcpy(line + strlen(line), "\n", 2);
  expect_clean("a.py", line);
  expect_clean("Makefile", "all:\n\ttrue\n");
}

static void unfinished_work_and_paths_of_one_machine_are_found(void **state) {
  (void)state;
  expect_finding("a.py",
                 "# TO"
                 "DO: more\n",
                 "a.py:1: unfinished");
  expect_finding("b.py",
                 "x = '/ho"
                 "me/me'\n",
                 "b.py:1: a path of one machine");
}

static void the_workers_route_is_no_path_of_a_machine(void **state) {
  (void)state;
  expect_clean("a.py", "get('/api/v1/workers'); get('/workers/w1')\n");
}

static void a_file_of_over_six_hundred_lines_is_found(void **state) {
  (void)state;
  char text[1024] = "// a.c: a sample.\n";
  size_t length = strlen(text);
  memset(text + length, '\n', 600);
  expect_finding("src/base/a.c", text, "a.c:601: 601 lines in a file");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)
  const struct CMUnitTest tests[] = {
      TEST(a_clean_file_has_no_findings),
      TEST(the_first_line_names_the_file_and_its_purpose),
      TEST(a_sql_file_has_a_purpose_in_its_own_comment_style),
      TEST(an_include_from_a_layer_above_is_found),
      TEST(a_folder_inside_another_is_a_layer_of_its_own),
      TEST(an_unlisted_folder_counts_as_part_of_the_one_around_it),
      TEST(an_include_without_its_folder_is_found),
      TEST(a_caged_header_is_found_outside_its_folder),
      TEST(a_caged_header_is_free_in_its_folder),
      TEST(a_layers_file_that_is_not_understood_is_refused),
      TEST(a_function_of_sixty_lines_passes_and_one_of_sixty_one_does_not),
      TEST(structs_and_initializers_are_no_functions),
      TEST(a_banned_call_is_found),
      TEST(a_banned_word_in_a_comment_a_string_or_a_member_is_no_call),
      TEST(the_heap_is_called_in_one_file_only),
      TEST(only_the_application_ends_the_process),
      TEST(a_test_does_not_sleep),
      TEST(blanks_tabs_and_long_lines_are_found),
      TEST(columns_are_characters_and_tables_may_be_wide),
      TEST(unfinished_work_and_paths_of_one_machine_are_found),
      TEST(the_workers_route_is_no_path_of_a_machine),
      TEST(a_file_of_over_six_hundred_lines_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
