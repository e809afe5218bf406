// verdict.h: opens what a fault has left of a store, with the real code, and judges it.
#ifndef TESTS_FAULTS_VERDICT_H
#define TESTS_FAULTS_VERDICT_H

#include <stdbool.h>

#include "tests/faults/facts.h"

enum { VERDICT_TEXT = 400 };

struct verdict {
  bool opened;      // the store could be opened, recovered and read as a whole
  bool sound;       // and `taskyard check` finds nothing
  bool kept;        // and what was told up to `upto` is there, whole, and once
  uint64_t digest;  // of all rows; two stores with the same content have the same
  size_t tasks;
  char why[VERDICT_TEXT];  // the first thing that is wrong
};

// `facts` may be NULL. Opens for writing: recovery and checkpoint as at the start of a server.
struct verdict verdict_of(const char *path, const struct facts *facts, uint64_t upto);

static inline bool verdict_good(const struct verdict *v) {
  return v->opened && v->sound && v->kept;
}

#endif
