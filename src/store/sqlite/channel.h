// channel.h: the (tenant, queue, type) triples of a store and how many tasks of each are in which
// status, kept in memory by the lane. A unit moves the counts apart from what is committed, until
// it is settled.
#ifndef STORE_SQLITE_CHANNEL_H
#define STORE_SQLITE_CHANNEL_H

#include "model/limits.h"
#include "model/nouns.h"
#include "base/arena.h"
#include "base/err.h"

struct channel_counts {
  int64_t count[TASK_STATUS_COUNT];
  int64_t ready;
};

struct channel {
  int64_t number;  // from 1
  int64_t tenant;
  struct str queue, type;
  struct channel_counts counts;  // as committed
  struct channel_counts moved;   // by the unit under way
  bool touched;                  // by the unit under way
  bool fresh;                    // made by the unit under way
  size_t ready_at;               // its place in `ready`, while counts.ready > 0
};

enum { CHANNEL_SLOTS = 1 << 15 };  // of the hash table: a third full at most

struct channels {
  struct arena arena;                       // channels and their names
  size_t count;                             // the highest number in use
  struct channel *all[LIMIT_CHANNELS];      // by number - 1
  uint16_t slots[CHANNEL_SLOTS];            // numbers, by the hash of the triple; 0: free
  struct channel *touched[LIMIT_CHANNELS];  // by the unit under way
  size_t touched_count;
  struct channel *ready[LIMIT_CHANNELS];  // those with ready tasks, in no order
  size_t ready_count;
};

struct channels *sqlite_channels_new(void);
void sqlite_channels_free(struct channels *cs);  // NULL is allowed

// Takes in a channel as it stands in the store. ERR_STORE_BROKEN: its number cannot be.
MUST_USE enum err sqlite_channels_add(struct channels *cs, const struct tally *tally,
                                      int64_t number);

// The channel of a triple, made if there is none. ERR_TOO_MANY: LIMIT_CHANNELS are there.
MUST_USE enum err sqlite_channels_get(struct channels *cs, int64_t tenant, struct str queue,
                                      struct str type, struct channel **out, struct fault *why);

// NULL when there is none of this number.
struct channel *sqlite_channels_at(const struct channels *cs, int64_t number);

// Counts a task of the unit under way in (`by` 1) or out (-1).
void sqlite_channels_move(struct channels *cs, struct channel *c, enum task_status status,
                          enum waiting waiting, int64_t by);

// Ends the unit: what it moved and made becomes true, or is forgotten.
void sqlite_channels_settle(struct channels *cs, bool committed);

#endif
