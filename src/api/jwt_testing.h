// jwt_testing.h: keys and tokens for the tests of jwt.c and jwks.c, and HS256 by hand.
#ifndef API_JWT_TESTING_H
#define API_JWT_TESTING_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"

// The private halves were thrown away. Each token has sub "ann" and ends in 2033.
#define RS_N                                                                                       \
  "2Br74dzypMqaXxO8-i2_KppdOZtGd03Tlo3D8PQS60_KE51XstBdu8kwBH7QMqYBp0AB_7FUb3w0j3G7C_2L_er1"       \
  "v-6ql7QOKkEjNVwrYEx3c4tjYN6zbMfilrZCZdkCz0VMbDl1DTKkz_410sCa_HGGG2ApIqXgm4KiaLcMrWDdFnyL"       \
  "3UqsxxQQtVuIzI4QLxl-7wqBd2GVs_5LgPY03atStfgN0548ulnCP1QICVRfGRTIK18Fhxylx9SIUm0ugJzFVPID"       \
  "B2yh1H9wSlmFPceyW0crPa6aMDy7TplraaxXHyqFB-5qnqZwobyuIasQuqhLGa9Bz7w4o6arFJczHQ"
#define ES_X "cqcKGff9cXmtgz1bibeS7gAy3C7ts0F2IlhkSd8HnPA"
#define ES_Y "HYQkieyBAMP5oVGvnkQdtS_i5NpbsypJeaAOc6mkp84"
#define ED_X "mF0NYFQZswGRvocOYID3J8gwgUglHpklXkhQMEZTHQE"
#define RS_TOKEN                                                                                   \
  "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogInIifQ.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDIwMDAwMDAwMDB9.Pthq"       \
  "AT0llwW0Vp1ftao4pAHg5XBn5ciH2LI4VlNVjZfIjBXviXesRe-p2p0xHcuK89XYsBrdMWVYg44PMlOG7AfZbNsP"       \
  "sByOq1xEpszhDi9Z2io2NDnHDDD_oGdoAflb0HQFOdPru7Kul8KZxcKVDfnfycR-nXCozSuy5cl3YW_bb1da41UO"       \
  "P-qCQS7NPdbrqWPBtUOrLY01qOyoFT15o-k_GlsxazAjbc9Z8kycqcZKT0rBhHG53N3LYhxP7zcYL7H8IIbbjZdY"       \
  "7u_plRO5YjzLUdMKGui80SlWUz0kz-jwyKM1YkKu_gre1HhlZbsd1WoRkgE3OilZrV8EDGiddA"
#define ES_TOKEN                                                                                   \
  "eyJhbGciOiAiRVMyNTYiLCAia2lkIjogImUifQ.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDIwMDAwMDAwMDB9.WHya"       \
  "jtGqkmZEpFoyj5S23b6qYs9X75VS0BNE0lWkxA_aU2K52CmoRRfwZTufpyJbLJ3u3Xo71j9psXimqUyrJQ"
#define ED_TOKEN                                                                                   \
  "eyJhbGciOiAiRWREU0EiLCAia2lkIjogIm8ifQ.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDIwMDAwMDAwMDB9.jxXg"       \
  "ILpfz_RrdJlsHXdBttnKGXlEy3w0f5crnRbUBX2uROUJJhqLqOFSM3lmlNHJ_MNdHfPWvxRAdf4MbAZ5Aw"

#define RS_JWK(kid) "{\"kty\":\"RSA\",\"kid\":\"" kid "\",\"n\":\"" RS_N "\",\"e\":\"AQAB\"}"
#define ES_JWK(kid)                                                                                \
  "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"" kid "\",\"x\":\"" ES_X "\",\"y\":\"" ES_Y "\"}"
#define ED_JWK(kid) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"" kid "\",\"x\":\"" ED_X "\"}"
#define JWKS(keys) STR("{\"keys\":[" keys "]}")

#define SECRET "a secret of thirty-two bytes, 32"

static inline struct str base64url(struct arena *a, struct str bytes) {
  static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  char *out = arena_alloc(a, bytes.len * 2 + 4);
  size_t len = 0;
  unsigned bits = 0, count = 0;
  for (size_t i = 0; i < bytes.len; i++) {
    bits = (bits << 8 | (unsigned char)bytes.at[i]) & 0xffff;
    for (count += 8; count >= 6; count -= 6) out[len++] = LETTERS[bits >> (count - 6) & 63];
  }
  if (count) out[len++] = LETTERS[bits << (6 - count) & 63];
  return (struct str){out, len};
}

// RFC 2104, with a secret of at most 64 bytes.
static inline void hmac_by_hand(struct arena *a, struct str secret, struct str text,
                                uint8_t out[SHA256_BYTES]) {
  char *inner = arena_zero(a, 64 + text.len), *outer = arena_zero(a, 64 + SHA256_BYTES);
  memcpy(inner, secret.at, secret.len);
  memcpy(outer, secret.at, secret.len);
  for (size_t i = 0; i < 64; i++) {
    inner[i] ^= 0x36;
    outer[i] ^= 0x5c;
  }
  memcpy(inner + 64, text.at, text.len);
  hash_sha256((struct str){inner, 64 + text.len}, (uint8_t *)outer + 64);
  hash_sha256((struct str){outer, 64 + SHA256_BYTES}, out);
}

static inline struct str token_of(struct arena *a, struct str header, struct str claims) {
  struct str head = base64url(a, header), body = base64url(a, claims);
  struct str text = arena_printf(a, "%.*s.%.*s", STR_FMT(head), STR_FMT(body));
  uint8_t mac[SHA256_BYTES];
  hmac_by_hand(a, STR(SECRET), text, mac);
  struct str signature = base64url(a, (struct str){(char *)mac, sizeof mac});
  return arena_printf(a, "%.*s.%.*s", STR_FMT(text), STR_FMT(signature));
}

#endif
