# src/engine/retention.c: the cleanup counts running tasks among those that ended, and removes them.
# caught by: engine-cleanup_test what_has_not_ended_is_never_touched
s/ 1u << TASK_CANCELLED};/ 1u << TASK_CANCELLED | 1u << TASK_RUNNING};/
# and src/engine/cleanup.c:
s/^  if (row->gone || row->dirty || !task_status_is_final(row->task.status)) return;/  if (row->gone || row->dirty) return;/
