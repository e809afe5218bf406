// api.h: the HTTP API: routes, identity, JSON in and out. Decides nothing. The only header of this
// folder for others.
#ifndef API_API_H
#define API_API_H

#include "base/address.h"
#include "base/origin.h"
#include "engine/engine.h"
#include "http/http.h"

struct api;

// Tokens (JWT) as a second way to say who asks.
struct jwt_settings {
  unsigned ways;            // bits 1 << enum sign_way: the algorithms that are taken; 0: no tokens
  struct str secret;        // of HS256; STR_NONE: none
  struct str issuer;        // what iss must be; STR_NONE: anything
  struct str audience;      // what aud must hold; STR_NONE: a token must not have aud
  struct str tenant_claim;  // the claim that names the tenant; STR_NONE: always "default"
  int64_t leeway_ms;        // by which clocks may differ
  unsigned roles;           // of a token that names none; bits of enum role
  // Called on the loop's thread when a token's key is not known. NULL: there is no JWKS.
  void (*keys_wanted)(void *self);
  void *self;
};

// Sessions: anonymous callers, each with tasks of its own, in memory.
struct session_settings {
  bool on;
  bool by_address;          // whoever sends no key has the session of his address
  struct networks proxies;  // whose X-Forwarded-For tells the address
  size_t max;
  size_t per_address;  // sessions that were begun from one address; 0: any number
  int64_t timeout_ms;
  int64_t bytes;                  // that one may keep, for the log
  struct engine_settings engine;  // of each session: its defaults for tasks
  // Opens a store in memory for one session. On the loop's thread.
  enum err (*open_store)(void *self, struct store **out, struct fault *why);
  void *self;
};

// Streams of live events.
struct stream_settings {
  size_t max, each_max;  // in all, and of one credential
  int64_t heartbeat_ms;  // a line is sent after so long a silence
  int64_t behind_max;    // events of the tenant that one may catch up with
};

struct api_settings {
  struct engine *engine;
  struct str version;
  struct str store_name;  // only to be shown
  struct str service_name;
  struct str admin_key;  // API_KEY: an admin key of the tenant "default"; STR_NONE: none
  size_t body_bytes_max;
  int64_t auth_failures_max;  // of an address in a minute; past it 429. 0: any number
  struct str jobs_off;        // why the job API is off, as a sentence; STR_NONE: it is on
  struct origins origins;     // whose pages may use this server, besides its own
  bool access_log;
  bool is_public;  // listens beyond loopback
  struct jwt_settings jwt;
  struct session_settings sessions;
  struct stream_settings streams;
};

// Borrows the texts of the settings until api_close.
struct api *api_open(const struct api_settings *settings);
void api_close(struct api *api);  // NULL is allowed
// Streams of events are ended, and whoever waits in a session is answered, now and from now on.
// Loop thread.
void api_drain(struct api *api);
// Any thread: there are more events of this tenant's, as far as is known.
void api_happened(struct api *api, int64_t tenant);
// After http_run, before http_close: ends the engines of the sessions and sends their last answers.
void api_stop(struct api *api);
struct http_hooks api_hooks(struct api *api);
void api_log_access(struct api *api, bool on);  // loop thread
// Any thread: from now on the keys of this JWKS check tokens, in place of those of the one before.
// ERR_INVALID: it is no JWKS, or has no key that serves; the old keys stay.
MUST_USE enum err api_take_jwks(struct api *api, struct str text, size_t *count, struct fault *why);
// For /health's connection counts, and for sessions and streams, which wake it and have timers
// there.
void api_attach(struct api *api, struct http_server *server);

// Whether a front door puts the tasks that it takes in there.
bool api_is_door_queue(struct str queue);

// Writes docs/api.md, made from the route table, the body tables and base/err.def.
void api_docs(struct buf *out);
void api_openapi(struct str version, struct buf *out);  // what GET /openapi.json answers

#endif
