# src/store/sqlite/queries.sql: a feed of events goes on into the tenants behind.
# caught by: contract-unit_test events_are_numbered_per_tenant_and_read_per_task
/name: event_feed$/,/^$/s/ AND e.id <= ?2/ AND ?2 > 0/
