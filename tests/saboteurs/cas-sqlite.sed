# src/store/sqlite/queries.sql: a change is made whatever the task has become since it was read.
# caught by: contract-unit_test a_stale_revision_is_a_conflict_and_nothing_is_changed
/name: task_update$/,/^$/s/ AND revision = ?;/ AND ? IS NOT NULL;/
