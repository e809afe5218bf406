// unit.h: what the files of a unit of work share: lane.c, load.c, pick.c, ended.c, apply.c,
// events.c, settle.c.
#ifndef STORE_POSTGRES_UNIT_H
#define STORE_POSTGRES_UNIT_H

#include "store/postgres/internal.h"

// How a unit moved the tally of a channel.
struct tally_moved {
  struct channel *channel;
  int64_t ready, count[TASK_STATUS_COUNT];
  struct tally_moved *next;  // of those that the unit touched
};

struct store_lane {
  struct postgres_store *store;
  struct conn conn;
  struct arena scratch;        // arguments of the statements under way
  struct tally_moved **moves;  // by the number of the channel; all NULL between units
  bool open;                   // a transaction is open
  size_t begun;                // statements that opened it, whose results are still to come
  struct row **picked;         // for claims of the unit under way; in its arena
  size_t picked_count, picked_cap;
  bool ailing;                 // the latest unit failed; `tend` tries whether the server works
  int64_t replays_dropped_us;  // when old answers were removed last
  int64_t next_try_us;         // when a lost connection may be tried again, of the monotonic clock
  int64_t pause_us;            // how long to wait after the next failure
  char unfit[FAULT_DETAIL_BYTES];  // why the latest try failed
};

// How the outcome of a commit is found when the connection is lost amid it.
struct proof {
  int64_t xid;    // 0: not known yet, and then the commit was not sent
  int64_t token;  // in table `unit` if it was committed
};

// lane.c: opens one without looking whether a move into the store is under way.
MUST_USE enum err pg_lane_make(struct postgres_store *s, struct store_lane **out,
                               struct fault *why);
// lane.c: the results of what pg_lane_begin sent; they come first.
MUST_USE enum err pg_receive_begun(struct store_lane *lane, struct fault *why);
// Ends a unit that failed before its commit, and says what is to be said of it.
enum err pg_lane_lost(struct store_lane *lane, enum err err, struct fault *why);

// load.c: rows under way, whose channels are still numbers.
struct loaded {
  struct store_lane *lane;
  struct arena *arena;
  struct row **rows;
  size_t count, cap;
  struct pick_walk *walks;  // one a pick
  bool walking;             // some of them were sent
  int64_t *tally_channels;  // of each tally
};
// Reads a task with all its columns into a new row.
struct row *pg_loaded_row(struct loaded *l, struct result *r);

// pick.c: sending, receiving, and what needs another trip.
MUST_USE enum err pg_pick_send(struct loaded *l, struct load *want, struct fault *why);
MUST_USE enum err pg_pick_receive(struct loaded *l, struct load *want, struct fault *why);
MUST_USE enum err pg_pick_finish(struct loaded *l, struct load *want, struct fault *why);
void pg_pick_became_ready(struct postgres_store *s, const struct change *change);
void pg_pick_release(struct store_lane *lane, bool failed);  // the unit has ended

// ended.c: the same for what the cleanup wants, and the names of the channels of its tallies.
void pg_cleanup_clear(struct load *want);
MUST_USE enum err pg_cleanup_send(struct loaded *l, const struct load *want, struct fault *why);
MUST_USE enum err pg_cleanup_receive(struct loaded *l, struct load *want, struct fault *why);
MUST_USE enum err pg_cleanup_name(struct loaded *l, struct load *want, struct fault *why);
// Who has it from now on; NULL: that stays as it is.
MUST_USE enum err pg_cleanup_set(struct conn *conn, const struct duty *duty, struct fault *why);

// naming.c: the number of the channel of a task's tenant, queue and type, made if there is none.
MUST_USE enum err pg_channel_find(struct postgres_store *s, const struct task *t, int64_t *number,
                                  struct fault *why);

// The same for each fresh row of a change. ERR_TOO_MANY: there are LIMIT_CHANNELS.
MUST_USE enum err pg_channels_name(struct store_lane *lane, const struct change *change,
                                   struct fault *why);

// events.c
MUST_USE enum err pg_events_send(struct store_lane *lane, const struct change *change,
                                 struct fault *why);
MUST_USE enum err pg_events_receive(struct store_lane *lane, const struct change *change,
                                    struct fault *why);

// settle.c: ERR_OK: it was committed. ERR_CONFLICT: it was not. ERR_UNAVAILABLE: unknown.
enum err pg_settle(struct store_lane *lane, const struct proof *proof, struct fault *why);

// tally.c: counts the change, and sends what it moved.
void pg_tally_count(struct store_lane *lane, const struct change *change, struct tally_moved **all);
MUST_USE enum err pg_tally_send(struct store_lane *lane, struct tally_moved *all,
                                struct fault *why);

// A key for an advisory lock of our own: the same in all processes on a schema.
int64_t pg_lock_key(const struct postgres_store *s, const char *what, int64_t number);

#endif
