// bar.h: the progress of a task as one line that is drawn again and again.
#ifndef APP_BAR_H
#define APP_BAR_H

#include "app/term.h"

struct bar {
  struct str label;        // in front: "2/5"; STR_NONE: none
  struct str status;       // shown while there is no step
  struct str step;         // STR_NONE: none
  struct str description;  // of the step; STR_NONE: none
  int64_t progress;        // 0 … 100
  int64_t elapsed_s;
};

// One line without its end, never wider than the terminal:
//   ━━━━━━━━━━━━━━──────  42%  transcode: second pass of two  0:17
void bar_render(const struct term *t, const struct bar *bar, struct buf *out);

// Draws it over what stands in the present line of the terminal.
void bar_redraw(const struct term *t, const struct bar *bar, struct buf *out);
void bar_erase(struct buf *out);

#endif
