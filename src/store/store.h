// store.h: what every task store must do. Callers see only this file.
//
// A store decides nothing. The engine works out what should happen and hands over a change; the
// store makes all of it so or none of it, and when `apply` returns ERR_OK the change survives a
// crash and the loss of power.
//
// Writing goes through lanes. A lane belongs to one thread and runs one unit of work at a time:
//   load (rows that orders name, rows picked for claims, rows whose time has come)
//   → the engine decides → apply (everything, committed once), or abandon.
// Reading goes through readers, each used by one thread at a time; a reader sees what was committed
// when its call began, and never waits for a lane.
//
// Errors, for all calls: ERR_UNAVAILABLE (the store cannot be reached; may heal), ERR_DISK_FULL
// (nothing was changed; heals), ERR_STORE_BROKEN (I/O or sync error, or a broken file: the process
// must stop and recover), ERR_SCAN_LIMIT (a read ran past its deadline).
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
  bool result_new;   // task.result was set in this unit and must be written
  // Set by the store at load, for compare-and-swap and for its tallies. Zero in a fresh row.
  int64_t was_revision;
  enum task_status was_status;
  enum waiting was_waiting;
  int64_t channel;      // the store's own number for (tenant, queue, type); 0: unknown
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
  struct str body;
  int64_t at;
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
  size_t bytes_max;   // stop after the task whose payload passes this sum; at least one
  struct row **rows;  // out, with payload
  size_t row_count;
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
};

// --- apply ---------------------------------------------------------------------------------------

struct change_event {
  struct event event;  // seq and previous are filled in by the store
  struct row *row;     // its task; NULL for events of queues, types and keys
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
  const struct replay *replays;  // insert or replace, by tenant and key
  size_t replay_count;
  int64_t replays_before;      // delete (some of) those older than this; 0: none
  const struct queue *queues;  // insert or replace, by tenant and name
  size_t queue_count;
  const struct type *types;  // insert or replace, by tenant and name
  size_t type_count;
  const struct api_key *keys;  // insert or replace, by id
  size_t key_count;
  const struct tenant *tenants;  // insert
  size_t tenant_count;
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
  struct id task;  // of one task (its chain); none: of the tenant
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
};

struct check_finding {
  const char *invariant;  // "I8 at most one lease", …
  int64_t violations;     // 0: holds
  struct str example;     // what to look at first
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

  // At start.
  enum err (*catalog)(struct store *s, struct arena *a, struct catalog *out, struct fault *why);
  enum err (*last_id)(struct store *s, int64_t *key, struct fault *why);  // id_key of the newest; 0

  // Lanes. `lane_max` tells how many may be open at once.
  size_t (*lane_max)(struct store *s);
  enum err (*lane_open)(struct store *s, struct store_lane **out, struct fault *why);
  void (*lane_close)(struct store_lane *lane);  // NULL is allowed
  enum err (*load)(struct store_lane *lane, struct load *want, struct fault *why);
  // Commits. ERR_CONFLICT: a row is no longer what was read; nothing was changed, load and decide
  // again.
  enum err (*apply)(struct store_lane *lane, const struct change *change, struct fault *why);
  void (*abandon)(struct store_lane *lane);  // ends a unit that has nothing to apply
  // The smallest wake_at that is set; 0: none.
  enum err (*wake_next)(struct store_lane *lane, int64_t *at, struct fault *why);
  // Upkeep that needs the lane: a checkpoint when one is due (`idle`: also a small one), a probe of
  // whether writing works. Never while a unit is open.
  enum err (*tend)(struct store_lane *lane, bool idle, struct fault *why);

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
  enum err (*read_logs)(struct store_reader *r, struct arena *a, int64_t tenant, struct id task,
                        int64_t after, size_t limit, struct log_page *out, struct fault *why);
  enum err (*read_tallies)(struct store_reader *r, struct arena *a, int64_t tenant,
                           struct tally **out, size_t *count, struct fault *why);

  // Operator's commands; each runs on its own connection and may take long.
  enum err (*backup)(struct store *s, const char *path, struct fault *why);  // a consistent copy
  enum err (*check)(struct store *s, struct arena *a, struct check_finding **out, size_t *count,
                    struct fault *why);

  void (*close)(struct store *s);  // all lanes and readers are closed; NULL is allowed
};

#endif
