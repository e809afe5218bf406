// sync_test.c: the embedded store has brought to the disk what it says is done.
#include "contract.h"

#include <sys/syscall.h>

// What SQLite has written, and whether all of it was synced since. It calls these of the C library,
// so those of the program come first.
static size_t written;
static bool unsynced;

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  written += count;
  unsynced = true;
  return syscall(SYS_pwrite64, fd, bytes, count, at);
}

int fsync(int fd) {
  unsynced = false;
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  unsynced = false;
  return (int)syscall(SYS_fdatasync, fd);
}

static void what_is_acknowledged_is_on_disk(void **state) {
  struct world *w = *state;
  for (int i = 0; i < 3; i++) {
    written = 0;
    struct id id = world_create(w, STR("resize"));
    assert_true(written > 0);
    assert_false(unsynced);
    struct unit *u = unit_new(w);
    unit_claim(u, world_load(w, id, 0));
    OK(unit_apply(u));
    assert_false(unsynced);
  }
}

int main(void) {
  kind_now = &kinds[0];
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(what_is_acknowledged_is_on_disk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
