// demo_payload.h: what the demo tasks take from their payloads. Private to worker/.
#ifndef WORKER_DEMO_PAYLOAD_H
#define WORKER_DEMO_PAYLOAD_H

#include "base/arena.h"
#include "base/str.h"
#include "model/limits.h"

enum {
  DEMO_DELAY_MS_MAX = LIMIT_DEMO_DELAY_MS,
  DEMO_DELAY_S_MAX = DEMO_DELAY_MS_MAX / 1000,
  DEMO_ITEMS_MAX = LIMIT_DEMO_ITEMS,
};

// A member that is absent or null keeps what stands behind it; members that no demo knows are
// passed over.
struct demo_payload {
  int64_t delay_ms;        // how long it all takes: -1
  int64_t min_s, max_s;    // of a dummy job, the same by a range: -1
  struct str description;  // as text: STR_NONE
  struct str file_path;    // as text: STR_NONE
  int64_t file_size;       // bytes: -1
  struct str endpoint;     // as text: STR_NONE
  struct str data;         // JSON: "null"
  struct str message;      // JSON: "null"
  struct str items;        // a JSON array: STR_NONE
  int64_t item_count;      // 0
};

// False: the payload cannot be used, and `*why` is a sentence that says what is wrong with it.
bool demo_payload_read(struct arena *a, struct str payload, struct demo_payload *out,
                       const char **why);

#endif
