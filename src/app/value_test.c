// value_test.c: reading, showing and refusing values of each kind.
#include "app/value.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;

static int start(void **state) {
  (void)state;
  arena_init(&arena, 4096);
  return 0;
}

static int stop(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

static bool parse(enum setting_kind kind, int64_t min, int64_t max, const char *text, void *out) {
  return value_parse(&(struct value_rule){kind, min, max}, str_of(text), &arena, out);
}

static void assert_shown(enum setting_kind kind, const void *value, const char *expected) {
  struct buf text;
  buf_init(&text, 256);
  value_show(kind, value, &text);
  buf_char(&text, '\0');
  assert_string_equal(text.at, expected);
  buf_fini(&text);
}

static void assert_refused(const struct value_rule *rule, const char *text, const char *sentence) {
  union {
    int64_t number;
    struct listen listen;
    struct store_url store;
    struct str text;
    struct backoff backoff;
  } out = {0};
  struct fault why = {0};
  assert_false(value_parse(rule, str_of(text), &arena, &out));
  assert_int_equal(value_refuse(rule, "a.conf:3", "it", str_of(text), &why), ERR_INVALID);
  assert_string_equal(why.detail, sentence);
}

static void an_address_has_a_host_and_a_port(void **state) {
  (void)state;
  struct listen listen;
  assert_true(parse(KIND_LISTEN, 0, 0, "127.0.0.1:8503", &listen));
  assert_string_equal(listen.host.at, "127.0.0.1");
  assert_int_equal(listen.port, 8503);
  assert_shown(KIND_LISTEN, &listen, "127.0.0.1:8503");
}

static void an_ipv6_address_stands_in_brackets(void **state) {
  (void)state;
  struct listen listen;
  assert_true(parse(KIND_LISTEN, 0, 0, "[::1]:0", &listen));
  assert_string_equal(listen.host.at, "::1");
  assert_shown(KIND_LISTEN, &listen, "[::1]:0");
  assert_false(parse(KIND_LISTEN, 0, 0, "::1:8503", &listen));
}

static void what_is_no_address_is_refused(void **state) {
  (void)state;
  struct listen listen;
  static const char *const wrong[] = {"",        "8503",    ":8503", "a:",   "a:b",      "a:-1",
                                      "a:65536", "a:8503 ", "a b:1", "[]:1", "a\tb:8503"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_false(parse(KIND_LISTEN, 0, 0, wrong[i], &listen));
  assert_refused(&(struct value_rule){.kind = KIND_LISTEN}, "a:65536",
                 "a.conf:3: it must be HOST:PORT with a port between 0 and 65535, as in "
                 "127.0.0.1:8503 or [::1]:8503, not \"a:65536\"");
}

static void a_part_of_an_address_leaves_the_other(void **state) {
  (void)state;
  struct listen listen = {STR("127.0.0.1"), 8503};
  assert_true(parse(KIND_LISTEN_PORT, 0, 0, "9000", &listen));
  assert_true(parse(KIND_LISTEN_HOST, 0, 0, "::", &listen));
  assert_shown(KIND_LISTEN, &listen, "[::]:9000");
}

static void a_store_is_a_file_or_in_memory(void **state) {
  (void)state;
  struct store_url store;
  assert_true(parse(KIND_STORE, 0, 0, "sqlite:data/taskyard.db", &store));
  assert_string_equal(store.path, "data/taskyard.db");
  assert_true(parse(KIND_STORE, 0, 0, "sqlite:/var/lib/t.db", &store));
  assert_string_equal(store.path, "/var/lib/t.db");
  assert_true(parse(KIND_STORE, 0, 0, "memory:", &store));
  assert_null(store.path);
  assert_shown(KIND_STORE, &store, "memory:");
  assert_false(parse(KIND_STORE, 0, 0, "sqlite:", &store));
  assert_false(parse(KIND_STORE, 0, 0, "sqlite:///t.db", &store));
  assert_false(parse(KIND_STORE, 0, 0, "t.db", &store));
  assert_false(parse(KIND_STORE, 0, 0, "sqlite:a\tb", &store));
}

static void a_store_is_a_database_whose_passwords_are_hidden(void **state) {
  (void)state;
  static const struct {
    const char *address, *shown;
  } right[] = {
      {"postgresql://db/tasks", "postgresql://db/tasks"},
      {"postgres://me@db:5432/tasks?sslmode=require",
       "postgres://me@db:5432/tasks?sslmode=require"},
      {"postgresql://me:secret@db:5432/tasks", "postgresql://me:***@db:5432/tasks"},
      {"postgresql://me:se@cr/et@db/tasks", "postgresql://me:***@db/tasks"},
      {"postgresql://me:se?c:ret@db/tasks", "postgresql://me:***@db/tasks"},
      {"postgresql://me:@db/tasks", "postgresql://me:***@db/tasks"},
      {"postgresql://me:secret@[::1]:1,db2:2/x", "postgresql://me:***@[::1]:1,db2:2/x"},
      {"postgresql://me@[::1]:5432/x", "postgresql://me@[::1]:5432/x"},
      {"postgresql:///x?password=secret&user=me&sslpassword=other",
       "postgresql:///x?password=***&user=me&sslpassword=***"},
      {"postgresql://me:secret@db/x?password=secret", "postgresql://me:***@db/x?password=***"},
      {"postgresql://db:5432/x?password=secret", "postgresql://db:5432/x?password=***"},
  };
  for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
    struct store_url store;
    assert_true(parse(KIND_STORE, 0, 0, right[i].address, &store));
    assert_string_equal(store.address, right[i].address);
    assert_null(store.path);
    assert_shown(KIND_STORE, &store, right[i].shown);
  }
}

static void what_is_no_store_is_refused_without_repeating_it(void **state) {
  (void)state;
  assert_refused(&(struct value_rule){.kind = KIND_STORE}, "mysql://me:secret@db/tasks",
                 "a.conf:3: it must be sqlite:PATH, postgresql://USER@HOST/DATABASE or memory:, "
                 "as in sqlite:taskyard.db");
}

static void a_schema_needs_no_quotes(void **state) {
  (void)state;
  struct str name;
  char longest[64];
  memset(longest, 'a', 63);
  longest[63] = '\0';
  assert_true(parse(KIND_SCHEMA, 0, 0, "task_yard2", &name));
  assert_true(parse(KIND_SCHEMA, 0, 0, "_", &name));
  assert_true(parse(KIND_SCHEMA, 0, 0, longest, &name));
  static const char *const wrong[] = {"", "2x", "pg_x", "Tasks", "a-b", "a b", "a\"b", "\xc3\xa4"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_false(parse(KIND_SCHEMA, 0, 0, wrong[i], &name));
  char over[65];
  memset(over, 'a', 64);
  over[64] = '\0';
  assert_false(parse(KIND_SCHEMA, 0, 0, over, &name));
}

static void durations_have_units_and_a_range(void **state) {
  (void)state;
  int64_t ms;
  assert_true(parse(KIND_DURATION, 1000, 86400000, "90s", &ms));
  assert_int_equal(ms, 90000);
  assert_shown(KIND_DURATION, &ms, "90s");
  assert_true(parse(KIND_DURATION, 1000, 86400000, "1d", &ms));
  assert_shown(KIND_DURATION, &ms, "1d");
  assert_shown(KIND_DURATION, &(int64_t){0}, "0s");
  assert_shown(KIND_DURATION, &(int64_t){1500}, "1500ms");
  assert_refused(&(struct value_rule){KIND_DURATION, 1000, 86400000}, "2d",
                 "a.conf:3: it must be a duration between 1s and 1d, as in 250ms, 30s, 5m or 1h, "
                 "not \"2d\"");
}

static void sizes_have_units_and_a_range(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t bytes;
    const char *shown;
  } right[] = {{"1024", 1024, "1KiB"},     {"512KiB", 524288, "512KiB"}, {"512k", 524288, "512KiB"},
               {"1 MiB", 1048576, "1MiB"}, {"1000", 1000, "1000"},       {"1g", 1 << 30, "1GiB"}};
  int64_t bytes;
  for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
    assert_true(parse(KIND_BYTES, 0, 0, right[i].text, &bytes));
    assert_int_equal(bytes, right[i].bytes);
    assert_shown(KIND_BYTES, &bytes, right[i].shown);
  }
  static const char *const wrong[] = {"", "KiB", "-1", "1KB2", "1.5MiB", "9223372036854775807KiB"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_false(parse(KIND_BYTES, 0, 0, wrong[i], &bytes));
  assert_refused(&(struct value_rule){KIND_BYTES, 1024, 67108864}, "1GiB",
                 "a.conf:3: it must be a size between 1KiB and 64MiB, as in 65536, 512KiB or 1MiB, "
                 "not \"1GiB\"");
}

static void a_switch_is_yes_or_no_in_several_words(void **state) {
  (void)state;
  bool on = false;
  assert_true(parse(KIND_BOOL, 0, 0, "True", &on));
  assert_true(on);
  assert_true(parse(KIND_BOOL, 0, 0, "off", &on));
  assert_false(on);
  assert_false(parse(KIND_BOOL, 0, 0, "maybe", &on));
}

static void a_secret_is_masked_and_never_repeated(void **state) {
  (void)state;
  struct str secret;
  assert_true(parse(KIND_SECRET, 0, 200, "tk_very_secret", &secret));
  assert_shown(KIND_SECRET, &secret, "********");
  assert_refused(&(struct value_rule){KIND_SECRET, 0, 200}, "two\nlines",
                 "a.conf:3: it must be one line of text");
  assert_refused(&(struct value_rule){KIND_SECRET, 0, 8}, "tk_very_secret",
                 "a.conf:3: it must have at most 8 bytes, not 14");
}

static void what_is_masked_is_compared_as_it_is(void **state) {
  (void)state;
  struct str one = STR("tk_one"), two = STR("tk_two"), none = STR_NONE;
  assert_true(value_same(KIND_SECRET, &one, &(struct str){"tk_one", 6}));
  assert_false(value_same(KIND_SECRET, &one, &two));
  assert_false(value_same(KIND_SECRET, &one, &none));
  assert_true(value_same(KIND_SECRET, &none, &none));
  struct store_url file, ann, bob;
  assert_true(parse(KIND_STORE, 0, 0, "sqlite:a.db", &file));
  assert_true(parse(KIND_STORE, 0, 0, "postgresql://u:ann@h/d", &ann));
  assert_true(parse(KIND_STORE, 0, 0, "postgresql://u:bob@h/d", &bob));
  assert_true(str_eq(ann.shown, bob.shown));
  assert_true(value_same(KIND_STORE, &ann, &ann) && value_same(KIND_STORE, &file, &file));
  assert_false(value_same(KIND_STORE, &ann, &bob) || value_same(KIND_STORE, &ann, &file));
  int64_t count = 1;
  assert_true(value_same(KIND_COUNT, &count, &(int64_t){1}));
  assert_false(value_same(KIND_COUNT, &count, &(int64_t){2}));
}

static void an_empty_text_is_none(void **state) {
  (void)state;
  struct str text = STR("before");
  assert_true(parse(KIND_PATH, 0, 0, "", &text));
  assert_true(str_is_none(text));
}

static void log_words_are_read_and_shown(void **state) {
  (void)state;
  enum log_level level;
  enum log_choice choice;
  assert_true(parse(KIND_LOG_LEVEL, 0, 0, "debug", &level));
  assert_shown(KIND_LOG_LEVEL, &level, "debug");
  assert_true(parse(KIND_LOG_FORMAT, 0, 0, "json", &choice));
  assert_shown(KIND_LOG_FORMAT, &choice, "json");
  enum log_jobs jobs;
  assert_true(parse(KIND_LOG_JOBS, 0, 0, "all", &jobs));
  assert_shown(KIND_LOG_JOBS, &jobs, "all");
  assert_false(parse(KIND_LOG_JOBS, 0, 0, "some", &jobs));
  assert_false(parse(KIND_LOG_LEVEL, 0, 0, "loud", &level));
  assert_false(parse(KIND_LOG_FORMAT, 0, 0, "xml", &choice));
}

static void networks_are_read_and_shown(void **state) {
  (void)state;
  struct networks all = {0};
  assert_true(parse(KIND_NETWORKS, 0, 0, " 10.0.0.0/8,192.0.2.1  2001:db8::/32, ", &all));
  assert_int_equal(all.count, 3);
  assert_shown(KIND_NETWORKS, &all, "10.0.0.0/8 192.0.2.1 2001:db8::/32");
  assert_true(parse(KIND_NETWORKS, 0, 0, "", &all));
  assert_int_equal(all.count, 0);
  assert_shown(KIND_NETWORKS, &all, "");
  static const char *const wrong[] = {"proxy", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/8;::1"};
  for (size_t i = 0; i < 4; i++) assert_false(parse(KIND_NETWORKS, 0, 0, wrong[i], &all));
}

static void origins_are_read_and_shown(void **state) {
  (void)state;
  struct origins all = {0};
  assert_true(parse(KIND_ORIGINS, 0, 0, " https://app.example, http://localhost:5173 ,", &all));
  assert_int_equal(all.count, 2);
  assert_false(all.any);
  assert_shown(KIND_ORIGINS, &all, "https://app.example http://localhost:5173");
  assert_true(parse(KIND_ORIGINS, 0, 0, "* https://app.example", &all));
  assert_true(all.any);
  assert_shown(KIND_ORIGINS, &all, "https://app.example *");
  assert_true(parse(KIND_ORIGINS, 0, 0, "*", &all));
  assert_shown(KIND_ORIGINS, &all, "*");
  assert_true(parse(KIND_ORIGINS, 0, 0, "", &all));
  assert_int_equal(all.count, 0);
  static const char *const wrong[] = {"app.example", "https://app.example/", "null",
                                      "https://*.example", "https://app.example;https://b.example"};
  for (size_t i = 0; i < 5; i++) assert_false(parse(KIND_ORIGINS, 0, 0, wrong[i], &all));
}

static void words_of_algorithms_and_roles_are_bits(void **state) {
  (void)state;
  unsigned bits = 99;
  assert_true(parse(KIND_ALGORITHMS, 0, 0, "EdDSA  HS256", &bits));
  assert_shown(KIND_ALGORITHMS, &bits, "HS256 EdDSA");
  assert_true(parse(KIND_ALGORITHMS, 0, 0, "", &bits));
  assert_shown(KIND_ALGORITHMS, &bits, "");
  static const char *const algorithms[] = {"none", "hs256", "HS256,RS256", "HS512", "HS256 x"};
  for (size_t i = 0; i < 5; i++) assert_false(parse(KIND_ALGORITHMS, 0, 0, algorithms[i], &bits));
  assert_true(parse(KIND_ROLES, 0, 0, "reader producer", &bits));
  assert_shown(KIND_ROLES, &bits, "producer reader");
  assert_true(parse(KIND_ROLES, 0, 0, "none", &bits));
  assert_shown(KIND_ROLES, &bits, "none");
  static const char *const roles[] = {"", " ", "king", "reader,worker", "none reader", "Reader"};
  for (size_t i = 0; i < 6; i++) assert_false(parse(KIND_ROLES, 0, 0, roles[i], &bits));
}

static void a_share_is_kept_as_a_percentage(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t percent;
  } right[] = {{"0", 0}, {"0.2", 20}, {"0.25", 25}, {"1", 100}, {"1.0", 100}, {"0.05", 5}};
  int64_t percent;
  for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
    assert_true(parse(KIND_SHARE, 0, 0, right[i].text, &percent));
    assert_int_equal(percent, right[i].percent);
  }
  static const char *const wrong[] = {"", "2", "1.01", "-0.1", "0.", "0.125", "0.-1", "20%"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_false(parse(KIND_SHARE, 0, 0, wrong[i], &percent));
}

static void a_backoff_keeps_what_it_does_not_name(void **state) {
  (void)state;
  struct backoff b = {BACKOFF_EXPONENTIAL, 1000, 3600000, 20};
  assert_true(parse(KIND_BACKOFF, 0, 0, "exponential 5s max 10m jitter 0.5", &b));
  assert_shown(KIND_BACKOFF, &b, "exponential 5s max 10m jitter 0.5");
  assert_true(parse(KIND_BACKOFF, 0, 0, "fixed  20s", &b));
  assert_shown(KIND_BACKOFF, &b, "fixed 20s max 10m jitter 0.5");
  assert_true(parse(KIND_BACKOFF, 0, 0, "exponential jitter 0", &b));
  assert_shown(KIND_BACKOFF, &b, "exponential 20s max 10m jitter 0");
}

static void a_backoff_longer_than_its_longest_wait_raises_it(void **state) {
  (void)state;
  struct backoff b = {BACKOFF_EXPONENTIAL, 1000, 3600000, 20};
  assert_true(parse(KIND_BACKOFF, 0, 0, "fixed 2h", &b));
  assert_int_equal(b.delay_max_ms, 7200000);
}

static void a_broken_backoff_changes_nothing(void **state) {
  (void)state;
  struct backoff b = {BACKOFF_FIXED, 1000, 2000, 20};
  static const char *const wrong[] = {
      "",         "linear 1s",       "fixed 1x",      "fixed 1s max",
      "fixed 0s", "fixed 1s jitter", "fixed 1s 2s",   "fixed 1s max 1h x",
      "1s",       "fixed 1s max x",  "fixed jitter 9"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_false(parse(KIND_BACKOFF, 0, 0, wrong[i], &b));
  assert_int_equal(b.kind, BACKOFF_FIXED);
  assert_int_equal(b.delay_ms, 1000);
}

static void names_have_few_characters(void **state) {
  (void)state;
  struct str name;
  assert_true(parse(KIND_NAME, 0, 0, "a.b:c/d-e_F9", &name));
  assert_false(parse(KIND_NAME, 0, 0, "", &name));
  assert_false(parse(KIND_NAME, 0, 0, "two words", &name));
  char long_name[130];
  memset(long_name, 'a', 129);
  long_name[129] = '\0';
  assert_false(parse(KIND_NAME, 0, 0, long_name, &name));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_address_has_a_host_and_a_port),
      cmocka_unit_test(an_ipv6_address_stands_in_brackets),
      cmocka_unit_test(what_is_no_address_is_refused),
      cmocka_unit_test(a_part_of_an_address_leaves_the_other),
      cmocka_unit_test(a_store_is_a_file_or_in_memory),
      cmocka_unit_test(a_store_is_a_database_whose_passwords_are_hidden),
      cmocka_unit_test(what_is_no_store_is_refused_without_repeating_it),
      cmocka_unit_test(a_schema_needs_no_quotes),
      cmocka_unit_test(durations_have_units_and_a_range),
      cmocka_unit_test(sizes_have_units_and_a_range),
      cmocka_unit_test(a_switch_is_yes_or_no_in_several_words),
      cmocka_unit_test(a_secret_is_masked_and_never_repeated),
      cmocka_unit_test(what_is_masked_is_compared_as_it_is),
      cmocka_unit_test(an_empty_text_is_none),
      cmocka_unit_test(log_words_are_read_and_shown),
      cmocka_unit_test(a_share_is_kept_as_a_percentage),
      cmocka_unit_test(a_backoff_keeps_what_it_does_not_name),
      cmocka_unit_test(a_backoff_longer_than_its_longest_wait_raises_it),
      cmocka_unit_test(a_broken_backoff_changes_nothing),
      cmocka_unit_test(names_have_few_characters),
      cmocka_unit_test(networks_are_read_and_shown),
      cmocka_unit_test(origins_are_read_and_shown),
      cmocka_unit_test(words_of_algorithms_and_roles_are_bits),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
