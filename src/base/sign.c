// sign.c: signatures by OpenSSL: keys from their numbers, and checking.
#include "base/sign.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

struct sign_key {
  enum sign_way way;
  EVP_PKEY *public;     // of all but HS256
  EVP_MAC_CTX *secret;  // of HS256: ready to begin; only ever copied
};

static const struct {
  const char *word, *kty;
} WAYS[SIGN_WAYS] = {
#define SIGN(name, word, kty, meaning) {word, kty},
#include "base/sign.def"
#undef SIGN
};

struct str sign_word(enum sign_way way) {
  return str_of(WAYS[way].word);
}

struct str sign_kty(enum sign_way way) {
  return str_of(WAYS[way].kty);
}

bool sign_parse(struct str word, enum sign_way *out) {
  for (unsigned i = 0; i < SIGN_WAYS; i++) {
    if (!str_eq(word, str_of(WAYS[i].word))) continue;
    *out = (enum sign_way)i;
    return true;
  }
  return false;
}

// Lack of memory and a broken installation; neither can be gone on with.
static void must(bool ok) {
  if (!ok) abort();
}

static const unsigned char *bytes(struct str s) { return (const unsigned char *)s.at; }

static enum err keep(enum sign_way way, EVP_PKEY *public, struct sign_key **out) {
  *out = mem_zero(sizeof **out);
  (*out)->way = way;
  (*out)->public = public;
  return ERR_OK;
}

void sign_key_free(struct sign_key *key) {
  if (key == NULL) return;
  EVP_PKEY_free(key->public);
  EVP_MAC_CTX_free(key->secret);
  mem_free(key);
}

enum sign_way sign_key_way(const struct sign_key *key) { return key->way; }

// --- keys ----------------------------------------------------------------------------------------

enum err sign_key_secret(struct str secret, struct sign_key **out, struct fault *why) {
  if (secret.len < SIGN_SECRET_BYTES_MIN)
    return fault_set(why, ERR_INVALID, "a secret for HS256 must have at least %d bytes",
                     SIGN_SECRET_BYTES_MIN);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_END};
  EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  must(hmac != NULL);
  EVP_MAC_CTX *ready = EVP_MAC_CTX_new(hmac);
  must(ready && EVP_MAC_init(ready, bytes(secret), secret.len, params) == 1);
  EVP_MAC_free(hmac);
  (void)keep(SIGN_HS256, NULL, out);
  (*out)->secret = ready;
  return ERR_OK;
}

// A public key of that type, or NULL when OpenSSL finds that the numbers make none. Frees `build`.
static EVP_PKEY *public_of(const char *type, OSSL_PARAM_BLD *build) {
  OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  must(params && ctx);
  EVP_PKEY *key = NULL;
  bool made = EVP_PKEY_fromdata_init(ctx) == 1 &&
              EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1;
  EVP_PKEY_CTX_free(ctx);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(build);
  EVP_PKEY_CTX *check = made ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
  bool good = check && EVP_PKEY_public_check(check) == 1;
  EVP_PKEY_CTX_free(check);
  ERR_clear_error();
  if (good) return key;
  EVP_PKEY_free(key);
  return NULL;
}

static BIGNUM *number(struct str s) {
  BIGNUM *n = BN_bin2bn(bytes(s), (int)s.len, NULL);
  must(n != NULL);
  return n;
}

static bool is_exponent(struct str e) {
  return e.len > 0 && e.len <= SIGN_EXPONENT_BYTES_MAX && (e.at[e.len - 1] & 1) &&
         !(e.len == 1 && e.at[0] == 1);
}

enum err sign_key_rsa(struct str n, struct str e, struct sign_key **out, struct fault *why) {
  if (n.len > SIGN_RSA_BITS_MAX / 8)
    return fault_set(why, ERR_INVALID, "an RSA key must have at most %d bits", SIGN_RSA_BITS_MAX);
  if (!is_exponent(e))
    return fault_set(why, ERR_INVALID, "the exponent of an RSA key is odd and small");
  BIGNUM *modulus = number(n), *exponent = number(e);
  EVP_PKEY *key = NULL;
  bool strong = BN_num_bits(modulus) >= SIGN_RSA_BITS_MIN;
  if (strong) {
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    must(build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
         OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent));
    key = public_of("RSA", build);
  }
  BN_free(modulus);
  BN_free(exponent);
  if (!strong)
    return fault_set(why, ERR_INVALID, "an RSA key must have at least %d bits", SIGN_RSA_BITS_MIN);
  if (key == NULL) return fault_set(why, ERR_INVALID, "the numbers make no RSA key");
  return keep(SIGN_RS256, key, out);
}

enum err sign_key_p256(struct str x, struct str y, struct sign_key **out, struct fault *why) {
  if (x.len != SIGN_P256_BYTES || y.len != SIGN_P256_BYTES)
    return fault_set(why, ERR_INVALID, "x and y of a P-256 key have %d bytes", SIGN_P256_BYTES);
  unsigned char point[1 + 2 * SIGN_P256_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
  memcpy(point + 1, x.at, SIGN_P256_BYTES);
  memcpy(point + 1 + SIGN_P256_BYTES, y.at, SIGN_P256_BYTES);
  OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
  must(build &&
       OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
       OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point));
  EVP_PKEY *key = public_of("EC", build);
  if (key == NULL) return fault_set(why, ERR_INVALID, "x and y are no point of P-256");
  return keep(SIGN_ES256, key, out);
}

enum err sign_key_ed25519(struct str x, struct sign_key **out, struct fault *why) {
  if (x.len != SIGN_ED25519_BYTES)
    return fault_set(why, ERR_INVALID, "x of an Ed25519 key has %d bytes", SIGN_ED25519_BYTES);
  EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, bytes(x), x.len);
  must(key != NULL);
  return keep(SIGN_EDDSA, key, out);
}

// --- checking ------------------------------------------------------------------------------------

static bool check_secret(const struct sign_key *key, struct str text, struct str signature) {
  unsigned char own[SHA256_BYTES];
  size_t len = 0;
  EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->secret);
  must(ctx && EVP_MAC_update(ctx, bytes(text), text.len) == 1 &&
       EVP_MAC_final(ctx, own, &len, sizeof own) == 1 && len == sizeof own);
  EVP_MAC_CTX_free(ctx);
  return signature.len == sizeof own && hash_equal(own, signature.at, sizeof own);
}

static bool check_public(const struct sign_key *key, const char *digest, struct str text,
                         const unsigned char *signature, size_t len) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  must(ctx != NULL);
  bool good = EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key->public, NULL) == 1 &&
              EVP_DigestVerify(ctx, signature, len, bytes(text), text.len) == 1;
  EVP_MD_CTX_free(ctx);
  ERR_clear_error();
  return good;
}

// OpenSSL wants the DER that X.509 has.
static bool check_p256(const struct sign_key *key, struct str text, struct str signature) {
  if (signature.len != 2 * SIGN_P256_BYTES) return false;
  BIGNUM *r = number((struct str){signature.at, SIGN_P256_BYTES});
  BIGNUM *s = number(str_from(signature, SIGN_P256_BYTES));
  ECDSA_SIG *pair = ECDSA_SIG_new();
  must(pair && ECDSA_SIG_set0(pair, r, s) == 1);
  unsigned char *der = NULL;
  int len = i2d_ECDSA_SIG(pair, &der);
  must(len > 0);
  bool good = check_public(key, "SHA256", text, der, (size_t)len);
  OPENSSL_free(der);
  ECDSA_SIG_free(pair);
  return good;
}

bool sign_check(const struct sign_key *key, struct str text, struct str signature) {
  switch (key->way) {
  case SIGN_HS256: return check_secret(key, text, signature);
  case SIGN_ES256: return check_p256(key, text, signature);
  case SIGN_RS256: return check_public(key, "SHA256", text, bytes(signature), signature.len);
  case SIGN_EDDSA: return check_public(key, NULL, text, bytes(signature), signature.len);
  case SIGN_WAYS: break;
  }
  return false;
}
