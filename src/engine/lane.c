// lane.c: the threads that run units of work, as fast as the disk allows, and whether they can.
#include "base/log.h"
#include "engine/inside.h"

enum {
  RETRY_SWEEP_MS = 1000,
  RETRY_CONFLICT_MS = 10,
  RETRY_LOCKED_MS = 20,    // what is due is in the hands of another unit
  STALL_US = 2000 * 1000,  // a unit that takes longer may hang on a store that does not answer
  NEWS_STALL_US = STALL_US + 1000 * 1000,  // they are waited for besides
};

// --- whether the store works ---------------------------------------------------------------------

// The others may not have been used for long: they are asked whether they work.
static void ask_the_others(struct engine *e) {
  pthread_mutex_lock(&e->queue_lock);
  for (struct lane *other = e->idle; other; other = other->idle_next) {
    other->tend_at = 1;
    pthread_cond_signal(&other->called);
  }
  pthread_mutex_unlock(&e->queue_lock);
}

void lane_note(struct lane *lane, enum err err) {
  uint64_t stamp = atomic_fetch_add(&lane->e->attempts, 1) + 1;
  enum err before = (enum err)atomic_load(&lane->err);
  if (err == ERR_OK) atomic_store(&lane->worked_at, stamp);
  if (err != ERR_OK && before == ERR_OK) atomic_store(&lane->failing_since, stamp);
  atomic_store(&lane->err, (int)err);
  if (err != ERR_OK && before == ERR_OK) ask_the_others(lane->e);
}

void lane_begins(struct lane *lane) {
  atomic_store(&lane->began_at, atomic_fetch_add(&lane->e->attempts, 1) + 1);
  atomic_store(&lane->began_us, clock_mono_us());
}

void lane_ends(struct lane *lane) { atomic_store(&lane->began_us, 0); }

// How the lane fares, and since when.
static enum err lane_state(const struct lane *lane, uint64_t *at) {
  enum err err = (enum err)atomic_load(&lane->err);
  int64_t began_us = atomic_load(&lane->began_us);
  *at = err == ERR_OK ? atomic_load(&lane->worked_at) : atomic_load(&lane->failing_since);
  if (err != ERR_OK || began_us == 0 || clock_mono_us() - began_us < STALL_US) return err;
  *at = atomic_load(&lane->began_at);
  return ERR_UNAVAILABLE;
}

// The news are asked for all the time, so an idle server learns by them that its store is gone.
void lanes_news_begin(struct engine *e) { atomic_store(&e->news_began_us, clock_mono_us()); }

void lanes_news_end(struct engine *e, enum err err) {
  atomic_store(&e->news_began_us, 0);
  if (err == ERR_OK) atomic_store(&e->news_failing_since, 0);
  if (err == ERR_OK) return;
  if (atomic_load(&e->news_failing_since) == 0)
    atomic_store(&e->news_failing_since, atomic_fetch_add(&e->attempts, 1) + 1);
  ask_the_others(e);  // perhaps it is the way of the news alone
}

// Since when they fail; 0: they do not.
static uint64_t news_failing(struct engine *e) {
  int64_t began_us = atomic_load(&e->news_began_us);
  if (began_us && clock_mono_us() - began_us > NEWS_STALL_US) lanes_news_end(e, ERR_UNAVAILABLE);
  return atomic_load(&e->news_failing_since);
}

// What fails or hangs does not count when a lane has worked since it began to. What worked before
// that tells nothing: the store may have gone for all of them.
enum err lanes_state(struct engine *e) {
  uint64_t failing = news_failing(e), worked = 0, at;
  enum err err = failing ? ERR_UNAVAILABLE : ERR_OK;
  for (size_t i = 0; i < e->lane_count; i++) {
    enum err its = lane_state(&e->lanes[i], &at);
    if (its == ERR_OK && at > worked) worked = at;
    if (its != ERR_OK && at > failing) {
      failing = at;
      err = its;
    }
  }
  return worked > failing ? ERR_OK : err;
}

// A store that ails is tried again with each call, so that the server is ready again by itself.
static void tend(struct lane *lane, bool idle) {
  struct engine *e = lane->e;
  struct fault why = {0};
  bool failed_before = atomic_load(&lane->err) != ERR_OK;
  enum err err = e->store->ops->tend(lane->store, idle, &why);
  lane_note(lane, err);
  if (err != ERR_OK && !failed_before)
    log_event(LOG_WARN, "upkeep of the store failed", LOG_STR("reason", str_of(why.detail)));
  bool ails = lanes_state(e) != ERR_OK;
  if (atomic_exchange(&e->ailing, ails) && !ails) {
    if (!e->settings.full) log_event(LOG_INFO, "the store takes writes again");
    atomic_store(&e->failure_logged_us, 0);
  }
  if (err == ERR_STORE_BROKEN && e->settings.broken) e->settings.broken(e->settings.self, &why);
}

// --- one unit of work ----------------------------------------------------------------------------

int64_t engine_due(const struct engine *e, int64_t now) {
  if (e->again.head) return now;
  int64_t at = clock_sooner(e->later_at, cleanup_due(e));
  return clock_sooner(at, clock_sooner(e->wake_at, park_deadline(e)));
}

static struct order *gather(struct lane *lane, int64_t now, bool *sweep) {
  struct engine *e = lane->e;
  if (atomic_load(&lane->err) == ERR_OK) feed_missed(e);
  struct gathered g = queue_gather(lane, now);
  if (g.withdrawn) park_withdrawn(e);
  if (g.drain) {
    e->lane_draining = true;
    park_drain(e);
  } else {
    park_expire(e, now);
  }
  bool alone = g.orders && g.orders->alone;
  *sweep = !alone && !g.steps_back && e->wake_at != 0 && e->wake_at <= now;
  if (*sweep) {
    lane->sweep.next = NULL;
    order_chain(&g.orders, &lane->sweep);
    e->wake_at = 0;
  }
  if (!alone && !g.steps_back) order_chain(&g.orders, cleanup_take(e, now));
  return g.orders;
}

// After a sweep the store knows when the next one is due. Until then changes can only bring it
// nearer. One that failed is not repeated at once: what ails the store takes time to heal.
static void next_wake(struct lane *lane, int64_t now, enum err swept) {
  struct engine *e = lane->e;
  struct fault why = {0};
  int64_t at = 0;
  if (swept == ERR_OK) {
    e->wake_at = 0;  // the store knows what came before; what others bring from here on is kept
    engine_leave(e);
    swept = e->store->ops->wake_next(lane->store, &at, &why);
    engine_enter(e);
  }
  if (swept != ERR_OK)
    at = now + (swept == ERR_CONFLICT ? RETRY_CONFLICT_MS : RETRY_SWEEP_MS);
  else if (at && at <= now && !lane->sweep_left)
    at = now + RETRY_LOCKED_MS;
  e->wake_at = clock_sooner(e->wake_at, at);
}

bool lane_turn(struct lane *lane, int64_t *next_at) {
  struct engine *e = lane->e;
  bool sweep;
  engine_enter(e);
  int64_t now = clock_now(&e->clock);
  struct order *orders = gather(lane, now, &sweep);
  if (orders) {
    struct unit *u = unit_take(e);
    unit_begin(u, lane, now);
    u->orders = orders;
    enum err err = run_unit(u, sweep);
    if (sweep) next_wake(lane, now, err);
  }
  *next_at = engine_due(e, now);
  engine_leave(e);
  if (orders == NULL) return false;
  tend(lane, false);
  lane->worked = true;
  return true;
}

bool engine_turn(struct engine *e, int64_t *next_at) { return lane_turn(&e->lanes[0], next_at); }

// --- the threads ---------------------------------------------------------------------------------

void *lane_run(void *self) {
  struct lane *lane = self;
  pthread_setname_np(pthread_self(), "lane");
  do {
    int64_t next_at;
    if (lane->tend_now) {
      tend(lane, true);
      lane->worked = atomic_load(&lane->err) != ERR_OK;  // then it is tried again
    }
    (void)lane_turn(lane, &next_at);
    (void)readers_serve(lane->e);
  } while (lane_wait(lane));
  return NULL;
}

// Whoever still waits gets what there is; a watch reads its task once more.
void lanes_answer_the_rest(struct engine *e) {
  int64_t next_at;
  engine_enter(e);
  e->lane_draining = true;
  park_drain(e);
  engine_leave(e);
  while (engine_turn(e, &next_at))
    ;
}
