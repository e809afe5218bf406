// model.c: random sequences of operations against the model, on a store in memory or PostgreSQL.
//
// usage: model [--sequences N] [--seconds N] [--seed N] [--postgres URL] [--wrong NAME]
//        model [--postgres URL] [--wrong NAME] --replay "CREATE:1 CLAIM …"
// Ends with 0 when all agree, 1 with a sequence that does not, made as short as it gets. What
// cannot be set up, or read in the arguments, aborts.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "game.h"
#include "store/postgres/postgres.h"
#include "store/sqlite/sqlite.h"

enum { GAMES_A_STORE = 200, SHRINKS_MAX = 4000, TEXT_BYTES = 8192 };

struct run {
  uint64_t seed, sequences;
  int64_t seconds;
  const char *postgres, *replay;
  enum wrong wrong;
  struct store *store;
  struct world world;
  bool open;
  uint64_t games;  // in this store
  uint64_t tenants;
  struct counts counts;
  char complaint[sizeof((struct game *)0)->complaint];
};

static const char *const WRONG_NAME[WRONG_COUNT] = {
#define WRONG(name, meaning) [WRONG_##name] = #name,
#include "wrong.def"
#undef WRONG
};

_Noreturn static void die(const char *what, const char *why) {
  fprintf(stderr, "model: %s: %s\n", what, why);
  abort();
}

// --- stores --------------------------------------------------------------------------------------

static void close_world(struct run *r) {
  if (!r->open) return;
  world_close(&r->world);
  r->store->ops->close(r->store);
  r->open = false;
}

static enum err open_store(struct run *r, struct fault *why) {
  struct sqlite_settings in_memory = {0};
  char schema[40];
  snprintf(schema, sizeof schema, "model_%d", (int)getpid());
  struct postgres_settings shared = {.schema = str_of(schema), .lanes = 1, .alone = true};
  return r->postgres ? postgres_store_open(r->postgres, &shared, &r->store, why)
                     : sqlite_store_open(NULL, &in_memory, &r->store, why);
}

static void open_world(struct run *r) {
  struct fault why = {0};
  close_world(r);
  if (open_store(r, &why) != ERR_OK) die("the store does not open", why.detail);
  if (world_open(&r->world, r->store, r->postgres != NULL, &why) != ERR_OK)
    die("the engine does not open", why.detail);
  r->open = true;
  r->games = 0;
}

// What must hold in a store, as `taskyard check` has it.
static bool is_sound(struct run *r) {
  struct arena a;
  struct fault why = {0};
  struct check_finding *findings = NULL;
  size_t count = 0;
  arena_init(&a, TEXT_BYTES);
  bool sound = r->store->ops->check(r->store, &a, &findings, &count, &why) == ERR_OK;
  for (size_t i = 0; sound && i < count; i++) {
    if (findings[i].violations == 0) continue;
    snprintf(r->complaint, sizeof r->complaint, "the store's check finds: %s",
             findings[i].invariant);
    sound = false;
  }
  arena_fini(&a);
  return sound;
}

// --- one sequence --------------------------------------------------------------------------------

// A world that has gone wrong is not used again; PostgreSQL's is opened anew as well.
static bool play(struct run *r, const struct op *ops, size_t count, struct counts *counts) {
  struct game g;
  char name[32];
  if (!r->open || (r->games >= GAMES_A_STORE && !r->postgres)) open_world(r);
  r->games++;
  snprintf(name, sizeof name, "s%" PRIu64, ++r->tenants);
  dice_of_product(r->seed, r->tenants);  // a store may keep what was drawn
  int64_t tenant = world_tenant(&r->world, name);
  if (tenant == 0) die("no tenant", name);
  game_open(&g, &r->world, tenant, r->wrong, counts);
  bool good = true;
  for (size_t i = 0; good && i < count; i++) good = game_play(&g, &ops[i]);
  good = good && game_end(&g);
  if (!good) snprintf(r->complaint, sizeof r->complaint, "%s", g.complaint);
  game_close(&g);
  if (!good) {
    if (r->world.e) world_engine_crash(&r->world);
    close_world(r);
  }
  return good;
}

// --- shrinking -----------------------------------------------------------------------------------

struct shrink {
  struct run *r;
  struct op ops[GAME_OPS_MAX];
  size_t count;
  int tries;
};

static bool still_fails(struct shrink *s, const struct op *ops, size_t count) {
  static struct counts ignored;
  if (s->tries++ >= SHRINKS_MAX || play(s->r, ops, count, &ignored)) return false;
  memcpy(s->ops, ops, sizeof *ops * count);
  s->count = count;
  return true;
}

// Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input" (2002): chunks first,
// then smaller ones.
static bool drop_chunks(struct shrink *s, size_t chunk) {
  bool any = false;
  for (size_t at = 0; at + chunk <= s->count;) {
    struct op without[GAME_OPS_MAX];
    memcpy(without, s->ops, sizeof *without * at);
    memcpy(without + at, s->ops + at + chunk, sizeof *without * (s->count - at - chunk));
    if (still_fails(s, without, s->count - chunk))
      any = true;
    else
      at++;
  }
  return any;
}

static bool try_number(struct shrink *s, size_t op, size_t number, unsigned char value) {
  struct op changed[GAME_OPS_MAX];
  memcpy(changed, s->ops, sizeof *changed * s->count);
  if (changed[op].n[number] == value) return false;
  changed[op].n[number] = value;
  return still_fails(s, changed, s->count);
}

static bool plainer_numbers(struct shrink *s) {
  bool any = false;
  for (size_t i = 0; i < s->count; i++)
    for (size_t k = 0; k < OP_NUMBERS; k++) {
      unsigned char is = s->ops[i].n[k];
      if (is == 0) continue;
      any |= try_number(s, i, k, 0) || try_number(s, i, k, is / 2) || try_number(s, i, k, is - 1);
    }
  return any;
}

static void shrink(struct shrink *s) {
  bool any = true;
  while (any && s->tries < SHRINKS_MAX) {
    any = false;
    for (size_t chunk = s->count / 2; chunk > 0; chunk /= 2) any |= drop_chunks(s, chunk);
    any |= plainer_numbers(s);
  }
}

static void tell_failure(struct run *r, const struct op *ops, size_t count) {
  char text[TEXT_BYTES];
  struct shrink s = {.r = r, .count = count};
  memcpy(s.ops, ops, sizeof *ops * count);
  printf("model: differs: %s\n", r->complaint);
  fflush(stdout);
  shrink(&s);
  play(r, s.ops, s.count, &(struct counts){0});
  ops_print(s.ops, s.count, text, sizeof text);
  printf("model: in %zu operations of %zu, after %d tries: %s\n", s.count, count, s.tries,
         r->complaint);
  printf("model: again: build/tests/model/model %s%s%s --replay '%s'\n",
         r->postgres ? "--postgres URL " : "", r->wrong ? "--wrong " : "",
         r->wrong ? WRONG_NAME[r->wrong] : "", text);
}

// --- many ----------------------------------------------------------------------------------------

static bool run_one(struct run *r, uint64_t number) {
  struct dice d = dice_new(r->seed, number);
  struct op ops[GAME_OPS_MAX];
  size_t count = 8 + dice_below(&d, GAME_OPS_MAX - 8);
  for (size_t i = 0; i < count; i++)  // some come twice, as from a client that got no answer
    ops[i] = i && dice_chance(&d, 1, 12) ? ops[dice_below(&d, i)] : op_throw(&d);
  if (play(r, ops, count, &r->counts)) return true;
  printf("model: sequence %" PRIu64 " of seed %" PRIu64 "\n", number, r->seed);
  tell_failure(r, ops, count);
  return false;
}

static bool run_all(struct run *r) {
  int64_t end_us = clock_mono_us() + r->seconds * 1000000;
  for (uint64_t i = 0; i < r->sequences && clock_mono_us() < end_us; i++) {
    if (!run_one(r, i)) return false;
    bool last = i + 1 == r->sequences || clock_mono_us() >= end_us;
    if (!last && r->games < GAMES_A_STORE) continue;
    if (r->postgres && !last) continue;
    if (is_sound(r)) continue;
    printf("model: differs: %s (behind sequence %" PRIu64 " of seed %" PRIu64 ")\n", r->complaint,
           i, r->seed);
    return false;
  }
  return true;
}

static uint64_t print_matrix(const struct counts *c) {
  uint64_t empty = 0;
  printf("%-15s", "");
  for (size_t s = 0; s < STATE_COUNT; s++) printf(" %9s", STATE_NAME[s]);
  printf("\n");
  for (size_t o = 0; o < OP_COUNT; o++) {
    printf("%-15s", OP_NAME[o]);
    for (size_t s = 0; s < STATE_COUNT; s++) {
      printf(" %9" PRIu64, c->cell[o][s]);
      empty += c->cell[o][s] == 0;
    }
    printf("\n");
  }
  return empty;
}

static void print_answers(const struct counts *c) {
  for (size_t o = 0; o < OP_COUNT; o++) {
    bool any = false;
    for (size_t e = 0; e < ERR_COUNT; e++) {
      if (c->answers[o][e] == 0) continue;
      printf("%s%s %" PRIu64, any ? ", " : "answers to ", any ? "" : OP_NAME[o], c->answers[o][e]);
      printf(" %s", err_code((enum err)e));
      any = true;
    }
    if (any) printf("\n");
  }
}

static int tell_all(const struct run *r) {
  const struct counts *c = &r->counts;
  uint64_t empty = print_matrix(c);
  print_answers(c);
  printf("model: sequences %" PRIu64 " operations %" PRIu64 " turns %" PRIu64 " events %" PRIu64
         " fed %" PRIu64 " replays %" PRIu64 " empty %" PRIu64 "\n",
         c->sequences, c->operations, c->turns, c->events, c->fed, c->replays, empty);
  return 0;
}

// --- the command line ----------------------------------------------------------------------------

static enum wrong wrong_of(const char *name) {
  for (size_t i = 1; i < WRONG_COUNT; i++)
    if (strcmp(WRONG_NAME[i], name) == 0) return (enum wrong)i;
  die("there is no wrong model", name);
}

static void read_arguments(struct run *r, char **at) {
  for (; *at; at += 2) {
    if (at[1] == NULL) die("a value is missing behind", *at);
    if (strcmp(*at, "--sequences") == 0)
      r->sequences = strtoull(at[1], NULL, 10);
    else if (strcmp(*at, "--seconds") == 0)
      r->seconds = (int64_t)strtoull(at[1], NULL, 10);
    else if (strcmp(*at, "--seed") == 0)
      r->seed = strtoull(at[1], NULL, 10);
    else if (strcmp(*at, "--postgres") == 0)
      r->postgres = at[1];
    else if (strcmp(*at, "--wrong") == 0)
      r->wrong = wrong_of(at[1]);
    else if (strcmp(*at, "--replay") == 0)
      r->replay = at[1];
    else
      die("there is no option", *at);
  }
}

static int replay(struct run *r) {
  struct op ops[GAME_OPS_MAX];
  size_t count;
  if (!ops_parse(r->replay, ops, &count)) die("this is no sequence", r->replay);
  bool good = play(r, ops, count, &r->counts);
  printf("model: %s\n", good ? "agrees" : r->complaint);
  return good ? 0 : 1;
}

int main(int argc, char **argv) {
  static struct run r = {.seed = 1, .sequences = 1000, .seconds = 3600};
  (void)argc;
  read_arguments(&r, argv + 1);
  log_setup(LOG_ERROR, LOG_TEXT);
  int code = r.replay ? replay(&r) : run_all(&r) ? tell_all(&r) : 1;
  close_world(&r);
  return code;
}
