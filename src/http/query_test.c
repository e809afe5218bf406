// query_test.c: query parameters, targets and headers as a handler reads them.
#include "http/inside.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct http_request request;

static int set_up(void **state) {
  (void)state;
  request = (struct http_request){0};
  arena_init(&request.arena, 1024);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_fini(&request.arena);
  return 0;
}

static void assert_text(const char *wanted, struct str found) {
  assert_false(str_is_none(found));
  assert_true(str_eq(str_of(wanted), found));
}

static struct str value_of(const char *query, const char *name, bool *bad) {
  request.query = str_of(query);
  *bad = false;
  return http_query(&request, str_of(name), bad);
}

static void a_parameter_is_found_by_its_name(void **state) {
  (void)state;
  bool bad;
  assert_text("2", value_of("a=1&b=2&b=3", "b", &bad));
  assert_text("", value_of("a=1&b", "b", &bad));
  assert_text("", value_of("b=", "b", &bad));
  assert_text("x=y", value_of("&&b=x=y&", "b", &bad));
  assert_false(bad);
  assert_true(str_is_none(value_of("a=1", "b", &bad)));
  assert_true(str_is_none(value_of("", "b", &bad)));
  request.query = STR_NONE;
  assert_true(str_is_none(http_query(&request, STR("b"), NULL)));
}

static void escapes_are_decoded_in_names_and_values(void **state) {
  (void)state;
  bool bad;
  assert_text("a b&c", value_of("tag.x%2Fy=a+b%26c", "tag.x/y", &bad));
  assert_text("\xc3\xa4", value_of("q=%c3%A4", "q", &bad));
  assert_false(bad);
}

static void broken_escapes_and_broken_text_are_told(void **state) {
  (void)state;
  const char *broken[] = {"q=%",   "q=%4",   "q=%zz",    "q=%-1",      "q=a%00b",
                          "q=%ff", "q=\xff", "q=%c0%80", "q=%ed%a0%80"};
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    bool bad;
    value_of(broken[i], "q", &bad);
    assert_true(bad);
  }
}

static void another_broken_parameter_does_no_harm(void **state) {
  (void)state;
  bool bad;
  assert_text("1", value_of("x=%zz&q=1&y=%", "q", &bad));
  assert_false(bad);
}

static void the_walk_gives_all_in_their_order(void **state) {
  (void)state;
  request.query = STR("a=1&&b=%zz&c");
  struct str cursor = request.query, name, value;
  bool bad = false;
  assert_true(http_query_next(&request, &cursor, &name, &value, &bad));
  assert_text("a", name);
  assert_text("1", value);
  assert_false(bad);
  assert_true(http_query_next(&request, &cursor, &name, &value, &bad));
  assert_text("b", name);
  assert_true(bad);
  assert_true(http_query_next(&request, &cursor, &name, &value, NULL));
  assert_text("c", name);
  assert_text("", value);
  assert_false(http_query_next(&request, &cursor, &name, &value, NULL));
}

static void a_path_segment_is_decoded_but_for_its_plus(void **state) {
  (void)state;
  struct str text = STR_NONE;
  assert_true(http_path_decode(&request.arena, STR("a%2Fb+c"), &text));
  assert_text("a/b+c", text);
  assert_true(http_path_decode(&request.arena, STR(""), &text));
  assert_text("", text);
  assert_false(http_path_decode(&request.arena, STR("a%2"), &text));
  assert_false(http_path_decode(&request.arena, STR("a%00"), &text));
  assert_false(http_path_decode(&request.arena, STR("\xff"), &text));
}

static void a_header_is_found_in_any_case(void **state) {
  (void)state;
  static struct http_header headers[] = {{{"If-Match", 8}, {"1", 1}}, {{"if-match", 8}, {"2", 1}}};
  request.headers = headers;
  request.header_count = 2;
  assert_text("1", http_header(&request, STR("IF-MATCH")));
  assert_true(str_is_none(http_header(&request, STR("If-Matc"))));
}

static enum err target_of(enum http_method method, const char *target) {
  request.method = method;
  return http_target(&request, str_of(target), STR("h:80"), NULL);
}

static void a_target_is_split_into_path_and_query(void **state) {
  (void)state;
  assert_int_equal(ERR_OK, target_of(HTTP_METHOD_GET, "/a/b?c=d?e"));
  assert_text("/a/b", request.path);
  assert_text("c=d?e", request.query);
  assert_int_equal(ERR_OK, target_of(HTTP_METHOD_GET, "/a"));
  assert_text("/a", request.path);
  assert_true(str_is_none(request.query));
}

static void an_absolute_target_must_name_the_same_host(void **state) {
  (void)state;
  assert_int_equal(ERR_OK, target_of(HTTP_METHOD_GET, "http://H:80/a?b"));
  assert_text("/a", request.path);
  assert_text("b", request.query);
  assert_int_equal(ERR_OK, target_of(HTTP_METHOD_GET, "https://h:80?b"));
  assert_text("/", request.path);
  assert_text("b", request.query);
  assert_int_equal(ERR_BAD_REQUEST, target_of(HTTP_METHOD_GET, "http://other/a"));
  assert_int_equal(ERR_BAD_REQUEST, target_of(HTTP_METHOD_GET, "http://u@h:80/a"));
}

static void other_targets_are_refused(void **state) {
  (void)state;
  assert_int_equal(ERR_OK, target_of(HTTP_METHOD_OPTIONS, "*"));
  assert_int_equal(ERR_BAD_REQUEST, target_of(HTTP_METHOD_GET, "*"));
  assert_int_equal(ERR_BAD_REQUEST, target_of(HTTP_METHOD_OTHER, "h:80"));
  assert_int_equal(ERR_BAD_REQUEST, target_of(HTTP_METHOD_GET, "ftp://h/a"));
  assert_int_equal(ERR_BAD_REQUEST, target_of(HTTP_METHOD_GET, "/a#b"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_parameter_is_found_by_its_name),
      TEST(escapes_are_decoded_in_names_and_values),
      TEST(broken_escapes_and_broken_text_are_told),
      TEST(another_broken_parameter_does_no_harm),
      TEST(the_walk_gives_all_in_their_order),
      TEST(a_path_segment_is_decoded_but_for_its_plus),
      TEST(a_header_is_found_in_any_case),
      TEST(a_target_is_split_into_path_and_query),
      TEST(an_absolute_target_must_name_the_same_host),
      TEST(other_targets_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
