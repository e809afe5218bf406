# src/store/postgres/units.sql: two servers may sweep the same tasks at once.
# caught by: contract-multi_test due_tasks_are_swept_by_one_unit_only on postgresql
s/^FOR NO KEY UPDATE OF l SKIP LOCKED;/;/
