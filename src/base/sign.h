// sign.h: checks signatures, in the ways of sign.def. OpenSSL is caged in sign.c.
//
// A key is made for one way and serves no other, whatever a message says of itself.
#ifndef BASE_SIGN_H
#define BASE_SIGN_H

#include "base/err.h"
#include "base/str.h"

enum sign_way {
#define SIGN(name, word, kty, meaning) SIGN_##name,
#include "base/sign.def"
#undef SIGN
  SIGN_WAYS
};

enum {
  SIGN_SECRET_BYTES_MIN = 32,   // RFC 7518 section 3.2: no shorter than the hash
  SIGN_RSA_BITS_MIN = 2048,     // section 3.3
  SIGN_RSA_BITS_MAX = 8192,     // checking takes time with the square of it
  SIGN_EXPONENT_BYTES_MAX = 8,  // and with this
  SIGN_P256_BYTES = 32,         // of a coordinate
  SIGN_ED25519_BYTES = 32,      // of a key
};

struct str sign_word(enum sign_way way);  // "HS256"
struct str sign_kty(enum sign_way way);   // "oct": the "kty" of its JWKs
bool sign_parse(struct str word, enum sign_way *out);

struct sign_key;  // never changes; any thread

// Numbers are big-endian. ERR_INVALID: no such key, or too weak a one. Nothing is borrowed.
MUST_USE enum err sign_key_secret(struct str secret, struct sign_key **out, struct fault *why);
MUST_USE enum err sign_key_rsa(struct str n, struct str e, struct sign_key **out,
                               struct fault *why);
MUST_USE enum err sign_key_p256(struct str x, struct str y, struct sign_key **out,
                                struct fault *why);
MUST_USE enum err sign_key_ed25519(struct str x, struct sign_key **out, struct fault *why);
void sign_key_free(struct sign_key *key);  // NULL is allowed
enum sign_way sign_key_way(const struct sign_key *key);

// True when `signature` is the key's over `text`. Signatures are as in JOSE: of P-256 the 64 bytes
// r and s. A secret's is compared in constant time.
bool sign_check(const struct sign_key *key, struct str text, struct str signature);

#endif
