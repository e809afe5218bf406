// keys.c: API keys: made, listed, rotated, revoked. A key's secret is shown once and never kept.
#include "api/call.h"
#include "api/inputs.h"
#include "base/hash.h"
#include "base/rand.h"

struct key_call {
  struct str secret;
};

static void put_key(struct call *c, struct buf *b, const struct api_key *key) {
  BUF_LIT(b, "{\"id\":");
  buf_json_str(b, key->id);
  BUF_LIT(b, ",\"name\":");
  buf_json_str(b, key->name);
  BUF_LIT(b, ",\"roles\":");
  put_roles(b, key->roles);
  BUF_LIT(b, ",\"tenant\":");
  buf_json_str(b, engine_tenant_name(c->engine, key->tenant, c->arena));
  BUF_LIT(b, ",\"service\":");
  put_text_or_null(b, key->service);
  BUF_LIT(b, ",\"createdAt\":");
  put_time_or_null(b, key->created_at);
  BUF_LIT(b, ",\"revokedAt\":");
  put_time_or_null(b, key->revoked_at);
  BUF_LIT(b, ",\"expiresAt\":");
  put_time_or_null(b, key->expires_at);
  BUF_LIT(b, ",\"lastUsedAt\":");
  put_time_or_null(b, key->used_at);
  BUF_LIT(b, ",\"replacedBy\":");
  put_text_or_null(b, key->replaced_by);
  buf_char(b, '}');
}

static int render_keys(struct call *c, struct buf *b) {
  struct api_key *keys;
  size_t count = engine_keys(c->engine, c->who.tenant, c->arena, &keys);
  BUF_LIT(b, "{\"success\":true,\"keys\":[");
  for (size_t i = 0; i < count; i++) {
    if (i) buf_char(b, ',');
    put_key(c, b, &keys[i]);
  }
  buf_printf(b, "],\"count\":%zu}", count);
  return 200;
}

enum err key_list(struct call *c) { return call_now(c, render_keys); }

static void put_made(struct call *c, struct buf *b) {
  const struct key_call *made = c->input;
  BUF_LIT(b, "{\"success\":true,\"key\":");
  put_key(c, b, &c->order.in.key.key);
  BUF_LIT(b, ",\"secret\":");
  buf_json_str(b, made->secret);
}

static int render_created(struct call *c, struct buf *b) {
  put_made(c, b);
  buf_char(b, '}');
  return 201;
}

static void random_text(char *out, size_t count) {
  static const char LETTERS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (size_t i = 0; i < count; i++) out[i] = LETTERS[rand_below(sizeof LETTERS - 1)];
}

static struct str new_secret(struct arena *a) {
  char id[KEY_ID_BYTES], secret[KEY_SECRET_BYTES];
  random_text(id, sizeof id);
  random_text(secret, sizeof secret);
  return arena_printf(a, "tk_%.*s_%.*s", KEY_ID_BYTES, id, KEY_SECRET_BYTES, secret);
}

static enum err take_roles(struct call *c, const struct key_body *in, unsigned *roles) {
  for (size_t i = 0; i < in->roles.count; i++) {
    enum role role;
    if (!role_parse(in->roles.at[i], &role))
      return fault_field(&c->fault, "/roles", "roles are producer, worker, reader, admin and user");
    *roles |= role;
  }
  if (*roles == 0) return fault_field(&c->fault, "/roles", "roles must name at least one role");
  return ERR_OK;
}

// Where a secret comes into being: id and hash of the order's key.
static void make_secret(struct call *c) {
  struct key_call *made = ARENA_NEW(c->arena, struct key_call);
  struct api_key *key = &c->order.in.key.key;
  made->secret = new_secret(c->arena);
  key->id = (struct str){made->secret.at + 3, KEY_ID_BYTES};
  hash_sha256(made->secret, key->hash);
  c->input = made;
}

static enum err refuse_replay(struct call *c) {
  if (str_is_none(http_header(c->http, STR("idempotency-key")))) return ERR_OK;
  return fault_set(&c->fault, ERR_BAD_REQUEST,
                   "Idempotency-Key is not taken here: it would keep the secret");
}

static enum err take_end(struct call *c, int64_t expires_at, int64_t lifetime_ms) {
  if (expires_at && lifetime_ms)
    return fault_field(&c->fault, "/expiresInMs", "expiresInMs and expiresAt exclude each other");
  c->order.in.key.key.expires_at = expires_at;
  c->order.in.key.lifetime_ms = lifetime_ms;
  return ERR_OK;
}

// The first key ends the time when everyone on this machine may do everything, so it must open what
// there is, and make the others.
static enum err check_first(struct call *c, const struct key_body *in, unsigned roles) {
  if (!auth_is_open(c->api)) return ERR_OK;
  if (!(roles & ROLE_ADMIN))
    return fault_field(&c->fault, "/roles", "the first key must be an admin: it makes the others");
  if (str_is_none(in->tenant) || str_eq(in->tenant, c->who.tenant_name)) return ERR_OK;
  return fault_field(&c->fault, "/tenant",
                     "the first key must be of the tenant default: it makes those of others");
}

enum err key_create(struct call *c) {
  struct key_body in = {0};
  struct api_key *key = &c->order.in.key.key;
  TRY(call_body(c, &BODY_key, &in, NULL, NULL));
  TRY(take_roles(c, &in, &key->roles));
  if (!str_is_none(in.tenant) && c->who.tenant != 1 && !str_eq(in.tenant, c->who.tenant_name))
    return fault_field(&c->fault, "/tenant", "a key of this tenant makes keys of this tenant only");
  TRY(refuse_replay(c));
  TRY(take_end(c, in.expires_at, in.lifetime_ms));
  TRY(check_first(c, &in, key->roles));
  make_secret(c);
  key->name = in.name;
  key->service = in.service;
  c->order.in.key.tenant_name = in.tenant;
  return call_order(c, ORDER_KEY, render_created);
}

static int render_rotated(struct call *c, struct buf *b) {
  put_made(c, b);
  BUF_LIT(b, ",\"replaced\":");
  put_key(c, b, &c->order.in.key.old);
  buf_char(b, '}');
  return 201;
}

// What is told of an id that is none repeats it, which must not be a key.
static enum err check_id(struct call *c) {
  if (!auth_is_first_key(c->api, c->param)) return ERR_OK;
  return fault_set(&c->fault, ERR_NOT_FOUND,
                   "that is the key of the setting api_key (API_KEY), which has no id: it is "
                   "changed there, and with a restart");
}

enum err key_rotate(struct call *c) {
  struct rotate_body in = {.overlap_ms = LIMIT_KEY_OVERLAP_DEFAULT_MS};
  TRY(check_id(c));
  TRY(call_body(c, &BODY_rotate, &in, NULL, NULL));
  TRY(refuse_replay(c));
  TRY(take_end(c, in.expires_at, in.lifetime_ms));
  make_secret(c);
  c->order.in.key.old.id = c->param;
  c->order.in.key.overlap_ms = in.overlap_ms;
  return call_order(c, ORDER_ROTATE, render_rotated);
}

static int render_revoked(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"key\":");
  put_key(c, b, &c->order.in.key.key);
  buf_char(b, '}');
  return 200;
}

enum err key_revoke(struct call *c) {
  TRY(check_id(c));
  c->order.in.key.key.id = c->param;
  c->order.in.key.last_too = c->api->has_admin_key;
  return call_order(c, ORDER_REVOKE, render_revoked);
}
