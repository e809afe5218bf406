// compare.c: what the engine and its store say, against the model.
#include "game.h"

#include <stdarg.h>
#include <stdio.h>

#include "model/limits.h"

enum { SCRATCH_BYTES = 16384 };

bool game_fail(struct game *g, const char *format, ...) {
  if (g->complaint[0]) return false;
  va_list args;
  va_start(args, format);
  vsnprintf(g->complaint, sizeof g->complaint, format, args);
  va_end(args);
  return false;
}

// --- tasks ---------------------------------------------------------------------------------------

static bool same_number(struct game *g, const char *where, const char *field, int64_t is,
                        int64_t should) {
  if (is == should) return true;
  return game_fail(g, "%s %s is %lld, and should be %lld (now %lld)", field, where, (long long)is,
                   (long long)should, (long long)g->w->now);
}

static bool same_text(struct game *g, const char *where, const char *field, struct str is,
                      struct str should) {
  if (str_is_none(is) == str_is_none(should) && str_eq(is, should)) return true;
  return game_fail(g, "%s %s is \"%.*s\", and should be \"%.*s\"", field, where, STR_FMT(is),
                   STR_FMT(should));
}

// Since when a task is due tells nothing.
static int64_t due_alike(const struct game *g, const struct task *is, const struct task *should) {
  bool both = is->wake_at && should->wake_at && is->wake_at <= g->w->now;
  return both && should->wake_at <= g->w->now ? is->wake_at : should->wake_at;
}

// Every column that a store keeps of a task, so that a new one is held against the model too.
bool same_task(struct game *g, const struct task *is, const struct task *should_be, bool parts,
               const char *where) {
  struct task copy = *should_be, *should = &copy;
  if (is == NULL) return game_fail(g, "there is no task %s", where);
  copy.wake_at = due_alike(g, is, should_be);
  if (!id_eq(is->id, should->id)) return game_fail(g, "it is another task %s", where);
  bool good = same_text(g, where, "queue", is->queue, should->queue) &&
              same_text(g, where, "type", is->type, should->type);
#define ENUM(field)                                                                                \
  good = good && same_number(g, where, #field, (int)is->field, (int)should->field);
#define I64(field) good = good && same_number(g, where, #field, is->field, should->field);
#define SPARSE(field) I64(field)
#define TEXT(field) good = good && same_text(g, where, #field, is->field, should->field);
#define COLUMN(column, field, kind, group, meaning) kind(field)
#include "store/task.def"
#undef COLUMN
#undef TEXT
#undef SPARSE
#undef I64
#undef ENUM
  if (!good || !parts) return good;
  return same_text(g, where, "payload", is->payload, should->payload) &&
         same_text(g, where, "result", is->result, should->result);
}

bool same_tasks(struct game *g) {
  struct arena a;
  struct fault why = {0};
  struct task_page page;
  struct task_filter all = {
      .tenant = g->tenant, .limit = REF_TASKS + 1, .parts = PART_PAYLOAD | PART_RESULT};
  arena_init(&a, SCRATCH_BYTES);
  bool good = g->w->under->ops->read_tasks(g->w->reader, &a, &all, &page, &why) == ERR_OK ||
              game_fail(g, "the list cannot be read: %s", why.detail);
  size_t at = 0;
  for (size_t i = g->ref.count; good && i-- > 0;) {  // newest first
    if (g->ref.tasks[i].gone) continue;
    good = at < page.count || game_fail(g, "a task is missing in the list of all");
    good = good && same_task(g, page.tasks[at++], &g->ref.tasks[i].is, true, "in the list of all");
  }
  if (good && at != page.count) good = game_fail(g, "the list has a task that should not be");
  arena_fini(&a);
  return good;
}

// --- claims and backoffs, where the product chooses ----------------------------------------------

static bool is_known_lease(const struct ref *r, int64_t lease) {
  for (size_t i = 0; i < r->count; i++)
    for (size_t k = 0; k < r->tasks[i].lease_count && k < REF_LEASES; k++)
      if (r->tasks[i].leases[k] == lease) return true;
  return false;
}

bool adopt_claim(struct game *g, const struct task *claimed, const struct claim_filter *f) {
  struct ref_task *t = ref_find(&g->ref, claimed->id);
  if (t == NULL || !ref_is_ready(t)) return game_fail(g, "a claim gets a task that is not ready");
  if (claimed->lease == 0 || is_known_lease(&g->ref, claimed->lease))
    return game_fail(g, "a claim gets no new lease token");
  ref_claim(&g->ref, t, f, claimed->lease);
  return same_task(g, claimed, &t->is, false, "that was claimed") &&
         same_text(g, "that was claimed", "payload", claimed->payload, t->is.payload);
}

static bool read_again(struct game *g, struct arena *a, struct id id, struct task **out) {
  struct fault why = {0};
  arena_init(a, SCRATCH_BYTES);
  return g->w->under->ops->read_task(g->w->reader, a, g->tenant, id, 0, out, &why) == ERR_OK ||
         game_fail(g, "a task cannot be read: %s", why.detail);
}

bool adopt_backoff(struct game *g, struct ref_task *t, struct ref_wait wait) {
  struct arena a;
  struct task *is = NULL;
  bool good = wait.most == 0 || read_again(g, &a, t->is.id, &is);
  if (wait.most == 0) return true;
  if (good && (is->run_at < wait.least || is->run_at > wait.most))
    good = game_fail(g, "the backoff ends after %lld ms, and should after %lld to %lld",
                     (long long)(is->run_at - g->w->now), (long long)(wait.least - g->w->now),
                     (long long)(wait.most - g->w->now));
  if (good) ref_chosen(t, is->run_at);
  arena_fini(&a);
  return good;
}

// What became due in the very unit that looks at the clock may be left for a moment, as long as
// the engine comes back for it.
bool adopt_delay(struct game *g, const struct ref_task *t, bool *left) {
  struct arena a;
  struct task *is = NULL;
  bool good = read_again(g, &a, t->is.id, &is);
  *left = good && is->revision == t->is.revision;
  if (*left && (g->w->next_at == 0 || g->w->next_at > g->w->now + GAME_LATE_MS))
    good = game_fail(g, "a task's time has come, and the engine does not look at it");
  arena_fini(&a);
  return good;
}

// --- events --------------------------------------------------------------------------------------

static bool same_event(struct game *g, const struct event *is, const struct event *should) {
  const char *where = event_word(should->kind).at;
  return same_text(g, where, "kind of", event_word(is->kind), event_word(should->kind)) &&
         same_number(g, where, "time of", is->at, should->at) &&
         same_number(g, where, "attempt of", is->attempt, should->attempt) &&
         same_number(g, where, "progress of", is->progress, should->progress) &&
         same_text(g, where, "queue of", is->queue, should->queue) &&
         same_text(g, where, "type of", is->type, should->type) &&
         same_text(g, where, "actor of", is->actor, should->actor) &&
         same_text(g, where, "worker of", is->worker, should->worker) &&
         same_text(g, where, "note of", is->note, should->note) &&
         same_text(g, where, "text of", is->text, should->text);
}

// The first expected one of the same task: among those of several tasks no order is promised.
static struct event *expected(struct game *g, const struct event *is, const bool *met) {
  for (size_t i = 0; i < g->ref.event_count; i++)
    if (!met[i] && id_eq(g->ref.events[i].task, is->task)) return &g->ref.events[i];
  return NULL;
}

static bool events_are(struct game *g, const struct event_page *page) {
  bool met[REF_EVENTS] = {0};
  for (size_t i = 0; i < page->count; i++) {
    const struct event *is = &page->events[i];
    if (is->seq != g->seq + 1)
      return game_fail(g, "event %lld follows %lld", (long long)is->seq, (long long)g->seq);
    g->seq = is->seq;
    struct event *should = expected(g, is, met);
    if (should == NULL) return game_fail(g, "an event %s too many", event_word(is->kind).at);
    met[should - g->ref.events] = true;
    if (!same_event(g, is, should)) return false;
  }
  for (size_t i = 0; i < g->ref.event_count; i++)
    if (!met[i])
      return game_fail(g, "the event %s is missing", event_word(g->ref.events[i].kind).at);
  return true;
}

bool same_events(struct game *g) {
  struct arena a;
  struct fault why = {0};
  struct event_page page;
  struct event_filter since = {.tenant = g->tenant, .after = g->seq, .limit = REF_EVENTS};
  arena_init(&a, SCRATCH_BYTES);
  enum err err = g->w->under->ops->read_events(g->w->reader, &a, &since, &page, &why);
  bool good = err == ERR_OK ? events_are(g, &page)
                            : game_fail(g, "the events cannot be read: %s", why.detail);
  g->counts->events += good ? page.count : 0;
  arena_fini(&a);
  return good;
}

// --- counts, lists, logs -------------------------------------------------------------------------

static bool same_counts(struct game *g, struct arena *a) {
  struct fault why = {0};
  struct tally *tallies;
  size_t count;
  int64_t is[TASK_STATUS_COUNT] = {0}, should[TASK_STATUS_COUNT] = {0}, ready = 0, is_ready = 0;
  if (g->w->under->ops->read_tallies(g->w->reader, a, g->tenant, &tallies, &count, &why) != ERR_OK)
    return game_fail(g, "the counts cannot be read: %s", why.detail);
  for (size_t i = 0; i < count; i++) {
    for (size_t s = 0; s < TASK_STATUS_COUNT; s++) is[s] += tallies[i].count[s];
    is_ready += tallies[i].ready;
  }
  for (size_t i = 0; i < g->ref.count; i++) {
    if (g->ref.tasks[i].gone) continue;
    should[g->ref.tasks[i].is.status]++;
    ready += ref_is_ready(&g->ref.tasks[i]);
  }
  for (size_t s = 0; s < TASK_STATUS_COUNT; s++)
    if (!same_number(g, "in all", task_status_word((enum task_status)s).at, is[s], should[s]))
      return false;
  return same_number(g, "in all", "ready", is_ready, ready);
}

static bool same_ready(struct game *g, struct arena *a) {
  struct fault why = {0};
  struct task_page page;
  struct task_filter ready = {.tenant = g->tenant, .ready_only = true, .limit = REF_TASKS};
  if (g->w->under->ops->read_tasks(g->w->reader, a, &ready, &page, &why) != ERR_OK)
    return game_fail(g, "the list of ready tasks cannot be read: %s", why.detail);
  size_t should = 0;
  for (size_t i = 0; i < g->ref.count; i++) should += ref_is_ready(&g->ref.tasks[i]);
  if (!same_number(g, "in the list", "ready", (int64_t)page.count, (int64_t)should)) return false;
  for (size_t i = 1; i < page.count; i++) {
    const struct task *before = page.tasks[i - 1], *task = page.tasks[i];
    bool ordered = before->priority > task->priority ||
                   (before->priority == task->priority && id_key(before->id) < id_key(task->id));
    if (!ordered) return game_fail(g, "the list of ready tasks is not in the order of claims");
  }
  return true;
}

static bool same_logs(struct game *g, struct arena *a) {
  struct fault why = {0};
  for (size_t i = 0; i < g->ref.count; i++) {
    const struct ref_task *t = &g->ref.tasks[i];
    if (t->gone || t->is.log_lines == 0) continue;
    struct log_page page;
    enum err err = g->w->under->ops->read_logs(g->w->reader, a, g->tenant, t->is.id, 0,
                                               LIMIT_LOG_LINES, &page, &why);
    if (err != ERR_OK) return game_fail(g, "a log cannot be read: %s", why.detail);
    if (!same_number(g, "in the log", "lines", (int64_t)page.count, t->is.log_lines)) return false;
  }
  return true;
}

bool same_books(struct game *g) {
  struct arena a;
  arena_init(&a, SCRATCH_BYTES);
  bool good = same_tasks(g) && same_counts(g, &a) && same_ready(g, &a) && same_logs(g, &a);
  arena_fini(&a);
  return good;
}
