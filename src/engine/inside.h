// inside.h: the engine's own state. Private to engine/.
//
// Threads. Each lane runs units of work on a thread of its own, and another one hears the news of a
// shared store. What they share is guarded by
//   work_lock    the work itself ("work" below): parked orders, watches, what is to be decided
//                again, answers on their way out, ids, when to wake up. A lane holds it while it
//                gathers, plans, decides, absorbs and answers, and lets it go around each call
//                into the store.
//   queue_lock   the orders that wait for a lane, the lanes that wait for orders, the queries that
//                wait for a reader, `stopping`
//   answer_lock  the answers that wait for engine_collect, the free units
//   catalog.lock, workers.lock, cleanup.lock   what is kept in memory; the catalogue is written
//                with work_lock held as well
// work_lock comes first: whoever holds it may take one of the others. No other lock is held while
// another is taken, and none across a call into the store or to `wake`.
//
// While a unit is in the store other lanes go on. The orders that it decided are its own until it
// is over, since its change borrows their texts and may yet fail: those that it parked are `held`,
// stand in the lists, and are passed over by everybody else. What became ready or ended meanwhile
// is noted (recent.c), so that they look again when they are let go.
#ifndef ENGINE_INSIDE_H
#define ENGINE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/id.h"
#include "engine/engine.h"
#include "engine/keyset.h"
#include "engine/pace.h"
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
  struct keyset keys;
  struct queue *queues;
  size_t queue_count;
  struct type *types;
  size_t type_count;
  int64_t version;       // work; what it was when the store last told all of it
  int64_t changed_from;  // work; the highest version that a unit of ours has changed; -1: none
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

// When something of a kind last happened, by the hash of what it concerns. Two kinds may share a
// place: then something seems to have happened that did not.
enum { RECENT_PLACES = 8192 };
struct recent {
  uint64_t now;  // counts what happened
  uint64_t at[RECENT_PLACES];
};

// What became of the latest run that looked at a tenant.
struct cleanup_past {
  int64_t tenant, began_at, ms;
  enum err err;
  struct cleanup_counts removed;
};

struct cleanup_memory {
  struct order own;  // what the interval brings

  // work
  struct order *driver;  // whose run is under way; NULL: none is
  bool own_out;          // `own` is under way or waits
  bool ruled;            // something is not kept for ever
  bool stirred;          // something may be past that now: it ended since the latest look, …
  int64_t looked_at;     // … which `own` began then
  int64_t ended;         // so many did since
  int64_t early_at;      // of a session: its next look does not wait for the interval; 0: it does
  int64_t age_at;        // when something that it left comes of age; 0: nothing does
  int64_t free_at;       // another process has the cleanup, until then; 0: none
  int64_t self;          // by which other processes know who has it
  // … of the driver's run
  struct arena arena;  // of what follows
  struct cleanup_step *steps;
  size_t step_count, at;
  struct list sums;  // struct cleanup_sum: what it has removed
  int64_t began_at, run_age_at;

  pthread_mutex_t lock;
  struct cleanup_past *pasts;  // lock; those that removed something, or were of one tenant only
  size_t past_count;           // lock
  struct cleanup_past all;     // lock; the latest for all tenants
  bool running, active;        // lock
  int64_t next_at;             // lock
};

struct lane {
  struct engine *e;
  struct store_lane *store;
  pthread_t thread;
  bool started;

  // of its own thread
  struct order sweep;  // the engine's own order to move on what is due
  bool sweep_left;     // the latest one left what is due, and nobody else has it
  bool worked;         // the store was not tended while idle since the last unit
  bool tend_now;       // has been idle for long enough

  struct unit *unit;  // work; the one under way

  // queue_lock
  pthread_cond_t called;
  struct lane *idle_next;  // of those that wait for work
  int64_t tend_at;         // when it has been idle for long enough; 0: it was tended
  int64_t rest_until;      // it has nothing to do before

  // How its calls into the store ended; stamps are of e->attempts.
  _Atomic int err;                 // of the latest; ERR_OK: it works
  _Atomic uint64_t worked_at;      // latest success
  _Atomic uint64_t failing_since;  // first failure since then
  _Atomic uint64_t began_at;       // its unit under way …
  _Atomic int64_t began_us;        // … and when that was, µs of the monotonic clock; 0: none is
};

struct engine {
  struct store *store;
  struct engine_settings settings;
  struct clock clock;

  struct lane *lanes;
  size_t lane_count;
  size_t join_items;  // another lane joins when so much waits; see queue.c
  bool shared;        // others may change the store between a unit's load and its end

  pthread_mutex_t queue_lock;
  pthread_cond_t query_filled, news_paused;
  struct order_list queued;                        // queue_lock
  struct pace pace;                                // queue_lock; at which they are taken
  int64_t queued_at;                               // queue_lock; when its first order came, µs
  struct query *query_head, *query_tail;           // queue_lock
  size_t query_count;                              // queue_lock
  bool stopping, withdrawn, draining, drain_seen;  // queue_lock
  struct lane *idle;                               // queue_lock; the first one minds the time
  size_t awake;                                    // queue_lock; lanes that are not idle
  int64_t due_at;                                  // queue_lock; when there is work by time, or 0

  pthread_mutex_t answer_lock;
  struct order_list answered;      // answer_lock
  struct query *answered_queries;  // answer_lock
  struct unit *free_units;         // answer_lock
  size_t free_unit_count;          // answer_lock

  pthread_mutex_t work_lock;
  // work
  struct order_list again;     // to be decided in the next unit
  struct order_list later;     // to be decided again at their `not_before`
  int64_t later_at;            // the earliest of those, or 0; may be too early
  struct order_list outgoing;  // answered, not flushed yet
  struct id_source ids;
  int64_t wake_at;  // earliest wake_at in the store, or 0; may be too early
  struct park_group *groups;
  uint64_t tickets;
  struct order **deadlines;  // heap of parked orders by deadline
  size_t deadline_count, deadline_cap;
  size_t keys_parked;  // how many of them have an Idempotency-Key
  struct watch_entry *watches;
  size_t watch_count, watch_cap;
  bool lane_draining;
  bool missed;  // a claim that was woken could not take its task, because its unit failed
  struct recent ready_lately, ended_lately;

  struct store_reader *lane_reader;  // for stores with lane_reads; of the only lane's thread
  pthread_t *reader_threads;
  size_t reader_count;
  pthread_t news_thread;
  bool started, news_started;
  _Atomic uint64_t news_failing_since;  // stamp of the first failure of the news; 0: they come
  _Atomic int64_t news_began_us;        // when the call under way began; 0: none is

  // Of units that failed.
  enum err failure_logged;            // work; the kind that was logged last …
  _Atomic int64_t failure_logged_us;  // … and when; 0: none since the store worked
  int64_t failures_unlogged;          // work; since then

  struct catalog_memory catalog;
  struct worker_memory workers;
  struct cleanup_memory cleanup;

  _Atomic uint64_t attempts;  // to use the store
  _Atomic bool ailing;        // no lane worked lately, and that was logged

  // statistics
  _Atomic uint64_t units, commits, orders, items, parked, watching, commit_us_max;
};

// engine.c
static inline void engine_enter(struct engine *e) { pthread_mutex_lock(&e->work_lock); }
// Lets go of work_lock, and tells the others what there is to do and engine_collect what was
// answered.
void engine_leave(struct engine *e);
void engine_pause(struct engine *e);  // the same, around a call into the store: answers stay

// answer.c: with work_lock held, but for units_… and query_finish.
void engine_answer(struct engine *e, struct unit *u, struct order *order);  // u: NULL when none
void engine_refuse(struct engine *e, struct order *order, enum err err, const char *sentence);
bool engine_hand_out(struct engine *e);  // to engine_collect; true when `wake` is to be called
struct unit *unit_take(struct engine *e);
void unit_release(struct engine *e, struct unit *u);  // counts one hold down; recycles at none
void units_free(struct engine *e);
void query_finish(struct engine *e, struct query *query);

// queue.c: the orders that wait for a lane, and the lanes that wait for orders.
// Another lane joins when so much waits (tasks to be created, claimed, ended) that one unit takes
// longer over it than a commit takes.
enum { LANE_JOIN_ITEMS = 32 };
void order_append(struct order_list *list, struct order *order);
void order_enqueue(struct order_list *list, struct order *order);  // to be taken by order_take
// The same, before all that were not let past others as well.
void order_enqueue_ahead(struct order_list *list, struct order *order);
// Takes what waits, up to the size of a unit, of which `*items` are taken.
struct order *order_take(struct order_list *from, size_t *items);
void order_chain(struct order **to, struct order *more);
struct gathered {
  struct order *orders;
  bool withdrawn;   // someone who waited has left
  bool drain;       // from now on nobody waits
  bool steps_back;  // the lane leaves the work to others
};
struct gathered queue_gather(struct lane *lane, int64_t now);
void queue_due(struct engine *e);       // there is something to do, or there will be: see e->due_at
void queue_call(struct engine *e);      // a lane that has nothing to do looks again
void queue_call_all(struct engine *e);  // all of them; with queue_lock held
bool lane_wait(struct lane *lane);      // until there is work for it. False: time to stop
bool lane_steps_back(struct lane *lane);  // with queue_lock held: it fails and others do not

// lane.c
bool lane_turn(struct lane *lane, int64_t *next_at);  // one unit of work, if there is any
void *lane_run(void *lane);
void lanes_answer_the_rest(struct engine *e);             // after their threads have ended
int64_t engine_due(const struct engine *e, int64_t now);  // when something is to be done; 0: never
// How a call into the store ended.
void lane_note(struct lane *lane, enum err err);
enum err lanes_state(struct engine *e);  // ERR_OK: some lane works
void lane_begins(struct lane *lane);     // a unit, which lane_ends ends
void lane_ends(struct lane *lane);
void lanes_news_begin(struct engine *e);  // a call for news, which lanes_news_end ends
void lanes_news_end(struct engine *e, enum err err);

// again.c: orders that are decided again.
void engine_again(struct engine *e, struct order *order);  // in the next unit, or at `not_before`
void again_due(struct engine *e, int64_t now);  // those whose time has come: in the next unit
// The unit failed for a reason that may not hold the next time: true when the order gets one.
bool again_after(struct unit *u, struct order *order, const struct fault *why);
bool again_blames_one(enum err err);

// decide.c
void decide(struct unit *u);

// fail.c: the unit failed: nobody hears of what it decided.
void fail_all(struct unit *u, const struct fault *why);

// recent.c
void recent_ready(struct engine *e, int64_t tenant, struct str queue, struct str type);
void recent_ready_any(struct engine *e, int64_t tenant);
void recent_ended(struct engine *e, struct id id);
// Whether what the order waits for may have come since the unit began to load.
bool recent_concerns(const struct unit *u, const struct order *order);

// news.c
void *news_run(void *engine);
// One round: tells the store what is waited for here, and takes in what others did.
MUST_USE enum err news_turn(struct engine *e, struct arena *a, struct fault *why);

// readers.c
enum err readers_start(struct engine *e, struct fault *why);
void readers_stop(struct engine *e);
bool readers_serve(struct engine *e);  // lane thread, for stores with lane_reads

// park.c: orders that wait. `deadline` is in clock time.
void park_claim(struct engine *e, struct order *order);
void park_watch(struct engine *e, struct order *order, struct id id);
void park_hold(struct unit *u, struct order *order);  // it is the unit's own until that is over
void park_release(struct unit *u);                    // the unit was committed
struct order *park_take_held(struct unit *u);  // it failed: takes them out, chained by `next`
void park_remove(struct engine *e, struct order *order);
void park_ended(struct unit *u);  // wakes the watchers of tasks that ended
void park_ended_one(struct engine *e, struct id id);
void park_expire(struct engine *e, int64_t now);  // those whose deadline has come
// Ends the waiting of all that `actor` asked for, as if its time had come.
void park_send_back(struct engine *e, struct str actor);
void park_withdrawn(struct engine *e);                   // drops those whom nobody waits for
bool order_is_gone(const struct order *order);           // nobody waits for its answer any more
void park_again(struct engine *e, struct order *order);  // out of the park, into the next unit
void park_drain(struct engine *e);
int64_t park_deadline(const struct engine *e);  // the earliest; 0: none
struct park_group *park_group_of(struct engine *e, const struct pick *filter);  // NULL: none
struct order *park_first(const struct park_group *g, const struct unit *u);  // NULL: all are held
void deadlines_add(struct engine *e, struct order *order);
void deadlines_remove(struct engine *e, struct order *order);

// feed.c: what became ready goes to those who wait.
void feed_parked(struct unit *u);  // gives it to them
void feed_undo(struct unit *u);    // the unit failed: puts back whom it fed
void feed_offer(struct unit *u);   // after the commit: wakes those for whom something is left
void feed_pass(struct engine *e, const struct order *from);  // … and did not take it
// Wakes those who wait longest for such tasks, as many as `count` tasks may serve.
void feed_wake(struct engine *e, int64_t tenant, struct str queue, struct str type, int64_t count);
void feed_kick(struct engine *e, int64_t tenant);  // decide all parked claims of a tenant again
void feed_missed(struct engine *e);  // … of all, if what some were woken for lies there

// claim.c
enum { CLAIM_BUSY_MS = 5 };  // others hold what fits: look again after this
bool claim_fits(const struct claim_filter *f, const struct task *task);
bool claim_same_names(const struct str *a, size_t an, const struct str *b, size_t bn);
void claim_take(struct unit *u, struct order *order, struct row *row);
size_t claim_from_ready(struct unit *u, struct order *order);
struct row *claim_left(struct pick_slot *slot);    // a candidate that nobody took
bool claim_was_cut(const struct pick_slot *slot);  // there may be more candidates

// settle.c
void settle_back_to_pending(struct unit *u, struct row *row, enum move move, int64_t delay_ms);
// Ends a pending task whose expiresAt is past. Also one that has just come back from its worker, so
// that no claim of the same unit takes it.
bool sweep_expire(struct unit *u, struct row *row);
void settle_failed(struct unit *u, struct order *order, struct row *row,
                   const struct settle_item *item);

// holder.c: whether the claim of a running task stands and is the one that `lease` names, or, with
// lease 0, was made by the order's actor for `worker` (NONE: for any); and what to say if not.
bool holder_is(const struct order *order, const struct task *task, int64_t lease,
               struct str worker);
struct str holder_refusal(int64_t lease);

// moves.c: the row that an order is about, or its ERR_NOT_FOUND.
struct row *order_row(struct unit *u, struct order *order);
void order_answer_row(struct unit *u, struct order *order, struct row *row);

// run.c: with work_lock held, which it lets go while the store works.
MUST_USE enum err run_unit(struct unit *u, bool sweep);

// catalog.c
enum err catalog_open(struct engine *e, struct fault *why);
void catalog_close(struct engine *e);
void catalog_absorb(struct unit *u);                              // after the commit
void catalog_learn(struct engine *e, const struct catalog *all);  // as the store has it
bool catalog_type(struct engine *e, int64_t tenant, struct str name, struct arena *a,
                  struct type *out);
bool catalog_queue(struct engine *e, int64_t tenant, struct str name);  // it was paused once
size_t catalog_paused(struct engine *e, int64_t tenant, struct arena *a, struct str **names);
int64_t catalog_tenant_next(struct engine *e);
// Of the keys that stopped opening longer ago than LIMIT_KEY_DEAD_MS the one that did so first,
// but for those whose ids (struct str) are listed; false: there is none.
bool catalog_dead_key(struct engine *e, int64_t now, const struct list *but, struct arena *a,
                      struct api_key *out);
size_t catalog_admins(struct engine *e, int64_t tenant, int64_t now);  // admin keys that open
// How long the key that an actor is opens still; INT64_MAX: for ever, or it is none.
int64_t catalog_actor_left_ms(struct engine *e, struct str actor, int64_t now);
bool catalog_key(struct engine *e, int64_t tenant, struct str id, struct arena *a,
                 struct api_key *out);

// retention.c: what is to go, by the counts of tasks; the steps live in `a`.
bool retention_has_rules(struct engine *e);
size_t retention_steps(struct unit *u, int64_t tenant, struct arena *a, struct cleanup_step **out);

// cleanup.c: with work_lock held, but for the first three.
void cleanup_open(struct engine *e);
void cleanup_close(struct engine *e);
void cleanup_rules_changed(struct engine *e);
void cleanup_full(struct engine *e);                        // the store takes no more
int64_t cleanup_due(const struct engine *e);                // 0: never, as things stand
struct order *cleanup_take(struct engine *e, int64_t now);  // what is due; NULL: nothing
void cleanup_absorb(struct unit *u);                        // the unit was committed
// The order has come to its end. True: it is the engine's own, and nobody waits for an answer.
bool cleanup_answered(struct engine *e, struct order *order);

// workers.c
void workers_open(struct engine *e);
void workers_close(struct engine *e);
void workers_seen(struct engine *e, int64_t tenant, struct str worker, int64_t now);
void workers_asked(struct engine *e, int64_t tenant, const struct claim_filter *f, int64_t now);
void workers_claimed(struct engine *e, int64_t tenant, struct str worker, size_t count);
void workers_waiting(struct engine *e, int64_t tenant, struct str worker, bool waiting);

#endif
