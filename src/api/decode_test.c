// decode_test.c: bodies into structs by table: every kind of field, and the pointers to what is
// wrong.
#include "api/decode.h"

#include "base/id.h"
#include "model/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct sample {
  struct str text, name, json, object, tags, array;
  int64_t number, fraction;
  struct lease_token token;
  bool flag;
  struct id id;
  struct names names, texts;
};

#define ROW(name, kind, required, min, max, member)                                                \
  { name, FIELD_##kind, required, min, max, offsetof(struct sample, member), "sample" }

static const struct field SAMPLE[] = {
    ROW("text", TEXT, false, 1, 5, text),
    ROW("name", NAME, false, 1, 128, name),
    ROW("number", INT, false, -10, 10, number),
    ROW("flag", BOOL, false, 0, 0, flag),
    ROW("id", ID, false, 0, 0, id),
    ROW("leaseToken", TOKEN, false, 0, 0, token),
    ROW("share", FRACTION, false, 0, 1, fraction),
    ROW("json", JSON, false, 0, 0, json),
    ROW("object", OBJECT, false, 0, 20, object),
    ROW("tags", TAGS, false, 0, 4096, tags),
    ROW("names", NAMES, false, 0, 3, names),
    ROW("texts", TEXTS, false, 0, 2, texts),
    ROW("array", ARRAY, false, 0, 0, array),
};

static const struct field NEEDY[] = {
    ROW("text", TEXT, true, 1, 5, text),
    ROW("number", INT, true, -10, 10, number),
    ROW("json", JSON, true, 0, 0, json),
};

static struct arena arena;
static struct sample out;
static struct fault fault;
static uint64_t seen, nulls;

static int set_up(void **state) {
  (void)state;
  arena_init(&arena, 4096);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  arena_fini(&arena);
  return 0;
}

static enum err decode(struct fields fields, const struct where *where, const char *text) {
  struct str json;
  struct json_error error;
  assert_true(json_check(str_of(text), &json, &error));
  out = (struct sample){.number = 7};
  fault = (struct fault){0};
  seen = nulls = 0;
  return decode_object(&arena, json, fields, where, &out, &seen, &nulls, &fault);
}

static void good(const char *text) {
  if (decode(FIELDS(SAMPLE), NULL, text) != ERR_OK) fail_msg("%s: %s", text, fault.detail);
  assert_int_equal(fault.field_count, 0);
}

static void assert_str(struct str got, const char *wanted) {
  if (!str_eq(got, str_of(wanted))) fail_msg("'%.*s' is not '%s'", STR_FMT(got), wanted);
}

static void assert_fault(unsigned i, const char *pointer, const char *detail) {
  assert_true(i < fault.field_count);
  assert_string_equal(fault.fields[i].pointer, pointer);
  assert_string_equal(fault.fields[i].detail, detail);
}

// One thing is wrong with the text.
static void wrong(const char *text, const char *pointer, const char *detail) {
  assert_int_equal(decode(FIELDS(SAMPLE), NULL, text), ERR_INVALID);
  assert_int_equal(fault.field_count, 1);
  assert_fault(0, pointer, detail);
  assert_string_equal(fault.detail, detail);
}

static void an_empty_object_leaves_every_default(void **state) {
  (void)state;
  good("{}");
  assert_int_equal(out.number, 7);
  assert_true(str_is_none(out.text));
  assert_int_equal(seen, 0);
}

static void a_text_is_measured_in_bytes(void **state) {
  (void)state;
  good("{\"text\":\"a\\u00fc\\n\"}");
  assert_str(out.text, "aü\n");
  good("{\"text\":\"12345\"}");
  wrong("{\"text\":\"123456\"}", "/text", "text must have at most 5 bytes");
  wrong("{\"text\":\"üüü\"}", "/text", "text must have at most 5 bytes");
  wrong("{\"text\":\"\"}", "/text", "text must not be empty");
  wrong("{\"text\":\"a\\u0000\"}", "/text", "text must not contain U+0000");
  wrong("{\"text\":5}", "/text", "text must be a string");
  wrong("{\"text\":[\"a\"]}", "/text", "text must be a string");
}

static void a_name_is_of_a_few_characters_only(void **state) {
  (void)state;
  static const char RULE[] = "name must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -";
  good("{\"name\":\"Az09._:/-\"}");
  assert_str(out.name, "Az09._:/-");
  wrong("{\"name\":\"\"}", "/name", RULE);
  wrong("{\"name\":\"a b\"}", "/name", RULE);
  wrong("{\"name\":\"ü\"}", "/name", RULE);
  wrong("{\"name\":\"a@\"}", "/name", RULE);
  wrong("{\"name\":\"[\"}", "/name", RULE);
  wrong("{\"name\":true}", "/name", "name must be a string");
}

static void a_name_ends_at_128_bytes(void **state) {
  (void)state;
  char name[LIMIT_NAME_BYTES + 1];
  memset(name, 'a', sizeof name);
  assert_true(name_is_good((struct str){name, LIMIT_NAME_BYTES}));
  assert_false(name_is_good((struct str){name, LIMIT_NAME_BYTES + 1}));
}

static void an_integer_has_bounds_and_no_fraction(void **state) {
  (void)state;
  good("{\"number\":-10}");
  assert_int_equal(out.number, -10);
  good("{\"number\":1e1}");
  assert_int_equal(out.number, 10);
  wrong("{\"number\":11}", "/number", "number must be from -10 to 10");
  wrong("{\"number\":-11}", "/number", "number must be from -10 to 10");
  wrong("{\"number\":1.5}", "/number", "number must be an integer within ±(2^53 − 1)");
  wrong("{\"number\":9007199254740992}", "/number", "number must be an integer within ±(2^53 − 1)");
  wrong("{\"number\":\"1\"}", "/number", "number must be a number");
}

static void a_truth_is_true_or_false(void **state) {
  (void)state;
  good("{\"flag\":true}");
  assert_true(out.flag);
  good("{\"flag\":false}");
  assert_false(out.flag);
  wrong("{\"flag\":1}", "/flag", "flag must be true or false");
  wrong("{\"flag\":\"true\"}", "/flag", "flag must be true or false");
}

static void an_id_is_a_uuid_of_version_7(void **state) {
  (void)state;
  good("{\"id\":\"01890000-0000-7000-8000-000000000001\"}");
  assert_int_equal(out.id.hi, 0x0189000000007000);
  assert_int_equal(out.id.lo, 0x8000000000000001);
  wrong("{\"id\":\"01890000-0000-4000-8000-000000000001\"}", "/id", "id must be a task's id");
  wrong("{\"id\":\"x\"}", "/id", "id must be a task's id");
  wrong("{\"id\":7}", "/id", "id must be a task's id");
}

static void a_token_that_was_never_ours_holds_no_lease(void **state) {
  (void)state;
  good("{\"leaseToken\":\"00000000000000ff\"}");
  assert_int_equal(out.token.lease, 255);
  assert_int_equal(out.token.session, 0);
  static const char *const foreign[] = {"",
                                        "0000000000000000",
                                        "00000000000000FF",
                                        "x",
                                        "00000000000000ff0",
                                        "00000000000000f",
                                        "s.00000000000000ff",
                                        "s00000000.00000000000000ff",
                                        "s0000001.00000000000000ff",
                                        "s000000001.00000000000000ff",
                                        "s00000001.0000000000000000",
                                        "s00000001.",
                                        "s00000001",
                                        "s0000000100000000000000ff",
                                        "s0000000A.00000000000000ff",
                                        "S00000001.00000000000000ff",
                                        "s00000001.00000000000000ff.",
                                        "s"};
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    char text[64];
    snprintf(text, sizeof text, "{\"leaseToken\":\"%s\"}", foreign[i]);
    good(text);
    assert_int_equal(out.token.lease, LEASE_NONE);
    assert_int_equal(out.token.session, 0);
    assert_int_equal(token_lease(str_of(foreign[i])).lease, LEASE_NONE);
  }
  wrong("{\"leaseToken\":255}", "/leaseToken", "leaseToken must be a string");
}

static void a_token_may_name_a_session(void **state) {
  (void)state;
  good("{\"leaseToken\":\"sfedcba98.00000000000000ff\"}");
  assert_int_equal(out.token.lease, 255);
  assert_int_equal(out.token.session, 0xfedcba98);
}

static void hexadecimal_words_have_16_digits(void **state) {
  (void)state;
  uint64_t word = 1;
  assert_true(hex_parse(STR("0000000000000000"), &word));
  assert_int_equal(word, 0);
  assert_true(hex_parse(STR("fedcba9876543210"), &word));
  assert_int_equal(word, 0xfedcba9876543210);
  assert_false(hex_parse(STR("fedcba987654321"), &word));
  assert_false(hex_parse(STR("fedcba987654321g"), &word));
  assert_false(hex_parse(STR("fedcba987654321/"), &word));
}

static void a_fraction_is_kept_as_percent(void **state) {
  (void)state;
  good("{\"share\":0.2}");
  assert_int_equal(out.fraction, 20);
  good("{\"share\":1}");
  assert_int_equal(out.fraction, 100);
  good("{\"share\":0}");
  assert_int_equal(out.fraction, 0);
  wrong("{\"share\":1.01}", "/share", "share must be a number from 0 to 1");
  wrong("{\"share\":-0.1}", "/share", "share must be a number from 0 to 1");
  wrong("{\"share\":1e999}", "/share", "share must be a number from 0 to 1");
  wrong("{\"share\":\"0.5\"}", "/share", "share must be a number from 0 to 1");
}

static void json_is_kept_byte_for_byte(void **state) {
  (void)state;
  good("{\"json\": {\"b\" : [1.50, \"\\u0041\" ] } }");
  assert_str(out.json, "{\"b\" : [1.50, \"\\u0041\" ] }");
  good("{\"json\":null}");
  assert_str(out.json, "null");
  assert_int_equal(nulls, 0);
}

static void an_object_has_a_size(void **state) {
  (void)state;
  good("{\"object\":{\"a\":[1, 2, 3, 4  ]}}");
  assert_str(out.object, "{\"a\":[1, 2, 3, 4  ]}");
  wrong("{\"object\":{\"a\":[1, 2, 3, 4   ]}}", "/object", "object must have at most 20 bytes");
  wrong("{\"object\":[]}", "/object", "object must be an object");
}

static void an_array_is_kept_as_it_is(void **state) {
  (void)state;
  good("{\"array\":[1, {}]}");
  assert_str(out.array, "[1, {}]");
  wrong("{\"array\":{}}", "/array", "array must be an array");
}

static void tags_are_strings_under_names(void **state) {
  (void)state;
  good("{\"tags\":{\"a\":\"\",\"b\":\"c\"}}");
  assert_str(out.tags, "{\"a\":\"\",\"b\":\"c\"}");
  wrong("{\"tags\":[]}", "/tags", "tags must be an object");
  wrong("{\"tags\":{\"a/b~\":1}}", "/tags/a~1b~0", "a/b~ must be a string");
  wrong("{\"tags\":{\"a\":null}}", "/tags/a", "a must be a string");
  wrong("{\"tags\":{\"a\":\"\\u0000\"}}", "/tags/a", "a must not contain U+0000");
  wrong("{\"tags\":{\"a\\u0000\":\"\"}}", "/tags", "tags must not contain U+0000");
  wrong("{\"tags\":{\"\":\"x\"}}", "/tags/", " must have a name of 1 to 128 bytes");
  wrong("{\"tags\":{\"a\":\"x\",\"\\u0061\":\"y\"}}", "/tags/a", "a is there twice");
}

static void there_are_at_most_32_tags(void **state) {
  (void)state;
  char text[1024];
  int len = snprintf(text, sizeof text, "{\"tags\":{\"t0\":\"\"");
  for (int i = 1; i < LIMIT_TAGS_COUNT; i++)
    len += snprintf(text + len, sizeof text - (size_t)len, ",\"t%d\":\"\"", i);
  snprintf(text + len, sizeof text - (size_t)len, "}}");
  good(text);
  snprintf(text + len, sizeof text - (size_t)len, ",\"last\":\"\"}}");
  wrong(text, "/tags", "tags must have at most 32 tags");
}

static void a_list_points_at_the_element_that_is_wrong(void **state) {
  (void)state;
  good("{\"names\":[\"a\",\"b\"],\"texts\":[\"\",\"ü b\"]}");
  assert_int_equal(out.names.count, 2);
  assert_str(out.names.at[1], "b");
  assert_str(out.texts.at[1], "ü b");
  good("{\"names\":[]}");
  assert_int_equal(out.names.count, 0);
  assert_non_null(out.names.at);
  wrong("{\"names\":\"a\"}", "/names", "names must be an array of strings");
  wrong("{\"names\":[\"a\",5]}", "/names/1", "element 1 of names must be a string");
  wrong("{\"texts\":[\"\\u0000\"]}", "/texts/0", "element 0 of texts must not contain U+0000");
  wrong("{\"names\":[\"a\",\"b\",\"c\",\"d\"]}", "/names", "names must have at most 3 elements");
  wrong("{\"texts\":[\"a\",\"b\",\"c\"]}", "/texts", "texts must have at most 2 elements");
}

static void null_leaves_the_default_and_is_told(void **state) {
  (void)state;
  good("{\"number\":null,\"names\":null,\"text\":\"a\"}");
  assert_int_equal(out.number, 7);
  assert_null(out.names.at);
  assert_int_equal(seen, 1u << 0 | 1u << 2 | 1u << 10);
  assert_int_equal(nulls, 1u << 2 | 1u << 10);
}

static void what_is_required_must_come_and_not_as_null(void **state) {
  (void)state;
  assert_int_equal(decode(FIELDS(NEEDY), NULL, "{\"text\":null}"), ERR_INVALID);
  assert_int_equal(fault.field_count, 3);
  assert_fault(0, "/text", "text must not be null");
  assert_fault(1, "/number", "number is missing");
  assert_fault(2, "/json", "json is missing");
  assert_int_equal(decode(FIELDS(NEEDY), NULL, "{\"text\":\"a\",\"number\":0,\"json\":null}"),
                   ERR_OK);
}

static void a_field_that_comes_twice_is_refused_however_it_is_spelled(void **state) {
  (void)state;
  wrong("{\"number\":1,\"number\":2}", "/number", "number is there twice");
  wrong("{\"number\":1,\"n\\u0075mber\":2}", "/number", "number is there twice");
  good("{\"n\\u0075mber\":2}");
  assert_int_equal(out.number, 2);
}

#define KNOWN                                                                                      \
  "; known are text, name, number, flag, id, leaseToken, share, json, object, tags, names, "       \
  "texts, array"

static void an_unknown_field_is_named_with_the_nearest_known(void **state) {
  (void)state;
  wrong("{\"numbr\":1}", "/numbr", "numbr is not a field of this request; did you mean number?");
  wrong("{\"Flag\":1}", "/Flag", "Flag is not a field of this request; did you mean flag?");
  wrong("{\"lease\":1}", "/lease",
        "lease is not a field of this request; did you mean leaseToken?");
  wrong("{\"nonsense\":1}", "/nonsense", "nonsense is not a field of this request" KNOWN);
  wrong("{\"x\":1}", "/x", "x is not a field of this request" KNOWN);
  wrong("{\"\":1}", "/", " is not a field of this request" KNOWN);
  wrong("{\"a/b~c\":1}", "/a~1b~0c", "a/b~c is not a field of this request" KNOWN);
  assert_int_equal(decode((struct fields){NULL, 0, false}, NULL, "{\"a\":1}"), ERR_INVALID);
  assert_fault(0, "/a", "a is not a field of this request, and none is known");
}

static void a_very_long_name_is_cut(void **state) {
  (void)state;
  char text[600];
  snprintf(text, sizeof text, "{\"%0500d\":1}", 0);
  assert_int_equal(decode(FIELDS(SAMPLE), NULL, text), ERR_INVALID);
  assert_int_equal(fault.field_count, 1);
  assert_true(strlen(fault.fields[0].pointer) < FAULT_POINTER_BYTES);
  assert_memory_equal(fault.detail, "0000", 4);
}

static void several_mistakes_are_all_pointed_at(void **state) {
  (void)state;
  assert_int_equal(decode(FIELDS(SAMPLE), NULL, "{\"number\":99,\"what\":1,\"text\":\"\"}"),
                   ERR_INVALID);
  assert_int_equal(fault.field_count, 3);
  assert_fault(0, "/number", "number must be from -10 to 10");
  assert_fault(1, "/what", "what is not a field of this request" KNOWN);
  assert_fault(2, "/text", "text must not be empty");
  assert_string_equal(fault.detail, fault.fields[0].detail);
}

static void behind_the_mistakes_that_are_kept_nothing_is_looked_at(void **state) {
  (void)state;
  assert_int_equal(
      decode(FIELDS(SAMPLE), NULL, "{\"aa\":1,\"bb\":1,\"cc\":1,\"dd\":1,\"number\":1}"),
      ERR_INVALID);
  assert_int_equal(fault.field_count, FAULT_FIELDS_MAX);
  assert_int_equal(out.number, 7);
}

static void the_place_of_an_object_is_part_of_the_pointer(void **state) {
  (void)state;
  const struct where items = {.key = "it/ems"}, third = {.up = &items, .index = 3};
  const struct where error = {.up = &third, .key = "error"};
  assert_int_equal(decode(FIELDS(SAMPLE), &error, "{\"flag\":0,\"tags\":{\"a\":1}}"), ERR_INVALID);
  assert_fault(0, "/it~1ems/3/error/flag", "flag must be true or false");
  assert_fault(1, "/it~1ems/3/error/tags/a", "a must be a string");
  assert_string_equal(where_pointer(&arena, &third, NULL), "/it~1ems/3");
  assert_string_equal(where_pointer(&arena, NULL, "a~b"), "/a~0b");
}

static void what_is_no_object_is_named_by_its_place(void **state) {
  (void)state;
  const struct where claim = {.key = "claim"}, second = {.index = 2};
  wrong("[]", "", "the body must be an object");
  wrong("null", "", "the body must be an object");
  assert_int_equal(decode(FIELDS(SAMPLE), &claim, "5"), ERR_INVALID);
  assert_fault(0, "/claim", "claim must be an object");
  assert_int_equal(decode(FIELDS(SAMPLE), &second, "\"x\""), ERR_INVALID);
  assert_fault(0, "/2", "element 2 must be an object");
}

static void an_open_table_passes_over_what_it_does_not_name(void **state) {
  (void)state;
  struct fields open = FIELDS(SAMPLE);
  open.open = true;
  assert_int_equal(decode(open, NULL, "{\"numbers\":[],\"number\":3,\"\":{\"flag\":1}}"), ERR_OK);
  assert_int_equal(out.number, 3);
  assert_int_equal(decode(open, NULL, "{\"other\":1,\"number\":99}"), ERR_INVALID);
  assert_fault(0, "/number", "number must be from -10 to 10");
  assert_int_equal(decode(open, NULL, "{\"flag\":true,\"other\":1,\"flag\":true}"), ERR_INVALID);
}

#define DECODE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      DECODE_TEST(an_empty_object_leaves_every_default),
      DECODE_TEST(an_open_table_passes_over_what_it_does_not_name),
      DECODE_TEST(a_text_is_measured_in_bytes),
      DECODE_TEST(a_name_is_of_a_few_characters_only),
      DECODE_TEST(a_name_ends_at_128_bytes),
      DECODE_TEST(an_integer_has_bounds_and_no_fraction),
      DECODE_TEST(a_truth_is_true_or_false),
      DECODE_TEST(an_id_is_a_uuid_of_version_7),
      DECODE_TEST(a_token_may_name_a_session),
      DECODE_TEST(a_token_that_was_never_ours_holds_no_lease),
      DECODE_TEST(hexadecimal_words_have_16_digits),
      DECODE_TEST(a_fraction_is_kept_as_percent),
      DECODE_TEST(json_is_kept_byte_for_byte),
      DECODE_TEST(an_object_has_a_size),
      DECODE_TEST(an_array_is_kept_as_it_is),
      DECODE_TEST(tags_are_strings_under_names),
      DECODE_TEST(there_are_at_most_32_tags),
      DECODE_TEST(a_list_points_at_the_element_that_is_wrong),
      DECODE_TEST(null_leaves_the_default_and_is_told),
      DECODE_TEST(what_is_required_must_come_and_not_as_null),
      DECODE_TEST(a_field_that_comes_twice_is_refused_however_it_is_spelled),
      DECODE_TEST(an_unknown_field_is_named_with_the_nearest_known),
      DECODE_TEST(a_very_long_name_is_cut),
      DECODE_TEST(several_mistakes_are_all_pointed_at),
      DECODE_TEST(behind_the_mistakes_that_are_kept_nothing_is_looked_at),
      DECODE_TEST(the_place_of_an_object_is_part_of_the_pointer),
      DECODE_TEST(what_is_no_object_is_named_by_its_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
