// engine.h: every rule of the product behind one door. The only header of this folder for others.
//
// Callers make an order, submit it, and are told when its answer is durable. Reading goes through
// queries, which run on reader threads. The engine owns its threads: one a lane, the readers, and
// one that hears what others do to a shared store.
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/clock.h"
#include "engine/order.h"

struct engine;

// How much is kept of what has ended. What is past that is removed as DELETE would: with payload,
// result and log, while the events stay. What has not ended is never touched.
struct retention {
  struct keep keep;  // for types that say nothing themselves
  // For sessions: the counts hold over all types of a tenant together, no type has a say, and
  // events go with their task, since a session has a size to keep to and no auditor.
  bool per_tenant;
  int64_t interval_ms;  // how often the rest is looked for; 0: only by ORDER_CLEANUP
};

struct engine_settings {
  const struct clock *clock;  // where the store has none of its own; NULL: the real one
  int64_t lease_ms;           // defaults for tasks whose type says nothing
  int64_t attempts_max;
  struct backoff backoff;
  struct retention retention;
  int64_t wait_ms_max;  // new tasks are refused while orders have to wait longer; 0: never
  size_t lanes;         // threads that write, at most; 0: as many as the store takes
  size_t readers;       // reader threads
  struct str session;   // whose engine it is, for the log; STR_NONE: the server's own
  void *self;
  void (*wake)(void *self);  // from any thread: answers wait for engine_collect
  void (*broken)(void *self, const struct fault *why);  // the store is broken: end the process now
  // The store keeps as much as it may, which is then no error of the server's; from any lane. NULL:
  // it is one, and is logged.
  void (*full)(void *self);
  // Each event, once it is committed and before anybody is answered. From the threads of the lanes,
  // whom it holds up, with no lock held. NULL: nobody listens.
  void (*happened)(void *self, const struct event *event);
  // Another process that shares the store may have added to this tenant's events: a hint, which may
  // not come. From a thread of the engine's, with no lock held. NULL: nobody listens.
  void (*elsewhere)(void *self, int64_t tenant);
};

MUST_USE enum err engine_open(struct store *store, const struct engine_settings *settings,
                              struct engine **out, struct fault *why);
MUST_USE enum err engine_start(struct engine *e, struct fault *why);  // starts the threads
void engine_drain(struct engine *e);  // any thread: answers all who wait, now and from now on
void engine_stop(struct engine *e);  // ends the threads; what is queued is answered ERR_UNAVAILABLE
void engine_close(
    struct engine *e);  // after engine_stop; does not close the store. NULL is allowed

// Hands over an order; never blocks. Refused orders (too much waits) are answered like any other.
void engine_submit(struct engine *e, struct order *order);
// Whether an ORDER_CREATE would be refused now, as things stand, for who wants to know it before
// making one. Any thread.
MUST_USE enum err engine_admits(struct engine *e, struct fault *why);
// Nobody waits for this order's answer any more: a parked one is let go, so that no task is leased
// to a client that went away. `done` is still called.
void engine_withdraw(struct engine *e, struct order *order);
// Calls `done` of everything answered. On the thread that owns the callers' memory.
void engine_collect(struct engine *e);

// A read. `run` is called on a reader's thread and leaves its result in the query's own memory;
// then `done` is called from engine_collect.
struct query {
  void (*run)(struct query *q, const struct store_ops *ops, struct store_reader *reader);
  void (*done)(struct query *q);
  void *context;
  enum err err;
  struct fault fault;
  struct query *next;  // the engine's own
};
void engine_query(struct engine *e, struct query *query);

// --- what is kept in memory; safe from any thread ------------------------------------------------

// What a key is that was sent. All but KEY_UNKNOWN came with the right secret.
enum key_state { KEY_UNKNOWN, KEY_REVOKED, KEY_EXPIRED, KEY_GOOD };

// True for KEY_GOOD, and then `*out` is filled. `hash` is of the whole key that was sent; it is
// compared in constant time.
bool engine_key_check(struct engine *e, struct str id, const uint8_t hash[32], struct arena *a,
                      struct principal *out, enum key_state *state);
bool engine_has_keys(struct engine *e);  // revoked ones count: a server with keys stays closed
int64_t engine_tenant(struct engine *e, struct str name);  // its number; 0: there is none
struct str engine_tenant_name(struct engine *e, int64_t tenant, struct arena *a);
bool engine_queue_paused(struct engine *e, int64_t tenant, struct str queue);
size_t engine_queues(struct engine *e, int64_t tenant, struct arena *a, struct queue **out);
size_t engine_types(struct engine *e, int64_t tenant, struct arena *a, struct type **out);
bool engine_type(struct engine *e, int64_t tenant, struct str name, struct arena *a,
                 struct type *out);
size_t engine_keys(struct engine *e, int64_t tenant, struct arena *a, struct api_key **out);

// Whose moves need no lease token: the workerId of such a claim begins with the claim's actor,
// under a prefix that no caller may give itself, so api/ refuses workers that are reserved.
bool engine_can_hold(struct str actor);
bool engine_worker_reserved(struct str worker);
struct str engine_holder(struct arena *a, struct str actor, struct str worker);  // NONE: no name

// What is said of a lease token that does not hold its task.
struct str engine_lease_refusal(void);

struct worker_info {
  struct str worker;
  int64_t seen_at;    // latest call
  int64_t claimed;    // tasks claimed since this server started
  bool waiting;       // has a parked claim
  struct str *types;  // what its latest claim asked for; none: any
  size_t type_count;
  struct str *queues;
  size_t queue_count;
};
size_t engine_workers(struct engine *e, int64_t tenant, struct arena *a, struct worker_info **out);
// Of a worker whose claims go to other engines: that it asks for work, waits for some or does no
// longer, and got some.
void engine_worker_asked(struct engine *e, int64_t tenant, const struct claim_filter *f);
void engine_worker_waiting(struct engine *e, int64_t tenant, struct str worker, bool waiting);
void engine_worker_claimed(struct engine *e, int64_t tenant, struct str worker, size_t count);

// The cleanup as one tenant sees it; what other servers on the same store do does not show.
struct cleanup_state {
  bool running;     // a run is under way
  bool active;      // it runs by itself, and something is not kept for ever
  int64_t last_at;  // when the latest run began that looked at this tenant; 0: none did yet
  int64_t last_ms;  // how long it took
  enum err last_err;
  struct cleanup_counts removed;  // by it, of this tenant's
  int64_t next_at;                // when it looks again at the soonest; 0: nothing calls for it
  struct retention retention;
};
struct cleanup_state engine_cleanup(struct engine *e, int64_t tenant);

struct engine_stats {
  uint64_t units, commits, orders, items, parked_claims, watching, queued;
  int64_t commit_us_max;  // since the last call
  size_t lanes;
  bool draining;
  // ERR_OK while the store works: the latest try did, or another lane's since this one's failed.
  enum err store;
};
struct engine_stats engine_stats(struct engine *e);

bool engine_is_shared(const struct engine *e);    // other processes may change its store
bool engine_is_fleeting(const struct engine *e);  // what its store holds ends with the process
int64_t engine_now(struct engine *e);             // by the clock that decides leases; any thread

// The servers that share the store, this one among them; none where no other can.
MUST_USE enum err engine_nodes(struct engine *e, struct arena *a, struct node **out, size_t *count,
                               struct fault *why);

// How long a task waits before its next attempt (model/task.h has the formula). Pure but for
// `random`, in [0, 1).
int64_t engine_backoff_ms(const struct backoff *backoff, int64_t attempt, double random);

// For tests with a clock of their own: runs one unit of work on the caller's thread, instead of
// engine_start, by its first lane. False when there was nothing to do. `*next_at` is when to call
// again (0: not by time).
bool engine_turn(struct engine *e, int64_t *next_at);

#endif
