// origin_test.c: what is the origin of a page, and which ones a list names.
#include "base/origin.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void origins_are_as_browsers_send_them(void **state) {
  (void)state;
  static const char *const GOOD[] = {"http://localhost:3000",    "https://app.example",
                                     "https://app.example:8443", "http://192.0.2.1",
                                     "http://[::1]:5173",        "https://[2001:db8::1]",
                                     "https://a-b.example.org"};
  for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
    if (!origin_is_good(str_of(GOOD[i]))) fail_msg("%s is an origin", GOOD[i]);
}

static void what_no_browser_sends_is_none(void **state) {
  (void)state;
  static const char *const BAD[] = {"",
                                    "*",
                                    "null",
                                    "app.example",
                                    "https://",
                                    "https://app.example/",
                                    "https://:80",
                                    "https://app.example:443",
                                    "http://app.example:80",
                                    "http://app.example:",
                                    "http://app.example:0",
                                    "http://app.example:065",
                                    "http://app.example:65536",
                                    "ftp://app.example",
                                    "https://me@app.example",
                                    "https://app.example?x",
                                    "https://*.example",
                                    "https://[::1",
                                    "https://::1",
                                    "https://app example",
                                    "HTTPS://app.example"};
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
    if (origin_is_good(str_of(BAD[i]))) fail_msg("%s is no origin", BAD[i]);
}

static void a_list_names_its_origins_whole_and_a_star_names_nobody(void **state) {
  (void)state;
  const struct str names[] = {STR("https://app.example"), STR("http://localhost:3000")};
  const struct origins list = {.at = names, .count = 2, .any = true};
  assert_true(origins_name(&list, STR("https://app.example")));
  assert_true(origins_name(&list, STR("https://APP.example")));
  assert_false(origins_name(&list, STR("https://app.example.evil.example")));
  assert_false(origins_name(&list, STR("http://app.example")));
  assert_false(origins_name(&list, STR("http://localhost:30")));
  assert_false(origins_name(&list, STR("*")));
  assert_false(origins_name(&(struct origins){.any = true}, STR("https://app.example")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(origins_are_as_browsers_send_them),
      cmocka_unit_test(what_no_browser_sends_is_none),
      cmocka_unit_test(a_list_names_its_origins_whole_and_a_star_names_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
