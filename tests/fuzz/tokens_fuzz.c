// tokens_fuzz.c: tokens (JWT) and the keys that they are signed with, as strangers send them.
//
// The first byte chooses: a token as it comes, a token of ours with the header and claims that
// come, a JWKS, base64url. What must hold: a token is taken only when its signature is right, and
// then says who and until when; base64url has one spelling.
#include "fuzz.h"

#include "api/decode.h"
#include "api/jwt.h"
#include "api/jwt_testing.h"
#include "base/base64.h"
#include "base/log.h"

enum { NOW_S = 1790000000 };

static struct jwt_settings settings(void) {
  return (struct jwt_settings){.ways = 1u << SIGN_HS256 | 1u << SIGN_RS256 | 1u << SIGN_ES256,
                               .secret = STR(SECRET),
                               .tenant_claim = STR("tenant"),
                               .leeway_ms = 30000,
                               .roles = 1};
}

// By hand: whether the last part is the HMAC of what stands before it.
static bool is_signed(struct arena *a, struct str token) {
  size_t last = token.len;
  while (last > 0 && token.at[last - 1] != '.') last--;
  if (last == 0) return false;
  uint8_t mac[SHA256_BYTES];
  hmac_by_hand(a, STR(SECRET), (struct str){token.at, last - 1}, mac);
  struct str right = base64url(a, (struct str){(char *)mac, sizeof mac});
  return str_eq(right, str_from(token, last));
}

static void check_token(struct jwt *jwt, struct arena *a, struct str token) {
  struct str exact = exact_copy(token);
  struct jwt_who who = {0};
  struct fault why = {0};
  enum err err = jwt_check(jwt, exact, NOW_S, a, &who, &why);
  if (err == ERR_OK) {
    HOLDS(is_signed(a, exact), "a token that is taken is signed");
    HOLDS(who.subject.len > 0 && name_is_good(who.tenant), "it says who");
    HOLDS(who.expires_at > (NOW_S - 30) * 1000LL, "it has not expired");
  } else {
    HOLDS(err == ERR_UNAUTHENTICATED && why.detail[0], "it is refused with a sentence");
    HOLDS(exact.len < 24 || !memmem(why.detail, strlen(why.detail), exact.at, 24),
          "the sentence repeats nothing of it");
  }
  exact_free(exact);
}

// Made once: it remembers only tokens that a public key has signed, and there is none.
static void take_token(struct arena *a, struct str text, bool sign) {
  static struct jwt jwt;
  struct jwt_settings s = settings();
  if (jwt.keys == NULL) jwt_init(&jwt, &s);
  struct str header = sign ? str_cut(&text, '\n') : text;
  check_token(&jwt, a, sign ? token_of(a, header, str_is_none(text) ? STR("") : text) : text);
}

static void take_keys(struct str text) {
  struct jwks *keys = NULL;
  struct fault why = {0};
  struct str exact = exact_copy(text);
  if (jwks_new(exact, STR_NONE, settings().ways, &keys, &why) == ERR_OK) {
    HOLDS(jwks_count(keys) > 0, "a JWKS that is taken has a key");
    HOLDS(jwks_find(keys, SIGN_EDDSA, STR_NONE) == NULL, "no key serves what is not taken");
  } else {
    HOLDS(why.detail[0], "a JWKS is refused with a sentence");
  }
  jwks_free(keys);
  exact_free(exact);
}

static void take_base64(struct arena *a, struct str text) {
  struct str exact = exact_copy(text), bytes, again;
  if (base64url_decode(a, exact, &bytes))
    HOLDS(str_eq(exact, base64url(a, bytes)), "bytes have one spelling");
  HOLDS(base64url_decode(a, base64url(a, exact), &again) && str_eq(exact, again),
        "what is written is read");
  exact_free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool quiet;
  if (!quiet) quiet = log_open("/dev/null");
  struct dice dice = dice_of(data, size);
  unsigned what = dice_below(&dice, 4);
  struct arena a;
  arena_init(&a, 4096);
  if (what < 2) take_token(&a, dice_rest(&dice), what == 1);
  if (what == 2) take_keys(dice_rest(&dice));
  if (what == 3) take_base64(&a, dice_rest(&dice));
  arena_fini(&a);
  return 0;
}
