// flips.c: flips single bits of a store's files and looks whether anybody notices.
//
// A flipped bit is found when the store cannot be opened, read or recovered, or its check says so.
// It is harmless when all rows are as before. Else it is silent, and what it did is printed.
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/faults/disk.h"
#include "tests/faults/judge.h"
#include "tests/faults/verdict.h"

enum { PAGE = 4096, WAL_HEAD = 32, FRAME_HEAD = 24, FRAME = FRAME_HEAD + PAGE };

enum kind {
  HEADER,
  TABLE_INNER,
  TABLE_LEAF,
  INDEX,
  OVERFLOW_PAGE,
  FREE_PAGE,
  WAL_HEADER,
  WAL_FRAME_HEADER,
  WAL_FRAME_PAGE,
  WAL_LAST_COMMITS,
  KINDS
};

static const char *const kind_names[KINDS] = {
    "header", "table_inner", "table_leaf",       "index",          "overflow",
    "free",   "wal_header",  "wal_frame_header", "wal_frame_page", "wal_last_commits"};

struct bytes {
  char *at;
  size_t count;
};

static bool read_bytes(const char *path, struct bytes *out) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  *out = (struct bytes){0};
  if (fd < 0) return false;
  bool good = fstat(fd, &st) == 0;
  if (good) out->at = mem_alloc((size_t)st.st_size);
  if (good) out->count = (size_t)read(fd, out->at, (size_t)st.st_size);
  close(fd);
  return good && out->count == (size_t)st.st_size;
}

static bool write_bytes(const char *path, const struct bytes *b) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool good = write(fd, b->at, b->count) == (ssize_t)b->count;
  return close(fd) == 0 && good;
}

struct flips {
  char path[2048], wal[2100], shm[2100];
  struct bytes file, log;
  enum kind *pages;     // what each page of the file is
  size_t last_commits;  // in the log
  uint64_t before;      // the content of the unharmed store
  uint64_t found[KINDS], harmless[KINDS], silent[KINDS];
};

static enum kind kind_of_page(bool of_index, const char *type) {
  if (strcmp(type, "overflow") == 0) return OVERFLOW_PAGE;
  if (of_index) return INDEX;
  return strcmp(type, "internal") == 0 ? TABLE_INNER : TABLE_LEAF;
}

// Pages of a table without row ids look like those of an index; SQLite knows which are which.
static bool learn_pages(struct flips *f) {
  static const char sql[] =
      "SELECT d.pageno, coalesce(s.type, 'table') = 'index', d.pagetype"
      " FROM dbstat AS d LEFT JOIN sqlite_schema AS s ON s.name = d.name";
  size_t count = f->file.count / PAGE;
  sqlite3 *db = NULL;
  sqlite3_stmt *row = NULL;
  f->pages = mem_alloc(count * sizeof *f->pages);
  for (size_t i = 0; i < count; i++) f->pages[i] = FREE_PAGE;
  int code = sqlite3_open_v2(f->path, &db, SQLITE_OPEN_READONLY, NULL);
  if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, sql, -1, &row, NULL);
  while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
    size_t page = (size_t)sqlite3_column_int64(row, 0) - 1;
    code = SQLITE_OK;
    if (page < count)
      f->pages[page] =
          kind_of_page(sqlite3_column_int(row, 1) != 0, (const char *)sqlite3_column_text(row, 2));
  }
  sqlite3_finalize(row);
  sqlite3_close(db);
  return code == SQLITE_DONE;
}

static enum kind kind_in_file(const struct flips *f, size_t at) {
  return at < 100 ? HEADER : f->pages[at / PAGE];
}

// Where the last two commits begin; the last frame of the one before them counts, too.
static size_t last_commits(const struct bytes *log) {
  int commits = 0;
  size_t frames = (log->count - WAL_HEAD) / FRAME;
  while (frames > 0 && commits < 3) {
    const char *head = log->at + WAL_HEAD + --frames * FRAME;
    // What an earlier time of the log has left behind its end has other salts.
    if (memcmp(head + 8, log->at + 16, 8) != 0) continue;
    commits += (head[4] | head[5] | head[6] | head[7]) != 0;
  }
  return WAL_HEAD + frames * FRAME;
}

static enum kind kind_in_wal(const struct flips *f, size_t at) {
  if (at < WAL_HEAD) return WAL_HEADER;
  if (at >= f->last_commits) return WAL_LAST_COMMITS;
  return (at - WAL_HEAD) % FRAME < FRAME_HEAD ? WAL_FRAME_HEADER : WAL_FRAME_PAGE;
}

static struct verdict judge_copy(struct flips *f) {
  remove(f->shm);
  remove(f->wal);
  bool good = write_bytes(f->path, &f->file);
  if (f->log.count) good = good && write_bytes(f->wal, &f->log);
  return good ? verdict_of(f->path, NULL, 0) : (struct verdict){0};
}

static void flip_one(struct flips *f, uint64_t number, struct dice *dice) {
  bool in_wal = f->log.count && dice_roll(dice, 2);
  struct bytes *b = in_wal ? &f->log : &f->file;
  size_t at = (size_t)dice_roll(dice, b->count);
  // The headers are small and matter most.
  if (dice_roll(dice, 10) == 0) at %= in_wal ? WAL_HEAD + FRAME_HEAD : 100;
  char bit = (char)(1 << dice_roll(dice, 8));
  enum kind kind = in_wal ? kind_in_wal(f, at) : kind_in_file(f, at);
  b->at[at] = (char)(b->at[at] ^ bit);
  struct verdict v = judge_copy(f);
  b->at[at] = (char)(b->at[at] ^ bit);
  if (!v.opened || !v.sound) {
    f->found[kind]++;
  } else if (v.digest == f->before) {
    f->harmless[kind]++;
  } else {
    f->silent[kind]++;
    printf("flip %" PRIu64 ": bit %d of byte %zu (%s) went unnoticed\n", number, bit & 0xff, at,
           kind_names[kind]);
  }
}

int judge_flips(const char *store, uint64_t seed, uint64_t count, const char *folder) {
  struct flips f = {0};
  char wal[2100];
  snprintf(wal, sizeof wal, "%s-wal", store);
  snprintf(f.path, sizeof f.path, "%s/flip.db", folder);
  snprintf(f.wal, sizeof f.wal, "%s-wal", f.path);
  snprintf(f.shm, sizeof f.shm, "%s-shm", f.path);
  if (!read_bytes(store, &f.file) || f.file.count == 0) return 2;
  (void)read_bytes(wal, &f.log);
  struct verdict whole = judge_copy(&f);
  if (!verdict_good(&whole) || !learn_pages(&f)) {
    printf("the store is not good before any flip: %s\n", whole.why);
    return 1;
  }
  f.before = whole.digest;
  if (f.log.count) f.last_commits = last_commits(&f.log);
  struct dice dice = {seed};
  for (uint64_t i = 0; i < count; i++) flip_one(&f, i, &dice);
  for (int k = 0; k < KINDS; k++)
    printf("kind %s found %" PRIu64 " harmless %" PRIu64 " silent %" PRIu64 "\n", kind_names[k],
           f.found[k], f.harmless[k], f.silent[k]);
  mem_free(f.pages);
  mem_free(f.file.at);
  mem_free(f.log.at);
  return 0;
}
