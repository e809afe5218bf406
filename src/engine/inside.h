// inside.h: the engine's own state. Private to engine/.
//
// Threads. Each lane runs units of work on its own thread and alone touches the parked orders, the
// watchers, the ids and the next wake-up ("lane" below). Callers' threads touch only what a lock
// guards:
//   queue_lock   the orders that wait for a lane, the queries that wait for a reader, `stopping`
//   answer_lock  the answers that wait for engine_collect, the free units
//   catalog.lock, workers.lock   what is kept in memory
// No lock is held while another is taken, nor across a call into the store or to `wake`.
#ifndef ENGINE_INSIDE_H
#define ENGINE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/id.h"
#include "engine/engine.h"
#include "engine/unit.h"
#include "model/limits.h"

// What one decision came to.
enum verdict {
  ANSWERED,
  WAITS,  // a claim that found nothing: to be parked; a watch: the task has not ended
  AGAIN,  // decide it again in the next unit
};

#define ORDER(name, prefix, meaning)                                                               \
  void prefix##_plan(struct unit *u, struct order *order);                                         \
  enum verdict prefix##_decide(struct unit *u, struct order *order);
#include "engine/orders.def"
#undef ORDER

struct catalog_memory {
  pthread_rwlock_t lock;
  struct tenant *tenants;
  size_t tenant_count;
  struct api_key *keys;
  size_t key_count;
  struct queue *queues;
  size_t queue_count;
  struct type *types;
  size_t type_count;
  _Atomic size_t paused_count;  // so that the common case takes no lock
  _Atomic size_t known_types;
};

struct worker_entry;
enum { WORKER_HINTS = 4096 };
struct worker_memory {
  pthread_mutex_t lock;
  struct worker_entry *entries;
  size_t count, cap;
  uint32_t hints[WORKER_HINTS];  // by hash: a guess at the entry
};

// Claims that wait for the same filter, oldest first.
struct park_group {
  struct park_group *next;
  int64_t tenant;
  struct str *types, *queues;
  size_t type_count, queue_count;
  struct order *head, *tail;
};

struct watch_entry {
  struct id id;
  struct order *order;
};

struct order_list {
  struct order *head, *tail;
  size_t count;
};

struct engine {
  struct store *store;
  struct engine_settings settings;
  struct clock clock;

  pthread_mutex_t queue_lock;
  pthread_cond_t queue_filled, query_filled;
  struct order_list queued;               // queue_lock
  struct query *query_head, *query_tail;  // queue_lock
  size_t query_count;                     // queue_lock
  bool stopping, withdrawn, draining;     // queue_lock

  pthread_mutex_t answer_lock;
  struct order_list answered;      // answer_lock
  struct query *answered_queries;  // answer_lock
  struct unit *free_units;         // answer_lock
  size_t free_unit_count;          // answer_lock

  // lane
  struct store_lane *lane;
  struct order_list again;           // to be decided in the next unit
  struct order_list outgoing;        // answered, not flushed yet
  struct store_reader *lane_reader;  // for stores with lane_reads
  struct id_source ids;
  int64_t wake_at;  // earliest wake_at in the store, or 0; may be too early
  struct order sweep;
  struct park_group *groups;
  uint64_t tickets;
  struct order **deadlines;  // heap of parked orders by deadline
  size_t deadline_count, deadline_cap;
  size_t keys_parked;  // how many of them have an Idempotency-Key
  struct watch_entry *watches;
  size_t watch_count, watch_cap;
  bool lane_draining;
  bool tended;  // the store was tended since the last unit
  pthread_t lane_thread;
  pthread_t *reader_threads;
  size_t reader_count;
  bool started;

  struct catalog_memory catalog;
  struct worker_memory workers;

  // statistics, written by the lane
  _Atomic uint64_t units, commits, orders, items, parked, watching, commit_us_max;
  _Atomic int store_err;
};

// answer.c: lane thread, but for unit_release.
void engine_answer(struct engine *e, struct unit *u, struct order *order);  // u: NULL when none
void engine_refuse(struct engine *e, struct order *order, enum err err, const char *sentence);
void engine_flush(struct engine *e);  // lets engine_collect have what was answered
struct unit *unit_take(struct engine *e);
void unit_release(struct engine *e, struct unit *u);  // counts one hold down; recycles at none
void units_free(struct engine *e);
void query_finish(struct engine *e, struct query *query);

// lane.c
void engine_again(struct engine *e, struct order *order);  // into the next unit
void *lane_run(void *engine);
void order_append(struct order_list *list, struct order *order);

// readers.c
enum err readers_start(struct engine *e, struct fault *why);
void readers_stop(struct engine *e);
bool readers_serve(struct engine *e);  // lane thread, for stores with lane_reads

// park.c: orders that wait. `deadline` is in clock time.
void park_claim(struct engine *e, struct order *order);
void park_watch(struct engine *e, struct order *order, struct id id);
void park_remove(struct engine *e, struct order *order);
void park_feed(struct unit *u);    // gives what became ready to those who wait
void park_refeed(struct unit *u);  // the unit failed: put back whom it fed
void park_offer(struct unit *u);   // wakes those for whom the unit made something ready, but `late`
void park_kick(struct engine *e, int64_t tenant);  // decide all parked claims of a tenant again
void park_ended(struct unit *u);                   // wakes the watchers of tasks that ended
void park_expire(struct engine *e, int64_t now);   // those whose deadline has come
void park_withdrawn(struct engine *e);             // drops those whom nobody waits for
bool order_is_gone(const struct order *order);     // nobody waits for its answer any more
// Takes out those that the unit decided, to be chained by `next`; oldest first.
struct order *park_take_decided(struct unit *u);
void park_again(struct engine *e, struct order *order);  // out of the park, into the next unit
void park_drain(struct engine *e);
int64_t park_deadline(const struct engine *e);  // the earliest; 0: none
void deadlines_add(struct engine *e, struct order *order);
void deadlines_remove(struct engine *e, struct order *order);

// claim.c
bool claim_fits(const struct claim_filter *f, const struct task *task);
bool claim_same_names(const struct str *a, size_t an, const struct str *b, size_t bn);
void claim_take(struct unit *u, struct order *order, struct row *row);
size_t claim_from_ready(struct unit *u, struct order *order);

// settle.c
void settle_back_to_pending(struct unit *u, struct row *row, enum move move, int64_t delay_ms);
void settle_failed(struct unit *u, struct order *order, struct row *row,
                   const struct settle_item *item);

// moves.c: the row that an order is about, or its ERR_NOT_FOUND.
struct row *order_row(struct unit *u, struct order *order);
void order_answer_row(struct unit *u, struct order *order, struct row *row);

// run.c
MUST_USE enum err run_unit(struct unit *u, bool sweep);

// catalog.c
enum err catalog_open(struct engine *e, struct fault *why);
void catalog_close(struct engine *e);
void catalog_absorb(struct unit *u);  // after the commit
bool catalog_type(struct engine *e, int64_t tenant, struct str name, struct arena *a,
                  struct type *out);
bool catalog_queue(struct engine *e, int64_t tenant, struct str name);  // it was paused once
size_t catalog_paused(struct engine *e, int64_t tenant, struct arena *a, struct str **names);
int64_t catalog_tenant(struct engine *e, struct str name);  // 0: unknown
int64_t catalog_tenant_next(struct engine *e);
size_t catalog_admins(struct engine *e, int64_t tenant);  // admin keys that are not revoked
bool catalog_key(struct engine *e, int64_t tenant, struct str id, struct arena *a,
                 struct api_key *out);

// workers.c
void workers_open(struct engine *e);
void workers_close(struct engine *e);
void workers_seen(struct engine *e, int64_t tenant, struct str worker, int64_t now);
void workers_asked(struct engine *e, int64_t tenant, const struct claim_filter *f, int64_t now);
void workers_claimed(struct engine *e, int64_t tenant, struct str worker, size_t count);
void workers_waiting(struct engine *e, int64_t tenant, struct str worker, bool waiting);

#endif
