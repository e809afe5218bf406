// logbook.h: log lines of a task that are not yet with the server. Private to worker/.
#ifndef WORKER_LOGBOOK_H
#define WORKER_LOGBOOK_H

#include "base/arena.h"
#include "base/str.h"

#include "model/limits.h"

// Holds as many lines as the server would keep: past that the oldest go, and a line tells how many.
struct logbook {
  char *lines[LIMIT_LOG_LINES];  // owned; number n stands at n % LIMIT_LOG_LINES
  int64_t first, next;           // numbers of the oldest line and of the one to come
  int64_t dropped;               // lines that went unsent since the last batch
};

void logbook_init(struct logbook *b);
void logbook_fini(struct logbook *b);
void logbook_clear(struct logbook *b);

static inline int64_t logbook_count(const struct logbook *b) { return b->next - b->first; }

void logbook_add(struct logbook *b, struct str line);

// The oldest lines, as many as fit into one request, as JSON strings with commas between them.
// `*end` is the number behind the last of them, for logbook_sent, which forgets them.
struct str logbook_batch(struct logbook *b, struct arena *a, int64_t *end);
void logbook_sent(struct logbook *b, int64_t end);

#endif
