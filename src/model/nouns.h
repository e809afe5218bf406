// nouns.h: the smaller nouns: events, log lines, queues, types, keys, tenants, principals, tallies.
#ifndef MODEL_NOUNS_H
#define MODEL_NOUNS_H

#include "model/task.h"

// One thing that happened.
struct event {
  int64_t tenant;
  int64_t seq;  // per tenant, rising; given by the store when it is applied
  enum event_kind kind;
  int64_t at;
  struct id task;  // none for events of queues, types and keys
  struct str queue, type;
  int64_t attempt;
  int64_t progress;   // of its task, when it happened
  struct str actor;   // who did it: "key:…", "local", "system"
  struct str worker;  // workerId, of claims and what follows from them
  struct str note;    // an error's code, a step's name, a queue's, type's or key's name
  struct str text;    // an error's message, a step's description
  bool ready;  // for those who listen to a unit of work: behind it the task is ready for workers
};

struct log_line {
  int64_t number;  // from 1, per task
  int64_t at;
  struct str text;
};

struct queue {
  int64_t tenant;
  struct str name;
  bool paused;
};

// How much is kept of what has ended. KEEP_UNSAID: what holds otherwise; 0: all of it, for ever.
// Failed ones count with abandoned ones, and cancelled ones by themselves, with the same limit.
#define KEEP_UNSAID (-1)
struct keep {
  int64_t completed, failed;  // the newest so many
  int64_t for_ms;             // those that ended less than this ago
};

// Defaults for tasks of one type. 0 or NONE: the built-in default holds.
struct type {
  int64_t tenant;
  struct str name;
  struct str queue;
  struct str description;
  int64_t priority;  // VERSION_NONE: absent
  int64_t attempts_max;
  struct backoff backoff;  // delay_ms 0: absent
  int64_t lease_ms;
  int64_t timeout_ms;  // -1: absent
  struct keep keep;
  bool keep_result;  // no count takes its tasks away, only age
};

struct tenant {
  int64_t number;  // 1 is "default"
  struct str name;
};

struct api_key {
  struct str id;  // the public part of the key
  int64_t tenant;
  struct str name;   // for people
  unsigned roles;    // bits of enum role
  uint8_t hash[32];  // SHA-256 of the whole key
  int64_t created_at;
  int64_t revoked_at;      // 0: it was not
  int64_t expires_at;      // 0: never
  struct str service;      // the microservice whose own key it is; NONE: of no such
  int64_t used_at;         // by this process, since it started; 0: not yet. No store keeps it
  struct str replaced_by;  // id of the key that rotation put in its place; NONE: it was not rotated
};

// Who asks. Made by api/ from a credential; the engine takes only tenant and actor from it.
struct principal {
  int64_t tenant;
  struct str tenant_name;
  unsigned roles;
  struct str actor;
  struct str service;  // the microservice that the credential is for; NONE: it names none
  struct str subject;  // the user that a token names; NONE: it was no token
  int64_t expires_at;  // of the credential, by the engine's clock; 0: never
};

// How many tasks of one (queue, type) pair are in which status.
struct tally {
  int64_t tenant;
  struct str queue, type;
  int64_t count[TASK_STATUS_COUNT];
  int64_t ready;  // pending and waiting for a worker
};

#endif
