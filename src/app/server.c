// server.c: builds the server from its parts, runs it, and takes it apart again.
//
// Order of life: the address, store, engine, api, keyring, http; down again in reverse. TERM and
// INT drain: no new connections, long polls are answered, requests in flight are finished, then the
// store is closed. A second one ends at once, which is as safe: whatever was acknowledged is on
// disk.
#include "app/server.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/api.h"
#include "app/guard.h"
#include "app/job_log.h"
#include "app/keyring.h"
#include "app/stores.h"
#include "app/value.h"
#include "base/log.h"
#include "engine/engine.h"
#include "http/http.h"
#include "store/store.h"

enum { EXIT_STORE_BROKEN = 74 };  // EX_IOERR: a supervisor restarts it, and the store recovers

struct server {
  const struct settings *settings;
  struct store *store;
  struct engine *engine;
  struct api *api;
  struct keyring *keyring;  // NULL: there is no JWKS
  struct http_server *http;
  struct buf jobs_off;  // why the job API is off; empty: it is on
  bool draining;
  _Atomic int log_jobs;  // enum log_jobs; lanes read it
};

// --- hooks ---------------------------------------------------------------------------------------

static void on_answers(void *self) {
  struct server *s = self;
  if (s->http) http_wake(s->http);
}

static void on_event(void *self, const struct event *event) {
  struct server *s = self;
  job_log((enum log_jobs)atomic_load_explicit(&s->log_jobs, memory_order_relaxed), event);
  api_happened(s->api, event->tenant);
}

static void on_elsewhere(void *self, int64_t tenant) {
  struct server *s = self;
  api_happened(s->api, tenant);
}

static void on_broken(void *self, const struct fault *why) {
  (void)self;
  log_event(LOG_ERROR, "the store is broken; stopping so that it can recover",
            LOG_STR("reason", str_of(why->detail)));
  _exit(EXIT_STORE_BROKEN);
}

static void on_unknown_key(void *self) {
  struct server *s = self;
  if (s->keyring) keyring_want(s->keyring);
}

static void on_stop(void *self, int signal) {
  struct server *s = self;
  if (s->draining) {
    log_event(LOG_WARN, "second signal: stopping at once");
    _exit(128 + signal);
  }
  s->draining = true;
  log_event(LOG_INFO, "draining", LOG_I64("signal", signal),
            LOG_I64("graceMs", s->settings->drain_ms));
  engine_drain(s->engine);
  api_drain(s->api);
  http_stop(s->http, s->settings->drain_ms);
}

// What takes effect at once; all else holds until the next start.
static bool is_live(enum setting_index index) {
  return index == SETTING_INDEX_log_level || index == SETTING_INDEX_log_format ||
         index == SETTING_INDEX_log_file || index == SETTING_INDEX_log_dir ||
         index == SETTING_INDEX_log_jobs || index == SETTING_INDEX_access_log;
}

static void tell_what_waits(const struct settings *old, const struct settings *fresh) {
  for (int i = 0; i < SETTINGS_COUNT; i++)
    if (!is_live((enum setting_index)i) && !settings_same(old, fresh, (enum setting_index)i))
      log_event(LOG_WARN, "a changed setting waits for the next start",
                LOG_STR("setting", str_of(SETTINGS[i].name)));
}

static void on_reload(void *self, int signal) {
  struct server *s = self;
  struct settings fresh;
  struct fault why = {0};
  (void)signal;
  if (settings_load(&s->settings->source, &fresh, &why) != ERR_OK) {
    log_event(LOG_ERROR, "reload refused; the old settings stay",
              LOG_STR("reason", str_of(why.detail)));
    return;
  }
  if (server_log_start(&fresh, &why) != ERR_OK)
    log_event(LOG_ERROR, "the log stays where it is", LOG_STR("reason", str_of(why.detail)));
  api_log_access(s->api, fresh.access_log);
  if (s->keyring) keyring_reload(s->keyring);
  atomic_store(&s->log_jobs, (int)fresh.log_jobs);
  server_declare(s->engine, &fresh);
  tell_what_waits(s->settings, &fresh);
  log_event(LOG_INFO, "reloaded");
  settings_fini(&fresh);
}

static enum log_format log_format_of(enum log_choice choice, bool is_terminal) {
  if (choice == LOG_CHOICE_AUTO) return is_terminal ? LOG_TEXT : LOG_JSON;
  return choice == LOG_CHOICE_TEXT ? LOG_TEXT : LOG_JSON;
}

enum err server_log_start(const struct settings *s, struct fault *why) {
  bool has_file = !str_is_none(s->log_file);
  log_setup(s->log_level, log_format_of(s->log_format, !has_file && isatty(STDERR_FILENO) == 1));
  if (has_file && !log_open(s->log_file.at))
    return fault_set(why, ERR_INVALID, "the log file %s cannot be opened for writing",
                     s->log_file.at);
  if (log_open_dir(s->log_dir.at, log_format_of(s->log_format, false))) return ERR_OK;
  return fault_set(why, ERR_INVALID,
                   "combined.log and error.log cannot be opened for writing in the log directory "
                   "%s; make the directory, and let the server write to it",
                   s->log_dir.at);
}

// --- building ------------------------------------------------------------------------------------

static enum err open_store(struct server *s, struct fault *why) {
  return stores_open(s->settings, false, &s->store, why);
}

static struct retention retention(const struct settings *s) {
  return (struct retention){.keep = {s->keep_completed, s->keep_failed, s->keep_for_ms},
                            .interval_ms = s->cleanup_interval_ms};
}

// What holds for the tasks of every engine.
static struct engine_settings engine_defaults(const struct settings *settings) {
  return (struct engine_settings){.lease_ms = settings->lease_ms,
                                  .attempts_max = settings->attempts_max,
                                  .backoff = {.kind = BACKOFF_EXPONENTIAL,
                                              .delay_ms = 1000,
                                              .delay_max_ms = 3600000,
                                              .jitter_percent = 20}};
}

static enum err open_engine(struct server *s, struct fault *why) {
  struct engine_settings settings = engine_defaults(s->settings);
  settings.retention = retention(s->settings);
  settings.wait_ms_max = s->settings->order_wait_ms_max;
  settings.lanes = (size_t)s->settings->lanes;
  settings.readers = (size_t)s->settings->readers;
  settings.self = s;
  settings.wake = on_answers;
  settings.broken = on_broken;
  settings.happened = on_event;
  settings.elsewhere = on_elsewhere;
  return engine_open(s->store, &settings, &s->engine, why);
}

static enum err open_session_store(void *self, struct store **out, struct fault *why) {
  struct server *s = self;
  return stores_open_session(s->settings, out, why);
}

// The counts hold over all that a session has, and no type has a say.
static struct engine_settings session_engine(const struct settings *s) {
  struct engine_settings settings = engine_defaults(s);
  settings.retention = (struct retention){
      .keep = {.completed = s->session_completed_max, .failed = s->session_failed_max, .for_ms = 0},
      .per_tenant = true,
      .interval_ms = s->session_cleanup_interval_ms};
  return settings;
}

static struct session_settings session_settings(struct server *s) {
  const struct settings *from = s->settings;
  return (struct session_settings){.on = from->sessions,
                                   .by_address = from->session_by_ip,
                                   .proxies = from->trusted_proxies,
                                   .max = (size_t)from->sessions_max,
                                   .per_address = (size_t)from->sessions_per_address,
                                   .timeout_ms = from->session_timeout_ms,
                                   .bytes = from->session_bytes,
                                   .engine = session_engine(from),
                                   .open_store = open_session_store,
                                   .self = s};
}

static struct stream_settings stream_settings(const struct settings *from) {
  return (struct stream_settings){.max = (size_t)from->streams_max,
                                  .each_max = (size_t)from->streams_each_max,
                                  .heartbeat_ms = from->stream_heartbeat_ms,
                                  .behind_max = from->stream_behind_max};
}

static struct jwt_settings jwt_settings(struct server *s) {
  const struct settings *from = s->settings;
  return (struct jwt_settings){.ways = settings_algorithms(from),
                               .secret = from->jwt_secret,
                               .issuer = from->jwt_issuer,
                               .audience = from->jwt_audience,
                               .tenant_claim = from->jwt_tenant_claim,
                               .leeway_ms = from->jwt_leeway_ms,
                               .roles = from->jwt_roles,
                               .keys_wanted = str_is_none(from->jwks) ? NULL : on_unknown_key,
                               .self = s};
}

static void open_api(struct server *s) {
  buf_init(&s->jobs_off, 1024);
  settings_jobs_off(s->settings, &s->jobs_off);
  struct str jobs_off = buf_str(&s->jobs_off);
  const struct api_settings settings = {.engine = s->engine,
                                        .version = STR(TASKYARD_VERSION),
                                        .store_name = str_of(s->store->ops->name),
                                        .service_name = s->settings->service_name,
                                        .admin_key = s->settings->api_key,
                                        .body_bytes_max = (size_t)s->settings->body_bytes_max,
                                        .auth_failures_max = s->settings->auth_failures_max,
                                        .jwt = jwt_settings(s),
                                        .jobs_off = jobs_off.len ? jobs_off : STR_NONE,
                                        .sessions = session_settings(s),
                                        .origins = s->settings->cors_origins,
                                        .streams = stream_settings(s->settings),
                                        .access_log = s->settings->access_log,
                                        .is_public = settings_is_public(s->settings)};
  s->api = api_open(&settings);
}

static enum err take_address(struct server *s, struct fault *why) {
  struct http_settings settings = HTTP_DEFAULTS;
  settings.host = s->settings->listen.host;
  settings.port = s->settings->listen.port;
  settings.body_bytes_max = (size_t)s->settings->body_bytes_max;
  settings.bodies_bytes_max = (size_t)s->settings->bodies_bytes_max;
  settings.connections_max = (unsigned)s->settings->connections_max;
  settings.head_timeout_ms = s->settings->head_timeout_ms;
  settings.idle_timeout_ms = s->settings->idle_timeout_ms;
  return http_bind(&settings, &s->http, why);
}

static enum err open_http(struct server *s, struct fault *why) {
  struct http_hooks hooks = api_hooks(s->api);
  TRY(http_listen(s->http, &hooks, why));
  api_attach(s->api, s->http);
  http_on_signal(s->http, SIGTERM, on_stop, s);
  http_on_signal(s->http, SIGINT, on_stop, s);
  http_on_signal(s->http, SIGHUP, on_reload, s);
  return ERR_OK;
}

// As many descriptors as connections need; what the system refuses, accept() will report.
static void raise_descriptor_limit(int64_t connections) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t want = (rlim_t)connections + 64;
  if (limit.rlim_cur >= want) return;
  limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

// What can be refused without a store is, before one is made.
static enum err build(struct server *s, struct fault *why) {
  raise_descriptor_limit(s->settings->connections_max);
  TRY(settings_check_exposure(s->settings, stores_exists(s->settings), why));
  TRY(take_address(s, why));
  TRY(open_store(s, why));
  TRY(open_engine(s, why));
  TRY(settings_check_exposure(s->settings, engine_has_keys(s->engine), why));
  open_api(s);
  if (!str_is_none(s->settings->jwks)) TRY(keyring_open(s->settings, s->api, &s->keyring, why));
  TRY(open_http(s, why));
  TRY(engine_start(s->engine, why));
  server_declare(s->engine, s->settings);
  return ERR_OK;
}

static void take_apart(struct server *s) {
  if (s->engine) engine_stop(s->engine);
  if (s->engine) engine_collect(s->engine);
  if (s->api) api_stop(s->api);
  http_close(s->http);
  s->http = NULL;
  engine_close(s->engine);
  keyring_close(s->keyring);
  api_close(s->api);
  buf_fini(&s->jobs_off);
  if (s->store) s->store->ops->close(s->store);
}

static void tell_of_tokens(const struct settings *settings) {
  struct buf algorithms;
  buf_init(&algorithms, 256);
  unsigned ways = settings_algorithms(settings);
  value_show(KIND_ALGORITHMS, &ways, &algorithms);
  log_event(LOG_INFO, "tokens are taken", LOG_STR("algorithms", buf_str(&algorithms)),
            LOG_STR("issuer", settings->jwt_issuer), LOG_STR("audience", settings->jwt_audience));
  buf_fini(&algorithms);
}

static void tell_of_jobs(const struct server *s) {
  if (s->settings->jobs && s->jobs_off.len)
    log_event(LOG_WARN, "jobs are not served although the setting jobs is yes",
              LOG_STR("reason", buf_str(&s->jobs_off)));
  else if (s->settings->jobs && s->settings->jwt_roles & ~(unsigned)ROLE_USER)
    log_event(LOG_WARN,
              "tokens that name no role may read the jobs of all users at /api/v1/tasks; set "
              "jwt_roles = user unless they are meant to");
}

static void announce(const struct server *s) {
  if (s->settings->sessions)
    log_event(LOG_INFO, "Task system initialized successfully",
              LOG_I64("sessionsMax", s->settings->sessions_max));
  log_event(LOG_INFO, "listening", LOG_STR("host", s->settings->listen.host),
            LOG_I64("port", http_port(s->http)), LOG_STR("store", s->settings->store.shown),
            LOG_STR("version", STR(TASKYARD_VERSION)));
  tell_of_jobs(s);
  if (settings_algorithms(s->settings))
    tell_of_tokens(s->settings);
  else if (s->settings->api_key.len == 0 && !engine_has_keys(s->engine))
    log_event(LOG_WARN, s->settings->sessions
                            ? "no API key is configured: everyone who can connect may work for all "
                              "sessions, and so "
                              "see their tasks; set API_KEY or make one with `taskyard key create`"
                            : "no API key is configured: everyone who can connect may do "
                              "everything; set API_KEY or "
                              "make one with `taskyard key create`");
}

enum err server_run(const struct settings *settings, struct fault *why) {
  struct server server = {.settings = settings, .log_jobs = (int)settings->log_jobs};
  signal(SIGPIPE, SIG_IGN);
  guard_process(settings);
  enum err err = build(&server, why);
  if (err == ERR_OK) {
    announce(&server);
    http_run(server.http);
    // What is left takes a moment and must not be cut short by an impatient second signal.
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    log_event(LOG_INFO, "stopped");
  }
  take_apart(&server);
  return err;
}
