// internal.h: the parts of a SQLite store, and who does which call of store/store.h.
#ifndef STORE_SQLITE_INTERNAL_H
#define STORE_SQLITE_INTERNAL_H

#include "store/sqlite/channel.h"
#include "store/sqlite/conn.h"
#include "store/sqlite/sqlite.h"

struct sqlite_store {
  struct store store;               // first: what callers see
  struct sqlite_settings settings;  // with the defaults filled in
  char *path;                       // as sqlite_file_resolve gave it; NULL: in memory
  int lock_fd;                      // holds the lock file; -1: none
  struct conn conn;                 // the one that writes; the lane's while a lane is open
  bool lane_open;
};

// Events are numbered per tenant; a unit takes numbers behind those that are committed.
struct feed {
  int64_t tenant;
  int64_t last;   // committed
  int64_t taken;  // by the unit under way; `last` when there is none
};

struct store_lane {
  struct sqlite_store *store;
  struct conn *conn;
  struct channels *channels;
  struct feed *feeds;  // of the tenants that had events since the lane was opened
  size_t feed_count, feed_cap;
  bool ailing;               // the latest unit failed for want of room; `tend` tries again
  int64_t wal_pages;         // in the WAL after the latest commit
  int64_t wal_pages_copied;  // of those, in the database file already
  int64_t wal_pages_tried;   // how long the WAL was at the latest checkpoint
};

struct store_reader {
  struct sqlite_store *store;
  struct conn conn;
  bool amid_unit;  // in memory only: the lane, whose connection this is, has a unit open
};

// open.c
extern const struct store_ops sqlite_file_ops, sqlite_memory_ops;
MUST_USE enum err sqlite_store_conn(const struct sqlite_store *s, enum conn_kind kind,
                                    int64_t cache_kib, struct conn *out, struct fault *why);

// migrate.c: brings the schema up to date, or says why not. `path` only for the sentence.
MUST_USE enum err sqlite_migrate(struct conn *c, const char *path, bool read_only,
                                 struct fault *why);

// lane.c
size_t sqlite_lane_max(struct store *s);
enum err sqlite_lane_open(struct store *s, struct store_lane **out, struct fault *why);
// The same without looking whether a move into the store is under way.
MUST_USE enum err sqlite_lane_make(struct sqlite_store *s, struct store_lane **out,
                                   struct fault *why);
void sqlite_lane_close(struct store_lane *lane);
enum err sqlite_lane_begin(struct store_lane *lane, struct fault *why);  // unless a unit is open
void sqlite_lane_abandon(struct store_lane *lane);
enum err sqlite_lane_wake_next(struct store_lane *lane, int64_t *at, struct fault *why);
enum err sqlite_lane_tend(struct store_lane *lane, bool idle, struct fault *why);

// load.c, pick.c, ended.c
enum err sqlite_load(struct store_lane *lane, struct load *want, struct fault *why);
void sqlite_replay_read(struct use *u, struct arena *a, struct replay *r);  // from `at` on
enum err sqlite_pick(struct store_lane *lane, struct arena *a, struct pick *pick,
                     struct fault *why);
// At most `limit` rows.
enum err sqlite_ended(struct store_lane *lane, struct arena *a, struct want_ended *want,
                      size_t limit, struct fault *why);
// Reads the task that the statement stands on, as a row of a unit.
enum err sqlite_load_row(struct store_lane *lane, struct use *u, struct arena *a, struct row **out,
                         struct fault *why);
enum err sqlite_load_parts(struct conn *c, struct arena *a, struct task *t, unsigned parts,
                           struct fault *why);

// ready.c: the ready tasks of several channels in claim order.
struct ready {
  int64_t key, priority, salt;  // salt: if the statement gives it
};
struct ready_after {  // where to go on; the front is {INT64_MAX, 0}
  int64_t priority, key;
};
// `u` is QUERY_task_ready or one with the same first three marks and columns. At most `limit`.
enum err sqlite_ready_merge(struct use *u, const int64_t *channels, size_t channel_count,
                            struct ready_after after, size_t limit, struct arena *a,
                            struct ready **out, size_t *count, struct fault *why);

// apply.c, events.c
enum err sqlite_apply(struct store_lane *lane, const struct change *change, struct fault *why);
enum err sqlite_events_number(struct store_lane *lane, const struct change *change,
                              struct fault *why);
enum err sqlite_events_insert(struct store_lane *lane, const struct change *change,
                              struct fault *why);
void sqlite_events_settle(struct store_lane *lane, bool committed);
// The id of an event: tenant and number.
int64_t sqlite_event_id(int64_t tenant, int64_t seq);
// Reads the columns of QUERY_event_read into a cleared event.
void sqlite_event_read(struct use *u, struct arena *a, struct event *e);
// Runs QUERY_event_insert. `channel` is of the event's task; 0: it has none.
MUST_USE enum err sqlite_event_insert(struct use *u, const struct event *e, int64_t channel,
                                      int64_t previous, struct fault *why);

// catalog.c
enum err sqlite_catalog_read(struct store *s, struct arena *a, struct catalog *out,
                             struct fault *why);
enum err sqlite_catalog_apply(struct conn *c, const struct change *change, struct fault *why);
// Reads "number, tenant, queue, type, ready, @status_columns@" and returns the number.
int64_t sqlite_catalog_tally(struct use *u, struct arena *a, struct tally *out);

// filter.c: a list's filter as SQL.
enum { SCAN_BINDS = 2 * LIMIT_FILTER_NAMES + 16, SCAN_FIRST_BIND = 4 };
struct scan {
  struct buf rows;      // the condition that an index or the key's order carries; "" for none
  struct buf fits;      // the condition on each row that is looked at; "1" when all fit
  struct buf channels;  // the condition on channels; "1" when all fit
  struct buf counts;    // sum of the columns of `channel` that count what is asked for
  const char *index;    // the index to walk; NULL: the table
  struct scan_bind {
    struct str text;  // STR_NONE: the number
    int64_t number;
  } binds[SCAN_BINDS];  // of the marks ?4, ?5, …; ?1 to ?3 are the statement's own
  size_t bind_count;
};
void sqlite_scan_init(struct scan *s, const struct task_filter *filter, struct arena *a);
void sqlite_scan_fini(struct scan *s);

// reader.c, tasks.c, events.c, logs.c
enum err sqlite_last_id(struct store *s, int64_t *key, struct fault *why);
enum err sqlite_reader_open(struct store *s, struct store_reader **out, struct fault *why);
void sqlite_reader_close(struct store_reader *r);
// Between the two, all statements of the reader see one moment.
enum err sqlite_reader_begin(struct store_reader *r, struct fault *why);
void sqlite_reader_end(struct store_reader *r);
// Number of log lines, and newest event, of a task; the latter also of one that was deleted.
// ERR_NOT_FOUND: this tenant has no such task.
enum err sqlite_read_log_head(struct store_reader *r, int64_t tenant, struct id id,
                              int64_t *log_lines, struct fault *why);
enum err sqlite_read_event_head(struct store_reader *r, int64_t tenant, struct id id,
                                int64_t *event_last, struct fault *why);
enum err sqlite_read_task(struct store_reader *r, struct arena *a, int64_t tenant, struct id id,
                          unsigned parts, struct task **out, struct fault *why);
enum err sqlite_read_tasks(struct store_reader *r, struct arena *a,
                           const struct task_filter *filter, struct task_page *out,
                           struct fault *why);
enum err sqlite_read_events(struct store_reader *r, struct arena *a,
                            const struct event_filter *filter, struct event_page *out,
                            struct fault *why);
enum err sqlite_read_newest(struct store_reader *r, int64_t tenant, int64_t *seq,
                            struct fault *why);
enum err sqlite_read_logs(struct store_reader *r, struct arena *a, int64_t tenant, struct id task,
                          int64_t after, size_t limit, struct log_page *out, struct fault *why);
enum err sqlite_read_tallies(struct store_reader *r, struct arena *a, int64_t tenant,
                             struct tally **out, size_t *count, struct fault *why);

// bulk.c
enum err sqlite_bulk_read(struct store *s, struct arena *a, enum bulk_part part,
                          const struct bulk_mark *after, size_t limit, struct bulk *out,
                          struct fault *why);
enum err sqlite_bulk_write(struct store *s, enum bulk_part part, const struct bulk *bulk,
                           struct fault *why);
enum err sqlite_bulk_mark(struct store *s, struct arena *a, enum bulk_part part,
                          struct bulk_mark *out, bool *finished, struct fault *why);
enum err sqlite_bulk_finish(struct store *s, struct fault *why);
enum err sqlite_bulk_whole(struct store *s, struct fault *why);
// ERR_INVALID: a move into the store is not finished.
MUST_USE enum err sqlite_bulk_refuse(struct conn *c, struct fault *why);

// backup.c, check.c
enum err sqlite_backup(struct store *s, const char *path, struct fault *why);
enum err sqlite_check(struct store *s, struct arena *a, struct check_finding **out, size_t *count,
                      struct fault *why);

#endif
