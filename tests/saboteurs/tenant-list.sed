# src/store/sqlite/tasks.c: a list walks the tasks of all tenants.
# caught by: contract-read_test each_filter_finds_what_it_says
s/WHERE tenant = ?1 AND key > ?2"/WHERE ?1 > 0 AND key > ?2"/
