// error.c: what an error code of PostgreSQL means to the callers of a store.
//
// Nothing here ends the process: whatever happened to the server's files, its own recovery or its
// operator mends them, and other processes share them.
#include "store/postgres/error.h"

#include <stddef.h>
#include <string.h>

// The first row that a code begins with holds. Others are faults of ours.
static const struct {
  const char *begin;
  enum err err;
} meanings[] = {
    // Decide again: the world has changed, or two units met.
    {"40001", ERR_CONFLICT},  // serialization failure
    {"40P01", ERR_CONFLICT},  // deadlock
    {"23505", ERR_CONFLICT},  // a key is taken
    {"22012", ERR_CONFLICT},  // division by zero: ours, of a row that is not what was read
    {"55P03", ERR_CONFLICT},  // a lock did not come in time
    // The server, or the way to it. Heals, as a rule by itself.
    {"", ERR_UNAVAILABLE},       // the connection broke
    {"08", ERR_UNAVAILABLE},     // connection
    {"0A000", ERR_UNAVAILABLE},  // a newer version changed a table under a prepared statement
    {"25006", ERR_UNAVAILABLE},  // read-only: it is a standby now
    {"25P03", ERR_UNAVAILABLE},  // a transaction was idle for too long
    {"25P04", ERR_UNAVAILABLE},  // or took too long
    {"26000", ERR_UNAVAILABLE},  // someone dropped our prepared statements
    {"28", ERR_UNAVAILABLE},     // who we are
    {"3D000", ERR_UNAVAILABLE},  // no such database
    {"3F000", ERR_UNAVAILABLE},  // no such schema
    {"42501", ERR_UNAVAILABLE},  // no permission
    {"42P01", ERR_UNAVAILABLE},  // no such table
    {"42P05", ERR_UNAVAILABLE},  // a prepared statement that is not ours
    {"53100", ERR_DISK_FULL},
    {"53", ERR_UNAVAILABLE},  // out of memory, connections, …
    {"55", ERR_UNAVAILABLE},  // not in the right state
    {"57", ERR_UNAVAILABLE},  // an operator intervened, or a statement ran too long
    {"58", ERR_UNAVAILABLE},  // its files
    {"F0", ERR_UNAVAILABLE},  // its settings
    {"XX", ERR_UNAVAILABLE},  // a fault of its own; data that is damaged
};

static bool begins(const char *sqlstate, const char *with) {
  return *with ? strncmp(sqlstate, with, strlen(with)) == 0 : !*sqlstate;
}

enum err pg_error_means(const char *sqlstate, bool reader) {
  if (reader && begins(sqlstate, "57014")) return ERR_SCAN_LIMIT;  // cancelled by its deadline
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
    if (begins(sqlstate, meanings[i].begin)) return meanings[i].err;
  return ERR_INTERNAL;
}

bool pg_error_ends_session(const char *sqlstate) {
  static const char *const codes[] = {"0A000", "25006", "26000", "42P05"};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (begins(sqlstate, codes[i])) return true;
  return false;
}
