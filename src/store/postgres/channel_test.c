// channel_test.c: channels are found by number, by name and by what a filter allows.
#include "store/postgres/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct channels *cs;
static struct arena arena;

static int start(void **state) {
  (void)state;
  cs = pg_channels_new();
  arena_init(&arena, 4096);
  return 0;
}

static int stop(void **state) {
  (void)state;
  pg_channels_free(cs);
  arena_fini(&arena);
  return 0;
}

static void add(int64_t number, int64_t tenant, const char *queue, const char *type) {
  pg_channels_add(cs, number, tenant, str_of(queue), str_of(type));
}

// Numbers 1 to 5; the second tenant has the names of the first one, too.
static void add_some(void) {
  add(1, 1, "voice", "dub");
  add(2, 1, "voice", "transcribe");
  add(3, 1, "mail", "send");
  add(4, 1, "mail", "dub");
  add(5, 2, "voice", "dub");
}

static void nothing_is_known_at_first(void **state) {
  (void)state;
  assert_int_equal(pg_channels_highest(cs), 0);
  assert_int_equal(pg_channels_count(cs), 0);
  assert_null(pg_channels_at(cs, 1));
  assert_null(pg_channels_find(cs, 1, STR("voice"), STR("dub")));
}

static void a_channel_is_found_by_number_and_by_name(void **state) {
  (void)state;
  add_some();
  assert_int_equal(pg_channels_highest(cs), 5);
  assert_int_equal(pg_channels_count(cs), 5);
  struct channel *c = pg_channels_at(cs, 4);
  assert_int_equal(c->number, 4);
  assert_string_equal(c->queue.at, "mail");
  assert_string_equal(c->type.at, "dub");
  assert_ptr_equal(pg_channels_find(cs, 1, STR("mail"), STR("dub")), c);
  assert_int_equal(pg_channels_find(cs, 2, STR("voice"), STR("dub"))->number, 5);
  assert_null(pg_channels_find(cs, 2, STR("mail"), STR("dub")));
  assert_null(pg_channels_find(cs, 1, STR("dub"), STR("mail")));
  assert_null(pg_channels_at(cs, 0));
  assert_null(pg_channels_at(cs, -1));
  assert_null(pg_channels_at(cs, 6));
}

static void one_that_is_known_stays(void **state) {
  (void)state;
  add_some();
  struct channel *before = pg_channels_at(cs, 3);
  add(3, 1, "mail", "send");
  assert_ptr_equal(pg_channels_at(cs, 3), before);
  assert_int_equal(pg_channels_count(cs), 5);
}

static void numbers_may_come_out_of_order(void **state) {
  (void)state;
  add(200, 1, "b", "y");
  add(7, 1, "a", "x");
  assert_int_equal(pg_channels_highest(cs), 200);
  assert_int_equal(pg_channels_count(cs), 2);
  assert_null(pg_channels_at(cs, 100));
  assert_int_equal(pg_channels_find(cs, 1, STR("a"), STR("x"))->number, 7);
}

static void thousands_are_found_and_never_move(void **state) {
  (void)state;
  struct channel *first = NULL;
  for (int i = 1; i <= LIMIT_CHANNELS; i++) {
    char queue[16], type[16];
    snprintf(queue, sizeof queue, "q%d", i % 100);
    snprintf(type, sizeof type, "t%d", i / 100);
    add(i, 1, queue, type);
    if (i == 1) first = pg_channels_at(cs, 1);
  }
  assert_ptr_equal(pg_channels_at(cs, 1), first);
  assert_int_equal(pg_channels_find(cs, 1, STR("q42"), STR("t17"))->number, 1742);
  struct channel **found;
  assert_int_equal(pg_channels_fitting(cs, &arena, 1, NULL, 0, NULL, 0, NULL, 0, &found),
                   LIMIT_CHANNELS);
  const struct str queues[] = {STR("q42")};
  assert_int_equal(pg_channels_fitting(cs, &arena, 1, NULL, 0, queues, 1, NULL, 0, &found), 100);
}

// --- filters -------------------------------------------------------------------------------------

struct names {
  size_t count;
  struct str at[3];
};
#define NONE ((struct names){0})
#define ONE(a) ((struct names){1, {STR(a)}})
#define TWO(a, b) ((struct names){2, {STR(a), STR(b)}})

// The numbers that fit, as bits.
static unsigned fitting(int64_t tenant, struct names types, struct names queues,
                        struct names not_queues) {
  struct channel **found;
  size_t count = pg_channels_fitting(cs, &arena, tenant, types.at, types.count, queues.at,
                                     queues.count, not_queues.at, not_queues.count, &found);
  unsigned bits = 0;
  for (size_t i = 0; i < count; i++) {
    assert_false(bits & 1U << found[i]->number);  // each once
    bits |= 1U << found[i]->number;
  }
  return bits;
}

enum { N1 = 1 << 1, N2 = 1 << 2, N3 = 1 << 3, N4 = 1 << 4, N5 = 1 << 5 };

static void empty_lists_allow_all_of_the_tenant(void **state) {
  (void)state;
  add_some();
  assert_int_equal(fitting(1, NONE, NONE, NONE), N1 | N2 | N3 | N4);
  assert_int_equal(fitting(2, NONE, NONE, NONE), N5);
  assert_int_equal(fitting(3, NONE, NONE, NONE), 0);
}

static void types_and_queues_narrow_each_other(void **state) {
  (void)state;
  add_some();
  assert_int_equal(fitting(1, ONE("dub"), NONE, NONE), N1 | N4);
  assert_int_equal(fitting(1, TWO("dub", "send"), NONE, NONE), N1 | N3 | N4);
  assert_int_equal(fitting(1, NONE, ONE("mail"), NONE), N3 | N4);
  assert_int_equal(fitting(1, NONE, TWO("mail", "voice"), NONE), N1 | N2 | N3 | N4);
  assert_int_equal(fitting(1, ONE("dub"), ONE("mail"), NONE), N4);
  assert_int_equal(fitting(1, ONE("send"), ONE("voice"), NONE), 0);
  assert_int_equal(fitting(1, ONE("nothing"), NONE, NONE), 0);
}

static void paused_queues_never_fit(void **state) {
  (void)state;
  add_some();
  assert_int_equal(fitting(1, NONE, NONE, ONE("mail")), N1 | N2);
  assert_int_equal(fitting(1, ONE("dub"), NONE, ONE("voice")), N4);
  assert_int_equal(fitting(1, NONE, ONE("mail"), ONE("mail")), 0);
}

static void a_name_said_twice_counts_once(void **state) {
  (void)state;
  add_some();
  assert_int_equal(fitting(1, TWO("dub", "dub"), NONE, NONE), N1 | N4);
  assert_int_equal(fitting(1, NONE, TWO("mail", "mail"), NONE), N3 | N4);
}

// --- frontiers -----------------------------------------------------------------------------------

static void a_frontier_is_kept_for_each_channel(void **state) {
  (void)state;
  add_some();
  struct channel *c = pg_channels_at(cs, 2);
  struct frontier f = pg_channels_frontier(cs, c);
  assert_int_equal(f.walked_at, 0);
  pg_channels_raise(cs, c, &f, 5, (struct id){1, 2}, 3, 4);
  f = pg_channels_frontier(cs, c);
  assert_int_equal(f.rank, 5);
  assert_true(id_eq(f.id, (struct id){1, 2}));
  assert_int_equal(f.walked_at, 3);
  assert_int_equal(f.walk_us, 4);
  assert_int_equal(pg_channels_frontier(cs, pg_channels_at(cs, 1)).walked_at, 0);
}

// What the walk saw is older than what became ready since.
static void a_frontier_that_was_lowered_meanwhile_is_not_raised(void **state) {
  (void)state;
  add_some();
  struct channel *c = pg_channels_at(cs, 2);
  struct frontier seen = pg_channels_frontier(cs, c);
  pg_channels_raise(cs, c, &seen, 5, (struct id){9, 0}, 3, 4);
  seen = pg_channels_frontier(cs, c);
  pg_channels_lower(cs, c, 5, (struct id){4, 0}, (struct id){4, 0});
  pg_channels_raise(cs, c, &seen, 5, (struct id){10, 0}, 0, 0);
  assert_true(id_eq(pg_channels_frontier(cs, c).id, (struct id){4, 0}));
  assert_int_equal(pg_channels_frontier(cs, c).walked_at, 3);
}

// Readers look while another thread adds.
static void *look(void *self) {
  (void)self;
  struct arena a;
  arena_init(&a, 4096);
  struct channel **found;
  size_t count = 0;
  while (count < 2000) {
    arena_reset(&a);
    count = pg_channels_fitting(cs, &a, 1, NULL, 0, NULL, 0, NULL, 0, &found);
    for (size_t i = 0; i < count; i++)
      assert_ptr_equal(pg_channels_find(cs, 1, found[i]->queue, found[i]->type), found[i]);
  }
  arena_fini(&a);
  return NULL;
}

static void channels_may_be_added_while_others_look(void **state) {
  (void)state;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, look, NULL), 0);
  for (int i = 1; i <= 2000; i++) {
    char type[16];
    snprintf(type, sizeof type, "t%d", i);
    add(i, 1, "q", type);
  }
  pthread_join(thread, NULL);
}

static void those_are_named_from_whose_front_it_is_dear_to_walk(void **state) {
  (void)state;
  struct channel **dear;
  add(2, 1, "voice", "dub");
  add(5, 1, "mail", "send");
  assert_int_equal(pg_channels_dear(cs, &arena, &dear), 0);
  pg_channels_walked(cs, pg_channels_at(cs, 2), NULL, 1, FRONTIER_DEAR_US);
  pg_channels_walked(cs, pg_channels_at(cs, 5), NULL, 1, FRONTIER_DEAR_US + 1);
  assert_int_equal(pg_channels_dear(cs, &arena, &dear), 1);
  assert_int_equal(dear[0]->number, 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
      CASE(nothing_is_known_at_first),
      CASE(a_channel_is_found_by_number_and_by_name),
      CASE(one_that_is_known_stays),
      CASE(numbers_may_come_out_of_order),
      CASE(thousands_are_found_and_never_move),
      CASE(empty_lists_allow_all_of_the_tenant),
      CASE(types_and_queues_narrow_each_other),
      CASE(paused_queues_never_fit),
      CASE(a_name_said_twice_counts_once),
      CASE(a_frontier_is_kept_for_each_channel),
      CASE(a_frontier_that_was_lowered_meanwhile_is_not_raised),
      CASE(those_are_named_from_whose_front_it_is_dear_to_walk),
      CASE(channels_may_be_added_while_others_look),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
