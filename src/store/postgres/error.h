// error.h: what an error code of PostgreSQL means to the callers of a store.
#ifndef STORE_POSTGRES_ERROR_H
#define STORE_POSTGRES_ERROR_H

#include <stdbool.h>

#include "base/err.h"

// `sqlstate` has five characters; "" is an error that did not come from the server. `reader`: of a
// statement that only reads, under a deadline. Never ERR_OK.
enum err pg_error_means(const char *sqlstate, bool reader);

// Whether a connection that said this must be opened anew, although it still works.
bool pg_error_ends_session(const char *sqlstate);

#endif
