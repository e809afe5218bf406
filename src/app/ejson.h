// ejson.h: MongoDB's extended JSON, as mongoexport writes it, to plain JSON.
#ifndef APP_EJSON_H
#define APP_EJSON_H

#include "base/buf.h"

// Appends `value` with its typed values made plain: {"$oid": "…"} becomes the string, {"$date": …}
// a time as in 2026-01-01T09:30:00.250Z, {"$numberInt": "5"} and its like a number (a string when
// JSON has no such number: NaN, Infinity). Relaxed and canonical form are both read; other typed
// values
// ({"$binary": …}) stay as they are. `value` must be checked JSON.
void ejson_plain(struct buf *out, struct str value);

#endif
