// proof.h: where the proofs come between SQLite and the disk, and SQLite and the heap. Only builds
// with -Dproof=enabled have any of it.
#ifndef STORE_SQLITE_PROOF_H
#define STORE_SQLITE_PROOF_H

#include <sqlite3.h>

#ifdef TASKYARD_PROOF
void sqlite_proof_config(void);         // before sqlite3_initialize
void sqlite_proof_setup(void);          // after it
void sqlite_proof_opened(sqlite3 *db);  // a connection with all its settings
#else
static inline void sqlite_proof_config(void) {}
static inline void sqlite_proof_setup(void) {}
static inline void sqlite_proof_opened(sqlite3 *db) { (void)db; }
#endif

#endif
