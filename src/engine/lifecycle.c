// lifecycle.c: which status follows which, as a table made from lifecycle.def.
#include "engine/lifecycle.h"

// Target + 1, so that 0 means "cannot happen".
static const unsigned char NEXT[TASK_STATUS_COUNT][MOVE_COUNT] = {
#define MOVE(from, move, to) [TASK_##from][MOVE_##move] = TASK_##to + 1,
#include "engine/lifecycle.def"
#undef MOVE
};

bool lifecycle_next(enum task_status from, enum move move, enum task_status *to) {
  unsigned char next = NEXT[from][move];
  if (next == 0) return false;
  *to = (enum task_status)(next - 1);
  return true;
}
