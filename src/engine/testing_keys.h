// testing_keys.h: orders that make and revoke keys, for the engine's tests.
#ifndef ENGINE_TESTING_KEYS_H
#define ENGINE_TESTING_KEYS_H

#include "base/hash.h"
#include "engine/testing.h"

// A key whose text is its id; NULL: of the tenant that asks.
static inline struct ask *keying_as(struct yard *y, const char *id, const char *tenant,
                                    unsigned roles) {
  struct ask *a = ask_new(y, ORDER_KEY);
  a->order.in.key.key =
      (struct api_key){.id = ask_text(a, id), .name = ask_text(a, "ci"), .roles = roles};
  a->order.in.key.tenant_name = ask_text(a, tenant);
  hash_sha256(str_of(id), a->order.in.key.key.hash);
  return a;
}

static inline struct ask *keying(struct yard *y, const char *id, const char *tenant) {
  return keying_as(y, id, tenant, ROLE_WORKER);
}

static inline struct ask *revoking(struct yard *y, const char *id) {
  struct ask *a = ask_new(y, ORDER_REVOKE);
  a->order.in.key.key.id = ask_text(a, id);
  return a;
}

#endif
