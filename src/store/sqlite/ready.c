// ready.c: the ready tasks of several channels in claim order: priority falling, then older first.
#include "store/sqlite/internal.h"

static bool comes_before(const struct ready *a, const struct ready *b) {
  return a->priority != b->priority ? a->priority > b->priority : a->key < b->key;
}

// The best so far, in order, and room for a second list of the same size to merge into.
struct best {
  struct ready *at, *other;
  size_t count, limit;
};

// Merges a channel's tasks, which come in order, into the best. Stops at the first that is behind
// a full list, so that channels after the first are read only as far as they take part.
static enum err merge_channel(struct best *best, struct use *u, struct fault *why) {
  size_t kept = 0, count = 0;
  bool row = false;
  enum err err = sqlite_use_row(u, &row, why);
  while (err == ERR_OK && row && count < best->limit) {
    struct ready next;
    next.key = use_get_i64(u);
    next.priority = use_get_i64(u);
    bool fits = use_get_i64(u) != 0;
    next.salt = use_get_i64(u);
    while (kept < best->count && count < best->limit && comes_before(&best->at[kept], &next))
      best->other[count++] = best->at[kept++];
    if (count == best->limit) break;
    if (fits) best->other[count++] = next;
    err = sqlite_use_row(u, &row, why);
  }
  sqlite_use_end(u);
  while (kept < best->count && count < best->limit) best->other[count++] = best->at[kept++];
  struct ready *merged = best->other;
  best->other = best->at;
  best->at = merged;
  best->count = count;
  return err;
}

enum err sqlite_ready_merge(struct use *u, const int64_t *channels, size_t channel_count,
                            struct ready_after after, size_t limit, struct arena *a,
                            struct ready **out, size_t *count, struct fault *why) {
  struct best best = {.limit = limit};
  best.at = arena_alloc(a, sizeof(struct ready) * limit);
  best.other = arena_alloc(a, sizeof(struct ready) * limit);
  for (size_t i = 0; i < channel_count; i++) {
    use_i64(u, channels[i]);
    use_i64(u, after.priority);
    use_i64(u, after.key);
    TRY(merge_channel(&best, u, why));
  }
  *out = best.at;
  *count = best.count;
  return ERR_OK;
}
