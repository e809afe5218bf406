// unit.h: the unit of work: the rows it loaded, what they become, and the change that makes it so.
// Private to engine/.
#ifndef ENGINE_UNIT_H
#define ENGINE_UNIT_H

#include "engine/lifecycle.h"
#include "engine/order.h"

// An array that grows in an arena.
struct list {
  void *at;
  size_t count, cap;
};
void *list_push(struct arena *a, struct list *l, size_t item_bytes);  // cleared
#define LIST_PUSH(arena, list, type) ((type *)list_push((arena), (list), sizeof(type)))
#define LIST_AT(list, type, index) (&((type *)(list).at)[index])

struct order_list {
  struct order *head, *tail;
  struct order *ahead;  // the last of those that were let past the others; NULL: none is
  bool passed;          // the latest unit had only such; nobody passes before another was taken
  size_t count;
  size_t items;  // of what waits for a unit: what it comes to, in the measure of LIMIT_UNIT_ITEMS
};

// The candidates for all claims of one filter in one unit.
struct pick_slot {
  struct pick pick;
  size_t asked;   // what the claims of exactly this filter can take
  size_t next;    // first candidate not looked at yet
  size_t bytes;   // payload bytes among them
  size_t served;  // claims that got something
  size_t soon;    // claims that look again soon, since others hold what fits
};

// A part of a cleanup: tasks of one tenant and, as a rule, one type, that ended in one of some
// ways.
struct cleanup_step {
  int64_t tenant;
  struct str type;     // STR_NONE: any
  unsigned statuses;   // bits 1 << enum task_status
  int64_t excess;      // so many of those that ended first are too many; 0: it goes by age
  int64_t keep;        // of those that are counted, so many stay
  int64_t after;       // nothing that ended before this is left of them
  int64_t before;      // by age: those go that ended at this or earlier …
  int64_t for_ms;      // … since they are kept for so long
  struct str because;  // for the event
};

struct cleanup_sum {
  int64_t tenant;
  struct cleanup_counts removed;
};

// What a unit does of a cleanup.
struct cleanup_batch {
  struct order *order;       // whose run goes on in it; NULL: none
  int64_t began_at;          // before the load
  struct list sums;          // struct cleanup_sum: what it removes
  size_t at;                 // the step that is next when it is committed …
  struct cleanup_step step;  // … as it is then
  int64_t age_at;            // when something that is left comes of age; 0: nothing does
  bool waits;                // another unit has the duty just now: nothing is removed
  bool over;
};

struct unit {
  struct engine *e;
  struct lane *lane;
  struct unit *next;   // in the list of free ones
  struct arena arena;  // lives until all answers are encoded
  uint64_t turn;       // its number
  bool alone;          // it has one order only, which failed in company
  int64_t now;
  struct order *orders;  // in order of arrival
  struct order *fed;     // parked claims that got something in this unit
  struct order *held;    // those that it parked, in the order of its decisions
  struct order *held_last;
  struct order_list again;        // to be decided again when this unit is over
  uint64_t ready_mark;            // of e->ready_lately and
  uint64_t ended_mark;            // e->ended_lately: what came later, the load may have missed
  bool catalog;                   // changes the catalogue
  int64_t catalog_from;           // the version that it changes
  const struct catalog *changed;  // what the load brought of it, if that is newer
  uint64_t pause_dice;            // see again.c; 0: not thrown
  int64_t failed_at;
  _Atomic size_t holds;  // answers that engine_collect has not seen yet, and the lane's own

  struct list want_ids, want_uniques, want_replays, slots, want_ended;
  struct row **due;
  size_t due_count;
  bool wants_tallies, wants_duty;
  const struct tally *tally;
  size_t tally_count;
  const struct duty *duty;  // as it was loaded; NULL: another unit has it
  struct duty new_duty;     // what becomes of it, when `duty_changes`
  bool duty_changes;
  struct cleanup_batch cleanup;

  struct row **table;  // the working set by id: open addressing, a power of two
  size_t table_cap, table_count;
  struct want_unique **uniques;  // the same by unique key
  size_t unique_cap;

  struct list rows, events, logs, replays, queues, types, keys, tenants;  // the change
  struct list keys_gone;                                                  // struct str: ids
  struct list ready;  // struct row *: became ready in this unit, best first
  size_t ready_head;  // those before it are taken
  bool ready_new;     // some were not offered to waiting claims yet
  struct list late;   // struct row *: became ready too, but without a payload to hand out
  int64_t wake_min;   // smallest wake_at among what changed; 0: none
};

void unit_begin(struct unit *u, struct lane *lane, int64_t now);

// Planning: what is to be loaded.
void unit_want(struct unit *u, int64_t tenant, struct id id, unsigned parts);
void unit_want_unique(struct unit *u, int64_t tenant, struct str key);

// The working set. unit_find returns NULL for a task that is absent, gone, or of another tenant.
struct row *unit_adopt(struct unit *u, struct row *row);
struct row *unit_find(struct unit *u, int64_t tenant, struct id id);
struct row *unit_find_unique(struct unit *u, int64_t tenant, struct str key);
void unit_adopt_all(struct unit *u);  // everything that the load brought

// Deciding.
struct row *unit_add(struct unit *u, const struct task *task);  // a fresh row
// It changes: next revision, updated_at. Once for each answer that shows it, so that no two answers
// show different contents under one revision.
void unit_touch(struct unit *u, struct row *row);
struct event *unit_event(struct unit *u, const struct order *order, struct row *row,
                         enum event_kind kind);
// Makes the move, or answers ERR_WRONG_STATUS and changes nothing. Sets waiting (for MOVE targets
// that are pending: `waiting`), the times and the wake-up that follow from the new status.
enum err unit_move(struct unit *u, struct row *row, enum move move, enum waiting waiting,
                   struct fault *why);
void unit_reschedule(struct unit *u, struct row *row);  // after a change of times: wake_at, ready
bool unit_has_change(const struct unit *u);
struct change unit_change(const struct unit *u);

// A copy of a task for an answer. Deep: texts too, when they may not live as long as the arena.
struct task *unit_snapshot(struct arena *a, const struct task *task, bool deep);

bool task_is_ready(const struct task *task);
// How long a lease taken or renewed now may last: its length, but not past the attempt's timeout,
// nor past the grace of a requested cancel.
int64_t task_lease_end(const struct task *task, int64_t now);

#endif
