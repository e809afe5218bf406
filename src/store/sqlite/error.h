// error.h: what a result code of SQLite means to the callers of a store.
#ifndef STORE_SQLITE_ERROR_H
#define STORE_SQLITE_ERROR_H

#include "base/err.h"

// `code` is an extended one; `os_error` is the errno behind it, 0 when there is none.
enum err sqlite_error_means(int code, int os_error);

#endif
