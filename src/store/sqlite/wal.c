// wal.c: whether a write-ahead log that nobody has open is whole.
//
// The format is https://www.sqlite.org/fileformat2.html#walformat: a head of 32 bytes, then frames
// of 24 bytes and a page. Each frame has the sum of all before it and itself, so a frame can be
// held against the sum that the frame before it carries, even when that one is wrong.
#include "store/sqlite/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/proof.h"
#include "store/sqlite/sums.h"

enum {
  HEAD_BYTES = 32,
  FRAME_BYTES = 24,
  PAGE_BYTES_MIN = 512,
  PAGE_BYTES_MAX = 65536,
  MAGIC = 0x377f0682,    // sums are of little-endian words; with the lowest bit, of big-endian ones
  COMMITS_UNSYNCED = 1,  // that power loss may have torn
  OURS_BIG_ENDIAN = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
};

struct log {
  int fd;
  bool big_endian;
  uint32_t page_bytes;
  uint8_t *frame;  // room for one
};

static uint32_t big(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool is_page_size(uint32_t bytes) {
  return bytes >= PAGE_BYTES_MIN && bytes <= PAGE_BYTES_MAX && (bytes & (bytes - 1)) == 0;
}

static struct sum sum_at(const uint8_t *at) { return (struct sum){big(at), big(at + 4)}; }

// Of the frame that was read, going on from the one before it.
static struct sum sum_of_frame(const struct log *l, struct sum before) {
  struct sum s = sqlite_sum(before, l->frame, 8, l->big_endian);
  return sqlite_sum(s, l->frame + FRAME_BYTES, l->page_bytes, l->big_endian);
}

static bool read_frame(struct log *l) {
  size_t bytes = FRAME_BYTES + l->page_bytes;
  return read(l->fd, l->frame, bytes) == (ssize_t)bytes;
}

// SQLite takes such a frame.
static bool is_linked(const struct log *l, struct sum before, const uint8_t *salts) {
  return memcmp(salts, l->frame + 8, 8) == 0 &&
         sum_same(sum_of_frame(l, before), sum_at(l->frame + 16));
}

static bool is_commit(const struct log *l) { return big(l->frame + 4) != 0; }

// How many commits follow each other behind the place where SQLite stops reading. What an earlier
// loss of power has left there does not go with what came later. `whole`: the head is.
static int64_t commits_behind(struct log *l, const uint8_t *head, bool whole) {
  struct sum before = sum_at(head + 24);
  uint8_t salts[8];
  memcpy(salts, head + 16, sizeof salts);
  int64_t run = 0, longest = 0;
  bool stopped = !whole;
  for (bool first = true; read_frame(l); first = false) {
    if (first && !whole) memcpy(salts, l->frame + 8, sizeof salts);
    bool linked = is_linked(l, before, salts);
    stopped |= !linked;
    run = linked ? run + (stopped && is_commit(l)) : 0;
    if (run > longest) longest = run;
    before = sum_at(l->frame + 16);
  }
  return longest;
}

static enum err refuse(const char *path, int64_t commits, struct fault *why) {
  return fault_set(why, ERR_STORE_BROKEN,
                   "%s-wal is damaged, and at least %lld commits behind the damage would be lost; "
                   "keep a copy, then restore a backup, or move that file away to do without all "
                   "that it holds",
                   path, (long long)commits);
}

static enum err check(struct log *l, const char *path, struct fault *why) {
  uint8_t head[HEAD_BYTES];
  if (read(l->fd, head, sizeof head) != sizeof head) return ERR_OK;
  uint32_t magic = big(head);
  l->big_endian = (magic & 1) != 0;
  l->page_bytes = big(head + 8);
  struct sum sum = sqlite_sum((struct sum){0}, head, 24, l->big_endian);
  bool whole = (magic & ~1U) == MAGIC && sum_same(sum, sum_at(head + 24));
  if (!whole) l->big_endian = OURS_BIG_ENDIAN;
  if (!whole || !is_page_size(l->page_bytes)) l->page_bytes = 4096;  // what all of ours have
  l->frame = mem_alloc(FRAME_BYTES + l->page_bytes);
  int64_t commits = commits_behind(l, head, whole);
  mem_free(l->frame);
  // Frames are written only when the head is on disk.
  return commits > (whole ? COMMITS_UNSYNCED : 0) ? refuse(path, commits, why) : ERR_OK;
}

enum err sqlite_wal_check(const char *path, struct fault *why) {
  char name[PATH_MAX];
  if (proof_word(PROOF_wal_unchecked)) return ERR_OK;
  snprintf(name, sizeof name, "%s-wal", path);
  struct log l = {.fd = open(name, O_RDONLY | O_CLOEXEC)};
  if (l.fd < 0) return ERR_OK;  // SQLite says what is wrong, if anything is
  enum err err = check(&l, path, why);
  close(l.fd);
  return err;
}
