// progress.h: what a program says on fd 3. Private to worker/.
#ifndef WORKER_PROGRESS_H
#define WORKER_PROGRESS_H

#include "base/str.h"

struct progress {
  int64_t percent;               // 0 … 100
  struct str step, description;  // STR_NONE when absent; borrow from the line
};

// Reads "progress N STEP: DESCRIPTION"; STEP and DESCRIPTION may be left out, N may carry a %.
// False when the line is anything else.
bool progress_parse(struct str line, struct progress *out);

#endif
