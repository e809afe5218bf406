// run.c: one unit of work from end to end: plan, load, decide, commit, answer.
#include "base/log.h"
#include "base/proof.h"
#include "engine/inside.h"

static const int64_t FAILURE_EVERY_US = 60 * 1000 * 1000;

typedef void plan_function(struct unit *u, struct order *order);

static plan_function *const PLAN[ORDER_KIND_COUNT] = {
#define ORDER(name, prefix, meaning) [ORDER_##name] = prefix##_plan,
#include "engine/orders.def"
#undef ORDER
};

// --- load ----------------------------------------------------------------------------------------

static void plan(struct unit *u) {
  for (struct order *order = u->orders; order; order = order->next) {
    atomic_fetch_add(&u->e->orders, 1);
    if (!order->again) order->turn = u->turn;
    if (!str_is_none(order->replay_key)) {
      *LIST_PUSH(&u->arena, &u->want_replays, struct want_replay) =
          (struct want_replay){.tenant = order->tenant, .key = order->replay_key};
    }
    PLAN[order->kind](u, order);
  }
}

static enum err load(struct unit *u, bool sweep, struct fault *why) {
  struct pick *picks = ARENA_ARRAY(&u->arena, struct pick, u->slots.count + 1);
  for (size_t i = 0; i < u->slots.count; i++)
    picks[i] = (*LIST_AT(u->slots, struct pick_slot *, i))->pick;
  struct load want = {.arena = &u->arena,
                      .ids = u->want_ids.at,
                      .id_count = u->want_ids.count,
                      .uniques = u->want_uniques.at,
                      .unique_count = u->want_uniques.count,
                      .replays = u->want_replays.at,
                      .replay_count = u->want_replays.count,
                      .picks = picks,
                      .pick_count = u->slots.count,
                      .due_at = sweep ? u->now : 0,
                      .due_limit = LIMIT_SWEEP_ITEMS,
                      .ended = u->want_ended.at,
                      .ended_count = u->want_ended.count,
                      .ended_limit = LIMIT_CLEANUP_ITEMS,
                      .tallies = u->wants_tallies,
                      .cleanup = u->wants_duty,
                      .catalog = u->catalog,
                      .catalog_version = u->catalog_from};
  TRY(u->e->store->ops->load(u->lane->store, &want, why));
  for (size_t i = 0; i < u->slots.count; i++)
    (*LIST_AT(u->slots, struct pick_slot *, i))->pick = picks[i];
  u->due = want.due;
  u->due_count = want.due_count;
  u->lane->sweep_left = want.due_count == LIMIT_SWEEP_ITEMS;
  u->changed = want.changed;
  u->tally = want.tally;
  u->tally_count = want.tally_count;
  u->duty = want.duty;
  unit_adopt_all(u);
  return ERR_OK;
}

// --- commit and answer ---------------------------------------------------------------------------

static enum err commit(struct unit *u, struct fault *why) {
  const struct store_ops *ops = u->e->store->ops;
  if (!unit_has_change(u)) {
    ops->abandon(u->lane->store);
    return ERR_OK;
  }
  struct change change = unit_change(u);
  int64_t started = clock_mono_us();
  if (proof_fails_at(PROOF_BEFORE_COMMIT)) return fault_set(why, ERR_UNAVAILABLE, "no commit");
  TRY(ops->apply(u->lane->store, &change, why));
  proof_fails_at(PROOF_AFTER_COMMIT);
  uint64_t took = (uint64_t)(clock_mono_us() - started);
  atomic_fetch_add(&u->e->commits, 1);
  atomic_fetch_add(&u->e->items, u->rows.count);
  if (took > atomic_load(&u->e->commit_us_max)) atomic_store(&u->e->commit_us_max, took);
  return ERR_OK;
}

// Without a lock, since whoever listens may take a while.
static void tell_listener(const struct unit *u) {
  const struct engine_settings *settings = &u->e->settings;
  if (settings->happened == NULL) return;
  for (size_t i = 0; i < u->events.count; i++) {
    struct change_event *e = LIST_AT(u->events, struct change_event, i);
    e->event.ready = e->row && !e->row->gone && task_is_ready(&e->row->task);
    settings->happened(settings->self, &e->event);
  }
}

// What others have to look at again. Only hints: it may be gone already.
static void tell_others(struct unit *u) {
  struct engine *e = u->e;
  if (u->wake_min && (e->wake_at == 0 || u->wake_min < e->wake_at)) e->wake_at = u->wake_min;
  u->lane->sweep_left |= u->wake_min && u->wake_min <= u->now;  // what it has moved is due itself
  park_ended(u);
  feed_offer(u);
}

static void absorb(struct unit *u) {
  park_release(u);
  cleanup_absorb(u);
  while (u->again.head) {
    struct order *order = u->again.head;
    u->again.head = order->next;
    engine_again(u->e, order);
  }
  catalog_absorb(u);
  tell_others(u);
}

static bool will_watch(const struct engine *e, const struct order *order) {
  return order->kind == ORDER_CREATE && order->wait_ms > 0 && order->task_count == 1 &&
         order->err == ERR_OK && !order->ended && !order->replayed && !e->lane_draining &&
         !order_is_gone(order);
}

static void answer_one(struct unit *u, struct order *order) {
  if (!will_watch(u->e, order)) {
    workers_claimed(u->e, order->tenant, order->claim.worker, order->claimed_count);
    feed_pass(u->e, order);
    engine_answer(u->e, u, order);
    return;
  }
  order->tasks = NULL;  // they go with the unit; the watch reads the task anew
  order->task_count = 0;
  order->again = true;  // its Idempotency-Key now holds its own answer
  park_watch(u->e, order, order->id);
  if (recent_concerns(u, order)) park_again(u->e, order);
}

// First those who waited for work, so that handlers start before their producers hear.
static void answer_all(struct unit *u) {
  struct order *lists[] = {u->fed, u->orders};
  u->orders = u->fed = NULL;
  for (size_t l = 0; l < 2; l++) {
    while (lists[l]) {
      struct order *order = lists[l];
      lists[l] = order->next;
      order->next = NULL;
      if (order == &u->lane->sweep) continue;
      answer_one(u, order);
    }
  }
}

// In an outage units fail by the hundred: each kind of failure is said once, and once a minute.
static void log_failure(struct engine *e, const struct fault *why) {
  int64_t now_us = clock_mono_us(), said_us = atomic_load(&e->failure_logged_us);
  if (said_us && why->err == e->failure_logged && now_us - said_us < FAILURE_EVERY_US) {
    e->failures_unlogged++;
    return;
  }
  log_event(LOG_ERROR, "a unit of work failed", LOG_STR("code", str_of(err_code(why->err))),
            LOG_STR("reason", str_of(why->detail)), LOG_I64("unlogged", e->failures_unlogged));
  e->failure_logged = why->err;
  e->failures_unlogged = 0;
  atomic_store(&e->failure_logged_us, now_us);
}

static void report_failure(const struct unit *u, const struct fault *why) {
  struct engine *e = u->e;
  if (again_blames_one(why->err)) return;  // its answer says it all
  if (why->err == ERR_DISK_FULL && e->settings.full) {
    e->settings.full(e->settings.self);
    return;
  }
  log_failure(e, why);
  if (why->err == ERR_STORE_BROKEN && e->settings.broken) e->settings.broken(e->settings.self, why);
}

static void fail(struct unit *u, enum err err, struct fault *why) {
  why->err = err;
  if (why->retry_after_s == 0) why->retry_after_s = 1;
  report_failure(u, why);
  if (err == ERR_DISK_FULL) cleanup_full(u->e);
  // Of a store that could not be reached it is not known whether it took the change.
  if (err == ERR_UNAVAILABLE && u->e->shared) tell_others(u);
  fail_all(u, why);
}

// What the load brought, and what it is decided upon: the catalogue and the time as they are now.
static void begin_to_decide(struct unit *u) {
  struct engine *e = u->e;
  if (!e->shared) return;
  u->now = clock_now(&e->clock);
  if (u->changed == NULL) return;
  catalog_learn(e, u->changed);
  u->catalog_from = u->changed->version;
}

enum err run_unit(struct unit *u, bool sweep) {
  struct engine *e = u->e;
  struct fault why = {0};
  u->turn = atomic_fetch_add(&e->units, 1) + 1;
  u->alone = u->orders->alone;
  u->ready_mark = e->ready_lately.now;
  u->ended_mark = e->ended_lately.now;
  u->catalog_from = e->catalog.version;
  u->lane->unit = u;
  engine_pause(e);
  plan(u);
  lane_begins(u->lane);
  enum err err = load(u, sweep, &why);
  engine_enter(e);
  if (err == ERR_OK) {
    begin_to_decide(u);
    decide(u);
    engine_pause(e);
    err = commit(u, &why);
    if (err == ERR_OK) tell_listener(u);
    engine_enter(e);
  }
  lane_ends(u->lane);
  if (err != ERR_CONFLICT) lane_note(u->lane, err == ERR_TOO_MANY ? ERR_OK : err);
  atomic_store(&u->holds, 1);  // our own, so that answering cannot free it under us
  if (err == ERR_OK) {
    absorb(u);
    proof_fails_at(PROOF_BEFORE_ANSWERS);
    answer_all(u);
  } else {
    fail(u, err, &why);
  }
  u->lane->unit = NULL;
  unit_release(e, u);
  return err;
}
