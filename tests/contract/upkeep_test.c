// upkeep_test.c: what the shared store does by itself beside its work.
#include "contract.h"

#include "base/clock.h"
#include "store/postgres/desk.h"

enum { PATIENCE_US = 30 * 1000 * 1000 };

// Asks until the number is that.
#define UNTIL(wanted, ...)                                                                         \
  do {                                                                                             \
    int64_t until_us = clock_mono_us() + PATIENCE_US, number;                                      \
    while ((number = backdoor_i64(__VA_ARGS__)) != (wanted))                                       \
      if (clock_mono_us() > until_us) fail_msg("it is still %lld", (long long)number);             \
  } while (0)

static void moves_of_tallies_are_summed_up_and_the_sums_stay(void **state) {
  struct world *w = *state;
  world_create(w, STR("mail"));
  for (int i = 0; i < 3; i++) {
    struct unit *u = unit_new(w);
    unit_finish(u, world_load(w, world_create(w, STR("resize")), 0), TASK_COMPLETED);
    OK(unit_apply(u));
  }
  UNTIL(0, "SELECT count(*) FROM %s.tally_move", w->schema);
  assert_int_equal(world_tally(w, 1).ready, 1);
  assert_int_equal(world_tally(w, 1).count[TASK_COMPLETED], 3);
  assert_int_equal(backdoor_i64("SELECT completed FROM %s.tally WHERE channel = 2", w->schema), 3);
  world_create(w, STR("resize"));
  assert_int_equal(world_tally(w, 1).ready, 2);
  UNTIL(0, "SELECT count(*) FROM %s.tally_move", w->schema);
  assert_int_equal(world_tally(w, 1).ready, 2);
  assert_int_equal(world_check(w), 0);
}

static void what_a_process_left_is_summed_up_by_the_next(void **state) {
  struct world *w = *state;
  world_create(w, STR("resize"));
  world_close(w);
  world_open(w);
  UNTIL(0, "SELECT count(*) FROM %s.tally_move", w->schema);
  assert_int_equal(world_tally(w, 1).ready, 1);
}

// More than are removed by one statement, and one that is to stay, of each.
static void what_is_too_old_is_removed(void **state) {
  struct world *w = *state;
  world_close(w);
  backdoor_do("INSERT INTO %s.unit SELECT n, 1000 FROM generate_series(1, 25000) AS n", w->schema);
  backdoor_do("INSERT INTO %s.unit VALUES (0, extract(epoch FROM now()) * 1000 - 590000)",
              w->schema);
  backdoor_do(
      "INSERT INTO %s.replay SELECT 1, n::text, 1000, 200, '\\x00', NULL, 0, ''"
      " FROM generate_series(1, 25000) AS n",
      w->schema);
  backdoor_do(
      "INSERT INTO %s.replay"
      " VALUES (1, 'new', extract(epoch FROM now()) * 1000 - 86000000, 200, '\\x00', NULL, 0, '')",
      w->schema);
  backdoor_do("INSERT INTO %s.node VALUES (1, 'old', 1, 1, 63)", w->schema);
  world_open(w);
  UNTIL(1, "SELECT count(*) FROM %s.unit", w->schema);
  UNTIL(1, "SELECT count(*) FROM %s.replay", w->schema);
  UNTIL(1, "SELECT count(*) FROM %s.node", w->schema);
  assert_int_equal(backdoor_i64("SELECT count(*) FROM %s.unit WHERE token = 0", w->schema), 1);
  assert_int_equal(backdoor_i64("SELECT count(*) FROM %s.replay WHERE key = 'new'", w->schema), 1);
}

// Without the server's own vacuum, so that it is ours that did it.
static void dead_rows_are_removed_while_there_is_work(void **state) {
  struct world *w = *state;
  backdoor_do("ALTER TABLE %s.unit SET (autovacuum_enabled = off)", w->schema);
  backdoor_do("INSERT INTO %s.unit SELECT n, 0 FROM generate_series(1, 30000) AS n", w->schema);
  backdoor_do("DELETE FROM %s.unit", w->schema);
  UNTIL(30000, "SELECT pg_stat_get_dead_tuples('%s.unit'::regclass)", w->schema);
  int64_t until_us = clock_mono_us() + PATIENCE_US;
  do {
    world_create(w, STR("resize"));
    arena_reset(&w->arena);
    if (clock_mono_us() > until_us) fail_msg("the dead rows are still there");
  } while (backdoor_i64("SELECT pg_stat_get_dead_tuples('%s.unit'::regclass)", w->schema) > 0);
}

// One vacuum as upkeep does it, by a process that has no upkeep of its own. In `*v`: what it thinks
// of it.
static void vacuum_once(struct world *w, struct vacuum *v) {
  const struct postgres_settings alone = {.schema = str_of(w->schema), .alone = true};
  struct store *s = NULL;
  struct conn *c = NULL;
  *v = (struct vacuum){0};
  OK(postgres_store_open(backdoor_url(), &alone, &s, &w->why));
  OK(pg_side_begin((struct postgres_store *)s, &c, &w->why));
  OK(pg_vacuum(v, c, &w->why));
  pg_side_end((struct postgres_store *)s);
  s->ops->close(s);
  bool did = false;
  for (size_t i = 0; i < VACUUM_TABLES; i++) did |= v->tables[i].not_before > 0;
  assert_true(did);
}

static int64_t rest_us(const struct vacuum *v) {
  int64_t sum = 0;
  for (size_t i = 0; i < VACUUM_TABLES; i++) sum += v->tables[i].rest_us;
  return sum;
}

// And the statistics know of them.
static void make_dead_rows(struct world *w) {
  backdoor_do("INSERT INTO %s.unit SELECT n, 0 FROM generate_series(1, 30000) AS n", w->schema);
  backdoor_do("DELETE FROM %s.unit", w->schema);
  UNTIL(1, "SELECT (pg_stat_get_dead_tuples('%s.unit'::regclass) >= 30000)::integer", w->schema);
}

// Old servers tell what they knew half a second ago, so from before the vacuum.
static void only_a_vacuum_that_freed_too_little_is_followed_by_a_rest(void **state) {
  struct world *w = *state;
  struct vacuum v;
  world_close(w);
  backdoor_do("ALTER TABLE %s.unit SET (autovacuum_enabled = off)", w->schema);
  PGconn *holder = PQconnectdb(backdoor_url());
  PQclear(backdoor_run(holder, "BEGIN ISOLATION LEVEL REPEATABLE READ"));
  PQclear(backdoor_run(holder, "SELECT 1"));
  make_dead_rows(w);
  vacuum_once(w, &v);
  assert_true(rest_us(&v) > 0);
  PQclear(backdoor_run(holder, "COMMIT"));
  PQfinish(holder);
  int64_t until_us = clock_mono_us() + PATIENCE_US;
  do {  // another's snapshot can be in the way for a while
    if (clock_mono_us() > until_us) fail_msg("no vacuum counts as one that freed enough");
    make_dead_rows(w);
    vacuum_once(w, &v);
  } while (rest_us(&v) > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(moves_of_tallies_are_summed_up_and_the_sums_stay),
      CONTRACT_TEST(what_a_process_left_is_summed_up_by_the_next),
      CONTRACT_TEST(what_is_too_old_is_removed),
      CONTRACT_TEST(dead_rows_are_removed_while_there_is_work),
      CONTRACT_TEST(only_a_vacuum_that_freed_too_little_is_followed_by_a_rest),
  };
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
