// jwt.c: checks a token: its form, its signature, its time, who it is from and for, whom it names.
#include "api/jwt.h"

#include "api/decode.h"
#include "api/members.h"
#include "base/base64.h"
#include "base/hash.h"
#include "base/mem.h"
#include "model/limits.h"
#include "model/words.h"

#include <assert.h>

// Behind it a time is no number of seconds; milliseconds are refused by this.
static const double SECONDS_MAX = 253402300799;  // the end of the year 9999

static enum err refuse(struct fault *why, const char *sentence) {
  return fault_set(why, ERR_UNAUTHENTICATED, "%s", sentence);
}

static enum err malformed(struct fault *why, const char *what) {
  return fault_set(why, ERR_UNAUTHENTICATED, "the token is malformed: %s", what);
}

// Checking a signature takes up to 0.13 ms of the loop's time, and a client sends its token again
// and again. So the digests of tokens whose signature held are kept, each in the place that it
// says; the claims are read every time. HS256 takes no longer than a digest.
struct jwt_proven {
  uint8_t digests[LIMIT_JWT_PROVEN][SHA256_BYTES];
};

// --- keys ----------------------------------------------------------------------------------------

void jwt_init(struct jwt *jwt, const struct jwt_settings *settings) {
  *jwt = (struct jwt){.settings = *settings};
  if (!jwt_is_on(jwt)) return;
  struct fault why;
  enum err err = jwks_new(STR_NONE, settings->secret, settings->ways, &jwt->keys, &why);
  assert(err == ERR_OK);  // the settings were checked
  jwt->proven = mem_zero(sizeof *jwt->proven);
}

void jwt_fini(struct jwt *jwt) {
  jwks_free(jwt->keys);
  jwks_free(atomic_exchange(&jwt->coming, NULL));
  mem_free(jwt->proven);
}

enum err jwt_take_jwks(struct jwt *jwt, struct str text, size_t *count, struct fault *why) {
  struct jwks *fresh;
  TRY(jwks_new(text, jwt->settings.secret, jwt->settings.ways, &fresh, why));
  *count = jwks_count(fresh);
  jwks_free(atomic_exchange(&jwt->coming, fresh));
  return ERR_OK;
}

// Only the loop reads keys, so none is freed under it.
static const struct jwks *newest(struct jwt *jwt) {
  struct jwks *fresh = atomic_load(&jwt->coming) ? atomic_exchange(&jwt->coming, NULL) : NULL;
  if (fresh == NULL) return jwt->keys;
  jwks_free(jwt->keys);
  jwt->keys = fresh;
  jwt->serial++;
  *jwt->proven = (struct jwt_proven){0};
  return fresh;
}

// --- form ----------------------------------------------------------------------------------------

struct parts {
  struct str token;  // all of it
  struct str text;   // what is signed
  struct str header, claims;
  struct str signature;  // decoded
};

static enum err cut(struct str token, struct arena *a, struct parts *out, struct fault *why) {
  if (token.len > LIMIT_JWT_BYTES)
    return fault_set(why, ERR_UNAUTHENTICATED, "the token is malformed: it is over %d bytes",
                     LIMIT_JWT_BYTES);
  struct str rest = token;
  struct parts p = {.token = token, .header = str_cut(&rest, '.')};
  p.claims = str_is_none(rest) ? rest : str_cut(&rest, '.');
  if (str_is_none(rest) || str_find(rest, '.') < rest.len)
    return malformed(why, "it must have three parts: a signed token in the compact form");
  p.text = (struct str){token.at, p.header.len + 1 + p.claims.len};
  if (p.header.len > LIMIT_JWT_HEADER_BYTES)
    return fault_set(why, ERR_UNAUTHENTICATED,
                     "the token is malformed: its header is over %d bytes", LIMIT_JWT_HEADER_BYTES);
  if (!base64url_decode(a, rest, &p.signature))
    return malformed(why, "its signature is not base64url");
  *out = p;
  return ERR_OK;
}

// A part that is an object of JSON, and its members.
static enum err open_part(struct str part, const char *what, struct arena *a, struct members *out,
                          struct fault *why) {
  struct str text, value;
  struct json_error error;
  if (!base64url_decode(a, part, &text))
    return fault_set(why, ERR_UNAUTHENTICATED, "the token is malformed: its %s is not base64url",
                     what);
  if (!json_check(text, &value, &error))
    return fault_set(why, ERR_UNAUTHENTICATED, "the token is malformed: its %s is not JSON", what);
  if (!members_read(a, value, LIMIT_JWT_MEMBERS, out))
    return fault_set(why, ERR_UNAUTHENTICATED,
                     "the token is malformed: its %s must be an object of at most %d members, none "
                     "of them twice",
                     what, LIMIT_JWT_MEMBERS);
  return ERR_OK;
}

// --- header --------------------------------------------------------------------------------------

struct header {
  enum sign_way way;
  struct str kid;  // STR_NONE: none
};

static bool is_jwt_type(struct str typ) {
  if (str_is_none(typ)) return true;
  static const struct str PREFIX = {"application/", sizeof "application/" - 1};
  if (typ.len > PREFIX.len && str_eq_nocase((struct str){typ.at, PREFIX.len}, PREFIX))
    typ = str_from(typ, PREFIX.len);
  return str_eq_nocase(typ, STR("JWT")) || str_eq_nocase(typ, STR("at+jwt"));
}

static enum err read_header(const struct jwt *jwt, struct str part, struct arena *a,
                            struct header *out, struct fault *why) {
  struct members m;
  struct str alg = STR_NONE, typ = STR_NONE;
  struct header h = {.kid = STR_NONE};
  TRY(open_part(part, "header", a, &m, why));
  if (!members_text(a, &m, STR("alg"), LIMIT_JWT_KID_BYTES, &alg) || str_is_none(alg))
    return malformed(why, "its header must have alg, a string");
  if (!members_text(a, &m, STR("typ"), LIMIT_JWT_KID_BYTES, &typ) || !is_jwt_type(typ))
    return malformed(why, "its typ must be JWT or at+jwt");
  if (!members_text(a, &m, STR("kid"), LIMIT_JWT_KID_BYTES, &h.kid))
    return malformed(why, "its kid must be a string of at most 256 bytes");
  if (!str_is_none(members_find(&m, STR("crit"))))
    return malformed(why, "its header has crit, and nothing that could stand there is known here");
  if (!sign_parse(alg, &h.way) || !(jwt->settings.ways & 1u << h.way))
    return refuse(why, "the token's algorithm is none that this server takes");
  *out = h;
  return ERR_OK;
}

static bool holds(struct jwt *jwt, const struct sign_key *key, const struct parts *p) {
  if (sign_key_way(key) == SIGN_HS256) return sign_check(key, p->text, p->signature);
  uint8_t digest[SHA256_BYTES];
  hash_sha256(p->token, digest);
  uint8_t *place = jwt->proven->digests[(digest[0] << 8 | digest[1]) % LIMIT_JWT_PROVEN];
  if (memcmp(place, digest, sizeof digest) == 0) return true;
  if (!sign_check(key, p->text, p->signature)) return false;
  memcpy(place, digest, sizeof digest);
  return true;
}

static enum err check_signature(struct jwt *jwt, const struct header *h, const struct parts *p,
                                struct fault *why) {
  const struct sign_key *key = jwks_find(newest(jwt), h->way, h->kid);
  if (key) {
    if (holds(jwt, key, p)) return ERR_OK;
    return refuse(why, "the token's signature is not that of its key");
  }
  if (!jwt->settings.keys_wanted) return refuse(why, "the token's key is not known");
  jwt->settings.keys_wanted(jwt->settings.self);
  return refuse(why,
                "the token's key is not known; the keys are being looked up again, which is "
                "done at most once in a while, so try again later");
}

// --- claims --------------------------------------------------------------------------------------

// `*out` stays as it is when the claim is absent.
static enum err take_time(const struct members *m, struct str name, double *out,
                          struct fault *why) {
  struct str value = members_find(m, name);
  double seconds;
  if (str_is_none(value)) return ERR_OK;
  if (json_kind(value) != JSON_NUMBER || !json_double(value, &seconds) || seconds < 0 ||
      seconds > SECONDS_MAX)
    return fault_set(why, ERR_UNAUTHENTICATED,
                     "the token is malformed: its %.*s must be seconds since 1970", STR_FMT(name));
  *out = seconds;
  return ERR_OK;
}

static enum err check_times(const struct jwt *jwt, const struct members *m, int64_t now_s,
                            int64_t *expires_at, struct fault *why) {
  double exp = -1, nbf = 0, iat = 0;
  double leeway = (double)jwt->settings.leeway_ms / 1000, now = (double)now_s;
  TRY(take_time(m, STR("exp"), &exp, why));
  TRY(take_time(m, STR("nbf"), &nbf, why));
  TRY(take_time(m, STR("iat"), &iat, why));
  if (exp < 0) return malformed(why, "it must have exp, the time when it ends");
  if (now >= exp + leeway) return refuse(why, "the token has expired");
  if (now + leeway < nbf) return refuse(why, "the token is not valid yet");
  if (now + leeway < iat) return refuse(why, "the token was issued in the future");
  *expires_at = (int64_t)((exp + leeway) * 1000);
  return ERR_OK;
}

static enum err check_issuer(const struct jwt *jwt, const struct members *m, struct arena *a,
                             struct fault *why) {
  struct str issuer = STR_NONE;
  if (!members_text(a, m, STR("iss"), LIMIT_JWT_BYTES, &issuer))
    return malformed(why, "its iss must be a string");
  if (str_is_none(jwt->settings.issuer) || str_eq(issuer, jwt->settings.issuer)) return ERR_OK;
  return refuse(why, "the token is from another issuer");
}

// Whether `claim` is a text, or an array of texts, with `wanted` among them. `*good` is false when
// it is something else.
static bool names(struct str claim, struct str wanted, struct arena *a, bool *good) {
  *good = json_kind(claim) == JSON_STRING || json_kind(claim) == JSON_ARRAY;
  if (!*good) return false;
  if (json_kind(claim) == JSON_STRING) return str_eq(json_string(a, claim, NULL), wanted);
  bool found = false;
  struct json_walk walk = json_walk(claim);
  struct str one;
  while (*good && json_next(&walk, &(struct str){0}, &one)) {
    *good = json_kind(one) == JSON_STRING;
    if (*good && str_eq(json_string(a, one, NULL), wanted)) found = true;
  }
  return found;
}

// Who finds an audience that is not his refuses the token (RFC 7519 section 4.1.3), and so does who
// has no name of his own.
static enum err check_audience(const struct jwt *jwt, const struct members *m, struct arena *a,
                               struct fault *why) {
  struct str claim = members_find(m, STR("aud")), own = jwt->settings.audience;
  bool good = true;
  bool named = !str_is_none(claim) && names(claim, own, a, &good);
  if (!good) return malformed(why, "its aud must be a string or an array of strings");
  if (str_is_none(own) && !str_is_none(claim))
    return refuse(why,
                  "the token is for an audience, and this server has none; jwt_audience sets "
                  "it");
  if (!str_is_none(own) && !named) return refuse(why, "the token is for another audience");
  return ERR_OK;
}

static void add_role(struct str word, unsigned *roles) {
  enum role role;
  if (role_parse(word, &role)) *roles |= role;
}

// Words that are no roles of ours belong to other programs.
static enum err take_roles(const struct jwt *jwt, const struct members *m, struct arena *a,
                           unsigned *out, struct fault *why) {
  struct str claim = members_find(m, STR("roles"));
  unsigned roles = 0;
  if (!str_is_none(claim) && json_kind(claim) == JSON_STRING) {
    struct str rest = json_string(a, claim, NULL);
    while (!str_is_none(rest)) add_role(str_cut(&rest, ' '), &roles);
  } else if (!str_is_none(claim) && json_kind(claim) == JSON_ARRAY) {
    struct json_walk walk = json_walk(claim);
    struct str one;
    while (json_next(&walk, &(struct str){0}, &one)) {
      if (json_kind(one) != JSON_STRING) return malformed(why, "its roles must be strings");
      add_role(json_string(a, one, NULL), &roles);
    }
  } else if (!str_is_none(claim)) {
    return malformed(why, "its roles must be an array of strings or a string");
  }
  *out = roles ? roles : jwt->settings.roles;
  return ERR_OK;
}

static bool has_controls(struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.at[i];
    bool c1 = c == 0xc2 && i + 1 < text.len && (unsigned char)text.at[i + 1] < 0xa0;
    if (c < 0x20 || c == 0x7f || c1) return true;
  }
  return false;
}

static enum err take_subject(const struct members *m, struct arena *a, struct str *out,
                             struct fault *why) {
  struct str subject = STR_NONE;
  if (!members_text(a, m, STR("sub"), LIMIT_REFERENCE_BYTES, &subject) || subject.len == 0 ||
      has_controls(subject))
    return malformed(why, "it must have sub, 1 to 200 bytes without control characters");
  *out = subject;
  return ERR_OK;
}

static enum err take_tenant(const struct jwt *jwt, const struct members *m, struct arena *a,
                            struct str *out, struct fault *why) {
  struct str tenant = STR("default"), claim = jwt->settings.tenant_claim;
  if (!str_is_none(claim) &&
      (!members_text(a, m, claim, LIMIT_NAME_BYTES, &tenant) || !name_is_good(tenant)))
    return malformed(why, "its tenant must be 1 to 128 characters of A-Z a-z 0-9 . _ : / -");
  *out = tenant;
  return ERR_OK;
}

// --- all of it -----------------------------------------------------------------------------------

enum err jwt_check(struct jwt *jwt, struct str token, int64_t now_s, struct arena *a,
                   struct jwt_who *out, struct fault *why) {
  struct parts parts;
  struct header header = {0};
  struct members claims;
  struct jwt_who who;
  TRY(cut(token, a, &parts, why));
  TRY(read_header(jwt, parts.header, a, &header, why));
  TRY(check_signature(jwt, &header, &parts, why));
  TRY(open_part(parts.claims, "claims", a, &claims, why));
  TRY(check_times(jwt, &claims, now_s, &who.expires_at, why));
  TRY(check_issuer(jwt, &claims, a, why));
  TRY(check_audience(jwt, &claims, a, why));
  TRY(take_subject(&claims, a, &who.subject, why));
  TRY(take_tenant(jwt, &claims, a, &who.tenant, why));
  TRY(take_roles(jwt, &claims, a, &who.roles, why));
  *out = who;
  return ERR_OK;
}

bool jwt_stands(struct jwt *jwt, struct str token, int64_t now_s, struct arena *scratch,
                uint64_t *serial) {
  struct jwt_who who;
  struct fault why = {0};
  (void)newest(jwt);
  if (*serial == jwt->serial) return true;
  *serial = jwt->serial;
  arena_reset(scratch);
  return jwt_check(jwt, token, now_s, scratch, &who, &why) == ERR_OK;
}
