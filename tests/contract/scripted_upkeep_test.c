// scripted_upkeep_test.c: what the shared store does by itself, by the hour, and what it leaves
// when that fails. Needs no database: the server is scripted.h.
#include "scripted_store.h"

// --- upkeep --------------------------------------------------------------------------------------

// The thread of upkeep waits for a time that a test has left behind, so it looks again soon.
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  struct timespec soon;
  (void)until;
  (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &soon);
  soon.tv_nsec += 2 * 1000 * 1000;
  soon.tv_sec += soon.tv_nsec / 1000000000;
  soon.tv_nsec %= 1000000000;
  return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &soon);
}

// Hours go by until it has been at that so often: some minutes more whenever it rests. Not too many
// at once, since it must not take them for the time that an answer takes.
static void let_time_pass(const struct reply *reply, int times) {
  do {
    jump(9LL * MINUTE_US);
    pg_desk_front_wanted(inside);
  } while (!scripted_within(&server, reply, times, 50));
}

static void upkeep_goes_on_by_the_hour_and_after_failures(void **state) {
  (void)state;
  SCRIPT(good, {.about = "DELETE FROM yard.node WHERE seen_at", .says = ""});
  SCRIPT(sums, {.about = "DELETE FROM yard.tally_move", .says = "!ERROR 53200 memory"});
  SCRIPT(memory, {.about = "DELETE FROM yard.unit", .says = "!ERROR 53200 memory"});
  SCRIPT(gone, {.about = "DELETE FROM yard.unit", .says = "!"});
  open_store(sums);
  let_time_pass(&sums[0], 2);
  scripted_says(&server, good);
  let_time_pass(&good[0], 3);
  scripted_says(&server, memory);
  let_time_pass(&memory[0], 3);
  scripted_says(&server, gone);
  let_time_pass(&gone[0], 2);
  scripted_says(&server, good);
  let_time_pass(&good[0], 2);
}

static void what_another_node_is_at_is_left_to_it(void **state) {
  (void)state;
  SCRIPT(another, {.about = "DELETE FROM yard.tally_move", .says = "false,0"},
         {.about = "pg_try_advisory", .says = "false,0"},
         {.about = "pg_stat_get_dead_tuples", .says = ""},
         {.about = "DELETE FROM yard.node WHERE seen_at", .says = ""});
  open_store(NULL);
  scripted_says(&server, another);
  let_time_pass(&another[3], 2);
  assert_true(scripted_given(&server, &another[0]) >= 2);  // it may have been too early
  assert_int_equal(scripted_given(&server, &another[2]), 0);
}

static void a_front_that_is_dear_to_reach_is_looked_at(void **state) {
  (void)state;
  SCRIPT(good, {.about = "DELETE FROM yard.node WHERE seen_at", .says = ""});
  SCRIPT(script, {.about = "AS c(nr, tenant, channel)", .says = "!ERROR 53200 memory", .times = 1},
         {.about = "AS c(nr, tenant, channel)", .says = "0,5,'0123456789abcdef"});
  const struct id id = {.hi = 0x3031323334353637, .lo = 0x3839616263646566};
  open_store(NULL);
  scripted_says(&server, good);
  let_time_pass(&good[0], 3);  // from now on it rests for hours
  struct channels *cs = inside->channels;
  pg_channels_add(cs, 3, 1, STR("mail"), STR("send"));
  struct channel *c = pg_channels_at(cs, 3);
  struct frontier end = {.rank = RANK_FRONT};
  pg_channels_walked(cs, c, &end, clock_mono_us(), SECOND_US);
  assert_int_equal(pg_channels_frontier(cs, c).rank, RANK_END);
  scripted_says(&server, script);
  let_time_pass(&script[1], 1);
  while (pg_channels_frontier(cs, c).rank == RANK_END) sched_yield();
  assert_int_equal(pg_channels_frontier(cs, c).rank, 5);
  assert_true(id_eq(pg_channels_frontier(cs, c).id, id));
}

// --- dead rows -----------------------------------------------------------------------------------

static struct conn conn;
static struct vacuum vacuum;

static int start_vacuum(void **state) {
  static struct conn_settings settings;
  settings = (struct conn_settings){.schema = STR("yard"), .kind = CONN_SIDE};
  start(state);
  settings.url = server.url;
  vacuum = (struct vacuum){0};
  check_err(pg_open(&conn, &settings, &arena, &why), ERR_OK, NULL);
  return 0;
}

static int stop_vacuum(void **state) {
  pg_close(&conn);
  return stop(state);
}

#define VACUUM_TEST(f) cmocka_unit_test_setup_teardown(f, start_vacuum, stop_vacuum)

// How often it vacuums where `before` is said first and `after` from then on: of each table its
// dead rows, as of which vacuum, and whether it is ours.
static int vacuums(const char *before, const char *after) {
  struct reply script[] = {{.about = "pg_stat_get_dead_tuples", .says = before, .times = 1},
                           {.about = "pg_stat_get_dead_tuples", .says = after},
                           {.about = "VACUUM", .says = ""},
                           {.about = NULL}};
  scripted_says(&server, script);
  vacuum.look_at_us = 0;
  check_err(pg_vacuum(&vacuum, &conn, &why), ERR_OK, NULL);
  int count = scripted_given(&server, &script[2]);
  scripted_says(&server, NULL);
  return count;
}

static void tables_of_others_are_not_vacuumed(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(vacuums("90000,1,true\n0,1,false\n0,1,true", ""), 0);
    assert_true(vacuum.forbidden_said);
  }
  assert_int_equal(vacuums("90000,1,true\n0,1,true\n0,1,true", "5,2,true\n0,2,true\n0,2,true"), 1);
  assert_false(vacuum.forbidden_said);
}

static void each_table_with_many_dead_rows_is_vacuumed(void **state) {
  (void)state;
  assert_int_equal(vacuums("20000,1,true\n20000,1,true\n20000,1,true", ""), 0);
  assert_int_equal(vacuums("20001,1,true\n0,1,true\n20001,1,true", "0,2,true\n0,2,true\n0,2,true"),
                   1);
  assert_int_equal(
      vacuums("0,1,true\n30000,1,true\n30000,1,true", "0,2,true\n0,2,true\n30000,2,true"), 2);
  assert_int_equal(vacuum.tables[0].rest_us, 0);
}

static void it_is_not_looked_at_too_often(void **state) {
  (void)state;
  SCRIPT(script, {.about = "pg_stat_get_dead_tuples", .says = "0,1,true\n0,1,true\n0,1,true"});
  scripted_says(&server, script);
  for (int i = 0; i < 3; i++) check_err(pg_vacuum(&vacuum, &conn, &why), ERR_OK, NULL);
  assert_int_equal(scripted_given(&server, &script[0]), 1);
  jump(MINUTE_US);
  check_err(pg_vacuum(&vacuum, &conn, &why), ERR_OK, NULL);
  assert_int_equal(scripted_given(&server, &script[0]), 2);
}

// Somebody's snapshot keeps the rows: it is tried more and more rarely.
static void a_vacuum_in_vain_is_followed_by_a_rest_that_grows(void **state) {
  (void)state;
  static const int64_t rests_s[] = {5, 10, 20, 30, 30};
  char before[64], after[64];
  for (int i = 0; i < 5; i++) {
    int dead = 30000 * (i + 1);
    snprintf(before, sizeof before, "%d,1,true\n0,1,true\n0,1,true", dead);
    snprintf(after, sizeof after, "%d,2,true\n0,2,true\n0,2,true", dead);
    assert_int_equal(vacuums(before, after), 1);
    assert_int_equal(vacuum.tables[0].rest_us, rests_s[i] * SECOND_US);
    assert_int_equal(vacuums("300000,1,true\n0,1,true\n0,1,true", ""), 0);  // not before its time
    jump(MINUTE_US);
  }
  // The server has removed them meanwhile: what comes now is new.
  assert_int_equal(vacuums("100,1,true\n0,1,true\n0,1,true", ""), 0);
  assert_int_equal(vacuums("20101,1,true\n0,1,true\n0,1,true", "0,2,true\n0,2,true\n0,2,true"), 1);
  assert_int_equal(vacuum.tables[0].rest_us, 0);
}

// The statistics know of no vacuum since.
static void one_that_was_skipped_since_the_server_is_at_it_does_not_count(void **state) {
  (void)state;
  const char *same = "30000,1,true\n0,1,true\n0,1,true";
  for (int i = 0; i < 3; i++) {
    assert_int_equal(vacuums(same, same), 1);
    assert_int_equal(vacuums(same, same), 0);  // not before its time
    jump(MINUTE_US);
  }
}

static void a_vacuum_that_fails_is_told(void **state) {
  (void)state;
  SCRIPT(script, {.about = "pg_stat_get_dead_tuples", .says = "90000,1,true\n0,1,true\n0,1,true"},
         {.about = "VACUUM", .says = "!ERROR 55P03 locked"});
  scripted_says(&server, script);
  check_err(pg_vacuum(&vacuum, &conn, &why), ERR_CONFLICT, "locked");
}

int main(void) {
  log_setup(LOG_ERROR, LOG_TEXT);
  const struct CMUnitTest tests[] = {
      SCRIPTED_TEST(upkeep_goes_on_by_the_hour_and_after_failures),
      SCRIPTED_TEST(what_another_node_is_at_is_left_to_it),
      SCRIPTED_TEST(a_front_that_is_dear_to_reach_is_looked_at),
      VACUUM_TEST(tables_of_others_are_not_vacuumed),
      VACUUM_TEST(each_table_with_many_dead_rows_is_vacuumed),
      VACUUM_TEST(it_is_not_looked_at_too_often),
      VACUUM_TEST(a_vacuum_in_vain_is_followed_by_a_rest_that_grows),
      VACUUM_TEST(one_that_was_skipped_since_the_server_is_at_it_does_not_count),
      VACUUM_TEST(a_vacuum_that_fails_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
