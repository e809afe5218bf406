// limits.h: every bound of the product, each named once, with its reason.
#ifndef MODEL_LIMITS_H
#define MODEL_LIMITS_H

enum limits {
  // Names that become keys of indexes and labels of metrics: short, and one line on a screen.
  LIMIT_NAME_BYTES = 128,       // type, queue, worker id, step, key name, tag name
  LIMIT_TITLE_BYTES = 200,      // name of a task
  LIMIT_TEXT_BYTES = 2000,      // description, step description, error message
  LIMIT_REFERENCE_BYTES = 200,  // projectId, subject, uniqueKey, Idempotency-Key
  LIMIT_TAGS_BYTES = 4096,      // the tags object as sent
  LIMIT_TAGS_COUNT = 32,
  LIMIT_METADATA_BYTES = 16384,  // lives in the task's row, which is rewritten by each change
  LIMIT_ERROR_DETAIL_BYTES = 16384,

  // One request.
  LIMIT_BODY_BYTES = 1 << 20,           // default of body_max
  LIMIT_BODY_BYTES_CEILING = 64 << 20,  // body_max cannot be set higher: a body is held in memory
  LIMIT_BATCH_ITEMS = 1000,             // tasks in one create, claim or completion
  LIMIT_PAGE_DEFAULT = 50,
  LIMIT_PAGE_ITEMS = 1000,
  LIMIT_OFFSET_ITEMS = LIMIT_PAGE_ITEMS,  // skipped by an offset: one page; farther by cursor
  LIMIT_WORK_DEFAULT = 10,                // of a service's list of work, as its document has it
  LIMIT_WORK_ITEMS = 100,
  LIMIT_WAIT_MS = 60000,         // long polls end before the idle time of common proxies
  LIMIT_CLAIM_BYTES = 32 << 20,  // payload bytes in one claim's answer; the rest stays ready
  LIMIT_FILTER_NAMES = 32,       // types or queues named by one claim or list
  LIMIT_PAGE_BYTES = 32 << 20,   // payload and result bytes in one page; the rest by cursor
  LIMIT_SCAN_ROWS = 200000,      // rows one page of a list examines before it returns a cursor

  // One task.
  LIMIT_PRIORITY = 1000000,  // ±
  LIMIT_ATTEMPTS = 1000,
  LIMIT_LOG_LINES = 1000,       // the newest are kept
  LIMIT_LOG_LINE_BYTES = 4096,  // longer lines are cut, with a mark
  LIMIT_LOG_LINES_REQUEST = 100,
  LIMIT_DUMMY_SECONDS = 600,  // of a dummy job; the demo worker waits no longer
  LIMIT_LEASE_MS_MIN = 1000,
  LIMIT_LEASE_MS = 24 * 3600 * 1000,
  LIMIT_LEASE_SILENT_MS = 30 * 60 * 1000,  // at least, of a worker that knows no heartbeat

  // One token (JWT), and the keys that tokens are signed with. What is signed is read after the
  // check of its signature, the header before: it is what a stranger can make us read.
  LIMIT_JWT_BYTES = 16 << 10,        // half of what a request's head may have
  LIMIT_JWT_HEADER_BYTES = 4 << 10,  // as sent; room for a chain of certificates, which is not read
  LIMIT_JWT_MEMBERS = 128,           // of the header, the claims or a key: each is held against all
  LIMIT_JWT_KID_BYTES = 256,         // other words of a key are shorter
  LIMIT_JWT_SECRET_BYTES = 512,      // the secret itself: past 64 bytes HMAC hashes it anyway
  LIMIT_JWT_PROVEN = 1024,           // tokens whose signature is known to hold; 32 bytes each
  LIMIT_JWKS_BYTES = 256 << 10,      // a JWKS, file or answer
  LIMIT_JWKS_KEYS = 64,              // keys in one, looked through for each token

  // Sessions: anonymous callers, each with an engine and a store of its own.
  LIMIT_SESSIONS = 1000,                 // sessions_max cannot be set higher: each has a thread
  LIMIT_SESSION_KEY_BYTES = 128,         // as of a name
  LIMIT_SESSION_CLAIMS = 1000,           // claims that wait for a task of any session; past it 429
  LIMIT_DEMO_DELAY_MS = 10 * 60 * 1000,  // of a demo task: who tries things out waits no longer
  LIMIT_DEMO_ITEMS = 1000,               // the same: each is an element of the result
  LIMIT_SESSION_ENDED = 500,             // tasks that end before a cleanup: its room is small
  LIMIT_FORWARDED_HOPS = 32,             // of X-Forwarded-For that are looked at

  // Streams of live events.
  LIMIT_STREAMS = 10000,                   // streams_max cannot be higher: each has a connection
  LIMIT_SESSION_STREAMS = 20,              // of one session
  LIMIT_STREAM_HELD = 64,                  // tasks whose progress waits; past it all of it goes
  LIMIT_STREAM_PROGRESS_DEFAULT_MS = 100,  // faster than this nobody reads a bar
  LIMIT_STREAM_PROGRESS_MS = 60000,        // progress waits for no longer than a long poll
  LIMIT_STREAM_BEHIND = 10000000,          // stream_behind_max cannot be higher

  // The settings.
  LIMIT_WRONGS_TOLD = 20,  // of those that are wrong; `taskyard config --check` tells all

  // The server.
  LIMIT_UNIT_ITEMS = 2000,      // items in one unit of work: bounds the wait of its first order
  LIMIT_UNIT_BYTES = 64 << 20,  // payloads and results in one: it is held in memory, and sent whole
  LIMIT_ORDERS_WAITING = 20000,  // past it 503: more than a lane does in a second
  LIMIT_ORDER_WAIT_MS = 60000,   // order_wait_max cannot be set higher: clients have left by then
  LIMIT_PARKED = 20000,          // parked long polls; past it 429
  LIMIT_CHANNELS = 10000,        // (queue, type) pairs of one store; past it 429
  LIMIT_WORKERS = 10000,         // worker ids remembered for GET /workers; the oldest go
  LIMIT_KEYS = 10000,
  LIMIT_KEY_OVERLAP_DEFAULT_MS = 24 * 3600 * 1000,  // a day for a rotated key to be replaced in
  LIMIT_CREDENTIAL_BYTES = LIMIT_JWT_BYTES,         // a key has 55
  LIMIT_REFUSAL_LINES_MINUTE = 60,  // of the log, for failed authentications of all addresses
  LIMIT_TENANTS = 10000,  // past it no token makes another: they are looked through by name
  LIMIT_CONNECTIONS = 12000,
  LIMIT_SWEEP_ITEMS = 500,    // due timers in one unit of work
  LIMIT_CLEANUP_ITEMS = 500,  // ended tasks that one unit removes: the others in it wait for them
  LIMIT_CLEANUP_WANTS = 64,   // types and outcomes that one unit looks through for them
  LIMIT_KEEP_TASKS = 100000000,  // ended tasks of a type that a setting may ask to keep
};

// Thirty days: what takes longer to replace a key in is no rotation.
#define LIMIT_KEY_OVERLAP_MS (30LL * 24 * 3600 * 1000)
// Thirty days: keys that have not opened for so long may go when there is no room for another one.
#define LIMIT_KEY_DEAD_MS (30LL * 24 * 3600 * 1000)
// Ten years.
#define LIMIT_KEY_LIFETIME_MS (3653LL * 24 * 3600 * 1000)
// Ten years, and the longest pause between two cleanups that is one.
#define LIMIT_KEEP_MS LIMIT_KEY_LIFETIME_MS
#define LIMIT_CLEANUP_INTERVAL_MS (24LL * 3600 * 1000)
// 400 days: farther away than any sane schedule, near enough that arithmetic cannot overflow.
#define LIMIT_DELAY_MS (400LL * 24 * 3600 * 1000)
#define LIMIT_IDEMPOTENCY_MS (24LL * 3600 * 1000)  // how long an Idempotency-Key is remembered

#endif
