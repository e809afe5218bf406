// pick_test.c: ready tasks for claims: which ones, in which order, how many.
#include "contract.h"

static struct task *add(struct unit *u, const char *queue, const char *type, int64_t priority) {
  struct task *t = unit_create(u, str_of(type));
  t->queue = str_of(queue);
  t->priority = priority;
  return t;
}

static void nothing_ready_gives_nothing(void **state) {
  struct world *w = *state;
  assert_int_equal(world_pick(w, (struct pick){.limit = 5}).row_count, 0);
  struct unit *u = unit_new(w);
  unit_create(u, STR("resize"))->waiting = WAIT_START;
  struct task *running = unit_create(u, STR("resize"));
  running->status = TASK_RUNNING;
  running->waiting = WAIT_NONE;
  OK(unit_apply(u));
  assert_int_equal(world_pick(w, (struct pick){.limit = 5}).row_count, 0);
  assert_int_equal(world_pick(w, (struct pick){.limit = 0}).row_count, 0);
}

static void higher_priority_comes_first_then_the_older(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *last = add(u, "q", "a", -5);
  struct task *third = add(u, "q", "b", 0);
  struct task *first = add(u, "q", "a", 1000000);
  struct task *fourth = add(u, "q", "a", 0);
  struct task *second = add(u, "q", "b", 7);
  OK(unit_apply(u));
  struct pick pick = world_pick(w, (struct pick){.limit = 9});
  const struct task *want[] = {first, second, third, fourth, last};
  assert_int_equal(pick.row_count, 5);
  for (size_t i = 0; i < 5; i++) assert_true(id_eq(pick.rows[i]->task.id, want[i]->id));
  w->ops->abandon(w->lane);
}

static void a_pick_takes_only_what_it_names(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  add(u, "voice", "a", 0);
  add(u, "voice", "b", 0);
  add(u, "video", "a", 0);
  struct task *foreign = add(u, "voice", "a", 9);
  foreign->tenant = u->events[3].event.tenant = 2;
  OK(unit_apply(u));
  const struct str a = STR("a"), voice = STR("voice"), video = STR("video"), none = STR("none");
  const struct {
    struct pick pick;
    size_t count;
  } cases[] = {
      {{.limit = 9}, 3},
      {{.limit = 0}, 0},
      {{.limit = 2}, 2},
      {{.limit = 9, .tenant = 2}, 1},
      {{.limit = 9, .tenant = 3}, 0},
      {{.limit = 9, .types = &a, .type_count = 1}, 2},
      {{.limit = 9, .types = &none, .type_count = 1}, 0},
      {{.limit = 9, .queues = &voice, .queue_count = 1}, 2},
      {{.limit = 9, .not_queues = &voice, .not_queue_count = 1}, 1},
      {{.limit = 9, .types = &a, .type_count = 1, .queues = &video, .queue_count = 1}, 1},
      {{.limit = 9, .queues = &voice, .queue_count = 1, .not_queues = &voice, .not_queue_count = 1},
       0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(world_pick(w, cases[i].pick).row_count, cases[i].count);
  w->ops->abandon(w->lane);
}

static void a_pick_stops_after_the_payload_that_passes_its_bytes(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  for (int i = 0; i < 5; i++) unit_create(u, STR("a"))->payload = STR("\"0123456789\"");
  OK(unit_apply(u));
  assert_int_equal(world_pick(w, (struct pick){.limit = 9, .bytes_max = 1}).row_count, 1);
  assert_int_equal(world_pick(w, (struct pick){.limit = 9, .bytes_max = 13}).row_count, 2);
  struct pick pick = world_pick(w, (struct pick){.limit = 9});
  assert_int_equal(pick.row_count, 5);
  assert_str(pick.rows[4]->task.payload, STR("\"0123456789\""));
  w->ops->abandon(w->lane);
}

static void what_is_claimed_is_not_picked_again(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  for (int i = 0; i < 10; i++) add(u, "q", "a", i % 3);
  OK(unit_apply(u));
  for (int round = 0; round < 5; round++) {
    struct unit *claim = unit_new(w);
    struct pick pick = world_pick(w, (struct pick){.limit = 2});
    assert_int_equal(pick.row_count, 2);
    for (size_t i = 0; i < 2; i++) unit_claim(claim, pick.rows[i]);
    OK(unit_apply(claim));
  }
  assert_int_equal(world_pick(w, (struct pick){.limit = 2}).row_count, 0);
  assert_int_equal(world_tally(w, 1).count[TASK_RUNNING], 10);
  assert_int_equal(world_check(w), 0);
}

static void a_claim_that_fails_leaves_its_task_ready(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("a"));
  struct unit *u = unit_new(w);
  struct pick pick = world_pick(w, (struct pick){.limit = 1});
  unit_claim(u, pick.rows[0]);
  pick.rows[0]->was_revision = 99;
  FAILS(ERR_CONFLICT, unit_apply(u));
  pick = world_pick(w, (struct pick){.limit = 1});
  assert_int_equal(pick.row_count, 1);
  assert_true(id_eq(pick.rows[0]->task.id, id));
  w->ops->abandon(w->lane);
}

static void a_changed_priority_changes_the_order(void **state) {
  struct world *w = *state;
  struct id older = world_create(w, STR("a"));
  struct id newer = world_create(w, STR("a"));
  struct unit *u = unit_new(w);
  unit_change(u, world_load(w, newer, 0), EVENT_CHANGED)->priority = 3;
  OK(unit_apply(u));
  struct pick pick = world_pick(w, (struct pick){.limit = 2});
  assert_true(id_eq(pick.rows[0]->task.id, newer));
  assert_true(id_eq(pick.rows[1]->task.id, older));
  w->ops->abandon(w->lane);
}

// --- against a plain sort ------------------------------------------------------------------------

static int by_claim_order(const void *a, const void *b) {
  const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;
  if (x->priority != y->priority) return x->priority > y->priority ? -1 : 1;
  return id_key(x->id) < id_key(y->id) ? -1 : 1;
}

static uint32_t random_next(uint32_t *seed) { return *seed = *seed * 1664525 + 1013904223; }

static void many_channels_are_merged_into_one_order(void **state) {
  struct world *w = *state;
  struct task *all[600];
  uint32_t seed = 42;
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < 600; i++) {
    struct str type = arena_printf(&w->arena, "type-%u", random_next(&seed) >> 16 & 15);
    all[i] = unit_create(u, type);
    all[i]->priority = random_next(&seed) >> 16 & 7;
  }
  OK(unit_apply(u));
  qsort(all, 600, sizeof *all, by_claim_order);
  static const size_t limits[] = {1, 2, 17, 100, 599, 600, 1000};
  for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
    struct pick pick = world_pick(w, (struct pick){.limit = limits[l]});
    assert_int_equal(pick.row_count, limits[l] < 600 ? limits[l] : 600);
    for (size_t i = 0; i < pick.row_count; i++)
      assert_true(id_eq(pick.rows[i]->task.id, all[i]->id));
  }
  w->ops->abandon(w->lane);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(nothing_ready_gives_nothing),
      CONTRACT_TEST(higher_priority_comes_first_then_the_older),
      CONTRACT_TEST(a_pick_takes_only_what_it_names),
      CONTRACT_TEST(a_pick_stops_after_the_payload_that_passes_its_bytes),
      CONTRACT_TEST(what_is_claimed_is_not_picked_again),
      CONTRACT_TEST(a_claim_that_fails_leaves_its_task_ready),
      CONTRACT_TEST(a_changed_priority_changes_the_order),
      CONTRACT_TEST(many_channels_are_merged_into_one_order),
  };
  return CONTRACT_RUN(tests);
}
