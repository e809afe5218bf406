// world.c: an engine that is driven by hand, and requests to it.
#include "world.h"

#include <stdio.h>

#include "base/mem.h"

enum { TRIES_MAX = 20, PAUSE_MS = 30 };

static int64_t world_now(void *self) { return ((struct world *)self)->now; }

static void world_broken(void *self, const struct fault *why) {
  (void)why;
  ((struct world *)self)->broken = true;
}

static void world_happened(void *self, const struct event *event) {
  struct world *w = self;
  if (w->happened) w->happened(w, event);
}

enum err world_engine_open(struct world *w, struct fault *why) {
  struct clock clock = {.now_ms = world_now, .self = w};
  struct engine_settings settings = {.clock = &clock,
                                     .lease_ms = WORLD_LEASE_MS,
                                     .attempts_max = WORLD_ATTEMPTS,
                                     .backoff = {.kind = BACKOFF_EXPONENTIAL,
                                                 .delay_ms = 1000,
                                                 .delay_max_ms = 4000,
                                                 .jitter_percent = 20},
                                     .lanes = 1,
                                     .self = w,
                                     .broken = world_broken,
                                     .happened = world_happened};
  return engine_open(&w->over.store, &settings, &w->e, why);
}

enum err world_open(struct world *w, struct store *under, bool shared, struct fault *why) {
  *w = (struct world){.under = under, .now = WORLD_START_MS};
  over_open(&w->over, under, &w->now, shared);
  TRY(world_engine_open(w, why));
  return under->ops->reader_open(under, &w->reader, why);
}

void world_engine_stop(struct world *w) {
  engine_drain(w->e);
  world_turn(w);
  engine_stop(w->e);
  engine_close(w->e);
  w->e = NULL;
}

// What waits in the engine is not touched by closing it, and its memory is freed by the test.
void world_engine_crash(struct world *w) {
  engine_collect(w->e);
  engine_close(w->e);
  w->e = NULL;
  w->next_at = 0;
}

void world_close(struct world *w) {
  if (w->e) world_engine_stop(w);
  w->under->ops->reader_close(w->reader);
}

bool world_turn(struct world *w) {
  int units = 0;
  while (engine_turn(w->e, &w->next_at) || (w->next_at && w->next_at <= w->now)) {
    if (units++ < WORLD_UNITS_MAX) continue;
    WORLD_FAIL(w, "the engine works without an end while the clock stands still");
    break;
  }
  world_collect(w);
  return units > 0;
}

void world_collect(struct world *w) { engine_collect(w->e); }

// --- requests ------------------------------------------------------------------------------------

static struct str copy_of(struct arena *a, struct str s) { return arena_dup(a, s); }

struct task task_copy(struct arena *a, const struct task *from) {
  struct task task = *from;
#define ENUM(field)
#define I64(field)
#define SPARSE(field)
#define TEXT(field) task.field = copy_of(a, from->field);
#define COLUMN(column, field, kind, group, meaning) kind(field)
#include "store/task.def"
#undef COLUMN
#undef TEXT
#undef SPARSE
#undef I64
#undef ENUM
  task.queue = copy_of(a, from->queue);
  task.type = copy_of(a, from->type);
  task.payload = copy_of(a, from->payload);
  task.result = copy_of(a, from->result);
  return task;
}

static struct task *copy_tasks(struct arena *a, const struct task *from, size_t count) {
  struct task *to = ARENA_ARRAY(a, struct task, count + 1);
  for (size_t i = 0; i < count; i++) to[i] = task_copy(a, &from[i]);
  return to;
}

static void copy_items(struct ask *a, const struct order *order) {
  a->item_count = order->in.settle.count;
  a->items = ARENA_ARRAY(&a->kept, struct settle_item, a->item_count + 1);
  for (size_t i = 0; i < a->item_count; i++) {
    a->items[i] = order->in.settle.items[i];
    a->items[i].why = copy_of(&a->kept, a->items[i].why);
    if (a->items[i].task) a->items[i].task = copy_tasks(&a->kept, a->items[i].task, 1);
  }
}

static void copy_answer(struct ask *a, const struct order *order) {
  a->is_replay = order->replayed != NULL;
  if (order->replayed) {
    a->body = copy_of(&a->kept, order->replayed->body);
    return;
  }
  if (order->kind == ORDER_SETTLE) copy_items(a, order);
  a->task_count = order->tasks ? order->task_count : 0;
  a->tasks = copy_tasks(&a->kept, order->tasks, a->task_count);
  a->claimed_count = order->claimed_count;
  a->claimed = copy_tasks(&a->kept, order->claimed, a->claimed_count);
  a->ended = order->ended;
  a->cancel_requested = order->cancel_requested;
}

static void ask_done(struct order *order) {
  struct ask *a = order->context;
  if (a->answers++ > 0) {
    WORLD_FAIL(a->world, "a request was answered twice");
    return;
  }
  a->answered = true;
  a->answered_at = a->world->now;
  a->err = order->err;
  if (order->err == ERR_OK) copy_answer(a, order);
  arena_fini(&a->arena);
}

// What an answer with an Idempotency-Key is kept as.
static int ask_render(struct order *order, struct buf *body) {
  struct ask *a = order->context;
  buf_printf(body, "%d", (int)order->kind);
  for (size_t i = 0; order->kind != ORDER_SETTLE && i < order->task_count; i++) {
    buf_printf(body, " t%lld", (long long)id_key(order->tasks[i].id));
    buf_printf(body, ".%lld", (long long)order->tasks[i].revision);
  }
  for (size_t i = 0; i < order->claimed_count; i++)
    buf_printf(body, " c%lld", (long long)id_key(order->claimed[i].id));
  a->body = arena_dup(&a->kept, buf_str(body));
  return 200;
}

struct ask *ask_new(struct world *w, enum order_kind kind, int64_t tenant, const char *actor) {
  struct ask *a = mem_zero(sizeof *a);
  arena_init(&a->arena, 1024);
  arena_init(&a->kept, 1024);
  a->world = w;
  a->asked_at = w->now;
  a->order = (struct order){.kind = kind,
                            .tenant = tenant,
                            .actor = arena_dup(&a->arena, str_of(actor)),
                            .arena = &a->arena,
                            .if_revision = ABSENT,
                            .render = ask_render,
                            .done = ask_done,
                            .context = a};
  return a;
}

struct str ask_text(struct ask *a, const char *text) {
  return arena_dup(&a->arena, str_of(text));
}

void ask_send(struct ask *a) { engine_submit(a->world->e, &a->order); }

void ask_free(struct ask *a) {
  if (!a->answered) arena_fini(&a->arena);
  arena_fini(&a->kept);
  mem_free(a);
}

// A unit that ran into a conflict is decided again a few milliseconds later.
void world_await(struct world *w, const struct ask *a) {
  for (int i = 0; i < TRIES_MAX && !a->answered && w->next_at; i++) {
    if (w->next_at > w->now + PAUSE_MS) return;
    if (w->next_at > w->now) w->now = w->next_at;
    w->paused++;
    world_turn(w);
  }
}

int64_t world_tenant(struct world *w, const char *name) {
  struct ask *a = ask_new(w, ORDER_TENANT, 1, "local");
  a->order.in.tenant = (struct tenant){.name = ask_text(a, name)};
  ask_send(a);
  world_turn(w);
  world_await(w, a);
  int64_t number = a->answered && a->err == ERR_OK ? a->order.in.tenant.number : 0;
  if (number == 0)
    fprintf(stderr, "no tenant %s: %s %s, next in %lld ms, failures %llu\n", name,
            a->answered ? err_code(a->err) : "no answer", a->order.fault.detail,
            (long long)(w->next_at - w->now), (unsigned long long)w->over.failures);
  ask_free(a);
  return number;
}
