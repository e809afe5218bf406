// testing_meanwhile.h: what happens in one lane while another is in the store: a part of the
// engine's tests of several lanes. No threads: a hook of the fake store runs the other lane's unit
// at the moment in question.
#ifndef ENGINE_TESTING_MEANWHILE_H
#define ENGINE_TESTING_MEANWHILE_H

#include "engine/inside.h"
#include "engine/testing.h"

// What happens once when lane 0 comes to a point.
struct meanwhile {
  struct yard *yard;
  enum fake_point at;
  void (*then)(struct yard *y);
  bool done;
};
static struct meanwhile meanwhile;
static struct ask *others[4];  // what was asked then

static inline void on_point(void *self, struct store_lane *lane, enum fake_point point) {
  struct meanwhile *m = self;
  if (m->done || lane != m->yard->e->lanes[0].store || point != m->at) return;
  m->done = true;
  m->then(m->yard);
}

static inline void while_in_the_store(struct yard *y, enum fake_point at,
                                      void then(struct yard *y)) {
  meanwhile = (struct meanwhile){.yard = y, .at = at, .then = then};
  y->store.hook = on_point;
  y->store.hook_self = &meanwhile;
}

// All that there is to do, by lane 1.
static inline void turn_beside(struct yard *y) {
  int64_t next_at;
  for (int units = 0; lane_turn(&y->e->lanes[1], &next_at); units++) assert_true(units < 1000);
  engine_collect(y->e);
}

static inline void ask_beside(struct yard *y, size_t which, struct ask *a) {
  others[which] = a;
  submit(a);
  turn_beside(y);
}

static inline void settle_all(struct yard *y) {
  turn(y);
  assert_true(meanwhile.done);
}

#endif
