// frontier.c: where claims begin to walk.
#include "store/postgres/frontier.h"

enum { STRETCHES_MAX = 512 };  // of one walk; past it levels are left aside

static bool id_before(struct id a, struct id b) { return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo; }

static bool is_before(int64_t rank, struct id id, const struct frontier *f) {
  return rank != f->rank ? rank < f->rank : id_before(id, f->id);
}

// The place of the first level that is not before this rank.
static size_t level_place(const struct frontier *f, int64_t rank) {
  size_t i = 0;
  while (i < f->level_count && f->levels[i].rank < rank) i++;
  return i;
}

static const struct level *level_of(const struct frontier *f, int64_t rank) {
  size_t i = level_place(f, rank);
  return i < f->level_count && f->levels[i].rank == rank ? &f->levels[i] : NULL;
}

void frontier_lower(struct frontier *f, int64_t rank, struct id id, struct id oldest) {
  bool lowers = is_before(rank, id, f);
  if (lowers) {
    f->rank = rank;
    f->id = id;
  }
  f->lowered += lowers || f->rank == RANK_FRONT;  // then a walk under way does not know of it
  for (size_t i = level_place(f, rank); i < f->level_count; i++) {
    struct level *level = &f->levels[i];
    struct id earliest = level->rank == rank ? id : oldest;
    if (!id_before(earliest, level->id)) continue;
    level->id = earliest;
    level->lowered++;
  }
}

// When there are too many the last one makes room: claims reach it least.
static void level_add(struct frontier *f, size_t place, int64_t rank, struct id id) {
  if (place == FRONTIER_LEVELS) return;
  if (f->level_count < FRONTIER_LEVELS) f->level_count++;
  for (size_t k = f->level_count - 1; k > place; k--) f->levels[k] = f->levels[k - 1];
  f->levels[place] = (struct level){.rank = rank, .id = id};
}

static void level_raise(struct frontier *f, const struct frontier *seen, int64_t rank,
                        struct id id) {
  size_t place = level_place(f, rank);
  if (place == f->level_count || f->levels[place].rank != rank) {
    level_add(f, place, rank, id);
    return;
  }
  const struct level *before = level_of(seen, rank);
  if (f->levels[place].lowered == (before ? before->lowered : 0)) f->levels[place].id = id;
}

void frontier_raise(struct frontier *f, const struct frontier *seen, int64_t rank, struct id id) {
  level_raise(f, seen, rank, id);
  if (f->lowered != seen->lowered) return;
  f->rank = rank;
  f->id = id;
}

void frontier_drained(struct frontier *f, const struct frontier *seen) {
  if (f->lowered != seen->lowered || f->rank != RANK_FRONT) return;
  f->rank = RANK_END;
  f->id = (struct id){0};
}

// --- walks ---------------------------------------------------------------------------------------

// Ranks that are a step of their own: the levels of all, each once, rising. Too many: none.
struct cuts {
  int64_t ranks[2 * FRONTIER_LEVELS];
  size_t count;
};

static bool cut_put(struct cuts *cuts, int64_t rank) {
  size_t i = cuts->count;
  for (size_t k = 0; k < cuts->count; k++)
    if (cuts->ranks[k] == rank) return true;
  if (cuts->count == sizeof cuts->ranks / sizeof *cuts->ranks) return false;
  for (cuts->count++; i > 0 && cuts->ranks[i - 1] > rank; i--) cuts->ranks[i] = cuts->ranks[i - 1];
  cuts->ranks[i] = rank;
  return true;
}

static void cuts_find(const struct frontier *all, size_t count, struct cuts *cuts) {
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; all[i].walked_at && k < all[i].level_count; k++) {
      bool fits = all[i].levels[k].rank < all[i].rank || cut_put(cuts, all[i].levels[k].rank);
      if (fits && (2 * cuts->count + 1) * count <= STRETCHES_MAX) continue;
      cuts->count = 0;
      return;
    }
  }
}

static int64_t start_rank(const struct frontier *f) { return f->walked_at ? f->rank : RANK_FRONT; }

// Where a channel's walk of the ranks from `rank` on begins.
static void stretch_begin(const struct frontier *f, bool by_level, struct stretch *s) {
  if (!f->walked_at) return;
  const struct level *level = by_level ? level_of(f, s->rank) : NULL;
  if (s->rank == f->rank) s->id = f->id;
  if (level && id_before(s->id, level->id)) s->id = level->id;
}

struct planner {
  const struct frontier *all;
  size_t count;
  bool by_level;
  struct stretch *out;
  size_t stretches, steps;
};

// One step: the ranks from `rank` to `rank_end` of all channels whose walk has begun by then.
static void plan_step(struct planner *p, int64_t rank, int64_t rank_end) {
  size_t before = p->stretches;
  for (size_t i = 0; i < p->count && rank <= rank_end; i++) {
    int64_t start = start_rank(&p->all[i]);
    if (start > rank_end) continue;
    struct stretch *s = &p->out[p->stretches++];
    *s = (struct stretch){
        .channel = i, .step = p->steps, .rank = start > rank ? start : rank, .rank_end = rank_end};
    stretch_begin(&p->all[i], p->by_level, s);
  }
  if (p->stretches > before) p->steps++;
}

size_t frontier_plan(const struct frontier *all, size_t count, bool by_level, struct arena *a,
                     struct stretch **out) {
  struct cuts cuts = {.count = 0};
  if (by_level) cuts_find(all, count, &cuts);
  struct planner p = {.all = all, .count = count, .by_level = cuts.count > 0};
  p.out = *out = ARENA_ARRAY(a, struct stretch, (2 * cuts.count + 1) * count + 1);
  int64_t rank = RANK_FRONT;
  for (size_t i = 0; i < cuts.count; i++) {
    plan_step(&p, rank, cuts.ranks[i] - 1);
    plan_step(&p, cuts.ranks[i], cuts.ranks[i]);
    rank = cuts.ranks[i] + 1;
  }
  plan_step(&p, rank, RANK_END);
  return p.stretches;
}
