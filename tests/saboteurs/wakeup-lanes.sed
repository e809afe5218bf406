# src/engine/recent.c: what another lane committed meanwhile wakes no claim.
# caught by: engine-lanes_test a_claim_that_loaded_before_a_commit_does_not_sleep_through_it
s/^  if (order->group) return fits_recent(u, order);/  if (order->group) return false;/
