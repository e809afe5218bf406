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

#include "base/log.h"
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
  bool mends;      // may be written to
  bool flipped;    // one bit is wrong where SQLite stops reading, and stays so
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

static bool is_of_earlier_time(const struct log *l, const uint8_t *salts) {
  const uint8_t *own = l->frame + 8;
  return __builtin_popcount(big(own) ^ big(salts)) +
             __builtin_popcount(big(own + 4) ^ big(salts + 4)) >
         1;
}

// The place of the one bit that keeps a frame from going with the one before it. The sums run in 32
// bits, so for the highest bits of a word several places would do; then none is told.
static bool find_wrong_bit(struct log *l, struct sum before, const uint8_t *salts, size_t *place) {
  size_t found = 0, bits = 8 * (FRAME_BYTES + (size_t)l->page_bytes);
  if (is_of_earlier_time(l, salts)) return false;
  for (size_t i = 0; i < bits && found < 2; i++) {
    uint8_t *byte = &l->frame[i / 8], bit = (uint8_t)(1 << i % 8);
    *byte ^= bit;
    if (is_linked(l, before, salts) && ++found == 1) *place = i;
    *byte ^= bit;
  }
  return found == 1;
}

// The frame that was read last. False: it is as it was.
static bool mend(struct log *l, struct sum before, const uint8_t *salts) {
  size_t place = 0;
  if (!find_wrong_bit(l, before, salts, &place)) return false;
  size_t at = place / 8;
  l->frame[at] ^= (uint8_t)(1 << place % 8);
  off_t frame = lseek(l->fd, 0, SEEK_CUR) - (off_t)(FRAME_BYTES + l->page_bytes);
  l->flipped = !l->mends || pwrite(l->fd, &l->frame[at], 1, frame + (off_t)at) != 1;
  if (l->flipped) return false;
  log_event(LOG_WARN, "one bit of the write-ahead log was wrong, and was set right",
            LOG_I64("byte", frame + (int64_t)at));
  return true;
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
    bool linked = is_linked(l, before, salts) || (!stopped && mend(l, before, salts));
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
  if (l->flipped)
    return fault_set(why, ERR_STORE_BROKEN,
                     "one bit of %s-wal is wrong; start the server, which sets it right", path);
  return commits > (whole ? COMMITS_UNSYNCED : 0) ? refuse(path, commits, why) : ERR_OK;
}

enum err sqlite_wal_check(const char *path, bool mends, struct fault *why) {
  char name[PATH_MAX];
  if (proof_word(PROOF_wal_unchecked)) return ERR_OK;
  snprintf(name, sizeof name, "%s-wal", path);
  struct log l = {.fd = open(name, (mends ? O_RDWR : O_RDONLY) | O_CLOEXEC), .mends = mends};
  if (l.fd < 0) return ERR_OK;  // SQLite says what is wrong, if anything is
  enum err err = check(&l, path, why);
  close(l.fd);
  return err;
}
