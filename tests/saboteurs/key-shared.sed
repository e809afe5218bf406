# src/store/sqlite/queries.sql: an answer is kept for all tenants.
# caught by: contract-unit_test replays_are_found_by_tenant_and_key_and_dropped_by_age
/name: replay_read$/,/^$/s/ WHERE tenant = ? AND key = ?;/ WHERE ? > 0 AND key = ?;/
