// guard.c: whether the database server is fit to hold the store: new enough, UTF-8, and set to keep
// what it acknowledges.
#include "base/log.h"
#include "store/postgres/internal.h"

enum { VERSION_MIN = 130000 };

struct server {
  int64_t version;
  bool standby;
  struct str encoding, fsync, full_page_writes, synchronous_commit, synchronous_standbys;
};

static enum err ask(struct conn *c, struct server *s, struct fault *why) {
  struct call call = pg_call_sql(
      c, STR("SELECT current_setting('server_version_num')::bigint, pg_is_in_recovery(),"
             " current_setting('server_encoding'), current_setting('fsync'),"
             " current_setting('full_page_writes'), current_setting('synchronous_commit'),"
             " current_setting('synchronous_standby_names')"));
  struct result r;
  TRY(pg_run(&call, &r, why));
  if (result_next(&r)) {
    s->version = result_i64(&r);
    s->standby = result_i64(&r) != 0;
    s->encoding = result_text(&r, c->scratch);
    s->fsync = result_text(&r, c->scratch);
    s->full_page_writes = result_text(&r, c->scratch);
    s->synchronous_commit = result_text(&r, c->scratch);
    s->synchronous_standbys = result_text(&r, c->scratch);
  }
  result_free(&r);
  return ERR_OK;
}

// A value of a setting with which what was acknowledged can be lost.
static enum err refuse(const char *name, struct str value, const char *loses, bool unsafe,
                       struct fault *why) {
  if (unsafe) {
    log_event(LOG_WARN, "the database server may lose what it acknowledged",
              LOG_STR("setting", str_of(name)), LOG_STR("value", value));
    return ERR_OK;
  }
  return fault_set(why, ERR_INVALID,
                   "the database server has %s %.*s, so that %s; set it on there, or, where losing "
                   "tasks does not matter, set unsafe_store here",
                   name, STR_FMT(value), loses);
}

static bool is_off(struct str value) { return str_eq(value, STR("off")); }

static enum err must_keep(const struct server *s, bool unsafe, struct fault *why) {
  if (is_off(s->fsync))
    TRY(refuse("fsync", s->fsync, "a crash of its machine destroys the database", unsafe, why));
  if (is_off(s->full_page_writes))
    TRY(refuse("full_page_writes", s->full_page_writes,
               "a crash of its machine can destroy the database", unsafe, why));
  if (is_off(s->synchronous_commit))
    TRY(refuse("synchronous_commit", s->synchronous_commit,
               "a crash of it loses tasks that were acknowledged", unsafe, why));
  // Without a synchronous standby it is the same as on.
  bool local = str_eq(s->synchronous_commit, STR("local")) && s->synchronous_standbys.len > 0;
  if (!local) return ERR_OK;
  return refuse("synchronous_commit", s->synchronous_commit,
                "its synchronous standby lacks tasks that were acknowledged when it takes over",
                unsafe, why);
}

enum err pg_guard_again(struct conn *c, struct fault *why) {
  struct server s = {0};
  TRY(ask(c, &s, why));
  return must_keep(&s, false, why);
}

static enum err run_alone(struct conn *c, enum query query, struct fault *why) {
  struct call call = pg_call(c, query);
  TRY(pg_send(&call, why));
  TRY(pg_sync(c, why));
  TRY(pg_receive_done(c, why));
  return pg_finish(c, why);
}

// A pooler that gives each statement another session would refuse every unit of work.
static enum err check_transactions(struct conn *c, struct fault *why) {
  struct fault reason = {0};
  enum err err = run_alone(c, QUERY_begin, &reason);
  if (err == ERR_OK) err = run_alone(c, QUERY_rollback, &reason);
  if (err == ERR_OK) return ERR_OK;
  bool refused = c->sqlstate[0] != '\0';
  pg_reset(c);
  return fault_set(why, refused ? ERR_INVALID : err,
                   "the way to the database takes no transaction (%s); a pooler must be in session "
                   "or transaction mode",
                   reason.detail);
}

enum err pg_guard(struct conn *c, bool unsafe, struct fault *why) {
  struct server s = {0};
  TRY(check_transactions(c, why));
  TRY(ask(c, &s, why));
  if (s.version < VERSION_MIN)
    return fault_set(why, ERR_INVALID,
                     "the database server is PostgreSQL %lld; it must be 13 or later, upgrade it",
                     (long long)(s.version / 10000));
  if (!str_eq(s.encoding, STR("UTF8")))
    return fault_set(why, ERR_INVALID,
                     "the database has the encoding %.*s; make one with CREATE DATABASE … ENCODING "
                     "'UTF8' TEMPLATE template0",
                     STR_FMT(s.encoding));
  if (s.standby)
    return fault_set(why, ERR_UNAVAILABLE,
                     "the database server is a standby, which takes no writes; name the primary in "
                     "the store's address");
  return must_keep(&s, unsafe, why);
}
