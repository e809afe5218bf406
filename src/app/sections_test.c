// sections_test.c: the sections of the settings file: what they say of types and queues.
#include "app/settings_testing.h"

static void sections_become_types_and_queues(void **state) {
  (void)state;
  write_file(
      "lease = 1m\n"
      "[type transcribe]\nqueue = voice\nmax_attempts = 5\nlease = 30m\ntimeout = 2h\n"
      "priority = -3\ndescription = speech to text\nbackoff = fixed 10s\n"
      "[queue voice]\npaused = yes\n"
      "[type plain]\n"
      "[queue other]\n[queue third]\n");
  load();
  assert_int_equal(settings.type_count, 2);
  const struct type *t = &settings.types[0];
  assert_int_equal(t->tenant, 1);
  assert_string_equal(t->name.at, "transcribe");
  assert_string_equal(t->queue.at, "voice");
  assert_string_equal(t->description.at, "speech to text");
  assert_int_equal(t->attempts_max, 5);
  assert_int_equal(t->lease_ms, 1800000);
  assert_int_equal(t->timeout_ms, 7200000);
  assert_int_equal(t->priority, -3);
  assert_int_equal(t->backoff.kind, BACKOFF_FIXED);
  assert_int_equal(t->backoff.delay_ms, 10000);
  assert_int_equal(settings.queue_count, 3);
  assert_string_equal(settings.queues[0].name.at, "voice");
  assert_true(settings.queues[0].paused);
  assert_false(settings.queues[2].paused);
  settings_fini(&settings);
}

static void what_a_section_leaves_out_is_absent(void **state) {
  (void)state;
  write_file("[type plain]\n");
  load();
  const struct type *t = &settings.types[0];
  assert_true(t->priority == VERSION_NONE);
  assert_int_equal(t->timeout_ms, -1);
  assert_int_equal(t->attempts_max, 0);
  assert_int_equal(t->lease_ms, 0);
  assert_int_equal(t->backoff.delay_ms, 0);
  assert_true(str_is_none(t->queue));
  settings_fini(&settings);
}

static void parts_of_a_backoff_fill_up_with_the_usual(void **state) {
  (void)state;
  write_file("[type a]\nbackoff_jitter = 0.5\nbackoff_max = 10m\n");
  load();
  const struct backoff *b = &settings.types[0].backoff;
  assert_int_equal(b->kind, BACKOFF_EXPONENTIAL);
  assert_int_equal(b->delay_ms, 1000);
  assert_int_equal(b->delay_max_ms, 600000);
  assert_int_equal(b->jitter_percent, 50);
  settings_fini(&settings);
}

static void a_backoff_above_its_maximum_is_refused(void **state) {
  (void)state;
  write_file("[type a]\nbackoff_delay = 2h\n");
  assert_refused(": [type a] has a backoff_max below its backoff_delay");
}

static void a_long_type_name_is_kept_whole(void **state) {
  (void)state;
  char name[101], content[128];
  memset(name, 'n', 100);
  name[100] = '\0';
  snprintf(content, sizeof content, "[type %s]\nlease=1m\n", name);
  write_file(content);
  load();
  assert_string_equal(settings.types[0].name.at, name);
  settings_fini(&settings);
}

static void an_unknown_section_is_refused_even_when_empty(void **state) {
  (void)state;
  write_file("[tpye transcribe]\n");
  assert_refused(":1: [tpye transcribe] is no section; there are [type NAME] and [queue NAME]");
}

static void a_section_needs_a_good_name(void **state) {
  (void)state;
  write_file("[type two words]\n");
  assert_refused(
      ":1: the name of a type must be 1 to 128 letters, digits or . _ : / -, "
      "not \"two words\"");
  write_file("[queue]\n");
  assert_refused(":1: the name of a queue must be 1 to 128 letters, digits or . _ : / -, not \"\"");
}

static void a_section_that_stands_twice_is_refused(void **state) {
  (void)state;
  write_file("[type a]\n[queue a]\n[type a]\n");
  assert_refused(":3: [type a] stands here a second time");
  write_file("[queue a]\n[queue a]\n");
  assert_refused(":2: [queue a] stands here a second time");
}

static void an_unknown_key_of_a_section_is_refused(void **state) {
  (void)state;
  write_file("[type a]\nmax_attemps = 3\n");
  assert_refused(":2: [type] has no key max_attemps; did you mean max_attempts?");
  write_file("[queue a]\nspeed = 3\n");
  assert_refused(":2: [queue] has no key speed; the only one is paused");
}

static void keys_of_later_versions_are_refused_as_such(void **state) {
  (void)state;
  write_file("[type a]\npush_url = http://127.0.0.1/\n");
  assert_refused(":2: push_url comes in a later version");
  write_file("[queue a]\nconcurrency = 5\n");
  assert_refused(":2: concurrency comes in a later version");
}

static void a_key_of_a_section_that_stands_twice_is_refused(void **state) {
  (void)state;
  write_file("[type a]\nlease = 1m\nlease = 1m\n");
  assert_refused(":3: lease stands here a second time");
}

static void a_bad_value_in_a_section_is_refused(void **state) {
  (void)state;
  write_file("[type a]\nlease = 500ms\n");
  assert_refused(
      ":2: lease must be a duration between 1s and 1d, as in 250ms, 30s, 5m or 1h, "
      "not \"500ms\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EACH(sections_become_types_and_queues),
      EACH(what_a_section_leaves_out_is_absent),
      EACH(parts_of_a_backoff_fill_up_with_the_usual),
      EACH(a_backoff_above_its_maximum_is_refused),
      EACH(a_long_type_name_is_kept_whole),
      EACH(an_unknown_section_is_refused_even_when_empty),
      EACH(a_section_needs_a_good_name),
      EACH(a_section_that_stands_twice_is_refused),
      EACH(an_unknown_key_of_a_section_is_refused),
      EACH(keys_of_later_versions_are_refused_as_such),
      EACH(a_key_of_a_section_that_stands_twice_is_refused),
      EACH(a_bad_value_in_a_section_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
