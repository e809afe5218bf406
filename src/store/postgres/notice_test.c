// notice_test.c: what nodes say to each other comes out as it went in, and nothing else does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/postgres/desk.h"

static struct arena arena;

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

static bool decodes(const char *text) {
  struct notice out;
  return pg_notice_decode(str_of(text), &arena, &out);
}

static struct id id_of(uint64_t n) { return (struct id){.hi = n << 20 | 7, .lo = ~n}; }

// --- there and back ------------------------------------------------------------------------------

static void a_notice_with_nothing_in_it_is_one_text(void **state) {
  (void)state;
  struct notice n = {.node = 42}, out;
  struct str *texts;
  assert_int_equal(pg_notice_encode(&n, &arena, &texts), 1);
  assert_true(pg_notice_decode(texts[0], &arena, &out));
  assert_int_equal(out.node, 42);
  assert_false(out.nodes || out.catalogue || out.all_ready || out.all_ended);
  assert_int_equal(out.ready_count + out.ended_count + out.stirred_count, 0);
}

static void everything_that_is_said_is_heard(void **state) {
  (void)state;
  static const struct notice_ready ready[] = {
      {.channel = 1, .count = 1, .id_hi = 0x0190abcdef017123, .oldest = 0x0190abcdef017123},
      {.channel = LIMIT_CHANNELS, .count = 2000, .priority = -LIMIT_PRIORITY, .id_hi = UINT64_MAX},
      {.channel = 77, .count = 3, .priority = LIMIT_PRIORITY, .id_hi = 0}};
  const struct id ended[] = {id_of(1), id_of(2)};
  const int64_t stirred[] = {1, INT64_MAX, 7};
  struct notice n = {.node = INT64_MAX,
                     .nodes = true,
                     .catalogue = true,
                     .all_ready = true,
                     .all_ended = true,
                     .ready = ready,
                     .ready_count = 3,
                     .ended = ended,
                     .ended_count = 2,
                     .stirred = stirred,
                     .stirred_count = 3};
  struct notice out;
  struct str *texts;
  assert_int_equal(pg_notice_encode(&n, &arena, &texts), 1);
  assert_true(pg_notice_decode(texts[0], &arena, &out));
  assert_true(out.node == INT64_MAX);
  assert_true(out.nodes && out.catalogue && out.all_ready && out.all_ended);
  assert_int_equal(out.ready_count, 3);
  assert_memory_equal(out.ready, ready, sizeof ready);
  assert_int_equal(out.ended_count, 2);
  assert_memory_equal(out.ended, ended, sizeof ended);
  assert_int_equal(out.stirred_count, 3);
  assert_memory_equal(out.stirred, stirred, sizeof stirred);
}

// As many items as there can be, of the longest and the shortest kind.
static void what_does_not_fit_into_one_text_goes_into_several(void **state) {
  (void)state;
  struct notice_ready ready[OUTBOX_CHANNELS];
  struct id ended[OUTBOX_ENDED];
  for (int i = 0; i < OUTBOX_CHANNELS; i++)
    ready[i] = (struct notice_ready){.channel = LIMIT_CHANNELS - i,
                                     .count = i % 2 ? INT32_MAX : 1,
                                     .priority = i % 3 ? -LIMIT_PRIORITY : 0,
                                     .id_hi = (uint64_t)i << 50};
  for (uint64_t i = 0; i < OUTBOX_ENDED; i++) ended[i] = id_of(i);
  struct notice n = {.node = 1,
                     .ready = ready,
                     .ready_count = OUTBOX_CHANNELS,
                     .ended = ended,
                     .ended_count = OUTBOX_ENDED};
  struct str *texts;
  size_t count = pg_notice_encode(&n, &arena, &texts), readies = 0, ends = 0;
  assert_in_range(count, 10, 20);
  for (size_t i = 0; i < count; i++) {
    struct notice out;
    assert_in_range(texts[i].len, 17, NOTICE_BYTES_MAX);
    assert_true(pg_notice_decode(texts[i], &arena, &out));
    assert_int_equal(out.node, 1);
    if (out.ready_count)
      assert_memory_equal(out.ready, &ready[readies], sizeof *ready * out.ready_count);
    if (out.ended_count)
      assert_memory_equal(out.ended, &ended[ends], sizeof *ended * out.ended_count);
    readies += out.ready_count;
    ends += out.ended_count;
  }
  assert_int_equal(readies, OUTBOX_CHANNELS);
  assert_int_equal(ends, OUTBOX_ENDED);
}

// --- what is left alone --------------------------------------------------------------------------

#define NODE "000000000000002a"
#define HALF "0190abcdef017123"

static void texts_of_others_are_left_alone(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "hello",
      "1",
      "1"
      "2a",      // a short node
      "2" NODE,  // another version
      "1"
      "000000000000002A",  // capitals
      "1" NODE " ",        // blanks
      "1" NODE "x",        // an unknown item
      "1" NODE "ncx",      // … behind known ones
      "1" NODE "r",        // cut off at each place
      "1" NODE "r1",
      "1" NODE "r1,",
      "1" NODE "r1,1",
      "1" NODE "r1,1,0,",
      "1" NODE "r1,1,0,0190abcd",
      "1" NODE "r1,1,0," HALF,  // without its end
      "1" NODE "r1,1,0," HALF ",",
      "1" NODE "r1,1,0," HALF "," HALF,
      "1" NODE "r0,1,0," HALF "," HALF ";",  // no such channel
      "1" NODE "r-1,1,0," HALF "," HALF ";",
      "1" NODE "r10001,1,0," HALF "," HALF ";",
      "1" NODE "r1,0,0," HALF "," HALF ";",            // nothing
      "1" NODE "r1,99999999999,0," HALF "," HALF ";",  // too much
      "1" NODE "r1,1,1000001," HALF "," HALF ";",      // no such priority
      "1" NODE "r1,1,99999999999999999999," HALF "," HALF ";",
      "1" NODE "rx,1,0," HALF "," HALF ";",
      "1" NODE "e",
      "1" NODE "e" HALF,
      "1" NODE "e" HALF "0190abcdef01712",
      "1" NODE "e" HALF "0190abcdef01712g",
      "1" NODE "t",
      "1" NODE "t1",
      "1" NODE "t0,",  // no such tenant
      "1" NODE "t9223372036854775808,",
  };
  assert_true(decodes("1" NODE "ncr1,1,0," HALF "," HALF ";e" HALF HALF));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (decodes(texts[i])) fail_msg("was taken for a notice: %s", texts[i]);
}

static void a_text_that_is_too_long_is_left_alone(void **state) {
  (void)state;
  static char text[NOTICE_BYTES_MAX + 2];
  memset(text, 'n', sizeof text);
  memcpy(text, "1" NODE, 17);
  struct notice out;
  assert_true(pg_notice_decode((struct str){text, NOTICE_BYTES_MAX}, &arena, &out));
  assert_false(pg_notice_decode((struct str){text, NOTICE_BYTES_MAX + 1}, &arena, &out));
}

// Whatever is done to a good text, it is read to its end or refused, and never past its end.
static void a_text_that_was_damaged_does_no_harm(void **state) {
  (void)state;
  static const char good[] = "1" NODE "nce" HALF HALF "r12,5,-7," HALF "," HALF ";REt5,";
  for (size_t at = 0; at < sizeof good - 1; at++) {
    for (int c = 0; c < 256; c++) {
      char *text = arena_cstr(&arena, str_of(good));
      text[at] = (char)c;
      struct notice out = {0};
      if (!pg_notice_decode((struct str){text, sizeof good - 1}, &arena, &out)) continue;
      assert_in_range(out.ended_count, 0, 1);
      assert_in_range(out.ready_count, 0, 1);
      assert_in_range(out.stirred_count, 0, 1);
    }
    struct notice out;
    (void)pg_notice_decode((struct str){good, at}, &arena, &out);
    arena_reset(&arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_notice_with_nothing_in_it_is_one_text),
      cmocka_unit_test(everything_that_is_said_is_heard),
      cmocka_unit_test(what_does_not_fit_into_one_text_goes_into_several),
      cmocka_unit_test(texts_of_others_are_left_alone),
      cmocka_unit_test(a_text_that_is_too_long_is_left_alone),
      cmocka_unit_test(a_text_that_was_damaged_does_no_harm),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
