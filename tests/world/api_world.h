// api_world.h: the API, the engine and a store in memory in one thread, with a clock that stands
// still until it is moved. Requests go to the API's hooks without bytes or sockets; what it answers
// comes to the place that each request names, because the linker puts the __wrap_ functions of
// api_world.c in the place of the HTTP server's. Sessions have engines without threads, too.
#ifndef TESTS_WORLD_API_WORLD_H
#define TESTS_WORLD_API_WORLD_H

#include "api/api.h"
#include "base/buf.h"

#define WORLD_START_MS 1790000000000LL
enum { WORLD_LEASE_MS = 30000, WORLD_ATTEMPTS = 3, WORLD_RETRY_MS = 1000 };
enum { WORLD_EXTRA = 6, WORLD_TIMERS = 2 };

// What was sent for one request. The caller's memory, for as long as it may come.
struct world_answer {
  int status;                    // 0: nothing yet
  struct str type;               // of its content; STR_NONE: it has none
  struct buf head;               // its other headers, a line each
  struct buf body;               // of a stream: all that was written
  struct http_request *request;  // while an answer is owed, or more of a stream may come
  enum http_flow flow;           // what the next pieces of a stream are told
};
void world_answer_init(struct world_answer *answer);
void world_answer_fini(struct world_answer *answer);

struct world_timer {
  void (*on)(void *self);
  void *self;
  int64_t due_us;
  bool set;
};

struct world {
  struct store *store;
  struct engine *engine;
  struct api *api;
  struct http_hooks hooks;
  int64_t now, next_at;
  int waiting;  // requests that are not answered yet
  int streams;  // that have not ended
  bool woken;
  bool still;         // what is sent waits for world_turn
  int failing_reads;  // so many of the next readings of events fail …
  enum err read_err;  // … with this
  struct world_timer timers[WORLD_TIMERS];
  size_t timer_count;
  // Called for each answer but those of streams. NULL: nobody listens.
  void (*answered)(const struct http_request *r, const struct world_answer *answer);
};
extern struct world world;

struct world_settings {
  struct api_settings api;
  struct engine_settings engine;
};
// With an admin key and with tokens of HS256; sessions are off.
struct world_settings world_usual(struct str admin_key);

void world_open(const struct world_settings *settings);
void world_close(void);  // everyone is answered, and what is not is an error

void world_turn(void);        // whatever there is to do at this moment
void world_pass(int64_t ms);  // the same at each moment until then at which there is something
int64_t world_next(void);     // the next such moment; 0: there is none

struct world_ask {
  enum http_method method;
  struct str path, query, body;  // body STR_NONE: none
  struct str key;                // STR_NONE: none
  struct str user;               // whose token goes with it, in place of the key; STR_NONE: none
  struct str host, peer;         // STR_NONE: localhost, 127.0.0.1
  struct http_header extra[WORLD_EXTRA];  // ends at the first without a name
};

// The header of a token that ends in 2033, with more members: `"sub":"ann","roles":["user"]`.
struct str world_bearer(struct arena *a, struct str members);

// False: it waits for its answer.
bool world_send(const struct world_ask *ask, struct world_answer *answer);
void world_leave(const struct world_answer *answer);  // its client goes away
void world_drained(struct world_answer *answer);      // … takes pieces of its stream again

#endif
