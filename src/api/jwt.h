// jwt.h: who a token names: a JWT (RFC 7519), signed, in the compact form. Private to api/.
//
// The settings say which algorithms there are, and each key serves one; what a token says of itself
// only chooses among them. The header is read before the signature is checked, the claims after.
#ifndef API_JWT_H
#define API_JWT_H

#include <stdatomic.h>

#include "api/api.h"
#include "api/jwks.h"

struct jwt_proven;

struct jwt {
  struct jwt_settings settings;
  struct jwks *keys;              // the loop's
  uint64_t serial;                // the loop's: rises when those keys are others
  struct jwt_proven *proven;      // the loop's: what those keys have signed
  _Atomic(struct jwks *) coming;  // handed over, not taken up yet; NULL: none
};

// Borrows the texts of the settings.
void jwt_init(struct jwt *jwt, const struct jwt_settings *settings);
void jwt_fini(struct jwt *jwt);
static inline bool jwt_is_on(const struct jwt *jwt) { return jwt->settings.ways != 0; }

// Any thread: the keys of this JWKS take the place of the ones that the JWKS before brought.
// ERR_INVALID: it is none, or has no key that serves; the old ones stay.
MUST_USE enum err jwt_take_jwks(struct jwt *jwt, struct str text, size_t *count, struct fault *why);

struct jwt_who {
  struct str subject;
  struct str tenant;  // a good name
  unsigned roles;
  int64_t expires_at;  // when it is refused: its end and the leeway; milliseconds since 1970
};

// The loop's thread. ERR_UNAUTHENTICATED: the sentence says of which kind the fault is, and repeats
// nothing of the token. Texts are in the arena. `now_s`: seconds since the epoch.
MUST_USE enum err jwt_check(struct jwt *jwt, struct str token, int64_t now_s, struct arena *a,
                            struct jwt_who *out, struct fault *why);
// The loop's thread. Whether a token is still good that was so when the keys had `*serial`: it is
// checked again only once they are others, and the serial moves on. `scratch` is reset.
bool jwt_stands(struct jwt *jwt, struct str token, int64_t now_s, struct arena *scratch,
                uint64_t *serial);

#endif
