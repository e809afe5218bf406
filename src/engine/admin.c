// admin.c: what an operator decides: queues, types, keys and tenants.
#include "engine/inside.h"

static struct event *admin_event(struct unit *u, struct order *order, enum event_kind kind,
                                 struct str name) {
  struct event *event = unit_event(u, order, NULL, kind);
  event->note = name;
  return event;
}

void pause_plan(struct unit *u, struct order *order) {
  (void)order;
  u->catalog = true;
}

// With what earlier orders of this unit made of it.
static bool is_paused(struct unit *u, int64_t tenant, struct str name) {
  for (size_t i = u->queues.count; i-- > 0;) {
    const struct queue *queue = LIST_AT(u->queues, struct queue, i);
    if (queue->tenant == tenant && str_eq(queue->name, name)) return queue->paused;
  }
  return engine_queue_paused(u->e, tenant, name);
}

// Names may be made up, so what is kept of them has a bound.
static bool is_full(struct order *order, size_t count, bool known, const char *what) {
  if (count < LIMIT_CHANNELS || known) return false;
  order->err = fault_set(&order->fault, ERR_TOO_MANY, "settings of %d %s are kept already",
                         LIMIT_CHANNELS, what);
  return true;
}

enum verdict pause_decide(struct unit *u, struct order *order) {
  const struct queue *queue = &order->in.queue;
  if (is_paused(u, order->tenant, queue->name) == queue->paused) return ANSWERED;
  bool known = catalog_queue(u->e, order->tenant, queue->name);
  if (is_full(order, u->e->catalog.queue_count + u->queues.count, known, "queues")) return ANSWERED;
  *LIST_PUSH(&u->arena, &u->queues, struct queue) = *queue;
  admin_event(u, order, queue->paused ? EVENT_QUEUE_PAUSED : EVENT_QUEUE_RESUMED, queue->name)
      ->queue = queue->name;
  return ANSWERED;
}

void type_plan(struct unit *u, struct order *order) {
  (void)order;
  u->catalog = true;
}

enum verdict type_decide(struct unit *u, struct order *order) {
  struct type old;
  bool known = catalog_type(u->e, order->tenant, order->in.type.name, &u->arena, &old);
  if (is_full(order, u->e->catalog.type_count + u->types.count, known, "types")) return ANSWERED;
  *LIST_PUSH(&u->arena, &u->types, struct type) = order->in.type;
  admin_event(u, order, EVENT_TYPE_CHANGED, order->in.type.name)->type = order->in.type.name;
  return ANSWERED;
}

void key_plan(struct unit *u, struct order *order) {
  (void)order;
  u->catalog = true;
}

// A key for a tenant that nobody has named yet makes the tenant.
static int64_t tenant_of(struct unit *u, struct str name) {
  int64_t number = engine_tenant(u->e, name);
  if (number) return number;
  for (size_t i = 0; i < u->tenants.count; i++) {
    struct tenant *added = LIST_AT(u->tenants, struct tenant, i);
    if (str_eq(added->name, name)) return added->number;
  }
  number = catalog_tenant_next(u->e) + (int64_t)u->tenants.count;
  *LIST_PUSH(&u->arena, &u->tenants, struct tenant) =
      (struct tenant){.number = number, .name = name};
  return number;
}

// Keys that opened nothing for long go when their places are wanted, one for one.
static bool make_room(struct unit *u, struct order *order) {
  struct api_key dead;
  size_t count = u->e->catalog.keys.count + u->keys.count - u->keys_gone.count;
  if (count < LIMIT_KEYS) return true;
  if (!catalog_dead_key(u->e, u->now, &u->keys_gone, &u->arena, &dead)) return false;
  *LIST_PUSH(&u->arena, &u->keys_gone, struct str) = dead.id;
  struct event *event = admin_event(u, order, EVENT_KEY_REMOVED, dead.id);
  event->tenant = dead.tenant;
  event->actor = STR("system");
  event->text = dead.name;
  return true;
}

// Room is looked for last, since an order that is refused changes nothing.
static enum err check_new(struct unit *u, struct order *order, struct api_key *key) {
  if (order->in.key.lifetime_ms) key->expires_at = u->now + order->in.key.lifetime_ms;
  if (key->expires_at && key->expires_at <= u->now)
    return fault_field(&order->fault, "/expiresAt", "expiresAt is past; the key would never open");
  if (!make_room(u, order))
    return fault_set(&order->fault, ERR_TOO_MANY,
                     "there are %d keys already, which open or did so within 30 days; revoke those "
                     "that nobody needs (`taskyard key list`)",
                     LIMIT_KEYS);
  return ERR_OK;
}

static void take_in(struct unit *u, struct order *order, struct api_key *key) {
  key->created_at = u->now;
  *LIST_PUSH(&u->arena, &u->keys, struct api_key) = *key;
  admin_event(u, order, EVENT_KEY_CREATED, key->id)->text = key->name;
}

enum verdict key_decide(struct unit *u, struct order *order) {
  struct api_key *key = &order->in.key.key;
  struct str tenant = order->in.key.tenant_name;
  order->err = check_new(u, order, key);
  if (order->err != ERR_OK) return ANSWERED;
  key->tenant = str_is_none(tenant) ? order->tenant : tenant_of(u, tenant);
  take_in(u, order, key);
  return ANSWERED;
}

// What was typed is said again only if it could be an id.
static enum err refuse_id(struct order *order, struct str id) {
  if (str_starts(id, STR("tk_")))  // a whole key, which is a secret
    return fault_set(&order->fault, ERR_NOT_FOUND,
                     "a key is named by its id, the characters between tk_ and the next _; "
                     "`taskyard key list` or GET /api/v1/keys shows it");
  bool good = id.len <= LIMIT_NAME_BYTES;
  for (size_t i = 0; i < id.len; i++) good = good && id.at[i] > ' ' && id.at[i] < 127;
  return fault_set(&order->fault, ERR_NOT_FOUND,
                   "there is no key %.*s%shere; `taskyard key list` or GET /api/v1/keys shows the "
                   "ids of all",
                   good ? (int)id.len : 0, id.at, good ? " " : "");
}

// With what earlier orders of this unit made of it.
static enum err find_key(struct unit *u, struct order *order, struct str id, struct api_key *out) {
  const struct api_key *here = NULL;
  for (size_t i = 0; i < u->keys.count; i++) {
    const struct api_key *key = LIST_AT(u->keys, struct api_key, i);
    if (key->tenant == order->tenant && str_eq(key->id, id)) here = key;
  }
  if (here)
    *out = *here;
  else if (!catalog_key(u->e, order->tenant, id, &u->arena, out))
    return refuse_id(order, id);
  out->id = id;  // the order's own text: it may be decided again, when this unit is gone
  return ERR_OK;
}

// --- rotation ------------------------------------------------------------------------------------

void rotate_plan(struct unit *u, struct order *order) {
  (void)order;
  u->catalog = true;
}

static enum err may_rotate(const struct unit *u, struct order *order, const struct api_key *key) {
  if (key->revoked_at)
    return fault_set(&order->fault, ERR_CONFLICT, "the key was revoked; make another one");
  // One successor: a request that is repeated because its answer was lost makes no second one.
  if (!str_is_none(key->replaced_by))
    return fault_set(&order->fault, ERR_CONFLICT, "the key was rotated already; rotate key %.*s",
                     STR_FMT(key->replaced_by));
  if (key->expires_at && key->expires_at <= u->now)
    return fault_set(&order->fault, ERR_CONFLICT, "the key has expired; make another one");
  return ERR_OK;
}

static void succeed(struct order *order, const struct api_key *old) {
  struct api_key *fresh = &order->in.key.key;
  fresh->tenant = old->tenant;
  fresh->name = old->name;
  fresh->roles = old->roles;
  fresh->service = old->service;
  // It was given a lifetime once, and its successor gets no longer one unless someone says so.
  if (old->expires_at && !fresh->expires_at && !order->in.key.lifetime_ms)
    order->in.key.lifetime_ms = old->expires_at - old->created_at;
}

enum verdict rotate_decide(struct unit *u, struct order *order) {
  struct api_key old, *fresh = &order->in.key.key;
  order->err = find_key(u, order, order->in.key.old.id, &old);
  if (order->err == ERR_OK) order->err = may_rotate(u, order, &old);
  if (order->err != ERR_OK) return ANSWERED;
  succeed(order, &old);
  order->err = check_new(u, order, fresh);
  if (order->err != ERR_OK) return ANSWERED;
  take_in(u, order, fresh);
  int64_t end = u->now + order->in.key.overlap_ms;
  if (old.expires_at == 0 || end < old.expires_at) old.expires_at = end;
  old.replaced_by = fresh->id;
  *LIST_PUSH(&u->arena, &u->keys, struct api_key) = old;
  admin_event(u, order, EVENT_KEY_ROTATED, old.id)->text = fresh->id;
  order->in.key.old = old;
  return ANSWERED;
}

// --- revocation ----------------------------------------------------------------------------------

void revoke_plan(struct unit *u, struct order *order) {
  (void)order;
  u->catalog = true;
}

// Without an admin nobody could make another key. One at a time, so that two requests cannot revoke
// the last two at once.
static bool may_revoke(const struct unit *u, const struct order *order, const struct api_key *key) {
  bool opens = (key->roles & ROLE_ADMIN) && (!key->expires_at || key->expires_at > u->now);
  if (order->in.key.last_too || !opens) return true;
  return u->keys.count == 0 && catalog_admins(u->e, key->tenant, u->now) > 1;
}

enum verdict revoke_decide(struct unit *u, struct order *order) {
  struct api_key key;
  order->err = find_key(u, order, order->in.key.key.id, &key);
  if (order->err != ERR_OK) return ANSWERED;
  if (key.revoked_at == 0) {
    if (!may_revoke(u, order, &key)) {
      order->err = fault_set(&order->fault, ERR_CONFLICT,
                             "this is the last admin key; make another one first");
      return ANSWERED;
    }
    key.revoked_at = u->now;
    *LIST_PUSH(&u->arena, &u->keys, struct api_key) = key;
    admin_event(u, order, EVENT_KEY_REVOKED, key.id)->text = key.name;
  }
  order->in.key.key = key;
  return ANSWERED;
}

void tenant_plan(struct unit *u, struct order *order) {
  (void)order;
  u->catalog = true;
}

enum verdict tenant_decide(struct unit *u, struct order *order) {
  struct tenant *tenant = &order->in.tenant;
  bool full = u->e->catalog.tenant_count + u->tenants.count >= LIMIT_TENANTS;
  if (full && engine_tenant(u->e, tenant->name) == 0) {
    order->err = fault_set(&order->fault, ERR_TOO_MANY,
                           "there are %d tenants already, so %.*s is "
                           "not made",
                           LIMIT_TENANTS, STR_FMT(tenant->name));
    return ANSWERED;
  }
  tenant->number = tenant_of(u, tenant->name);
  return ANSWERED;
}
