// options_test.c: reading command lines by a table, and the help made from it.
#include "base/options.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct option_spec options[] = {
    {"listen", 'l', "HOST:PORT", "where to listen"},
    {"concurrency", 'n', "N", "how many at once"},
    {"tag", 0, "NAME=VALUE", "a tag; may be repeated"},
    {"wait", 'w', NULL, "wait until the task has ended"},
    {"verbose", 'v', NULL, "say more"},
    {"lease", 0, "TIME", "length of a lease"},
    {0},
};
static const struct option_spec common[] = {
    {"url", 'u', "URL", "the server"},
    {"json", 'j', NULL, "answer in JSON"},
    {0},
};
static const char *const examples[] = {"taskyard try --wait x", NULL};
static const struct option_command command = {
    .usage = "taskyard try [OPTION]… TYPE [PAYLOAD]",
    .summary = "Tries things.",
    .options = options,
    .common = common,
    .positionals_min = 1,
    .positionals_max = 2,
    .examples = examples,
};

static struct arena arena;
static struct options given;
static struct fault why;

static int start(void **state) {
  (void)state;
  why = (struct fault){0};
  given = (struct options){0};
  arena_init(&arena, 4096);
  return 0;
}

static int stop(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

static enum err parse(char *const *argv) {
  int argc = 0;
  while (argv[argc]) argc++;
  return options_parse(&command, argc, argv, &arena, &given, &why);
}
#define PARSE(...) parse((char *const[]){__VA_ARGS__, NULL})

#define REFUSED(sentence, ...)                                                                     \
  do {                                                                                             \
    assert_int_equal(PARSE(__VA_ARGS__), ERR_INVALID);                                             \
    assert_string_equal(why.detail, sentence);                                                     \
  } while (0)

static void options_and_positionals_may_mix(void **state) {
  (void)state;
  assert_int_equal(PARSE("a", "--wait", "b", "--listen", ":1"), ERR_OK);
  assert_int_equal(given.positional_count, 2);
  assert_string_equal(given.positionals[0], "a");
  assert_string_equal(given.positionals[1], "b");
  assert_null(given.positionals[2]);
  assert_true(options_has(&given, "wait"));
  assert_false(options_has(&given, "verbose"));
  assert_string_equal(options_value(&given, "listen"), ":1");
  assert_null(options_value(&given, "url"));
}

static void a_value_may_be_attached_or_follow(void **state) {
  (void)state;
  static char *const lines[][4] = {{"--listen=h:1", "x"},    {"--listen", "h:1", "x"},
                                   {"-l", "h:1", "x"},       {"-lh:1", "x"},
                                   {"-wvlh:1", "x"},         {"x", "-wvl", "h:1"},
                                   {"x", "--listen", "h:1"}, {"-l", "no", "-lh:1"}};
  for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
    char *argv[5] = {lines[i][0], lines[i][1], lines[i][2], i == 7 ? "x" : lines[i][3], NULL};
    assert_int_equal(parse(argv), ERR_OK);
    assert_string_equal(options_value(&given, "listen"), "h:1");
    assert_string_equal(given.positionals[0], "x");
  }
}

static void a_value_is_taken_as_it_is(void **state) {
  (void)state;
  assert_int_equal(PARSE("x", "--concurrency", "-5", "--tag", "--wait", "--url="), ERR_OK);
  assert_string_equal(options_value(&given, "concurrency"), "-5");
  assert_string_equal(options_value(&given, "tag"), "--wait");
  assert_string_equal(options_value(&given, "url"), "");
  assert_false(options_has(&given, "wait"));
}

static void an_option_may_be_repeated(void **state) {
  (void)state;
  assert_int_equal(PARSE("--tag", "a=1", "-w", "--tag=b=2", "x", "-ww"), ERR_OK);
  size_t at = 0;
  const char *value;
  assert_true(options_next(&given, "tag", &at, &value));
  assert_string_equal(value, "a=1");
  assert_true(options_next(&given, "tag", &at, &value));
  assert_string_equal(value, "b=2");
  assert_false(options_next(&given, "tag", &at, &value));
  assert_string_equal(options_value(&given, "tag"), "b=2");
  assert_int_equal(options_count(&given, "wait"), 3);
}

static void two_dashes_end_the_options(void **state) {
  (void)state;
  assert_int_equal(PARSE("-w", "--", "--help", "-x"), ERR_OK);
  assert_false(given.help);
  assert_int_equal(given.positional_count, 2);
  assert_string_equal(given.positionals[0], "--help");
  assert_string_equal(given.positionals[1], "-x");
}

static void a_lone_dash_is_a_positional(void **state) {
  (void)state;
  assert_int_equal(PARSE("x", "-"), ERR_OK);
  assert_string_equal(given.positionals[1], "-");
}

static void the_common_table_is_known_too(void **state) {
  (void)state;
  assert_int_equal(PARSE("x", "-j", "--url", "http://h"), ERR_OK);
  assert_true(options_has(&given, "json"));
  assert_string_equal(options_value(&given, "url"), "http://h");
}

static void help_is_given_wherever_it_is_asked_for(void **state) {
  (void)state;
  assert_int_equal(PARSE("--help"), ERR_OK);
  assert_true(given.help);
  assert_int_equal(PARSE("a", "b", "c", "-h"), ERR_OK);
  assert_true(given.help);
  assert_int_equal(PARSE("--wrong", "x", "--help"), ERR_OK);
  assert_true(given.help);
  assert_int_equal(PARSE("--wrong", "-h"), ERR_OK);
  assert_true(given.help);
  assert_int_equal(PARSE("-wh"), ERR_OK);
  assert_true(given.help);
  assert_int_equal(PARSE("--help", "--wrong"), ERR_OK);
  assert_true(given.help);
  assert_int_equal(PARSE("--wrong", "--", "--help"), ERR_INVALID);
}

static void an_unknown_option_is_named_with_the_nearest_one(void **state) {
  (void)state;
  REFUSED("unknown option --lisen; did you mean --listen?", "x", "--lisen=1");
  REFUSED("unknown option --lsiten; did you mean --listen?", "x", "--lsiten");
  REFUSED("unknown option --conc; did you mean --concurrency?", "x", "--conc", "4");
  REFUSED("unknown option --hlep; did you mean --help?", "--hlep");
  REFUSED("unknown option --priority", "x", "--priority");
  REFUSED("unknown option -x", "-wxv");
  REFUSED("unknown option -é", "-éa");
  REFUSED("unknown option -\xff", "-\xff\xff");
}

static void a_value_where_none_belongs_is_refused(void **state) {
  (void)state;
  REFUSED("--wait takes no value", "x", "--wait=yes");
  REFUSED("--help takes no value", "--help=me");
}

static void a_missing_value_is_named(void **state) {
  (void)state;
  REFUSED("--listen needs a value: HOST:PORT", "x", "--listen");
  REFUSED("--listen needs a value: HOST:PORT", "x", "-wl");
}

static void positionals_are_counted(void **state) {
  (void)state;
  REFUSED("too few arguments; usage: taskyard try [OPTION]… TYPE [PAYLOAD]", "-w");
  REFUSED("unexpected argument 'c'; usage: taskyard try [OPTION]… TYPE [PAYLOAD]", "a", "b", "c",
          "d");
}

static void a_command_without_options_still_knows_help(void **state) {
  (void)state;
  static const struct option_command bare = {.usage = "taskyard version",
                                             .positionals_max = OPTIONS_ANY};
  char *argv[] = {"1", "2", "-h"};
  assert_int_equal(options_parse(&bare, 0, argv, &arena, &given, &why), ERR_OK);
  assert_int_equal(given.positional_count, 0);
  assert_int_equal(options_parse(&bare, 3, argv, &arena, &given, &why), ERR_OK);
  assert_true(given.help);
}

static void numbers_keep_to_their_bounds(void **state) {
  (void)state;
  int64_t n = 4;
  assert_int_equal(PARSE("x"), ERR_OK);
  assert_int_equal(options_i64(&given, "concurrency", 1, 64, &n, &why), ERR_OK);
  assert_int_equal(n, 4);
  assert_int_equal(PARSE("x", "-n8"), ERR_OK);
  assert_int_equal(options_i64(&given, "concurrency", 1, 64, &n, &why), ERR_OK);
  assert_int_equal(n, 8);
  assert_int_equal(PARSE("x", "-n0"), ERR_OK);
  assert_int_equal(options_i64(&given, "concurrency", 1, 64, &n, &why), ERR_INVALID);
  assert_string_equal(why.detail, "--concurrency must be a whole number from 1 to 64, not '0'");
  assert_int_equal(PARSE("x", "-n65"), ERR_OK);
  assert_int_equal(options_i64(&given, "concurrency", 1, 64, &n, &why), ERR_INVALID);
  assert_string_equal(why.detail, "--concurrency must be a whole number from 1 to 64, not '65'");
  assert_int_equal(PARSE("x", "-nmany"), ERR_OK);
  assert_int_equal(options_i64(&given, "concurrency", 1, 64, &n, &why), ERR_INVALID);
  assert_int_equal(n, 8);
}

static void durations_keep_to_their_bounds(void **state) {
  (void)state;
  int64_t ms = 7;
  assert_int_equal(PARSE("x"), ERR_OK);
  assert_int_equal(options_duration_ms(&given, "lease", 1000, 3600000, &ms, &why), ERR_OK);
  assert_int_equal(ms, 7);
  assert_int_equal(PARSE("x", "--lease", "2m"), ERR_OK);
  assert_int_equal(options_duration_ms(&given, "lease", 1000, 3600000, &ms, &why), ERR_OK);
  assert_int_equal(ms, 120000);
  assert_int_equal(PARSE("x", "--lease=2h"), ERR_OK);
  assert_int_equal(options_duration_ms(&given, "lease", 1000, 3600000, &ms, &why), ERR_INVALID);
  assert_string_equal(why.detail, "--lease must be from 1s to 1h, not '2h'");
  assert_int_equal(PARSE("x", "--lease=249ms"), ERR_OK);
  assert_int_equal(options_duration_ms(&given, "lease", 250, 90000, &ms, &why), ERR_INVALID);
  assert_string_equal(why.detail, "--lease must be from 250ms to 90s, not '249ms'");
  assert_int_equal(PARSE("x", "--lease=2d"), ERR_OK);
  assert_int_equal(options_duration_ms(&given, "lease", 0, 86400000, &ms, &why), ERR_INVALID);
  assert_string_equal(why.detail, "--lease must be from 0ms to 1d, not '2d'");
  assert_int_equal(PARSE("x", "--lease=soon"), ERR_OK);
  assert_int_equal(options_duration_ms(&given, "lease", 1000, 3600000, &ms, &why), ERR_INVALID);
  assert_string_equal(why.detail,
                      "--lease must be a duration such as 250ms, 30s, 5m or 2h, not 'soon'");
  assert_int_equal(ms, 120000);
}

static void the_help_lists_everything_aligned(void **state) {
  (void)state;
  struct buf text;
  buf_init(&text, 1 << 16);
  options_help(&command, &text);
  assert_true(str_eq(buf_str(&text), STR("Usage: taskyard try [OPTION]… TYPE [PAYLOAD]\n"
                                         "\n"
                                         "Tries things.\n"
                                         "\n"
                                         "Options:\n"
                                         "  -l, --listen HOST:PORT  where to listen\n"
                                         "  -n, --concurrency N     how many at once\n"
                                         "      --tag NAME=VALUE    a tag; may be repeated\n"
                                         "  -w, --wait              wait until the task has ended\n"
                                         "  -v, --verbose           say more\n"
                                         "      --lease TIME        length of a lease\n"
                                         "\n"
                                         "Common options:\n"
                                         "  -u, --url URL           the server\n"
                                         "  -j, --json              answer in JSON\n"
                                         "  -h, --help              print this help and exit\n"
                                         "\n"
                                         "Examples:\n"
                                         "  taskyard try --wait x\n")));
  buf_fini(&text);
}

static void long_help_is_wrapped_at_80_columns(void **state) {
  (void)state;
  static const struct option_spec long_ones[] = {
      {"a-name-that-is-much-too-long", 0, "VALUE", "its explanation starts on the next line"},
      {"b", 'b', NULL,
       "an explanation that is too long for one line of a terminal with eighty columns, "
       "and goes on with … characters of more than one byte and so on and on"},
      {0},
  };
  static const struct option_command wide = {.usage = "x", .options = long_ones};
  struct buf text;
  buf_init(&text, 1 << 16);
  options_help(&wide, &text);
  assert_true(
      str_eq(buf_str(&text),
             STR("Usage: x\n"
                 "\n"
                 "Options:\n"
                 "      --a-name-that-is-much-too-long VALUE\n"
                 "              its explanation starts on the next line\n"
                 "  -b, --b     an explanation that is too long for one line of a terminal with\n"
                 "              eighty columns, and goes on with … characters of more than one\n"
                 "              byte and so on and on\n"
                 "  -h, --help  print this help and exit\n")));
  buf_fini(&text);
}

static void empty_tables_have_no_heading_and_an_option_may_go_without_words(void **state) {
  (void)state;
  static const struct option_spec none[] = {{0}}, plain[] = {{"a\xff", 'a', NULL, NULL}, {0}};
  static const char *const no_examples[] = {NULL};
  static const struct option_command rows[] = {
      {.usage = "x", .options = none, .common = plain, .examples = no_examples},
      {.usage = "x", .common = plain},
      {.usage = "x", .options = plain, .common = none},
  };
  struct buf text;
  buf_init(&text, 1 << 16);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    buf_clear(&text);
    options_help(&rows[i], &text);
    assert_true(str_eq(buf_str(&text), STR("Usage: x\n"
                                           "\n"
                                           "Options:\n"
                                           "  -a, --a\xff    \n"
                                           "  -h, --help  print this help and exit\n")));
  }
  buf_fini(&text);
}

static void the_nearest_name_is_found_or_none(void **state) {
  (void)state;
  static const char *const names[] = {"serve", "worker", "submit", "cancel", "check", NULL};
  assert_string_equal(options_nearest("sumbit", names), "submit");
  assert_string_equal(options_nearest("work", names), "worker");
  assert_string_equal(options_nearest("server", names), "serve");
  assert_string_equal(options_nearest("chekc", names), "check");
  assert_null(options_nearest("frobnicate", names));
  assert_null(options_nearest("", names));
  assert_null(options_nearest("q", names));
  assert_null(options_nearest("q", (const char *const[]){"b", NULL}));
}

#define OPTIONS_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      OPTIONS_TEST(options_and_positionals_may_mix),
      OPTIONS_TEST(a_value_may_be_attached_or_follow),
      OPTIONS_TEST(a_value_is_taken_as_it_is),
      OPTIONS_TEST(an_option_may_be_repeated),
      OPTIONS_TEST(two_dashes_end_the_options),
      OPTIONS_TEST(a_lone_dash_is_a_positional),
      OPTIONS_TEST(the_common_table_is_known_too),
      OPTIONS_TEST(help_is_given_wherever_it_is_asked_for),
      OPTIONS_TEST(an_unknown_option_is_named_with_the_nearest_one),
      OPTIONS_TEST(a_value_where_none_belongs_is_refused),
      OPTIONS_TEST(a_missing_value_is_named),
      OPTIONS_TEST(positionals_are_counted),
      OPTIONS_TEST(a_command_without_options_still_knows_help),
      OPTIONS_TEST(numbers_keep_to_their_bounds),
      OPTIONS_TEST(durations_keep_to_their_bounds),
      OPTIONS_TEST(the_help_lists_everything_aligned),
      OPTIONS_TEST(long_help_is_wrapped_at_80_columns),
      OPTIONS_TEST(empty_tables_have_no_heading_and_an_option_may_go_without_words),
      OPTIONS_TEST(the_nearest_name_is_found_or_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
