// jwks.c: makes keys of a JWKS, and finds the one for a token.
#include "api/jwks.h"

#include "api/members.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/limits.h"

struct named_key {
  struct str name;  // STR_NONE: none
  struct sign_key *key;
};

struct jwks {
  struct arena arena;  // holds the names
  struct named_key keys[LIMIT_JWKS_KEYS + 1];
  size_t count;
};

void jwks_free(struct jwks *keys) {
  if (keys == NULL) return;
  for (size_t i = 0; i < keys->count; i++) sign_key_free(keys->keys[i].key);
  arena_fini(&keys->arena);
  mem_free(keys);
}

size_t jwks_count(const struct jwks *keys) { return keys->count; }

static const struct sign_key *only(const struct jwks *keys, enum sign_way way, bool nameless) {
  const struct sign_key *found = NULL;
  for (size_t i = 0; i < keys->count; i++) {
    const struct named_key *one = &keys->keys[i];
    if (sign_key_way(one->key) != way || (nameless && !str_is_none(one->name))) continue;
    if (found) return NULL;
    found = one->key;
  }
  return found;
}

const struct sign_key *jwks_find(const struct jwks *keys, enum sign_way way, struct str kid) {
  if (str_is_none(kid)) return only(keys, way, false);
  for (size_t i = 0; i < keys->count; i++) {
    const struct named_key *one = &keys->keys[i];
    if (sign_key_way(one->key) != way || str_is_none(one->name)) continue;
    if (str_eq(one->name, kid)) return one->key;
  }
  return only(keys, way, true);
}

// --- one JWK -------------------------------------------------------------------------------------

// What is known of one while it is read.
struct reading {
  struct arena arena;  // of this key's texts
  struct members members;
  struct str kid;
};

// The bytes that a member holds in base64url; none when it is absent or something else.
static struct str number_of(struct reading *r, struct str name) {
  struct str text = STR_NONE, bytes = STR_NONE;
  if (!members_text(&r->arena, &r->members, name, LIMIT_JWKS_BYTES, &text)) return STR_NONE;
  if (str_is_none(text) || !base64url_decode(&r->arena, text, &bytes)) return STR_NONE;
  return bytes;
}

static struct str text_of(struct reading *r, struct str name) {
  struct str text = STR_NONE;
  (void)members_text(&r->arena, &r->members, name, LIMIT_JWT_KID_BYTES, &text);
  return text;
}

static bool may_verify(struct reading *r) {
  struct str use = members_find(&r->members, STR("use"));
  struct str ops = members_find(&r->members, STR("key_ops"));
  if (!str_is_none(use) && !str_eq(text_of(r, STR("use")), STR("sig"))) return false;
  if (str_is_none(ops)) return true;
  if (json_kind(ops) != JSON_ARRAY) return false;
  struct json_walk walk = json_walk(ops);
  struct str op;
  while (json_next(&walk, &(struct str){0}, &op))
    if (json_kind(op) == JSON_STRING && str_eq(json_string(&r->arena, op, NULL), STR("verify")))
      return true;
  return false;
}

// The way that a JWK serves; false: none of ours.
static bool way_of(struct reading *r, unsigned ways, enum sign_way *out) {
  struct str kty = text_of(r, STR("kty")), curve = text_of(r, STR("crv"));
  struct str alg = members_find(&r->members, STR("alg"));
  for (unsigned i = 0; i < SIGN_WAYS; i++) {
    enum sign_way way = (enum sign_way)i;
    if (!(ways & 1u << i) || !str_eq(kty, sign_kty(way))) continue;
    if (!str_is_none(alg) && !str_eq(text_of(r, STR("alg")), sign_word(way))) continue;
    if (way == SIGN_ES256 && !str_eq(curve, STR("P-256"))) continue;
    if (way == SIGN_EDDSA && !str_eq(curve, STR("Ed25519"))) continue;
    *out = way;
    return true;
  }
  return false;
}

static enum err make(struct reading *r, enum sign_way way, struct sign_key **out,
                     struct fault *why) {
  switch (way) {
  case SIGN_HS256: return sign_key_secret(number_of(r, STR("k")), out, why);
  case SIGN_RS256: return sign_key_rsa(number_of(r, STR("n")), number_of(r, STR("e")), out, why);
  case SIGN_ES256: return sign_key_p256(number_of(r, STR("x")), number_of(r, STR("y")), out, why);
  case SIGN_EDDSA: return sign_key_ed25519(number_of(r, STR("x")), out, why);
  case SIGN_WAYS: break;
  }
  return ERR_INVALID;
}

static bool is_taken(const struct jwks *keys, enum sign_way way, struct str kid) {
  for (size_t i = 0; i < keys->count; i++)
    if (!str_is_none(kid) && str_eq(keys->keys[i].name, kid) &&
        sign_key_way(keys->keys[i].key) == way)
      return true;
  return false;
}

static void add(struct jwks *keys, struct str kid, struct sign_key *key) {
  keys->keys[keys->count++] = (struct named_key){arena_dup(&keys->arena, kid), key};
}

static enum err take(struct jwks *keys, struct reading *r, struct str jwk, unsigned ways,
                     struct fault *why) {
  if (!members_read(&r->arena, jwk, LIMIT_JWT_MEMBERS, &r->members))
    return fault_set(why, ERR_INVALID, "a key is no object, or has a member twice");
  if (!members_text(&r->arena, &r->members, STR("kid"), LIMIT_JWT_KID_BYTES, &r->kid))
    return fault_set(why, ERR_INVALID, "a kid has at most %d bytes", LIMIT_JWT_KID_BYTES);
  enum sign_way way;
  struct sign_key *key;
  if (!may_verify(r) || !way_of(r, ways, &way)) return ERR_OK;
  if (is_taken(keys, way, r->kid))
    return fault_set(why, ERR_INVALID, "another key has the same kid");
  TRY(make(r, way, &key, why));
  add(keys, r->kid, key);
  return ERR_OK;
}

static void take_or_tell(struct jwks *keys, struct str jwk, unsigned ways) {
  struct fault why = {0};
  struct reading r = {.kid = STR_NONE};
  arena_init(&r.arena, 4096);
  if (take(keys, &r, jwk, ways, &why) != ERR_OK)
    log_event(LOG_WARN, "a key of the JWKS is not used", LOG_STR("kid", r.kid),
              LOG_STR("reason", str_of(why.detail)));
  arena_fini(&r.arena);
}

// --- all of them ---------------------------------------------------------------------------------

static enum err take_all(struct jwks *keys, struct arena *a, struct str text, unsigned ways,
                         struct fault *why) {
  struct json_error error;
  struct str value, list = STR_NONE;
  struct members top;
  if (!json_check(text, &value, &error))
    return fault_set(why, ERR_INVALID, "the JWKS is not JSON: %s", error.message);
  if (members_read(a, value, LIMIT_JWT_MEMBERS, &top)) list = members_find(&top, STR("keys"));
  if (str_is_none(list) || json_kind(list) != JSON_ARRAY)
    return fault_set(why, ERR_INVALID, "a JWKS is an object with an array of keys");
  struct json_walk walk = json_walk(list);
  struct str jwk;
  for (size_t i = 0; json_next(&walk, &(struct str){0}, &jwk); i++) {
    if (i == LIMIT_JWKS_KEYS)
      return fault_set(why, ERR_INVALID, "a JWKS has at most %d keys", LIMIT_JWKS_KEYS);
    take_or_tell(keys, jwk, ways);
  }
  if (keys->count == 0)
    return fault_set(why, ERR_INVALID, "the JWKS has no key for the algorithms that are taken");
  return ERR_OK;
}

enum err jwks_new(struct str text, struct str secret, unsigned ways, struct jwks **out,
                  struct fault *why) {
  struct jwks *keys = mem_zero(sizeof *keys);
  struct arena scratch;
  arena_init(&keys->arena, 1024);
  arena_init(&scratch, 4096);
  enum err err = ERR_OK;
  if (!str_is_none(text)) err = take_all(keys, &scratch, text, ways, why);
  struct sign_key *key;
  if (err == ERR_OK && !str_is_none(secret)) err = sign_key_secret(secret, &key, why);
  if (err == ERR_OK && !str_is_none(secret)) add(keys, STR_NONE, key);
  arena_fini(&scratch);
  if (err == ERR_OK)
    *out = keys;
  else
    jwks_free(keys);
  return err;
}
