// file.h: what is done to a store's files besides what SQLite does: lock, create, publish.
#ifndef STORE_SQLITE_FILE_H
#define STORE_SQLITE_FILE_H

#include "base/err.h"

// A name that SQLite takes as nothing but a name. The caller frees it with mem_free.
char *sqlite_file_plain(const char *path);

// The one name of a store's file that all who open it agree on, whatever links lead there: lock and
// WAL have their names from it. The file need not be there, its folder must. Never opens it. The
// caller frees the name with mem_free. ERR_INVALID: the file has several names (hard links), or the
// path is too long. ERR_UNAVAILABLE: no such folder, or a link to nothing.
MUST_USE enum err sqlite_file_resolve(const char *path, char **out, struct fault *why);

// Of a name that sqlite_file_resolve gave. ERR_UNAVAILABLE: the folder is on a network.
MUST_USE enum err sqlite_file_check(const char *path, struct fault *why);
const char *sqlite_file_network_name(unsigned long type);  // of statfs(2); NULL: not a network's

// Makes an empty file that only its owner may read, unless it is there.
MUST_USE enum err sqlite_file_create(const char *path, struct fault *why);

// Takes the lock file beside `path` until *fd is closed. ERR_UNAVAILABLE: another has it.
MUST_USE enum err sqlite_file_lock(const char *path, int *fd, struct fault *why);

// Makes a finished file `from` appear as `to`, synced. ERR_CONFLICT: `to` exists.
MUST_USE enum err sqlite_file_publish(const char *from, const char *to, struct fault *why);

#endif
