// sums.h: a sum in each page of the file, so that damage to it is found when the page is read.
//
// The last 8 bytes of a page hold the sum of the others, as SQLite's own checksum extension has it
// (https://www.sqlite.org/cksumvfs.html). SQLite leaves them alone because the file says that they
// are reserved. They are there on the disk only: in SQLite's hands, and so in the write-ahead log,
// they are zeros, and a page with zeros has no sum to look at. So copies that other programs make
// of file and log are good; what they write into the file is not, since they leave the old sum.
//
// A file that does not reserve the bytes is read and written without sums; a backup of it has them.
#ifndef STORE_SQLITE_SUMS_H
#define STORE_SQLITE_SUMS_H

#include <sqlite3.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Two sums that run through 32-bit words in turn; those of the write-ahead log are made alike
// (https://www.sqlite.org/fileformat2.html#checksum_algorithm).
struct sum {
  uint32_t a, b;
};
// `bytes` is a multiple of 8.
struct sum sqlite_sum(struct sum s, const uint8_t *at, size_t bytes, bool big_endian);
static inline bool sum_same(struct sum x, struct sum y) { return x.a == y.a && x.b == y.b; }

// The file systems that connections are opened with. The second does not look at sums.
#define SQLITE_SUMS_VFS "taskyard"
#define SQLITE_SUMS_VFS_LENIENT "taskyard-unverified"

// Once, after sqlite3_initialize: they build on what is the default then, and do not become it.
void sqlite_sums_setup(void);
// Of a new connection, before it writes: a file that it makes has room for sums.
void sqlite_sums_opened(sqlite3 *db);

#endif
