// text.h: makes clean, bounded UTF-8 of the bytes that a program printed. Private to worker/.
#ifndef WORKER_TEXT_H
#define WORKER_TEXT_H

#include "base/arena.h"
#include "base/str.h"

// A copy in which each byte that is no UTF-8, and each NUL, is U+FFFD; at most `bytes_max` long,
// cut at a character: text_head keeps the beginning, text_tail the end.
struct str text_head(struct arena *a, struct str raw, size_t bytes_max);
struct str text_tail(struct arena *a, struct str raw, size_t bytes_max);

#endif
