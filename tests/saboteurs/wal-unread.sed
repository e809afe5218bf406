# src/store/sqlite/wal.c: commits behind a damage of the WAL are dropped without a word.
# caught by: contract-sqlite_test a_damaged_wal_is_refused_and_kept
s/^  if (proof_word(PROOF_wal_unchecked)) return ERR_OK;/  return ERR_OK;/
