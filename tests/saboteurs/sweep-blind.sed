# src/engine/sweep.c: a lease that was renewed in the same unit ends all the same.
# caught by: engine-report_test a_heartbeat_in_the_unit_that_would_end_the_lease_saves_it
/^  if (task->lease_expires_at > u->now) return;/d
