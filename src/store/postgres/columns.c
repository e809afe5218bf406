// columns.c: a task to and from the columns of store/task.def.
#include "store/postgres/internal.h"

#define IF_STATE_STATE(statement) statement
#define IF_STATE_INPUT(statement)
#define IF_INPUT_STATE(statement)
#define IF_INPUT_INPUT(statement) statement

#define PUT_I64(value) call_put_i64(c, value)
#define PUT_SPARSE(value) put_sparse(c, value)
#define PUT_ENUM(value) call_put_i64(c, (int64_t)(value))
#define PUT_TEXT(value) call_put_text(c, value)

// NULL takes no room in a row, and neither side makes a number of it.
static void put_sparse(struct call *c, int64_t value) {
  if (value)
    call_put_i64(c, value);
  else
    call_put_no_i64(c);
}

static void put_key(struct call *c, const struct row *row) {
  call_put_i64(c, row->task.tenant);
  call_put_id(c, row->task.id);
  call_put_i64(c, row->channel);
}

void pg_columns_put_input(struct call *c, const struct row *row) {
  put_key(c, row);
  call_put_text(c, row->task.payload);
#define COLUMN(column, field, kind, group, meaning) IF_INPUT_##group(PUT_##kind(row->task.field);)
#include "store/task.def"
#undef COLUMN
}

void pg_columns_put_state(struct call *c, const struct row *row) {
  call_put_place(c, row->place);
  call_put_i64(c, row->was_revision);
  put_key(c, row);
  call_put_i64(c, row->result_new);
  call_put_text(c, row->result_new ? row->task.result : STR_NONE);
#define COLUMN(column, field, kind, group, meaning) IF_STATE_##group(PUT_##kind(row->task.field);)
#include "store/task.def"
#undef COLUMN
}

#define READ_I64(field) (field) = result_i64(r)
#define READ_SPARSE(field) READ_I64(field)  // NULL is read as 0
#define READ_ENUM(field) (field) = (typeof(field))result_i64(r)
#define READ_TEXT(field) (field) = result_text(r, a)

int64_t pg_columns_read(struct result *r, struct arena *a, struct task *t) {
  t->tenant = result_i64(r);
  t->id = result_id(r);
  int64_t channel = result_i64(r);
#define COLUMN(column, field, kind, group, meaning) IF_STATE_##group(READ_##kind(t->field);)
#include "store/task.def"
#undef COLUMN
#define COLUMN(column, field, kind, group, meaning) IF_INPUT_##group(READ_##kind(t->field);)
#include "store/task.def"
#undef COLUMN
  return channel;
}
