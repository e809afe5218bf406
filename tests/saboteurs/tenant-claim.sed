# src/store/sqlite/pick.c: a claim takes the tasks of any tenant.
# caught by: contract-pick_test a_pick_takes_only_what_it_names
s/^  return c->tenant == pick->tenant &&/  return c->tenant > 0 \&\&/
