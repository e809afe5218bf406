// wal.h: whether a write-ahead log that nobody has open is whole.
#ifndef STORE_SQLITE_WAL_H
#define STORE_SQLITE_WAL_H

#include "base/err.h"

// SQLite takes a log up to the first frame that is wrong, and drops the rest without a word. That
// is right for what was being written when power was lost: at most one commit, since each is synced
// before the next begins. Where two commits follow each other behind the wrong frame, what was
// acknowledged is damaged: ERR_STORE_BROKEN, with a sentence that says what to do. Damage to the
// last two commits looks like a loss of power. `path` is of the database; no log is a whole one.
MUST_USE enum err sqlite_wal_check(const char *path, struct fault *why);

#endif
