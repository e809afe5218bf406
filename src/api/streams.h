// streams.h: live events: who is told of them, and who reads the log for all of these. Private to
// api/.
//
// A stream is a place in the numbered log of a tenant's events: what it was not sent yet stands in
// the store, so a slow client costs no memory. For each tenant that has streams one follower reads
// the log as it grows and keeps its newest part; a stream that is near the end is served from
// there, one that is behind reads the store by itself until it is.
//
// All of it belongs to the loop's thread, but for streams_happened and streams_happened_in, which
// others call: these touch atomics only and wake the loop. What a reader's thread fills belongs to
// it while `reading.busy`.
#ifndef API_STREAMS_H
#define API_STREAMS_H

#include <stdatomic.h>

#include "api/call.h"

enum {
  STREAMS_CHECK_US = 400 * 1000,  // the timer runs, and looks at credentials, at least so often: a
                                  // revoked one ends within a second
  BATCH_EVENTS = 128,
  TENANT_MARKS = 256,  // by number; two tenants may share one
};

// What has been looked up: which project a task is of.
struct known_project {
  struct id task;
  uint64_t project;
};

// A piece of the log, read by a reader's thread.
struct reading {
  struct query query;
  struct event_filter filter;   // borrows the texts of whoever reads
  struct known_project *known;  // a table of KNOWN_PROJECTS; NULL: projects are not wanted
  struct arena arena;           // of what was found
  struct event_page page;
  uint64_t *projects;  // of its events; NULL: not wanted
  bool busy;
};

// A piece of the log in memory: all events with from < number <= to.
struct batch {
  struct batch *next;
  int64_t from, to;
  size_t count, bytes;
  bool has_projects;
  struct arena arena;  // of texts and frames
  struct event events[BATCH_EVENTS];
  uint64_t projects[BATCH_EVENTS];
  struct str frames[BATCH_EVENTS];  // made when the first stream needs it
};

struct follower {
  struct streams *of;
  struct follower *next;
  struct engine *engine;
  struct session *session;  // whose engine that is; NULL: the durable one
  int64_t tenant;
  uint32_t epoch;  // stands before its numbers, where another store may begin anew; 0: none
  int64_t seen;    // the number up to which the log was read; -1: not known yet
  bool stirred;    // something happened since
  int64_t asked_us, poll_us;
  struct reading reading;
  struct batch *first, *last;
  size_t batch_count, bytes;
  struct stream *streams;
  size_t stream_count;
  size_t projects_wanted;  // by so many of them
};

// The newest report of one task's progress, which waits for its time.
struct held {
  struct id task;
  size_t at, len;  // in held_text
};

enum { STREAM_MARK_NONE = -1, STREAM_MARK_FOREIGN = -2 };  // none came; it is of another store

struct stream {
  struct stream *next, *previous;  // of the follower
  struct follower *follower;
  struct call *call;  // NULL: closed, and only `reading` is still under way
  struct arena arena;
  struct str actor;
  struct standing standing;
  struct event_filter filter;
  uint64_t project;  // 0: any
  int64_t progress_ms;
  int64_t mark;    // Last-Event-ID, or one of the above
  int64_t newest;  // found by the first reading
  int64_t seen;    // it was sent, or holds, all it is to have up to this number
  int64_t target;  // of the reading under way: where the follower was when it began
  bool begun, blocked, broken, gone, wants_back;
  struct reading reading;
  int64_t retry_us;              // no reading before
  int64_t sent_us, progress_us;  // when something was sent last, and progress
  struct held *held;
  size_t held_count;
  struct buf held_text;
};

struct streams {
  struct api *api;
  struct follower *followers;
  size_t count;
  size_t reading_back;  // streams that read the store
  struct http_timer *timer;
  int64_t due_us, checked_us;
  bool draining;
  struct buf out, frame;  // scratch
  struct arena scratch;
  uint32_t epoch;  // of a store that is gone with the process; else 0
  _Atomic bool followed, woken;
  _Atomic bool marks[TENANT_MARKS];
};

// --- streams.c: all of them ----------------------------------------------------------------------

struct streams *streams_open(struct api *api);
void streams_attach(struct streams *all, struct http_server *server);
void streams_drain(struct streams *all);               // ends all, now and from now on
void streams_close(struct streams *all);               // NULL is allowed; nobody reads any more
void streams_look(struct streams *all);                // after a wake
void streams_due(struct streams *all, int64_t at_us);  // by clock_mono_us
void streams_end_session(struct streams *all, const struct session *s);
// From a lane or the news: something happened to the tenant's tasks; the same, in a session that is
// followed, from a lane.
void streams_happened(struct streams *all, int64_t tenant);
void streams_happened_in(struct streams *all, struct session *s);
// ERR_OVERLOADED, ERR_TOO_MANY: there are as many as there may be.
MUST_USE enum err streams_admit(struct streams *all, struct call *c);

// --- stream_log.c: reading the log ---------------------------------------------------------------

struct follower *follower_take(struct streams *all, struct call *c);  // of the call's tenant
void follower_release(struct follower *f);                            // if nobody needs it
void follower_stir(struct follower *f);                               // there may be something new
void follower_tick(struct follower *f, int64_t now_us);
void follower_begin(struct follower *f, int64_t newest);  // the log is known up to there
void follower_free(struct follower *f);
struct batch *follower_batch(const struct follower *f, int64_t seen);  // NULL: not kept any more
// What a reader does for a stream or a follower: reads->query.done is called on the loop.
void reading_start(struct reading *reading, const struct follower *f,
                   void (*run)(struct query *, const struct store_ops *, struct store_reader *),
                   void (*done)(struct query *), void *context);
void reading_over(struct reading *reading, const struct follower *f);  // by `done`
void reading_run(struct query *q, const struct store_ops *ops, struct store_reader *reader);
struct known_project *known_new(void);
// On a reader's thread: of which projects the tasks of these events are; 0: of none, or not known.
MUST_USE enum err projects_of(const struct event_page *page, int64_t tenant,
                              struct known_project *known, const struct store_ops *ops,
                              struct store_reader *reader, struct arena *a, uint64_t **out,
                              struct fault *why);
uint64_t project_mark(struct str project);

// --- stream.c: one of them -----------------------------------------------------------------------

void stream_pump(struct stream *s, int64_t now_us);  // sends what there is; may free it
void stream_tick(struct stream *s, int64_t now_us, bool check);
void stream_begin(struct stream *s);
void stream_close(struct stream *s);
void stream_drained(struct stream *s);
void stream_gone(struct stream *s);  // the client went away
void stream_read_back(struct stream *s);
void stream_free(struct stream *s);

// --- history.c: what both lists of events and streams are asked for ------------------------------

// Which events: those of the task that the path names, or that the query tells. Texts are the
// request's. `*project` is 0: of any.
MUST_USE enum err events_wanted(struct call *c, struct event_filter *filter, uint64_t *project);
// Refuses parameters of the other way to ask; `names` ends with NULL.
MUST_USE enum err events_refuse(struct call *c, const char *const *names, const char *sentence);

// --- stream_open.c: the request ------------------------------------------------------------------

bool stream_is_wanted(const struct call *c);  // by Accept
// Answers with the events of the tenant, or of the task c->id if there is one.
MUST_USE enum err stream_open(struct call *c);

#endif
