// reference.c: a task's life, one operation at a time; docs/lifecycle.md and the API's documents
// in plain C.
#include "reference.h"

#include <assert.h>

#include "model/limits.h"

enum { DEFAULT_ATTEMPTS = 3, DEFAULT_LEASE_MS = 10000 };
static const struct backoff DEFAULT_BACKOFF = {BACKOFF_EXPONENTIAL, 1000, 4000, 20};

const char *const REF_QUEUE[REF_QUEUES] = {"default", "fast", "slow"};
const char *const REF_TYPE[REF_TYPES] = {"mail", "video", "report"};

void ref_init(struct ref *r, int64_t now, enum wrong wrong) {
  *r = (struct ref){.now = now, .wrong = wrong};
}

struct ref_task *ref_find(struct ref *r, struct id id) {
  for (size_t i = 0; i < r->count; i++)
    if (id_eq(r->tasks[i].is.id, id)) return r->tasks[i].gone ? NULL : &r->tasks[i];
  return NULL;
}

struct ref_task *ref_unique(struct ref *r, struct str key) {
  for (size_t i = 0; !str_is_none(key) && i < r->count; i++) {
    struct ref_task *t = &r->tasks[i];
    if (t->gone || str_is_none(t->is.unique_key) || !str_eq(t->is.unique_key, key)) continue;
    if (r->wrong != WRONG_UNIQUE || !task_status_is_final(t->is.status)) return t;
  }
  return NULL;
}

// --- what each change does besides ---------------------------------------------------------------

static struct event *happened(struct ref *r, const struct ref_task *t, enum event_kind kind) {
  assert(r->event_count < REF_EVENTS);
  struct event *e = &r->events[r->event_count++];
  *e = (struct event){.kind = kind, .at = r->now, .actor = r->actor};
  if (t) {
    e->task = t->is.id;
    e->queue = t->is.queue;
    e->type = t->is.type;
    e->attempt = t->is.attempt;
    e->progress = t->is.progress;
  }
  return e;
}

static int64_t sooner(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return a ? a : b;
  return a < b ? a : b;
}

static int64_t looked_at_next(const struct task *t) {
  if (t->status == TASK_RUNNING) return t->lease_expires_at;
  if (t->status != TASK_PENDING) return 0;
  bool waits = t->waiting == WAIT_TIME || t->waiting == WAIT_RETRY;
  return sooner(waits ? t->run_at : 0, t->expires_at);
}

// Every change: the next revision, and when the clock is to look at the task.
static void changed(const struct ref *r, struct ref_task *t) {
  t->is.revision++;
  t->is.updated_at = r->now;
  t->is.wake_at = looked_at_next(&t->is);
}

static void error_is(struct task *t, struct str code, struct str message, struct str detail) {
  t->error_code = code;
  t->error_message = message;
  t->error_detail = detail;
}

static void leaves_worker(struct task *t) {
  t->lease_expires_at = t->lease_length_ms = 0;
  t->cancel_requested_at = t->cancel_by = 0;
}

static void ends(const struct ref *r, struct ref_task *t, enum task_status status) {
  leaves_worker(&t->is);
  t->is.status = status;
  t->is.waiting = WAIT_NONE;
  t->is.completed_at = r->now;
  changed(r, t);
}

static void is_pending_again(const struct ref *r, struct ref_task *t, enum waiting waiting) {
  leaves_worker(&t->is);
  t->is.status = TASK_PENDING;
  t->is.waiting = waiting;
  t->is.completed_at = t->is.lease = 0;
  changed(r, t);
}

// --- creation ------------------------------------------------------------------------------------

static const struct type *type_of(const struct ref *r, struct str name) {
  static const struct type nothing = {.priority = VERSION_NONE, .timeout_ms = -1};
  for (size_t i = 0; i < REF_TYPES; i++)
    if (!str_is_none(r->types[i].name) && str_eq(r->types[i].name, name)) return &r->types[i];
  return &nothing;
}

struct task ref_make(const struct ref *r, const struct create_item *item) {
  struct task t = item->task;
  const struct type *type = type_of(r, t.type);
  if (str_is_none(t.queue)) t.queue = type->queue;
  if (str_is_none(t.queue)) t.queue = STR("default");
  if (t.priority == ABSENT) t.priority = type->priority == VERSION_NONE ? 0 : type->priority;
  if (t.attempts_max == 0) t.attempts_max = type->attempts_max;
  if (t.attempts_max == 0) t.attempts_max = DEFAULT_ATTEMPTS;
  t.attempts_grant = t.attempts_max;
  if (t.lease_ms == 0) t.lease_ms = type->lease_ms;
  if (t.lease_ms == 0) t.lease_ms = DEFAULT_LEASE_MS;
  if (t.timeout_ms == ABSENT) t.timeout_ms = type->timeout_ms < 0 ? 0 : type->timeout_ms;
  if (t.backoff.delay_ms == 0) t.backoff = type->backoff.delay_ms ? type->backoff : DEFAULT_BACKOFF;
  if (item->delay_ms) t.run_at = r->now + item->delay_ms;
  t.status = TASK_PENDING;
  t.waiting = item->hold ? WAIT_START : t.run_at > r->now ? WAIT_TIME : WAIT_WORKER;
  t.revision = 1;
  t.created_at = t.updated_at = r->now;
  t.wake_at = looked_at_next(&t);
  return t;
}

struct ref_task *ref_add(struct ref *r, const struct task *task) {
  assert(r->count < REF_TASKS);
  struct ref_task *t = &r->tasks[r->count++];
  *t = (struct ref_task){.is = *task};
  happened(r, t, EVENT_CREATED);
  return t;
}

// --- claims --------------------------------------------------------------------------------------

bool ref_is_ready(const struct ref_task *t) {
  return !t->gone && t->is.status == TASK_PENDING && t->is.waiting == WAIT_WORKER;
}

static bool is_paused(const struct ref *r, struct str queue) {
  for (size_t i = 0; r->wrong != WRONG_PAUSE && i < REF_QUEUES; i++)
    if (r->paused[i] && str_eq(queue, str_of(REF_QUEUE[i]))) return true;
  return false;
}

static bool among(const struct str *names, size_t count, struct str name) {
  bool found = count == 0;  // none named: any
  for (size_t i = 0; i < count; i++) found |= str_eq(names[i], name);
  return found;
}

bool ref_fits(const struct ref *r, const struct claim_filter *f, const struct ref_task *t) {
  return ref_is_ready(t) && !is_paused(r, t->is.queue) &&
         among(f->types, f->type_count, t->is.type) &&
         among(f->queues, f->queue_count, t->is.queue);
}

struct ref_task *ref_best(struct ref *r, const struct claim_filter *f) {
  struct ref_task *best = NULL;
  for (size_t i = 0; i < r->count; i++) {  // in the order of their ids
    struct ref_task *t = &r->tasks[i];
    if (!ref_fits(r, f, t)) continue;
    if (best && (r->wrong == WRONG_PRIORITY || t->is.priority <= best->is.priority)) continue;
    best = t;
  }
  return best;
}

enum err ref_may_claim(const struct ref *r, const struct ref_task *t) {
  if (t == NULL) return ERR_NOT_FOUND;
  return ref_is_ready(t) && !is_paused(r, t->is.queue) ? ERR_OK : ERR_WRONG_STATUS;
}

static int64_t lease_end(const struct ref *r, const struct task *t) {
  int64_t attempt_end = t->timeout_ms ? t->claimed_at + t->timeout_ms : 0;
  int64_t by = r->wrong == WRONG_GRACE ? 0 : t->cancel_by;
  return sooner(r->now + t->lease_length_ms, sooner(attempt_end, by));
}

void ref_claim(struct ref *r, struct ref_task *t, const struct claim_filter *f, int64_t lease) {
  struct task *is = &t->is;
  is->status = TASK_RUNNING;
  is->waiting = WAIT_NONE;
  is->attempt++;
  is->lease = lease;
  is->lease_length_ms = f->lease_ms ? f->lease_ms : is->lease_ms;
  is->claimed_at = r->now;
  if (is->started_at == 0) is->started_at = r->now;
  is->lease_expires_at = lease_end(r, is);
  is->worker = f->worker;
  is->progress = 0;
  is->step = is->step_description = STR_NONE;
  t->leases[t->lease_count++ % REF_LEASES] = lease;
  changed(r, t);
  happened(r, t, EVENT_CLAIMED)->worker = f->worker;
}

// --- a worker's moves ----------------------------------------------------------------------------

// Without a token the key that made the claim speaks for it; its workers' ids begin with its name.
static bool holds(const struct ref *r, const struct ref_task *t, int64_t lease) {
  if (t->is.status != TASK_RUNNING) return false;
  if (lease) return t->is.lease == lease || r->wrong == WRONG_STALE_TOKEN;
  struct str rest = STR_NONE;
  if (!str_starts(r->actor, STR("key:")) || !str_starts(t->is.worker, r->actor)) return false;
  rest = str_from(t->is.worker, r->actor.len);
  return rest.len == 0 || rest.at[0] == '/';
}

static void waits_until(struct ref *r, struct ref_task *t, int64_t delay_ms) {
  t->is.run_at = delay_ms > 0 ? r->now + delay_ms : 0;
  is_pending_again(r, t, delay_ms > 0 ? WAIT_RETRY : WAIT_WORKER);
}

void ref_chosen(struct ref_task *t, int64_t run_at) {
  t->is.run_at = run_at;
  t->is.wake_at = looked_at_next(&t->is);
}

// delay · 2^(attempt-1), at most delay_max, for fixed ones delay; of that the jitter may go.
static int64_t longest_backoff(const struct ref *r, const struct task *t) {
  int64_t wait = t->backoff.delay_ms;
  bool grows = t->backoff.kind == BACKOFF_EXPONENTIAL && r->wrong != WRONG_BACKOFF;
  for (int64_t n = 1; grows && n < t->attempt; n++)
    if (wait < t->backoff.delay_max_ms) wait *= 2;
  return wait < t->backoff.delay_max_ms ? wait : t->backoff.delay_max_ms;
}

static void attempt_failed(struct ref *r, struct ref_task *t, const struct settle_item *item,
                           struct ref_wait *wait) {
  struct str worker = t->is.worker;
  int64_t attempt = t->is.attempt;
  bool retry = !item->no_retry && attempt < t->is.attempts_max;
  if (retry && item->delay_ms != ABSENT) {
    waits_until(r, t, item->delay_ms);
  } else if (retry) {
    int64_t longest = longest_backoff(r, &t->is);
    waits_until(r, t, longest);
    wait->most = r->now + longest;
    wait->least = wait->most - longest * t->is.backoff.jitter_percent / 100;
  } else {
    ends(r, t, TASK_FAILED);
  }
  error_is(&t->is, item->error_code, item->error_message, item->error_detail);
  struct event *e = happened(r, t, retry ? EVENT_ATTEMPT_FAILED : EVENT_FAILED);
  e->worker = worker;
  e->note = item->error_code;
  e->text = item->error_message;
}

static void released(struct ref *r, struct ref_task *t, const struct settle_item *item) {
  happened(r, t, EVENT_RELEASED)->worker = t->is.worker;
  if (r->wrong != WRONG_RELEASE) t->is.attempt--;
  waits_until(r, t, item->delay_ms == ABSENT ? 0 : item->delay_ms);
}

static void completed(struct ref *r, struct ref_task *t, const struct settle_item *item) {
  t->is.progress = 100;
  t->is.result = item->result;
  error_is(&t->is, STR_NONE, STR_NONE, STR_NONE);
  ends(r, t, TASK_COMPLETED);
  happened(r, t, EVENT_COMPLETED)->worker = t->is.worker;
}

// A worker that has lost the answer asks again with the token of the attempt that it ended.
static bool is_repeat(const struct ref *r, const struct ref_task *t,
                      const struct settle_item *item) {
  enum task_status as = item->verb == SETTLE_COMPLETE ? TASK_COMPLETED : TASK_FAILED;
  return r->wrong != WRONG_REPEAT && item->verb != SETTLE_RELEASE && item->lease &&
         t->is.status == as && t->is.lease == item->lease;
}

static bool has_expired(const struct ref *r, const struct ref_task *t) {
  return t->is.status == TASK_PENDING && t->is.expires_at && t->is.expires_at <= r->now;
}

// By the clock, whoever has brought it up.
static void expires(struct ref *r, struct ref_task *t) {
  struct str actor = r->actor;
  r->actor = STR("system");
  ends(r, t, TASK_CANCELLED);
  error_is(&t->is, STR("expired"), STR("expiresAt passed while no worker had the task"),
           t->is.error_detail);
  happened(r, t, EVENT_EXPIRED);
  r->actor = actor;
}

enum err ref_settle(struct ref *r, struct ref_task *t, const struct settle_item *item,
                    struct ref_wait *wait) {
  *wait = (struct ref_wait){0};
  if (t == NULL) return ERR_NOT_FOUND;
  if (is_repeat(r, t, item)) return ERR_OK;
  if (!holds(r, t, item->lease)) return ERR_LEASE_LOST;
  if (item->verb == SETTLE_COMPLETE) {
    completed(r, t, item);
  } else if (t->is.cancel_requested_at) {
    ends(r, t, TASK_CANCELLED);
    happened(r, t, EVENT_CANCELLED)->worker = t->is.worker;
  } else if (item->verb == SETTLE_FAIL) {
    attempt_failed(r, t, item, wait);
  } else {
    released(r, t, item);
  }
  if (has_expired(r, t)) expires(r, t);
  return ERR_OK;
}

// A heartbeat that would bring less than a quarter of the lease, with half of it to come, may be
// left out: it is not worth a commit.
static bool brings_little(const struct ref *r, const struct task *t) {
  int64_t left = t->lease_expires_at - r->now;
  int64_t gain = lease_end(r, t) - t->lease_expires_at;
  return gain * 4 < t->lease_length_ms && left * 2 >= t->lease_length_ms;
}

static void progressed(struct ref *r, struct ref_task *t, const struct report_input *in) {
  struct task *is = &t->is;
  if (in->progress != ABSENT && in->progress > is->progress) is->progress = in->progress;
  if (!str_is_none(in->step)) is->step = in->step;
  if (!str_is_none(in->step) || !str_is_none(in->step_description))
    is->step_description = in->step_description;
  struct event *e = happened(r, t, EVENT_PROGRESS);
  e->worker = is->worker;
  e->note = is->step;
  e->text = is->step_description;
}

enum err ref_report(struct ref *r, struct ref_task *t, const struct report_input *in) {
  if (t == NULL) return ERR_NOT_FOUND;
  if (!holds(r, t, in->lease)) return ERR_LEASE_LOST;
  bool says =
      in->progress != ABSENT || !str_is_none(in->step) || !str_is_none(in->step_description);
  if (!says && in->line_count == 0 && brings_little(r, &t->is)) return ERR_OK;
  if (r->wrong != WRONG_HEARTBEAT) t->is.lease_expires_at = lease_end(r, &t->is);
  t->is.log_lines += (int64_t)in->line_count;
  changed(r, t);
  if (says) progressed(r, t, in);
  return ERR_OK;
}

// --- a person's moves ----------------------------------------------------------------------------

enum err ref_start(struct ref *r, struct ref_task *t) {
  if (t == NULL) return ERR_NOT_FOUND;
  if (t->is.status != TASK_PENDING || t->is.waiting != WAIT_START) return ERR_WRONG_STATUS;
  t->is.waiting = t->is.run_at > r->now ? WAIT_TIME : WAIT_WORKER;
  changed(r, t);
  happened(r, t, EVENT_STARTED);
  return ERR_OK;
}

// The worker is told, and has until the grace ends; a later request can only shorten that.
static void cancel_running(struct ref *r, struct ref_task *t, int64_t grace_ms, struct str reason) {
  struct task *is = &t->is;
  int64_t by = r->now + grace_ms;
  if (is->cancel_requested_at == 0) {
    is->cancel_requested_at = r->now;
    happened(r, t, EVENT_CANCEL_REQUESTED)->text = reason;
  }
  is->cancel_by = sooner(is->cancel_by, by);
  if (r->wrong != WRONG_GRACE) is->lease_expires_at = sooner(is->lease_expires_at, by);
  changed(r, t);
}

enum err ref_cancel(struct ref *r, struct ref_task *t, int64_t grace_ms, struct str reason) {
  if (t == NULL) return ERR_NOT_FOUND;
  if (task_status_is_final(t->is.status)) return ERR_WRONG_STATUS;
  if (t->is.status == TASK_RUNNING) {
    cancel_running(r, t, grace_ms, reason);
  } else {
    ends(r, t, TASK_CANCELLED);
    happened(r, t, EVENT_CANCELLED)->text = reason;
  }
  return ERR_OK;
}

enum err ref_retry(struct ref *r, struct ref_task *t) {
  if (t == NULL) return ERR_NOT_FOUND;
  struct task *is = &t->is;
  if (is->status != TASK_FAILED && is->status != TASK_CANCELLED && is->status != TASK_ABANDONED)
    return ERR_WRONG_STATUS;
  is->run_at = is->progress = is->started_at = is->claimed_at = 0;
  is->attempts_max = is->attempt + is->attempts_grant;
  if (is->expires_at <= r->now) is->expires_at = 0;
  is->step = is->step_description = is->worker = STR_NONE;
  error_is(is, STR_NONE, STR_NONE, STR_NONE);
  is_pending_again(r, t, WAIT_WORKER);
  happened(r, t, EVENT_RETRIED);
  return ERR_OK;
}

static bool is_other(const struct ref_task *t, int64_t if_revision) {
  return if_revision != ABSENT && if_revision != t->is.revision;
}

enum err ref_edit(struct ref *r, struct ref_task *t, const struct edit_input *in,
                  int64_t if_revision) {
  if (t == NULL) return ERR_NOT_FOUND;
  if (is_other(t, if_revision)) return ERR_REVISION_CHANGED;
  if (t->is.status != TASK_PENDING) return ERR_WRONG_STATUS;
  struct task *is = &t->is;
  if (in->set_priority) is->priority = in->priority;
  if (in->set_tags) is->tags = in->tags;
  if (in->set_metadata) is->metadata = in->metadata;
  if (in->set_expires_at) is->expires_at = in->expires_at;
  if (in->set_run_at) is->run_at = in->run_at;
  if (in->set_run_at && is->waiting != WAIT_START)
    is->waiting = is->run_at > r->now ? WAIT_TIME : WAIT_WORKER;
  if (!in->set_priority && !in->set_tags && !in->set_metadata && !in->set_expires_at &&
      !in->set_run_at)
    return ERR_OK;
  changed(r, t);
  happened(r, t, EVENT_CHANGED);
  return ERR_OK;
}

enum err ref_delete(struct ref *r, struct ref_task *t, bool force, int64_t if_revision) {
  if (t == NULL) return ERR_NOT_FOUND;
  if (is_other(t, if_revision)) return ERR_REVISION_CHANGED;
  if (t->is.status == TASK_RUNNING && !force) return ERR_WRONG_STATUS;
  if (t->is.status == TASK_RUNNING) {
    ends(r, t, TASK_CANCELLED);
    happened(r, t, EVENT_CANCELLED);
  }
  changed(r, t);
  happened(r, t, EVENT_DELETED);
  t->gone = true;
  return ERR_OK;
}

void ref_pause(struct ref *r, size_t queue, bool paused) {
  struct str name = str_of(REF_QUEUE[queue]);
  if (r->paused[queue] == paused) return;
  r->paused[queue] = paused;
  struct event *e = happened(r, NULL, paused ? EVENT_QUEUE_PAUSED : EVENT_QUEUE_RESUMED);
  e->note = e->queue = name;
}

void ref_type(struct ref *r, size_t type, const struct type *is) {
  r->types[type] = *is;
  struct event *e = happened(r, NULL, EVENT_TYPE_CHANGED);
  e->note = e->type = is->name;
}

// --- the clock -----------------------------------------------------------------------------------

int64_t ref_next(const struct ref *r) {
  int64_t next = 0;
  for (size_t i = 0; i < r->count; i++)
    if (!r->tasks[i].gone) next = sooner(next, r->tasks[i].is.wake_at);
  return next;
}

static void pending_at(struct ref *r, struct ref_task *t) {
  struct task *is = &t->is;
  if (has_expired(r, t)) {
    expires(r, t);
  } else if (is->waiting == WAIT_TIME || is->waiting == WAIT_RETRY) {
    is->waiting = WAIT_WORKER;
    changed(r, t);
    happened(r, t, EVENT_DUE);
  }
}

static void lease_is_lost(struct ref *r, struct ref_task *t) {
  struct str worker = t->is.worker;
  int64_t most = t->is.attempts_max + (r->wrong == WRONG_ATTEMPTS);
  bool retry = t->is.attempt < most;
  if (retry) {
    t->is.run_at = 0;
    is_pending_again(r, t, WAIT_WORKER);
  } else {
    ends(r, t, TASK_ABANDONED);
  }
  error_is(&t->is, STR("lease_lost"), STR("the worker stopped renewing its lease"),
           t->is.error_detail);
  struct event *e = happened(r, t, retry ? EVENT_LEASE_LOST : EVENT_ABANDONED);
  e->worker = worker;
  e->note = STR("lease_lost");
}

static struct ref_wait running_at(struct ref *r, struct ref_task *t) {
  struct ref_wait wait = {0};
  struct task *is = &t->is;
  if (is->cancel_requested_at) {
    struct str worker = is->worker;
    ends(r, t, TASK_CANCELLED);
    happened(r, t, EVENT_CANCELLED)->worker = worker;
  } else if (is->timeout_ms && is->claimed_at + is->timeout_ms <= r->now) {
    struct settle_item item = {.verb = SETTLE_FAIL,
                               .delay_ms = ABSENT,
                               .error_code = STR("timeout"),
                               .error_message = STR("the attempt ran longer than timeoutMs")};
    attempt_failed(r, t, &item, &wait);
  } else {
    lease_is_lost(r, t);
  }
  return wait;
}

bool ref_is_due(const struct ref *r, const struct ref_task *t) {
  return !t->gone && t->is.wake_at && t->is.wake_at <= r->now;
}

void ref_time(struct ref *r, struct ref_task *t, struct ref_wait *wait) {
  r->actor = STR("system");
  *wait = (struct ref_wait){0};
  if (t->is.status == TASK_RUNNING)
    *wait = running_at(r, t);
  else
    pending_at(r, t);
}
