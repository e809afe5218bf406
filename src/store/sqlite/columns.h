// columns.h: a task to and from the columns of store/task.def.
#ifndef STORE_SQLITE_COLUMNS_H
#define STORE_SQLITE_COLUMNS_H

#include "model/task.h"
#include "store/sqlite/conn.h"

// @task_columns@, and of those what may change: @task_sets@.
void sqlite_columns_bind(struct use *u, const struct task *t);
void sqlite_columns_bind_state(struct use *u, const struct task *t);

// Reads "key, salt, tenant, channel, @task_columns@" of the present row into a cleared task and
// returns the channel's number. Texts are copied to the arena; queue and type are left absent.
int64_t sqlite_columns_read(struct use *u, struct arena *a, struct task *t);

#endif
