// testing_store.h: a store in memory for the engine's tests: arrays, no database, faults on demand.
//
// It keeps to store/store.h to the letter, so that it finds out an engine that does not: what it
// loads are copies that die with the unit, payloads come only where the contract says so, what is
// changed must have been loaded, a stale revision is a conflict, and a change that no store could
// make trips an assertion.
//
// It has several lanes (testing_locks.h), and several processes may share it (testing_news.h). A
// hook is called while a lane is in the store, so that a test can let others go on meanwhile.
#ifndef ENGINE_TESTING_STORE_H
#define ENGINE_TESTING_STORE_H

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "model/limits.h"
#include "store/store.h"

enum { FAKE_TASKS = 20000, FAKE_EVENTS = 60000, FAKE_SMALL = 4000 };

enum { FAKE_LANES = 8 };

enum fake_point {
  FAKE_LOADED,    // the load is done, and has locked what it brought
  FAKE_APPLYING,  // nothing is committed yet
  FAKE_APPLIED,   // it is committed, and the engine does not know
};

struct fake_store;

// What one process has opened. A store begins with its first one.
struct fake_head {
  struct store store;  // first: what the engine sees
  struct fake_store *s;
  struct fake_news *news;  // testing_news.h; NULL: not shared
};

struct store_lane {
  struct fake_head *head;
  struct fake_store *s;
  bool open;  // by an engine
  bool unit_open;
  struct fake_lock *locks;  // testing_locks.h
  size_t lock_count, lock_cap;
  bool fails;  // all its calls, with fail_apply
};

struct fake_store {
  struct fake_head head;
  pthread_mutex_t lock;     // of all below
  pthread_cond_t unlocked;  // a lane let go of what it had loaded
  bool threads;             // lanes may wait for each other; else that is a mistake of the test
  struct store_lane lanes[FAKE_LANES];
  size_t lane_max;
  void (*hook)(void *self, struct store_lane *lane, enum fake_point point);
  void *hook_self;
  struct fake_news *told[4];  // those who are told what others do
  size_t told_count;
  int64_t version;     // of the catalogue
  struct duty duty;    // of the cleanup
  struct arena arena;  // all that is kept; freed with the store
  struct task *tasks;  // by age
  struct event *events;
  struct replay *replays;
  struct log_line *lines;
  struct queue *queues;
  struct type types[64];
  struct api_key keys[LIMIT_KEYS + 8];
  struct tenant tenants[LIMIT_TENANTS];
  size_t task_count, event_count, replay_count, line_count;
  size_t queue_count, type_count, key_count, tenant_count;
  enum err fail_apply, fail_load;   // what the next ones end with
  size_t fail_applies, fail_loads;  // how many of them
  struct id contested;              // whoever changes this task runs into a conflict
  size_t conflict_each;             // so many applies; 0: none
  size_t applies, loads, rows_loaded, tends, tallies;  // for tests that count
  int64_t dropped_through;                             // of the latest log that was cut
};

static inline struct fake_store *fake_of(struct store *store) {
  return ((struct fake_head *)store)->s;
}

static inline void fake_reach(struct store_lane *lane, enum fake_point point) {
  if (lane->s->hook) lane->s->hook(lane->s->hook_self, lane, point);
}

static inline struct task *fake_find(struct fake_store *s, struct id id) {
  for (size_t i = s->task_count; i-- > 0;)
    if (id_eq(s->tasks[i].id, id)) return &s->tasks[i];
  return NULL;
}

#include "engine/testing_locks.h"

// A copy whose texts all live in `a`. `parts` says which bodies come along.
static inline struct task fake_copy(struct arena *a, const struct task *from, unsigned parts) {
  struct task to = *from;
#define ENUM(field)
#define I64(field)
#define SPARSE(field)
#define TEXT(field) to.field = arena_dup(a, from->field);
#define COLUMN(column, field, kind, group, meaning) kind(field)
#include "store/task.def"
#undef COLUMN
#undef TEXT
#undef SPARSE
#undef I64
#undef ENUM
  to.queue = arena_dup(a, from->queue);
  to.type = arena_dup(a, from->type);
  to.payload = parts & PART_PAYLOAD ? arena_dup(a, from->payload) : STR_NONE;
  to.result = parts & PART_RESULT ? arena_dup(a, from->result) : STR_NONE;
  return to;
}

// --- load ----------------------------------------------------------------------------------------

static inline struct row *fake_row(struct fake_store *s, struct arena *a, const struct task *task,
                                   unsigned parts) {
  struct row *row = ARENA_NEW(a, struct row);
  row->task = fake_copy(a, task, parts);
  row->was_revision = task->revision;
  row->was_status = task->status;
  row->was_waiting = task->waiting;
  s->rows_loaded++;
  return row;
}

static inline bool fake_listed(struct str name, const struct str *names, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(names[i], name)) return true;
  return false;
}

static inline bool fake_fits(const struct pick *p, const struct task *t) {
  return t->tenant == p->tenant && t->status == TASK_PENDING && t->waiting == WAIT_WORKER &&
         (p->type_count == 0 || fake_listed(t->type, p->types, p->type_count)) &&
         (p->queue_count == 0 || fake_listed(t->queue, p->queues, p->queue_count)) &&
         !fake_listed(t->queue, p->not_queues, p->not_queue_count);
}

static inline int fake_order(const void *a_ptr, const void *b_ptr) {
  const struct task *a = *(struct task *const *)a_ptr, *b = *(struct task *const *)b_ptr;
  if (a->priority != b->priority) return a->priority > b->priority ? -1 : 1;
  return id_key(a->id) < id_key(b->id) ? -1 : 1;
}

static inline void fake_pick(struct store_lane *lane, struct arena *a, struct pick *p) {
  struct fake_store *s = lane->s;
  struct task **fits = ARENA_ARRAY(a, struct task *, s->task_count + 1);
  size_t count = 0, bytes = 0;
  p->busy = false;
  for (size_t i = 0; i < s->task_count; i++) {
    if (!fake_fits(p, &s->tasks[i])) continue;
    if (fake_is_locked(lane, fake_lock_of_id(s->tasks[i].id)))
      p->busy = true;
    else
      fits[count++] = &s->tasks[i];
  }
  qsort(fits, count, sizeof *fits, fake_order);
  if (count > p->limit) count = p->limit;
  p->rows = ARENA_ARRAY(a, struct row *, count + 1);
  p->row_count = 0;
  while (p->row_count < count && (p->row_count == 0 || bytes <= p->bytes_max)) {
    bytes += fits[p->row_count]->payload.len;
    p->rows[p->row_count] = fake_row(s, a, fits[p->row_count], PART_PAYLOAD);
    fake_take(lane, fake_lock_of_id(fits[p->row_count]->id));
    p->row_count++;
  }
}

static inline int fake_earlier(const void *a_ptr, const void *b_ptr) {
  const struct task *a = *(struct task *const *)a_ptr, *b = *(struct task *const *)b_ptr;
  return (a->wake_at > b->wake_at) - (a->wake_at < b->wake_at);
}

static inline void fake_due(struct store_lane *lane, struct load *want) {
  struct fake_store *s = lane->s;
  struct task **due = ARENA_ARRAY(want->arena, struct task *, s->task_count + 1);
  size_t count = 0;
  for (size_t i = 0; i < s->task_count; i++)
    if (s->tasks[i].wake_at > 0 && s->tasks[i].wake_at <= want->due_at &&
        !fake_is_locked(lane, fake_lock_of_id(s->tasks[i].id)))
      due[count++] = &s->tasks[i];
  qsort(due, count, sizeof *due, fake_earlier);
  want->due_count = count < want->due_limit ? count : want->due_limit;
  want->due = ARENA_ARRAY(want->arena, struct row *, want->due_count + 1);
  for (size_t i = 0; i < want->due_count; i++) {
    want->due[i] = fake_row(s, want->arena, due[i], 0);
    fake_take(lane, fake_lock_of_id(due[i]->id));
  }
}

#include "engine/testing_ended.h"

static inline struct replay *fake_replay(struct arena *a, const struct replay *from) {
  struct replay *to = arena_alloc(a, sizeof *to);
  *to = *from;
  to->key = arena_dup(a, from->key);
  to->body = arena_dup(a, from->body);
  return to;
}

static inline void fake_load_wants(struct fake_store *s, struct load *want) {
  for (size_t i = 0; i < want->id_count; i++) {
    struct want_id *w = &want->ids[i];
    const struct task *task = fake_find(s, w->id);
    bool ours = task && task->tenant == w->tenant;
    w->row = ours ? fake_row(s, want->arena, task, w->parts) : NULL;
  }
  for (size_t i = 0; i < want->unique_count; i++) {
    struct want_unique *w = &want->uniques[i];
    w->row = NULL;
    for (size_t k = 0; k < s->task_count && !w->row; k++)
      if (s->tasks[k].tenant == w->tenant && !str_is_none(s->tasks[k].unique_key) &&
          str_eq(s->tasks[k].unique_key, w->key))
        w->row = fake_row(s, want->arena, &s->tasks[k], 0);
  }
  for (size_t i = 0; i < want->replay_count; i++) {
    struct want_replay *w = &want->replays[i];
    w->found = NULL;
    for (size_t k = 0; k < s->replay_count; k++)
      if (s->replays[k].tenant == w->tenant && str_eq(s->replays[k].key, w->key))
        w->found = fake_replay(want->arena, &s->replays[k]);
  }
}

static inline enum err fake_catalog(struct store *store, struct arena *a, struct catalog *out,
                                    struct fault *why);

static inline enum err fake_load_open(struct store_lane *lane, struct load *want,
                                      struct fault *why) {
  struct fake_store *s = lane->s;
  s->loads++;
  if (s->fail_loads || lane->fails) {
    s->fail_loads -= s->fail_loads > 0;
    return fault_set(why, lane->fails ? s->fail_apply : s->fail_load, "the test says so");
  }
  lane->unit_open = true;
  fake_lock_wants(lane, want);
  fake_load_wants(s, want);
  for (size_t i = 0; i < want->pick_count; i++) fake_pick(lane, want->arena, &want->picks[i]);
  if (want->due_at > 0) fake_due(lane, want);
  fake_load_cleanup(lane, want);
  want->changed = NULL;
  if (want->catalog && want->catalog_version != s->version) {
    want->changed = ARENA_NEW(want->arena, struct catalog);
    (void)fake_catalog(&s->head.store, want->arena, want->changed, why);
  }
  return ERR_OK;
}

static inline enum err fake_load(struct store_lane *lane, struct load *want, struct fault *why) {
  assert(!lane->unit_open);
  pthread_mutex_lock(&lane->s->lock);
  enum err err = fake_load_open(lane, want, why);
  pthread_mutex_unlock(&lane->s->lock);
  if (err == ERR_OK) fake_reach(lane, FAKE_LOADED);
  return err;
}

// --- apply ---------------------------------------------------------------------------------------

// What checks.sql asks of every task, asked at every commit.
static inline void fake_check_task(const struct task *t) {
  bool pending = t->status == TASK_PENDING, running = t->status == TASK_RUNNING;
  assert(pending == (t->waiting != WAIT_NONE));
  assert((t->waiting != WAIT_TIME && t->waiting != WAIT_RETRY) || t->wake_at > 0);
  assert(!running || (t->lease && t->lease_expires_at && t->wake_at && t->attempt > 0));
  assert(running || (!t->lease_expires_at && !t->cancel_requested_at));
  assert(!pending || t->lease == 0);
  assert(t->attempt >= 0 && t->attempt <= t->attempts_max);
  assert(task_status_is_final(t->status) == (t->completed_at != 0));
  assert(!task_status_is_final(t->status) || t->wake_at == 0);
  (void)pending, (void)running;
}

static inline bool fake_conflicts(struct store_lane *lane, const struct change *change) {
  struct fake_store *s = lane->s;
  for (size_t i = 0; i < change->row_count; i++) {
    const struct row *row = change->rows[i];
    const struct task *kept = fake_find(s, row->task.id);
    assert(row->fresh || row->dirty || row->gone);
    assert(row->fresh || row->task.revision > row->was_revision);
    assert(row->fresh || fake_has(lane, fake_lock_of_id(row->task.id)));
    for (size_t k = 0; k < i; k++) assert(change->rows[k] != row);  // each task once
    if (row->fresh ? kept != NULL : kept == NULL || kept->revision != row->was_revision)
      return true;
    if (id_eq(row->task.id, s->contested)) return true;
  }
  return false;
}

static inline void fake_put_task(struct fake_store *s, const struct row *row) {
  fake_check_task(&row->task);
  struct task *kept = fake_find(s, row->task.id);
  struct str payload = kept ? kept->payload : STR_NONE, result = kept ? kept->result : STR_NONE;
  for (size_t i = 0; row->fresh && i < s->task_count; i++)
    assert(str_is_none(row->task.unique_key) || s->tasks[i].tenant != row->task.tenant ||
           !str_eq(s->tasks[i].unique_key, row->task.unique_key));
  if (!kept) {
    assert(row->fresh && s->task_count < FAKE_TASKS);
    kept = &s->tasks[s->task_count++];
    payload = arena_dup(&s->arena, row->task.payload);
  }
  if (row->result_new) result = arena_dup(&s->arena, row->task.result);
  *kept = fake_copy(&s->arena, &row->task, 0);
  kept->payload = payload;
  kept->result = result;
}

static inline void fake_put_rows(struct fake_store *s, const struct change *change) {
  for (size_t i = 0; i < change->row_count; i++) {
    struct task *kept = fake_find(s, change->rows[i]->task.id);
    if (!change->rows[i]->gone || !kept) continue;
    size_t at = (size_t)(kept - s->tasks);
    memmove(kept, kept + 1, sizeof *kept * (--s->task_count - at));
  }
  for (size_t i = 0; i < change->row_count; i++)
    if (!change->rows[i]->gone) fake_put_task(s, change->rows[i]);
}

static inline void fake_put_events(struct fake_store *s, const struct change *change) {
  for (size_t i = 0; i < change->event_count; i++) {
    assert(s->event_count < FAKE_EVENTS);
    struct event *e = &s->events[s->event_count++];
    *e = change->events[i].event;
    e->seq = (int64_t)s->event_count;
    e->queue = arena_dup(&s->arena, e->queue);
    e->type = arena_dup(&s->arena, e->type);
    e->actor = arena_dup(&s->arena, e->actor);
    e->worker = arena_dup(&s->arena, e->worker);
    e->note = arena_dup(&s->arena, e->note);
    e->text = arena_dup(&s->arena, e->text);
  }
}

static inline void fake_put_replays(struct fake_store *s, const struct change *change) {
  for (size_t i = 0; i < change->replay_count; i++) {
    size_t at = 0;
    while (at < s->replay_count && !(s->replays[at].tenant == change->replays[i].tenant &&
                                     str_eq(s->replays[at].key, change->replays[i].key)))
      at++;
    assert(change->replays[i].replaces == (at < s->replay_count));
    if (at == s->replay_count) s->replay_count++;
    assert(at < FAKE_SMALL);
    s->replays[at] = change->replays[i];
    s->replays[at].key = arena_dup(&s->arena, s->replays[at].key);
    s->replays[at].body = arena_dup(&s->arena, s->replays[at].body);
  }
}

static inline void fake_put_logs(struct fake_store *s, const struct change *change) {
  for (size_t i = 0; i < change->log_count; i++) {
    s->dropped_through = change->logs[i].drop_through;
    for (size_t k = 0; k < change->logs[i].line_count; k++) {
      assert(s->line_count < FAKE_SMALL);
      s->lines[s->line_count] = change->logs[i].lines[k];
      s->lines[s->line_count].text = arena_dup(&s->arena, s->lines[s->line_count].text);
      s->line_count++;
    }
  }
}

static inline void fake_put_catalog(struct store_lane *lane, const struct change *change) {
  struct fake_store *s = lane->s;
  bool any = change->queue_count + change->type_count + change->key_count + change->tenant_count;
  assert(!any || fake_has(lane, FAKE_LOCK_CATALOG));
  s->version += any;
  for (size_t i = 0; i < change->queue_count; i++) {
    size_t at = 0;
    while (at < s->queue_count && !(s->queues[at].tenant == change->queues[i].tenant &&
                                    str_eq(s->queues[at].name, change->queues[i].name)))
      at++;
    if (at == s->queue_count) s->queue_count++;
    s->queues[at] = change->queues[i];
    s->queues[at].name = arena_dup(&s->arena, s->queues[at].name);
  }
  for (size_t i = 0; i < change->type_count; i++) {
    size_t at = 0;
    while (at < s->type_count && !(s->types[at].tenant == change->types[i].tenant &&
                                   str_eq(s->types[at].name, change->types[i].name)))
      at++;
    if (at == s->type_count) s->type_count++;
    struct type *t = &s->types[at];
    *t = change->types[i];
    t->name = arena_dup(&s->arena, t->name);
    t->queue = arena_dup(&s->arena, t->queue);
    t->description = arena_dup(&s->arena, t->description);
  }
  for (size_t i = 0; i < change->key_count; i++) {
    size_t at = 0;
    while (at < s->key_count && !str_eq(s->keys[at].id, change->keys[i].id)) at++;
    if (at == s->key_count) s->key_count++;
    struct api_key *k = &s->keys[at];
    *k = change->keys[i];
    k->id = arena_dup(&s->arena, k->id);
    k->name = arena_dup(&s->arena, k->name);
    k->service = arena_dup(&s->arena, k->service);
    k->replaced_by = arena_dup(&s->arena, k->replaced_by);
  }
  assert(s->key_count <= LIMIT_KEYS + change->key_gone_count);
  for (size_t i = 0; i < change->key_gone_count; i++) {
    size_t at = 0;
    while (at < s->key_count && !str_eq(s->keys[at].id, change->keys_gone[i])) at++;
    assert(at < s->key_count);
    s->keys[at] = s->keys[--s->key_count];
  }
  for (size_t i = 0; i < change->tenant_count; i++) {
    s->tenants[s->tenant_count] = change->tenants[i];
    s->tenants[s->tenant_count++].name = arena_dup(&s->arena, change->tenants[i].name);
  }
}

static inline void fake_tell(struct store_lane *lane, const struct change *change);

static inline enum err fake_commit(struct store_lane *lane, const struct change *change,
                                   struct fault *why) {
  struct fake_store *s = lane->s;
  s->applies++;
  if (s->fail_applies || lane->fails) {
    s->fail_applies -= s->fail_applies > 0;
    return fault_set(why, s->fail_apply, "the test says so");
  }
  if ((s->conflict_each && s->applies % s->conflict_each == 0) || fake_conflicts(lane, change))
    return fault_set(why, ERR_CONFLICT, "it was changed meanwhile");
  fake_put_rows(s, change);
  fake_put_events(s, change);
  fake_put_replays(s, change);
  fake_put_logs(s, change);
  fake_put_catalog(lane, change);
  assert(!change->duty || fake_has(lane, FAKE_LOCK_CLEANUP));
  if (change->duty) s->duty = *change->duty;
  fake_tell(lane, change);
  return ERR_OK;
}

static inline enum err fake_apply(struct store_lane *lane, const struct change *change,
                                  struct fault *why) {
  assert(lane->unit_open);
  fake_reach(lane, FAKE_APPLYING);
  pthread_mutex_lock(&lane->s->lock);
  enum err err = fake_commit(lane, change, why);
  fake_unlock_all(lane);
  pthread_mutex_unlock(&lane->s->lock);
  if (err == ERR_OK) fake_reach(lane, FAKE_APPLIED);
  return err;
}

static inline void fake_abandon(struct store_lane *lane) {
  pthread_mutex_lock(&lane->s->lock);
  fake_unlock_all(lane);
  pthread_mutex_unlock(&lane->s->lock);
}

// --- the rest ------------------------------------------------------------------------------------

// A copy: what the store keeps goes on changing.
static inline enum err fake_catalog(struct store *store, struct arena *a, struct catalog *out,
                                    struct fault *why) {
  struct fake_store *s = fake_of(store);
  (void)why;
#define FAKE_COPY(type, from, count)                                                               \
  memcpy(ARENA_ARRAY(a, struct type, (count) + 1), (from), (count) * sizeof(struct type))
  *out = (struct catalog){.tenants = FAKE_COPY(tenant, s->tenants, s->tenant_count),
                          .tenant_count = s->tenant_count,
                          .keys = FAKE_COPY(api_key, s->keys, s->key_count),
                          .key_count = s->key_count,
                          .queues = FAKE_COPY(queue, s->queues, s->queue_count),
                          .queue_count = s->queue_count,
                          .types = FAKE_COPY(type, s->types, s->type_count),
                          .type_count = s->type_count,
                          .version = s->version};
#undef FAKE_COPY
  return ERR_OK;
}

static inline enum err fake_last_id(struct store *store, int64_t *key, struct fault *why) {
  struct fake_store *s = fake_of(store);
  (void)why;
  *key = 0;
  for (size_t i = 0; i < s->task_count; i++)
    if (id_key(s->tasks[i].id) > *key) *key = id_key(s->tasks[i].id);
  return ERR_OK;
}

static inline size_t fake_lane_max(struct store *store) { return fake_of(store)->lane_max; }

static inline enum err fake_lane_open(struct store *store, struct store_lane **out,
                                      struct fault *why) {
  struct fake_store *s = fake_of(store);
  (void)why;
  size_t i = 0;
  while (i < FAKE_LANES && s->lanes[i].open) i++;
  assert(i < FAKE_LANES);
  s->lanes[i] = (struct store_lane){.head = (struct fake_head *)store, .s = s, .open = true};
  *out = &s->lanes[i];
  return ERR_OK;
}

static inline void fake_lane_close(struct store_lane *lane) {
  if (lane == NULL) return;
  assert(!lane->unit_open);
  mem_free(lane->locks);
  *lane = (struct store_lane){0};
}

static inline enum err fake_wake_next(struct store_lane *lane, int64_t *at, struct fault *why) {
  struct fake_store *s = lane->s;
  (void)why;
  *at = 0;
  pthread_mutex_lock(&s->lock);
  for (size_t i = 0; i < s->task_count; i++)
    if (s->tasks[i].wake_at && (*at == 0 || s->tasks[i].wake_at < *at)) *at = s->tasks[i].wake_at;
  pthread_mutex_unlock(&s->lock);
  return ERR_OK;
}

static inline enum err fake_tend(struct store_lane *lane, bool idle, struct fault *why) {
  struct fake_store *s = lane->s;
  (void)idle;
  assert(!lane->unit_open);
  pthread_mutex_lock(&s->lock);
  s->tends++;
  bool fails = s->fail_applies > 0 || lane->fails;
  enum err err = fails ? s->fail_apply : ERR_OK;  // the probe: whether a write would succeed
  pthread_mutex_unlock(&s->lock);
  return err == ERR_OK ? ERR_OK : fault_set(why, err, "the test says so");
}

static inline enum err fake_reader_open(struct store *store, struct store_reader **out,
                                        struct fault *why) {
  (void)why;
  *out = (struct store_reader *)store;
  return ERR_OK;
}

static inline void fake_reader_close(struct store_reader *r) { (void)r; }

static const struct store_ops FAKE_OPS = {.name = "fake",
                                          .catalog = fake_catalog,
                                          .last_id = fake_last_id,
                                          .lane_max = fake_lane_max,
                                          .lane_open = fake_lane_open,
                                          .lane_close = fake_lane_close,
                                          .load = fake_load,
                                          .apply = fake_apply,
                                          .abandon = fake_abandon,
                                          .wake_next = fake_wake_next,
                                          .tend = fake_tend,
                                          .reader_open = fake_reader_open,
                                          .reader_close = fake_reader_close};

static inline void fake_open(struct fake_store *s) {
  *s = (struct fake_store){.head = {.store.ops = &FAKE_OPS, .s = s}, .lane_max = 1};
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->unlocked, NULL);
  arena_init(&s->arena, 1 << 20);
  s->tasks = ARENA_ARRAY(&s->arena, struct task, FAKE_TASKS);
  s->events = ARENA_ARRAY(&s->arena, struct event, FAKE_EVENTS);
  s->replays = ARENA_ARRAY(&s->arena, struct replay, FAKE_SMALL);
  s->queues = ARENA_ARRAY(&s->arena, struct queue, FAKE_TASKS);
  s->lines = ARENA_ARRAY(&s->arena, struct log_line, FAKE_SMALL);
  s->tenants[s->tenant_count++] = (struct tenant){.number = 1, .name = STR("default")};
}

static inline void fake_close(struct fake_store *s) {
  for (size_t i = 0; i < FAKE_LANES; i++) assert(!s->lanes[i].open);
  pthread_cond_destroy(&s->unlocked);
  pthread_mutex_destroy(&s->lock);
  arena_fini(&s->arena);
}

#include "engine/testing_news.h"

#endif
