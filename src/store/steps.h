// steps.h: by which steps a schema was made. A released step never changes, not by a comment
// either, so a store whose steps have another sum than ours was made by a build between releases,
// and its tables may not be ours.
#ifndef STORE_STEPS_H
#define STORE_STEPS_H

#include "base/hash.h"

// Of the first `count` steps, in their order. It is kept in stores.
static inline int64_t steps_sum(const char *const steps[], int64_t count) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < count; i++) sum = sum * 31 + hash_fast(str_of(steps[i]));
  return (int64_t)sum;
}

#define STEPS_DIFFER                                                                               \
  "was made by a build between releases, by other steps than those of this one, and cannot be "    \
  "brought up to date; go on with that build, or choose a new store"

#endif
