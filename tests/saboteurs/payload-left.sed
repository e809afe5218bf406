# src/store/sqlite/apply.c: the payload of a task that is removed stays on disk.
# caught by: contract-unit_test a_deleted_task_leaves_only_its_events
/^  TRY(delete_of(c, QUERY_payload_delete, row, why));/d
