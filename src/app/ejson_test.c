// ejson_test.c: what mongoexport writes becomes plain JSON.
#include "app/ejson.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(const char *from, const char *to) {
  struct buf b;
  struct str value;
  struct json_error error;
  buf_init(&b, 4096);
  assert_true(json_check(str_of(from), &value, &error));
  ejson_plain(&b, value);
  assert_int_equal(b.len, strlen(to));
  assert_memory_equal(b.at, to, b.len);
  assert_true(json_check(buf_str(&b), &value, &error));
  buf_fini(&b);
}

static void plain_json_stays_as_it_is(void **state) {
  (void)state;
  check("{\"a\":[1,2.50,\"x\",null,true,{}],\"b\":{\"c\":[]}}",
        "{\"a\":[1,2.50,\"x\",null,true,{}],\"b\":{\"c\":[]}}");
  check("\"text\"", "\"text\"");
}

static void an_object_id_becomes_its_digits(void **state) {
  (void)state;
  check("{\"_id\":{\"$oid\":\"65f0c0ffee0123456789abcd\"}}",
        "{\"_id\":\"65f0c0ffee0123456789abcd\"}");
}

static void a_date_becomes_a_time_whichever_way_it_is_written(void **state) {
  (void)state;
  check("{\"$date\":\"2026-01-01T00:00:00Z\"}", "\"2026-01-01T00:00:00Z\"");
  check("{\"$date\":{\"$numberLong\":\"1767225600000\"}}", "\"2026-01-01T00:00:00.000Z\"");
  check("{\"$date\":1767225600250}", "\"2026-01-01T00:00:00.250Z\"");
  check("{\"$date\":{\"$numberLong\":\"-1500\"}}", "\"1969-12-31T23:59:58.500Z\"");
}

static void a_number_becomes_a_number(void **state) {
  (void)state;
  check("[{\"$numberInt\":\"5\"},{\"$numberLong\":\"-7\"},{\"$numberDouble\":\"0.5\"}]",
        "[5,-7,0.5]");
  check("[{\"$numberDecimal\":\"1.10\"},{\"$numberLong\":12}]", "[1.10,12]");
}

static void what_is_no_number_of_json_stays_a_text(void **state) {
  (void)state;
  check("[{\"$numberDouble\":\"NaN\"},{\"$numberDouble\":\"-Infinity\"}]",
        "[\"NaN\",\"-Infinity\"]");
}

static void other_types_stay_as_they_are(void **state) {
  (void)state;
  check("{\"$binary\":{\"base64\":\"AA==\",\"subType\":\"00\"}}",
        "{\"$binary\":{\"base64\":\"AA==\",\"subType\":\"00\"}}");
  check("{\"$oid\":\"a\",\"more\":1}", "{\"$oid\":\"a\",\"more\":1}");
  check("{\"$oid\":5}", "{\"$oid\":5}");
  check("{\"$date\":{\"when\":1}}", "{\"$date\":{\"when\":1}}");
  check("{\"$date\":[]}", "{\"$date\":[]}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_json_stays_as_it_is),
      cmocka_unit_test(an_object_id_becomes_its_digits),
      cmocka_unit_test(a_date_becomes_a_time_whichever_way_it_is_written),
      cmocka_unit_test(a_number_becomes_a_number),
      cmocka_unit_test(what_is_no_number_of_json_stays_a_text),
      cmocka_unit_test(other_types_stay_as_they_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
