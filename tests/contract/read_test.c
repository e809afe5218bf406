// read_test.c: lists, pages, events and tallies as readers see them.
#include "contract.h"

#include "model/limits.h"

static struct task_page list(struct world *w, struct task_filter filter) {
  if (!filter.tenant) filter.tenant = 1;
  if (!filter.limit) filter.limit = 50;
  struct task_page page = {0};
  OK(w->ops->read_tasks(w->reader, &w->arena, &filter, &page, &w->why));
  return page;
}

// --- filters -------------------------------------------------------------------------------------

// A handful of tasks that differ in what lists can ask for.
static void make_some(struct world *w) {
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  t->name = STR("Holiday Pictures");
  t->project = STR("p1");
  t->subject = STR("album-7");
  t->tags = STR("{\"env\":\"prod\",\"a.b\\u0022\":\"x\"}");
  w->now += 1000;
  t = unit_create(u, STR("email"));
  t->queue = STR("bulk");
  t->project = STR("p1");
  t->unique_key = STR("u1");
  t->tags = STR("{\"env\":\"test\",\"note\":\"\"}");
  w->now += 1000;
  t = unit_create(u, STR("email"));
  t->status = TASK_FAILED;
  t->waiting = WAIT_NONE;
  t->completed_at = w->now;
  t->worker = STR("w1");
  t->description = STR("100% of it");
  w->now += 1000;
  t = unit_create(u, STR("report"));
  t->status = TASK_CANCELLED;
  t->waiting = WAIT_NONE;
  t->completed_at = w->now;
  w->now += 1000;
  t = unit_create(u, STR("resize"));
  t->tenant = u->events[4].event.tenant = 2;
  t->project = STR("p1");
  OK(unit_apply(u));
}

static void each_filter_finds_what_it_says(void **state) {
  struct world *w = *state;
  int64_t start = w->now;
  make_some(w);
  const struct str email = STR("email"), bulk = STR("bulk"), two[] = {STR("resize"), STR("report")};
  const struct {
    struct task_filter filter;
    size_t count;
  } cases[] = {
      {{0}, 4},
      {{.tenant = 2}, 1},
      {{.tenant = 3}, 0},
      {{.statuses = 1 << TASK_PENDING}, 2},
      {{.statuses = 1 << TASK_FAILED}, 1},
      {{.statuses = 1 << TASK_FAILED | 1 << TASK_CANCELLED}, 2},
      {{.statuses = 1 << TASK_COMPLETED}, 0},
      {{.types = &email, .type_count = 1}, 2},
      {{.types = two, .type_count = 2}, 2},
      {{.queues = &bulk, .queue_count = 1}, 1},
      {{.types = two, .type_count = 2, .queues = &bulk, .queue_count = 1}, 0},
      {{.tag_name = STR("env"), .tag_value = STR("prod")}, 1},
      {{.tag_name = STR("a.b\""), .tag_value = STR("x")}, 1},
      {{.tag_name = STR("env"), .tag_value = STR("pro")}, 0},
      {{.tag_name = STR("env")}, 0},  // no value is the empty one
      {{.tag_name = STR("note")}, 1},
      {{.project = STR("p1")}, 2},
      {{.project = STR("p1"), .types = &email, .type_count = 1}, 1},
      {{.subject = STR("album-7")}, 1},
      {{.subject = STR("album-7"), .project = STR("p2")}, 0},
      {{.worker = STR("w1")}, 1},
      {{.unique_key = STR("u1")}, 1},
      {{.unique_key = STR("u1"), .statuses = 1 << TASK_FAILED}, 0},
      {{.text = STR("PICTURES")}, 1},
      {{.text = STR("album")}, 1},
      {{.text = STR("100%")}, 1},
      {{.text = STR("rEs")}, 1},
      {{.text = STR("nowhere")}, 0},
      {{.text = STR("")}, 4},
      {{.created_after = start}, 3},
      {{.created_before = start + 1000}, 1},
      {{.created_after = start, .created_before = start + 2000}, 1},
      {{.ready_only = true}, 2},
      {{.ready_only = true, .types = &email, .type_count = 1}, 1},
      {{.ready_only = true, .project = STR("p1"), .text = STR("holiday")}, 1},
      {{.ready_only = true, .statuses = 1 << TASK_FAILED}, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct task_page page = list(w, cases[i].filter);
    if (page.count != cases[i].count) print_error("case %zu\n", i);
    assert_int_equal(page.count, cases[i].count);
    assert_false(page.more);
  }
}

static void a_task_is_found_by_a_part_of_its_id(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  world_create(w, STR("resize"));
  char text[ID_TEXT_BYTES];
  id_text(id, text);
  struct task_page page = list(w, (struct task_filter){.text = {text + 12, 20}});
  assert_int_equal(page.count, 1);
  assert_true(id_eq(page.tasks[0]->id, id));
}

static void a_list_carries_parts_only_when_asked(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  t->status = TASK_COMPLETED;
  t->waiting = WAIT_NONE;
  t->completed_at = w->now;
  t->payload = STR("[1]");
  t->result = STR("[2]");
  u->rows[0]->result_new = true;
  OK(unit_apply(u));
  struct task *got = list(w, (struct task_filter){0}).tasks[0];
  assert_str(got->payload, STR_NONE);
  assert_str(got->result, STR_NONE);
  got = list(w, (struct task_filter){.parts = PART_RESULT}).tasks[0];
  assert_str(got->payload, STR_NONE);
  assert_str(got->result, STR("[2]"));
}

// --- pages ---------------------------------------------------------------------------------------

static void pages_meet_each_task_once_newest_first(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  for (int i = 0; i < 95; i++) unit_create(u, i % 2 ? STR("odd") : STR("even"));
  OK(unit_apply(u));
  struct task_filter filter = {.limit = 10};
  size_t seen = 0;
  for (bool more = true; more;) {
    struct task_page page = list(w, filter);
    for (size_t i = 0; i < page.count; i++)
      assert_true(id_eq(page.tasks[i]->id, u->rows[94 - seen++]->task.id));
    more = page.more;
    filter.before = page.last;
  }
  assert_int_equal(seen, 95);
}

static void pages_in_claim_order_meet_each_ready_task_once(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  for (int i = 0; i < 95; i++)
    unit_create(u, i % 3 ? STR("odd") : STR("even"))->priority = i * 7 % 4;
  OK(unit_apply(u));
  struct pick pick = world_pick(w, (struct pick){.limit = 100});
  w->ops->abandon(w->lane);
  struct task_filter filter = {.limit = 10, .ready_only = true};
  size_t seen = 0;
  for (bool more = true; more;) {
    struct task_page page = list(w, filter);
    for (size_t i = 0; i < page.count; i++)
      assert_true(id_eq(page.tasks[i]->id, pick.rows[seen++]->task.id));
    more = page.more;
    filter.before = page.last;
    filter.before_priority = page.last_priority;
  }
  assert_int_equal(seen, 95);
}

static void a_long_look_for_little_is_cut_into_pages(void **state) {
  struct world *w = *state;
  struct unit *first = unit_new(w);
  unit_create(first, STR("resize"))->name = STR("needle");
  OK(unit_apply(first));
  for (int i = 0; i < LIMIT_SCAN_ROWS + 500; i += 500) {
    struct unit *u = unit_new(w);
    u->change.event_count = 0;
    for (int k = 0; k < 500; k++) {
      unit_create(u, STR("resize"));
      u->change.event_count = 0;
    }
    OK(unit_apply(u));
    arena_reset(&w->arena);
  }
  struct task_page page = list(w, (struct task_filter){.text = STR("needle")});
  assert_int_equal(page.count, 0);
  assert_true(page.more);
  page = list(w, (struct task_filter){.text = STR("needle"), .before = page.last});
  assert_int_equal(page.count, 1);
  assert_false(page.more);
}

static void a_page_ends_behind_the_task_whose_parts_pass_its_bytes(void **state) {
  struct world *w = *state;
  enum { BYTES = LIMIT_PAGE_BYTES / 2 + 1000 };
  char *payload = memset(arena_alloc(&w->arena, BYTES), '7', BYTES);
  struct id ids[3];
  for (int i = 0; i < 3; i++) {
    struct unit *u = unit_new(w);
    struct task *t = unit_create(u, STR("resize"));
    t->payload = (struct str){payload, BYTES};
    ids[i] = t->id;
    OK(unit_apply(u));
  }
  struct task_filter filter = {.parts = PART_PAYLOAD};
  for (int ready = 0; ready < 2; ready++) {
    filter.ready_only = ready;
    filter.before = (struct id){0};
    struct task_page page = list(w, filter);
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    assert_int_equal(page.tasks[1]->payload.len, BYTES);
    filter.before = page.last;
    filter.before_priority = page.last_priority;
    page = list(w, filter);
    assert_int_equal(page.count, 1);
    assert_false(page.more);
    assert_true(id_eq(page.tasks[0]->id, ids[ready ? 2 : 0]));
  }
  assert_int_equal(list(w, (struct task_filter){0}).count, 3);
}

// --- events --------------------------------------------------------------------------------------

static void a_feed_is_read_page_by_page(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  for (int i = 0; i < 25; i++) {
    struct task *t = unit_create(u, i % 5 ? STR("resize") : STR("email"));
    t->queue = i % 2 ? STR("bulk") : STR("default");
  }
  OK(unit_apply(u));
  struct event_page page = world_events(w, (struct event_filter){.limit = 10});
  assert_int_equal(page.count, 10);
  assert_true(page.more);
  page = world_events(w, (struct event_filter){.limit = 15, .after = 10});
  assert_int_equal(page.count, 15);
  assert_int_equal(page.events[0].seq, 11);
  assert_false(page.more);
  assert_int_equal(world_events(w, (struct event_filter){.type = STR("email")}).count, 5);
  assert_int_equal(world_events(w, (struct event_filter){.queue = STR("bulk")}).count, 12);
  assert_int_equal(
      world_events(w, (struct event_filter){.queue = STR("bulk"), .type = STR("email")}).count, 2);
  assert_int_equal(world_events(w, (struct event_filter){.tenant = 2}).count, 0);
  assert_int_equal(world_events(w, (struct event_filter){.after = INT64_MAX}).count, 0);
}

static void a_chain_is_read_page_by_page_oldest_first(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct unit *u = unit_new(w);
  struct row *row = world_load(w, id, 0);
  unit_change(u, row, EVENT_PROGRESS);
  for (int i = 0; i < 23; i++) {
    unit_create(u, STR("email"));
    unit_event(u, row, EVENT_PROGRESS);
  }
  OK(unit_apply(u));
  int64_t after = 0;
  size_t seen = 0;
  for (bool more = true; more;) {
    struct event_page page =
        world_events(w, (struct event_filter){.task = id, .after = after, .limit = 7});
    for (size_t i = 0; i < page.count; i++, seen++) {
      assert_true(page.events[i].seq > after);
      assert_true(id_eq(page.events[i].task, id));
      after = page.events[i].seq;
    }
    more = page.more;
  }
  assert_int_equal(seen, 25);
  struct event_filter foreign = {.tenant = 2, .task = id, .limit = 5};
  struct event_page page = {0};
  FAILS(ERR_NOT_FOUND, w->ops->read_events(w->reader, &w->arena, &foreign, &page, &w->why));
}

static int64_t newest(struct world *w, int64_t tenant) {
  int64_t seq = -1;
  OK(w->ops->read_newest(w->reader, tenant, &seq, &w->why));
  return seq;
}

static void the_newest_number_is_that_of_the_tenants_last_event(void **state) {
  struct world *w = *state;
  assert_int_equal(newest(w, 1), 0);
  world_create(w, STR("resize"));
  world_create(w, STR("resize"));
  struct event_page page = world_events(w, (struct event_filter){0});
  assert_int_equal(newest(w, 1), page.events[page.count - 1].seq);
  assert_int_equal(newest(w, 1), 2);
  assert_int_equal(newest(w, 2), 0);
}

// A store that has one connection reads on it, and must not end what the unit has begun.
static void a_read_amid_a_unit_leaves_it_alone(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct row *row = world_load(w, id, 0);
  assert_int_equal(world_read(w, id)->status, TASK_PENDING);
  assert_int_equal(world_tally(w, 1).ready, 1);
  struct unit *u = unit_new(w);
  unit_claim(u, row);
  OK(unit_apply(u));
  assert_int_equal(world_read(w, id)->status, TASK_RUNNING);
}

// --- tallies -------------------------------------------------------------------------------------

static void tallies_follow_each_change(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  world_create(w, STR("resize"));
  world_create(w, STR("email"));
  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, id, 0));
  OK(unit_apply(u));
  struct tally *list = NULL;
  size_t count = 0;
  OK(w->ops->read_tallies(w->reader, &w->arena, 1, &list, &count, &w->why));
  assert_int_equal(count, 2);
  assert_str(list[0].type, STR("resize"));
  assert_str(list[0].queue, STR("default"));
  assert_int_equal(list[0].tenant, 1);
  assert_int_equal(list[0].count[TASK_PENDING], 1);
  assert_int_equal(list[0].count[TASK_RUNNING], 1);
  assert_int_equal(list[0].ready, 1);
  assert_int_equal(list[1].ready, 1);
  OK(w->ops->read_tallies(w->reader, &w->arena, 2, &list, &count, &w->why));
  assert_int_equal(count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(each_filter_finds_what_it_says),
      CONTRACT_TEST(a_task_is_found_by_a_part_of_its_id),
      CONTRACT_TEST(a_list_carries_parts_only_when_asked),
      CONTRACT_TEST(pages_meet_each_task_once_newest_first),
      CONTRACT_TEST(pages_in_claim_order_meet_each_ready_task_once),
      CONTRACT_TEST(a_long_look_for_little_is_cut_into_pages),
      CONTRACT_TEST(a_page_ends_behind_the_task_whose_parts_pass_its_bytes),
      CONTRACT_TEST(a_feed_is_read_page_by_page),
      CONTRACT_TEST(a_chain_is_read_page_by_page_oldest_first),
      CONTRACT_TEST(the_newest_number_is_that_of_the_tenants_last_event),
      CONTRACT_TEST(a_read_amid_a_unit_leaves_it_alone),
      CONTRACT_TEST(tallies_follow_each_change),
  };
  return CONTRACT_RUN(tests);
}
