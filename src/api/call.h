// call.h: one request on its way through the API. Private to api/.
//
// A handler decodes the request into an order or a query and hands it to the engine; later, on the
// loop's thread, the answer is rendered and sent. A handler that returns an error changed nothing.
#ifndef API_CALL_H
#define API_CALL_H

#include "api/api.h"
#include "api/decode.h"
#include "api/encode.h"
#include "api/jwt.h"
#include "api/strikes.h"
#include "base/id.h"
#include "model/limits.h"

enum { READ_ARENA_BYTES = 16 * 1024 };  // blocks of an arena that a query fills

struct call;
struct session;
struct sessions;
struct seeking;
struct stream;
struct streams;

// What is other at the routes of a front door.
struct door {
  int (*status)(enum err err);  // of a failure
  // Members of a problem document besides its own, `,"key":value` …; NULL: none.
  void (*put_failure)(struct buf *b, enum err err, struct str detail);
  enum err (*check)(struct call *c);  // may refuse who is known by now; NULL: nobody
  bool by_token;                      // takes tokens only, since keys name no user
  const char *home;    // where its tasks are found: before the id; NULL: /api/v1/tasks
  const char *absent;  // the sentence for an id that is none
};

// What answers a route, and what it takes.
struct entry {
  enum err (*handle)(struct call *c);  // NULL: nothing does
  const struct body *body;             // NULL: none
  const char *query;                   // names of its parameters, separated by blanks
};

struct route {
  enum http_method method;
  const char *path;
  enum err (*handle)(struct call *c);
  unsigned roles;           // any of these; 0: open
  const struct body *body;  // NULL: none
  const char *query;        // names of its parameters, separated by blanks
  const char *meaning;
  const struct door *door;  // NULL: the API's own
  struct entry session;     // what a session gets there, if it is open to sessions
};
extern const struct route ROUTES[];
extern const size_t ROUTE_COUNT;

// A kind of request body: its fields, for decoding and for the docs.
struct body {
  const char *name;
  struct fields fields;
};

// Of failed authentications.
struct refusals {
  struct strikes strikes;
  struct bucket log;
  int64_t unlogged;  // since the last line
};

struct api {
  struct api_settings settings;
  struct refusals *refusals;
  struct http_server *server;
  uint8_t admin_hash[32];
  bool has_admin_key;
  struct jwt jwt;
  int64_t started_us;
  struct sessions *sessions;  // NULL: they are off
  struct streams *streams;
  struct buf scratch;  // answers are built here; the loop's thread only
};

struct call {
  struct api *api;
  struct engine *engine;  // that is asked
  struct http_request *http;
  struct arena *arena;  // the request's
  const struct route *route;
  struct entry entry;       // of the route, for whoever asks
  struct session *session;  // whose engine is asked; NULL: the durable one
  struct seeking *seeking;  // of a claim that takes tasks of any session; NULL: it is none
  struct str session_key;   // that was sent, or is of the address; STR_NONE: no session is meant
  struct stream *stream;    // that is its answer; NULL: it has another one
  const struct door *door;  // that the path belongs to; NULL: none
  struct str allow;         // of ERR_METHOD_NOT_ALLOWED: the methods that the path takes
  struct str param;         // what stood for {id} or {name}
  struct id id;
  struct str old_id;  // what stood for {id} and is no id of ours: see repository_resolve
  struct principal who;
  struct str replays_of;   // whose Idempotency-Keys count; STR_NONE: those of who.actor
  bool has_token;          // a token (JWT) came
  struct str new_tenant;   // of who: to be made before anything else; STR_NONE: it is there
  const char *refusal;     // of a failed authentication: its kind, for the log; NULL: "invalid"
  struct str who_refused;  // the id of a key that came with the right secret and does not open
  struct str body;         // checked JSON; STR_NONE: empty
  bool wants_minimal;      // Prefer: return=minimal
  bool minimal_applied, waited;  // what Preference-Applied tells
  bool is_preflight;             // it is a browser's question, which cors.c has answered
  struct fault fault;
  struct order order;
  // Of a query: where its results live, filled on a reader's thread; and the handler's own: what is
  // asked for and what was found.
  struct arena read;
  void *input;
  // Writes the answer's body and returns its HTTP status.
  int (*render)(struct call *c, struct buf *b);
};

// --- answering -----------------------------------------------------------------------------------

void call_answer(struct call *c, const struct http_answer *answer);
void call_log_access(const struct call *c, int status);  // of an answer that goes another way
void call_fail(struct call *c, enum err err);            // with c->fault
void call_problem(struct buf *b, const struct fault *fault, enum err err, struct str request_id);

// Hands c->order to the engine; `render` writes the answer.
MUST_USE enum err call_order(struct call *c, enum order_kind kind,
                             int (*render)(struct call *, struct buf *));
// Has a reader do it; what `run` finds goes into c->read and c->input.
MUST_USE enum err call_query(struct call *c,
                             void (*run)(struct query *, const struct store_ops *,
                                         struct store_reader *),
                             int (*render)(struct call *, struct buf *));
// The same without an answer of its own: `done` goes on. `context` of the query is the call.
void call_ask(struct call *c,
              void (*run)(struct query *, const struct store_ops *, struct store_reader *),
              void (*done)(struct query *));
void call_bound_wait(struct call *c);  // nobody waits for longer than his credential lasts
// At once, without engine.
MUST_USE enum err call_now(struct call *c, int (*render)(struct call *, struct buf *));

// --- reading the request -------------------------------------------------------------------------

// The value of a header that means something here only once, STR_NONE when it did not come. Two are
// refused (ERR_BAD_REQUEST), because whoever stands before us may have looked at the other one.
MUST_USE enum err call_header(struct call *c, const char *name, struct str *out);
MUST_USE enum err call_read_body(struct call *c);  // media type, JSON
void call_preferences(struct call *c);             // Prefer
MUST_USE enum err call_body(struct call *c, const struct body *body, void *out, uint64_t *seen,
                            uint64_t *nulls);  // an empty body is {}
MUST_USE enum err call_query_int(struct call *c, const char *name, int64_t min, int64_t max,
                                 int64_t *out);
MUST_USE enum err call_query_bool(struct call *c, const char *name, bool *out);
MUST_USE enum err call_query_text(struct call *c, const char *name, size_t max, struct str *out);
MUST_USE enum err call_query_name(struct call *c, const char *name, struct str *out);
MUST_USE enum err call_query_id(struct call *c, const char *name, struct id *out);  // of a task
MUST_USE enum err call_query_known(
    struct call *c);  // refuses what the route does not name, and repeats
// Keeps the first error and goes on, so that all parameters that are wrong are named, as are the
// members of a body. Only for errors of call_query_…, which add to the same fault.
static inline void call_also(enum err *first, enum err next) {
  if (*first == ERR_OK) *first = next;
}
MUST_USE enum err call_query_fault(struct call *c, const char *name, const char *sentence);
MUST_USE enum err call_wait(struct call *c, int64_t *wait_ms);  // ?waitMs= or Prefer: wait=seconds
int64_t call_if_match(const struct call *c);  // ABSENT: any will do; -1: none will
bool call_has_already(const struct call *c, int64_t revision);  // If-None-Match

struct encode_context call_encoding(const struct call *c);
unsigned call_parts(struct call *c, unsigned parts);  // or ENCODE_MINIMAL when that is preferred
int render_task(struct call *c, struct buf *b);       // {"success":true,"task":…}
// The backoff object of a body; `*out` stays as it is when `json` is absent.
MUST_USE enum err call_backoff(struct call *c, struct str json, const struct where *where,
                               struct backoff *out);

MUST_USE enum err call_needs_body(struct call *c);  // ERR_MALFORMED_JSON when it is empty
size_t call_count(struct str array);                // elements of a JSON array

struct credential {
  struct str text;  // STR_NONE: none came
  bool is_bearer;   // else from x-api-key
};
// credential.c: reads what came; ERR_BAD_REQUEST when that is not one credential.
MUST_USE enum err credential_read(struct call *c, struct credential *out);
// cors.c: pages of other origins.
void cors_add(const struct call *c, struct http_answer *answer);  // what every answer says of them
bool cors_is_preflight(const struct call *c);
MUST_USE enum err cors_preflight(struct call *c);
bool cors_allows(const struct call *c);  // the page that asks may read answers, if only by "*"
bool cors_names(const struct call *c);   // the operator has named its origin
// auth.c: who asks, and may they. Where c->new_tenant is set, c->who.tenant is not yet.
MUST_USE enum err auth_check(struct call *c);
enum err auth_check_local(struct call *c);      // on an open server: it comes from this machine
enum err auth_check_host(struct call *c);       // … by a name of it, whatever page asks
bool auth_is_own_origin(const struct call *c);  // not from a page of somebody else
bool auth_is_open(const struct api *api);       // there is neither a key nor a way to check tokens
bool auth_is_first_key(const struct api *api, struct str text);  // that of the settings
// What an answer that goes on for long rests on, to be looked at again.
struct standing {
  enum { STANDING_LASTS, STANDING_OPEN, STANDING_KEY, STANDING_TOKEN } kind;
  char key[8];
  uint8_t hash[32];    // of the whole key
  int64_t expires_at;  // of a token
  struct str token;    // itself; the request's
  uint64_t keys;       // the serial of the keys that it was checked with
};
void auth_standing(struct call *c, struct standing *out);
bool auth_stands(struct api *api, struct standing *standing, struct arena *scratch);
// refused.c: `err`, or ERR_TOO_MANY when that happened too often.
MUST_USE enum err auth_refused(struct call *c, enum err err);
// router.c
MUST_USE enum err route_find(struct call *c);  // without the method: a row of the path all the same
// Of a path that sessions have: the methods that are open to them; 0: it has none.
unsigned route_session_methods(const struct route *route);
struct str route_allow(struct call *c, unsigned methods);  // as Allow lists them
const char *method_word(enum http_method method);

#define ROUTE(method, path, handler, roles, body, query, meaning) enum err handler(struct call *c);
#define DOOR_ROUTE(door, method, path, handler, roles, body, query, meaning)                       \
  enum err handler(struct call *c);
#define SESSION_ROUTE(session_handler, session_body, session_query, method, path, handler, roles,  \
                      body, query, meaning)                                                        \
  enum err session_handler(struct call *c);                                                        \
  enum err handler(struct call *c);
#include "api/routes.def"
#undef SESSION_ROUTE
#undef DOOR_ROUTE
#undef ROUTE

// doors/
extern const struct door DOOR_bull, DOOR_jobs, DOOR_session;
static inline bool call_is_session(const struct call *c) { return c->door == &DOOR_session; }

// keys.c: a key is "tk_" + an id + "_" + a secret.
enum { KEY_ID_BYTES = 8, KEY_SECRET_BYTES = 43 };

// bodies.c
extern const struct body BODY_empty, BODY_create, BODY_edit, BODY_cancel, BODY_backoff;
extern const struct body BODY_claim, BODY_claim_one, BODY_heartbeat, BODY_progress, BODY_logs;
extern const struct body BODY_complete, BODY_fail, BODY_error, BODY_release;
extern const struct body BODY_completions, BODY_completion_item;
extern const struct body BODY_type, BODY_key, BODY_rotate, BODY_status;
extern const struct body BODY_bull, BODY_job, BODY_dummy_job;
extern const struct body BODY_session_task, BODY_demo_sample, BODY_demo_file, BODY_demo_api,
    BODY_demo_batch;
// Of the task repository service: a task, and a failure with what stands in its error. Open tables.
extern const struct body BODY_repository, BODY_repository_failure, BODY_repository_error;

#endif
