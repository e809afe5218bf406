// jwks.h: the keys that tokens are signed with: those of a JWKS (RFC 7517), and a secret. Private
// to api/.
#ifndef API_JWKS_H
#define API_JWKS_H

#include "base/sign.h"

struct jwks;  // never changes; any thread

// The keys of a JWKS that serve one of `ways` (bits), and the secret; both may be STR_NONE. Keys of
// other kinds and for other uses are passed over, and so are broken and weak ones, with a line in
// the log. ERR_INVALID: `text` is no JWKS, or has no key that serves.
MUST_USE enum err jwks_new(struct str text, struct str secret, unsigned ways, struct jwks **out,
                           struct fault *why);
void jwks_free(struct jwks *keys);  // NULL is allowed
size_t jwks_count(const struct jwks *keys);

// The key for a token: the one named `kid`; else, and always when `kid` is STR_NONE, the only one
// of that way: with a `kid`, the only one that has no name. NULL: there is none, or it is in doubt.
const struct sign_key *jwks_find(const struct jwks *keys, enum sign_way way, struct str kid);

#endif
