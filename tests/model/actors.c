// actors.c: what producers and workers of a simulation do, and what they make of the answers.
#include "actors.h"

#include <stdio.h>

#include "model/limits.h"

enum { SOON_MS = 300, CLAIM_WAIT_MS = 4000 };

void sim_trace(struct sim *s, uint64_t value) {
  s->hash = (s->hash ^ value) * 0x100000001b3u;
  s->hash ^= s->hash >> 29;
}

void actors_open(struct sim *s) {
  for (unsigned i = 0; i < ACTORS; i++) {
    struct actor *a = &s->actors[i];
    a->number = i;
    a->is_worker = i >= PRODUCERS;
    a->next_at = s->w.now + (int64_t)dice_below(&s->dice, SOON_MS);
  }
}

static bool luck(struct sim *s, size_t of_thousand) {
  return !s->healthy && dice_chance(&s->dice, of_thousand, 1000);
}

static void rest(struct sim *s, struct actor *a, size_t ms) {
  a->next_at = s->w.now + 1 + (int64_t)dice_below(&s->dice, ms);
}

// --- requests ------------------------------------------------------------------------------------

static const char *type_of(unsigned number) { return number % 2 ? "mail" : "video"; }

static struct ask *ask_create(struct sim *s, struct actor *a) {
  struct ask *ask = ask_new(&s->w, ORDER_CREATE, s->tenant, "producer");
  struct create_item *item = ARENA_NEW(&ask->arena, struct create_item);
  char key[24];
  int used = snprintf(key, sizeof key, "p%u.%u", a->number, a->serial);
  item->task = (struct task){.type = ask_text(ask, type_of(a->serial)),
                             .payload = ask_text(ask, "{}"),
                             .priority = (int64_t)(a->serial % 3),
                             .timeout_ms = ABSENT,
                             .version = VERSION_NONE};
  item->task.name = ask_text(ask, key);
  item->delay_ms = a->serial % 4 == 3 ? 1500 : 0;
  ask->order.in.create.items = item;
  ask->order.in.create.count = 1;
  ask->order.replay_key = ask_text(ask, key);
  memcpy(ask->order.fingerprint, key, (size_t)used);
  return ask;
}

static struct ask *ask_claim(struct sim *s, struct actor *a) {
  struct ask *ask = ask_new(&s->w, ORDER_CLAIM, s->tenant, "worker");
  struct str *types = ARENA_ARRAY(&ask->arena, struct str, 1);
  char worker[16];
  snprintf(worker, sizeof worker, "w%u", a->label);
  types[0] = ask_text(ask, type_of(a->label / 2));
  ask->order.claim = (struct claim_filter){.types = types,
                                           .type_count = a->number == PRODUCERS ? 0 : a->label % 2,
                                           .worker = ask_text(ask, worker),
                                           .limit = 1};
  if (s->healthy || a->label % 3) ask->order.wait_ms = CLAIM_WAIT_MS;
  return ask;
}

static struct ask *ask_settle(struct sim *s, struct actor *a) {
  struct ask *ask = ask_new(&s->w, ORDER_SETTLE, s->tenant, "worker");
  struct settle_item *item = ARENA_NEW(&ask->arena, struct settle_item);
  *item = (struct settle_item){.id = a->id, .lease = a->token, .verb = a->verb, .delay_ms = ABSENT};
  if (a->verb == SETTLE_COMPLETE) item->result = ask_text(ask, "{\"done\":true}");
  if (a->verb == SETTLE_FAIL) item->error_code = ask_text(ask, "broke");
  ask->order.in.settle.items = item;
  ask->order.in.settle.count = 1;
  ask->order.in.settle.single = true;
  return ask;
}

static struct ask *ask_about(struct sim *s, struct actor *a, enum order_kind kind) {
  struct ask *ask = ask_new(&s->w, kind, s->tenant, "producer");
  ask->order.id = a->id;
  if (kind == ORDER_CANCEL) ask->order.in.cancel.grace_ms = 20000;  // past the lease
  if (kind == ORDER_DELETE) ask->order.in.delete.force = true;
  if (kind == ORDER_REPORT)
    ask->order.in.report = (struct report_input){.lease = a->token, .progress = 50};
  return ask;
}

static struct ask *ask_pause(struct sim *s, struct actor *a) {
  struct ask *ask = ask_new(&s->w, ORDER_PAUSE, s->tenant, "producer");
  ask->order.in.queue =
      (struct queue){.tenant = s->tenant, .name = ask_text(ask, "default"), .paused = a->paused};
  return ask;
}

static void send(struct sim *s, struct actor *a) {
  static const enum order_kind about[] = {[WISH_CANCEL] = ORDER_CANCEL,
                                          [WISH_RETRY] = ORDER_RETRY,
                                          [WISH_DELETE] = ORDER_DELETE,
                                          [WISH_BEAT] = ORDER_REPORT};
  switch (a->wish) {
  case WISH_NOTHING: return;
  case WISH_CREATE: a->ask = ask_create(s, a); break;
  case WISH_CLAIM: a->ask = ask_claim(s, a); break;
  case WISH_SETTLE: a->ask = ask_settle(s, a); break;
  case WISH_PAUSE: a->ask = ask_pause(s, a); break;
  default: a->ask = ask_about(s, a, about[a->wish]); break;
  }
  ask_send(a->ask);
}

// --- what they want next -------------------------------------------------------------------------

static void next_of_producer(struct sim *s, struct actor *a) {
  size_t dice = dice_below(&s->dice, 100);
  a->wish = WISH_NOTHING;
  a->unsure = false;
  if (s->healthy) {
    if (!a->paused) return;
    a->wish = WISH_PAUSE;
    a->paused = false;
    return;
  }
  if (dice < 60 || a->made_count == 0) {
    a->wish = WISH_CREATE;
    a->serial++;
    return;
  }
  a->id = a->made[dice_below(&s->dice, a->made_count)];
  a->wish = dice < 70 ? WISH_CANCEL : dice < 82 ? WISH_RETRY : dice < 88 ? WISH_DELETE : WISH_PAUSE;
  if (a->wish == WISH_PAUSE) a->paused = !a->paused;
}

static void drop_held(struct actor *a) { a->held[0] = a->held[--a->held_count]; }

static void begin_claim(struct sim *s, struct actor *a) {
  if (s->labels + 1 >= HISTORY_CLAIMS) {
    history_fail(&s->history, "more claims than a run can make");
    return;
  }
  a->wish = WISH_CLAIM;
  a->label = ++s->labels;
  s->history.claim_count = s->labels + 1;
}

static void next_of_worker(struct sim *s, struct actor *a) {
  a->unsure = false;
  if (a->held_count == 0) {
    begin_claim(s, a);
    return;
  }
  const struct held *h = &a->held[0];
  a->wish = WISH_NOTHING;
  a->id = h->task;
  a->token = h->token;
  a->label = h->label;
  if (luck(s, s->chances.die)) {  // and another takes its place, who knows nothing
    drop_held(a);
  } else if (luck(s, s->chances.stall)) {
    a->beats = dice_chance(&s->dice, 1, 2);
    a->next_at = a->beats ? h->until - 200 + (int64_t)dice_below(&s->dice, 300)
                          : s->w.now + SIM_LEASE_MS + 3000;
  } else if (a->beats || (!s->healthy && dice_chance(&s->dice, 1, 4))) {
    a->wish = WISH_BEAT;
    a->beats = false;
  } else {
    size_t dice = dice_below(&s->dice, 10);
    a->wish = WISH_SETTLE;
    a->verb = dice < 6 ? SETTLE_COMPLETE : dice < 9 ? SETTLE_FAIL : SETTLE_RELEASE;
  }
}

void actor_step(struct sim *s, struct actor *a) {
  rest(s, a, SOON_MS);
  if (a->ask) return;
  if (a->wish == WISH_NOTHING) {
    if (a->is_worker)
      next_of_worker(s, a);
    else
      next_of_producer(s, a);
  }
  send(s, a);
}

// --- answers -------------------------------------------------------------------------------------

// Nobody else may have been given the task before the end that this one was told of. Which of the
// two was first is not said by the order of their answers: that of a slow commit may come when its
// lease is over, and behind that of the next claim.
static void check_alone(struct sim *s, const struct task *task) {
  for (size_t i = 0; i < ACTORS; i++)
    for (size_t k = 0; k < s->actors[i].held_count; k++) {
      const struct held *h = &s->actors[i].held[k];
      bool settling = s->actors[i].wish == WISH_SETTLE && k == 0;
      bool apart = h->until <= task->claimed_at || task->lease_expires_at <= h->since;
      if (id_eq(h->task, task->id) && !settling && !apart)
        history_fail(&s->history,
                     "two claims hold one task: w%u until %lld, and another since %lld", h->label,
                     (long long)(h->until - WORLD_START_MS),
                     (long long)(task->claimed_at - WORLD_START_MS));
    }
}

static void took(struct sim *s, struct actor *a) {
  for (size_t i = 0; i < a->ask->claimed_count && a->held_count < HELD_MAX; i++) {
    const struct task *task = &a->ask->claimed[i];
    check_alone(s, task);
    history_task(&s->history, task->id);
    s->history.claims[a->label].task = task->id;
    s->history.claims[a->label].until = task->lease_expires_at;
    s->history.claims[a->label].attempt = task->attempt;
    a->held[a->held_count++] = (struct held){.task = task->id,
                                             .token = task->lease,
                                             .since = task->claimed_at,
                                             .until = task->lease_expires_at,
                                             .label = a->label};
  }
}

static void settled(struct sim *s, struct actor *a) {
  struct claim_fact *fact = &s->history.claims[a->label];
  fact->verb = a->verb;
  bool repeat = fact->told == TOLD_DONE;  // then the answer tells nothing new
  if (!repeat && a->ask->err == ERR_OK) fact->told = TOLD_DONE;
  if (!repeat && a->ask->err == ERR_LEASE_LOST && !a->unsure) fact->told = TOLD_REFUSED;
  if (a->ask->err == ERR_OK && luck(s, s->chances.repeat))
    return;  // once more: wish and lease stay
  if (a->held_count) drop_held(a);
  a->wish = WISH_NOTHING;
}

static void beaten(struct history *h, struct actor *a) {
  const struct ask *ask = a->ask;
  if (ask->err == ERR_OK && ask->task_count == 1 && a->held_count)
    h->claims[a->label].until = a->held[0].until = ask->tasks[0].lease_expires_at;
  if (ask->err != ERR_OK && a->held_count) drop_held(a);
  a->wish = WISH_NOTHING;
}

static void made(struct sim *s, struct actor *a) {
  a->wish = WISH_NOTHING;
  if (a->ask->err != ERR_OK) return;
  int64_t key = 0;
  struct id id = {0};
  if (!a->ask->is_replay && a->ask->task_count == 1) id = a->ask->tasks[0].id;
  struct str body = a->ask->body;  // "0 tKEY.REVISION"
  str_cut(&body, 't');
  if (!str_to_i64(str_cut(&body, '.'), &key))
    history_fail(&s->history, "an answer without its task");
  for (size_t i = 0; id_is_none(id) && i < s->history.task_count; i++)
    if (id_key(s->history.tasks[i].id) == key) id = s->history.tasks[i].id;
  if (id_is_none(id)) return;  // made by a try whose answer was lost: its events tell of it
  history_task(&s->history, id);
  if (a->made_count < HISTORY_TASKS) a->made[a->made_count++] = id;
}

// Nobody knows whether it was done: the same again.
static bool is_unknown(const struct ask *ask) {
  return ask->err == ERR_UNAVAILABLE || ask->err == ERR_DISK_FULL || ask->err == ERR_TOO_MANY ||
         ask->err == ERR_IN_PROGRESS || ask->err == ERR_OVERLOADED;
}

static void take_in(struct sim *s, struct actor *a) {
  bool lost = luck(s, s->chances.lose_answer);
  a->unsure |= lost || a->ask->err == ERR_UNAVAILABLE;
  if (a->wish == WISH_CLAIM) {
    if (!lost && a->ask->err == ERR_OK) took(s, a);
    a->wish = WISH_NOTHING;
    return;
  }
  if (lost || is_unknown(a->ask)) return;
  switch (a->wish) {
  case WISH_CREATE: made(s, a); break;
  case WISH_SETTLE: settled(s, a); break;
  case WISH_BEAT: beaten(&s->history, a); break;
  case WISH_DELETE:
    if (a->ask->err == ERR_OK) history_task(&s->history, a->id)->deleted = true;
    a->wish = WISH_NOTHING;
    break;
  default: a->wish = WISH_NOTHING; break;
  }
}

bool actor_answered(struct sim *s, struct actor *a) {
  if (a->ask == NULL || !a->ask->answered) return false;
  s->answers++;
  if (s->tells)
    printf("%8lld actor %u wish %d about %lld label %u: %s\n",
           (long long)(s->w.now - WORLD_START_MS), a->number, (int)a->wish,
           (long long)(id_key(a->id) & 0xffffffff), a->label, err_code(a->ask->err));
  sim_trace(s, (uint64_t)a->number << 32 | (uint64_t)a->wish << 16 | (uint64_t)a->ask->err);
  sim_trace(s, (uint64_t)s->w.now);
  for (size_t i = 0; i < a->ask->claimed_count; i++) {
    sim_trace(s, a->ask->claimed[i].id.hi);
    sim_trace(s, (uint64_t)a->ask->claimed[i].lease);
  }
  take_in(s, a);
  ask_free(a->ask);
  a->ask = NULL;
  rest(s, a, SOON_MS);
  return true;
}

void actor_cut_off(struct sim *s, struct actor *a) {
  if (a->ask == NULL) return;
  a->unsure = true;
  if (a->wish == WISH_CLAIM) a->wish = WISH_NOTHING;
  ask_free(a->ask);
  a->ask = NULL;
  rest(s, a, SOON_MS);
}
