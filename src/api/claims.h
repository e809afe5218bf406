// claims.h: what the front doors share with the routes of workers. Private to api/.
#ifndef API_CLAIMS_H
#define API_CLAIMS_H

#include "api/call.h"
#include "api/inputs.h"

// Leases the task of the path; lease_ms 0: its own length.
MUST_USE enum err claims_one(struct call *c, struct str worker, int64_t lease_ms);

// The lease token of a move, from the body or the header, or why there is none.
MUST_USE enum err claims_token(struct call *c, struct worker_body *in);

// The one attempt that the order is to end, and then the order; `claims_error` reads the canonical
// error, `claims_failure` takes a message, which must be there, and any JSON as detail.
struct settle_item *claims_item(struct call *c, const struct worker_body *in,
                                enum settle_verb verb);
MUST_USE enum err claims_error(struct call *c, struct str json, const struct where *where,
                               struct settle_item *item);
MUST_USE enum err claims_failure(struct call *c, struct str message, struct str detail,
                                 const struct where *where, struct settle_item *item);
MUST_USE enum err claims_settle(struct call *c);

#endif
