// sums_test.c: damage to a page is found when it is read, whoever else has had the file.
#include "store/sqlite/sums.h"

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

#include "base/log.h"
#include "base/mem.h"

enum { PAGE = 4096, FLIPS = 400 };

#define FILL                                                                                       \
  "CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT);"                                             \
  "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 400)"                \
  " INSERT INTO t SELECT i, printf('%0*d', 100 + i * 40 % 9000, i) FROM n"

struct place {
  char folder[32], file[48], other[48];
};

static int place_setup(void **state) {
  struct place *p = mem_zero(sizeof *p);
  *state = p;
  snprintf(p->folder, sizeof p->folder, "/tmp/sums_test-XXXXXX");
  if (!mkdtemp(p->folder)) return -1;
  snprintf(p->file, sizeof p->file, "%s/a", p->folder);
  snprintf(p->other, sizeof p->other, "%s/b", p->folder);
  return 0;
}

// With what SQLite leaves beside it when the last to close may not write.
static void remove_database(const char *path) {
  static const char *const ends[] = {"", "-wal", "-shm"};
  char name[64];
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    snprintf(name, sizeof name, "%s%s", path, ends[i]);
    unlink(name);
  }
}

static int place_teardown(void **state) {
  struct place *p = *state;
  remove_database(p->file);
  remove_database(p->other);
  if (rmdir(p->folder) != 0) return -1;
  mem_free(p);
  return 0;
}

// --- databases -----------------------------------------------------------------------------------

static sqlite3 *open_with(const char *path, const char *vfs) {
  sqlite3 *db = NULL;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  assert_int_equal(sqlite3_open_v2(path, &db, flags, vfs), SQLITE_OK);
  sqlite3_extended_result_codes(db, 1);
  if (vfs) sqlite_sums_opened(db);
  return db;
}

static void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
    fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static void make(const char *path, const char *vfs) {
  sqlite3 *db = open_with(path, vfs);
  run(db, "PRAGMA journal_mode = WAL");
  run(db, FILL);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

// Whether all rows can be read, and every page is looked at on the way.
static int read_all(const char *path, const char *vfs) {
  sqlite3 *db = NULL;
  int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, vfs);
  sqlite3_extended_result_codes(db, 1);
  if (code == SQLITE_OK)
    code = sqlite3_exec(db, "SELECT count(*), sum(length(body)) FROM t", NULL, NULL, NULL);
  if (code == SQLITE_OK) code = sqlite3_exec(db, "PRAGMA integrity_check", NULL, NULL, NULL);
  sqlite3_close(db);
  return code;
}

// --- bytes ---------------------------------------------------------------------------------------

static uint8_t *bytes_of(const char *path, size_t *count) {
  FILE *f = fopen(path, "rb");
  struct stat st;
  assert_non_null(f);
  assert_int_equal(fstat(fileno(f), &st), 0);
  *count = (size_t)st.st_size;
  uint8_t *bytes = mem_alloc(*count);
  assert_int_equal(fread(bytes, 1, *count, f), *count);
  fclose(f);
  return bytes;
}

static void flip(const char *path, size_t at, int bit) {
  FILE *f = fopen(path, "r+b");
  assert_non_null(f);
  fseek(f, (long)at, SEEK_SET);
  int byte = fgetc(f);
  fseek(f, (long)at, SEEK_SET);
  fputc(byte ^ 1 << bit, f);
  assert_int_equal(fclose(f), 0);
}

// As the extension's source has it, byte by byte.
static bool sum_holds(const uint8_t *page) {
  uint32_t a = 0, b = 0, w[2];
  for (size_t i = 0; i < PAGE - 8; i += 8) {
    for (size_t k = 0; k < 2; k++) {
      const uint8_t *at = page + i + 4 * k;
      w[k] = at[0] + 256U * at[1] + 65536U * at[2] + 16777216U * at[3];
    }
    a += w[0] + b;
    b += w[1] + a;
  }
  for (int k = 0; k < 4; k++)
    if (page[PAGE - 8 + k] != (a >> 8 * k & 0xff) || page[PAGE - 4 + k] != (b >> 8 * k & 0xff))
      return false;
  return true;
}

static size_t pages_without_sum(const char *path) {
  size_t count = 0, bad = 0;
  uint8_t *bytes = bytes_of(path, &count);
  assert_int_equal(count % PAGE, 0);
  assert_int_equal(bytes[20], 8);
  for (size_t at = 0; at < count; at += PAGE) bad += !sum_holds(bytes + at);
  mem_free(bytes);
  return bad;
}

// --- tests ---------------------------------------------------------------------------------------

static void each_page_has_the_sum_that_sqlites_extension_gives_it(void **state) {
  struct place *p = *state;
  make(p->file, SQLITE_SUMS_VFS);
  assert_int_equal(pages_without_sum(p->file), 0);
  assert_int_equal(read_all(p->file, SQLITE_SUMS_VFS), SQLITE_OK);
}

static void a_flipped_bit_is_found_wherever_it_is(void **state) {
  struct place *p = *state;
  size_t count = 0;
  make(p->file, SQLITE_SUMS_VFS);
  mem_free(bytes_of(p->file, &count));
  for (size_t i = 0; i < FLIPS; i++) {
    size_t at = i < 100 ? i : i * 2654435761U % count;  // the header, and all over the file
    flip(p->file, at, (int)(i % 8));
    if (read_all(p->file, SQLITE_SUMS_VFS) == SQLITE_OK) fail_msg("byte %zu", at);
    flip(p->file, at, (int)(i % 8));
  }
  assert_int_equal(read_all(p->file, SQLITE_SUMS_VFS), SQLITE_OK);
}

// The bit that says that there are sums must not decide alone.
static void a_header_that_denies_the_sums_is_found(void **state) {
  struct place *p = *state;
  make(p->file, SQLITE_SUMS_VFS);
  for (int bit = 0; bit < 8; bit++) {
    flip(p->file, 20, bit);
    assert_int_not_equal(read_all(p->file, SQLITE_SUMS_VFS), SQLITE_OK);
    flip(p->file, 20, bit);
  }
  flip(p->file, 20, 3);
  assert_int_equal(read_all(p->file, SQLITE_SUMS_VFS), SQLITE_IOERR_DATA);
}

// SQLite puts zeros where the file ends, and goes on.
static void a_file_that_ends_within_its_last_page_is_found(void **state) {
  struct place *p = *state;
  make(p->file, SQLITE_SUMS_VFS);
  size_t count = 0;
  mem_free(bytes_of(p->file, &count));
  assert_int_equal(truncate(p->file, (off_t)count - 100), 0);
  assert_int_equal(read_all(p->file, SQLITE_SUMS_VFS), SQLITE_IOERR_DATA);
}

static void damage_can_be_read_past_when_asked(void **state) {
  struct place *p = *state;
  make(p->file, SQLITE_SUMS_VFS);
  flip(p->file, PAGE * 3 + 4000, 0);
  assert_int_equal(read_all(p->file, SQLITE_SUMS_VFS), SQLITE_IOERR_DATA);
  assert_int_equal(read_all(p->file, SQLITE_SUMS_VFS_LENIENT), SQLITE_OK);
}

// What the log still has is copied without sums.
static void copies_that_other_programs_make_are_good(void **state) {
  struct place *p = *state;
  sqlite3 *db = open_with(p->file, SQLITE_SUMS_VFS);
  run(db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  run(db, FILL);
  run(db, "PRAGMA wal_checkpoint; UPDATE t SET body = body || '.' WHERE id % 3 = 0");
  sqlite3 *from = open_with(p->file, NULL), *to = open_with(p->other, NULL);
  sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
  assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
  assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
  sqlite3_close(from);
  sqlite3_close(to);
  sqlite3_close(db);
  assert_int_equal(read_all(p->other, SQLITE_SUMS_VFS), SQLITE_OK);
  assert_true(pages_without_sum(p->other) > 0);

  // What we write gets a sum.
  db = open_with(p->other, SQLITE_SUMS_VFS_LENIENT);
  run(db, "UPDATE t SET body = body || '.'; VACUUM");
  sqlite3_close(db);
  assert_int_equal(pages_without_sum(p->other), 0);
}

static void what_another_program_writes_is_refused_unless_asked_for(void **state) {
  struct place *p = *state;
  make(p->file, SQLITE_SUMS_VFS);
  sqlite3 *db = open_with(p->file, NULL);
  run(db, "UPDATE t SET body = '!' WHERE id = 7");
  sqlite3_close(db);
  assert_int_equal(read_all(p->file, SQLITE_SUMS_VFS), SQLITE_IOERR_DATA);
  assert_int_equal(read_all(p->file, SQLITE_SUMS_VFS_LENIENT), SQLITE_OK);
}

static void a_file_without_room_for_sums_is_served_and_its_copy_has_them(void **state) {
  struct place *p = *state;
  char sql[96];
  make(p->file, NULL);
  assert_int_equal(read_all(p->file, SQLITE_SUMS_VFS), SQLITE_OK);
  sqlite3 *db = open_with(p->file, SQLITE_SUMS_VFS);
  run(db, "UPDATE t SET body = body || '.'");
  // With a cache of this size pages of the copy are written before its first one.
  snprintf(sql, sizeof sql, "PRAGMA cache_size = 10; VACUUM INTO '%s'", p->other);
  run(db, sql);
  sqlite3_close(db);
  assert_int_equal(read_all(p->file, NULL), SQLITE_OK);
  assert_int_equal(pages_without_sum(p->other), 0);
  assert_int_equal(read_all(p->other, SQLITE_SUMS_VFS), SQLITE_OK);
}

int main(void) {
  assert_true(log_open("/dev/null"));
  sqlite3_initialize();
  sqlite_sums_setup();
#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
  const struct CMUnitTest tests[] = {
      PLACE_TEST(each_page_has_the_sum_that_sqlites_extension_gives_it),
      PLACE_TEST(a_flipped_bit_is_found_wherever_it_is),
      PLACE_TEST(a_header_that_denies_the_sums_is_found),
      PLACE_TEST(a_file_that_ends_within_its_last_page_is_found),
      PLACE_TEST(damage_can_be_read_past_when_asked),
      PLACE_TEST(copies_that_other_programs_make_are_good),
      PLACE_TEST(what_another_program_writes_is_refused_unless_asked_for),
      PLACE_TEST(a_file_without_room_for_sums_is_served_and_its_copy_has_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
