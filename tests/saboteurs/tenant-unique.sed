# src/engine/unit.c: in one unit a unique key holds for all tenants.
# caught by: engine-tenants_test a_unique_key_is_each_tenant_s_own
s/^  while (u->uniques\[i\] && !(u->uniques\[i\]->tenant == tenant && str_eq/  while (u->uniques[i] \&\& !(tenant \&\& str_eq/
