// session.h: the front door of the async task system (S4): what its sessions are told. Private to
// api/.
#ifndef API_DOORS_SESSION_H
#define API_DOORS_SESSION_H

#include "api/call.h"

// Whole answers; they return the HTTP status.
int session_put_status(struct buf *b, const struct encode_context *x, const struct task *task);
int session_put_stats(struct buf *b, const struct tally *sum);
// A task of a list.
void session_put_listed(struct buf *b, const struct encode_context *x, const struct task *task);

#endif
