// file_test.c: names, locks and finished files.
#include "store/sqlite/file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
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

// --- what a system refuses -----------------------------------------------------------------------

// The calls of the system that the test's own come before: one of them fails as it is told to.
static const char *failing;  // its name; NULL: none
static int failing_with;     // its errno
static long file_system;     // that every folder is said to be on; 0: the truth

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static bool fails(const char *call) {
  if (!failing || strcmp(failing, call) != 0) return false;
  errno = failing_with;
  return true;
}

int open(const char *path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  int mode = flags & O_CREAT ? va_arg(args, int) : 0;
  va_end(args);
  return fails("open") ? -1 : REAL(open)(path, flags, mode);
}

int link(const char *from, const char *to) { return fails("link") ? -1 : REAL(link)(from, to); }

int unlink(const char *path) { return fails("unlink") ? -1 : REAL(unlink)(path); }

int ftruncate(int fd, off_t bytes) { return fails("ftruncate") ? -1 : REAL(ftruncate)(fd, bytes); }

int statfs(const char *path, struct statfs *out) {
  int failed = REAL(statfs)(path, out);
  if (file_system) out->f_type = (__typeof__(out->f_type))file_system;
  return failed;
}

static void fail_at(const char *call, int with) {
  failing = call;
  failing_with = with;
}

static void a_folder_on_a_network_is_refused_by_the_name_of_its_kind(void **state) {
  struct place *p = *state;
  assert_int_equal(sqlite_file_check(p->a, &p->why), ERR_OK);
  file_system = 0x6969;
  assert_int_equal(sqlite_file_check(p->a, &p->why), ERR_UNAVAILABLE);
  assert_non_null(strstr(p->why.detail, "is on a network file system (NFS)"));
  file_system = (int32_t)0xff534d42;  // as a system whose type is signed has it
  assert_int_equal(sqlite_file_check(p->a, &p->why), ERR_UNAVAILABLE);
  assert_non_null(strstr(p->why.detail, "(CIFS)"));
  file_system = 0;
  assert_int_equal(sqlite_file_check("/no/such/folder/a", &p->why), ERR_UNAVAILABLE);
  assert_non_null(strstr(p->why.detail, "cannot use the folder /no/such/folder/"));
}

static void what_stands_in_the_way_of_a_file_or_its_lock_is_named(void **state) {
  struct place *p = *state;
  int fd = -1;
  char lock[56];
  snprintf(lock, sizeof lock, "%s.lock", p->a);
  assert_int_equal(mkdir(lock, 0700), 0);
  assert_int_equal(sqlite_file_lock(p->a, &fd, &p->why), ERR_UNAVAILABLE);
  assert_non_null(strstr(p->why.detail, "cannot open the lock file"));
  assert_int_equal(rmdir(lock), 0);
  assert_int_equal(sqlite_file_create("/no/such/folder/a", &p->why), ERR_UNAVAILABLE);
  assert_non_null(strstr(p->why.detail, "cannot create /no/such/folder/a"));
  assert_int_equal(fd, -1);
}

// Files that cannot grow behave as a full disk does.
static void a_lock_holds_on_a_full_disk_too_where_it_cannot_say_whose_it_is(void **state) {
  struct place *p = *state;
  struct rlimit limit, none;
  int first = -1, second = -1;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  none = limit;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
  enum err err = sqlite_file_lock(p->a, &first, &p->why);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  assert_int_equal(err, ERR_OK);
  assert_int_equal(sqlite_file_lock(p->a, &second, &p->why), ERR_UNAVAILABLE);
  assert_non_null(strstr(p->why.detail, "is in use by another taskyard; stop that one"));
  close(first);
}

static void nor_does_it_need_a_lock_file_that_can_be_cut(void **state) {
  struct place *p = *state;
  int first = -1, second = -1;
  fail_at("ftruncate", EIO);
  assert_int_equal(sqlite_file_lock(p->a, &first, &p->why), ERR_OK);
  fail_at(NULL, 0);
  assert_int_equal(sqlite_file_lock(p->a, &second, &p->why), ERR_UNAVAILABLE);
  close(first);
}

static void each_step_that_fails_is_told_as_a_full_disk_or_as_one_that_refuses(void **state) {
  struct place *p = *state;
  static const struct {
    int error;
    enum err err;
  } ROWS[] = {{ENOSPC, ERR_DISK_FULL}, {EROFS, ERR_UNAVAILABLE}};
  int fd = -1;
  assert_int_equal(sqlite_file_create(p->a, &p->why), ERR_OK);
  for (size_t i = 0; i < 2; i++) {
    fail_at("open", ROWS[i].error);
    enum err create = sqlite_file_create(p->b, &p->why);
    enum err lock = sqlite_file_lock(p->a, &fd, &p->why);
    fail_at("link", ROWS[i].error);
    enum err named = sqlite_file_publish(p->a, p->b, &p->why);
    fail_at(NULL, 0);
    assert_int_equal(create, ROWS[i].err);
    assert_int_equal(lock, ROWS[i].err);
    assert_int_equal(named, ROWS[i].err);
    assert_non_null(strstr(p->why.detail, "cannot write"));
  }
  assert_int_not_equal(access(p->b, F_OK), 0);
  fail_at("unlink", EROFS);
  enum err twice = sqlite_file_publish(p->a, p->b, &p->why);
  fail_at(NULL, 0);
  assert_int_equal(twice, ERR_UNAVAILABLE);
  assert_int_equal(fd, -1);
}

static void only_files_that_are_there_are_the_same(void **state) {
  struct place *p = *state;
  assert_int_equal(sqlite_file_create(p->a, &p->why), ERR_OK);
  assert_true(sqlite_store_same(p->a, p->a));
  assert_false(sqlite_store_same(p->a, p->b));
  assert_false(sqlite_store_same(p->b, p->a));
  assert_false(sqlite_store_same(p->a, "/proc/self/status"));  // of another file system
}

static void the_longest_path_leaves_room_for_the_name_of_its_lock(void **state) {
  struct place *p = *state;
  enum { LONGEST = 4090 };
  char *name = NULL, path[LONGEST + 2];
  memset(path, 'x', sizeof path);
  path[0] = '/';
  path[LONGEST + 1] = '\0';
  assert_int_equal(sqlite_file_resolve(path, &name, &p->why), ERR_INVALID);
  assert_non_null(strstr(p->why.detail, "too long"));
  assert_null(name);
  path[LONGEST] = '\0';
  assert_int_equal(sqlite_file_resolve(path, &name, &p->why), ERR_OK);
  mem_free(name);
  assert_resolves(p, p->folder, p->folder);  // which is no file; SQLite says so
}

enum { NOBODY = 65534 };

// Root may do everything, so that what is not allowed is tried as somebody else.
static void become(uid_t user) {
  if (getuid() == 0) assert_int_equal(seteuid(user), 0);
}

// It appears, but nobody can say that it stays.
static void a_file_in_a_folder_that_cannot_be_synced_is_not_published(void **state) {
  struct place *p = *state;
  assert_int_equal(sqlite_file_create(p->a, &p->why), ERR_OK);
  if (getuid() == 0) {
    assert_int_equal(chown(p->folder, NOBODY, (gid_t)-1), 0);
    assert_int_equal(chown(p->a, NOBODY, (gid_t)-1), 0);
  }
  assert_int_equal(chmod(p->folder, 0300), 0);
  become(NOBODY);
  enum err err = sqlite_file_publish(p->a, p->b, &p->why);
  become(0);
  assert_int_equal(chmod(p->folder, 0700), 0);
  assert_int_equal(err, ERR_UNAVAILABLE);
  assert_non_null(strstr(p->why.detail, "cannot write"));
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
      cmocka_unit_test_setup_teardown(a_folder_on_a_network_is_refused_by_the_name_of_its_kind,
                                      place_setup, place_teardown),
      cmocka_unit_test_setup_teardown(what_stands_in_the_way_of_a_file_or_its_lock_is_named,
                                      place_setup, place_teardown),
      cmocka_unit_test_setup_teardown(
          a_lock_holds_on_a_full_disk_too_where_it_cannot_say_whose_it_is, place_setup,
          place_teardown),
      cmocka_unit_test_setup_teardown(only_files_that_are_there_are_the_same, place_setup,
                                      place_teardown),
      cmocka_unit_test_setup_teardown(the_longest_path_leaves_room_for_the_name_of_its_lock,
                                      place_setup, place_teardown),
      cmocka_unit_test_setup_teardown(a_file_in_a_folder_that_cannot_be_synced_is_not_published,
                                      place_setup, place_teardown),
      cmocka_unit_test_setup_teardown(nor_does_it_need_a_lock_file_that_can_be_cut, place_setup,
                                      place_teardown),
      cmocka_unit_test_setup_teardown(
          each_step_that_fails_is_told_as_a_full_disk_or_as_one_that_refuses, place_setup,
          place_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
