// task.h: a task, as the engine decides on it and as the stores keep it.
#ifndef MODEL_TASK_H
#define MODEL_TASK_H

#include "base/id.h"
#include "model/words.h"

enum backoff_kind { BACKOFF_EXPONENTIAL, BACKOFF_FIXED };

// How long to wait before attempt n+1: fixed: delay; exponential: delay * 2^(n-1), at most
// delay_max. jitter_percent of it is random: wait * (1 - jitter/100 * U), U in [0,1).
struct backoff {
  enum backoff_kind kind;
  int64_t delay_ms, delay_max_ms;
  int64_t jitter_percent;  // 0 … 100
};

#define VERSION_NONE INT64_MIN  // `version` is the caller's number; any other value is theirs

// Times are milliseconds since the epoch, 0 when absent. Texts are STR_NONE when absent. Slices
// borrow from the arena that the task was made in.
struct task {
  struct id id;
  int64_t tenant;
  struct str queue, type;
  enum task_status status;
  enum waiting waiting;  // why it is pending; WAIT_NONE in any other status
  int64_t revision;      // raised by each change; what compare-and-swap compares, and the ETag
  int64_t priority;      // higher first

  int64_t attempt;         // claims so far; released ones do not count
  int64_t attempts_max;    // no claim past this
  int64_t attempts_grant;  // what a retry by hand adds to it: attempts_max at creation
  struct backoff backoff;
  int64_t lease_ms;    // length of a lease unless the claim asks for another
  int64_t timeout_ms;  // an attempt may run this long, heartbeats or not; 0: for ever

  int64_t created_at, updated_at;
  int64_t run_at;        // not before; 0: at once
  int64_t expires_at;    // cancelled if still pending then
  int64_t started_at;    // first claim
  int64_t completed_at;  // entered a final status
  int64_t wake_at;       // when the sweep must look at it: due, lease end, expiry; 0: never

  // The lease. All zero or absent unless running, but `worker` and `claimed_at` stay for the
  // reader.
  int64_t lease;            // random secret of the present claim; 0: none
  int64_t lease_length_ms;  // what a heartbeat renews it by
  int64_t lease_expires_at;
  int64_t claimed_at;
  int64_t cancel_requested_at;
  int64_t cancel_by;  // when a requested cancel takes effect at the latest
  struct str worker;  // workerId of the latest claim

  int64_t progress;  // 0 … 100
  struct str step, step_description;

  struct str error_code, error_message;
  struct str error_detail;  // JSON as received

  struct str name, description;
  struct str tags, metadata;  // JSON objects as received
  struct str project, subject;
  struct str unique_key;
  int64_t version;  // VERSION_NONE when absent

  int64_t log_lines;  // appended so far, dropped ones included

  // Kept apart from the row, written once, byte for byte. Absent unless asked for in a load.
  struct str payload, result;
};

#endif
