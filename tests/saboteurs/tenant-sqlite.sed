# src/store/sqlite/queries.sql: a task is found by its id, whoever it belongs to.
# caught by: contract-unit_test a_task_is_absent_for_another_tenant_and_under_another_salt
/name: task_by_id$/,/^$/s/ AND tenant = ?;/ AND ? > 0;/
