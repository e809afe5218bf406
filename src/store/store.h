// store.h: what every task store must do. Callers see only this file.
//
// A store decides nothing. The engine works out what should happen and hands over a change; the
// store makes all of it so or none of it, and when `apply` returns ERR_OK the change survives a
// crash and the loss of power.
//
// Writing goes through lanes. A lane belongs to one thread and runs one unit of work at a time:
//   load (rows that orders name, rows picked for claims, rows whose time has come, ended ones)
//   → the engine decides → apply (everything, committed once), or abandon.
// A store may have several lanes, and lanes in other processes. What one unit has loaded to change
// (`ids`, `picks`, `due`, `ended`) no other unit gets to change before it ends: `ids` and `catalog`
// wait for it, `picks`, `due` and `ended` pass it over.
// Reading goes through readers, each used by one thread at a time; a reader sees what was committed
// when its call began, and never waits for a lane.
//
// Errors, for all calls: ERR_UNAVAILABLE (the store cannot be reached; may heal; of apply: whether
// the change was made is unknown), ERR_CONFLICT (of a lane: nothing was changed; load and decide
// again), ERR_DISK_FULL (nothing was changed; heals), ERR_STORE_BROKEN (I/O or sync error, or a
// broken file: the process must stop and recover), ERR_SCAN_LIMIT (a read ran past its deadline).
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/nouns.h"

enum { PART_PAYLOAD = 1, PART_RESULT = 2 };

// A task in a unit of work: what it becomes, and what it was when it was read.
struct row {
  struct task task;  // the engine rewrites this
  bool fresh;        // not in the store yet: an insert, with its payload
  bool dirty;        // changed since it was read
  bool gone;         // to be deleted with payload, result and log; its events stay
  // With `gone`: the events go too, and the unit adds none of its own. Of sessions only, so a store
  // for more than one process may keep them all the same.
  bool forgotten;
  bool result_new;  // task.result was set in this unit and must be written
  // Set by the store at load, for compare-and-swap and for its books. Zero in a fresh row.
  int64_t was_revision;
  enum task_status was_status;
  enum waiting was_waiting;
  int64_t channel;      // the store's own number for (tenant, queue, type); 0: unknown
  int64_t place;        // where the store found it, if it goes by that; valid within the unit
  int64_t event_last;   // seq of its newest event, where the store chains them
  bool whole, offered;  // the engine's own; the store leaves them alone
};

// --- load ----------------------------------------------------------------------------------------

struct want_id {
  int64_t tenant;
  struct id id;
  unsigned parts;   // PART_… bits
  struct row *row;  // out: NULL when this tenant has no such task
};

struct want_unique {
  int64_t tenant;
  struct str key;
  struct row *row;  // out: NULL when there is none
};

// The kept answer to an earlier request with an Idempotency-Key.
struct replay {
  int64_t tenant;
  struct str key;           // scope and key, made by the caller
  uint8_t fingerprint[32];  // of the request
  int64_t status;           // HTTP status
  struct id task;           // the one that the answer tells of, for its headers; or none
  int64_t revision;         // of that task then
  struct str body;
  int64_t at;
  bool replaces;  // of a change: the unit loaded one with this key, which goes. Else there is none
};

struct want_replay {
  int64_t tenant;
  struct str key;
  struct replay *found;  // out: NULL when there is none
};

// Ready tasks for a claim, best first: priority falling, then older first. Empty lists mean any.
// What is picked is only read; the engine's change makes it leased.
struct pick {
  int64_t tenant;
  const struct str *types;
  size_t type_count;
  const struct str *queues;
  size_t queue_count;
  const struct str *not_queues;  // paused ones
  size_t not_queue_count;
  size_t limit;
  size_t bytes_max;  // stop after the task whose payload passes this sum; at least one
  // Be certain before saying that nothing fits. Else a store may say so too early where it is dear
  // to know, and tells by its news when it has found something.
  bool sure;
  struct row **rows;  // out, with payload
  size_t row_count;
  // Out, where nothing was found: something fits and other units hold it just now; look again soon.
  bool busy;
};

// Tasks that have ended, the earliest end first.
struct want_ended {
  int64_t tenant;
  struct str type;    // STR_NONE: any
  unsigned statuses;  // bits 1 << enum task_status, of final ones
  int64_t after;      // that ended at this or later: so far it is known that nothing is left
  int64_t before;     // that ended at this or earlier; 0: whenever
  size_t limit;
  struct row **rows;  // out
  size_t row_count;
  int64_t next_at;  // out, with `before`: when the first one behind it ended; 0: there is none
};

// What one process at a time does for all that share a store: who has it, and until when.
struct duty {
  int64_t holder;  // a number of the process's own; 0: nobody
  int64_t until;
};

// All arrays and results live in `arena`, which must live until the unit's answers are encoded. The
// same task may come back through several wants, as separate rows.
struct load {
  struct arena *arena;
  struct want_id *ids;
  size_t id_count;
  struct want_unique *uniques;
  size_t unique_count;
  struct want_replay *replays;
  size_t replay_count;
  struct pick *picks;
  size_t pick_count;
  int64_t due_at;  // rows with 0 < wake_at <= due_at, oldest first; 0: none wanted
  size_t due_limit;
  struct row **due;  // out
  size_t due_count;
  struct want_ended *ended;  // no more than `ended_limit` rows for all of them, in their order
  size_t ended_count, ended_limit;
  bool tallies;  // of all tenants are wanted
  struct tally *tally;
  size_t tally_count;
  // For stores that several processes share: the cleanup is wanted. Out: NULL when another unit
  // has it just now.
  bool cleanup;
  struct duty *duty;
  // The unit will change the catalogue: no other unit does until it ends. Out, in `changed`: all of
  // it, if that is not `catalog_version` any more; else NULL.
  bool catalog;
  int64_t catalog_version;
  struct catalog *changed;
};

// --- apply ---------------------------------------------------------------------------------------

struct change_event {
  struct event event;  // seq is filled in by the store
  struct row *row;     // its task; NULL for events of queues, types and keys
  int64_t previous;    // seq of its task's event before this one, where the store chains them
};

struct change_log {
  struct row *row;
  const struct log_line *lines;
  size_t line_count;
  int64_t drop_through;  // lines up to this number are to go; 0: none
};

struct change {
  struct row **rows;  // fresh, dirty or gone; each task once
  size_t row_count;
  struct change_event *events;  // in the order in which they happened
  size_t event_count;
  const struct change_log *logs;
  size_t log_count;
  const struct replay *replays;  // by tenant and key
  size_t replay_count;
  int64_t replays_before;      // delete (some of) those older than this; 0: none
  const struct queue *queues;  // insert or replace, by tenant and name
  size_t queue_count;
  const struct type *types;  // insert or replace, by tenant and name
  size_t type_count;
  const struct api_key *keys;  // insert or replace, by id
  size_t key_count;
  const struct str *keys_gone;  // ids of keys to be deleted, after the above
  size_t key_gone_count;
  const struct tenant *tenants;  // insert
  size_t tenant_count;
  const struct duty *duty;  // of the cleanup, which the unit has loaded; NULL: it stays as it is
};

// --- reads ---------------------------------------------------------------------------------------

// Absent fields (count 0, STR_NONE, 0) filter nothing.
struct task_filter {
  int64_t tenant;
  unsigned statuses;  // bits 1 << enum task_status; 0: any
  const struct str *types;
  size_t type_count;
  const struct str *queues;
  size_t queue_count;
  struct str tag_name, tag_value;
  struct str project, subject, worker, unique_key;
  struct str text;  // in name, description, type, subject or id; ASCII case ignored
  int64_t created_after, created_before;  // ms, exclusive
  bool ready_only;                        // pending and waiting for a worker, in claim order
  struct id before;                       // from a cursor: continue behind this task
  int64_t before_priority;                // the same, for ready_only
  size_t limit;                           // 1 … LIMIT_PAGE_ITEMS
  unsigned parts;
};

struct task_page {
  struct task **tasks;  // newest first (ready_only: claim order)
  size_t count;
  // There may be more: continue behind `last`. A page may hold fewer than `limit`, even none, and
  // still have more (LIMIT_SCAN_ROWS, LIMIT_PAGE_BYTES).
  bool more;
  struct id last;
  int64_t last_priority;
};

struct event_filter {
  int64_t tenant;
  struct id task;  // of one task; none: of the tenant
  int64_t after;   // seq, exclusive
  size_t limit;
  struct str type, queue;
};

struct event_page {
  struct event *events;  // oldest first
  size_t count;
  bool more;
};

struct log_page {
  struct log_line *lines;  // oldest first
  size_t count;
  bool more;
};

// Everything that is kept in memory while the server runs.
struct catalog {
  struct tenant *tenants;
  size_t tenant_count;
  struct api_key *keys;
  size_t key_count;
  struct queue *queues;
  size_t queue_count;
  struct type *types;
  size_t type_count;
  int64_t version;  // raised by each change of it
};

struct check_finding {
  const char *invariant;  // "I8 at most one lease", …
  int64_t violations;     // 0: holds
  struct str example;     // what to look at first
};

// --- news ----------------------------------------------------------------------------------------

// What other processes did to a store that several share, as far as it matters to those who wait in
// this one. News are hints, to look again: they may come late, twice or for nothing.
struct ready_news {
  int64_t tenant;
  struct str queue, type;
  int64_t count;  // tasks that became ready
};

struct news {
  struct arena *arena;  // of what comes out
  // In: what is waited for here. Of picks: the filter; `busy` comes out true when something fits.
  struct pick *parked;
  size_t parked_count;
  const struct want_id *watched;  // tasks whose end is waited for
  size_t watched_count;
  int64_t catalog_version;
  // Out.
  const struct ready_news *ready;
  size_t ready_count;
  const struct id *ended;
  size_t ended_count;
  const int64_t *stirred;  // tenants that have more events
  size_t stirred_count;
  struct catalog *changed;  // NULL: the catalogue is still of `catalog_version`
  int64_t wake_at;          // a task's time came at this and nobody has moved it; 0: none such
};

// The processes that share a store, as they report themselves.
struct node {
  struct str name;
  int64_t started_at, seen_at;
  bool self;
};

// --- moving a whole store ------------------------------------------------------------------------

// Parts are moved in this order. Each is read in an order of the store's own that does not change;
// `after` tells how far an earlier call came, and the zero mark is the beginning.
enum bulk_part { BULK_CATALOG, BULK_TASKS, BULK_LOGS, BULK_EVENTS, BULK_REPLAYS, BULK_PARTS };
enum { BULK_PAGE_BYTES = 4 << 20 };  // a page ends with the row that passes this
struct bulk_mark {
  int64_t source;  // identity of the store that was read: a move under way knows its own by it
  int64_t rows;    // of the part, up to here
  int64_t tenant;
  struct id id;
  int64_t number;  // of a log line or an event; what the store likes, of a replay
  struct str key;  // of a replay
};
struct bulk_log {
  int64_t tenant;
  struct id task;
  struct log_line line;
};
struct bulk {
  struct catalog catalog;
  struct task *tasks;  // with payload and result
  size_t task_count;
  struct bulk_log *logs;
  size_t log_count;
  struct event *events;  // with their numbers
  size_t event_count;
  struct replay *replays;
  size_t replay_count;
  struct bulk_mark last;  // continue behind this
  bool more;
  int64_t total;  // rows of the part, when read from its beginning; 0: that cannot be told quickly
};

// --- the contract --------------------------------------------------------------------------------

struct store {
  const struct store_ops *ops;  // a store's own struct begins with this
};
struct store_lane;
struct store_reader;

struct store_ops {
  const char *name;  // "sqlite", "memory", "postgresql"
  bool lane_reads;   // readers must be used on the lane's thread (memory:)
  bool fleeting;     // what it holds ends with the process (memory:)

  // The clock that decides leases and due times, ms since the epoch; any thread. NULL: the
  // process's own.
  int64_t (*now)(struct store *s);

  // Which of ID_SHARES (base/id.h) the process's ids are to be taken from; any thread, may change.
  // NULL: it has all.
  int64_t (*id_share)(struct store *s);

  // At start.
  enum err (*catalog)(struct store *s, struct arena *a, struct catalog *out, struct fault *why);
  enum err (*last_id)(struct store *s, int64_t *key, struct fault *why);  // id_key of the newest; 0

  // Lanes. `lane_max` tells how many may be open at once.
  size_t (*lane_max)(struct store *s);
  enum err (*lane_open)(struct store *s, struct store_lane **out, struct fault *why);
  void (*lane_close)(struct store_lane *lane);  // NULL is allowed
  enum err (*load)(struct store_lane *lane, struct load *want, struct fault *why);
  // Commits. The change must be to what was loaded in this unit.
  enum err (*apply)(struct store_lane *lane, const struct change *change, struct fault *why);
  void (*abandon)(struct store_lane *lane);  // ends a unit that has nothing to apply
  // The smallest wake_at that is set; 0: none.
  enum err (*wake_next)(struct store_lane *lane, int64_t *at, struct fault *why);
  // Upkeep that needs the lane: a checkpoint when one is due (`idle`: also a small one), a probe of
  // whether writing works. Never while a unit is open.
  enum err (*tend)(struct store_lane *lane, bool idle, struct fault *why);

  // For stores that several processes share; else NULL. Blocks until there is news, for a second or
  // so at most. One thread calls it, again and again; `news_stop`, from any thread, makes it return
  // at once, now and from now on.
  enum err (*news)(struct store *s, struct news *news, struct fault *why);
  void (*news_stop)(struct store *s);
  enum err (*nodes)(struct store *s, struct arena *a, struct node **out, size_t *count,
                    struct fault *why);  // from memory; any thread; NULL: one process

  // Readers.
  enum err (*reader_open)(struct store *s, struct store_reader **out, struct fault *why);
  void (*reader_close)(struct store_reader *r);  // NULL is allowed
  // ERR_NOT_FOUND when this tenant has no such task.
  enum err (*read_task)(struct store_reader *r, struct arena *a, int64_t tenant, struct id id,
                        unsigned parts, struct task **out, struct fault *why);
  enum err (*read_tasks)(struct store_reader *r, struct arena *a, const struct task_filter *filter,
                         struct task_page *out, struct fault *why);
  enum err (*read_events)(struct store_reader *r, struct arena *a,
                          const struct event_filter *filter, struct event_page *out,
                          struct fault *why);
  // The number of a tenant's newest event; 0: it has none.
  enum err (*read_newest)(struct store_reader *r, int64_t tenant, int64_t *seq, struct fault *why);
  enum err (*read_logs)(struct store_reader *r, struct arena *a, int64_t tenant, struct id task,
                        int64_t after, size_t limit, struct log_page *out, struct fault *why);
  enum err (*read_tallies)(struct store_reader *r, struct arena *a, int64_t tenant,
                           struct tally **out, size_t *count, struct fault *why);

  // Operator's commands; each runs on its own connection and may take long.
  enum err (*backup)(struct store *s, const char *path, struct fault *why);  // a consistent copy
  enum err (*check)(struct store *s, struct arena *a, struct check_finding **out, size_t *count,
                    struct fault *why);

  // Moving to another store; nobody else may use either meanwhile. `bulk_read` gives `limit` rows
  // at most. `bulk_write` keeps the mark with what it writes; the page that it wrote last may be
  // written again. `bulk_mark` tells the last mark: where to go on after an interruption, and
  // whether the part was finished. `bulk_finish` makes up what a store keeps besides (tallies,
  // chains), and opens it for use; until then opening it for lanes is refused (ERR_INVALID).
  enum err (*bulk_read)(struct store *s, struct arena *a, enum bulk_part part,
                        const struct bulk_mark *after, size_t limit, struct bulk *out,
                        struct fault *why);
  enum err (*bulk_write)(struct store *s, enum bulk_part part, const struct bulk *bulk,
                         struct fault *why);
  enum err (*bulk_mark)(struct store *s, struct arena *a, enum bulk_part part,
                        struct bulk_mark *out, bool *finished, struct fault *why);
  // All pages are written: makes the store quick to read back. NULL: it is.
  enum err (*bulk_written)(struct store *s, struct fault *why);
  enum err (*bulk_finish)(struct store *s, struct fault *why);
  // ERR_INVALID, with what to do: a move into the store was begun and is not finished.
  enum err (*bulk_whole)(struct store *s, struct fault *why);

  void (*close)(struct store *s);  // all lanes and readers are closed; NULL is allowed
};

#endif
