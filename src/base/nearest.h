// nearest.h: which of the known names somebody probably meant who sent one that is none.
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/buf.h"
#include "base/str.h"

struct nearest {
  struct str word;
  struct str name;  // the nearest so far; STR_NONE: none is near enough to be meant
  size_t distance;
};

// Tried with one name after the other.
struct nearest nearest_begin(struct str word);
void nearest_try(struct nearest *n, struct str name);

enum { NEAREST_LIST_BYTES = 200 };  // what a fault holds besides a sentence about a short name

// The end of a sentence that says `word` is none of these names: "; did you mean limit?", or
// "; known are …" with as many of them as NEAREST_LIST_BYTES hold, or ", and none is known"; of
// one: "; the only one is paused".
void nearest_tell(struct str word, const struct str *names, size_t count, struct buf *out);

#endif
