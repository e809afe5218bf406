// pace.c: how long what waits for the lanes will take, by how long the latest work took.
//
// Only times are counted in which there was work all along: from one taking that left some to the
// next one. However many lanes there are, that is what they do together.
#include "engine/pace.h"

#include "model/limits.h"

// So much of the latest work counts: a few full units, so that one that was held up, and took
// little, does not outweigh them; and one or two seconds, so that they hold their share of
// checkpoints, which come once in many units and stop them all: what waits for a second meets one.
enum { PACE_ITEMS = 4 * LIMIT_UNIT_ITEMS, PACE_US = 2 * 1000 * 1000 };

void pace_note(struct pace *p, int64_t now_us, size_t taken, bool more) {
  if (p->behind) {
    p->us += now_us - p->at_us;
    p->items += (int64_t)p->taken;
  }
  while (p->items > PACE_ITEMS && p->us > PACE_US) {
    p->us -= p->us / 2;
    p->items -= p->items / 2;
  }
  p->at_us = now_us;
  p->taken = taken;
  p->behind = more;
}

int64_t pace_wait_ms(const struct pace *p, size_t items) {
  return p->items ? (int64_t)items * p->us / p->items / 1000 : 0;
}
