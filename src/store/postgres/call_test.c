// call_test.c: what arrays of a statement look like, and that none outgrows a message.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/postgres/conn.h"

enum { MOST = 512 << 20 };  // bytes, as in call.c; none of them is read here

static struct arena arena;
static struct conn conn;
static struct call call;

static int start(void **state) {
  (void)state;
  arena_init(&arena, 1 << 16);
  conn = (struct conn){.scratch = &arena, .row_shapes = {[ROW_INPUT] = {.oid = 9, .columns = 2}}};
  call = pg_call_sql(&conn, STR("SELECT"));
  return 0;
}

static int stop(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

#define ASSERT_ARGUMENT(nr, literal)                                                               \
  do {                                                                                             \
    assert_int_equal(call.lengths[nr], sizeof(literal) - 1);                                       \
    assert_memory_equal(call.values[nr], literal, sizeof(literal) - 1);                            \
  } while (0)

// Dimensions, NULLs or not, type, count, first number; then each with its length.
#define HEAD(nulls, type, count) "\0\0\0\1\0\0\0" nulls "\0\0" type "\0\0\0" count "\0\0\0\1"

static void an_array_has_its_elements_and_says_where_there_is_none(void **state) {
  (void)state;
  call_array_i64(&call, 2);
  call_put_i64(&call, 258);
  call_put_no_i64(&call);
  ASSERT_ARGUMENT(0, HEAD("\1", "\0\x14", "\2") "\0\0\0\x8\0\0\0\0\0\0\1\2\xff\xff\xff\xff");
  call_array_text(&call, 3);
  call_put_text(&call, STR("ab"));
  call_put_text(&call, STR(""));
  call_put_text(&call, STR_NONE);
  ASSERT_ARGUMENT(1, HEAD("\1", "\0\x19", "\3") "\0\0\0\2"
                                                "ab\0\0\0\0\xff\xff\xff\xff");
  call_array_place(&call, 2);
  call_put_place(&call, 0x10002);
  call_put_place(&call, 0);
  ASSERT_ARGUMENT(2, HEAD("\1", "\0\x1b", "\2") "\0\0\0\6\0\0\0\1\0\2\xff\xff\xff\xff");
  call_array_id(&call, 0);
  ASSERT_ARGUMENT(3, "\0\0\0\0\0\0\0\0\0\0\xb\x86");
  assert_false(call.too_large);
}

static void a_row_has_its_columns_with_their_types(void **state) {
  (void)state;
  call_array_rows(&call, ROW_INPUT, 1);
  call_put_i64(&call, 7);
  call_put_text(&call, STR("a"));
  ASSERT_ARGUMENT(0, HEAD("\0", "\0\x9", "\1") "\0\0\0\x1d\0\0\0\2"
                                               "\0\0\0\x14\0\0\0\x8\0\0\0\0\0\0\0\7"
                                               "\0\0\0\x19\0\0\0\1"
                                               "a");
}

static void an_array_that_fits_no_message_is_marked_and_takes_nothing_more(void **state) {
  (void)state;
  static const char byte;
  const struct id none = {0}, id = {1, 2};
  call_array_bytes(&call, 3);
  call_put_bytes(&call, &byte, 1);
  call_put_bytes(&call, &byte, MOST);  // which would fit alone
  assert_true(call.too_large);
  int length = call.lengths[0];
  call_put_bytes(&call, NULL, 0);
  assert_int_equal(call.lengths[0], length);
  call_array_i64(&call, 2);
  call_put_i64(&call, 7);
  call_put_no_i64(&call);
  call_array_id(&call, 2);
  call_put_id(&call, id);
  call_put_id(&call, none);
  call_array_place(&call, 2);
  call_put_place(&call, 7);
  call_put_place(&call, 0);
  call_array_rows(&call, ROW_INPUT, 2);
  for (int i = 0; i < 2; i++) {
    call_put_i64(&call, 7);
    call_put_text(&call, STR("a"));
  }
  for (int i = 1; i < call.count; i++) assert_int_equal(call.lengths[i], 20);  // their heads
  assert_int_equal(call.array.left, 0);
}

static void a_value_that_fits_no_message_is_marked(void **state) {
  (void)state;
  static const char byte;
  call_bytes(&call, &byte, MOST);
  assert_false(call.too_large);
  call_bytes(&call, &byte, (size_t)MOST + 1);
  assert_true(call.too_large);
  struct call other = pg_call_sql(&conn, STR("SELECT"));
  call_array_bytes(&other, 1);
  call_put_bytes(&other, &byte, (size_t)MOST + 1);
  assert_true(other.too_large);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(an_array_has_its_elements_and_says_where_there_is_none),
      CASE(a_row_has_its_columns_with_their_types),
      CASE(an_array_that_fits_no_message_is_marked_and_takes_nothing_more),
      CASE(a_value_that_fits_no_message_is_marked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
