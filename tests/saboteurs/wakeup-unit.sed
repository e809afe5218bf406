# src/engine/feed.c: a claim that waits is not fed by the unit that makes its task.
# caught by: engine-park_test a_waiting_claim_is_fed_in_the_unit_of_the_create_with_one_commit
s/^  if (!u->ready_new) return;/  return;/
