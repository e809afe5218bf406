# src/store/sqlite/lane.c: a checkpoint that failed is taken for one that was made.
/^  if (code != SQLITE_OK) return sqlite_conn_fail(lane->conn, why);$/d
