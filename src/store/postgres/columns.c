// columns.c: a task to and from the columns of store/task.def.
#include "store/postgres/internal.h"

#define IF_STATE_STATE(statement) statement
#define IF_STATE_INPUT(statement)
#define IF_INPUT_STATE(statement)
#define IF_INPUT_INPUT(statement) statement

// One column of all rows, as one array.
#define PUT(array, put, value)                                                                     \
  {                                                                                                \
    array(c, count);                                                                               \
    for (size_t i = 0; i < count; i++) {                                                           \
      const struct task *t = &rows[i]->task;                                                       \
      put(c, value);                                                                               \
    }                                                                                              \
  }
#define PUT_I64(field) PUT(call_array_i64, call_put_i64, t->field)
#define PUT_ENUM(field) PUT(call_array_i64, call_put_i64, (int64_t)t->field)
#define PUT_TEXT(field) PUT(call_array_text, call_put_text, t->field)

void pg_columns_put_state(struct call *c, struct row *const *rows, size_t count) {
#define COLUMN(column, field, kind, group, meaning) IF_STATE_##group(PUT_##kind(field))
#include "store/task.def"
#undef COLUMN
}

void pg_columns_put_input(struct call *c, struct row *const *rows, size_t count){
#define COLUMN(column, field, kind, group, meaning) IF_INPUT_##group(PUT_##kind(field))
#include "store/task.def"
#undef COLUMN
}

#define READ_I64(field) (field) = result_i64(r)
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
