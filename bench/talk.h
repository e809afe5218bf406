// talk.h: one connection's side of the conversation: which request comes next, what its answer
// means.
#ifndef BENCH_TALK_H
#define BENCH_TALK_H

#include "bench/profile.h"
#include "bench/wire.h"

enum step { STEP_CREATE, STEP_CLAIM, STEP_COMPLETE, STEP_COMPLETE_AND_CLAIM, STEP_COUNT };

enum {
  TALK_PAYLOAD_BYTES = 200,
  TALK_SEQUENCE_DIGITS = 12,  // of the number that each payload carries
  TALK_TYPES = 5,             // bench-0 … bench-4
  TALK_PRIORITIES = 10,       // 0 … 9
  TALK_BATCH_MAX = 1000,
  TALK_WAIT_MS = 5000,      // of a claim that is made again because the one before came empty
  TALK_EMPTY_MAX = 20,      // so many empty claims in a row are an error …
  TALK_WORK_EMPTY_MAX = 5,  // … or, of what waits already, its end
};

// What the server has acknowledged.
struct tally {
  uint64_t requests, created, claimed, completed, short_claims;
};

struct lease {
  char id[36];
  char token[64];
  unsigned token_bytes;
};

struct talk {
  struct wire wire;
  const struct endpoint *endpoint;
  const struct profile *profile;
  enum step step;      // of the request in flight, or the last one
  unsigned type;       // of the tasks it claims
  uint64_t random;     // state of its generator
  uint64_t sequence;   // number of its next payload
  int64_t started_us;  // when the request in flight was handed to the socket
  bool waiting;        // a request is in flight
  size_t owed;         // tasks that it has created and not yet claimed
  size_t asked;        // of the claim in flight
  unsigned empty;      // claims in a row that came empty
  size_t held_count;   // tasks it has claimed and not completed
  struct lease *held;  // profile->batch of them
  struct buf body;
};

MUST_USE enum err bench_talk_open(struct talk *t, const struct endpoint *to,
                                  const struct profile *profile, unsigned number,
                                  struct fault *why);
void bench_talk_close(struct talk *t);

// Chooses the next step and puts its request into the wire. False: `last` is set, or nothing waits
// any more, and this conversation has ended, with nothing claimed left behind.
bool bench_talk_say(struct talk *t, bool last);

// Takes in the body of a 2xx answer. False: it is not what was asked for.
MUST_USE bool bench_talk_hear(struct talk *t, struct tally *tally);

// Appends a 200-byte JSON payload that carries `sequence`, and reads that number back.
void bench_payload_write(struct buf *b, uint64_t sequence);
bool bench_payload_read(struct str text, uint64_t *sequence);

// Finds the next {"id":"…", …, "leaseToken":"…"} from `*at` on and moves `*at` behind it.
bool bench_lease_next(const char **at, const char *end, struct lease *out);

#endif
