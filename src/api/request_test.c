// request_test.c: what a request asks for beside its body: media type, query, preferences, tags.
#include "api/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { HEADERS_MAX = 4 };

static struct http_header headers[HEADERS_MAX];
static struct http_request request;
static struct call call;

static int set_up(void **state) {
  (void)state;
  request = (struct http_request){.query = STR_NONE, .headers = headers};
  arena_init(&request.arena, 1024);
  call = (struct call){.http = &request,
                       .arena = &request.arena,
                       .entry = {.query = "limit tag.* force name waitMs"}};
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_fini(&request.arena);
  return 0;
}

static void ask(const char *query) {
  request.query = str_of(query);
  call.fault = (struct fault){0};
}

static void with(const char *name, const char *value) {
  assert_true(request.header_count < HEADERS_MAX);
  headers[request.header_count++] = (struct http_header){str_of(name), str_of(value)};
}

// The one header of the request.
static void with_only(const char *name, const char *value) {
  request.header_count = 0;
  with(name, value);
}

static void assert_fault(enum err err, const char *pointer, const char *detail) {
  assert_int_equal(err, ERR_INVALID);
  assert_int_equal(call.fault.field_count, 1);
  assert_string_equal(call.fault.fields[0].pointer, pointer);
  assert_string_equal(call.fault.fields[0].detail, detail);
}

// --- body ----------------------------------------------------------------------------------------

static enum err read_body(const char *text) {
  request.body = str_of(text);
  call.fault = (struct fault){0};
  return call_read_body(&call);
}

static void a_body_is_json_without_the_blanks_around_it(void **state) {
  (void)state;
  assert_int_equal(read_body(" [1]\n"), ERR_OK);
  assert_true(str_eq(call.body, STR("[1]")));
  assert_int_equal(call_count(call.body), 1);
  assert_int_equal(read_body(""), ERR_OK);
  assert_true(str_is_none(call.body));
  assert_int_equal(call_needs_body(&call), ERR_MALFORMED_JSON);
}

static void malformed_json_is_located(void **state) {
  (void)state;
  assert_int_equal(read_body("{\n \"a\":}"), ERR_MALFORMED_JSON);
  assert_memory_equal(call.fault.detail, "line 2, column 6: ", 18);
}

static void a_body_says_that_it_is_json(void **state) {
  (void)state;
  static const char *const good[] = {"application/json", "Application/JSON ; charset=utf-8", ""};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    with_only("content-type", good[i]);
    assert_int_equal(read_body("{}"), ERR_OK);
  }
  with_only("Content-Type", "text/plain");
  assert_int_equal(read_body("{}"), ERR_UNSUPPORTED_MEDIA);
  assert_int_equal(read_body(""), ERR_OK);
  with_only("Content-Type", "application/json2");
  assert_int_equal(read_body("{}"), ERR_UNSUPPORTED_MEDIA);
}

static void a_body_is_not_compressed(void **state) {
  (void)state;
  with_only("content-encoding", "gzip");
  assert_int_equal(read_body("{}"), ERR_UNSUPPORTED_MEDIA);
  with_only("content-encoding", "identity");
  assert_int_equal(read_body("{}"), ERR_OK);
}

// --- query ---------------------------------------------------------------------------------------

static void what_a_route_does_not_name_is_refused(void **state) {
  (void)state;
  ask("limit=1&tag.x=2&force=true");
  assert_int_equal(call_query_known(&call), ERR_OK);
  ask("limi=1");
  assert_fault(call_query_known(&call), "?limi",
               "limi is not a parameter of this route; did you mean limit?");
  ask("tag=1");
  assert_fault(call_query_known(&call), "?tag",
               "tag is not a parameter of this route; did you mean tag.*?");
  ask("limit&x%2Fy=1");
  assert_fault(call_query_known(&call), "?x/y",
               "x/y is not a parameter of this route; known are limit, tag.*, force, name, waitMs");
  ask("=1");
  assert_fault(call_query_known(&call), "?",
               " is not a parameter of this route; known are limit, tag.*, force, name, waitMs");
  call.entry.query = "";
  ask("limit=1");
  assert_fault(call_query_known(&call), "?limit",
               "limit is not a parameter of this route, and none is known");
  ask("=1");
  assert_int_equal(call_query_known(&call), ERR_INVALID);
  request.query = STR_NONE;
  assert_int_equal(call_query_known(&call), ERR_OK);
}

static void a_parameter_comes_once(void **state) {
  (void)state;
  ask("limit=1&limit=1");
  assert_fault(call_query_known(&call), "?limit",
               "limit is one too many: one of its kind is taken");
  ask("tag.a=1&limit=1&tag.b=2");
  assert_fault(call_query_known(&call), "?tag.b",
               "tag.b is one too many: one of its kind is taken");
}

static void all_that_is_wrong_with_the_names_is_told_up_to_four(void **state) {
  (void)state;
  ask("limi=1&limit=1&limit=2&x=3");
  assert_int_equal(call_query_known(&call), ERR_INVALID);
  assert_int_equal(call.fault.field_count, 3);
  assert_string_equal(call.fault.fields[0].pointer, "?limi");
  assert_string_equal(call.fault.fields[1].pointer, "?limit");
  assert_string_equal(call.fault.fields[2].pointer, "?x");
  ask("a=1&b=1&c=1&d=1&e=1&f=%");  // past the four nothing is looked at
  assert_int_equal(call_query_known(&call), ERR_INVALID);
  assert_int_equal(call.fault.field_count, FAULT_FIELDS_MAX);
}

static void a_query_that_is_no_text_is_not_understood(void **state) {
  (void)state;
  static const char *const bad[] = {"limit=%", "name=%ff", "name=%00", "%zz=1"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ask(bad[i]);
    assert_int_equal(call_query_known(&call), ERR_BAD_REQUEST);
  }
}

static void a_text_has_bounds(void **state) {
  (void)state;
  struct str text = STR("default");
  ask("");
  assert_int_equal(call_query_text(&call, "name", 3, &text), ERR_OK);
  assert_true(str_eq(text, STR("default")));
  ask("name=a%20b");
  assert_int_equal(call_query_text(&call, "name", 3, &text), ERR_OK);
  assert_true(str_eq(text, STR("a b")));
  ask("name=abcd");
  assert_fault(call_query_text(&call, "name", 3, &text), "?name", "name must have 1 to 3 bytes");
  ask("name=");
  assert_int_equal(call_query_text(&call, "name", 3, &text), ERR_INVALID);
}

static void a_name_has_the_rule_of_names(void **state) {
  (void)state;
  static const char rule[] = "name must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -";
  struct str name = STR("default");
  char longest[200];
  ask("x=1");
  assert_int_equal(call_query_name(&call, "name", &name), ERR_OK);
  assert_true(str_eq(name, STR("default")));
  snprintf(longest, sizeof longest, "name=%0128d", 0);
  ask(longest);
  assert_int_equal(call_query_name(&call, "name", &name), ERR_OK);
  assert_int_equal(name.len, LIMIT_NAME_BYTES);
  snprintf(longest, sizeof longest, "name=%0129d", 0);
  ask(longest);
  assert_fault(call_query_name(&call, "name", &name), "?name", rule);
  ask("name=a%20b");
  assert_fault(call_query_name(&call, "name", &name), "?name", rule);
  ask("name=");
  assert_fault(call_query_name(&call, "name", &name), "?name", rule);
}

static void an_id_is_that_of_a_task(void **state) {
  (void)state;
  struct id id = {0};
  ask("x=1");
  assert_int_equal(call_query_id(&call, "task", &id), ERR_OK);
  assert_true(id_is_none(id));
  ask("task=0198f3a2-5b7c-7e21-9a53-3f0d2c1b4a59");
  assert_int_equal(call_query_id(&call, "task", &id), ERR_OK);
  assert_false(id_is_none(id));
  static const char *const bad[] = {"task=", "task=x",
                                    "task=0198f3a2-5b7c-7e21-9a53-3f0d2c1b4a590"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ask(bad[i]);
    assert_fault(call_query_id(&call, "task", &id), "?task", "task must be a task's id");
  }
}

static void an_integer_has_bounds(void **state) {
  (void)state;
  int64_t value = 50;
  ask("x=1");
  assert_int_equal(call_query_int(&call, "limit", 1, 10, &value), ERR_OK);
  assert_int_equal(value, 50);
  ask("limit=10");
  assert_int_equal(call_query_int(&call, "limit", 1, 10, &value), ERR_OK);
  assert_int_equal(value, 10);
  ask("limit=11");
  assert_fault(call_query_int(&call, "limit", 1, 10, &value), "?limit",
               "limit must be from 1 to 10");
  ask("limit=1e1");
  assert_fault(call_query_int(&call, "limit", 1, 10, &value), "?limit", "limit must be an integer");
  ask("limit=");
  assert_fault(call_query_int(&call, "limit", 1, 10, &value), "?limit", "limit must be an integer");
  ask("limit=99999999999999999999");
  assert_int_equal(call_query_int(&call, "limit", 1, 10, &value), ERR_INVALID);
  assert_int_equal(value, 10);
}

static void a_truth_has_two_spellings(void **state) {
  (void)state;
  bool value = false;
  ask("force=1");
  assert_int_equal(call_query_bool(&call, "force", &value), ERR_OK);
  assert_true(value);
  ask("force=false");
  assert_int_equal(call_query_bool(&call, "force", &value), ERR_OK);
  assert_false(value);
  ask("force=");
  assert_fault(call_query_bool(&call, "force", &value), "?force", "force must be true or false");
  ask("force=yes");
  assert_fault(call_query_bool(&call, "force", &value), "?force", "force must be true or false");
}

// --- preferences ---------------------------------------------------------------------------------

static bool prefers_minimal(const char *value) {
  with_only("prefer", value);
  call_preferences(&call);
  return call.wants_minimal;
}

static void a_minimal_answer_is_preferred_in_any_spelling(void **state) {
  (void)state;
  assert_true(prefers_minimal("return=minimal"));
  assert_true(prefers_minimal("wait=5 , Return = Minimal; strict"));
  assert_false(prefers_minimal("return=representation"));
  assert_false(prefers_minimal("return"));
  assert_false(prefers_minimal(""));
  with("Prefer", "return=minimal");  // a second header goes on with the list
  call_preferences(&call);
  assert_true(call.wants_minimal);
}

static int64_t waits(const char *prefer, const char *query) {
  int64_t wait_ms = 0;
  ask(query);
  with_only("Prefer", prefer);
  assert_int_equal(call_wait(&call, &wait_ms), ERR_OK);
  return wait_ms;
}

static void a_wait_is_preferred_in_seconds(void **state) {
  (void)state;
  assert_int_equal(waits("wait=5", ""), 5000);
  assert_true(call.waited);
  assert_int_equal(waits("return=minimal, wait=0", ""), 0);
  assert_int_equal(waits("wait=61", ""), LIMIT_WAIT_MS);
  assert_int_equal(waits("wait=9223372036854775807", ""), LIMIT_WAIT_MS);
  assert_int_equal(waits("wait=-1", ""), 0);
  assert_false(call.waited);
  assert_int_equal(waits("wait=soon", ""), 0);
  assert_int_equal(waits("wait", ""), 0);
  assert_false(call.waited);
}

static void wait_ms_goes_before_a_preference(void **state) {
  (void)state;
  int64_t wait_ms = 0;
  assert_int_equal(waits("wait=5", "waitMs=70"), 70);
  ask("waitMs=60001");
  assert_fault(call_wait(&call, &wait_ms), "?waitMs", "waitMs must be from 0 to 60000");
}

// --- revisions -----------------------------------------------------------------------------------

static int64_t if_match(const char *value) {
  with_only("If-Match", value);
  return call_if_match(&call);
}

static void a_tag_names_a_revision(void **state) {
  (void)state;
  assert_int_equal(if_match("\"7\""), 7);
  assert_int_equal(if_match(" 7 "), 7);
  assert_int_equal(if_match("*"), ABSENT);
  request.header_count = 0;
  assert_int_equal(call_if_match(&call), ABSENT);
}

static void of_several_tags_the_newest_counts(void **state) {
  (void)state;
  assert_int_equal(if_match("\"3\", \"x\",\"12\", \"4\""), 12);
  assert_int_equal(if_match("\"3\", *"), ABSENT);
}

static void a_foreign_tag_is_no_revision(void **state) {
  (void)state;
  static const char *const foreign[] = {"\"\"",
                                        "",
                                        "\"",
                                        "\"x\"",
                                        "W/\"7\"",
                                        "\"-1\"",
                                        "\"-9223372036854775808\"",
                                        "\"9223372036854775808\"",
                                        "'7'"};
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
    assert_int_equal(if_match(foreign[i]), -1);
}

static bool has_already(const char *value) {
  with_only("If-None-Match", value);
  return call_has_already(&call, 7);
}

static void a_reader_that_has_the_revision_is_known(void **state) {
  (void)state;
  assert_true(has_already("\"7\""));
  assert_true(has_already("W/\"7\""));
  assert_true(has_already("\"6\" , W/\"7\""));
  assert_true(has_already("*"));
  assert_false(has_already("\"77\""));
  assert_false(has_already("7"));
  request.header_count = 0;
  assert_false(call_has_already(&call, 7));
}

#define REQUEST_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      REQUEST_TEST(a_body_is_json_without_the_blanks_around_it),
      REQUEST_TEST(malformed_json_is_located),
      REQUEST_TEST(a_body_says_that_it_is_json),
      REQUEST_TEST(a_body_is_not_compressed),
      REQUEST_TEST(what_a_route_does_not_name_is_refused),
      REQUEST_TEST(a_parameter_comes_once),
      REQUEST_TEST(all_that_is_wrong_with_the_names_is_told_up_to_four),
      REQUEST_TEST(a_query_that_is_no_text_is_not_understood),
      REQUEST_TEST(a_text_has_bounds),
      REQUEST_TEST(a_name_has_the_rule_of_names),
      REQUEST_TEST(an_id_is_that_of_a_task),
      REQUEST_TEST(an_integer_has_bounds),
      REQUEST_TEST(a_truth_has_two_spellings),
      REQUEST_TEST(a_minimal_answer_is_preferred_in_any_spelling),
      REQUEST_TEST(a_wait_is_preferred_in_seconds),
      REQUEST_TEST(wait_ms_goes_before_a_preference),
      REQUEST_TEST(a_tag_names_a_revision),
      REQUEST_TEST(of_several_tags_the_newest_counts),
      REQUEST_TEST(a_foreign_tag_is_no_revision),
      REQUEST_TEST(a_reader_that_has_the_revision_is_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
