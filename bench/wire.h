// wire.h: one keep-alive HTTP/1.1 connection with at most one request in flight.
//
// Just enough HTTP to be cheap: requests carry Content-Length, answers must. The socket never
// blocks.
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

// Where the server is. Plain memory.
struct endpoint {
  struct sockaddr_storage address;
  socklen_t address_bytes;
  char headers[512];  // the header lines that every request carries
  size_t headers_bytes;
};

// `url` is "http://HOST:PORT"; `key` an API key or STR_NONE. May block on name lookup.
MUST_USE enum err bench_endpoint_parse(struct str url, struct str key, struct endpoint *out,
                                       struct fault *why);

struct wire {
  int fd;
  struct buf out, in;
  size_t sent;        // bytes of `out` that have left
  size_t head_bytes;  // length of the answer's head with its blank line; 0: not yet known
  size_t body_bytes;
  int status;
};

enum wire_state {
  WIRE_WAITS,   // the socket can do no more now
  WIRE_DONE,    // the request has left, or the answer is complete
  WIRE_BROKEN,  // closed, or not an answer this driver reads
};

MUST_USE enum err bench_wire_open(struct wire *w, const struct endpoint *to, struct fault *why);
void bench_wire_close(struct wire *w);

// Starts a request: everything but the sending. `extra` holds more header lines, or is empty.
void bench_wire_request(struct wire *w, const struct endpoint *to, struct str line,
                        struct str extra, struct str body);
enum wire_state bench_wire_send(struct wire *w);
enum wire_state bench_wire_receive(struct wire *w);

// The body of a complete answer, until the next request starts.
static inline struct str bench_wire_body(const struct wire *w) {
  return (struct str){w->in.at + w->head_bytes, w->body_bytes};
}

// One request and its answer on a connection of its own; blocks for at most `timeout_ms`. The body
// is appended to `body`. ERR_UNAVAILABLE when no answer came; any status counts as an answer.
MUST_USE enum err bench_wire_call(const struct endpoint *to, struct str line, struct str request,
                                  int timeout_ms, int *status, struct buf *body, struct fault *why);

#endif
