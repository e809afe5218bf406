// lifecycle.h: which status follows which. Pure.
#ifndef ENGINE_LIFECYCLE_H
#define ENGINE_LIFECYCLE_H

#include "model/words.h"

enum move {
  MOVE_START,       // by hand: let workers have it
  MOVE_DUE,         // its time has come
  MOVE_CLAIM,       // a worker takes a lease
  MOVE_COMPLETE,    // the worker delivers
  MOVE_FAIL,        // the attempt failed, none follows
  MOVE_FAIL_RETRY,  // the attempt failed, another follows
  MOVE_RELEASE,     // the worker gives it back unharmed
  MOVE_LOSE,        // the lease ran out, no attempt is left
  MOVE_LOSE_RETRY,  // the lease ran out, another attempt follows
  MOVE_CANCEL,      // stopped on request
  MOVE_EXPIRE,      // expiresAt passed before it ran
  MOVE_RETRY,       // by hand: back to pending
  MOVE_COUNT
};

// False when the move is not possible from that status; `*to` is untouched then.
bool lifecycle_next(enum task_status from, enum move move, enum task_status *to);

#endif
