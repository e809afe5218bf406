// world.h: an engine on a store, driven step by step by one thread, with a clock that stands still
// until it is moved; and requests to it, whose answers are copied.
#ifndef TESTS_MODEL_WORLD_H
#define TESTS_MODEL_WORLD_H

#include "dice.h"
#include "engine/engine.h"
#include "over.h"

enum { WORLD_UNITS_MAX = 5000, WORLD_ATTEMPTS = 3, WORLD_LEASE_MS = 10000 };
#define WORLD_START_MS 1800000000000LL

struct world {
  struct store *under;  // the real one
  struct over over;
  struct engine *e;
  struct store_reader *reader;
  int64_t now, next_at;
  uint64_t paused;        // turns that an answer had to be awaited for
  bool broken;            // the engine asked for the process to end
  struct ask *asks;       // that are not answered yet, or not looked at
  const char *complaint;  // the first thing that is wrong with the world itself; NULL: none
  void (*happened)(void *world, const struct event *event);
};

// One request and, once it is there, its answer.
struct ask {
  struct order order;
  struct world *world;
  struct ask *next;
  struct arena arena;  // the request's: gone when it is answered
  struct arena kept;   // of the copies below
  bool answered;
  int answers;
  int64_t asked_at, answered_at;
  enum err err;
  bool is_replay;
  struct str body;  // as it was rendered, or is kept
  struct task *tasks, *claimed;
  size_t task_count, claimed_count, item_count;
  struct settle_item *items;
  bool ended, cancel_requested;
  void *context;  // the test's own
};

MUST_USE enum err world_open(struct world *w, struct store *under, bool shared, struct fault *why);
MUST_USE enum err world_engine_open(struct world *w, struct fault *why);  // again, after …
// … a stop, which answers all that wait, or a crash, which answers nobody: their asks are gone.
void world_engine_stop(struct world *w);
void world_engine_crash(struct world *w);
void world_close(struct world *w);  // leaves the store below open

// Makes the number of a tenant that is new to the store.
int64_t world_tenant(struct world *w, const char *name);

struct ask *ask_new(struct world *w, enum order_kind kind, int64_t tenant, const char *actor);
void ask_send(struct ask *a);
void ask_free(struct ask *a);  // answered, or in an engine that is gone
struct str ask_text(struct ask *a, const char *text);

bool world_turn(struct world *w);  // units until nothing is left to do at this moment; true: some
void world_await(struct world *w, const struct ask *a);  // past the pauses behind conflicts
void world_collect(struct world *w);

#define WORLD_FAIL(w, sentence)                                                                    \
  do {                                                                                             \
    if ((w)->complaint == NULL) (w)->complaint = (sentence);                                       \
  } while (0)

struct task task_copy(struct arena *a, const struct task *from);

#endif
