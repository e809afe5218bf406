// file_test.c: names, locks and finished files.
#include "store/sqlite/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/sqlite/sqlite.h"

static void names_with_a_meaning_become_plain_names(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {":memory:", "./:memory:"},
      {"file:x?mode=ro", "./file:x?mode=ro"},
      {"taskyard.db", "./taskyard.db"},
      {"/var/lib/x.db", "/var/lib/x.db"},
      {"", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *plain = sqlite_file_plain(cases[i][0]);
    assert_string_equal(plain, cases[i][1]);
    mem_free(plain);
  }
}

static void network_file_systems_are_known_by_number(void **state) {
  (void)state;
  assert_string_equal(sqlite_file_network_name(0x6969), "NFS");
  assert_string_equal(sqlite_file_network_name(0xff534d42), "CIFS");
  assert_null(sqlite_file_network_name(0xef53));      // ext4
  assert_null(sqlite_file_network_name(0x01021994));  // tmpfs
}

// A folder for one test, and two names in it.
struct place {
  char folder[32], a[48], b[48];
  struct fault why;
};

static int place_setup(void **state) {
  struct place *p = mem_zero(sizeof *p);
  *state = p;
  snprintf(p->folder, sizeof p->folder, "/tmp/file_test-XXXXXX");
  if (!mkdtemp(p->folder)) return -1;
  snprintf(p->a, sizeof p->a, "%s/a", p->folder);
  snprintf(p->b, sizeof p->b, "%s/b", p->folder);
  return 0;
}

static int place_teardown(void **state) {
  struct place *p = *state;
  char lock[56];
  snprintf(lock, sizeof lock, "%s.lock", p->a);
  unlink(lock);
  unlink(p->a);
  unlink(p->b);
  int failed = rmdir(p->folder);
  mem_free(p);
  return failed;
}

static void a_lock_is_held_until_it_is_closed(void **state) {
  struct place *p = *state;
  int first = -1, second = -1;
  assert_int_equal(sqlite_file_lock(p->a, &first, &p->why), ERR_OK);
  assert_int_equal(sqlite_file_lock(p->a, &second, &p->why), ERR_UNAVAILABLE);
  assert_int_equal(second, -1);
  close(first);
  assert_int_equal(sqlite_file_lock(p->a, &second, &p->why), ERR_OK);
  close(second);
}

static void a_file_that_is_there_is_not_made_again(void **state) {
  struct place *p = *state;
  assert_int_equal(sqlite_file_create(p->a, &p->why), ERR_OK);
  assert_int_equal(truncate(p->a, 100), 0);
  assert_int_equal(sqlite_file_create(p->a, &p->why), ERR_OK);
  struct stat st;
  assert_int_equal(stat(p->a, &st), 0);
  assert_int_equal(st.st_size, 100);
}

static void assert_resolves(struct place *p, const char *path, const char *want) {
  char *name = NULL;
  assert_int_equal(sqlite_file_resolve(path, &name, &p->why), ERR_OK);
  assert_string_equal(name, want);
  mem_free(name);
}

static void each_way_to_a_file_leads_to_one_name(void **state) {
  struct place *p = *state;
  char around[64];
  snprintf(around, sizeof around, "%s/../%s", p->folder, p->a + strlen("/tmp/"));
  assert_resolves(p, around, p->a);  // not there yet
  assert_resolves(p, "/no-such-file", "/no-such-file");
  assert_int_equal(sqlite_file_create(p->a, &p->why), ERR_OK);
  assert_int_equal(symlink(p->a, p->b), 0);
  assert_resolves(p, around, p->a);
  assert_resolves(p, p->b, p->a);
  assert_true(sqlite_store_same(p->b, around));
  assert_false(sqlite_store_same(p->a, p->folder));
  unlink(p->a);
  assert_false(sqlite_store_same(p->a, p->b));
}

static void what_has_no_one_name_is_refused(void **state) {
  struct place *p = *state;
  char *name = NULL, long_path[5000];
  assert_int_equal(sqlite_file_create(p->a, &p->why), ERR_OK);
  assert_int_equal(link(p->a, p->b), 0);
  assert_int_equal(sqlite_file_resolve(p->a, &name, &p->why), ERR_INVALID);
  assert_int_equal(sqlite_file_resolve(p->b, &name, &p->why), ERR_INVALID);
  unlink(p->b);
  assert_int_equal(symlink("/no/such/file", p->b), 0);
  assert_int_equal(sqlite_file_resolve(p->b, &name, &p->why), ERR_UNAVAILABLE);
  assert_int_equal(sqlite_file_resolve("/no/such/file", &name, &p->why), ERR_UNAVAILABLE);
  assert_int_equal(sqlite_file_resolve("", &name, &p->why), ERR_INVALID);
  memset(long_path, 'x', sizeof long_path);
  long_path[sizeof long_path - 1] = '\0';
  assert_int_equal(sqlite_file_resolve(long_path, &name, &p->why), ERR_INVALID);
  long_path[4090] = '\0';
  assert_int_equal(sqlite_file_resolve(long_path, &name, &p->why), ERR_INVALID);
  assert_null(name);
}

static void a_finished_file_never_takes_the_place_of_another(void **state) {
  struct place *p = *state;
  assert_int_equal(sqlite_file_create(p->a, &p->why), ERR_OK);
  assert_int_equal(sqlite_file_publish(p->a, p->b, &p->why), ERR_OK);
  assert_int_not_equal(access(p->a, F_OK), 0);
  assert_int_equal(sqlite_file_create(p->a, &p->why), ERR_OK);
  assert_int_equal(sqlite_file_publish(p->a, p->b, &p->why), ERR_CONFLICT);
  assert_int_equal(access(p->a, F_OK), 0);
  assert_int_equal(sqlite_file_publish("/no/such/file", "/no/such/other", &p->why),
                   ERR_UNAVAILABLE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_with_a_meaning_become_plain_names),
      cmocka_unit_test(network_file_systems_are_known_by_number),
      cmocka_unit_test_setup_teardown(a_lock_is_held_until_it_is_closed, place_setup,
                                      place_teardown),
      cmocka_unit_test_setup_teardown(a_file_that_is_there_is_not_made_again, place_setup,
                                      place_teardown),
      cmocka_unit_test_setup_teardown(each_way_to_a_file_leads_to_one_name, place_setup,
                                      place_teardown),
      cmocka_unit_test_setup_teardown(what_has_no_one_name_is_refused, place_setup, place_teardown),
      cmocka_unit_test_setup_teardown(a_finished_file_never_takes_the_place_of_another, place_setup,
                                      place_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
