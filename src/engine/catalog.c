// catalog.c: tenants, keys, queues and types, kept in memory. Written with work_lock held: after
// the commit of what was changed here, and when a shared store tells what others changed. Everybody
// reads. Texts are owned here and copied out under the lock.
#include "base/hash.h"
#include "base/mem.h"
#include "engine/inside.h"

#include <stdio.h>
#include <stdlib.h>

static struct str own(struct str s) {
  return str_is_none(s) ? s : (struct str){mem_copy(s.at, s.len), s.len};
}

static void disown(struct str s) { mem_free((char *)s.at); }

static void *grown(void *items, size_t count, size_t item_bytes) {
  // Powers of two only, so that adding one by one stays linear.
  if (count & (count - 1)) return items;
  return mem_resize(items, item_bytes * (count ? count * 2 : 1));
}

// --- one of each ---------------------------------------------------------------------------------

// Queues and types are kept in this order: each create looks for its type, each claim of a task for
// its queue, and there may be thousands of them.
static int name_order(int64_t a_tenant, struct str a, int64_t b_tenant, struct str b) {
  if (a_tenant != b_tenant) return a_tenant < b_tenant ? -1 : 1;
  return str_compare(a, b);
}

static int queue_order(const void *a_ptr, const void *b_ptr) {
  const struct queue *a = a_ptr, *b = b_ptr;
  return name_order(a->tenant, a->name, b->tenant, b->name);
}

static int type_order(const void *a_ptr, const void *b_ptr) {
  const struct type *a = a_ptr, *b = b_ptr;
  return name_order(a->tenant, a->name, b->tenant, b->name);
}

static struct queue *find_queue(struct catalog_memory *c, int64_t tenant, struct str name) {
  struct queue sought = {.tenant = tenant, .name = name};
  if (c->queue_count == 0) return NULL;
  return bsearch(&sought, c->queues, c->queue_count, sizeof sought, queue_order);
}

static struct type *find_type(struct catalog_memory *c, int64_t tenant, struct str name) {
  struct type sought = {.tenant = tenant, .name = name};
  if (c->type_count == 0) return NULL;
  return bsearch(&sought, c->types, c->type_count, sizeof sought, type_order);
}

static struct queue *add_queue(struct catalog_memory *c, const struct queue *queue) {
  c->queues = grown(c->queues, c->queue_count, sizeof *c->queues);
  size_t at = c->queue_count++;
  for (; at > 0 && queue_order(queue, &c->queues[at - 1]) < 0; at--)
    c->queues[at] = c->queues[at - 1];
  c->queues[at] = (struct queue){.tenant = queue->tenant, .name = own(queue->name)};
  return &c->queues[at];
}

static struct type *add_type(struct catalog_memory *c, const struct type *type) {
  c->types = grown(c->types, c->type_count, sizeof *c->types);
  size_t at = c->type_count++;
  for (; at > 0 && type_order(type, &c->types[at - 1]) < 0; at--) c->types[at] = c->types[at - 1];
  atomic_store(&c->known_types, c->type_count);
  return &c->types[at];
}

static void put_queue(struct catalog_memory *c, const struct queue *queue) {
  struct queue *old = find_queue(c, queue->tenant, queue->name);
  if (old == NULL) old = add_queue(c, queue);
  if (old->paused != queue->paused) {
    if (queue->paused)
      atomic_fetch_add(&c->paused_count, 1);
    else
      atomic_fetch_sub(&c->paused_count, 1);
  }
  old->paused = queue->paused;
}

static void put_type(struct catalog_memory *c, const struct type *type) {
  struct type *old = find_type(c, type->tenant, type->name);
  if (old == NULL) {
    old = add_type(c, type);
  } else {
    disown(old->name);
    disown(old->queue);
    disown(old->description);
  }
  *old = *type;
  old->name = own(type->name);
  old->queue = own(type->queue);
  old->description = own(type->description);
}

static void put_tenant(struct catalog_memory *c, const struct tenant *tenant) {
  for (size_t i = 0; i < c->tenant_count; i++)
    if (c->tenants[i].number == tenant->number) return;  // its name never changes
  c->tenants = grown(c->tenants, c->tenant_count, sizeof *c->tenants);
  c->tenants[c->tenant_count++] =
      (struct tenant){.number = tenant->number, .name = own(tenant->name)};
}

// --- lifetime ------------------------------------------------------------------------------------

static void forget_all(struct catalog_memory *c) {
  for (size_t i = 0; i < c->tenant_count; i++) disown(c->tenants[i].name);
  for (size_t i = 0; i < c->queue_count; i++) disown(c->queues[i].name);
  for (size_t i = 0; i < c->type_count; i++) {
    disown(c->types[i].name);
    disown(c->types[i].queue);
    disown(c->types[i].description);
  }
  mem_free(c->tenants);
  mem_free(c->queues);
  mem_free(c->types);
}

static void *copied(const void *items, size_t count, size_t item_bytes) {
  size_t cap = 1;  // see grown
  while (cap < count) cap *= 2;
  void *copy = mem_alloc(cap * item_bytes);
  if (count) memcpy(copy, items, count * item_bytes);
  return copy;
}

// Everything at once, without looking for each one's predecessor.
static void replace_all(struct catalog_memory *c, const struct catalog *all) {
  size_t paused = 0;
  forget_all(c);
  c->tenants = copied(all->tenants, c->tenant_count = all->tenant_count, sizeof *c->tenants);
  c->queues = copied(all->queues, c->queue_count = all->queue_count, sizeof *c->queues);
  keyset_replace(&c->keys, all->keys, all->key_count);
  c->types = copied(all->types, c->type_count = all->type_count, sizeof *c->types);
  for (size_t i = 0; i < c->tenant_count; i++) c->tenants[i].name = own(c->tenants[i].name);
  for (size_t i = 0; i < c->queue_count; i++) {
    c->queues[i].name = own(c->queues[i].name);
    paused += c->queues[i].paused;
  }
  for (size_t i = 0; i < c->type_count; i++) {
    c->types[i].name = own(c->types[i].name);
    c->types[i].queue = own(c->types[i].queue);
    c->types[i].description = own(c->types[i].description);
  }
  if (c->queue_count) qsort(c->queues, c->queue_count, sizeof *c->queues, queue_order);
  if (c->type_count) qsort(c->types, c->type_count, sizeof *c->types, type_order);
  atomic_store(&c->paused_count, paused);
  atomic_store(&c->known_types, c->type_count);
  c->version = all->version;
}

enum err catalog_open(struct engine *e, struct fault *why) {
  pthread_rwlock_init(&e->catalog.lock, NULL);
  e->catalog.changed_from = -1;
  struct arena a;
  arena_init(&a, 64 * 1024);
  struct catalog all = {0};
  enum err err = e->store->ops->catalog(e->store, &a, &all, why);
  if (err == ERR_OK) replace_all(&e->catalog, &all);
  arena_fini(&a);
  return err;
}

void catalog_close(struct engine *e) {
  forget_all(&e->catalog);
  keyset_fini(&e->catalog.keys);
  pthread_rwlock_destroy(&e->catalog.lock);
}

static void put_all(struct catalog_memory *c, const struct catalog *all) {
  for (size_t i = 0; i < all->tenant_count; i++) put_tenant(c, &all->tenants[i]);
  for (size_t i = 0; i < all->key_count; i++) keyset_put(&c->keys, &all->keys[i]);
  for (size_t i = 0; i < all->queue_count; i++) put_queue(c, &all->queues[i]);
  for (size_t i = 0; i < all->type_count; i++) put_type(c, &all->types[i]);
}

// Whoever waits by a key that has got an end is sent back: it may not get what comes behind that
// end. By its next request it learns what became of the key, or waits no longer than it opens.
static void send_back(struct engine *e, const struct api_key *key) {
  char actor[LIMIT_NAME_BYTES];
  int length = snprintf(actor, sizeof actor, "key:%.*s", STR_FMT(key->id));
  if ((size_t)length < sizeof actor) park_send_back(e, (struct str){actor, (size_t)length});
}

// The first key ends the time when everyone on this machine may do everything.
static void send_back_all(struct engine *e, const struct api_key *keys, size_t count) {
  struct catalog_memory *c = &e->catalog;
  if (c->keys.count == 0 && count > 0) park_send_back(e, STR("local"));
  for (size_t i = 0; i < count; i++) {
    const struct api_key *key = &keys[i], *known = keyset_find(&c->keys, key->id);
    if (known && (known->revoked_at != key->revoked_at || known->expires_at != key->expires_at))
      send_back(e, key);
  }
}

// Two units that change the catalogue do so one after the other, the later one upon what the
// earlier one made of it; but they may come here in the other order, and after the store has told
// what became of it.
void catalog_absorb(struct unit *u) {
  if (!u->queues.count && !u->types.count && !u->keys.count && !u->tenants.count) return;
  struct catalog_memory *c = &u->e->catalog;
  struct catalog all = {.tenants = u->tenants.at,
                        .tenant_count = u->tenants.count,
                        .keys = u->keys.at,
                        .key_count = u->keys.count,
                        .queues = u->queues.at,
                        .queue_count = u->queues.count,
                        .types = u->types.at,
                        .type_count = u->types.count};
  if (u->catalog_from >= c->changed_from && u->catalog_from >= c->version) {
    send_back_all(u->e, all.keys, all.key_count);
    pthread_rwlock_wrlock(&c->lock);
    put_all(c, &all);
    for (size_t i = 0; i < u->keys_gone.count; i++)
      keyset_remove(&c->keys, *LIST_AT(u->keys_gone, struct str, i));
    pthread_rwlock_unlock(&c->lock);
    c->changed_from = u->catalog_from;
  }
  if (u->types.count) cleanup_rules_changed(u->e);
  // Tasks of a resumed queue are ready again: those who wait look anew.
  for (size_t i = 0; i < u->queues.count; i++) {
    const struct queue *queue = LIST_AT(u->queues, struct queue, i);
    if (!queue->paused) feed_kick(u->e, queue->tenant);
  }
}

static bool is_paused_in(const struct catalog *all, const struct queue *queue) {
  for (size_t i = 0; i < all->queue_count; i++)
    if (all->queues[i].tenant == queue->tenant && str_eq(all->queues[i].name, queue->name))
      return all->queues[i].paused;
  return false;
}

// What was read before our own latest change came into force tells nothing new.
void catalog_learn(struct engine *e, const struct catalog *all) {
  struct catalog_memory *c = &e->catalog;
  if (all->version < c->version || all->version <= c->changed_from) return;
  for (size_t i = 0; i < c->queue_count; i++)
    if (c->queues[i].paused && !is_paused_in(all, &c->queues[i]))
      feed_kick(e, c->queues[i].tenant);  // they are decided after this
  send_back_all(e, all->keys, all->key_count);
  pthread_rwlock_wrlock(&c->lock);
  replace_all(c, all);
  pthread_rwlock_unlock(&c->lock);
  cleanup_rules_changed(e);
}

// --- queues --------------------------------------------------------------------------------------

bool engine_queue_paused(struct engine *e, int64_t tenant, struct str name) {
  struct catalog_memory *c = &e->catalog;
  if (atomic_load_explicit(&c->paused_count, memory_order_relaxed) == 0) return false;
  pthread_rwlock_rdlock(&c->lock);
  const struct queue *queue = find_queue(c, tenant, name);
  bool paused = queue && queue->paused;
  pthread_rwlock_unlock(&c->lock);
  return paused;
}

bool catalog_queue(struct engine *e, int64_t tenant, struct str name) {
  pthread_rwlock_rdlock(&e->catalog.lock);
  bool known = find_queue(&e->catalog, tenant, name) != NULL;
  pthread_rwlock_unlock(&e->catalog.lock);
  return known;
}

size_t engine_queues(struct engine *e, int64_t tenant, struct arena *a, struct queue **out) {
  struct catalog_memory *c = &e->catalog;
  size_t count = 0;
  pthread_rwlock_rdlock(&c->lock);
  *out = ARENA_ARRAY(a, struct queue, c->queue_count + 1);
  for (size_t i = 0; i < c->queue_count; i++) {
    if (c->queues[i].tenant != tenant) continue;
    (*out)[count] = c->queues[i];
    (*out)[count++].name = arena_dup(a, c->queues[i].name);
  }
  pthread_rwlock_unlock(&c->lock);
  return count;
}

size_t catalog_paused(struct engine *e, int64_t tenant, struct arena *a, struct str **names) {
  struct catalog_memory *c = &e->catalog;
  size_t count = 0;
  *names = NULL;
  if (atomic_load_explicit(&c->paused_count, memory_order_relaxed) == 0) return 0;
  pthread_rwlock_rdlock(&c->lock);
  *names = ARENA_ARRAY(a, struct str, atomic_load(&c->paused_count) + 1);
  for (size_t i = 0; i < c->queue_count; i++)
    if (c->queues[i].tenant == tenant && c->queues[i].paused)
      (*names)[count++] = arena_dup(a, c->queues[i].name);
  pthread_rwlock_unlock(&c->lock);
  return count;
}

// --- types ---------------------------------------------------------------------------------------

static struct type type_copy(struct arena *a, const struct type *type) {
  struct type copy = *type;
  copy.name = arena_dup(a, type->name);
  copy.queue = arena_dup(a, type->queue);
  copy.description = arena_dup(a, type->description);
  return copy;
}

bool catalog_type(struct engine *e, int64_t tenant, struct str name, struct arena *a,
                  struct type *out) {
  struct catalog_memory *c = &e->catalog;
  if (atomic_load_explicit(&c->known_types, memory_order_relaxed) == 0) return false;
  pthread_rwlock_rdlock(&c->lock);
  const struct type *type = find_type(c, tenant, name);
  if (type) *out = type_copy(a, type);
  pthread_rwlock_unlock(&c->lock);
  return type != NULL;
}

bool engine_type(struct engine *e, int64_t tenant, struct str name, struct arena *a,
                 struct type *out) {
  return catalog_type(e, tenant, name, a, out);
}

size_t engine_types(struct engine *e, int64_t tenant, struct arena *a, struct type **out) {
  struct catalog_memory *c = &e->catalog;
  size_t count = 0;
  pthread_rwlock_rdlock(&c->lock);
  *out = ARENA_ARRAY(a, struct type, c->type_count + 1);
  for (size_t i = 0; i < c->type_count; i++)
    if (c->types[i].tenant == tenant) (*out)[count++] = type_copy(a, &c->types[i]);
  pthread_rwlock_unlock(&c->lock);
  return count;
}

// --- keys and tenants ----------------------------------------------------------------------------

static struct api_key key_copy(struct catalog_memory *c, struct arena *a,
                               const struct api_key *key) {
  struct api_key copy = *key;
  copy.used_at = keyset_used_at(&c->keys, key);
  copy.id = arena_dup(a, key->id);
  copy.name = arena_dup(a, key->name);
  copy.service = arena_dup(a, key->service);
  copy.replaced_by = arena_dup(a, key->replaced_by);
  return copy;
}

bool catalog_key(struct engine *e, int64_t tenant, struct str id, struct arena *a,
                 struct api_key *out) {
  struct catalog_memory *c = &e->catalog;
  pthread_rwlock_rdlock(&c->lock);
  const struct api_key *key = keyset_find(&c->keys, id);
  bool found = key && key->tenant == tenant;
  if (found) *out = key_copy(c, a, key);
  pthread_rwlock_unlock(&c->lock);
  return found;
}

size_t engine_keys(struct engine *e, int64_t tenant, struct arena *a, struct api_key **out) {
  struct catalog_memory *c = &e->catalog;
  size_t count = 0;
  pthread_rwlock_rdlock(&c->lock);
  *out = ARENA_ARRAY(a, struct api_key, c->keys.count + 1);
  for (size_t i = 0; i < c->keys.count; i++)
    if (c->keys.at[i].tenant == tenant) (*out)[count++] = key_copy(c, a, &c->keys.at[i]);
  pthread_rwlock_unlock(&c->lock);
  return count;
}

bool engine_has_keys(struct engine *e) {
  pthread_rwlock_rdlock(&e->catalog.lock);
  bool any = e->catalog.keys.count > 0;
  pthread_rwlock_unlock(&e->catalog.lock);
  return any;
}

static bool is_expired(const struct api_key *key, int64_t now) {
  return key->expires_at && key->expires_at <= now;
}

int64_t catalog_actor_left_ms(struct engine *e, struct str actor, int64_t now) {
  static const struct str KEY = {"key:", sizeof "key:" - 1};
  int64_t end = INT64_MAX;
  // Whoever had no credential needs one from the first key on.
  if (str_eq(actor, STR("local"))) return engine_has_keys(e) ? 0 : end;
  if (!str_starts(actor, KEY)) return end;
  pthread_rwlock_rdlock(&e->catalog.lock);
  const struct api_key *key = keyset_find(&e->catalog.keys, str_from(actor, KEY.len));
  if (key && key->expires_at) end = key->expires_at;
  if (key && key->revoked_at) end = now;
  pthread_rwlock_unlock(&e->catalog.lock);
  return end == INT64_MAX ? end : end > now ? end - now : 0;
}

size_t catalog_admins(struct engine *e, int64_t tenant, int64_t now) {
  size_t count = 0;
  pthread_rwlock_rdlock(&e->catalog.lock);
  for (size_t i = 0; i < e->catalog.keys.count; i++) {
    const struct api_key *key = &e->catalog.keys.at[i];
    count += key->tenant == tenant && (key->roles & ROLE_ADMIN) && !key->revoked_at &&
             !is_expired(key, now);
  }
  pthread_rwlock_unlock(&e->catalog.lock);
  return count;
}

// When it stopped opening; INT64_MAX: it opens.
static int64_t dead_since(const struct api_key *key, int64_t now) {
  int64_t since = key->revoked_at ? key->revoked_at : INT64_MAX;
  return is_expired(key, now) && key->expires_at < since ? key->expires_at : since;
}

static bool is_listed(const struct list *ids, struct str id) {
  for (size_t i = 0; i < ids->count; i++)
    if (str_eq(*LIST_AT(*ids, struct str, i), id)) return true;
  return false;
}

bool catalog_dead_key(struct engine *e, int64_t now, const struct list *but, struct arena *a,
                      struct api_key *out) {
  struct catalog_memory *c = &e->catalog;
  const struct api_key *oldest = NULL;
  int64_t before = now - LIMIT_KEY_DEAD_MS;
  pthread_rwlock_rdlock(&c->lock);
  for (size_t i = 0; i < c->keys.count; i++) {
    const struct api_key *key = &c->keys.at[i];
    int64_t since = dead_since(key, now);
    if (since > before || is_listed(but, key->id)) continue;
    if (oldest == NULL || since < dead_since(oldest, now)) oldest = key;
  }
  if (oldest) *out = key_copy(c, a, oldest);
  pthread_rwlock_unlock(&c->lock);
  return oldest != NULL;
}

// Numbers rise from 1 without gaps, so it stands where it is looked for first.
static struct str tenant_name(const struct catalog_memory *c, int64_t number) {
  size_t place = (size_t)number - 1;
  if (place < c->tenant_count && c->tenants[place].number == number) return c->tenants[place].name;
  for (size_t i = 0; i < c->tenant_count; i++)
    if (c->tenants[i].number == number) return c->tenants[i].name;
  return STR("default");
}

// Nothing but "unknown" to whoever has not the right secret: ids are no secret, and must not be
// tried out.
static enum key_state state_of(struct engine *e, const struct api_key *key,
                               const uint8_t hash[SHA256_BYTES]) {
  if (key == NULL || !hash_equal(key->hash, hash, SHA256_BYTES)) return KEY_UNKNOWN;
  if (key->revoked_at) return KEY_REVOKED;
  int64_t now = engine_now(e);
  if (is_expired(key, now)) return KEY_EXPIRED;
  keyset_use(&e->catalog.keys, key, now);
  return KEY_GOOD;
}

bool engine_key_check(struct engine *e, struct str id, const uint8_t hash[32], struct arena *a,
                      struct principal *out, enum key_state *state) {
  struct catalog_memory *c = &e->catalog;
  pthread_rwlock_rdlock(&c->lock);
  const struct api_key *key = keyset_find(&c->keys, id);
  *state = state_of(e, key, hash);
  if (*state == KEY_GOOD) {
    *out = (struct principal){.tenant = key->tenant,
                              .roles = key->roles,
                              .tenant_name = arena_dup(a, tenant_name(c, key->tenant)),
                              .actor = arena_printf(a, "key:%.*s", STR_FMT(key->id)),
                              .service = arena_dup(a, key->service),
                              .expires_at = key->expires_at};
  }
  pthread_rwlock_unlock(&c->lock);
  return *state == KEY_GOOD;
}

struct str engine_tenant_name(struct engine *e, int64_t tenant, struct arena *a) {
  pthread_rwlock_rdlock(&e->catalog.lock);
  struct str name = arena_dup(a, tenant_name(&e->catalog, tenant));
  pthread_rwlock_unlock(&e->catalog.lock);
  return name;
}

int64_t engine_tenant(struct engine *e, struct str name) {
  int64_t number = 0;
  pthread_rwlock_rdlock(&e->catalog.lock);
  for (size_t i = 0; i < e->catalog.tenant_count && !number; i++)
    if (str_eq(e->catalog.tenants[i].name, name)) number = e->catalog.tenants[i].number;
  pthread_rwlock_unlock(&e->catalog.lock);
  return number;
}

int64_t catalog_tenant_next(struct engine *e) {
  int64_t highest = 1;
  pthread_rwlock_rdlock(&e->catalog.lock);
  for (size_t i = 0; i < e->catalog.tenant_count; i++)
    if (e->catalog.tenants[i].number > highest) highest = e->catalog.tenants[i].number;
  pthread_rwlock_unlock(&e->catalog.lock);
  return highest + 1;
}
