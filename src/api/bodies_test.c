// bodies_test.c: the tables of request bodies: fit for the decoder, and for the structs they fill.
#include "api/bodies_testing.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static size_t field_bytes(enum field_kind kind) {
  switch (kind) {
  case FIELD_INT:
  case FIELD_FRACTION: return sizeof(int64_t);
  case FIELD_TOKEN: return sizeof(struct lease_token);
  case FIELD_BOOL: return sizeof(bool);
  case FIELD_ID: return sizeof(struct id);
  case FIELD_NAMES:
  case FIELD_TEXTS: return sizeof(struct names);
  case FIELD_TEXT:
  case FIELD_NAME:
  case FIELD_JSON:
  case FIELD_OBJECT:
  case FIELD_TAGS:
  case FIELD_ARRAY: break;
  }
  return sizeof(struct str);
}

static void every_table_fits_the_decoders_bits(void **state) {
  (void)state;
  for (size_t t = 0; t < TABLE_COUNT; t++) assert_true(TABLES[t].body->fields.count <= 64);
}

static void every_field_lies_in_its_struct_and_on_no_other(void **state) {
  (void)state;
  for (size_t t = 0; t < TABLE_COUNT; t++) {
    const struct fields fields = TABLES[t].body->fields;
    for (size_t i = 0; i < fields.count; i++) {
      const struct field *f = &fields.at[i];
      size_t end = f->offset + field_bytes(f->kind);
      assert_true(end <= TABLES[t].bytes);
      for (size_t k = 0; k < i; k++) {
        const struct field *other = &fields.at[k];
        bool apart = other->offset >= end || other->offset + field_bytes(other->kind) <= f->offset;
        if (!apart) fail_msg("%s: %s, %s", TABLES[t].body->name, other->name, f->name);
      }
    }
  }
}

// The words of the documents that the front doors serve are as they wrote them.
static bool may_be_theirs(const struct body *body) {
  return body->fields.open || body == &BODY_claim_one;
}

static void every_name_stands_once_in_camel_case(void **state) {
  (void)state;
  for (size_t t = 0; t < TABLE_COUNT; t++) {
    const struct fields fields = TABLES[t].body->fields;
    bool theirs = may_be_theirs(TABLES[t].body);
    for (size_t i = 0; i < fields.count; i++) {
      const char *name = fields.at[i].name;
      assert_true(name[0] >= 'a' && name[0] <= 'z');
      for (const char *at = name; *at; at++)
        assert_true((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                    (theirs && *at == '_'));
      for (size_t k = 0; k < i; k++) assert_string_not_equal(name, fields.at[k].name);
    }
  }
}

static void every_field_says_what_it_means_in_one_cell_of_a_table(void **state) {
  (void)state;
  for (size_t t = 0; t < TABLE_COUNT; t++) {
    const struct fields fields = TABLES[t].body->fields;
    for (size_t i = 0; i < fields.count; i++) {
      const char *meaning = fields.at[i].meaning;
      assert_true(strlen(meaning) > 4);
      assert_null(strpbrk(meaning, "|\n"));
      assert_int_not_equal(meaning[strlen(meaning) - 1], '.');
    }
  }
}

static void every_bound_leaves_room(void **state) {
  (void)state;
  for (size_t t = 0; t < TABLE_COUNT; t++) {
    const struct fields fields = TABLES[t].body->fields;
    for (size_t i = 0; i < fields.count; i++) {
      const struct field *f = &fields.at[i];
      bool bounded = f->kind == FIELD_INT || f->kind == FIELD_TEXT || f->kind == FIELD_NAME ||
                     f->kind == FIELD_OBJECT || f->kind == FIELD_TAGS || f->kind == FIELD_NAMES ||
                     f->kind == FIELD_TEXTS;
      if (bounded) assert_true(f->min < f->max);
    }
  }
}

static void every_route_takes_a_body_that_is_tested_here(void **state) {
  (void)state;
  for (size_t r = 0; r < ROUTE_COUNT; r++) {
    bool found = ROUTES[r].body == NULL;
    for (size_t t = 0; t < TABLE_COUNT; t++) found |= TABLES[t].body == ROUTES[r].body;
    if (!found) fail_msg("%s", ROUTES[r].path);
  }
}

static void the_bits_of_an_edit_follow_its_rows(void **state) {
  (void)state;
  static const char *const ROWS[] = {"priority", "tags", "metadata", "runAt", "expiresAt"};
  static const int BITS[] = {EDIT_PRIORITY, EDIT_TAGS, EDIT_METADATA, EDIT_RUN_AT, EDIT_EXPIRES_AT};
  assert_int_equal(BODY_edit.fields.count, sizeof ROWS / sizeof *ROWS);
  for (size_t i = 0; i < BODY_edit.fields.count; i++) {
    assert_string_equal(BODY_edit.fields.at[i].name, ROWS[i]);
    assert_int_equal(BITS[i], 1 << i);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_table_fits_the_decoders_bits),
      cmocka_unit_test(every_field_lies_in_its_struct_and_on_no_other),
      cmocka_unit_test(every_name_stands_once_in_camel_case),
      cmocka_unit_test(every_field_says_what_it_means_in_one_cell_of_a_table),
      cmocka_unit_test(every_bound_leaves_room),
      cmocka_unit_test(every_route_takes_a_body_that_is_tested_here),
      cmocka_unit_test(the_bits_of_an_edit_follow_its_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
