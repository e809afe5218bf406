// disk.h: what a disk may hold after power was lost, from the record of what was done to files.
//
// What was written and not synced may be there, be there in part (sectors of 512 bytes, in any
// order), or not at all; the same goes for files that came to be or were deleted, until their
// folder was synced. What was synced is there.
#ifndef TESTS_FAULTS_DISK_H
#define TESTS_FAULTS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
  uint64_t state;
};
uint64_t dice_roll(struct dice *d, uint64_t sides);  // 0 … sides-1

struct record_head {
  uint32_t kind, name;
  uint64_t offset;
  uint32_t length, zero;
};

struct record {
  const char *bytes;
  size_t length;
  size_t at;     // the step that comes next
  size_t steps;  // in all
};

// The whole record, and how to go through it. False: there is none, or it does not consist of whole
// steps.
bool record_open(struct record *r, const char *path);
void record_close(struct record *r);
const struct record_head *record_at(const struct record *r);  // NULL: it ends
void record_next(struct record *r);

enum { DISK_FILES = 64, DISK_NAMES = 8 };

struct piece {
  uint64_t offset;
  const char *bytes;
  uint32_t length;
  bool is_cut;  // a truncation to `offset`
};

struct image {
  char *bytes;
  size_t size, cap;
};

struct disk_file {
  struct image now, synced;
  struct piece *pieces;  // written and not synced
  size_t piece_count, piece_cap;
  bool folder_synced;
};

struct disk_change {  // of the folder, not synced
  int name, file;     // file -1: it was deleted
};

struct disk {
  struct disk_file files[DISK_FILES];
  int file_count;
  char endings[DISK_NAMES][16];  // of names: "" of the database, "-wal", "-journal"
  uint32_t names[DISK_NAMES];
  int name_count;
  int now[DISK_NAMES], synced[DISK_NAMES];  // which file a name leads to; -1: none
  struct disk_change changes[DISK_FILES];
  int change_count;
};

enum disk_loss {
  LOSS_NONE,     // all is there, as after a kill
  LOSS_ALL,      // nothing that was not synced
  LOSS_TAIL,     // all up to some moment, the last write torn
  LOSS_SOME,     // whole writes, some of them
  LOSS_SECTORS,  // sectors of writes, some of them
  LOSSES
};

void disk_init(struct disk *d);
void disk_fini(struct disk *d);
void disk_step(struct disk *d, const struct record_head *step);
// Writes the files that are left as `path` with the endings of their names; removes the others.
bool disk_lose(const struct disk *d, enum disk_loss loss, struct dice *dice, const char *path);

#endif
