// cleanup.c: removes the ended tasks that are past what is to be kept.
//
// A run is one order, decided again in unit after unit: the first one finds by the counts of tasks
// what is too much (retention.c), each that follows removes a bounded batch and rests, so that
// others are not held up. What goes by count is counted again with its batch, and what ends
// meanwhile is left to the next run.
// One run goes at a time, also among the servers that share a store: the one that has it says so in
// the store, anew with every other batch, and the others may take it over when its time is up.
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "engine/inside.h"

enum {
  FULL_MS = 1000,       // between two looks of a session that is full
  REST_MS = 10,         // between two batches, at least: half of the time is left to others
  DUTY_MS = 15 * 1000,  // a server that says nothing for so long has lost the cleanup
};

void cleanup_open(struct engine *e) {
  struct cleanup_memory *c = &e->cleanup;
  c->own = (struct order){.kind = ORDER_CLEANUP, .actor = STR("system"), .if_revision = ABSENT};
  c->self = (int64_t)(rand_u64() >> 1) | 1;
  c->looked_at = clock_now(&e->clock);
  arena_init(&c->arena, 4096);
  pthread_mutex_init(&c->lock, NULL);
}

void cleanup_close(struct engine *e) {
  arena_fini(&e->cleanup.arena);
  mem_free(e->cleanup.pasts);
  pthread_mutex_destroy(&e->cleanup.lock);
}

// --- when ----------------------------------------------------------------------------------------

// Where servers share a store each looks once an interval, since another one may have died before
// it did. Elsewhere nothing can be past its time unless it ended or came of age since.
int64_t cleanup_due(const struct engine *e) {
  const struct cleanup_memory *c = &e->cleanup;
  int64_t interval_ms = e->settings.retention.interval_ms;
  if (interval_ms <= 0 || !c->ruled || c->own_out || c->driver || e->lane_draining) return 0;
  if (c->free_at) return c->free_at;
  int64_t at = c->looked_at + interval_ms;
  if (c->early_at && c->early_at < at) return c->early_at;
  if (c->stirred || engine_is_shared(e)) return at;
  if (c->age_at == 0) return 0;
  return c->age_at > at ? c->age_at : at;
}

// What engine_cleanup tells.
static void publish(struct engine *e) {
  struct cleanup_memory *c = &e->cleanup;
  int64_t next_at = cleanup_due(e);
  pthread_mutex_lock(&c->lock);
  c->running = c->driver != NULL;
  c->active = c->ruled && e->settings.retention.interval_ms > 0;
  c->next_at = next_at;
  pthread_mutex_unlock(&c->lock);
}

void cleanup_rules_changed(struct engine *e) {
  e->cleanup.ruled = retention_has_rules(e);
  e->cleanup.stirred = true;
  publish(e);
}

struct order *cleanup_take(struct engine *e, int64_t now) {
  struct cleanup_memory *c = &e->cleanup;
  int64_t due = cleanup_due(e);
  if (due == 0 || due > now) return NULL;
  struct order fresh = {.kind = c->own.kind, .actor = c->own.actor, .if_revision = ABSENT};
  c->own = fresh;
  c->own_out = true;
  c->looked_at = now;
  c->ended = 0;
  c->early_at = 0;
  c->free_at = 0;
  return &c->own;
}

// --- one at a time -------------------------------------------------------------------------------

static enum verdict skip(struct order *order, const char *why) {
  order->in.cleanup.skipped = why;
  return ANSWERED;
}

// Another unit looks who has the cleanup, or says so.
static bool is_in_use(const struct unit *u) { return engine_is_shared(u->e) && u->duty == NULL; }

// Whether this server may begin, or go on. If not, when to ask again. A run that has begun is not
// lost by a look of others at it.
static bool has_duty(struct unit *u, const struct order *order) {
  struct cleanup_memory *c = &u->e->cleanup;
  const struct duty *duty = u->duty;
  bool begun = order->in.cleanup.begun;
  if (!engine_is_shared(u->e) || (begun && is_in_use(u))) return true;
  if (duty && duty->holder == c->self) return true;
  if (duty && !begun && (duty->holder == 0 || duty->until <= u->now)) return true;
  if (order == &c->own)
    c->free_at = (duty && duty->until > u->now ? duty->until : u->now) + REST_MS;
  return false;
}

static void keep_duty(struct unit *u, bool begun) {
  bool lasts = begun && u->duty && u->duty->until - u->now > DUTY_MS / 2;
  if (!engine_is_shared(u->e) || lasts) return;
  u->new_duty = (struct duty){.holder = u->e->cleanup.self, .until = u->now + DUTY_MS};
  u->duty_changes = true;
}

static void end_duty(struct unit *u) {
  if (!engine_is_shared(u->e) || !u->duty || u->duty->holder != u->e->cleanup.self) return;
  u->new_duty = (struct duty){0};
  u->duty_changes = true;
}

// --- a run ---------------------------------------------------------------------------------------

void cleanup_plan(struct unit *u, struct order *order) {
  const struct cleanup_memory *c = &u->e->cleanup;
  u->cleanup.began_at = u->now;
  u->wants_duty |= engine_is_shared(u->e);
  u->wants_tallies |= !order->in.cleanup.begun;
  if (!order->in.cleanup.begun) return;
  int64_t room = LIMIT_CLEANUP_ITEMS;
  for (size_t i = c->at; i < c->step_count && i < c->at + LIMIT_CLEANUP_WANTS && room > 0; i++) {
    const struct cleanup_step *step = &c->steps[i];
    bool few = step->excess && step->excess < LIMIT_CLEANUP_ITEMS;
    *LIST_PUSH(&u->arena, &u->want_ended, struct want_ended) =
        (struct want_ended){.tenant = step->tenant,
                            .type = step->type,
                            .statuses = step->statuses,
                            .after = step->after,
                            .before = step->before,
                            .limit = few ? (size_t)step->excess : LIMIT_CLEANUP_ITEMS};
    u->wants_tallies |= step->excess > 0;
    room -= step->excess;
  }
}

static void take_step(const struct cleanup_memory *c, struct cleanup_batch *b) {
  if (b->at < c->step_count) b->step = c->steps[b->at];
}

static void begin(struct unit *u, struct order *order) {
  struct cleanup_memory *c = &u->e->cleanup;
  arena_reset(&c->arena);
  c->sums = (struct list){0};
  c->at = 0;
  c->began_at = u->now;
  c->run_age_at = 0;
  c->step_count = retention_steps(u, order->tenant, &c->arena, &c->steps);
  if (order == &c->own) c->stirred = false;  // what ends from here on is for the next one
  take_step(c, &u->cleanup);
  if (c->step_count) keep_duty(u, false);
}

static struct cleanup_counts *sum_of(struct arena *a, struct list *sums, int64_t tenant) {
  for (size_t i = 0; i < sums->count; i++) {
    struct cleanup_sum *sum = LIST_AT(*sums, struct cleanup_sum, i);
    if (sum->tenant == tenant) return &sum->removed;
  }
  struct cleanup_sum *sum = LIST_PUSH(a, sums, struct cleanup_sum);
  sum->tenant = tenant;
  return &sum->removed;
}

static void count(struct cleanup_counts *counts, enum task_status status) {
  counts->completed += status == TASK_COMPLETED;
  counts->failed += status == TASK_FAILED || status == TASK_ABANDONED;
  counts->cancelled += status == TASK_CANCELLED;
}

static void add(struct cleanup_counts *to, const struct cleanup_counts *from) {
  to->completed += from->completed;
  to->failed += from->failed;
  to->cancelled += from->cancelled;
}

static struct cleanup_counts total(const struct list *sums) {
  struct cleanup_counts all = {0};
  for (size_t i = 0; i < sums->count; i++)
    add(&all, &LIST_AT(*sums, struct cleanup_sum, i)->removed);
  return all;
}

// An earlier order of the unit may have removed it, or sent it back to work.
static void remove_one(struct unit *u, struct row *row, const struct cleanup_step *step) {
  if (row->gone || row->dirty || !task_status_is_final(row->task.status)) return;
  unit_touch(u, row);
  row->gone = true;
  row->forgotten = u->e->settings.retention.per_tenant;
  if (!row->forgotten) {
    struct event *event = unit_event(u, u->cleanup.order, row, EVENT_DELETED);
    event->note = STR("cleanup");
    event->text = step->because;
  }
  count(sum_of(&u->arena, &u->cleanup.sums, row->task.tenant), row->task.status);
}

// So many of the step's tasks are too many now: since the run began some may have been deleted, or
// sent back to work.
static int64_t excess_now(const struct unit *u, const struct cleanup_step *step) {
  int64_t count = -step->keep;
  for (size_t i = 0; i < u->tally_count; i++) {
    const struct tally *t = &u->tally[i];
    if (t->tenant != step->tenant) continue;
    if (!str_is_none(step->type) && !str_eq(t->type, step->type)) continue;
    for (unsigned status = 0; status < TASK_STATUS_COUNT; status++)
      if (step->statuses & 1u << status) count += t->count[status];
  }
  return count > 0 ? count : 0;
}

// Whether the step is over. If it brought fewer than asked for, the rest is in other hands.
static bool is_over(int64_t excess, const struct want_ended *want, size_t left) {
  bool all = excess >= 0 && excess <= (int64_t)want->row_count;
  return all || (want->row_count < want->limit && left > 0);
}

// Removes what the step has brought. True: that was all of it.
static bool do_step(struct unit *u, const struct want_ended *want, size_t *left) {
  struct cleanup_step *step = &u->cleanup.step;
  int64_t excess = step->excess ? excess_now(u, step) : -1;  // -1: it goes by age
  for (size_t i = 0; i < want->row_count && (excess < 0 || (int64_t)i < excess); i++) {
    struct row *row = want->rows[i];
    remove_one(u, row, step);
    if (row->gone) step->after = row->task.completed_at;
  }
  *left -= want->row_count;
  bool over = is_over(excess, want, *left);
  if (excess >= 0) step->excess = excess - (int64_t)want->row_count;
  return over;
}

static void stand_still(struct unit *u) {
  const struct cleanup_memory *c = &u->e->cleanup;
  u->cleanup.at = c->at;
  u->cleanup.age_at = c->run_age_at;
  take_step(c, &u->cleanup);
}

static void remove_batch(struct unit *u) {
  const struct cleanup_memory *c = &u->e->cleanup;
  struct cleanup_batch *b = &u->cleanup;
  size_t left = LIMIT_CLEANUP_ITEMS;
  for (size_t i = 0; i < u->want_ended.count; i++) {
    const struct want_ended *want = LIST_AT(u->want_ended, struct want_ended, i);
    if (!do_step(u, want, &left)) return;
    int64_t age_at = want->next_at ? want->next_at + b->step.for_ms : 0;
    if (age_at && (b->age_at == 0 || age_at < b->age_at)) b->age_at = age_at;
    b->at++;
    take_step(c, b);
  }
}

static enum verdict over_or_again(struct unit *u, struct order *order) {
  struct cleanup_memory *c = &u->e->cleanup;
  struct cleanup_batch *b = &u->cleanup;
  b->over = b->at == c->step_count || u->e->lane_draining;
  if (!b->over) return AGAIN;
  end_duty(u);
  order->in.cleanup.removed = total(&c->sums);
  struct cleanup_counts now = total(&b->sums);
  add(&order->in.cleanup.removed, &now);
  return ANSWERED;
}

static void go_on(struct unit *u) {
  stand_still(u);
  u->cleanup.waits = is_in_use(u);
  if (u->cleanup.waits) return;
  keep_duty(u, true);
  remove_batch(u);
}

enum verdict cleanup_decide(struct unit *u, struct order *order) {
  struct cleanup_memory *c = &u->e->cleanup;
  bool begun = order->in.cleanup.begun;
  order->in.cleanup.skipped = NULL;
  if (c->driver && c->driver != order) return skip(order, "a cleanup is under way already");
  if (!has_duty(u, order)) {
    if (begun) order->in.cleanup.removed = total(&c->sums);
    return skip(order, "another server is at it");
  }
  c->driver = order;
  u->cleanup = (struct cleanup_batch){.order = order, .began_at = u->cleanup.began_at};
  if (begun)
    go_on(u);
  else
    begin(u, order);
  return over_or_again(u, order);
}

// --- how it ends ---------------------------------------------------------------------------------

static struct cleanup_past *past_of(struct cleanup_memory *c, int64_t tenant) {
  for (size_t i = 0; i < c->past_count; i++)
    if (c->pasts[i].tenant == tenant) return &c->pasts[i];
  c->pasts = mem_resize(c->pasts, sizeof *c->pasts * (c->past_count + 1));
  struct cleanup_past *past = &c->pasts[c->past_count++];
  *past = (struct cleanup_past){.tenant = tenant};
  return past;
}

static void remember(struct cleanup_memory *c, const struct order *order,
                     const struct cleanup_past *run) {
  pthread_mutex_lock(&c->lock);
  if (order->tenant == 0) c->all = *run;
  if (order->tenant) *past_of(c, order->tenant) = *run;
  for (size_t i = 0; i < c->sums.count; i++) {
    const struct cleanup_sum *sum = LIST_AT(c->sums, struct cleanup_sum, i);
    struct cleanup_past *past = past_of(c, sum->tenant);
    *past = *run;
    past->tenant = sum->tenant;
    past->removed = sum->removed;
  }
  pthread_mutex_unlock(&c->lock);
}

static void tell(const struct engine *e, const struct order *order, const struct cleanup_past *run,
                 const struct cleanup_counts *removed) {
  bool told = run->err == ERR_DISK_FULL && e->settings.full;
  // The list of a line's fields ends at the first without a name.
  const char *session = str_is_none(e->settings.session) ? NULL : "session";
  if (run->err != ERR_OK && !told)
    log_event(LOG_WARN, "a cleanup failed; the next one goes on with it",
              LOG_STR("code", str_of(err_code(run->err))),
              LOG_STR("reason", str_of(order->fault.detail)),
              LOG_STR(session, e->settings.session));
  bool any = removed->completed || removed->failed || removed->cancelled;
  log_event(any ? LOG_INFO : LOG_DEBUG,
            any ? "a cleanup removed ended tasks" : "a cleanup found nothing to remove",
            LOG_I64("completed", removed->completed), LOG_I64("failed", removed->failed),
            LOG_I64("cancelled", removed->cancelled), LOG_I64("ms", run->ms),
            LOG_STR("by", order->actor), LOG_STR(session, e->settings.session));
}

static void finish(struct engine *e, const struct order *order) {
  struct cleanup_memory *c = &e->cleanup;
  struct cleanup_past run = {.tenant = order->tenant,
                             .began_at = c->began_at,
                             .ms = clock_now(&e->clock) - c->began_at,
                             .err = order->err};
  struct cleanup_counts removed = total(&c->sums);
  c->driver = NULL;
  if (order == &c->own) c->age_at = c->run_age_at;
  remember(c, order, &run);
  tell(e, order, &run, &removed);
  publish(e);
}

// What ended in this unit, or was changed when it had ended, may be too much.
static int64_t count_ended(const struct unit *u) {
  int64_t count = 0;
  for (size_t i = 0; i < u->rows.count; i++) {
    const struct row *row = *LIST_AT(u->rows, struct row *, i);
    count += !row->gone && task_status_is_final(row->task.status);
  }
  return count;
}

// A session has little room, which fills between two looks of its interval when it is busy.
static void look_early(struct engine *e, int64_t at) {
  struct cleanup_memory *c = &e->cleanup;
  if (!e->settings.retention.per_tenant || (c->early_at && c->early_at <= at)) return;
  c->early_at = at;
  publish(e);
}

void cleanup_full(struct engine *e) {
  if (e->cleanup.ended > 0) look_early(e, e->cleanup.looked_at + FULL_MS);
}

// It rests for as long as it took, so that a slow store is not kept from others for most of the
// time.
static int64_t rested_at(const struct unit *u) {
  int64_t now = clock_now(&u->e->clock), took_ms = now - u->cleanup.began_at;
  return now + (took_ms > REST_MS ? took_ms : REST_MS);
}

static void absorb_batch(struct unit *u) {
  struct cleanup_memory *c = &u->e->cleanup;
  const struct cleanup_batch *b = &u->cleanup;
  for (size_t i = 0; i < b->sums.count; i++) {
    const struct cleanup_sum *sum = LIST_AT(b->sums, struct cleanup_sum, i);
    add(sum_of(&c->arena, &c->sums, sum->tenant), &sum->removed);
  }
  b->order->in.cleanup.begun = true;
  b->order->conflicts = 0;  // those of one batch do not count for the next
  b->order->alone = false;
  b->order->not_before = b->waits || b->sums.count ? rested_at(u) : 0;
  c->at = b->at;
  c->run_age_at = b->age_at;
  if (b->at < c->step_count) c->steps[b->at] = b->step;
  if (b->over)
    finish(u->e, b->order);
  else
    publish(u->e);
}

void cleanup_absorb(struct unit *u) {
  struct cleanup_memory *c = &u->e->cleanup;
  if (u->cleanup.order) absorb_batch(u);
  int64_t ended = c->ruled ? count_ended(u) : 0;
  if (ended == 0) return;
  c->ended += ended;
  if (c->ended >= LIMIT_SESSION_ENDED) look_early(u->e, u->now);
  if (c->stirred) return;
  c->stirred = true;
  publish(u->e);
}

bool cleanup_answered(struct engine *e, struct order *order) {
  struct cleanup_memory *c = &e->cleanup;
  if (c->driver == order) finish(e, order);
  if (order != &c->own) return false;
  c->own_out = false;
  if (order->err != ERR_OK || order->in.cleanup.skipped) c->stirred = true;
  publish(e);
  return true;
}

struct cleanup_state engine_cleanup(struct engine *e, int64_t tenant) {
  struct cleanup_memory *c = &e->cleanup;
  pthread_mutex_lock(&c->lock);
  struct cleanup_past last = c->all;
  for (size_t i = 0; i < c->past_count; i++)
    if (c->pasts[i].tenant == tenant && c->pasts[i].began_at >= last.began_at) last = c->pasts[i];
  struct cleanup_state state = {.running = c->running,
                                .active = c->active,
                                .last_at = last.began_at,
                                .last_ms = last.ms,
                                .last_err = last.err,
                                .removed = last.removed,
                                .next_at = c->next_at,
                                .retention = e->settings.retention};
  pthread_mutex_unlock(&c->lock);
  return state;
}
