// reads.h: what the files of the reading side share: reader.c, tasks.c, filter.c, history.c,
// tallies.c.
#ifndef STORE_POSTGRES_READS_H
#define STORE_POSTGRES_READS_H

#include "store/postgres/internal.h"

// --- reader.c ------------------------------------------------------------------------------------

// One question: sends, receives, and makes the answer in the arena. It may be asked twice, so it
// begins anew each time.
typedef enum err question(struct store_reader *r, struct arena *a, void *about, struct fault *why);

// Asks, connecting first where need be; once more on a new connection if this one turns out lost.
MUST_USE enum err pg_reader_ask(struct store_reader *r, struct arena *a, question *ask, void *about,
                                struct fault *why);
// The names of a channel. They live as long as the store.
MUST_USE enum err pg_reader_names(struct store_reader *r, int64_t channel, struct str *queue,
                                  struct str *type, struct fault *why);

// --- filter.c ------------------------------------------------------------------------------------

// A list's filter as SQL: a statement that gives the ids of one page, in order, as "id, fits" (and
// "rank" in claim order). The last row may be one that does not fit: then as many rows were looked
// at as one page may, and the list goes on behind it.
//
// The marks $1 to $6 are tenant, the ids between which to look, how many to give, and, for whoever
// completes the statement, the parts that are asked for and LIMIT_PAGE_BYTES.
enum { SCAN_MARKS = 6, SCAN_BINDS = 24 };
struct scan {
  struct buf page;
  const char *order;       // of the page `p`, for ORDER BY
  struct id above, below;  // exclusive
  struct scan_bind {
    enum scan_kind { SCAN_TEXT, SCAN_TEXTS, SCAN_NUMBER, SCAN_ID } kind;
    struct str text;
    const struct str *texts;
    size_t text_count;
    int64_t number;
    struct id id;
  } binds[SCAN_BINDS];  // of the marks $7, $8, …
  size_t bind_count;
};
void pg_scan_init(struct scan *s, const struct task_filter *filter, struct arena *a);
// All arguments of the statement.
void pg_scan_bind(const struct scan *s, struct call *call, const struct task_filter *filter);
void pg_scan_fini(struct scan *s);

#endif
