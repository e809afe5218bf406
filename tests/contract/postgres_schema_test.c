// postgres_schema_test.c: what the tables of the shared store have in common, so that they can be
// spread by tenant, and how they are kept.
#include "contract.h"

// Indexes of tables that say whose a row is. A key that somebody sends is looked up before it is
// known whose it is.
#define KEYS                                                                                       \
  "SELECT count(*) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid"                    \
  " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant'"                         \
  " WHERE c.relnamespace = '%s'::regnamespace AND c.relname <> 'api_key' AND i.indisunique"

static void every_key_of_what_belongs_to_a_tenant_begins_with_it(void **state) {
  struct world *w = *state;
  assert_in_range(backdoor_i64(KEYS, w->schema), 10, 100);
  assert_int_equal(backdoor_i64(KEYS " AND i.indkey[0] <> a.attnum", w->schema), 0);
}

// The sweep, the cleanup of kept answers and the look for new channels are for all tenants at once.
#define FREE "'live_wake', 'replay_at', 'channel_number'"

static void every_other_index_does_so_but_those_for_all_tenants(void **state) {
  struct world *w = *state;
  static const char others[] =
      "SELECT count(*) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid"
      " JOIN pg_class AS x ON x.oid = i.indexrelid"
      " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant'"
      " WHERE c.relnamespace = '%s'::regnamespace AND NOT i.indisunique"
      " AND i.indkey[0] <> a.attnum%s";
  assert_int_equal(backdoor_i64(others, w->schema, ""), 3);
  assert_int_equal(backdoor_i64(others, w->schema, " AND x.relname IN (" FREE ")"), 3);
}

#define OTHERS                                                                                     \
  "SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = '%s'::regnamespace"                   \
  " AND c.relkind = 'r' AND NOT EXISTS (SELECT 1 FROM pg_attribute AS a"                           \
  " WHERE a.attrelid = c.oid AND a.attname = 'tenant')"

static void all_but_what_the_servers_share_belongs_to_a_tenant(void **state) {
  struct world *w = *state;
  const char *schema = w->schema;
  assert_int_equal(backdoor_i64(OTHERS, schema), 4);
  assert_int_equal(
      backdoor_i64(OTHERS " AND c.relname IN ('meta', 'node', 'tenant', 'unit')", schema), 4);
}

// A row that referred to another could not be stored apart from it.
static void no_row_is_bound_to_one_of_another_table(void **state) {
  struct world *w = *state;
  assert_int_equal(backdoor_i64("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
                                " AND connamespace = '%s'::regnamespace",
                                w->schema),
                   0);
}

#define OPTION                                                                                     \
  "SELECT count(*) FROM pg_class, unnest(reloptions) AS o(option)"                                 \
  " WHERE relnamespace = '%s'::regnamespace AND relname = '%s' AND option = '%s'"

static void what_churns_is_vacuumed_early_and_has_room_for_new_versions(void **state) {
  struct world *w = *state;
  static const char *const rows[][2] = {{"live", "fillfactor=80"},
                                        {"live", "autovacuum_vacuum_scale_factor=0"},
                                        {"live", "autovacuum_vacuum_threshold=5000"},
                                        {"live", "autovacuum_vacuum_cost_delay=0"},
                                        {"done", "autovacuum_vacuum_insert_scale_factor=0.1"},
                                        {"event", "autovacuum_vacuum_insert_scale_factor=0.1"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(backdoor_i64(OPTION, w->schema, rows[i][0], rows[i][1]), 1);
}

static void rows_without_it_are_in_no_index_of_what_few_rows_have(void **state) {
  struct world *w = *state;
  static const char *const names[] = {"task_unique", "task_subject", "task_project", "live_ready",
                                      "live_wake",   "done_unhappy", "event_task"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    assert_int_equal(backdoor_i64("SELECT count(*) FROM pg_index"
                                  " WHERE indexrelid = '%s.%s'::regclass AND indpred IS NOT NULL",
                                  w->schema, names[i]),
                     1);
}

int main(void) {
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(every_key_of_what_belongs_to_a_tenant_begins_with_it),
      CONTRACT_TEST(every_other_index_does_so_but_those_for_all_tenants),
      CONTRACT_TEST(all_but_what_the_servers_share_belongs_to_a_tenant),
      CONTRACT_TEST(no_row_is_bound_to_one_of_another_table),
      CONTRACT_TEST(what_churns_is_vacuumed_early_and_has_room_for_new_versions),
      CONTRACT_TEST(rows_without_it_are_in_no_index_of_what_few_rows_have),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
