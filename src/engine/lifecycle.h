// lifecycle.h: which status follows which. Pure.
#ifndef ENGINE_LIFECYCLE_H
#define ENGINE_LIFECYCLE_H

#include "model/words.h"

enum move {
#define MOVE_KIND(name, word, meaning) MOVE_##name,
#include "engine/move.def"
#undef MOVE_KIND
  MOVE_COUNT
};

// False when the move is not possible from that status; `*to` is untouched then.
bool lifecycle_next(enum task_status from, enum move move, enum task_status *to);

#endif
