# src/engine/retention.c: a request removes the tasks of all tenants.
# caught by: engine-cleanup_test a_request_removes_of_its_own_tenant_alone
/^    if (tenant && u->tally\[i\].tenant != tenant) continue;/d
