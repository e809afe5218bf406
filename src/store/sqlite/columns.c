// columns.c: a task to and from the columns of store/task.def.
#include "store/sqlite/columns.h"

#define BIND_I64(value) use_i64(u, value)
#define BIND_SPARSE(value) BIND_I64(value)  // a 0 has no room in a row anyway
#define BIND_ENUM(value) use_i64(u, (int64_t)(value))
#define BIND_TEXT(value) use_text(u, value)

#define READ_I64(field) (field) = use_get_i64(u)
#define READ_SPARSE(field) READ_I64(field)
#define READ_ENUM(field) (field) = (typeof(field))use_get_i64(u)
#define READ_TEXT(field) (field) = use_get_text(u, a)

#define IF_STATE(statement) statement
#define IF_INPUT(statement)

void sqlite_columns_bind(struct use *u, const struct task *t) {
#define COLUMN(column, field, kind, group, meaning) BIND_##kind(t->field);
#include "store/task.def"
#undef COLUMN
}

void sqlite_columns_bind_state(struct use *u, const struct task *t) {
#define COLUMN(column, field, kind, group, meaning) IF_##group(BIND_##kind(t->field);)
#include "store/task.def"
#undef COLUMN
}

int64_t sqlite_columns_read(struct use *u, struct arena *a, struct task *t) {
  int64_t key = use_get_i64(u);
  t->id = id_from_key(key, (uint64_t)use_get_i64(u));
  t->tenant = use_get_i64(u);
  int64_t channel = use_get_i64(u);
#define COLUMN(column, field, kind, group, meaning) READ_##kind(t->field);
#include "store/task.def"
#undef COLUMN
  return channel;
}
