# src/engine/claim.c: lease tokens are counted, and begin anew with each start.
# caught by: engine-claim_test lease_tokens_are_not_to_be_guessed
s/^  do lease = (int64_t)(rand_u64() >> 1);/  static int64_t last;\n  do lease = ++last;/
