// postgres_read_test.c: what only the shared store promises to readers: what other processes made
// is there, lost connections do not show, and lists walk indexes.
#include "contract.h"

#include "store/postgres/reads.h"

// Runs SQL on the tables of the test's store.
static void sql(struct world *w, const char *text) {
  backdoor_do("SET search_path TO %s; %s", w->schema, text);
}

static struct task_page list(struct world *w, struct task_filter filter) {
  filter.tenant = 1;
  filter.limit = 50;
  struct task_page page = {0};
  OK(w->ops->read_tasks(w->reader, &w->arena, &filter, &page, &w->why));
  return page;
}

// --- with others ---------------------------------------------------------------------------------

static void what_another_process_made_in_channels_unknown_here_is_read(void **state) {
  struct world *w = *state, *other = world_beside(w, true);
  struct id id = world_create(other, STR("new-here"));
  assert_str(world_read(w, id)->type, STR("new-here"));
  other->ids = (struct id_source){.last = id_key(id)};
  world_create(other, STR("new-in-lists"));
  assert_str(list(w, (struct task_filter){0}).tasks[0]->type, STR("new-in-lists"));
  world_create(other, STR("new-in-events"));
  struct event_page events = world_events(w, (struct event_filter){0});
  assert_str(events.events[2].type, STR("new-in-events"));
  world_create(other, STR("new-in-sums"));
  struct tally *tallies = NULL;
  size_t count = 0;
  OK(w->ops->read_tallies(w->reader, &w->arena, 1, &tallies, &count, &w->why));
  assert_int_equal(count, 4);
  assert_str(tallies[3].type, STR("new-in-sums"));
}

static void a_type_that_another_process_was_first_to_use_can_be_asked_for(void **state) {
  struct world *w = *state, *other = world_beside(w, true);
  world_create(other, STR("new-here"));
  const struct str type = STR("new-here");
  struct task_filter filter = {.types = &type, .type_count = 1};
  assert_int_equal(list(w, filter).count, 1);
  filter.ready_only = true;
  assert_int_equal(list(w, filter).count, 1);
  assert_int_equal(world_events(w, (struct event_filter){.type = type}).count, 1);
}

static void a_catalogue_that_another_process_changed_has_a_higher_version(void **state) {
  struct world *w = *state, *other = world_beside(w, true);
  struct catalog before, after;
  OK(w->ops->catalog(w->store, &w->arena, &before, &w->why));
  struct queue queues[] = {{.tenant = 1, .name = STR("bulk"), .paused = true},
                           {.tenant = 1, .name = STR("bulk"), .paused = false}};
  struct change change = {.queues = queues, .queue_count = 2};
  OK(other->ops->apply(other->lane, &change, &w->why));
  OK(w->ops->catalog(w->store, &w->arena, &after, &w->why));
  assert_true(after.version > before.version);
  assert_int_equal(after.queue_count, 1);
  assert_false(after.queues[0].paused);
}

static void the_newest_id_is_known_even_if_its_task_was_deleted(void **state) {
  struct world *w = *state;
  int64_t key = 1;
  OK(w->ops->last_id(w->store, &key, &w->why));
  assert_int_equal(key, 0);
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  t->tenant = u->events[0].event.tenant = 7;
  OK(unit_apply(u));
  OK(w->ops->last_id(w->store, &key, &w->why));
  assert_int_equal(key, id_key(t->id));
  struct id id = world_create(w, STR("resize"));
  struct row *row = world_load(w, id, 0);
  u = unit_new(w);
  unit_change(u, row, EVENT_DELETED);
  row->gone = true;
  OK(unit_apply(u));
  OK(w->ops->last_id(w->store, &key, &w->why));
  assert_int_equal(key, id_key(id));
}

// --- connections ---------------------------------------------------------------------------------

static void a_reader_whose_connection_was_lost_at_rest_does_not_show_it(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  for (int i = 0; i < 3; i++) {
    world_read(w, id);
    int64_t pid = PQbackendPID(w->reader->conn.db);
    backdoor_i64("SELECT pg_terminate_backend(%lld)::integer", (long long)pid);
    assert_str(world_read(w, id)->type, STR("resize"));
  }
}

static void a_read_that_waits_too_long_is_stopped(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct task *t = NULL;
  sql(w, "BEGIN; LOCK TABLE done IN ACCESS EXCLUSIVE MODE");
  w->reader->store->reader_conn.deadline_ms = 50;
  struct store_reader *hurried = NULL;
  OK(w->ops->reader_open(w->store, &hurried, &w->why));
  FAILS(ERR_SCAN_LIMIT, w->ops->read_task(hurried, &w->arena, 1, id, 0, &t, &w->why));
  sql(w, "COMMIT");
  OK(w->ops->read_task(hurried, &w->arena, 1, id, 0, &t, &w->why));
  w->ops->reader_close(hurried);
}

// --- lists ---------------------------------------------------------------------------------------

static void tags_that_no_text_can_hold_spoil_no_list(void **state) {
  struct world *w = *state;
  const char *const tags[] = {"{\"a\":\"x\",\"b\":\"\\u0000\"}",
                              "{\"a\":\"x\",\"b\":\"\\\\u0000\"}",
                              "{\"a\":\"x\",\"b\":\"\\\\\\u0000\"}", "{\"a\":\"y\"}", NULL};
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
    unit_create(u, STR("resize"))->tags = str_of(tags[i]);
  OK(unit_apply(u));
  struct task_page page =
      list(w, (struct task_filter){.tag_name = STR("a"), .tag_value = STR("x")});
  assert_int_equal(page.count, 1);
  assert_true(id_eq(page.tasks[0]->id, u->rows[1]->task.id));
}

// The plan of a list's statement, as the reader's own session makes it, line by line.
static void check_plan(struct world *w, struct task_filter filter) {
  struct scan scan;
  struct arena *scratch = &w->reader->scratch;
  filter.tenant = 1;
  pg_scan_init(&scan, &filter, &w->arena);
  struct str text = arena_printf(
      scratch, "EXPLAIN SELECT p.*, $5::bigint, $6::bigint FROM (%.*s) AS p ORDER BY %s",
      STR_FMT(buf_str(&scan.page)), scan.order);
  struct call call = pg_call_sql(&w->reader->conn, text);
  pg_scan_bind(&scan, &call, &filter);
  struct result r;
  OK(pg_run(&call, &r, &w->why));
  bool sorts = filter.ready_only || !str_is_none(filter.unique_key), bad = false;
  while (result_next(&r)) {
    const char *line = result_text(&r, &w->arena).at;
    const char *scan_of = strstr(line, "Seq Scan on ");
    bool whole = scan_of && !strstr(scan_of, "tally") && !strstr(scan_of, "channel");
    if (!whole && (sorts || !strstr(line, "  Sort  ")) && !strstr(line, "Hash ")) continue;
    print_error("%s\n", line);
    bad = true;
  }
  if (bad) print_error("in the plan of %.*s\n", STR_FMT(text));
  assert_false(bad);
  result_free(&r);
  pg_scan_fini(&scan);
  arena_reset(scratch);
}

static void check_plans(struct world *w) {
  const struct str name = STR("resize");
  const struct task_filter filters[] = {
      {0},
      {.statuses = 1 << TASK_PENDING},
      {.statuses = 1 << TASK_PENDING | 1 << TASK_RUNNING},
      {.statuses = 1 << TASK_COMPLETED},
      {.statuses = 1 << TASK_FAILED},
      {.statuses = 1 << TASK_FAILED | 1 << TASK_ABANDONED},
      {.statuses = 1 << TASK_RUNNING | 1 << TASK_FAILED | 1 << TASK_COMPLETED},
      {.types = &name, .type_count = 1},
      {.queues = &name, .queue_count = 1, .statuses = 1 << TASK_FAILED},
      {.tag_name = name, .tag_value = name},
      {.project = name},
      {.project = name, .statuses = 1 << TASK_RUNNING},
      {.project = name, .statuses = 1 << TASK_FAILED},
      {.subject = name},
      {.subject = name, .worker = name},
      {.unique_key = name},
      {.unique_key = name, .statuses = 1 << TASK_FAILED},
      {.worker = name},
      {.text = name},
      {.text = name, .statuses = 1 << TASK_FAILED},
      {.text = name, .worker = name},
      {.created_after = 1, .created_before = 2},
      {.ready_only = true},
      {.ready_only = true, .queues = &name, .queue_count = 1},
      {.ready_only = true, .text = name, .worker = name},
  };
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) check_plan(w, filters[i]);
}

// Whatever the planner knows of the tables: nothing, or that there is hardly anything in them.
static void lists_walk_indexes_in_their_order(void **state) {
  struct world *w = *state;
  check_plans(w);
  struct unit *u = unit_new(w);
  for (int i = 0; i < 5; i++) unit_create(u, STR("resize"));
  OK(unit_apply(u));
  sql(w, "ANALYZE task, live, done, channel, tally, tally_move");
  check_plans(w);
}

static void a_backup_is_left_to_the_servers_own_tools(void **state) {
  struct world *w = *state;
  FAILS(ERR_INVALID, w->ops->backup(w->store, "anywhere", &w->why));
  assert_non_null(strstr(w->why.detail, "pg_dump"));
}

int main(void) {
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(what_another_process_made_in_channels_unknown_here_is_read),
      CONTRACT_TEST(a_type_that_another_process_was_first_to_use_can_be_asked_for),
      CONTRACT_TEST(a_catalogue_that_another_process_changed_has_a_higher_version),
      CONTRACT_TEST(the_newest_id_is_known_even_if_its_task_was_deleted),
      CONTRACT_TEST(a_reader_whose_connection_was_lost_at_rest_does_not_show_it),
      CONTRACT_TEST(a_read_that_waits_too_long_is_stopped),
      CONTRACT_TEST(tags_that_no_text_can_hold_spoil_no_list),
      CONTRACT_TEST(lists_walk_indexes_in_their_order),
      CONTRACT_TEST(a_backup_is_left_to_the_servers_own_tools),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
