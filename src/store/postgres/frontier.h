// frontier.h: how far claims have eaten into the ready tasks of a channel, so that the next one
// need not walk over what they left behind. Hints only: tasks that a frontier hides are found by
// the next walk from the front. No database here.
#ifndef STORE_POSTGRES_FRONTIER_H
#define STORE_POSTGRES_FRONTIER_H

#include "base/arena.h"
#include "base/id.h"

// Claims go by rank, the negated priority, and then by id.
enum { RANK_FRONT = INT32_MIN, RANK_END = INT32_MAX };

// Of the tasks of one priority none before `id` was ready.
struct level {
  int64_t rank;
  struct id id;
  int64_t lowered;  // how often something became ready before it
};

enum {
  FRONTIER_LEVELS = 16,
  FRONTIER_DEAR_US = 1500,  // a walk from the front that takes longer is over much that is dead
};
struct frontier {
  // No task before this rank and id was ready; RANK_FRONT: nothing is known, RANK_END: there was
  // none at all …
  int64_t rank;
  struct id id;
  int64_t walked_at;  // … when the index was walked from its front the last time, µs of the
                      // monotonic clock; 0: begin at the front
  int64_t walk_us;    // what that cost
  int64_t lowered;    // how often something became ready before this
  struct level levels[FRONTIER_LEVELS];  // behind it; rising
  size_t level_count;
};

static inline bool frontier_is_dear(const struct frontier *f) {
  return f->walk_us > FRONTIER_DEAR_US;
}

// A task of that rank and id became ready, and others after it, none of which has an id before
// `oldest`.
void frontier_lower(struct frontier *f, int64_t rank, struct id id, struct id oldest);
// A claim was given this task, and none before it; its walk began at `seen`. What was lowered since
// is left. Of all that a claim was given the last is told first.
void frontier_raise(struct frontier *f, const struct frontier *seen, int64_t rank, struct id id);
// A walk from the front, begun at `seen`, met nothing to its end.
void frontier_drained(struct frontier *f, const struct frontier *seen);

// A part of a walk: in one channel from a rank and id to the end of a rank.
struct stretch {
  size_t channel;  // its place among those that are walked
  size_t step;     // stretches of one step are merged; steps are walked one after the other
  int64_t rank;
  struct id id;
  int64_t rank_end;
};

// Walks that begin at these frontiers (walked_at 0: at the front), in steps from best to last. With
// `by_level` what lies behind a frontier is walked level by level.
size_t frontier_plan(const struct frontier *all, size_t count, bool by_level, struct arena *a,
                     struct stretch **out);

#endif
