# src/store/sqlite/apply.c: the answers go out before the commit, which upkeep makes later.
# caught by: contract-sqlite_test what_was_applied_survives_a_kill
s/^  if (proof_word(PROOF_answer_early)) return ERR_OK;.*/  if (lane->store->path) return ERR_OK;/
# and src/store/sqlite/lane.c:
s/^  if (proof_word(PROOF_answer_early)) TRY(/  TRY(/
