// lines.h: cuts a stream of bytes into lines of bounded length. Private to worker/.
#ifndef WORKER_LINES_H
#define WORKER_LINES_H

#include "base/str.h"

#include "model/limits.h"

// Gets each line without its end. A line that is too long comes once, cut, with a mark at its end.
struct lines_taker {
  void (*take)(void *self, struct str line);
  void *self;
};

struct lines {
  struct lines_taker taker;
  size_t len;
  bool cut;  // the rest of a line that was too long is being skipped
  char at[LIMIT_LOG_LINE_BYTES];
};

void lines_init(struct lines *l, struct lines_taker taker);
void lines_feed(struct lines *l, struct str bytes);
void lines_end(struct lines *l);  // what follows the last line end is a line too

#endif
