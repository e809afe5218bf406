// pace.h: how long what waits for the lanes will take, by how long the latest work took.
#ifndef ENGINE_PACE_H
#define ENGINE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Zero knows nothing. Items are in the measure of LIMIT_UNIT_ITEMS.
struct pace {
  int64_t at_us;      // when work was last taken …
  size_t taken;       // … how much …
  bool behind;        // … and whether some was left, so that the lanes have been busy since
  int64_t us, items;  // what the latest work took, as a whole
};

// Work is taken now, and more is left or not.
void pace_note(struct pace *p, int64_t now_us, size_t taken, bool more);

// How long so many items will take; 0 when it is not known.
int64_t pace_wait_ms(const struct pace *p, size_t items);

#endif
