// bulk_test.c: a whole store is moved into another one, of any kind: nothing is lost or changed, an
// interruption costs nothing, and work goes on there.
#include "app/sums.h"
#include "filled.h"

// The two stores of a test. The second has neither lane nor reader until it is opened for use.
struct pair {
  const struct kind *from_kind, *to_kind;
  struct world *from, *to;
};
static const struct kind *from_now, *to_now;

static struct world *world_of(const struct kind *kind) {
  void *state = NULL;
  kind_now = kind;
  assert_int_equal(world_setup(&state), 0);
  return state;
}

static void world_gone(struct world *w, const struct kind *kind) {
  void *state = w;
  kind_now = kind;
  assert_int_equal(world_teardown(&state), 0);
}

static void leave(struct world *w) {
  w->ops->reader_close(w->reader);
  w->ops->lane_close(w->lane);
  w->reader = NULL;
  w->lane = NULL;
}

static struct world *empty_of(const struct kind *kind) {
  struct world *w = world_of(kind);
  leave(w);
  return w;
}

// Stops and starts, where a store outlives that.
static void reopen(struct world *w, const struct kind *kind) {
  if (!kind->outlives) return;
  world_close(w);
  kind_now = kind;
  OK(world_open_store(w, &w->store));
}

static void use(struct world *w, const struct kind *kind) {
  kind_now = kind;
  world_open(w);
}

// --- moving --------------------------------------------------------------------------------------

static struct sum sum_of(struct world *w, enum bulk_part part, size_t limit) {
  struct sum sum = {0};
  struct bulk_mark mark = {0};
  struct bulk page = {.more = true};
  struct buf scratch;
  buf_init(&scratch, SUMS_ROW_BYTES);
  while (page.more) {
    OK(w->ops->bulk_read(w->store, &w->arena, part, &mark, limit, &page, &w->why));
    sums_add(&sum, part, &page, &scratch);
    mark = page.last;
    assert_int_equal(mark.rows, sum.rows);
  }
  buf_fini(&scratch);
  return sum;
}

static void assert_same(struct world *a, struct world *b) {
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) {
    struct sum first = sum_of(a, part, 1000), second = sum_of(b, part, 3);
    if (first.rows != second.rows || first.check != second.check)
      fail_msg("part %d: %d and %d rows, or what is in them", (int)part, (int)first.rows,
               (int)second.rows);
  }
}

static void copy_page(struct world *from, struct world *to, enum bulk_part part,
                      struct bulk_mark *mark, size_t limit, bool *more) {
  struct bulk page;
  OK_IN(from,
        from->ops->bulk_read(from->store, &from->arena, part, mark, limit, &page, &from->why));
  enum err err = to->ops->bulk_write(to->store, part, &page, &to->why);
  if (err != ERR_OK) fail_msg("part %d: %s", (int)part, to->why.detail);
  *mark = page.last;
  *more = page.more;
}

static void copy_part(struct world *from, struct world *to, enum bulk_part part, size_t limit) {
  struct bulk_mark mark = {0};
  bool more = true;
  while (more) copy_page(from, to, part, &mark, limit, &more);
}

static void copy_all(struct world *from, struct world *to, size_t limit) {
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) copy_part(from, to, part, limit);
  if (to->ops->bulk_written) OK_IN(to, to->ops->bulk_written(to->store, &to->why));
  OK_IN(to, to->ops->bulk_finish(to->store, &to->why));
}

// --- the tests -----------------------------------------------------------------------------------

static void everything_comes_over_as_it_was_and_back(void **state) {
  struct pair *p = *state;
  fill(p->from);
  for (enum bulk_part part = 0; part < BULK_PARTS; part++)
    assert_true(sum_of(p->from, part, 4).rows > 3);
  copy_all(p->from, p->to, 4);
  assert_same(p->from, p->to);
  use(p->to, p->to_kind);
  assert_int_equal(world_check(p->to), 0);
  for (int64_t tenant = 1; tenant <= 2; tenant++) {
    struct tally a = world_tally(p->from, tenant), b = world_tally(p->to, tenant);
    assert_int_equal(a.ready, b.ready);
    assert_memory_equal(a.count, b.count, sizeof a.count);
  }
  struct world *back = empty_of(p->from_kind);
  copy_all(p->to, back, 1000);
  assert_same(p->from, back);
  assert_int_equal(world_check(back), 0);
  world_gone(back, p->from_kind);
}

// Plans that were made when the tables were empty would read all of a tenant for each page.
static void the_planner_knows_what_was_written_before_it_is_read_back(void **state) {
  struct pair *p = *state;
  if (!p->to_kind->shared) return;
  fill(p->from);
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) copy_part(p->from, p->to, part, 1000);
  OK_IN(p->to, p->to->ops->bulk_written(p->to->store, &p->to->why));
  assert_int_equal(0, backdoor_i64("SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n "
                                   "ON n.oid = c.relnamespace WHERE n.nspname = '%s' AND c.relname "
                                   "IN ('task', 'done', 'event') AND c.reltuples <= 0",
                                   p->to->schema));
}

static void an_empty_store_can_be_moved(void **state) {
  struct pair *p = *state;
  copy_all(p->from, p->to, 10);
  assert_same(p->from, p->to);
  use(p->to, p->to_kind);
  world_create(p->to, STR("resize"));
  assert_int_equal(world_check(p->to), 0);
}

// As if the program had died after each page, once before it knew that the page was written.
static void an_interrupted_move_goes_on_behind_its_last_page(void **state) {
  struct pair *p = *state;
  struct world *from = p->from, *to = p->to;
  fill(from);
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) {
    struct bulk_mark begin = {0}, mark, last = {0};
    bool finished = false, more;
    for (int turn = 0; !finished; turn++) {
      OK_IN(to, to->ops->bulk_mark(to->store, &to->arena, part, &mark, &finished, &to->why));
      assert_int_equal(mark.rows, last.rows);
      if (finished) break;
      struct bulk_mark again = turn ? mark : begin;
      copy_page(from, to, part, &again, 4, &more);
      if (turn % 2) copy_page(from, to, part, &mark, 4, &more);
      last = again;
      reopen(to, p->to_kind);
      OK_IN(to, to->ops->bulk_mark(to->store, &to->arena, part, &mark, &finished, &to->why));
      assert_true(mark.source != 0);
      assert_int_equal(mark.source, again.source);
      assert_int_equal(finished, !more);
    }
  }
  assert_same(from, to);
  OK_IN(to, to->ops->bulk_finish(to->store, &to->why));
  use(to, p->to_kind);
  assert_same(from, to);
  assert_int_equal(world_check(to), 0);
}

static void a_half_moved_store_is_not_opened_for_use(void **state) {
  struct pair *p = *state;
  struct world *to = p->to;
  fill(p->from);
  struct store_lane *lane = NULL;
  for (enum bulk_part part = 0; part < BULK_PARTS; part++) {
    copy_part(p->from, to, part, 1000);
    reopen(to, p->to_kind);
    FAILS_IN(to, ERR_INVALID, to->ops->lane_open(to->store, &lane, &to->why));
    assert_null(lane);
    FAILS_IN(to, ERR_INVALID, to->ops->bulk_whole(to->store, &to->why));
    assert_non_null(strstr(to->why.detail, "taskyard migrate"));
    if (part + 1 < BULK_PARTS)
      FAILS_IN(to, ERR_CONFLICT, to->ops->bulk_finish(to->store, &to->why));
  }
  OK_IN(to, to->ops->bulk_finish(to->store, &to->why));
  OK_IN(to, to->ops->bulk_whole(to->store, &to->why));
  use(to, p->to_kind);
  struct bulk_mark mark;
  bool finished;
  OK_IN(to, to->ops->bulk_mark(to->store, &to->arena, BULK_CATALOG, &mark, &finished, &to->why));
  assert_false(finished);
}

static void work_goes_on_where_it_was(void **state) {
  struct pair *p = *state;
  struct world *from = p->from, *to = p->to;
  struct made made = fill(from);
  copy_all(from, to, 5);
  use(to, p->to_kind);

  // The worker that held the lease brings its result.
  struct row *row = world_load(to, made.worked_on, 0);
  assert_int_equal(row->task.lease, 4711);
  struct unit *u = unit_new(to);
  unit_finish(u, row, TASK_COMPLETED)->result = STR("[1]");
  row->result_new = true;
  OK_IN(u->w, unit_apply(u));
  assert_str(world_read(to, made.worked_on)->result, STR("[1]"));

  // Events are numbered on; those of one task are found, of a removed one too.
  struct event_page before = world_events(from, (struct event_filter){0});
  struct event_page after = world_events(to, (struct event_filter){0});
  assert_int_equal(after.count, before.count + 1);
  assert_int_equal(after.events[before.count].seq, before.events[before.count - 1].seq + 1);
  assert_int_equal(world_events(to, (struct event_filter){.task = made.worked_on}).count, 4);
  struct event_page gone = world_events(to, (struct event_filter){.task = made.removed});
  assert_int_equal(gone.count, 2);
  assert_int_equal(gone.events[1].kind, EVENT_DELETED);
  assert_str(gone.events[0].type, STR("only-once"));

  // The oldest lines stay gone.
  struct log_page page = {0};
  OK_IN(to, to->ops->read_logs(to->reader, &to->arena, 1, made.worked_on, 0, 20, &page, &to->why));
  assert_int_equal(page.count, 7);
  assert_int_equal(page.lines[0].number, 3);
  assert_int_equal(world_check(to), 0);
}

static void new_ids_come_behind_all_that_ever_were(void **state) {
  struct pair *p = *state;
  struct made made = fill(p->from);
  copy_all(p->from, p->to, 100);
  int64_t last = 0;
  OK_IN(p->to, p->to->ops->last_id(p->to->store, &last, &p->to->why));
  assert_int_equal(last, id_key(made.newest));
}

static void claims_come_in_the_same_order(void **state) {
  struct pair *p = *state;
  fill(p->from);
  copy_all(p->from, p->to, 3);
  use(p->to, p->to_kind);
  for (int64_t tenant = 1; tenant <= 2; tenant++) {
    struct pick a = world_pick(p->from, (struct pick){.tenant = tenant, .limit = 9});
    struct pick b = world_pick(p->to, (struct pick){.tenant = tenant, .limit = 9});
    assert_int_equal(a.row_count, b.row_count);
    assert_true(a.row_count > 0);
    for (size_t i = 0; i < a.row_count; i++)
      assert_true(id_eq(a.rows[i]->task.id, b.rows[i]->task.id));
    p->from->ops->abandon(p->from->lane);
    p->to->ops->abandon(p->to->lane);
  }
}

static void answers_are_kept_and_keys_hold(void **state) {
  struct pair *p = *state;
  struct world *to = p->to;
  fill(p->from);
  copy_all(p->from, to, 2);
  use(to, p->to_kind);
  struct want_replay want = {.tenant = 1, .key = STR("key:abc POST 5")};
  struct want_unique unique = {.tenant = 1, .key = STR("once")};
  struct load load = {.arena = &to->arena,
                      .replays = &want,
                      .replay_count = 1,
                      .uniques = &unique,
                      .unique_count = 1};
  OK_IN(to, to->ops->load(to->lane, &load, &to->why));
  assert_non_null(want.found);
  assert_int_equal(want.found->status, 202);
  assert_str(want.found->body, STR("{\"n\":2}"));
  assert_false(id_is_none(want.found->task));
  assert_int_equal(want.found->revision, 2);
  assert_non_null(unique.row);
  to->ops->abandon(to->lane);
  struct catalog catalog;
  OK_IN(to, to->ops->catalog(to->store, &to->arena, &catalog, &to->why));
  assert_int_equal(catalog.tenant_count, 2);
  assert_str(catalog.tenants[0].name, STR("default"));
  assert_true(catalog.queues[0].paused);
  assert_int_equal(catalog.key_count, 2);
  assert_str(catalog.keys[0].id, STR("old"));
  assert_int_equal(catalog.keys[0].expires_at, 76);
  assert_str(catalog.keys[0].service, STR_NONE);
  assert_str(catalog.keys[0].replaced_by, STR("new"));
  assert_str(catalog.keys[1].service, STR("images"));
}

static void a_change_of_one_row_shows_in_the_sums(void **state) {
  struct pair *p = *state;
  struct world *to = p->to;
  struct made made = fill(p->from);
  copy_all(p->from, to, 100);
  use(to, p->to_kind);
  struct unit *u = unit_new(to);
  struct task *t = unit_change(u, world_load(to, made.running, 0), EVENT_PROGRESS);
  t->revision--;
  t->step = STR("Encode");
  u->change.event_count = 0;
  OK_IN(u->w, unit_apply(u));
  struct sum a = sum_of(p->from, BULK_TASKS, 100), b = sum_of(to, BULK_TASKS, 100);
  assert_int_equal(a.rows, b.rows);
  assert_true(a.check != b.check);
  assert_true(sum_of(p->from, BULK_EVENTS, 9).check == sum_of(to, BULK_EVENTS, 9).check);
}

static void pages_are_no_larger_than_is_good_for_memory(void **state) {
  struct pair *p = *state;
  struct world *w = p->from;
  struct unit *u = unit_new(w);
  struct str large = long_text(w, 3 << 20);
  struct replay replays[4];
  for (int i = 0; i < 4; i++) {
    unit_create(u, STR("resize"))->payload = large;
    replays[i] = (struct replay){.tenant = 1,
                                 .key = arena_printf(&w->arena, "k%d", i),
                                 .body = large,
                                 .at = clock_now(clock_real())};
  }
  u->change.replays = replays;
  u->change.replay_count = 4;
  OK_IN(u->w, unit_apply(u));
  const struct bulk_mark start = {0};
  struct bulk page;
  OK(w->ops->bulk_read(w->store, &w->arena, BULK_TASKS, &start, 100, &page, &w->why));
  assert_int_equal(page.task_count, 2);
  assert_true(page.more);
  OK(w->ops->bulk_read(w->store, &w->arena, BULK_REPLAYS, &start, 100, &page, &w->why));
  assert_int_equal(page.replay_count, 2);
  assert_true(page.more);
  copy_all(w, p->to, 100);
  assert_same(w, p->to);
}

static void the_length_of_a_part_is_told_at_its_beginning(void **state) {
  struct pair *p = *state;
  struct world *w = p->from;
  fill(w);
  const struct bulk_mark start = {0};
  struct bulk page;
  OK(w->ops->bulk_read(w->store, &w->arena, BULK_TASKS, &start, 1, &page, &w->why));
  assert_int_equal(page.total, sum_of(w, BULK_TASKS, 100).rows);
  OK(w->ops->bulk_read(w->store, &w->arena, BULK_EVENTS, &start, 1, &page, &w->why));
  assert_int_equal(page.total, sum_of(w, BULK_EVENTS, 100).rows);
}

static struct bulk page_of(struct task *tasks, size_t count, int64_t rows) {
  return (struct bulk){
      .tasks = tasks, .task_count = count, .last = {.source = 1, .rows = rows}, .more = true};
}

// Two servers on one PostgreSQL may make ids with the same upper bits, by which SQLite keeps them.
static void ids_that_sqlite_cannot_hold_are_refused_by_name(void **state) {
  struct pair *p = *state;
  struct world *to = p->to;
  if (p->to_kind->shared) return;
  struct task tasks[3];
  for (size_t i = 0; i < 3; i++)
    tasks[i] = (struct task){.id = id_next(&to->ids, to->now),
                             .tenant = 1,
                             .queue = STR("a"),
                             .type = STR("b"),
                             .version = VERSION_NONE};
  tasks[2].id = tasks[1].id;
  tasks[2].id.lo ^= 1;
  char text[ID_TEXT_BYTES + 1] = "";
  id_text(tasks[2].id, text);
  // On one page, and on the next one.
  struct bulk twins = page_of(&tasks[1], 2, 3), first = page_of(tasks, 2, 2),
              next = page_of(&tasks[2], 1, 3);
  FAILS_IN(to, ERR_CONFLICT, to->ops->bulk_write(to->store, BULK_TASKS, &twins, &to->why));
  assert_non_null(strstr(to->why.detail, text));
  OK_IN(to, to->ops->bulk_write(to->store, BULK_TASKS, &first, &to->why));
  FAILS_IN(to, ERR_CONFLICT, to->ops->bulk_write(to->store, BULK_TASKS, &next, &to->why));
  assert_non_null(strstr(to->why.detail, text));
  assert_non_null(strstr(to->why.detail, "two servers"));
  struct bulk_mark mark;
  bool finished;
  OK_IN(to, to->ops->bulk_mark(to->store, &to->arena, BULK_TASKS, &mark, &finished, &to->why));
  assert_int_equal(mark.rows, 2);

  // Of those that are gone only the way to their events is shared; all events come over.
  struct event events[3];
  for (size_t i = 0; i < 3; i++)
    events[i] = (struct event){.tenant = 1,
                               .seq = (int64_t)i + 1,
                               .kind = EVENT_DELETED,
                               .task = {tasks[0].id.hi + 1, tasks[0].id.lo + i / 2},
                               .queue = STR("a"),
                               .type = STR("b")};
  struct bulk gone = {.events = events, .event_count = 3, .last = {.source = 1, .rows = 3}};
  OK_IN(to, to->ops->bulk_write(to->store, BULK_EVENTS, &gone, &to->why));
  assert_int_equal(sum_of(to, BULK_EVENTS, 9).rows, 3);
}

// --- all pairs -----------------------------------------------------------------------------------

static int pair_setup(void **state) {
  struct pair *p = mem_zero(sizeof *p);
  p->from_kind = from_now;
  p->to_kind = to_now;
  p->from = world_of(from_now);
  p->to = empty_of(to_now);
  *state = p;
  return 0;
}

static int pair_teardown(void **state) {
  struct pair *p = *state;
  world_gone(p->to, p->to_kind);
  world_gone(p->from, p->from_kind);
  mem_free(p);
  return 0;
}

#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      PAIR_TEST(everything_comes_over_as_it_was_and_back),
      PAIR_TEST(the_planner_knows_what_was_written_before_it_is_read_back),
      PAIR_TEST(an_empty_store_can_be_moved),
      PAIR_TEST(an_interrupted_move_goes_on_behind_its_last_page),
      PAIR_TEST(a_half_moved_store_is_not_opened_for_use),
      PAIR_TEST(work_goes_on_where_it_was),
      PAIR_TEST(new_ids_come_behind_all_that_ever_were),
      PAIR_TEST(claims_come_in_the_same_order),
      PAIR_TEST(answers_are_kept_and_keys_hold),
      PAIR_TEST(a_change_of_one_row_shows_in_the_sums),
      PAIR_TEST(pages_are_no_larger_than_is_good_for_memory),
      PAIR_TEST(the_length_of_a_part_is_told_at_its_beginning),
      PAIR_TEST(ids_that_sqlite_cannot_hold_are_refused_by_name),
  };
  enum { KINDS = sizeof kinds / sizeof *kinds };
  bool here[KINDS];
  for (size_t i = 0; i < KINDS; i++) here[i] = kind_is_here(&kinds[i]);
  int failed = 0;
  for (size_t i = 0; i < KINDS * KINDS; i++) {
    from_now = &kinds[i / KINDS];
    to_now = &kinds[i % KINDS];
    if (!here[i / KINDS] || !here[i % KINDS]) continue;
    char name[64];
    snprintf(name, sizeof name, "%s to %s", from_now->name, to_now->name);
    failed += _cmocka_run_group_tests(name, tests, sizeof tests / sizeof *tests, NULL, NULL);
  }
  return failed;
}
