// news_test.c: what processes that share a store hear of each other.
//
// Most tests have two stores on one schema, as two processes have them. The first one listens.
#include "contract.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"

enum { PATIENCE_US = 20 * 1000 * 1000, PULSES = 1 };

// --- listening -----------------------------------------------------------------------------------

// What is waited for, and what the latest call told.
struct ear {
  struct world *w;
  struct news news;
  struct pick parked[2];
  struct want_id watched[2];
  int64_t until_us;
};

static void listen_once(struct ear *e) {
  struct world *w = e->w;
  if (clock_mono_us() > e->until_us) fail_msg("it was not heard of");
  e->news.parked = e->parked;
  e->news.watched = e->watched;
  OK(w->ops->news(w->store, &e->news, &w->why));
}

// The first call finds everything as if it was new; from then on only news are told.
static void ear_open(struct ear *e, struct world *w) {
  *e = (struct ear){.w = w, .news = {.arena = &w->arena, .catalog_version = 1}};
  e->until_us = clock_mono_us() + PATIENCE_US;
  listen_once(e);
}

#define LISTEN_UNTIL(ear, condition)                                                               \
  do {                                                                                             \
    listen_once(ear);                                                                              \
  } while (!(condition))

static void park(struct ear *e, const struct str *type) {
  e->parked[e->news.parked_count++] = (struct pick){.tenant = 1, .types = type, .type_count = 1};
}

static void watch(struct ear *e, struct id id) {
  e->watched[e->news.watched_count++] = (struct want_id){.tenant = 1, .id = id};
}

// A call returns empty-handed only after it has asked for everything.
static void assert_silence(struct ear *e) {
  for (int i = 0; i < PULSES; i++) {
    listen_once(e);
    const struct news *n = &e->news;
    for (size_t k = 0; k < n->parked_count; k++) assert_false(n->parked[k].busy);
    assert_int_equal(n->ready_count + n->ended_count + n->stirred_count, 0);
    assert_null(n->changed);
    assert_int_equal(n->wake_at, 0);
  }
}

static bool has_ended(const struct ear *e, struct id id) {
  bool found = false;
  for (size_t i = 0; i < e->news.ended_count; i++) found |= id_eq(e->news.ended[i], id);
  return found;
}

static size_t count_nodes(struct world *w) {
  struct node *nodes = NULL;
  size_t count = 0, selves = 0;
  OK(w->ops->nodes(w->store, &w->arena, &nodes, &count, &w->why));
  for (size_t i = 0; i < count; i++) {
    assert_true(nodes[i].name.len > 0 && nodes[i].started_at > 0 && nodes[i].seen_at > 0);
    selves += nodes[i].self;
  }
  assert_int_equal(selves, 1);
  return count;
}

// --- another process -----------------------------------------------------------------------------

// What a process has to tell is told by the thread that listens there.
struct other {
  struct world *w;
  pthread_t thread;
  atomic_bool over;
};

static void *run_other(void *arg) {
  struct other *o = arg;
  struct arena arena;
  struct fault why;
  arena_init(&arena, 4096);
  while (!atomic_load(&o->over)) {
    struct news news = {.arena = &arena, .catalog_version = 1};
    (void)o->w->ops->news(o->w->store, &news, &why);
    arena_reset(&arena);
  }
  arena_fini(&arena);
  return NULL;
}

// Returns once both know of each other.
static struct world *other_start(struct other *o, struct ear *e, struct world *w) {
  ear_open(e, w);
  *o = (struct other){.w = world_beside(w, true)};
  assert_int_equal(pthread_create(&o->thread, NULL, run_other, o), 0);
  LISTEN_UNTIL(e, count_nodes(w) == 2 && count_nodes(o->w) == 2);
  return o->w;
}

static void other_stop(struct other *o) {
  atomic_store(&o->over, true);
  o->w->ops->news_stop(o->w->store);
  pthread_join(o->thread, NULL);
}

// --- nodes ---------------------------------------------------------------------------------------

static void a_process_is_listed_while_it_runs(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct other other;
  assert_int_equal(count_nodes(w), 1);
  struct world *two = other_start(&other, &ear, w);
  other_stop(&other);
  world_close(two);
  LISTEN_UNTIL(&ear, count_nodes(w) == 1);
  assert_int_equal(backdoor_i64("SELECT count(*) FROM %s.node", w->schema), 1);
}

static void processes_make_ids_of_different_shares(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct other other;
  struct world *two = other_start(&other, &ear, w);
  assert_int_not_equal(w->ops->id_share(w->store), two->ops->id_share(two->store));
  assert_int_equal(backdoor_i64("SELECT count(DISTINCT share) FROM %s.node", w->schema), 2);
  other_stop(&other);
}

// As many as there are shares of ids; one that ends makes room.
static void one_process_too_many_is_refused(void **state) {
  struct world *w = *state;
  struct store *s = NULL;
  backdoor_do(
      "INSERT INTO %s.node SELECT n, 'n' || n, 1, extract(epoch FROM now()) * 1000, n"
      " FROM generate_series(1, %d) AS n",
      w->schema, ID_SHARES - 2);
  struct world *last = world_beside(w, true);
  FAILS(ERR_TOO_MANY, world_open_store(w, &s));
  assert_non_null(strstr(w->why.detail, "64 servers"));
  assert_non_null(strstr(w->why.detail, "store_schema"));
  world_close(last);
  OK(world_open_store(w, &s));
  s->ops->close(s);
}

static void a_process_that_died_is_listed_no_more(void **state) {
  struct world *w = *state;
  struct ear ear;
  backdoor_do("INSERT INTO %s.node VALUES (1, 'x', 1, extract(epoch FROM now()) * 1000 - 5000, 63)",
              w->schema);
  ear_open(&ear, w);
  LISTEN_UNTIL(&ear, count_nodes(w) == 2);
  backdoor_do("UPDATE %s.node SET seen_at = seen_at - 15000 WHERE id = 1", w->schema);
  LISTEN_UNTIL(&ear, count_nodes(w) == 1);
}

// --- notices -------------------------------------------------------------------------------------

static void what_becomes_ready_elsewhere_is_heard_with_its_name_and_number(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct other other;
  struct world *two = other_start(&other, &ear, w);
  struct unit *u = unit_new(two);
  for (int i = 0; i < 3; i++) unit_create(u, STR("resize"));
  OK(unit_apply(u));
  LISTEN_UNTIL(&ear, ear.news.ready_count > 0);
  assert_int_equal(ear.news.ready_count, 1);
  assert_int_equal(ear.news.ready[0].tenant, 1);
  assert_str(ear.news.ready[0].type, STR("resize"));
  assert_str(ear.news.ready[0].queue, STR("default"));
  assert_int_equal(ear.news.ready[0].count, 3);
  assert_int_equal(ear.news.stirred_count, 1);
  assert_int_equal(ear.news.stirred[0], 1);
  assert_silence(&ear);
  other_stop(&other);
}

// Claims of this process have gone past where the other makes something ready.
static void what_becomes_ready_elsewhere_is_picked_before_what_is_worse(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct other other;
  struct world *two = other_start(&other, &ear, w);
  world_create(w, STR("resize"));
  assert_int_equal(world_pick(w, (struct pick){.limit = 1}).row_count, 1);
  w->ops->abandon(w->lane);
  struct unit *u = unit_new(two);
  struct task *t = unit_create(u, STR("resize"));
  t->priority = 5;
  OK(unit_apply(u));
  LISTEN_UNTIL(&ear, ear.news.ready_count > 0);
  struct pick pick = world_pick(w, (struct pick){.limit = 1});
  assert_true(id_eq(pick.rows[0]->task.id, t->id));
  w->ops->abandon(w->lane);
  other_stop(&other);
}

static void what_ends_or_goes_elsewhere_is_heard(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct other other;
  struct id ends = world_create(w, STR("resize")), goes = world_create(w, STR("resize"));
  struct world *two = other_start(&other, &ear, w);
  struct unit *u = unit_new(two);
  unit_finish(u, world_load(two, ends, 0), TASK_CANCELLED);
  struct row *gone = world_load(two, goes, 0);
  unit_change(u, gone, EVENT_DELETED);
  gone->gone = true;
  OK(unit_apply(u));
  LISTEN_UNTIL(&ear, ear.news.ended_count > 0);
  assert_int_equal(ear.news.ended_count, 2);
  assert_true(has_ended(&ear, ends) && has_ended(&ear, goes));
  assert_silence(&ear);
  other_stop(&other);
}

static void a_change_of_the_catalogue_is_heard_and_comes_whole(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct other other;
  struct world *two = other_start(&other, &ear, w);
  struct load load = {.arena = &two->arena, .catalog = true, .catalog_version = 1};
  OK(two->ops->load(two->lane, &load, &two->why));
  struct queue queue = {.tenant = 1, .name = STR("mail"), .paused = true};
  struct unit *u = unit_new(two);
  u->change.queues = &queue;
  u->change.queue_count = 1;
  OK(unit_apply(u));
  LISTEN_UNTIL(&ear, ear.news.changed);
  const struct catalog *c = ear.news.changed;
  assert_true(c->version > 1);
  assert_int_equal(c->tenant_count, 1);
  assert_int_equal(c->queue_count, 1);
  assert_str(c->queues[0].name, STR("mail"));
  assert_true(c->queues[0].paused);
  ear.news.catalog_version = c->version;
  assert_silence(&ear);
  other_stop(&other);
}

static void what_this_process_does_is_no_news_to_it(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct other other;
  other_start(&other, &ear, w);
  struct id id = world_create(w, STR("resize"));
  struct unit *u = unit_new(w);
  unit_finish(u, world_load(w, id, 0), TASK_COMPLETED);
  OK(unit_apply(u));
  assert_silence(&ear);
  other_stop(&other);
}

static void notifications_of_others_are_left_alone(void **state) {
  struct world *w = *state;
  struct ear ear;
  ear_open(&ear, w);
  backdoor_do("SELECT pg_notify('taskyard_%s', 'hello')", w->schema);
  backdoor_do("SELECT pg_notify('taskyard_%s', '')", w->schema);
  backdoor_do("SELECT pg_notify('taskyard_%s', repeat('1', 7999))", w->schema);
  assert_silence(&ear);
}

// As another node sends it.
#define NODE "000000000000002a"
static void notify(struct world *w, const char *items) {
  backdoor_do("SELECT pg_notify('taskyard_%s', '1" NODE "' || %s)", w->schema, items);
}

static void whoever_hears_that_too_much_was_to_be_told_looks_at_everything(void **state) {
  struct world *w = *state;
  struct ear ear;
  static const struct str resize = STR("resize");
  struct id id = world_create(w, STR("mail"));
  ear_open(&ear, w);
  park(&ear, &resize);
  watch(&ear, id);
  notify(w, "'nR'");
  LISTEN_UNTIL(&ear, ear.parked[0].busy);
  assert_int_equal(ear.news.ended_count, 0);
  notify(w, "'nE'");
  LISTEN_UNTIL(&ear, ear.news.ended_count > 0);
  assert_false(ear.parked[0].busy);
  assert_true(has_ended(&ear, id));
}

// More than there is room for at first, and a channel that nobody has made.
static void much_may_be_heard_at_once(void **state) {
  struct world *w = *state;
  struct ear ear;
  enum { READY = 40, ENDED = 150 };
  world_create(w, STR("resize"));
  ear_open(&ear, w);
  notify(w,
         "repeat('r1,2,0,0190abcdef017123,0190abcdef017123;', 40)"
         " || 'r777,1,0,0190abcdef017123,0190abcdef017123;'"
         " || repeat('e0190abcdef0171238000000000000001', 150)");
  LISTEN_UNTIL(&ear, ear.news.ready_count > 0);
  assert_int_equal(ear.news.ready_count, READY);
  assert_int_equal(ear.news.ended_count, ENDED);
  for (size_t i = 0; i < READY; i++) {
    assert_str(ear.news.ready[i].type, STR("resize"));
    assert_int_equal(ear.news.ready[i].count, 2);
  }
  for (size_t i = 0; i < ENDED; i++)
    assert_true(id_eq(ear.news.ended[i], (struct id){0x0190abcdef017123, 0x8000000000000001}));
}

// --- what no notice told -------------------------------------------------------------------------

static void a_parked_filter_that_something_fits_is_busy(void **state) {
  struct world *w = *state;
  struct ear ear;
  static const struct str resize = STR("resize"), mail = STR("mail");
  struct id id = world_create(w, resize);
  ear_open(&ear, w);
  park(&ear, &resize);
  park(&ear, &mail);
  LISTEN_UNTIL(&ear, ear.parked[0].busy);
  assert_false(ear.parked[1].busy);
  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, id, 0));
  OK(unit_apply(u));
  listen_once(&ear);
  assert_silence(&ear);
}

static void what_several_filters_fit_is_asked_for_once_and_told_to_each(void **state) {
  struct world *w = *state;
  struct ear ear;
  static const struct str both[] = {STR("mail"), STR("resize")};
  world_create(w, both[0]);
  world_create(w, both[1]);
  ear_open(&ear, w);
  ear.news.parked_count = 2;
  for (size_t i = 0; i < 2; i++)
    ear.parked[i] = (struct pick){.tenant = 1, .types = both, .type_count = 2};
  LISTEN_UNTIL(&ear, ear.parked[0].busy);
  assert_true(ear.parked[1].busy);
}

static void a_paused_queue_fits_no_parked_filter(void **state) {
  struct world *w = *state;
  struct ear ear;
  static const struct str resize = STR("resize"), queue = STR("default");
  world_create(w, resize);
  ear_open(&ear, w);
  park(&ear, &resize);
  ear.parked[0].not_queues = &queue;
  ear.parked[0].not_queue_count = 1;
  assert_silence(&ear);
}

static void a_watched_task_that_is_live_no_more_has_ended(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct id stays = world_create(w, STR("resize")), ends = world_create(w, STR("resize"));
  ear_open(&ear, w);
  watch(&ear, stays);
  watch(&ear, ends);
  assert_silence(&ear);
  struct unit *u = unit_new(w);
  unit_finish(u, world_load(w, ends, 0), TASK_FAILED);
  OK(unit_apply(u));
  LISTEN_UNTIL(&ear, ear.news.ended_count > 0);
  assert_int_equal(ear.news.ended_count, 1);
  assert_true(has_ended(&ear, ends));
}

// Of very many that are watched some are asked for each time.
static void of_very_many_watched_tasks_all_are_asked_for_sooner_or_later(void **state) {
  struct world *w = *state;
  struct ear ear;
  enum { MANY = 5001 };
  struct want_id *watched = ARENA_ARRAY(&w->arena, struct want_id, MANY);
  ear_open(&ear, w);
  for (size_t i = 0; i < MANY; i++)
    watched[i] = (struct want_id){.tenant = 1, .id = id_next(&w->ids, w->now)};
  struct news news = {
      .arena = &w->arena, .catalog_version = 1, .watched = watched, .watched_count = MANY};
  do {
    OK(w->ops->news(w->store, &news, &w->why));
  } while (news.ended_count == 0);
  assert_int_equal(news.ended_count, MANY - 1);
  size_t first = id_eq(news.ended[0], watched[0].id) ? 0 : 1;
  for (size_t i = 0; i < news.ended_count; i++)
    assert_true(id_eq(news.ended[i], watched[first + i].id));
}

static void a_time_that_came_and_moved_nothing_is_heard_until_something_is_moved(void **state) {
  struct world *w = *state;
  struct ear ear;
  w->now = w->ops->now(w->store);
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  t->waiting = WAIT_TIME;
  t->run_at = t->wake_at = w->now - 20000;
  struct task *ahead = unit_create(u, STR("resize"));
  ahead->waiting = WAIT_TIME;
  ahead->run_at = ahead->wake_at = w->now + 3600000;
  OK(unit_apply(u));
  ear_open(&ear, w);
  assert_int_equal(ear.news.wake_at, w->now - 20000);
  LISTEN_UNTIL(&ear, ear.news.wake_at);  // a pulse that was dear rests
  assert_int_equal(ear.news.wake_at, w->now - 20000);
  struct load load = {.arena = &w->arena, .due_at = w->now, .due_limit = 10};
  OK(w->ops->load(w->lane, &load, &w->why));
  assert_int_equal(load.due_count, 1);
  struct unit *moved = unit_new(w);
  struct task *due = unit_change(moved, load.due[0], EVENT_DUE);
  due->waiting = WAIT_WORKER;
  due->wake_at = 0;
  OK(unit_apply(moved));
  listen_once(&ear);
  assert_silence(&ear);
}

static void a_channel_that_another_process_made_is_known_to_the_pulse(void **state) {
  struct world *w = *state;
  struct ear ear;
  static const struct str resize = STR("resize");
  struct world *two = world_beside(w, true);
  ear_open(&ear, w);
  park(&ear, &resize);
  world_create(two, resize);  // its news are not sent: nobody listens there
  LISTEN_UNTIL(&ear, ear.parked[0].busy);
}

// --- outages -------------------------------------------------------------------------------------

// Those whose latest statement was a pulse and that are connected by now, and not anew.
#define LISTENERS                                                                                  \
  "FROM pg_stat_activity WHERE position('%s.' in query) > 0 AND query LIKE 'SELECT 0::bigint%%'"   \
  " AND backend_start < to_timestamp(%lld / 1e6)"

// Returns when they are gone.
static void terminate_listeners(struct world *w) {
  long long now = backdoor_i64("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
  assert_true(backdoor_i64("SELECT count(pg_terminate_backend(pid)) " LISTENERS, w->schema, now) >
              0);
  while (backdoor_i64("SELECT count(*) " LISTENERS, w->schema, now) > 0) sched_yield();
}

static void whoever_lost_its_connection_looks_at_everything_and_hears_again(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct other other;
  static const struct str resize = STR("resize");
  struct id id = world_create(w, STR("mail"));
  struct world *two = other_start(&other, &ear, w);
  park(&ear, &resize);
  watch(&ear, id);
  assert_silence(&ear);
  terminate_listeners(w);
  FAILS(ERR_UNAVAILABLE, w->ops->news(w->store, &ear.news, &w->why));
  listen_once(&ear);
  assert_true(ear.parked[0].busy);
  assert_true(has_ended(&ear, id));
  world_create(two, resize);
  LISTEN_UNTIL(&ear, ear.news.ready_count > 0);
  other_stop(&other);
}

static void news_that_were_stopped_return_at_once(void **state) {
  struct world *w = *state;
  struct ear ear;
  struct other other;
  other_start(&other, &ear, w);
  other_stop(&other);  // amid a call
  w->ops->news_stop(w->store);
  int64_t began_us = clock_mono_us();
  for (int i = 0; i < 1000; i++) listen_once(&ear);
  assert_true(clock_mono_us() - began_us < 1000 * 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(a_process_is_listed_while_it_runs),
      CONTRACT_TEST(processes_make_ids_of_different_shares),
      CONTRACT_TEST(one_process_too_many_is_refused),
      CONTRACT_TEST(a_process_that_died_is_listed_no_more),
      CONTRACT_TEST(what_becomes_ready_elsewhere_is_heard_with_its_name_and_number),
      CONTRACT_TEST(what_becomes_ready_elsewhere_is_picked_before_what_is_worse),
      CONTRACT_TEST(what_ends_or_goes_elsewhere_is_heard),
      CONTRACT_TEST(a_change_of_the_catalogue_is_heard_and_comes_whole),
      CONTRACT_TEST(what_this_process_does_is_no_news_to_it),
      CONTRACT_TEST(notifications_of_others_are_left_alone),
      CONTRACT_TEST(whoever_hears_that_too_much_was_to_be_told_looks_at_everything),
      CONTRACT_TEST(much_may_be_heard_at_once),
      CONTRACT_TEST(a_parked_filter_that_something_fits_is_busy),
      CONTRACT_TEST(what_several_filters_fit_is_asked_for_once_and_told_to_each),
      CONTRACT_TEST(a_paused_queue_fits_no_parked_filter),
      CONTRACT_TEST(a_watched_task_that_is_live_no_more_has_ended),
      CONTRACT_TEST(of_very_many_watched_tasks_all_are_asked_for_sooner_or_later),
      CONTRACT_TEST(a_time_that_came_and_moved_nothing_is_heard_until_something_is_moved),
      CONTRACT_TEST(a_channel_that_another_process_made_is_known_to_the_pulse),
      CONTRACT_TEST(whoever_lost_its_connection_looks_at_everything_and_hears_again),
      CONTRACT_TEST(news_that_were_stopped_return_at_once),
  };
  kind_now = &kinds[2];
  if (!kind_is_here(kind_now)) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
