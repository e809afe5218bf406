// game.h: one sequence of operations, played to the engine and to the model side by side.
#ifndef TESTS_MODEL_GAME_H
#define TESTS_MODEL_GAME_H

#include "reference.h"
#include "world.h"

enum op_kind {
#define OPERATION(name, weight, subject, meaning) OP_##name,
#include "operations.def"
#undef OPERATION
  OP_COUNT
};

enum state {
#define STATE(name, meaning) STATE_##name,
#include "states.def"
#undef STATE
  STATE_COUNT
};

enum { OP_NUMBERS = 8, OP_NUMBER_MAX = 64, GAME_WAITS = 12, GAME_KEYS = 3, GAME_OPS_MAX = 64 };
enum { GAME_LATE_MS = 20 };  // lane.c: RETRY_LOCKED_MS

struct op {
  enum op_kind kind;
  unsigned char n[OP_NUMBERS];  // below OP_NUMBER_MAX
};

extern const char *const OP_NAME[OP_COUNT];
extern const bool OP_HAS_SUBJECT[OP_COUNT];
extern const char *const STATE_NAME[STATE_COUNT];

struct op op_throw(struct dice *d);
size_t ops_print(const struct op *ops, size_t count, char *out, size_t room);
bool ops_parse(const char *text, struct op *out, size_t *count);  // GAME_OPS_MAX of them

// Who waits: a claim for work, a watch or a create for the end of a task.
struct wait {
  struct ask *ask;  // NULL: a free place
  bool is_claim;
  struct claim_filter filter;
  struct id id;
  int64_t deadline;
  uint64_t number;  // in the order of arrival
};

// An Idempotency-Key that was used.
struct kept_key {
  bool used;
  struct op op;  // it came with
  struct str body;
};

struct counts {
  uint64_t cell[OP_COUNT][STATE_COUNT];
  uint64_t answers[OP_COUNT][ERR_COUNT];
  uint64_t operations, sequences, turns, fed, replays, events;
};

struct game {
  struct world *w;
  struct ref ref;
  struct arena arena;  // of what the model borrows
  int64_t tenant, seq;
  struct wait waits[GAME_WAITS];
  uint64_t arrivals, made;
  struct kept_key keys[GAME_KEYS];
  struct counts *counts;
  char complaint[900];  // empty: all is well
};

void game_open(struct game *g, struct world *w, int64_t tenant, enum wrong wrong,
               struct counts *counts);
bool game_play(struct game *g, const struct op *op);  // false: see `complaint`
bool game_end(struct game *g);                        // lists, counts, logs; then removes it all
void game_close(struct game *g);
bool game_fail(struct game *g, const char *format, ...) PRINTF_LIKE(2, 3);  // false

// moves.c
// Makes the operation's request, or NULL where it has none; `*t`: its task, NULL when there is
// none.
struct ask *move_ask(struct game *g, const struct op *op);
// What the model makes of it, given the answer; false: they differ.
bool move_model(struct game *g, const struct op *op, struct ask *a);
struct ref_task *move_subject(struct game *g, const struct op *op, size_t which);
int64_t move_ms(const struct op *op);  // of PASS and JUMP
bool move_waits(const struct op *op, int64_t *wait_ms);

bool take_fed(struct game *g);  // game.c: claims that waited and were answered with what is ready

// compare.c
bool same_task(struct game *g, const struct task *is, const struct task *should, bool parts,
               const char *where);
bool same_events(struct game *g);  // those that came since the last call
bool same_tasks(struct game *g);   // all of them, as they are read
bool same_books(struct game *g);   // counts, lists and logs
bool adopt_claim(struct game *g, const struct task *claimed, const struct claim_filter *f);
bool adopt_backoff(struct game *g, struct ref_task *t, struct ref_wait wait);
bool adopt_delay(struct game *g, const struct ref_task *t, bool *left);

#endif
