// conn.c: one connection to PostgreSQL: opening and closing it, and the settings of its session.
#include "store/postgres/conn.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

// How long a statement may take, on the server.
enum { LANE_MS = 30 * 1000, READER_MS = 5 * 1000, SIDE_MS = 60 * 1000 };
// How much longer its result may take to come here until the server counts as lost. A server that
// answers no more, but whose host does, is found by this alone.
enum { GRACE_MS = 5 * 1000 };

// Lines that begin with a tab are libpq's guesses at the reason.
void pg_one_line(const char *text, char *out, size_t bytes) {
  struct buf line;
  buf_init(&line, 4096);
  for (struct str rest = str_of(text); !str_is_none(rest);) {
    struct str next = str_cut(&rest, '\n');
    if (next.len == 0 || *next.at == '\t') continue;
    if (line.len) BUF_LIT(&line, "; ");
    buf_put(&line, next);
  }
  struct str all = buf_str(&line);
  snprintf(out, bytes, "%.*s", STR_FMT(all));
  buf_fini(&line);
}

// --- settings ------------------------------------------------------------------------------------

struct setting {
  const char *name, *value;
};

// A unit of work touches few rows, by their keys or places, and so does a read. Whatever the
// planner believes of a table that was small or empty when it looked last, it must not read all of
// it. Sorting stays.
static const struct setting key_settings[] = {
    {"enable_seqscan", "off"},
    {"enable_bitmapscan", "off"},
    {"enable_hashjoin", "off"},
    {"enable_mergejoin", "off"},
    {"enable_material", "off"},
    {"random_page_cost", "0.1"},  // a single row is never dearer than an index
};
static const struct setting all_settings[] = {
    {"jit", "off"},  // compiling costs more than our statements run
    {"lock_timeout", "10s"},
    {"idle_in_transaction_session_timeout", "30s"},
};
static const struct setting session_settings[] = {
    {"plan_cache_mode", "force_generic_plan"},
    {"enable_memoize", "off"},  // each key is looked up once; PostgreSQL 14 and later
    {"default_transaction_isolation", "read committed"},
    {"idle_session_timeout", "0"},
    // When this process is gone with its machine, the server ends the session, and its locks with
    // it, soon; by itself it would after hours.
    {"client_connection_check_interval", "10s"},
    {"tcp_keepalives_idle", "20"},
    {"tcp_keepalives_interval", "5"},
    {"tcp_keepalives_count", "4"},
    {"tcp_user_timeout", "40s"},
};

static int64_t statement_ms(const struct conn_settings *s) {
  if (s->deadline_ms > 0) return s->deadline_ms;
  return s->kind == CONN_LANE ? LANE_MS : s->kind == CONN_READER ? READER_MS : SIDE_MS;
}

static void put_settings(struct buf *sql, const struct setting *all, size_t count) {
  for (size_t i = 0; i < count; i++) buf_printf(sql, "('%s', '%s'), ", all[i].name, all[i].value);
}
#define PUT_SETTINGS(sql, list) put_settings((sql), (list), sizeof(list) / sizeof *(list))

// In a session of its own only if the process that answers is the one that was connected to: behind
// a pooler it is another, whose session others will use. Older servers do not know all of them.
const char *pg_settings_sql(struct conn *c, bool transaction) {
  enum conn_kind kind = c->settings->kind;
  struct buf sql;
  buf_init(&sql, 4096);
  buf_printf(&sql, "SELECT set_config(s.name, s.value, %s) FROM (VALUES ",
             transaction ? "true" : "false");
  PUT_SETTINGS(&sql, all_settings);
  if (kind != CONN_SIDE) PUT_SETTINGS(&sql, key_settings);
  if (!transaction) PUT_SETTINGS(&sql, session_settings);
  if (kind == CONN_READER)
    buf_printf(&sql, "('%stransaction_read_only', 'on'), ", transaction ? "" : "default_");
  buf_printf(&sql, "('statement_timeout', '%lld')) AS s(name, value)",
             (long long)statement_ms(c->settings));
  if (!transaction)
    buf_printf(&sql,
               " WHERE pg_backend_pid() = %d"
               " AND EXISTS (SELECT 1 FROM pg_catalog.pg_settings AS g WHERE g.name = s.name)",
               PQbackendPID(c->db));
  assert(!sql.overflow);
  const char *text = arena_cstr(c->scratch, buf_str(&sql));
  buf_fini(&sql);
  return text;
}

// --- opening -------------------------------------------------------------------------------------

// A warning at a commit means that the wait for a standby was given up (SQLSTATE 01000 has no other
// use there): the change is made here, and may be gone after a failover.
static void notice(void *self, const PGresult *r) {
  struct conn *c = self;
  const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (sqlstate && severity && strcmp(sqlstate, "01000") == 0 && strcmp(severity, "WARNING") == 0)
    c->warned = true;
  const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
  log_event(LOG_DEBUG, "the database remarks", LOG_STR("remark", str_of(text ? text : "")));
}

// What stands before the address holds unless the address says otherwise; what stands behind it
// holds always.
static const struct setting connect_settings[] = {
    {"connect_timeout", "3"},         {"target_session_attrs", "read-write"},
    {"keepalives_idle", "10"},        {"keepalives_interval", "3"},
    {"keepalives_count", "3"},        {"tcp_user_timeout", "10000"},
    {"application_name", "taskyard"}, {"dbname", NULL},
    {"client_encoding", "UTF8"},
};
enum { CONNECT_SETTINGS = sizeof connect_settings / sizeof *connect_settings };

// libpq's sentence may repeat parts of an address that it cannot read, and so of a password.
static enum err check_address(const char *url, struct fault *why) {
  char *reason = NULL;
  PQconninfoOption *options = PQconninfoParse(url, &reason);
  if (options) {
    PQconninfoFree(options);
    return ERR_OK;
  }
  static const char parameter[] = "invalid URI query parameter";  // of which only the name follows
  bool secret = strchr(url, '@') || strstr(url, "password");
  bool harmless = reason && strncmp(reason, parameter, sizeof parameter - 1) == 0;
  char text[FAULT_DETAIL_BYTES] = "";
  if (reason && (!secret || harmless)) pg_one_line(reason, text, sizeof text);
  PQfreemem(reason);
  return fault_set(why, ERR_INVALID,
                   "the store's address cannot be read%s%s; it looks like "
                   "postgresql://user@host:5432/database, other signs written as %%xx",
                   *text ? ": " : "", text);
}

// What to do about a failure that libpq tells by these words.
static const struct hint {
  const char *sign, *hint;
  bool silent;  // nothing answered: a program that comes with the database tells more
} hints[] = {
    {"hot standby mode", "; leave target_session_attrs out of the store's address", false},
    {"read-only", "; name the primary in the store's address, or make it writable", false},
    {"Connection refused", "; is it running, and does it listen there?", true},
    {"No such file or directory", "; is it running, and are its sockets there?", true},
    {"timeout expired", "; is the address right, and no firewall between?", true},
    {"translate host name", "; is the host's name in the store's address right?", false},
    {"not permitted to log in", "; ALTER ROLE … LOGIN permits it", false},
    {"too many", "; allow more there, or use fewer nodes, lanes and readers", false},
    {"connection slots", "; raise max_connections, or use fewer nodes, lanes and readers", false},
    {"permission denied for database", "; GRANT CONNECT ON DATABASE … TO that user", false},
    {"pg_hba.conf", "; let it in by a line there", false},
    {"does not support SSL", "; switch ssl on there, or leave sslmode out of the address", false},
    {"certificate", "; name who signed it by sslrootcert in the store's address", false},
    {"role \"", "; make it with createuser, or name another user", false},
    {"\" does not exist", "; make it with createdb, or name another database", false},
    {"password", "; look at user and password in the store's address, or PGPASSWORD", false},
    {"authentication failed", "; look at user and password in the store's address", false},
};

static const struct hint *hint_for(const char *text) {
  static const struct hint none = {"", "", false};
  for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
    if (strstr(text, hints[i].sign)) return &hints[i];
  return &none;
}

static enum err cannot_connect(const struct conn *c, struct fault *why) {
  char text[FAULT_DETAIL_BYTES], ask[FAULT_DETAIL_BYTES] = "";
  pg_one_line(PQerrorMessage(c->db), text, sizeof text);
  const char *url = c->settings->url;
  const struct hint *hint = hint_for(text);
  if (hint->silent)
    snprintf(ask, sizeof ask, " `pg_isready -h %s -p %s` tells", PQhost(c->db), PQport(c->db));
  // What libpq took for the host's name is then a part of the password.
  if (strstr(text, "translate host name") && strchr(url, '@') != strrchr(url, '@'))
    return fault_set(why, ERR_UNAVAILABLE,
                     "cannot connect to the database: the store's address has several @; write one "
                     "of the password as %%40, a / as %%2F");
  return fault_set(why, ERR_UNAVAILABLE, "cannot connect to the database: %s%s%s", text, hint->hint,
                   ask);
}

static enum err connect_to(struct conn *c, struct fault *why) {
  const char *names[CONNECT_SETTINGS + 1] = {0}, *values[CONNECT_SETTINGS + 1] = {0};
  for (size_t i = 0; i < CONNECT_SETTINGS; i++) {
    names[i] = connect_settings[i].name;
    values[i] = connect_settings[i].value ? connect_settings[i].value : c->settings->url;
  }
  TRY(check_address(c->settings->url, why));
  c->db = PQconnectdbParams(names, values, 1);
  if (PQstatus(c->db) != CONNECTION_OK) return cannot_connect(c, why);
  PQsetNoticeReceiver(c->db, notice, c);
  if (PQsetnonblocking(c->db, 1) != 0 || !PQenterPipelineMode(c->db)) return cannot_connect(c, why);
  return ERR_OK;
}

static enum err configure(struct conn *c, struct fault *why) {
  struct call call = pg_call_sql(c, str_of(pg_settings_sql(c, false)));
  struct result r;
  TRY(pg_run(&call, &r, why));
  c->pooled = r.count == 0;
  result_free(&r);
  return ERR_OK;
}

// Types get their numbers when they are made, so each database has its own.
static enum err learn_rows(struct conn *c, struct fault *why) {
  static const struct str names[ROW_TYPE_COUNT] = {
      [ROW_INPUT] = STR("input_row"),
      [ROW_STATE] = STR("state_row"),
      [ROW_EVENT] = STR("event_row"),
  };
  struct call call = pg_call(c, QUERY_row_shapes);
  struct result r;
  call_array_text(&call, ROW_TYPE_COUNT);
  for (size_t i = 0; i < ROW_TYPE_COUNT; i++) call_put_text(&call, names[i]);
  TRY(pg_run(&call, &r, why));
  bool all = r.count == ROW_TYPE_COUNT;
  for (size_t i = 0; all && result_next(&r); i++) {
    c->row_shapes[i].oid = (uint32_t)result_i64(&r);
    c->row_shapes[i].columns = (uint32_t)result_i64(&r);
  }
  result_free(&r);
  if (all) return ERR_OK;
  return fault_set(why, ERR_UNAVAILABLE,
                   "database: types of the store are gone; restore its schema, or start anew");
}

int64_t pg_patience_us(const struct conn_settings *settings) {
  return (statement_ms(settings) + GRACE_MS) * 1000;
}

enum err pg_open(struct conn *c, const struct conn_settings *settings, struct arena *scratch,
                 struct fault *why) {
  *c = (struct conn){.settings = settings, .scratch = scratch};
  c->patience_us = pg_patience_us(settings);
  enum err err = connect_to(c, why);
  if (err == ERR_OK) err = configure(c, why);
  if (err == ERR_OK && settings->kind == CONN_LANE) err = learn_rows(c, why);
  if (err != ERR_OK) pg_close(c);
  return err;
}

void pg_close(struct conn *c) {
  PQfinish(c->db);
  mem_free(c->expected);
  *c = (struct conn){0};
}

enum err pg_limit(struct conn *c, int64_t ms, struct fault *why) {
  char sql[64];
  snprintf(sql, sizeof sql, "SET %sstatement_timeout = %lld", c->pooled ? "LOCAL " : "",
           (long long)ms);
  c->patience_us = ms > 0 ? (ms + GRACE_MS) * 1000 : 0;
  return pg_exec(c, sql, why);
}
