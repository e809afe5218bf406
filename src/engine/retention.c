// retention.c: how much is kept of what has ended, and what of it is to go.
//
// Three kinds of tasks that ended are counted apart: completed ones; failed ones with abandoned
// ones; and cancelled ones, of which as many are kept as of failed ones, but by themselves, so that
// a wave of cancels does not push out what tells of failures.
#include <stdlib.h>

#include "engine/inside.h"

enum { KINDS = 3 };
static const unsigned KIND_STATUSES[KINDS] = {
    1u << TASK_COMPLETED, 1u << TASK_FAILED | 1u << TASK_ABANDONED, 1u << TASK_CANCELLED};

// --- the rules -----------------------------------------------------------------------------------

static bool is_rule(const struct keep *keep) {
  return keep->completed > 0 || keep->failed > 0 || keep->for_ms > 0;
}

bool retention_has_rules(struct engine *e) {
  struct catalog_memory *c = &e->catalog;
  if (is_rule(&e->settings.retention.keep)) return true;
  if (e->settings.retention.per_tenant) return false;
  bool any = false;
  pthread_rwlock_rdlock(&c->lock);
  for (size_t i = 0; i < c->type_count; i++) any |= is_rule(&c->types[i].keep);
  pthread_rwlock_unlock(&c->lock);
  return any;
}

static int64_t said_or(int64_t said, int64_t otherwise) { return said >= 0 ? said : otherwise; }

// What holds for a type, or with STR_NONE for all types of a tenant together.
static struct keep keep_of(struct unit *u, int64_t tenant, struct str name) {
  struct keep keep = u->e->settings.retention.keep;
  struct type type;
  if (str_is_none(name) || !catalog_type(u->e, tenant, name, &u->arena, &type)) return keep;
  keep.completed = said_or(type.keep.completed, keep.completed);
  keep.failed = said_or(type.keep.failed, keep.failed);
  keep.for_ms = said_or(type.keep.for_ms, keep.for_ms);
  if (type.keep_result) keep.completed = keep.failed = 0;
  return keep;
}

// --- the steps -----------------------------------------------------------------------------------

struct steps {
  struct unit *u;
  struct arena *arena;
  struct list list;  // struct cleanup_step
};

static void add_step(struct steps *s, const struct tally *sum, unsigned kind, int64_t keep,
                     int64_t for_ms) {
  int64_t count = 0;
  for (unsigned status = 0; status < TASK_STATUS_COUNT; status++)
    if (KIND_STATUSES[kind] & 1u << status) count += sum->count[status];
  struct cleanup_step step = {
      .tenant = sum->tenant, .type = sum->type, .statuses = KIND_STATUSES[kind]};
  if (keep > 0 && count > keep) {
    step.excess = count - keep;
    step.keep = keep;
    step.because = arena_printf(s->arena, "the newest %lld are kept", (long long)keep);
    *LIST_PUSH(s->arena, &s->list, struct cleanup_step) = step;
  }
  if (for_ms <= 0 || count == 0) return;
  step.excess = 0;
  step.before = s->u->now > for_ms ? s->u->now - for_ms : 1;
  step.for_ms = for_ms;
  step.because = arena_printf(s->arena, "kept for %lld ms", (long long)for_ms);
  *LIST_PUSH(s->arena, &s->list, struct cleanup_step) = step;
}

static void add_steps(struct steps *s, struct tally *sum) {
  struct keep keep = keep_of(s->u, sum->tenant, sum->type);
  if (!is_rule(&keep)) return;
  sum->type = arena_dup(s->arena, sum->type);
  const int64_t counts[KINDS] = {keep.completed, keep.failed, keep.failed};
  for (unsigned kind = 0; kind < KINDS; kind++) add_step(s, sum, kind, counts[kind], keep.for_ms);
}

static int by_tenant_and_type(const void *a_ptr, const void *b_ptr) {
  const struct tally *a = a_ptr, *b = b_ptr;
  if (a->tenant != b->tenant) return a->tenant < b->tenant ? -1 : 1;
  return str_compare(a->type, b->type);
}

// The counts of a type are spread over its queues.
static size_t gather_sums(struct unit *u, int64_t tenant, struct tally **out) {
  struct tally *all = ARENA_ARRAY(&u->arena, struct tally, u->tally_count + 1);
  size_t count = 0, sums = 0;
  for (size_t i = 0; i < u->tally_count; i++) {
    if (tenant && u->tally[i].tenant != tenant) continue;
    all[count] = u->tally[i];
    if (u->e->settings.retention.per_tenant) all[count].type = STR_NONE;
    count++;
  }
  if (count) qsort(all, count, sizeof *all, by_tenant_and_type);
  for (size_t i = 0; i < count; i++) {
    if (sums == 0 || by_tenant_and_type(&all[sums - 1], &all[i]) != 0) {
      all[sums++] = all[i];
      continue;
    }
    for (size_t s = 0; s < TASK_STATUS_COUNT; s++) all[sums - 1].count[s] += all[i].count[s];
  }
  *out = all;
  return sums;
}

size_t retention_steps(struct unit *u, int64_t tenant, struct arena *a, struct cleanup_step **out) {
  struct steps steps = {.u = u, .arena = a};
  struct tally *sums;
  size_t count = gather_sums(u, tenant, &sums);
  for (size_t i = 0; i < count; i++) add_steps(&steps, &sums[i]);
  *out = steps.list.at;
  return steps.list.count;
}
