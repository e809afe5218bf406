// simulation.c: a server, its clients and its store, all from one seed: clients that die, stall,
// repeat themselves and lose answers, a store that fails before and after the commit, is slow or
// refuses, servers that stop or are killed. Then all is well, and everything must come to an end.
//
// usage: simulation [--first N] [--seeds N] [--seconds N] [--trace]
// Ends with 0, or with 1 and the seed of the run that went wrong; 2: usage. What cannot be set up
// aborts.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite/sqlite.h"

enum {
  STEPS_MIN = 10,
  STEPS = 25,
  END_MS = 10 * 60 * 1000,  // of a system without faults, for all that is left
  HEALTHY_STEPS_MAX = 20000,
  TWICE_EVERY = 50,  // runs that are repeated, and must repeat bit for bit
};

struct totals {
  uint64_t runs, twice, answers, faults, restarts, events, tasks, longest_ms, hash;
};

struct profile {
  size_t load, commit, lost, slow, restart;  // of 1000
  bool shared;
};

static struct profile profile;

// --- faults --------------------------------------------------------------------------------------

// What a store may say; only of a shared one can it be unknown whether a commit was made.
static enum err some_err(struct dice *d) {
  static const enum err all[] = {ERR_UNAVAILABLE, ERR_CONFLICT, ERR_DISK_FULL, ERR_CONFLICT};
  return all[dice_below(d, sizeof all / sizeof *all)];
}

static void next_unit(void *self, struct over_plan *plan) {
  struct sim *s = self;
  struct dice *d = &s->dice;
  if (s->healthy) return;
  if (dice_chance(d, profile.slow, 1000)) plan->load_ms = (int64_t)dice_below(d, 3000);
  if (dice_chance(d, profile.slow, 1000)) plan->apply_ms = (int64_t)dice_below(d, 12000);
  plan->err = some_err(d);
  if (dice_chance(d, profile.load, 1000))
    plan->fate = FATE_LOAD_FAILS;
  else if (dice_chance(d, profile.commit, 1000))
    plan->fate = FATE_NOT_COMMITTED;
  else if (profile.shared && dice_chance(d, profile.lost, 1000))
    plan->fate = FATE_ANSWER_LOST;
  s->faults += plan->fate != FATE_GOOD;
}

static void restart(struct sim *s) {
  struct fault why = {0};
  bool killed = dice_chance(&s->dice, 1, 2);
  s->restarts++;
  if (killed)
    world_engine_crash(&s->w);
  else
    world_engine_stop(&s->w);
  for (size_t i = 0; i < ACTORS; i++) {
    struct actor *a = &s->actors[i];
    if (killed || !actor_answered(s, a)) actor_cut_off(s, a);
  }
  if (world_engine_open(&s->w, &why) != ERR_OK)
    history_fail(&s->history, "the engine does not open again: %s", why.detail);
}

// --- one step ------------------------------------------------------------------------------------

static void happened(void *w, const struct event *event) {
  struct sim *s = w;  // which begins with its world
  if (s->tells)
    printf("%8lld %s of %lld by %.*s\n", (long long)(event->at - WORLD_START_MS),
           event_word(event->kind).at, (long long)(id_key(event->task) & 0xffffffff),
           STR_FMT(event->worker));
  sim_trace(s, (uint64_t)event->kind << 48 ^ event->task.hi ^ (uint64_t)event->at);
}

static bool collect(struct sim *s) {
  bool any = false;
  world_collect(&s->w);
  for (size_t i = 0; i < ACTORS; i++) any |= actor_answered(s, &s->actors[i]);
  return any;
}

// The next moment at which anybody has something to do.
static int64_t next_at(const struct sim *s) {
  int64_t next = s->w.next_at;
  for (size_t i = 0; i < ACTORS; i++) {
    const struct actor *a = &s->actors[i];
    if (a->ask == NULL && (next == 0 || a->next_at < next)) next = a->next_at;
  }
  return next;
}

static void act(struct sim *s) {
  size_t first = dice_below(&s->dice, ACTORS);
  for (size_t i = 0; i < ACTORS; i++) {
    struct actor *a = &s->actors[(first + i) % ACTORS];
    if (a->ask == NULL && a->next_at <= s->w.now) actor_step(s, a);
  }
}

// Sometimes the lane is late, so that more comes together in one unit.
static void step(struct sim *s) {
  int64_t next = next_at(s);
  if (next > s->w.now) s->w.now = next;
  act(s);
  if (!s->healthy && dice_chance(&s->dice, 1, 3)) {
    s->w.now += (int64_t)dice_below(&s->dice, 400);
    act(s);
  }
  size_t units = s->healthy ? 100 : 1 + dice_below(&s->dice, 4);
  while (units-- > 0 && engine_turn(s->w.e, &s->w.next_at)) continue;
  collect(s);
  if (dice_chance(&s->dice, profile.restart, 1000) && !s->healthy) restart(s);
}

// --- the end -------------------------------------------------------------------------------------

// Of a claim that waits, and a ready task that fits it, one has been forgotten.
static bool nobody_is_forgotten(struct sim *s) {
  struct arena a;
  struct fault why = {0};
  struct task_page page;
  struct task_filter ready = {.tenant = s->tenant, .ready_only = true, .limit = 100};
  bool good = true;
  arena_init(&a, 16384);
  if (engine_queue_paused(s->w.e, s->tenant, STR("default"))) goto out;
  if (s->w.next_at && s->w.next_at <= s->w.now + 1000) goto out;  // it will look again soon
  good = s->w.under->ops->read_tasks(s->w.reader, &a, &ready, &page, &why) == ERR_OK;
  for (size_t i = 0; good && i < ACTORS; i++) {
    const struct ask *ask = s->actors[i].ask;
    if (ask == NULL || ask->answered || s->actors[i].wish != WISH_CLAIM) continue;
    for (size_t k = 0; good && k < page.count; k++)
      good = ask->order.claim.type_count && !str_eq(page.tasks[k]->type, ask->order.claim.types[0]);
  }
  if (!good) history_fail(&s->history, "a task is ready, and a claim that it fits waits on");
out:
  arena_fini(&a);
  return good;
}

static bool is_over(struct sim *s) {
  struct arena a;
  struct fault why = {0};
  struct task_page page;
  struct task_filter left = {
      .tenant = s->tenant, .statuses = 1u << TASK_PENDING | 1u << TASK_RUNNING, .limit = 1};
  arena_init(&a, 16384);
  bool good =
      s->w.under->ops->read_tasks(s->w.reader, &a, &left, &page, &why) == ERR_OK && page.count == 0;
  arena_fini(&a);
  for (size_t i = 0; i < ACTORS; i++)
    good = good && (s->actors[i].wish == WISH_NOTHING || s->actors[i].wish == WISH_CLAIM);
  return good;
}

static void run_to_the_end(struct sim *s) {
  int64_t end = s->w.now + END_MS;
  s->healthy = true;
  for (int i = 0; i < HEALTHY_STEPS_MAX && !s->history.complaint[0]; i++) {
    if (s->w.now > end) break;
    step(s);
    if (i % 4) continue;
    if (!nobody_is_forgotten(s) || is_over(s)) return;
  }
  history_fail(&s->history, "without faults not everything comes to an end within %d s",
               END_MS / 1000);
}

static bool is_sound(struct sim *s) {
  struct arena a;
  struct fault why = {0};
  struct check_finding *findings = NULL;
  size_t count = 0;
  arena_init(&a, 16384);
  enum err err = s->w.under->ops->check(s->w.under, &a, &findings, &count, &why);
  if (err != ERR_OK) history_fail(&s->history, "the store cannot be checked: %s", why.detail);
  for (size_t i = 0; err == ERR_OK && i < count; i++)
    if (findings[i].violations)
      history_fail(&s->history, "the store's check finds: %s", findings[i].invariant);
  arena_fini(&a);
  return s->history.complaint[0] == 0;
}

// --- one run -------------------------------------------------------------------------------------

static void throw_profile(struct sim *s) {
  struct dice *d = &s->dice;
  bool store = dice_chance(d, 2, 3), clients = dice_chance(d, 2, 3);
  profile = (struct profile){.shared = dice_chance(d, 1, 2)};
  if (store)
    profile = (struct profile){.shared = profile.shared,
                               .load = dice_below(d, 80),
                               .commit = dice_below(d, 120),
                               .lost = dice_below(d, 120),
                               .slow = dice_below(d, 60)};
  profile.restart = dice_chance(d, 1, 3) ? 40 : 0;
  if (clients)
    s->chances = (struct chances){.lose_answer = dice_below(d, 150),
                                  .die = dice_below(d, 150),
                                  .stall = dice_below(d, 100),
                                  .repeat = dice_below(d, 200)};
}

static void open_all(struct sim *s, uint64_t seed) {
  struct sqlite_settings in_memory = {0};
  struct fault why = {0};
  struct store *store = NULL;
  memset(s, 0, sizeof *s);
  s->dice = dice_new(seed, 0);
  dice_of_product(seed, 0);
  throw_profile(s);
  if (sqlite_store_open(NULL, &in_memory, &store, &why) != ERR_OK ||
      world_open(&s->w, store, profile.shared, &why) != ERR_OK) {
    fprintf(stderr, "simulation: %s\n", why.detail);
    abort();
  }
  s->tenant = 1;
  s->w.happened = happened;
  s->w.over.next = next_unit;
  s->w.over.self = s;
  actors_open(s);
}

static void close_all(struct sim *s) {
  struct store *store = s->w.under;
  world_engine_crash(&s->w);
  for (size_t i = 0; i < ACTORS; i++) actor_cut_off(s, &s->actors[i]);
  world_close(&s->w);
  store->ops->close(store);
}

static bool run(uint64_t seed, struct sim *s, bool tells) {
  open_all(s, seed);
  s->tells = tells;
  size_t steps = STEPS_MIN + dice_below(&s->dice, STEPS);
  for (size_t i = 0; i < steps && !s->history.complaint[0]; i++) step(s);
  run_to_the_end(s);
  bool good =
      s->history.complaint[0] == 0 && history_check(&s->history, &s->w, s->tenant, SIM_LEASE_MS);
  if (s->w.complaint) history_fail(&s->history, "%s", s->w.complaint);
  good = good && is_sound(s) && s->w.complaint == NULL;
  close_all(s);
  return good;
}

// --- many ----------------------------------------------------------------------------------------

static bool repeats(uint64_t seed, uint64_t hash) {
  static struct sim again;
  if (run(seed, &again, false) && again.hash == hash) return true;
  printf("simulation: seed %" PRIu64 ": a second run is another one\n", seed);
  return false;
}

static void add(struct totals *t, const struct sim *s) {
  t->runs++;
  t->answers += s->answers;
  t->faults += s->faults;
  t->restarts += s->restarts;
  t->events += (uint64_t)s->history.last_seq;
  t->tasks += s->history.task_count;
  t->hash = t->hash * 31 + s->hash;
}

static bool run_one(uint64_t seed, struct totals *t, bool trace) {
  static struct sim s;
  bool good = run(seed, &s, trace);
  if (trace || !good)
    printf("simulation: seed %" PRIu64 ": trace %016" PRIx64 "%s%s\n", seed, s.hash,
           good ? "" : ": ", s.history.complaint);
  if (!good)
    printf("simulation: again: build/tests/model/simulation --seeds 1 --first %" PRIu64 "\n", seed);
  add(t, &s);
  if (!good || seed % TWICE_EVERY) return good;
  t->twice++;
  return repeats(seed, s.hash);
}

int main(int argc, char **argv) {
  struct totals t = {0};
  uint64_t first = 1, seeds = 100;
  int64_t seconds = 3600;
  bool trace = false, good = true;
  (void)argc;
  for (char **at = argv + 1; *at; at++) {
    if (strcmp(*at, "--trace") == 0)
      trace = true;
    else if (at[1] && strcmp(*at, "--first") == 0)
      first = strtoull(*++at, NULL, 10);
    else if (at[1] && strcmp(*at, "--seeds") == 0)
      seeds = strtoull(*++at, NULL, 10);
    else if (at[1] && strcmp(*at, "--seconds") == 0)
      seconds = (int64_t)strtoull(*++at, NULL, 10);
    else
      return fprintf(stderr, "simulation: there is no option %s\n", *at), 2;
  }
  log_setup(LOG_ERROR, LOG_TEXT);
  log_open("/dev/null");  // units that fail say so
  int64_t end_us = clock_mono_us() + seconds * 1000000;
  for (uint64_t i = 0; good && i < seeds && clock_mono_us() < end_us; i++)
    good = run_one(first + i, &t, trace);
  printf("simulation: runs %" PRIu64 " twice %" PRIu64 " tasks %" PRIu64 " events %" PRIu64
         " answers %" PRIu64 " faults %" PRIu64 " restarts %" PRIu64 " hash %016" PRIx64 "\n",
         t.runs, t.twice, t.tasks, t.events, t.answers, t.faults, t.restarts, t.hash);
  return good ? 0 : 1;
}
