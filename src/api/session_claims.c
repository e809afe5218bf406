// session_claims.c: workers of sessions: claims that take tasks of any session, and the way from a
// lease token to the session that it is of.
//
// A claim asks the engines of the sessions one after the other, those behind the session that gave
// something last first, so that all get their turn. It asks only where a task that it would take
// may be ready (session_news.c). One that found nothing waits here, not in an engine, until there
// are news for it or its time is over. Of those who wait, no more are sent than tasks became ready,
// each to the session of its news first.
#include "api/sessions.h"

#include "base/log.h"
#include "engine/engine.h"

struct seeking {
  struct call *call;
  struct seeking *next, *previous;  // among those that wait, oldest first
  struct claim_filter filter;
  struct session_wish wish;
  int (*render)(struct call *c, struct buf *b);
  int64_t until_us;             // of clock_mono_us
  uint64_t looked;              // news up to which it has looked everywhere
  uint64_t looking;             // what that becomes when this round is over
  uint64_t asked;               // news when the session was asked that is asked
  size_t sent_for;              // so many tasks that became ready there; 0: it came by itself
  struct session_hint sent_by;  // … of which this told
  uint64_t from;                // serial behind which the round began
  uint64_t at;                  // serial of the session that is asked
  bool turned;                  // the round has begun again with the first session
  bool waits;
};

// --- one round -----------------------------------------------------------------------------------

static bool has_news(const struct sessions *all, const struct seeking *seek) {
  for (const struct session *s = all->first; s; s = s->next)
    if (!s->leaving && session_may_give(s, &seek->wish, seek->looked)) return true;
  return false;
}

static struct session *first_behind(const struct sessions *all, const struct seeking *seek) {
  for (struct session *s = all->first; s; s = s->next) {
    if (s->serial <= seek->at || s->leaving) continue;
    if (seek->turned && s->serial > seek->from) return NULL;
    if (session_may_give(s, &seek->wish, seek->looked)) return s;
  }
  return NULL;
}

static struct session *next_session(const struct sessions *all, struct seeking *seek) {
  struct session *s = first_behind(all, seek);
  if (s || seek->turned) return s;
  seek->turned = true;
  seek->at = 0;
  return first_behind(all, seek);
}

static void start_round(struct sessions *all, struct seeking *seek, uint64_t from) {
  session_news_take(all);
  seek->looking = all->news;
  seek->from = seek->at = from;
  seek->turned = false;
}

// The order is a new one; of a client that is gone no session is asked.
static void ask(struct seeking *seek, struct session *s) {
  struct call *c = seek->call;
  seek->at = s->serial;
  seek->asked = s->of->news;
  c->session = s;
  c->engine = s->engine;
  c->order = (struct order){.if_revision = ABSENT, .claim = seek->filter};
  // Its only failure, a bad Idempotency-Key, was looked for before the first order.
  enum err err = call_order(c, ORDER_CLAIM, seek->render);
  if (err != ERR_OK) call_fail(c, err);
}

// --- waiting -------------------------------------------------------------------------------------

// GET /workers tells of workers of sessions as of any others.
static struct engine *kept_engine(const struct sessions *all) { return all->api->settings.engine; }

static void wait_for_news(struct sessions *all, struct seeking *seek) {
  seek->waits = true;
  seek->next = NULL;
  seek->previous = all->waiting_last;
  if (all->waiting_last)
    all->waiting_last->next = seek;
  else
    all->waiting = seek;
  all->waiting_last = seek;
  all->waiting_count++;
  engine_worker_waiting(kept_engine(all), 1, seek->filter.worker, true);
  sessions_by(all, seek->until_us);
}

static void stop_waiting(struct sessions *all, struct seeking *seek) {
  if (seek->previous)
    seek->previous->next = seek->next;
  else
    all->waiting = seek->next;
  if (seek->next)
    seek->next->previous = seek->previous;
  else
    all->waiting_last = seek->previous;
  all->waiting_count--;
  engine_worker_waiting(kept_engine(all), 1, seek->filter.worker, false);
  seek->waits = false;
}

// Nothing was found: the call is answered and gone.
static void answer_empty(struct seeking *seek) {
  struct call *c = seek->call;
  c->session = NULL;
  c->order = (struct order){.if_revision = ABSENT};
  enum err err = call_now(c, seek->render);
  (void)err;  // it has answered
}

static void refuse(struct seeking *seek, enum err err, const char *sentence) {
  struct call *c = seek->call;
  c->session = NULL;
  c->fault.retry_after_s = 1;
  call_fail(c, fault_set(&c->fault, err, "%s", sentence));
}

// Asks the next session, or ends the round: with news since it began there is another one.
static void go_on(struct sessions *all, struct seeking *seek) {
  for (;;) {
    struct session *s = next_session(all, seek);
    if (s) {
      ask(seek, s);
      return;
    }
    seek->looked = seek->looking;
    session_news_take(all);
    if (!has_news(all, seek)) break;
    start_round(all, seek, all->turn);
  }
  if (all->draining || clock_mono_us() >= seek->until_us)
    answer_empty(seek);
  else if (all->waiting_count >= LIMIT_SESSION_CLAIMS)
    refuse(seek, ERR_TOO_MANY, "too many claims wait for tasks of sessions already; try again");
  else
    wait_for_news(all, seek);
}

// Whoever asks may have lost his key while he waited.
static bool may_still(struct seeking *seek) {
  struct call *c = seek->call;
  struct str actor = c->who.actor;
  bool may = auth_check(c) == ERR_OK;
  c->who.actor = actor;
  return may;
}

static struct seeking *first_that_fits(const struct sessions *all,
                                       const struct session_hint *hint) {
  struct seeking *seek = all->waiting;
  while (seek && !session_hint_fits(hint, &seek->wish)) seek = seek->next;
  return seek;
}

// Sends it for what became ready there, and returns how many of these it is to take; 0: it is
// answered instead.
static size_t send(struct sessions *all, struct seeking *seek, const struct session *s,
                   const struct session_hint *hint, size_t fresh) {
  size_t takes = seek->filter.limit < fresh ? seek->filter.limit : fresh;
  seek->sent_by = *hint;
  stop_waiting(all, seek);
  if (!may_still(seek)) {
    answer_empty(seek);
    return 0;
  }
  seek->sent_for = takes;
  start_round(all, seek, s->serial - 1);
  go_on(all, seek);
  return takes;
}

// Hints may join while others are sent, since an answer may bring the next request of its
// connection, but none goes.
static void send_to(struct sessions *all, struct session *s) {
  for (size_t i = 0; i < s->hints.count; i++) {
    size_t fresh = s->hints.at[i].fresh;
    s->hints.at[i].fresh = 0;
    while (fresh > 0 && !s->leaving) {
      struct seeking *seek = first_that_fits(all, &s->hints.at[i]);
      if (seek == NULL) break;
      fresh -= send(all, seek, s, &s->hints.at[i], fresh);
    }
  }
}

// With what is fresh to nobody who waits, the next that comes begins.
void session_claims_look(struct sessions *all) {
  session_news_take(all);
  while (all->fresh) {
    uint64_t turn = all->turn;
    all->fresh = false;
    for (struct session *s = all->first; s; s = s->next)
      if (s->serial > turn) send_to(all, s);
    for (struct session *s = all->first; s && s->serial <= turn; s = s->next) send_to(all, s);
  }
}

int64_t session_claims_due(struct sessions *all, int64_t now_us) {
  int64_t next_us = 0;
  for (struct seeking *seek = all->waiting, *next; seek; seek = next) {
    next = seek->next;
    if (!all->draining && seek->until_us > now_us) continue;
    stop_waiting(all, seek);
    answer_empty(seek);
  }
  // Also those that came with the answers: each may bring the next request of its connection.
  for (const struct seeking *seek = all->waiting; seek; seek = seek->next)
    next_us = clock_sooner(next_us, seek->until_us);
  return next_us;
}

void session_claim_gone(struct call *c) {
  struct seeking *seek = c->seeking;
  if (!seek->waits) {
    engine_withdraw(c->engine, &c->order);  // its answer will find the client gone
    return;
  }
  stop_waiting(c->api->sessions, seek);
  refuse(seek, ERR_UNAVAILABLE, "the client went away");
}

// --- the way of a claim --------------------------------------------------------------------------

// It may have got less than it was sent for, as payloads are large, or better tasks instead.
static void took(struct sessions *all, struct seeking *seek) {
  const struct order *order = &seek->call->order;
  size_t count = order->claimed_count, meant = 0;
  all->turn = seek->at;
  for (size_t i = 0; i < count; i++)
    meant += session_hint_tells(&seek->sent_by, order->claimed[i].queue, order->claimed[i].type);
  if (meant < seek->sent_for)
    session_again(seek->call->session, &seek->sent_by, seek->sent_for - meant);
  engine_worker_claimed(kept_engine(all), 1, seek->filter.worker, count);
}

// A session whose store fails gives nothing, and must not keep others from giving.
bool session_claim_goes_on(struct call *c) {
  struct sessions *all = c->api->sessions;
  struct seeking *seek = c->seeking;
  if (c->order.err == ERR_OK && c->order.claimed_count > 0) {
    took(all, seek);
    return false;
  }
  size_t sent_for = seek->sent_for;
  seek->sent_for = 0;
  if (c->http->gone) {
    if (sent_for) session_again(c->session, &seek->sent_by, sent_for);
    refuse(seek, ERR_UNAVAILABLE, "the client went away");
    return true;
  }
  if (c->order.err == ERR_OK) session_gave_nothing(c->session, &seek->wish, seek->asked);
  go_on(all, seek);
  return true;
}

static enum err check_claim(struct call *c) {
  if (c->api->sessions == NULL) return session_off(c);
  if (c->who.tenant != 1)
    return fault_set(&c->fault, ERR_FORBIDDEN,
                     "tasks of sessions are for workers of the tenant \"default\"");
  if (str_is_none(http_header(c->http, STR("idempotency-key")))) return ERR_OK;
  return fault_set(&c->fault, ERR_BAD_REQUEST,
                   "a claim for sessions takes no Idempotency-Key: send it again without one");
}

enum err session_claim(struct call *c, int (*render)(struct call *, struct buf *)) {
  TRY(check_claim(c));
  struct sessions *all = c->api->sessions;
  struct seeking *seek = ARENA_NEW(c->arena, struct seeking);
  call_bound_wait(c);
  *seek = (struct seeking){.call = c,
                           .filter = c->order.claim,
                           .render = render,
                           .until_us = clock_mono_us() + c->order.wait_ms * 1000};
  c->seeking = seek;
  engine_worker_asked(kept_engine(all), 1, &seek->filter);
  c->who.actor = STR("worker");
  session_wish_init(&seek->wish, &seek->filter, c->arena);
  start_round(all, seek, all->turn);
  go_on(all, seek);
  return ERR_OK;
}

// --- lease tokens --------------------------------------------------------------------------------

// To a session's visitors the keys of workers are nobody's business.
enum err session_of_lease(struct call *c, uint32_t number) {
  struct session *s = NULL;
  if (c->api->sessions && c->who.tenant == 1) s = sessions_of_number(c->api->sessions, number);
  if (s == NULL)
    return fault_set(&c->fault, ERR_LEASE_LOST, "%.*s", STR_FMT(engine_lease_refusal()));
  session_seen(s);
  c->session = s;
  c->engine = s->engine;
  c->replays_of = c->who.actor;
  c->who.actor = STR("worker");
  return ERR_OK;
}
