// profile.h: what a run does: the fixed profiles and their vocabulary.
#ifndef BENCH_PROFILE_H
#define BENCH_PROFILE_H

#include <stddef.h>
#include <stdbool.h>

#include "base/str.h"

// What each connection does in turn, over and over.
enum way {
  WAY_CREATE,  // create
  WAY_LIFE3,   // create, claim, complete
  WAY_LIFE2,   // create, complete what it holds and claim the next in the same request
  WAY_WORK,    // claim, complete, of what waits already, until nothing does
};

// What must lie in the store before. WAITING is PENDING for profiles that use it up, which the
// suite leaves out.
enum preload { PRELOAD_NOTHING, PRELOAD_COMPLETED, PRELOAD_PENDING, PRELOAD_WAITING };

struct profile {
  const char *name;
  enum way way;
  unsigned connections;
  unsigned batch;  // tasks a request
  bool minimal;    // Prefer: return=minimal, on everything but claims
  enum preload preload;
  const char *about;
  // Set for a store that several lanes or servers share: a claim may come short while others hold
  // what fits, and is then made again. Elsewhere a short claim is an error.
  bool patient;
};

extern const struct profile bench_profiles[];
extern const size_t bench_profile_count;

const struct profile *bench_profile_find(struct str name);  // NULL: there is none

// Operations (create, claim, complete) that one task costs.
static inline unsigned bench_profile_operations(const struct profile *p) {
  return p->way == WAY_CREATE ? 1 : p->way == WAY_WORK ? 2 : 3;
}

#endif
