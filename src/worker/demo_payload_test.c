// demo_payload_test.c: what the demo tasks take from their payloads, and what they refuse.
#include "worker/demo_payload.h"
#include "worker/testing_texts.h"

static void what_is_absent_or_null_keeps_its_default(void **state) {
  (void)state;
  static const char *const payloads[] = {"null", "{}",
                                         "{\"delayMs\":null,\"items\":null,\"x\":[1]}"};
  for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
    struct demo_payload p;
    const char *why = NULL;
    assert_true(demo_payload_read(&the_arena, str_of(payloads[i]), &p, &why));
    assert_int_equal(p.delay_ms, -1);
    assert_int_equal(p.min_s, -1);
    assert_int_equal(p.max_s, -1);
    assert_int_equal(p.file_size, -1);
    assert_null(p.file_path.at);
    assert_null(p.items.at);
    assert_string_equal(p.data.at, "null");
    assert_string_equal(p.message.at, "null");
  }
}

static void every_member_is_taken(void **state) {
  (void)state;
  struct str payload =
      STR("{\"delayMs\":7,\"description\":\"\",\"filePath\":\"/a\\tb\",\"fileSize\":0,"
          "\"endpoint\":\"e\",\"data\":{\"k\": 1},\"message\":[1],\"items\":[1,[2],\"3\"],"
          "\"delayMinSec\":0,\"delayMaxSec\":600}");
  struct demo_payload p;
  const char *why = NULL;
  assert_true(demo_payload_read(&the_arena, payload, &p, &why));
  assert_int_equal(p.delay_ms, 7);
  assert_int_equal(p.min_s, 0);
  assert_int_equal(p.max_s, 600);
  assert_int_equal(p.description.len, 0);
  assert_non_null(p.description.at);
  assert_true(str_eq(p.file_path, STR("/a\tb")));
  assert_int_equal(p.file_size, 0);
  assert_true(str_eq(p.endpoint, STR("e")));
  assert_true(str_eq(p.data, STR("{\"k\": 1}")));
  assert_true(str_eq(p.message, STR("[1]")));
  assert_true(str_eq(p.items, STR("[1,[2],\"3\"]")));
  assert_int_equal(p.item_count, 3);
}

static void a_wrong_member_is_named(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"[]", "object"},
      {"\"text\"", "object"},
      {"{\"delayMs\":-1}", "delayMs"},
      {"{\"delayMs\":600001}", "delayMs"},
      {"{\"delayMs\":1.5}", "delayMs"},
      {"{\"delayMs\":\"1\"}", "delayMs"},
      {"{\"delayMinSec\":0.5}", "delayMinSec"},
      {"{\"delayMaxSec\":601}", "delayMaxSec"},
      {"{\"description\":1}", "description"},
      {"{\"filePath\":\"\"}", "filePath"},
      {"{\"fileSize\":-5}", "fileSize"},
      {"{\"endpoint\":[]}", "endpoint"},
      {"{\"items\":{}}", "items"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct demo_payload p;
    const char *why = "";
    assert_false(demo_payload_read(&the_arena, str_of(rows[i][0]), &p, &why));
    assert_non_null(strstr(why, rows[i][1]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_absent_or_null_keeps_its_default),
      cmocka_unit_test(every_member_is_taken),
      cmocka_unit_test(a_wrong_member_is_named),
  };
  return cmocka_run_group_tests(tests, a_fresh_arena, the_arena_freed);
}
