// actors.h: the clients of a simulation: producers, and workers that die, stall, lose answers and
// repeat themselves. Each has at most one request under way.
#ifndef TESTS_MODEL_ACTORS_H
#define TESTS_MODEL_ACTORS_H

#include "history.h"

enum { PRODUCERS = 2, WORKERS = 3, ACTORS = PRODUCERS + WORKERS, HELD_MAX = 4 };
enum { SIM_LEASE_MS = WORLD_LEASE_MS };

enum wish {
  WISH_NOTHING,
  WISH_CREATE,
  WISH_CANCEL,
  WISH_RETRY,
  WISH_DELETE,
  WISH_PAUSE,
  WISH_CLAIM,
  WISH_BEAT,
  WISH_SETTLE,
};

struct held {  // a lease
  struct id task;
  int64_t token, since, until;  // from its claim to the latest end that was told
  unsigned label;
};

struct actor {
  unsigned number;
  bool is_worker;
  int64_t next_at;
  struct ask *ask;  // under way
  enum wish wish;
  // What it is about, for the same request again.
  struct id id;
  int64_t token;
  enum settle_verb verb;
  unsigned label, serial;
  bool paused;
  bool unsure;  // an earlier try may have gone through
  bool beats;   // it comes back for a heartbeat
  struct id made[HISTORY_TASKS];
  size_t made_count;
  struct held held[HELD_MAX];
  size_t held_count;
};

struct chances {  // of 1000
  size_t lose_answer, die, stall, repeat;
};

struct sim {
  struct world w;
  int64_t tenant;
  struct dice dice;
  struct chances chances;
  bool healthy;  // the faults are over: nobody makes anything new, workers do their work
  struct actor actors[ACTORS];
  struct history history;
  uint64_t hash, answers, faults, restarts;
  unsigned labels;
  bool tells;  // each event and answer
};

void sim_trace(struct sim *s, uint64_t value);
void actors_open(struct sim *s);
void actor_step(struct sim *s, struct actor *a);      // its time has come
bool actor_answered(struct sim *s, struct actor *a);  // takes in its answer; false: there is none
void actor_cut_off(struct sim *s, struct actor *a);   // its answer will never come

#endif
