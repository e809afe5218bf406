// moment.h: points in time as people write and read them.
#ifndef APP_MOMENT_H
#define APP_MOMENT_H

#include "base/buf.h"

// Epoch milliseconds from "1767225600000", "2026-01-01T09:30:00Z", "2026-01-01T09:30:00.250+02:00",
// or without a zone, which is local time: "2026-01-01 09:30", "2026-01-01T09:30:00". False: none of
// these.
bool moment_parse(struct str text, int64_t *out_ms);

// "2026-01-01T09:30:00.250Z".
void moment_show(int64_t ms, struct buf *out);

// How long ago, in its biggest unit: "3s", "5m", "2h", "4d"; what lies ahead: "in 5m".
void moment_show_age(int64_t ms, int64_t now_ms, struct buf *out);

#endif
