// address_test.c: what is an address, what is a network, and which is in which.
#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_same(const char *written, const char *shown) {
  struct address a;
  char text[ADDRESS_TEXT_BYTES];
  if (!address_parse(str_of(written), &a)) fail_msg("%s is no address", written);
  struct str got = address_text(&a, text);
  if (!str_eq(got, str_of(shown))) fail_msg("%s is shown as %.*s", written, STR_FMT(got));
}

static void an_address_has_one_text(void **state) {
  (void)state;
  assert_same("192.0.2.1", "192.0.2.1");
  assert_same("2001:DB8:0:0::1", "2001:db8::1");
  assert_same("::1", "::1");
  assert_same("::ffff:192.0.2.1", "192.0.2.1");
  assert_same("::FFFF:c000:0201", "192.0.2.1");
}

static void what_is_no_address_is_none(void **state) {
  (void)state;
  static const char *const WRONG[] = {"",
                                      "x",
                                      "1.2.3",
                                      "1.2.3.4:80",
                                      "1.2.3.4 ",
                                      " 1.2.3.4",
                                      "1.2.3.256",
                                      "01.2.3.4",
                                      "[::1]",
                                      "fe80::1%lo",
                                      "::1/128",
                                      "1.2.3.4\n",
                                      "localhost",
                                      "1:2:3:4:5:6:7:8:9",
                                      "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"};
  struct address a;
  for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
    if (address_parse(str_of(WRONG[i]), &a)) fail_msg("%s is an address", WRONG[i]);
  assert_false(address_parse(STR_NONE, &a));
  assert_false(address_parse((struct str){"1.2.3.4\0x", 9}, &a));
}

static bool has(const char *network, const char *address) {
  struct network n;
  struct address a;
  if (!network_parse(str_of(network), &n)) fail_msg("%s is no network", network);
  assert_true(address_parse(str_of(address), &a));
  return network_has(&n, &a);
}

static void a_network_has_what_its_prefix_covers(void **state) {
  (void)state;
  assert_true(has("10.0.0.0/8", "10.255.0.1"));
  assert_false(has("10.0.0.0/8", "11.0.0.1"));
  assert_true(has("192.0.2.128/25", "192.0.2.255"));
  assert_false(has("192.0.2.128/25", "192.0.2.127"));
  assert_true(has("192.0.2.1", "192.0.2.1"));
  assert_false(has("192.0.2.1", "192.0.2.2"));
  assert_true(has("0.0.0.0/0", "203.0.113.9"));
  assert_true(has("2001:db8::/32", "2001:db8:ffff::1"));
  assert_false(has("2001:db8::/32", "2001:db9::1"));
  assert_true(has("::1", "::1"));
}

static void the_two_kinds_are_not_in_one_another(void **state) {
  (void)state;
  assert_false(has("::/0", "192.0.2.1"));
  assert_false(has("0.0.0.0/0", "::1"));
  assert_true(has("192.0.2.0/24", "::ffff:192.0.2.7"));
}

static void what_is_no_network_is_none(void **state) {
  (void)state;
  static const char *const WRONG[] = {
      "",       "10.0.0.0/",      "10.0.0.0/33",  "10.0.0.0/-1",   "10.0.0.0/8a", "10.0.0.1/8",
      "::/129", "2001:db8::1/32", "10.0.0.0/8/8", "10.0.0.0/0008", "10/8"};
  struct network n;
  for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
    if (network_parse(str_of(WRONG[i]), &n)) fail_msg("%s is a network", WRONG[i]);
}

static void a_network_is_shown_as_it_is_written(void **state) {
  (void)state;
  static const char *const GOOD[] = {"10.0.0.0/8", "192.0.2.1", "2001:db8::/32",
                                     "::1",        "::/0",      "0.0.0.0/0"};
  for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
    struct network n;
    char text[ADDRESS_TEXT_BYTES + 4];
    assert_true(network_parse(str_of(GOOD[i]), &n));
    network_text(&n, text);
    assert_string_equal(text, GOOD[i]);
  }
}

static void the_home_of_an_address_is_what_one_subscriber_has(void **state) {
  (void)state;
  static const char *const ROWS[][2] = {{"192.0.2.1", "192.0.2.1"},
                                        {"::ffff:192.0.2.1", "192.0.2.1"},
                                        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
                                        {"2001:db8:1:2::", "2001:db8:1:2::"},
                                        {"::1", "::"}};
  for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
    struct address a;
    char text[ADDRESS_TEXT_BYTES];
    assert_true(address_parse(str_of(ROWS[i][0]), &a));
    a = address_home(&a);
    (void)address_text(&a, text);
    assert_string_equal(text, ROWS[i][1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_address_has_one_text),
      cmocka_unit_test(what_is_no_address_is_none),
      cmocka_unit_test(a_network_has_what_its_prefix_covers),
      cmocka_unit_test(the_two_kinds_are_not_in_one_another),
      cmocka_unit_test(what_is_no_network_is_none),
      cmocka_unit_test(the_home_of_an_address_is_what_one_subscriber_has),
      cmocka_unit_test(a_network_is_shown_as_it_is_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
