// auth.c: who asks, by API key or token; and whether the route's roles allow it.
//
// The store keeps the SHA-256 of a whole key; with 256 random bits there is nothing to guess, so no
// slow hash is needed.
#include "api/call.h"
#include "base/hash.h"

#include <arpa/inet.h>
#include <time.h>

// --- keys ----------------------------------------------------------------------------------------

static struct str key_id(struct str key) {
  bool ours = str_starts(key, STR("tk_")) && key.len > 4 + KEY_ID_BYTES;
  return ours ? (struct str){key.at + 3, KEY_ID_BYTES} : STR_NONE;
}

static bool is_admin_key(const struct api *api, const uint8_t hash[SHA256_BYTES]) {
  return api->has_admin_key && hash_equal(api->admin_hash, hash, SHA256_BYTES);
}

bool auth_is_first_key(const struct api *api, struct str text) {
  uint8_t hash[SHA256_BYTES];
  hash_sha256(text, hash);
  return is_admin_key(api, hash);
}

static struct principal local_user(void) {
  return (struct principal){
      .tenant = 1, .tenant_name = STR("default"), .roles = ROLE_ALL, .actor = STR("local")};
}

static bool identify_key(struct call *c, struct str key, enum key_state *state) {
  uint8_t hash[SHA256_BYTES];
  hash_sha256(key, hash);
  if (is_admin_key(c->api, hash)) {
    c->who = local_user();
    c->who.actor = STR("key:API_KEY");
    return true;
  }
  struct str id = key_id(key);
  *state = KEY_UNKNOWN;
  return !str_is_none(id) &&
         engine_key_check(c->api->settings.engine, id, hash, c->arena, &c->who, state);
}

// --- tokens --------------------------------------------------------------------------------------

// Our keys have no dots; the operator's own may, and was looked for before.
static bool is_token(const struct call *c, const struct credential *from) {
  return jwt_is_on(&c->api->jwt) && from->is_bearer && !str_starts(from->text, STR("tk_")) &&
         str_find(from->text, '.') < from->text.len;
}

// Tokens tell the time of the wall, which may be set while we run; the engine's clock does not
// follow it.
static int64_t wall_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum err identify_token(struct call *c, struct str token) {
  struct engine *e = c->api->settings.engine;
  struct jwt_who who;
  int64_t now_ms = wall_ms();
  c->has_token = true;
  c->refusal = "token";
  TRY(jwt_check(&c->api->jwt, token, now_ms / 1000, c->arena, &who, &c->fault));
  c->who = (struct principal){.tenant = engine_tenant(e, who.tenant),
                              .tenant_name = who.tenant,
                              .roles = who.roles,
                              .actor = arena_printf(c->arena, "jwt:%.*s", STR_FMT(who.subject)),
                              .subject = who.subject,
                              .expires_at = engine_now(e) + who.expires_at - now_ms};
  if (c->who.tenant == 0) c->new_tenant = who.tenant;
  return ERR_OK;
}

// --- without any key -----------------------------------------------------------------------------
//
// Everyone on this machine may do everything, but not a web page that a browser on it shows: its
// requests name another origin, or reach us under a name that is not this machine's (DNS
// rebinding).

static bool is_port_or_end(struct str rest) {
  for (size_t i = 1; i < rest.len; i++)
    if (rest.at[i] < '0' || rest.at[i] > '9') return false;
  return rest.len == 0 || rest.at[0] == ':';
}

static bool is_loopback_v4(struct str name) {
  char text[INET_ADDRSTRLEN];
  struct in_addr address;
  if (name.len >= sizeof text) return false;
  memcpy(text, name.at, name.len);
  text[name.len] = '\0';
  return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static bool is_local_name(struct str host) {
  static const struct str V6 = {"[::1]", sizeof "[::1]" - 1};
  if (str_starts(host, V6)) return is_port_or_end(str_from(host, V6.len));
  struct str name = {host.at, str_find(host, ':')};
  if (!is_port_or_end(str_from(host, name.len))) return false;
  return str_eq_nocase(name, STR("localhost")) || is_loopback_v4(name);
}

static bool is_own_origin(const struct http_request *r, struct str scheme) {
  struct str origin = http_header(r, STR("origin")), host = http_header(r, STR("host"));
  return str_starts(origin, scheme) && str_eq_nocase(str_from(origin, scheme.len), host);
}

bool auth_is_own_origin(const struct call *c) {
  return str_is_none(http_header(c->http, STR("origin"))) ||
         is_own_origin(c->http, STR("http://")) || is_own_origin(c->http, STR("https://"));
}

enum err auth_check_host(struct call *c) {
  struct str host = http_header(c->http, STR("host"));
  bool is_public = c->api->settings.is_public;  // then the operator has allowed everyone
  if (!is_public && !is_local_name(host))
    return fault_set(&c->fault, ERR_FORBIDDEN,
                     "without an API key this server answers to localhost only, not to Host: %.*s",
                     (int)(host.len > 80 ? 80 : host.len), host.at);
  return ERR_OK;
}

enum err auth_check_local(struct call *c) {
  TRY(auth_check_host(c));
  if (!str_is_none(http_header(c->http, STR("origin"))) && !is_own_origin(c->http, STR("http://")))
    return fault_set(&c->fault, ERR_FORBIDDEN,
                     "without an API key, requests from pages of another origin are refused");
  return ERR_OK;
}

static enum err refuse_role(struct call *c) {
  struct buf roles;
  buf_init(&roles, 128);
  for (unsigned i = 0; i < ROLE_COUNT; i++) {
    if (!(c->route->roles & 1u << i)) continue;
    if (roles.len) BUF_LIT(&roles, " or ");
    buf_put(&roles, role_word((enum role_index)i));
  }
  struct str text = buf_str(&roles);
  enum err err = fault_set(&c->fault, ERR_FORBIDDEN, "this route needs a %s with the role %.*s",
                           c->has_token ? "token" : "key", STR_FMT(text));
  buf_fini(&roles);
  return err;
}

static enum err refuse_key(struct call *c, enum key_state state, struct str key) {
  static const char *const WORDS[] = {
      [KEY_UNKNOWN] = "unknown", [KEY_REVOKED] = "revoked", [KEY_EXPIRED] = "expired"};
  c->refusal = WORDS[state];
  if (state != KEY_UNKNOWN) c->who_refused = key_id(key);
  if (state == KEY_EXPIRED)
    return fault_set(&c->fault, ERR_UNAUTHENTICATED, "the API key has expired");
  return fault_set(&c->fault, ERR_UNAUTHENTICATED, "the API key is not known, or was revoked");
}

static enum err refuse_nothing(struct call *c) {
  c->refusal = "missing";
  return fault_set(&c->fault, ERR_UNAUTHENTICATED,
                   "send an API key as Authorization: Bearer KEY or x-api-key: KEY%s",
                   jwt_is_on(&c->api->jwt) ? ", or a token as Authorization: Bearer TOKEN" : "");
}

static enum err authenticate(struct call *c) {
  struct credential from;
  enum key_state state;
  TRY(credential_read(c, &from));
  if (str_is_none(from.text)) return refuse_nothing(c);
  if (identify_key(c, from.text, &state)) return ERR_OK;
  return is_token(c, &from) ? identify_token(c, from.text) : refuse_key(c, state, from.text);
}

bool auth_is_open(const struct api *api) {
  return !api->has_admin_key && !jwt_is_on(&api->jwt) && !engine_has_keys(api->settings.engine);
}

// A key of the operator's own is never revoked while the server runs.
void auth_standing(struct call *c, struct standing *out) {
  struct credential from = {0};
  *out = (struct standing){.kind = STANDING_LASTS};
  if (c->session) return;
  if (auth_is_open(c->api)) {
    out->kind = STANDING_OPEN;
    return;
  }
  if (credential_read(c, &from) != ERR_OK || str_is_none(from.text)) return;
  if (c->has_token) {
    *out = (struct standing){.kind = STANDING_TOKEN,
                             .expires_at = c->who.expires_at,
                             .token = from.text,
                             .keys = c->api->jwt.serial};
  } else {
    struct str id = key_id(from.text);
    hash_sha256(from.text, out->hash);
    if (str_is_none(id) || is_admin_key(c->api, out->hash)) return;
    out->kind = STANDING_KEY;
    memcpy(out->key, id.at, sizeof out->key);
  }
}

bool auth_stands(struct api *api, struct standing *standing, struct arena *scratch) {
  struct engine *e = api->settings.engine;
  struct principal who;
  enum key_state state;
  switch (standing->kind) {
  case STANDING_OPEN: return auth_is_open(api);
  case STANDING_TOKEN:
    return standing->expires_at > engine_now(e) &&
           jwt_stands(&api->jwt, standing->token, wall_ms() / 1000, scratch, &standing->keys);
  case STANDING_KEY:
    arena_reset(scratch);
    return engine_key_check(e, (struct str){standing->key, sizeof standing->key}, standing->hash,
                            scratch, &who, &state);
  case STANDING_LASTS: break;
  }
  return true;
}

static enum err identify(struct call *c) {
  if (auth_is_open(c->api)) {
    c->who = local_user();
    return auth_check_local(c);
  }
  enum err err = authenticate(c);
  return err == ERR_OK ? ERR_OK : auth_refused(c, err);
}

static enum err check_door(struct call *c) {
  const struct door *door = c->route->door;
  if (door == NULL) return ERR_OK;
  if (door->check) TRY(door->check(c));
  if (!door->by_token || c->has_token) return ERR_OK;
  return fault_set(&c->fault, ERR_FORBIDDEN,
                   "this route is for users: send a token as Authorization: Bearer TOKEN, not an "
                   "API key");
}

enum err auth_check(struct call *c) {
  if (c->route->roles == 0) return ERR_OK;
  TRY(identify(c));
  TRY(check_door(c));
  if (c->who.roles & (c->route->roles | ROLE_ADMIN)) return ERR_OK;
  return refuse_role(c);
}
