// keys.c: API keys: made, listed, revoked. A key's secret is shown once and never kept.
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
  BUF_LIT(b, ",\"roles\":[");
  bool first = true;
  for (unsigned i = 0; i < ROLE_COUNT; i++) {
    if (!(key->roles & 1u << i)) continue;
    if (!first) buf_char(b, ',');
    first = false;
    buf_json_str(b, role_word((enum role_index)i));
  }
  BUF_LIT(b, "],\"tenant\":");
  buf_json_str(b, engine_tenant_name(c->api->settings.engine, key->tenant, c->arena));
  BUF_LIT(b, ",\"createdAt\":");
  put_time_or_null(b, key->created_at);
  BUF_LIT(b, ",\"revokedAt\":");
  put_time_or_null(b, key->revoked_at);
  buf_char(b, '}');
}

static int render_keys(struct call *c, struct buf *b) {
  struct api_key *keys;
  size_t count = engine_keys(c->api->settings.engine, c->who.tenant, c->arena, &keys);
  BUF_LIT(b, "{\"success\":true,\"keys\":[");
  for (size_t i = 0; i < count; i++) {
    if (i) buf_char(b, ',');
    put_key(c, b, &keys[i]);
  }
  buf_printf(b, "],\"count\":%zu}", count);
  return 200;
}

enum err key_list(struct call *c) { return call_now(c, render_keys); }

static int render_created(struct call *c, struct buf *b) {
  const struct key_call *made = c->input;
  BUF_LIT(b, "{\"success\":true,\"key\":");
  put_key(c, b, &c->order.in.key.key);
  BUF_LIT(b, ",\"secret\":");
  buf_json_str(b, made->secret);
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
      return fault_field(&c->fault, "/roles", "roles are producer, worker, reader and admin");
    *roles |= role;
  }
  if (*roles == 0) return fault_field(&c->fault, "/roles", "roles must name at least one role");
  return ERR_OK;
}

enum err key_create(struct call *c) {
  struct key_body in = {0};
  struct key_call *made = ARENA_NEW(c->arena, struct key_call);
  struct api_key *key = &c->order.in.key.key;
  TRY(call_body(c, &BODY_key, &in, NULL, NULL));
  TRY(take_roles(c, &in, &key->roles));
  if (!str_is_none(in.tenant) && c->who.tenant != 1 && !str_eq(in.tenant, c->who.tenant_name))
    return fault_field(&c->fault, "/tenant", "a key of this tenant makes keys of this tenant only");
  if (!str_is_none(http_header(c->http, STR("idempotency-key"))))
    return fault_set(&c->fault, ERR_BAD_REQUEST,
                     "Idempotency-Key is not taken here: it would keep the secret");
  // The first key ends the time when everyone on this machine may do everything.
  bool first = !c->api->has_admin_key && !engine_has_keys(c->api->settings.engine);
  if (first && !(key->roles & ROLE_ADMIN))
    return fault_field(&c->fault, "/roles", "the first key must be an admin: it makes the others");
  c->input = made;
  made->secret = new_secret(c->arena);
  key->id = (struct str){made->secret.at + 3, KEY_ID_BYTES};
  key->name = in.name;
  hash_sha256(made->secret, key->hash);
  c->order.in.key.tenant_name = in.tenant;
  return call_order(c, ORDER_KEY, render_created);
}

static int render_revoked(struct call *c, struct buf *b) {
  BUF_LIT(b, "{\"success\":true,\"key\":");
  put_key(c, b, &c->order.in.key.key);
  buf_char(b, '}');
  return 200;
}

enum err key_revoke(struct call *c) {
  c->order.in.key.key.id = c->param;
  c->order.in.key.last_too = c->api->has_admin_key;
  return call_order(c, ORDER_REVOKE, render_revoked);
}
