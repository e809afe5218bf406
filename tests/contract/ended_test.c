// ended_test.c: what a store brings for the cleanup: ended tasks, oldest end first, counts of all,
// and who has the cleanup.
#include "contract.h"

enum { COMPLETED = 1u << TASK_COMPLETED, FAILED = 1u << TASK_FAILED | 1u << TASK_ABANDONED };

// A task that ended `at`.
static struct task *add_ended(struct unit *u, const char *type, enum task_status status,
                              int64_t at) {
  struct task *t = unit_create(u, str_of(type));
  t->status = status;
  t->waiting = WAIT_NONE;
  t->completed_at = at;
  return t;
}

static struct id ended(struct world *w, const char *type, enum task_status status, int64_t at) {
  struct unit *u = unit_new(w);
  struct id id = add_ended(u, type, status, at)->id;
  OK(unit_apply(u));
  return id;
}

static struct want_ended wanted(const char *type, unsigned statuses, int64_t before, size_t limit) {
  return (struct want_ended){.tenant = 1,
                             .type = type ? str_of(type) : STR_NONE,
                             .statuses = statuses,
                             .before = before,
                             .limit = limit};
}

static struct load load_of(struct world *w, struct want_ended *wants, size_t count, size_t limit) {
  struct load load = {
      .arena = &w->arena, .ended = wants, .ended_count = count, .ended_limit = limit};
  OK(w->ops->load(w->lane, &load, &w->why));
  return load;
}

static void assert_rows(const struct want_ended *want, const struct id *ids, size_t count) {
  assert_int_equal(want->row_count, count);
  for (size_t i = 0; i < count; i++) assert_true(id_eq(want->rows[i]->task.id, ids[i]));
}

// --- which ones ----------------------------------------------------------------------------------

static void the_earliest_end_comes_first_whatever_was_made_first(void **state) {
  struct world *w = *state;
  struct id third = ended(w, "a", TASK_COMPLETED, 3000),
            first = ended(w, "a", TASK_COMPLETED, 1000);
  struct id second = ended(w, "a", TASK_COMPLETED, 2000);
  struct want_ended want = wanted("a", COMPLETED, 0, 10);
  load_of(w, &want, 1, 500);
  assert_rows(&want, (struct id[]){first, second, third}, 3);
  const struct row *row = want.rows[0];
  assert_int_equal(row->task.completed_at, 1000);
  assert_int_equal(row->was_revision, row->task.revision);
  assert_int_equal(row->was_status, TASK_COMPLETED);
  assert_str(row->task.type, STR("a"));
  assert_str(row->task.queue, STR("default"));
  w->ops->abandon(w->lane);
}

static void queues_and_ways_to_end_are_merged_and_others_left_out(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct id ids[4];
  for (int i = 0; i < 4; i++) {
    struct task *t = add_ended(u, "a", i % 2 ? TASK_FAILED : TASK_ABANDONED, 1000 + i);
    t->queue = i < 2 ? STR("q") : STR("r");
    ids[i] = t->id;
  }
  add_ended(u, "a", TASK_COMPLETED, 1);
  add_ended(u, "a", TASK_CANCELLED, 1);
  add_ended(u, "b", TASK_FAILED, 1);
  unit_create(u, STR("a"));
  struct task *foreign = add_ended(u, "a", TASK_FAILED, 1);
  foreign->tenant = 2;
  u->events[u->change.event_count - 1].event.tenant = 2;
  OK(unit_apply(u));
  struct want_ended want = wanted("a", FAILED, 0, 10);
  load_of(w, &want, 1, 500);
  assert_rows(&want, ids, 4);
  w->ops->abandon(w->lane);
  struct want_ended any = wanted(NULL, FAILED | COMPLETED, 0, 10);
  load_of(w, &any, 1, 500);
  assert_int_equal(any.row_count, 6);
  w->ops->abandon(w->lane);
}

static void no_more_than_the_limits_come_and_they_are_the_earliest(void **state) {
  struct world *w = *state;
  struct id ids[6];
  for (int i = 0; i < 6; i++) ids[i] = ended(w, i % 2 ? "b" : "a", TASK_COMPLETED, 1000 + i);
  struct want_ended wants[] = {wanted("a", COMPLETED, 0, 2), wanted("b", COMPLETED, 0, 3)};
  load_of(w, wants, 2, 4);
  assert_rows(&wants[0], (struct id[]){ids[0], ids[2]}, 2);
  assert_rows(&wants[1], (struct id[]){ids[1], ids[3]}, 2);
  w->ops->abandon(w->lane);
  load_of(w, wants, 2, 2);
  assert_int_equal(wants[0].row_count, 2);
  assert_int_equal(wants[1].row_count, 0);
  w->ops->abandon(w->lane);
}

static void by_a_time_come_those_that_ended_then_or_earlier_and_when_the_next_one_did(
    void **state) {
  struct world *w = *state;
  struct id first = ended(w, "a", TASK_COMPLETED, 1000), second = ended(w, "a", TASK_FAILED, 2000);
  ended(w, "a", TASK_COMPLETED, 4000);
  ended(w, "a", TASK_FAILED, 3000);
  struct want_ended want = wanted("a", COMPLETED | FAILED, 2000, 10);
  load_of(w, &want, 1, 500);
  assert_rows(&want, (struct id[]){first, second}, 2);
  assert_int_equal(want.next_at, 3000);
  w->ops->abandon(w->lane);
  want = wanted("a", COMPLETED | FAILED, 999, 10);
  load_of(w, &want, 1, 500);
  assert_int_equal(want.row_count, 0);
  assert_int_equal(want.next_at, 1000);
  w->ops->abandon(w->lane);
  want = wanted("a", COMPLETED | FAILED, 4000, 10);
  load_of(w, &want, 1, 500);
  assert_int_equal(want.row_count, 4);
  assert_int_equal(want.next_at, 0);
  w->ops->abandon(w->lane);
  want = wanted("unheard-of", COMPLETED, 4000, 10);
  load_of(w, &want, 1, 500);
  assert_int_equal(want.row_count, 0);
  w->ops->abandon(w->lane);
}

static void a_walk_may_begin_at_a_time(void **state) {
  struct world *w = *state;
  struct id ids[4];
  for (int i = 0; i < 4; i++) ids[i] = ended(w, "a", TASK_COMPLETED, 1000 + i);
  struct want_ended want = wanted("a", COMPLETED, 1002, 10);
  want.after = 1001;
  load_of(w, &want, 1, 500);
  assert_rows(&want, &ids[1], 2);
  assert_int_equal(want.next_at, 1003);
  w->ops->abandon(w->lane);
}

// --- removing them -------------------------------------------------------------------------------

static void what_was_brought_can_be_removed_with_all_that_hangs_on_it(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *t = add_ended(u, "a", TASK_COMPLETED, 1000);
  t->payload = STR("{\"n\":1}");
  t->result = STR("[2]");
  u->rows[0]->result_new = true;
  struct log_line line = {.number = 1, .at = 5, .text = STR("a line")};
  struct change_log log = {.row = u->rows[0], .lines = &line, .line_count = 1};
  t->log_lines = 1;
  u->change.logs = &log;
  u->change.log_count = 1;
  OK(unit_apply(u));
  ended(w, "a", TASK_COMPLETED, 2000);

  struct want_ended want = wanted("a", COMPLETED, 0, 1);
  load_of(w, &want, 1, 500);
  struct unit *remove = unit_new(w);
  unit_change(remove, want.rows[0], EVENT_DELETED);
  want.rows[0]->gone = true;
  OK(unit_apply(remove));
  struct task *read = NULL;
  FAILS(ERR_NOT_FOUND, w->ops->read_task(w->reader, &w->arena, 1, t->id, 0, &read, &w->why));
  assert_int_equal(world_tally(w, 1).count[TASK_COMPLETED], 1);
  assert_int_equal(world_events(w, (struct event_filter){.task = t->id}).count, 2);
  assert_int_equal(world_check(w), 0);
}

// --- counts --------------------------------------------------------------------------------------

static int64_t counted(const struct load *load, int64_t tenant, const char *queue, const char *type,
                       enum task_status status) {
  for (size_t i = 0; i < load->tally_count; i++) {
    const struct tally *t = &load->tally[i];
    if (t->tenant == tenant && str_eq(t->queue, str_of(queue)) && str_eq(t->type, str_of(type)))
      return t->count[status];
  }
  return 0;
}

static void a_unit_may_ask_for_the_counts_of_all_tenants(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  for (int i = 0; i < 3; i++) add_ended(u, "a", TASK_COMPLETED, 1000);
  add_ended(u, "a", TASK_FAILED, 1000)->queue = STR("q");
  unit_create(u, STR("b"));
  struct task *foreign = add_ended(u, "a", TASK_COMPLETED, 1000);
  foreign->tenant = 2;
  u->events[u->change.event_count - 1].event.tenant = 2;
  OK(unit_apply(u));
  for (int i = 0; i < 2; i++) {  // one after the other: what was moved since is counted too
    struct load load = {.arena = &w->arena, .tallies = true};
    OK(w->ops->load(w->lane, &load, &w->why));
    assert_int_equal(counted(&load, 1, "default", "a", TASK_COMPLETED), 3 + i);
    assert_int_equal(counted(&load, 1, "q", "a", TASK_FAILED), 1);
    assert_int_equal(counted(&load, 1, "default", "b", TASK_PENDING), 1);
    assert_int_equal(counted(&load, 2, "default", "a", TASK_COMPLETED), 1);
    w->ops->abandon(w->lane);
    ended(w, "a", TASK_COMPLETED, 1000);
  }
}

// --- several lanes and processes -----------------------------------------------------------------

static void other_units_pass_over_what_one_has_loaded(void **state) {
  struct world *w = *state;
  if (!kind_now->shared) return;
  struct world *beside = world_beside(w, true);
  struct id ids[3];
  for (int i = 0; i < 3; i++) ids[i] = ended(w, "a", TASK_COMPLETED, 1000 + i);
  struct want_ended here = wanted("a", COMPLETED, 0, 2), there = wanted("a", COMPLETED, 0, 3);
  load_of(w, &here, 1, 500);
  struct load load = {.arena = &beside->arena, .tallies = true};
  OK_IN(beside, beside->ops->load(beside->lane, &load, &beside->why));  // learns the channel
  beside->ops->abandon(beside->lane);
  load_of(beside, &there, 1, 500);
  assert_rows(&there, &ids[2], 1);
  w->ops->abandon(w->lane);
  beside->ops->abandon(beside->lane);
  struct want_ended again = wanted("a", COMPLETED, 0, 3);
  load_of(beside, &again, 1, 500);
  assert_int_equal(again.row_count, 3);
  beside->ops->abandon(beside->lane);
}

static struct duty *asked(struct world *w) {
  struct load load = {.arena = &w->arena, .cleanup = true};
  OK(w->ops->load(w->lane, &load, &w->why));
  return load.duty;
}

static void one_process_has_the_cleanup_and_the_others_see_who_and_until_when(void **state) {
  struct world *w = *state;
  if (!kind_now->shared) return;
  struct world *beside = world_beside(w, true);
  struct duty *duty = asked(w);
  assert_non_null(duty);
  assert_int_equal(duty->holder, 0);
  assert_null(asked(beside));  // while another unit is at it
  beside->ops->abandon(beside->lane);
  struct unit *u = unit_new(w);
  struct duty mine = {.holder = 4711, .until = w->now + 1000};
  u->change.duty = &mine;
  OK(unit_apply(u));
  duty = asked(beside);
  assert_non_null(duty);
  assert_int_equal(duty->holder, 4711);
  assert_int_equal(duty->until, w->now + 1000);
  beside->ops->abandon(beside->lane);
  assert_int_equal(asked(w)->holder, 4711);
  w->ops->abandon(w->lane);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(the_earliest_end_comes_first_whatever_was_made_first),
      CONTRACT_TEST(queues_and_ways_to_end_are_merged_and_others_left_out),
      CONTRACT_TEST(no_more_than_the_limits_come_and_they_are_the_earliest),
      CONTRACT_TEST(by_a_time_come_those_that_ended_then_or_earlier_and_when_the_next_one_did),
      CONTRACT_TEST(a_walk_may_begin_at_a_time),
      CONTRACT_TEST(what_was_brought_can_be_removed_with_all_that_hangs_on_it),
      CONTRACT_TEST(a_unit_may_ask_for_the_counts_of_all_tenants),
      CONTRACT_TEST(other_units_pass_over_what_one_has_loaded),
      CONTRACT_TEST(one_process_has_the_cleanup_and_the_others_see_who_and_until_when),
  };
  return CONTRACT_RUN(tests);
}
