// wal_test.c: which write-ahead logs are whole: logs made by hand, in each shape that SQLite knows.
#include "store/sqlite/wal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/sqlite/sums.h"

enum { HEAD = 32, FRAME = 24, MAGIC = 0x377f0682, FRAMES_MAX = 16, PAGE_MAX = 65536 };

// A log of `commits`, of so many frames each.
struct shape {
  uint32_t page_bytes;
  bool big_endian;  // the sums; all numbers are
  int commits, frames;
};

static char folder[32], database[48], name[56];
static uint8_t wal[HEAD + FRAMES_MAX * (FRAME + PAGE_MAX)];
static size_t wal_bytes;

static int make_folder(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/wal_test-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(database, sizeof database, "%s/store.db", folder);
  snprintf(name, sizeof name, "%s-wal", database);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  unlink(name);
  return rmdir(folder);
}

static void put(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_sum(uint8_t *at, struct sum sum) {
  put(at, sum.a);
  put(at + 4, sum.b);
}

static struct sum put_head(const struct shape *s, uint32_t magic, uint32_t said_page_bytes) {
  put(wal, magic | s->big_endian);
  put(wal + 4, 3007000);
  put(wal + 8, said_page_bytes);
  put(wal + 12, 0);
  put(wal + 16, 0xdecaf);
  put(wal + 20, 0xc0ffee);
  struct sum sum = sqlite_sum((struct sum){0}, wal, 24, s->big_endian);
  put_sum(wal + 24, sum);
  wal_bytes = HEAD;
  return sum;
}

static struct sum put_frame(const struct shape *s, struct sum sum, uint32_t number, bool commits) {
  uint8_t *frame = wal + wal_bytes, *page = frame + FRAME;
  put(frame, number);
  put(frame + 4, commits ? 100 : 0);
  memcpy(frame + 8, wal + 16, 8);
  memset(page, (int)number, s->page_bytes);
  sum = sqlite_sum(sum, frame, 8, s->big_endian);
  sum = sqlite_sum(sum, page, s->page_bytes, s->big_endian);
  put_sum(frame + 16, sum);
  wal_bytes += FRAME + s->page_bytes;
  return sum;
}

static void make_with(const struct shape *s, uint32_t magic, uint32_t said_page_bytes) {
  struct sum sum = put_head(s, magic, said_page_bytes);
  for (int i = 0; i < s->commits * s->frames; i++)
    sum = put_frame(s, sum, (uint32_t)i + 1, (i + 1) % s->frames == 0);
}

static void make(const struct shape *s) { make_with(s, MAGIC, s->page_bytes); }

static enum err judged(size_t bytes) {
  struct fault why = {0};
  FILE *file = fopen(name, "we");
  assert_non_null(file);
  assert_int_equal(fwrite(wal, 1, bytes, file), bytes);
  assert_int_equal(fclose(file), 0);
  enum err err = sqlite_wal_check(database, &why);
  if (err != ERR_OK) assert_non_null(strstr(why.detail, "store.db-wal is damaged"));
  return err;
}

// With a bit flipped so many bytes from the beginning.
static enum err judged_with_flip(size_t at) {
  wal[at] = (uint8_t)(wal[at] ^ 4);
  enum err err = judged(wal_bytes);
  wal[at] = (uint8_t)(wal[at] ^ 4);
  return err;
}

static size_t frame_at(const struct shape *s, int i) {
  return HEAD + (size_t)i * (FRAME + s->page_bytes);
}

// --- the tests -----------------------------------------------------------------------------------

static void a_log_is_whole_or_damaged_in_each_page_size_and_order_of_bytes(void **state) {
  (void)state;
  for (uint32_t bytes = 512; bytes <= PAGE_MAX; bytes *= 2) {
    for (int big = 0; big < 2; big++) {
      const struct shape s = {bytes, big, 4, 1};
      make(&s);
      assert_int_equal(judged(wal_bytes), ERR_OK);
      assert_int_equal(judged_with_flip(frame_at(&s, 0)), ERR_STORE_BROKEN);
      assert_int_equal(judged_with_flip(frame_at(&s, 1) + 10), ERR_STORE_BROKEN);
      assert_int_equal(judged_with_flip(frame_at(&s, 1) + FRAME + bytes - 1), ERR_STORE_BROKEN);
    }
  }
}

static void damage_to_the_last_two_commits_looks_like_a_loss_of_power(void **state) {
  (void)state;
  const struct shape s = {4096, false, 5, 1};
  make(&s);
  assert_int_equal(judged_with_flip(frame_at(&s, 4) + 100), ERR_OK);
  assert_int_equal(judged_with_flip(frame_at(&s, 3) + 100), ERR_OK);
  assert_int_equal(judged_with_flip(frame_at(&s, 2) + 100), ERR_STORE_BROKEN);
}

// Frames that no commit ends are of one that was being written.
static void frames_of_a_commit_that_never_ended_count_for_nothing(void **state) {
  (void)state;
  const struct shape open = {4096, false, 1, 9}, closed = {4096, false, 3, 3};
  make(&open);
  wal_bytes = frame_at(&open, 8);  // its end is missing
  assert_int_equal(judged_with_flip(frame_at(&open, 0) + 100), ERR_OK);
  make(&closed);
  assert_int_equal(judged(wal_bytes), ERR_OK);
  assert_int_equal(judged_with_flip(frame_at(&closed, 0) + 100), ERR_STORE_BROKEN);
  assert_int_equal(judged_with_flip(frame_at(&closed, 4) + 100), ERR_STORE_BROKEN);
  assert_int_equal(judged_with_flip(frame_at(&closed, 5) + 100), ERR_OK);
}

static void what_is_shorter_than_a_frame_is_no_damage(void **state) {
  (void)state;
  struct fault why = {0};
  unlink(name);
  assert_int_equal(sqlite_wal_check(database, &why), ERR_OK);
  const struct shape s = {4096, false, 3, 1};
  make(&s);
  const size_t lengths[] = {
      0, HEAD - 1, HEAD, HEAD + FRAME, frame_at(&s, 1) - 1, frame_at(&s, 2) + 100};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    assert_int_equal(judged(lengths[i]), ERR_OK);
}

// SQLite takes nothing behind such a head, which is on disk before any frame.
static void any_commit_behind_a_damaged_head_is_missed(void **state) {
  (void)state;
  const struct shape s = {4096, false, 1, 1};
  make(&s);
  assert_int_equal(judged(wal_bytes), ERR_OK);
  for (size_t at = 0; at < HEAD; at += 3)
    assert_int_equal(judged_with_flip(at), at < 24 ? ERR_STORE_BROKEN : ERR_OK);
  make_with(&s, 0x377f0684, s.page_bytes);  // its own sum holds
  assert_int_equal(judged(wal_bytes), ERR_STORE_BROKEN);
}

static void a_page_size_that_cannot_be_is_taken_for_ours(void **state) {
  (void)state;
  static const uint32_t SIZES[] = {0, 256, 1000, 4095, 131072, UINT32_MAX};
  const struct shape s = {4096, false, 4, 1};
  for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
    make_with(&s, MAGIC, SIZES[i]);
    assert_int_equal(judged(wal_bytes), ERR_OK);
    assert_int_equal(judged_with_flip(frame_at(&s, 0) + 100), ERR_STORE_BROKEN);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_log_is_whole_or_damaged_in_each_page_size_and_order_of_bytes),
      cmocka_unit_test(damage_to_the_last_two_commits_looks_like_a_loss_of_power),
      cmocka_unit_test(frames_of_a_commit_that_never_ended_count_for_nothing),
      cmocka_unit_test(what_is_shorter_than_a_frame_is_no_damage),
      cmocka_unit_test(any_commit_behind_a_damaged_head_is_missed),
      cmocka_unit_test(a_page_size_that_cannot_be_is_taken_for_ours),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
