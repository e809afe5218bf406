// nearest_test.c: which name was probably meant, and what is said when none was.
#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { NAMES_MAX = 64 };

static struct str names[NAMES_MAX];
static size_t count;

static void known(const char *all) {
  struct str left = str_of(all);
  for (count = 0; left.len; count++) names[count] = str_cut(&left, ' ');
}

static void assert_told(const char *word, const char *expected) {
  struct buf told;
  buf_init(&told, 1024);
  nearest_tell(str_of(word), names, count, &told);
  buf_char(&told, '\0');
  assert_string_equal(told.at, expected);
  buf_fini(&told);
}

static void a_name_with_few_letters_wrong_is_meant(void **state) {
  (void)state;
  known("limit status createdAfter createdBefore");
  assert_told("limits", "; did you mean limit?");
  assert_told("stauts", "; did you mean status?");
  assert_told("Limit", "; did you mean limit?");
  assert_told("createdBefor", "; did you mean createdBefore?");
}

static void so_is_one_that_is_only_begun_and_the_first_of_several(void **state) {
  (void)state;
  known("limit status createdAfter createdBefore");
  assert_told("st", "; did you mean status?");
  assert_told("created", "; did you mean createdAfter?");
}

static void else_all_are_listed(void **state) {
  (void)state;
  known("limit status");
  assert_told("colour", "; known are limit, status");
  assert_told("s", "; known are limit, status");
  assert_told("", "; known are limit, status");
  known("status");
  assert_told("colour", "; the only one is status");
  known("");
  assert_told("limit", ", and none is known");
}

// The last that fits ends at the bound; one byte more, and it is left out.
static void a_long_list_is_cut_at_a_whole_name(void **state) {
  (void)state;
  char last[NEAREST_LIST_BYTES], told[NEAREST_LIST_BYTES * 2];
  size_t room = NEAREST_LIST_BYTES - (sizeof "; known are aa, " - 1);
  memset(last, 'b', sizeof last);
  names[0] = STR("aa");
  names[1] = (struct str){last, room};
  count = 2;
  snprintf(told, sizeof told, "; known are aa, %.*s", (int)room, last);
  assert_told("x", told);
  names[1].len++;
  assert_told("x", "; known are aa, …");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_with_few_letters_wrong_is_meant),
      cmocka_unit_test(so_is_one_that_is_only_begun_and_the_first_of_several),
      cmocka_unit_test(else_all_are_listed),
      cmocka_unit_test(a_long_list_is_cut_at_a_whole_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
