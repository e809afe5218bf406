// testing_ended.h: what the fake store brings for the cleanup: a part of testing_store.h.
#ifndef ENGINE_TESTING_ENDED_H
#define ENGINE_TESTING_ENDED_H

static inline bool fake_has_ended(const struct want_ended *w, const struct task *t) {
  return t->tenant == w->tenant && (str_is_none(w->type) || str_eq(w->type, t->type)) &&
         w->statuses & 1u << t->status;
}

static inline int fake_ended_before(const void *a_ptr, const void *b_ptr) {
  const struct task *a = *(struct task *const *)a_ptr, *b = *(struct task *const *)b_ptr;
  if (a->completed_at != b->completed_at) return a->completed_at < b->completed_at ? -1 : 1;
  return id_key(a->id) < id_key(b->id) ? -1 : 1;
}

static inline void fake_ended(struct store_lane *lane, struct arena *arena, struct want_ended *w,
                              size_t limit) {
  struct fake_store *s = lane->s;
  struct task **fits = ARENA_ARRAY(arena, struct task *, s->task_count + 1);
  size_t count = 0;
  w->next_at = 0;
  for (size_t i = 0; i < s->task_count; i++) {
    struct task *t = &s->tasks[i];
    if (!fake_has_ended(w, t)) continue;
    if (t->completed_at < w->after) continue;
    bool behind = w->before && t->completed_at > w->before;
    if (behind && (w->next_at == 0 || t->completed_at < w->next_at)) w->next_at = t->completed_at;
    if (!behind && !fake_is_locked(lane, fake_lock_of_id(t->id))) fits[count++] = t;
  }
  qsort(fits, count, sizeof *fits, fake_ended_before);
  if (count > limit) count = limit;
  if (count > w->limit) count = w->limit;
  w->row_count = count;
  w->rows = ARENA_ARRAY(arena, struct row *, count + 1);
  for (size_t i = 0; i < count; i++) {
    w->rows[i] = fake_row(s, arena, fits[i], 0);
    fake_take(lane, fake_lock_of_id(fits[i]->id));
  }
}

static inline struct tally *fake_tally_of(struct load *want, const struct task *t) {
  for (size_t i = 0; i < want->tally_count; i++) {
    struct tally *tally = &want->tally[i];
    if (tally->tenant == t->tenant && str_eq(tally->queue, t->queue) &&
        str_eq(tally->type, t->type))
      return tally;
  }
  struct tally *tally = &want->tally[want->tally_count++];
  *tally = (struct tally){.tenant = t->tenant,
                          .queue = arena_dup(want->arena, t->queue),
                          .type = arena_dup(want->arena, t->type)};
  return tally;
}

static inline void fake_tallies(struct fake_store *s, struct load *want) {
  want->tally = ARENA_ARRAY(want->arena, struct tally, s->task_count + 1);
  want->tally_count = 0;
  s->tallies++;
  for (size_t i = 0; i < s->task_count; i++)
    fake_tally_of(want, &s->tasks[i])->count[s->tasks[i].status]++;
}

static inline void fake_duty(struct store_lane *lane, struct load *want) {
  want->duty = NULL;
  if (fake_is_locked(lane, FAKE_LOCK_CLEANUP)) return;
  fake_take(lane, FAKE_LOCK_CLEANUP);
  want->duty = ARENA_NEW(want->arena, struct duty);
  *want->duty = lane->s->duty;
}

static inline void fake_load_cleanup(struct store_lane *lane, struct load *want) {
  size_t left = want->ended_limit;
  if (want->tallies) fake_tallies(lane->s, want);
  if (want->cleanup) fake_duty(lane, want);
  for (size_t i = 0; i < want->ended_count; i++) {
    fake_ended(lane, want->arena, &want->ended[i], left);
    left -= want->ended[i].row_count;
  }
}

#endif
