// http.h: an HTTP/1.1 server: bytes to requests and answers to bytes. Knows no task.
//
// One thread runs the loop (http_run); the handler, the hooks and http_respond belong to that
// thread. Only http_wake and http_stop may be called from others. libuv and llhttp are caged here.
//
// A connection has one request at a time: what a client pipelines behind it stays in the buffer
// until the answer is written, so answers leave in order. A handler may answer at once or later;
// until then the request costs memory and no thread.
//
// The server itself refuses, with a problem document, whatever is not clean HTTP (RFC 9112): both
// lengths, a doubtful length, obs-fold, bare LF, NUL, no Host or two, a head or body over its limit
// or past its deadline. After any doubt about framing it closes.
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum http_method {
  HTTP_METHOD_GET,
  HTTP_METHOD_HEAD,
  HTTP_METHOD_POST,
  HTTP_METHOD_PUT,
  HTTP_METHOD_PATCH,
  HTTP_METHOD_DELETE,
  HTTP_METHOD_OPTIONS,
  HTTP_METHOD_OTHER
};

struct http_header {
  struct str name, value;  // name as sent, value trimmed
};

struct http_request {
  enum http_method method;
  struct str path;   // as sent, before '?', not percent-decoded
  struct str query;  // after '?'; STR_NONE when there is none
  struct str body;   // whole; at != NULL, len 0 when there is none
  struct http_header *headers;
  size_t header_count;
  struct str peer;     // text of the peer's address, without port
  struct str id;       // X-Request-Id if it came and is sane, else made here; goes into the answer
  struct arena arena;  // lives until the answer is written
  int64_t started_us;  // clock_mono_us when its head was complete
  bool gone;           // the client went away, or stopped sending; an answer is still owed
  void *context;       // the handler's own
};

// Value of the first header of that name (any case); STR_NONE when absent.
struct str http_header(const struct http_request *r, struct str name);
// Percent-decoded value of the first query parameter of that name, in the request's arena; STR_NONE
// when absent; `*bad` is set on a broken escape or an undecodable byte. `bad` may be NULL.
struct str http_query(struct http_request *r, struct str name, bool *bad);
// Walks all query parameters in order: false at the end. `*cursor` starts as r->query.
bool http_query_next(struct http_request *r, struct str *cursor, struct str *name,
                     struct str *value, bool *bad);

// One percent-decoded segment of a path; false on a broken escape, bad UTF-8 or NUL.
bool http_path_decode(struct arena *a, struct str segment, struct str *out);

struct http_answer {
  int status;
  struct str content_type;      // STR_NONE: no body and no Content-Type
  struct str body;              // copied or written before http_respond returns
  struct http_header extra[8];  // ends at the first without a name
  bool close;
};

// Answers a request, exactly once. The request and its arena are gone afterwards. HEAD gets the
// head only. X-Request-Id, Date, Content-Length and Connection are added.
void http_respond(struct http_request *r, const struct http_answer *answer);

// --- answers without an end ----------------------------------------------------------------------
//
// Instead of http_respond: the head now, the body piece by piece, for as long as the client stays.
// What the socket does not take at once is copied and sent on, and no other piece may be written
// before that is out: hooks.drained tells. A client that takes nothing for write_timeout_ms is
// dropped. hooks.gone tells that the client went away; the stream is still to be ended.

enum http_flow {
  HTTP_FLOWS,  // the next piece may come at once
  HTTP_FULL,   // not before hooks.drained
  HTTP_GONE,   // nobody reads any more, hooks.gone will not be called: end the stream
};

// Begins it with `first` as its first piece; the answer's own body is not looked at. With HEAD the
// answer is whole by this: `*ended` is true, and the request and its arena are gone.
enum http_flow http_stream_begin(struct http_request *r, const struct http_answer *head,
                                 struct str first, bool *ended);
enum http_flow http_stream_write(struct http_request *r, struct str piece);
// The request and its arena are gone afterwards. What was written before still goes out.
void http_stream_end(struct http_request *r);

struct http_settings {
  struct str host;           // "127.0.0.1", "::1", "0.0.0.0"; a name is resolved once
  int port;                  // 0: any free one, see http_port
  size_t body_bytes_max;     // default of a request; 413 past it, before reading on
  size_t bodies_bytes_max;   // memory for those of all requests; past it 503, but for one alone
  size_t head_bytes_max;     // request line and headers; 431
  size_t uri_bytes_max;      // 414
  unsigned headers_max;      // 431
  unsigned connections_max;  // past it accepted and closed at once with 503
  int64_t head_timeout_ms;   // from the first byte of a request to the end of its head; 408
  int64_t body_rate_min;     // bytes a second, after body_grace_ms; 408
  int64_t body_grace_ms;
  int64_t idle_timeout_ms;   // between requests
  int64_t write_timeout_ms;  // without progress in sending
};
extern const struct http_settings HTTP_DEFAULTS;

struct http_hooks {
  void *self;
  // Must lead to one http_respond or one http_stream_begin, now or later.
  void (*handle)(void *self, struct http_request *r);
  // The client went away before the answer, or only stopped sending, which looks the same at first.
  // The answer is still owed, and is sent if the connection lasts. May respond. May be NULL.
  void (*gone)(void *self, struct http_request *r);
  // A stream that was HTTP_FULL takes pieces again. NULL: nothing streams.
  void (*drained)(void *self, struct http_request *r);
  // After http_wake, on the loop; calls may be merged.
  void (*wake)(void *self);
  // Writes the problem document for a request that http itself refuses (status is err_http_status).
  // `r` has what is known of it by then, its path perhaps; NULL: nothing is.
  void (*refuse)(void *self, enum err err, const char *detail, struct http_request *r,
                 struct str request_id, struct buf *body);
};

struct http_stats {
  uint64_t connections, connections_total, requests_total, in_flight, refused_total, streams;
};

struct http_server;
// Takes the address, so that one that is in use is refused; nobody can connect yet.
MUST_USE enum err http_bind(const struct http_settings *settings, struct http_server **out,
                            struct fault *why);
MUST_USE enum err http_listen(struct http_server *s, const struct http_hooks *hooks,
                              struct fault *why);
MUST_USE enum err http_open(const struct http_settings *settings, const struct http_hooks *hooks,
                            struct http_server **out, struct fault *why);  // binds and listens
int http_port(const struct http_server *s);
void http_run(struct http_server *s);   // until http_stop has drained; blocks
void http_wake(struct http_server *s);  // any thread: have hooks.wake called soon
// Any thread (and async-signal-safe callers through a wake): stop accepting, close idle
// connections, give requests in flight `grace_ms` to be answered, then return from http_run.
void http_stop(struct http_server *s, int64_t grace_ms);
// Signals arrive on the loop: `on` is called with `self`. Before http_run.
void http_on_signal(struct http_server *s, int signal, void (*on)(void *self, int signal),
                    void *self);
// A timer on the loop: `on` is called once, some time after `ms` from the latest http_timer_set;
// ms < 0: not at all. Loop thread only, or before http_run. It goes with the server.
struct http_timer;
struct http_timer *http_timer_new(struct http_server *s, void (*on)(void *self), void *self);
void http_timer_set(struct http_timer *t, int64_t ms);
struct http_stats http_stats(const struct http_server *s);  // loop thread only
// After http_run returned, or instead of it. NULL is allowed.
void http_close(struct http_server *s);

#endif
