// id_test.c: task ids, their order, their text, their key.
#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const int64_t now_ms = 1790000000123;

static void ids_rise_strictly_whatever_the_clock_does(void **state) {
  (void)state;
  static const int64_t steps[] = {0, 0, 1, -5, 0, 1000, -100000, 3};
  struct id_source source = {0};
  int64_t time = now_ms, last = 0;
  for (int i = 0; i < 20000; i++) {
    time += steps[i % 8];
    struct id id = id_next(&source, time);
    assert_true(id_key(id) > last);
    last = id_key(id);
    assert_true(source.last == last);
  }
}

static void an_id_tells_its_time(void **state) {
  (void)state;
  struct id_source source = {0};
  struct id id = id_next(&source, now_ms);
  assert_true(id_ms(id) == now_ms);
  assert_true(id_key(id) == id_key_from_ms(now_ms));
}

static void more_than_4096_ids_in_a_millisecond_borrow_from_the_next(void **state) {
  (void)state;
  struct id_source source = {0};
  for (int i = 0; i < 4096; i++) assert_true(id_ms(id_next(&source, now_ms)) == now_ms);
  assert_true(id_ms(id_next(&source, now_ms)) == now_ms + 1);
}

static void a_source_goes_on_behind_the_newest_id_of_its_store(void **state) {
  (void)state;
  struct id_source source = {.last = id_key_from_ms(now_ms + 60000)};
  assert_true(id_key(id_next(&source, now_ms)) == id_key_from_ms(now_ms + 60000) + 1);
}

static void an_id_is_a_uuid_of_version_7(void **state) {
  (void)state;
  struct id_source source = {0};
  char text[ID_TEXT_BYTES];
  for (int i = 0; i < 1000; i++) {
    id_text(id_next(&source, now_ms), text);
    assert_int_equal(text[14], '7');
    assert_non_null(memchr("89ab", text[19], 4));
  }
}

static void neighbours_differ_in_their_random_bits(void **state) {
  (void)state;
  struct id_source source = {0};
  struct id a = id_next(&source, now_ms), b = id_next(&source, now_ms);
  assert_true(a.lo != b.lo);
}

static void the_key_and_the_lower_half_give_the_id_back(void **state) {
  (void)state;
  struct id_source source = {0};
  for (int i = 0; i < 5000; i++) {
    struct id id = id_next(&source, now_ms);
    assert_true(id_eq(id_from_key(id_key(id), id.lo), id));
  }
}

static void text_is_the_form_of_the_rfc(void **state) {
  (void)state;
  struct id id = {0x017F22E279B07CC3, 0x98C4DC0C0C07398F};  // the example of RFC 9562 appendix A.6
  char text[ID_TEXT_BYTES];
  id_text(id, text);
  assert_memory_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", ID_TEXT_BYTES);
  assert_true(id_ms(id) == 1645557742000);
}

static void text_is_parsed_in_either_case(void **state) {
  (void)state;
  struct id lower, upper;
  assert_true(id_parse(STR("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), &lower));
  assert_true(id_parse(STR("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &upper));
  assert_true(id_eq(lower, upper));
  assert_true(lower.hi == 0x017F22E279B07CC3 && lower.lo == 0x98C4DC0C0C07398F);
}

static void what_is_no_id_is_refused_and_changes_nothing(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "stats",
      "017f22e2-79b0-7cc3-98c4-dc0c0c07398",    // too short
      "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",  // too long
      "017f22e279b07cc398c4dc0c0c07398f",       // no dashes
      "017f22e2-79b0-7cc3-98c40dc0c0c07398f",   // a dash missing
      "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",   // a dash in the wrong place
      "017f22g2-79b0-7cc3-98c4-dc0c0c07398f",   // not hexadecimal
      "017f22e2-79b0-7cc3-98c4-dc0c0c07398 ",   // a blank
      "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",   // version 4
      "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",   // another variant
      "00000000-0000-0000-0000-000000000000",   // none
  };
  struct id id = {1, 2};
  for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
    if (id_parse(str_of(texts[i]), &id)) fail_msg("'%s' is no id", texts[i]);
  assert_true(id.hi == 1 && id.lo == 2);
}

static void every_text_is_parsed_back(void **state) {
  (void)state;
  struct id_source source = {0};
  for (int i = 0; i < 5000; i++) {
    struct id id = id_next(&source, now_ms + i * 7919), back;
    char text[ID_TEXT_BYTES];
    id_text(id, text);
    assert_true(id_parse((struct str){text, ID_TEXT_BYTES}, &back));
    assert_true(id_eq(id, back));
  }
}

static void none_is_none(void **state) {
  (void)state;
  assert_true(id_is_none((struct id){0, 0}));
  assert_false(id_is_none((struct id){0, 1}));
  assert_false(id_is_none((struct id){1, 0}));
}

static void shares_of_ids_do_not_meet_and_rise(void **state) {
  (void)state;
  struct id_source a = {.share = 3, .shares = ID_SHARES}, b = {.share = 4, .shares = ID_SHARES};
  int64_t last = 0;
  for (int i = 0; i < 1000; i++) {
    int64_t key = id_key(id_next(&a, 1700000000000 + i / 100));
    assert_int_equal(key % ID_SHARES, 3);
    assert_true(key > last);
    last = key;
    assert_int_equal(id_key(id_next(&b, 1700000000000 + i / 100)) % ID_SHARES, 4);
  }
}

static void a_share_keeps_to_its_millisecond_while_it_can(void **state) {
  (void)state;
  struct id_source a = {.share = 63, .shares = ID_SHARES};
  for (int i = 0; i < 4096 / ID_SHARES; i++)
    assert_int_equal(id_ms(id_next(&a, 1700000000000)), 1700000000000);
  assert_int_equal(id_ms(id_next(&a, 1700000000000)), 1700000000001);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shares_of_ids_do_not_meet_and_rise),
      cmocka_unit_test(a_share_keeps_to_its_millisecond_while_it_can),
      cmocka_unit_test(ids_rise_strictly_whatever_the_clock_does),
      cmocka_unit_test(an_id_tells_its_time),
      cmocka_unit_test(more_than_4096_ids_in_a_millisecond_borrow_from_the_next),
      cmocka_unit_test(a_source_goes_on_behind_the_newest_id_of_its_store),
      cmocka_unit_test(an_id_is_a_uuid_of_version_7),
      cmocka_unit_test(neighbours_differ_in_their_random_bits),
      cmocka_unit_test(the_key_and_the_lower_half_give_the_id_back),
      cmocka_unit_test(text_is_the_form_of_the_rfc),
      cmocka_unit_test(text_is_parsed_in_either_case),
      cmocka_unit_test(what_is_no_id_is_refused_and_changes_nothing),
      cmocka_unit_test(every_text_is_parsed_back),
      cmocka_unit_test(none_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
