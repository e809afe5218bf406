// sessions.h: the sessions that there are: who asks anonymously, and the engine of each. Private to
// api/.
//
// Each session has an engine and a store in memory of its own, in which it is the tenant 1: what
// belongs to another session is not there. All of it belongs to the loop's thread, but for the two
// hooks that the lanes of the sessions call; these touch atomics and what has a lock of its own,
// and wake the loop.
//
// A session is never closed while its engine owes an answer: calls are counted. One that is to end
// is taken out of the books at once, so that its key finds a fresh session and its lease tokens
// find none; `sessions_tick` closes it when the last answer is out, with no handler on the stack.
#ifndef API_SESSIONS_H
#define API_SESSIONS_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/call.h"

// That tasks of a queue and a type may be ready; session_news.c.
enum { SESSION_HINTS = 16 };  // of one session, past which they are not told apart
struct session_hint {
  uint64_t queue, type;  // hashes of their names
  bool any;              // of all queues and types
  uint64_t news;         // number of the latest news that say so
  size_t fresh;          // how many became ready since those who wait were looked through
};
struct session_hints {
  struct session_hint at[SESSION_HINTS];
  size_t count;
};

struct session {
  struct sessions *of;
  struct session *next;  // by serial, rising
  struct str key;
  uint64_t key_hash;
  uint32_t number;  // random; stands in the lease tokens of its tasks
  uint64_t serial;  // rising, in the order of opening
  struct store *store;
  struct engine *engine;
  struct address home;  // that it was begun from, see address_home
  int64_t opened_at;    // ms since the epoch
  int64_t seen_us;      // when it was asked for last, by clock_mono_us
  size_t calls;         // that its engine owes an answer
  bool leaving;
  const char *reason;         // why it leaves, for the log
  struct str ended_by;        // the actor; STR_NONE: it stays
  struct session_look *look;  // the question whether its tasks run, under way; NULL: none
  int64_t look_us;            // not before; 0: when its time is over
  struct session_hints hints;
  pthread_mutex_t heard_lock;
  struct session_hints heard;  // heard_lock; from its lane, not among the hints yet
  _Atomic bool woken;          // answers wait for engine_collect
  _Atomic bool stirred;        // something was heard
  _Atomic bool told_full;      // that it is full stands in the log
  _Atomic bool followed;       // by streams of events
  _Atomic bool happened;       // something that these have not read
};

struct seeking;  // session_claims.c

struct sessions {
  struct api *api;
  struct session *first, *last;
  size_t count;           // those that leave included
  struct session *empty;  // sessions_empty; NULL: not asked for yet. In no list, and not counted
  uint64_t serials;
  struct http_timer *timer;
  int64_t due_us;  // when the latest sessions_tick has asked for the next one; 0: not by time
  bool draining;
  _Atomic bool woken, stirred;  // some session is
  // session_claims.c
  struct seeking *waiting, *waiting_last;
  size_t waiting_count;
  uint64_t news;  // counts what may have made tasks ready, by session
  bool fresh;     // some hint is fresh
  uint64_t turn;  // serial of the session that gave a task last
};

struct sessions *sessions_open(struct api *api);
void sessions_attach(struct sessions *all, struct http_server *server);
void sessions_drain(struct sessions *all);  // whoever waits is answered, now and from now on
void sessions_stop(struct sessions *all);   // ends all engines and sends what they still answer
void sessions_close(struct sessions *all);  // after that. NULL is allowed

void sessions_collect(struct sessions *all);  // after a wake: sends what is answered
void sessions_tick(void *sessions);           // what is due by time; the timer calls it
void sessions_soon(struct sessions *all);     // has it called, as soon as the loop is back
void sessions_by(struct sessions *all,
                 int64_t at_us);  // … or at that time, if it is not due sooner

// Opens the session of a key that has none. ERR_OVERLOADED: there are too many; ERR_TOO_MANY: of
// this home.
MUST_USE enum err sessions_begin(struct sessions *all, struct str key, const struct address *home,
                                 struct session **out, struct fault *why);
// What a key that has no session is answered from: it holds nothing, and nothing is ever kept in
// it.
MUST_USE enum err sessions_empty(struct sessions *all, struct session **out, struct fault *why);
struct session *sessions_find(const struct sessions *all, struct str key);        // NULL: none
struct session *sessions_of_number(const struct sessions *all, uint32_t number);  // NULL: none
void session_end(struct session *s, const char *reason, struct str actor);
void session_seen(struct session *s);
void session_enter(struct session *s);  // its engine is asked something; by call_order, call_query
void session_leave(struct session *s);  // and has answered

// session_log.c: lines about the tasks of a session; from its lane.
void session_log(struct str key, const struct event *event);

// session_news.c: what of a session may be ready.
struct session_wish {  // what a claim takes
  uint64_t *types, *queues;
  size_t type_count, queue_count;
};
bool session_hear(struct session *s, const struct event *event);  // from its lane; true: news
void session_news_take(struct sessions *all);  // makes hints of what was heard, each with a number
void session_wish_init(struct session_wish *wish, const struct claim_filter *f, struct arena *a);
bool session_hint_fits(const struct session_hint *hint, const struct session_wish *wish);
// By news past a number.
bool session_may_give(const struct session *s, const struct session_wish *wish, uint64_t since);
// To a claim that was submitted when the news had that number.
void session_gave_nothing(struct session *s, const struct session_wish *wish, uint64_t asked);
bool session_hint_tells(const struct session_hint *hint, struct str queue, struct str type);
// Whoever was sent for what the hint tells of left so many: others are to look.
void session_again(struct session *s, const struct session_hint *hint, size_t count);

// session_key.c: whether a session is meant, and then which.
MUST_USE enum err session_choose(struct call *c);
enum err session_off(struct call *c);  // why there are none: ERR_SESSIONS_OFF
// A key alone takes no place: until something is to be kept its calls are answered from an empty
// session. Whoever is about to keep something, or to wait for what happens, begins it.
MUST_USE enum err session_begin(struct call *c);
bool session_has_begun(const struct call *c);
// No route was found, or no task: the refusal is a session's if the path is open to sessions.
void session_refused(struct call *c, enum err err);

// session_claims.c
// Leases what c->order.claim asks for, of any session.
MUST_USE enum err session_claim(struct call *c, int (*render)(struct call *, struct buf *));
bool session_claim_goes_on(struct call *c);  // of an answer that brought nothing: looks elsewhere
void session_claim_gone(struct call *c);     // the client went away
void session_claims_look(struct sessions *all);  // those who wait: is there something?
int64_t session_claims_due(struct sessions *all, int64_t now_us);  // answers whose time is over;
                                                                   // µs of the next; 0: none waits
// The session of a lease token, for whoever may move its tasks; ERR_LEASE_LOST when it is gone.
MUST_USE enum err session_of_lease(struct call *c, uint32_t number);

#endif
