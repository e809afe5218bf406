// filter.c: a list's filter as SQL: which rows to walk, newest first, and which of them fit.
//
// A task is spread over tables, so one of them is walked, whichever leads to fitting tasks soonest,
// and what the filter says of the others is looked up task by task, for those that fit so far. All
// that was given from outside is bound, never part of the text.
#include <assert.h>
#include <stdlib.h>

#include "store/postgres/reads.h"

enum { SQL_BYTES = 32 << 10 };

enum walk {
  WALK_READY,    // live_ready: ready tasks in claim order
  WALK_UNIQUE,   // task_unique: at most one task
  WALK_SUBJECT,  // task_subject
  WALK_PROJECT,  // task_project
  WALK_TASK,     // all tasks
  WALK_STATE,  // `live` and `done`, merged; of both only what can be in a status that is asked for
};

static const struct {
  bool task;         // `task` is walked, and the state looked up; else the other way round
  const char *name;  // of the column that the index is about; NULL: none
} walks[] = {
    [WALK_UNIQUE] = {true, "unique_key"}, [WALK_SUBJECT] = {true, "subject"},
    [WALK_PROJECT] = {true, "project"},   [WALK_TASK] = {true, NULL},
    [WALK_STATE] = {false, NULL},
};

// What the filter says of one of the tables.
struct side {
  const char *table;  // its alias: w of what is walked, o of the other
  struct buf fits;    // the condition
  bool any;           // it says something
};

// A statement in the making.
struct making {
  struct scan *s;
  const struct task_filter *f;
  enum walk walk;
  struct side input, state;  // of the columns of `task`, and of those of `live` and `done`
  struct side *near, *far;   // the same: of what is walked, and of the other
  struct buf channels;       // the condition on `channel` as c
};

// --- marks ---------------------------------------------------------------------------------------

static struct scan_bind *mark(struct making *m, struct buf *to, enum scan_kind kind) {
  static const char *const types[] = {
      [SCAN_TEXT] = "text", [SCAN_TEXTS] = "text[]", [SCAN_NUMBER] = "bigint", [SCAN_ID] = "uuid"};
  assert(m->s->bind_count < SCAN_BINDS);
  struct scan_bind *bind = &m->s->binds[m->s->bind_count++];
  *bind = (struct scan_bind){.kind = kind};
  buf_printf(to, "$%zu::%s", SCAN_MARKS + m->s->bind_count, types[kind]);
  return bind;
}

static void mark_text(struct making *m, struct buf *to, struct str value) {
  assert(!str_is_none(value));
  mark(m, to, SCAN_TEXT)->text = value;
}

static void and_side(struct side *side) {
  side->any = true;
  BUF_LIT(&side->fits, " AND ");
}

static void and_equals(struct making *m, struct side *side, const char *column, struct str value) {
  const char *walked = walks[m->walk].name;
  if (str_is_none(value) || (walked && strcmp(walked, column) == 0)) return;
  and_side(side);
  buf_printf(&side->fits, "%s.%s = ", side->table, column);
  mark_text(m, &side->fits, value);
}

// --- what fits -----------------------------------------------------------------------------------

static bool asked(const struct task_filter *f, enum task_status status) {
  return f->statuses == 0 || (f->statuses >> status & 1) != 0;
}

static void add_statuses(struct making *m) {
  if (m->f->statuses == 0) return;
  struct buf *fits = &m->state.fits;
  and_side(&m->state);
  buf_printf(fits, "%s.status IN (-1", m->state.table);
  for (int i = 0; i < TASK_STATUS_COUNT; i++)
    if (asked(m->f, (enum task_status)i)) buf_printf(fits, ", %d", i);
  BUF_LIT(fits, ")");
}

static void and_listed(struct making *m, const char *column, const struct str *names,
                       size_t count) {
  if (count == 0) return;
  buf_printf(&m->channels, " AND c.%s = ANY(", column);
  struct scan_bind *bind = mark(m, &m->channels, SCAN_TEXTS);
  bind->texts = names;
  bind->text_count = count;
  BUF_LIT(&m->channels, ")");
}

// Its channel stands in each of a task's tables.
static void add_channels(struct making *m) {
  const struct task_filter *f = m->f;
  BUF_LIT(&m->channels, "c.tenant = $1::bigint");
  if (f->type_count == 0 && f->queue_count == 0) return;
  and_listed(m, "type", f->types, f->type_count);
  and_listed(m, "queue", f->queues, f->queue_count);
  if (m->walk == WALK_READY) return;  // walks them one by one
  and_side(m->near);
  buf_printf(&m->near->fits, "w.channel IN (SELECT c.number FROM @schema@.channel AS c WHERE %.*s)",
             STR_FMT(buf_str(&m->channels)));
}

// The API refuses U+0000 in tags, since PostgreSQL has no text with it. Tags that came another way
// would fail the whole list, so they are passed over.
static void add_tag(struct making *m) {
  if (str_is_none(m->f->tag_name)) return;
  struct buf *fits = &m->state.fits;
  const char *table = m->state.table;
  and_side(&m->state);
  buf_printf(fits, "CASE WHEN strpos(%s.tags, ", table);
  mark_text(m, fits, STR("\\u0000"));
  buf_printf(fits, ") = 0 OR %s.tags !~ ", table);
  mark_text(m, fits, STR("^([^\\\\]|\\\\.)*\\\\u0000"));
  buf_printf(fits, " THEN %s.tags::jsonb ->> ", table);
  mark_text(m, fits, m->f->tag_name);
  BUF_LIT(fits, " = ");
  mark_text(m, fits, str_is_none(m->f->tag_value) ? STR("") : m->f->tag_value);
  BUF_LIT(fits, " END");
}

// lower() in the collation "C" knows ASCII only, as we do.
static void add_text(struct making *m, struct arena *a) {
  struct str text = m->f->text;
  if (str_is_none(text) || text.len == 0) return;
  char *lower = arena_cstr(a, text);
  for (size_t i = 0; i < text.len; i++)
    if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = (char)(lower[i] + ('a' - 'A'));
  struct buf what;
  buf_init(&what, 32);
  mark_text(m, &what, (struct str){lower, text.len});
  struct buf *fits = &m->input.fits;
  const char *table = m->input.table;
  static const char *const columns[] = {"name", "description", "subject"};
  and_side(&m->input);
  buf_printf(fits, "(strpos(%s.id::text, %.*s) > 0", table, STR_FMT(buf_str(&what)));
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
    buf_printf(fits, " OR strpos(lower(%s.%s COLLATE \"C\"), %.*s) > 0", table, columns[i],
               STR_FMT(buf_str(&what)));
  buf_printf(fits,
             " OR %s.channel IN (SELECT c.number FROM @schema@.channel AS c WHERE"
             " c.tenant = $1::bigint AND strpos(lower(c.type COLLATE \"C\"), %.*s) > 0))",
             table, STR_FMT(buf_str(&what)));
  buf_fini(&what);
}

static void add_conditions(struct making *m, struct arena *a) {
  const struct task_filter *f = m->f;
  BUF_LIT(&m->near->fits, "true");
  BUF_LIT(&m->far->fits, "true");
  add_channels(m);
  add_statuses(m);
  and_equals(m, &m->input, "unique_key", f->unique_key);
  and_equals(m, &m->input, "subject", f->subject);
  and_equals(m, &m->input, "project", f->project);
  and_equals(m, &m->state, "worker", f->worker);
  add_tag(m);
  add_text(m, a);
}

// --- looking up ----------------------------------------------------------------------------------

// What the filter says of the other tables, for a row of `w` that fits so far. That each has its
// fence makes it a look by key for each row, whatever the planner believes about the tables.
static void put_lookup(struct making *m) {
  struct buf *page = &m->s->page;
  if (!m->far->any) return;
  buf_printf(page, " LEFT JOIN LATERAL (SELECT %.*s AS fits FROM ",
             STR_FMT(buf_str(&m->far->fits)));
  if (m->far == &m->input)
    BUF_LIT(page,
            "@schema@.task AS o WHERE o.tenant = $1::bigint AND o.id = w.id AND w.fits OFFSET 0");
  else
    BUF_LIT(page,
            "(SELECT l.status, l.worker, l.tags FROM @schema@.live AS l"
            " WHERE l.tenant = $1::bigint AND l.id = w.id AND w.fits UNION ALL"
            " SELECT d.status, d.worker, d.tags FROM @schema@.done AS d"
            " WHERE d.tenant = $1::bigint AND d.id = w.id AND w.fits) AS o");
  BUF_LIT(page, ") AS f ON true");
}

static void put_fits(struct making *m) {
  if (m->far->any)
    BUF_LIT(&m->s->page, "(w.fits AND f.fits)");
  else
    BUF_LIT(&m->s->page, "w.fits");
}

// --- newest first --------------------------------------------------------------------------------

static const char STATE_COLUMNS[] = "w.id, w.channel, w.status, w.worker, w.tags";
static const char TASK_COLUMNS[] =
    "w.id, w.channel, w.name, w.description, w.project, w.subject, w.unique_key";

// One table in the order of its ids. Its own limit makes it so that several can be merged as they
// are walked.
static void put_branch(struct making *m, const char *table, int status) {
  struct buf *page = &m->s->page;
  const char *columns = walks[m->walk].task ? TASK_COLUMNS : STATE_COLUMNS;
  buf_printf(page, "(SELECT %s FROM @schema@.%s AS w WHERE w.tenant = $1::bigint", columns, table);
  if (walks[m->walk].name) {
    buf_printf(page, " AND w.%s = ", walks[m->walk].name);
    mark_text(m, page,
              m->walk == WALK_UNIQUE    ? m->f->unique_key
              : m->walk == WALK_SUBJECT ? m->f->subject
                                        : m->f->project);
  }
  if (m->walk == WALK_UNIQUE) {  // of one row there is no order
    BUF_LIT(page, " OFFSET 0)");
    return;
  }
  if (status >= 0) buf_printf(page, " AND w.status = %d AND w.status >= %d", status, TASK_FAILED);
  buf_printf(page, " AND w.id > $2::uuid AND w.id < $3::uuid ORDER BY w.id DESC LIMIT %d)",
             LIMIT_SCAN_ROWS);
}

static void put_state_branches(struct making *m) {
  struct buf *page = &m->s->page;
  size_t before = page->len;
  bool live = asked(m->f, TASK_PENDING) || asked(m->f, TASK_RUNNING);
  if (live) put_branch(m, "live", -1);
  for (int i = TASK_COMPLETED; i < TASK_STATUS_COUNT; i++) {
    if (!asked(m->f, (enum task_status)i)) continue;
    if (page->len > before) BUF_LIT(page, " UNION ALL ");
    put_branch(m, "done", i == TASK_COMPLETED ? -1 : i);
    if (i == TASK_COMPLETED) return;  // walks those of the others too
  }
}

// How many tasks there are of these statuses, queues and types, by the tallies: a list that has
// found them all need not look at the rest. Worth it only where rows are walked that do not fit.
static bool is_counted(const struct making *m) {
  bool part_of_live = asked(m->f, TASK_PENDING) != asked(m->f, TASK_RUNNING);
  return m->walk > WALK_SUBJECT && (m->f->type_count || m->f->queue_count || part_of_live);
}

static void put_total(struct making *m) {
  struct buf *page = &m->s->page;
  static const char *const words[] = {
#define STATUS(name, word, final, meaning) word,
#include "model/task_status.def"
#undef STATUS
  };
  static const char *const tables[] = {"tally", "tally_move"};
  BUF_LIT(page, "(SELECT greatest(coalesce(sum(n.count), 0), 0)::bigint FROM (");
  for (size_t t = 0; t < 2; t++) {
    buf_printf(page, "%sSELECT 0", t ? " UNION ALL " : "");
    for (int i = 0; i < TASK_STATUS_COUNT; i++)
      if (asked(m->f, (enum task_status)i)) buf_printf(page, " + m.%s", words[i]);
    buf_printf(page, " AS count FROM @schema@.%s AS m WHERE m.tenant = $1::bigint", tables[t]);
    if (m->f->type_count || m->f->queue_count)
      buf_printf(page,
                 " AND (m.channel IN (SELECT c.number FROM @schema@.channel AS c WHERE %.*s))"
                 " IS TRUE",  // never as a join, which might be a nested loop
                 STR_FMT(buf_str(&m->channels)));
  }
  BUF_LIT(page, ") AS n)");
}

// The rows are numbered as they are walked, so that the last that one page may look at is given
// even if it does not fit.
static void put_newest(struct making *m) {
  struct buf *page = &m->s->page;
  BUF_LIT(page, "SELECT w.id, ");
  put_fits(m);
  buf_printf(page,
             " AS fits FROM (SELECT w.id, row_number() OVER (ORDER BY w.id DESC) AS nr, (%.*s",
             STR_FMT(buf_str(&m->near->fits)));
  if (m->walk == WALK_UNIQUE) BUF_LIT(page, " AND w.id > $2::uuid AND w.id < $3::uuid");
  BUF_LIT(page, ") AS fits FROM (");
  if (m->walk == WALK_STATE)
    put_state_branches(m);
  else
    put_branch(m, "task", -1);
  buf_printf(page, ") AS w ORDER BY w.id DESC LIMIT %d) AS w", LIMIT_SCAN_ROWS);
  put_lookup(m);
  BUF_LIT(page, " WHERE ");
  put_fits(m);
  buf_printf(page, " OR w.nr = %d ORDER BY w.id DESC LIMIT ", LIMIT_SCAN_ROWS);
  if (!is_counted(m)) {
    BUF_LIT(page, "$4::bigint");
    return;
  }
  BUF_LIT(page, "least($4::bigint, ");
  put_total(m);
  BUF_LIT(page, ")");
}

// --- claim order ---------------------------------------------------------------------------------

// Channel by channel as many as the page may hold, and of all those the first ones.
static void put_ready(struct making *m) {
  struct buf *page = &m->s->page;
  const struct task_filter *f = m->f;
  bool front = id_is_none(f->before);
  int64_t priority = f->before_priority;  // of a forged cursor it may be anything
  if (front || priority > INT32_MAX) priority = INT32_MAX;
  if (priority < -INT32_MAX) priority = -INT32_MAX;
  buf_printf(page,
             "SELECT r.id, r.rank, true AS fits FROM @schema@.channel AS c"
             " CROSS JOIN LATERAL (SELECT w.id, w.rank FROM (SELECT w.id, -w.priority AS rank,"
             " (%.*s AND w.id > $2::uuid AND w.id < $3::uuid) AS fits FROM @schema@.live AS w"
             " WHERE w.tenant = $1::bigint AND w.channel = c.number AND w.waiting = %d"
             " AND (-w.priority, w.id) > (",
             STR_FMT(buf_str(&m->near->fits)), WAIT_WORKER);
  mark(m, page, SCAN_NUMBER)->number = -priority;
  BUF_LIT(page, "::integer, ");
  mark(m, page, SCAN_ID)->id = front ? (struct id){0, 1} : f->before;
  BUF_LIT(page, ") ORDER BY -w.priority, w.id) AS w");
  put_lookup(m);
  BUF_LIT(page, " WHERE ");
  put_fits(m);
  buf_printf(page,
             " ORDER BY w.rank, w.id LIMIT $4::bigint) AS r WHERE %.*s"
             " ORDER BY r.rank, r.id LIMIT $4::bigint",
             STR_FMT(buf_str(&m->channels)));
}

// --- all of it -----------------------------------------------------------------------------------

static enum walk choose_walk(const struct task_filter *f) {
  unsigned live = 1U << TASK_PENDING | 1U << TASK_RUNNING;
  if (f->ready_only) return WALK_READY;
  if (!str_is_none(f->unique_key)) return WALK_UNIQUE;
  if (!str_is_none(f->subject)) return WALK_SUBJECT;
  if (!str_is_none(f->project) && (f->statuses == 0 || (f->statuses & ~live))) return WALK_PROJECT;
  if (!str_is_none(f->text) && f->text.len && f->statuses == 0) return WALK_TASK;
  return WALK_STATE;
}

static struct id id_first_at(int64_t ms) {
  static const int64_t MS_MAX = (1LL << 47) - 1;
  return (struct id){(uint64_t)(ms < MS_MAX ? ms : MS_MAX) << 16, 1};
}

static bool id_is_before(struct id a, struct id b) {
  return a.hi != b.hi ? a.hi < b.hi : a.lo < b.lo;
}

static void set_bounds(struct scan *s, const struct task_filter *f) {
  s->above = f->created_after > 0 ? id_first_at(f->created_after + 1) : (struct id){0, 1};
  s->below =
      f->created_before > 0 ? id_first_at(f->created_before) : (struct id){UINT64_MAX, UINT64_MAX};
  bool further = !f->ready_only && !id_is_none(f->before);
  if (further && id_is_before(f->before, s->below)) s->below = f->before;
}

void pg_scan_init(struct scan *s, const struct task_filter *f, struct arena *a) {
  assert(f->type_count <= LIMIT_FILTER_NAMES && f->queue_count <= LIMIT_FILTER_NAMES);
  *s = (struct scan){0};
  struct making m = {.s = s, .f = f, .walk = choose_walk(f)};
  bool task = walks[m.walk].task;
  m.near = task ? &m.input : &m.state;
  m.far = task ? &m.state : &m.input;
  m.near->table = "w";
  m.far->table = "o";
  buf_init(&s->page, SQL_BYTES);
  buf_init(&m.input.fits, SQL_BYTES);
  buf_init(&m.state.fits, SQL_BYTES);
  buf_init(&m.channels, SQL_BYTES);
  set_bounds(s, f);
  add_conditions(&m, a);
  s->order = f->ready_only ? "p.rank, p.id" : "p.id DESC";
  if (f->ready_only)
    put_ready(&m);
  else
    put_newest(&m);
  assert(!s->page.overflow);
  buf_fini(&m.input.fits);
  buf_fini(&m.state.fits);
  buf_fini(&m.channels);
}

void pg_scan_fini(struct scan *s) { buf_fini(&s->page); }

static void bind_one(struct call *call, const struct scan_bind *b) {
  switch (b->kind) {
  case SCAN_TEXT: call_text(call, b->text); break;
  case SCAN_NUMBER: call_i64(call, b->number); break;
  case SCAN_ID: call_id(call, b->id); break;
  case SCAN_TEXTS:
    call_array_text(call, b->text_count);
    for (size_t i = 0; i < b->text_count; i++) call_put_text(call, b->texts[i]);
  }
}

void pg_scan_bind(const struct scan *s, struct call *call, const struct task_filter *f) {
  call_i64(call, f->tenant);
  call_id(call, s->above);
  call_id(call, s->below);
  call_i64(call, (int64_t)f->limit + 1);
  call_i64(call, f->parts);
  call_i64(call, LIMIT_PAGE_BYTES);
  for (size_t i = 0; i < s->bind_count; i++) bind_one(call, &s->binds[i]);
}
