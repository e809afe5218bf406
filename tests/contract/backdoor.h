// backdoor.h: the tests' own way into the PostgreSQL server, past the store.
#ifndef BACKDOOR_H
#define BACKDOOR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "base/err.h"

// Of a server whose databases and schemas the tests may make and drop. NULL: there is none.
static inline const char *backdoor_url(void) { return getenv("TASKYARD_TEST_POSTGRES"); }

// Another database of the same server.
static inline void backdoor_url_of(const char *database, char *out, size_t bytes) {
  const char *url = backdoor_url(), *slash = strrchr(url, '/');
  assert_non_null(slash);
  snprintf(out, bytes, "%.*s/%s", (int)(slash - url), url, database);
}

static inline void backdoor_hush(void *unused, const char *notice) {
  (void)unused;
  (void)notice;
}

// One connection serves all tests of a program. Only for the thread that runs them.
static inline PGconn *backdoor(void) {
  static PGconn *db;
  if (db) return db;
  db = PQconnectdb(backdoor_url());
  if (PQstatus(db) != CONNECTION_OK) fail_msg("%s", PQerrorMessage(db));
  PQsetNoticeProcessor(db, backdoor_hush, NULL);
  return db;
}

static inline PGresult *backdoor_run(PGconn *db, const char *text) {
  PGresult *r = PQexec(db, text);
  ExecStatusType status = PQresultStatus(r);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
    fail_msg("%s: %s", text, PQerrorMessage(db));
  return r;
}

// Runs SQL, as an operator with psql could.
static inline void PRINTF_LIKE(1, 2) backdoor_do(const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  PQclear(backdoor_run(backdoor(), text));
}

// The number that a query gives.
static inline int64_t PRINTF_LIKE(1, 2) backdoor_i64(const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  PGresult *r = backdoor_run(backdoor(), text);
  assert_int_equal(PQntuples(r), 1);
  int64_t number = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
  PQclear(r);
  return number;
}

#endif
