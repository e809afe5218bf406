// news.c: what the others did, and telling them what we did.
//
// One thread calls pg_news again and again; the connection is its own. After each commit the lanes
// put into the outbox what others may wait for, and wake that thread, which sends it. A notice is
// never part of a unit of work: its commit would hold a lock that all who notify share.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "store/postgres/desk.h"

enum {
  SEND_EVERY_US = 10 * 1000,  // notices are at least this far apart
  STATEMENT_MS = 2000,        // and nothing here waits longer
  PAUSE_FIRST_US = 100 * 1000,
  PAUSE_MAX_US = 1000 * 1000,  // between tries to connect
};

// --- what was found ------------------------------------------------------------------------------

// The list, with room for one more element of `size` bytes.
static void *with_room(struct arena *a, void *list, size_t count, size_t *cap, size_t size) {
  if (count < *cap) return list;
  *cap = *cap ? *cap * 2 : 16;
  char *more = arena_alloc(a, *cap * size);
  if (count) memcpy(more, list, count * size);
  return more;
}
#define WITH_ROOM(f, list, count, cap)                                                             \
  with_room((f)->news->arena, (list), (count), (cap), sizeof *(list))

void pg_found_ready(struct found *f, const struct channel *c, int64_t count) {
  struct news *news = f->news;
  news->ready = f->ready = WITH_ROOM(f, f->ready, news->ready_count, &f->ready_cap);
  f->ready[news->ready_count++] =
      (struct ready_news){.tenant = c->tenant, .queue = c->queue, .type = c->type, .count = count};
  f->any = true;
}

void pg_found_ended(struct found *f, struct id id) {
  struct news *news = f->news;
  news->ended = f->ended = WITH_ROOM(f, f->ended, news->ended_count, &f->ended_cap);
  f->ended[news->ended_count++] = id;
  f->any = true;
}

void pg_found_stirred(struct found *f, int64_t tenant) {
  struct news *news = f->news;
  news->stirred = f->stirred = WITH_ROOM(f, f->stirred, news->stirred_count, &f->stirred_cap);
  f->stirred[news->stirred_count++] = tenant;
  f->any = true;
}

void pg_found_all_ready(struct found *f) {
  for (size_t i = 0; i < f->news->parked_count; i++) f->news->parked[i].busy = true;
  f->any = true;
}

void pg_found_all_ended(struct found *f) {
  for (size_t i = 0; i < f->news->watched_count; i++) pg_found_ended(f, f->news->watched[i].id);
  f->any = true;
}

// --- hearing -------------------------------------------------------------------------------------

static enum err hear_ready(struct news_desk *d, struct found *f, const struct notice *n,
                           struct fault *why) {
  struct channels *cs = d->store->channels;
  for (size_t i = 0; i < n->ready_count; i++) {
    const struct notice_ready *r = &n->ready[i];
    if (!pg_channels_at(cs, r->channel)) {
      arena_reset(&d->scratch);
      TRY(pg_channels_load(&d->conn, cs, why));
    }
    struct channel *c = pg_channels_at(cs, r->channel);
    if (!c) continue;  // the next pulse will know
    const struct id best = {.hi = r->id_hi}, oldest = {.hi = r->oldest};
    pg_channels_lower(cs, c, -r->priority, best, oldest);
    pg_found_ready(f, c, r->count);
  }
  return ERR_OK;
}

// Ended tasks are passed on whether they are watched or not: the watch may have begun after this
// call did.
static enum err hear(struct news_desk *d, struct found *f, const struct notice *n,
                     struct fault *why) {
  if (n->node == d->node) return ERR_OK;
  if (n->nodes || !pg_nodes_known(d, n->node)) pg_nodes_changed(d);
  if (n->catalogue) d->pulse_at_us = 0;
  if (n->all_ready) pg_found_all_ready(f);
  if (n->all_ended) pg_found_all_ended(f);
  for (size_t i = 0; i < n->ended_count; i++) pg_found_ended(f, n->ended[i]);
  for (size_t i = 0; i < n->stirred_count; i++) pg_found_stirred(f, n->stirred[i]);
  return hear_ready(d, f, n, why);
}

// What has come so far.
static enum err hear_all(struct news_desk *d, struct found *f, struct fault *why) {
  PGnotify *heard;
  enum err err = ERR_OK;
  while (err == ERR_OK && pg_is_open(&d->conn) && (heard = PQnotifies(d->conn.db)) != NULL) {
    struct notice n;
    if (strcmp(heard->relname, d->topic) == 0 &&
        pg_notice_decode(str_of(heard->extra), f->news->arena, &n))
      err = hear(d, f, &n, why);
    PQfreemem(heard);
  }
  return err;
}

// --- telling -------------------------------------------------------------------------------------

void pg_desk_tell(struct postgres_store *s, const struct change *change) {
  struct news_desk *d = s->desk;
  pg_upkeep_wrote(d->upkeep, change->row_count + 1);
  if (!atomic_load(&d->telling)) return;
  pthread_mutex_lock(&d->lock);
  bool filled = d->outbox.filled;
  pg_outbox_collect(&d->outbox, change);
  bool wake = !filled && d->outbox.filled;
  pthread_mutex_unlock(&d->lock);
  if (wake) (void)eventfd_write(d->wake_fd, 1);
}

void pg_desk_front_wanted(struct postgres_store *s) {
  if (s->desk) pg_upkeep_front_wanted(s->desk->upkeep);
}

static bool is_filled(struct news_desk *d) {
  pthread_mutex_lock(&d->lock);
  bool filled = d->outbox.filled;
  pthread_mutex_unlock(&d->lock);
  return filled;
}

static void introduce(struct news_desk *d) {
  if (!atomic_load(&d->telling)) return;
  pthread_mutex_lock(&d->lock);
  d->outbox.nodes = d->outbox.filled = true;
  pthread_mutex_unlock(&d->lock);
}

static enum err send(struct news_desk *d, struct fault *why) {
  struct notice notice;
  struct str *texts;
  arena_reset(&d->scratch);
  pthread_mutex_lock(&d->lock);
  pg_outbox_take(&d->outbox, &d->scratch, &notice);
  pthread_mutex_unlock(&d->lock);
  notice.node = d->node;
  size_t count = pg_notice_encode(&notice, &d->scratch, &texts);
  struct call c = pg_call(&d->conn, QUERY_notice_send);
  call_text(&c, str_of(d->topic));
  call_array_text(&c, count);
  for (size_t i = 0; i < count; i++) call_put_text(&c, texts[i]);
  d->send_at_us = clock_mono_us() + SEND_EVERY_US;
  enum err err = pg_run_done(&c, why);
  if (err == ERR_OK || !pg_is_open(&d->conn)) return err;
  // Such as a queue of notices that is full because somebody does not read his. Pulses find it all.
  log_event(LOG_DEBUG, "the other nodes could not be told", LOG_STR("reason", str_of(why->detail)));
  return ERR_OK;
}

// --- connecting ----------------------------------------------------------------------------------

// Nothing that this connection writes must outlive a crash of the server.
static enum err connect_desk(struct news_desk *d, struct fault *why) {
  arena_reset(&d->scratch);
  d->listening = false;
  d->missed = true;
  d->pulse_at_us = d->send_at_us = 0;
  TRY(pg_open(&d->conn, &d->conn_settings, &d->scratch, why));
  if (!d->conn.pooled) TRY(pg_exec(&d->conn, "SET synchronous_commit = off", why));
  return pg_nodes_refresh(d, why);
}

static enum err listen_now(struct news_desk *d, struct fault *why) {
  if (d->conn.pooled && !d->pooled_said)
    log_event(LOG_INFO,
              "the way to the database is a pooler that passes no notifications: "
              "nodes hear of each other once a second");
  d->pooled_said |= d->conn.pooled;
  char sql[sizeof d->topic + 16];
  snprintf(sql, sizeof sql, "LISTEN %s", d->topic);
  arena_reset(&d->scratch);
  if (!d->conn.pooled) TRY(pg_exec(&d->conn, sql, why));
  d->listening = true;
  introduce(d);
  return ERR_OK;
}

static enum err get_ready(struct news_desk *d, struct fault *why) {
  if (!pg_is_open(&d->conn)) {
    pg_close(&d->conn);
    TRY(connect_desk(d, why));
  }
  return d->listening ? ERR_OK : listen_now(d, why);
}

// --- waiting -------------------------------------------------------------------------------------

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

// Until something comes, or that time. False: the socket has nothing.
static bool wait_until(struct news_desk *d, int64_t until_us, bool hear_it) {
  int64_t left_us = until_us - clock_mono_us();
  if (left_us < 0) left_us = 0;
  struct timespec timeout = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
  struct pollfd fds[] = {{.fd = d->wake_fd, .events = POLLIN},
                         {.fd = hear_it ? PQsocket(d->conn.db) : -1, .events = POLLIN}};
  if (ppoll(fds, 2, &timeout, NULL) <= 0) return false;
  eventfd_t count;
  if (fds[0].revents) (void)eventfd_read(d->wake_fd, &count);  // does not block
  return fds[1].revents != 0;
}

static enum err wait(struct news_desk *d, struct fault *why) {
  int64_t until_us = sooner(d->pulse_at_us, d->nodes_at_us);
  if (is_filled(d)) until_us = sooner(until_us, d->send_at_us);
  if (!wait_until(d, until_us, true) || PQconsumeInput(d->conn.db)) return ERR_OK;
  d->conn.lost = true;
  return fault_set(why, ERR_UNAVAILABLE, "the connection to the database was lost");
}

// After a failure, longer each time, and not the same for all nodes, so that a server that comes
// back is not met by all at once.
static void pause_tries(struct news_desk *d) {
  d->pause_us = sooner(d->pause_us ? d->pause_us * 2 : PAUSE_FIRST_US, PAUSE_MAX_US);
  int64_t until_us = clock_mono_us() + d->pause_us - rand_below(d->pause_us / 4);
  while (!atomic_load(&d->stop) && clock_mono_us() < until_us) (void)wait_until(d, until_us, false);
}

// --- the call ------------------------------------------------------------------------------------

// A pulse asks for what is waited for now, so it is the first thing in a call or left to the next
// one: in between others may have begun to wait, for whom no notice comes where there are none.
static enum err attend(struct news_desk *d, struct found *f, struct fault *why) {
  for (bool first = true; !atomic_load(&d->stop); first = false) {
    TRY(hear_all(d, f, why));
    int64_t now_us = clock_mono_us();
    if (now_us >= d->nodes_at_us) TRY(pg_nodes_refresh(d, why));
    if (now_us >= d->send_at_us && is_filled(d)) TRY(send(d, why));
    if (now_us >= d->pulse_at_us) return first ? pg_pulse(d, f, why) : ERR_OK;
    if (f->any) break;
    TRY(wait(d, why));
  }
  return ERR_OK;
}

enum err pg_news(struct store *s, struct news *news, struct fault *why) {
  struct news_desk *d = ((struct postgres_store *)s)->desk;
  struct fault reason = {0};
  struct found found = {.news = news};
  news->ready = NULL;
  news->ended = NULL;
  news->stirred = NULL;
  news->ready_count = news->ended_count = news->stirred_count = 0;
  news->changed = NULL;
  news->wake_at = 0;
  for (size_t i = 0; i < news->parked_count; i++) news->parked[i].busy = false;
  if (atomic_load(&d->stop)) return ERR_OK;
  enum err err = get_ready(d, &reason);
  if (err == ERR_OK) err = attend(d, &found, &reason);
  if (err == ERR_OK) {
    d->pause_us = 0;
    return ERR_OK;
  }
  pg_reset(&d->conn);  // closes one that is lost
  d->missed = true;    // what was found is not reported
  pause_tries(d);
  return fault_set(why, ERR_UNAVAILABLE, "%s", reason.detail);
}

void pg_news_stop(struct store *s) {
  struct news_desk *d = ((struct postgres_store *)s)->desk;
  if (!d) return;
  atomic_store(&d->stop, true);
  (void)eventfd_write(d->wake_fd, 1);
}

// --- opening and closing -------------------------------------------------------------------------

// Identifiers of PostgreSQL have 63 bytes at most, and a schema's name may have as many.
static void name_topic(struct news_desk *d) {
  struct str schema = d->store->settings.schema;
  int len = snprintf(d->topic, sizeof d->topic, "taskyard_%.*s", STR_FMT(schema));
  if ((size_t)len >= sizeof d->topic)
    snprintf(d->topic, sizeof d->topic, "taskyard_%016llx", (unsigned long long)hash_fast(schema));
}

static struct news_desk *desk_new(struct postgres_store *s) {
  struct news_desk *d = mem_zero(sizeof *d);
  d->store = s;
  d->node = rand_below(INT64_MAX);
  d->started_at = pg_now(&s->store);
  d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  d->whole_look_us = clock_mono_us();
  // Index scans only, as the lanes have them: a planner that errs must not read all of `live` once
  // a second.
  d->conn_settings = s->lane_conn;
  d->conn_settings.deadline_ms = STATEMENT_MS;
  pthread_mutex_init(&d->lock, NULL);
  arena_init(&d->scratch, 64 << 10);
  for (size_t i = 0; i < 2; i++) arena_init(&d->lists[i].arena, 4096);
  name_topic(d);
  pg_nodes_begin(d);
  return d;
}

enum err pg_desk_open(struct postgres_store *s, struct fault *why) {
  struct news_desk *d = desk_new(s);
  s->desk = d;
  enum err err = d->wake_fd < 0 ? fault_set(why, ERR_UNAVAILABLE,
                                            "there are no descriptors left; raise the "
                                            "limit of open files")
                                : connect_desk(d, why);
  if (err == ERR_OK) err = pg_upkeep_start(s, &d->upkeep, why);
  if (err != ERR_OK) pg_desk_close(s);
  return err;
}

// What is left to tell is told, so that a command that ends at once is heard too.
static void say_goodbye(struct news_desk *d) {
  struct fault why = {0};
  pg_nodes_leave(d);
  introduce(d);
  if (pg_is_open(&d->conn) && is_filled(d)) (void)send(d, &why);
}

void pg_desk_close(struct postgres_store *s) {
  struct news_desk *d = s->desk;
  pg_upkeep_stop(d->upkeep);
  if (pg_is_open(&d->conn)) say_goodbye(d);
  pg_close(&d->conn);
  for (size_t i = 0; i < 2; i++) arena_fini(&d->lists[i].arena);
  arena_fini(&d->scratch);
  pthread_mutex_destroy(&d->lock);
  if (d->wake_fd >= 0) (void)close(d->wake_fd);
  mem_free(d);
  s->desk = NULL;
}
