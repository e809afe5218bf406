// history.c: the events of a run, walked through from the first one.
#include "history.h"

#include <stdarg.h>
#include <stdio.h>

enum { PAGE = 500, SCRATCH_BYTES = 65536 };

bool history_fail(struct history *h, const char *format, ...) {
  if (h->complaint[0]) return false;
  va_list args;
  va_start(args, format);
  vsnprintf(h->complaint, sizeof h->complaint, format, args);
  va_end(args);
  return false;
}

struct task_fact *history_task(struct history *h, struct id id) {
  for (size_t i = 0; i < h->task_count; i++)
    if (id_eq(h->tasks[i].id, id)) return &h->tasks[i];
  if (h->task_count == HISTORY_TASKS) {
    history_fail(h, "more tasks than a run can make");
    return &h->tasks[0];
  }
  h->tasks[h->task_count] = (struct task_fact){.id = id};
  return &h->tasks[h->task_count++];
}

// "w7": the claim of label 7.
static unsigned label_of(struct history *h, struct str worker) {
  int64_t label = 0;
  bool good = worker.len > 1 && str_to_i64(str_from(worker, 1), &label);
  if (good && label >= 0 && label < HISTORY_CLAIMS) return (unsigned)label;
  history_fail(h, "an event names the worker \"%.*s\", whom nobody knows", STR_FMT(worker));
  return 0;
}

// A claim that waits is served again when nobody knows whether the commit that served it was made.
// Then the first task is leased to somebody who was never told.
static bool told_of(const struct history *h, const struct task_fact *t, unsigned label) {
  return id_eq(h->claims[label].task, t->id);
}

// --- one event -----------------------------------------------------------------------------------

static bool claimed(struct history *h, struct task_fact *t, const struct event *e) {
  if (t->status != TASK_PENDING)
    return history_fail(h, "a task is claimed while it is %s", task_status_word(t->status).at);
  if (e->attempt != t->attempt + 1 || e->attempt > t->attempts_max)
    return history_fail(h, "attempt %lld follows %lld of at most %lld", (long long)e->attempt,
                        (long long)t->attempt, (long long)t->attempts_max);
  t->status = TASK_RUNNING;
  t->attempt = e->attempt;
  t->claimed_at = e->at;
  t->label = label_of(h, e->worker);
  return true;
}

static enum settle_verb verb_of(enum event_kind kind) {
  return kind == EVENT_COMPLETED  ? SETTLE_COMPLETE
         : kind == EVENT_RELEASED ? SETTLE_RELEASE
                                  : SETTLE_FAIL;
}

static bool settled(struct history *h, struct task_fact *t, const struct event *e,
                    enum task_status to) {
  if (t->status != TASK_RUNNING)
    return history_fail(h, "%s of a task that is %s", event_word(e->kind).at,
                        task_status_word(t->status).at);
  unsigned label = label_of(h, e->worker);
  if (label != t->label)
    return history_fail(h, "%s by the claim w%u, and w%u has the lease", event_word(e->kind).at,
                        label, t->label);
  if (told_of(h, t, label)) h->ends[label]++;
  const struct claim_fact *fact = &h->claims[label];
  if (told_of(h, t, label) && fact->told == TOLD_REFUSED && verb_of(e->kind) == fact->verb)
    return history_fail(h, "%s by w%u, whom it was refused", event_word(e->kind).at, label);
  if (e->kind == EVENT_RELEASED) t->attempt--;
  t->status = to;
  return true;
}

static bool lost(struct history *h, struct task_fact *t, const struct event *e, int64_t lease_ms) {
  if (t->status != TASK_RUNNING)
    return history_fail(h, "a lease is lost of a task that is not running");
  if (e->at < t->claimed_at + lease_ms)
    return history_fail(h, "a lease of %lld ms is lost after %lld", (long long)lease_ms,
                        (long long)(e->at - t->claimed_at));
  // A claim that was served twice may have got the same task again: it was told of the later one.
  bool later = h->claims[t->label].attempt > t->attempt;
  if (told_of(h, t, t->label) && !later && e->at < h->claims[t->label].until)
    return history_fail(h, "the lease of w%u is lost at %lld, and it was told %lld", t->label,
                        (long long)(e->at - WORLD_START_MS),
                        (long long)(h->claims[t->label].until - WORLD_START_MS));
  bool last = t->attempt >= t->attempts_max;
  if (last != (e->kind == EVENT_ABANDONED))
    return history_fail(h, "%s in attempt %lld of %lld", event_word(e->kind).at,
                        (long long)t->attempt, (long long)t->attempts_max);
  t->status = last ? TASK_ABANDONED : TASK_PENDING;
  return true;
}

static bool moved(struct history *h, struct task_fact *t, const struct event *e, bool may,
                  enum task_status to) {
  if (!may)
    return history_fail(h, "%s of a task that is %s", event_word(e->kind).at,
                        task_status_word(t->status).at);
  t->status = to;
  return true;
}

static bool created(struct history *h, struct task_fact *t, int64_t attempts_max) {
  if (t->known) return history_fail(h, "a task is created twice");
  t->known = true;
  t->status = TASK_PENDING;
  t->attempts_max = attempts_max;
  return true;
}

static bool happened(struct history *h, const struct event *e, int64_t lease_ms) {
  if (id_is_none(e->task)) return true;  // of a queue
  struct task_fact *t = history_task(h, e->task);
  bool pending = t->status == TASK_PENDING, running = t->status == TASK_RUNNING;
  if (e->kind == EVENT_CREATED) return created(h, t, WORLD_ATTEMPTS);
  if (!t->known || t->gone) return history_fail(h, "%s of no task", event_word(e->kind).at);
  switch (e->kind) {
  case EVENT_CLAIMED: return claimed(h, t, e);
  case EVENT_COMPLETED: return settled(h, t, e, TASK_COMPLETED);
  case EVENT_FAILED: return settled(h, t, e, TASK_FAILED);
  case EVENT_ATTEMPT_FAILED:
  case EVENT_RELEASED: return settled(h, t, e, TASK_PENDING);
  case EVENT_LEASE_LOST:
  case EVENT_ABANDONED: return lost(h, t, e, lease_ms);
  case EVENT_CANCELLED:
    if (running && told_of(h, t, t->label) && !str_is_none(e->worker)) h->ends[t->label]++;
    return moved(h, t, e, pending || running, TASK_CANCELLED);
  case EVENT_CANCEL_REQUESTED: return moved(h, t, e, running, TASK_RUNNING);
  case EVENT_PROGRESS: return moved(h, t, e, running, TASK_RUNNING);
  case EVENT_DUE: return moved(h, t, e, pending, TASK_PENDING);
  case EVENT_RETRIED:
    t->attempts_max = t->attempt + WORLD_ATTEMPTS;
    return moved(h, t, e, !pending && !running && t->status != TASK_COMPLETED, TASK_PENDING);
  case EVENT_DELETED: t->gone = true; return true;
  default: return history_fail(h, "an event %s, which nobody asked for", event_word(e->kind).at);
  }
}

static bool walk(struct history *h, struct world *w, int64_t tenant, int64_t lease_ms) {
  struct fault why = {0};
  struct event_page page = {.more = true};
  while (page.more) {
    struct arena a;
    struct event_filter f = {.tenant = tenant, .after = h->last_seq, .limit = PAGE};
    arena_init(&a, SCRATCH_BYTES);
    bool good = w->under->ops->read_events(w->reader, &a, &f, &page, &why) == ERR_OK ||
                history_fail(h, "the events cannot be read: %s", why.detail);
    for (size_t i = 0; good && i < page.count; i++) {
      good = page.events[i].seq == h->last_seq + 1 ||
             history_fail(h, "event %lld follows %lld", (long long)page.events[i].seq,
                          (long long)h->last_seq);
      h->last_seq = page.events[i].seq;
      good = good && happened(h, &page.events[i], lease_ms);
    }
    arena_fini(&a);
    if (!good) return false;
  }
  return true;
}

// --- what there is in the end --------------------------------------------------------------------

static bool same_as_row(struct history *h, const struct task *row) {
  struct task_fact *t = history_task(h, row->id);
  if (!t->known || t->gone) return history_fail(h, "a task is there without a history");
  if (t->status != row->status || t->attempt != row->attempt)
    return history_fail(h, "a task is %s in attempt %lld, and its events say %s, %lld",
                        task_status_word(row->status).at, (long long)row->attempt,
                        task_status_word(t->status).at, (long long)t->attempt);
  return true;
}

// Each was asked for under a name of its own, again and again until there was an answer.
static bool once(struct history *h, const struct task_page *page) {
  for (size_t i = 0; i < page->count; i++)
    for (size_t k = i + 1; k < page->count; k++)
      if (str_eq(page->tasks[i]->name, page->tasks[k]->name))
        return history_fail(h, "one request has made two tasks");
  return true;
}

static bool rows(struct history *h, struct world *w, int64_t tenant, struct arena *a) {
  struct fault why = {0};
  struct task_page page;
  struct task_filter all = {.tenant = tenant, .limit = HISTORY_TASKS};
  struct tally *tallies;
  size_t tally_count, should = 0;
  int64_t counted = 0;
  if (w->under->ops->read_tasks(w->reader, a, &all, &page, &why) != ERR_OK ||
      w->under->ops->read_tallies(w->reader, a, tenant, &tallies, &tally_count, &why) != ERR_OK)
    return history_fail(h, "the tasks cannot be read: %s", why.detail);
  for (size_t i = 0; i < page.count; i++)
    if (!same_as_row(h, page.tasks[i])) return false;
  if (!once(h, &page)) return false;
  for (size_t i = 0; i < h->task_count; i++) should += h->tasks[i].known && !h->tasks[i].gone;
  for (size_t i = 0; i < tally_count; i++)
    for (size_t s = 0; s < TASK_STATUS_COUNT; s++) counted += tallies[i].count[s];
  if (page.count != should || counted != (int64_t)should)
    return history_fail(h, "%zu tasks, %lld by the counts, and the events say %zu", page.count,
                        (long long)counted, should);
  return true;
}

// What was acknowledged is there, and once.
static bool facts(struct history *h) {
  for (size_t i = 0; i < h->task_count; i++) {
    const struct task_fact *t = &h->tasks[i];
    if (!t->known) return history_fail(h, "a task that was acknowledged is not there");
    if (t->deleted && !t->gone)
      return history_fail(h, "a task is there whose removal was acknowledged");
  }
  for (size_t i = 0; i < h->claim_count; i++) {
    if (h->ends[i] > 1) return history_fail(h, "the claim w%zu has ended twice", i);
    if (h->claims[i].told == TOLD_DONE && h->ends[i] == 0)
      return history_fail(h, "the claim w%zu was told that it has ended, and no event says so", i);
  }
  return true;
}

bool history_check(struct history *h, struct world *w, int64_t tenant, int64_t lease_ms) {
  struct arena a;
  arena_init(&a, SCRATCH_BYTES);
  bool good = walk(h, w, tenant, lease_ms) && rows(h, w, tenant, &a) && facts(h);
  arena_fini(&a);
  return good;
}
