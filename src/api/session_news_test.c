// session_news_test.c: which sessions a claim has to ask, by what their lanes told.
#include "api/sessions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <stdio.h>

#include <cmocka.h>

struct fixture {
  struct sessions all;
  struct session s;
  struct arena arena;
};

static int set_up(void **state) {
  static struct fixture f;
  f = (struct fixture){0};
  f.s.of = &f.all;
  f.all.first = f.all.last = &f.s;
  pthread_mutex_init(&f.s.heard_lock, NULL);
  arena_init(&f.arena, 4096);
  *state = &f;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  arena_fini(&f->arena);
  pthread_mutex_destroy(&f->s.heard_lock);
  return 0;
}

static void hear_of(struct fixture *f, bool ready, const char *queue, const char *type) {
  const struct event event = {.ready = ready, .queue = str_of(queue), .type = str_of(type)};
  if (!session_hear(&f->s, &event)) return;
  atomic_store(&f->s.stirred, true);
  atomic_store(&f->all.stirred, true);
}

static void hear(struct fixture *f, const char *queue, const char *type) {
  hear_of(f, true, queue, type);
}

static struct session_wish wish(struct fixture *f, const char *queue, const char *type) {
  struct session_wish made;
  struct str *names = ARENA_ARRAY(&f->arena, struct str, 2);
  struct claim_filter filter = {.types = names, .queues = names + 1};
  if (type) names[filter.type_count++] = str_of(type);
  if (queue) names[1] = str_of(queue);
  filter.queue_count = queue ? 1 : 0;
  session_wish_init(&made, &filter, &f->arena);
  return made;
}

static bool may(struct fixture *f, const char *queue, const char *type) {
  const struct session_wish wanted = wish(f, queue, type);
  session_news_take(&f->all);
  return session_may_give(&f->s, &wanted, 0);
}

static void only_claims_whose_filter_fits_ask(void **state) {
  struct fixture *f = *state;
  assert_false(may(f, NULL, NULL));
  hear(f, "default", "resize");
  assert_true(may(f, NULL, NULL));
  assert_true(may(f, NULL, "resize"));
  assert_true(may(f, "default", "resize"));
  assert_false(may(f, NULL, "mail"));
  assert_false(may(f, "other", "resize"));
}

static void a_task_that_is_not_ready_is_no_news(void **state) {
  struct fixture *f = *state;
  hear_of(f, false, "default", "resize");
  assert_false(may(f, NULL, NULL));
}

static void a_claim_that_got_nothing_disproves_what_it_would_have_got(void **state) {
  struct fixture *f = *state;
  hear(f, "default", "resize");
  hear(f, "default", "mail");
  session_news_take(&f->all);
  const struct session_wish resize = wish(f, NULL, "resize");
  session_gave_nothing(&f->s, &resize, f->all.news);
  assert_false(may(f, NULL, "resize"));
  assert_true(may(f, NULL, "mail"));
}

// Such a claim may have been decided before the task became ready.
static void news_that_came_after_it_was_asked_stay(void **state) {
  struct fixture *f = *state;
  const struct session_wish resize = wish(f, NULL, "resize");
  hear(f, "default", "resize");
  session_news_take(&f->all);
  uint64_t asked = f->all.news;
  hear(f, "default", "resize");
  session_news_take(&f->all);
  session_gave_nothing(&f->s, &resize, asked);
  assert_true(may(f, NULL, "resize"));
  hear(f, "default", "resize");  // heard, but without a number yet
  session_gave_nothing(&f->s, &resize, f->all.news);
  assert_true(may(f, NULL, "resize"));
}

static void hear_types(struct fixture *f, int count) {
  for (int i = 0; i < count; i++) {
    char type[16];
    snprintf(type, sizeof type, "type-%d", i);
    hear(f, "default", type);
  }
  session_news_take(&f->all);
}

static void as_many_kinds_as_have_a_place_are_told_apart(void **state) {
  struct fixture *f = *state;
  hear_types(f, SESSION_HINTS);
  assert_int_equal(f->s.hints.count, SESSION_HINTS);
  assert_true(may(f, NULL, "type-15"));
  assert_false(may(f, NULL, "another"));
}

// Then everybody asks, until somebody who takes all of them got nothing.
static void past_that_the_last_place_stands_for_all(void **state) {
  struct fixture *f = *state;
  hear_types(f, SESSION_HINTS + 1);
  assert_int_equal(f->s.hints.count, SESSION_HINTS);
  assert_true(may(f, NULL, "another"));
  const struct session_wish another = wish(f, NULL, "another"), all = wish(f, NULL, NULL);
  session_gave_nothing(&f->s, &another, f->all.news);
  assert_true(may(f, NULL, "type-16"));
  session_gave_nothing(&f->s, &all, f->all.news);
  assert_false(may(f, NULL, NULL));
}

static void each_task_that_became_ready_is_counted(void **state) {
  struct fixture *f = *state;
  hear(f, "default", "resize");
  hear(f, "default", "resize");
  session_news_take(&f->all);
  hear(f, "default", "resize");
  session_news_take(&f->all);
  assert_int_equal(f->s.hints.at[0].fresh, 3);
  f->s.hints.at[0].fresh = 0;
  f->all.fresh = false;
  session_again(&f->s, &f->s.hints.at[0], 2);
  assert_int_equal(f->s.hints.at[0].fresh, 2);
  assert_true(f->all.fresh);
}

// Whoever took something better left what the hint told of.
static void a_hint_tells_of_one_queue_and_type_or_of_all(void **state) {
  struct fixture *f = *state;
  hear(f, "default", "resize");
  session_news_take(&f->all);
  struct session_hint hint = f->s.hints.at[0];
  assert_true(session_hint_tells(&hint, STR("default"), STR("resize")));
  assert_false(session_hint_tells(&hint, STR("default"), STR("crop")));
  assert_false(session_hint_tells(&hint, STR("other"), STR("resize")));
  hint.any = true;
  assert_true(session_hint_tells(&hint, STR("other"), STR("crop")));
}

static void nothing_comes_again_of_a_hint_that_is_gone(void **state) {
  struct fixture *f = *state;
  hear(f, "default", "resize");
  session_news_take(&f->all);
  const struct session_hint hint = f->s.hints.at[0];
  f->s.hints.count = 0;
  f->all.fresh = false;
  session_again(&f->s, &hint, 1);
  assert_false(f->all.fresh);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(only_claims_whose_filter_fits_ask),
      TEST(a_task_that_is_not_ready_is_no_news),
      TEST(a_claim_that_got_nothing_disproves_what_it_would_have_got),
      TEST(news_that_came_after_it_was_asked_stay),
      TEST(as_many_kinds_as_have_a_place_are_told_apart),
      TEST(past_that_the_last_place_stands_for_all),
      TEST(each_task_that_became_ready_is_counted),
      TEST(a_hint_tells_of_one_queue_and_type_or_of_all),
      TEST(nothing_comes_again_of_a_hint_that_is_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
