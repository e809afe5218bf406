# src/store/sqlite/apply.c: a task that is removed still counts.
# caught by: contract-unit_test a_deleted_task_leaves_only_its_events
s/^  if (!row->fresh) sqlite_channels_move/  if (!row->fresh \&\& !row->gone) sqlite_channels_move/
