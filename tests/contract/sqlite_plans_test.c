// sqlite_plans_test.c: no statement of the embedded store walks a whole table of what grows.
#include "contract.h"

#include <sqlite3.h>

enum { STATEMENTS_MAX = 256, TASKS = 900, CLAIMED = 300 };

static char *statements[STATEMENTS_MAX];  // every text that a connection of the store has run
static size_t statement_count;
static bool is_quiet;  // about bad plans

static int note(unsigned kind, void *context, void *statement, void *text) {
  (void)kind, (void)context, (void)text;
  const char *sql = sqlite3_sql(statement);
  for (size_t i = 0; i < statement_count; i++)
    if (strcmp(statements[i], sql) == 0) return 0;
  assert_true(statement_count < STATEMENTS_MAX);
  statements[statement_count++] = mem_copy(sql, strlen(sql));
  return 0;
}

static int watch(sqlite3 *db, char **error, const void *routines) {
  (void)error, (void)routines;
  return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, note, NULL);
}

static int setup(void **state) {
  sqlite3_auto_extension((void (*)(void))watch);
  return world_setup(state);
}

static int teardown(void **state) {
  sqlite3_cancel_auto_extension((void (*)(void))watch);
  for (size_t i = 0; i < statement_count; i++) mem_free(statements[i]);
  statement_count = 0;
  return world_teardown(state);
}

// --- plans ---------------------------------------------------------------------------------------

// Tables of names, which do not grow with tasks; and what is no table.
static bool may_be_walked(const char *step) {
  static const char *const small[] = {"channel", "tenant", "queue", "type",         "api_key",
                                      "meta",    "c",      "j",     "sqlite_master"};
  size_t len = strcspn(step, " ");
  for (size_t i = 0; i < sizeof small / sizeof *small; i++)
    if (strlen(small[i]) == len && strncmp(step, small[i], len) == 0) return true;
  return strstr(step, "CONSTANT ROW") != NULL;
}

static bool is_bad(const char *step) {
  if (strncmp(step, "SCAN ", 5) == 0) return !may_be_walked(step + 5);
  return strstr(step, "AUTOMATIC") != NULL || strstr(step, "TEMP B-TREE") != NULL;
}

// How many steps of the plan walk a table or sort what they have found.
static int bad_steps(sqlite3 *db, const char *sql) {
  sqlite3_stmt *plan = NULL;
  char *text = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
  int bad = 0;
  if (sqlite3_prepare_v2(db, text, -1, &plan, NULL) != SQLITE_OK)
    fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  while (sqlite3_step(plan) == SQLITE_ROW) {
    const char *step = (const char *)sqlite3_column_text(plan, 3);
    if (!is_bad(step)) continue;
    bad++;
    if (!is_quiet) print_error("%s\nin %s\n", step, sql);
  }
  sqlite3_finalize(plan);
  sqlite3_free(text);
  return bad;
}

static bool has_plan(const char *sql) {
  static const char *const words[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strncmp(sql, words[i], strlen(words[i])) == 0) return true;
  return false;
}

static void nothing(sqlite3_context *c, int count, sqlite3_value **values) {
  (void)c, (void)count, (void)values;
}

// A connection of our own that plans as the store's do: plans depend on the schema alone.
static sqlite3 *planner(struct world *w) {
  sqlite3 *db = NULL;
  sqlite3_cancel_auto_extension((void (*)(void))watch);
  assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
  assert_int_equal(
      sqlite3_create_function(db, "id_text", 2, SQLITE_UTF8, NULL, nothing, NULL, NULL), SQLITE_OK);
  return db;
}

static void check_plans(struct world *w) {
  sqlite3 *db = planner(w);
  int bad = 0;
  size_t seen = 0;
  for (size_t i = 0; i < statement_count; i++) {
    if (!has_plan(statements[i])) continue;
    seen++;
    bad += bad_steps(db, statements[i]);
  }
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
  assert_true(seen > 20);
  assert_int_equal(bad, 0);
}

// --- what is asked -------------------------------------------------------------------------------

static const struct str TYPES[] = {STR("GENERATIVE"), STR("ANALYSIS"), STR("MARKETING")};

static void fill(struct world *w) {
  struct unit *u = unit_new(w);
  for (int i = 0; i < TASKS; i++) {
    struct task *t = unit_create(u, TYPES[i % 3]);
    t->priority = 5 - i % 10;
    t->payload = STR("{\"task_type\":\"GENERATIVE\"}");
    t->tags = STR("{\"service\":\"content\"}");
    t->project = STR("acme");
    t->subject = STR("batch-1");
    t->unique_key = arena_printf(&w->arena, "task_%d", i);
  }
  OK(unit_apply(u));
}

// Claims some, and ends them in each way.
static void live(struct world *w) {
  struct pick pick = world_pick(
      w, (struct pick){.types = TYPES, .type_count = 2, .limit = CLAIMED, .bytes_max = 1 << 20});
  assert_int_equal(pick.row_count, CLAIMED);
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < pick.row_count; i++) unit_claim(u, pick.rows[i]);
  OK(unit_apply(u));
  u = unit_new(w);
  for (size_t i = 0; i < CLAIMED / 2; i++) {
    struct row *row = world_load(w, pick.rows[i]->task.id, 0);
    unit_finish(u, row, i % 2 ? TASK_COMPLETED : TASK_FAILED)->result = STR("{}");
  }
  OK(unit_apply(u));
}

static void list_all(struct world *w) {
  const struct str name = STR("content"), acme = STR("acme");
  const struct task_filter filters[] = {
      {.ready_only = true},
      {.ready_only = true, .types = TYPES, .type_count = 1},
      {.ready_only = true, .types = TYPES, .type_count = 3},
      {.ready_only = true, .tag_name = STR("service"), .tag_value = name},
      {.ready_only = true, .project = acme},
      {.ready_only = true, .before = {1, 1}, .before_priority = 3},
      {0},
      {.types = TYPES, .type_count = 2},
      {.statuses = 1 << TASK_PENDING},
      {.statuses = 1 << TASK_RUNNING},
      {.statuses = 1 << TASK_COMPLETED},
      {.statuses = 1 << TASK_FAILED},
      {.statuses = 1 << TASK_FAILED | 1 << TASK_ABANDONED},
      {.project = acme},
      {.subject = STR("batch-1")},
      {.unique_key = STR("task_7")},
      {.tag_name = STR("service"), .tag_value = name},
      {.worker = STR("w1")},
      {.text = name},
      {.created_after = 1, .created_before = INT64_MAX / 4096},
  };
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
    struct task_filter filter = filters[i];
    struct task_page page;
    filter.tenant = 1;
    filter.limit = 100;
    filter.parts = PART_PAYLOAD;
    OK(w->ops->read_tasks(w->reader, &w->arena, &filter, &page, &w->why));
  }
}

static void read_one(struct world *w) {
  struct pick pick = world_pick(w, (struct pick){.limit = 1});
  struct id id = pick.rows[0]->task.id;
  struct log_page lines;
  world_read(w, id);
  OK(w->ops->read_logs(w->reader, &w->arena, 1, id, 0, 10, &lines, &w->why));
  world_events(w, (struct event_filter){0});
  world_events(w, (struct event_filter){.task = id});
  world_tally(w, 1);
}

static void no_statement_walks_a_table_of_tasks(void **state) {
  struct world *w = *state;
  fill(w);
  live(w);
  list_all(w);
  read_one(w);
  check_plans(w);
}

// That the test would see one.
static void a_walk_and_a_sort_are_seen(void **state) {
  struct world *w = *state;
  sqlite3 *db = planner(w);
  is_quiet = true;
  assert_int_equal(bad_steps(db, "SELECT key FROM task WHERE worker = 'w'"), 1);
  assert_int_equal(bad_steps(db, "SELECT key FROM task ORDER BY priority"), 2);
  assert_int_equal(bad_steps(db, "SELECT number FROM channel"), 0);
  assert_int_equal(bad_steps(db, "SELECT key FROM task WHERE key = 7"), 0);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int main(void) {
  kind_now = &kinds[0];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(no_statement_walks_a_table_of_tasks, setup, teardown),
      cmocka_unit_test_setup_teardown(a_walk_and_a_sort_are_seen, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
