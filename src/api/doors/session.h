// session.h: the front door of the async task system (S4): what its sessions are told. Private to
// api/.
#ifndef API_DOORS_SESSION_H
#define API_DOORS_SESSION_H

#include "api/call.h"

// Whole answers; they return the HTTP status.
int session_put_status(struct buf *b, const struct encode_context *x, const struct task *task);
int session_put_stats(struct buf *b, const struct tally *sum);
void session_put_counts(struct buf *b, const struct tally *sum);  // "stats":{…}
// A task that was made and started.
void session_put_started(struct buf *b, const struct encode_context *x, const struct task *task);
// A task of a list.
void session_put_listed(struct buf *b, const struct encode_context *x, const struct task *task);

// The one task that the order is to create, with what holds for all tasks of sessions.
struct create_item *session_new_item(struct call *c);

#endif
