# src/store/sqlite/conn.c: only checkpoints wait for the disk, commits do not.
# caught by: contract-sync_test what_is_acknowledged_is_on_disk
s/PRAGMA synchronous = FULL/PRAGMA synchronous = NORMAL/
