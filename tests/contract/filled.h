// filled.h: fills a store with a row of every kind: tasks in each state with all that can go with
// them, histories, logs, kept answers, and a catalogue of two tenants.
#ifndef FILLED_H
#define FILLED_H

#include "base/clock.h"
#include "contract.h"

static inline struct row *last_row(struct unit *u) { return u->rows[u->change.row_count - 1]; }

static inline struct task *add(struct unit *u, enum task_status status, enum waiting waiting) {
  struct task *t = unit_create(u, STR("resize"));
  t->status = status;
  t->waiting = waiting;
  t->payload = STR("{\"width\": 640}");
  if (task_status_is_final(status)) {
    t->completed_at = u->w->now + 5;
    t->attempt = 1;
    t->lease = 99;  // of the attempt that ended it
  }
  return t;
}

static inline void add_tenant(struct unit *u, struct task *t, int64_t tenant) {
  t->tenant = u->events[u->change.event_count - 1].event.tenant = tenant;
}

static inline struct str long_text(struct world *w, size_t bytes) {
  char *at = arena_alloc(&w->arena, bytes);
  for (size_t i = 0; i < bytes; i++) at[i] = (char)('a' + i % 26);
  return (struct str){at, bytes};
}

// Tasks in each state, with what can go with them.
static inline void add_tasks(struct world *w, struct unit *u) {
  struct task *t = add(u, TASK_PENDING, WAIT_WORKER);
  t->priority = -5;
  t->payload = STR_NONE;
  t->name = STR("");
  t = add(u, TASK_PENDING, WAIT_TIME);
  t->run_at = t->wake_at = w->now + 100000;
  t->expires_at = w->now + 200000;
  t = add(u, TASK_PENDING, WAIT_START);
  t->version = -7;
  t = add(u, TASK_PENDING, WAIT_RETRY);
  t->wake_at = w->now + 1000;
  t->attempt = 2;
  t->error_code = STR("boom");
  t->error_message = STR("es hat \"gekracht\" \xf0\x9f\x92\xa5");
  t->error_detail = STR("{\"line\": 7}");
  t = add(u, TASK_RUNNING, WAIT_NONE);
  t->attempt = 1;
  t->lease = INT64_MAX - 3;
  t->lease_length_ms = 30000;
  t->lease_expires_at = t->wake_at = w->now + 30000;
  t->claimed_at = t->started_at = w->now;
  t->cancel_requested_at = w->now + 1;
  t->cancel_by = w->now + 9000;
  t->worker = STR("w1");
  t->step = STR("encode");
  t->step_description = STR("second pass");
  t->progress = 42;
  t = add(u, TASK_COMPLETED, WAIT_NONE);
  t->result = STR("{\"ok\":true}");
  t->tags = STR("{\"album\":\"s\xc3\xb6mmer\"}");
  t->metadata = STR("{}");
  last_row(u)->result_new = true;
  t = add(u, TASK_COMPLETED, WAIT_NONE);
  t->result = long_text(w, 20000);
  t->unique_key = STR("once");
  last_row(u)->result_new = true;
  t = add(u, TASK_COMPLETED, WAIT_NONE);
  t->result = STR("");
  last_row(u)->result_new = true;
  t = add(u, TASK_FAILED, WAIT_NONE);
  t->error_code = STR("bad_input");
  t->error_message = STR("");
  t->error_detail = STR("[1,2]");
  t->project = STR("p");
  t->subject = STR("s");
  add(u, TASK_CANCELLED, WAIT_NONE)->queue = STR("images");
  add(u, TASK_ABANDONED, WAIT_NONE)->type = STR("t\xc3\xa4glich");
}

static inline void add_catalog(struct world *w, struct unit *u) {
  static const struct tenant tenant = {.number = 2, .name = STR("second")};
  static const struct queue queues[] = {{1, STR("images"), true}, {2, STR("images"), false}};
  static const struct type types[] = {{.tenant = 1,
                                       .name = STR("resize"),
                                       .queue = STR("images"),
                                       .priority = VERSION_NONE,
                                       .attempts_max = 5,
                                       .backoff = {BACKOFF_FIXED, 1000, 60000, 20},
                                       .timeout_ms = -1,
                                       .keep = {10, 0, KEEP_UNSAID},
                                       .keep_result = true},
                                      {.tenant = 2, .name = STR("b"), .description = STR("")}};
  static const struct api_key keys[] = {{.id = STR("abc"),
                                         .tenant = 1,
                                         .name = STR("web"),
                                         .roles = 3,
                                         .hash = {1, 2},
                                         .created_at = 5,
                                         .service = STR("images")},
                                        {.id = STR("old"),
                                         .tenant = 2,
                                         .roles = 1,
                                         .hash = {[31] = 9},
                                         .revoked_at = 77,
                                         .expires_at = 76,
                                         .replaced_by = STR("new")}};
  u->change.tenants = &tenant;
  u->change.tenant_count = 1;
  u->change.queues = queues;
  u->change.types = types;
  u->change.keys = keys;
  u->change.queue_count = u->change.type_count = u->change.key_count = 2;
  u->events[u->change.event_count++] = (struct change_event){.event = {.tenant = 1,
                                                                       .kind = EVENT_QUEUE_PAUSED,
                                                                       .at = w->now,
                                                                       .queue = STR("images"),
                                                                       .note = STR("images"),
                                                                       .actor = STR("key:abc")}};
}

// Recent ones: a shared store removes old ones by itself.
static inline void add_replays(struct world *w, struct unit *u) {
  struct replay *replays = ARENA_ARRAY(&w->arena, struct replay, 5);
  for (int i = 0; i < 5; i++) {
    replays[i] = (struct replay){.tenant = 1 + i % 2,
                                 .key = arena_printf(&w->arena, "key:abc POST %d", 7 - i),
                                 .status = 200 + i,
                                 .task = i ? id_next(&w->ids, w->now) : (struct id){0},
                                 .revision = i,
                                 .body = arena_printf(&w->arena, "{\"n\":%d}", i),
                                 .at = clock_now(clock_real()) + i / 2};
    memset(replays[i].fingerprint, i, sizeof replays[i].fingerprint);
  }
  replays[4].body = STR("");
  u->change.replays = replays;
  u->change.replay_count = 5;
}

static inline void remove_task(struct world *w, struct id id) {
  struct row *row = world_load(w, id, 0);
  struct unit *u = unit_new(w);
  unit_change(u, row, EVENT_DELETED);
  row->gone = true;
  OK_IN(u->w, unit_apply(u));
}

// A task with a history and a log whose oldest lines are gone.
static inline void add_history(struct world *w, struct id id) {
  struct log_line lines[9];
  for (int i = 0; i < 9; i++)
    lines[i] = (struct log_line){i + 1, w->now + i, arena_printf(&w->arena, "line %d", i)};
  lines[8].text = STR("");
  struct row *row = world_load(w, id, 0);
  struct unit *u = unit_new(w);
  unit_claim(u, row)->log_lines = 9;
  const struct change_log log = {.row = row, .lines = lines, .line_count = 9, .drop_through = 2};
  u->change.logs = &log;
  u->change.log_count = 1;
  unit_event(u, row, EVENT_PROGRESS);
  u->events[1].event.progress = 50;
  u->events[1].event.worker = STR("w1");
  u->events[1].event.note = STR("step");
  u->events[1].event.text = STR("");
  OK_IN(u->w, unit_apply(u));
}

struct made {
  struct id worked_on, running, removed, newest;
};

static inline struct made fill(struct world *w) {
  struct made made;
  struct unit *u = unit_new(w);
  add_tasks(w, u);
  made.running = u->rows[4]->task.id;
  add_catalog(w, u);
  add_replays(w, u);
  OK_IN(u->w, unit_apply(u));
  made.removed = world_create(w, STR("only-once"));
  made.worked_on = world_create(w, STR("resize"));
  add_history(w, made.worked_on);
  remove_task(w, made.removed);
  w->now += 5;
  u = unit_new(w);
  for (int i = 0; i < 5; i++) {
    struct task *t = unit_create(u, STR("b"));
    t->priority = i % 2;
    add_tenant(u, t, 2);
  }
  OK_IN(u->w, unit_apply(u));
  made.newest = world_create(w, STR("resize"));
  remove_task(w, made.newest);
  return made;
}

#endif
