// declare.c: what the settings file says about types and queues, put to the engine as orders.
#include "app/server.h"
#include "base/mem.h"
#include "engine/engine.h"

// An order of our own: its memory goes when it is answered.
struct declaration {
  struct order order;
  struct arena arena;
};

static void declared(struct order *order) {
  struct declaration *d = order->context;
  if (order->err != ERR_OK)
    log_event(LOG_ERROR, "a section of the settings could not be stored",
              LOG_STR("reason", str_of(order->fault.detail)));
  arena_fini(&d->arena);
  mem_free(d);
}

static struct declaration *declare(enum order_kind kind) {
  struct declaration *d = mem_zero(sizeof *d);
  arena_init(&d->arena, 1024);
  d->order = (struct order){.kind = kind,
                            .tenant = 1,
                            .actor = STR("settings"),
                            .arena = &d->arena,
                            .if_revision = ABSENT,
                            .done = declared,
                            .context = d};
  return d;
}

static bool same_backoff(const struct backoff *a, const struct backoff *b) {
  return a->kind == b->kind && a->delay_ms == b->delay_ms && a->delay_max_ms == b->delay_max_ms &&
         a->jitter_percent == b->jitter_percent;
}

static bool same_keep(const struct keep *a, const struct keep *b) {
  return a->completed == b->completed && a->failed == b->failed && a->for_ms == b->for_ms;
}

static bool same_type(const struct type *a, const struct type *b) {
  return str_eq(a->queue, b->queue) && str_eq(a->description, b->description) &&
         a->priority == b->priority && a->attempts_max == b->attempts_max &&
         same_backoff(&a->backoff, &b->backoff) && a->lease_ms == b->lease_ms &&
         a->timeout_ms == b->timeout_ms && same_keep(&a->keep, &b->keep) &&
         a->keep_result == b->keep_result;
}

static void declare_type(struct engine *engine, const struct type *type) {
  struct declaration *d = declare(ORDER_TYPE);
  struct type stored;
  if (engine_type(engine, 1, type->name, &d->arena, &stored) && same_type(type, &stored)) {
    declared(&d->order);
    return;
  }
  d->order.in.type = *type;
  d->order.in.type.tenant = 1;
  d->order.in.type.name = arena_dup(&d->arena, type->name);
  d->order.in.type.queue = arena_dup(&d->arena, type->queue);
  d->order.in.type.description = arena_dup(&d->arena, type->description);
  engine_submit(engine, &d->order);
}

static void declare_queue(struct engine *engine, const struct queue *queue) {
  struct declaration *d = declare(ORDER_PAUSE);
  d->order.in.queue = (struct queue){
      .tenant = 1, .name = arena_dup(&d->arena, queue->name), .paused = queue->paused};
  engine_submit(engine, &d->order);
}

void server_declare(struct engine *engine, const struct settings *settings) {
  for (size_t i = 0; i < settings->type_count; i++) declare_type(engine, &settings->types[i]);
  // A section that does not say `paused = yes` leaves the queue as the API left it.
  for (size_t i = 0; i < settings->queue_count; i++)
    if (settings->queues[i].paused) declare_queue(engine, &settings->queues[i]);
}
