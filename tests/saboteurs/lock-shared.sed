# src/store/sqlite/file.c: two servers may open one store.
# caught by: contract-sqlite_test a_store_is_open_in_one_server_only
s/flock(fd, LOCK_EX | LOCK_NB)/flock(fd, LOCK_SH | LOCK_NB)/
