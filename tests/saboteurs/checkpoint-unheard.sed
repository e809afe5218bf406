# src/store/sqlite/lane.c: a checkpoint that failed is taken for one that was made.
# caught by: contract-sync_test a_checkpoint_whose_sync_fails_is_told
/^  if (code != SQLITE_OK) return sqlite_conn_fail(lane->conn, why);$/d
