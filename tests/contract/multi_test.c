// multi_test.c: units of work in several lanes at once: of one process, and of two.
#include "contract.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"

// Each test runs twice: the other lanes belong to the same process's store, or to another's.
static bool apart;

static struct world *beside(struct world *w) { return world_beside(w, apart); }

static struct id create_many(struct world *w, size_t count) {
  struct unit *u = unit_new(w);
  struct id first = unit_create(u, STR("resize"))->id;
  for (size_t i = 1; i < count; i++) unit_create(u, STR("resize"));
  OK(unit_apply(u));
  return first;
}

// --- waiting for each other ----------------------------------------------------------------------

// A load in a thread of its own.
struct background {
  struct world *w;
  struct load load;
  pthread_t thread;
  enum err err;
  atomic_bool ended;
};

static void *run_load(void *arg) {
  struct background *b = arg;
  b->err = b->w->ops->load(b->w->lane, &b->load, &b->w->why);
  atomic_store(&b->ended, true);
  return NULL;
}

static void start_load(struct background *b) {
  b->load.arena = &b->w->arena;
  assert_int_equal(pthread_create(&b->thread, NULL, run_load, b), 0);
}

// Returns once the server holds it back.
static void until_it_waits(struct background *b) {
  int64_t began = clock_mono_us();
  while (backdoor_i64("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                      " AND position('%s.' in query) > 0",
                      b->w->schema) == 0) {
    if (atomic_load(&b->ended)) fail_msg("the load did not wait");
    if (clock_mono_us() - began > 20000000) fail_msg("neither did the load wait nor did it end");
  }
}

static void join_load(struct background *b) {
  pthread_join(b->thread, NULL);
  struct world *w = b->w;
  OK(b->err);
}

static void a_loaded_task_is_waited_for_and_then_seen_as_it_became(void **state) {
  struct world *w = *state, *two = beside(w);
  struct id id = create_many(w, 1);
  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, id, 0));
  struct want_id want = {.tenant = 1, .id = id};
  struct background second = {.w = two, .load = {.ids = &want, .id_count = 1}};
  start_load(&second);
  until_it_waits(&second);
  OK(unit_apply(u));
  join_load(&second);
  assert_int_equal(want.row->task.status, TASK_RUNNING);
  assert_int_equal(want.row->was_revision, 2);
  struct unit *done = unit_new(two);
  unit_finish(done, want.row, TASK_COMPLETED);
  OK(unit_apply(done));
  assert_int_equal(world_tally(w, 1).count[TASK_COMPLETED], 1);
  assert_int_equal(world_check(w), 0);
}

static void a_task_that_ends_or_goes_while_it_is_waited_for_is_seen_so(void **state) {
  struct world *w = *state, *two = beside(w);
  struct id ends = create_many(w, 1), goes = create_many(w, 1);
  struct unit *u = unit_new(w);
  unit_finish(u, world_load(w, ends, 0), TASK_CANCELLED);
  struct row *gone = world_load(w, goes, 0);
  unit_change(u, gone, EVENT_DELETED);
  gone->gone = true;
  struct want_id wants[] = {{.tenant = 1, .id = goes}, {.tenant = 1, .id = ends}};
  struct background second = {.w = two, .load = {.ids = wants, .id_count = 2}};
  start_load(&second);
  until_it_waits(&second);
  OK(unit_apply(u));
  join_load(&second);
  assert_null(wants[0].row);
  assert_non_null(wants[1].row);
  assert_int_equal(wants[1].row->task.status, TASK_CANCELLED);
  two->ops->abandon(two->lane);
}

static void a_task_that_is_sent_back_to_work_while_it_is_waited_for_is_seen_so(void **state) {
  struct world *w = *state, *two = beside(w);
  struct id id = create_many(w, 1);
  struct unit *u = unit_new(w);
  unit_finish(u, world_load(w, id, 0), TASK_FAILED);
  OK(unit_apply(u));
  struct unit *retry = unit_new(w);
  struct task *t = unit_change(retry, world_load(w, id, 0), EVENT_RETRIED);
  t->status = TASK_PENDING;
  t->waiting = WAIT_WORKER;
  t->completed_at = 0;
  struct want_id want = {.tenant = 1, .id = id};
  struct background second = {.w = two, .load = {.ids = &want, .id_count = 1}};
  start_load(&second);
  until_it_waits(&second);
  OK(unit_apply(retry));
  join_load(&second);
  assert_non_null(want.row);
  assert_int_equal(want.row->task.status, TASK_PENDING);
  two->ops->abandon(two->lane);
}

static void what_is_abandoned_is_given_back_as_it_was(void **state) {
  struct world *w = *state, *two = beside(w);
  struct id id = create_many(w, 1);
  world_load(w, id, 0)->task.priority = 9;
  struct want_id want = {.tenant = 1, .id = id};
  struct background second = {.w = two, .load = {.ids = &want, .id_count = 1}};
  start_load(&second);
  until_it_waits(&second);
  w->ops->abandon(w->lane);
  join_load(&second);
  assert_int_equal(want.row->task.priority, 0);
  two->ops->abandon(two->lane);
}

static void the_catalogue_is_changed_by_one_unit_at_a_time(void **state) {
  struct world *w = *state, *two = beside(w);
  struct catalog before = {0};
  OK(w->ops->catalog(w->store, &w->arena, &before, &w->why));
  struct load load = {.arena = &w->arena, .catalog = true, .catalog_version = before.version};
  OK(w->ops->load(w->lane, &load, &w->why));
  assert_null(load.changed);
  struct queue queue = {1, STR("voice"), true};
  struct unit *u = unit_new(w);
  u->change.queues = &queue;
  u->change.queue_count = 1;
  struct background second = {.w = two,
                              .load = {.catalog = true, .catalog_version = before.version}};
  start_load(&second);
  until_it_waits(&second);
  OK(unit_apply(u));
  join_load(&second);
  assert_non_null(second.load.changed);
  assert_true(second.load.changed->version > before.version);
  assert_int_equal(second.load.changed->queue_count, 1);
  assert_true(second.load.changed->queues[0].paused);
  two->ops->abandon(two->lane);
}

// --- passing each other over ---------------------------------------------------------------------

static void what_one_unit_picked_another_passes_over(void **state) {
  struct world *w = *state, *two = beside(w);
  create_many(w, 3);
  struct pick first = world_pick(w, (struct pick){.limit = 2});
  struct pick second = world_pick(two, (struct pick){.limit = 9});
  assert_int_equal(first.row_count, 2);
  assert_int_equal(second.row_count, 1);
  for (size_t i = 0; i < 2; i++)
    assert_false(id_eq(first.rows[i]->task.id, second.rows[0]->task.id));
  w->ops->abandon(w->lane);
  two->ops->abandon(two->lane);
  // What was given back may be passed over by a hasty look, but not for long.
  int64_t began = clock_mono_us();
  while (second.row_count < 3 && clock_mono_us() - began < 5000000) {
    second = world_pick(two, (struct pick){.limit = 9});
    two->ops->abandon(two->lane);
  }
  assert_int_equal(second.row_count, 3);
  assert_false(second.busy);
}

static void a_pick_that_finds_all_of_it_held_says_busy_and_one_that_finds_none_does_not(
    void **state) {
  struct world *w = *state, *two = beside(w);
  create_many(w, 2);
  struct unit *u = unit_new(w);
  struct pick first = world_pick(w, (struct pick){.limit = 2});
  struct pick second = world_pick(two, (struct pick){.limit = 2});
  assert_int_equal(second.row_count, 0);
  assert_true(second.busy);
  two->ops->abandon(two->lane);
  for (size_t i = 0; i < 2; i++) unit_claim(u, first.rows[i]);
  OK(unit_apply(u));
  second = world_pick(two, (struct pick){.limit = 2, .sure = true});
  assert_int_equal(second.row_count, 0);
  assert_false(second.busy);
  two->ops->abandon(two->lane);
}

static void a_task_that_another_unit_loaded_is_not_picked(void **state) {
  struct world *w = *state, *two = beside(w);
  struct id id = create_many(w, 1);
  world_load(w, id, 0);
  struct pick pick = world_pick(two, (struct pick){.limit = 2});
  assert_int_equal(pick.row_count, 0);
  assert_true(pick.busy);
  w->ops->abandon(w->lane);
  two->ops->abandon(two->lane);
}

// A claim of a type that is new, while what became known meanwhile is known already.
static void a_type_that_comes_up_while_a_pick_is_under_way_is_picked(void **state) {
  struct world *w = *state, *two = beside(w);
  struct id id = create_many(w, 1);
  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, id, 0));
  struct id fresh = unit_create(u, STR("enlarge"))->id;
  struct want_id want = {.tenant = 1, .id = id};
  struct pick pick = {
      .tenant = 1, .types = &STR("enlarge"), .type_count = 1, .limit = 1, .bytes_max = 1000};
  struct background second = {
      .w = two, .load = {.ids = &want, .id_count = 1, .picks = &pick, .pick_count = 1}};
  start_load(&second);
  until_it_waits(&second);
  OK(unit_apply(u));
  join_load(&second);
  assert_int_equal(pick.row_count, 1);
  assert_true(id_eq(pick.rows[0]->task.id, fresh));
  two->ops->abandon(two->lane);
}

static void due_tasks_are_swept_by_one_unit_only(void **state) {
  struct world *w = *state, *two = beside(w);
  struct unit *u = unit_new(w);
  for (int i = 1; i <= 5; i++) {
    struct task *t = unit_create(u, STR("resize"));
    t->waiting = WAIT_TIME;
    t->wake_at = i * 100;
  }
  OK(unit_apply(u));
  struct load first = {.arena = &w->arena, .due_at = 1000, .due_limit = 2};
  struct load second = {.arena = &two->arena, .due_at = 1000, .due_limit = 10};
  OK(w->ops->load(w->lane, &first, &w->why));
  OK_IN(two, two->ops->load(two->lane, &second, &two->why));
  assert_int_equal(first.due_count, 2);
  assert_int_equal(second.due_count, 3);
  assert_int_equal(first.due[0]->task.wake_at, 100);
  assert_int_equal(second.due[0]->task.wake_at, 300);
  struct unit *sweep = unit_new(w);
  for (size_t i = 0; i < 2; i++) {
    struct task *t = unit_change(sweep, first.due[i], EVENT_DUE);
    t->waiting = WAIT_WORKER;
    t->wake_at = 0;
  }
  OK(unit_apply(sweep));
  two->ops->abandon(two->lane);
  OK_IN(two, two->ops->load(two->lane, &second, &two->why));
  assert_int_equal(second.due_count, 3);
  two->ops->abandon(two->lane);
  int64_t next = 0;
  OK_IN(two, two->ops->wake_next(two->lane, &next, &two->why));
  assert_int_equal(next, 300);
}

// --- getting in each other's way -----------------------------------------------------------------

static void a_row_that_another_lane_changed_since_is_a_conflict_and_nothing_is_done(void **state) {
  struct world *w = *state, *two = beside(w);
  struct id id = create_many(w, 1), other = create_many(w, 1);
  struct row *stale = world_load(w, id, 0);
  w->ops->abandon(w->lane);
  struct unit *theirs = unit_new(two);
  unit_change(theirs, world_load(two, id, 0), EVENT_CHANGED)->priority = 5;
  OK(unit_apply(theirs));

  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, other, 0));
  unit_claim(u, stale);
  struct task *fresh = unit_create(u, STR("brand-new"));
  FAILS(ERR_CONFLICT, unit_apply(u));
  struct task *t = NULL;
  FAILS(ERR_NOT_FOUND,
        two->ops->read_task(two->reader, &two->arena, 1, fresh->id, 0, &t, &two->why));
  assert_int_equal(world_read(two, id)->priority, 5);
  assert_int_equal(world_read(two, other)->status, TASK_PENDING);
  assert_int_equal(world_events(two, (struct event_filter){0}).count, 3);
  assert_int_equal(world_tally(two, 1).ready, 2);
  assert_int_equal(world_check(w), 0);
}

static struct row *find_unique(struct world *w, struct str key) {
  struct want_unique want = {.tenant = 1, .key = key};
  struct load load = {.arena = &w->arena, .uniques = &want, .unique_count = 1};
  OK(w->ops->load(w->lane, &load, &w->why));
  return want.row;
}

static void of_two_units_that_use_a_unique_key_the_second_finds_the_first(void **state) {
  struct world *w = *state, *two = beside(w);
  assert_null(find_unique(w, STR("order-1")));
  assert_null(find_unique(two, STR("order-1")));
  struct unit *first = unit_new(w), *second = unit_new(two);
  struct task *winner = unit_create(first, STR("resize"));
  winner->unique_key = STR("order-1");
  unit_create(second, STR("resize"))->unique_key = STR("order-1");
  OK(unit_apply(first));
  FAILS_IN(two, ERR_CONFLICT, unit_apply(second));
  struct row *found = find_unique(two, STR("order-1"));
  assert_non_null(found);
  assert_true(id_eq(found->task.id, winner->id));
  two->ops->abandon(two->lane);
  assert_int_equal(world_tally(two, 1).ready, 1);
}

static struct replay *find_replay(struct world *w, struct str key) {
  struct want_replay want = {.tenant = 1, .key = key};
  struct load load = {.arena = &w->arena, .replays = &want, .replay_count = 1};
  OK(w->ops->load(w->lane, &load, &w->why));
  return want.found;
}

static enum err keep_answer(struct world *w, const struct replay *replay) {
  struct unit *u = unit_new(w);
  unit_create(u, STR("resize"));
  u->change.replays = replay;
  u->change.replay_count = 1;
  return unit_apply(u);
}

static void of_two_units_that_answer_a_key_the_second_finds_the_answer_of_the_first(void **state) {
  struct world *w = *state, *two = beside(w);
  const struct replay first = {.tenant = 1, .key = STR("k"), .body = STR("one"), .at = 100};
  const struct replay second = {.tenant = 1, .key = STR("k"), .body = STR("two"), .at = 101};
  assert_null(find_replay(w, STR("k")));
  assert_null(find_replay(two, STR("k")));
  OK(keep_answer(w, &first));
  FAILS_IN(two, ERR_CONFLICT, keep_answer(two, &second));
  struct replay *found = find_replay(two, STR("k"));
  assert_non_null(found);
  assert_str(found->body, STR("one"));
  two->ops->abandon(two->lane);
  assert_int_equal(world_tally(two, 1).ready, 1);
}

static void an_answer_that_is_replaced_is_found_by_all_even_if_it_was_dropped(void **state) {
  struct world *w = *state, *two = beside(w);
  struct replay answer = {.tenant = 1, .key = STR("k"), .body = STR("old"), .at = 100};
  OK(keep_answer(w, &answer));
  assert_str(find_replay(two, STR("k"))->body, STR("old"));
  answer = (struct replay){
      .tenant = 1, .key = STR("k"), .body = STR("new"), .at = 900, .replaces = true};
  OK_IN(two, keep_answer(two, &answer));
  assert_str(find_replay(w, STR("k"))->body, STR("new"));
  struct unit *drop = unit_new(two);
  drop->change.replays_before = 1000;
  OK_IN(two, unit_apply(drop));
  OK(keep_answer(w, &answer));
  assert_str(find_replay(two, STR("k"))->body, STR("new"));
  two->ops->abandon(two->lane);
}

// --- many at once --------------------------------------------------------------------------------

enum { PARTIES = 4, UNITS_EACH = 200 };

// A thread with a lane of its own. What goes wrong in it is counted, and said, and asserted later.
struct party {
  struct world *w;
  int number, failed, conflicts;
  bool (*step)(struct party *p, int i);  // one unit; false: it conflicted, do it again
  pthread_t thread;
  struct id *ids;  // what the test hands to all
  size_t id_count;
};

// Of a step's calls: tells whether to go on, to try again, or to note a failure.
static bool went_well(struct party *p, enum err err, bool *again) {
  *again = err == ERR_CONFLICT;
  p->conflicts += *again;
  if (err != ERR_OK && !*again) {
    print_error("%s: %s\n", err_code(err), p->w->why.detail);
    p->failed++;
  }
  return err == ERR_OK;
}

static void *run_party(void *arg) {
  struct party *p = arg;
  for (int i = 0; i < UNITS_EACH && !p->failed; i++)
    while (!p->step(p, i)) arena_reset(&p->w->arena);
  return NULL;
}

// How many units had to be done again; -1: something failed.
static int run_parties(struct world *w, struct party parties[PARTIES],
                       bool (*step)(struct party *p, int i), struct id *ids, size_t id_count) {
  for (int i = 0; i < PARTIES; i++) {
    // Lanes of one process, or of a process each.
    struct world *mine = i == 0 ? w : beside(w);
    parties[i] =
        (struct party){.w = mine, .number = i, .step = step, .ids = ids, .id_count = id_count};
  }
  for (int i = 0; i < PARTIES; i++)
    assert_int_equal(pthread_create(&parties[i].thread, NULL, run_party, &parties[i]), 0);
  int conflicts = 0;
  for (int i = 0; i < PARTIES; i++) {
    pthread_join(parties[i].thread, NULL);
    if (parties[i].failed) return -1;
    conflicts += parties[i].conflicts;
  }
  return conflicts;
}

static bool create_one(struct party *p, int i) {
  struct unit *u = unit_new(p->w);
  bool again = false;
  unit_create(u, i % 2 ? STR("resize") : STR("email"));
  went_well(p, unit_apply(u), &again);
  return !again;
}

// Reads the feed as it grows. Whoever has seen number n never meets one before n later: so each
// page must go on right where the one before ended.
struct tail {
  struct world *w;
  pthread_t thread;
  atomic_bool over;  // nothing will be added
  int64_t last, pages;
  bool gap, failed;
};

static void *follow_feed(void *arg) {
  struct tail *t = arg;
  struct event_page page = {0};
  bool over = false;
  while (!t->failed && (page.count || !over)) {
    struct event_filter filter = {.tenant = 1, .after = t->last, .limit = 100};
    over = atomic_load(&t->over);
    t->failed = t->w->ops->read_events(t->w->reader, &t->w->arena, &filter, &page, &t->w->why);
    for (size_t i = 0; i < page.count; i++) t->gap |= page.events[i].seq != ++t->last;
    t->pages += page.count > 0;
    arena_reset(&t->w->arena);
  }
  return NULL;
}

static void events_of_many_lanes_are_numbered_without_a_gap_and_appear_in_order(void **state) {
  struct world *w = *state;
  struct party parties[PARTIES];
  struct tail tail = {.w = beside(w)};
  assert_int_equal(pthread_create(&tail.thread, NULL, follow_feed, &tail), 0);
  int conflicts = run_parties(w, parties, create_one, NULL, 0);
  atomic_store(&tail.over, true);
  pthread_join(tail.thread, NULL);
  assert_int_equal(conflicts, 0);
  assert_false(tail.gap || tail.failed);
  assert_true(tail.pages > PARTIES);  // it did read while they wrote
  assert_int_equal(tail.last, PARTIES * UNITS_EACH);
  assert_int_equal(world_tally(w, 1).ready, PARTIES * UNITS_EACH);
  assert_int_equal(world_check(w), 0);
}

static bool claim_some(struct party *p, int i) {
  (void)i;
  bool again = false;
  struct pick pick = {.tenant = 1, .limit = 3, .bytes_max = 1 << 20};
  struct load load = {.arena = &p->w->arena, .picks = &pick, .pick_count = 1};
  if (!went_well(p, p->w->ops->load(p->w->lane, &load, &p->w->why), &again)) return !again;
  if (pick.row_count == 0) {
    p->w->ops->abandon(p->w->lane);
    return !pick.busy;
  }
  struct unit *u = unit_new(p->w);
  for (size_t k = 0; k < pick.row_count; k++) unit_claim(u, pick.rows[k]);
  went_well(p, unit_apply(u), &again);
  return !again;
}

static void each_task_is_claimed_by_one_lane_and_none_is_left(void **state) {
  struct world *w = *state;
  struct party parties[PARTIES];
  create_many(w, 1000);
  assert_int_equal(run_parties(w, parties, claim_some, NULL, 0), 0);
  struct tally tally = world_tally(w, 1);
  assert_int_equal(tally.count[TASK_RUNNING], 1000);
  assert_int_equal(tally.ready, 0);
  assert_int_equal(world_events(w, (struct event_filter){.after = 1000, .limit = 1000}).count,
                   1000);
  assert_int_equal(world_check(w), 0);
}

// Loads some tasks that others load too, in an order of its own, and raises the priority of each.
static bool raise_some(struct party *p, int i) {
  struct want_id wants[4];
  bool again = false;
  for (int k = 0; k < 4; k++) {
    size_t at = (size_t)(p->number % 2 ? i + k : i + 3 - k) % p->id_count;
    wants[k] = (struct want_id){.tenant = 1, .id = p->ids[at]};
  }
  struct load load = {.arena = &p->w->arena, .ids = wants, .id_count = 4};
  if (!went_well(p, p->w->ops->load(p->w->lane, &load, &p->w->why), &again)) return !again;
  struct unit *u = unit_new(p->w);
  for (int k = 0; k < 4; k++) unit_change(u, wants[k].row, EVENT_CHANGED)->priority++;
  went_well(p, unit_apply(u), &again);
  arena_reset(&p->w->arena);
  return !again;
}

static void units_that_name_the_same_tasks_in_any_order_wait_and_lose_nothing(void **state) {
  struct world *w = *state;
  struct party parties[PARTIES];
  struct id ids[7];
  for (size_t i = 0; i < 7; i++) ids[i] = create_many(w, 1);
  assert_int_equal(run_parties(w, parties, raise_some, ids, 7), 0);
  int64_t sum = 0;
  for (size_t i = 0; i < 7; i++) sum += world_read(w, ids[i])->priority;
  assert_int_equal(sum, PARTIES * UNITS_EACH * 4);
  assert_int_equal(world_check(w), 0);
}

// Creates a task under a unique key that all use, if there is none, and keeps an answer to a
// request that all got. Each is of a type that all begin to use then.
static bool create_keyed(struct party *p, int i) {
  struct world *w = p->w;
  bool again = false;
  struct str key = arena_printf(&w->arena, "key-%d", i / 4);
  struct want_unique unique = {.tenant = 1, .key = key};
  struct want_replay replay = {.tenant = 1, .key = key};
  struct load load = {.arena = &w->arena,
                      .uniques = &unique,
                      .unique_count = 1,
                      .replays = &replay,
                      .replay_count = 1};
  if (!went_well(p, w->ops->load(w->lane, &load, &w->why), &again)) return !again;
  if (unique.row || replay.found) {
    w->ops->abandon(w->lane);
    return true;
  }
  struct unit *u = unit_new(w);
  struct replay answer = {.tenant = 1, .key = key, .body = STR("done"), .at = 5};
  unit_create(u, arena_printf(&w->arena, "type-%d", i / 4))->unique_key = key;
  u->change.replays = &answer;
  u->change.replay_count = 1;
  went_well(p, unit_apply(u), &again);
  return !again;
}

static void keys_that_all_use_are_taken_once_each(void **state) {
  struct world *w = *state;
  struct party parties[PARTIES];
  assert_true(run_parties(w, parties, create_keyed, NULL, 0) >= 0);
  assert_int_equal(world_tally(w, 1).ready, UNITS_EACH / 4);
  struct tally *list = NULL;
  size_t count = 0;
  OK(w->ops->read_tallies(w->reader, &w->arena, 1, &list, &count, &w->why));
  assert_int_equal(count, UNITS_EACH / 4);
  assert_int_equal(world_check(w), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(a_loaded_task_is_waited_for_and_then_seen_as_it_became),
      CONTRACT_TEST(a_task_that_ends_or_goes_while_it_is_waited_for_is_seen_so),
      CONTRACT_TEST(a_task_that_is_sent_back_to_work_while_it_is_waited_for_is_seen_so),
      CONTRACT_TEST(what_is_abandoned_is_given_back_as_it_was),
      CONTRACT_TEST(the_catalogue_is_changed_by_one_unit_at_a_time),
      CONTRACT_TEST(what_one_unit_picked_another_passes_over),
      CONTRACT_TEST(a_pick_that_finds_all_of_it_held_says_busy_and_one_that_finds_none_does_not),
      CONTRACT_TEST(a_task_that_another_unit_loaded_is_not_picked),
      CONTRACT_TEST(a_type_that_comes_up_while_a_pick_is_under_way_is_picked),
      CONTRACT_TEST(due_tasks_are_swept_by_one_unit_only),
      CONTRACT_TEST(a_row_that_another_lane_changed_since_is_a_conflict_and_nothing_is_done),
      CONTRACT_TEST(of_two_units_that_use_a_unique_key_the_second_finds_the_first),
      CONTRACT_TEST(of_two_units_that_answer_a_key_the_second_finds_the_answer_of_the_first),
      CONTRACT_TEST(an_answer_that_is_replaced_is_found_by_all_even_if_it_was_dropped),
      CONTRACT_TEST(events_of_many_lanes_are_numbered_without_a_gap_and_appear_in_order),
      CONTRACT_TEST(each_task_is_claimed_by_one_lane_and_none_is_left),
      CONTRACT_TEST(units_that_name_the_same_tasks_in_any_order_wait_and_lose_nothing),
      CONTRACT_TEST(keys_that_all_use_are_taken_once_each),
  };
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  int failed = cmocka_run_group_tests_name("one process", tests, NULL, NULL);
  apart = true;
  return failed + cmocka_run_group_tests_name("two processes", tests, NULL, NULL);
}
