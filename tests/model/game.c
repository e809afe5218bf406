// game.c: one sequence: each operation goes to the engine, which then works until nothing is left
// to do, and to the model; then answers, events and all tasks are held against each other.
#include "game.h"

#include "base/mem.h"

enum { ARENA_BYTES = 16384, MOMENTS_MAX = 1000, SWEEPS_MAX = 4 };

void game_open(struct game *g, struct world *w, int64_t tenant, enum wrong wrong,
               struct counts *counts) {
  *g = (struct game){.w = w, .tenant = tenant, .counts = counts};
  ref_init(&g->ref, w->now, wrong);
  arena_init(&g->arena, ARENA_BYTES);
  counts->sequences++;
}

void game_close(struct game *g) {
  for (size_t i = 0; i < GAME_WAITS; i++)
    if (g->waits[i].ask) ask_free(g->waits[i].ask);
  arena_fini(&g->arena);
}

// --- what is counted -----------------------------------------------------------------------------

static enum state pending_state(const struct game *g, const struct ref_task *t) {
  static const enum state by_waiting[] = {[WAIT_NONE] = STATE_absent,
                                          [WAIT_WORKER] = STATE_ready,
                                          [WAIT_START] = STATE_start,
                                          [WAIT_TIME] = STATE_time,
                                          [WAIT_RETRY] = STATE_retry};
  if (t->is.wake_at && t->is.wake_at <= g->w->now) return STATE_late;
  for (size_t i = 0; i < REF_QUEUES; i++)
    if (t->is.waiting == WAIT_WORKER && g->ref.paused[i] &&
        str_eq(t->is.queue, str_of(REF_QUEUE[i])))
      return STATE_paused;
  return by_waiting[t->is.waiting];
}

static enum state state_of(const struct game *g, const struct ref_task *t) {
  if (t == NULL) return STATE_absent;
  if (t->gone) return STATE_deleted;
  switch (t->is.status) {
  case TASK_PENDING: return pending_state(g, t);
  case TASK_RUNNING:
    if (t->is.lease_expires_at <= g->w->now) return STATE_overdue;
    return t->is.cancel_requested_at ? STATE_stopping : STATE_running;
  case TASK_COMPLETED: return STATE_completed;
  case TASK_FAILED: return STATE_failed;
  case TASK_CANCELLED: return STATE_cancelled;
  default: return STATE_abandoned;
  }
}

// An operation that is about no task is counted for each task that there is.
static void count(struct game *g, const struct op *op) {
  uint64_t *cells = g->counts->cell[op->kind];
  g->counts->operations++;
  if (OP_HAS_SUBJECT[op->kind]) {
    cells[state_of(g, move_subject(g, op, 0))]++;
    if (op->kind == OP_SETTLE_SEVERAL) cells[state_of(g, move_subject(g, op, 1))]++;
    return;
  }
  if (g->ref.count == 0) cells[STATE_absent]++;
  for (size_t i = 0; i < g->ref.count; i++) cells[state_of(g, &g->ref.tasks[i])]++;
}

// --- those who wait ------------------------------------------------------------------------------

static void wait_over(struct wait *wait) {
  ask_free(wait->ask);
  wait->ask = NULL;
}

static struct wait *free_wait(struct game *g) {
  for (size_t i = 0; i < GAME_WAITS; i++)
    if (g->waits[i].ask == NULL) return &g->waits[i];
  return NULL;
}

static struct wait *wait_for(struct game *g, struct ask *a) {
  struct wait *wait = free_wait(g);  // there is one: see game_play
  *wait =
      (struct wait){.ask = a, .deadline = g->w->now + a->order.wait_ms, .number = ++g->arrivals};
  return wait;
}

static bool fits_all(struct game *g, const struct wait *wait) {
  for (size_t i = 0; i < wait->ask->claimed_count; i++) {
    struct ref_task *t = ref_find(&g->ref, wait->ask->claimed[i].id);
    if (t == NULL || !ref_fits(&g->ref, &wait->filter, t)) return false;
  }
  return true;
}

// Claims that waited and got something of what is ready by now.
bool take_fed(struct game *g) {
  g->ref.actor = STR("tester");
  for (size_t i = 0; i < GAME_WAITS; i++) {
    struct wait *wait = &g->waits[i];
    if (!wait->ask || !wait->is_claim || !wait->ask->answered || !wait->ask->claimed_count)
      continue;
    if (wait->ask->claimed_count > wait->filter.limit)
      return game_fail(g, "a claim that waited gets more than it asked for");
    if (!fits_all(g, wait)) continue;
    for (size_t k = 0; k < wait->ask->claimed_count; k++)
      if (!adopt_claim(g, &wait->ask->claimed[k], &wait->filter)) return false;
    g->counts->fed++;
    wait_over(wait);
  }
  return true;
}

static bool claim_waits_on(struct game *g, struct wait *wait) {
  if (wait->ask->answered) {
    if (wait->ask->claimed_count)
      return game_fail(g, "a claim that waited gets what is not ready, or does not fit");
    if (wait->deadline > g->w->now && wait->ask->err == ERR_OK)
      return game_fail(g, "a claim that waits is answered with nothing before its time");
    wait_over(wait);
    return true;
  }
  if (wait->deadline <= g->w->now) return game_fail(g, "a claim waits past its time");
  if (ref_best(&g->ref, &wait->filter))
    return game_fail(g, "a task is ready, and a claim that it fits waits on");
  return true;
}

static bool watch_waits_on(struct game *g, struct wait *wait) {
  struct ask *a = wait->ask;
  struct ref_task *t = ref_find(&g->ref, wait->id);
  bool over = t == NULL || task_status_is_final(t->is.status), late = wait->deadline <= g->w->now;
  if (!a->answered && (over || late))
    return game_fail(g, "a watch waits on, %s", over ? "and its task has ended" : "past its time");
  if (!a->answered) return true;
  bool good = over || late || game_fail(g, "a watch is answered before its task has ended");
  if (good && a->err != ERR_OK && (t || a->err != ERR_NOT_FOUND))
    good = game_fail(g, "a watch is answered %s", err_code(a->err));
  if (good && t && a->err == ERR_OK && over && !late)
    good = a->task_count == 1 && same_task(g, &a->tasks[0], &t->is, false, "of a watch");
  wait_over(wait);
  return good;
}

static bool waits_go_on(struct game *g) {
  for (size_t i = 0; i < GAME_WAITS; i++) {
    struct wait *wait = &g->waits[i];
    if (wait->ask == NULL) continue;
    if (!(wait->is_claim ? claim_waits_on(g, wait) : watch_waits_on(g, wait))) return false;
  }
  return true;
}

// The task that a create made which waits for its end: the newest.
static bool adopt_created(struct game *g, const struct ask *a, struct id *id) {
  struct arena scratch;
  struct fault why = {0};
  struct task_page page;
  struct task_filter newest = {.tenant = g->tenant, .limit = 1};
  arena_init(&scratch, ARENA_BYTES);
  bool good =
      g->w->under->ops->read_tasks(g->w->reader, &scratch, &newest, &page, &why) == ERR_OK &&
      page.count == 1;
  if (good) {
    struct task task = ref_make(&g->ref, a->context);
    task.id = *id = page.tasks[0]->id;
    task.tenant = g->tenant;
    g->ref.actor = STR("tester");
    ref_add(&g->ref, &task);
  } else {
    game_fail(g, "a create that waits for the end made no task");
  }
  arena_fini(&scratch);
  return good;
}

static bool begins_to_wait(struct game *g, const struct op *op, struct ask *a) {
  struct ref_task *t = move_subject(g, op, 0);
  if (op->kind == OP_CREATE_WAIT) {
    struct id id;
    if (!adopt_created(g, a, &id)) return false;
    wait_for(g, a)->id = id;
    return true;
  }
  if (op->kind == OP_CLAIM_WAIT && !ref_best(&g->ref, &a->order.claim)) {
    struct wait *wait = wait_for(g, a);
    wait->is_claim = true;
    wait->filter = a->order.claim;
    return true;
  }
  if (op->kind == OP_WATCH_WAIT && t && !t->gone && !task_status_is_final(t->is.status)) {
    wait_for(g, a)->id = t->is.id;
    return true;
  }
  bool good = a->answered ? move_model(g, op, a)
                          : game_fail(g, "%s waits, and there is no reason", OP_NAME[op->kind]);
  ask_free(a);
  return good;
}

// --- one turn ------------------------------------------------------------------------------------

static bool model_op(struct game *g, const struct op *op, struct ask *a) {
  int64_t wait_ms;
  if (move_waits(op, &wait_ms)) return begins_to_wait(g, op, a);
  bool good =
      a->answered ? move_model(g, op, a) : game_fail(g, "%s is not answered", OP_NAME[op->kind]);
  ask_free(a);
  return good;
}

static bool model_clock(struct game *g, bool *moved) {
  *moved = false;
  for (size_t i = 0; i < g->ref.count; i++) {
    struct ref_task *t = &g->ref.tasks[i];
    bool left;
    struct ref_wait wait;
    if (!ref_is_due(&g->ref, t)) continue;
    if (!adopt_delay(g, t, &left)) return false;
    if (left) continue;
    ref_time(&g->ref, t, &wait);
    *moved = true;
    if (!adopt_backoff(g, t, wait)) return false;
  }
  return true;
}

// First the operation, then the clock, then whom that has served.
static bool model_rest(struct game *g) {
  bool moved = true;
  if (!take_fed(g)) return false;
  for (int i = 0; moved && i < SWEEPS_MAX; i++)
    if (!model_clock(g, &moved) || !take_fed(g)) return false;
  return waits_go_on(g);
}

static bool turn(struct game *g, const struct op *op, struct ask *a) {
  int64_t wait_ms;
  world_turn(g->w);
  if (a && !move_waits(op, &wait_ms)) world_await(g->w, a);
  g->counts->turns++;
  g->ref.now = g->w->now;
  g->ref.event_count = 0;
  if (g->w->complaint) game_fail(g, "%s", g->w->complaint);
  if (g->w->broken) game_fail(g, "the engine asks for the end of the process");
  if (g->complaint[0]) {
    if (a) ask_free(a);
    return false;
  }
  if (a && !model_op(g, op, a)) return false;
  return model_rest(g) && same_events(g) && same_tasks(g);
}

// --- time ----------------------------------------------------------------------------------------

static int64_t next_of_all(const struct game *g) {
  int64_t next = ref_next(&g->ref);
  for (size_t i = 0; i < GAME_WAITS; i++) {
    const struct wait *wait = &g->waits[i];
    if (wait->ask && (next == 0 || wait->deadline < next)) next = wait->deadline;
  }
  return next;
}

// The engine says when it wants to be woken. Never later than something is to be done.
static bool pass(struct game *g, int64_t ms) {
  struct world *w = g->w;
  int64_t end = w->now + ms;
  if (!turn(g, NULL, NULL)) return false;
  for (int i = 0; i < MOMENTS_MAX; i++) {
    int64_t next = next_of_all(g);
    int64_t latest = next > w->now ? next : w->now + GAME_LATE_MS;
    if (next && latest <= end && (w->next_at == 0 || w->next_at > latest))
      return game_fail(g, "something is due in %lld ms, and the engine sleeps for %lld",
                       (long long)(next - w->now), (long long)(w->next_at - w->now));
    if (w->next_at == 0 || w->next_at > end) break;
    if (w->next_at > w->now) w->now = w->next_at;
    if (!turn(g, NULL, NULL)) return false;
  }
  w->now = end;
  return turn(g, NULL, NULL);
}

// --- operations without a request ----------------------------------------------------------------

static bool leave(struct game *g, const struct op *op) {
  struct wait *wait = &g->waits[op->n[0] % GAME_WAITS];
  if (wait->ask == NULL) return turn(g, NULL, NULL);
  engine_withdraw(g->w->e, &wait->ask->order);
  world_turn(g->w);
  bool good = wait->ask->answered || game_fail(g, "who went away is not let go");
  if (good && wait->ask->claimed_count)
    good = game_fail(g, "a task is leased to somebody who went away");
  if (good) wait_over(wait);
  return good && turn(g, NULL, NULL);
}

// All who wait are answered with what there is.
static bool restart(struct game *g) {
  struct fault why = {0};
  if (!turn(g, NULL, NULL)) return false;
  world_engine_stop(g->w);
  for (size_t i = 0; i < GAME_WAITS; i++) {
    struct wait *wait = &g->waits[i];
    if (wait->ask == NULL) continue;
    if (!wait->ask->answered) return game_fail(g, "a server that stops leaves somebody waiting");
    if (wait->ask->claimed_count) return game_fail(g, "a server that stops leases a task");
    wait_over(wait);
  }
  if (world_engine_open(g->w, &why) != ERR_OK)
    return game_fail(g, "the engine does not open again: %s", why.detail);
  return turn(g, NULL, NULL);
}

// Whether the model has room for what the operation makes. What has none is left out.
static bool has_room(struct game *g, const struct op *op) {
  int64_t wait_ms;
  if (move_waits(op, &wait_ms) && free_wait(g) == NULL) return false;
  bool creates =
      op->kind == OP_CREATE || op->kind == OP_CREATE_SEVERAL || op->kind == OP_CREATE_WAIT;
  return !creates || g->ref.count + 4 <= REF_TASKS;
}

bool game_play(struct game *g, const struct op *op) {
  if (!has_room(g, op)) return true;
  count(g, op);
  switch (op->kind) {
  case OP_PASS: return pass(g, move_ms(op));
  case OP_JUMP: g->w->now += move_ms(op); return true;
  case OP_LEAVE: return leave(g, op);
  case OP_RESTART: return restart(g);
  default: break;
  }
  struct ask *a = move_ask(g, op);
  ask_send(a);
  return turn(g, op, a);
}

// --- the end -------------------------------------------------------------------------------------

static bool remove_all(struct game *g) {
  for (size_t i = 0; i < g->ref.count; i++) {
    struct ref_task *t = &g->ref.tasks[i];
    if (t->gone) continue;
    struct ask *a = ask_new(g->w, ORDER_DELETE, g->tenant, "tester");
    a->order.id = t->is.id;
    a->order.in.delete.force = true;
    ask_send(a);
    world_turn(g->w);
    bool good = a->answered && a->err == ERR_OK;
    ask_free(a);
    if (!good) return game_fail(g, "a task cannot be removed at the end");
    t->gone = true;
  }
  return same_books(g);
}

bool game_end(struct game *g) {
  struct op away = {.kind = OP_LEAVE};
  if (!turn(g, NULL, NULL) || !same_books(g)) return false;
  for (; away.n[0] < GAME_WAITS; away.n[0]++)
    if (g->waits[away.n[0]].ask && !leave(g, &away)) return false;
  return remove_all(g);
}
