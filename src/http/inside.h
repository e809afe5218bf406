// inside.h: what the files of http share and nobody else sees.
//
// The way of a request: server.c accepts, conn.c moves its connection from state to state, scan.c
// finds the end of its head and refuses what is no clean line, parse.c makes the request of it,
// the handler answers, respond.c sends, or stream.c does piece by piece. What is refused on the way
// goes through refuse.c.
#ifndef HTTP_INSIDE_H
#define HTTP_INSIDE_H

#include <netinet/in.h>
#include <stdatomic.h>

#include <llhttp.h>
#include <uv.h>

#include "http/http.h"
#include "http/link.h"

enum {
  INPUT_BYTES = 64 << 10,        // one read; shared by all connections
  PENDING_BYTES_MAX = 64 << 10,  // kept of what is pipelined behind a request; must hold one read
  BODY_INLINE_BYTES = 2 << 10,   // a declared body up to this lives in the request's arena
  BLOCK_BYTES = 4 << 10,         // of a request's arena, its bookkeeping included
  FREE_REQUESTS_MAX = 256,       // kept for reuse: 1 MiB
  CHUNK_EXTENSION_BYTES_MAX = 256,
  REQUEST_ID_BYTES_MAX = 128,
  STREAM_SOCKET_BYTES = 64 << 10,  // kept by the kernel for a slow client; Linux doubles it
  LINGER_MS = 2000,                // for a client to read its last answer while it still sends
  LINGER_BYTES_MAX = 1 << 20,      // thrown away meanwhile
  CONNECTIONS_REFUSED_MAX = 256,   // lingering over connections_max; past it closed unanswered
};

// How far the lines of a head, or of a trailer section, have been checked. Counts from the first
// byte of the section; all zero for a head.
struct scan {
  size_t at;       // bytes before it are checked
  size_t line;     // where the line that holds `at` starts
  size_t start;    // where the head starts: behind an empty line that may precede it
  unsigned lines;  // ended so far; 0: in the request line. A trailer section starts with 1
};

struct conn;

// A request and what the handler need not see of it.
struct request {
  struct http_request public;  // first, so that the handler's pointer is this one's
  struct http_server *server;
  struct conn *conn;  // NULL: the connection is closed
  struct link link;   // in the server's ring of live ones, or of free ones
  llhttp_t parser;    // of its head and body
  struct buf body;    // a body that is chunked or over BODY_INLINE_BYTES
  size_t body_held;   // what of the server's `body_bytes` is this one's
  char *body_inline;  // the other ones
  size_t body_inline_len;
  size_t extension_bytes;  // of the present chunk
  uint16_t flags;          // enum llhttp_flags when the head was complete
  bool http_1_0;
  bool close;       // the client wants the connection closed after the answer
  bool expects;     // Expect: 100-continue
  bool complete;    // the body has ended
  bool last_chunk;  // only the trailer section is missing
  bool too_large;   // the body would exceed its limit
  bool handed;      // to the handler, which owes the answer
  bool streaming;   // its answer has begun
};

// The states are described in conn.c.
enum conn_state {
  CONN_IDLE,
  CONN_HEAD,
  CONN_BODY,
  CONN_TRAILER,
  CONN_BUSY,
  CONN_SENDING,
  CONN_STREAMING,
  CONN_LINGER,
  CONN_CLOSED
};

struct conn {
  uv_tcp_t tcp;
  struct http_server *server;
  struct link link;      // in the server's ring of connections
  struct link resuming;  // in the ring of those that go on with pending input soon
  enum conn_state state;
  bool reading;             // libuv reads for us
  bool eof;                 // the client has closed its sending side
  bool driving;             // conn.c is consuming input, and will go on when it is answered
  bool close_after;         // SENDING, STREAMING: what is sent is the last answer
  bool chunked;             // STREAMING: pieces are chunks
  bool end_owed;            // SENDING: the last chunk is to follow what is sent
  struct request *request;  // BODY, TRAILER, BUSY, STREAMING
  int64_t deadline_ms;      // on the loop's clock; INT64_MAX: none
  int64_t body_due_ms;      // BODY, TRAILER: the deadline if no byte of it came
  size_t received;          // BODY, TRAILER: bytes of it; LINGER: bytes thrown away
  struct scan scan;         // HEAD, TRAILER
  struct buf pending;       // input that could not be consumed yet
  size_t pending_from;      // what of `pending` is consumed
  char *rest;               // SENDING, STREAMING: what the socket did not take at once
  size_t rest_left;         // the same: bytes unsent at the last deadline
  union {
    uv_write_t write;
    uv_shutdown_t shutdown;
  } uv;
  char peer[INET6_ADDRSTRLEN];
};

struct watch;  // a signal that is waited for

struct http_server {
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_async_t async;   // http_wake and http_stop
  uv_timer_t tick;    // looks at all deadlines; runs while there are connections
  uv_timer_t grace;   // ends draining
  uv_idle_t resumer;  // runs while `resuming` has members
  struct http_settings settings;
  struct http_hooks hooks;
  struct http_stats stats;
  int port;
  uint64_t tick_ms;
  atomic_bool wake_wanted, stop_wanted;
  atomic_llong stop_grace_ms;
  bool draining;
  struct link conns, resuming;
  struct link requests, free_requests;
  size_t free_request_count;
  size_t body_bytes;  // memory that bodies hold, until they are answered
  struct watch *watches;
  struct http_timer *timers;
  uint64_t date_second;  // of the loop's clock, for which `date` was made
  char date[48];         // "Date: …\r\n"
  struct buf head;       // of the answer that is being sent
  struct buf problem;    // body of a refusal
  struct fault why;      // of the refusal that is being found; large, hence not on the stack
  char input[INPUT_BYTES];
};

// server.c
void http_server_count_in(struct http_server *s);   // one connection more
void http_server_count_out(struct http_server *s);  // one less; the last one ends a draining
void http_server_resume_soon(struct conn *c);       // has http_conn_resume called from the loop

// conn.c
void http_conn_open(struct http_server *s, uv_stream_t *listener);
void http_conn_close(struct conn *c);   // at once; a request in flight learns that it is gone
void http_conn_resume(struct conn *c);  // consumes pending input
void http_conn_sent(struct conn *c);    // an answer is out: on with the next request, or the end
void http_conn_expire(struct conn *c);  // its deadline has passed
void http_conn_enter(struct conn *c, enum conn_state state, int64_t for_ms);  // < 0: no deadline
static inline size_t http_conn_pending(const struct conn *c) {
  return c->pending.len - c->pending_from;
}

// scan.c: checks what is new of a section that starts at bytes.at. On success `*whole` tells
// whether it ends with scan->at, else more bytes are needed. The section need not be fed in one
// piece, but must start with what was fed before.
MUST_USE enum err http_scan(struct scan *scan, struct str bytes, const struct http_settings *limits,
                            bool *whole, struct fault *why);
bool http_is_token(struct str s);  // RFC 9110 section 5.6.2

// parse.c: a whole head that http_scan accepted, then its body piece by piece. After each, see
// r->complete and r->last_chunk. `*used` is how much of the piece belonged to the body.
MUST_USE enum err http_parse_head(struct request *r, struct str head, unsigned lines,
                                  struct fault *why);
MUST_USE enum err http_parse_body(struct request *r, struct str piece, size_t *used,
                                  struct fault *why);

// target.c: splits a request target into path and query (RFC 9112 section 3.2). `host` is the value
// of the Host header; absent in HTTP/1.0 only.
MUST_USE enum err http_target(struct http_request *r, struct str target, struct str host,
                              struct fault *why);
bool http_is_host(struct str value);

// request.c
struct request *http_request_new(struct conn *c);
void http_request_free(struct request *r);
// Counts the memory of its body. False: those of all requests hold too much; one alone never does.
bool http_request_fits(struct request *r);
void http_request_gone(struct request *r);  // tells the handler, once; may end in http_respond
void http_request_hand_over(struct request *r);
struct str http_request_id_new(char out[24]);

// respond.c
struct sending {
  const struct http_answer *answer;
  struct str id;
  bool head_only;
  bool close;
  bool stream;   // without a length
  bool chunked;  // of a stream
};
void http_send(struct conn *c, const struct sending *what);
void http_compose_head(struct http_server *s, const struct sending *what);  // into s->head
// Sends the pieces in the connection's present state. False: the connection is closed, or was not
// able to take all: see c->rest. When that is out, a stream takes the next piece, or the answer
// ends with http_finish.
bool http_push(struct conn *c, const uv_buf_t *pieces, unsigned count);
void http_finish(struct conn *c);  // all of an answer is out but for the last chunk, if it is owed
bool http_send_continue(struct conn *c);  // "100 Continue"; false: the connection is closed

// refuse.c: answers with a problem and closes.
void http_refuse(struct conn *c, enum err err, const char *detail);

#endif
