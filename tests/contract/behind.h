// behind.h: the file of an embedded store, changed behind the store's back.
#ifndef CONTRACT_BEHIND_H
#define CONTRACT_BEHIND_H

#include <sqlite3.h>

#include "contract.h"

// Runs SQL on the file of a closed store. Its pages get their sums.
static inline void sql(const char *path, const char *text) {
  sqlite3 *db = NULL;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  assert_int_equal(sqlite3_open_v2(path, &db, flags, "taskyard"), SQLITE_OK);
  char *error = NULL;
  if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK) fail_msg("%s: %s", text, error);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#endif
