// proof.h: seams for the proofs in proof/: faults on demand, in builds made for them alone
// (-Dproof=enabled). In every other build all of this is constant and leaves nothing behind.
#ifndef BASE_PROOF_H
#define BASE_PROOF_H

#include <stdbool.h>
#include <stdint.h>

enum proof_word {
#define WORD(name) PROOF_##name,
#include "base/proof.def"
#undef WORD
  PROOF_WORDS
};

// Kinds of calls to the file system, as bits of io_kinds.
enum proof_kind {
  PROOF_WRITE,
  PROOF_SYNC,
  PROOF_TRUNCATE,
  PROOF_OPEN,
  PROOF_DELETE,
  PROOF_SHM,
  PROOF_READ,
  PROOF_LOCK,
  PROOF_STAT,
  PROOF_KINDS
};

enum proof_action {
  PROOF_NONE,
  PROOF_CRASH,       // the process is killed before the call
  PROOF_CRASH_AMID,  // in the middle of it: half of the sectors written, or else behind it
  PROOF_EIO,         // the call fails
  PROOF_ENOSPC,      // for want of room
  PROOF_SHORT,       // half of the sectors are written, then there is no room
  PROOF_DELAY,
};

enum proof_point {
  PROOF_BEFORE_COMMIT = 1,
  PROOF_AFTER_COMMIT,
  PROOF_BEFORE_ANSWERS,
  PROOF_TOO_LATE,  // between the answers and the commit; only with answer_early
};

#ifdef TASKYARD_PROOF

uint64_t proof_word(enum proof_word word);
// Counts a call, and says what is to become of it.
enum proof_action proof_io(enum proof_kind kind);
bool proof_mem_fails(void);
bool proof_sql_mem_fails(void);
// Dies here, waits here, or returns true: fail here.
bool proof_fails_at(enum proof_point point);
_Noreturn void proof_die(void);

#else

static inline uint64_t proof_word(enum proof_word word) {
  (void)word;
  return 0;
}
static inline bool proof_mem_fails(void) { return false; }
static inline bool proof_fails_at(enum proof_point point) {
  (void)point;
  return false;
}

#endif
#endif
