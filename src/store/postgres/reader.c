// reader.c: a connection that only reads: it comes back by itself, and no question takes for ever.
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/postgres/reads.h"

// Between tries to connect; questions meanwhile are answered at once. Differs from try to try, so
// that a server that comes back is not met by all readers at once.
enum { PAUSE_US = 200 * 1000, PAUSE_JITTER_US = 200 * 1000 };

// --- connecting ----------------------------------------------------------------------------------

static enum err unreachable(struct fault *why, const char *reason) {
  enum err err = fault_set(why, ERR_UNAVAILABLE, "the database cannot be reached%s%s",
                           *reason ? ": " : "", reason);
  if (why) why->retry_after_s = 1;
  return err;
}

static enum err connect(struct store_reader *r, struct fault *why) {
  if (pg_is_open(&r->conn)) return ERR_OK;
  pg_close(&r->conn);
  if (clock_mono_us() < r->next_try_us) return unreachable(why, "");
  struct fault reason = {0};
  enum err err = pg_open(&r->conn, &r->store->reader_conn, &r->scratch, &reason);
  if (err == ERR_OK) return ERR_OK;
  r->next_try_us = clock_mono_us() + PAUSE_US + rand_below(PAUSE_JITTER_US);
  return unreachable(why, reason.detail);
}

enum err pg_reader_open(struct store *s, struct store_reader **out, struct fault *why) {
  struct store_reader *r = mem_zero(sizeof *r);
  r->store = (struct postgres_store *)s;
  arena_init(&r->scratch, 64 << 10);
  enum err err = pg_open(&r->conn, &r->store->reader_conn, &r->scratch, why);
  if (err == ERR_OK)
    *out = r;
  else
    pg_reader_close(r);
  return err;
}

void pg_reader_close(struct store_reader *r) {
  if (!r) return;
  pg_close(&r->conn);
  arena_fini(&r->scratch);
  mem_free(r);
}

// --- asking --------------------------------------------------------------------------------------

// A connection may have been lost long ago, which only its next use shows.
enum err pg_reader_ask(struct store_reader *r, struct arena *a, question *ask, void *about,
                       struct fault *why) {
  for (bool again = false;; again = true) {
    TRY(connect(r, why));
    arena_reset(&r->scratch);
    enum err err = ask(r, a, about, why);
    if (err == ERR_OK || err == ERR_NOT_FOUND) return err;
    pg_reset(&r->conn);
    if (err != ERR_UNAVAILABLE || pg_is_open(&r->conn) || again) {
      if (err == ERR_UNAVAILABLE && why) why->retry_after_s = 1;
      return err;
    }
    if (why) *why = (struct fault){0};
  }
}

// A number that is not known here is of a channel that another process made.
enum err pg_reader_names(struct store_reader *r, int64_t number, struct str *queue,
                         struct str *type, struct fault *why) {
  struct channels *cs = r->store->channels;
  const struct channel *channel = pg_channels_at(cs, number);
  if (!channel) TRY(pg_channels_load(&r->conn, cs, why));
  if (!channel) channel = pg_channels_at(cs, number);
  if (!channel)
    return fault_set(why, ERR_INTERNAL,
                     "a task is in channel %lld, which does not exist; run 'taskyard check'",
                     (long long)number);
  *queue = channel->queue;
  *type = channel->type;
  return ERR_OK;
}

// --- at start ------------------------------------------------------------------------------------

enum err pg_last_id(struct store *s, int64_t *key, struct fault *why) {
  struct postgres_store *store = (struct postgres_store *)s;
  struct conn *side;
  TRY(pg_side_begin(store, &side, why));
  struct call call = pg_call(side, QUERY_read_last);
  struct result r;
  enum err err = pg_run(&call, &r, why);
  if (err == ERR_OK) {
    *key = result_next(&r) ? id_key(result_id(&r)) : 0;
    result_free(&r);
  }
  pg_side_end(store);
  return err;
}
