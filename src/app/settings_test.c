// settings_test.c: where settings come from, which source wins, and what is refused.
#include "app/settings_testing.h"

#include "base/sign.h"
#include "model/limits.h"

static void without_anything_the_defaults_hold(void **state) {
  (void)state;
  load();
  assert_string_equal(settings.listen.host.at, "127.0.0.1");
  assert_int_equal(settings.listen.port, 8503);
  assert_string_equal(settings.store.path, "taskyard.db");
  assert_true(str_is_none(settings.api_key));
  assert_int_equal(settings.body_bytes_max, 1 << 20);
  assert_int_equal(settings.lease_ms, 30000);
  assert_int_equal(settings.attempts_max, 3);
  assert_origin(SETTING_INDEX_listen, "default");
  settings_fini(&settings);
}

static void the_file_beats_the_defaults(void **state) {
  (void)state;
  write_file("; ours\n\nlease = 5m\n  drain=1s  ; short\n");
  load();
  assert_int_equal(settings.lease_ms, 300000);
  assert_int_equal(settings.drain_ms, 1000);
  assert_true(strstr(settings.origin[SETTING_INDEX_lease_ms].at, ":3") != NULL);
  settings_fini(&settings);
}

static void the_environment_beats_the_file(void **state) {
  (void)state;
  write_file("lease = 5m\n");
  set_env("TASKYARD_LEASE", "7m");
  load();
  assert_int_equal(settings.lease_ms, 420000);
  assert_origin(SETTING_INDEX_lease_ms, "TASKYARD_LEASE");
  settings_fini(&settings);
}

// One that it may have; where the default is nothing, not its default.
static const char *some_value(const struct setting *s) {
  if (s->fallback[0]) return s->fallback;
  switch (s->kind) {
  case KIND_PATH: return file;
  case KIND_ALGORITHMS: return "HS256";
  case KIND_NETWORKS: return "10.0.0.0/8";
  case KIND_ORIGINS: return "*";
  default: return "0123456789-0123456789-0123456789-0123456789";
  }
}

static void each_setting_has_a_variable_of_its_own(void **state) {
  (void)state;
  write_file("service_name = a line that is long enough for a secret too\n");
  for (size_t i = 0; i < SETTINGS_COUNT; i++) {
    memset(variables, 0, sizeof variables);
    set_env(SETTINGS[i].env, some_value(&SETTINGS[i]));
    if (SETTINGS[i].kind == KIND_ALGORITHMS)
      set_env("TASKYARD_JWT_SECRET", "0123456789-0123456789-0123456789");
    load();
    assert_origin((enum setting_index)i, SETTINGS[i].env);
    settings_fini(&settings);
  }
}

static void a_flag_beats_the_environment(void **state) {
  (void)state;
  set_env("TASKYARD_LEASE", "7m");
  source.flags[SETTING_INDEX_lease_ms] = "9m";
  load();
  assert_int_equal(settings.lease_ms, 540000);
  assert_origin(SETTING_INDEX_lease_ms, "--lease");
  settings_fini(&settings);
}

static void an_empty_variable_is_not_set(void **state) {
  (void)state;
  set_env("TASKYARD_LEASE", "");
  set_env("API_KEY", "");
  load();
  assert_origin(SETTING_INDEX_lease_ms, "default");
  assert_true(str_is_none(settings.api_key));
  settings_fini(&settings);
}

static void host_and_port_change_their_part_of_listen(void **state) {
  (void)state;
  write_file("listen = 127.0.0.2:1\n");
  set_env("PORT", "9000");
  load();
  assert_string_equal(settings.listen.host.at, "127.0.0.2");
  assert_int_equal(settings.listen.port, 9000);
  assert_true(strstr(settings.origin[SETTING_INDEX_listen].at, ":1, PORT") != NULL);
  settings_fini(&settings);
  variables[0][0] = "HOST";
  variables[0][1] = "127.0.0.3";
  load();
  assert_string_equal(settings.listen.host.at, "127.0.0.3");
  assert_int_equal(settings.listen.port, 1);
  assert_true(strstr(settings.origin[SETTING_INDEX_listen].at, ":1, HOST") != NULL);
  settings_fini(&settings);
}

static void our_own_variable_beats_the_borrowed_name(void **state) {
  (void)state;
  set_env("PORT", "9000");
  set_env("TASKYARD_LISTEN", "127.0.0.1:7000");
  set_env("DATABASE_URL", "memory:");
  load();
  assert_int_equal(settings.listen.port, 7000);
  assert_null(settings.store.path);
  assert_origin(SETTING_INDEX_store, "DATABASE_URL");
  settings_fini(&settings);
}

static void the_documents_storage_can_only_turn_jobs_off(void **state) {
  (void)state;
  set_env("STORAGE", "prisma");
  load();
  assert_false(settings.jobs);
  settings_fini(&settings);
  set_env("ENABLE_QUEUE", "true");
  load();
  assert_true(settings.jobs);
  assert_origin(SETTING_INDEX_jobs, "ENABLE_QUEUE, STORAGE");
  settings_fini(&settings);
  variables[0][1] = "memory";
  load();
  assert_false(settings.jobs);
  settings_fini(&settings);
}

static void what_jobs_lack_is_said_in_one_sentence(void **state) {
  (void)state;
  struct buf said;
  buf_init(&said, 1024);
  set_env("DATABASE_URL", "memory:");
  load();
  settings_jobs_off(&settings, &said);
  buf_char(&said, '\0');
  assert_non_null(strstr(said.at, "the job API is off; set jobs = yes"));
  assert_non_null(strstr(said.at, "; store = sqlite:PATH"));
  assert_non_null(strstr(said.at, "; jwt_secret or jwks"));
  assert_true(said.len < FAULT_DETAIL_BYTES);  // an answer has it whole
  settings_fini(&settings);
  buf_clear(&said);
  memset(variables, 0, sizeof variables);
  set_env("TASKYARD_JOBS", "yes");
  set_env("TASKYARD_JWKS", "keys.json");
  load();
  settings_jobs_off(&settings, &said);
  assert_int_equal(said.len, 0);
  settings_fini(&settings);
  buf_fini(&said);
}

static void the_names_of_the_async_task_system_set_its_sessions(void **state) {
  (void)state;
  set_env("ENABLE_SESSION_ISOLATION", "true");
  set_env("AUTO_MAP_SESSION_BY_IP", "true");
  set_env("MAX_SESSIONS", "7");
  set_env("SESSION_TIMEOUT", "1800000");
  set_env("MAX_COMPLETED_TASKS", "50");
  set_env("MAX_FAILED_TASKS", "0");
  set_env("TASK_CLEANUP_INTERVAL", "300000");
  load();
  assert_true(settings.sessions && settings.session_by_ip);
  assert_int_equal(settings.sessions_max, 7);
  assert_int_equal(settings.session_timeout_ms, 30 * 60 * 1000);
  assert_int_equal(settings.session_completed_max, 50);
  assert_int_equal(settings.session_failed_max, 0);
  assert_int_equal(settings.session_cleanup_interval_ms, 5 * 60 * 1000);
  settings_fini(&settings);
}

static void a_wrong_interval_of_the_document_is_named(void **state) {
  (void)state;
  set_env("TASK_CLEANUP_INTERVAL", "often");
  assert_refused(
      "TASK_CLEANUP_INTERVAL: session_cleanup_interval must be milliseconds, or a duration between "
      "100ms and 1d, as in 300000 or 5m, not \"often\"");
}

static void the_days_of_the_task_repository_service_are_how_long_tasks_are_kept(void **state) {
  (void)state;
  const int64_t day_ms = 24LL * 3600 * 1000;
  set_env("TASK_CLEANUP_DAYS", "30");
  load();
  assert_int_equal(settings.keep_for_ms, 30 * day_ms);
  settings_fini(&settings);
  variables[0][1] = "12h";
  load();
  assert_int_equal(settings.keep_for_ms, day_ms / 2);
  settings_fini(&settings);
  char most[24], more[24];
  snprintf(most, sizeof most, "%lld", (long long)(LIMIT_KEEP_MS / day_ms));
  snprintf(more, sizeof more, "%lld", (long long)(LIMIT_KEEP_MS / day_ms + 1));
  variables[0][1] = most;
  load();
  assert_int_equal(settings.keep_for_ms, LIMIT_KEEP_MS / day_ms * day_ms);
  settings_fini(&settings);
  const char *const wrong[] = {more, "-1", "a month", "9223372036854775807"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    variables[0][1] = wrong[i];
    assert_int_not_equal(settings_load(&source, &settings, &why), ERR_OK);
    assert_non_null(strstr(why.detail, "TASK_CLEANUP_DAYS: keep_for must be days, or a duration"));
  }
}

static void taskyard_config_names_the_file(void **state) {
  (void)state;
  write_file("readers = 4\n");
  source.config = NULL;
  set_env("TASKYARD_CONFIG", file);
  load();
  assert_int_equal(settings.readers, 4);
  settings_fini(&settings);
}

static void a_named_file_must_be_there(void **state) {
  (void)state;
  source.config = "no-such.conf";
  assert_refused("the settings file no-such.conf cannot be read: No such file or directory");
}

static void an_unknown_key_is_refused_with_the_nearest(void **state) {
  (void)state;
  write_file("\nlog_levle = info\n");
  assert_refused(":2: there is no setting log_levle; did you mean log_level?");
}

static void an_unlike_key_is_refused_too(void **state) {
  (void)state;
  write_file("colour_of_the_sky = blue\n");
  assert_refused(":1: there is no setting colour_of_the_sky; `taskyard config` lists them all");
}

static void a_value_out_of_range_is_refused_with_the_range(void **state) {
  (void)state;
  write_file("max_attempts = 0\n");
  assert_refused(":1: max_attempts must be a whole number between 1 and 1000, not \"0\"");
}

static void a_heartbeat_is_no_rarer_than_clients_wait_for(void **state) {
  (void)state;
  write_file("stream_heartbeat = 30s\n");
  load();
  assert_int_equal(settings.stream_heartbeat_ms, 30000);
  settings_fini(&settings);
  write_file("stream_heartbeat = 30001ms\n");
  assert_refused(
      ":1: stream_heartbeat must be a duration between 100ms and 30s, as in 250ms, 30s, "
      "5m or 1h, not \"30001ms\"");
}

static void a_bad_variable_is_named(void **state) {
  (void)state;
  set_env("PORT", "http");
  assert_refused("PORT: listen must be a port between 0 and 65535, as in 8503, not \"http\"");
}

static void a_bad_flag_is_named(void **state) {
  (void)state;
  source.flags[SETTING_INDEX_readers] = "many";
  assert_refused("--readers: readers must be a whole number between 1 and 16, not \"many\"");
}

static void a_key_that_stands_twice_is_refused(void **state) {
  (void)state;
  write_file("lease = 1m\nlease = 2m\n");
  assert_refused(":2: lease stands here a second time");
}

static void a_line_that_is_no_entry_is_refused(void **state) {
  (void)state;
  write_file("lease = 1m\nwhat is this\n");
  assert_refused(":2: expected [section], key = value, or a ; comment");
}

static void a_section_that_is_not_closed_is_refused(void **state) {
  (void)state;
  write_file("[type a\nlease = 1m\n");
  assert_refused(":1: expected [section], key = value, or a ; comment");
}

static void a_line_that_is_too_long_is_refused(void **state) {
  (void)state;
  char line[400];
  memset(line, 'a', sizeof line);
  memcpy(line, "service_name = ", 15);
  line[sizeof line - 1] = '\0';
  write_file(line);
  assert_refused(":1: the line is longer than 197 bytes");
}

static void a_key_file_gives_the_key(void **state) {
  (void)state;
  write_file(" tk_from_file \nsecond line\n");
  source.config = NULL;
  source.flags[SETTING_INDEX_api_key_file] = file;
  load();
  assert_string_equal(settings.api_key.at, "tk_from_file");
  assert_origin(SETTING_INDEX_api_key, file);
  settings_fini(&settings);
}

static void an_empty_key_file_is_refused(void **state) {
  (void)state;
  source.config = NULL;
  source.flags[SETTING_INDEX_api_key_file] = file;
  assert_int_equal(settings_load(&source, &settings, &why), ERR_INVALID);
  assert_non_null(strstr(why.detail, "has no key in its first line"));
}

static void a_key_and_a_key_file_exclude_each_other(void **state) {
  (void)state;
  set_env("API_KEY", "k");
  source.flags[SETTING_INDEX_api_key_file] = "missing";
  assert_refused("both api_key (API_KEY) and api_key_file (--api-key-file) are set; keep one");
}

#define JWT_SECRET "0123456789abcdef0123456789abcdef"

static unsigned algorithms(void) {
  load();
  unsigned ways = settings_algorithms(&settings);
  settings_fini(&settings);
  return ways;
}

static void a_secret_or_a_jwks_turns_tokens_on(void **state) {
  (void)state;
  enum { PUBLIC = 1 << SIGN_RS256 | 1 << SIGN_ES256 | 1 << SIGN_EDDSA };
  source.flags[SETTING_INDEX_jwt_algorithms] = "ES256 HS256";
  assert_int_equal(algorithms(), 0);
  source.flags[SETTING_INDEX_jwt_algorithms] = NULL;
  source.flags[SETTING_INDEX_jwks] = "keys.json";
  assert_int_equal(algorithms(), PUBLIC);
  set_env("TASKYARD_JWT_SECRET", JWT_SECRET);
  assert_int_equal(algorithms(), PUBLIC | 1 << SIGN_HS256);
  source.flags[SETTING_INDEX_jwt_algorithms] = "ES256 HS256";
  assert_int_equal(algorithms(), 1 << SIGN_ES256 | 1 << SIGN_HS256);
  source.flags[SETTING_INDEX_jwt_algorithms] = NULL;
  source.flags[SETTING_INDEX_jwks] = NULL;
  assert_int_equal(algorithms(), 1 << SIGN_HS256);
}

static void a_secret_of_tokens_may_stand_in_a_file(void **state) {
  (void)state;
  write_file(JWT_SECRET "\n");
  source.config = NULL;
  source.flags[SETTING_INDEX_jwt_secret_file] = file;
  load();
  assert_string_equal(settings.jwt_secret.at, JWT_SECRET);
  settings_fini(&settings);
  write_file("short\n");
  assert_refused(": jwt_secret must have at least 32 bytes, as in `openssl rand -hex 32`");
}

static void tokens_that_cannot_be_meant_are_refused(void **state) {
  (void)state;
  set_env("TASKYARD_JWT_SECRET", JWT_SECRET);
  source.flags[SETTING_INDEX_jwt_algorithms] = "ES256";
  assert_refused("jwt_secret is set, but jwt_algorithms has no HS256");
  source.flags[SETTING_INDEX_jwt_algorithms] = "ES256 HS256";
  assert_refused("jwt_algorithms has more than HS256, but there is no jwks with keys for them");
  source.flags[SETTING_INDEX_jwt_secret_file] = "missing";
  assert_refused(
      "both jwt_secret (TASKYARD_JWT_SECRET) and jwt_secret_file (--jwt-secret-file) "
      "are set; keep one");
}

static void load_listening_on(const char *address) {
  source.flags[SETTING_INDEX_listen] = address;
  load();
}

static void loopback_addresses_are_not_public(void **state) {
  (void)state;
  static const char *const loopback[] = {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"};
  for (size_t i = 0; i < 4; i++) {
    load_listening_on(loopback[i]);
    assert_false(settings_is_public(&settings));
    assert_int_equal(settings_check_exposure(&settings, false, &why), ERR_OK);
    settings_fini(&settings);
  }
}

static void a_public_address_needs_a_key(void **state) {
  (void)state;
  static const char *const open[] = {"0.0.0.0:1", "[::]:1", "192.168.1.1:1", "tasks.example:1"};
  for (size_t i = 0; i < 4; i++) {
    load_listening_on(open[i]);
    assert_true(settings_is_public(&settings));
    assert_int_equal(settings_check_exposure(&settings, false, &why), ERR_INVALID);
    assert_int_equal(settings_check_exposure(&settings, true, &why), ERR_OK);
    settings_fini(&settings);
  }
}

static void tokens_do_for_a_public_address(void **state) {
  (void)state;
  set_env("TASKYARD_JWT_SECRET", JWT_SECRET);
  load_listening_on("0.0.0.0:1");
  assert_int_equal(settings_check_exposure(&settings, false, &why), ERR_OK);
  settings_fini(&settings);
}

static void a_public_address_can_be_allowed(void **state) {
  (void)state;
  source.flags[SETTING_INDEX_allow_public] = "yes";
  load_listening_on("0.0.0.0:1");
  assert_int_equal(settings_check_exposure(&settings, false, &why), ERR_OK);
  settings_fini(&settings);
}

static void the_well_known_key_does_not_open_a_public_address(void **state) {
  (void)state;
  set_env("API_KEY", "dev_api_key");
  load_listening_on("0.0.0.0:1");
  assert_int_equal(settings_check_exposure(&settings, true, &why), ERR_INVALID);
  settings_fini(&settings);
  variables[0][1] = "default-api-key";
  load();
  assert_int_equal(settings_check_exposure(&settings, true, &why), ERR_INVALID);
  assert_non_null(strstr(why.detail, "default-api-key"));
  settings_fini(&settings);
  source.flags[SETTING_INDEX_allow_default_key] = "yes";
  load();
  assert_int_equal(settings_check_exposure(&settings, false, &why), ERR_OK);
  settings_fini(&settings);
}

static void settings_can_be_loaded_again_from_their_source(void **state) {
  (void)state;
  write_file("log_level = info\n");
  load();
  write_file("log_level = debug\n");
  struct settings again;
  assert_int_equal(settings_load(&settings.source, &again, &why), ERR_OK);
  assert_int_equal(again.log_level, LOG_DEBUG);
  settings_fini(&again);
  settings_fini(&settings);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EACH(without_anything_the_defaults_hold),
      EACH(the_file_beats_the_defaults),
      EACH(the_environment_beats_the_file),
      EACH(each_setting_has_a_variable_of_its_own),
      EACH(a_flag_beats_the_environment),
      EACH(an_empty_variable_is_not_set),
      EACH(host_and_port_change_their_part_of_listen),
      EACH(our_own_variable_beats_the_borrowed_name),
      EACH(the_documents_storage_can_only_turn_jobs_off),
      EACH(what_jobs_lack_is_said_in_one_sentence),
      EACH(the_names_of_the_async_task_system_set_its_sessions),
      EACH(a_wrong_interval_of_the_document_is_named),
      EACH(the_days_of_the_task_repository_service_are_how_long_tasks_are_kept),
      EACH(taskyard_config_names_the_file),
      EACH(a_named_file_must_be_there),
      EACH(an_unknown_key_is_refused_with_the_nearest),
      EACH(an_unlike_key_is_refused_too),
      EACH(a_value_out_of_range_is_refused_with_the_range),
      EACH(a_heartbeat_is_no_rarer_than_clients_wait_for),
      EACH(a_bad_variable_is_named),
      EACH(a_bad_flag_is_named),
      EACH(a_key_that_stands_twice_is_refused),
      EACH(a_line_that_is_no_entry_is_refused),
      EACH(a_section_that_is_not_closed_is_refused),
      EACH(a_line_that_is_too_long_is_refused),
      EACH(a_key_file_gives_the_key),
      EACH(an_empty_key_file_is_refused),
      EACH(a_key_and_a_key_file_exclude_each_other),
      EACH(loopback_addresses_are_not_public),
      EACH(a_secret_or_a_jwks_turns_tokens_on),
      EACH(a_secret_of_tokens_may_stand_in_a_file),
      EACH(tokens_that_cannot_be_meant_are_refused),
      EACH(tokens_do_for_a_public_address),
      EACH(a_public_address_needs_a_key),
      EACH(a_public_address_can_be_allowed),
      EACH(the_well_known_key_does_not_open_a_public_address),
      EACH(settings_can_be_loaded_again_from_their_source),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
