// claim.h: a task that this worker holds the lease of. Private to worker/.
#ifndef WORKER_CLAIM_H
#define WORKER_CLAIM_H

#include "base/arena.h"
#include "base/str.h"

// As the server handed it out. The texts live in the arena that the claim was read into.
struct claim {
  struct str id, type, queue, worker;
  struct str token;    // goes back as it came; nothing in it is ours to read
  struct str name;     // STR_NONE: it has none
  struct str session;  // the key of the session that it is of; STR_NONE: it is a durable one
  struct str payload;  // JSON, byte for byte
  int64_t attempt, attempts_max;
  int64_t lease_ms;  // how long the lease lasts from each heartbeat on
};

// Reads the first element of "tasks" in an answer of POST /claims or of a completion that claims.
// False when the answer holds no task; `*valid` tells whether it was an answer at all.
bool claim_read(struct arena *a, struct str answer, struct claim *out, bool *valid);

#endif
