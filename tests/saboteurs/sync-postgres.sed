# src/store/postgres/guard.c: a database that forgets commits is taken with a warning.
# caught by: contract-postgres_test a_database_that_forgets_is_refused_unless_that_is_wanted on postgresql
s/^  if (unsafe) {/  if (unsafe || loses) {/
