// sums.h: what a part of a store amounts to, whatever kind of store it is in and in whatever order
// its rows come: how many there are, and the sum of a hash of each.
#ifndef APP_SUMS_H
#define APP_SUMS_H

#include "base/buf.h"
#include "store/store.h"

struct sum {
  int64_t rows;
  uint64_t check;
};

enum { SUMS_ROW_BYTES = 1 << 30 };  // no row is near this; the maximum of the scratch buffer

// Adds the rows of a page. `scratch` holds one row at a time.
void sums_add(struct sum *sum, enum bulk_part part, const struct bulk *page, struct buf *scratch);

#endif
