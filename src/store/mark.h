// mark.h: how far a move of a whole store has come, as one line of text that a store keeps.
#ifndef STORE_MARK_H
#define STORE_MARK_H

#include "base/buf.h"
#include "store/store.h"

// The names under which a store keeps the marks of the parts in its table `meta`.
extern const char *const MARK_NAMES[BULK_PARTS];

void mark_put(const struct bulk_mark *mark, struct buf *out);
// What mark_put wrote; the key is copied to the arena. False: it is something else.
bool mark_parse(struct str text, struct arena *a, struct bulk_mark *out);
bool mark_eq(const struct bulk_mark *a, const struct bulk_mark *b);

#endif
