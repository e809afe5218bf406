// arena_test.c: allocations of one lifetime.
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

static void allocations_are_aligned_and_apart(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 128);
  char *last = NULL;
  for (size_t bytes = 1; bytes < 300; bytes++) {
    char *at = arena_alloc(&a, bytes);
    assert_int_equal((uintptr_t)at % 16, 0);
    assert_ptr_not_equal(at, last);
    memset(at, (int)bytes, bytes);
    last = at;
  }
  arena_fini(&a);
}

static void an_allocation_of_nothing_is_not_null(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 128);
  assert_non_null(arena_alloc(&a, 0));
  assert_non_null(arena_zero(&a, 0));
  arena_fini(&a);
}

static void what_was_written_stays_until_the_reset(void **state) {
  (void)state;
  struct arena a;
  unsigned char *rows[100];
  arena_init(&a, 256);
  for (int round = 0; round < 3; round++) {
    for (unsigned i = 0; i < 100; i++) {
      rows[i] = arena_alloc(&a, i * 7 + 1);
      memset(rows[i], (int)i, i * 7 + 1);
    }
    for (unsigned i = 0; i < 100; i++) {
      assert_int_equal(rows[i][0], i);
      assert_int_equal(rows[i][i * 7], i);
    }
    arena_reset(&a);
  }
  arena_fini(&a);
}

static void an_arena_can_be_reset_before_its_first_use(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 256);
  arena_reset(&a);
  assert_non_null(arena_alloc(&a, 1000));
  arena_reset(&a);
  arena_fini(&a);
  arena_fini(&a);
}

static void new_objects_are_cleared(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 256);
  memset(arena_alloc(&a, 200), 0xff, 200);
  arena_reset(&a);
  struct str *one = ARENA_NEW(&a, struct str);
  assert_null(one->at);
  int *many = ARENA_ARRAY(&a, int, 5);
  for (int i = 0; i < 5; i++) assert_int_equal(many[i], 0);
  arena_fini(&a);
}

static void texts_are_copied_and_ended_by_nul(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 64);
  struct str copy = arena_dup(&a, STR("abc"));
  assert_int_equal(copy.len, 3);
  assert_string_equal(copy.at, "abc");
  assert_true(str_is_none(arena_dup(&a, STR_NONE)));
  assert_false(str_is_none(arena_dup(&a, STR(""))));
  assert_string_equal(arena_cstr(&a, STR("xyz")), "xyz");
  assert_string_equal(arena_cstr(&a, STR_NONE), "");
  arena_fini(&a);
}

static void formatted_text_takes_what_it_needs(void **state) {
  (void)state;
  struct arena a;
  arena_init(&a, 64);
  struct str text = arena_printf(&a, "%d-%s", 42, "answer");
  assert_string_equal(text.at, "42-answer");
  assert_int_equal(text.len, 9);
  assert_int_equal(arena_printf(&a, "%1000d", 1).len, 1000);
  arena_fini(&a);
}

#if defined(__SANITIZE_ADDRESS__)
// Before and behind each allocation, in one block or in one of its own, and after the reset.
static void what_was_not_asked_for_is_forbidden_to_the_sanitizer(void **state) {
  (void)state;
  static const size_t SIZES[] = {1, 13, 16, 24, 500};
  struct arena a;
  arena_init(&a, 1024);
  for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
    char *at = arena_alloc(&a, SIZES[i]), *again = arena_alloc(&a, SIZES[i]);
    assert_null(__asan_region_is_poisoned(at, SIZES[i]));
    assert_true(__asan_address_is_poisoned(at + SIZES[i]));
    assert_true(SIZES[i] == 500 || __asan_address_is_poisoned(again - 1));
  }
  char *last = arena_alloc(&a, 8);
  arena_reset(&a);
  assert_true(__asan_address_is_poisoned(last));
  arena_fini(&a);
}
#define CHECKED_TESTS cmocka_unit_test(what_was_not_asked_for_is_forbidden_to_the_sanitizer),
#else
#define CHECKED_TESTS
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(allocations_are_aligned_and_apart),
      cmocka_unit_test(an_allocation_of_nothing_is_not_null),
      cmocka_unit_test(what_was_written_stays_until_the_reset),
      cmocka_unit_test(an_arena_can_be_reset_before_its_first_use),
      cmocka_unit_test(new_objects_are_cleared),
      cmocka_unit_test(texts_are_copied_and_ended_by_nul),
      cmocka_unit_test(formatted_text_takes_what_it_needs),
      CHECKED_TESTS  //
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
