// recent.c: what became ready or ended lately. A unit that was under way meanwhile may have loaded
// too early to see it, and whoever waits since that unit too late to be told. With work_lock held.
#include "base/hash.h"
#include "engine/inside.h"

static void note(struct recent *r, uint64_t hash) { r->at[hash % RECENT_PLACES] = ++r->now; }

static bool was_noted(const struct recent *r, uint64_t hash, uint64_t mark) {
  return r->at[hash % RECENT_PLACES] > mark;
}

// The same for a queue, a type, or none of them: any.
static uint64_t channel_hash(int64_t tenant, uint64_t queue, uint64_t type) {
  uint64_t hash = (uint64_t)tenant * 0x9e3779b97f4a7c15u;
  hash = (hash ^ queue) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ type ^ hash >> 29) * 0x94d049bb133111ebu;
  return hash ^ hash >> 32;
}

static uint64_t name_hash(struct str name) { return hash_fast(name) | 1; }  // never that of any
static uint64_t tenant_hash(int64_t tenant) { return channel_hash(tenant, 2, 2); }

void recent_ready(struct engine *e, int64_t tenant, struct str queue, struct str type) {
  uint64_t q = name_hash(queue), t = name_hash(type);
  note(&e->ready_lately, channel_hash(tenant, q, t));
  note(&e->ready_lately, channel_hash(tenant, q, 0));
  note(&e->ready_lately, channel_hash(tenant, 0, t));
  note(&e->ready_lately, channel_hash(tenant, 0, 0));
}

void recent_ready_any(struct engine *e, int64_t tenant) {
  note(&e->ready_lately, tenant_hash(tenant));
}

void recent_ended(struct engine *e, struct id id) { note(&e->ended_lately, id.lo ^ id.hi); }

static bool fits_recent(const struct unit *u, const struct order *order) {
  const struct recent *r = &u->e->ready_lately;
  const struct claim_filter *f = &order->claim;
  if (r->now == u->ready_mark) return false;
  if (was_noted(r, tenant_hash(order->tenant), u->ready_mark)) return true;
  size_t queues = f->queue_count ? f->queue_count : 1, types = f->type_count ? f->type_count : 1;
  for (size_t i = 0; i < queues; i++) {
    uint64_t q = f->queue_count ? name_hash(f->queues[i]) : 0;
    for (size_t k = 0; k < types; k++) {
      uint64_t t = f->type_count ? name_hash(f->types[k]) : 0;
      if (was_noted(r, channel_hash(order->tenant, q, t), u->ready_mark)) return true;
    }
  }
  return false;
}

bool recent_concerns(const struct unit *u, const struct order *order) {
  if (order->group) return fits_recent(u, order);
  return was_noted(&u->e->ended_lately, order->id.lo ^ order->id.hi, u->ended_mark);
}
