// base64.h: base64url without padding (RFC 4648 section 5), as in JOSE, and no other spelling of
// it.
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/arena.h"

// False when `text` is not what an encoder writes: padding, blanks, letters of the other alphabet,
// bits set behind the last byte. So no two texts are the same bytes. An empty text is no bytes.
bool base64url_decode(struct arena *a, struct str text, struct str *out);

#endif
