// sync_test.c: the embedded store has brought to the disk what it says is done, or says that it has
// not.
#include "contract.h"

#include <errno.h>
#include <sys/syscall.h>

// What SQLite has written, and whether all of it was synced since. It calls these of the C library,
// so those of the program come first.
static size_t written;
static bool unsynced;
static int syncs, fails_at;  // the sync that fails, of those that are counted; 0: none

static bool sync_fails(void) {
  if (++syncs != fails_at) return false;
  errno = EIO;
  return true;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  written += count;
  unsynced = true;
  return syscall(SYS_pwrite64, fd, bytes, count, at);
}

int fsync(int fd) {
  if (sync_fails()) return -1;
  unsynced = false;
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  if (sync_fails()) return -1;
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

// The engine ends the process then. Nobody waits for a checkpoint: what it copies is acknowledged.
static enum err checkpoint_with(struct world *w, int failing_sync) {
  world_create(w, STR("resize"));
  syncs = 0;
  fails_at = failing_sync;
  enum err err = w->ops->tend(w->lane, true, &w->why);
  fails_at = 0;
  return err;
}

static void a_checkpoint_whose_sync_fails_is_told(void **state) {
  struct world *w = *state;
  OK(checkpoint_with(w, 0));
  int of_a_checkpoint = syncs;  // of the WAL, before it is copied, and of the file
  assert_true(of_a_checkpoint >= 2);
  for (int i = 1; i <= of_a_checkpoint; i++) FAILS(ERR_STORE_BROKEN, checkpoint_with(w, i));
  OK(checkpoint_with(w, 0));
}

int main(void) {
  kind_now = &kinds[0];
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(what_is_acknowledged_is_on_disk),
      CONTRACT_TEST(a_checkpoint_whose_sync_fails_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
