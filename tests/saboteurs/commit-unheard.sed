# src/engine/run.c: a commit that failed is answered as if it had been made.
# caught by: engine-failure_test nobody_is_told_that_an_uncommitted_change_was_made
s/^    err = commit(u, &why);/    (void)commit(u, \&why);/
