// imported_test.c: documents of the task repository service, and the tasks they become.
#include "app/imported.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena arena;
static struct imported doc;
static struct buf out;

static int set_up(void **state) {
  (void)state;
  arena_init(&arena, 4096);
  buf_init(&out, 64 * 1024);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_fini(&arena);
  buf_fini(&out);
  return 0;
}

static const char *read_as(const char *text, bool history) {
  struct str json;
  struct json_error error;
  assert_true(json_check(str_of(text), &json, &error));
  doc = (struct imported){.kind = IMPORTED_KINDS};
  return imported_read(&arena, json, history, &doc);
}

static void good(const char *text, bool history) {
  const char *wrong = read_as(text, history);
  if (wrong) fail_msg("%s: %s", text, wrong);
}

static void becomes(const char *task) {
  struct str value;
  struct json_error error;
  buf_clear(&out);
  imported_put_task(&doc, &out);
  assert_true(json_check(buf_str(&out), &value, &error));
  if (!str_eq(value, str_of(task))) fail_msg("%.*s", STR_FMT(value));
}

static void ends_by(const char *body) {
  buf_clear(&out);
  imported_put_end(&doc, STR("token"), &out);
  if (!str_eq(buf_str(&out), str_of(body))) fail_msg("%.*s", (int)out.len, out.at);
}

#define LEAST "{\"_id\":\"a\",\"task_type\":\"T\"}"

static void a_document_needs_an_id_and_a_type_only(void **state) {
  (void)state;
  good(LEAST, false);
  assert_int_equal(doc.kind, IMPORTED_PENDING);
  becomes("{\"type\":\"T\",\"uniqueKey\":\"a\",\"priority\":0,\"payload\":" LEAST "}");
  good("{\"_id\":17,\"task_type\":\"T\",\"status\":null,\"priority\":null,\"tags\":null}", false);
  assert_true(str_eq(doc.id, STR("17")));
}

static void what_a_document_has_is_taken_over(void **state) {
  (void)state;
#define WHOLE                                                                                      \
  "{\"_id\":\"a\",\"task_type\":\"T\",\"status\":\"processing\",\"priority\":1,"                   \
  "\"tenant_id\":\"t\",\"batch_id\":\"b\",\"metadata\":{\"k\":1},"                                 \
  "\"tags\":{\"n\":1,\"service\":\"s\",\"custom_tags\":{},\"source\":\"w\"}}"
  good(WHOLE, false);
  assert_int_equal(doc.kind, IMPORTED_PROCESSING);
  assert_true(str_eq(doc.service, STR("s")));
  becomes(
      "{\"type\":\"T\",\"uniqueKey\":\"a\",\"priority\":4,\"projectId\":\"t\",\"subject\":\"b\","
      "\"tags\":{\"service\":\"s\",\"source\":\"w\"},\"metadata\":{\"k\":1},"
      "\"payload\":" WHOLE "}");
}

static void what_is_wrong_is_said(void **state) {
  (void)state;
  static const char *const CASES[][2] = {
      {"[]", "object"},
      {"{\"task_type\":\"T\"}", "_id"},
      {"{\"_id\":\"\",\"task_type\":\"T\"}", "_id"},
      {"{\"_id\":{\"$binary\":1},\"task_type\":\"T\"}", "_id"},
      {"{\"_id\":\"a\",\"task_type\":5}", "task_type"},
      {"{\"_id\":\"a\",\"task_type\":\"T\",\"status\":\"running\"}", "status"},
      {"{\"_id\":\"a\",\"task_type\":\"T\",\"status\":5}", "status"},
      {"{\"_id\":\"a\",\"task_type\":\"T\",\"priority\":0}", "priority"},
      {"{\"_id\":\"a\",\"task_type\":\"T\",\"priority\":\"5\"}", "priority"},
      {"{\"_id\":\"a\",\"task_type\":\"T\",\"priority\":1.5}", "priority"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    const char *wrong = read_as(CASES[i][0], false);
    assert_non_null(wrong);
    assert_non_null(strstr(wrong, CASES[i][1]));
    assert_int_equal(doc.kind, IMPORTED_KINDS);
  }
}

static void an_ended_document_is_of_a_type_of_its_own(void **state) {
  (void)state;
#define ENDED(status, more) "{\"_id\":\"a\",\"task_type\":\"T\",\"status\":\"" status "\"" more "}"
  good(ENDED("completed", ",\"results\":{\"n\":1}"), true);
  becomes("{\"type\":\"history/T\",\"uniqueKey\":\"a\",\"priority\":0,\"payload\":" ENDED(
      "completed", ",\"results\":{\"n\":1}") "}");
  ends_by("{\"leaseToken\":\"token\",\"result\":{\"n\":1}}");
  good(ENDED("completed", ""), true);
  ends_by("{\"leaseToken\":\"token\",\"result\":null}");
}

static void a_failed_document_ends_with_its_error(void **state) {
  (void)state;
  good(ENDED("failed", ",\"error\":\"no \\\"x\\\"\""), true);
  ends_by("{\"leaseToken\":\"token\",\"retry\":false,\"error\":\"no \\\"x\\\"\"}");
  good(ENDED("failed", ",\"error\":{\"code\":5}"), true);
  ends_by("{\"leaseToken\":\"token\",\"retry\":false,\"error\":\"{\\\"code\\\":5}\"}");
  good(ENDED("failed", ""), true);
  ends_by("{\"leaseToken\":\"token\",\"retry\":false,\"error\":\"failed\"}");
}

static void a_cancelled_document_is_never_handed_out(void **state) {
  (void)state;
  good(ENDED("canceled", ""), true);
  assert_int_equal(doc.kind, IMPORTED_CANCELLED);
  becomes(
      "{\"type\":\"history/T\",\"uniqueKey\":\"a\",\"priority\":0,\"autoStart\":false,"
      "\"payload\":" ENDED("canceled", "") "}");
}

#define IMPORTED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      IMPORTED_TEST(a_document_needs_an_id_and_a_type_only),
      IMPORTED_TEST(what_a_document_has_is_taken_over),
      IMPORTED_TEST(what_is_wrong_is_said),
      IMPORTED_TEST(an_ended_document_is_of_a_type_of_its_own),
      IMPORTED_TEST(a_failed_document_ends_with_its_error),
      IMPORTED_TEST(a_cancelled_document_is_never_handed_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
