// client.h: calls a Taskyard server over HTTP, blocking. Used by the worker and the command line.
// libcurl is caged in this folder.
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct client;  // one connection, kept open; used by one thread at a time

struct client_settings {
  struct str url;      // "http://127.0.0.1:8503"
  struct str key;      // API key; STR_NONE: none
  struct str session;  // key of the session to work in; STR_NONE: none
  int64_t timeout_ms;  // of one call, without the time that `wait_ms` adds; 0: 30 s
  // For servers of others:
  size_t reply_bytes_max;  // a longer answer is a failure; 0: 128 MiB
  const char *advice;      // what to check when none answers; NULL: how to reach a Taskyard server
};

// TASKYARD_URL and TASKYARD_KEY, or the defaults.
struct client_settings client_settings_from_env(void);

// The API key that stands in the first line of a file. ERR_INVALID: there is none.
enum err client_key_read(const char *path, struct arena *a, struct str *key, struct fault *why);

enum err client_open(const struct client_settings *settings, struct client **out,
                     struct fault *why);
void client_close(struct client *c);           // NULL is allowed
bool client_is_local(const struct client *c);  // the URL names this machine's loopback

struct client_call {
  const char *method;          // "GET", "POST", …
  struct str path;             // "/api/v1/tasks?limit=5", already escaped
  struct str body;             // JSON; STR_NONE: none
  struct str idempotency_key;  // STR_NONE: none
  int64_t wait_ms;             // how long the server may hold the request
  // A stream of events is asked for: what comes of it is handed to `take` piece by piece, and the
  // call lasts until `take` returns false or the server ends it. NULL: the answer comes whole.
  bool (*take)(void *self, struct str piece);
  void *self;
  struct str last_event_id;  // of a stream: it goes on behind this; STR_NONE: from now on
  bool minimal;              // Prefer: return=minimal: an answer without what the caller knows
};

struct client_reply {
  int status;              // HTTP status
  struct str body;         // in the arena
  int64_t retry_after_ms;  // 0: none
};

// ERR_OK when any answer came, whatever its status. ERR_UNAVAILABLE: no answer; the sentence names
// the URL and what to check. client_interrupt ends a call early with ERR_UNAVAILABLE.
enum err client_send(struct client *c, struct arena *a, const struct client_call *call,
                     struct client_reply *out, struct fault *why);

// The same, and an answer that is not 2xx becomes its error, with the server's sentence.
enum err client_expect(struct client *c, struct arena *a, const struct client_call *call,
                       struct client_reply *out, struct fault *why);

void client_interrupt(struct client *c);  // from any thread; stays interrupted

// Percent-escapes one path segment or query value.
struct str client_escape(struct arena *a, struct str raw);

#endif
