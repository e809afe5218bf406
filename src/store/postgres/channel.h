// channel.h: the numbers of (tenant, queue, type) triples, kept in memory and shared by the lanes
// and readers of a process. A number, once given and committed, never changes.
#ifndef STORE_POSTGRES_CHANNEL_H
#define STORE_POSTGRES_CHANNEL_H

#include <pthread.h>

#include "base/arena.h"
#include "model/limits.h"
#include "model/nouns.h"

// How far claims have eaten into the ready tasks of a channel: those before it were all gone when
// the index was walked from its front the last time. Only a hint about where to begin.
struct frontier {
  int64_t priority;
  struct id id;
  int64_t walked_at;  // when that was, µs of the monotonic clock; 0: begin at the front
  int64_t walk_us;    // what it cost
};

struct channel {
  int64_t number;
  int64_t tenant;
  struct str queue, type;
  struct frontier frontier;  // guarded by the lock
};

struct channels;
struct channels *pg_channels_new(void);
void pg_channels_free(struct channels *cs);  // NULL is allowed
// Takes in a channel as it is committed; one that is known already is left.
void pg_channels_add(struct channels *cs, int64_t number, int64_t tenant, struct str queue,
                     struct str type);
int64_t pg_channels_highest(struct channels *cs);  // 0: none is known
size_t pg_channels_count(struct channels *cs);
// Valid until the channels are freed; its names never change. NULL: not known here (yet).
struct channel *pg_channels_at(struct channels *cs, int64_t number);
struct channel *pg_channels_find(struct channels *cs, int64_t tenant, struct str queue,
                                 struct str type);
// All of a tenant that a filter allows; in the arena.
size_t pg_channels_fitting(struct channels *cs, struct arena *a, int64_t tenant,
                           const struct str *types, size_t type_count, const struct str *queues,
                           size_t queue_count, const struct str *not_queues, size_t not_queue_count,
                           struct channel ***out);
struct frontier pg_channels_frontier(struct channels *cs, struct channel *c);
void pg_channels_frontier_set(struct channels *cs, struct channel *c, struct frontier f);

#endif
