// internal.h: the parts of a PostgreSQL store, and who does which call of store/store.h.
#ifndef STORE_POSTGRES_INTERNAL_H
#define STORE_POSTGRES_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/postgres/channel.h"
#include "store/postgres/conn.h"
#include "store/postgres/postgres.h"

// A process that was not seen for so long is gone; they report themselves three times as often.
enum { NODE_DEAD_MS = 15 * 1000 };

struct news_desk;  // news.c

struct postgres_store {
  struct store store;                 // first: what callers see
  struct postgres_settings settings;  // with the defaults filled in; texts are the store's own
  char *url;
  struct conn_settings lane_conn, reader_conn, side_conn;
  struct channels *channels;
  pthread_mutex_t side_lock;  // guards `side` and its scratch
  struct arena side_scratch;
  struct conn side;  // for what neither lanes nor readers do; opened again when lost
  // Of the ids that we make; a random one until our row in `node` tells.
  _Atomic int64_t id_share;
  // The server's clock: its time less our monotonic one, ms. Kept by the news, set at open.
  _Atomic int64_t clock_offset;
  _Atomic int64_t clock_told;  // the latest time that pg_now gave
  _Atomic int64_t wake_floor;  // no task has a wake_at before this; see pulse.c
  struct news_desk *desk;      // NULL: no news are wanted
  struct store_lane *mover;    // writes while another store is moved into this one; else NULL
};

struct store_reader {
  struct postgres_store *store;
  struct conn conn;
  struct arena scratch;
  int64_t next_try_us;  // when a lost connection may be tried again, of the monotonic clock
};

// open.c
extern const struct store_ops postgres_ops;
// The side connection, open and at rest, with its lock held; given back by pg_side_end.
MUST_USE enum err pg_side_begin(struct postgres_store *s, struct conn **out, struct fault *why);
void pg_side_end(struct postgres_store *s);
int64_t pg_now(struct store *s);  // the server's clock, ms
void pg_clock_sample(struct postgres_store *s, int64_t server_ms, int64_t sent_us,
                     int64_t received_us);

// migrate.c: brings the schema up to date under a lock, or says why not.
MUST_USE enum err pg_migrate(struct conn *c, struct str schema, bool read_only, struct fault *why);
// guard.c: whether the server is fit to hold the store, and keeps what it acknowledges.
MUST_USE enum err pg_guard(struct conn *c, bool unsafe, struct fault *why);
// Whether it still keeps that: its settings may have changed, or it is another one now.
MUST_USE enum err pg_guard_again(struct conn *c, struct fault *why);

// lane.c
size_t pg_lane_max(struct store *s);
enum err pg_lane_open(struct store *s, struct store_lane **out, struct fault *why);
void pg_lane_close(struct store_lane *lane);
MUST_USE enum err pg_lane_ready(struct store_lane *lane, struct fault *why);  // connected
// Sends the beginning of a transaction, unless one is open.
MUST_USE enum err pg_lane_begin(struct store_lane *lane, struct fault *why);
void pg_lane_abandon(struct store_lane *lane);
void pg_lane_failed(struct store_lane *lane);  // the unit is over; leaves the lane at rest
enum err pg_lane_wake_next(struct store_lane *lane, int64_t *at, struct fault *why);
enum err pg_lane_tend(struct store_lane *lane, bool idle, struct fault *why);

// load.c, pick.c, apply.c, events.c, settle.c
enum err pg_load(struct store_lane *lane, struct load *want, struct fault *why);
void pg_replay_read(struct result *r, struct arena *a, struct replay *out);  // from `at` on
enum err pg_apply(struct store_lane *lane, const struct change *change, struct fault *why);

// columns.c: a task to and from the columns of store/task.def.
void pg_columns_put_input(struct call *c, const struct row *row);  // as an input_row
void pg_columns_put_state(struct call *c, const struct row *row);  // as a state_row
// Reads "tenant, id, channel, @state_columns@, @input_columns@", without the names of the channel,
// and returns its number.
int64_t pg_columns_read(struct result *r, struct arena *a, struct task *t);

// catalog.c
enum err pg_catalog_read(struct store *s, struct arena *a, struct catalog *out, struct fault *why);
// The same on a connection of the caller's, in a transaction of its own. After an error the
// connection is to be reset.
MUST_USE enum err pg_catalog_read_at_once(struct conn *c, struct arena *a, struct catalog *out,
                                          struct fault *why);
// The same within a transaction of the caller's. Sends and receives.
MUST_USE enum err pg_catalog_load(struct conn *c, struct arena *a, struct catalog *out,
                                  struct fault *why);
// Sends what a change makes of the catalogue; `*sent` counts the statements.
MUST_USE enum err pg_catalog_send(struct conn *c, const struct change *change, size_t *sent,
                                  struct fault *why);
// Reads the channels above the highest known one into memory. Sends and receives.
MUST_USE enum err pg_channels_load(struct conn *c, struct channels *cs, struct fault *why);

// news.c: what the others did, and telling them what we did. nodes.c: who they are.
enum err pg_news(struct store *s, struct news *news, struct fault *why);
void pg_news_stop(struct store *s);
MUST_USE enum err pg_desk_open(struct postgres_store *s, struct fault *why);
void pg_desk_close(struct postgres_store *s);
void pg_desk_tell(struct postgres_store *s, const struct change *change);  // after its commit
// A claim leaves it to the upkeep to look at the front of its channels. Without a desk, nothing.
void pg_desk_front_wanted(struct postgres_store *s);
int64_t pg_id_share(struct store *s);
enum err pg_nodes(struct store *s, struct arena *a, struct node **out, size_t *count,
                  struct fault *why);

// reader.c, tasks.c, history.c
enum err pg_last_id(struct store *s, int64_t *key, struct fault *why);
enum err pg_reader_open(struct store *s, struct store_reader **out, struct fault *why);
void pg_reader_close(struct store_reader *r);
enum err pg_read_task(struct store_reader *r, struct arena *a, int64_t tenant, struct id id,
                      unsigned parts, struct task **out, struct fault *why);
enum err pg_read_tasks(struct store_reader *r, struct arena *a, const struct task_filter *filter,
                       struct task_page *out, struct fault *why);
enum err pg_read_events(struct store_reader *r, struct arena *a, const struct event_filter *filter,
                        struct event_page *out, struct fault *why);
enum err pg_read_newest(struct store_reader *r, int64_t tenant, int64_t *seq, struct fault *why);
enum err pg_read_logs(struct store_reader *r, struct arena *a, int64_t tenant, struct id task,
                      int64_t after, size_t limit, struct log_page *out, struct fault *why);
enum err pg_read_tallies(struct store_reader *r, struct arena *a, int64_t tenant,
                         struct tally **out, size_t *count, struct fault *why);

// check.c, backup.c
enum err pg_check(struct store *s, struct arena *a, struct check_finding **out, size_t *count,
                  struct fault *why);
enum err pg_backup(struct store *s, const char *path, struct fault *why);

// bulk.c
enum err pg_bulk_read(struct store *s, struct arena *a, enum bulk_part part,
                      const struct bulk_mark *after, size_t limit, struct bulk *out,
                      struct fault *why);
enum err pg_bulk_write(struct store *s, enum bulk_part part, const struct bulk *bulk,
                       struct fault *why);
enum err pg_bulk_mark(struct store *s, struct arena *a, enum bulk_part part, struct bulk_mark *out,
                      bool *finished, struct fault *why);
enum err pg_bulk_written(struct store *s, struct fault *why);
enum err pg_bulk_finish(struct store *s, struct fault *why);
enum err pg_bulk_whole(struct store *s, struct fault *why);
// ERR_INVALID: a move into the store is not finished.
MUST_USE enum err pg_bulk_refuse(struct postgres_store *s, struct fault *why);

#endif
