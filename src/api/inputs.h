// inputs.h: what request bodies decode into. Private to api/.
#ifndef API_INPUTS_H
#define API_INPUTS_H

#include "api/decode.h"
#include "base/id.h"
#include "model/nouns.h"

struct backoff_input {
  struct str type;
  int64_t delay_ms, max_delay_ms, jitter;
};

struct create_input {
  struct str type, payload, name, description, queue;
  int64_t priority, run_at, delay_ms, attempts_max;
  struct str backoff;
  int64_t lease_ms, timeout_ms, expires_at, version;
  struct str tags, metadata, project, subject, unique_key;
  bool auto_start;
};

// What `seen` and `nulls` tell of it: a bit for each row of its table, in their order.
enum { EDIT_PRIORITY = 1, EDIT_TAGS = 2, EDIT_METADATA = 4, EDIT_RUN_AT = 8, EDIT_EXPIRES_AT = 16 };

struct edit_body {
  int64_t priority, run_at, expires_at;
  struct str tags, metadata;
};

struct cancel_body {
  struct str reason;
  int64_t grace_ms;
};

struct claim_body {
  struct names types, queues;
  struct str worker, service;
  int64_t limit, lease_ms, wait_ms;
  bool sessions;
};

struct worker_body {  // all of a worker's moves share it
  struct lease_token token;
  int64_t progress;
  struct str step, step_description;
  struct names lines;
  struct str text;
  struct str result, error, claim, items;
  bool retry;
  int64_t retry_delay_ms, delay_ms;
  struct id id;       // of an item of /completions
  struct str worker;  // of a move without a lease token: see claims_token
};

struct error_body {
  struct str code, message, detail;
};

struct repository_body {  // of the task repository service: see doors/repository.h
  struct str type, id, status, tenant, batch;
  int64_t priority;
  struct str request, template, tags, metadata;
};

struct repository_failure {
  struct str error, message;
  bool retry;
  int64_t retry_delay_ms;
};

struct type_body {
  struct str queue, description, backoff;
  int64_t priority, attempts_max, lease_ms, timeout_ms;
  struct keep keep;
  bool keep_result;
};

struct key_body {
  struct str name, tenant, service;
  struct names roles;
  int64_t expires_at, lifetime_ms;
};

struct session_body {
  struct str name, description, metadata, type, payload;
};

struct demo_body {
  int64_t delay_ms, file_size;
  struct str description, file_path, endpoint, data, items;
};

struct bull_body {
  struct str type, payload;
};

struct job_body {
  struct str type, arguments;
  bool system;
};

struct dummy_body {
  int64_t min_s, max_s;
};

struct rotate_body {
  int64_t overlap_ms, expires_at, lifetime_ms;
};

#endif
