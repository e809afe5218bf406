// strikes_test.c: failed authentications by address, on a clock of the test's own.
#include "api/strikes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { PER_MINUTE = 60 };
static const int64_t SECOND_US = 1000000;

static struct strikes strikes;
static int64_t now_us;
static int wait_s;

static int set_up(void **state) {
  (void)state;
  strikes_init(&strikes, 7);
  now_us = 5 * SECOND_US;
  return 0;
}

static bool take(const char *peer) {
  return strikes_take(&strikes, str_of(peer), PER_MINUTE, now_us, &wait_s);
}

// How many more may fail now.
static int left(const char *peer) {
  int count = 0;
  while (take(peer)) count++;
  return count;
}

static void a_minute_s_worth_may_fail_at_once_and_then_one_a_second(void **state) {
  (void)state;
  assert_int_equal(left("192.0.2.1"), PER_MINUTE);
  assert_int_equal(wait_s, 1);
  now_us += SECOND_US - 1;
  assert_false(take("192.0.2.1"));
  now_us += 1;
  assert_int_equal(left("192.0.2.1"), 1);
  now_us += 10 * SECOND_US;
  assert_int_equal(left("192.0.2.1"), 10);
  now_us += 3600 * SECOND_US;
  assert_int_equal(left("192.0.2.1"), PER_MINUTE);
}

static void it_says_how_long_to_wait(void **state) {
  (void)state;
  assert_true(strikes_take(&strikes, STR("192.0.2.1"), 2, now_us, &wait_s));
  assert_true(strikes_take(&strikes, STR("192.0.2.1"), 2, now_us, &wait_s));
  assert_false(strikes_take(&strikes, STR("192.0.2.1"), 2, now_us, &wait_s));
  assert_int_equal(wait_s, 30);
  now_us += 12 * SECOND_US + 1;
  assert_false(strikes_take(&strikes, STR("192.0.2.1"), 2, now_us, &wait_s));
  assert_int_equal(wait_s, 18);  // never too early
}

static void each_address_has_its_own_account(void **state) {
  (void)state;
  left("192.0.2.1");
  assert_true(take("192.0.2.2"));
  assert_true(take("::1"));
  assert_true(take("255.255.255.254"));
  left("");  // no address at all, which cannot be, is one too
  assert_false(take("no address"));
  assert_true(take("127.0.0.1"));
}

static void an_ipv6_customer_is_the_first_64_bits(void **state) {
  (void)state;
  left("2001:db8:1:2::1");
  assert_false(take("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  assert_true(take("2001:db8:1:3::1"));
}

// Nobody gets out of his account by filling the table with others that have less on theirs.
static void an_address_with_much_on_its_account_is_not_pushed_out(void **state) {
  (void)state;
  char peer[32];
  left("203.0.113.9");
  for (int i = 0; i < 100000; i++) {
    snprintf(peer, sizeof peer, "10.%d.%d.%d", i >> 16 & 255, i >> 8 & 255, i & 255);
    assert_true(take(peer));
  }
  assert_false(take("203.0.113.9"));
}

static void a_single_bucket_fills_within_a_minute(void **state) {
  (void)state;
  struct bucket b = {0};
  int64_t wait_us = 0;
  for (int i = 0; i < 3; i++) assert_true(bucket_take(&b, 3, now_us, &wait_us));
  assert_false(bucket_take(&b, 3, now_us, &wait_us));
  assert_int_equal(wait_us, 20 * SECOND_US);
  assert_true(bucket_take(&b, 3, now_us + wait_us, &wait_us));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(a_minute_s_worth_may_fail_at_once_and_then_one_a_second, set_up),
      cmocka_unit_test_setup(it_says_how_long_to_wait, set_up),
      cmocka_unit_test_setup(each_address_has_its_own_account, set_up),
      cmocka_unit_test_setup(an_ipv6_customer_is_the_first_64_bits, set_up),
      cmocka_unit_test_setup(an_address_with_much_on_its_account_is_not_pushed_out, set_up),
      cmocka_unit_test_setup(a_single_bucket_fills_within_a_minute, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
