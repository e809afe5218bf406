// over.c: a store over a store. A lane and a reader are those of the store below; since there is
// one such store at a time, calls of a lane find it in `current`.
#include "over.h"

#include <assert.h>

static struct over *current;

static struct over *over_of(struct store *s) { return (struct over *)s; }

static int64_t now(struct store *s) { return *over_of(s)->now; }

static enum err catalog(struct store *s, struct arena *a, struct catalog *out, struct fault *why) {
  return over_of(s)->under->ops->catalog(over_of(s)->under, a, out, why);
}

static enum err last_id(struct store *s, int64_t *key, struct fault *why) {
  return over_of(s)->under->ops->last_id(over_of(s)->under, key, why);
}

static int64_t id_share(struct store *s) {
  return over_of(s)->under->ops->id_share(over_of(s)->under);
}

// One lane, driven by the test.
static size_t lane_max(struct store *s) {
  (void)s;
  return 1;
}

static enum err lane_open(struct store *s, struct store_lane **out, struct fault *why) {
  return over_of(s)->under->ops->lane_open(over_of(s)->under, out, why);
}

static enum err reader_open(struct store *s, struct store_reader **out, struct fault *why) {
  return over_of(s)->under->ops->reader_open(over_of(s)->under, out, why);
}

static enum err check(struct store *s, struct arena *a, struct check_finding **out, size_t *count,
                      struct fault *why) {
  return over_of(s)->under->ops->check(over_of(s)->under, a, out, count, why);
}

static enum err failing(struct over *o, const char *where, struct fault *why) {
  o->failures++;
  return fault_set(why, o->plan.err, "the test says so, at the %s", where);
}

static enum err load(struct store_lane *lane, struct load *want, struct fault *why) {
  struct over *o = current;
  o->loads++;
  o->plan = (struct over_plan){0};
  if (o->next) o->next(o->self, &o->plan);
  *o->now += o->plan.load_ms;
  if (o->plan.fate == FATE_LOAD_FAILS) return failing(o, "load", why);
  // Where it is dear to be certain a store may say too early that nothing fits, and tells by its
  // news when it has found something. Nobody hears of news here.
  for (size_t i = 0; i < want->pick_count; i++) want->picks[i].sure = true;
  return o->under->ops->load(lane, want, why);
}

static enum err apply(struct store_lane *lane, const struct change *change, struct fault *why) {
  struct over *o = current;
  *o->now += o->plan.apply_ms;
  if (o->plan.fate == FATE_NOT_COMMITTED || o->plan.fate == FATE_LIE) {
    o->under->ops->abandon(lane);
    return o->plan.fate == FATE_LIE ? ERR_OK : failing(o, "commit", why);
  }
  TRY(o->under->ops->apply(lane, change, why));
  o->commits++;
  o->plan.err = ERR_UNAVAILABLE;
  return o->plan.fate == FATE_ANSWER_LOST ? failing(o, "answer of the commit", why) : ERR_OK;
}

static enum err wake_next(struct store_lane *lane, int64_t *at, struct fault *why) {
  TRY(current->under->ops->wake_next(lane, at, why));
  if (current->timers_lost) *at = 0;
  return ERR_OK;
}

// That a store has news is how the engine knows that others use it. It starts no thread here, so
// nobody asks for any.
static enum err no_news(struct store *s, struct news *news, struct fault *why) {
  (void)s;
  (void)news;
  return fault_set(why, ERR_INTERNAL, "nobody asks for news");
}

void over_open(struct over *o, struct store *under, int64_t *clock, bool shared) {
  *o = (struct over){.under = under, .now = clock, .ops = *under->ops};
  o->store.ops = &o->ops;
  o->ops.now = now;
  o->ops.catalog = catalog;
  o->ops.last_id = last_id;
  if (o->ops.id_share) o->ops.id_share = id_share;
  o->ops.lane_max = lane_max;
  o->ops.lane_open = lane_open;
  o->ops.reader_open = reader_open;
  o->ops.check = check;
  o->ops.load = load;
  o->ops.apply = apply;
  o->ops.wake_next = wake_next;
  o->ops.news = shared ? no_news : NULL;
  o->ops.news_stop = NULL;
  o->ops.nodes = NULL;
  current = o;
}
