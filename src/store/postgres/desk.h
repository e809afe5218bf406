// desk.h: what the files of the news share: news.c, notice.c, outbox.c, pulse.c, nodes.c, upkeep.c,
// vacuum.c.
#ifndef STORE_POSTGRES_DESK_H
#define STORE_POSTGRES_DESK_H

#include "store/postgres/internal.h"

// --- notice.c: what nodes say to each other, as text ---------------------------------------------

// Tasks of a channel that became ready.
struct notice_ready {
  int64_t channel, count;
  int64_t priority;  // of the best of them …
  uint64_t id_hi;    // … the first half of its id: claims begin there, see frontier.h …
  uint64_t oldest;   // … and that of the smallest id among them
};

struct notice {
  int64_t node;               // who says it
  bool nodes;                 // it came, or it goes
  bool catalogue;             // it was changed
  bool all_ready, all_ended;  // more than could be named
  const struct notice_ready *ready;
  size_t ready_count;
  const struct id *ended;  // tasks that came to an end or were deleted
  size_t ended_count;
  const int64_t *stirred;  // tenants that have more events
  size_t stirred_count;
};

enum { NOTICE_BYTES_MAX = 7900 };  // PostgreSQL takes less than 8000

// As few texts as it fits into, at least one.
size_t pg_notice_encode(const struct notice *n, struct arena *a, struct str **texts);
// False: it is not one of ours, or of a version that we do not know.
bool pg_notice_decode(struct str text, struct arena *a, struct notice *out);

// --- outbox.c: what was committed here since the others were told last ---------------------------

// More tenants than that are left out: who follows their events asks for them besides.
enum { OUTBOX_CHANNELS = 512, OUTBOX_ENDED = 2048, OUTBOX_TENANTS = 64 };

struct outbox {
  bool filled;  // there is something to tell
  bool nodes, catalogue, all_ready, all_ended;
  struct notice_ready ready[OUTBOX_CHANNELS];
  size_t ready_count;
  uint16_t places[LIMIT_CHANNELS + 1];  // of channels in `ready`, counted from 1; 0: not there
  struct id ended[OUTBOX_ENDED];
  size_t ended_count;
  int64_t stirred[OUTBOX_TENANTS];  // told with the rest, and never alone
  size_t stirred_count;
};

void pg_outbox_collect(struct outbox *o, const struct change *change);
// Empties it. What comes out lives in the arena.
void pg_outbox_take(struct outbox *o, struct arena *a, struct notice *out);

// --- the desk ------------------------------------------------------------------------------------

struct listed_node {
  int64_t id;
  struct node node;
};

struct node_list {
  struct arena arena;
  struct listed_node *all;  // this one first
  size_t count;
};

struct upkeep;

struct news_desk {
  struct postgres_store *store;
  int64_t node, started_at;  // who we are: a random id, and since when
  char topic[64];            // under which notices go; of the schema
  int wake_fd;               // an eventfd: the outbox was filled, or `stop` was set
  _Atomic bool stop;
  _Atomic bool telling;  // others live that could hear us
  bool entered;          // our row is in `node`
  struct upkeep *upkeep;

  pthread_mutex_t lock;
  struct outbox outbox;       // lock
  struct node_list lists[2];  // lock; nodes as they were seen last and before
  int list;                   // lock; which is the last

  // Only for the thread that calls pg_news.
  struct conn_settings conn_settings;
  struct conn conn;
  struct arena scratch;   // of the statement under way
  bool listening;         // … to the others, in this session
  bool missed;            // notices may have been missed since the last pulse
  bool nodes_failed;      // … to be refreshed, and it was said
  bool pooled_said;       // … that there are no notices
  bool namesake_said;     // … that another node has our name
  int64_t pause_us;       // after the next failure
  int64_t send_at_us;     // not before this
  int64_t nodes_at_us;    // when ours is to be refreshed …
  int64_t nodes_seen_us;  // … and was
  int64_t pulse_at_us;    // when it is due
  int64_t deep_at_us;     // parts that may be dear are left out until then
  int64_t whole_look_us;  // when the overdue were looked for without the floor
};

// What one call of pg_news has found so far.
struct found {
  struct news *news;
  struct ready_news *ready;
  size_t ready_cap;
  struct id *ended;
  size_t ended_cap;
  int64_t *stirred;
  size_t stirred_cap;
  bool any;  // worth returning for
};
void pg_found_ready(struct found *f, const struct channel *c, int64_t count);
void pg_found_ended(struct found *f, struct id id);
void pg_found_stirred(struct found *f, int64_t tenant);
void pg_found_all_ready(struct found *f);
void pg_found_all_ended(struct found *f);

// pulse.c: asks the database for everything that a notice could have told.
MUST_USE enum err pg_pulse(struct news_desk *d, struct found *f, struct fault *why);

// nodes.c
void pg_nodes_begin(struct news_desk *d);    // the list holds this one
void pg_nodes_changed(struct news_desk *d);  // as a notice says: refresh soon
MUST_USE enum err pg_nodes_refresh(struct news_desk *d, struct fault *why);
bool pg_nodes_known(struct news_desk *d, int64_t id);
void pg_nodes_leave(struct news_desk *d);  // a clean goodbye

// upkeep.c: a thread of its own. A statement of it that takes long delays nobody.
MUST_USE enum err pg_upkeep_start(struct postgres_store *s, struct upkeep **out, struct fault *why);
void pg_upkeep_stop(struct upkeep *u);                // NULL is allowed
void pg_upkeep_wrote(struct upkeep *u, size_t rows);  // any thread; after a commit
void pg_upkeep_front_wanted(struct upkeep *u);        // any thread

// vacuum.c: tables whose rows die fast.
enum { VACUUM_TABLES = 3 };
struct vacuum {
  int64_t look_at_us;
  bool forbidden_said;
  struct vacuum_table {
    int64_t dead;         // rows, as they were counted last, …
    int64_t vacuumed_at;  // … when this was the latest vacuum; only to be compared
    int64_t dead_left;    // by the latest vacuum
    int64_t rest_us;      // after the next one that frees too little
    int64_t not_before;   // µs of the monotonic clock
  } tables[VACUUM_TABLES];
};
MUST_USE enum err pg_vacuum(struct vacuum *v, struct conn *c, struct fault *why);

#endif
