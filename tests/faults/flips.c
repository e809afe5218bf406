// flips.c: flips single bits of a store's files and looks whether anybody notices.
//
// A flipped bit is found when the store cannot be opened, read or recovered, or its check says so.
// It is harmless when all rows are as before. Else it is silent, and what it did is printed.
#include <fcntl.h>
#include <inttypes.h>
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
  INDEX_INNER,
  INDEX_LEAF,
  OTHER_PAGE,
  WAL_HEADER,
  WAL_FRAME_HEADER,
  WAL_FRAME_PAGE,
  WAL_LAST_COMMITS,
  KINDS
};

static const char *const kind_names[KINDS] = {
    "header",     "table_inner", "table_leaf",       "index_inner",    "index_leaf",
    "other_page", "wal_header",  "wal_frame_header", "wal_frame_page", "wal_last_commits"};

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

static enum kind kind_in_file(const struct bytes *file, size_t at) {
  if (at < 100) return HEADER;
  size_t page = at / PAGE * PAGE;
  switch (file->at[page ? page : 100]) {
  case 0x05: return TABLE_INNER;
  case 0x0d: return TABLE_LEAF;
  case 0x02: return INDEX_INNER;
  case 0x0a: return INDEX_LEAF;
  default: return OTHER_PAGE;
  }
}

struct flips {
  char path[2048], wal[2100], shm[2100];
  struct bytes file, log;
  size_t last_commits;  // in the log
  uint64_t before;      // the content of the unharmed store
  uint64_t found[KINDS], harmless[KINDS], silent[KINDS];
};

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
  enum kind kind = in_wal ? kind_in_wal(f, at) : kind_in_file(b, at);
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
  if (!verdict_good(&whole)) {
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
  mem_free(f.file.at);
  mem_free(f.log.at);
  return 0;
}
