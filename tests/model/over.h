// over.h: a store over a store: it gives the one below the test's clock, and faults when the test
// asks for some. One at a time in a process, used by one thread.
#ifndef TESTS_MODEL_OVER_H
#define TESTS_MODEL_OVER_H

#include "store/store.h"

// What becomes of one unit of work in the store.
enum fate {
  FATE_GOOD,
  FATE_LOAD_FAILS,     // the load does, with `err`
  FATE_NOT_COMMITTED,  // the commit does, with `err`, and nothing was changed
  FATE_ANSWER_LOST,    // the change was made, and ERR_UNAVAILABLE says that nobody knows
  FATE_LIE,            // a control: ERR_OK, and nothing was changed
};

struct over_plan {
  enum fate fate;
  enum err err;
  int64_t load_ms, apply_ms;  // how long it takes; the clock moves on by that
};

struct over {
  struct store store;
  struct store_ops ops;
  struct store *under;
  int64_t *now;  // the clock, ms since the epoch
  // What is to become of the unit that begins. NULL: all goes well.
  void (*next)(void *self, struct over_plan *out);
  void *self;
  struct over_plan plan;
  uint64_t loads, commits, failures;
  bool timers_lost;  // a control: the store forgets when it is to be looked at again
};

// `shared`: as a store that other processes use too, of which an answer may be lost.
void over_open(struct over *o, struct store *under, int64_t *now, bool shared);

#endif
