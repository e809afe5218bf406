// meter.h: how far a long command has come: a bar on a terminal, a line every few seconds
// elsewhere. All of it goes to standard error.
#ifndef APP_METER_H
#define APP_METER_H

#include "app/term.h"

struct meter {
  struct term term;
  int64_t total, before;  // of all parts whose length is known; of those, in finished parts
  struct str what;        // is done with the present part: "moving tasks"
  bool counts;            // the present part is in `total`
  int64_t first, done;    // rows of the part: when it was begun in this run, and now
  int64_t began_us, part_us, shown_us;
};

void meter_start(struct meter *m, int64_t total);
// `what` must live until the part ends. `done`: rows that an earlier run did.
void meter_part(struct meter *m, struct str what, bool counts, int64_t done);
void meter_tell(struct meter *m, int64_t done);
void meter_part_end(struct meter *m);
void meter_part_there(struct meter *m);   // instead of the end, of a part that an earlier run did
void meter_erase(const struct meter *m);  // before something else is printed

#endif
