// filter_test.c: what a list's filter becomes: which table is walked, and what is bound.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/postgres/reads.h"

static struct arena arena;
static struct scan scan;

static const char *page_of(struct task_filter filter) {
  pg_scan_init(&scan, &filter, &arena);
  const char *text = arena_cstr(&arena, buf_str(&scan.page));
  pg_scan_fini(&scan);
  return text;
}

static int setup(void **state) {
  (void)state;
  arena_init(&arena, 1 << 16);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

static void check_marks(const char *page) {
  char mark[32];
  for (size_t i = 1; i <= scan.bind_count; i++) {
    snprintf(mark, sizeof mark, "$%zu::", SCAN_MARKS + i);
    assert_non_null(strstr(page, mark));
  }
  snprintf(mark, sizeof mark, "$%zu::", SCAN_MARKS + scan.bind_count + 1);
  assert_null(strstr(page, mark));
  for (size_t i = 1; i <= 4; i++) {
    snprintf(mark, sizeof mark, "$%zu::", i);
    assert_non_null(strstr(page, mark));
  }
}

static void what_was_given_is_bound_and_never_part_of_the_text(void **state) {
  (void)state;
  const struct str x = STR("x'; DROP"), names[] = {x, x};
  struct task_filter filter = {
      .types = names,
      .type_count = 2,
      .queues = names,
      .queue_count = 1,
      .tag_name = x,
      .tag_value = x,
      .project = x,
      .subject = x,
      .worker = x,
      .unique_key = x,
      .text = x,
      .created_after = 10,
      .created_before = 4711471147,
  };
  struct str *const walked[] = {NULL, &filter.unique_key, &filter.subject, &filter.project};
  for (size_t i = 0; i < sizeof walked / sizeof *walked; i++) {
    if (walked[i]) *walked[i] = STR_NONE;  // walks another way
    for (unsigned statuses = 0; statuses < 1 << TASK_STATUS_COUNT; statuses++) {
      filter.statuses = statuses;
      for (int ready = 0; ready < 2; ready++) {
        filter.ready_only = ready;
        const char *page = page_of(filter);
        assert_null(strstr(page, "DROP"));
        assert_null(strstr(page, "4711471147"));
        check_marks(page);
      }
    }
  }
}

static void the_table_that_leads_to_tasks_soonest_is_walked(void **state) {
  (void)state;
  const struct str x = STR("x");
  const unsigned live = 1 << TASK_PENDING | 1 << TASK_RUNNING;
  const struct {
    struct task_filter filter;
    bool task, live, done, unhappy;
  } cases[] = {
      {{0}, .live = true, .done = true},
      {{.statuses = live}, .live = true},
      {{.statuses = 1 << TASK_RUNNING}, .live = true},
      {{.statuses = 1 << TASK_COMPLETED}, .done = true},
      {{.statuses = 1 << TASK_COMPLETED | 1 << TASK_FAILED}, .done = true},
      {{.statuses = 1 << TASK_FAILED}, .done = true, .unhappy = true},
      {{.statuses = 1 << TASK_RUNNING | 1 << TASK_FAILED},
       .live = true,
       .done = true,
       .unhappy = true},
      {{.worker = x}, .live = true, .done = true},
      {{.text = x}, .task = true},
      {{.text = STR("")}, .live = true, .done = true},
      {{.text = x, .statuses = 1 << TASK_FAILED}, .done = true, .unhappy = true},
      {{.project = x}, .task = true},
      {{.project = x, .statuses = 1 << TASK_FAILED}, .task = true},
      {{.project = x, .statuses = live}, .live = true},
      {{.subject = x, .statuses = live}, .task = true},
      {{.unique_key = x, .statuses = live}, .task = true},
      {{.ready_only = true, .unique_key = x}, .live = true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *page = page_of(cases[i].filter);
    assert_int_equal(strstr(page, "@schema@.task AS w") != NULL, cases[i].task);
    assert_int_equal(strstr(page, "@schema@.live AS w") != NULL, cases[i].live);
    assert_int_equal(strstr(page, "@schema@.done AS w") != NULL, cases[i].done);
    assert_int_equal(strstr(page, "w.status >= 3") != NULL, cases[i].unhappy);
  }
}

// The id of the first task that could be made at a time.
static struct id first_at(int64_t ms) {
  struct id_source source = {0};
  struct id id = id_next(&source, ms);
  return (struct id){id.hi & ~UINT64_C(0xfff), 0};
}

static bool is_before(struct id a, struct id b) { return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo; }

static void times_of_creation_become_ids(void **state) {
  (void)state;
  page_of((struct task_filter){.created_after = 1000, .created_before = 2000});
  assert_true(is_before(scan.above, first_at(1001)));
  assert_false(is_before(scan.above, first_at(1000)));
  assert_true(is_before(scan.below, first_at(2000)));
  assert_false(is_before(scan.below, first_at(1999)));
  page_of((struct task_filter){0});
  assert_false(id_is_none(scan.above));
  assert_int_equal(scan.below.hi, UINT64_MAX);
}

static void a_tag_that_is_asked_for_without_a_value_has_an_empty_one(void **state) {
  (void)state;
  page_of((struct task_filter){.tag_name = STR("album")});
  const struct scan_bind *value = &scan.binds[scan.bind_count - 1];
  assert_int_equal(value->kind, SCAN_TEXT);
  assert_non_null(value->text.at);
  assert_int_equal(value->text.len, 0);
}

static void a_list_goes_on_behind_its_cursor(void **state) {
  (void)state;
  const struct id cursor = first_at(1500);
  page_of((struct task_filter){.before = cursor});
  assert_true(id_eq(scan.below, cursor));
  page_of((struct task_filter){.before = cursor, .created_before = 2000});
  assert_true(id_eq(scan.below, cursor));
  page_of((struct task_filter){.before = cursor, .created_before = 1200});
  assert_true(is_before(scan.below, cursor));
  // Where the bound itself is, which a forged cursor may be beside.
  const struct id first = {UINT64_C(1200) << 16, 0}, later = {UINT64_C(1200) << 16, 5};
  page_of((struct task_filter){.before = first, .created_before = 1200});
  assert_true(id_eq(scan.below, first));
  page_of((struct task_filter){.before = later, .created_before = 1200});
  assert_true(is_before(scan.below, later));
}

static void a_cursor_of_any_priority_fits_the_index(void **state) {
  (void)state;
  const int64_t given[] = {INT64_MIN, -5, 0, 1000000, INT64_MAX};
  const int64_t ranks[] = {INT32_MAX, 5, 0, -1000000, -INT32_MAX};
  for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
    page_of((struct task_filter){
        .ready_only = true, .before = first_at(1), .before_priority = given[i]});
    assert_int_equal(scan.binds[0].number, ranks[i]);
  }
  page_of((struct task_filter){.ready_only = true});
  assert_int_equal(scan.binds[0].number, -INT32_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_given_is_bound_and_never_part_of_the_text),
      cmocka_unit_test(the_table_that_leads_to_tasks_soonest_is_walked),
      cmocka_unit_test(times_of_creation_become_ids),
      cmocka_unit_test(a_tag_that_is_asked_for_without_a_value_has_an_empty_one),
      cmocka_unit_test(a_list_goes_on_behind_its_cursor),
      cmocka_unit_test(a_cursor_of_any_priority_fits_the_index),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
