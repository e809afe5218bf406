// postgres_session_test.c: how the shared store connects: nothing of it waits for ever, and what
// it writes to takes writes and keeps them.
#include "contract.h"

#include "base/clock.h"
#include "store/postgres/reads.h"
#include "store/postgres/unit.h"

enum { PATIENCE_US = 20 * 1000 * 1000 };

static void assert_setting(struct world *w, struct conn *c, const char *name, const char *want) {
  struct call call = pg_call_sql(c, STR("SELECT current_setting($1::text)"));
  struct result r;
  call_text(&call, str_of(name));
  OK(pg_run(&call, &r, &w->why));
  assert_true(result_next(&r));
  struct str got = result_text(&r, &w->arena);
  if (!str_eq(got, str_of(want))) fail_msg("%s is %.*s, not %s", name, STR_FMT(got), want);
  result_free(&r);
}

static void each_session_has_its_limits(void **state) {
  struct world *w = *state;
  const struct {
    struct conn *conn;
    const char *name, *value;
  } cases[] = {
      {&w->lane->conn, "statement_timeout", "30s"},
      {&w->lane->conn, "lock_timeout", "10s"},
      {&w->lane->conn, "idle_in_transaction_session_timeout", "30s"},
      {&w->lane->conn, "default_transaction_isolation", "read committed"},
      {&w->lane->conn, "default_transaction_read_only", "off"},
      {&w->reader->conn, "statement_timeout", "5s"},
      {&w->reader->conn, "lock_timeout", "10s"},
      {&w->reader->conn, "idle_in_transaction_session_timeout", "30s"},
      {&w->reader->conn, "default_transaction_read_only", "on"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_setting(w, cases[i].conn, cases[i].name, cases[i].value);
}

static const char *connected_with(PQconninfoOption *options, const char *name) {
  for (PQconninfoOption *o = options; o->keyword; o++)
    if (strcmp(o->keyword, name) == 0) return o->val ? o->val : "";
  return "";
}

static void each_connection_is_given_up_in_time_and_goes_to_who_takes_writes(void **state) {
  struct world *w = *state;
  const char *const wanted[][2] = {
      {"target_session_attrs", "read-write"}, {"connect_timeout", "3"},
      {"tcp_user_timeout", "10000"},          {"keepalives_idle", "10"},
      {"application_name", "taskyard"},       {"client_encoding", "UTF8"},
  };
  struct conn *conns[] = {&w->lane->conn, &w->reader->conn};
  for (size_t k = 0; k < 2; k++) {
    PQconninfoOption *options = PQconninfo(conns[k]->db);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
      assert_string_equal(connected_with(options, wanted[i][0]), wanted[i][1]);
    PQconninfoFree(options);
  }
}

// --- a server that changes while it is used ------------------------------------------------------

static int drop_database(void **state) {
  struct world *w = *state;
  world_close(w);
  backdoor_do("DROP DATABASE IF EXISTS %s WITH (FORCE)", w->schema);
  return world_teardown(state);
}

// Its sessions end; what it opens anew meanwhile is asked as well.
static void end_sessions(struct world *w) {
  backdoor_i64("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '%s'",
               w->schema);
}

// Tries until the lane says this.
static void until_tended(struct world *w, enum err want, const char *told) {
  int64_t until_us = clock_mono_us() + PATIENCE_US;
  for (;;) {
    w->why = (struct fault){0};
    enum err err = w->ops->tend(w->lane, true, &w->why);
    if (err == want && strstr(w->why.detail, told)) return;
    if (clock_mono_us() > until_us) fail_msg("%s: %s", err_code(err), w->why.detail);
  }
}

static void a_server_that_forgets_since_is_left_until_it_is_mended(void **state) {
  struct world *w = *state;
  char url[128];
  world_close(w);
  backdoor_do("CREATE DATABASE %s", w->schema);
  backdoor_url_of(w->schema, url, sizeof url);
  w->url = url;
  world_open(w);
  struct id id = world_create(w, STR("resize"));
  backdoor_do("ALTER DATABASE %s SET synchronous_commit = off", w->schema);
  end_sessions(w);
  until_tended(w, ERR_UNAVAILABLE, "synchronous_commit off");
  struct unit *u = unit_new(w);
  unit_create(u, STR("resize"));
  FAILS(ERR_UNAVAILABLE, unit_apply(u));
  assert_non_null(strstr(w->why.detail, "synchronous_commit off"));
  assert_int_equal(w->why.retry_after_s, 1);
  backdoor_do("ALTER DATABASE %s RESET synchronous_commit", w->schema);
  until_tended(w, ERR_OK, "");
  assert_non_null(world_load(w, id, 0));
  w->ops->abandon(w->lane);
  assert_int_equal(world_tally(w, 1).ready, 1);
}

int main(void) {
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(each_session_has_its_limits),
      CONTRACT_TEST(each_connection_is_given_up_in_time_and_goes_to_who_takes_writes),
      cmocka_unit_test_setup_teardown(a_server_that_forgets_since_is_left_until_it_is_mended,
                                      world_setup, drop_database),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
