# src/store/sqlite/tasks.c: a page begins behind the task that it should begin with.
# caught by: contract-read_test pages_meet_each_task_once_newest_first
s/^      l->more = true;/      l->more = true;\n      int64_t skipped = use_get_i64(u);\n      l->last = id_from_key(skipped, (uint64_t)use_get_i64(u));/
