// sqlite.h: opens the embedded store: SQLite in WAL mode, one writing connection. The only header
// of this folder that others include.
#ifndef STORE_SQLITE_SQLITE_H
#define STORE_SQLITE_SQLITE_H

#include "store/store.h"

struct sqlite_settings {
  bool read_only;            // for check and backup beside a running server; no lane can be opened
  bool unverified;           // the sums of pages are not looked at when they are read
  bool alone;                // with read_only: never beside one, nor can one start meanwhile
  int64_t checkpoint_pages;  // checkpoint when the WAL has grown by this many pages; 0: the default
  int64_t cache_kib;         // page cache of the writing connection; 0: the default
  int64_t bytes_max;         // of a store in memory; past it ERR_DISK_FULL. 0: no bound
  int64_t read_deadline_ms;  // a read is interrupted after this; 0: the default
};

// `path` NULL: a store in memory, gone when closed. Creates and migrates the file as needed.
// Refuses, with a sentence that says what to do: a file that is not ours, one of a newer version,
// one that another server has open under whatever name (a lock file beside it), one that has
// several names (hard links), one on a network file system.
enum err sqlite_store_open(const char *path, const struct sqlite_settings *settings,
                           struct store **out, struct fault *why);

// Whether two paths lead to one file that is there.
bool sqlite_store_same(const char *a, const char *b);

#endif
