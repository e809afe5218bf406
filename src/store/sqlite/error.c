// error.c: what a result code of SQLite means to the callers of a store.
#include "store/sqlite/error.h"

#include <errno.h>
#include <sqlite3.h>

static bool is_full(int os_error) {
  return os_error == ENOSPC || os_error == EDQUOT || os_error == EFBIG;
}

enum err sqlite_error_means(int code, int os_error) {
  switch (code) {
  case SQLITE_CONSTRAINT_UNIQUE:
  case SQLITE_CONSTRAINT_PRIMARYKEY:
  case SQLITE_CONSTRAINT_ROWID: return ERR_CONFLICT;
  // A failed sync may have lost pages that the kernel now calls clean; never try again.
  case SQLITE_IOERR_FSYNC:
  case SQLITE_IOERR_DIR_FSYNC: return ERR_STORE_BROKEN;
  default: break;
  }
  switch (code & 0xff) {
  case SQLITE_OK:
  case SQLITE_ROW:
  case SQLITE_DONE: return ERR_OK;
  case SQLITE_FULL: return ERR_DISK_FULL;
  case SQLITE_INTERRUPT: return ERR_SCAN_LIMIT;
  case SQLITE_IOERR: return is_full(os_error) ? ERR_DISK_FULL : ERR_STORE_BROKEN;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return ERR_STORE_BROKEN;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_CANTOPEN:
  case SQLITE_READONLY:
  case SQLITE_PERM:
  case SQLITE_AUTH: return ERR_UNAVAILABLE;
  default: return ERR_INTERNAL;
  }
}
