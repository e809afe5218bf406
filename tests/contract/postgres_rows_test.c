// postgres_rows_test.c: rows of the shared store as they seldom are: units in unusual orders, and
// what somebody else has written into its tables.
#include "contract.h"

// --- their size ---------------------------------------------------------------------------------

#define IF_SPARSE_SPARSE(...) __VA_ARGS__
#define IF_SPARSE_I64(...)
#define IF_SPARSE_ENUM(...)
#define IF_SPARSE_TEXT(...)
#define IF_STATE_STATE(...) __VA_ARGS__
#define IF_STATE_INPUT(...)

static const char *const sparse[] = {
#define COLUMN(column, field, kind, group, meaning) IF_STATE_##group(IF_SPARSE_##kind(#column, ))
#include "store/task.def"
#undef COLUMN
};

static int64_t zeros_in(const char *schema, const char *table) {
  int64_t count = 0;
  for (size_t i = 0; i < sizeof sparse / sizeof *sparse; i++)
    count += backdoor_i64("SELECT count(*) FROM %s.%s WHERE %s = 0", schema, table, sparse[i]);
  return count;
}

static int64_t bytes_in(const char *schema, const char *table) {
  return backdoor_i64("SELECT max(pg_column_size(r.*)) FROM %s.%s AS r", schema, table);
}

// Each of these rows is written to the log of the database up to three times in a task's life.
static void what_is_0_takes_no_room_in_a_row(void **state) {
  struct world *w = *state;
  struct id waits = world_create(w, STR("resize")), ends = world_create(w, STR("resize"));
  assert_in_range(bytes_in(w->schema, "live"), 60, 110);
  struct unit *u = unit_new(w);
  unit_finish(u, world_load(w, ends, 0), TASK_COMPLETED);
  OK(unit_apply(u));
  assert_in_range(bytes_in(w->schema, "done"), 60, 130);
  assert_int_equal(zeros_in(w->schema, "live"), 0);
  assert_int_equal(zeros_in(w->schema, "done"), 0);
  assert_int_equal(world_read(w, waits)->completed_at, 0);
}

// --- units ---------------------------------------------------------------------------------------

// Two units that make the same keys must wait for each other in one order, whatever theirs is.
static void keys_of_any_length_and_order_are_made_in_one_unit(void **state) {
  struct world *w = *state;
  static const struct str keys[] = {STR("ab"), STR_NONE, STR("b"),  STR("a"),
                                    STR_NONE,  STR(""),  STR("abc")};
  enum { COUNT = sizeof keys / sizeof *keys };
  struct unit *u = unit_new(w);
  struct id ids[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    struct task *t = unit_create(u, STR("resize"));
    t->unique_key = keys[i];
    ids[i] = t->id;
  }
  OK(unit_apply(u));
  for (size_t i = 0; i < COUNT; i++) assert_str(world_read(w, ids[i])->unique_key, keys[i]);
  struct unit *again = unit_new(w);
  unit_create(again, STR("resize"))->unique_key = STR("new");
  unit_create(again, STR("resize"))->unique_key = STR("ab");
  FAILS(ERR_CONFLICT, unit_apply(again));
  assert_int_equal(world_tally(w, 1).ready, COUNT);
}

static void answers_of_any_key_and_tenant_are_kept_in_one_unit(void **state) {
  struct world *w = *state;
  static const struct {
    int64_t tenant;
    struct str key;
  } kept[] = {{2, STR("k")}, {1, STR("kk")}, {1, STR("k")}, {1, STR("j")}, {2, STR("kkk")}};
  enum { COUNT = sizeof kept / sizeof *kept };
  struct replay replays[COUNT];
  struct want_replay wants[COUNT];
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < COUNT; i++) {
    replays[i] = (struct replay){.tenant = kept[i].tenant,
                                 .key = kept[i].key,
                                 .status = 200 + (int64_t)i,
                                 .at = w->ops->now(w->store)};
    wants[i] = (struct want_replay){.tenant = kept[i].tenant, .key = kept[i].key};
  }
  u->change.replays = replays;
  u->change.replay_count = COUNT;
  OK(unit_apply(u));
  struct load load = {.arena = &w->arena, .replays = wants, .replay_count = COUNT};
  OK(w->ops->load(w->lane, &load, &w->why));
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(wants[i].found->status, 200 + (int64_t)i);
  w->ops->abandon(w->lane);
}

static void a_task_that_has_ended_may_change_and_stays_ended(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct unit *ends = unit_new(w);
  unit_finish(ends, world_load(w, id, 0), TASK_COMPLETED);
  OK(unit_apply(ends));
  struct unit *u = unit_new(w);
  unit_change(u, world_load(w, id, 0), EVENT_PROGRESS)->tags = STR("{\"late\":\"yes\"}");
  OK(unit_apply(u));
  struct task *t = world_read(w, id);
  assert_int_equal(t->status, TASK_COMPLETED);
  assert_str(t->tags, STR("{\"late\":\"yes\"}"));
  assert_int_equal(world_tally(w, 1).count[TASK_COMPLETED], 1);
  assert_int_equal(world_check(w), 0);
}

static void a_task_that_is_made_and_deleted_in_one_unit_never_was(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct id id = unit_create(u, STR("resize"))->id;
  u->rows[0]->gone = true;
  u->change.event_count = 0;
  unit_create(u, STR("resize"));
  OK(unit_apply(u));
  struct task *t;
  FAILS(ERR_NOT_FOUND, w->ops->read_task(w->reader, &w->arena, 1, id, 0, &t, &w->why));
  assert_int_equal(world_tally(w, 1).ready, 1);
  assert_int_equal(world_check(w), 0);
}

// Such as one whose type was paused after it was picked.
static void what_was_picked_and_waits_for_something_else_is_not_picked_again(void **state) {
  struct world *w = *state;
  world_create(w, STR("resize"));
  struct pick pick = world_pick(w, (struct pick){.limit = 1});
  struct unit *u = unit_new(w);
  struct task *t = unit_change(u, pick.rows[0], EVENT_DUE);
  t->waiting = WAIT_TIME;
  t->run_at = t->wake_at = w->now + 3600000;
  OK(unit_apply(u));
  assert_int_equal(world_pick(w, (struct pick){.limit = 1, .sure = true}).row_count, 0);
  w->ops->abandon(w->lane);
}

// The payloads of what is behind the sum are not asked for.
static void a_pick_ends_with_the_task_that_passes_its_sum(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  for (int i = 0; i < 4; i++) unit_create(u, STR("resize"))->payload = STR("[1,2,3,4,5,6,7]");
  OK(unit_apply(u));
  struct pick pick = world_pick(w, (struct pick){.limit = 4, .bytes_max = 20});
  assert_int_equal(pick.row_count, 2);
  w->ops->abandon(w->lane);
  assert_int_equal(world_pick(w, (struct pick){.limit = 4}).row_count, 4);
  w->ops->abandon(w->lane);
}

static void nothing_is_read_behind_the_end_of_a_history(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  const struct log_line line = {1, w->now, STR("line")};
  struct task *t = unit_create(u, STR("resize"));
  t->log_lines = 1;
  const struct change_log log = {.row = u->rows[0], .lines = &line, .line_count = 1};
  u->change.logs = &log;
  u->change.log_count = 1;
  OK(unit_apply(u));
  struct log_page page = {.count = 99};
  OK(w->ops->read_logs(w->reader, &w->arena, 1, t->id, 1, 5, &page, &w->why));
  assert_int_equal(page.count, 0);
  assert_false(page.more);
  struct event_page events = world_events(w, (struct event_filter){.task = t->id, .after = 1});
  assert_int_equal(events.count, 0);
  assert_false(events.more);
}

// --- what somebody else wrote --------------------------------------------------------------------

static void a_task_in_a_channel_that_is_not_there_is_refused_by_all_who_read_it(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  backdoor_do(
      "UPDATE %s.live SET channel = 99; UPDATE %s.task SET channel = 99;"
      " UPDATE %s.event SET channel = 99",
      w->schema, w->schema, w->schema);
  struct want_id want = {.tenant = 1, .id = id};
  struct load load = {.arena = &w->arena, .ids = &want, .id_count = 1};
  FAILS(ERR_UNAVAILABLE, w->ops->load(w->lane, &load, &w->why));
  assert_non_null(strstr(w->why.detail, "channel 99"));
  struct task *t;
  FAILS(ERR_INTERNAL, w->ops->read_task(w->reader, &w->arena, 1, id, 0, &t, &w->why));
  assert_non_null(strstr(w->why.detail, "taskyard check"));
  const struct task_filter filter = {.tenant = 1, .limit = 5};
  struct task_page page = {.count = 99};
  FAILS(ERR_INTERNAL, w->ops->read_tasks(w->reader, &w->arena, &filter, &page, &w->why));
  assert_int_equal(page.count, 99);
  const struct event_filter feed = {.tenant = 1, .limit = 5};
  struct event_page events;
  FAILS(ERR_INTERNAL, w->ops->read_events(w->reader, &w->arena, &feed, &events, &w->why));
  assert_true(world_check(w) > 0);
}

// It is found by the sums, which differ.
static void such_a_task_is_moved_without_its_names(void **state) {
  struct world *w = *state;
  world_create(w, STR("resize"));
  world_close(w);
  backdoor_do("UPDATE %s.live SET channel = 99; UPDATE %s.task SET channel = 99", w->schema,
              w->schema);
  const struct postgres_settings settings = {.schema = str_of(w->schema), .alone = true};
  OK(postgres_store_open(backdoor_url(), &settings, &w->store, &w->why));
  const struct bulk_mark start = {0};
  struct bulk page;
  OK(w->ops->bulk_read(w->store, &w->arena, BULK_TASKS, &start, 10, &page, &w->why));
  assert_int_equal(page.task_count, 1);
  assert_true(str_is_none(page.tasks[0].queue) && str_is_none(page.tasks[0].type));
}

static enum err load_tallies(struct world *w, struct load *load) {
  *load = (struct load){.arena = &w->arena, .tallies = true};
  return w->ops->load(w->lane, load, &w->why);
}

static void a_count_of_a_channel_that_is_not_there_is_refused(void **state) {
  struct world *w = *state, *other = world_beside(w, true);
  struct load load;
  world_create(other, STR("resize"));
  OK(load_tallies(w, &load));  // of a channel that is not known here yet
  w->ops->abandon(w->lane);
  assert_int_equal(load.tally_count, 1);
  assert_str(load.tally[0].type, STR("resize"));
  world_create(other, STR("mail"));
  backdoor_do("INSERT INTO %s.tally VALUES (1, 99, 0, 0, 0, 0, 0, 0, 1)", w->schema);
  FAILS(ERR_UNAVAILABLE, load_tallies(w, &load));
  assert_non_null(strstr(w->why.detail, "channel 99"));
}

static void a_mark_that_makes_no_sense_is_refused(void **state) {
  struct world *w = *state;
  static const char *const texts[] = {"NULL", "''", "'1 2 3'", "'5 6 7 - 8 key'"};
  struct bulk_mark mark;
  bool finished;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    backdoor_do("INSERT INTO %s.meta VALUES ('moved logs', 0, %s)", w->schema, texts[i]);
    FAILS(ERR_STORE_BROKEN,
          w->ops->bulk_mark(w->store, &w->arena, BULK_LOGS, &mark, &finished, &w->why));
    assert_non_null(strstr(w->why.detail, "moved logs"));
    FAILS(ERR_INVALID, w->ops->bulk_whole(w->store, &w->why));
    backdoor_do("DELETE FROM %s.meta WHERE name = 'moved logs'", w->schema);
  }
}

// Of what is older than the names of queue and type in events, or about something else.
static void events_without_names_are_moved_without_a_channel(void **state) {
  struct world *w = *state;
  world_close(w);
  const struct postgres_settings settings = {.schema = str_of(w->schema), .alone = true};
  OK(postgres_store_open(backdoor_url(), &settings, &w->store, &w->why));
  const struct id id = id_next(&w->ids, w->now);
  struct event events[] = {
      {.tenant = 1, .seq = 1, .task = id, .queue = STR("default"), .type = STR("resize")},
      {.tenant = 1, .seq = 2, .task = id, .type = STR("resize")},
      {.tenant = 1, .seq = 3, .task = id, .queue = STR("default")},
      {.tenant = 1, .seq = 4, .queue = STR("default"), .type = STR("resize")},
  };
  struct bulk page = {.events = events, .event_count = 4, .last = {.source = 1, .rows = 4}};
  OK(w->ops->bulk_write(w->store, BULK_EVENTS, &page, &w->why));
  OK(w->ops->bulk_write(w->store, BULK_EVENTS, &page, &w->why));  // it was not sure of the outcome
  const struct bulk_mark start = {0};
  struct bulk back;
  OK(w->ops->bulk_read(w->store, &w->arena, BULK_EVENTS, &start, 10, &back, &w->why));
  assert_int_equal(back.event_count, 4);
  for (size_t i = 0; i < 4; i++) {
    assert_str(back.events[i].queue, events[i].queue);
    assert_str(back.events[i].type, events[i].type);
  }
}

int main(void) {
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(what_is_0_takes_no_room_in_a_row),
      CONTRACT_TEST(keys_of_any_length_and_order_are_made_in_one_unit),
      CONTRACT_TEST(answers_of_any_key_and_tenant_are_kept_in_one_unit),
      CONTRACT_TEST(a_task_that_has_ended_may_change_and_stays_ended),
      CONTRACT_TEST(a_task_that_is_made_and_deleted_in_one_unit_never_was),
      CONTRACT_TEST(what_was_picked_and_waits_for_something_else_is_not_picked_again),
      CONTRACT_TEST(a_pick_ends_with_the_task_that_passes_its_sum),
      CONTRACT_TEST(nothing_is_read_behind_the_end_of_a_history),
      CONTRACT_TEST(a_task_in_a_channel_that_is_not_there_is_refused_by_all_who_read_it),
      CONTRACT_TEST(such_a_task_is_moved_without_its_names),
      CONTRACT_TEST(a_count_of_a_channel_that_is_not_there_is_refused),
      CONTRACT_TEST(a_mark_that_makes_no_sense_is_refused),
      CONTRACT_TEST(events_without_names_are_moved_without_a_channel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
