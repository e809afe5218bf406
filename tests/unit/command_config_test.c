// command_config_test.c: `taskyard config`, and how every command tells what is wrong with the
// settings.
#include "tests/unit/program.h"

static void it_tells_where_each_value_comes_from(void **state) {
  struct place *at = *state;
  place_writes(at, "taskyard.conf", "lease = 1m\n[type a]\nmax_attempts = 2\n[queue q]\n");
  place_sets(at, "PORT", "9000");
  place_sets(at, "API_KEY", "hidden");
  const struct program *p = RUN(at, "config", "--drain", "3s", "--access-log");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "\nlease\t1m\ttaskyard.conf:1\n");
  assert_true(str_starts(str_of(p->out), STR("listen\t127.0.0.1:9000\tPORT\n")));
  assert_out(p, "\ndrain\t3s\t--drain\n");
  assert_out(p, "\naccess_log\tyes\t--access-log\n");
  assert_out(p, "\nreaders\t2\tdefault\n");
  assert_out(p, "\napi_key\t********\tAPI_KEY\n");
  assert_null(strstr(p->out, "hidden"));
  p = RUN(at, "config", "--json");
  assert_exit(p, EXIT_DONE);
  assert_true(str_starts(str_of(p->out), STR("{\"file\":\"taskyard.conf\",\"settings\":{")));
  assert_out(p, "\"lease\":{\"value\":\"1m\",\"from\":\"taskyard.conf:1\"}");
  assert_out(p, "},\"types\":[\"a\"],\"queues\":[\"q\"]}\n");
  assert_null(strstr(p->out, "hidden"));
}

static void without_a_file_all_are_defaults(void **state) {
  const struct program *p = RUN(*state, "config", "--json");
  assert_exit(p, EXIT_DONE);
  assert_true(str_starts(str_of(p->out), STR("{\"file\":null,")));
  assert_out(p, "},\"types\":[],\"queues\":[]}\n");
}

static void sections_are_told_on_a_terminal(void **state) {
  struct place *at = *state;
  place_writes(at, "taskyard.conf",
               "[type voice]\nqueue = audio\npriority = 3\nmax_attempts = 2\nlease = 1m\n"
               "timeout = 5m\nbackoff = fixed 10s\nkeep_completed = 5\nkeep_failed = 6\n"
               "keep_for = 7d\n[type b]\nbackoff = exponential 1s max 1h jitter 0.2\n"
               "[queue audio]\npaused = yes\n[queue q]\n");
  place_sets(at, "NO_COLOR", "1");
  const struct program *p = END(START_ON_TERMINAL(at, "config"));
  assert_exit(p, EXIT_DONE);
  assert_true(str_starts(str_of(p->out), STR("SETTING ")));
  assert_out(p,
             "\r\n[type voice] queue audio priority 3 max_attempts 2 lease 1m timeout 5m "
             "backoff fixed 10s max 1h jitter 0.2 keep_completed 5 keep_failed 6 keep_for 7d\r\n");
  assert_out(p, "\r\n[type b] backoff exponential 1s max 1h jitter 0.2\r\n");
  assert_out(p, "\r\n[queue audio] paused\r\n[queue q]\r\n");
}

static void what_is_wrong_is_refused_with_place_and_help(void **state) {
  static const char *const COMMANDS_THAT_READ[] = {"config", "serve", "check"};
  struct place *at = *state;
  place_writes(at, "bad.conf", "\nlog_levle = info\n");
  for (size_t i = 0; i < sizeof COMMANDS_THAT_READ / sizeof COMMANDS_THAT_READ[0]; i++) {
    const struct program *p = RUN(at, COMMANDS_THAT_READ[i], "--config", "bad.conf");
    assert_exit(p, EXIT_CONFIG);
    assert_err(p, "taskyard: bad.conf:2: ");
    assert_err(p, "did you mean log_level?");
  }
  const struct program *p = RUN(at, "config", "--lease", "2d");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "between");
  p = RUN(at, "config", "--config", "missing.conf");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "the settings file missing.conf cannot be read: No such file or directory");
  p = RUN(at, "config", "--config", ".");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "the settings file . cannot be read to its end");
}

static void all_that_is_wrong_is_told_in_the_order_of_its_places(void **state) {
  static const char *const PLACES[] = {
      "taskyard: bad.conf:1: ", "taskyard: bad.conf:2: ",     "taskyard: bad.conf:4: ",
      "taskyard: bad.conf:7: ", "taskyard: bad.conf:10: ",    "taskyard: bad.conf:11: ",
      "taskyard: PORT: ",       "taskyard: TASKYARD_DRAIN: ", "taskyard: --idle-timeout: "};
  struct place *at = *state;
  place_writes(at, "bad.conf",
               "log_levle = info\nreaders = 99\nlease = 1m\n[tipe a]\nlease = 1x\n[type b]\n"
               "max_attempts = 0\nlease = 1m\n[queue q]\npaused = maybe\nno entry\n");
  place_sets(at, "TASKYARD_DRAIN", "soon");
  place_sets(at, "PORT", "x");
  const struct program *p =
      RUN(at, "config", "--check", "--config", "bad.conf", "--idle-timeout", "1w");
  assert_exit(p, EXIT_CONFIG);
  struct str rest = str_of(p->err);
  for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
    struct str line = str_cut(&rest, '\n');
    if (!str_starts(line, str_of(PLACES[i])))
      program_fails(p, __FILE__, __LINE__, "line %zu is not of %s", i + 1, PLACES[i]);
  }
  assert_int_equal(rest.len, 0);
}

static void of_many_wrong_settings_twenty_are_told_and_by_a_check_all(void **state) {
  struct place *at = *state;
  struct buf lines;
  buf_init(&lines, 4096);
  for (int i = 0; i < 25; i++) BUF_LIT(&lines, "log_levle = info\n");
  buf_char(&lines, '\0');
  place_writes(at, "bad.conf", lines.at);
  buf_fini(&lines);
  const struct program *p = RUN(at, "serve", "--config", "bad.conf");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "taskyard: bad.conf:20: ");
  assert_null(strstr(p->err, "bad.conf:21: "));
  assert_err(p, "taskyard: and 5 more; `taskyard config --check` tells all\n");
  p = RUN(at, "config", "--check", "--config", "bad.conf");
  assert_err(p, "taskyard: bad.conf:25: ");
  assert_null(strstr(p->err, " more; "));
}

static void lines_that_are_no_settings_are_told(void **state) {
  static const struct {
    const char *content, *told;
  } FILES[] = {
      {"[type a\nqueue = voice\n", "taskyard: bad.conf:1: expected [section], key = value, or a ;"},
      {"lease\n", "taskyard: bad.conf:1: expected [section]"},
      {"; fine\n  lease = 1x\n", "taskyard: bad.conf:2: "},
  };
  struct place *at = *state;
  for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
    place_writes(at, "bad.conf", FILES[i].content);
    const struct program *p = RUN(at, "config", "--check", "--config", "bad.conf");
    assert_exit(p, EXIT_CONFIG);
    assert_err(p, FILES[i].told);
  }
  char line[1024];
  memset(line, 'x', sizeof line - 1);
  line[sizeof line - 1] = '\0';
  place_writes(at, "bad.conf", line);
  assert_err(RUN(at, "config", "--config", "bad.conf"), "bad.conf:1: ");
}

static void a_check_is_quiet_when_all_is_well(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "config", "--check");
  assert_exit(p, EXIT_DONE);
  assert_out_is(p, "");
  assert_err_is(p, "");
}

static void a_check_tells_what_a_public_address_relies_on(void **state) {
  struct place *at = *state;
  const struct program *p = RUN(at, "config", "--check", "--listen", "0.0.0.0:1");
  assert_exit(p, EXIT_DONE);
  assert_err(p, "taskyard: without api_key, serve starts only if the store holds a key\n");
  place_sets(at, "API_KEY", "dev_api_key");
  p = RUN(at, "config", "--check", "--listen", "0.0.0.0:1");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "dev_api_key");
}

static void a_mistyped_or_foreign_variable_is_pointed_out(void **state) {
  struct place *at = *state;
  place_sets(at, "TASKYARD_LISTN", "x");
  place_sets(at, "MONGODB_URI", "mongodb://hush");
  const struct program *p = RUN(at, "config");
  assert_exit(p, EXIT_DONE);
  assert_err(p, "TASKYARD_LISTN is not used; did you mean TASKYARD_LISTEN?");
  assert_err(p, "MONGODB_URI");
  assert_null(strstr(p->err, "hush"));
}

static void a_password_in_the_store_s_address_is_not_shown(void **state) {
  struct place *at = *state;
  place_sets(at, "DATABASE_URL", "postgresql://me:hush@127.0.0.1:1/x");
  const struct program *p = RUN(at, "config");
  assert_exit(p, EXIT_DONE);
  assert_out(p, "me:***@127.0.0.1:1/x");
  assert_null(strstr(p->out, "hush"));
  p = RUN(at, "config", "--store", "mysql://me:hush@x");
  assert_exit(p, EXIT_CONFIG);
  assert_err(p, "postgresql://");
  assert_null(strstr(p->err, "hush"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      AT_A_PLACE(it_tells_where_each_value_comes_from),
      AT_A_PLACE(without_a_file_all_are_defaults),
      AT_A_PLACE(sections_are_told_on_a_terminal),
      AT_A_PLACE(what_is_wrong_is_refused_with_place_and_help),
      AT_A_PLACE(all_that_is_wrong_is_told_in_the_order_of_its_places),
      AT_A_PLACE(of_many_wrong_settings_twenty_are_told_and_by_a_check_all),
      AT_A_PLACE(lines_that_are_no_settings_are_told),
      AT_A_PLACE(a_check_is_quiet_when_all_is_well),
      AT_A_PLACE(a_check_tells_what_a_public_address_relies_on),
      AT_A_PLACE(a_mistyped_or_foreign_variable_is_pointed_out),
      AT_A_PLACE(a_password_in_the_store_s_address_is_not_shown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
