// moves.c: each operation as a request to the engine, and as what the model makes of it.
#include "base/hash.h"
#include "base/mem.h"
#include "game.h"
#include "model/limits.h"

static const char *const WORKER[] = {"w0", "w1", "key:k1/w2"};
static const int64_t PASS_MS[] = {100, 1000, 3000, 9000, 11000, 700, 2, 31000};
static const int64_t WAIT_MS[] = {5000, 1000, 30000, 60000};
static const int64_t GRACE_MS[] = {2000, 0, 20000};
static const int64_t LEASE_MS[] = {0, 1500, 60000};
static const int64_t DELAY_MS[] = {ABSENT, 0, 800, 5000};
static const int64_t PRIORITY[] = {ABSENT, 0, 5, -3, 1};
static const char *const UNIQUE[] = {NULL, "u1", "u2", "u3"};

#define AT(table, number) ((table)[(size_t)(number) % (sizeof(table) / sizeof *(table))])

int64_t move_ms(const struct op *op) { return AT(PASS_MS, op->n[0]); }

bool move_waits(const struct op *op, int64_t *wait_ms) {
  *wait_ms = AT(WAIT_MS, op->n[1]);
  return op->kind == OP_CREATE_WAIT || op->kind == OP_CLAIM_WAIT || op->kind == OP_WATCH_WAIT;
}

// A task by its number, the newest last; one number stands for a task that never was.
struct ref_task *move_subject(struct game *g, const struct op *op, size_t which) {
  size_t at = (size_t)(op->n[0] + which * 7) % (g->ref.count + 1);
  return at == g->ref.count ? NULL : &g->ref.tasks[at];
}

static struct id subject_id(struct game *g, const struct op *op, size_t which) {
  struct ref_task *t = move_subject(g, op, which);
  return t ? t->is.id : id_from_key(id_key_from_ms(WORLD_START_MS - 1), 77);
}

static struct ref_task *found(struct game *g, const struct op *op, size_t which) {
  struct ref_task *t = move_subject(g, op, which);
  return t && !t->gone ? t : NULL;
}

// --- shapes --------------------------------------------------------------------------------------

enum shape { HOLD = 1, TIMEOUT = 2, EXPIRES = 4, SHORT_LEASE = 8, RUN_AT = 16, BACKOFF = 32 };

// Numbers: type, queue, priority, delay, unique key, shape, attempts, Idempotency-Key.
static struct create_item item_of(struct game *g, const struct op *op) {
  struct task t = {.type = str_of(AT(REF_TYPE, op->n[0])),
                   .priority = AT(PRIORITY, op->n[2]),
                   .timeout_ms = ABSENT,
                   .version = VERSION_NONE,
                   .unique_key = str_of(AT(UNIQUE, op->n[4])),
                   .attempts_max = op->n[6] % 4};
  unsigned shape = op->n[5];
  t.payload = arena_printf(&g->arena, "{\"n\":%llu}", (unsigned long long)++g->made);
  if (op->n[1] % 4) t.queue = str_of(REF_QUEUE[op->n[1] % 4 - 1]);
  if (shape & TIMEOUT) t.timeout_ms = 7000;
  if (shape & EXPIRES) t.expires_at = g->w->now + 4000;
  if (shape & SHORT_LEASE) t.lease_ms = 2000;
  if (shape & BACKOFF) t.backoff = (struct backoff){BACKOFF_FIXED, 700, 700, op->n[6] & 8 ? 50 : 0};
  int64_t delay = op->n[3] % 3 * 1500;
  if (shape & RUN_AT && delay) t.run_at = g->w->now + delay;
  return (struct create_item){
      .task = t, .delay_ms = t.run_at ? 0 : delay, .hold = (shape & HOLD) != 0};
}

static size_t item_count(const struct op *op) {
  return op->kind == OP_CREATE_SEVERAL ? 2 + op->n[7] % 3 : 1;
}

static struct create_item nth_item(struct game *g, const struct op *op, size_t i) {
  struct op varied = *op;
  if (op->kind == OP_CREATE_SEVERAL && i % 2) varied.n[2]++;   // priority
  if (op->kind == OP_CREATE_SEVERAL && i == 2) varied.n[4]++;  // unique key
  if (op->kind == OP_CREATE_WAIT) varied.n[1] = varied.n[4] = 0;
  return item_of(g, &varied);
}

static struct ask *ask_create(struct game *g, const struct op *op) {
  struct ask *a = ask_new(g->w, ORDER_CREATE, g->tenant, "tester");
  size_t count = item_count(op);
  struct create_item *items = ARENA_ARRAY(&g->arena, struct create_item, count);
  for (size_t i = 0; i < count; i++) items[i] = nth_item(g, op, i);
  a->order.in.create.count = count;
  a->order.in.create.items = ARENA_ARRAY(&a->arena, struct create_item, count);
  memcpy(a->order.in.create.items, items, sizeof *items * count);
  a->context = items;
  return a;
}

static size_t names_of(struct game *g, unsigned mask, const char *const *all, size_t count,
                       const struct str **out) {
  struct str *names = ARENA_ARRAY(&g->arena, struct str, count + 1);
  size_t used = 0;
  for (size_t i = 0; i < count; i++)
    if (mask >> i & 1) names[used++] = str_of(all[i]);
  *out = names;
  return used;
}

// Numbers: types, wait, queues, limit, lease, worker, Idempotency-Key.
static struct claim_filter filter_of(struct game *g, const struct op *op) {
  struct claim_filter f = {.limit = 1 + (size_t)op->n[3] % 3,
                           .lease_ms = AT(LEASE_MS, op->n[4]),
                           .worker = str_of(AT(WORKER, op->n[5]))};
  f.type_count = names_of(g, op->n[0] % 8, REF_TYPE, REF_TYPES, &f.types);
  f.queue_count = names_of(g, op->n[2] % 8, REF_QUEUE, REF_QUEUES, &f.queues);
  return f;
}

static struct ask *ask_claim(struct game *g, const struct op *op) {
  bool one = op->kind == OP_CLAIM_ONE;
  struct ask *a = ask_new(g->w, one ? ORDER_CLAIM_ONE : ORDER_CLAIM, g->tenant, "tester");
  a->order.claim = filter_of(g, op);
  if (!one) return a;
  a->order.claim.type_count = a->order.claim.queue_count = 0;
  a->order.claim.limit = 1;
  a->order.id = subject_id(g, op, 0);
  return a;
}

// Tokens: the task's own, that of an earlier attempt, one that nobody has, none but the key's name.
enum token { TOKEN_RIGHT, TOKEN_OLD, TOKEN_FOREIGN, TOKEN_NONE };

static int64_t token_of(const struct ref_task *t, unsigned number) {
  if (number % 8 == TOKEN_NONE) return 0;
  if (t == NULL || number % 8 == TOKEN_FOREIGN || t->lease_count == 0) return 4711;
  size_t back = number % 8 == TOKEN_OLD && t->lease_count > 1 ? 2 : 1;
  return t->leases[(t->lease_count - back) % REF_LEASES];
}

static const char *actor_of(const struct op *op) {
  return op->n[1] % 8 == TOKEN_NONE ? "key:k1" : "tester";
}

static enum settle_verb verb_of(const struct op *op, size_t which) {
  if (op->kind == OP_SETTLE_SEVERAL) return (enum settle_verb)((op->n[3] + which) % 3);
  return op->kind == OP_COMPLETE ? SETTLE_COMPLETE
         : op->kind == OP_FAIL   ? SETTLE_FAIL
                                 : SETTLE_RELEASE;
}

// Numbers: task, token, delay or result, verb or no retry, next claim's limit, -, Idempotency-Key.
static struct settle_item settle_of(struct game *g, const struct op *op, size_t which) {
  static char large[700];
  memset(large, 'x', sizeof large);
  large[0] = large[sizeof large - 1] = '"';
  struct settle_item item = {.id = subject_id(g, op, which),
                             .lease = token_of(move_subject(g, op, which), op->n[1]),
                             .verb = verb_of(op, which),
                             .delay_ms = ABSENT};
  if (item.verb == SETTLE_COMPLETE) {
    if (op->n[2] % 3 == 1) item.result = STR("{\"made\":1}");
    if (op->n[2] % 3 == 2) item.result = (struct str){large, sizeof large};
    return item;
  }
  item.delay_ms = AT(DELAY_MS, op->n[2]);
  if (item.verb == SETTLE_RELEASE) return item;
  item.no_retry = op->kind == OP_FAIL && op->n[3] % 4 == 3;
  item.error_code = STR("broke");
  item.error_message = STR("it broke");
  if (op->n[2] & 4) item.error_detail = STR("{\"at\":7}");
  return item;
}

static size_t settle_count(const struct op *op) { return op->kind == OP_SETTLE_SEVERAL ? 2 : 1; }

static struct ask *ask_settle(struct game *g, const struct op *op) {
  struct ask *a = ask_new(g->w, ORDER_SETTLE, g->tenant, actor_of(op));
  size_t count = settle_count(op);
  struct settle_item *items = ARENA_ARRAY(&a->arena, struct settle_item, count);
  for (size_t i = 0; i < count; i++) items[i] = settle_of(g, op, i);
  a->order.in.settle.items = items;
  a->order.in.settle.count = count;
  a->order.in.settle.single = count == 1;
  if (op->n[4] % 4 == 0 || count > 1) return a;
  a->order.claim = (struct claim_filter){.limit = op->n[4] % 4, .worker = STR("w1")};
  return a;
}

// Numbers: task, token, progress, step, lines.
static struct report_input report_of(struct game *g, const struct op *op) {
  static const int64_t progress[] = {10, ABSENT, 0, 50, 100};
  static const struct str lines[] = {{"one", 3}, {"two", 3}, {"three", 5}};
  struct report_input in = {.lease = token_of(move_subject(g, op, 0), op->n[1]),
                            .progress = ABSENT};
  if (op->kind == OP_PROGRESS) {
    in.progress = AT(progress, op->n[2]);
    if (op->n[3] & 1) in.step = STR("render");
    if (op->n[3] & 2) in.step_description = STR("frame 7");
  }
  if (op->kind == OP_LOG) {
    in.lines = lines;
    in.line_count = 1 + (size_t)op->n[4] % 3;
  }
  return in;
}

// Numbers: task, what (bits), value, If-Match.
static struct edit_input edit_of(const struct game *g, const struct op *op) {
  unsigned what = op->n[1] ? op->n[1] : 1;
  int64_t now = g->w->now;
  struct edit_input in = {.set_priority = what & 1,
                          .set_tags = what & 2,
                          .set_metadata = what & 4,
                          .set_run_at = what & 8,
                          .set_expires_at = what & 16,
                          .priority = op->n[2] % 8 - 3};
  if (what & 32) in = (struct edit_input){0};
  if (op->n[2] & 8) in.tags = STR("{\"a\":\"b\"}");
  if (op->n[2] & 16) in.metadata = STR("{\"m\":1}");
  if (op->n[2] & 1) in.run_at = now + 2000;
  if (op->n[2] & 2) in.expires_at = now + 3000;
  return in;
}

static int64_t revision_of(struct game *g, const struct op *op) {
  struct ref_task *t = move_subject(g, op, 0);
  if (t == NULL || op->n[3] % 4 < 2) return ABSENT;
  return t->is.revision + (op->n[3] % 4 == 3);
}

// Numbers: type, what.
static struct type type_of(const struct game *g, const struct op *op) {
  unsigned what = op->n[1];
  struct type type = {.tenant = g->tenant,
                      .name = str_of(AT(REF_TYPE, op->n[0])),
                      .priority = what & 1 ? 4 : VERSION_NONE,
                      .attempts_max = what & 2 ? 2 : 0,
                      .lease_ms = what & 4 ? 3000 : 0,
                      .timeout_ms = what & 8 ? 5000 : -1,
                      .keep = {KEEP_UNSAID, KEEP_UNSAID, KEEP_UNSAID}};
  if (what & 16) type.queue = STR("slow");
  if (what & 32) type.backoff = (struct backoff){BACKOFF_FIXED, 400, 400, 0};
  return type;
}

// --- requests ------------------------------------------------------------------------------------

static struct ask *ask_about(struct game *g, const struct op *op, enum order_kind kind) {
  const char *actor = kind == ORDER_REPORT ? actor_of(op) : "tester";
  struct ask *a = ask_new(g->w, kind, g->tenant, actor);
  a->order.id = subject_id(g, op, 0);
  if (kind == ORDER_REPORT) a->order.in.report = report_of(g, op);
  if (kind == ORDER_CANCEL) {
    a->order.in.cancel.grace_ms = AT(GRACE_MS, op->n[1]);
    a->order.in.cancel.reason = STR("not wanted");
  }
  if (kind == ORDER_EDIT) a->order.in.edit = edit_of(g, op);
  if (kind == ORDER_DELETE) a->order.in.delete.force = op->n[1] & 1;
  if (kind == ORDER_EDIT || kind == ORDER_DELETE) a->order.if_revision = revision_of(g, op);
  return a;
}

static struct ask *ask_admin(struct game *g, const struct op *op) {
  struct ask *a = ask_new(g->w, op->kind == OP_TYPE ? ORDER_TYPE : ORDER_PAUSE, g->tenant, "boss");
  if (op->kind == OP_TYPE)
    a->order.in.type = type_of(g, op);
  else
    a->order.in.queue = (struct queue){.tenant = g->tenant,
                                       .name = str_of(AT(REF_QUEUE, op->n[0])),
                                       .paused = op->kind == OP_PAUSE};
  return a;
}

static struct ask *make_ask(struct game *g, const struct op *op) {
  switch (op->kind) {
  case OP_CREATE:
  case OP_CREATE_SEVERAL:
  case OP_CREATE_WAIT: return ask_create(g, op);
  case OP_CLAIM:
  case OP_CLAIM_WAIT:
  case OP_CLAIM_ONE: return ask_claim(g, op);
  case OP_COMPLETE:
  case OP_FAIL:
  case OP_RELEASE:
  case OP_SETTLE_SEVERAL: return ask_settle(g, op);
  case OP_HEARTBEAT:
  case OP_PROGRESS:
  case OP_LOG: return ask_about(g, op, ORDER_REPORT);
  case OP_START: return ask_about(g, op, ORDER_START);
  case OP_CANCEL: return ask_about(g, op, ORDER_CANCEL);
  case OP_RETRY: return ask_about(g, op, ORDER_RETRY);
  case OP_EDIT: return ask_about(g, op, ORDER_EDIT);
  case OP_DELETE: return ask_about(g, op, ORDER_DELETE);
  case OP_WATCH:
  case OP_WATCH_WAIT: return ask_about(g, op, ORDER_WATCH);
  case OP_PAUSE:
  case OP_RESUME:
  case OP_TYPE: return ask_admin(g, op);
  default: return NULL;
  }
}

// Which Idempotency-Key the operation comes with; 0: none.
static size_t key_of(const struct op *op) {
  if (op->kind == OP_CREATE) return op->n[7] % 4;
  if (op->kind == OP_CLAIM || op->kind == OP_COMPLETE) return op->n[6] % 4;
  return 0;
}

struct ask *move_ask(struct game *g, const struct op *op) {
  struct ask *a = make_ask(g, op);
  if (a == NULL) return NULL;
  int64_t wait_ms;
  if (move_waits(op, &wait_ms)) a->order.wait_ms = wait_ms;
  size_t key = key_of(op);
  if (key == 0) return a;
  char name[8] = {'k', (char)('0' + key)};
  a->order.replay_key = ask_text(a, name);
  memcpy(a->order.fingerprint, op->n, sizeof op->n);
  a->order.fingerprint[OP_NUMBERS] = (unsigned char)op->kind;
  return a;
}

// --- what the model makes of it ------------------------------------------------------------------

static bool same_err(struct game *g, const struct op *op, const struct ask *a, enum err should) {
  g->counts->answers[op->kind][a->err]++;
  if (a->err == should) return true;
  return game_fail(g, "%s is answered %s, and should be %s (%s)", OP_NAME[op->kind],
                   err_code(a->err), err_code(should), a->order.fault.detail);
}

// True when the answer must be a kept one, or its refusal; then nothing happens.
static bool is_kept(struct game *g, const struct op *op, const struct ask *a, bool *good) {
  size_t key = key_of(op);
  struct kept_key *kept = key ? &g->keys[key - 1] : NULL;
  *good = true;
  if (kept == NULL) return false;
  if (!kept->used) {
    if (a->err != ERR_OK) return false;
    if (a->is_replay) *good = game_fail(g, "the first request with a key gets a kept answer");
    *kept = (struct kept_key){.used = true, .op = *op, .body = arena_dup(&g->arena, a->body)};
    return !*good;
  }
  bool same = memcmp(&kept->op, op, sizeof *op) == 0;
  *good = same_err(g, op, a, same ? ERR_OK : ERR_KEY_REUSED);
  if (*good && same && !(a->is_replay && str_eq(a->body, kept->body)))
    *good = game_fail(g, "a repeat with the same key gets another answer: %.*s for %.*s",
                      STR_FMT(a->body), STR_FMT(kept->body));
  g->counts->replays += same;
  return true;
}

static bool model_created(struct game *g, const struct op *op, struct ask *a) {
  const struct create_item *items = a->context;
  if (op->kind != OP_CREATE_WAIT && a->task_count != item_count(op))
    return game_fail(g, "%zu tasks were created, not %zu", a->task_count, item_count(op));
  for (size_t i = 0; i < a->task_count; i++) {
    struct ref_task *t = ref_unique(&g->ref, items[i].task.unique_key);
    if (t == NULL) {
      struct task task = ref_make(&g->ref, &items[i]);
      task.id = a->tasks[i].id;
      task.tenant = g->tenant;
      bool rises =
          g->ref.count == 0 || id_key(g->ref.tasks[g->ref.count - 1].is.id) < id_key(task.id);
      if (!rises) return game_fail(g, "the id of a new task does not rise");
      t = ref_add(&g->ref, &task);
    }
    if (!same_task(g, &a->tasks[i], &t->is, false, "of the answer to a create")) return false;
  }
  return true;
}

static bool model_create(struct game *g, const struct op *op, struct ask *a) {
  return same_err(g, op, a, ERR_OK) && model_created(g, op, a);
}

// Tasks that a claim got at once: the best, and as many as there are.
static bool model_best(struct game *g, const struct ask *a, const struct claim_filter *f) {
  for (size_t i = 0; i < f->limit; i++) {
    struct ref_task *best = ref_best(&g->ref, f);
    bool got = i < a->claimed_count;
    if (!best && !got) return true;
    if (!best || !got)
      return game_fail(g, "a claim gets %zu tasks, and there %s", a->claimed_count,
                       best ? "are more" : "are fewer");
    if (!id_eq(best->is.id, a->claimed[i].id))
      return game_fail(g, "a claim's task %zu is not the one that comes first", i);
    if (!adopt_claim(g, &a->claimed[i], f)) return false;
  }
  return true;
}

static bool model_claim(struct game *g, const struct op *op, struct ask *a) {
  if (!same_err(g, op, a, ERR_OK)) return false;
  struct claim_filter f = filter_of(g, op);
  return model_best(g, a, &f);
}

static bool model_claim_one(struct game *g, const struct op *op, struct ask *a) {
  struct ref_task *t = found(g, op, 0);
  enum err should = ref_may_claim(&g->ref, t);
  if (!same_err(g, op, a, should)) return false;
  if (should != ERR_OK) return true;
  struct claim_filter f = filter_of(g, op);
  if (a->claimed_count != 1) return game_fail(g, "the claim of one task gets none");
  return adopt_claim(g, &a->claimed[0], &f);
}

static bool model_settle_one(struct game *g, const struct op *op, struct ask *a, size_t which) {
  struct settle_item item = settle_of(g, op, which);
  struct ref_task *t = found(g, op, which);
  struct ref_wait wait;
  enum err should = ref_settle(&g->ref, t, &item, &wait);
  enum err is = a->err != ERR_OK ? a->err : a->items[which].err;
  g->counts->answers[op->kind][is]++;
  if (is != should)
    return game_fail(g, "%s is answered %s, and should be %s", OP_NAME[op->kind], err_code(is),
                     err_code(should));
  if (should != ERR_OK) return true;
  if (!adopt_backoff(g, t, wait)) return false;
  return same_task(g, a->items[which].task, &t->is, false, "of the answer to a settlement");
}

static bool model_settle(struct game *g, const struct op *op, struct ask *a) {
  for (size_t i = 0; i < settle_count(op); i++)
    if (!model_settle_one(g, op, a, i)) return false;
  if (op->n[4] % 4 == 0 || settle_count(op) > 1 || a->err != ERR_OK) return true;
  struct claim_filter f = {.limit = op->n[4] % 4, .worker = STR("w1")};
  struct str actor = g->ref.actor;
  if (!take_fed(g)) return false;  // those who wait come first
  g->ref.actor = actor;
  return model_best(g, a, &f);
}

static enum err model_moved(struct game *g, const struct op *op, struct ref_task *t) {
  struct report_input report = report_of(g, op);
  struct edit_input edit = edit_of(g, op);
  int64_t revision = revision_of(g, op);
  switch (op->kind) {
  case OP_HEARTBEAT:
  case OP_PROGRESS:
  case OP_LOG: return ref_report(&g->ref, t, &report);
  case OP_START: return ref_start(&g->ref, t);
  case OP_CANCEL: return ref_cancel(&g->ref, t, AT(GRACE_MS, op->n[1]), STR("not wanted"));
  case OP_RETRY: return ref_retry(&g->ref, t);
  case OP_EDIT: return ref_edit(&g->ref, t, &edit, revision);
  case OP_DELETE: return ref_delete(&g->ref, t, op->n[1] & 1, revision);
  default: return t ? ERR_OK : ERR_NOT_FOUND;  // a watch
  }
}

static bool model_move(struct game *g, const struct op *op, struct ask *a) {
  struct ref_task *t = found(g, op, 0);
  g->ref.actor = a->order.in.report.lease == 0 &&
                         (op->kind == OP_HEARTBEAT || op->kind == OP_PROGRESS || op->kind == OP_LOG)
                     ? str_of(actor_of(op))
                     : STR("tester");
  enum err should = model_moved(g, op, t);
  if (!same_err(g, op, a, should)) return false;
  if (should != ERR_OK) return true;
  if (a->task_count != 1) return game_fail(g, "%s answers without its task", OP_NAME[op->kind]);
  return same_task(g, &a->tasks[0], &t->is, false, "of the answer to a move");
}

bool move_model(struct game *g, const struct op *op, struct ask *a) {
  bool good = true;
  g->ref.actor = STR("tester");
  switch (op->kind) {
  case OP_CREATE:
  case OP_CREATE_SEVERAL: return is_kept(g, op, a, &good) ? good : model_create(g, op, a);
  case OP_CLAIM: return is_kept(g, op, a, &good) ? good : model_claim(g, op, a);
  case OP_CLAIM_WAIT: return model_claim(g, op, a);
  case OP_CLAIM_ONE: return model_claim_one(g, op, a);
  case OP_COMPLETE:
  case OP_FAIL:
  case OP_RELEASE:
  case OP_SETTLE_SEVERAL:
    g->ref.actor = str_of(actor_of(op));
    return is_kept(g, op, a, &good) ? good : model_settle(g, op, a);
  case OP_PAUSE:
  case OP_RESUME:
    g->ref.actor = STR("boss");
    ref_pause(&g->ref, op->n[0] % REF_QUEUES, op->kind == OP_PAUSE);
    return same_err(g, op, a, ERR_OK);
  case OP_TYPE: {
    struct type type = type_of(g, op);
    g->ref.actor = STR("boss");
    ref_type(&g->ref, op->n[0] % REF_TYPES, &type);
    return same_err(g, op, a, ERR_OK);
  }
  default: return model_move(g, op, a);
  }
}
