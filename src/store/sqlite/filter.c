// filter.c: a list's filter as SQL: which rows to walk, which of them fit, how many there can be.
#include <assert.h>

#include "store/sqlite/internal.h"

enum { SQL_BYTES = 16 << 10 };

static void mark_text(struct scan *s, struct buf *to, struct str value) {
  assert(s->bind_count < SCAN_BINDS && !str_is_none(value));
  buf_char(to, '?');
  buf_i64(to, SCAN_FIRST_BIND + (int64_t)s->bind_count);
  s->binds[s->bind_count++] = (struct scan_bind){.text = value};
}

static void mark_i64(struct scan *s, struct buf *to, int64_t value) {
  assert(s->bind_count < SCAN_BINDS);
  buf_char(to, '?');
  buf_i64(to, SCAN_FIRST_BIND + (int64_t)s->bind_count);
  s->binds[s->bind_count++] = (struct scan_bind){.number = value};
}

static void and_equals(struct scan *s, struct buf *to, const char *column, struct str value) {
  if (str_is_none(value)) return;
  buf_printf(to, " AND %s = ", column);
  mark_text(s, to, value);
}

static void and_listed(struct scan *s, struct buf *to, const char *column, const struct str *names,
                       size_t count) {
  if (count == 0) return;
  buf_printf(to, " AND %s IN (", column);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) BUF_LIT(to, ", ");
    mark_text(s, to, names[i]);
  }
  BUF_LIT(to, ")");
}

// --- the parts -----------------------------------------------------------------------------------

static const char *const status_columns[] = {
#define STATUS(name, word, final, meaning) word,
#include "model/task_status.def"
#undef STATUS
};

static bool status_asked(const struct task_filter *f, size_t status) {
  return f->statuses == 0 || (f->statuses >> status & 1) != 0;
}

static void add_counts(struct scan *s, const struct task_filter *f) {
  BUF_LIT(&s->counts, "0");
  if (f->ready_only) BUF_LIT(&s->counts, " + ready");
  for (size_t i = 0; i < TASK_STATUS_COUNT && !f->ready_only; i++)
    if (status_asked(f, i)) buf_printf(&s->counts, " + %s", status_columns[i]);
}

static void add_statuses(struct scan *s, const struct task_filter *f) {
  if (f->statuses == 0) return;
  BUF_LIT(&s->fits, " AND status IN (-1");
  for (size_t i = 0; i < TASK_STATUS_COUNT; i++)
    if (status_asked(f, i)) buf_printf(&s->fits, ", %zu", i);
  BUF_LIT(&s->fits, ")");
}

static void add_channels(struct scan *s, const struct task_filter *f) {
  BUF_LIT(&s->channels, "1");
  if (f->type_count == 0 && f->queue_count == 0) return;
  and_listed(s, &s->channels, "type", f->types, f->type_count);
  and_listed(s, &s->channels, "queue", f->queues, f->queue_count);
  BUF_LIT(&s->fits, " AND channel IN (SELECT number FROM channel WHERE tenant = ");
  mark_i64(s, &s->fits, f->tenant);
  BUF_LIT(&s->fits, " AND ");
  buf_put(&s->fits, buf_str(&s->channels));
  BUF_LIT(&s->fits, ")");
}

static void add_tag(struct scan *s, const struct task_filter *f) {
  if (str_is_none(f->tag_name)) return;
  BUF_LIT(&s->fits,
          " AND tags IS NOT NULL AND EXISTS (SELECT 1 FROM json_each(tags) AS j"
          " WHERE j.key = ");
  mark_text(s, &s->fits, f->tag_name);
  BUF_LIT(&s->fits, " AND j.value = ");
  mark_text(s, &s->fits, str_is_none(f->tag_value) ? STR("") : f->tag_value);
  BUF_LIT(&s->fits, ")");
}

// lower() of SQLite knows ASCII only, as does ours. id_text is a function of conn.c.
static void add_text(struct scan *s, const struct task_filter *f, struct arena *a) {
  if (str_is_none(f->text) || f->text.len == 0) return;
  char *lower = arena_cstr(a, f->text);
  for (size_t i = 0; i < f->text.len; i++)
    if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = (char)(lower[i] + ('a' - 'A'));
  struct buf mark;
  buf_init(&mark, 16);
  mark_text(s, &mark, (struct str){lower, f->text.len});
  static const char *const columns[] = {"name", "description", "subject"};
  BUF_LIT(&s->fits, " AND (0");
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
    buf_printf(&s->fits, " OR instr(lower(%s), %.*s)", columns[i], STR_FMT(buf_str(&mark)));
  buf_printf(&s->fits, " OR instr(id_text(key, salt), %.*s)", STR_FMT(buf_str(&mark)));
  buf_printf(&s->fits,
             " OR channel IN (SELECT number FROM channel WHERE instr(lower(type), %.*s)))",
             STR_FMT(buf_str(&mark)));
  buf_fini(&mark);
}

// An index whose rows of one value stand in the order of their keys serves better than the table.
static void choose_index(struct scan *s, const struct task_filter *f) {
  const struct {
    const char *index, *column;
    struct str value;
  } choices[] = {
      {"task_unique", "unique_key", f->unique_key},
      {"task_subject", "subject", f->subject},
      {"task_project", "project", f->project},
  };
  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
    bool walk = !s->index && !f->ready_only && !str_is_none(choices[i].value);
    if (walk) s->index = choices[i].index;
    and_equals(s, walk ? &s->rows : &s->fits, choices[i].column, choices[i].value);
  }
  // task_unhappy holds the statuses from FAILED on; its condition must be said for it to be used.
  for (size_t i = TASK_FAILED; i < TASK_STATUS_COUNT && !s->index; i++) {
    if (f->statuses != 1U << i || f->ready_only) continue;
    s->index = "task_unhappy";
    buf_printf(&s->rows, " AND status = %zu AND status >= %d", i, TASK_FAILED);
  }
}

void sqlite_scan_init(struct scan *s, const struct task_filter *f, struct arena *a) {
  assert(f->type_count <= LIMIT_FILTER_NAMES && f->queue_count <= LIMIT_FILTER_NAMES);
  *s = (struct scan){0};
  buf_init(&s->rows, SQL_BYTES);
  buf_init(&s->fits, SQL_BYTES);
  buf_init(&s->channels, SQL_BYTES);
  buf_init(&s->counts, SQL_BYTES);
  BUF_LIT(&s->fits, "1");
  add_counts(s, f);
  add_channels(s, f);
  choose_index(s, f);
  add_statuses(s, f);
  and_equals(s, &s->fits, "worker", f->worker);
  add_tag(s, f);
  add_text(s, f, a);
  assert(!s->rows.overflow && !s->fits.overflow && !s->channels.overflow && !s->counts.overflow);
}

void sqlite_scan_fini(struct scan *s) {
  buf_fini(&s->rows);
  buf_fini(&s->fits);
  buf_fini(&s->channels);
  buf_fini(&s->counts);
}
