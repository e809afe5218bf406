// sqlite_damage_test.c: files that no statement of ours makes: damaged, repaired by hand, foreign
// or of another version. What is wrong is told, and what is whole is served.
#include "behind.h"

#include "store/mark.h"

static void harm(struct world *w, const char *text) {
  world_close(w);
  sql(w->path, text);
  world_open(w);
}

static enum err open_at(const char *path, bool read_only, struct store **out, struct fault *why) {
  const struct sqlite_settings settings = {.read_only = read_only};
  *out = NULL;
  return sqlite_store_open(path, &settings, out, why);
}

#define SAYS(text) assert_non_null(strstr(w->why.detail, (text)))

// --- channels ------------------------------------------------------------------------------------

static void a_channel_that_cannot_be_keeps_the_store_from_being_used(void **state) {
  struct world *w = *state;
  static const char *const HARMS[] = {
      "UPDATE channel SET number = 10001", "UPDATE channel SET number = -1",
      "UPDATE channel SET number = 1 WHERE number = 10001 OR number = -1;"
      "INSERT INTO channel SELECT 2, tenant, queue, type, 0, 0, 0, 0, 0, 0, 0 FROM channel"};
  world_create(w, STR("resize"));
  world_close(w);
  for (size_t i = 0; i < sizeof HARMS / sizeof *HARMS; i++) {
    sql(w->path, HARMS[i]);
    OK(open_at(w->path, false, &w->store, &w->why));
    FAILS(ERR_STORE_BROKEN, w->store->ops->lane_open(w->store, &w->lane, &w->why));
    SAYS("makes no sense");
    w->store->ops->close(w->store);
    w->store = NULL;
  }
  sql(w->path, "DELETE FROM channel WHERE number = 2");
  world_open(w);
  assert_int_equal(world_check(w), 0);
}

static void gaps_in_the_numbers_of_channels_are_no_harm(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  unit_create(u, STR("first"));
  struct task *t = unit_create(u, STR("second"));
  t->status = TASK_COMPLETED;
  t->waiting = WAIT_NONE;
  t->completed_at = w->now;
  OK(unit_apply(u));
  harm(w,
       "UPDATE channel SET number = 9 WHERE number = 2;"
       "UPDATE task SET channel = 9 WHERE channel = 2;"
       "UPDATE event SET channel = 9 WHERE channel = 2");
  assert_int_equal(world_check(w), 0);
  struct want_ended ended = {.tenant = 1, .statuses = 1u << TASK_COMPLETED, .limit = 5};
  struct load load = {
      .arena = &w->arena, .ended = &ended, .ended_count = 1, .ended_limit = 5, .tallies = true};
  OK(w->ops->load(w->lane, &load, &w->why));
  w->ops->abandon(w->lane);
  assert_int_equal(ended.row_count, 1);
  assert_str(ended.rows[0]->task.type, STR("second"));
  assert_int_equal(load.tally_count, 2);
  assert_str(load.tally[1].type, STR("second"));
  world_create(w, STR("third"));
  assert_int_equal(world_check(w), 0);
}

static void a_task_in_a_channel_that_is_not_there_is_told_however_it_is_met(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  struct want_id want = {.tenant = 1, .id = t->id};
  t->waiting = WAIT_TIME;
  t->run_at = t->wake_at = w->now + 1000;
  OK(unit_apply(u));
  harm(w, "UPDATE task SET channel = 77");
  struct load by_id = {.arena = &w->arena, .ids = &want, .id_count = 1},
              by_time = {.arena = &w->arena, .due_at = w->now + 1000, .due_limit = 5};
  FAILS(ERR_STORE_BROKEN, w->ops->load(w->lane, &by_id, &w->why));
  SAYS("a task is in channel 77, which does not exist");
  FAILS(ERR_STORE_BROKEN, w->ops->load(w->lane, &by_time, &w->why));
  SAYS("a task is in channel 77, which does not exist");
  world_create(w, STR("resize"));  // the others are served
}

// --- events --------------------------------------------------------------------------------------

static struct id with_three_events(struct world *w) {
  struct id id = world_create(w, STR("resize"));
  for (int i = 0; i < 2; i++) {
    struct unit *u = unit_new(w);
    unit_change(u, world_load(w, id, 0), EVENT_PROGRESS);
    OK(unit_apply(u));
  }
  return id;
}

static enum err read_chain(struct world *w, struct id id) {
  const struct event_filter filter = {.tenant = 1, .task = id, .limit = 10};
  struct event_page page;
  return w->ops->read_events(w->reader, &w->arena, &filter, &page, &w->why);
}

// Of a session, where the events of a task go with it.
static enum err forget(struct world *w, struct id id) {
  struct row *row = world_load(w, id, 0);
  struct unit *u = unit_new(w);
  unit_row(u, row);
  row->gone = row->forgotten = true;
  return unit_apply(u);
}

static void a_chain_of_events_that_breaks_off_or_has_a_loop_is_told(void **state) {
  struct world *w = *state;
  struct id id = with_three_events(w);
  harm(w, "CREATE TABLE kept AS SELECT * FROM event; DELETE FROM event WHERE previous = 1");
  FAILS(ERR_STORE_BROKEN, read_chain(w, id));
  SAYS("an event that a task names is missing");
  FAILS(ERR_STORE_BROKEN, forget(w, id));
  SAYS("an event that a task names is missing");
  harm(w,
       "DELETE FROM event; INSERT INTO event SELECT * FROM kept;"
       "UPDATE event SET previous = 3 WHERE previous = 1");
  FAILS(ERR_STORE_BROKEN, read_chain(w, id));
  SAYS("a chain of events has a loop");
  FAILS(ERR_STORE_BROKEN, forget(w, id));
  SAYS("a chain of events has a loop");
  harm(w, "UPDATE event SET previous = 1 WHERE previous = 3; DROP TABLE kept");
  OK(read_chain(w, id));
  assert_int_equal(world_check(w), 0);
}

// --- what is kept beside tasks -------------------------------------------------------------------

// Its request was another one, then: no repeat is answered by it.
static void an_answer_whose_fingerprint_was_cut_is_of_no_request(void **state) {
  struct world *w = *state;
  static const char *const HARMS[] = {"UPDATE replay SET fingerprint = x'0102'",
                                      "UPDATE replay SET fingerprint = x''"};
  struct unit *u = unit_new(w);
  struct replay replay = {.tenant = 1, .key = STR("k"), .status = 200, .at = w->now};
  memset(replay.fingerprint, 7, sizeof replay.fingerprint);
  u->change.replays = &replay;
  u->change.replay_count = 1;
  OK(unit_apply(u));
  for (size_t i = 0; i < 2; i++) {
    static const uint8_t ZEROS[sizeof replay.fingerprint];
    struct want_replay want = {.tenant = 1, .key = STR("k")};
    struct load load = {.arena = &w->arena, .replays = &want, .replay_count = 1};
    harm(w, HARMS[i]);
    OK(w->ops->load(w->lane, &load, &w->why));
    w->ops->abandon(w->lane);
    assert_non_null(want.found);
    assert_memory_equal(want.found->fingerprint, ZEROS, sizeof ZEROS);
  }
}

static void a_mark_of_a_move_that_makes_no_sense_is_told(void **state) {
  struct world *w = *state;
  static const char *const TEXTS[] = {"NULL", "'half a mark'", "'1 2 3 - 4'"};
  for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
    struct bulk_mark mark;
    bool finished;
    char text[120];
    snprintf(text, sizeof text, "INSERT OR REPLACE INTO meta VALUES ('%s', 1, %s)",
             MARK_NAMES[BULK_TASKS], TEXTS[i]);
    world_close(w);
    sql(w->path, text);
    OK(open_at(w->path, false, &w->store, &w->why));
    const struct store_ops *ops = w->store->ops;
    FAILS(ERR_STORE_BROKEN,
          ops->bulk_mark(w->store, &w->arena, BULK_TASKS, &mark, &finished, &w->why));
    SAYS("the mark of moved tasks makes no sense");
    OK(ops->bulk_mark(w->store, &w->arena, BULK_LOGS, &mark, &finished, &w->why));
    assert_int_equal(mark.rows, 0);
    ops->close(w->store);
    w->store = NULL;
  }
  sql(w->path, "DELETE FROM meta WHERE name LIKE 'moved %'");
  world_open(w);
}

static void a_store_that_has_lost_its_name_is_read_as_one_without(void **state) {
  struct world *w = *state;
  const struct bulk_mark start = {0};
  struct bulk page;
  OK(w->ops->bulk_read(w->store, &w->arena, BULK_TASKS, &start, 5, &page, &w->why));
  assert_int_not_equal(page.last.source, 0);
  harm(w, "DELETE FROM meta WHERE name = 'identity'");
  OK(w->ops->bulk_read(w->store, &w->arena, BULK_TASKS, &start, 5, &page, &w->why));
  assert_int_equal(page.last.source, 0);
}

// --- foreign files, and other versions -----------------------------------------------------------

static void what_says_that_it_is_another_programs_is_left_as_it_is(void **state) {
  struct world *w = *state;
  static const char *const SIGNS[] = {"PRAGMA user_version = 3", "PRAGMA application_id = 5",
                                      "CREATE TABLE t(x)"};
  char path[80];
  for (size_t i = 0; i < sizeof SIGNS / sizeof *SIGNS; i++) {
    struct store *s;
    snprintf(path, sizeof path, "%s/other%zu.db", w->folder, i);
    sql(path, SIGNS[i]);
    for (int read_only = 0; read_only < 2; read_only++) {
      FAILS(ERR_INVALID, open_at(path, read_only, &s, &w->why));
      SAYS("is not a store of taskyard; it was left as it is");
    }
  }
}

static void an_empty_file_becomes_a_store_but_not_for_who_only_reads(void **state) {
  struct world *w = *state;
  struct store *s;
  char path[80];
  snprintf(path, sizeof path, "%s/empty.db", w->folder);
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  assert_int_equal(fclose(file), 0);
  FAILS(ERR_INVALID, open_at(path, true, &s, &w->why));
  SAYS("is not a store of taskyard");
  OK(open_at(path, false, &s, &w->why));
  s->ops->close(s);
  OK(open_at(path, true, &s, &w->why));
  s->ops->close(s);
}

static void an_older_store_is_not_read_before_a_server_has_brought_it_up_to_date(void **state) {
  struct world *w = *state;
  struct store *s;
  world_close(w);
  sql(w->path, "PRAGMA user_version = 0");
  FAILS(ERR_INVALID, open_at(w->path, true, &s, &w->why));
  SAYS("has the older schema 0; start the server once");
  sql(w->path, "PRAGMA user_version = 99");
  FAILS(ERR_INVALID, open_at(w->path, true, &s, &w->why));
  SAYS("newer taskyard (schema 99");
}

int main(void) {
  kind_now = &kinds[0];
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(a_channel_that_cannot_be_keeps_the_store_from_being_used),
      CONTRACT_TEST(gaps_in_the_numbers_of_channels_are_no_harm),
      CONTRACT_TEST(a_task_in_a_channel_that_is_not_there_is_told_however_it_is_met),
      CONTRACT_TEST(a_chain_of_events_that_breaks_off_or_has_a_loop_is_told),
      CONTRACT_TEST(an_answer_whose_fingerprint_was_cut_is_of_no_request),
      CONTRACT_TEST(a_mark_of_a_move_that_makes_no_sense_is_told),
      CONTRACT_TEST(a_store_that_has_lost_its_name_is_read_as_one_without),
      CONTRACT_TEST(what_says_that_it_is_another_programs_is_left_as_it_is),
      CONTRACT_TEST(an_empty_file_becomes_a_store_but_not_for_who_only_reads),
      CONTRACT_TEST(an_older_store_is_not_read_before_a_server_has_brought_it_up_to_date),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
