// channel.h: the numbers of (tenant, queue, type) triples, kept in memory and shared by the lanes
// and readers of a process. A number, once given and committed, never changes.
#ifndef STORE_POSTGRES_CHANNEL_H
#define STORE_POSTGRES_CHANNEL_H

#include <pthread.h>

#include "base/arena.h"
#include "model/limits.h"
#include "model/nouns.h"
#include "store/postgres/frontier.h"

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
// frontier_lower of the channel's.
void pg_channels_lower(struct channels *cs, struct channel *c, int64_t rank, struct id id,
                       struct id oldest);
// frontier_raise of the channel's. walked_at 0: the walk had not begun at the front.
void pg_channels_raise(struct channels *cs, struct channel *c, const struct frontier *seen,
                       int64_t rank, struct id id, int64_t walked_at, int64_t walk_us);
// A walk from the front was made for no claim; or met nothing, and had begun at `seen`.
void pg_channels_walked(struct channels *cs, struct channel *c, const struct frontier *seen,
                        int64_t walked_at, int64_t walk_us);
// Those from whose front it is dear to walk; in the arena.
size_t pg_channels_dear(struct channels *cs, struct arena *a, struct channel ***out);

#endif
