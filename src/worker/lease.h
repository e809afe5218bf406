// lease.h: keeps the lease of one running task, and carries what it says to the server: heartbeats,
// log lines, progress. Private to worker/.
//
// A thread of its own makes the calls, so that a slow or absent server never stops the task.
// All functions may be called from the one thread that runs tasks; none but lease_end blocks.
#ifndef WORKER_LEASE_H
#define WORKER_LEASE_H

#include "client/client.h"
#include "worker/claim.h"
#include "worker/progress.h"

struct lease;

enum lease_state {
  LEASE_HELD,
  LEASE_CANCEL,  // held, and the task is to be cancelled
  LEASE_LOST,    // taken away, or over by our clock without a word from the server; stays so
};

// `client` is the thread's while a task runs, and the caller's between lease_end and lease_begin.
// `wake_fd` is an eventfd that gets 1 added whenever the state changes.
struct lease *lease_open(struct client *client, int wake_fd);
void lease_close(struct lease *l);  // NULL is allowed; no task may be running

void lease_begin(struct lease *l, const struct claim *claim);  // borrowed until lease_end
void lease_log(struct lease *l, struct str line);
void lease_progress(struct lease *l, const struct progress *progress);
enum lease_state lease_state(struct lease *l);
int64_t lease_left_ms(struct lease *l);  // until it is over unless a heartbeat gets through

// Sends what is left to be said, for at most half of what is left of the lease, and gives the
// state.
enum lease_state lease_end(struct lease *l);

// How long to wait before the next try after `failures` (from 1) in a row; half of it is random.
int64_t lease_backoff_ms(unsigned failures, int64_t longest_ms);

#endif
