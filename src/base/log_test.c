// log_test.c: lines of the log, in both forms, written to a file.
#include "base/log.h"

#include "base/json.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { READ_BYTES = 1 << 20 };

static char directory[] = "/tmp/log-test-XXXXXX";
static char path[64], rotated[64], combined[64], errors[64];
static char content[READ_BYTES];

static int make_directory(void **state) {
  (void)state;
  if (!mkdtemp(directory)) return -1;
  snprintf(path, sizeof path, "%s/log", directory);
  snprintf(rotated, sizeof rotated, "%s/log.1", directory);
  snprintf(combined, sizeof combined, "%s/combined.log", directory);
  snprintf(errors, sizeof errors, "%s/error.log", directory);
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  log_open(NULL);
  unlink(path);
  unlink(rotated);
  unlink(combined);
  unlink(errors);
  return rmdir(directory);
}

static int open_empty(void **state) {
  (void)state;
  unlink(path);
  unlink(rotated);
  unlink(combined);
  unlink(errors);
  (void)log_open_dir(NULL, LOG_JSON);
  return log_open(path) ? 0 : -1;
}

static struct str read_file(const char *name) {
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  ssize_t got = read(fd, content, sizeof content);
  close(fd);
  assert_in_range(got, 0, sizeof content - 1);
  return (struct str){content, (size_t)got};
}

static void assert_str(struct str got, const char *wanted) {
  if (!str_eq(got, str_of(wanted))) fail_msg("'%.*s' is not '%s'", STR_FMT(got), wanted);
}

// The one line of the file, without its newline.
static struct str one_line(void) {
  struct str rest = read_file(path);
  struct str line = str_cut(&rest, '\n');
  assert_false(str_is_none(rest));
  assert_int_equal(rest.len, 0);
  return line;
}

// What follows the time of the one line, whose form is checked.
static struct str one_text(void) {
  struct str line = one_line();
  static const char form[] = "dddd-dd-dd dd:dd:dd ";
  assert_in_range(line.len, sizeof form, READ_BYTES);
  for (size_t i = 0; i < sizeof form - 1; i++) {
    if (form[i] == 'd')
      assert_in_range(line.at[i], '0', '9');
    else
      assert_int_equal(line.at[i], form[i]);
  }
  return str_from(line, sizeof form - 1);
}

static struct str one_json(void) {
  struct str value;
  struct json_error error;
  assert_true(json_check(one_line(), &value, &error));
  assert_int_equal(json_kind(value), JSON_OBJECT);
  return value;
}

static struct str member(struct str object, const char *name) {
  struct json_walk w = json_walk(object);
  struct str key, value;
  while (json_next(&w, &key, &value))
    if (str_eq(key, str_of(name))) return value;
  return STR_NONE;
}

static void a_text_line_has_time_level_message_and_fields(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  log_event(LOG_INFO, "the server listens", LOG_STR("address", STR("127.0.0.1:8503")),
            LOG_I64("took_ms", -7));
  assert_str(one_text(), "info: the server listens address=127.0.0.1:8503 took_ms=-7");
}

static void a_line_without_fields_is_only_its_message(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  log_event(LOG_WARN, "bye");
  assert_str(one_text(), "warn: bye");
}

static void a_text_value_is_quoted_where_it_could_be_misread(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  log_event(LOG_ERROR, "x", LOG_STR("a", STR("two words")), LOG_STR("b", STR("")),
            LOG_STR("c", STR("q\"\\")), LOG_STR("d", STR("x=y")), LOG_STR("e", STR_NONE));
  assert_str(one_text(), "error: x a=\"two words\" b=\"\" c=\"q\\\"\\\\\" d=\"x=y\" e=null");
}

static void control_characters_are_escaped_in_text(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  log_event(LOG_INFO, "a\nb\x1b[31m\xC2\x9b", LOG_STR("v", STR("\r\t\x7f\0")));
  assert_str(one_text(), "info: a\\nb\\u001b[31m\\u009b v=\"\\r\\t\\u007f\\u0000\"");
}

static void what_is_no_control_character_stays(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  log_event(LOG_INFO, "\xC2\xA3 5", LOG_STR("v", STR("\xC2\xA0\xE2\x82\xAC\xF0\x9F\x98\xB9")));
  assert_str(one_text(), "info: \xC2\xA3 5 v=\xC2\xA0\xE2\x82\xAC\xF0\x9F\x98\xB9");
}

static void bad_utf8_is_replaced(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  log_event(LOG_INFO, "a\xff", LOG_STR("v", STR("\xC3\xA9\xC3")));
  assert_str(one_text(), "info: a\xEF\xBF\xBD v=\xC3\xA9\xEF\xBF\xBD");
}

static void a_json_line_is_one_object(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_JSON);
  log_event(LOG_INFO, "say \"hi\"\n", LOG_STR("path", STR("C:\\x\xff")), LOG_I64("n", INT64_MIN),
            LOG_STR("none", STR_NONE));
  struct str line = one_json();
  assert_str(member(line, "level"), "\"info\"");
  assert_str(member(line, "message"), "\"say \\\"hi\\\"\\n\"");
  assert_str(member(line, "path"), "\"C:\\\\x\xEF\xBF\xBD\"");
  assert_str(member(line, "n"), "-9223372036854775808");
  assert_str(member(line, "none"), "null");
  struct str time = member(line, "time");
  assert_int_equal(time.len, sizeof "\"2026-11-22T10:39:12.345Z\"" - 1);
  assert_int_equal(time.at[11], 'T');
  assert_int_equal(time.at[24], 'Z');
}

static void a_long_json_line_is_cut_and_still_json(void **state) {
  (void)state;
  static char long_text[20000];
  memset(long_text, 'x', sizeof long_text);
  log_setup(LOG_INFO, LOG_JSON);
  for (size_t len = 8000; len < 8192; len++) {
    open_empty(NULL);
    log_event(LOG_INFO, "m", LOG_STR("v", ((struct str){long_text, len})), LOG_I64("after", 1),
              LOG_STR("more", STR("\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n")));
    struct str line = one_json();
    assert_in_range(line.len, 1, 8191);
    assert_true(str_is_none(member(line, "cut")) || str_eq(member(line, "cut"), STR("true")));
  }
  open_empty(NULL);
  log_event(LOG_INFO, "m", LOG_STR("v", ((struct str){long_text, sizeof long_text})));
  assert_str(member(one_json(), "cut"), "true");
}

static void a_long_text_line_ends_with_a_mark(void **state) {
  (void)state;
  static char long_text[20000];
  memset(long_text, '\n', sizeof long_text - 1);
  log_setup(LOG_INFO, LOG_TEXT);
  log_event(LOG_INFO, long_text, LOG_I64("after", 1));
  struct str line = one_text();
  assert_in_range(line.len, 8000, 8192);
  assert_str(str_from(line, line.len - 3), "…");
}

static void levels_below_the_set_one_are_silent(void **state) {
  (void)state;
  log_setup(LOG_WARN, LOG_TEXT);
  assert_true(log_enabled(LOG_ERROR));
  assert_true(log_enabled(LOG_WARN));
  assert_false(log_enabled(LOG_INFO));
  log_event(LOG_INFO, "unheard");
  assert_int_equal(read_file(path).len, 0);
}

static void level_names_are_parsed(void **state) {
  (void)state;
  enum log_level level = LOG_ERROR;
  assert_true(log_level_parse(STR("debug"), &level));
  assert_int_equal(level, LOG_DEBUG);
  assert_true(log_level_parse(STR("warn"), &level));
  assert_int_equal(level, LOG_WARN);
  assert_false(log_level_parse(STR("loud"), &level));
  assert_int_equal(level, LOG_WARN);
}

static void a_rotated_log_goes_on_in_a_new_file(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  log_event(LOG_INFO, "old");
  assert_int_equal(rename(path, rotated), 0);
  log_event(LOG_INFO, "still old");
  log_reopen();
  log_event(LOG_INFO, "new");
  assert_str(one_text(), "info: new");
  struct str rest = read_file(rotated);
  str_cut(&rest, '\n');
  assert_false(str_is_none(rest));
}

static void a_log_that_cannot_be_opened_leaves_the_old_one(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  assert_false(log_open("/nonexistent/directory/log"));
  log_event(LOG_INFO, "here");
  assert_str(one_text(), "info: here");
}

// --- a directory beside it -----------------------------------------------------------------------

static bool file_holds(const char *name, const char *text) {
  struct str all = read_file(name);
  return memmem(all.at, all.len, text, strlen(text)) != NULL;
}

static size_t lines_in(const char *name) {
  struct str rest = read_file(name);
  size_t count = 0;
  for (size_t i = 0; i < rest.len; i++) count += rest.at[i] == '\n';
  return count;
}

static void a_directory_gets_every_line_and_the_errors_apart(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  assert_true(log_open_dir(directory, LOG_TEXT));
  log_event(LOG_INFO, "all is well");
  log_event(LOG_WARN, "hm");
  log_event(LOG_ERROR, "ouch");
  log_event(LOG_DEBUG, "unheard");
  assert_int_equal(lines_in(path), 3);
  assert_int_equal(lines_in(combined), 3);
  assert_int_equal(lines_in(errors), 1);
  assert_true(file_holds(errors, "error: ouch"));
}

static void a_directory_has_a_form_of_its_own(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  assert_true(log_open_dir(directory, LOG_JSON));
  log_event(LOG_ERROR, "ouch", LOG_I64("n", 7));
  assert_str(one_text(), "error: ouch n=7");
  assert_true(file_holds(combined, "\"message\":\"ouch\",\"n\":7}\n"));
  assert_true(file_holds(errors, "\"message\":\"ouch\",\"n\":7}\n"));
}

static void a_directory_that_cannot_be_used_changes_nothing(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  assert_false(log_open_dir("/nonexistent/directory", LOG_TEXT));
  assert_true(log_open_dir(directory, LOG_TEXT));
  assert_false(log_open_dir("/nonexistent/directory", LOG_JSON));
  log_event(LOG_INFO, "here");
  assert_true(file_holds(combined, "info: here"));
  assert_int_equal(unlink(errors), 0);
  assert_int_equal(mkdir(errors, 0700), 0);
  assert_false(log_open_dir(directory, LOG_JSON));
  assert_int_equal(rmdir(errors), 0);
  assert_true(log_open_dir(NULL, LOG_TEXT));
  log_event(LOG_INFO, "only there");
  assert_int_equal(lines_in(combined), 1);
  assert_int_equal(lines_in(path), 2);
}

static void a_rotated_directory_goes_on_in_new_files(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  assert_true(log_open_dir(directory, LOG_TEXT));
  log_event(LOG_ERROR, "old");
  assert_int_equal(rename(combined, rotated), 0);
  assert_int_equal(unlink(errors), 0);
  log_reopen();
  log_event(LOG_ERROR, "new");
  assert_int_equal(lines_in(combined), 1);
  assert_int_equal(lines_in(errors), 1);
  assert_true(file_holds(rotated, "old"));
}

// A folder of that name stands in the way, of root too.
static void a_log_that_cannot_be_opened_again_stays_the_old_one(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  assert_int_equal(rename(path, rotated), 0);
  assert_int_equal(mkdir(path, 0700), 0);
  log_reopen();
  log_event(LOG_INFO, "here");
  assert_int_equal(rmdir(path), 0);
  assert_int_equal(lines_in(rotated), 2);
  assert_true(file_holds(rotated, "error: cannot reopen the log file; the old one stays in use"));
  assert_true(file_holds(rotated, "info: here"));
}

static int interruptions;  // that the next writes meet
static int refusals;       // and then so many fail for good

ssize_t write(int fd, const void *bytes, size_t count) {
  __typeof__(&write) real = (__typeof__(&write))dlsym(RTLD_NEXT, "write");
  if (interruptions + refusals == 0) return real(fd, bytes, count);
  errno = interruptions ? EINTR : ENOSPC;
  *(interruptions ? &interruptions : &refusals) -= 1;
  return -1;
}

static void a_line_that_a_signal_interrupts_is_written_once(void **state) {
  (void)state;
  log_setup(LOG_INFO, LOG_TEXT);
  interruptions = 2;
  errno = ENOENT;
  log_event(LOG_INFO, "here");
  assert_int_equal(errno, ENOENT);
  assert_int_equal(interruptions, 0);
  refusals = 1;
  log_event(LOG_INFO, "lost on a full disk");
  assert_int_equal(refusals, 0);
  assert_int_equal(errno, ENOENT);
  assert_str(one_text(), "info: here");
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *name) {
  for (int i = 0; i < LINES; i++) log_event(LOG_INFO, "line", LOG_STR("by", str_of(name)));
  return NULL;
}

static void files_are_changed_while_threads_write(void **state) {
  (void)state;
  pthread_t threads[THREADS];
  char name[] = "thread";
  log_setup(LOG_INFO, LOG_TEXT);
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, write_lines, name), 0);
  for (int i = 0; i < 50; i++) {
    assert_true(log_open_dir(i % 5 ? directory : NULL, i % 2 ? LOG_JSON : LOG_TEXT));
    log_reopen();
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(lines_in(path), THREADS * LINES);
}

static void lines_of_threads_are_never_mixed(void **state) {
  (void)state;
  static char names[THREADS][400];
  pthread_t threads[THREADS];
  log_setup(LOG_INFO, LOG_TEXT);
  for (int i = 0; i < THREADS; i++) {
    memset(names[i], 'a' + i, 300);
    assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  struct str rest = read_file(path);
  for (int i = 0; i < THREADS * LINES; i++) {
    struct str line = str_cut(&rest, '\n');
    assert_int_equal(line.len, sizeof "2026-11-22 10:39:12 info: line by=" - 1 + 300);
    assert_int_equal(line.at[line.len - 300], line.at[line.len - 1]);
  }
  assert_int_equal(rest.len, 0);
}

#define LOG_TEST(name) cmocka_unit_test_setup(name, open_empty)

int main(void) {
  const struct CMUnitTest tests[] = {
      LOG_TEST(a_text_line_has_time_level_message_and_fields),
      LOG_TEST(a_line_without_fields_is_only_its_message),
      LOG_TEST(a_text_value_is_quoted_where_it_could_be_misread),
      LOG_TEST(control_characters_are_escaped_in_text),
      LOG_TEST(what_is_no_control_character_stays),
      LOG_TEST(bad_utf8_is_replaced),
      LOG_TEST(a_json_line_is_one_object),
      LOG_TEST(a_long_json_line_is_cut_and_still_json),
      LOG_TEST(a_long_text_line_ends_with_a_mark),
      LOG_TEST(levels_below_the_set_one_are_silent),
      LOG_TEST(level_names_are_parsed),
      LOG_TEST(a_rotated_log_goes_on_in_a_new_file),
      LOG_TEST(a_log_that_cannot_be_opened_leaves_the_old_one),
      LOG_TEST(a_log_that_cannot_be_opened_again_stays_the_old_one),
      LOG_TEST(a_directory_gets_every_line_and_the_errors_apart),
      LOG_TEST(a_directory_has_a_form_of_its_own),
      LOG_TEST(a_directory_that_cannot_be_used_changes_nothing),
      LOG_TEST(a_rotated_directory_goes_on_in_new_files),
      LOG_TEST(files_are_changed_while_threads_write),
      LOG_TEST(lines_of_threads_are_never_mixed),
      LOG_TEST(a_line_that_a_signal_interrupts_is_written_once),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
