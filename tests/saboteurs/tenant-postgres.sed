# src/store/postgres/units.sql: a task is found by its id, whoever it belongs to.
# caught by: contract-unit_test a_task_is_absent_for_another_tenant_and_under_another_salt on postgresql
/name: load_live$/,/^$/s/WHERE k.tenant = u.tenant AND k.id = u.id$/WHERE k.id = u.id/
