// deadlines.c: a binary heap of parked orders, the earliest deadline first. With work_lock held.
#include "base/mem.h"
#include "engine/inside.h"

static void place(struct engine *e, size_t at, struct order *order) {
  e->deadlines[at] = order;
  order->heap_index = at;
}

static void rise(struct engine *e, size_t at, struct order *order) {
  while (at > 0 && e->deadlines[(at - 1) / 2]->deadline > order->deadline) {
    place(e, at, e->deadlines[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
  place(e, at, order);
}

static void sink(struct engine *e, size_t at, struct order *order) {
  for (;;) {
    size_t child = at * 2 + 1;
    if (child >= e->deadline_count) break;
    if (child + 1 < e->deadline_count &&
        e->deadlines[child + 1]->deadline < e->deadlines[child]->deadline)
      child++;
    if (e->deadlines[child]->deadline >= order->deadline) break;
    place(e, at, e->deadlines[child]);
    at = child;
  }
  place(e, at, order);
}

void deadlines_add(struct engine *e, struct order *order) {
  if (e->deadline_count == e->deadline_cap) {
    e->deadline_cap = e->deadline_cap ? e->deadline_cap * 2 : 64;
    e->deadlines = mem_resize(e->deadlines, sizeof *e->deadlines * e->deadline_cap);
  }
  rise(e, e->deadline_count++, order);
}

void deadlines_remove(struct engine *e, struct order *order) {
  size_t at = order->heap_index;
  struct order *last = e->deadlines[--e->deadline_count];
  if (last == order) return;
  rise(e, at, last);
  sink(e, last->heap_index, last);
}
