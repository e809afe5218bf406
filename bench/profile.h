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
};

enum preload { PRELOAD_NOTHING, PRELOAD_COMPLETED, PRELOAD_PENDING };

struct profile {
  const char *name;
  enum way way;
  unsigned connections;
  unsigned batch;  // tasks a request
  bool minimal;    // Prefer: return=minimal, on everything but claims
  enum preload preload;
  const char *about;
};

extern const struct profile bench_profiles[];
extern const size_t bench_profile_count;

const struct profile *bench_profile_find(struct str name);  // NULL: there is none

// Operations (create, claim, complete) that one task costs.
static inline unsigned bench_profile_operations(const struct profile *p) {
  return p->way == WAY_CREATE ? 1 : 3;
}

#endif
