// history.h: what the events of a run say, and whether that is a history that may be: written from
// docs/lifecycle.md. Besides, whether what clients were told stands in it.
#ifndef TESTS_MODEL_HISTORY_H
#define TESTS_MODEL_HISTORY_H

#include "world.h"

enum { HISTORY_TASKS = 512, HISTORY_CLAIMS = 1024 };

// A claim as its label has it: each claim names a worker of its own, so that the events tell.
enum told {
  TOLD_NOTHING,
  TOLD_DONE,     // its settlement was acknowledged
  TOLD_REFUSED,  // it has lost its lease, and no earlier try can have gone through
};

struct claim_fact {
  struct id task;
  enum settle_verb verb;
  enum told told;
  int64_t attempt;  // that it was told of
  int64_t until;    // the latest end of its lease that it was told
};

struct task_fact {
  struct id id;
  bool deleted;  // acknowledged
  // From the events.
  bool known, running, gone;
  enum task_status status;
  int64_t attempt, attempts_max, claimed_at;
  unsigned label;  // of the claim that runs
};

struct history {
  struct task_fact tasks[HISTORY_TASKS];
  size_t task_count;
  struct claim_fact claims[HISTORY_CLAIMS];  // by label
  size_t claim_count;
  unsigned char ends[HISTORY_CLAIMS];  // events that ended the attempt of this label
  int64_t last_seq;
  char complaint[300];
};

struct task_fact *history_task(struct history *h, struct id id);  // made when new
bool history_fail(struct history *h, const char *format, ...) PRINTF_LIKE(2, 3);
// Reads all events and tasks of the tenant. False: see `complaint`.
bool history_check(struct history *h, struct world *w, int64_t tenant, int64_t lease_ms);

#endif
