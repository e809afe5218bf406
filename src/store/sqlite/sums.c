// sums.c: puts a sum into each page that is written to a database file, and looks at it when the
// page is read.
//
// A file system for SQLite that changes two calls of the one below it and leaves all others to it:
// an open file is that one's, with ours behind it in the same memory and a copy of its table of
// calls. Only the database file is watched. Pages in the write-ahead log have the sums of the log;
// what a checkpoint copies from there gets one of its own.
#include "store/sqlite/sums.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"

enum {
  PAGE_BYTES = 4096,  // SQLite's default, which all of ours have
  SUM_BYTES = 8,
  SUMMED_BYTES = PAGE_BYTES - SUM_BYTES,
  // https://www.sqlite.org/fileformat2.html#the_database_header
  HEADER_BYTES = 100,
  AT_PAGE_BYTES = 16,
  AT_RESERVED = 20,
  OURS_BIG_ENDIAN = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
};

struct file {
  const sqlite3_io_methods *real;
  sqlite3_io_methods methods;
  const char *name;
  bool has_sums;
  bool lenient;  // sums are not looked at
};

static const uint8_t NO_SUM[SUM_BYTES];
static sqlite3_vfs *below;

// --- sums ----------------------------------------------------------------------------------------

static inline uint32_t word(const uint8_t *at, bool swapped) {
  uint32_t w;
  memcpy(&w, at, sizeof w);
  return swapped ? __builtin_bswap32(w) : w;
}

static inline struct sum sum_words(struct sum s, const uint8_t *at, size_t bytes, bool swapped) {
  for (const uint8_t *end = at + bytes; at < end; at += 8) {
    s.a += word(at, swapped) + s.b;
    s.b += word(at + 4, swapped) + s.a;
  }
  return s;
}

struct sum sqlite_sum(struct sum s, const uint8_t *at, size_t bytes, bool big_endian) {
  assert(bytes % 8 == 0);
  return big_endian == OURS_BIG_ENDIAN ? sum_words(s, at, bytes, false)
                                       : sum_words(s, at, bytes, true);
}

static void put_word(uint8_t *at, uint32_t w) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(w >> 8 * i);
}

static void put_sum(uint8_t *page) {
  struct sum s = sqlite_sum((struct sum){0}, page, SUMMED_BYTES, false);
  put_word(page + SUMMED_BYTES, s.a);
  put_word(page + SUMMED_BYTES + 4, s.b);
}

static bool has_its_sum(const uint8_t *page) {
  if (memcmp(page + SUMMED_BYTES, NO_SUM, SUM_BYTES) == 0) return true;
  struct sum s = sqlite_sum((struct sum){0}, page, SUMMED_BYTES, false);
  uint8_t bytes[SUM_BYTES];
  put_word(bytes, s.a);
  put_word(bytes + 4, s.b);
  return memcmp(bytes, page + SUMMED_BYTES, SUM_BYTES) == 0;
}

// --- reading and writing -------------------------------------------------------------------------

static struct file *of(sqlite3_file *f) { return (struct file *)((char *)f + below->szOsFile); }

// SQLite reads the header before anything else, and writes it with the first page.
static void look_at_header(struct file *file, const uint8_t *page, int length,
                           sqlite3_int64 offset) {
  static const uint8_t SIZE[] = {PAGE_BYTES >> 8, PAGE_BYTES & 0xff};
  if (offset != 0 || length < HEADER_BYTES) return;
  file->has_sums = page[AT_RESERVED] == SUM_BYTES && memcmp(page + AT_PAGE_BYTES, SIZE, 2) == 0;
}

// A first page that would have its sum if it said that there are any.
static bool denies_its_sum(const uint8_t *first) {
  uint8_t page[PAGE_BYTES];
  if (memcmp(first + SUMMED_BYTES, NO_SUM, SUM_BYTES) == 0) return false;
  memcpy(page, first, sizeof page);
  page[AT_RESERVED] = SUM_BYTES;
  return has_its_sum(page);
}

static bool is_page(const struct file *file, int length) {
  return file->has_sums && length == PAGE_BYTES;
}

static bool is_damaged(const struct file *file, const uint8_t *page, int length,
                       sqlite3_int64 offset) {
  if (is_page(file, length)) return !has_its_sum(page);
  return offset == 0 && length == PAGE_BYTES && denies_its_sum(page);
}

// The file ends within the page, and zeros would stand for the rest. One behind the end is new.
static bool is_cut(sqlite3_file *f, int length, sqlite3_int64 offset) {
  const struct file *file = of(f);
  sqlite3_int64 size = 0;
  return is_page(file, length) && file->real->xFileSize(f, &size) == SQLITE_OK && size > offset;
}

static int refuse_page(const struct file *file, sqlite3_int64 offset) {
  log_event(LOG_ERROR, "the sum of a page of the store does not hold",
            LOG_STR("file", str_of(file->name)), LOG_I64("page", offset / PAGE_BYTES + 1));
  return SQLITE_IOERR_DATA;
}

static int file_read(sqlite3_file *f, void *out, int length, sqlite3_int64 offset) {
  struct file *file = of(f);
  int code = file->real->xRead(f, out, length, offset);
  if (code == SQLITE_IOERR_SHORT_READ && !file->lenient && is_cut(f, length, offset))
    return refuse_page(file, offset);
  if (code != SQLITE_OK) return code;
  look_at_header(file, out, length, offset);
  if (!file->lenient && is_damaged(file, out, length, offset)) return refuse_page(file, offset);
  if (is_page(file, length)) memset((uint8_t *)out + SUMMED_BYTES, 0, SUM_BYTES);
  return SQLITE_OK;
}

static int file_write(sqlite3_file *f, const void *bytes, int length, sqlite3_int64 offset) {
  struct file *file = of(f);
  look_at_header(file, bytes, length, offset);
  if (!is_page(file, length)) return file->real->xWrite(f, bytes, length, offset);
  uint8_t page[PAGE_BYTES];
  memcpy(page, bytes, SUMMED_BYTES);
  put_sum(page);
  return file->real->xWrite(f, page, length, offset);
}

// --- opening -------------------------------------------------------------------------------------

// Pages of a new file may be written before the first, which would say that they have sums.
static bool is_empty(sqlite3_file *f) {
  sqlite3_int64 size = 0;
  return f->pMethods->xFileSize(f, &size) == SQLITE_OK && size == 0;
}

static int file_open(sqlite3_vfs *self, const char *name, sqlite3_file *f, int flags, int *out) {
  int code = below->xOpen(below, name, f, flags, out);
  if (code != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB)) return code;
  struct file *file = of(f);
  *file = (struct file){.real = f->pMethods,
                        .methods = *f->pMethods,
                        .name = name,
                        .lenient = strcmp(self->zName, SQLITE_SUMS_VFS_LENIENT) == 0};
  file->has_sums = is_empty(f);
  file->methods.iVersion = 2;  // without reading by way of mapped memory
  file->methods.xRead = file_read;
  file->methods.xWrite = file_write;
  f->pMethods = &file->methods;
  return SQLITE_OK;
}

static void add(sqlite3_vfs *vfs, const char *name) {
  *vfs = *below;
  vfs->pNext = NULL;
  vfs->zName = name;
  vfs->szOsFile = below->szOsFile + (int)sizeof(struct file);
  vfs->xOpen = file_open;
  int code = sqlite3_vfs_register(vfs, 0);
  assert(code == SQLITE_OK);
  (void)code;
}

void sqlite_sums_setup(void) {
  static sqlite3_vfs strict, lenient;
  below = sqlite3_vfs_find(NULL);
  assert(below->szOsFile % (int)_Alignof(struct file) == 0);
  add(&strict, SQLITE_SUMS_VFS);
  add(&lenient, SQLITE_SUMS_VFS_LENIENT);
}

void sqlite_sums_opened(sqlite3 *db) {
  int bytes = SUM_BYTES;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
}
