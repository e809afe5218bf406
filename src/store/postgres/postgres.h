// postgres.h: opens the shared store: PostgreSQL 13 or later, any number of processes on one
// database. The only header of this folder that others include.
#ifndef STORE_POSTGRES_POSTGRES_H
#define STORE_POSTGRES_POSTGRES_H

#include "store/store.h"

struct postgres_settings {
  struct str schema;         // where our tables are, made when missing; STR_NONE: "taskyard"
  struct str node;           // this process's name in lists and logs; STR_NONE: host name and pid
  size_t lanes;              // connections that write; 0: the default
  int64_t read_deadline_ms;  // a read is interrupted after this; 0: the default
  bool unsafe;               // serve even where the server may lose what it acknowledged
  bool read_only;            // for check and migrate beside running servers: no lanes, no news
  bool alone;                // for moving a store into this one: not a node among others, no news
};

// `url` as libpq takes it: postgresql://user@host:port/database?sslmode=… (several hosts too).
// Makes and migrates the schema as needed. Refuses, with a sentence that says what to do: a server
// that is too old or cannot be reached, a database that is not UTF-8, a schema of a newer version,
// and, unless `unsafe`, one with fsync, full_page_writes or synchronous_commit off.
enum err postgres_store_open(const char *url, const struct postgres_settings *settings,
                             struct store **out, struct fault *why);

#endif
