// slot.h: one of the worker's places to run a task: claims, runs, reports, over and over, in a
// thread of its own. Private to worker/.
#ifndef WORKER_SLOT_H
#define WORKER_SLOT_H

#include "worker/attempt.h"
#include "worker/moves.h"

// What all slots share. Constant while they run, but for `phase`.
struct slot_plan {
  struct client_settings server;
  struct wish wish;
  attempt_handler *handler;
  const void *handler_self;
  bool once;          // one task, then the slot ends
  bool until_empty;   // the slot ends when no task is ready
  bool sessions;      // claims look through all sessions in turn; a completion knows only its own
  int ended_fd;       // an eventfd that gets 1 added when a slot has ended
  _Atomic int phase;  // enum phase; whoever raises it calls slot_notice on every slot
};

struct slot;

// ERR_INVALID: the settings of the server are not valid.
MUST_USE enum err slot_start(struct slot_plan *plan, struct slot **out, struct fault *why);
void slot_notice(struct slot *s);  // the phase was raised; from any thread
void slot_join(struct slot *s);    // waits for its end and frees it

// What ended a slot before its time: the server's refusal of the claim. ERR_OK: nothing did. For
// the thread that is told through `ended_fd`.
enum err slot_refused(const struct slot *s);

#endif
