// unit_test.c: units of work: what is applied is there, all of it or none.
#include "contract.h"

#include "model/limits.h"

// --- tasks ---------------------------------------------------------------------------------------

// Gives each column another value. ENUM columns keep small ones.
static void fill_columns(struct task *t, int64_t salt) {
  int64_t n = salt;
#define FILL_I64(field) (field) = ++n
#define FILL_SPARSE(field) FILL_I64(field)
#define FILL_ENUM(field) (field) = (typeof(field))1
#define FILL_TEXT(field) (field) = STR("text of " #field)
#define COLUMN(column, field, kind, group, meaning) FILL_##kind(t->field);
#include "store/task.def"
#undef COLUMN
}

static void assert_columns(const struct task *got, const struct task *want) {
#define SAME_I64(field) assert_int_equal(got->field, want->field)
#define SAME_SPARSE(field) SAME_I64(field)
#define SAME_ENUM(field) assert_int_equal(got->field, want->field)
#define SAME_TEXT(field) assert_str(got->field, want->field)
#define COLUMN(column, field, kind, group, meaning) SAME_##kind(field);
#include "store/task.def"
#undef COLUMN
  assert_true(id_eq(got->id, want->id));
  assert_int_equal(got->tenant, want->tenant);
  assert_str(got->queue, want->queue);
  assert_str(got->type, want->type);
}

static void every_column_of_a_new_task_comes_back(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  fill_columns(t, 1000);
  t->payload = STR("{\"a\": 1}");
  OK(unit_apply(u));
  assert_columns(world_read(w, t->id), t);
  struct row *row = world_load(w, t->id, PART_PAYLOAD);
  assert_columns(&row->task, t);
  assert_str(row->task.payload, t->payload);
  assert_int_equal(row->was_revision, t->revision);
  assert_int_equal(row->was_status, t->status);
  assert_int_equal(row->was_waiting, t->waiting);
  w->ops->abandon(w->lane);
}

static void absent_texts_come_back_absent_and_empty_ones_empty(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  t->name = STR("");
  OK(unit_apply(u));
  struct task *got = world_read(w, t->id);
  assert_str(got->name, STR(""));
  assert_str(got->description, STR_NONE);
  assert_str(got->payload, STR_NONE);
}

static void a_change_rewrites_what_may_change_and_nothing_else(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct row *row = world_load(w, id, 0);
  struct task before = row->task;
  struct unit *u = unit_new(w);
  struct task *t = unit_change(u, row, EVENT_CHANGED);
  fill_columns(t, 5000);
  OK(unit_apply(u));
  // What is INPUT stays as it was.
  struct task want = before;
#define KEEP_STATE(field) want.field = t->field
#define KEEP_INPUT(field) (void)0
#define COLUMN(column, field, kind, group, meaning) KEEP_##group(field);
#include "store/task.def"
#undef COLUMN
  assert_columns(world_read(w, id), &want);
}

static void a_task_is_absent_for_another_tenant_and_under_another_salt(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct id other = {id.hi, id.lo ^ 1};
  struct task *t = NULL;
  FAILS(ERR_NOT_FOUND, w->ops->read_task(w->reader, &w->arena, 2, id, 0, &t, &w->why));
  FAILS(ERR_NOT_FOUND, w->ops->read_task(w->reader, &w->arena, 1, other, 0, &t, &w->why));
  struct want_id wants[] = {
      {.tenant = 2, .id = id}, {.tenant = 1, .id = other}, {.tenant = 1, .id = id}};
  struct load load = {.arena = &w->arena, .ids = wants, .id_count = 3};
  OK(w->ops->load(w->lane, &load, &w->why));
  assert_null(wants[0].row);
  assert_null(wants[1].row);
  assert_non_null(wants[2].row);
  w->ops->abandon(w->lane);
}

// --- all or none ---------------------------------------------------------------------------------

static void a_stale_revision_is_a_conflict_and_nothing_is_changed(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct row *stale = world_load(w, id, 0);
  w->ops->abandon(w->lane);
  struct unit *first = unit_new(w);
  unit_claim(first, world_load(w, id, 0));
  OK(unit_apply(first));

  struct unit *u = unit_new(w);
  struct task *fresh = unit_create(u, STR("brand-new"));
  unit_claim(u, stale);
  FAILS(ERR_CONFLICT, unit_apply(u));
  struct task *t = NULL;
  FAILS(ERR_NOT_FOUND, w->ops->read_task(w->reader, &w->arena, 1, fresh->id, 0, &t, &w->why));
  struct tally tally = world_tally(w, 1);
  assert_int_equal(tally.count[TASK_PENDING], 0);
  assert_int_equal(tally.count[TASK_RUNNING], 1);
  assert_int_equal(world_events(w, (struct event_filter){0}).count, 2);

  // The numbers of the failed unit are used again.
  world_create(w, STR("resize"));
  struct event_page page = world_events(w, (struct event_filter){0});
  assert_int_equal(page.count, 3);
  assert_int_equal(page.events[2].seq, 3);
  assert_int_equal(world_check(w), 0);
}

static void an_id_or_unique_key_that_is_taken_is_a_conflict(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  t->unique_key = STR("order-1");
  OK(unit_apply(u));
  struct unit *same_key = unit_new(w);
  unit_create(same_key, STR("email"))->unique_key = STR("order-1");
  FAILS(ERR_CONFLICT, unit_apply(same_key));
  struct unit *same_id = unit_new(w);
  unit_create(same_id, STR("resize"))->id = t->id;
  FAILS(ERR_CONFLICT, unit_apply(same_id));
  struct unit *other_tenant = unit_new(w);
  struct task *foreign = unit_create(other_tenant, STR("resize"));
  foreign->tenant = 2;
  foreign->unique_key = STR("order-1");
  other_tenant->events[0].event.tenant = 2;
  OK(unit_apply(other_tenant));
  assert_int_equal(world_tally(w, 1).ready, 1);
  assert_int_equal(world_tally(w, 2).ready, 1);
  assert_int_equal(world_check(w), 0);
}

static void an_abandoned_unit_changes_nothing(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct row *row = world_load(w, id, 0);
  row->task.priority = 99;
  w->ops->abandon(w->lane);
  w->ops->abandon(w->lane);  // nothing is open: nothing happens
  assert_int_equal(world_read(w, id)->priority, 0);
  assert_int_equal(world_load(w, id, 0)->task.priority, 0);
  w->ops->abandon(w->lane);
}

static void a_deleted_task_leaves_only_its_events(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct row *row = u->rows[0];
  struct task *t = unit_create(u, STR("resize"));
  row = u->rows[0];
  t->payload = t->result = STR("[1]");
  t->log_lines = 1;
  row->result_new = true;
  struct log_line line = {.number = 1, .at = 5, .text = STR("hello")};
  struct change_log log = {.row = row, .lines = &line, .line_count = 1};
  u->change.logs = &log;
  u->change.log_count = 1;
  OK(unit_apply(u));

  struct unit *removal = unit_new(w);
  struct row *loaded = world_load(w, t->id, 0);
  unit_change(removal, loaded, EVENT_DELETED);
  loaded->gone = true;
  OK(unit_apply(removal));
  assert_null(world_load(w, t->id, 0));
  w->ops->abandon(w->lane);
  assert_int_equal(world_tally(w, 1).count[TASK_PENDING], 0);
  assert_int_equal(world_tally(w, 1).ready, 0);
  assert_int_equal(world_events(w, (struct event_filter){0}).count, 2);
  assert_int_equal(world_check(w), 0);
}

static void too_many_channels_are_refused_as_a_whole(void **state) {
  struct world *w = *state;
  for (int i = 0; i < LIMIT_CHANNELS; i += 1000) {
    struct unit *u = unit_new(w);
    for (int k = i; k < i + 1000; k++) unit_create(u, arena_printf(&w->arena, "type-%d", k));
    OK(unit_apply(u));
  }
  struct unit *u = unit_new(w);
  unit_create(u, STR("type-1"));
  unit_create(u, STR("one-too-many"));
  FAILS(ERR_TOO_MANY, unit_apply(u));
  assert_non_null(strstr(w->why.detail, "10000"));
  world_create(w, STR("type-1"));
  assert_int_equal(world_tally(w, 1).ready, LIMIT_CHANNELS + 1);
}

// --- parts ---------------------------------------------------------------------------------------

static void a_result_is_kept_byte_for_byte_and_taken_back_by_a_retry(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct unit *claim = unit_new(w);
  unit_claim(claim, world_load(w, id, 0));
  OK(unit_apply(claim));
  struct unit *done = unit_new(w);
  struct row *row = world_load(w, id, 0);
  unit_finish(done, row, TASK_FAILED)->result = STR(" {\"b\" :\t1.0e0}");
  row->result_new = true;
  OK(unit_apply(done));
  assert_str(world_read(w, id)->result, STR(" {\"b\" :\t1.0e0}"));

  struct unit *retry = unit_new(w);
  struct row *again = world_load(w, id, 0);
  assert_str(again->task.result, STR_NONE);  // was not asked for
  struct task *t = unit_change(retry, again, EVENT_RETRIED);
  t->status = TASK_PENDING;
  t->waiting = WAIT_WORKER;
  t->completed_at = 0;
  again->result_new = true;
  OK(unit_apply(retry));
  assert_str(world_read(w, id)->result, STR_NONE);
  assert_int_equal(world_check(w), 0);
}

static void log_lines_are_appended_and_the_oldest_dropped(void **state) {
  struct world *w = *state;
  struct id id = world_create(w, STR("resize"));
  struct log_line lines[5];
  for (int i = 0; i < 5; i++)
    lines[i] = (struct log_line){i + 1, i, arena_printf(&w->arena, "line %d", i + 1)};
  struct unit *u = unit_new(w);
  struct row *row = world_load(w, id, 0);
  unit_change(u, row, EVENT_PROGRESS)->log_lines = 5;
  struct change_log log = {.row = row, .lines = lines, .line_count = 5, .drop_through = 2};
  u->change.logs = &log;
  u->change.log_count = 1;
  OK(unit_apply(u));

  struct log_page page = {0};
  OK(w->ops->read_logs(w->reader, &w->arena, 1, id, 0, 2, &page, &w->why));
  assert_int_equal(page.count, 2);
  assert_true(page.more);
  assert_int_equal(page.lines[0].number, 3);
  assert_str(page.lines[1].text, STR("line 4"));
  OK(w->ops->read_logs(w->reader, &w->arena, 1, id, 4, 10, &page, &w->why));
  assert_int_equal(page.count, 1);
  assert_false(page.more);
  FAILS(ERR_NOT_FOUND, w->ops->read_logs(w->reader, &w->arena, 2, id, 0, 9, &page, &w->why));
}

static void replays_are_found_by_tenant_and_key_and_dropped_by_age(void **state) {
  struct world *w = *state;
  struct replay replays[] = {
      {.tenant = 1,
       .key = STR("k1"),
       .status = 201,
       .task = id_next(&w->ids, w->now),
       .revision = 1LL << 40,
       .body = STR("one"),
       .at = 100},
      {.tenant = 2, .key = STR("k1"), .status = 200, .body = STR("two"), .at = 200}};
  memset(replays[0].fingerprint, 7, sizeof replays[0].fingerprint);
  struct unit *u = unit_new(w);
  u->change.replays = replays;
  u->change.replay_count = 2;
  OK(unit_apply(u));
  struct want_replay wants[] = {{.tenant = 1, .key = STR("k1")},
                                {.tenant = 1, .key = STR("k2")},
                                {.tenant = 2, .key = STR("k1")}};
  struct load load = {.arena = &w->arena, .replays = wants, .replay_count = 3};
  OK(w->ops->load(w->lane, &load, &w->why));
  assert_str(wants[0].found->body, STR("one"));
  assert_int_equal(wants[0].found->status, 201);
  assert_int_equal(wants[0].found->at, 100);
  assert_memory_equal(wants[0].found->fingerprint, replays[0].fingerprint, 32);
  assert_true(id_eq(wants[0].found->task, replays[0].task));
  assert_int_equal(wants[0].found->revision, 1LL << 40);
  assert_null(wants[1].found);
  assert_str(wants[2].found->body, STR("two"));
  assert_true(id_is_none(wants[2].found->task));

  // A later answer takes the place of the one before.
  struct unit *again = unit_new(w);
  replays[1].body = STR("three");
  replays[1].task = replays[0].task;
  replays[1].revision = 3;
  replays[1].replaces = true;
  again->change.replays = &replays[1];
  again->change.replay_count = 1;
  OK(unit_apply(again));
  struct unit *drop = unit_new(w);
  drop->change.replays_before = 150;
  OK(unit_apply(drop));
  OK(w->ops->load(w->lane, &load, &w->why));
  assert_null(wants[0].found);
  assert_str(wants[2].found->body, STR("three"));
  assert_true(id_eq(wants[2].found->task, replays[1].task));
  assert_int_equal(wants[2].found->revision, 3);
  w->ops->abandon(w->lane);
}

// --- what orders and the sweep look for ----------------------------------------------------------

static void a_unique_key_is_found_within_its_tenant(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *t = unit_create(u, STR("resize"));
  t->unique_key = STR("order-1");
  OK(unit_apply(u));
  struct want_unique wants[] = {{.tenant = 1, .key = STR("order-1")},
                                {.tenant = 2, .key = STR("order-1")},
                                {.tenant = 1, .key = STR("order")}};
  struct load load = {.arena = &w->arena, .uniques = wants, .unique_count = 3};
  OK(w->ops->load(w->lane, &load, &w->why));
  assert_true(id_eq(wants[0].row->task.id, t->id));
  assert_null(wants[1].row);
  assert_null(wants[2].row);
  w->ops->abandon(w->lane);
}

static void due_tasks_come_earliest_first(void **state) {
  struct world *w = *state;
  static const int64_t wakes[] = {500, 0, 300, 100, 900};
  struct unit *u = unit_new(w);
  for (size_t i = 0; i < 5; i++) {
    struct task *t = unit_create(u, STR("resize"));
    t->waiting = WAIT_TIME;
    t->wake_at = wakes[i];
  }
  int64_t next = -1;
  OK(w->ops->wake_next(w->lane, &next, &w->why));
  assert_int_equal(next, 0);
  OK(unit_apply(u));
  OK(w->ops->wake_next(w->lane, &next, &w->why));
  assert_int_equal(next, 100);
  struct load load = {.arena = &w->arena, .due_at = 500, .due_limit = 10};
  OK(w->ops->load(w->lane, &load, &w->why));
  assert_int_equal(load.due_count, 3);
  assert_int_equal(load.due[0]->task.wake_at, 100);
  assert_int_equal(load.due[1]->task.wake_at, 300);
  assert_int_equal(load.due[2]->task.wake_at, 500);
  load.due_limit = 1;
  OK(w->ops->load(w->lane, &load, &w->why));
  assert_int_equal(load.due_count, 1);
  w->ops->abandon(w->lane);
}

// --- events --------------------------------------------------------------------------------------

static void events_are_numbered_per_tenant_and_read_per_task(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  struct task *a = unit_create(u, STR("resize"));
  unit_create(u, STR("email"));
  struct task *foreign = unit_create(u, STR("email"));
  foreign->tenant = u->events[2].event.tenant = 2;
  unit_event(u, u->rows[0], EVENT_CHANGED);
  u->events[3].event.note = STR("note");
  u->events[3].event.text = STR("text");
  u->events[3].event.worker = STR("w9");
  u->events[3].event.progress = 42;
  OK(unit_apply(u));
  assert_int_equal(u->events[1].event.seq, 2);
  assert_int_equal(u->events[3].event.seq, 3);
  assert_int_equal(u->events[2].event.seq, 1);

  struct event_page page = world_events(w, (struct event_filter){.task = a->id});
  assert_int_equal(page.count, 2);
  assert_int_equal(page.events[0].seq, 1);
  assert_int_equal(page.events[0].kind, EVENT_CREATED);
  const struct event *e = &page.events[1];
  assert_int_equal(e->seq, 3);
  assert_int_equal(e->progress, 42);
  assert_int_equal(e->at, w->now);
  assert_true(id_eq(e->task, a->id));
  assert_str(e->note, STR("note"));
  assert_str(e->text, STR("text"));
  assert_str(e->worker, STR("w9"));
  assert_str(e->actor, STR("local"));
  assert_str(e->type, STR("resize"));
  assert_str(e->queue, STR("default"));

  assert_int_equal(world_events(w, (struct event_filter){.tenant = 1}).count, 3);
  page = world_events(w, (struct event_filter){.tenant = 2});
  assert_int_equal(page.count, 1);
  assert_true(id_eq(page.events[0].task, foreign->id));
}

static void an_event_without_a_task_keeps_its_queue(void **state) {
  struct world *w = *state;
  struct unit *u = unit_new(w);
  u->events[0] = (struct change_event){.event = {.tenant = 1,
                                                 .kind = EVENT_QUEUE_PAUSED,
                                                 .at = 9,
                                                 .queue = STR("voice"),
                                                 .note = STR("voice")}};
  u->change.event_count = 1;
  OK(unit_apply(u));
  struct event_page page = world_events(w, (struct event_filter){.queue = STR("voice")});
  assert_int_equal(page.count, 1);
  assert_true(id_is_none(page.events[0].task));
  assert_str(page.events[0].queue, STR("voice"));
  assert_str(page.events[0].type, STR_NONE);
}

// --- the catalogue -------------------------------------------------------------------------------

static void put_keys(struct world *w, const struct api_key *keys, size_t count) {
  struct unit *u = unit_new(w);
  u->change.keys = keys;
  u->change.key_count = count;
  OK_IN(u->w, unit_apply(u));
}

static void each_field_of_a_key_is_kept_as_it_was_last(void **state) {
  struct world *w = *state;
  struct api_key keys[] = {{.id = STR("a"),
                            .tenant = 1,
                            .name = STR("mail"),
                            .roles = 2,
                            .created_at = 5,
                            .expires_at = 1LL << 52,
                            .service = STR("mail-service")},
                           {.id = STR("b"), .tenant = 1, .name = STR("web"), .created_at = 6}};
  struct catalog c = {0};
  put_keys(w, keys, 2);
  OK(w->ops->catalog(w->store, &w->arena, &c, &w->why));
  assert_int_equal(c.key_count, 2);
  assert_int_equal(c.keys[0].expires_at, 1LL << 52);
  assert_str(c.keys[0].service, STR("mail-service"));
  assert_str(c.keys[0].replaced_by, STR_NONE);
  assert_int_equal(c.keys[1].expires_at, 0);
  assert_str(c.keys[1].service, STR_NONE);
  keys[0].expires_at = 77;
  keys[0].replaced_by = STR("b");
  put_keys(w, keys, 1);
  OK(w->ops->catalog(w->store, &w->arena, &c, &w->why));
  assert_int_equal(c.key_count, 2);
  assert_int_equal(c.keys[0].expires_at, 77);
  assert_str(c.keys[0].service, STR("mail-service"));
  assert_str(c.keys[0].replaced_by, STR("b"));
}

static void keys_that_are_gone_are_gone_whether_put_in_the_same_change_or_not(void **state) {
  struct world *w = *state;
  struct api_key keys[] = {{.id = STR("a"), .tenant = 1, .created_at = 5},
                           {.id = STR("b"), .tenant = 1, .created_at = 6},
                           {.id = STR("c"), .tenant = 1, .created_at = 7}};
  const struct str gone[] = {STR("a"), STR("c"), STR("never there")};
  struct catalog c = {0};
  put_keys(w, keys, 2);
  struct unit *u = unit_new(w);
  u->change.keys = &keys[2];
  u->change.key_count = 1;
  u->change.keys_gone = gone;
  u->change.key_gone_count = 3;
  OK(unit_apply(u));
  OK(w->ops->catalog(w->store, &w->arena, &c, &w->why));
  assert_int_equal(c.key_count, 1);
  assert_str(c.keys[0].id, STR("b"));
}

static void the_catalogue_keeps_the_latest_of_each_name(void **state) {
  struct world *w = *state;
  struct queue queues[] = {{1, STR("voice"), true}, {2, STR("voice"), true}};
  struct type type = {.tenant = 1,
                      .name = STR("resize"),
                      .priority = VERSION_NONE,
                      .timeout_ms = -1,
                      .backoff = {BACKOFF_FIXED, 5, 6, 7},
                      .attempts_max = 4};
  struct api_key key = {
      .id = STR("abc"), .tenant = 1, .name = STR("ci"), .roles = 5, .created_at = 1};
  struct tenant tenant = {7, STR("acme")};
  memset(key.hash, 9, sizeof key.hash);
  struct unit *u = unit_new(w);
  u->change = (struct change){.queues = queues,
                              .queue_count = 2,
                              .types = &type,
                              .type_count = 1,
                              .keys = &key,
                              .key_count = 1,
                              .tenants = &tenant,
                              .tenant_count = 1};
  OK(unit_apply(u));
  queues[0].paused = false;
  key.revoked_at = 77;
  u->change.tenant_count = 0;
  OK(unit_apply(u));

  struct catalog c = {0};
  OK(w->ops->catalog(w->store, &w->arena, &c, &w->why));
  assert_int_equal(c.tenant_count, 2);
  assert_str(c.tenants[0].name, STR("default"));
  assert_int_equal(c.tenants[1].number, 7);
  assert_int_equal(c.queue_count, 2);
  assert_false(c.queues[0].paused);
  assert_true(c.queues[1].paused);
  assert_int_equal(c.key_count, 1);
  assert_int_equal(c.keys[0].revoked_at, 77);
  assert_int_equal(c.keys[0].roles, 5);
  assert_memory_equal(c.keys[0].hash, key.hash, 32);
  assert_int_equal(c.type_count, 1);
  assert_int_equal(c.types[0].priority, VERSION_NONE);
  assert_int_equal(c.types[0].timeout_ms, -1);
  assert_int_equal(c.types[0].backoff.jitter_percent, 7);
  assert_str(c.types[0].queue, STR_NONE);
}

// --- across a restart ----------------------------------------------------------------------------

static void a_restart_carries_on_where_the_store_was(void **state) {
  struct world *w = *state;
  int64_t key = -1;
  OK(w->ops->last_id(w->store, &key, &w->why));
  assert_int_equal(key, 0);
  assert_int_equal(w->ops->fleeting, !kind_now->outlives);
  struct id id = world_create(w, STR("resize"));
  world_create(w, STR("email"));
  struct unit *u = unit_new(w);
  unit_claim(u, world_load(w, id, 0));
  OK(unit_apply(u));
  if (!world_reopen(w)) {  // a store in memory begins anew
    world_close(w);
    world_open(w);
    assert_int_equal(world_tally(w, 1).ready, 0);
    return;
  }
  OK(w->ops->last_id(w->store, &key, &w->why));
  assert_int_equal(key, w->ids.last);
  assert_int_equal(world_tally(w, 1).ready, 1);
  struct pick pick = world_pick(w, (struct pick){.limit = 9});
  assert_int_equal(pick.row_count, 1);
  w->ops->abandon(w->lane);
  world_create(w, STR("resize"));
  struct event_page page = world_events(w, (struct event_filter){0});
  assert_int_equal(page.count, 4);
  assert_int_equal(page.events[3].seq, 4);
  assert_int_equal(world_check(w), 0);
}

static void upkeep_is_harmless_at_any_time(void **state) {
  struct world *w = *state;
  OK(w->ops->tend(w->lane, true, &w->why));
  world_create(w, STR("resize"));
  OK(w->ops->tend(w->lane, false, &w->why));
  OK(w->ops->tend(w->lane, true, &w->why));
  OK(w->ops->tend(w->lane, true, &w->why));
  world_create(w, STR("resize"));
  assert_int_equal(world_tally(w, 1).ready, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONTRACT_TEST(every_column_of_a_new_task_comes_back),
      CONTRACT_TEST(absent_texts_come_back_absent_and_empty_ones_empty),
      CONTRACT_TEST(a_change_rewrites_what_may_change_and_nothing_else),
      CONTRACT_TEST(a_task_is_absent_for_another_tenant_and_under_another_salt),
      CONTRACT_TEST(a_stale_revision_is_a_conflict_and_nothing_is_changed),
      CONTRACT_TEST(an_id_or_unique_key_that_is_taken_is_a_conflict),
      CONTRACT_TEST(an_abandoned_unit_changes_nothing),
      CONTRACT_TEST(a_deleted_task_leaves_only_its_events),
      CONTRACT_TEST(too_many_channels_are_refused_as_a_whole),
      CONTRACT_TEST(a_result_is_kept_byte_for_byte_and_taken_back_by_a_retry),
      CONTRACT_TEST(log_lines_are_appended_and_the_oldest_dropped),
      CONTRACT_TEST(replays_are_found_by_tenant_and_key_and_dropped_by_age),
      CONTRACT_TEST(a_unique_key_is_found_within_its_tenant),
      CONTRACT_TEST(due_tasks_come_earliest_first),
      CONTRACT_TEST(events_are_numbered_per_tenant_and_read_per_task),
      CONTRACT_TEST(an_event_without_a_task_keeps_its_queue),
      CONTRACT_TEST(each_field_of_a_key_is_kept_as_it_was_last),
      CONTRACT_TEST(keys_that_are_gone_are_gone_whether_put_in_the_same_change_or_not),
      CONTRACT_TEST(the_catalogue_keeps_the_latest_of_each_name),
      CONTRACT_TEST(a_restart_carries_on_where_the_store_was),
      CONTRACT_TEST(upkeep_is_harmless_at_any_time),
  };
  return CONTRACT_RUN(tests);
}
