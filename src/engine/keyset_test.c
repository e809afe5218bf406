// keyset_test.c: keys in memory are found by their ids, however many there are.
#include "engine/keyset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/limits.h"

static struct api_key key_of(char id[16], int number) {
  int length = snprintf(id, 16, "k%d", number);
  return (struct api_key){
      .id = {id, (size_t)length}, .tenant = number, .name = STR("a"), .created_at = number};
}

static void fill(struct keyset *k, int from, int to) {
  char id[16];
  for (int i = from; i < to; i++) {
    struct api_key key = key_of(id, i);
    keyset_put(k, &key);
  }
}

static const struct api_key *find(const struct keyset *k, int number) {
  char id[16];
  return keyset_find(k, key_of(id, number).id);
}

static void each_key_is_found_and_no_other(void **state) {
  (void)state;
  struct keyset k = {0};
  assert_null(find(&k, 0));
  fill(&k, 0, LIMIT_KEYS);
  assert_int_equal(k.count, LIMIT_KEYS);
  for (int i = 0; i < LIMIT_KEYS; i++) assert_int_equal(find(&k, i)->tenant, i);
  assert_null(find(&k, LIMIT_KEYS));
  assert_null(keyset_find(&k, STR("")));
  keyset_fini(&k);
}

static void a_key_that_is_put_again_is_replaced_in_its_place(void **state) {
  (void)state;
  struct keyset k = {0};
  fill(&k, 0, 3);
  keyset_use(&k, find(&k, 1), 7);
  struct api_key fresh = *find(&k, 1);  // with texts of the one that goes
  fresh.revoked_at = 5;
  keyset_put(&k, &fresh);
  assert_int_equal(k.count, 3);
  assert_ptr_equal(find(&k, 1), &k.at[1]);
  assert_int_equal(k.at[1].revoked_at, 5);
  assert_int_equal(keyset_used_at(&k, &k.at[1]), 7);
  keyset_fini(&k);
}

static void a_removed_key_is_gone_and_the_others_keep_their_order(void **state) {
  (void)state;
  struct keyset k = {0};
  fill(&k, 0, 100);
  for (int i = 0; i < 100; i++) keyset_use(&k, find(&k, i), i + 1);
  for (int i = 0; i < 100; i += 2) keyset_remove(&k, k.at[i / 2].id);
  keyset_remove(&k, STR("k0"));  // it is gone already
  assert_int_equal(k.count, 50);
  for (int i = 0; i < 100; i++) assert_int_equal(find(&k, i) == NULL, i % 2 == 0);
  for (int i = 0; i < 50; i++) {
    assert_int_equal(k.at[i].tenant, 2 * i + 1);
    assert_int_equal(keyset_used_at(&k, &k.at[i]), 2 * i + 2);
  }
  fill(&k, 100, 200);
  assert_int_equal(find(&k, 150)->tenant, 150);
  assert_int_equal(keyset_used_at(&k, find(&k, 150)), 0);
  keyset_fini(&k);
}

static void all_are_replaced_and_those_that_stay_know_when_they_were_used(void **state) {
  (void)state;
  struct keyset k = {0};
  char ids[3][16];
  fill(&k, 0, 5);
  keyset_use(&k, find(&k, 4), 40);
  struct api_key all[] = {key_of(ids[0], 9), key_of(ids[1], 4), key_of(ids[2], 2)};
  keyset_replace(&k, all, 3);
  assert_int_equal(k.count, 3);
  assert_null(find(&k, 0));
  assert_ptr_equal(find(&k, 4), &k.at[1]);
  assert_int_equal(keyset_used_at(&k, find(&k, 4)), 40);
  assert_int_equal(keyset_used_at(&k, find(&k, 9)), 0);
  keyset_replace(&k, NULL, 0);
  assert_int_equal(k.count, 0);
  assert_null(find(&k, 4));
  keyset_fini(&k);
}

// Of a look-up, in the quickest of some rounds: others use the machine too.
static double look_ns(const struct keyset *k, int count) {
  enum { ROUNDS = 20, LOOKS = 20000 };
  int64_t best_us = INT64_MAX;
  for (int round = 0; round < ROUNDS; round++) {
    int64_t began = clock_mono_us(), number = 0;
    for (int i = 0; i < LOOKS; i++) {
      number = (number + 7919) % count;
      assert_non_null(keyset_find(k, k->at[number].id));
    }
    int64_t took = clock_mono_us() - began;
    if (took < best_us) best_us = took;
  }
  return (double)best_us * 1000 / LOOKS;
}

// Going through all of them would take a thousand times as long.
static void ten_thousand_keys_cost_what_ten_do(void **state) {
  (void)state;
  struct keyset few = {0}, many = {0};
  fill(&few, 0, 10);
  fill(&many, 0, LIMIT_KEYS);
  double of_few = look_ns(&few, 10), of_many = look_ns(&many, LIMIT_KEYS);
  print_message("a look-up takes %.0f ns among 10 keys, %.0f ns among %d\n", of_few, of_many,
                LIMIT_KEYS);
  assert_true(of_many < 30 * of_few + 200);
  keyset_fini(&few);
  keyset_fini(&many);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_key_is_found_and_no_other),
      cmocka_unit_test(a_key_that_is_put_again_is_replaced_in_its_place),
      cmocka_unit_test(a_removed_key_is_gone_and_the_others_keep_their_order),
      cmocka_unit_test(all_are_replaced_and_those_that_stay_know_when_they_were_used),
      cmocka_unit_test(ten_thousand_keys_cost_what_ten_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
